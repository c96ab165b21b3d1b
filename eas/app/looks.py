"""What is not counted as it happens, but looked at when figures are told: pools, queues, rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.pool import QueuePool

from eas import measures
from eas.backends.embedded import submissions
from eas.db import Database
from eas.db.transactions import Transactions
from eas.server.spool import spooled_files
from eas.store import SqlStateStore

from .elsewhere import Elsewhere

if TYPE_CHECKING:
    from eas.push.link import Link

Look = Callable[[], Awaitable[None]]

#: Seconds between two looks at rows: whole tables are read.
ROWS_SECONDS = 300.0


def looks(
    database: Database, run: Transactions, store: SqlStateStore, elsewhere: Elsewhere, link: Link | None,
    most: int,
) -> Sequence[Look]:
    """`most`: connections that the pool of the database makes."""
    async def connections() -> None:
        pool = database.engine.pool
        if database.engine.dialect.name != "sqlite" and isinstance(pool, QueuePool):
            measures.DATABASE_CONNECTIONS["used"] = pool.checkedout()
            measures.DATABASE_CONNECTIONS["most"] = most
        if elsewhere.servers is not None:
            measures.IMAP_CONNECTIONS.update(elsewhere.servers.connections())

    async def redis() -> None:
        if link is not None:
            away = sum(lane.away for lane in link.lanes.all.values())
            measures.REDIS_SERVERS["away"] = away
            measures.REDIS_SERVERS["connected"] = len(link.lanes.all) - away

    async def queues() -> None:
        measures.NOTED_DEVICES[()] = store.noted
        measures.SPOOL_FILES[()], measures.SPOOL_BYTES[()] = spooled_files()

    return connections, redis, queues, _seldom(lambda: _rows(run, store))


def _seldom(look: Look) -> Look:
    again_at = 0.0

    async def perhaps() -> None:
        nonlocal again_at
        if monotonic() >= again_at:
            again_at = monotonic() + ROWS_SECONDS
            await look()

    return perhaps


async def _rows(run: Transactions, store: SqlStateStore) -> None:
    measures.SCHEMA[()] = int(await run.read(_revision))
    measures.OPEN_EFFECTS["change"] = await store.open_intents()
    measures.OPEN_EFFECTS["mail"] = await run.read(submissions.count_open)


def _revision(connection: Connection) -> str:
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
