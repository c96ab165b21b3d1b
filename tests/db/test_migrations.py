"""A database that was migrated has the tables that the program speaks of, however often and by whomever it was."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_mock_engine, text
from sqlalchemy.dialects import postgresql

import eas.backends.embedded.tables
import eas.backends.standards.tables
import eas.db
import eas.store.tables
from eas.db import Base, Database, migrations
from eas.db.migrations import MigrationError, draft, migrate, newest


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(f"sqlite+aiosqlite:///{tmp_path}/eas.db")
    yield made
    await made.close()


async def test_the_migrated_tables_are_those_of_the_models(database: Database) -> None:
    await migrate(database)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, Base.metadata))

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_what_is_said_to_sqlite_alone_is_migrated_too(database: Database, tmp_path: Path) -> None:
    """WITHOUT ROWID and AUTOINCREMENT, which a comparison of models does not see."""
    await migrate(database)
    created = Database(f"sqlite+aiosqlite:///{tmp_path}/created.db")
    async with created.write() as connection:
        await connection.run_sync(Base.metadata.create_all)
    by_models, by_migration = await _schema(created), await _schema(database)
    by_migration.pop("alembic_version")
    assert by_migration == by_models
    await created.close()


async def _schema(database: Database) -> dict[str, list[str]]:
    """The statements by name, their lines in order."""
    async with database.read() as connection:
        rows = await connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL"))
        found = {row.name: row.sql for row in rows}
    return {
        # A table that a migration wrote anew has its name in quotes.
        name: sorted(
            re.sub(r'^CREATE TABLE "(\w+)"', r"CREATE TABLE \1", re.sub(r"\s+", " ", line)).strip(" ,")
            for line in sql.splitlines() if line.strip()
        )
        for name, sql in found.items()
        if not name.startswith("sqlite_")
    }


async def test_every_constraint_has_a_name(database: Database) -> None:
    """Else a later revision could not speak of it on every database."""
    await migrate(database)
    for name, lines in (await _schema(database)).items():
        for line in lines:
            if re.match(r"(PRIMARY KEY|UNIQUE|FOREIGN KEY|CHECK)", line):
                pytest.fail(f"{name}: {line}")


async def test_a_second_migration_changes_nothing(database: Database) -> None:
    await migrate(database)
    async with database.write() as connection:
        await connection.execute(text(
            "INSERT INTO policy (name, settings, enforced, allow_partial, allow_external, allow_password_recovery)"
            " VALUES ('p', '{}', 0, 0, 0, 0)"
        ))
    before = await _schema(database)
    await migrate(database)
    assert await _schema(database) == before
    async with database.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM policy")) == 1
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == newest()


async def test_several_may_start_at_once(tmp_path: Path) -> None:
    databases = [Database(f"sqlite+aiosqlite:///{tmp_path}/eas.db") for _ in range(4)]
    await asyncio.gather(*[migrate(database) for database in databases])
    async with databases[3].read() as connection:
        assert list(await connection.scalars(text("SELECT version_num FROM alembic_version"))) == [newest()]
    for database in databases:
        await database.close()


async def test_a_database_of_a_newer_version_is_left_alone(database: Database) -> None:
    await migrate(database)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'f00d'"))
    before = await _schema(database)
    with pytest.raises(MigrationError, match=r"newer version.*f00d"):
        await migrate(database)
    assert await _schema(database) == before


async def test_a_migration_that_fails_leaves_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """DDL is part of the transaction, also on SQLite."""
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE sync_state (n INTEGER)"))
    with pytest.raises(MigrationError, match="sync_state already exists"):
        await migrate(database)
    assert set(await _schema(database)) == {"sync_state"}


async def test_a_database_that_stays_locked_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eas.db, "BUSY_SECONDS", 0.01)
    monkeypatch.setattr(migrations, "TRIES", 1)
    holder, waiter = [Database(f"sqlite+aiosqlite:///{tmp_path}/eas.db") for _ in range(2)]
    async with holder.write():
        with pytest.raises(MigrationError, match="locked"):
            await migrate(waiter)
    await migrate(waiter)
    await holder.close()
    await waiter.close()


async def test_a_draft_knows_what_has_changed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a copy of the revisions, with a table removed behind their back."""
    await migrate(database)
    async with database.write() as connection:
        await connection.execute(text("DROP TABLE sync_state"))
    shutil.copytree(Path(migrations.__file__).parent, tmp_path / "migrations")
    monkeypatch.setattr(migrations, "__file__", str(tmp_path / "migrations" / "__init__.py"))
    before = newest()
    path = await draft(database, "put it back", "9999")
    assert path.name == "9999_put_it_back.py"
    drafted = path.read_text()
    assert "op.create_table('sync_state'" in drafted
    assert f"down_revision = '{before}'" in drafted
    assert "device" not in re.findall(r"create_table\('(\w+)'", drafted)
    compile(drafted, str(path), "exec")


def test_the_revisions_are_in_the_package() -> None:
    """pyproject.toml lists what is not Python."""
    files = resources.files("eas.db.migrations")
    assert (files / "script.py.mako").is_file()
    assert (files / "env.py").is_file()
    assert (files / "versions" / "0001_first.py").is_file()


def test_the_tables_can_be_made_on_postgresql() -> None:
    """Every type and name has a form there; nothing is run."""
    statements: list[str] = []
    engine = create_mock_engine(
        "postgresql+psycopg://", lambda sql, *rest: statements.append(str(sql.compile(dialect=postgresql.dialect())))
    )
    Base.metadata.create_all(engine, checkfirst=False)
    tables = " ".join(statements)
    assert "number BIGSERIAL NOT NULL" in tables
    assert "TIMESTAMP WITH TIME ZONE" in tables
    assert all(len(name) <= 63 for name in re.findall(r"CONSTRAINT (\w+)", tables))
