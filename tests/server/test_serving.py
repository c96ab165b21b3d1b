"""A server process: it starts, tells, and ends without cutting a phone off."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from held import PATIENCE, TOLD, until_held
from wire import basic

from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.phone import Phone
from eas.server.control import SOCKET, tell

pytestmark = pytest.mark.server


class Process:
    """`serve` on a copy of the office, in a process of its own. `url` is where it listens."""

    def __init__(self, data: Path) -> None:
        program = (
            "import sys; from pathlib import Path; from eas.app import serve; from eas.config import load\n"
            "serve(load(overrides={'data': Path(sys.argv[1]), 'domain': 'example.com', 'listen': '127.0.0.1:0'}),"
            " lambda host, port: print(f'http://{host}:{port}', flush=True))"
        )
        self.data = data
        self.log = data.with_name("log")
        with self.log.open("wb") as log:
            environment = {name: value for name, value in os.environ.items() if not name.startswith("EAS_")}
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, str(data)], stdout=subprocess.PIPE, stderr=log, env=environment | TOLD
            )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()
        if not self.url:
            self.end()
            raise AssertionError(self.log.read_text())

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def process(office: Any, tmp_path: Path) -> Iterator[Process]:
    shutil.copytree(office[0], tmp_path / "data")
    process = Process(tmp_path / "data")
    yield process
    process.end()


def line(process: Process, device: str = "PHONE1") -> Connection:
    return Connection(
        process.url, Credentials(user="anna@example.com", password="anna-secret"), Identity(device_id=device)
    )


async def held(process: Process, connection: Connection) -> asyncio.Task[Any]:
    """A phone that waits in a Ping."""
    phone = Phone(DeviceState(device_id="PHONE1"), connection)
    await phone.set_up()
    folders = [folder for folder in phone.folders() if folder.item_class == "Email"][:2]
    await phone.sync(folders)
    waiting = asyncio.create_task(phone.ping(folders, 600))
    await until_held(process.url)
    assert not waiting.done()
    return waiting


@pytest.mark.parametrize("way", ["SIGTERM", "SIGINT", "control socket"])
async def test_a_stopping_server_answers_those_who_wait(process: Process, way: str) -> None:
    """Not HTTP 500, nor a cut connection; and the process ends by itself, with code 0."""
    async with line(process) as connection:
        waiting = await held(process, connection)
        if way == "control socket":
            assert await asyncio.to_thread(tell, process.data / SOCKET, {"do": "stop"})
        else:
            process.process.send_signal(getattr(signal, way))
        answered = await asyncio.wait_for(waiting, PATIENCE)
        assert int(answered.status) == 1
        assert await asyncio.to_thread(process.wait) == 0
    assert "Traceback" not in process.log.read_text()
    assert not (process.data / SOCKET).exists()


async def test_a_ring_over_the_control_socket_wakes_a_phone(process: Process) -> None:
    """The groupware is changed by another process, which then says so."""
    from eas.app import build
    from eas.config import load

    async with line(process) as connection:
        waiting = await held(process, connection)
        message = b"From: eve@elsewhere.example\r\nTo: anna@example.com\r\nSubject: Now\r\n\r\nNow.\r\n"
        async with build(load(overrides={"data": process.data, "domain": "example.com"}, environment={})) as app:
            assert await app.embedded.office.take("eve@elsewhere.example", ["anna@example.com"], message) == [None]
            user = (await app.embedded.admin.user("anna@example.com")).id
            folders = [info.folder.id for info in await app.embedded.admin.folders("anna@example.com")]
        assert not waiting.done()
        told = {"do": "ring", "user": user, "collections": folders}
        assert await asyncio.to_thread(tell, process.data / SOCKET, told)
        answered = await asyncio.wait_for(waiting, PATIENCE)
        assert int(answered.status) == 2


def test_a_second_server_on_the_same_data_does_not_start(process: Process) -> None:
    with pytest.raises(AssertionError, match="another server is running"):
        Process(process.data)
    assert httpx.get(f"{process.url}/health", timeout=PATIENCE).status_code == 200


def test_headers_of_real_answers(process: Process) -> None:
    """What uvicorn adds and leaves out."""
    got = httpx.options(
        f"{process.url}/Microsoft-Server-ActiveSync", headers={"Authorization": basic("anna", "anna-secret")},
        timeout=PATIENCE,
    )
    assert got.status_code == 200
    assert "server" not in got.headers
    assert got.headers["content-length"] == "0"
    assert got.headers["date"]


def test_passwords_are_not_in_the_log(process: Process) -> None:
    for password in ("anna-secret", "wr0ng-secret"):
        headers = {"Authorization": basic("anna", password)}
        httpx.options(f"{process.url}/Microsoft-Server-ActiveSync", headers=headers, timeout=PATIENCE)
    log = process.log.read_text()
    assert "OPTIONS /Microsoft-Server-ActiveSync" in log
    assert "secret" not in log
