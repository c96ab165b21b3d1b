"""The database: one engine, transactions of two kinds, the naming convention. Tables stand with those who own them
(eas.store, eas.backends.embedded); `eas.db.migrations` brings a database to their present shape.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import MetaData, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase

#: Names of constraints, so that migrations can speak of them on every database.
NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

#: Connections of one process to a database that is not SQLite, where nobody says otherwise.
CONNECTIONS = 15
#: How long a request waits for a free connection, and for a new one to be made (seconds): then the device is told to
#: come again, rather than to hang.
FREE_SECONDS, CONNECT_SECONDS = 10.0, 5.0
#: The longest that one statement may take: a clean-up of a large table does not; a server that hangs does.
STATEMENT_SECONDS = 120.0
#: After how long PostgreSQL ends a transaction whose process does nothing any more (it is stopped, or its machine is
#: gone): the locks that it holds keep others waiting, who wait a little longer than that.
IDLE_SECONDS = 8.0

#: How long a writer waits for another one (seconds). SQLite has one writer at a time; a first sync's commit takes
#: milliseconds, a delivery of a large message perhaps a second.
BUSY_SECONDS = 10.0


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Database:
    """`read()` and `write()` give a connection in a transaction; `write()` commits at the end and rolls back on errors.

    On SQLite a writer begins IMMEDIATE: one that reads first and then wants to write could otherwise meet "database is
    locked" without ever waiting.
    """

    def __init__(self, url: str, connections: int = CONNECTIONS, *, patient: bool = False) -> None:
        """`connections` at most at a time, where it is not SQLite; they are kept. `patient`: a statement may take as
        long as it takes."""
        self.url = url
        self.engine: AsyncEngine = create_async_engine(url, **_options(url, connections, patient))
        if self.engine.dialect.name == "sqlite":
            _prepare_sqlite(self.engine)
        elif self.engine.driver == "asyncpg":
            _prepare_asyncpg(self.engine)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """All statements see one state. SQLite does so by itself; PostgreSQL would show each what was committed just
        before it."""
        async with self.engine.connect() as connection:
            if self.engine.dialect.name == "postgresql":
                connection = await connection.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        async with self.engine.connect() as connection:
            connection = await connection.execution_options(eas_writes=True)
            async with connection.begin():
                yield connection

    async def close(self) -> None:
        await self.engine.dispose()


def _options(url: str, connections: int, patient: bool) -> dict[str, Any]:
    kind = make_url(url)
    if kind.get_backend_name() == "sqlite":
        return {}
    options: dict[str, Any] = {"pool_size": connections, "max_overflow": 0, "pool_timeout": FREE_SECONDS}
    if kind.get_driver_name() == "asyncpg":
        waits = {"lock_timeout": BUSY_SECONDS, "idle_in_transaction_session_timeout": IDLE_SECONDS}
        settings = {} if patient else {name: str(int(seconds * 1000)) for name, seconds in waits.items()}
        options["connect_args"] = {
            "timeout": CONNECT_SECONDS, "command_timeout": None if patient else STATEMENT_SECONDS,
            "server_settings": {"application_name": "eas-gateway", **settings},
        }
    return options


def _prepare_asyncpg(engine: AsyncEngine) -> None:
    """Connections that the server has closed (it was restarted, say) are not handed out. The driver has seen that they
    are, so it costs nothing to ask; a question to the server would cost every transaction one trip more."""

    @event.listens_for(engine.sync_engine, "checkout")
    def _checkout(connection: Any, record: Any, proxy: Any) -> None:
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError


def _prepare_sqlite(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        # The driver must not begin transactions by itself; `_begin` does.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        writes = connection.get_execution_options().get("eas_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
