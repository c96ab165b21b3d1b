"""Ids after a backup was put back: what was handed out since it was made is never handed out for anything else.

Counting goes on at the present moment in milliseconds, which no count comes up with: so the same backup can be put back
twice. Functions of a connection inside a transaction, while no server runs.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Connection, Table, case, func, literal, select, text, update
from sqlalchemy.orm import InstrumentedAttribute

from .codec import millis
from .tables import FolderRow

#: At least so much further; clocks may be wrong.
AT_LEAST = 1 << 20


def raise_folders(connection: Connection, at: datetime) -> int:
    """The first folder number that may have been handed out in the lost time."""
    return raise_numbers(connection, FolderRow.__table__, "id", at)  # type: ignore[arg-type]


def raise_items(connection: Connection, at: datetime) -> None:
    connection.execute(update(FolderRow).values(next_item=raised_count(FolderRow.next_item, at)))


def next_items(connection: Connection, folders: Collection[int]) -> dict[int, int]:
    """By folder, the first id that may have been handed out in the lost time; before they are raised."""
    statement = select(FolderRow.id, FolderRow.next_item).where(FolderRow.id.in_(folders))
    return dict(connection.execute(statement).all())


def raised_count(count: InstrumentedAttribute[int], at: datetime) -> ColumnElement[int]:
    present = literal(millis(at), BigInteger)
    return case((count + AT_LEAST > present, count + AT_LEAST), else_=present)


def raise_numbers(connection: Connection, table: Table, column: str, at: datetime) -> int:
    """Let the database count on from there; the number that it would have given next."""
    highest = connection.execute(select(func.max(table.c[column]))).scalar() or 0
    if connection.dialect.name == "sqlite":
        return _raise_sqlite(connection, table.name, highest, at)
    sequence = connection.execute(select(func.pg_get_serial_sequence(table.name, column))).scalar_one()
    # The name is the database's own word, quoted as it wants it.
    last, called = connection.execute(text(f"SELECT last_value, is_called FROM {sequence}")).one()
    first = max(highest, last if called else last - 1) + 1
    connection.execute(select(func.setval(sequence, max(first + AT_LEAST, millis(at)))))
    return int(first)


def _raise_sqlite(connection: Connection, table: str, highest: int, at: datetime) -> int:
    named = {"name": table}
    last = connection.execute(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), named).scalar()
    first = max(highest, last or 0) + 1
    connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), named)
    values = {**named, "seq": max(first + AT_LEAST, millis(at))}
    connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"), values)
    return int(first)
