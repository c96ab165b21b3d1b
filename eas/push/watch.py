"""Watching mailboxes that do not ring by themselves: one watch for a user while some device of theirs waits.

A watch is started by the first device that listens and ended when none has listened for a while; how it looks is not
known here (`Watch`). What it finds is rung in the bell, for all devices of the user alike. docs/design.md section 4.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection
from functools import partial
from typing import Protocol

import structlog

from eas import measures
from eas.engine.errors import BackendError
from eas.engine.model import CollectionId
from eas.measures import Standing

from .bell import LocalBell, LocalListening

log = structlog.get_logger("eas.watch")

#: How long a watch goes on when nobody waits any more: a device that was answered asks again in a moment.
LINGER_SECONDS = 90.0
#: Between two tries of a watch that failed: the first, and the longest.
RETRY_SECONDS = (2.0, 120.0)
#: Of the linger time: how often it is looked whether anybody still waits.
CHECK_SHARE = 1 / 6

Ring = Callable[[Collection[CollectionId]], None]
Wanted = Callable[[], Collection[CollectionId]]


class Watch(Protocol):
    async def run(self, ring: Ring, wanted: Wanted) -> None:
        """Ring what may have changed since this began; that includes everything that may have before it was known how
        things stood. `wanted()` are the collections that somebody waits for just now. Until cancelled; raises
        BackendError when it cannot go on, and another one is run after a while."""
        ...


#: The watch of a user; None for those whose groupware rings by itself, and while it is not known how to look.
WatchOf = Callable[[str], Watch | None]


class WatchedBell(LocalBell):
    """A bell that has the users who wait watched. `linger_seconds` and `retry_seconds` as the constants above."""

    def __init__(self, watch_of: WatchOf, rng: random.Random | None = None, *, most: int = 0) -> None:
        """`most`: so many users are watched at a time; 0: all."""
        super().__init__()
        self.linger_seconds, self.retry_seconds = LINGER_SECONDS, RETRY_SECONDS
        self._watch_of, self._random, self._most = watch_of, rng or random.Random(), most
        self._watches: dict[str, asyncio.Task[None]] = {}
        #: Who is to be watched when there is room, the first first.
        self._in_line: dict[str, None] = {}

    @property
    def watched(self) -> int:
        """How many users are watched now."""
        return len(self._watches)

    def listen(self, user_id: str, device_id: str, collections: Collection[CollectionId]) -> LocalListening:
        listening = super().listen(user_id, device_id, collections)
        if not listening.ended:
            self._wish(user_id)
        return listening

    def stop(self) -> None:
        super().stop()
        for task in self._watches.values():
            task.cancel()

    async def start(self) -> None:
        """Once there is an event loop, before anybody listens."""

    async def close(self) -> None:
        """After `stop`: the watches have let go of their connections."""
        await asyncio.gather(*self._watches.values(), return_exceptions=True)

    def _can_watch(self, user_id: str) -> bool:
        """Whether it is known how to look, and there is room; else the user is put in line."""
        if user_id in self._watches:
            return True
        if self._watch_of(user_id) is None:
            return False
        if self._most and len(self._watches) >= self._most:
            self._in_line[user_id] = None
            return False
        return True

    def _begin(self, user_id: str) -> None:
        if user_id not in self._watches and self._can_watch(user_id):
            task = asyncio.get_running_loop().create_task(self._run(user_id))
            self._watches[user_id] = task
            task.add_done_callback(partial(self._ended, user_id))

    def _ended(self, user_id: str, task: asyncio.Task[None]) -> None:
        self._watches.pop(user_id, None)
        if self._stopped:
            return
        # Somebody may have begun to wait while the watch was ending.
        if not task.cancelled() and self.waits(user_id):
            self._begin(user_id)
        self._next_in_line()

    def _next_in_line(self) -> None:
        while self._in_line and len(self._watches) < self._most:
            user_id = next(iter(self._in_line))
            del self._in_line[user_id]
            if self.waits(user_id):
                self._wish(user_id)

    def _wish(self, user_id: str) -> None:
        """Somebody waits here: the user is to be watched."""
        self._begin(user_id)

    def _look_around(self, user_id: str) -> None:
        """Now and then, for each user who is watched."""

    async def _run(self, user_id: str) -> None:
        watching = asyncio.create_task(self._watch(user_id))
        unwanted, step = 0.0, self.linger_seconds * CHECK_SHARE
        try:
            while unwanted < self.linger_seconds and not watching.done():
                await asyncio.wait((watching,), timeout=step)
                unwanted = 0.0 if self.waits(user_id) else unwanted + step
                self._look_around(user_id)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self, user_id: str) -> None:
        """Until it is not known any more how to look: the user's credentials were refused, or they have not come in for
        hours. Then those who wait are answered, and come again."""
        first, longest = self.retry_seconds
        pause, loop = first, asyncio.get_running_loop()
        how = Standing(measures.WATCHES)
        while (watch := self._watch_of(user_id)) is not None:
            began = loop.time()
            try:
                await watch.run(partial(self.ring, user_id), partial(self.wanted, user_id))
            except BackendError as error:
                log.info("a watch is tried again", user=user_id, seconds=round(pause), reason=str(error))
            except Exception as error:  # a fault of ours must not keep news from those who wait
                log.error("a watch failed", user=user_id, exc_info=error)
            if self._watch_of(user_id) is None:
                break
            if loop.time() - began > longest:
                pause = first  # it has worked for a while
            how.change("failing")
            try:
                # With jitter, so that a server that comes back is not met by everybody at once.
                await asyncio.sleep(pause * (0.5 + self._random.random()))
            finally:
                how.change("")
            pause = min(2 * pause, longest)
        for listening in list(self._of_user(user_id)):
            listening.end()
