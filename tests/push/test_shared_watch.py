"""Of a site of several nodes one watches a user; another one goes on when it dies, or when nobody waits there."""

from __future__ import annotations

import asyncio

import pytest
from groupware.redis import RedisServer
from site_kit import SOON, Node, Watched, nodes, until

from eas.push.bell import LocalListening
from eas.push.link import LIFETIME_SECONDS
from eas.push.redis import RedisSite

pytestmark = pytest.mark.server


@pytest.fixture
def site(redis_server: RedisServer) -> RedisSite:
    return RedisSite(url=redis_server.url, prefix=redis_server.new_prefix())


async def test_one_node_watches_for_all_and_rings_everywhere(site: RedisSite) -> None:
    watched = Watched()
    async with nodes(site, 3, watches={"anna": watched}) as (a, b, c):
        waits = [await node.listen("anna", f"phone{number}", "5") for number, node in enumerate((a, b, c))]
        await until(lambda: watched.runs)
        watched.found.put_nowait({"5"})
        assert [await wait.wait(SOON) for wait in waits] == [{"5"}] * 3
        assert (watched.runs, watched.begun) == ([a.name], 1)


async def test_what_waits_elsewhere_is_wanted_too(site: RedisSite) -> None:
    watched = Watched()
    async with nodes(site, watches={"anna": watched}) as (a, b):
        await a.listen("anna", "phone", "5")
        other = await b.listen("anna", "tablet", "6", "7")
        await until(lambda: set(watched.wanted()) == {"0", "5", "6", "7"})
        other.close()
        await until(lambda: set(watched.wanted()) == {"0", "5"})


async def test_a_watch_goes_to_where_somebody_waits(site: RedisSite) -> None:
    watched = Watched()
    async with nodes(site, watches={"anna": watched}) as (a, b):
        first = await a.listen("anna", "phone", "5")
        second = await b.listen("anna", "tablet", "5")
        await until(lambda: watched.runs == [a.name])
        first.close()
        await until(lambda: watched.runs == [b.name])
        watched.found.put_nowait({"5"})
        assert await second.wait(SOON) == {"5"}
        second.close()
        await until(lambda: not watched.runs)


@pytest.mark.long
async def test_a_node_that_dies_is_followed_by_another_one(redis_server: RedisServer, site: RedisSite) -> None:
    """Its watches are taken over, and what stood of it in Redis goes."""
    watched = Watched()
    async with nodes(site, 2, watches={"anna": watched}, lifetime=LIFETIME_SECONDS) as (a, b):
        dead = await Node(site, {"anna": watched}, lifetime=LIFETIME_SECONDS).start()
        await dead.settled()
        await dead.listen("anna", "phone", "5")
        for node in (a, b):
            await until(lambda node=node: dead.name in node.link.live)  # type: ignore[misc]
        wait = await a.listen("anna", "tablet", "5")
        await until(lambda: watched.runs == [dead.name])
        await dead.die()
        b.bell.ring("anna", ["5"])
        await _rung(wait, "5")
        await until(lambda: watched.runs == [a.name])
        watched.found.put_nowait({"5"})
        await _rung(wait, "5")
        key = a.bell._presence.key("anna")
        await until(lambda: sorted(redis_server.run("HKEYS", key)) == ["dtablet", "watch"])
        await until(lambda: dead.name not in str(redis_server.run("HGETALL", key)))


async def _rung(wait: LocalListening, collection: str) -> None:
    """Perhaps after others: a node that this machine has held up for as long as one lives has all look."""
    while collection not in (found := await wait.wait(SOON)):
        assert found, "never rung"


async def test_who_cannot_watch_leaves_it_to_others(site: RedisSite) -> None:
    """A node that does not know the user's credentials."""
    watched = Watched()
    async with nodes(site) as (a, b):
        await a.listen("anna", "phone", "5")
        b.watches["anna"] = watched
        await b.listen("anna", "tablet", "5")
        await until(lambda: watched.runs == [b.name])


async def test_a_node_watches_so_many_and_no_more(site: RedisSite) -> None:
    users = {f"user{number}": Watched() for number in range(3)}
    async with nodes(site, watches=users, most=2) as (a, b):
        waits = [await a.listen(user, "phone", "5") for user in users]
        await until(lambda: a.bell.watched == 2)
        third = users["user2"]
        assert not third.runs
        other = await b.listen("user2", "tablet", "5")
        await until(lambda: third.runs == [b.name])
        other.close()
        waits[0].close()
        await until(lambda: third.runs == [a.name])


async def test_two_who_watch_become_one(site: RedisSite) -> None:
    """As after a node was thought dead and was not."""
    watched = Watched()
    async with nodes(site, watches={"anna": watched}) as (a, b):
        await a.listen("anna", "phone", "5")
        await until(lambda: watched.runs == [a.name])
        wait = b.bell.listen("anna", "tablet", ("0", "5"))
        b.bell._begin("anna")
        await until(lambda: len(watched.runs) == 2)
        await wait.armed()
        await until(lambda: watched.runs == [a.name])


async def test_a_stopped_node_hands_over(site: RedisSite) -> None:
    watched = Watched()
    async with nodes(site, 1, watches={"anna": watched}) as (a,):
        other = await Node(site, {"anna": watched}).start()
        await other.settled()
        await other.listen("anna", "phone", "5")
        await until(lambda: a.link.live >= {other.name})
        await a.listen("anna", "tablet", "5")
        await until(lambda: watched.runs == [other.name])
        await asyncio.sleep(0)
        a.link._sure_at = 0.0
        await other.close()
        await until(lambda: watched.runs == [a.name])
