"""Exchanges that lie across each other, in the order in which they began.

A log tells of a request when it comes and of its answer when it goes, with those of other processes between. `Desk`
keeps what is under way by its key (a process, a connection) and gives back what is done as soon as nothing that began
earlier is still under way; so many at most wait for that.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from eas.replay.format.model import Exchange

#: Exchanges that wait for an older one.
HELD = 200
#: Nothing lasts so long: the longest heartbeat is 59 minutes. What is older will never end.
STALE = timedelta(hours=2)


class Draft(Protocol):
    """An exchange that is being put together."""

    time: datetime

    def exchange(self) -> Exchange | None:
        """None where there is nothing in it that could be one."""
        ...


D = TypeVar("D", bound=Draft)


class Desk(Generic[D]):
    def __init__(self) -> None:
        self._open: dict[Hashable, tuple[int, D]] = {}
        self._done: list[tuple[int, Exchange]] = []
        self._count = 0

    def begin(self, key: Hashable, draft: D) -> D:
        """What was under way with that key ends."""
        self.end(key)
        self._count += 1
        self._open[key] = (self._count, draft)
        return draft

    def get(self, key: Hashable) -> D | None:
        found = self._open.get(key)
        return found[1] if found else None

    def end(self, key: Hashable) -> None:
        found = self._open.pop(key, None)
        if found is not None and (exchange := found[1].exchange()) is not None:
            heapq.heappush(self._done, (found[0], exchange))

    def ready(self, now: datetime | None = None) -> Iterator[Exchange]:
        """What can be given away. `now` is the time of the record that was read last."""
        while now is not None and self._open:
            key, (_, draft) = next(iter(self._open.items()))
            if now - draft.time < STALE:
                break
            self.end(key)
        oldest = next(iter(self._open.values()))[0] if self._open else self._count + 1
        while self._done and (self._done[0][0] < oldest or len(self._done) > HELD):
            yield heapq.heappop(self._done)[1]

    def rest(self) -> Iterator[Exchange]:
        """The file is at its end."""
        for key in list(self._open):
            self.end(key)
        yield from self.ready()
