"""Waiting devices are woken once, for what they wait for; nothing is lost, nothing is left behind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eas.push.bell import LocalBell, LocalListening

LONG = 60.0


async def _begin(listening: LocalListening, seconds: float = LONG) -> asyncio.Task[frozenset[str]]:
    task = asyncio.create_task(listening.wait(seconds))
    await asyncio.sleep(0)
    return task


async def test_a_ring_wakes_who_waits_for_that_collection() -> None:
    bell = LocalBell()
    one = await _begin(bell.listen("ann", "phone", ("0", "5", "6")))
    other = await _begin(bell.listen("ann", "tablet", ("7",)))
    stranger = await _begin(bell.listen("bob", "phone", ("5",)))
    bell.ring("ann", ["5", "9"])
    assert await one == {"5"}
    await asyncio.sleep(0)
    assert not other.done()
    assert not stranger.done()
    bell.stop()
    await asyncio.gather(other, stranger)


async def test_the_device_that_changed_something_is_rung_too() -> None:
    """docs/design.md section 4: `by_device` is a hint, never a reason not to probe."""
    bell = LocalBell()
    waiting = await _begin(bell.listen("ann", "phone", ("5",)))
    bell.ring("ann", ["5"], by_device="phone")
    assert await waiting == {"5"}


async def test_rings_before_the_waiter_runs_are_one() -> None:
    bell = LocalBell()
    listening = bell.listen("ann", "phone", ("5", "6", "7"))
    waiting = await _begin(listening)
    for id in ("5", "6", "5"):
        bell.ring("ann", [id])
    assert await waiting == {"5", "6"}
    assert await listening.wait(0.0) == frozenset()


async def test_a_ring_between_two_waits_is_not_lost() -> None:
    bell = LocalBell()
    listening = bell.listen("ann", "phone", ("5", "6"))
    bell.ring("ann", ["5"])
    bell.ring("ann", ["6"])
    assert await listening.wait(LONG) == {"5", "6"}
    assert await listening.wait(0.0) == frozenset()


async def test_a_ring_that_came_with_the_cancellation_is_not_lost() -> None:
    bell = LocalBell()
    listening = bell.listen("ann", "phone", ("5",))
    waiting = await _begin(listening)
    bell.ring("ann", ["5"])
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await listening.wait(LONG) == {"5"}


async def test_the_time_runs_out() -> None:
    bell = LocalBell()
    listening = bell.listen("ann", "phone", ("5",))
    assert await listening.wait(0.01) == frozenset()
    assert not listening.ended
    bell.ring("ann", ["5"])
    assert await listening.wait(LONG) == {"5"}


async def test_a_newer_wait_of_the_device_ends_the_older_one() -> None:
    bell = LocalBell()
    old = bell.listen("ann", "phone", ("5",))
    waiting = await _begin(old)
    new = bell.listen("ann", "phone", ("5",))
    assert await waiting == frozenset()
    assert old.ended
    assert not new.ended
    assert bell.waiting == 1
    old.close()
    bell.ring("ann", ["5"])
    assert await new.wait(LONG) == {"5"}


async def test_what_an_ended_wait_was_rung_for_is_not_its_answer_any_more() -> None:
    bell = LocalBell()
    old = bell.listen("ann", "phone", ("5",))
    bell.ring("ann", ["5"])
    bell.end("ann", "phone")
    assert await old.wait(LONG) == frozenset()
    assert old.ended


async def test_end_reaches_one_device_of_one_user() -> None:
    bell = LocalBell()
    listenings = [bell.listen(user, device, ("5",)) for user in ("ann", "bob") for device in ("a", "b", "c")]
    bell.end("ann", "b")
    bell.end("ann", "nothing")
    bell.end("eve", "b")
    assert [listening.ended for listening in listenings] == [False, True, False, False, False, False]


async def test_stopping_ends_all_waits_and_those_to_come() -> None:
    bell = LocalBell()
    waits = [await _begin(bell.listen(f"u{n % 3}", str(n), ("5",))) for n in range(9)]
    bell.stop()
    assert await asyncio.gather(*waits) == [frozenset()] * 9
    late = bell.listen("ann", "phone", ("5",))
    assert late.ended
    assert await late.wait(LONG) == frozenset()
    late.close()
    assert bell.waiting == 0


async def test_a_closed_wait_hears_nothing() -> None:
    bell = LocalBell()
    listening = bell.listen("ann", "phone", ("5",))
    listening.close()
    listening.close()
    bell.ring("ann", ["5"])
    assert await listening.wait(LONG) == frozenset()
    assert not listening.ended
    assert bell.waiting == 0


async def test_thousands_of_waits_leave_nothing_behind() -> None:
    """Waits end in every way there is; each gets exactly what was rung for it."""
    bell = LocalBell()
    chance = random.Random(7)
    expected: dict[int, frozenset[str]] = {}

    async def phone(number: int) -> None:
        listening = bell.listen(f"u{number // 3}", f"d{number % 3}", ("0", str(number % 5)))
        try:
            found = await listening.wait(0.05 if number % 4 == 3 else LONG)
            expected[number] = found
        finally:
            listening.close()

    tasks = [asyncio.create_task(phone(number)) for number in range(3000)]
    await asyncio.sleep(0)
    assert bell.waiting == 3000
    rung = {user for user in range(1000) if user % 2 == 0}
    for user in chance.sample(sorted(rung), len(rung)):
        bell.ring(f"u{user}", ["0"])
    cancelled = {n for n in range(3000) if n // 3 not in rung and n % 4 != 3 and chance.random() < 0.5}
    for number in cancelled:
        tasks[number].cancel()
    await asyncio.sleep(0.1)
    bell.stop()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert expected == {n: frozenset({"0"} if n // 3 in rung else ()) for n in range(3000) if n not in cancelled}
    assert bell.waiting == 0
    assert bell._first == {}


class Waits(RuleBasedStateMachine):
    """The chain of waits against a plain dictionary: (user, device) -> (collections, what was rung)."""

    names = st.sampled_from(("a", "b", "c"))
    ids = st.frozensets(st.sampled_from(("0", "1", "2")), max_size=3)

    def __init__(self) -> None:
        super().__init__()
        self.bell = LocalBell()
        self.model: dict[tuple[str, str], tuple[frozenset[str], frozenset[str]]] = {}
        self.listenings: dict[tuple[str, str], LocalListening] = {}

    @rule(user=names, device=names, ids=ids)
    def listen(self, user: str, device: str, ids: frozenset[str]) -> None:
        old = self.listenings.get((user, device))
        self.listenings[user, device] = self.bell.listen(user, device, sorted(ids))
        self.model[user, device] = (ids, frozenset())
        assert old is None or old.ended

    @rule(user=names, ids=ids)
    def ring(self, user: str, ids: frozenset[str]) -> None:
        self.bell.ring(user, ids)
        for (owner, device), (wanted, rung) in list(self.model.items()):
            if owner == user:
                self.model[owner, device] = (wanted, rung | (ids & wanted))

    @rule(user=names, device=names, politely=st.booleans())
    def leave(self, user: str, device: str, politely: bool) -> None:
        listening = self.listenings.pop((user, device), None)
        self.model.pop((user, device), None)
        if listening is not None and politely:
            listening.close()
        else:
            self.bell.end(user, device)
            assert listening is None or listening.ended

    @rule()
    def everyone_looks(self) -> None:
        for key, (wanted, rung) in list(self.model.items()):
            assert _now(self.listenings[key]) == rung
            self.model[key] = (wanted, frozenset())

    @invariant()
    def as_many_wait_as_should(self) -> None:
        assert self.bell.waiting == len(self.model)
        assert set(self.bell._first) == {user for user, _ in self.model}
        assert not _ended(self.listenings.values())


def _ended(listenings: Iterable[LocalListening]) -> list[LocalListening]:
    return [listening for listening in listenings if listening.ended]


def _now(listening: LocalListening) -> frozenset[str]:
    """What a wait without patience gives; it does not touch the event loop."""
    try:
        listening.wait(0.0).send(None)
    except StopIteration as stop:
        found: frozenset[str] = stop.value
        return found
    raise AssertionError("it waited")


TestWaits = Waits.TestCase
TestWaits.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
