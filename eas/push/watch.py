"""Watching mailboxes that do not ring by themselves: one watch for a user while some device of theirs waits.

A watch is started by the first device that listens and ended when none has listened for a while; how it looks is not
known here (`Watch`). What it finds is rung in the bell, for all devices of the user alike. docs/design.md section 4.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection
from typing import Protocol

import structlog

from eas.engine.errors import BackendError
from eas.engine.model import CollectionId

from .bell import LocalBell, LocalListening

log = structlog.get_logger("eas.watch")

#: How long a watch goes on when nobody waits any more: a device that was answered asks again in a moment.
LINGER_SECONDS = 90.0
#: How often it is looked whether anybody still waits.
CHECK_SECONDS = 15.0
#: Between two tries of a watch that failed: the first, and the longest.
RETRY_SECONDS = (2.0, 120.0)

Ring = Callable[[Collection[CollectionId]], None]


class Watch(Protocol):
    async def run(self, ring: Ring) -> None:
        """Ring whatever may have changed, beginning with everything, since something may have before. Until cancelled;
        raises BackendError when it cannot go on, and is run again after a while."""
        ...


#: The watch of a user; None for those whose groupware rings by itself, and while it is not known how to look.
WatchOf = Callable[[str], Watch | None]


class WatchedBell(LocalBell):
    """A bell that has the users who wait watched."""

    def __init__(self, watch_of: WatchOf, rng: random.Random | None = None) -> None:
        super().__init__()
        self._watch_of, self._random = watch_of, rng or random.Random()
        self._watches: dict[str, asyncio.Task[None]] = {}

    @property
    def watched(self) -> int:
        """How many users are watched now."""
        return len(self._watches)

    def listen(self, user_id: str, device_id: str, collections: Collection[CollectionId]) -> LocalListening:
        listening = super().listen(user_id, device_id, collections)
        if not listening.ended and user_id not in self._watches:
            watch = self._watch_of(user_id)
            if watch is not None:
                task = asyncio.get_running_loop().create_task(self._run(user_id, watch))
                self._watches[user_id] = task
                task.add_done_callback(lambda _: self._watches.pop(user_id, None))
        return listening

    def stop(self) -> None:
        super().stop()
        for task in self._watches.values():
            task.cancel()

    async def close(self) -> None:
        """After `stop`: the watches have let go of their connections."""
        await asyncio.gather(*self._watches.values(), return_exceptions=True)

    async def _run(self, user_id: str, watch: Watch) -> None:
        watching = asyncio.create_task(self._watch(user_id, watch))
        unwanted = 0.0
        try:
            while unwanted < LINGER_SECONDS and not watching.done():
                await asyncio.wait((watching,), timeout=CHECK_SECONDS)
                unwanted = 0.0 if self.waits(user_id) else unwanted + CHECK_SECONDS
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self, user_id: str, watch: Watch) -> None:
        first, longest = RETRY_SECONDS
        pause = first
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await watch.run(lambda collections: self.ring(user_id, collections))
            except BackendError as error:
                log.info("a watch is tried again", user=user_id, seconds=round(pause), reason=str(error))
            if asyncio.get_running_loop().time() - began > longest:
                pause = first  # it has worked for a while
            # With jitter, so that a server that comes back is not met by everybody at once.
            await asyncio.sleep(pause * (0.5 + self._random.random()))
            pause = min(2 * pause, longest)
