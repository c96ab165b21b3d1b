"""What the DAV client says and takes, as plain values. RFC 4918, 4791, 6352, 6578, 6638.

    DavError
      Refused         the server answered with an error; `status` is HTTP's, `condition` the local name of the failed
                      precondition ("valid-sync-token", "no-uid-conflict", ...), "" for none
        LoginRefused  401
      Unreachable     no connection, no answer in time, or one that makes no sense

Hrefs are absolute paths on the server ("/dav/calendars/user/anna/Default/"), percent-encoded as the server writes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class DavError(Exception):
    """Base."""


class Refused(DavError):
    def __init__(self, status: int, text: str = "", condition: str = "") -> None:
        super().__init__(f"{status} {condition or text}".strip())
        self.status, self.condition = status, condition


class LoginRefused(Refused):
    """401."""


class Unreachable(DavError):
    """Nobody there, or nothing that can be understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """What discovery found. Home sets are hrefs, "" for none. `addresses` are the user's, without mailto:."""

    href: str
    calendar_homes: tuple[str, ...] = ()
    addressbook_homes: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    schedule_inbox: str = ""
    schedule_outbox: str = ""
    default_calendar: str = ""
    auto_schedule: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionInfo:
    """A collection of a home set. `kind` is calendar or addressbook; `components` of a calendar ("VEVENT", "VTODO",
    "VJOURNAL"; () for all). `privileges` are local names ("read", "write-content", "bind"), None: untold. `reports`:
    sync-collection is offered. `ctag` and `sync_token` "" for none. `max_size` 0: untold."""

    href: str
    kind: str
    name: str
    components: tuple[str, ...] = ()
    privileges: frozenset[str] | None = None
    owner: str = ""
    ctag: str = ""
    sync_token: str = ""
    syncs: bool = False
    colour: str = ""
    max_size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What has happened in a collection since `since`: hrefs with their ETags, and those gone. `complete`: this is the
    whole listing instead. `token` is to be asked with next time."""

    token: str
    changed: Mapping[str, str] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """An object with its content. `etag` "" if the server told none."""

    href: str
    etag: str
    data: bytes


class Collections(Protocol):
    """The operations of one user on one server. All raise DavError and nothing else."""

    async def discover(self) -> Principal:
        """Remembered for some minutes. Well-known URLs, current-user-principal, home sets."""
        ...

    async def collections(self, homes: Sequence[str]) -> Sequence[CollectionInfo]:
        """PROPFIND of depth 1 on each."""
        ...

    async def state(self, href: str) -> str:
        """A cheap probe: the CTag or sync-token, with its kind before it; "" if the server has neither."""
        ...

    async def changes(self, href: str, since: str, *, kind: str) -> Changes:
        """By sync-collection where it is offered (all pages; a token that is not valid any more gives the whole
        listing); else by PROPFIND of depth 1 (`complete`). `since` "" for everything."""
        ...

    async def multiget(self, href: str, hrefs: Sequence[str], *, kind: str) -> Sequence[Object]:
        """Those of the objects that are there. Sent in several requests if there are many."""
        ...

    async def get(self, href: str) -> Object: ...

    async def put(self, href: str, data: bytes, *, kind: str, etag: str | None) -> str:
        """`etag` None: there must be none yet (If-None-Match: *); "" whatever is there. The new ETag; "" if the server
        told none, or may have changed what it stored (then it is to be read). Raises Refused 412 (another version),
        409/403 with "no-uid-conflict" (or its like), 413, 507."""
        ...

    async def delete(self, href: str, *, etag: str = "") -> None: ...

    async def move(self, href: str, to: str) -> None:
        """MOVE without overwriting. Raises Refused 412 if something stands there."""
        ...

    async def make(self, href: str, *, kind: str, name: str, component: str = "") -> None:
        """MKCALENDAR, or extended MKCOL. Raises Refused 405 if it is there."""
        ...

    async def rename(self, href: str, name: str) -> None: ...

    async def query_uid(self, href: str, uid: str, *, kind: str) -> Sequence[str]:
        """The hrefs of objects with this UID."""
        ...

    async def free_busy(
        self, outbox: str, organizer: str, address: str, start: datetime, end: datetime
    ) -> bytes | None:
        """The VFREEBUSY answer to a request in the schedule outbox (RFC 6638); None if nothing may be known."""
        ...

    async def close(self) -> None: ...
