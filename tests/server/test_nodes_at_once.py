"""Two servers over one PostgreSQL and one Redis: a phone that waits at one hears of what happens at the other."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from groupware.postgresql import Postgresql
from groupware.redis import RedisServer
from held import PATIENCE, TOLD, until_held
from serving import EAS, Server, _environment

from eas.app import build
from eas.client import mail
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.phone import Phone
from eas.config import load

pytestmark = [pytest.mark.server, pytest.mark.long]

DOMAIN = "example.com"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """One that these tests may kill."""
    server = RedisServer()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def site(
    postgresql: Postgresql, redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Server]]:
    folder = tmp_path_factory.mktemp("site")
    settings = {
        "EAS_DOMAIN": DOMAIN, "EAS_DATABASE": postgresql.new_database(name="two_nodes"), "EAS_REDIS__URL": redis.url,
        "EAS_LIMITS__HEARTBEAT_MIN_SECONDS": "1", **TOLD,
    }

    async def people() -> None:
        given = {"data": folder / "none", "domain": DOMAIN, "database": settings["EAS_DATABASE"]}
        async with build(load(overrides=given, environment={}), lambda user, collections: None) as app:
            for login in ("anna", "ben"):
                await app.embedded.admin.add_user(f"{login}@{DOMAIN}", f"{login}-secret", name=login.title())

    asyncio.run(people())
    servers = [Server(data=folder / name, settings=settings) for name in ("a", "b")]
    try:
        yield [server.start() for server in servers]
    finally:
        for server in servers:
            server.stop()


@asynccontextmanager
async def phone_at(server: Server, device: str, login: str = "anna", like: Phone | None = None) -> AsyncIterator[Phone]:
    """`like`: the same device, come to another server."""
    credentials = Credentials(user=f"{login}@{DOMAIN}", password=f"{login}-secret")
    async with Connection(server.url, credentials, Identity(device_id=device)) as line:
        if like is not None:
            line.version, line.policy_key = like.version, like.connection.policy_key
            yield Phone(like.state, line)
            return
        phone = Phone(DeviceState(device_id=device), line)
        await phone.set_up()
        await phone.sync(inbox(phone))
        yield phone


def inbox(phone: Phone) -> list[Any]:
    return [folder for folder in phone.folders() if folder.item_class == "Email"][:1]


async def waits(server: Server, phone: Phone) -> asyncio.Task[Any]:
    """At that server, as the only one."""
    task = asyncio.create_task(phone.ping(inbox(phone), 600))
    await until_held(server.url)
    assert not task.done()
    return task


async def send(phone: Phone, to: str, subject: str) -> None:
    await mail.send(phone, f"From: ben@{DOMAIN}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nWords\r\n".encode())


async def answered(waiting: asyncio.Task[Any]) -> int:
    """Status 1: the time is up, or another wait took over; 2: there is news. Long before the time is up."""
    return int((await asyncio.wait_for(waiting, PATIENCE)).status)


async def news(phone: Phone) -> int:
    """How many messages there are that the phone has not had."""
    folder = inbox(phone)[0]
    return len((await phone.sync([folder])).of(folder.id).added)


async def test_mail_that_comes_in_at_one_node_wakes_a_phone_at_the_other(site: list[Server]) -> None:
    a, b = site
    async with phone_at(a, "HEARS") as anna, phone_at(b, "SENDS", "ben") as ben:
        waiting = await waits(a, anna)
        await send(ben, f"anna@{DOMAIN}", "One")
        assert await answered(waiting) == 2
        assert await news(anna) == 1


async def test_a_newer_wait_at_another_node_ends_the_older_one(site: list[Server]) -> None:
    """So does a Sync there; other commands do not."""
    a, b = site
    async with phone_at(a, "MOVES") as here, phone_at(b, "MOVES", like=here) as there:
        older = await waits(a, here)
        await there.estimate(inbox(there)[0])
        await asyncio.sleep(0.3)
        assert not older.done()
        newer = await waits(b, there)
        assert await answered(older) == 1
        await here.sync(inbox(here))
        assert await answered(newer) == 1


async def test_what_the_command_line_changes_rings_everywhere(site: list[Server], tmp_path: Path) -> None:
    """On the machine of one server by its socket, elsewhere over Redis."""
    a, b = site
    message = tmp_path / "message.eml"
    for data, listens in ((a.data, b), (tmp_path / "elsewhere", a)):
        async with phone_at(listens, f"TOLD{data.name}") as anna:
            waiting = await waits(listens, anna)
            message.write_bytes(f"From: eve@elsewhere.example\r\nSubject: {data.name}\r\n\r\nWords\r\n".encode())
            command = [EAS, "deliver", f"anna@{DOMAIN}", str(message), "--data", str(data)]
            done = await asyncio.to_thread(
                subprocess.run, command, env=_environment(a.settings), capture_output=True, text=True
            )
            assert (done.returncode, done.stderr) == (0, "")
            assert await answered(waiting) == 2


async def test_redis_is_killed_and_nothing_is_missed(site: list[Server], redis: RedisServer) -> None:
    """Waits go on; what happens meanwhile at another node is told when Redis is back."""
    a, b = site
    async with phone_at(a, "KEEPS") as anna, phone_at(b, "WRITES", "ben") as ben:
        waiting = await waits(a, anna)
        redis.kill()
        await send(ben, f"anna@{DOMAIN}", "Meanwhile")
        await asyncio.sleep(0.5)
        assert not waiting.done()
        redis.start()
        assert await answered(waiting) == 2
        assert await news(anna) == 1
        again = await waits(a, anna)
        await send(ben, f"anna@{DOMAIN}", "Afterwards")
        assert await answered(again) == 2


async def test_a_node_is_killed_and_the_other_serves_its_phones(site: list[Server]) -> None:
    a, b = site
    async with phone_at(b, "STAYS") as anna, phone_at(a, "SENDER", "ben") as ben:
        waiting = await waits(b, anna)
        b.kill()
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever a broken connection is to the client
            await waiting
        await send(ben, f"anna@{DOMAIN}", "While it is away")
        async with phone_at(a, "STAYS", like=anna) as again:
            ringing = asyncio.create_task(again.ping(inbox(again), 600))
            assert await answered(ringing) == 2
            assert await news(again) == 1
