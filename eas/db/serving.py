"""That servers work on a database: known to whoever wants it for himself, as a restore does.

Each process of a server holds a lock, shared with all others, which ends with the process however that ended: on
PostgreSQL an advisory lock on a connection of its own, on SQLite the lock of a file beside the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from eas.db import Database
from eas.db.failures import FAILURES, reason
from eas.db.migrations import MigrationError

log = structlog.get_logger("eas.serving")

#: Name the locks among PostgreSQL's advisory locks: "eas" in ASCII, and a number.
SERVING = 0x65617301
TIDYING = 0x65617302
#: Seconds between two looks at whether the connection still stands.
LOOK_SECONDS = 10.0


WORKING = "a server works on this database: stop all that do first"
RESTORING = "a backup is being restored into this database"


class InUse(MigrationError):
    """Servers work on the database; or, for a server, a backup is just being restored into it."""


class Serving:
    """Held by a server as long as it works. A connection that is lost is made anew, and the lock taken again."""

    def __init__(self, database: Database) -> None:
        self._engine: AsyncEngine | None = None
        self._file, self._open = lock_file(database), -1
        if database.engine.dialect.name == "postgresql":
            self._engine = create_async_engine(
                database.engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT"
            )
        self._connection: AsyncConnection | None = None
        self._watching: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Raises InUse, and MigrationError for a database that cannot be reached."""
        if self._file is not None:
            self._open = _locked(self._file, fcntl.LOCK_SH)
            if self._open < 0:
                raise InUse(RESTORING)
        if self._engine is None:
            return
        try:
            await self._take(self._engine)
        except FAILURES as error:
            raise MigrationError(f"database: {reason(error)}") from error
        self._watching = asyncio.create_task(self._watch(self._engine))

    async def end(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        await self._drop()
        if self._engine is not None:
            await self._engine.dispose()
        if self._open >= 0:
            os.close(self._open)
            self._open = -1

    async def _take(self, engine: AsyncEngine) -> None:
        connection = await engine.connect()
        if not (await connection.execute(
            text("SELECT pg_try_advisory_lock_shared(:name)"), {"name": SERVING}
        )).scalar():
            await connection.close()
            raise InUse(RESTORING)
        self._connection = connection

    async def _watch(self, engine: AsyncEngine) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                if self._connection is None:
                    await self._take(engine)
                    log.info("the database is there again")
                else:
                    await self._connection.execute(text("SELECT 1"))
            except (*FAILURES, InUse) as error:
                log.warning("the database is not held", reason=reason(error))
                await self._drop()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*FAILURES):
                await connection.close()


def lock_file(database: Database) -> Path | None:
    """Of a database that is a file."""
    path = database.engine.url.database
    if database.engine.dialect.name != "sqlite" or path in (None, "", ":memory:"):
        return None
    return Path(f"{path}-serving")


def _locked(file: Path, how: int) -> int:
    """The open file; -1 where somebody else stands in the way."""
    opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(opened, how | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(opened)
        return -1
    return opened


@contextlib.contextmanager
def alone(database: Database) -> Iterator[None]:
    """No server begins meanwhile on a database that is a file. Raises InUse while any works."""
    file = lock_file(database)
    if file is None:
        yield
        return
    opened = _locked(file, fcntl.LOCK_EX)
    if opened < 0:
        raise InUse(WORKING)
    try:
        yield
    finally:
        os.close(opened)


def take_alone(connection: Connection) -> None:
    """The same until the end of a transaction, on a database that is none."""
    if connection.dialect.name != "postgresql":
        return
    if not connection.execute(text("SELECT pg_try_advisory_xact_lock(:name)"), {"name": SERVING}).scalar():
        raise InUse(WORKING)


def alone_at_tidying(connection: Connection) -> bool:
    """Whether no other process of the site cleans up in this moment; until the end of the transaction none begins. On
    SQLite there is one writer anyway."""
    if connection.dialect.name != "postgresql":
        return True
    return bool(connection.execute(text("SELECT pg_try_advisory_xact_lock(:name)"), {"name": TIDYING}).scalar())
