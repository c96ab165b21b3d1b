"""A file back into a database: tables made as they were, filled, and brought to their present shape.

All of it is one transaction: whatever goes wrong, and wherever the process dies, the database is what it was before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Table, insert, text
from sqlalchemy.exc import DBAPIError

from eas.db.failures import failure_of, reason
from eas.db.migrations import newest, upgrade

from .archive import Reader, Summary, TableShape
from .dump import Told
from .shapes import VERSION_TABLE, describe, revision_of, sequences, table_of

#: What is inserted together: rows, and their octets about.
_ROWS, _OCTETS = 500, 4 << 20


class Unfit(Exception):
    """The file does not fit the tables that this program makes, or holds what this kind of database does not take."""


class NotEmpty(Exception):
    """There are rows in the database, which were to be replaced only if that was said."""


class NotOurs(Exception):
    """The database has tables, but not those of this program."""


def fill(
    connection: Connection, source: Reader, *, replace: bool = False, told: Told = lambda table, rows: None
) -> Summary:
    """Inside a transaction that writes. The tables come at the file's revision, which the caller has seen to be a known
    one, and are brought up once they are filled. Raises Damaged, Unfit, NotEmpty, NotOurs."""
    _clear(connection, replace)
    upgrade(connection, source.header.revision)
    _compare(describe(connection), source.header.tables)
    for shape, rows in groupby(source.rows(), key=lambda pair: pair[0]):
        _insert(connection, shape, (values for _, values in rows), told)
    assert source.summary is not None
    _set_counters(connection, source.summary.counters)
    if source.header.revision != newest():
        upgrade(connection, newest())
    return source.summary


def _clear(connection: Connection, replace: bool) -> None:
    there = describe(connection)
    if there and revision_of(connection) is None:
        raise NotOurs(", ".join(shape.name for shape in there[:5]))
    if not replace:
        for shape in there:
            if connection.execute(text(f'SELECT 1 FROM "{shape.name}" LIMIT 1')).first() is not None:
                raise NotEmpty(shape.name)
    if connection.dialect.name == "sqlite":
        # Else what is dropped is looked through for what would refer to it, row by row.
        connection.execute(text("PRAGMA defer_foreign_keys=ON"))
    for name in (*(shape.name for shape in reversed(there)), VERSION_TABLE):
        connection.execute(text(f'DROP TABLE IF EXISTS "{name}"'))


def _compare(made: tuple[TableShape, ...], told: tuple[TableShape, ...]) -> None:
    here = {shape.name: dict(shape.columns) for shape in made}
    there = {shape.name: dict(shape.columns) for shape in told}
    if here != there:
        names = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
        raise Unfit(f"the tables of the backup are not those of its revision: {', '.join(names)}")


def _insert(connection: Connection, shape: TableShape, rows: Iterator[tuple[Any, ...]], told: Told) -> None:
    table, names = table_of(shape), [name for name, _ in shape.columns]
    moments = [name for name, kind in shape.columns if kind == "moment"]
    naive = connection.dialect.name == "sqlite"
    told(shape.name, 0)
    waiting: list[dict[str, Any]] = []
    octets = count = 0
    for values in rows:
        row = dict(zip(names, values, strict=True))
        for name in moments if naive else ():
            row[name] = _without_zone(row[name])
        waiting.append(row)
        octets += sum(len(value) for value in values if isinstance(value, str | bytes))
        if len(waiting) >= _ROWS or octets >= _OCTETS:
            count += _put(connection, table, waiting)
            told(shape.name, count)
            waiting, octets = [], 0
    if waiting:
        _put(connection, table, waiting)


def _without_zone(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC).replace(tzinfo=None)


def _put(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> int:
    try:
        connection.execute(insert(table), rows)
    except DBAPIError as error:
        if failure_of(error) is not None:
            raise
        raise Unfit(f"{table.name}: {reason(error)}") from error
    return len(rows)


def _set_counters(connection: Connection, known: Mapping[str, int]) -> None:
    """No number that was ever given out is given out again, also those of rows that are gone."""
    _SETTERS[connection.dialect.name](connection, known)


def _set_sqlite(connection: Connection, known: Mapping[str, int]) -> None:
    counted = connection.execute(text("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'"))
    for name in list(counted.scalars()):
        values = {"name": name, "seq": known.get(name, 0)}
        if not connection.execute(
            text("UPDATE sqlite_sequence SET seq = max(seq, :seq) WHERE name = :name"), values
        ).rowcount:
            connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"), values)


def _set_postgresql(connection: Connection, known: Mapping[str, int]) -> None:
    for table, (column, sequence) in sequences(connection).items():
        highest = connection.execute(text(f'SELECT coalesce(max("{column}"), 0) FROM "{table}"')).scalar_one()
        last = max(int(highest), known.get(table, 0))
        connection.execute(
            text("SELECT setval(cast(:sequence AS regclass), :last, :called)"),
            {"sequence": sequence, "last": max(last, 1), "called": last > 0},
        )


_SETTERS: Mapping[str, Callable[[Connection, Mapping[str, int]], None]] = {
    "sqlite": _set_sqlite, "postgresql": _set_postgresql,
}
