"""What an admin works on: one installation's users, state and post, and a running server that is to be told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from eas.backends.embedded.admin import Admin
from eas.backends.embedded.groupware import Groupware
from eas.backends.embedded.outbox import PostOffice
from eas.backends.standards.tenant import Tenant
from eas.engine.access import Terms
from eas.engine.ports import Accounts
from eas.engine.wipes import Rules
from eas.store import ActivityStore, SqlStateStore
from eas.store.access import AccessStore
from eas.store.audit import AuditLog
from eas.store.links import ProfileLinks
from eas.store.recordings import RecordingStore
from eas.store.staff import StaffStore

from .acting import NOBODY, Caller
from .notices import Notices
from .profiles import Profiles

#: Says something to a running server (`eas.server.control`); False if none is running.
Tell = Callable[[Mapping[str, Any]], bool]
#: Asks a running server something, and gives its answer; None if none is running.
Ask = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


class Shelf(Protocol):
    """Where the files of recordings are, on this node."""

    def files(self, id: int) -> Sequence[str]:
        """The names of those of one recording."""
        ...

    def remove(self, id: int) -> None:
        """Raises OSError."""
        ...

    def packed(self, id: int, notes: Collection[str]) -> Iterator[bytes]:
        """All of them as one session, compressed, with notes in its head. Raises OSError."""
        ...


@dataclass(slots=True)
class Rings:
    """What has changed, by user, to be told when the work is done."""

    changed: dict[str, set[str]] = field(default_factory=dict)

    def __call__(self, user_id: str, collections: Collection[str]) -> None:
        self.changed.setdefault(user_id, set()).update(collections)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """`groupware` rings into `rings`, and so does what `people` and `office` do. `tenants` are the backends of the
    settings, `domain` is meant where a login has none; `terms` are those of access control. `accounts` open mailboxes,
    None where nothing does; `profiles` say how phones are set up. `caller` is who acts."""

    people: Admin
    store: SqlStateStore
    audit: AuditLog
    staff: StaffStore
    links: ProfileLinks
    activity: ActivityStore
    access: AccessStore
    recordings: RecordingStore
    shelf: Shelf
    office: PostOffice
    groupware: Groupware
    rings: Rings
    tell: Tell
    notices: Notices
    ask: Ask = lambda said: None
    tenants: Sequence[Tenant] = ()
    domain: str = ""
    wiping: Rules = field(default_factory=Rules)
    terms: Terms = field(default_factory=Terms)
    accounts: Accounts | None = None
    profiles: Profiles = field(default_factory=Profiles)
    caller: Caller = NOBODY

    def ring_all(self) -> bool:
        """Tell a running server what has changed; False if there is none, and nobody waits."""
        told = False
        for user_id, collections in self.rings.changed.items():
            told = self.tell({"do": "ring", "user": user_id, "collections": sorted(collections)})
        self.rings.changed.clear()
        return told
