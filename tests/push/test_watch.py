"""Watches begin with the first device that waits and end with the last; what they find is rung."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import pytest

from eas.engine.errors import Unavailable
from eas.push import watch as watching
from eas.push.watch import Ring, Watch, WatchedBell


class Watched:
    """Rings what it is told to."""

    def __init__(self) -> None:
        self.runs, self.ended, self.failures = 0, 0, 0
        self.found: asyncio.Queue[Collection[str]] = asyncio.Queue()

    async def run(self, ring: Ring) -> None:
        self.runs += 1
        if self.failures:
            self.failures -= 1
            raise Unavailable("away")
        try:
            while True:
                ring(await self.found.get())
        finally:
            self.ended += 1


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LINGER_SECONDS", 0.05)
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.02)
    monkeypatch.setattr(watching, "RETRY_SECONDS", (0.01, 0.05))


async def until(true: Callable[[], object]) -> None:
    for _ in range(200):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("never came true")


async def test_one_watch_serves_all_devices_of_a_user(quick: None) -> None:
    one = Watched()
    bell = WatchedBell(lambda user_id: one if user_id == "anna" else None)
    first, second = bell.listen("anna", "a", ["5"]), bell.listen("anna", "b", ["5", "6"])
    other = bell.listen("ben", "c", ["5"])
    await until(lambda: one.runs)
    one.found.put_nowait({"5"})
    assert await first.wait(1) == await second.wait(1) == {"5"}
    assert (one.runs, bell.watched) == (1, 1)
    assert await other.wait(0.01) == frozenset()
    bell.stop()
    await bell.close()
    assert (one.ended, bell.watched) == (1, 0)


async def test_a_watch_ends_when_nobody_waits_any_more(quick: None) -> None:
    one = Watched()
    bell = WatchedBell(lambda user_id: one)
    listening = bell.listen("anna", "a", ["5"])
    await until(lambda: one.runs)
    listening.close()
    await until(lambda: not bell.watched)
    assert one.ended == 1
    bell.listen("anna", "a", ["5"])
    await until(lambda: one.runs == 2)
    bell.stop()
    await bell.close()


async def test_a_watch_that_fails_is_tried_again(quick: None) -> None:
    one = Watched()
    one.failures = 3
    bell = WatchedBell(lambda user_id: one)
    listening = bell.listen("anna", "a", ["5"])
    await until(lambda: one.runs == 4)
    one.found.put_nowait({"5"})
    assert await listening.wait(1) == {"5"}
    bell.stop()
    await bell.close()


async def test_after_the_end_nothing_is_watched() -> None:
    one: Watch = Watched()
    bell = WatchedBell(lambda user_id: one)
    bell.stop()
    assert bell.listen("anna", "a", ["5"]).ended
    assert bell.watched == 0
