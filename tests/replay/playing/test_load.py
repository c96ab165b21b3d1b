"""Many devices at once with one session: each with its own keys, and an end when the time is up."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from playing_kit import ANNA, DOMAIN, Gateway, Tape, comparing

from eas.protocol.version import Version
from eas.replay.playing.load import Figures, load
from eas.replay.playing.play import Manner, who_of


async def test_devices_go_on_until_the_time_is_up(tmp_path: Path) -> None:
    tape = Tape()
    async with Gateway.opened(tmp_path) as gateway:
        async with gateway.phone(Version.V16_1, tape=tape) as phone:
            await phone.set_up(Version.V16_1)
            await phone.sync()
        who = who_of(tape.exchanges[0], f"{ANNA}@{DOMAIN}")
        figures = Figures()
        began = time.monotonic()
        await load(
            tape.exchanges,
            lambda number: (gateway.line(), Manner(who=replace(who, device=f"LOAD{number}"))), 3, 2.0, figures,
                comparing,
        )
        assert 2.0 <= time.monotonic() - began < 10.0
        devices = {device.id for device in await gateway.parts.store.devices()}
    assert {"LOAD1", "LOAD2", "LOAD3"} <= devices
    assert figures.rounds >= 1
    assert not figures.errors
    assert not figures.differing
    told = figures.told()
    assert told["commands"]["Sync"]["count"] >= 3  # type: ignore[index]
    assert set(told["commands"]["Sync"]) == {"count", "p50", "p95", "p99", "max"}  # type: ignore[index]


async def test_what_goes_wrong_is_counted(tmp_path: Path) -> None:
    tape = Tape()
    async with Gateway.opened(tmp_path) as gateway:
        async with gateway.phone(Version.V14_1, tape=tape) as phone:
            await phone.set_up(Version.V14_1)
        line = gateway.line("nobody")
        figures = Figures()
        await load(tape.exchanges, lambda number: (line, Manner()), 1, 0.5, figures)
    assert figures.errors["FolderSync: HTTP 401"] >= 1
