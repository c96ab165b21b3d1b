"""Several processes over one file, restarts, locks, cancellation; and that the indexes are used."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from store_kit import NOW, OWNER, head, open_store, step

import eas.db.transactions
from eas.db import Database
from eas.engine.errors import Unavailable
from eas.engine.keys import Held
from eas.engine.model import Device, Policy
from eas.engine.ports import Chosen, Intent, StoredBody
from eas.store import Assignee, SqlStateStore

ADD = Intent(verb="Add", client_id="c", server_id="", digest="d", chosen=Chosen(name="n"))
Nodes = Callable[[], Awaitable[SqlStateStore]]
#: A whole table is read; "SCAN (subquery)" and "SCAN CONSTANT ROW" are of an empty list of values.
TABLE_SCAN = re.compile(r"SCAN (?!CONSTANT)\w")


async def test_one_of_many_first_commits_wins(nodes: Nodes) -> None:
    stores = [await nodes(), await nodes()]
    wins = await asyncio.gather(
        *[s.commit(OWNER, 0, step(head(str(n)), generations={str(n): b"x"})) for n, s in enumerate(stores * 4)]
    )
    assert wins.count(True) == 1
    winner = str(wins.index(True))
    assert await stores[1].load(OWNER) == Held(row=1, issued=(head(winner),))
    assert (await stores[0].body(OWNER, winner, 0, 0)).generation == b"x"


async def test_one_of_many_commits_on_a_row_wins_each_time(nodes: Nodes) -> None:
    stores = [await nodes(), await nodes()]
    assert await stores[0].commit(OWNER, 0, step(head("0")))
    for row in range(1, 8):
        commits = [
            s.commit(OWNER, row, step(head(f"{row}/{n}"), generations={f"{row}/{n}": b"x"}, blobs={row: b"y"}))
            for n, s in enumerate(stores * 3)
        ]
        wins = await asyncio.gather(*commits)
        assert wins.count(True) == 1
        assert await stores[row % 2].load(OWNER) == Held(row=row + 1, issued=(head(f"{row}/{wins.index(True)}"),))


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/eas.db"
    async with open_store(url, tables=True) as store:
        device = await store.add_device(Device(user_id="ann", id="phone", type="t", remembered_sync=b"\x03\x01"))
        await store.seen("ann", "phone", "agent", "16.1", NOW)
        intent = await store.intend(OWNER, ADD)
        issued = step(head("a", base=2), generations={"a": b"g"}, blobs={2: b"b"}, settled={intent.id: ("17", "a")})
        assert await store.commit(OWNER, 0, issued)
        await store.set_policy(Assignee.USER, "ann", Policy(name="strict"))

    async with open_store(url) as store:
        assert await store.device("ann", "phone") == replace(device, agent="agent", version="16.1", last_seen=NOW)
        assert await store.load(OWNER) == replace(issued.held, row=1)
        assert await store.body(OWNER, "a", 2, 0) == StoredBody(base=b"b", generation=b"g")
        assert await store.intents(OWNER) == [replace(intent, result="17", settled_key="a")]
        assert await store.policy("ann") == Policy(name="strict")


# -- what the database refuses


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Another program writes and does not come to an end."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.fixture
async def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqlStateStore]:
    """A store that waits for a lock for a moment only."""
    monkeypatch.setattr(eas.db.transactions, "BUSY_SECONDS", 0.02)
    async with open_store(f"sqlite+aiosqlite:///{tmp_path}/eas.db", tables=True) as store:
        yield store


async def test_a_locked_database_is_unavailable_to_writers(impatient: SqlStateStore, tmp_path: Path) -> None:
    device = await impatient.add_device(Device(user_id="ann", id="phone", type="t"))
    writes: list[Callable[[], Awaitable[object]]] = [
        lambda: impatient.add_device(replace(device, id="other")),
        lambda: impatient.save_device(device),
        lambda: impatient.commit(OWNER, 0, step(head("a"))),
        lambda: impatient.forget("ann", "phone"),
        lambda: impatient.intend(OWNER, ADD),
        lambda: impatient.settle(OWNER, ADD, "17"),
        lambda: impatient.set_policy(Assignee.USER, "ann", Policy()),
        lambda: impatient.remove_device("ann", "phone"),
        impatient.tidy,
    ]
    with _locked(tmp_path / "eas.db"):
        for write in writes:
            with pytest.raises(Unavailable, match="locked"):
                await write()
    assert await impatient.commit(OWNER, 0, step(head("a")))


async def test_a_locked_database_is_read_all_the_same(impatient: SqlStateStore, tmp_path: Path) -> None:
    assert await impatient.commit(OWNER, 0, step(head("a"), generations={"a": b"g"}))
    with _locked(tmp_path / "eas.db"):
        assert await impatient.load(OWNER) is not None
        assert (await impatient.body(OWNER, "a", 0, 0)).generation == b"g"
        assert await impatient.device("ann", "phone") is None


async def test_notes_that_could_not_be_written_are_written_later(impatient: SqlStateStore, tmp_path: Path) -> None:
    await impatient.add_device(Device(user_id="ann", id="phone", type="t"))
    await impatient.seen("ann", "phone", "agent", "16.1", NOW)
    with _locked(tmp_path / "eas.db"), pytest.raises(Unavailable):
        await impatient.flush()
    await impatient.flush()
    async with open_store(f"sqlite+aiosqlite:///{tmp_path}/eas.db") as again:
        found = await again.device("ann", "phone")
    assert found is not None
    assert found.last_seen == NOW


async def test_a_locked_database_does_not_hinder_closing(impatient: SqlStateStore, tmp_path: Path) -> None:
    await impatient.seen("ann", "phone", "agent", "16.1", NOW)
    with _locked(tmp_path / "eas.db"):
        await impatient.close()


async def test_a_database_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    async with open_store(f"sqlite+aiosqlite:///{tmp_path}/nowhere/eas.db") as store:
        with pytest.raises(Unavailable):
            await store.load(OWNER)
        with pytest.raises(Unavailable):
            await store.commit(OWNER, 0, step(head("a")))


async def test_cancelled_requests_leave_nothing_half_done(nodes: Nodes) -> None:
    """A phone hangs up in the middle: the commit has happened as a whole or not at all, and others go on."""
    store = await nodes()
    for turn in range(30):
        before = await store.load(OWNER) or Held()
        key = f"k{turn}"
        wanted = step(head(key, base=turn + 1), generations={key: b"g"}, blobs={turn + 1: b"b"})
        task = asyncio.create_task(store.commit(OWNER, before.row, wanted))
        for _ in range(turn % 4):
            await asyncio.sleep(0)
        asked = task.cancel()  # not if it was faster
        await asyncio.wait([task])
        assert task.cancelled() is asked
        # A write queues behind what is still under way.
        await store.settle(OWNER, ADD, "")
        after = await store.load(OWNER) or Held()
        if after.row != before.row:
            assert await store.body(OWNER, key, turn + 1, 0) == StoredBody(base=b"b", generation=b"g")
            assert after == Held(row=before.row + 1, issued=wanted.held.issued)
    assert await store.commit(OWNER, (await store.load(OWNER) or Held()).row, step(head("end")))


# -- cost


async def _statements(engine: Engine, work: Callable[[], Awaitable[object]]) -> list[tuple[str, object]]:
    seen: list[tuple[str, object]] = []

    def note(connection: object, cursor: object, statement: str, parameters: object, *rest: object) -> None:
        if not statement.startswith("BEGIN"):
            seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    await work()
    event.remove(engine, "before_cursor_execute", note)
    return seen


@pytest.mark.parametrize("database", ["memory"], indirect=True)
async def test_what_requests_ask_for_is_found_by_an_index(store: SqlStateStore, database: Database) -> None:
    held = step(head("a", base=2), generations={"a": b"g"}, blobs={2: b"b"})
    device = await store.add_device(Device(user_id="ann", id="phone", type="t"))
    intent = await store.intend(OWNER, ADD)
    assert await store.commit(OWNER, 0, held)
    swap = replace(held, settled={intent.id: ("17", "a")}, forgotten=[intent.id])
    await store.policy("ann")  # all policies are in memory now
    # Work, and the largest number of statements that it may cost.
    asked: list[tuple[Callable[[], Awaitable[object]], int]] = [
        (lambda: store.load(OWNER), 1),
        (lambda: store.device("ann", "phone"), 1),
        (lambda: store.policy("ann"), 1),
        (lambda: store.body(OWNER, "a", 2, 0), 1),
        (lambda: store.intents(OWNER), 1),
        (lambda: store.intend(OWNER, ADD), 1),
        (lambda: store.save_device(device), 1),
        (lambda: store.settle(OWNER, intent, "18"), 1),
        (lambda: store.commit(OWNER, 1, swap), 7),
        (lambda: store.forget("ann", "phone"), 1),
        (lambda: store.remove_device("ann", "phone"), 10),
    ]
    for work, most in asked:
        statements = await _statements(database.engine.sync_engine, work)
        assert 0 < len(statements) <= most
        for statement, parameters in statements:
            if not statement.startswith("INSERT"):
                plan = await _plan(database, statement, parameters)
                assert "USING" in plan, statement
                assert not TABLE_SCAN.search(plan), (statement, plan)


async def _plan(database: Database, statement: str, parameters: object) -> str:
    assert isinstance(parameters, (list, tuple))
    one = parameters[0] if parameters and isinstance(parameters[0], tuple) else parameters
    async with database.read() as connection:
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(one))
        return "; ".join(row.detail for row in rows)
