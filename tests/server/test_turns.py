"""Only so many requests are worked on at a time: who waits for news takes no turn, nobody is left out, none is lost."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server.test_pacing import begun, inbox
from wire import Wire, e

from eas import app as composition
from eas.config import load
from eas.protocol import wbxml
from eas.server import turns
from eas.server.turns import Turn, Turns

SOON = 20.0
HIERARCHY = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))


async def test_so_many_at_a_time_in_the_order_in_which_they_came() -> None:
    made, inside, order, most = Turns(3), 0, [], 0

    async def work(number: int) -> None:
        nonlocal inside, most
        turn = Turn(made)
        assert await turn.begin()
        inside, most = inside + 1, max(most, inside + 1)
        order.append(number)
        await asyncio.sleep(0)
        inside -= 1
        turn.end()

    await asyncio.gather(*(work(number) for number in range(20)))
    assert (most, order) == (3, list(range(20)))


async def test_who_goes_on_is_before_who_has_just_come() -> None:
    made, order = Turns(1), []
    first, woken, newcomer = Turn(made), Turn(made), Turn(made)
    assert await first.begin()

    async def begin() -> None:
        await newcomer.begin()
        order.append("newcomer")
        newcomer.end()

    async def go_on() -> None:
        await woken.go_on()
        order.append("woken")
        woken.end()

    tasks = [asyncio.create_task(begin())]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(go_on()))
    await asyncio.sleep(0)
    first.end()
    await asyncio.gather(*tasks)
    assert order == ["woken", "newcomer"]


@given(
    most=st.integers(1, 3),
    deeds=st.lists(
        st.tuples(st.sampled_from(["come", "go on", "end", "cancel", "late"]), st.integers(0, 9)), max_size=60
    ),
)
def test_no_turn_is_lost_and_none_is_made(most: int, deeds: list[tuple[str, int]]) -> None:
    """Whoever is cancelled or out of patience, and when; also in the very moment in which the turn came."""

    async def run() -> None:
        made = Turns(most)
        held: list[Turn] = []
        under_way: list[asyncio.Task[Any]] = []

        async def take(turn: Turn, goes_on: bool, patience: float | None) -> None:
            turn._held = await made.take(goes_on=goes_on, patience_seconds=patience)
            if turn._held:
                held.append(turn)

        for what, which in deeds:
            if what in ("come", "go on", "late"):
                patience = 0.0 if what == "late" else None
                under_way.append(asyncio.create_task(take(Turn(made), what == "go on", patience)))
            elif what == "end" and held:
                held.pop(which % len(held)).end()
            elif what == "cancel" and under_way:
                under_way[which % len(under_way)].cancel()
            if which % 2:
                await asyncio.sleep(0)
            assert len(held) <= most
        for _ in range(3):
            await asyncio.sleep(0)
        while held:
            held.pop().end()
            for _ in range(3):
                await asyncio.sleep(0)
        async with asyncio.timeout(SOON):
            await asyncio.gather(*under_way, return_exceptions=True)
        while held:
            held.pop().end()
        # All are free again.
        for _ in range(most):
            assert await made.take(patience_seconds=0.0)
        assert not await made.take(patience_seconds=0.0)

    asyncio.run(run())


@pytest.fixture
async def app(office: tuple[Path, dict[str, str]], tmp_path: Path) -> AsyncIterator[composition.App]:
    """A server that works on one request at a time."""
    shutil.copytree(office[0], tmp_path / "data")
    settings = {
        "data": tmp_path / "data", "domain": "example.com", "limits.requests_at_once": 1,
        "limits.heartbeat_min_seconds": 1,
    }
    async with composition.build(load(overrides=settings, environment={})) as app:
        yield app


def ping(folder: str) -> wbxml.Element:
    asked = e("Ping:Folder", e("Ping:Id", folder), e("Ping:Class", "Email"))
    return e("Ping:Ping", e("Ping:HeartbeatInterval", "60"), e("Ping:Folders", asked))


async def test_phones_that_wait_keep_nobody_from_being_served(app: composition.App) -> None:
    folder = await inbox(app)
    phones = [Wire(app=app.asgi, device=f"WAITS{number}") for number in range(4)]
    for phone in phones:
        await phone.post("FolderSync", HIERARCHY)
        await phone.post("Sync", await begun(phone, folder))
    waits = [asyncio.create_task(phone.post("Ping", ping(folder))) for phone in phones]
    async with asyncio.timeout(SOON):
        while app.bell.waiting < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        others = [Wire(app=app.asgi, device=f"OTHER{number}") for number in range(5)]
        answers = await asyncio.gather(*(other.post("FolderSync", HIERARCHY) for other in others))
        assert {answer.http for answer in answers} == {200}
        message = b"From: eve@elsewhere.example\r\nTo: anna@example.com\r\nSubject: Now\r\n\r\nNow.\r\n"
        await app.embedded.office.take("eve@elsewhere.example", ["anna@example.com"], message)
        for answer in await asyncio.gather(*waits):
            assert answer.status == "2"


async def test_too_many_are_told_to_come_back_at_different_times(
    app: composition.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.0)
    answers = await asyncio.gather(*(
        Wire(app=app.asgi, device=f"CROWD{number}").post("FolderSync", HIERARCHY) for number in range(12)
    ))
    refused = [answer for answer in answers if answer.http == 503]
    assert len(refused) > 6
    assert all(30 <= int(answer.headers["retry-after"]) <= 90 for answer in refused)
    assert len({answer.headers["retry-after"] for answer in refused}) > 1
