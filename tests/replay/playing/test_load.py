"""Many devices at once with one session: each with its own keys, and an end when the time is up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playing_kit import ANNA, DOMAIN, Gateway, Tape, comparing

from eas.protocol.version import Version
from eas.replay.playing import load as loading
from eas.replay.playing.load import Figures, load
from eas.replay.playing.play import Manner, who_of

#: Seconds for what comes soon, and of a load that is not to end by itself.
PATIENCE, LASTING = 60.0, 600.0


async def broken_off(playing: Awaitable[None], enough: Callable[[], Awaitable[bool]]) -> None:
    """Once it has gone on for long enough."""
    task = asyncio.ensure_future(playing)
    try:
        async with asyncio.timeout(PATIENCE):
            while not await enough():
                assert not task.done()
                await asyncio.sleep(0.05)
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """All devices have started soon, however long the load is to last."""
    monkeypatch.setattr(loading, "STARTED_SECONDS", 0.3)


async def test_devices_play_round_after_round(tmp_path: Path) -> None:
    tape = Tape()
    async with Gateway.opened(tmp_path) as gateway:
        async with gateway.phone(Version.V16_1, tape=tape) as phone:
            await phone.set_up(Version.V16_1)
            await phone.sync()
        who = who_of(tape.exchanges[0], f"{ANNA}@{DOMAIN}")
        figures = Figures()

        async def enough() -> bool:
            devices = {device.id for device in await gateway.parts.store.devices()}
            return figures.rounds > 3 and {"LOAD1", "LOAD2", "LOAD3"} <= devices

        await broken_off(load(
            tape.exchanges,
            lambda number: (gateway.line(), Manner(who=replace(who, device=f"LOAD{number}"))), 3, LASTING, figures,
            comparing,
        ), enough)
    assert figures.ended > figures.began
    assert not figures.errors
    assert not figures.differing
    told = figures.told()
    assert told["commands"]["Sync"]["count"] >= 3  # type: ignore[index]
    assert set(told["commands"]["Sync"]) == {"count", "p50", "p95", "p99", "max"}  # type: ignore[index]


async def test_it_ends_when_the_time_is_up(tmp_path: Path) -> None:
    tape = Tape()
    async with Gateway.opened(tmp_path) as gateway:
        async with gateway.phone(Version.V14_1, tape=tape) as phone:
            await phone.set_up(Version.V14_1)
        began = time.monotonic()
        async with asyncio.timeout(PATIENCE):
            await load(tape.exchanges, lambda number: (gateway.line(), Manner()), 1, 0.5, figures := Figures())
        assert time.monotonic() - began >= 0.5
    assert figures.lasted >= 0.5


async def test_what_goes_wrong_is_counted(tmp_path: Path) -> None:
    tape = Tape()
    async with Gateway.opened(tmp_path) as gateway:
        async with gateway.phone(Version.V14_1, tape=tape) as phone:
            await phone.set_up(Version.V14_1)
        line = gateway.line("nobody")
        figures = Figures()

        async def enough() -> bool:
            return figures.errors["FolderSync: HTTP 401"] >= 1

        await broken_off(load(tape.exchanges, lambda number: (line, Manner()), 1, LASTING, figures), enough)
