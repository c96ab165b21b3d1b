"""What the IMAP client says and takes, as plain values. RFC 3501 and its extensions; names are theirs.

    ImapError
      No              the server said NO; `code` is the response code ("ALREADYEXISTS", "NONEXISTENT", "OVERQUOTA", ...)
        LoginRefused  to a login: wrong name or password, or expired
      Bad             the server said BAD: our fault, or a capability that is none
      Lost            the connection ended, timed out or made no sense; what was under way may have been done

Sources turn them into the words of `engine.errors` by `errors.translated`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, Protocol

from eas.backends.standards.ports import Account
from eas.items.native import Part

#: Message numbers as inclusive spans in ascending order: a whole mailbox is ((1, 50000),). UIDs everywhere; sequence
#: numbers are never used.
Spans = tuple[tuple[int, int], ...]


class ImapError(Exception):
    """Base."""


class No(ImapError):
    """`detail` is what follows the code, as it stands (MODIFIED 7,9)."""

    def __init__(self, text: str, code: str = "", detail: bytes = b"") -> None:
        super().__init__(text)
        self.code = code
        self.detail = detail


class LoginRefused(No):
    """To a login."""


class Bad(ImapError):
    """The command was not understood."""


class Lost(ImapError):
    """There is no connection (any more)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A mailbox of LIST. `name` is decoded (no modified UTF-7 any more); `delimiter` "" for a flat name. `attributes`
    are lower case with their backslash ("\\\\drafts", "\\\\noselect", "\\\\subscribed")."""

    name: str
    delimiter: str
    attributes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Of STATUS; None for what was not asked for or not told. `mailbox_id` is that of RFC 8474, "" for none."""

    messages: int | None = None
    uid_next: int | None = None
    uid_validity: int | None = None
    highest_modseq: int | None = None
    unseen: int | None = None
    size: int | None = None
    mailbox_id: str = ""


class Fetched(NamedTuple):
    """One message of a FETCH answer, as far as it was told. `flags` as the server spells them. `sections` by what was
    asked, in upper case: "" the whole (BODY[]), "HEADER", "1", "1.2", "2.MIME"; perhaps cut short; what the message
    does not have is missing. `modseq` 0 if untold.

    A tuple, since a listing makes one of them for each message of a mailbox and a frozen dataclass costs nine times as
    much. Name the fields when making one.
    """

    uid: int
    flags: frozenset[str] | None = None
    modseq: int = 0
    internal_date: datetime | None = None
    size: int | None = None
    structure: Part | None = None
    sections: Mapping[str, bytes] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Resync:
    """What is known of a mailbox, for SELECT (QRESYNC ...). RFC 7162."""

    uid_validity: int
    modseq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """An opened mailbox. `highest_modseq` 0: it has none (NOMODSEQ). `permanent` None: the server did not say;
    `new_keywords`: it lets make new ones. `changed` and `vanished` answer a Resync, and only if `resynced`: under
    another UIDVALIDITY, or without QRESYNC, there is no answer to it."""

    name: str
    uid_validity: int
    uid_next: int
    messages: int
    highest_modseq: int = 0
    read_only: bool = False
    flags: frozenset[str] = frozenset()
    permanent: frozenset[str] | None = None
    new_keywords: bool = False
    mailbox_id: str = ""
    resynced: bool = False
    changed: Sequence[Fetched] = ()
    vanished: Spans = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """`modified` are the UIDs that were not stored as they had changed (UNCHANGEDSINCE); `fetched` what the server told
    of those that were."""

    modified: Spans = ()
    fetched: Sequence[Fetched] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where APPEND, COPY or MOVE put messages: source UIDs -> UIDs there, of `uid_validity`. Without UIDPLUS nothing is
    told (`uids` empty)."""

    uid_validity: int = 0
    uids: Mapping[int, int] = field(default_factory=dict)


#: Changes of the open mailbox that are remembered; with more, the server is asked.
MAX_JOURNAL = 1000


@dataclass(slots=True)
class Journal:
    """What the server has told of the open mailbox since it was opened, at MODSEQ `since`, up to the last NOOP. With
    CONDSTORE enabled it tells each change of flags with its MODSEQ (RFC 7162 3.1). `complete`: nothing was told that
    could not be noted."""

    since: int
    changed: dict[int, Fetched] = field(default_factory=dict)
    vanished: bool = False
    complete: bool = True

    def note(self, fetched: Fetched) -> None:
        """Its flags alone: what else was fetched would be held as long as the mailbox is open."""
        if fetched.flags is not None and fetched.modseq and self.complete:
            self.changed[fetched.uid] = Fetched(uid=fetched.uid, flags=fetched.flags, modseq=fetched.modseq)
            if len(self.changed) > MAX_JOURNAL:
                self.complete = False
                self.changed.clear()


class Session(Protocol):
    """One logged-in connection. All methods raise ImapError and nothing else; after Lost it is of no more use.

    Names of mailboxes are decoded text. Everything is by UID. `selected` is kept up by whatever the server tells;
    `capabilities` are upper case. Whatever a server does not offer is done without, where that can be (MOVE by COPY,
    STORE and EXPUNGE; LIST-STATUS by STATUS); what cannot, raises Bad before anything is sent.
    """

    @property
    def capabilities(self) -> frozenset[str]: ...

    @property
    def selected(self) -> Selected | None: ...

    @property
    def journal(self) -> Journal | None:
        """What was told of the selected mailbox since it was selected; None where that would not be all."""
        ...

    @property
    def expunged(self) -> bool:
        """A message has gone of the selected mailbox that the server named by its sequence number (without QRESYNC), so
        that only comparing tells which. True until the mailbox is selected anew or left."""
        ...

    @property
    def can_resync(self) -> bool:
        """QRESYNC is enabled."""
        ...

    @property
    def can_condstore(self) -> bool: ...

    async def list(self, *, subscribed: bool = False) -> Sequence[Listed]:
        """All mailboxes of all personal namespaces, and those shared by others, with SPECIAL-USE attributes and
        (`\\\\subscribed`) subscriptions where they can be had."""
        ...

    async def namespaces(self) -> Mapping[str, Sequence[tuple[str, str]]]:
        """"personal", "other", "shared" -> (prefix, delimiter). RFC 2342; a server without it has ("", "")."""
        ...

    async def rights(self, name: str) -> str:
        """Of MYRIGHTS (RFC 4314); "" where the server knows none."""
        ...

    async def status(self, name: str) -> Status:
        """MESSAGES, UIDNEXT, UIDVALIDITY, UNSEEN, and HIGHESTMODSEQ where it is offered."""
        ...

    async def statuses(self, names: Sequence[str]) -> Mapping[str, Status]:
        """`status` of several, by one LIST-STATUS (RFC 5819) where it is offered and pays; without those that are not
        there or not to be seen."""
        ...

    async def select(self, name: str, resync: Resync | None = None, *, read_only: bool = False) -> Selected: ...

    async def unselect(self) -> None: ...

    def fetch(
        self, spans: Spans, items: Sequence[str], *, changed_since: int = 0, vanished: bool = False,
    ) -> AsyncIterator[Fetched]:
        """UID FETCH. Items as they stand in the command ("FLAGS", "BODYSTRUCTURE", "BODY.PEEK[1]<0.4096>"). UIDs
        vanished are added to `taken_vanished`. Spans may be of any number: they are sent in several commands."""
        ...

    def take_vanished(self) -> Spans:
        """The UIDs that have vanished from the selected mailbox since this was last asked."""
        ...

    def stream(self, uid: int, section: str, *, binary: bool = False) -> AsyncIterator[bytes]:
        """The octets of one section ("" the whole) in pieces, however large, without holding more than some hundred
        KiB. Nothing at all if there is no such message."""
        ...

    async def store(
        self, spans: Spans, how: str, flags: Sequence[str], *, unchanged_since: int | None = None
    ) -> Stored:
        """`how` is "+FLAGS", "-FLAGS" or "FLAGS"."""
        ...

    async def search(self, criteria: Sequence[str | bytes], *, charset: str = "") -> Spans:
        """UID SEARCH (with RETURN (ALL) where ESEARCH is offered). Criteria are joined by blanks; bytes go as
        literals. E.g. ["SINCE", "21-Nov-2026", "SUBJECT", b"gr\\xc3\\xbcn"]."""
        ...

    async def append(
        self, name: str, content: bytes, flags: Sequence[str] = (), received: datetime | None = None
    ) -> Placed:
        """`uids` is {0: uid}."""
        ...

    async def copy(self, spans: Spans, to: str) -> Placed: ...

    async def move(self, spans: Spans, to: str) -> Placed: ...

    async def expunge(self, spans: Spans) -> None:
        """Set \\\\Deleted and remove just these, also without UIDPLUS (then other messages marked as deleted are spared
        by taking their mark off for the moment)."""
        ...

    async def create(self, name: str, *, use: str = "") -> None:
        """`use` is a special use ("\\\\Drafts") where the server takes it. Also subscribes."""
        ...

    async def rename(self, name: str, to: str) -> None: ...

    async def delete(self, name: str) -> None: ...

    async def subscribe(self, name: str, on: bool = True) -> None: ...

    async def noop(self) -> None: ...

    async def notify(self, selected: str = "") -> bool:
        """NOTIFY SET for new messages, expunges and flags in all personal mailboxes (RFC 5465); False where it is not
        offered."""
        ...

    def idle(self, seconds: float) -> AsyncGenerator[frozenset[str], None]:
        """Wait for news for so long, by IDLE (or NOOPs), and yield the names of mailboxes that have some, as they
        come."""
        ...


class Pool(Protocol):
    """Connections, by user and credentials. Opened on demand, closed after some idle time; capped by user and node."""

    def use(self, account: Account, mailbox: str = "") -> AbstractAsyncContextManager[Session]:
        """A connection for as long as the block lasts, one that has this mailbox selected already if there is one
        (nothing is selected for you). Given back after the block unless Lost came out of it. Raises LoginRefused,
        Lost, and Busy's like as Lost when there is none within the server's time-out."""
        ...

    def listen(self, account: Account) -> AbstractAsyncContextManager[Session | None]:
        """A connection to be held for as long as somebody waits, which nobody else gets and which is closed after the
        block; None if none can be spared: the user may have a single one, or too many of the node's listen already.
        Raises as `use`."""
        ...

    async def check(self, account: Account) -> bool:
        """Whether the credentials are good, by a new login; a good connection is kept. Raises Lost."""
        ...

    async def drop(self, account: Account) -> None:
        """Close the idle connections of a user."""
        ...

    async def close(self) -> None: ...
