"""Several workers on one machine, as an admin runs them: real processes, a real Redis, real signals."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from bench.load import e
from groupware.redis import RedisServer
from held import TOLD
from server.test_stopping import phones, ping, status, waits
from serving import EAS, HOST, Server, free_port

from eas.protocol import wbxml
from eas.server.control import SOCKET, tell

pytestmark = [pytest.mark.server, pytest.mark.long]

PATIENCE = 60.0
HIERARCHY = wbxml.encode(e("FolderHierarchy:FolderSync", e("FolderHierarchy:SyncKey", "0")))

Make = Callable[..., Server]


@pytest.fixture
def workers(office: Any, redis_server: RedisServer, tmp_path: Path) -> Iterator[Make]:
    shutil.copytree(office[0], tmp_path / "data")
    made: list[Server] = []

    def make(*arguments: str, count: int = 2, **settings: str) -> Server:
        server = Server(
            data=tmp_path / "data", arguments=("--workers", str(count), *arguments),
            settings={
                "EAS_DOMAIN": "example.com", "EAS_REDIS__URL": redis_server.url,
                "EAS_REDIS__PREFIX": redis_server.new_prefix(), **TOLD, **settings,
            },
        )
        made.append(server)
        return server.start()

    yield make
    for one in made:
        one.stop()


def children(server: Server) -> set[int]:
    return {int(pid) for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()}


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(done: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def ready(server: Server, count: int = 2) -> None:
    """Until all have said so."""
    until(lambda: "listening on" in server.said(100_000), server.said())
    assert len(children(server)) == count


def test_any_worker_may_die_and_all_doors_stay_open(workers: Make) -> None:
    """HTTP, LMTP and the control socket, whoever is left; none of them is opened by somebody else meanwhile."""
    port = free_port()
    server = workers(EAS_LMTP__LISTEN=f"{HOST}:{port}")
    ready(server)
    well = {"database": "ok", "redis": "ok"}
    until(lambda: httpx.get(f"{server.url}/health/ready", timeout=PATIENCE).json()["parts"] == well, server.said())
    for pid in sorted(children(server)):
        before = children(server)
        os.kill(pid, signal.SIGKILL)
        with smtplib.LMTP(HOST, port) as client:
            client.sendmail("eve@elsewhere.example", ["anna@example.com"], f"Subject: {pid}\r\n\r\nhello\r\n")
        until(lambda: tell(server.data / SOCKET, {"do": "ping"}), "no control socket")
        for _ in range(20):
            # What comes to the socket of the one that is just starting waits there, and is answered.
            assert httpx.get(f"{server.url}/health/ready", timeout=PATIENCE).json()["ready"] is True
        until(lambda: len(children(server)) == 2, "nobody took its place")
        assert len(before & children(server)) == 1
    assert server.said(100_000).count("a worker died") == 2
    done = subprocess.run(
        [EAS, "serve", "--workers", "2", "--data", server.data.with_name("other"), "--listen", f"{HOST}:{server.port}"],
        capture_output=True, timeout=PATIENCE, env={**os.environ, **server.settings, "EAS_LMTP__LISTEN": ""},
        check=False,
    )
    assert (done.returncode, b"Address already in use" in done.stderr) == (1, True)
    process, left = server.process, children(server)
    assert process is not None
    assert tell(server.data / SOCKET, {"do": "stop"})
    assert process.wait(PATIENCE) == 0
    assert not any(map(lives, left))
    assert not (server.data / SOCKET).exists()


def test_workers_end_when_their_supervisor_is_killed(workers: Make) -> None:
    server = workers()
    ready(server)
    left = children(server)
    server.kill()
    until(lambda: not any(map(lives, left)), "workers are left")
    with socket.socket() as another:
        another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        another.bind((HOST, server.port))


class Manager:
    """systemd, as a service hears of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(PATIENCE)

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def next(self) -> str:
        """But what is for the watchdog."""
        while (said := self.socket.recv(1000).decode()) == "WATCHDOG=1":
            pass
        return said

    def next_of_all(self) -> str:
        return self.socket.recv(1000).decode()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with Manager(tmp_path / "notify") as made:
        yield made


async def test_on_sighup_new_workers_with_new_settings_take_over(
    workers: Make, manager: Manager, tmp_path: Path
) -> None:
    """Those who wait are answered as if their time were up; a connection that is open is good for one more request.
    With settings that cannot be used the old ones go on. The service manager is told, by the supervisor alone."""
    file = tmp_path / "eas.toml"
    file.write_text('time_zone = "UTC"\n')
    server = workers("--config", str(file), NOTIFY_SOCKET=str(manager.path), WATCHDOG_USEC="20000000")
    assert manager.next() == "READY=1"
    assert manager.next_of_all() == "WATCHDOG=1"
    before = children(server)
    async with phones(server, 3) as made:
        tasks = [await waits(server, phone, inbox, count) for count, (phone, inbox) in enumerate(made[:2], 1)]
        file.write_text("[limits]\nheartbeat_min_seconds = 700\n")
        os.kill(server.pid, signal.SIGHUP)
        for task in tasks:
            assert status(await asyncio.wait_for(task, PATIENCE)) == "1"
        assert (await asyncio.to_thread(manager.next)).startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert await asyncio.to_thread(manager.next) == "READY=1"
        # Both have retired by now; before that, an answer would not close its connection.
        idle, inbox = made[2]
        assert (await idle.post("FolderSync", HIERARCHY)).status == 200
        await asyncio.to_thread(until, lambda: len(children(server)) == 2, "old workers stay")
        assert not before & children(server)
        # 600 seconds are too few by now.
        late, inbox = made[0]
        late.close()
        assert status(await late.post("Ping", ping(inbox))) == "5"
    before = children(server)
    file.write_text('time_zone = "Atlantis"\n')
    os.kill(server.pid, signal.SIGHUP)
    assert manager.next().startswith("RELOADING=1")
    assert manager.next() == "READY=1"
    assert "the other workers stay as they are" in server.said()
    assert "Atlantis" in server.said()
    assert children(server) == before
    server.terminate()
    assert manager.next() == "STOPPING=1"


def test_workers_that_die_at_once_end_the_server(office: Any, tmp_path: Path, redis_server: RedisServer) -> None:
    """With the code of the one that died; it has said why."""
    shutil.copytree(office[0], tmp_path / "data")
    program = (
        "import sys; from pathlib import Path; from eas.app import supervise; from eas.config import load\n"
        f"settings = load(overrides={{'data': Path({str(tmp_path / 'data')!r}), 'listen': '127.0.0.1:0',"
        f" 'workers': 2, 'redis.url': {redis_server.url!r}}})\n"
        "sys.exit(supervise(settings, command=[sys.executable, '-c', 'raise SystemExit(7)']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 7
    assert b"a worker did not start" in done.stderr


def test_several_workers_want_redis(tmp_path: Path) -> None:
    done = subprocess.run(
        [EAS, "serve", "--workers", "2", "--data", tmp_path], capture_output=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 2
    assert b"redis.url is missing" in done.stderr


@pytest.mark.parametrize("count", [1, 2])
def test_a_socket_of_systemd_is_taken(workers: Make, count: int, office: Any, redis_server: RedisServer) -> None:
    """It stays open while nobody runs, so that a restart refuses no connection."""
    del workers
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        listening.listen()
        url = f"http://{HOST}:{listening.getsockname()[1]}"
        moved = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid());"
        program = f"{moved} os.execv(sys.argv[2], sys.argv[2:])"
        data = office[0].with_name(f"given{count}")
        shutil.copytree(office[0], data)
        process = subprocess.Popen(
            [
                sys.executable, "-c", program, str(listening.fileno()), str(EAS), "serve", "--workers", str(count),
                "--data", str(data),
            ],
            pass_fds=[listening.fileno(), 3], stderr=subprocess.DEVNULL,
            env={**os.environ, "LISTEN_FDS": "1", "EAS_REDIS__URL": redis_server.url},
        )
        try:
            # It waits in the socket's queue until there is somebody.
            assert httpx.get(f"{url}/health/live", timeout=PATIENCE).status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
