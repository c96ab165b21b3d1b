"""What joins the parts of a standards groupware: who the user is there, and what a source of folders must do.

A source serves some classes of one user's items over one protocol. It speaks of its folders as places, named by
locators of its own (a mailbox name, an href); `registry` gives them the numbers that devices see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from eas.backends.embedded.groupware import Groupware
from eas.engine.model import CollectionId, FolderType, OutOfOffice, Person, Right, Secret, User
from eas.engine.ports import Chosen, Feed, MailQuery
from eas.items.freebusy import BusyPeriod
from eas.items.native import ItemId

from .tenant import Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user as the servers know them: `login` is what they are entered with, `secret` the user's own credentials.
    `ground` has the database, the clock, the bell, and the limits."""

    user: User
    tenant: Tenant
    login: str
    secret: Secret
    ground: Groupware

    @property
    def local(self) -> str:
        """The login without its domain."""
        return self.login.rpartition("@")[0] or self.login

    @property
    def domain(self) -> str:
        """The login's; where it has none that of the address, if the tenant has several and that is one of them."""
        if "@" in self.login:
            return self.login.rpartition("@")[2]
        domain = self.user.address.rpartition("@")[2].lower()
        return domain if domain in self.tenant.domains else self.tenant.domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder as its source sees it. `locator` names it, unique in the source; `parent` is the locator of the place
    above, "" at the root. `mark` is what stays when it is renamed elsewhere (a MAILBOXID, say), "" for nothing."""

    locator: str
    parent: str
    name: str
    type: FolderType
    item_class: str
    right: Right = Right.EDIT
    own: bool = True
    schedules: bool = False
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """A place and its number, by which its own rows are kept and devices know it (`str(number)` is the CollectionId).

    """

    number: int
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Something that a search found. `received` sorts the hits of all sources together, newest first."""

    received: datetime
    collection: CollectionId
    id: ItemId


class Source(Protocol):
    """The folders of one user on one server. Every method may raise Unavailable.

    `name` is unique among the sources of a user ("imap", "dav", "notes") and at most 16 characters long.
    """

    name: str

    async def places(self) -> Sequence[Place]:
        """All folders as they are now, parents before children; the usual ones are made first if they are missing."""
        ...

    def makes(self, type: FolderType) -> bool:
        """Whether folders of this type are made here."""
        ...

    def planned(self, parent: Place | None, name: str, type: FolderType, chosen: Chosen) -> str:
        """The locator that `create` will use. Raises NotAllowed for names that cannot be."""
        ...

    async def create(
        self, parent: Place | None, name: str, type: FolderType, locator: str, *, again: bool
    ) -> Place:
        """`again`: it was begun before, and what stands there already is it. Raises FolderExists, FolderGone,
        NotAllowed."""
        ...

    async def rename(self, place: Place, parent: Place | None, name: str) -> Sequence[tuple[str, str]]:
        """Rename or put elsewhere; (old locator, new locator) of it and of all below that changed theirs. Raises
        FolderExists, FolderGone, NotAllowed."""
        ...

    async def delete(self, place: Place) -> None:
        """With all that is in it, and below. Raises FolderGone, NotAllowed."""
        ...

    async def empty(self, place: Place) -> None:
        """Delete all items, no folders. Raises FolderGone, NotAllowed."""
        ...

    def feed(self, at: Numbered) -> Feed: ...

    async def foresee(self, at: Sequence[Numbered]) -> None:
        """See `engine.ports.Mailbox`."""
        ...

    async def search(self, query: MailQuery, within: Sequence[Numbered]) -> Sequence[Hit]:
        """In any order; folders and classes have been chosen by the caller."""
        ...

    async def probe(self, at: Sequence[Numbered]) -> Mapping[int, str]:
        """By number, cheap values that differ when something in that folder may have changed; for the watcher."""
        ...

    async def close(self) -> None:
        """Let go of what is held for this user only."""
        ...


class MailSource(Source, Protocol):
    async def move_conversation(
        self, conversation: bytes, to: Numbered, always: bool, within: Sequence[Numbered]
    ) -> int:
        """See `engine.ports.Mailbox`."""
        ...


class AddressList(Protocol):
    """People that can be looked up: an LDAP tree, an address book of the company, the user's own contacts."""

    async def search(self, text: str, limit: int) -> Sequence[Person]:
        """Those with a name, address, phone number, company ... that begins with the text (`embedded.prepare.terms`),
        by display name."""
        ...

    async def by_address(self, address: str) -> Person | None: ...


class FreeBusy(Protocol):
    async def busy(self, address: str, start: datetime, end: datetime) -> Sequence[BusyPeriod] | None:
        """None if nothing is known of that address or the user may not know."""
        ...


class Vacation(Protocol):
    """The out-of-office reply where it is kept. Both raise Unavailable, NotAllowed."""

    async def read(self) -> OutOfOffice: ...

    async def write(self, value: OutOfOffice) -> None: ...
