"""What the tests of the store have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from eas.db import Base, Database
from eas.db.transactions import transactions
from eas.engine.keys import Head, Held
from eas.engine.ports import Owner, Step
from eas.store import SqlStateStore

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
OWNER = Owner(user_id="ann", device_id="phone", collection_id="5")


async def make_tables(database: Database) -> None:
    async with database.write() as connection:
        await connection.run_sync(Base.metadata.create_all)


@asynccontextmanager
async def open_store(url: str, *, tables: bool = False) -> AsyncIterator[SqlStateStore]:
    """A store as a process has it, with a database of its own."""
    database = Database(url)
    if tables:
        await make_tables(database)
    run = transactions(database)
    store = SqlStateStore(run, now=lambda: NOW)
    yield store
    await store.close()
    await run.close()
    await database.close()


def head(key: str, parent: str = "0", **more: object) -> Head:
    return Head(key=key, parent=parent, **more)  # type: ignore[arg-type]


def step(*issued: Head, proven: Head | None = None, **more: object) -> Step:
    return Step(held=Held(proven=proven, issued=issued), **more)  # type: ignore[arg-type]
