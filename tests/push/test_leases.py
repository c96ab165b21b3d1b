"""Leases: one at a time by name, no dead end, nothing left behind."""

from __future__ import annotations

import asyncio
import random

import pytest

from eas.push.leases import LocalLeases

#: Seconds after which something is taken for a dead end.
LONG = 60.0


async def test_one_at_a_time_for_each_name() -> None:
    leases = LocalLeases()
    inside: dict[str, int] = {}
    chance = random.Random(3)

    async def work(names: list[str]) -> None:
        async with leases.hold(names):
            for name in set(names):
                assert not inside.get(name)
                inside[name] = 1
            await asyncio.sleep(0)
            for name in set(names):
                inside[name] = 0

    letters = "abcdef"
    async with asyncio.timeout(LONG):
        # In any order, and twice the same name: a dead end would time out.
        await asyncio.gather(*[work(chance.choices(letters, k=chance.randint(0, 4))) for _ in range(500)])
    assert leases.names == frozenset()


async def test_other_names_are_not_waited_for() -> None:
    leases = LocalLeases()
    async with leases.hold(["a"]):
        async with asyncio.timeout(LONG), leases.hold(["b"]):
            assert leases.names == {"a", "b"}
        assert leases.names == {"a"}


async def test_who_gives_up_waiting_lets_go_of_what_it_has() -> None:
    leases = LocalLeases()
    async with leases.hold(["b"]):
        waiting = asyncio.create_task(_hold(leases, ["a", "b", "c"]))
        await asyncio.sleep(0)
        assert leases.names == {"a", "b"}
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert leases.names == {"b"}
        async with asyncio.timeout(LONG), leases.hold(["a"]):
            pass
    assert leases.names == frozenset()


async def test_an_error_inside_lets_go() -> None:
    leases = LocalLeases()
    with pytest.raises(ValueError, match="no"):
        async with leases.hold(["a", "b"]):
            raise ValueError("no")
    assert leases.names == frozenset()


async def _hold(leases: LocalLeases, names: list[str]) -> None:
    async with leases.hold(names):
        raise AssertionError("never reached")
