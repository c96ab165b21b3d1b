"""Redis gone, killed and begun anew, slow, flushed, failed over: waits go on, and nothing is missed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from groupware.authority import authority
from groupware.process import HOST, free_ports
from groupware.redis import DOWN_AFTER, RedisCluster, RedisSentinels, RedisServer
from site_kit import SOON, Node, Watched, at_once, nodes, quiet, until

from eas.push import shared
from eas.push.bell import LocalListening
from eas.push.redis import RedisSite

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One that these tests may kill."""
    made = RedisServer()
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def site(server: RedisServer) -> Iterator[RedisSite]:
    assert server.child is not None
    if not server.child.runs:
        server.start()
    yield RedisSite(url=server.url, prefix=server.new_prefix())
    server.resume()


async def test_without_redis_a_node_rings_and_watches_for_itself(server: RedisServer, site: RedisSite) -> None:
    """Waits begin and end as in one process, and are not held up; when Redis comes, all is told to the others."""
    server.kill()
    watched = Watched()
    async with nodes(site, watches={"anna": watched}, away=True) as (a, b):
        here = await at_once(a.listen("anna", "phone", "5"))
        there = await at_once(b.listen("anna", "tablet", "5"))
        await until(lambda: sorted(watched.runs) == sorted([a.name, b.name]))
        a.bell.ring("anna", ["5"])
        assert await here.wait(SOON) == {"5"}
        assert await there.wait(0) == frozenset()
        server.start()
        assert "5" in await there.wait(SOON)
        await until(lambda: len(watched.runs) == 1)
        a.bell.ring("anna", ["0"])
        await until(lambda: b.heard[-1] == ("anna", frozenset({"0"})))


async def test_after_a_restart_all_waits_stand_there_again_and_all_are_rung(
    server: RedisServer, site: RedisSite
) -> None:
    async with nodes(site) as (a, b):
        waits = [await a.listen(f"user{number}", "phone", "5") for number in range(120)]
        await until(lambda: a.link.connected and not a.bell._stale)
        for wait in waits:
            await wait.wait(0)
        server.restart()
        assert await asyncio.gather(*(wait.wait(SOON) for wait in waits)) == [frozenset({"0", "5"})] * 120
        await until(lambda: b.link.connected)
        # The link notices twice: by its beat, and by its subscription.
        await quiet(waits[7])
        b.bell.ring("user7", ["5"])
        assert await waits[7].wait(SOON) == {"5"}
        assert a.bell.waiting == 120


async def test_those_who_look_for_what_they_missed_do_so_in_turns(
    server: RedisServer, site: RedisSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "LOOK_SECONDS", 60.0)
    looking = most = 0

    async def look(listening: LocalListening) -> None:
        nonlocal looking, most
        await listening.wait(SOON)
        looking, most = looking + 1, max(most, looking + 1)
        await asyncio.sleep(0.1)
        looking -= 1
        await listening.wait(SOON)

    async with nodes(site, 1) as (a,):
        await until(lambda: a.link.connected and not a.bell._stale)
        waits = [await a.listen(f"user{number}", "phone", "5") for number in range(3 * shared.SOME)]
        looks = [asyncio.create_task(look(wait)) for wait in waits]
        server.restart()
        await until(lambda: most > 0 and not looking and not any(wait._rung for wait in waits), 2 * SOON)
        assert 1 < most <= shared.SOME
        a.bell.stop()
        await asyncio.gather(*looks)


async def test_rings_reach_who_is_not_written_down_again_yet(server: RedisServer, site: RedisSite) -> None:
    async with nodes(site) as (a, b):
        wait, other = await b.listen("anna", "phone", "5"), await b.listen("ben", "phone", "5")
        while await wait.wait(2.5):
            pass
        await other.wait(0)
        b.link.anew = lambda servers: None
        server.restart()
        await until(lambda: a.link.connected and not a.link.sure)
        a.bell.ring("anna", ["5"])
        assert await wait.wait(SOON) == {"5"}
        assert await other.wait(0) == frozenset()


async def test_what_was_forgotten_is_noticed(server: RedisServer, site: RedisSite) -> None:
    """A flush breaks no connection."""
    async with nodes(site) as (a, b):
        wait = await a.listen("anna", "phone", "5")
        server.flush()
        assert await wait.wait(SOON) == {"0", "5"}
        b.bell.ring("anna", ["5"])
        assert await wait.wait(SOON) == {"5"}


async def test_a_slow_redis_holds_nobody_up(server: RedisServer, site: RedisSite) -> None:
    async with nodes(site) as (a, b):
        other = await b.listen("anna", "tablet", "5")
        server.pause()
        # One waits in vain, and for all.
        async with asyncio.timeout(SOON):
            wait = await a.listen("anna", "phone", "5")
        again = await at_once(a.listen("ben", "phone", "5"))
        a.bell.ring("anna", ["5"])
        assert await wait.wait(SOON) == {"5"}
        await at_once(_hold(a, "anna/phone/5"))
        await until(lambda: not b.link.connected)
        server.resume()
        assert "5" in await other.wait(SOON)
        assert await again.wait(SOON) == {"0", "5"}
        b.bell.ring("ben", ["5"])
        assert await again.wait(SOON) == {"5"}


async def _hold(node: Node, name: str) -> None:
    async with node.leases.hold([name]):
        pass


async def test_rings_of_a_node_that_lost_redis_are_told_later(site: RedisSite) -> None:
    """The others noticed nothing, so that it is up to this one."""
    async with nodes(site) as (a, b):
        wait = await b.listen("anna", "phone", "5")
        await quiet(wait)
        # Its next beat, which finds Redis again, comes when the ring could not be said.
        beats = a.link._tasks[0]
        beats.cancel()
        await asyncio.gather(beats, return_exceptions=True)
        for lane in a.link.lanes.all.values():
            lane.away = True
        a.bell.ring("anna", ["5"])
        await until(lambda: a.bell._kept.rings)
        assert await wait.wait(0) == frozenset()
        await a.link._beat()
        assert await wait.wait(SOON) == {"5"}


@pytest.mark.long
async def test_a_fail_over(redis_sentinels: RedisSentinels) -> None:
    addresses = tuple((host, int(port)) for host, _, port in (one.rpartition(":") for one in redis_sentinels.addresses))
    site = RedisSite(
        url=redis_sentinels.url, sentinels=addresses, service=redis_sentinels.service,
        prefix=redis_sentinels.new_prefix(),
    )
    try:
        async with nodes(site) as (a, b):
            wait = await a.listen("anna", "phone", "5")
            await asyncio.to_thread(redis_sentinels.fail_over)
            assert await wait.wait(SOON) == {"0", "5"}
            await until(lambda: a.link.connected and b.link.connected)
            await quiet(wait)
            b.bell.ring("anna", ["5"])
            assert await wait.wait(SOON) == {"5"}
    finally:
        await asyncio.to_thread(redis_sentinels.heal)


@pytest.mark.long
async def test_one_of_three_nodes_of_a_cluster_is_killed() -> None:
    """Who is on the others notices nothing; who was there is looked at when it is back."""
    cluster = RedisCluster(down_after=DOWN_AFTER)
    try:
        await asyncio.to_thread(cluster.start)
        site = RedisSite(url=cluster.url, cluster=True, prefix="eas")
        async with nodes(site) as (a, b):
            users = [f"user{number}" for number in range(24)]
            channels = {cluster.holder(a.link._channel(node.name)).port for node in (a, b)}
            victim = next(server for server in cluster.servers if server.port not in channels)
            there = {user for user in users if cluster.holder(a.bell._presence.key(user)) is victim}
            assert there
            assert there != set(users)
            waits = {user: await a.listen(user, "phone", "5") for user in users}
            victim.kill()
            for user in users:
                b.bell.ring(user, ["5"])
            for user in set(users) - there:
                assert "5" in await waits[user].wait(SOON)
            await asyncio.to_thread(victim.start)
            await asyncio.to_thread(cluster.settle)
            for user in there:
                assert "5" in await waits[user].wait(SOON)
            await until(lambda: a.link.connected and b.link.connected)
            for user in users:
                await waits[user].wait(0)
                b.bell.ring(user, ["5"])
            for user in users:
                assert "5" in await waits[user].wait(SOON)
    finally:
        await asyncio.to_thread(cluster.stop)


async def test_redis_over_tls_with_a_login() -> None:
    made = authority()
    ports = free_ports("tls")
    server = RedisServer(arguments=(
        "--tls-port", str(ports["tls"]), "--tls-cert-file", str(made.good.certificate), "--tls-key-file",
        str(made.good.key), "--tls-auth-clients", "no", "--user", "gateway", "on", ">hush", "~*", "&*", "+@all",
    ))
    try:
        server.start()
        url = f"rediss://{HOST}:{ports['tls']}/0"
        good = RedisSite(url=url, user="gateway", password="hush", ca_file=made.ca_file)
        async with nodes(good) as (a, b):
            wait = await a.listen("anna", "phone", "5")
            b.bell.ring("anna", ["5"])
            assert await wait.wait(SOON) == {"5"}
    finally:
        server.stop()
