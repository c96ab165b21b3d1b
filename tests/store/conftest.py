"""A store on SQLite, in a file and in memory: the two ways in which transactions are run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from store_kit import NOW, make_tables, open_store

from eas.db import Database
from eas.db.transactions import Transactions, transactions
from eas.store import SqlStateStore


@pytest.fixture(params=["file", "memory"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(f"sqlite+aiosqlite:///{tmp_path}/eas.db" if request.param == "file" else "sqlite+aiosqlite://")
    await make_tables(made)
    yield made
    await made.close()


@pytest.fixture
async def run(database: Database) -> AsyncIterator[Transactions]:
    made = transactions(database)
    yield made
    await made.close()


@pytest.fixture
async def store(run: Transactions) -> AsyncIterator[SqlStateStore]:
    made = SqlStateStore(run, now=lambda: NOW, release="1.2")
    yield made
    await made.close()


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Callable[[], Awaitable[SqlStateStore]]]:
    """Makes stores as processes have them: each with a database object of its own, over one file."""
    async with AsyncExitStack() as opened:
        made: list[SqlStateStore] = []

        async def node() -> SqlStateStore:
            url = f"sqlite+aiosqlite:///{tmp_path}/eas.db"
            made.append(await opened.enter_async_context(open_store(url, tables=not made)))
            return made[-1]

        yield node
