"""What processes of a site know of logins together, over Redis: the rules of the throttle hold over all of them, and a
Redis that is away or slow refuses nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

import pytest
from groupware.redis import RedisCluster, RedisServer
from site_kit import PATIENT, SOON, Node, at_once, nodes, until

from eas.engine.errors import Unavailable
from eas.engine.logins import FIRST_WAIT, FORGET_WRONG, FREE_BY_ADDRESS, FREE_BY_LOGIN, LONGEST_WAIT, Standing, Trial
from eas.push import logins
from eas.push.logins import SharedLogins, SharedVerdicts, Vault
from eas.push.redis import RedisSite

pytestmark = pytest.mark.server

KEY = b"k" * 32


async def secret() -> bytes:
    return KEY


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is not a slow Redis."""
    monkeypatch.setattr(logins, "PATIENCE_SECONDS", PATIENT)


@pytest.fixture(params=["redis_server", "redis_cluster"])
def server(request: pytest.FixtureRequest) -> RedisServer | RedisCluster:
    found: RedisServer | RedisCluster = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def site(server: RedisServer | RedisCluster) -> RedisSite:
    return RedisSite(url=server.url, cluster=isinstance(server, RedisCluster), prefix=server.new_prefix())


@pytest.fixture
def one(redis_server: RedisServer) -> RedisSite:
    return RedisSite(url=redis_server.url, prefix=redis_server.new_prefix())


@asynccontextmanager
async def memories(site: RedisSite, count: int = 2) -> AsyncIterator[list[SharedLogins]]:
    async with nodes(site, count) as made:
        yield [SharedLogins(Vault(node.link, secret)) for node in made]


async def tried(memory: SharedLogins, login: str, password: str, address: str, right: bool | None) -> Trial:
    trial = await memory.begin(login, password, address)
    assert trial is not None
    if trial.standing is Standing.OPEN:
        memory.end(trial, right)
    return trial


def just_now(server: RedisServer | RedisCluster, site: RedisSite) -> None:
    """As if the last wrong password came in a minute: else the first wait may be over when a machine stood still."""
    for key in server.keys(site.prefix):
        if key.endswith(":tally") or ":address:" in key:
            holder = server.holder(key) if isinstance(server, RedisCluster) else server
            holder.run("PEXPIRE", key, int(1000 * (FORGET_WRONG + 60)))


async def standing(memory: SharedLogins, login: str, password: str, address: str = "10.0.0.1") -> Standing:
    return (await tried(memory, login, password, address, None)).standing


async def test_wrong_passwords_count_over_all_nodes(site: RedisSite, server: RedisServer | RedisCluster) -> None:
    async with memories(site) as (a, b):
        for number in range(FREE_BY_LOGIN):
            assert (await tried(a if number % 2 else b, "anna", f"p{number}", f"10.0.{number}.1", False)).seconds == 0
        just_now(server, site)
        told = await tried(a, "ANNA", "another", "10.9.9.9", False)
        assert told.standing is Standing.WAIT
        assert 0 < told.seconds <= 60 + FIRST_WAIT
        assert await standing(b, "anna", "yet another") is Standing.WAIT
        assert await standing(b, "ben", "yet another") is Standing.OPEN


async def test_they_count_by_address_as_well(site: RedisSite, server: RedisServer | RedisCluster) -> None:
    async with memories(site) as (a, b):
        for number in range(FREE_BY_ADDRESS):
            await tried(a if number % 2 else b, f"user{number}", "guess", f"2001:db8::{number + 1:x}", False)
        just_now(server, site)
        told = await tried(b, "anna", "guess", "2001:db8::ffff", False)
        assert told.standing is Standing.WAIT
        assert await standing(a, "anna", "guess", "2001:db9::1") is Standing.OPEN


async def test_an_old_password_counts_once(one: RedisSite) -> None:
    async with memories(one) as (a, b):
        for _ in range(3 * FREE_BY_LOGIN):
            trial = await a.begin("anna", "last month's", "10.0.0.1")
            assert trial is not None
            assert trial.standing in (Standing.OPEN, Standing.WRONG)
            a.end(trial, False)
        assert await standing(b, "anna", "last month's") is Standing.WRONG
        assert await standing(b, "anna", "this month's") is Standing.OPEN


async def test_who_was_right_is_right_everywhere_whatever_others_guess(
    one: RedisSite, redis_server: RedisServer
) -> None:
    async with memories(one) as (a, b):
        await tried(a, "anna", "right", "10.0.0.1", True)
        for number in range(2 * FREE_BY_LOGIN):
            await tried(a, "anna", f"p{number}", "10.0.0.9", False)
        assert await standing(b, "anna", "right", "10.0.0.9") is Standing.RIGHT
        just_now(redis_server, one)
        assert await standing(b, "anna", "wrong") is Standing.WAIT
        b.note("anna", "right", False)
        assert await standing(b, "anna", "right") is Standing.WRONG, "it is noted; nobody waited for that"
        assert await standing(a, "anna", "right") is Standing.WRONG


async def test_right_passwords_do_not_count(one: RedisSite, redis_server: RedisServer) -> None:
    async with memories(one) as (a, b):
        for number in range(3 * FREE_BY_ADDRESS):
            await tried(a if number % 2 else b, f"user{number}", "right", "10.0.0.1", True)
        for _ in range(FREE_BY_LOGIN):
            await tried(b, "anna", "not asked, the server was away", "10.0.0.1", None)
        assert await standing(b, "anna", "first try") is Standing.OPEN


async def test_many_at_once_do_not_slip_through(one: RedisSite) -> None:
    async with memories(one) as (a, b):
        trials = await asyncio.gather(
            *((a if number % 2 else b).begin("anna", f"p{number}", "10.0.0.1") for number in range(50))
        )
        assert sum(trial is not None and trial.standing is Standing.OPEN for trial in trials) == FREE_BY_LOGIN


async def test_what_is_being_tried_is_not_taken_for_wrong(one: RedisSite) -> None:
    """A phone's first requests come at once, to different nodes, with the right password."""
    async with memories(one) as (a, b):
        trials = [await (a if number % 2 else b).begin("anna", "right", "10.0.0.1") for number in range(6)]
        assert {trial.standing for trial in trials if trial is not None} == {Standing.OPEN}
        for number, trial in enumerate(trials):
            assert trial is not None
            (a if number % 2 else b).end(trial, True)
        assert await standing(a, "anna", "right") is Standing.RIGHT


async def test_waits_grow_and_are_bounded(one: RedisSite, redis_server: RedisServer) -> None:
    """As a table: a tally is written as it would be, and its lifetime tells how long ago the last wrong one was."""
    async with nodes(one, 1) as (node,):
        vault = Vault(node.link, secret)
        memory = SharedLogins(vault)
        assert await vault.ready()
        for count in (FREE_BY_LOGIN - 1, FREE_BY_LOGIN, FREE_BY_LOGIN + 1, FREE_BY_LOGIN + 5, FREE_BY_LOGIN + 500):
            over = count - FREE_BY_LOGIN
            pause = 0.0 if over < 0 else min(FIRST_WAIT * 2.0 ** min(over, 30), LONGEST_WAIT)
            for passed in (0.0, pause / 2, pause + 1):
                login = f"{count} {passed}"
                tally = node.link.key("login", vault.digest("login", login), ":tally")
                began = monotonic()
                redis_server.run("SET", tally, count, "PX", int((FORGET_WRONG - passed) * 1000))
                told = await memory.begin(login, "x", "10.0.0.1")
                assert told is not None
                since = monotonic() - began + 0.1
                assert pause - passed - since <= told.seconds <= max(0.0, pause - passed), login


async def test_nothing_in_redis_tells_a_name_or_a_password(one: RedisSite, redis_server: RedisServer) -> None:
    async with nodes(one, 1) as (node,):
        vault = Vault(node.link, secret)
        memory, verdicts = SharedLogins(vault), SharedVerdicts(vault, 300)
        await tried(memory, "anna", "pass-right", "10.11.12.13", True)
        await tried(memory, "anna", "pass-wrong", "10.11.12.13", False)
        await verdicts.put("tenant\0anna\0pass-right", "u1", 300)
        await until(lambda: any(key.endswith(":wrong") for key in redis_server.keys(one.prefix)))
        held = redis_server.keys(one.prefix)
        held += [str(redis_server.run("GET", key)) for key in held if redis_server.run("TYPE", key) == "string"]
        text = " ".join(held)
        assert len(held) > 6
        for open in ("anna", "pass-", "10.11", "tenant", KEY.decode(), KEY.hex()):
            assert open not in text
        assert all(redis_server.run("TTL", key) > 0 for key in redis_server.keys(one.prefix)), "all of it passes"


async def test_another_secret_is_another_site(one: RedisSite) -> None:
    async def other() -> bytes:
        return b"o" * 32

    async with nodes(one, 1) as (node,):
        await tried(SharedLogins(Vault(node.link, secret)), "anna", "right", "10.0.0.1", True)
        assert await standing(SharedLogins(Vault(node.link, other)), "anna", "right") is Standing.OPEN


async def test_without_a_secret_nothing_is_shared(one: RedisSite) -> None:
    async def away() -> bytes:
        raise Unavailable("the database is away")

    async with nodes(one, 1) as (node,):
        memory = SharedLogins(Vault(node.link, away))
        assert await memory.begin("anna", "right", "10.0.0.1") is None
        memory.note("anna", "right", True)


@pytest.fixture
def mortal() -> Callable[[], RedisServer]:
    return RedisServer


async def test_a_redis_that_is_killed_or_slow_holds_nobody_up(
    mortal: Callable[[], RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "PAUSE_SECONDS", PATIENT)
    server = mortal()
    try:
        server.start()
        async with nodes(RedisSite(url=server.url), 1) as (node,):
            vault = Vault(node.link, secret)
            memory, loop = SharedLogins(vault), asyncio.get_running_loop()

            async def knows() -> bool:
                return await memory.begin("ben", "x", "10.0.0.2") is not None

            async def knows_again() -> None:
                async with asyncio.timeout(SOON):
                    while not await knows():  # noqa: ASYNC110
                        await asyncio.sleep(0.05)

            assert await knows()
            server.pause()
            monkeypatch.setattr(logins, "PATIENCE_SECONDS", 0.2)
            assert await memory.begin("anna", "right", "10.0.0.1") is None
            assert vault._not_before > loop.time(), "its own patience was over, before the link's"
            for _ in range(100):
                assert await at_once(memory.begin("anna", "right", "10.0.0.1")) is None
            server.resume()
            monkeypatch.setattr(logins, "PATIENCE_SECONDS", PATIENT)
            vault._not_before = loop.time() + 0.5
            await knows_again()
            server.kill()
            assert await memory.begin("anna", "right", "10.0.0.1") is None
            server.start()
            await knows_again()
            for number in range(FREE_BY_LOGIN):
                assert (await tried(memory, "anna", f"p{number}", "10.0.0.1", False)).standing is Standing.OPEN
            assert await standing(memory, "anna", "another") is Standing.WAIT
    finally:
        server.stop()


# Verdicts of the groupware's servers ----------------------------------------------------------------------------------


def verdicts_of(node: Node) -> SharedVerdicts:
    return SharedVerdicts(Vault(node.link, secret), 300)


async def test_a_verdict_is_known_on_all_nodes_until_it_is_forgotten(site: RedisSite) -> None:
    async with nodes(site) as made:
        a, b = map(verdicts_of, made)
        gone: list[str] = []
        b.forgotten = gone.append
        await a.put("anna, right", "u1", 300)
        await a.put("anna, app password", "u1", 300)
        await a.put("ben, right", "u2", 200)
        found = await b.known("anna, right")
        assert found is not None
        assert (found[0], 200 < found[1] <= 300) == ("u1", True)
        assert await b.known("anna, wrong") is None
        a.forget("u1")
        await until(lambda: gone)
        assert gone == ["u1"]
        assert await b.known("anna, right") is None
        assert await b.known("anna, app password") is None
        assert await b.known("ben, right") is not None
        await b.put("anna, new", "u1", 300)
        assert await a.known("anna, new") is not None
        assert await a.known("anna, right") is None


async def test_the_bell_still_hears_what_is_meant_for_it(one: RedisSite) -> None:
    async with nodes(one) as (a, b):
        verdicts_of(a), verdicts_of(b)
        waits = await b.listen("anna", "phone", "5")
        a.bell.ring("anna", ["5"])
        assert await waits.wait(SOON) == {"5"}
