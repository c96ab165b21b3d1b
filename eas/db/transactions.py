"""Whole transactions as plain functions: cheap where the database is a file.

An await on an asynchronous driver of SQLite is a trip to a thread and back, four for each statement: a transaction with
one SELECT costs over a millisecond of CPU time that way, 50 microseconds without. So what a transaction does is written
as a function of a synchronous connection, and this module takes the whole function to where it is run best:

- SQLite in a file: `write` in one thread with a connection of its own (SQLite has one writer at a time anyway, and a
  queue is fairer than polling for the lock), `read` in a few threads, `look` at once, in the event loop: in WAL mode a
  reader never waits for a writer. A `look` that cannot be had at once (a recovery, say) is done as a `read`.
- another database, or SQLite in memory: on a connection of the `Database`.

The functions get a connection inside a transaction, do not await, and do nothing but in the database: where several
processes write, a transaction that the database rolled back for another one's sake is run again, and so is a reading
one whose connection was lost. If the awaiting task is cancelled, a function that has begun runs to its end.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from . import BUSY_SECONDS, Database
from .failures import FAILURES, Failure, failure_of
from .measured import Measured, count_failure

if TYPE_CHECKING:
    from collections.abc import Iterator

R = TypeVar("R")

#: What only reads is tried again over another connection: that one may have been lost while it was idle. With it the
#: pool drops all from before, so that the write that follows has a good one.
READS_AGAIN = frozenset({Failure.AWAY, Failure.OVERTAKEN})
#: Nobody knows whether a write whose connection was lost has been committed.
WRITES_AGAIN = frozenset({Failure.OVERTAKEN})
#: At most between two tries, in seconds.
PAUSES = (0.05, 0.2, 0.5)

#: Threads that read beside the event loop. More than the disk and the cores can use only wait for each other.
READERS = 4


class Transactions(Protocol):
    async def look(self, do: Callable[[Connection], R]) -> R:
        """One or two selects by a unique index, of rows of a few kilobytes. Not for anything else: it may be run in the
        event loop."""
        ...

    async def read(self, do: Callable[[Connection], R]) -> R:
        """Any number of selects over one snapshot."""
        ...

    async def write(self, do: Callable[[Connection], R], *, lasting: bool = True) -> R:
        """Committed on return; rolled back, and raised, if the function raises. One at a time on SQLite; elsewhere
        several at once (READ COMMITTED): a row on which something depends is locked by an UPDATE before it is read.

        What is not `lasting` survives the end of the process, but not always a failure of the power, unless something
        lasting was written after it. It does not wait for the disk, which takes longer than all the rest."""
        ...

    async def close(self) -> None: ...


def transactions(database: Database) -> Transactions:
    url = database.engine.url
    in_file = database.engine.dialect.name == "sqlite" and url.database not in (None, "", ":memory:") and not url.query
    return Measured(_InThreads(str(url.database)) if in_file else _OnConnections(database))


class _OnConnections:
    """By the database's own driver. SQLite in memory has one connection, hence one transaction at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._single = asyncio.Lock() if database.engine.dialect.name == "sqlite" else None

    async def look(self, do: Callable[[Connection], R]) -> R:
        if self._single:
            return await self.read(do)
        return await _again(lambda: self._look(do), READS_AGAIN)

    async def read(self, do: Callable[[Connection], R]) -> R:
        if self._single is None:
            return await _again(lambda: self._read(do), READS_AGAIN)
        async with self._single:
            return await self._read(do)

    async def write(self, do: Callable[[Connection], R], *, lasting: bool = True) -> R:
        if self._single is None:
            return await _again(lambda: self._write(do, lasting), WRITES_AGAIN)
        async with self._single:
            return await self._write(do, lasting)

    async def _look(self, do: Callable[[Connection], R]) -> R:
        async with self._database.engine.connect() as connection:
            connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
            return await connection.run_sync(do)

    async def _read(self, do: Callable[[Connection], R]) -> R:
        async with self._database.read() as connection:
            return await connection.run_sync(do)

    async def _write(self, do: Callable[[Connection], R], lasting: bool) -> R:
        async with self._database.write() as connection:
            if not lasting and connection.dialect.name == "postgresql":
                await connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
            return await connection.run_sync(do)

    async def close(self) -> None:
        """The connections are the database's."""


async def _again(do: Callable[[], Awaitable[R]], after: frozenset[Failure]) -> R:
    """Several times where it fails so, with a little patience."""
    for seconds in PAUSES:
        try:
            return await do()
        except FAILURES as error:
            if failure_of(error) not in after:
                raise
            count_failure(error)
        await asyncio.sleep(seconds * random.random())
    return await do()


class _InThreads:
    """SQLite in a file. Engines and threads are made when they are first needed."""

    def __init__(self, path: str) -> None:
        self._engine = _sqlite(path, BUSY_SECONDS)
        self._at_once = _sqlite(path, 0.0)
        self._looking: Connection | None = None
        self._writer = ThreadPoolExecutor(1, "eas-write")
        self._readers = ThreadPoolExecutor(READERS, "eas-read")
        self._closed = False

    async def look(self, do: Callable[[Connection], R]) -> R:
        try:
            if self._looking is None:
                # Every statement is a transaction of its own, so that no snapshot is held between two looks.
                self._looking = self._at_once.connect().execution_options(isolation_level="AUTOCOMMIT")
            return do(self._looking)
        except OperationalError:
            if self._looking is not None:
                self._looking.close()
                self._looking = None
            return await self.read(do)

    async def read(self, do: Callable[[Connection], R]) -> R:
        return await self._run(self._readers, do, "BEGIN")

    async def write(self, do: Callable[[Connection], R], *, lasting: bool = True) -> R:
        # A writer that begins otherwise could read first and then meet "database is locked" without ever waiting.
        return await self._run(self._writer, do, "BEGIN IMMEDIATE", lasting)

    async def _run(
        self, where: ThreadPoolExecutor, do: Callable[[Connection], R], begin: str, lasting: bool = True
    ) -> R:
        def work() -> R:
            with (
                self._engine.connect() as connection, _synchronous(connection, lasting), _transaction(connection, begin)
            ):
                return do(connection)

        return await asyncio.get_running_loop().run_in_executor(where, work)

    async def close(self) -> None:
        """Lets what has begun come to its end."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        if self._looking is not None:
            self._looking.close()
        self._engine.dispose()
        self._at_once.dispose()


@contextmanager
def _synchronous(connection: Connection, full: bool) -> Iterator[None]:
    """For one transaction, around it: SQLite takes the pragma only outside of one."""
    if full:
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA synchronous=NORMAL").close()
    try:
        yield
    finally:
        driver.execute("PRAGMA synchronous=FULL").close()


@contextmanager
def _transaction(connection: Connection, begin: str) -> Iterator[None]:
    with connection.begin():
        connection.exec_driver_sql(begin)
        yield


def _sqlite(path: str, busy_seconds: float) -> Engine:
    """Set up as `Database` does it for its own connections."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": busy_seconds, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    return engine
