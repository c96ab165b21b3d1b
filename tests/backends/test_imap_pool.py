"""The pool: who gets which connection, how many there are, and what becomes of the broken ones."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from groupware.dovecot import Dovecot
from imap_kit import Script, account_of, answering, server_of
from settling import until

from eas.backends.imap import pool as pools
from eas.backends.imap.model import LoginRefused, Lost, No
from eas.backends.imap.pool import Gate, ImapPool
from eas.backends.standards.ports import Account
from eas.backends.standards.tenant import ImapServer

SELECTED = b"* 0 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n* OK [UIDNEXT 1]\r\n"


@pytest.fixture
async def pool() -> AsyncIterator[ImapPool]:
    pool = ImapPool()
    yield pool
    await pool.close()
    assert not pool._users
    assert all(node.inside == 0 for node in pool._nodes.values())


def anna(server: ImapServer, password: str = "secret", **more: Any) -> Account:
    return account_of(server, "anna", password, **more)


def hurried(server: ImapServer) -> ImapServer:
    """The same, for somebody who does not wait long."""
    return replace(server, timeout_seconds=0.2)


@asynccontextmanager
async def scripted(**more: Any) -> AsyncIterator[tuple[Script, ImapServer]]:
    script = answering({b"SELECT": SELECTED})
    async with script.running(**more) as server:
        yield script, server


# --- Which connection


async def test_a_connection_is_used_again(pool: ImapPool) -> None:
    async with scripted() as (script, server):
        for _ in range(3):
            async with pool.use(anna(server)) as session:
                await session.noop()
        assert script.connections == 1


async def test_another_password_never_gets_a_connection_of_the_old_one(pool: ImapPool) -> None:
    async with scripted() as (script, server):
        async with pool.use(anna(server)) as first:
            pass
        async with pool.use(anna(server, "another")) as second:
            assert second is not first
        async with pool.use(anna(server, "secret", bearer=True)) as third:
            assert third not in (first, second)
        async with pool.use(account_of(server, "ben", "secret")) as fourth:
            assert fourth not in (first, second, third)
        async with pool.use(anna(server, tenant="u")) as fifth:
            assert fifth not in (first, second, third, fourth)
        async with pool.use(anna(server)) as again:
            assert again is first
        assert script.connections == 5


async def test_the_wanted_mailbox_is_preferred(pool: ImapPool) -> None:
    async with scripted() as (_, server):
        async with pool.use(anna(server)) as one, pool.use(anna(server)) as two, pool.use(anna(server)) as three:
            await one.select("A")
            await two.select("B")
        for mailbox, expected in (("A", one), ("B", two), ("C", three), ("", three)):
            async with pool.use(anna(server), mailbox) as session:
                assert session is expected
                assert (session.selected.name if session.selected else "") in (mailbox, "")


# --- How many


async def test_a_user_has_so_many_at_a_time_and_the_others_wait_in_turn(pool: ImapPool) -> None:
    async with scripted(per_user=2) as (script, server):
        order: list[int] = []
        most = inside = 0

        async def work(number: int) -> None:
            nonlocal most, inside
            async with pool.use(anna(server)) as session:
                inside += 1
                most = max(most, inside)
                order.append(number)
                await session.noop()
                await asyncio.sleep(0.01)
                inside -= 1

        tasks = []
        for number in range(8):
            tasks.append(asyncio.create_task(work(number)))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        assert most == 2
        assert order == list(range(8))
        assert script.connections == 2


async def test_who_waits_too_long_gets_lost(pool: ImapPool) -> None:
    async with scripted(per_user=1) as (_, server), pool.use(anna(server)):
        with pytest.raises(Lost, match="all connections of the user are in use"):
            async with pool.use(anna(hurried(server))):
                pass


async def test_a_cancelled_waiter_takes_nobodys_turn(pool: ImapPool) -> None:
    async with scripted(per_user=1) as (_, server):
        done: list[str] = []

        async def work(name: str) -> None:
            async with pool.use(anna(server)):
                done.append(name)

        async with pool.use(anna(server)):
            waiting = [asyncio.create_task(work(name)) for name in "abc"]
            await asyncio.sleep(0.01)
            waiting[1].cancel()
            await asyncio.sleep(0)
        await asyncio.gather(*waiting, return_exceptions=True)
        assert done == ["a", "c"]


async def test_idle_connections_of_others_give_way(pool: ImapPool) -> None:
    async with scripted(per_node=2) as (script, server):
        for login in ("a", "b", "c", "d"):
            async with pool.use(account_of(server, login, "x")) as session:
                await session.noop()
        assert script.connections == 4
        assert pool._nodes["t"].inside == 2


async def test_a_node_has_so_many_at_a_time(pool: ImapPool) -> None:
    async with scripted(per_node=2) as (_, server):
        inside = most = 0

        async def work(login: str) -> None:
            nonlocal inside, most
            async with pool.use(account_of(server, login, "x")) as session:
                inside += 1
                most = max(most, inside)
                await session.noop()
                inside -= 1

        await asyncio.gather(*[work(f"user{number}") for number in range(12)])
        assert most == 2


async def test_a_node_that_is_full_lets_wait_no_longer_than_the_time_out(pool: ImapPool) -> None:
    async with scripted(per_node=1) as (_, server), pool.use(anna(server)):
        with pytest.raises(Lost, match="all connections to the server are in use"):
            async with pool.use(account_of(hurried(server), "ben", "x")):
                pass


async def test_connections_of_an_old_password_count_but_give_way(pool: ImapPool) -> None:
    async with scripted(per_user=2) as (_, server):
        for password in ("one", "two", "three", "four"):
            async with pool.use(anna(server, password)):
                pass
        assert len(pool._users["t", "anna"].idle) == 2


# --- What becomes of them


async def test_idle_connections_are_closed_after_a_while() -> None:
    pool = ImapPool()
    async with scripted(idle_seconds=0.05) as (script, server):
        async with pool.use(anna(server)):
            pass
        await until(lambda: not pool._users)
        await until(lambda: script.said[-1] == b"LOGOUT")
        async with pool.use(anna(server)):
            pass
        assert script.connections == 2
        await pool.drop(anna(server))
        assert not pool._users
    await pool.close()


async def test_one_that_the_server_closed_while_idle_is_replaced(pool: ImapPool) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def keep(writer: asyncio.StreamWriter, tag: bytes) -> None:
        writers.append(writer)
        writer.write(tag + b" OK\r\n")

    script = answering({b"NOOP": keep})
    async with script.running() as server:
        for farewell in (b"* BYE idle for too long\r\n", b"* OK [ALERT] news\r\n* BYE later\r\n", b""):
            async with pool.use(anna(server)) as first:
                await first.noop()
            writers[-1].write(farewell)
            writers[-1].close()
            await asyncio.sleep(0.02)
            async with pool.use(anna(server)) as second:
                await second.noop()
                assert second is not first
        # Nobody has looked since: the farewell is still in the socket.
        writers[-1].write(b"* BYE now\r\n")
        writers[-1].close()
        async with pool.use(anna(server)) as third:
            await third.noop()
            assert third is not second


async def test_a_refusal_leaves_a_connection_as_it_was(pool: ImapPool) -> None:
    script = answering({b"SELECT": b"%s NO [NONEXISTENT] there is none\r\n"})
    async with script.running() as server:
        with pytest.raises(No):
            async with pool.use(anna(server)) as session:
                await session.select("x")
        with pytest.raises(ValueError, match="of the caller"):
            async with pool.use(anna(server)):
                raise ValueError("of the caller")
        async with pool.use(anna(server)) as again:
            assert again is session


async def test_a_connection_with_a_command_under_way_is_closed(pool: ImapPool) -> None:
    asked = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter, tag: bytes) -> None:
        asked.set()
        await asyncio.sleep(0.2)
        writer.write(tag + b" OK too late\r\n")

    script = answering({b"NOOP": hang})
    async with script.running(per_user=1) as server:

        async def work() -> None:
            async with pool.use(anna(server)) as session:
                await session.noop()

        task = asyncio.create_task(work())
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with pool.use(anna(server)) as session:
            assert await session.status("x")
        assert script.connections == 2


async def test_an_answer_that_nobody_wanted_is_read_or_the_connection_closed(
    pool: ImapPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "_SETTLING_SECONDS", 60)
    lines = b"".join(b"* %d FETCH (UID %d BODY[] {5}\r\nhello)\r\n" % (uid, uid) for uid in range(1, 101))

    async def slowly(writer: asyncio.StreamWriter, tag: bytes) -> None:
        writer.write(lines)
        await asyncio.sleep(0.02)
        writer.write(lines + tag + b" OK\r\n")

    async def endless(writer: asyncio.StreamWriter, tag: bytes) -> None:
        for _ in range(2000):
            writer.write(lines * 10)
            await writer.drain()

    script = answering({b"SELECT": SELECTED, b"FETCH": slowly})
    async with script.running() as server:
        async with pool.use(anna(server)) as first:
            await first.select("x")
            async for _ in first.fetch(((1, 100),), ["BODY.PEEK[]"]):
                break
        async with pool.use(anna(server)) as second:
            assert second is first
            await second.noop()
        script = answering({b"SELECT": SELECTED, b"FETCH": endless})
        async with script.running() as server:
            async with pool.use(anna(server)) as third:
                await third.select("x")
                async for _ in third.fetch(((1, 100),), ["BODY.PEEK[]"]):
                    break
            async with pool.use(anna(server)) as fourth:
                assert fourth is not third
                await fourth.noop()


# --- Listening


async def test_a_connection_that_listens_is_lent_to_nobody_and_closed_afterwards(pool: ImapPool) -> None:
    async with scripted(per_user=3) as (script, server):
        async with pool.use(anna(server)) as idle:
            pass
        async with pool.listen(anna(server)) as session:
            assert session is not None
            assert session is not idle
            async with pool.use(anna(server)) as one, pool.use(anna(server)) as two:
                assert session not in (one, two)
                with pytest.raises(Lost, match="all connections of the user are in use"):
                    async with pool.use(anna(hurried(server))):
                        pass
        assert not session.connection.alive
        assert script.connections == 3
        async with pool.use(anna(server)) as three:
            assert three in (one, two)


async def test_a_users_only_connection_does_not_listen(pool: ImapPool) -> None:
    async with scripted(per_user=1) as (script, server), pool.listen(anna(server)) as session:
        assert session is None
        assert script.connections == 0


async def test_half_of_a_nodes_connections_listen_at_most(pool: ImapPool) -> None:
    async with scripted(per_node=4) as (_, server):
        async with (
            pool.listen(account_of(server, "anna", "secret")) as one,
            pool.listen(account_of(server, "ben", "secret")) as two,
        ):
            assert one is not None
            assert two is not None
            async with pool.listen(account_of(server, "carla", "secret")) as three:
                assert three is None
        async with pool.listen(account_of(server, "carla", "secret")) as three:
            assert three is not None


# --- Passwords


async def test_a_login_that_fails_leaves_nothing_behind(pool: ImapPool) -> None:
    script = answering({b"AUTHENTICATE": b"%s NO [AUTHENTICATIONFAILED] wrong\r\n"})
    async with script.running(per_user=1, per_node=1) as server:
        for _ in range(3):
            with pytest.raises(LoginRefused):
                async with pool.use(anna(server)):
                    pass
            assert not await pool.check(anna(server))
    with pytest.raises(Lost):
        async with pool.use(anna(server)):
            pass
    with pytest.raises(Lost):
        await pool.check(anna(server))


async def test_checking_keeps_a_good_connection(pool: ImapPool) -> None:
    async with scripted() as (script, server):
        assert await pool.check(anna(server))
        async with pool.use(anna(server)):
            pass
        assert script.connections == 1
        assert await pool.check(anna(server))
        assert script.connections == 2


async def test_checking_asks_with_the_users_own_password_even_where_a_master_user_enters(pool: ImapPool) -> None:
    async with scripted(master_user="root", master_password="master") as (script, server):
        assert not await pool.check(anna(server, ""))
        assert await pool.check(anna(server))
        async with pool.use(anna(server)) as one:
            pass
        async with pool.use(anna(server, "whatever")) as two:
            assert two is one
        assert script.connections == 2


async def test_checking_does_not_wait_for_the_users_own_connections(pool: ImapPool) -> None:
    """Or else somebody who tries passwords keeps the user out."""
    async with scripted(per_user=1) as (_, server), pool.use(anna(server)):
        assert await pool.check(anna(server))
        assert len(pool._users["t", "anna"].idle) == 0


# --- The end


def test_nothing_lingers_over_event_loops_and_nothing_warns() -> None:
    pool = ImapPool()

    async def once() -> None:
        async with scripted() as (_, server):
            async with pool.use(anna(server)) as session:
                await session.noop()
            await pool.close()

    async def carelessly() -> None:
        async with scripted() as (_, server), pool.use(anna(server)) as session:
            await session.noop()
        await pool.close()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            asyncio.run(once())
            asyncio.run(carelessly())
        gc.collect()


async def test_gate() -> None:
    gate = Gate()
    await gate.enter(1)
    waiting = asyncio.create_task(gate.enter(1))
    await asyncio.sleep(0)
    assert gate.crowded
    gate.leave()
    # Its turn has come, and it is cancelled before it knows.
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(gate.enter(1), 30)
    assert gate.inside == 1


# --- A real server


@pytest.mark.server
async def test_a_server_that_is_killed_and_comes_again(pool: ImapPool) -> None:
    async def read(account: Account) -> None:
        pieces = 0
        async with pool.use(account) as session:
            await session.select("INBOX")
            async for _ in session.stream(51, ""):
                pieces += 1
                if pieces == 2:
                    dovecot.kill()

    dovecot = Dovecot()
    try:
        dovecot.start()
        login, password = dovecot.new_user()
        account = account_of(server_of(dovecot), login, password)
        async with pool.use(account) as session:
            for _ in range(50):
                await session.append("INBOX", b"Subject: x\r\n\r\n" + b"x" * 9000)
            await session.append("INBOX", b"Subject: x\r\n\r\n" + (b"y" * 76 + b"\r\n") * 100_000)
        with pytest.raises(Lost):
            await read(account)
        for _ in range(2):
            with pytest.raises(Lost):
                async with pool.use(account):
                    pass
        dovecot.restart()
        async with pool.use(account) as session:
            assert (await session.select("INBOX")).messages == 51
    finally:
        dovecot.stop()
