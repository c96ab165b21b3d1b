"""The rows of a database into a file, all as they were in one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select

from .archive import Summary, TableShape, Writer
from .shapes import counters, table_of

#: Rows that are in memory at once: of tables with octets in them, of which one row may have megabytes, and of others.
_FEW, _MANY = 16, 500

#: Is told of every so many rows: the table, and how many of it are written.
Told = Callable[[str, int], None]


def dump(connection: Connection, out: Writer, told: Told = lambda table, rows: None) -> Summary:
    """Inside a transaction that sees one state throughout (`Transactions.read`)."""
    for shape in out.header.tables:
        out.table(shape)
        told(shape.name, 0)
        for count, values in enumerate(_rows(connection, shape), 1):
            out.row(values)
            if count % _MANY == 0:
                told(shape.name, count)
    return out.end(counters(connection))


def _rows(connection: Connection, shape: TableShape) -> Iterator[Sequence[Any]]:
    """As they come: with a cursor on the server where there is one."""
    table = table_of(shape)
    at_once = _FEW if any(kind == "bytes" for _, kind in shape.columns) else _MANY
    yield from connection.execute(select(*table.c), execution_options={"yield_per": at_once})
