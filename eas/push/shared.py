"""The bell of a site of several processes, over Redis.

A wait is written down there before its device looks how things stand, so that a ring that comes after the look finds
it. A ring wakes the waits of this process at once, and goes once to each other node where a device of the user waits.
The user is watched by one node of the site: by the first that was able to when one of the user's devices began to wait;
by another when that one dies, or when nobody waits there any more. While Redis is away each node watches for its own
waits.

Nothing waits for Redis but the beginning of a wait, shortly. All the rest is errands: noted at once, done together by
one task.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import count
from time import monotonic

import structlog

from eas.engine.model import CollectionId

from .bell import LocalBell, LocalListening
from .calls import Calls, Letters
from .echoes import Echoes
from .link import Link, Message
from .presence import Presence, Wait
from .redis import Away
from .watch import WatchedBell, WatchOf

log = structlog.get_logger("eas.bell")

#: A wait that has ended is removed after so long: mostly the device's next one has taken its place by then.
LEAVE_SECONDS = 0.5
#: When much is to be said anew, or taken over: so many users at a time, and the pause between them.
SOME, PAUSE_SECONDS = 50, 0.1
#: So many waits are written down anew at a time.
WRITTEN = 200
#: So many seconds at most are given to those who look at their folders, before the next may do so as well.
LOOK_SECONDS = 3.0
#: Users whose rings are kept while Redis is away; with more, all nodes are told to look at everything.
MOST_KEPT = 10_000
#: Redis being away for so long, each node watches for its own waits.
ALONE_SECONDS = 10.0


@dataclass(slots=True)
class _Errands:
    """By user: what is to be rung elsewhere, whom to watch in place of which node ("": nobody), whom no longer, and for
    whom to see what other nodes want. `ends` are (user, device)."""

    rings: dict[str, set[CollectionId]] = field(default_factory=dict)
    all: bool = False
    ends: set[tuple[str, str]] = field(default_factory=set)
    claims: dict[str, str] = field(default_factory=dict)
    freed: set[str] = field(default_factory=set)
    looks: set[str] = field(default_factory=set)
    letters: Letters = field(default_factory=dict)

    def keep(
        self, rings: Mapping[str, Collection[CollectionId]], ends: Collection[tuple[str, str]], *, every: bool
    ) -> None:
        for user_id, collections in rings.items():
            self.rings.setdefault(user_id, set()).update(collections)
        self.ends.update(ends)
        self.all |= every
        if len(self.rings) + len(self.ends) > MOST_KEPT:
            self.rings.clear()
            self.ends.clear()
            self.all = True


class SharedBell(WatchedBell):
    """`heard` is told what other nodes ring, before this one's waits are."""

    def __init__(
        self, watch_of: WatchOf, link: Link, presence: Presence, rng: random.Random | None = None, *, most: int = 0
    ) -> None:
        super().__init__(watch_of, rng, most=most)
        self.heard: Callable[[str, Collection[CollectionId]], None] = lambda user_id, collections: None
        self._link, self._presence, self._calls, self._echoes = link, presence, Calls(link, presence), Echoes(link)
        self._numbers = count(1)
        self._errands, self._errand = _Errands(), asyncio.Event()
        #: What could not be said, Redis being away.
        self._kept = _Errands()
        #: By user who is to be rung elsewhere: when the first of it was seen.
        self._seen_at: dict[str, float] = {}
        self._leaves: dict[tuple[str, str], int] = {}
        #: Users who wait here, by the other node that watches them.
        self._others: dict[str, set[str]] = {}
        #: By user who is watched here: what waits elsewhere.
        self._elsewhere: dict[str, frozenset[CollectionId]] = {}
        self._stale: set[str] = set()
        self._lost_at: float | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._runner: asyncio.Task[None] | None = None
        self._ending = False
        link.heard, link.anew = self._take, self._renew
        link.beat.append(self._beat)

    async def start(self) -> None:
        self._runner = asyncio.get_running_loop().create_task(self._run_errands())

    async def close(self) -> None:
        """What is under way is said; the watches have let go of their connections."""
        await super().close()
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
        if self._runner is not None:
            self._ending = True
            self._errand.set()
            await asyncio.gather(self._runner, return_exceptions=True)
        self._say_leaves()

    # -- the bell

    def ring(self, user_id: str, collections: Collection[CollectionId], by_device: str = "") -> None:
        super().ring(user_id, collections, by_device)
        self._seen_at.setdefault(user_id, monotonic())
        self._errands.rings.setdefault(user_id, set()).update(collections)
        self._errand.set()

    def listen(self, user_id: str, device_id: str, collections: Collection[CollectionId]) -> LocalListening:
        """`armed` writes it down; without Redis it counts here."""
        listening = LocalBell.listen(self, user_id, device_id, collections)
        if not listening.ended:
            listening.number = next(self._numbers)
            if not self._reaches(user_id):
                self._begin(user_id)
        return listening

    def end(self, user_id: str, device_id: str) -> None:
        if not self._end_here(user_id, device_id):
            self._errands.ends.add((user_id, device_id))
            self._errand.set()

    def wanted(self, user_id: str) -> frozenset[CollectionId]:
        return super().wanted(user_id) | self._elsewhere.get(user_id, frozenset())

    async def _arm(self, listening: LocalListening) -> None:
        user_id, device_id = listening.user_id, listening.device_id
        if not self._reaches(user_id):
            return
        self._leaves.pop((user_id, device_id), None)
        wait = Wait(self._link.node, listening.number, listening.collections)
        try:
            before, watcher = await self._presence.enter(
                user_id, device_id, wait, watches=self._can_watch(user_id)
            )
        except Away:
            if self.waits(user_id):
                self._begin(user_id)
            return
        if before is not None and before.node != self._link.node:
            self._write(before.node, ("end", user_id, device_id, before.number))
        if not self.waits(user_id):
            # It has ended meanwhile.
            self._free(user_id, watcher)
            return
        self._watched_by(user_id, watcher)
        if watcher not in ("", self._link.node):
            self._write(watcher, ("wanted", user_id, sorted(listening.collections)))

    def _remove(self, listening: LocalListening) -> None:
        super()._remove(listening)
        if not self._leaves and not self._stopped:
            asyncio.get_running_loop().call_later(LEAVE_SECONDS, self._say_leaves)
        self._leaves[listening.user_id, listening.device_id] = listening.number
        if not self.waits(listening.user_id):
            self._none_waits(listening.user_id)

    def _say_leaves(self) -> None:
        leaves, self._leaves = self._leaves, {}
        for (user_id, device_id), number in leaves.items():
            self._presence.leave(user_id, device_id, Wait(self._link.node, number))

    def _reaches(self, user_id: str) -> bool:
        return self._link.reaches(self._presence.key(user_id))

    # -- messages of other nodes

    def _take(self, message: Message) -> None:
        kind, *said = message
        match kind:
            case "ring":
                self._rung(*said)
            case "echo" if self.waits(said[0]):
                self._rung(*said)
            case "end":
                user_id, device_id, number = said
                self._end_here(user_id, device_id, number)
            case "wanted":
                self._wanted_elsewhere(*said)
            case "look" if self.waits(said[0]):
                self._wish(said[0])
            case "all":
                self._renew(self._link.lanes.all)

    def _rung(self, user_id: str, collections: Collection[CollectionId], age: float = 0.0) -> None:
        """`age`: so many seconds ago it was seen."""
        self.heard(user_id, collections)
        if self.waits(user_id):
            self._ring_here(user_id, collections, monotonic() - age)
        elif user_id not in self._watches:
            # What stands there of this node is left over. A wait that begins now is written down after this.
            self._presence.purge(user_id, self._link.node)

    def _wanted_elsewhere(self, user_id: str, collections: Collection[CollectionId]) -> None:
        if user_id in self._watches:
            self._elsewhere[user_id] = self._elsewhere.get(user_id, frozenset()).union(collections)
        elif self.waits(user_id):
            self._wish(user_id)
        else:
            self._free(user_id, self._link.node)

    # -- watching

    def _wish(self, user_id: str) -> None:
        if self._reaches(user_id):
            self._errands.claims.setdefault(user_id, "")
            self._errand.set()
        else:
            self._begin(user_id)

    def _watched_by(self, user_id: str, node: str) -> None:
        """`node` "": by nobody, since nobody is able to."""
        self._none_waits(user_id)
        if node == self._link.node:
            self._begin(user_id)
            if user_id not in self._watches:
                self._free(user_id, node)
        elif node:
            self._others.setdefault(node, set()).add(user_id)
            if user_id in self._watches:
                self._watches[user_id].cancel()

    def _none_waits(self, user_id: str) -> None:
        for users in self._others.values():
            users.discard(user_id)

    def _free(self, user_id: str, watcher: str) -> None:
        if watcher == self._link.node and user_id not in self._watches:
            self._errands.freed.add(user_id)
            self._errand.set()

    def _ended(self, user_id: str, task: asyncio.Task[None]) -> None:
        super()._ended(user_id, task)
        if user_id not in self._watches:
            self._elsewhere.pop(user_id, None)
            if not task.cancelled():
                self._free(user_id, self._link.node)

    def _look_around(self, user_id: str) -> None:
        if self._reaches(user_id):
            self._errands.looks.add(user_id)
            self._errand.set()

    def _beat(self) -> None:
        """Take over from nodes that have died; while Redis is away, from all."""
        now = asyncio.get_running_loop().time()
        if self._link.connected:
            self._lost_at = None
            kept, self._kept = self._kept, _Errands()
            if kept.rings or kept.ends or kept.all:
                self._errands.keep(kept.rings, kept.ends, every=kept.all)
                self._errand.set()
            for node, letters in self._echoes.letters().items():
                self._errands.letters.setdefault(node, []).extend(letters)
                self._errand.set()
        elif self._lost_at is None:
            self._lost_at = now
        alone = self._lost_at is not None and now - self._lost_at > ALONE_SECONDS
        for node in list(self._others):
            users = self._others[node]
            if not users:
                del self._others[node]
            elif self._link.sure and self._link.connected and node not in self._link.live:
                log.info("a node is gone", node=node, watched=len(users))
                self._errands.claims.update(dict.fromkeys(self._others.pop(node), node))
                self._errand.set()
            elif alone:
                for user_id in [user_id for user_id in users if user_id not in self._watches][:SOME]:
                    if not self._reaches(user_id):
                        self._begin(user_id)

    # -- errands

    async def _run_errands(self) -> None:
        while not self._ending:
            await self._errand.wait()
            self._errand.clear()
            errands, self._errands = self._errands, _Errands()
            try:
                await self._do(errands)
            except Exception as error:  # whatever it is, the next ones are done
                log.error("an errand failed", exc_info=error)

    async def _do(self, errands: _Errands) -> None:
        await asyncio.gather(
            self._say(errands), self._calls.send(errands.letters),
            self._claim(errands.claims), self._release(errands.freed), self._see(errands.looks),
        )

    async def _say(self, errands: _Errands) -> None:
        unrung, unended, unsaid = await asyncio.gather(
            self._calls.ring(errands.rings, self._seen_at), self._calls.end(errands.ends),
            self._calls.send(self._to_all() if errands.all else {}),
        )
        self._kept.keep(unrung, unended, every=bool(unsaid))
        self._echoes.keep(errands.rings, self._seen_at)
        unrung_users = self._kept.rings.keys() | self._errands.rings.keys()
        self._seen_at = {user_id: at for user_id, at in self._seen_at.items() if user_id in unrung_users}

    def _to_all(self) -> Letters:
        return {node: [("all",)] for node in self._link.live if node != self._link.node}

    def _write(self, node: str, message: Message) -> None:
        self._errands.letters.setdefault(node, []).append(message)
        self._errand.set()

    async def _claim(self, claims: dict[str, str]) -> None:
        """Those that cannot be claimed now are watched when their waits are written down anew."""
        able = [user_id for user_id in claims if self.waits(user_id) and self._can_watch(user_id)]
        if len(able) > SOME:
            # Not all at once: each begins a watch.
            self._errands.claims |= {user_id: claims[user_id] for user_id in able[SOME:]}
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._errand.set)
        await asyncio.gather(*(self._claim_one(user_id, claims[user_id]) for user_id in able[:SOME]))

    async def _claim_one(self, user_id: str, dead: str) -> None:
        try:
            watcher = await self._presence.claim(user_id, dead)
        except Away:
            return
        if self.waits(user_id):
            self._watched_by(user_id, watcher)
        else:
            self._free(user_id, watcher)

    async def _release(self, freed: Collection[str]) -> None:
        await asyncio.gather(*(self._hand_over(user_id) for user_id in freed if user_id not in self._watches))

    async def _hand_over(self, user_id: str) -> None:
        try:
            nodes = await self._presence.release(user_id)
        except Away:
            return
        others = [node for node in nodes if node != self._link.node and node in self._link.live]
        if others:
            self._write(self._random.choice(others), ("look", user_id))

    async def _see(self, users: Collection[str]) -> None:
        await asyncio.gather(*(self._see_one(user_id) for user_id in users))

    async def _see_one(self, user_id: str) -> None:
        """Whether it is still this node that watches, and for what."""
        try:
            watcher = await self._presence.claim(user_id, "")
            waits = await self._presence.waits(user_id)
        except Away:
            return
        if user_id not in self._watches:
            self._free(user_id, watcher)
        elif watcher != self._link.node:
            self._watched_by(user_id, watcher)
        else:
            others = (wait.collections for wait in waits if wait.node != self._link.node)
            self._elsewhere[user_id] = frozenset().union(*others)

    # -- after Redis was away

    def _renew(self, servers: Collection[str]) -> None:
        """What stood on these servers is said anew, and what may have been missed is looked at."""
        self._stale.update(servers)
        self._errand.set()
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.get_running_loop().create_task(self._say_anew())

    async def _say_anew(self) -> None:
        while self._stale:
            try:
                await self._say_anew_on()
            except Exception as error:  # whatever it is, the next time is another one
                log.error("waits are not said anew", exc_info=error)

    async def _say_anew_on(self) -> None:
        servers, self._stale = self._stale, set()
        waits = [
            listening for user_id in list(self._first) for listening in self._of_user(user_id)
            if self._link.server_of(self._presence.key(user_id)) in servers
        ]
        for at in range(0, len(waits), WRITTEN):
            await asyncio.gather(*(self._arm(listening) for listening in waits[at : at + WRITTEN] if listening.open))
            await asyncio.sleep(self._pause)
        # In no order, and not all at once: each of them is going to look at its folders.
        self._random.shuffle(waits)
        for at in range(0, len(waits), SOME):
            if self._stale:
                self._stale |= servers
                return
            some = [listening for listening in waits[at : at + SOME] if listening.open]
            for listening in some:
                self.heard(listening.user_id, listening.collections)
                listening.ring(listening.collections)
            await _looked(some, self._pause)

    @property
    def _pause(self) -> float:
        return PAUSE_SECONDS * (0.5 + self._random.random())


async def _looked(listenings: Collection[LocalListening], pause_seconds: float) -> None:
    """Until all of these wait again, or not any more: what is news now is not to wait behind thousands who look for
    what they might have missed."""
    end = monotonic() + LOOK_SECONDS
    await asyncio.sleep(pause_seconds)
    # An event for each wait would cost every wait its memory, for what happens after Redis was away.
    while monotonic() < end and any(listening.awake for listening in listenings):  # noqa: ASYNC110
        await asyncio.sleep(pause_seconds)
