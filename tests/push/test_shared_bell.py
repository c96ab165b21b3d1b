"""Processes of a site ring each other over Redis: one server, a master that sentinels know, a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from groupware.redis import RedisCluster, RedisSentinels, RedisServer
from site_kit import SOON, nodes, until

from eas.push.calls import Calls
from eas.push.link import Link
from eas.push.presence import Presence
from eas.push.redis import RedisSite

pytestmark = pytest.mark.server


def at_server(server: RedisServer) -> RedisSite:
    return RedisSite(url=server.url, prefix=server.new_prefix())


def at_sentinels(sentinels: RedisSentinels) -> RedisSite:
    addresses = tuple((host, int(port)) for host, _, port in (one.rpartition(":") for one in sentinels.addresses))
    return RedisSite(
        url=sentinels.url, sentinels=addresses, service=sentinels.service, prefix=sentinels.new_prefix()
    )


def at_cluster(cluster: RedisCluster) -> RedisSite:
    return RedisSite(url=cluster.url, cluster=True, prefix=cluster.new_prefix())


@pytest.fixture(params=["redis_server", "redis_sentinels", "redis_cluster"])
def site(request: pytest.FixtureRequest) -> RedisSite:
    """In all three forms."""
    make: dict[str, Callable[..., RedisSite]] = {
        "redis_server": at_server, "redis_sentinels": at_sentinels, "redis_cluster": at_cluster,
    }
    return make[request.param](request.getfixturevalue(request.param))


@pytest.fixture
def one(redis_server: RedisServer) -> RedisSite:
    return at_server(redis_server)


async def test_a_ring_is_heard_on_every_node_where_a_device_of_the_user_waits(site: RedisSite) -> None:
    async with nodes(site, 3) as (a, b, c):
        here, there = await a.listen("anna", "phone", "5"), await b.listen("anna", "tablet", "5", "6")
        other, stranger = await c.listen("anna", "desk", "7"), await c.listen("ben", "phone", "5")
        a.bell.ring("anna", ["5", "9"])
        assert await here.wait(SOON) == {"5"}
        assert await there.wait(SOON) == {"5"}
        assert b.heard == [("anna", frozenset({"5", "9"}))]
        await until(lambda: c.heard)
        assert await other.wait(0) == await stranger.wait(0) == frozenset()
        # Many users at once, whichever part of a cluster they are in.
        waits = [await c.listen(f"user{number}", "phone", "5") for number in range(30)]
        for number in range(30):
            b.bell.ring(f"user{number}", ["5"])
        assert await asyncio.gather(*(wait.wait(SOON) for wait in waits)) == [frozenset({"5"})] * 30


async def test_a_newer_wait_ends_the_older_one_on_whichever_node(site: RedisSite) -> None:
    async with nodes(site) as (a, b):
        old, other = await a.listen("anna", "phone", "5"), await a.listen("anna", "tablet", "5")
        new = await b.listen("anna", "phone", "5")
        assert await old.wait(SOON) == frozenset()
        assert (old.ended, old.replaced, new.ended, other.ended) == (True, True, False, False)
        newest = await a.listen("anna", "phone", "5")
        assert await new.wait(SOON) == frozenset()
        assert (new.replaced, newest.ended) == (True, False)


async def test_who_only_speaks_is_heard(site: RedisSite) -> None:
    """The command line: no node, and gone in a moment."""
    async with nodes(site, 1) as (a,):
        wait, other = await a.listen("anna", "phone", "5"), await a.listen("ben", "phone", "5")
        link = Link(site)
        try:
            assert await link.find()
            calls = Calls(link, Presence(link, 3540))
            assert await calls.ring({"anna": {"5"}}, {}) == {}
            assert await calls.end([("ben", "phone")]) == set()
        finally:
            await link.lanes.close()
        assert await wait.wait(SOON) == {"5"}
        assert await other.wait(SOON) == frozenset()
        assert other.ended


async def test_what_was_rung_before_the_end_is_said(one: RedisSite) -> None:
    async with nodes(one) as (a, b):
        wait = await b.listen("anna", "phone", "5")
        a.bell.ring("anna", ["5"])
        await asyncio.sleep(0)
        await a.close()
        assert await wait.wait(SOON) == {"5"}
