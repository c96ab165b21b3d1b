"""Nodes of a site in one process of the tests: each a bell of its own with a link of its own to one Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from eas.push.bell import LocalListening
from eas.push.link import Link
from eas.push.presence import Presence
from eas.push.redis import RedisSite
from eas.push.shared import SharedBell
from eas.push.shared_leases import SharedLeases
from eas.push.watch import Ring, Wanted, Watch

#: Seconds that what is soon to happen may take on a machine with other work.
SOON = 60.0
#: A machine that stands still for some seconds is neither dead nor late: so long a node counts as alive, a lease lives,
#: and somebody else's lease is waited for.
PATIENT = 60.0
#: Turns of the event loop in which all is done that waits for nothing.
TURNS = 20

T = TypeVar("T")


class Watched:
    """A watch of one user that rings what it is told to; `runs` says on which nodes it runs."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.begun = 0
        self.wanted: Wanted = lambda: ()
        self.found: asyncio.Queue[Collection[str]] = asyncio.Queue()

    def on(self, node: str) -> Watch:
        return _WatchOn(self, node)


class _WatchOn:
    def __init__(self, watched: Watched, node: str) -> None:
        self.watched, self.node = watched, node

    async def run(self, ring: Ring, wanted: Wanted) -> None:
        watched = self.watched
        watched.runs.append(self.node)
        watched.begun += 1
        watched.wanted = wanted
        try:
            while True:
                ring(await watched.found.get())
        finally:
            watched.runs.remove(self.node)


class Node:
    """`watches` are the users whom this node knows how to watch."""

    def __init__(
        self, site: RedisSite, watches: dict[str, Watched] | None = None, most: int = 0, lifetime: float = PATIENT
    ) -> None:
        self.link = Link(site)
        self.link.lifetime_seconds = lifetime
        self.watches = dict(watches or {})
        self.bell = SharedBell(self._watch_of, self.link, Presence(self.link, 3540), most=most)
        self.bell.linger_seconds, self.bell.retry_seconds = 0.3, (0.01, 0.05)
        self.leases = SharedLeases(self.link)
        self.leases.lease_seconds = self.leases.wait_seconds = PATIENT
        self.heard: list[tuple[str, frozenset[str]]] = []
        self.bell.heard = lambda user, collections: self.heard.append((user, frozenset(collections)))

    def _watch_of(self, user_id: str) -> Watch | None:
        watched = self.watches.get(user_id)
        return watched.on(self.link.node) if watched is not None else None

    @property
    def name(self) -> str:
        return self.link.node

    async def start(self) -> Node:
        await self.bell.start()
        await self.link.start()
        return self

    async def settled(self) -> None:
        """Connected, and what it says when it comes is said."""
        await until(lambda: self.link.connected and not self.link._stale and not self.bell._stale)
        if self.bell._renewal is not None:
            await self.bell._renewal

    async def close(self) -> None:
        self.bell.stop()
        await self.bell.close()
        await self.link.close()

    async def die(self) -> None:
        """As if killed: nobody is told, the connections break."""
        tasks = [*self.link._tasks, *self.bell._watches.values()]
        tasks += [task for task in (self.bell._runner, self.bell._renewal) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lane in self.link.lanes.all.values():
            lane.away = True
        await self.link.lanes.close()

    async def listen(self, user: str, device: str, *collections: str) -> LocalListening:
        """As the engine does before its first look."""
        listening = self.bell.listen(user, device, ("0", *collections))
        await listening.armed()
        return listening


@asynccontextmanager
async def nodes(site: RedisSite, count: int = 2, *, away: bool = False, **kinds: Any) -> AsyncIterator[list[Node]]:
    """They know each other, and all is quiet, unless Redis is `away`."""
    made = [Node(site, **kinds) for _ in range(count)]
    names = {node.name for node in made}
    try:
        await asyncio.gather(*(node.start() for node in made))
        for node in () if away else made:
            await node.settled()
        # A node knows of another one from its next beat on.
        for node in made:
            node.link._hurry.set()
        await until(lambda: away or all(node.link.live >= names for node in made))
        yield made
    finally:
        await asyncio.gather(*(node.close() for node in made))


async def until(true: Callable[[], object], seconds: float = SOON) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not true():
        assert asyncio.get_running_loop().time() < deadline, "never came true"
        await asyncio.sleep(0.01)


async def at_once(work: Coroutine[Any, Any, T]) -> T:
    """What it gives without waiting for anything, however long that takes on this machine."""
    task = asyncio.ensure_future(work)
    for _ in range(TURNS):
        if not task.done():
            await asyncio.sleep(0)
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise AssertionError("it waits")
    return task.result()


async def quiet(listening: LocalListening) -> None:
    """Nodes that have just come, or come again, look at all that waits there: until they have done."""
    while await listening.wait(2.5):
        pass
