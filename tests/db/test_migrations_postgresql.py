"""The migrations on PostgreSQL: from nothing, and upon what earlier versions have written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from groupware.postgresql import Postgresql
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

import eas.backends.embedded.tables
import eas.backends.standards.tables
import eas.store.tables  # noqa: F401
from eas.db import Base, Database
from eas.db.failures import Failure, failure_of
from eas.db.migrations import MigrationError, config, migrate, newest
from eas.db.transactions import transactions


@pytest.fixture
async def database(postgresql: Postgresql) -> AsyncIterator[Database]:
    made = Database(postgresql.new_database())
    yield made
    await made.close()


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, Base.metadata))


def collations(connection: Connection) -> set[tuple[str, str]]:
    """(table, column) of texts that are sorted by code points."""
    rows = connection.execute(text(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND collation_name = 'C'"
    ))
    return {(row.table_name, row.column_name) for row in rows}


def to(revision: str, connection: Connection) -> None:
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, revision)


async def test_the_migrated_tables_are_those_of_the_models(database: Database) -> None:
    await migrate(database)
    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
        found = await connection.run_sync(collations)
    wanted = {
        (table.name, column.name) for table in Base.metadata.tables.values() for column in table.columns
        if getattr(column.type.dialect_impl(database.engine.dialect), "collation", None) == "C"
    }
    assert found == wanted
    assert ("std_member", "login") in found


async def test_each_revision_stands_upon_those_before(database: Database) -> None:
    """With data in it, as it would be on a site that goes from version to version."""
    first, *others = reversed([one.revision for one in ScriptDirectory.from_config(config()).walk_revisions()])
    for revision in (first, *others[:-1]):
        async with database.write() as connection:
            await connection.run_sync(lambda c, revision=revision: to(revision, c))
        if revision == first:
            async with database.write() as connection:
                await connection.run_sync(some_data)
    async with database.read() as connection:
        before = await connection.run_sync(everything)
    await migrate(database)
    await database.engine.dispose()  # "SELECT *" was prepared for other columns
    async with database.read() as connection:
        after = await connection.run_sync(everything)
        assert await connection.run_sync(differences) == []
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == newest()
    before.pop("alembic_version")
    assert before["gw_user"]
    kept = {
        name: [{column: row[column] for column in old} for row, old in zip(after[name], rows, strict=True)]
        for name, rows in before.items()
    }
    assert kept == before


def some_data(connection: Connection) -> None:
    """A row in every table, made out of the types of its columns; references are to the one row that there is."""
    inspected = inspect(connection)
    for name in inspected.get_sorted_table_and_fkc_names():
        table = name[0]
        if table is None or table == "alembic_version":
            continue
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # no foreign keys
        values = {column["name"]: value_of(column["type"].python_type) for column in inspected.get_columns(table)}
        names = ", ".join(f'"{one}"' for one in values)
        connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(values.values())})"))


def value_of(kind: type) -> str:
    known = {
        int: "1", float: "1", str: "'x'", bool: "true", bytes: r"'\x00ff'::bytea", object: "'{}'",
        datetime: "timestamptz '2026-11-21 09:00Z'",
    }
    return known[kind]


def everything(connection: Connection) -> dict[str, list[dict[str, object]]]:
    return {
        name: [dict(row._mapping) for row in connection.execute(text(f"SELECT * FROM {name}"))]
        for name in inspect(connection).get_table_names()
    }


async def test_several_may_start_at_once(postgresql: Postgresql) -> None:
    url = postgresql.new_database()
    databases = [Database(url) for _ in range(4)]
    await asyncio.gather(*[migrate(database) for database in databases])
    async with databases[3].read() as connection:
        assert list(await connection.scalars(text("SELECT version_num FROM alembic_version"))) == [newest()]
    for database in databases:
        await database.close()


async def test_a_database_of_a_newer_version_is_left_alone(database: Database) -> None:
    await migrate(database)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'f00d'"))
    with pytest.raises(MigrationError, match=r"newer version.*f00d"):
        await migrate(database)


async def test_a_migration_that_fails_leaves_nothing(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE sync_state (n INTEGER)"))
    with pytest.raises(MigrationError, match='"sync_state" already exists'):
        await migrate(database)
    async with database.read() as connection:
        assert await connection.run_sync(lambda c: inspect(c).get_table_names()) == ["sync_state"]


async def test_a_server_that_is_not_there_is_named_in_a_line(postgresql: Postgresql) -> None:
    for url, told in (
        (postgresql.url("nowhere"), 'database "nowhere" does not exist'),
        (f"postgresql+asyncpg://eas@/eas?host={postgresql.path}/nothing", "No such file"),
    ):
        database = Database(url)
        with pytest.raises(MigrationError, match=told):
            await migrate(database)
        await database.close()


async def test_a_read_sees_one_state(database: Database) -> None:
    """Else a device that is told "up to here" misses what was committed between two statements."""
    await migrate(database)
    run = transactions(database)
    count = text("SELECT count(*) FROM policy")
    async with database.read() as reader:
        assert await reader.scalar(count) == 0
        await run.write(lambda c: c.execute(text(
            "INSERT INTO policy (name, settings, enforced, allow_partial, allow_external, allow_password_recovery)"
            " VALUES ('p', '{}', false, false, false, false)"
        )))
        assert await reader.scalar(count) == 0
    async with database.read() as reader:
        assert await reader.scalar(count) == 1
    # What the connections were made to do ends with the transaction.
    waits = text("SHOW synchronous_commit")
    assert await run.write(lambda c: c.execute(waits).scalar_one(), lasting=False) == "off"
    assert await run.write(lambda c: c.execute(waits).scalar_one()) == "on"
    assert await run.write(lambda c: c.execute(text("SHOW transaction_isolation")).scalar_one()) == "read committed"
    await run.close()


async def test_failures_are_told_from_mistakes(postgresql: Postgresql) -> None:
    database = Database(postgresql.new_database())

    async def fails(statement: str) -> Failure | None:
        with pytest.raises(DBAPIError) as raised:
            async with database.write() as connection:
                await connection.execute(text(statement))
        return failure_of(raised.value)

    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE thing (n INTEGER PRIMARY KEY, t VARCHAR(3))"))
        await connection.execute(text("INSERT INTO thing VALUES (1, 'one')"))
    assert await fails("INSERT INTO thing VALUES (1, 'two')") is None
    assert await fails("INSERT INTO thing VALUES (2, 'three')") is None
    assert await fails("SELECT nothing FROM thing") is None
    assert await fails("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$") is Failure.OVERTAKEN
    assert await fails("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$") is Failure.FULL
    assert await fails("DO $$ BEGIN RAISE SQLSTATE '53300'; END $$") is Failure.BUSY
    assert await fails("SELECT pg_terminate_backend(pg_backend_pid())") is Failure.AWAY
    async with database.read() as connection:  # over a new connection
        assert await connection.scalar(text("SELECT t FROM thing")) == "one"
    await database.close()
