"""A store on SQLite, in a file and in memory, and on PostgreSQL: the ways in which transactions are run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from groupware.fixtures import ON_POSTGRESQL
from groupware.postgresql import Postgresql
from store_kit import NOW, make_tables, open_store

from eas.db import Database
from eas.db.transactions import Transactions, transactions
from eas.store import SqlStateStore

PLACES = ["file", "memory", *(["postgresql"] if ON_POSTGRESQL else [])]


def url_of(place: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database."""
    if place == "postgresql":
        server: Postgresql = request.getfixturevalue("postgresql")
        return server.new_database()
    return f"sqlite+aiosqlite:///{tmp_path}/eas.db" if place == "file" else "sqlite+aiosqlite://"


@pytest.fixture(params=PLACES)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(url_of(request.param, request, tmp_path))
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


@pytest.fixture(params=["file", pytest.param("postgresql", marks=pytest.mark.server)])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database that several processes can have open."""
    return url_of(request.param, request, tmp_path)


@pytest.fixture
async def nodes(shared_url: str) -> AsyncIterator[Callable[[], Awaitable[SqlStateStore]]]:
    """Makes stores as processes have them: each with a database object of its own, over one database."""
    async with AsyncExitStack() as opened:
        made: list[SqlStateStore] = []

        async def node() -> SqlStateStore:
            made.append(await opened.enter_async_context(open_store(shared_url, tables=not made)))
            return made[-1]

        yield node
