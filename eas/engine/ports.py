"""What the engine and the commands ask of the rest of the system. Implemented in store, backends and push; joined in
app.

A backend hands over items in their native form (`eas.items.native`); the shape that devices see is made in `eas.items`.
Every method may raise `errors.Unavailable`; the other errors are named where they belong.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from eas.items import kql
from eas.items.body import Wanted
from eas.items.compose import Outgoing
from eas.items.documents import Content, Document, Login
from eas.items.freebusy import BusyPeriod
from eas.items.mail_filters import Do, Field, Filter
from eas.items.native import Item, ItemId, MailFlags

from .keys import Held
from .model import CollectionId, Device, Folder, FolderType, OutOfOffice, Person, Policy, Secret, User

#: Where a feed stands; opaque to the engine, equal only if nothing has happened in between.
Token = str
#: The state of one item; opaque. For mail it names the visible flags, so that few different ones occur in a folder:
#: "r" or "u" for read or not, then, each if there is such, ".f" and what tells the follow-up flags apart, ".c" and the
#: same of the categories, ".x" and the same of all else; of a draft at the end "~" and what tells its contents apart.
ItemVersion = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """Which items a device wants, by FilterType: all, or those that reach beyond `edge` (aware, UTC).

    Mail reaches as far as the day it was received; an appointment to its last occurrence, an endless one beyond every
    edge; a task to the day on which it was completed, beyond every edge while it is not. `conversations`: with a
    message that reaches beyond the edge all those of its conversation in the same collection are wanted, too. `most`:
    of the recipient information cache only so many entries, those of the highest rank; None for all.
    """

    edge: datetime | None = None
    conversations: bool = False
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What has happened in a collection since a token.

    `touched`: created or changed, and within the horizon. `outside`: created or changed, and outside it. `gone`:
    deleted or moved away. `complete`: this is the whole listing instead (no token, or one too old): what it does not
    name is not there. `token` was taken before what it covers.
    """

    token: Token
    touched: Mapping[ItemId, ItemVersion] = field(default_factory=dict)
    outside: Collection[ItemId] = ()
    gone: Collection[ItemId] = ()
    complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The present state of some items: those within the horizon, and those outside it. Others do not exist. `drawn`
    are those within it only for their conversation's sake."""

    versions: Mapping[ItemId, ItemVersion]
    outside: frozenset[ItemId] = frozenset()
    drawn: frozenset[ItemId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was chosen and written down before an effect, so that after a crash it is found instead of repeated.

    `name` is unique (a derived object name); `note` is what `Feed.mark` of the destination said (an IMAP UIDNEXT, say).
    """

    name: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The result of a write: where the item stands now. `same` says that what is stored is what was sent, byte for byte
    or in meaning."""

    id: ItemId
    version: ItemVersion
    same: bool = True


class Feed(Protocol):
    """One collection of one user. Ids are ints that grow with arrival and are never used again."""

    async def delta(self, since: Token | None, horizon: Horizon) -> Delta:
        """All changes since the token, in a cost that follows their number; nothing new costs one cheap probe."""
        ...

    async def look(self, ids: Collection[ItemId], horizon: Horizon) -> Look: ...

    async def crossed(self, old: datetime, new: datetime) -> Collection[ItemId]:
        """The items that reach beyond edge `old` and not beyond the later edge `new`."""
        ...

    def fetch(self, ids: Sequence[ItemId], wanted: Wanted | None) -> AsyncIterator[Item]:
        """The items, in the order asked for; those that are gone are left out. Mail is loaded as far as `wanted` needs
        (`items.mime.sections_wanted`); with None it is flags only, `sections` empty."""
        ...

    def part(self, id: ItemId, section: str) -> AsyncIterator[bytes]:
        """The raw (transfer-encoded) octets of one part in pieces, "" for the whole message. Raises ItemGone."""
        ...

    async def by_uid(self, uid: str) -> ItemId | None:
        """The record whose iCalendar object has this UID; None for none, and in folders of other items."""
        ...

    async def mark(self) -> str:
        """What to remember of this collection before something is put into it."""
        ...

    async def create(self, content: bytes, chosen: Chosen, flags: MailFlags | None = None) -> Written:
        """Store a new item (for mail: a whole message, with its flags); if one of the chosen name is there already,
        that one. Raises NotAllowed, TooLarge, NoSpace."""
        ...

    async def update(
        self, id: ItemId, content: bytes, if_version: ItemVersion | None, flags: MailFlags | None = None
    ) -> Written:
        """Replace a record; or a draft, together with its flags (which say that it is one). The id stays: where
        messages cannot change (IMAP) the backend puts the new one beside the old, removes that, and keeps the id by a
        mapping of its own. Other mail does not change. Raises ItemGone, VersionConflict, NotAllowed, TooLarge,
        NoSpace."""
        ...

    async def set_flags(self, id: ItemId, flags: MailFlags, if_version: ItemVersion | None = None) -> Written:
        """Raises ItemGone, VersionConflict, NotAllowed."""
        ...

    async def delete(self, id: ItemId, if_version: ItemVersion | None = None) -> None:
        """Remove for good. Raises ItemGone, VersionConflict, NotAllowed."""
        ...

    async def move(self, id: ItemId, to: CollectionId, chosen: Chosen) -> Written:
        """Move an item; if one of the chosen name is in the destination already, finish (the source must be gone) and
        say where it is. Raises ItemGone, FolderGone, NotAllowed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MailQuery:
    """A search over mail and other items: all that is set must hold. `classes` and `collections` empty mean all.

    `text` is looked for in subject, addresses and body, word by word, without regard to case. `matching` is a query in
    parts (None for none). `since` and `before` bound the received time.
    """

    text: str = ""
    classes: tuple[str, ...] = ()
    collections: tuple[CollectionId, ...] = ()
    deep: bool = False
    conversation: bytes | None = None
    since: datetime | None = None
    before: datetime | None = None
    matching: kql.Node | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`hits` in order, newest first, of the wanted range; `total` of all."""

    hits: tuple[tuple[CollectionId, ItemId], ...]
    total: int


class Mailbox(Protocol):
    """The groupware of one user. Whatever id is asked for is looked up within what this user may see."""

    async def hierarchy_token(self, *, fresh: bool = False) -> Token:
        """Equal only while the folders are. What others changed may show with a delay, unless it is to be `fresh`."""
        ...

    async def folders(self) -> Sequence[Folder]: ...

    async def folder(self, id: CollectionId) -> Folder | None:
        """None for unknown ones, and for those that the user may not read."""
        ...

    async def some(self, ids: Collection[CollectionId]) -> Mapping[CollectionId, Folder]:
        """Those of them that `folder` would give, looked up together. What was learned along with them of what has
        changed holds for the first such question to the first feed of each, until `some` is asked again: not for who
        writes in between."""
        ...

    async def create_folder(self, parent: CollectionId, name: str, type: FolderType, chosen: Chosen) -> Folder:
        """Idempotent by the chosen name. Raises FolderExists, FolderGone (the parent), NotAllowed."""
        ...

    async def update_folder(self, id: CollectionId, parent: CollectionId, name: str) -> None:
        """Raises FolderGone, FolderExists, NotAllowed."""
        ...

    async def delete_folder(self, id: CollectionId) -> None:
        """With all that is in it. Raises FolderGone, NotAllowed."""
        ...

    async def empty_folder(self, id: CollectionId, subfolders: bool) -> None:
        """Raises FolderGone, NotAllowed."""
        ...

    async def move_conversation(self, conversation: bytes, to: CollectionId, always: bool) -> int:
        """Put all messages of a conversation into one folder, but for those among what was sent; how many were not
        there yet. `always`: what comes later too, until the conversation is moved again. All or nothing, and the same
        when it is done twice. Raises ItemGone (no such conversation), FolderGone, NotAllowed."""
        ...

    def feed(self, folder: Folder) -> Feed: ...

    async def foresee(self, ids: Collection[CollectionId]) -> None:
        """Feeds of these folders are taken next and asked what has changed: what can be learned of several at once is
        learned now, and holds for the first such question. Raises Unavailable."""
        ...

    async def search(self, query: MailQuery, start: int, count: int) -> Found: ...

    async def out_of_office(self) -> OutOfOffice: ...

    async def set_out_of_office(self, value: OutOfOffice) -> None: ...

    async def filters(self) -> Filters:
        """Raises NotAllowed where nothing filters, Unavailable."""
        ...


class Beside(StrEnum):
    """What runs of the filters that a user has here, and of a script that another program made."""

    ONLY = "only"
    BOTH = "both"
    INSTEAD = "instead"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherScript:
    """Filters that were made with another program, as they stand."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterState:
    """A user's filters. `targets` are the folders that mail may go to: what an action names, and what people call it.
    `fields` and `actions` are those that the server can do.

    `other` is what was made elsewhere and runs beside them, or (INSTEAD) in their place; None for nothing. `others` are
    the names of all such scripts, `both` whether one can run beside them. `intact`: nobody has changed ours by hand.
    """

    filters: tuple[Filter, ...] = ()
    targets: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[Field, ...] = tuple(Field)
    actions: tuple[Do, ...] = tuple(Do)
    beside: Beside = Beside.ONLY
    other: OtherScript | None = None
    others: tuple[str, ...] = ()
    both: bool = False
    intact: bool = True


class Filters(Protocol):
    """Mail filters where they are kept. Both raise Unavailable, NotAllowed."""

    async def read(self) -> FilterState: ...

    async def write(self, filters: Sequence[Filter], beside: Beside = Beside.ONLY, other: str = "") -> None:
        """`other` names the script that runs beside them or in their place. Raises NotAllowed for filters with faults,
        or such that the server cannot do."""
        ...


class Directory(Protocol):
    """The Global Address List, as far as this user may see it, and the user's own contacts."""

    async def search(
        self, text: str, start: int, count: int, *, pictures: bool = True
    ) -> tuple[Sequence[Person], int]:
        """People whose name, alias, address, phone, office, company or title begins with the text; and how many in
        all. Without `pictures` neither these nor certificates need be read."""
        ...

    async def resolve(self, text: str, limit: int, *, pictures: bool = True) -> Sequence[Person]:
        """GAL entries and contacts for one recipient as typed; an exact address gives one. Without `pictures` only one
        who is found alone needs to be read with picture, certificates and members."""
        ...

    async def busy(self, address: str, start: datetime, end: datetime) -> Sequence[BusyPeriod] | None:
        """None if nothing is known of that address or the user may not know."""
        ...


class Documents(Protocol):
    """The file shares and document servers that the admin opened to this user.

    Both raise BadLink, Blocked, NotAllowed, ItemGone, CredentialsRequired, Unreachable, TimedOut and TooLarge.
    """

    async def listing(self, link: str, login: Login | None, start: int, count: int) -> tuple[Sequence[Document], int]:
        """What a link points to, and if that is a folder what lies in it, by name; and how many there are in all."""
        ...

    async def read(self, link: str, login: Login | None, first: int, last: int | None) -> Content:
        """The octets from `first` to `last`, both included, as far as there are so many; None: to the end."""
        ...


class Outbox(Protocol):
    async def submit(self, outgoing: Outgoing) -> None:
        """Deliver here or hand over for delivery; the same Message-ID again is taken once. Raises Undeliverable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose state: one collection on one device of one user. The hierarchy of folders is collection "0"."""

    user_id: str
    device_id: str
    collection_id: CollectionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An effect outside the state: written down before, settled with the generation that reports it.

    `digest` is that of the content; `client_id` is "" for verbs on existing items. `result` is "" while it is open;
    `settled_key` names the generation that reported it.
    """

    verb: str
    client_id: str
    server_id: str
    digest: str
    chosen: Chosen
    id: int = 0
    result: str = ""
    settled_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBody:
    """The parts of a generation's body as they were committed; b"" for what was never written."""

    base: bytes = b""
    listing: bytes = b""
    generation: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One atomic change of a collection's state: the heads after it, and what they refer to.

    `generations` are new bodies by key, `blobs` new bases and listings by number; what `held` no longer refers to is
    deleted. `settled` are intent id -> (result, key); `forgotten` intents are deleted. `degraded` are the items that
    this step tells the device of, with the reason why they go out degraded; "" for those that do not.
    """

    held: Held
    generations: Mapping[str, bytes] = field(default_factory=dict)
    blobs: Mapping[int, bytes] = field(default_factory=dict)
    settled: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    forgotten: Collection[int] = ()
    degraded: Mapping[ItemId, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradedItem:
    """An item that a device got degraded: why, when, and which release of the program could not do better."""

    owner: Owner
    id: ItemId
    reason: str
    release: str
    at: datetime


class StateStore(Protocol):
    """Durable state. Values in, values out."""

    async def device(self, user_id: str, device_id: str) -> Device | None: ...

    async def devices(self, user_id: str) -> Sequence[Device]:
        """All of one user."""
        ...

    async def add_device(self, device: Device) -> Device:
        """The stored one, be it this or one that was there already."""
        ...

    async def claim_device(self, user_id: str, device_id: str, type: str) -> Device | None:
        """The partnership that was moved in from another server under another spelling of this id, or without a type;
        it has them from now on. None if there is none."""
        ...

    async def save_device(self, device: Device, *, lasting: bool = True) -> bool:
        """Replace the row if it still has version `device.row`; False if not. What is not `lasting` may be undone by a
        failure of the power, unless something else was stored after it."""
        ...

    async def seen(self, user_id: str, device_id: str, agent: str, version: str, at: datetime) -> None:
        """Note a request; may be written later and together with others."""
        ...

    async def policy(self, user_id: str, device: Device | None = None) -> Policy:
        """The one in force for the device as it was read just now, or for a device of which nothing is known."""
        ...

    async def load(self, owner: Owner) -> Held | None:
        """One small row."""
        ...

    async def load_several(
        self, user_id: str, device_id: str, collections: Collection[CollectionId]
    ) -> Mapping[CollectionId, Held]:
        """What `load` gives of each, read at once; those that there are."""
        ...

    async def body(self, owner: Owner, key: str, base: int, listing: int) -> StoredBody: ...

    async def commit(self, owner: Owner, row: int, step: Step) -> bool:
        """Apply the step if the row still has this version (0: there is none yet); False if not, and nothing is
        done."""
        ...

    async def forget(self, user_id: str, device_id: str, collection_id: CollectionId | None = None) -> None:
        """Drop the state of one collection, or of all of a device."""
        ...

    async def degraded(self, user_id: str | None = None, device_id: str | None = None) -> Sequence[DegradedItem]:
        """What one device, or any, got degraded and still has so."""
        ...

    async def drop_degraded(self, owner: Owner, ids: Collection[ItemId]) -> None: ...

    async def intents(self, owner: Owner) -> Sequence[Intent]: ...

    async def intend(self, owner: Owner, intent: Intent, *, proven: str = "") -> Intent:
        """Write an intent down, committed on return, with its id; or give the open or settled one of equal identity
        (verb, client_id, server_id, digest) that is there already. One that was settled with the key `proven` is over,
        since its answer has arrived: the new one takes its place."""
        ...

    async def settle(self, owner: Owner, intent: Intent, result: str) -> None:
        """Record a result on its own, for effects that belong to no generation (SendMail, MoveItems, ...)."""
        ...


class Bell(Protocol):
    def ring(self, user_id: str, collections: Collection[CollectionId], by_device: str = "") -> None:
        """Say that something may have changed there; "0" is the hierarchy."""
        ...

    def listen(self, user_id: str, device_id: str, collections: Collection[CollectionId]) -> Listening:
        """Subscribe. A newer `listen` or an `end` of the same device ends an older one."""
        ...

    def end(self, user_id: str, device_id: str) -> None: ...


class Listening(Protocol):
    """One subscription; close it when done."""

    async def armed(self) -> None:
        """Returns when every ring from now on reaches this subscription, from whichever process; to be awaited before
        the first look. If the other processes cannot be reached it returns soon all the same: what may have been missed
        is rung when they can be."""
        ...

    async def wait(self, timeout_seconds: float) -> frozenset[CollectionId]:
        """The collections rung since the last wait; empty after the time-out, or when `ended`."""
        ...

    @property
    def ended(self) -> bool:
        """A newer wait of the same device took over, or the server is stopping."""
        ...

    @property
    def replaced(self) -> bool:
        """It has ended because a newer wait of the same device took over."""
        ...

    @property
    def rung_at(self) -> float:
        """When the first ring came that the last wait has told of, by the monotonic clock."""
        ...

    def close(self) -> None: ...


class RevocationLists(Protocol):
    """Lists of revoked certificates, where they are published. [RFC 5280] 5."""

    async def fetch(self, url: str) -> bytes | None:
        """What is published there, perhaps some minutes ago; None if nothing may be fetched from there, or is there."""
        ...


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    def monotonic(self) -> float: ...


class Leases(Protocol):
    def hold(self, names: Collection[str]) -> AbstractAsyncContextManager[None]:
        """Keep others from computing the same thing meanwhile; taken in sorted order. Saves work, is not relied on."""
        ...


class Entropy(Protocol):
    def key(self) -> str:
        """A new random name: lower-case letters and digits, at most 40, never "0"."""
        ...

    def number(self) -> str:
        """A random 32-bit decimal, never 0: a policy key."""
        ...


class Accounts(Protocol):
    """Who may come in."""

    async def verify(self, login: str, password: str) -> User | None:
        """`login` in any of its forms; None for unknown names and wrong passwords alike."""
        ...

    async def vouched(self, login: str, token: Secret | None = None) -> User | None:
        """Somebody who has been recognised in another way than by the password of the mailbox; `token` is what they
        showed, if servers may be shown it as well. None for nobody. Raises NoEntrance, Unavailable."""
        ...

    def open(self, user: User) -> tuple[Mailbox, Directory, Outbox]: ...
