"""Waiting for what is certain to come, however slow the machine is; and a clock that no machine slows down."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import isawaitable
from typing import Any

#: Seconds after which something does not come any more. Machines stand still for seconds: this is no measure of speed.
PATIENCE = 60.0


async def until(
    true: Callable[[], object | Awaitable[object]], seconds: float = PATIENCE, *, every: float = 0.01,
    what: str = "never came true",
) -> None:
    """Asks again and again; what it asks may be awaited."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        late = loop.time() > end
        found = true()
        if await found if isawaitable(found) else found:
            return
        assert not late, what
        await asyncio.sleep(every)


async def closed() -> None:
    """Until no connection of this loop is open: one under TLS takes some turns to close, and longer if the other side
    is slow. One that is left when the loop ends is a warning, in whichever test comes next."""
    transports: Any = asyncio.get_running_loop()._transports  # type: ignore[attr-defined]
    await until(lambda: all(one._sock is None for one in list(transports.values())), what="a connection is left open")


class Leaping(selectors.DefaultSelector):
    """Waits for nothing: time leaps to when the next timer is due."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop in a time of its own, in which nothing takes any time but sleeping: for tests without threads,
    servers and files, which a stalled machine would otherwise find asleep too long."""

    def __init__(self) -> None:
        self.leaps = Leaping()
        super().__init__(self.leaps)

    def time(self) -> float:
        return self.leaps.now


def leaping(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test that runs in a `LeapingLoop`; so must all that it has of fixtures be free of loops."""

    @wraps(test)
    def run(*given: Any, **named: Any) -> None:
        with asyncio.Runner(loop_factory=LeapingLoop) as runner:
            runner.run(_awaited(test(*given, **named)))

    return run


async def _awaited(work: Awaitable[None]) -> None:
    await work
