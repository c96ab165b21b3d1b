"""The control socket: what the command line says takes effect at once."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from eas.push.bell import LocalBell
from eas.server.control import MAX_LINE, SOCKET, ControlServer, Rejected, tell


class Place:
    """A control server, and what it was told to do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bell = LocalBell()
        self.stopped = 0
        self.server = ControlServer(path, self.bell, self._stop)

    def _stop(self) -> None:
        self.stopped += 1

    async def tell(self, **said: Any) -> bool:
        return await asyncio.to_thread(tell, self.path, said)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path / SOCKET)
    await place.server.start()
    yield place
    await place.server.close()


async def test_a_ring_wakes_who_waits(place: Place) -> None:
    listening = place.bell.listen("u1", "PHONE", ("5", "7"))
    waiting = asyncio.create_task(listening.wait(60))
    await asyncio.sleep(0)
    assert await place.tell(do="ring", user="u1", collections=["7", "9"])
    assert await waiting == {"7"}


async def test_a_wait_is_ended(place: Place) -> None:
    """A wipe or a block: the device comes again at once and meets the gate."""
    listening = place.bell.listen("u1", "PHONE", ("5",))
    waiting = asyncio.create_task(listening.wait(60))
    await asyncio.sleep(0)
    assert await place.tell(do="end", user="u1", device="PHONE")
    assert await waiting == frozenset()
    assert listening.ended


async def test_the_server_is_told_to_stop(place: Place) -> None:
    assert await place.tell(do="ping")
    assert await place.tell(do="stop")
    assert place.stopped == 1


@pytest.mark.parametrize(
    "said",
    [
        {}, {"do": "dance"}, {"do": ["ring"]}, {"do": "ring"}, {"do": "ring", "user": 7, "collections": []},
        {"do": "ring", "user": "u1", "collections": "5"}, {"do": "ring", "user": "u1", "collections": [5]},
        {"do": "end", "user": "u1"}, {"do": "end", "device": "PHONE"},
    ],
)
async def test_nonsense_is_rejected(place: Place, said: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        await place.tell(**said)
    assert await place.tell(do="ping")


async def test_lines_that_are_no_json(place: Place) -> None:
    reader, writer = await asyncio.open_unix_connection(str(place.path))
    for line in (b"hello\n", b"[]\n", b"\xff\xfe\n", b'{"do": "ping"}\n', b"[" * 5000 + b"\n"):
        writer.write(line)
    answers = [json.loads(await reader.readline())["ok"] for _ in range(5)]
    assert answers == [False, False, False, True, False]
    writer.write(b"x" * (MAX_LINE + 10) + b"\n")
    assert await reader.read() == b""
    writer.close()
    assert await place.tell(do="ping")


async def test_only_the_owner_may_open_it(place: Place) -> None:
    assert stat.S_IMODE(place.path.stat().st_mode) == 0o600


async def test_nobody_there_is_no_error(tmp_path: Path) -> None:
    assert tell(tmp_path / SOCKET, {"do": "ping"}) is False


async def test_a_second_server_does_not_take_the_place_of_the_first(place: Place) -> None:
    with pytest.raises(OSError, match="another server"):
        await ControlServer(place.path, LocalBell(), lambda: None).start()
    assert await place.tell(do="ping")


async def test_a_socket_that_a_dead_process_left_is_replaced(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / SOCKET))
    place = Place(tmp_path / SOCKET)
    await place.server.start()
    assert await place.tell(do="ping")
    await place.server.close()
    assert not place.path.exists()
