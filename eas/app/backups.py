"""Backups of a site: made while it runs, looked through, and put back while nobody does.

Nothing here builds a server: a backup must not bring the tables up on which an older one may still work, and a restore
begins with whatever is there, which may be nothing, or of a newer version.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection

from eas.admin import restored
from eas.admin.doubts import doubt
from eas.config import Settings
from eas.db import Database
from eas.db.backup import Damaged, Header, NotEmpty, NotOurs, Reader, Unfit, Writer, describe, dump, fill
from eas.db.backup.archive import Summary
from eas.db.backup.shapes import revision_of
from eas.db.failures import FAILURES, failure_of, reason
from eas.db.migrations import LOCK, knows
from eas.db.serving import InUse, alone, take_alone
from eas.db.transactions import Transactions, transactions

from .building import RELEASE
from .meanings import ANCHORS

#: Is told of the table at work, and how many of its rows are done.
Told = Callable[[str, int], None]


class BackupError(Exception):
    """Why there is no backup, or why it was not put back; the text is for people. Nothing has been changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a backup has in it."""

    header: Header
    summary: Summary

    def as_json(self) -> dict[str, Any]:
        header, rows = self.header, self.summary.rows
        return {
            "at": header.at.isoformat(timespec="seconds"), "release": header.release, "revision": header.revision,
            "database": header.database, "users": rows.get("gw_user", 0), "devices": rows.get("device", 0),
            "rows": sum(rows.values()), "tables": {name: count for name, count in rows.items() if count},
            "not_in_it": list(header.beside),
        }


def beside(settings: Settings, config: Path | None) -> tuple[str, ...]:
    """What else belongs to a site and is in no database."""
    files = (config, settings.data / ANCHORS, settings.tls.cert, settings.tls.key)
    return tuple(str(path.absolute()) for path in files if path is not None and path.exists())


async def back_up(
    settings: Settings, out: IO[bytes], *, beside: tuple[str, ...] = (), told: Told = lambda table, rows: None
) -> Contents:
    """Write what the database holds in this moment, whoever works on it. Raises BackupError, OSError."""
    async with _opened(settings) as (database, run):
        kind = database.engine.dialect.name
        if kind == "sqlite" and not _sqlite_file(database).exists():
            raise BackupError(f"there is no database {_sqlite_file(database)}")

        def work(connection: Connection) -> Contents:
            revision = revision_of(connection)
            if revision is None:
                raise BackupError("there is nothing in this database")
            header = Header(
                release=RELEASE, revision=revision, at=datetime.now(UTC), database=kind,
                tables=describe(connection), beside=beside,
            )
            return Contents(header=header, summary=dump(connection, Writer(out, header), told))

        with _in_words():
            return await run.read(_once(work))


def examine(source: IO[bytes]) -> Contents:
    """Read a backup whole. Raises BackupError."""
    try:
        reader = Reader(source)
        for _ in reader.rows():
            pass
    except Damaged as error:
        raise BackupError(str(error)) from error
    assert reader.summary is not None
    return Contents(header=reader.header, summary=reader.summary)


async def restore(
    settings: Settings, source: IO[bytes], *, replace: bool = False, moved: bool = False,
    told: Told = lambda table, rows: None,
) -> Contents:
    """Put a backup into the database, in one transaction. `moved`: nothing has happened since it was made; else what it
    cannot know of is allowed for. Raises BackupError: then all is as it was before."""
    try:
        reader = Reader(source)
    except Damaged as error:
        raise BackupError(str(error)) from error
    header = reader.header
    if not knows(header.revision):
        raise BackupError(
            f"the backup was made by a newer version of this program ({header.release}, tables {header.revision}): "
            "restore it with that one"
        )
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)

    def work(connection: Connection) -> Contents:
        take_alone(connection)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        summary = fill(connection, reader, replace=replace, told=told)
        if not moved:
            doubt(connection, header.at, relayed=bool(settings.smarthost.host))
            restored.prepare(connection)
        return Contents(header=header, summary=summary)

    async with _opened(settings) as (database, run):
        with _in_words(), alone(database):
            return await run.write(_once(work))


def _once(work: Callable[[Connection], Contents]) -> Callable[[Connection], Contents]:
    """A file is read and written once: what the database undid is not tried again. And it takes its time, while the
    database may wait for a slow disk or line at the other end."""
    begun: list[bool] = []

    def unhurried(connection: Connection) -> Contents:
        if begun:
            raise BackupError("the database was lost, or undid what was done, in the middle")
        begun.append(True)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout TO 0")
        return work(connection)

    return unhurried


_WORDS: Mapping[type[Exception], str] = {
    NotEmpty: "the database is not empty ({}): --replace has what is in it removed",
    NotOurs: "the database has tables of another program: {}",
    Unfit: "the backup does not fit: {}",
}


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (Damaged, InUse) as error:
        raise BackupError(str(error)) from error
    except tuple(_WORDS) as error:
        raise BackupError(_WORDS[type(error)].format(error)) from error
    except FAILURES as error:
        if failure_of(error) is None:
            raise
        raise BackupError(f"database: {reason(error)}") from error


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Database, Transactions]]:
    database = Database(settings.database_url)
    run = transactions(database)
    try:
        yield database, run
    finally:
        await run.close()
        await database.close()


def _sqlite_file(database: Database) -> Path:
    return Path(str(database.engine.url.database))
