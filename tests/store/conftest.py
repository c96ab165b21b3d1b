"""A store on SQLite, in a file and in memory: the two ways in which transactions are run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from store_kit import NOW, make_tables

from eas.db import Database
from eas.store import SqlStateStore


@pytest.fixture(params=["file", "memory"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(f"sqlite+aiosqlite:///{tmp_path}/eas.db" if request.param == "file" else "sqlite+aiosqlite://")
    await make_tables(made)
    yield made
    await made.close()


@pytest.fixture
async def store(database: Database) -> AsyncIterator[SqlStateStore]:
    made = SqlStateStore(database, now=lambda: NOW)
    yield made
    await made.close()


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Callable[[], Awaitable[SqlStateStore]]]:
    """Makes stores as processes have them: each with a database object of its own, over one file."""
    opened: list[tuple[SqlStateStore, Database]] = []

    async def node() -> SqlStateStore:
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/eas.db")
        if not opened:
            await make_tables(database)
        opened.append((SqlStateStore(database, now=lambda: NOW), database))
        return opened[-1][0]

    yield node
    for store, database in opened:
        await store.close()
        await database.close()
