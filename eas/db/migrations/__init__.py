"""Bringing a database to the present shape of the tables, at every start of the server.

Alembic, run from Python on a connection of ours: there is no ini file. A revision is a file in `versions`; it stands
for itself and imports no tables, so that it does the same for ever. There is no way back: a revision only adds what the
version before can live beside, and what nobody needs any more goes in a later one. `draft` begins a new one from the
difference between the tables that are imported and a database that `migrate` has made; read it before use.
"""

from __future__ import annotations

import asyncio
import random
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from eas.db import Database
from eas.db.failures import FAILURES, reason

#: Names our lock among PostgreSQL's advisory locks: "eas" in ASCII.
LOCK = 0x656173

#: Tries of a start while another process has the database locked, a second and a bit apart, beyond the time that the
#: database itself waits. A revision that copies a large table may take minutes.
TRIES = 60


class MigrationError(Exception):
    """The database cannot be brought to the present shape; the message says why."""


def config() -> Config:
    found = Config()
    found.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return found


@cache
def newest() -> str:
    """The revision that this version of the program needs. All its scripts are read for that, once."""
    head = ScriptDirectory.from_config(config()).get_current_head()
    assert head is not None
    return head


async def migrate(database: Database) -> None:
    """Create or alter the tables as far as needed, in one transaction.

    Any number of processes may do so at the same time: one does, the others wait and find it done. Raises
    MigrationError if the database was made by a newer version, stays locked, or cannot be reached.
    """
    if database.engine.dialect.name == "sqlite":
        return await _migrate(database)
    patient = Database(database.url, 1, patient=True)
    try:
        await _migrate(patient)
    finally:
        await patient.close()


async def _migrate(database: Database) -> None:
    for left in reversed(range(TRIES)):
        try:
            async with database.write() as connection:
                await connection.run_sync(_upgrade)
            return
        except FAILURES as error:
            if not left or not _is_locked(error):
                raise MigrationError(f"database: {reason(error)}") from error
        await asyncio.sleep(1 + random.random())


async def revision_of(database: Database) -> str:
    """Where the database stands. Raises what a database raises."""
    async with database.read() as connection:
        return str((await connection.execute(_VERSION)).scalar_one())


#: As Alembic keeps it.
_VERSION = text("SELECT version_num FROM alembic_version")


def _is_locked(error: Exception) -> bool:
    return isinstance(error, OperationalError) and "locked" in reason(error)


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:name)"), {"name": LOCK})
    if not _is_at(connection, newest()):
        upgrade(connection, "head")


def _is_at(connection: Connection, revision: str) -> bool:
    """Asked for first: Alembic reads all scripts again to find that there is nothing to do."""
    there = inspect(connection).has_table("alembic_version")
    return there and connection.execute(_VERSION).scalars().all() == [revision]


def upgrade(connection: Connection, revision: str) -> None:
    """Inside a transaction that writes. Raises MigrationError."""
    settings = config()
    settings.attributes["connection"] = connection
    try:
        command.upgrade(settings, revision)
    except CommandError as error:
        raise MigrationError(
            f"the database was made by a newer version of this program, or by another one ({error})"
        ) from error


def knows(revision: str) -> bool:
    """Whether this version of the program can make and bring up tables of a revision."""
    return revision in {one.revision for one in ScriptDirectory.from_config(config()).walk_revisions()}


async def draft(database: Database, message: str, identifier: str) -> Path:
    """Write a new revision into `versions`: what the imported tables have and this database, the newest, has not."""
    async with database.read() as connection:
        return await connection.run_sync(_draft, message, identifier)


def _draft(connection: Connection, message: str, identifier: str) -> Path:
    settings = config()
    settings.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    settings.attributes["connection"] = connection
    made = command.revision(settings, message, autogenerate=True, rev_id=identifier)
    assert made is not None
    assert not isinstance(made, list)
    return Path(made.path)
