"""Leases over Redis: one at a time on all nodes, for as long as that is worth waiting for."""

from __future__ import annotations

import asyncio
import copy
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from groupware.redis import RedisServer
from site_kit import PATIENT, SOON, nodes, until

from eas.app import App, build
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.phone import Phone
from eas.config import load
from eas.engine.ports import Owner
from eas.push.redis import RedisSite

pytestmark = pytest.mark.server


@pytest.fixture
def site(redis_server: RedisServer) -> RedisSite:
    return RedisSite(url=redis_server.url, prefix=redis_server.new_prefix())


async def test_one_at_a_time_for_each_name_on_all_nodes(site: RedisSite, redis_server: RedisServer) -> None:
    inside: set[str] = set()
    worked = 0

    async with nodes(site, 3) as made:
        async def work(number: int) -> None:
            nonlocal worked
            names = {f"anna/phone/{number % 3}", f"anna/phone/{number % 4}", f"ben/phone/{number % 2}"}
            async with made[number % 3].leases.hold(names):
                assert not inside & names
                inside.update(names)
                await asyncio.sleep(0.002)
                inside.difference_update(names)
                worked += 1

        async with asyncio.timeout(SOON):  # a dead end would time out
            await asyncio.gather(*(work(number) for number in range(60)))
        assert worked == 60
        assert sum(node.leases.conflicts for node in made) > 0
        assert all(node.leases.names == frozenset() for node in made)
        await until(lambda: not redis_server.keys(f"{site.prefix}:lease"))


async def test_long_work_keeps_its_lease(site: RedisSite, redis_server: RedisServer) -> None:
    async with nodes(site) as (a, b):
        b.leases.wait_seconds = 0.5

        def lives() -> int:
            """Milliseconds that are left to the only lease."""
            [key] = redis_server.keys(f"{site.prefix}:lease")
            return int(redis_server.run("PTTL", key))

        async with a.leases.hold(["anna/phone/5"]):
            for _ in range(2):
                await until(lambda: lives() < 1000 * a.leases.lease_seconds - 500)
                low = lives()
                await until(lambda low=low: lives() > low)
            async with b.leases.hold(["anna/phone/5"]):
                pass
            assert (b.leases.conflicts, b.leases.given_up) == (1, 1)
        b.leases.wait_seconds = SOON
        async with b.leases.hold(["anna/phone/5"]):
            pass
        assert b.leases.given_up == 1


async def test_who_is_cancelled_lets_go(site: RedisSite, redis_server: RedisServer) -> None:
    async with nodes(site) as (a, b), a.leases.hold(["anna/phone/5"]):
        waiting = asyncio.create_task(_hold(b, ["anna/phone/5", "anna/phone/6"]))
        await until(lambda: b.leases.conflicts)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert b.leases.names == frozenset()
        assert len(redis_server.keys(f"{site.prefix}:lease")) == 1


async def _hold(node: Any, names: list[str]) -> None:
    async with node.leases.hold(names):
        raise AssertionError("never reached")


# -- who sleeps for longer than its lease


@pytest.fixture
async def apps(office: Any, tmp_path: Path, redis_server: RedisServer) -> AsyncIterator[list[App]]:
    """Two gateways on one database."""
    shutil.copytree(office[0], tmp_path / "data")
    given = {
        "data": tmp_path / "data", "domain": "example.com",
        "redis": {"url": redis_server.url, "prefix": redis_server.new_prefix()},
    }
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(build(load(overrides=given, environment={}))) for _ in range(2)]


def phone_at(app: App, like: Phone | None = None) -> Phone:
    line = Connection(
        "http://mail.example.com", Credentials(user="anna@example.com", password="anna-secret"),
        Identity(device_id="PHONE1"), transport=httpx.ASGITransport(app.asgi),
    )
    if like is not None:
        line.version, line.policy_key = like.version, like.connection.policy_key
    return Phone(copy.deepcopy(like.state) if like is not None else DeviceState(device_id="PHONE1"), line)


async def test_a_holder_that_wakes_too_late_writes_over_nobody(
    apps: list[App], office: Any, monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer
) -> None:
    """It had computed an answer, and slept before writing it. Its lease ran out, and another node took the lease and
    answered. The late one is refused by the compare-and-swap, and gives the same answer as the other."""
    a, b = apps
    first = phone_at(a)
    async with first.connection:
        await first.set_up()
        inbox = next(folder for folder in first.folders() if folder.item_class == "Email")
        await first.sync([inbox])
        message = b"From: eve@elsewhere.example\r\nTo: anna@example.com\r\nSubject: Now\r\n\r\nNow.\r\n"
        await a.embedded.office.take("eve@elsewhere.example", ["anna@example.com"], message)

        asleep, awake, written = asyncio.Event(), asyncio.Event(), []
        commit = a.store.commit

        async def late(*given: Any) -> bool:
            asleep.set()
            await awake.wait()
            written.append(await commit(*given))
            return written[-1]

        monkeypatch.setattr(a.store, "commit", late)
        # Who sleeps renews nothing.
        a.sharing.link.beat.clear()
        a.sharing.leases.lease_seconds = b.sharing.leases.wait_seconds = PATIENT
        other = phone_at(b, like=first)
        slept = asyncio.create_task(first.round([inbox]))
        await asyncio.wait_for(asleep.wait(), SOON)
        async with other.connection:
            answered = asyncio.create_task(other.round([inbox]))
            await until(lambda: b.sharing.leases.conflicts)
            # Its time is over.
            for key in redis_server.keys(f"{a.sharing.link.key('lease', '').partition('{')[0]}"):
                redis_server.run("PEXPIRE", key, 1)
            said = (await asyncio.wait_for(answered, SOON)).of(inbox.id)
            owner = Owner(user_id=office[1]["anna"], device_id="PHONE1", collection_id=inbox.id)
            held = await b.store.load(owner)
            awake.set()
            late_said = (await asyncio.wait_for(slept, SOON)).of(inbox.id)
            assert (b.sharing.leases.conflicts, b.sharing.leases.given_up) == (1, 0)
            assert written == [False]
            assert await b.store.load(owner) == held
            assert len(said.added) == 1
            assert late_said.added == said.added
            assert first.state == other.state
