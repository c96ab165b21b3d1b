"""What servers tell of their users' folders by themselves (`docs/hooks.md`): gathered, looked up, rung.

A hook only says "look there". It is noted at once and looked up a little later, with all others of that time: a
newsletter to everybody, or a thousand flags of one user, are few questions to the database. What cannot be noted in
detail is noted more coarsely, and what cannot be looked up is looked up again: a change that was told is never dropped.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import structlog
from sqlalchemy import Connection, select

from eas import measures
from eas.backends.embedded.groupware import Groupware
from eas.engine.errors import BackendError
from eas.engine.model import CollectionId

from .hierarchy import ROOT
from .logins import Known, known_as
from .spellings import spellings
from .tables import MemberRow, PlaceRow
from .tenant import Tenant

log = structlog.get_logger("eas.hooks")

#: How long hooks are gathered: a person does not notice, a server that delivers to many needs longer for ten of them.
GATHER_SECONDS = 0.02
#: Users that are looked up together.
BATCH = 500
#: Rows that one question about folders may look for (users times names).
MAX_PROBES = 5000
#: Folders of a user that are noted by name; of a user with more, and of users beyond `MAX_DETAILED`, all are meant.
MAX_FOLDERS = 50
MAX_DETAILED = 20_000
#: Users that are noted at all, some hundred octets each; further hooks are refused, and come again.
MAX_NOTED = 200_000
#: Between two tries while the database is away: the first, and the longest.
RETRY_SECONDS = (0.5, 15.0)
#: A folder that is none of those that devices are shown does not have the folders looked at again for so long.
STRANGE_SECONDS = 60.0
MAX_STRANGE = 10_000
#: A server that does not call while its folders change is worth a line in the log, once in so long.
SILENT_SECONDS = 2 * 3600.0

#: Of `std_place`: all kinds of sources, so that the index on (user, source, locator) serves.
SOURCES = ("imap", "notes", "dav")

Ring = Callable[[str, Collection[CollectionId]], None]
#: As a hook names a user: login, domain and backend, the latter two "" where it does not say.
Who = tuple[str, str, str]


@dataclass(slots=True)
class _Noted:
    """`folders` None: all of them."""

    folders: set[str] | None = field(default_factory=set)
    hierarchy: bool = False

    def add(self, folders: Collection[str] | None, hierarchy: bool, most: int = MAX_FOLDERS) -> None:
        self.hierarchy = self.hierarchy or hierarchy
        if folders is None or self.folders is None:
            self.folders = None
            return
        self.folders.update(folders)
        if len(self.folders) > most:
            self.folders = None


class Hooked:
    """`waits` tells whether anybody may wait for a user, here or elsewhere; `forget` is called with users whose folders
    are to be looked at anew."""

    def __init__(
        self, tenants: Sequence[Tenant], ground: Groupware, ring: Ring, *, default_domain: str,
        monotonic: Callable[[], float], forget: Callable[[str], None], waits: Callable[[str], bool],
    ) -> None:
        self._tenants, self._ground, self._ring, self._default_domain = tuple(tenants), ground, ring, default_domain
        self._monotonic, self._forget, self._waits = monotonic, forget, waits
        self._noted: dict[Who, _Noted] = {}
        self._task: asyncio.Task[None] | None = None
        #: (user, folder) that was looked for in vain, until when that is not done again.
        self._strange: OrderedDict[tuple[str, str], float] = OrderedDict()
        #: By tenant: when its server called last (at first, when this began), and when it was said that it does not.
        self._called = {tenant.name: monotonic() for tenant in tenants}
        self._blamed: dict[str, float] = {}

    # -- noting

    def changed(
        self, user: str, folders: Collection[str] | None, *, hierarchy: bool = False, domain: str = "",
        backend: str = "",
    ) -> bool:
        """See `eas.server.ports.Hooks`. To be called in the event loop; returns at once."""
        who = user, domain, backend
        noted = self._noted.get(who)
        if noted is None:
            if len(self._noted) >= MAX_NOTED:
                return False
            noted = self._noted[who] = _Noted()
        noted.add(folders, hierarchy, MAX_FOLDERS if len(self._noted) <= MAX_DETAILED else 0)
        measures.HOOKS_PENDING[()] = len(self._noted)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        return True

    @property
    def pending(self) -> int:
        """Users that are noted and not looked up yet."""
        return len(self._noted)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    # -- looking up

    async def _run(self) -> None:
        first, longest = RETRY_SECONDS
        pause = first
        try:
            while self._noted:
                await asyncio.sleep(GATHER_SECONDS if len(self._noted) < BATCH else 0)
                batch = {who: self._noted.pop(who) for who in list(islice(self._noted, BATCH))}
                try:
                    await self._look_up(batch)
                    pause = first
                    measures.HOOKS_PENDING[()] = len(self._noted)
                except BackendError as error:
                    self._put_back(batch)
                    log.warning("hooks wait for the database", users=len(self._noted), reason=str(error))
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, longest)
                except Exception as error:  # a fault of ours: tried again, it would keep up all others for ever
                    log.error("hooks cannot be looked up, polls find what they told", users=len(batch), exc_info=error)
        finally:
            self._task = None

    def _put_back(self, batch: Mapping[Who, _Noted]) -> None:
        for who, noted in batch.items():
            self._noted.setdefault(who, _Noted()).add(noted.folders, noted.hierarchy)

    async def _look_up(self, batch: Mapping[Who, _Noted]) -> None:
        """Raises Unavailable."""
        logins: dict[Known, list[_Noted]] = {}
        for (user, domain, backend), noted in batch.items():
            for known in known_as(user, self._tenants, self._default_domain, domain=domain, backend=backend):
                logins.setdefault(known, []).append(noted)
        members = await self._ground.read(lambda c: _members(c, logins))
        told: dict[str, _Noted] = {}
        for known, user_id in members:
            self._called[known.tenant] = self._monotonic()
            whole = told.setdefault(user_id, _Noted())
            for noted in logins[known]:
                whole.add(noted.folders, noted.hierarchy)
        self._count(batch, {id(noted) for known, _ in members for noted in logins[known]})
        waited = {user_id: noted for user_id, noted in told.items() if self._waits(user_id)}
        for user_id, noted in told.items():
            if noted.hierarchy:
                self._forget(user_id)
        if waited:
            found = await self._ground.read(lambda c: _numbers(c, waited))
            for user_id, noted in waited.items():
                self._ring_for(user_id, noted, found.get(user_id, {}))

    def _count(self, batch: Mapping[Who, _Noted], found: Collection[int]) -> None:
        unknown = [who[0] for who, noted in batch.items() if id(noted) not in found]
        measures.HOOKED_USERS["no"].inc(len(unknown))
        measures.HOOKED_USERS["yes"].inc(len(batch) - len(unknown))
        if unknown:
            log.debug("hooks for users whom nobody knows", count=len(unknown), users=unknown[:5])

    def _ring_for(self, user_id: str, noted: _Noted, numbers: Mapping[str, Collection[int]]) -> None:
        """`numbers` by locator."""
        rung: set[CollectionId] = set()
        hierarchy = noted.hierarchy
        for folder in (noted.folders if noted.folders is not None else ()):
            meant = {str(number) for spelling in spellings(folder) for number in numbers.get(spelling, ())}
            rung |= meant
            hierarchy = hierarchy or (not meant and self._is_news(user_id, folder))
        if noted.folders is None:
            rung = {str(number) for some in numbers.values() for number in some}
            hierarchy = True
        if hierarchy:
            self._forget(user_id)
            rung.add(ROOT)
        if rung:
            self._ring(user_id, rung)

    def _is_news(self, user_id: str, folder: str) -> bool:
        """Whether a folder that is not known may be a new one; not if that was thought of it a moment ago."""
        now, key = self._monotonic(), (user_id, folder)
        if now < self._strange.get(key, 0.0):
            return False
        self._strange[key] = now + STRANGE_SECONDS
        self._strange.move_to_end(key)
        while len(self._strange) > MAX_STRANGE:
            self._strange.popitem(last=False)
        return True

    # -- servers that do not call

    def missed(self, tenant: str) -> None:
        """A poll has found a change in a folder of this tenant's users."""
        measures.HOOKS_MISSED[()].inc()
        now = self._monotonic()
        since = now - max(self._called.get(tenant, now), self._blamed.get(tenant, 0.0))
        if since > SILENT_SECONDS:
            self._blamed[tenant] = now
            log.warning(
                "the server does not call its hook", backend=tenant, hours=round((now - self._called[tenant]) / 3600),
                advice="polls find what it should tell; see docs/hooks.md, or set changes = \"watch\"",
            )


def _members(connection: Connection, logins: Iterable[Known]) -> list[tuple[Known, str]]:
    by_tenant: dict[str, list[str]] = {}
    for known in logins:
        by_tenant.setdefault(known.tenant, []).append(known.login)
    found: list[tuple[Known, str]] = []
    for tenant, names in by_tenant.items():
        rows = connection.execute(
            select(MemberRow.login, MemberRow.user_id).where(MemberRow.tenant == tenant, MemberRow.login.in_(names))
        )
        found += [(Known(tenant, row.login), row.user_id) for row in rows]
    return found


def _numbers(connection: Connection, told: Mapping[str, _Noted]) -> dict[str, dict[str, list[int]]]:
    """By user and locator."""
    found: dict[str, dict[str, list[int]]] = {}
    for users, locators in _questions(told):
        statement = select(PlaceRow.user_id, PlaceRow.locator, PlaceRow.number).where(
            PlaceRow.user_id.in_(users), PlaceRow.source.in_(SOURCES), PlaceRow.present
        )
        if locators is not None:
            statement = statement.where(PlaceRow.locator.in_(locators))
        for row in connection.execute(statement):
            found.setdefault(row.user_id, {}).setdefault(row.locator, []).append(row.number)
    return found


def _questions(told: Mapping[str, _Noted]) -> Iterator[tuple[list[str], list[str] | None]]:
    """Users and the locators to look for (None: all), several users together as long as they share most names."""
    if everything := [user_id for user_id, noted in told.items() if noted.folders is None]:
        yield everything, None
    named = {
        user_id: frozenset(spelling for folder in noted.folders for spelling in spellings(folder))
        for user_id, noted in told.items() if noted.folders
    }
    users, locators = list[str](), frozenset[str]()
    for user_id, wanted in sorted(named.items(), key=lambda one: sorted(one[1])):
        if users and (len(users) + 1) * len(locators | wanted) > MAX_PROBES:
            yield users, sorted(locators)
            users, locators = [], frozenset()
        users.append(user_id)
        locators |= wanted
    if users:
        yield users, sorted(locators)
