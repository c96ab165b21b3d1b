"""Only so many requests are worked on at a time; the others wait for their turn, in the order in which they came.

When thousands of phones come in one moment (a node was restarted, a line is back) and all are worked on, each step of
each competes with those of all others, for the core, the database's connections, the groupware, until all of them take
too long and fail, come again, and fail again. In turns the first are answered at once and the last after a while.

What only waits has no turn: a held Ping or Sync, a body that is still coming, an answer on its way out. Who has held
one and goes on is served before those who have just come.
"""

from __future__ import annotations

import asyncio
from collections import deque

from eas import measures

#: Seconds that a request may wait for its turn: phones wait for half a minute and longer, and many proxies a minute.
PATIENCE_SECONDS = 25.0


class Turns:
    """`most` at a time; 0: any number."""

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, 0
        self._going_on: deque[asyncio.Future[None]] = deque()
        self._come: deque[asyncio.Future[None]] = deque()

    async def take(self, *, goes_on: bool = False, patience_seconds: float | None = None) -> bool:
        """False if it did not come within that time."""
        if not self._most or self._taken < self._most:
            self._taken += 1
            return True
        line = self._going_on if goes_on else self._come
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(mine)
        measures.REQUESTS_QUEUED[()] += 1
        try:
            async with asyncio.timeout(patience_seconds):
                await mine
        except BaseException as error:
            if mine.done() and not mine.cancelled():
                # It came in the very moment in which nobody waited for it any more.
                self.give_back()
            if isinstance(error, TimeoutError):
                return False
            raise
        finally:
            measures.REQUESTS_QUEUED[()] -= 1
        return True

    def give_back(self) -> None:
        """The next in line has it."""
        for line in (self._going_on, self._come):
            while line:
                if not (next_one := line.popleft()).done():
                    next_one.set_result(None)
                    return
        self._taken -= 1


class Turn:
    """That of one request."""

    __slots__ = ("_held", "_turns")

    def __init__(self, turns: Turns) -> None:
        self._turns, self._held = turns, False

    async def begin(self) -> bool:
        """False if it did not come in time."""
        self._held = await self._turns.take(patience_seconds=PATIENCE_SECONDS)
        return self._held

    async def go_on(self) -> None:
        """After it was ended for a while."""
        self._held = await self._turns.take(goes_on=True)

    def end(self) -> None:
        """If it has begun."""
        if self._held:
            self._held = False
            self._turns.give_back()
