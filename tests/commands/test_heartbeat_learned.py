"""Waits that something cuts off, over real connections: the device is told what the way holds, and is served either
way. The clock is set forward; everything else is as it is.

[MS-ASCMD] Status (Ping) R4246-R4249, R5690, R5691; Status (Sync) R4460, R5781, R4461; Limit R3226.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from mail_kit import Mailroom
from sync_kit import SOON, Box, box, collection, request, waiting
from wire import Got, basic, e

from eas.engine.model import Device, FolderType
from eas.protocol import http, wbxml
from eas.protocol.wbxml import Element
from eas.push.clock import SystemClock


class Shifted:
    """How far the clock has been set forward."""

    seconds = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Shifted:
    shifted = Shifted()
    began = SystemClock().monotonic()
    monkeypatch.setattr(SystemClock, "monotonic", lambda self: began + shifted.seconds)
    monkeypatch.setattr(SystemClock, "now", lambda self: datetime.now(UTC) + timedelta(seconds=shifted.seconds))
    return shifted


class Line:
    """One device over TCP."""

    def __init__(self, url: str, agent: str = "wire/1") -> None:
        self.url, self.agent = url, agent
        self.client = httpx.AsyncClient(base_url=url, timeout=120)

    async def post(self, command: str, body: Element | None = None, version: str = "14.1") -> Got:
        response = await self.client.post(
            f"{http.PATH}?Cmd={command}&User=anna&DeviceId=WIRE1&DeviceType=TestPhone",
            headers={
                "Authorization": basic("anna", "anna-secret"), "MS-ASProtocolVersion": version,
                "Content-Type": http.WBXML if body else "", "User-Agent": self.agent,
            },
            content=wbxml.encode(body) if body else b"",
        )
        return Got(http=response.status_code, headers=response.headers, body=response.content)


@pytest.fixture
async def line(world: Any) -> AsyncIterator[Line]:
    server = uvicorn.Server(uvicorn.Config(world.app.asgi, port=0, lifespan="off", log_config=None, ws="none"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    line = Line(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
    yield line
    await line.client.aclose()
    server.should_exit = True
    await running


@pytest.fixture
async def inbox(wire: Any, room: Mailroom) -> Box:
    return await (await box(wire(), room, FolderType.INBOX)).begin()


def ping(id: str, heartbeat: int) -> Element:
    folder = e("Folder", e("Id", id), e("Class", "Email"))
    return e("Ping:Ping", e("HeartbeatInterval", str(heartbeat)), e("Folders", folder))


def hanging(inbox: Box, *wait: Element) -> Element:
    return request(collection(inbox.id, inbox.key), more=wait)


async def cut(room: Mailroom, line: Line, clock: Shifted, command: str, body: Element | None, age: float) -> None:
    """The device asks, and after `age` seconds the connection is closed under it."""
    asked = asyncio.create_task(line.post(command, body))
    await waiting(room)
    clock.seconds += age
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    async with asyncio.timeout(SOON):
        while room.world.app.bell.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def known(room: Mailroom) -> Device:
    app = room.world.app
    (device,) = await app.store.devices((await app.embedded.admin.user("anna")).id)
    return device


async def soon(line: Line, command: str, body: Element | None = None) -> Got:
    async with asyncio.timeout(SOON):
        return await line.post(command, body)


async def learned(room: Mailroom, line: Line, clock: Shifted, command: str, body: Element, age: float = 300) -> None:
    for _ in range(3):
        await cut(room, line, clock, command, body, age)
    async with asyncio.timeout(SOON):
        while (await known(room)).wait_bound is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_ping_that_is_cut_is_told_a_shorter_heartbeat(
    inbox: Box, room: Mailroom, line: Line, clock: Shifted
) -> None:
    asked = ping(inbox.id, 1800)
    await learned(room, line, clock, "Ping", asked)
    got = await soon(line, "Ping", asked)
    assert (got.status, got.text("HeartbeatInterval")) == ("5", "270")
    got = await soon(line, "Ping")  # empty: the heartbeat that was remembered
    assert (got.status, got.text("HeartbeatInterval")) == ("5", "270")
    # It has ignored that twice: from now on it is served, and answered early.
    asking = asyncio.create_task(line.post("Ping", asked))
    await waiting(room)
    clock.seconds += 271
    ring(room, inbox)  # makes the server look at its clock
    async with asyncio.timeout(SOON):
        assert (await asking).status == "1"


async def test_a_ping_that_obeys_waits(inbox: Box, room: Mailroom, line: Line, clock: Shifted) -> None:
    await learned(room, line, clock, "Ping", ping(inbox.id, 1800))
    asked = asyncio.create_task(line.post("Ping", ping(inbox.id, 270)))
    await waiting(room)
    assert (await known(room)).ping_heartbeat == 270
    await room.deliver("anna", b"Subject: x\r\n\r\nx\r\n")
    async with asyncio.timeout(SOON):
        assert (await asked).status == "2"


@pytest.mark.parametrize(("wait", "limit"), [("Wait", "4"), ("HeartbeatInterval", "270")])
async def test_a_hanging_sync_is_told_in_its_own_unit(
    inbox: Box, room: Mailroom, line: Line, clock: Shifted, wait: str, limit: str
) -> None:
    asked = hanging(inbox, e(wait, "30" if wait == "Wait" else "1800"))
    await learned(room, line, clock, "Sync", asked)
    got = await soon(line, "Sync", asked)
    assert (got.status, got.text("Limit"), got.find("Collections")) == ("14", limit, None)
    got = await soon(line, "Sync")  # the empty one repeats what was asked
    assert (got.status, got.text("Limit")) == ("14", limit)
    asking = asyncio.create_task(line.post("Sync", asked))
    await waiting(room)
    clock.seconds += 271
    ring(room, inbox)
    async with asyncio.timeout(SOON):
        assert (await asking).body == b""


async def test_beyond_the_bounds_of_the_site_the_bound_is_told_at_once(
    inbox: Box, room: Mailroom, line: Line, clock: Shifted
) -> None:
    await learned(room, line, clock, "Ping", ping(inbox.id, 1800))
    got = await soon(line, "Ping", ping(inbox.id, 3541))
    assert (got.status, got.text("HeartbeatInterval")) == ("5", "270")
    got = await soon(line, "Sync", hanging(inbox, e("Wait", "60")))
    assert (got.status, got.text("Limit")) == ("14", "4")


async def test_after_a_day_a_longer_one_is_tried_again(
    inbox: Box, room: Mailroom, line: Line, clock: Shifted
) -> None:
    await learned(room, line, clock, "Ping", ping(inbox.id, 1800))
    clock.seconds += 86_400
    asked = asyncio.create_task(line.post("Ping", ping(inbox.id, 1800)))
    await waiting(room)
    clock.seconds += 1000
    await room.deliver("anna", b"Subject: x\r\n\r\nx\r\n")
    async with asyncio.timeout(SOON):
        assert (await asked).status == "2"
    assert (await known(room)).wait_bound is None


async def test_a_wait_that_a_newer_one_ends_shortens_nothing(
    inbox: Box, room: Mailroom, line: Line, clock: Shifted
) -> None:
    asked = ping(inbox.id, 1800)
    older = asyncio.create_task(line.post("Ping", asked))
    await waiting(room)
    for _ in range(4):
        clock.seconds += 300
        newer = asyncio.create_task(line.post("Ping", asked))
        async with asyncio.timeout(SOON):
            assert (await older).status == "1"
        older = newer
    older.cancel()
    await asyncio.gather(older, return_exceptions=True)
    assert (await known(room)).wait_bound is None


async def test_a_phone_that_is_opened_now_and_then_keeps_its_long_waits(
    inbox: Box, room: Mailroom, line: Line, clock: Shifted
) -> None:
    before = (await known(room)).row
    for age in (300, 90, 1200, 640, 75, 300):
        await cut(room, line, clock, "Ping", ping(inbox.id, 1800), age)
    device = await known(room)
    assert device.wait_bound is None
    assert device.row == before + 1, "written once, for the folders and the heartbeat"


async def test_samsung_is_told_nothing(inbox: Box, room: Mailroom, line: Line, clock: Shifted) -> None:
    line.agent = "SAMSUNG-SM-G991B/101.140"
    await learned(room, line, clock, "Ping", ping(inbox.id, 1800))
    asking = asyncio.create_task(line.post("Ping", ping(inbox.id, 1800)))
    await waiting(room)
    clock.seconds += 271
    ring(room, inbox)
    async with asyncio.timeout(SOON):
        assert (await asking).status == "1"


def ring(room: Mailroom, inbox: Box) -> None:
    room.world.app.bell.ring(room.world.ids["anna"], [inbox.id])
