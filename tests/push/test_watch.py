"""Watches begin with the first device that waits and end with the last; what they find is rung."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from eas.engine.errors import Unavailable
from eas.push.watch import Ring, Wanted, Watch, WatchedBell, WatchOf

#: Seconds after which it is sure that something does not come.
LONG = 60.0


class Watched:
    """Rings what it is told to."""

    def __init__(self) -> None:
        self.runs, self.ended, self.failures = 0, 0, 0
        self.failure: Exception = Unavailable("away")
        self.wanted: Wanted = lambda: ()
        self.found: asyncio.Queue[Collection[str]] = asyncio.Queue()

    async def run(self, ring: Ring, wanted: Wanted) -> None:
        self.runs += 1
        self.wanted = wanted
        if self.failures:
            self.failures -= 1
            raise self.failure
        try:
            while True:
                ring(await self.found.get())
        finally:
            self.ended += 1


def quick(watch_of: WatchOf) -> WatchedBell:
    bell = WatchedBell(watch_of)
    bell.linger_seconds, bell.retry_seconds = 0.05, (0.01, 0.05)
    return bell


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(LONG):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_one_watch_serves_all_devices_of_a_user() -> None:
    one = Watched()
    bell = quick(lambda user_id: one if user_id == "anna" else None)
    first, second = bell.listen("anna", "a", ["5"]), bell.listen("anna", "b", ["5", "6"])
    other = bell.listen("ben", "c", ["5"])
    await until(lambda: one.runs)
    one.found.put_nowait({"5"})
    assert await first.wait(LONG) == await second.wait(LONG) == {"5"}
    assert (one.runs, bell.watched) == (1, 1)
    assert await other.wait(0.01) == frozenset()
    bell.stop()
    await bell.close()
    assert (one.ended, bell.watched) == (1, 0)


async def test_a_watch_ends_when_nobody_waits_any_more() -> None:
    one = Watched()
    bell = quick(lambda user_id: one)
    listening = bell.listen("anna", "a", ["5"])
    await until(lambda: one.runs)
    listening.close()
    await until(lambda: not bell.watched)
    assert one.ended == 1
    bell.listen("anna", "a", ["5"])
    await until(lambda: one.runs == 2)
    bell.stop()
    await bell.close()


async def test_a_watch_that_fails_is_tried_again() -> None:
    one = Watched()
    one.failures = 3
    bell = quick(lambda user_id: one)
    listening = bell.listen("anna", "a", ["5"])
    await until(lambda: one.runs == 4)
    one.found.put_nowait({"5"})
    assert await listening.wait(LONG) == {"5"}
    bell.stop()
    await bell.close()


async def test_after_the_end_nothing_is_watched() -> None:
    one: Watch = Watched()
    bell = quick(lambda user_id: one)
    bell.stop()
    assert bell.listen("anna", "a", ["5"]).ended
    assert bell.watched == 0


async def test_a_fault_of_ours_does_not_end_a_watch() -> None:
    one = Watched()
    one.failures, one.failure = 1, ValueError("a fault")
    bell = quick(lambda user_id: one)
    listening = bell.listen("anna", "a", ["5"])
    await until(lambda: one.runs == 2)
    one.found.put_nowait({"5"})
    assert await listening.wait(LONG) == {"5"}
    bell.stop()
    await bell.close()


async def test_a_watch_knows_what_is_waited_for() -> None:
    one = Watched()
    bell = quick(lambda user_id: one)
    first = bell.listen("anna", "a", ["5"])
    bell.listen("anna", "b", ["6", "7"])
    bell.listen("ben", "c", ["8"])
    await until(lambda: one.runs)
    assert set(one.wanted()) in ({"5", "6", "7"}, {"8"})
    first.close()
    assert bell.wanted("anna") == {"6", "7"}
    bell.stop()
    await bell.close()


async def test_who_waits_is_answered_when_it_is_not_known_any_more_how_to_look() -> None:
    """Their credentials were refused: they come again, and are asked for new ones."""
    known = [True]

    class Refused(Watched):
        async def run(self, ring: Ring, wanted: Wanted) -> None:
            known[0] = False
            raise self.failure

    one = Refused()
    bell = quick(lambda user_id: one if known[0] else None)
    first, second = bell.listen("anna", "a", ["5"]), bell.listen("anna", "b", ["5"])
    assert await first.wait(LONG) == await second.wait(LONG) == frozenset()
    assert first.ended
    assert second.ended
    await until(lambda: not bell.watched)


async def test_who_comes_while_a_watch_ends_is_watched() -> None:
    """Letting go of a connection takes a while."""
    gone = asyncio.Event()

    class Slow(Watched):
        async def run(self, ring: Ring, wanted: Wanted) -> None:
            try:
                await super().run(ring, wanted)
            finally:
                await gone.wait()

    one = Slow()
    bell = quick(lambda user_id: one)
    bell.listen("anna", "a", ["5"]).close()
    await until(lambda: one.ended)
    assert bell.watched == 1
    listening = bell.listen("anna", "a", ["5"])
    gone.set()
    await until(lambda: one.runs == 2)
    one.found.put_nowait({"5"})
    assert await listening.wait(LONG) == {"5"}
    bell.stop()
    await bell.close()
