"""The brake over the whole server: what a device that storms gets, and where the administrator sees it. Its delays are
made short; the counts are what they are."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from typer.testing import CliRunner
from wire import Got, Wire, basic, e, sync

from eas import app as composition
from eas.admin.conduct import storm_in_words, wait_in_words
from eas.cli import app as command_line
from eas.config import load
from eas.engine.heartbeat import COUNTS
from eas.engine.model import Device, FolderType, Storm, WaitBound
from eas.engine.partnership import STORM_NOTED, storm_of, stormed
from eas.protocol import http, wbxml
from eas.server import brake

DOMAIN = "example.com"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
#: Seconds for what comes at once, unless the machine stands still.
PATIENCE = 60.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brake, "FIRST_DELAY", 0.001)
    monkeypatch.setattr(brake, "LONGEST_DELAY", 0.004)


@pytest.fixture
async def app(office: tuple[Path, dict[str, str]], tmp_path: Path) -> AsyncIterator[composition.App]:
    shutil.copytree(office[0], tmp_path / "data")
    settings = {"data": tmp_path / "data", "domain": DOMAIN, "limits.free_repeats": 5}
    async with composition.build(load(overrides=settings, environment={})) as app:
        yield app


async def inbox(app: composition.App, login: str = "anna") -> str:
    mailbox = app.embedded.accounts.open(await app_user(app, login))[0]
    return next(folder.id for folder in await mailbox.folders() if folder.type is FolderType.INBOX)


async def app_user(app: composition.App, login: str) -> Any:
    user = await app.embedded.accounts.verify(login, f"{login}-secret")
    assert user is not None
    return user


async def begun(wire: Wire, folder: str) -> Any:
    """The Sync that brings nothing."""
    first = await wire.post("Sync", sync("0", folder))
    return sync(first.text("Collections", "Collection", "SyncKey"), folder)


async def stormed_until_refused(wire: Wire, body: Any, command: str = "Sync") -> tuple[int, Got]:
    for count in range(brake.TOO_MANY + 20):
        got = await wire.post(command, body)
        if got.http != 200:
            return count, got
    raise AssertionError("it was never told to come back later")


async def test_a_storm_is_told_to_come_back_later(app: composition.App) -> None:
    """[MS-ASHTTP] R287, R9052"""
    wire = Wire(app=app.asgi)
    folder = await inbox(app)
    quiet = await begun(wire, folder)
    count, got = await stormed_until_refused(wire, quiet)
    assert count > brake.TOO_MANY
    assert got.http == 503
    assert got.headers["x-ms-asthrottle"] == "RecentCommands"
    assert 25 <= int(got.headers["retry-after"]) <= 30
    assert (await wire.post("Sync", quiet)).http == 503
    # Whatever else it asks, and other devices of the same user, are answered.
    assert (await wire.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))).http == 200
    other = replace(wire, device="WIRE2")
    assert (await other.post("Sync", await begun(other, folder))).http == 200


async def test_a_refused_request_that_is_repeated_is_a_storm(app: composition.App) -> None:
    _, got = await stormed_until_refused(Wire(app=app.asgi), e("Ping:Ping", e("HeartbeatInterval", "5")), "Ping")
    assert got.http == 503


async def test_the_administrator_sees_it(app: composition.App, tmp_path: Path) -> None:
    wire = Wire(app=app.asgi)
    await stormed_until_refused(wire, await begun(wire, await inbox(app)))
    calm = replace(wire, device="CALM")
    await calm.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
    await app.store.flush()

    def run(*arguments: str) -> str:
        ran = CliRunner().invoke(command_line, ["device", *arguments, "--data", str(tmp_path / "data")])
        assert ran.exit_code == 0, ran.output
        return ran.stdout

    listed = await asyncio.to_thread(run, "list", "--storms")
    assert "WIRE1" in listed
    assert "repeats Sync without effect" in listed
    assert "CALM" not in listed
    assert "CALM" in await asyncio.to_thread(run, "list")
    (data,) = json.loads(await asyncio.to_thread(run, "list", "--storms", "--json"))
    assert data["storm"]["command"] == "Sync"
    assert data["storm"]["count"] >= brake.STORM
    assert data["storm"]["sent_away"] is True
    assert "sent away for a while" in await asyncio.to_thread(run, "show", "anna", "WIRE1")
    assert json.loads(await asyncio.to_thread(run, "show", "anna", "CALM", "--json"))["storm"] is None


async def test_who_goes_while_held_back_leaves_nothing(
    app: composition.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(app=app.asgi)
    quiet = await begun(wire, await inbox(app))
    for _ in range(7):
        await wire.post("Sync", quiet)
    server = uvicorn.Server(uvicorn.Config(app.asgi, port=0, lifespan="off", log_config=None, ws="none"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as client:
        def ask() -> Any:
            return client.post(f"{http.PATH}?{wire.query('Sync')}", content=wbxml.encode(quiet), headers={
                "Authorization": basic("anna", "anna-secret"), "MS-ASProtocolVersion": "14.1",
                "Content-Type": http.WBXML,
            })

        # Held back for a moment, and answered, over the same connection as the next.
        assert (await ask()).status_code == 200
        monkeypatch.setattr(brake, "FIRST_DELAY", 600.0)
        monkeypatch.setattr(brake, "LONGEST_DELAY", 600.0)
        asked = asyncio.create_task(ask())
        async with asyncio.timeout(PATIENCE):
            while not server.server_state.tasks:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            assert not asked.done()
            asked.cancel()
            while server.server_state.tasks:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    server.should_exit = True
    await running


async def test_nothing_is_slowed_down_where_the_admin_wants_it_so(
    office: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    shutil.copytree(office[0], tmp_path / "data")
    settings = {"data": tmp_path / "data", "domain": DOMAIN, "limits.free_repeats": 0}
    async with composition.build(load(overrides=settings, environment={})) as app:
        wire = Wire(app=app.asgi)
        quiet = await begun(wire, await inbox(app))
        assert {(await wire.post("Sync", quiet)).http for _ in range(brake.TOO_MANY + 50)} == {200}


# The note ------------------------------------------------------------------------------------------------------------


def test_a_note_goes_away_after_a_day() -> None:
    device = Device(user_id="u", id="d", type="t")
    noted = stormed(device, "Sync", 40, False, NOW)
    assert storm_of(noted, NOW + STORM_NOTED - timedelta(seconds=1)) == Storm(
        command="Sync", since=NOW, last=NOW, count=40, refused=False
    )
    assert storm_of(noted, NOW + STORM_NOTED) is None
    assert storm_in_words(noted, NOW + STORM_NOTED) == ""


def test_a_storm_that_goes_on_is_one() -> None:
    later, much_later = NOW + timedelta(hours=20), NOW + timedelta(hours=60)
    device = stormed(Device(user_id="u", id="d", type="t"), "Sync", 40, True, NOW)
    device = stormed(device, "Ping", 2, False, later)
    assert device.storm == Storm(command="Ping", since=NOW, last=later, count=42, refused=True)
    device = stormed(device, "Ping", 1, False, much_later)
    assert device.storm == Storm(command="Ping", since=much_later, last=much_later, count=1, refused=False)


def test_what_the_way_holds_is_told_in_words() -> None:
    bound = WaitBound(seconds=270, cut_seconds=300, at=NOW)
    device = Device(user_id="u", id="d", type="t", wait_bound=bound)
    assert wait_in_words(device, NOW) == (
        "at most 4 min 30 s: longer waits were cut off after 5 min, last seen 2026-11-21T00:00+00:00"
    )
    assert wait_in_words(device, NOW + COUNTS) == ""
    assert wait_in_words(replace(device, wait_bound=None), NOW) == ""
