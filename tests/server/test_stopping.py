"""Coming to an end in steps: not ready, shut, those who wait released over a while, requests under way finished."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from bench.load import BarePhone, e
from held import PATIENCE, TOLD, until, until_held
from serving import Server
from wire import basic

from eas.app import stopping
from eas.protocol import wbxml
from eas.push.bell import LocalBell

pytestmark = pytest.mark.server

INBOX = 2

Make = Callable[..., Server]


@pytest.fixture
def server(office: Any, tmp_path: Path) -> Iterator[Make]:
    shutil.copytree(office[0], tmp_path / "data")
    made: list[Server] = []

    def make(**settings: str) -> Server:
        made.append(Server(data=tmp_path / "data", settings={"EAS_DOMAIN": "example.com", **TOLD, **settings}).start())
        return made[-1]

    yield make
    for one in made:
        one.stop()


def ping(folder: str, seconds: int = 600) -> bytes:
    asked = e("Ping:Folder", e("Ping:Id", folder), e("Ping:Class", "Email"))
    return wbxml.encode(e("Ping:Ping", e("Ping:HeartbeatInterval", str(seconds)), e("Ping:Folders", asked)))


@asynccontextmanager
async def phones(server: Server, count: int) -> AsyncIterator[list[tuple[BarePhone, str]]]:
    """Phones that are set up, with their inboxes."""
    made = []
    for number in range(count):
        phone = BarePhone(port=server.port, user="anna@example.com", password="anna-secret", device=f"PHONE{number}")
        await phone.provision()
        inbox = (await phone.folders())[INBOX]
        await phone.catch_up(inbox, await phone.prime(inbox))
        made.append((phone, inbox))
    try:
        yield made
    finally:
        for phone, _ in made:
            phone.close()


async def waits(server: Server, phone: BarePhone, inbox: str, count: int = 1) -> asyncio.Task[Any]:
    """As the one that makes it so many."""
    task = asyncio.create_task(phone.post("Ping", ping(inbox)))
    await until_held(server.url, count)
    assert not task.done()
    return task


async def unready(server: Server, client: httpx.AsyncClient) -> httpx.Response:
    """Its answer once it has heard that it is to stop."""
    async with asyncio.timeout(PATIENCE):
        while (ready := await client.get(f"{server.url}/health/ready")).status_code == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return ready


def status(answer: Any) -> str:
    return str(wbxml.decode(answer.body).child("Ping:Status").text)


async def ended(server: Server) -> int:
    assert server.process is not None
    return await asyncio.to_thread(server.process.wait, PATIENCE)


def test_a_live_and_ready_server_says_so(server: Make) -> None:
    running = server()
    assert httpx.get(f"{running.url}/health/live", timeout=PATIENCE).text == "ok\n"
    ready = httpx.get(f"{running.url}/health/ready", timeout=PATIENCE)
    assert (ready.status_code, ready.headers["content-type"]) == (200, "application/json")
    assert ready.json()["ready"] is True
    assert ready.json()["stopping"] is False
    assert ready.json()["parts"]["database"] == "ok"
    assert "/health" not in running.said().partition("listening on")[2]


async def test_while_it_drains_all_goes_on_but_no_connection_is_kept(server: Make) -> None:
    """In this order: not ready while old and new requests are answered; nothing accepted; those who wait answered."""
    running = server(EAS_STOP__DRAIN_SECONDS="600")
    async with (
        phones(running, 2) as ((first, inbox), (second, _)), httpx.AsyncClient(timeout=PATIENCE) as client,
    ):
        waiting = await waits(running, first, inbox)
        headers = {"Authorization": basic("anna", "anna-secret")}
        path = f"{running.url}/Microsoft-Server-ActiveSync"
        assert "connection" not in (await client.options(path, headers=headers)).headers
        running.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
        ready = await unready(running, client)
        assert (ready.status_code, ready.json()["stopping"]) == (503, True)
        assert (await client.get(f"{running.url}/health/live")).status_code == 200
        assert (await client.get(f"{running.url}/health")).status_code == 200
        answer = await client.options(path, headers=headers)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        late = await waits(running, second, inbox, 2)
        assert not waiting.done()
        running.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
        for task in (waiting, late):
            assert status(await asyncio.wait_for(task, PATIENCE)) == "1"
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{running.url}/health/live")
    assert await ended(running) == 0


async def test_a_drain_is_over_after_its_time(server: Make) -> None:
    running = server(EAS_STOP__DRAIN_SECONDS="1")
    async with phones(running, 1) as ((phone, inbox),):
        waiting = await waits(running, phone, inbox)
        running.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
        assert status(await asyncio.wait_for(waiting, PATIENCE)) == "1"
        assert await ended(running) == 0


async def test_a_second_signal_hurries_and_still_cuts_nobody_off(server: Make) -> None:
    running = server(EAS_STOP__DRAIN_SECONDS="600")
    async with phones(running, 1) as ((phone, inbox),), httpx.AsyncClient(timeout=PATIENCE) as client:
        waiting = await waits(running, phone, inbox)
        running.process.send_signal(signal.SIGINT)  # type: ignore[union-attr]
        await unready(running, client)
        assert not waiting.done()
        running.process.send_signal(signal.SIGINT)  # type: ignore[union-attr]
        assert status(await asyncio.wait_for(waiting, PATIENCE)) == "1"
        assert await ended(running) == 0


async def test_an_upload_under_way_is_finished(server: Make) -> None:
    """It began before the server was told to stop, and its second half comes after those who waited are gone."""
    running = server()
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    mime = b"From: anna@example.com\r\nTo: ben@example.com\r\nSubject: slow\r\n\r\n" + b"x" * 70_000
    document = wbxml.encode(wbxml.Element("ComposeMail:SendMail", (
        wbxml.Element("ComposeMail:ClientId", "1"), wbxml.Element("ComposeMail:Mime", mime),
    )))
    query = "Cmd=SendMail&User=anna&DeviceId=PHONE9&DeviceType=Phone"
    head = (
        f"POST /Microsoft-Server-ActiveSync?{query} HTTP/1.1\r\nHost: x\r\nMS-ASProtocolVersion: 14.1\r\n"
        f"Authorization: {basic('anna', 'anna-secret')}\r\nContent-Type: application/vnd.ms-sync.wbxml\r\n"
        f"Content-Length: {len(document)}\r\n\r\n"
    )
    writer.write(head.encode() + document[:30_000])
    await until(running.url, "eas_requests_in_flight", 1)
    running.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
    await asyncio.sleep(1)
    writer.write(document[30_000:])
    answer = await asyncio.wait_for(reader.read(), PATIENCE)
    assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
    assert b"connection: close" in answer.lower()
    assert await ended(running) == 0
    writer.close()


async def test_those_who_wait_are_released_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight waits at a rate of four a second; nobody waits any more afterwards."""
    monkeypatch.setattr(stopping, "RELEASED_A_SECOND", 4)
    bell, left, paused = LocalBell(), [], 0

    async def pause(seconds: float) -> None:
        nonlocal paused
        paused += 1
        left.append(bell.waiting)

    for number in range(8):
        bell.listen(f"user{number}", "PHONE", ("1",))
    await stopping.release(bell, 5, pause)
    assert paused == 2 / stopping.STEP_SECONDS
    # Evenly: five steps each.
    assert left == [number for number in reversed(range(8)) for _ in range(5)]
    assert bell.listen("late", "PHONE", ("1",)).ended
    assert bell.waiting == 0
