"""Ids after a backup was put back: what was handed out since it was made is never handed out for anything else.

Functions of a connection inside a transaction, while no server runs.
"""

from __future__ import annotations

from sqlalchemy import Connection, Table, func, select, text, update

from .tables import FolderRow

#: More than a folder gets items, and a site folders, between a backup and the day on which it is put back.
ITEMS = 1 << 24
FOLDERS = 1 << 20


def raise_ids(connection: Connection) -> int:
    """The first folder number that may have been handed out in the lost time."""
    connection.execute(update(FolderRow).values(next_item=FolderRow.next_item + ITEMS))
    return raise_numbers(connection, FolderRow.__table__, "id")  # type: ignore[arg-type]


def raise_numbers(connection: Connection, table: Table, column: str) -> int:
    """Let the database count on a good deal further up; the number that it would have given next."""
    highest = connection.execute(select(func.max(table.c[column]))).scalar() or 0
    if connection.dialect.name == "sqlite":
        return _raise_sqlite(connection, table.name, highest)
    sequence = connection.execute(select(func.pg_get_serial_sequence(table.name, column))).scalar_one()
    # The name is the database's own word, quoted as it wants it.
    last, called = connection.execute(text(f"SELECT last_value, is_called FROM {sequence}")).one()
    first = max(highest, last if called else last - 1) + 1
    connection.execute(select(func.setval(sequence, first + FOLDERS)))
    return int(first)


def _raise_sqlite(connection: Connection, table: str, highest: int) -> int:
    named = {"name": table}
    last = connection.execute(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), named).scalar()
    first = max(highest, last or 0) + 1
    connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), named)
    connection.execute(
        text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"), {**named, "seq": first + FOLDERS}
    )
    return int(first)
