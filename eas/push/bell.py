"""The bell of one process: who waits for what, and waking them.

A phone that waits costs one `LocalListening`, one future and one timer, some hundred bytes; a ring looks at the waits
of one user and at nobody else's. A ring only says "look there": who it reaches decides by the state of the mailbox.
All of it runs in the event loop's thread.

docs/design.md section 4. `Bell` and `Listening` of eas.engine.ports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from itertools import islice
from time import monotonic

from eas.engine.model import CollectionId

_NOTHING: frozenset[CollectionId] = frozenset()


class LocalListening:
    """One subscription of one device. The waits of a user form a chain, which is shorter to store than a dictionary."""

    __slots__ = (
        "_bell", "_ended", "_future", "_rung", "collections", "device_id", "next", "number", "replaced", "rung_at",
        "user_id",
    )

    def __init__(
        self, bell: LocalBell | None, user_id: str, device_id: str, collections: Collection[CollectionId]
    ) -> None:
        """`bell` None: ended from the start."""
        self._bell = bell
        self.user_id = user_id
        self.device_id = device_id
        self.next: LocalListening | None = None
        #: Among the waits of this process, where it must be told from others.
        self.number = 0
        self.collections = tuple(collections)
        self._rung = _NOTHING
        self._future: asyncio.Future[None] | None = None
        self._ended = bell is None
        self.replaced = False
        self.rung_at = 0.0

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def open(self) -> bool:
        return self._bell is not None

    @property
    def awake(self) -> bool:
        """Whether its device does not wait just now, but is going to."""
        return self._bell is not None and (self._future is None or self._future.done())

    async def armed(self) -> None:
        """Returns when rings from everywhere reach this one."""
        if self._bell is not None:
            await self._bell._arm(self)

    async def wait(self, timeout_seconds: float) -> frozenset[CollectionId]:
        """What was rung since the last wait, at once if there is something. One wait at a time."""
        if not self._rung and self._bell is not None and timeout_seconds > 0:
            loop = asyncio.get_running_loop()
            self._future = loop.create_future()
            timer = loop.call_later(timeout_seconds, _wake, self._future)
            try:
                await self._future
            finally:
                timer.cancel()
                self._future = None
        rung, self._rung = self._rung, _NOTHING
        return _NOTHING if self._ended else rung

    def ring(self, collections: Collection[CollectionId], at: float = 0.0) -> None:
        """Several rings before the waiter runs are one to it. `at`: when it was seen, by the monotonic clock; 0:
        now."""
        heard = [id for id in self.collections if id in collections]
        if heard:
            if not self._rung:
                self.rung_at = at or monotonic()
            self._rung = self._rung.union(heard)
            self._wake()

    def end(self) -> None:
        self._ended = True
        self.close()

    def close(self) -> None:
        if self._bell is not None:
            self._bell._remove(self)
            self._bell = None
        self._wake()

    def _wake(self) -> None:
        if self._future is not None:
            _wake(self._future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class LocalBell:
    def __init__(self) -> None:
        self._first: dict[str, LocalListening] = {}
        self._waiting = 0
        self._stopped = False

    @property
    def waiting(self) -> int:
        """How many devices are subscribed now."""
        return self._waiting

    def waits(self, user_id: str) -> bool:
        """Whether any device of a user is subscribed."""
        return user_id in self._first

    def wanted(self, user_id: str) -> frozenset[CollectionId]:
        """What the devices of a user are subscribed to."""
        return _NOTHING.union(*(listening.collections for listening in self._of_user(user_id)))

    def ring(self, user_id: str, collections: Collection[CollectionId], by_device: str = "") -> None:
        """`by_device` is not looked at: what a device changed may be news to a second program under the same id."""
        self._ring_here(user_id, collections, 0.0)

    def _ring_here(self, user_id: str, collections: Collection[CollectionId], at: float) -> None:
        for listening in self._of_user(user_id):
            listening.ring(collections, at)

    def listen(self, user_id: str, device_id: str, collections: Collection[CollectionId]) -> LocalListening:
        """Once the server stops, a subscription is ended from the start."""
        self._end_here(user_id, device_id)
        if self._stopped:
            return LocalListening(None, user_id, device_id, collections)
        listening = LocalListening(self, user_id, device_id, collections)
        listening.next = self._first.get(user_id)
        self._first[user_id] = listening
        self._waiting += 1
        return listening

    def end(self, user_id: str, device_id: str) -> None:
        self._end_here(user_id, device_id)

    def release(self, count: int) -> None:
        """End so many waits (none if it is negative), beginning with the users who have waited longest."""
        everyone = (listening for user_id in self._first for listening in self._of_user(user_id))
        chosen = islice(everyone, max(0, count))
        for listening in list(chosen):
            listening.end()

    def stop(self) -> None:
        """End every wait, and those to come: the phones are answered and go to another process."""
        self._stopped = True
        for user_id in list(self._first):
            for listening in self._of_user(user_id):
                listening.end()

    async def _arm(self, listening: LocalListening) -> None:
        """In one process rings reach it from the beginning."""

    def _end_here(self, user_id: str, device_id: str, up_to: int | None = None) -> bool:
        """Whether there was a wait of the device, with a number up to this one."""
        for listening in self._of_user(user_id):
            if listening.device_id == device_id and (up_to is None or listening.number <= up_to):
                listening.replaced = True
                listening.end()
                return True
        return False

    def _of_user(self, user_id: str) -> Iterator[LocalListening]:
        listening = self._first.get(user_id)
        while listening is not None:
            following = listening.next  # asked first: the one that is given may leave the chain
            yield listening
            listening = following

    def _remove(self, listening: LocalListening) -> None:
        self._waiting -= 1
        before: LocalListening | None = None
        for other in self._of_user(listening.user_id):
            if other is listening:
                break
            before = other
        if before is not None:
            before.next = listening.next
        elif listening.next is not None:
            self._first[listening.user_id] = listening.next
        else:
            self._first.pop(listening.user_id, None)
        listening.next = None
