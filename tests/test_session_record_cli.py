"""`eas session record` as an admin uses it: a server that runs, and a phone that is recorded in the middle of its use;
with several workers, and with several nodes."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from bench.load import BarePhone
from groupware.nodes import nodes
from groupware.postgresql import Postgresql
from groupware.redis import RedisServer
from serving import EAS, Server

from eas.replay.format.model import Exchange
from eas.replay.format.reading import open_session

pytestmark = pytest.mark.server

PATIENCE = 60.0
ANNA = ("anna@example.com", "anna-secret")
HERS = "Subject: the password of my diary\n\nis none of your business\n"


def eas(*arguments: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(EAS), *arguments], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "COLUMNS": "100", **variables},
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def record(server: Server, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    return eas("session", "record", *arguments, "--data", str(server.data), code=code, **server.settings)


def sync(server: Server, name: str = "one", *more: str, password: str = ANNA[1], code: int = 0) -> str:
    """A phone is taken out of the pocket; its device id."""
    state = server.data.parent / f"{name}.phone"
    eas("phone", server.url, "--user", ANNA[0], "--state", str(state), *(more or ("sync",)), EAS_PASSWORD=password,
        code=code)
    return str(json.loads(state.read_text())["device_id"])


def listed(server: Server, *more: str) -> list[dict[str, Any]]:
    return list(json.loads(record(server, "list", "--json", *more).stdout))


def until(fits: Callable[[], Any], server: Server) -> None:
    end = time.monotonic() + PATIENCE
    while not fits():
        assert time.monotonic() < end, server.said()
        time.sleep(0.1)


def begun(server: Server, number: int, times: int = 1) -> None:
    """All processes have heard of it."""
    until(lambda: server.said(10**7).count(f"recording={number} ") >= times, server)


def over(server: Server, number: int, times: int = 1) -> None:
    """All processes have heard of its end."""
    until(lambda: len(re.findall(rf"recording over\b.* recording={number}\b", server.said(10**7))) >= times, server)


def fetched(server: Server, number: int, name: str = "out.session.gz") -> list[Exchange]:
    file = server.data.parent / name
    record(server, "fetch", str(number), "-o", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    with open_session(file) as session:
        return list(session.exchanges)


@pytest.fixture
def server(office: Any, tmp_path: Path) -> Iterator[Server]:
    shutil.copytree(office[0], tmp_path / "data")
    # Phones here say the same again and again.
    settings = {"EAS_DOMAIN": "example.com", "EAS_LIMITS__FREE_REPEATS": "0"}
    made = Server(data=tmp_path / "data", settings=settings)
    with made:
        yield made


def test_a_phone_is_recorded_in_the_middle_of_its_use(server: Server, tmp_path: Path) -> None:
    device = sync(server)
    said = record(server, "start", "anna", device, "--for", "1h", "--note", "no mail").stdout
    assert f"recording 1: {device} of anna@example.com, until 20" in said
    begun(server, 1)
    letter = tmp_path / "letter.eml"
    letter.write_text(f"From: ben@example.com\nTo: {ANNA[0]}\n{HERS}")
    eas("deliver", "anna", str(letter), "--data", str(server.data))
    sync(server, "another")
    assert device == sync(server, "one", "--base64", "sync")
    sync(server, password="wrong and secret", code=1)
    tries: list[list[Exchange]] = []  # what has just been said is masked before it is written

    def refused() -> bool:
        tries.append(fetched(server, 1))
        return tries[-1][-1:] != [] and tries[-1][-1].answer.status == 401

    until(refused, server)
    running = tries[-1]
    assert {one.answer.status for one in running} == {200, 401}
    said = record(server, "stop", "1").stdout
    assert "get it with: eas session record fetch 1" in said
    over(server, 1)
    sync(server)
    exchanges = fetched(server, 1)
    assert exchanges == running
    plain = record(server, "fetch", "1", "-o", "-").stdout
    assert plain.startswith("eas-session 1\ndevice: ")
    assert "note: ended: stopped\n" in plain
    assert "<email:Subject>" in plain
    for private in ("anna-secret", "wrong and secret", "diary", "none of your business", "YW5uYUBleGFtcGxlLmNvbTp"):
        assert private not in plain
    (row,) = record(server, "list").stdout.splitlines()
    assert row.split("\t")[:5] == ["1", "anna@example.com", device, "ended", f"stopped by {listed(server)[0]['by']}"]
    record(server, "remove", "1")
    assert record(server, "list").stdout == ""
    assert not list((server.data / "recordings").iterdir())
    log = json.loads(eas("audit", "list", "--action", "recording", "--json", "--data", str(server.data)).stdout)
    assert Counter(one["action"] for one in log["entries"]) == {
        "recording.start": 1, "recording.stop": 1, "recording.fetch": len(tries) + 2, "recording.remove": 1
    }


def test_contents_are_recorded_loudly(server: Server, tmp_path: Path) -> None:
    done = record(server, "start", "anna", "--contents", "--for", "30m")
    assert "NOTHING IS MASKED" in done.stderr
    begun(server, 1)
    letter = tmp_path / "letter.eml"
    letter.write_text(f"From: ben@example.com\nTo: {ANNA[0]}\n{HERS}")
    eas("deliver", "anna", str(letter), "--data", str(server.data))
    sync(server)
    until(lambda: listed(server)[0]["exchanges"] > 3, server)
    text = record(server, "fetch", "1", "-o", "-").stdout
    assert "none of your business" in text
    assert "anna-secret" not in text


def test_what_was_recorded_survives_the_server(server: Server) -> None:
    record(server, "start", "anna")
    begun(server, 1)
    sync(server)
    until(lambda: listed(server)[0]["exchanges"] > 5, server)  # told every other second; the file has all
    (file,) = (server.data / "recordings").iterdir()
    server.kill()
    count = gzip.decompress(file.read_bytes()).count(b"\n--> ")
    assert count > 5
    assert len(fetched(server, 1)) == count
    server.start()
    begun(server, 1, 2)
    sync(server)
    server.stop()  # which writes what is under way, and tells how far it came
    (found,) = listed(server)
    assert len(found["parts"]) == 2
    assert len(fetched(server, 1)) > count


@pytest.mark.parametrize(("limit", "why", "most"), [
    (("--for", "20s"), "the time is over", 50_000_000), (("--max-size", "50K"), "the size limit is reached", 50_000),
])
async def test_it_ends_by_itself(server: Server, limit: tuple[str, str], why: str, most: int) -> None:
    ended = asyncio.Event()

    async def goes_on() -> None:
        for number in count():
            await several(server.port, f"phone{number % 5}", 1)
            if ended.is_set():
                return

    # From before it begins, so that something is said within its time on any machine.
    traffic = asyncio.create_task(goes_on())
    await asyncio.to_thread(record, server, "start", "anna", *limit)
    end = time.monotonic() + PATIENCE
    while (await asyncio.to_thread(listed, server))[0]["state"] == "running":
        assert time.monotonic() < end, server.said()
        assert not traffic.done()
    ended.set()
    await traffic
    (found,) = listed(server)
    assert found["why"] == why
    (file,) = (server.data / "recordings").iterdir()
    assert 1000 < file.stat().st_size <= most
    until(lambda: len(fetched(server, 1)) == listed(server)[0]["exchanges"], server)


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (("start", "nobody"), 1, "nobody"),
    (("start", "anna", "--for", "100h"), 1, "up to 72 hours"),
    (("start", "anna", "--for", "soon"), 2, "no time"),
    (("start", "anna", "--max-size", "huge"), 2, "no size"),
    (("fetch", "7"), 1, "no recording 7"),
    (("stop", "7"), 1, "no recording 7"),
    (("remove", "seven"), 2, "integer"),
])
def test_wrong_calls(office: Any, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    shutil.copytree(office[0], tmp_path / "data")
    done = eas("session", "record", *arguments, "--data", str(tmp_path / "data"), code=code)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


async def several(port: int, device: str, times: int) -> int:
    """A device with many connections at once; how many requests it made."""
    for _ in range(times):
        one = BarePhone(port=port, user=ANNA[0], password=ANNA[1], device=device)
        await one.provision()
        await one.folders()
        one.close()
    return 3 * times


@pytest.mark.long
async def test_all_workers_write_and_one_session_comes_of_it(
    office: Any, tmp_path: Path, redis_server: RedisServer
) -> None:
    shutil.copytree(office[0], tmp_path / "data")
    server = Server(data=tmp_path / "data", arguments=("--workers", "2"), settings={
        "EAS_DOMAIN": "example.com", "EAS_REDIS__URL": redis_server.url, "EAS_REDIS__PREFIX": redis_server.new_prefix(),
    })
    with server:
        record(server, "start", "anna", "MANY")
        begun(server, 1, 2)
        count = 0

        def both() -> bool:
            """Have taken a connection; which of them takes one is up to the kernel, and to how busy the machine is."""
            until(lambda: listed(server)[0]["exchanges"] == count, server)
            return len(listed(server)[0]["parts"]) == 2

        while not count or not both():
            assert count < 500
            count += await several(server.port, "MANY", 12)
        exchanges = fetched(server, 1)
        assert len(exchanges) == count
        assert exchanges == sorted(exchanges, key=lambda one: one.time)
        record(server, "stop", "1")
        until(lambda: listed(server)[0]["state"] == "ended", server)
        over(server, 1, 2)
        await several(server.port, "MANY", 2)
        assert len(fetched(server, 1)) == count


@pytest.mark.long
async def test_each_node_has_its_part(tmp_path: Path, postgresql: Postgresql, redis_server: RedisServer) -> None:
    async with nodes(tmp_path, postgresql.new_database(), redis=redis_server) as running:
        person = await running.person("anna")
        first, second = running.servers
        config = ("--config", str(tmp_path / "gateway.toml"))
        record(first, "start", person.login, *config)
        begun(first, 1)
        begun(second, 1)
        phone = running.phone(person.address, person.password)
        await phone.set_up()
        await phone.sync()
        until(lambda: len(listed(first, *config)[0]["parts"]) == 2, first)
        record(second, "stop", "1", *config)
        until(lambda: "stopped" in listed(first, *config)[0]["why"], first)
        for server in running.servers:
            server.stop()
        parts = listed(first, *config)[0]["parts"]
        found = []
        for server in (first, second):
            file = server.data.parent / f"{server.data.name}.session"
            done = record(server, "fetch", "1", "-o", str(file), *config)
            assert "this is not all of it: there are parts on" in done.stderr
            with open_session(file) as session:
                assert "not all of it" in session.meta.all("note")[-1]
                found.append(list(session.exchanges))
        assert sorted(map(len, found)) == sorted(part["exchanges"] for part in parts)
        assert min(map(len, found)) > 0
