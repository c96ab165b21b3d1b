"""Waits that end when what was decided of a device ends: the bell of one request.

The device is answered as if a newer request had taken over, comes again, and meets what holds by then.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from eas.engine.model import CollectionId
from eas.engine.ports import Bell, Clock, Listening


class BoundedBell:
    """`until` (aware) is when each wait is over."""

    def __init__(self, bell: Bell, clock: Clock, until: datetime) -> None:
        self._bell, self._clock = bell, clock
        self._deadline = clock.monotonic() + max(0.0, (until - clock.now()).total_seconds())

    def ring(self, user_id: str, collections: Collection[CollectionId], by_device: str = "") -> None:
        self._bell.ring(user_id, collections, by_device)

    def listen(self, user_id: str, device_id: str, collections: Collection[CollectionId]) -> Listening:
        return BoundedListening(self._bell.listen(user_id, device_id, collections), self._clock, self._deadline)

    def end(self, user_id: str, device_id: str) -> None:
        self._bell.end(user_id, device_id)


class BoundedListening:
    __slots__ = ("_clock", "_deadline", "_listening", "_over")

    def __init__(self, listening: Listening, clock: Clock, deadline: float) -> None:
        self._listening, self._clock, self._deadline = listening, clock, deadline
        self._over = False

    async def armed(self) -> None:
        await self._listening.armed()

    async def wait(self, timeout_seconds: float) -> frozenset[CollectionId]:
        left = self._deadline - self._clock.monotonic()
        rung = await self._listening.wait(max(0.0, min(timeout_seconds, left)))
        self._over = not rung and left < timeout_seconds
        return rung

    @property
    def ended(self) -> bool:
        return self._over or self._listening.ended

    @property
    def replaced(self) -> bool:
        return self._listening.replaced

    @property
    def rung_at(self) -> float:
        return self._listening.rung_at

    def close(self) -> None:
        self._listening.close()
