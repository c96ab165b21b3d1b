"""Transactions as functions: the same promises in a file and in memory."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from eas.db import Database
from eas.db.transactions import Transactions, transactions


@pytest.fixture(autouse=True)
async def _table(run: Transactions) -> None:
    await run.write(lambda c: c.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY, parent INTEGER REFERENCES t)")))


def _add(connection: Connection, number: int, parent: int | None = None) -> int:
    connection.execute(text("INSERT INTO t VALUES (:n, :p)"), {"n": number, "p": parent})
    return number


def _count(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM t")).scalar_one())


async def test_a_write_is_seen_by_every_later_read(run: Transactions) -> None:
    for number in range(20):
        assert await run.write(lambda c, n=number: _add(c, n)) == number
        assert await run.look(_count) == await run.read(_count) == number + 1


async def test_a_write_that_raises_is_rolled_back(run: Transactions) -> None:
    def work(connection: Connection) -> None:
        _add(connection, 1)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await run.write(work)
    with pytest.raises(IntegrityError):
        await run.write(lambda c: (_add(c, 2), _add(c, 2)))
    assert await run.look(_count) == 0
    assert await run.write(lambda c: _add(c, 1)) == 1


async def test_references_are_checked(run: Transactions) -> None:
    with pytest.raises(IntegrityError):
        await run.write(lambda c: _add(c, 1, parent=99))


async def test_a_look_that_raises_does_not_spoil_the_next(run: Transactions) -> None:
    for _ in range(3):
        with pytest.raises(Exception, match=r"no such table|does not exist"):
            await run.look(lambda c: c.execute(text("SELECT * FROM nowhere")).all())
        assert await run.look(_count) == 0


@pytest.mark.parametrize("database", ["file", "memory"], indirect=True)
async def test_many_writers_at_once_come_one_after_the_other(run: Transactions) -> None:
    """Each reads before it writes, so that any two at the same time would count alike."""
    numbers = await asyncio.gather(*[run.write(lambda c: _add(c, _count(c))) for _ in range(50)])
    assert sorted(numbers) == list(range(50))


@pytest.mark.parametrize("database", ["file"], indirect=True)
async def test_writers_of_two_processes_wait_for_each_other(run: Transactions, database: Database) -> None:
    """A transaction that reads first must have the lock from its start: later it might not get it at all."""
    other = transactions(database)
    numbers = await asyncio.gather(*[one.write(lambda c: _add(c, _count(c))) for one in (run, other) * 25])
    assert sorted(numbers) == list(range(50))
    await other.close()


@pytest.mark.parametrize("database", ["file"], indirect=True)  # in memory there is one transaction at a time
async def test_readers_see_one_snapshot_while_others_write(run: Transactions) -> None:
    begun, written = threading.Event(), threading.Event()

    def slow(connection: Connection) -> tuple[int, int]:
        before = _count(connection)
        begun.set()
        assert written.wait(5)
        return before, _count(connection)

    reading = asyncio.create_task(run.read(slow))
    await asyncio.to_thread(begun.wait, 5)
    await run.write(lambda c: _add(c, 1))
    assert await run.look(_count) == 1
    written.set()
    assert await reading == (0, 0)


@pytest.mark.parametrize("database", ["file"], indirect=True)
async def test_a_look_holds_no_snapshot(run: Transactions, tmp_path: Path) -> None:
    """Else the log could not be taken back into the file, and would grow for ever."""
    assert await run.look(_count) == 0
    await run.write(lambda c: _add(c, 1))
    other = sqlite3.connect(tmp_path / "eas.db")
    busy, _, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    other.close()
    assert busy == 0
    assert (tmp_path / "eas.db-wal").stat().st_size == 0


@pytest.mark.parametrize("database", ["file"], indirect=True)
async def test_commits_are_on_the_disk(run: Transactions) -> None:
    """docs/design.md, promise 1: whatever was answered survives a loss of power. FULL is 2."""

    def pragmas(connection: Connection) -> list[object]:
        return [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("synchronous", "journal_mode", "foreign_keys")
        ]

    assert await run.write(pragmas) == [2, "wal", 1]
    # What need not be lasting (1 is NORMAL) leaves no trace on the connection, nor does its failure.
    assert await run.write(pragmas, lasting=False) == [1, "wal", 1]
    assert await run.write(pragmas) == [2, "wal", 1]
    with pytest.raises(ZeroDivisionError):
        await run.write(lambda c: 1 // 0, lasting=False)
    assert await run.write(pragmas) == [2, "wal", 1]


async def test_what_need_not_last_is_seen_like_all_else(run: Transactions) -> None:
    assert await run.write(lambda c: _add(c, 1), lasting=False) == 1
    assert await run.look(_count) == await run.read(_count) == 1
    with pytest.raises(IntegrityError):
        await run.write(lambda c: _add(c, 1), lasting=False)
    assert await run.read(_count) == 1


@pytest.mark.parametrize("database", ["file"], indirect=True)
async def test_closing_waits_for_what_has_begun_and_may_be_repeated(run: Transactions) -> None:
    writes = [asyncio.create_task(run.write(lambda c, n=n: _add(c, n))) for n in range(20)]
    await asyncio.sleep(0)
    await run.close()
    await run.close()
    assert sorted(await asyncio.gather(*writes)) == list(range(20))
