"""How a mailbox on other servers is looked at while a device of its owner waits.

Mail: one connection of the pool, told of every mailbox by NOTIFY where the server offers it, else by IDLE of the inbox,
with a poll over the others. Where the server calls a hook (`hooked`), no connection, and a slow poll for what it
forgets. DAV: a poll that backs off while nothing happens. Only what somebody waits for is polled. What is found is only
a hint: whether it is news to a device the engine decides.

A change is missed by nobody, since a device subscribes, then looks, then waits: what a poll sees of a folder for the
first time, and all that may have happened while nobody listened, is rung as if it had changed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

import structlog

from eas import measures
from eas.backends.dav.model import LoginRefused as DavLoginRefused
from eas.backends.imap.errors import translated
from eas.backends.imap.model import LoginRefused, Pool, Session
from eas.engine.errors import BackendError
from eas.engine.model import CollectionId, FolderType
from eas.measures import Standing

from .hierarchy import Snapshot
from .mailbox import CombinedMailbox
from .ports import Account, Numbered, Source

log = structlog.get_logger("eas.watch")

Ring = Callable[[Collection[CollectionId]], None]
Wanted = Callable[[], Collection[CollectionId]]
#: Is told the tenant when a poll has found what its server should have told.
Missed = Callable[[str], None]

#: One IDLE. RFC 2177 has servers end it after 30 minutes; what lies in between may drop silent connections sooner.
IDLE_SECONDS = 9 * 60.0
#: Between two tries to listen: the first, and the longest.
LISTEN_SECONDS = (1.0, 120.0)
#: A DAV server that refuses the login is left alone for so long, lest it lock the user out; then all begins anew, with
#: the credentials that the user has come in with last.
REFUSED_SECONDS = 900.0

# The following are in units of the tenant's `poll_seconds`.

#: Between two polls of a source: at first, and when nothing has happened for long.
POLLS = {"imap": (1, 3), "dav": (1, 6), "notes": (3, 12)}
#: Where the server tells of every mailbox, the poll is only there for what it forgets; with hooks that of the folders
#: themselves, too.
SAFETY = (12, 30)
#: Between two looks at the folders themselves.
HIERARCHY = 6
#: What a pause grows by while nothing happens.
GROWTH = 1.5
#: The share by which each pause is longer or shorter, so that not all users are looked at together.
JITTER = 0.2

ROOT = "0"
#: The sources whose folders are mailboxes.
MAILBOXES = frozenset({"imap", "notes"})


@dataclass(slots=True)
class _Line:
    """What is known of the connection that listens. `settled`: it listens, or it is known that it does not. `told`: the
    server tells of all mailboxes of the user's own."""

    settled: asyncio.Event = field(default_factory=asyncio.Event)
    told: bool = False
    #: By source; set when the poll is not to wait any longer.
    woken: dict[str, asyncio.Event] = field(default_factory=dict)

    def change(self, told: bool) -> None:
        """Nobody knows what has happened before."""
        self.told = told
        self.settled.set()
        for name in MAILBOXES & self.woken.keys():
            self.woken[name].set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """`pool` None: there is no IMAP, or its server calls a hook."""

    account: Account
    mailbox: CombinedMailbox
    sources: tuple[Source, ...]
    pool: Pool | None
    missed: Missed = lambda tenant: None

    async def run(self, ring: Ring, wanted: Wanted) -> None:
        """Raises BackendError when a server refuses the login, or nothing is known of the folders yet."""
        await _Run(self, ring, wanted, await self.mailbox.snapshot()).all()


class _Run:
    def __init__(self, watching: Watching, ring: Ring, wanted: Wanted, snapshot: Snapshot) -> None:
        self._watching, self._ring, self._wanted, self._snapshot = watching, ring, wanted, snapshot
        self._unit, self._hooks = watching.account.tenant.poll_seconds, watching.account.tenant.hooks
        self._line = _Line(woken={source.name: asyncio.Event() for source in watching.sources})
        self._has_mail = any(source.name in MAILBOXES for source in watching.sources)
        #: Mailboxes that the server tells of and that are no folders.
        self._strange: frozenset[str] = frozenset()
        self._how = Standing(measures.WATCHES)

    async def all(self) -> None:
        try:
            await self._all()
        finally:
            self._how.change("")

    async def _all(self) -> None:
        self._how.change("hook" if self._hooks else "poll")
        self._ring({ROOT})
        pool, sources = self._watching.pool, self._watching.sources
        try:
            async with asyncio.TaskGroup() as tasks:
                for source in sources:
                    tasks.create_task(self._poll(source))
                tasks.create_task(self._hierarchy())
                if pool is not None and self._has_mail:
                    tasks.create_task(self._listen(pool))
                else:
                    self._line.change(told=self._hooks)
        except BaseExceptionGroup as group:
            failed, others = group.split(BackendError)
            if others is not None or failed is None:
                raise
            raise _first(failed) from group

    # -- folders

    async def _hierarchy(self) -> None:
        while True:
            await asyncio.sleep(_jittered((SAFETY[0] if self._hooks else HIERARCHY) * self._unit))
            with suppress(BackendError):
                await self._look_at_folders()

    async def _look_at_folders(self) -> None:
        before, self._snapshot = self._snapshot, await self._watching.mailbox.snapshot(fresh=True)
        if self._snapshot.token != before.token:
            self._strange = frozenset()
            self._ring({ROOT})

    # -- polls

    async def _poll(self, source: Source) -> None:
        """A server that is away is asked again later; the others are not disturbed by it. Raises Unavailable for a
        login refused."""
        woken = self._line.woken[source.name]
        if source.name in MAILBOXES:
            await self._line.settled.wait()
        known: dict[int, str] = {}
        pause = 0.0
        while True:
            woken.clear()
            shortest, longest = self._pauses(source)
            pause = min(max(pause * GROWTH, shortest), longest)
            try:
                now = dict(await source.probe(at)) if (at := self._wanted_of(source)) else {}
            except BackendError as error:
                log.info("a poll failed", source=source.name, user=self._watching.account.user.id, reason=str(error))
                if isinstance(error.__cause__, LoginRefused | DavLoginRefused):
                    if source.name not in MAILBOXES and self._has_mail:
                        await asyncio.sleep(REFUSED_SECONDS)  # mail goes on meanwhile
                    raise
                now = {}
            changed = {number for number, state in now.items() if known.get(number) != state}
            if any(number in known for number in changed):
                pause = shortest
                if self._hooks and source.name in MAILBOXES:
                    self._watching.missed(self._watching.account.tenant.name)
            known |= now
            if changed:
                self._ring({str(number) for number in changed})
            with suppress(TimeoutError):
                async with asyncio.timeout(_jittered(pause)):
                    await woken.wait()

    def _pauses(self, source: Source) -> tuple[float, float]:
        polls = POLLS.get(source.name, POLLS["dav"])
        if self._line.told and source.name in MAILBOXES and all(one.place.own for one in self._wanted_of(source)):
            polls = SAFETY
        return polls[0] * self._unit, polls[1] * self._unit

    def _wanted_of(self, source: Source) -> list[Numbered]:
        wanted = self._wanted()
        return [one for one in self._snapshot.numbered(source.name) if str(one.number) in wanted]

    # -- listening

    async def _listen(self, pool: Pool) -> None:
        """A connection that is lost is made again, while the polls go on. Raises Unavailable for a login refused."""
        first, longest = LISTEN_SECONDS
        pause, loop = first, asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                with translated():
                    async with pool.listen(self._watching.account) as session:
                        if session is None:
                            pause = longest
                        else:
                            await self._told(session)
            except BackendError as error:
                if isinstance(error.__cause__, LoginRefused):
                    raise
                if loop.time() - began > longest:
                    pause = first  # it has worked for a while
                log.info("a connection listens no more", user=self._watching.account.user.id, reason=str(error))
            self._line.change(told=False)
            self._how.change("poll")
            await asyncio.sleep(_jittered(pause))
            pause = min(2 * pause, longest)

    async def _told(self, session: Session) -> None:
        """Until the connection ends; at once if there is nothing to be told of."""
        told = await session.notify()
        inbox = None if told else self._inbox()
        if inbox is not None:
            await session.select(inbox.place.locator)
            # A poll sees less of the inbox than this connection is told.
            self._ring({str(inbox.number)})
        elif not told:
            return
        self._line.change(told)
        self._how.change("notify" if told else "idle")
        while True:
            async with aclosing(session.idle(IDLE_SECONDS)) as news:
                async for names in news:
                    await self._heard(names)

    def _inbox(self) -> Numbered | None:
        return next((one for one in self._snapshot.numbered("imap") if one.place.type is FolderType.INBOX), None)

    async def _heard(self, names: frozenset[str]) -> None:
        numbers = self._numbers()
        if names - numbers.keys() - self._strange:
            with suppress(BackendError):
                await self._look_at_folders()
                numbers = self._numbers()
                self._strange |= names - numbers.keys()
        self._ring({number for name in names for number in numbers.get(name, ())})

    def _numbers(self) -> dict[str, list[CollectionId]]:
        """By mailbox, the collections that are made of it."""
        found: dict[str, list[CollectionId]] = {}
        for source in MAILBOXES:
            for one in self._snapshot.numbered(source):
                found.setdefault(one.place.locator, []).append(str(one.number))
        return found


def _first(group: BaseExceptionGroup[BackendError]) -> BackendError:
    one = group.exceptions[0]
    return _first(one) if isinstance(one, BaseExceptionGroup) else one


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)
