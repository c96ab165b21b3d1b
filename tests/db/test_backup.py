"""A database as a file, and back: between all kinds, from older revisions, into what is not empty, interrupted."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from groupware.postgresql import Postgresql
from sqlalchemy import Connection, insert, inspect, select, text

import eas.backends.embedded.tables
import eas.backends.standards.tables  # noqa: F401
from eas.db import Base, Database
from eas.db.backup import Damaged, Header, NotEmpty, NotOurs, Reader, Unfit, Writer, describe, dump, fill
from eas.db.backup.archive import Summary
from eas.db.migrations import newest, upgrade
from eas.db.transactions import Transactions, transactions
from eas.store.tables import intent

AT = datetime(2026, 11, 21, 11, 0, 0, 123456, tzinfo=UTC)
KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.server)]

Open = Callable[[str], Transactions]


@pytest.fixture
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Makes empty databases of a kind."""
    made: list[tuple[Database, Transactions]] = []

    def make(kind: str) -> Transactions:
        url = (
            request.getfixturevalue("postgresql").new_database() if kind == "postgresql"
            else f"sqlite+aiosqlite:///{tmp_path}/{len(made)}.db"
        )
        database = Database(url)
        made.append((database, transactions(database)))
        return made[-1][1]

    yield make
    for database, run in made:
        await run.close()
        await database.close()


def backup(connection: Connection) -> bytes:
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    out = io.BytesIO()
    header = Header(
        release="1", revision=revision, at=AT, database=connection.dialect.name, tables=describe(connection),
    )
    dump(connection, Writer(out, header))
    return out.getvalue()


def restore(connection: Connection, file: bytes, replace: bool = False) -> Summary:
    return fill(connection, Reader(io.BytesIO(file)), replace=replace)


#: By kind; texts and numbers are the same everywhere, so that what refers to another row finds it.
VALUES: dict[str, Any] = {
    "int": 7, "float": 0.25, "text": "Ä\U0001f4f1\"'\\", "bool": True, "bytes": bytes(range(256)), "moment": AT,
    "json": {"a": [1, None]},
}


def some_rows(connection: Connection) -> None:
    """One in every table."""
    kinds = {shape.name: dict(shape.columns) for shape in describe(connection)}
    for table in Base.metadata.sorted_tables:
        values = {column.name: VALUES[kinds[table.name][column.name]] for column in table.columns}
        connection.execute(insert(table).values(values))


def everything(connection: Connection) -> dict[str, list[Any]]:
    return {
        table.name: sorted(map(repr, connection.execute(select(table)))) for table in Base.metadata.sorted_tables
    }


@pytest.mark.parametrize("into", KINDS)
@pytest.mark.parametrize("kind", KINDS)
async def test_every_table_comes_back_as_it_was(opened: Open, kind: str, into: str) -> None:
    source, target = opened(kind), opened(into)
    await source.write(lambda c: upgrade(c, "head"))
    await source.write(some_rows)
    before = await source.read(everything)
    file = await source.read(backup)
    summary = await target.write(lambda c: restore(c, file))
    assert all(count == 1 for count in summary.rows.values())
    assert len(summary.rows) == len(Base.metadata.tables)
    assert await target.read(everything) == before
    assert await target.read(lambda c: c.execute(text("SELECT version_num FROM alembic_version")).scalar()) == newest()
    again = await target.read(backup)
    assert sorted(map(repr, Reader(io.BytesIO(again)).rows())) == sorted(map(repr, Reader(io.BytesIO(file)).rows()))


@pytest.mark.parametrize(("kind", "into"), [
    ("sqlite", "sqlite"), *(pytest.param(*pair, marks=pytest.mark.server) for pair in (
        ("sqlite", "postgresql"), ("postgresql", "sqlite")
    )),
])
async def test_no_number_is_given_out_twice(opened: Open, kind: str, into: str) -> None:
    """Also not one whose row is gone, and not where a table is empty."""
    source, target = opened(kind), opened(into)
    await source.write(lambda c: upgrade(c, "head"))
    await source.write(some_rows)

    def numbered(connection: Connection) -> int:
        there = dict(connection.execute(select(intent)).first()._mapping)  # type: ignore[union-attr]
        new = {**there, "digest": uuid4().hex}
        values = {name: value for name, value in new.items() if name != "id"}
        return int(connection.execute(insert(intent).values(values).returning(intent.c.id)).scalar_one())

    def with_gap(connection: Connection) -> int:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT setval(pg_get_serial_sequence('intent', 'id'), 7)"))
        last = numbered(connection)
        connection.execute(text("DELETE FROM intent WHERE id = :id"), {"id": last})
        return last

    last = await source.write(with_gap)
    file = await source.read(backup)
    await target.write(lambda c: restore(c, file))
    assert await target.write(numbered) == last + 1


async def test_a_long_value_comes_back(opened: Open) -> None:
    source, target = opened("sqlite"), opened("sqlite")
    await source.write(lambda c: upgrade(c, "head"))
    await source.write(some_rows)
    octets = bytes(range(256)) * (12 << 10)  # 3 MB
    statement = text("UPDATE gw_content SET data = :data, search = :text")
    await source.write(lambda c: c.execute(statement, {"data": octets, "text": "Ä" * 700_000}))
    file = await source.read(backup)
    await target.write(lambda c: restore(c, file))
    row = await target.read(lambda c: c.execute(text("SELECT data, search FROM gw_content")).one())
    assert (row.data, row.search) == (octets, "Ä" * 700_000)


@pytest.mark.parametrize("into", KINDS)
async def test_a_backup_of_an_older_version_is_brought_up(opened: Open, into: str) -> None:
    source, target = opened("sqlite"), opened(into)

    def old(connection: Connection) -> None:
        upgrade(connection, "0002")
        connection.execute(text(
            "INSERT INTO device (user_id, id, type, row, agent, version, information, policy_key, policy_digest,"
            " offered_key, offered_digest, recovery_password, wipe, access, ping_folders, ping_heartbeat,"
            " remembered_sync) VALUES ('u', 'PHONE', 't', 3, '', '', '{}', '', '', '', '', '', 'none', 'allowed',"
            " '[]', 0, x'00')"
        ))

    await source.write(old)
    file = await source.read(backup)
    assert Reader(io.BytesIO(file)).header.revision == "0002"
    await target.write(lambda c: restore(c, file))
    shape = await target.read(describe)
    fresh = opened(into)
    await fresh.write(lambda c: upgrade(c, "head"))
    assert shape == await fresh.read(describe)
    row = await target.read(lambda c: c.execute(text("SELECT id, row, wipe_account_only FROM device")).one())
    assert (row.id, row.row, bool(row.wipe_account_only)) == ("PHONE", 3, False)


@pytest.mark.parametrize("into", KINDS)
async def test_what_goes_wrong_leaves_the_database_as_it_was(opened: Open, into: str) -> None:
    target = opened(into)
    await target.write(lambda c: upgrade(c, "head"))
    await target.write(some_rows)
    before = await target.read(everything)
    file = await target.read(backup)

    with pytest.raises(NotEmpty):
        await target.write(lambda c: restore(c, file))
    for cut in (len(file) - 1, len(file) - 40, len(file) // 2):
        with pytest.raises(Damaged):
            await target.write(lambda c, cut=cut: restore(c, file[:cut], replace=True))
        assert await target.read(everything) == before
    await target.write(lambda c: restore(c, file, replace=True))
    assert await target.read(everything) == before


async def test_a_database_of_others_is_left_alone(opened: Open) -> None:
    source, target = opened("sqlite"), opened("sqlite")
    await source.write(lambda c: upgrade(c, "head"))
    file = await source.read(backup)
    await target.write(lambda c: c.execute(text("CREATE TABLE accounts (n INTEGER)")))
    with pytest.raises(NotOurs, match="accounts"):
        await target.write(lambda c: restore(c, file, replace=True))
    assert await target.read(lambda c: inspect(c).get_table_names()) == ["accounts"]


async def test_tables_that_the_revision_does_not_have_are_named(opened: Open) -> None:
    source, target = opened("sqlite"), opened("sqlite")
    await source.write(lambda c: upgrade(c, "head"))
    await source.write(lambda c: c.execute(text("ALTER TABLE policy ADD COLUMN colour VARCHAR")))
    file = await source.read(backup)
    with pytest.raises(Unfit, match="policy"):
        await target.write(lambda c: restore(c, file))
    assert await target.read(lambda c: inspect(c).get_table_names()) == []


@pytest.mark.server
async def test_what_the_other_kind_does_not_take_is_told(opened: Open) -> None:
    """SQLite keeps any length, and zero octets in texts."""
    source = opened("sqlite")
    await source.write(lambda c: upgrade(c, "head"))
    await source.write(some_rows)
    await source.write(lambda c: c.execute(text("UPDATE gw_user SET name = :name"), {"name": "n" * 300}))
    file = await source.read(backup)
    target = opened("postgresql")
    with pytest.raises(Unfit, match=r"gw_user: .*too long"):
        await target.write(lambda c: restore(c, file))
    assert await target.read(lambda c: inspect(c).get_table_names()) == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_backup_is_of_one_moment(
    opened: Open, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """What others write while it goes on is in none of its tables."""
    source, target = opened(kind), opened("sqlite")
    await source.write(lambda c: upgrade(c, "head"))
    await source.write(some_rows)
    before = await source.read(everything)
    out, written = io.BytesIO(), []

    def write_something(table: str, rows: int) -> None:
        if written:
            return
        statement = "DELETE FROM gw_user; DELETE FROM device; DELETE FROM policy"
        if kind == "postgresql":
            server: Postgresql = request.getfixturevalue("postgresql")
            server.run(statement, server.made[-1])
        else:
            with closing(sqlite3.connect(tmp_path / "0.db")) as other:
                other.executescript("PRAGMA foreign_keys=ON;" + statement)
        written.append(table)

    def work(connection: Connection) -> None:
        header = Header(release="1", revision=newest(), at=AT, database=kind, tables=describe(connection))
        dump(connection, Writer(out, header), write_something)

    await source.read(work)
    assert written
    assert not (await source.read(everything))["gw_user"]
    await target.write(lambda c: restore(c, out.getvalue()))
    assert await target.read(everything) == before
