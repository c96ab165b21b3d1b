"""`eas health`, `eas top` and what mends devices, beside a running server that phones use."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Server
from typer.testing import CliRunner, Result

from eas.cli import app as commands
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.errors import Unauthorised
from eas.client.phone import Phone
from eas.commands import ping

pytestmark = [pytest.mark.server, pytest.mark.long]

#: Seconds within which something is seen, on a machine that does other things as well.
PATIENCE = 60.0


class Eas:
    def __init__(self, data: Path) -> None:
        self.data = data

    def __call__(self, *words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(commands, [*words, "--data", str(self.data)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == code, result.output
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code).stdout)


@pytest.fixture
def eas(tmp_path: Path) -> Eas:
    made = Eas(tmp_path / "data")
    made("user", "add", "anna@example.com", "--password", "secret")
    made("user", "add", "ben@example.com", "--password", "secret")
    return made


@pytest.fixture
def server(eas: Eas) -> Iterator[Server]:
    with Server(data=eas.data) as running:
        yield running


def with_phone(
    server: Server, work: Callable[[Phone], Awaitable[Any]], device: str = "PHONE1", password: str = "secret"
) -> Any:
    """A phone of anna's that is set up and has fetched everything, and what it does then."""

    async def run() -> Any:
        line = Connection(
            server.url, Credentials(user="anna@example.com", password="secret"), Identity(device_id=device)
        )
        async with line:
            phone = Phone(DeviceState.new(device), line)
            await phone.set_up()
            await phone.sync()
            line.credentials = Credentials(user="anna@example.com", password=password)
            return await work(phone)

    return asyncio.run(run())


def until(look: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def test_a_server_that_is_well_and_one_that_is_not_there(eas: Eas) -> None:
    gone = eas("health", code=2).stdout
    assert gone.startswith("EAS CRITICAL: 1 no-server | devices=0 ")
    eas("health", "--ignore", "no-server")
    assert "no condition nonsense" in eas("health", "--ignore", "nonsense", code=3).output
    with Server(data=eas.data) as running:
        assert eas("health").stdout.startswith("EAS OK: 0 devices, nothing amiss | devices=0 'no-sync-for-long'=0")
        with_phone(running, _nothing)
        assert eas.json("health")["devices"] == 1


async def _nothing(phone: Phone) -> None:
    return None


def test_a_wait_is_seen_and_a_resync_ends_it(eas: Eas, server: Server) -> None:
    inbox = []

    async def work(phone: Phone) -> None:
        inbox.extend(folder.id for folder in phone.folders() if folder.name == "Inbox")
        waiting = asyncio.create_task(phone.ping(heartbeat=900))
        found = await asyncio.to_thread(until, lambda: [one for one in eas.json("top")["present"] if one["waits"]])
        assert [one["device"] for one in found] == ["PHONE1"]
        assert "PHONE1" in (await asyncio.to_thread(eas, "top", "--once")).stdout
        told = await asyncio.to_thread(eas.json, "device", "resync", "anna@example.com", "PHONE1", inbox[0])
        assert told["folders"] == inbox
        answer = await asyncio.wait_for(waiting, PATIENCE)
        assert answer.status is ping.Status.CHANGES
        assert answer.folders == (inbox[0],)
        await phone.sync()

    with_phone(server, work)
    newest = eas.json("device", "events", "anna@example.com", "PHONE1", "-n", "3")
    assert len(newest) == 3
    said = [event for event in eas.json("device", "events", "anna@example.com", "PHONE1") if event["how"] == "news"]
    assert [event["command"] for event in said] == ["Ping"]
    shown = eas("device", "report", "anna@example.com", "PHONE1").stdout
    assert "Inbox" in shown
    assert "hardly costs any battery" in shown
    assert "1 folder" in eas("device", "repair", "anna@example.com", "PHONE1", inbox[0]).stdout
    assert "0 items" in eas("device", "retry", "anna@example.com", "PHONE1").stdout
    assert "does not synchronise" in eas("device", "resync", "anna@example.com", "PHONE1", "777", code=1).output


def test_an_old_password_is_told_with_what_to_do(eas: Eas, server: Server) -> None:
    async def work(phone: Phone) -> None:
        for _ in range(4):
            with pytest.raises(Unauthorised):
                await phone.sync()

    with_phone(server, work, password="old")
    assert until(lambda: "wrong password" in eas("device", "health", "anna@example.com", "PHONE1").stdout.lower())
    assert "enters the present password" in eas("device", "health", "anna@example.com", "PHONE1").stdout
    assert eas.json("device", "list", "--condition", "password-wrong-since")[0]["device"] == "PHONE1"
    assert "password-wrong-since" in eas("device", "show", "anna@example.com", "PHONE1").stdout
    assert "WARNING: 1 password-wrong-since" in eas("health", code=1).stdout


def test_a_way_that_holds_no_wait(eas: Eas, server: Server) -> None:
    """Connections that are closed under the phone's Pings, as by a firewall."""

    async def work(phone: Phone) -> None:
        for _ in range(12):
            waiting = asyncio.create_task(phone.ping(heartbeat=900))
            await asyncio.to_thread(until, lambda: eas_live(eas))
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await asyncio.to_thread(until, lambda: not eas_live(eas))

    with_phone(server, work)
    found = until(lambda: [c["name"] for c in eas.json("device", "health", "anna@example.com", "PHONE1")])
    assert found == ["waits-never-held"]


def eas_live(eas: Eas) -> int:
    """How many wait; asked over the socket itself, which takes no second to start."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(eas.data / "control.sock"))
        line.sendall(b'{"do": "look"}\n')
        with line.makefile("rb") as answers:
            return int(json.loads(answers.readline())["look"]["waiting"])
