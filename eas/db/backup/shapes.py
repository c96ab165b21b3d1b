"""What tables a database has, as a file tells of them: asked of the database itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    inspect,
    text,
)
from sqlalchemy.types import BigInteger, TypeEngine

from .archive import TableShape

#: Where Alembic notes the revision: told in the header, and made anew by it.
VERSION_TABLE = "alembic_version"

#: The kind of a column by its type; a type comes before those that it is one of.
_KIND_OF: tuple[tuple[type[TypeEngine[Any]], str], ...] = (
    (LargeBinary, "bytes"), (DateTime, "moment"), (JSON, "json"), (Boolean, "bool"), (Integer, "int"),
    (Float, "float"), (String, "text"),
)
_TYPE_OF: Mapping[str, TypeEngine[Any]] = {
    "bytes": LargeBinary(), "moment": DateTime(timezone=True), "json": JSON(none_as_null=True), "bool": Boolean(),
    "int": BigInteger(), "float": Float(), "text": Text(),
}


def revision_of(connection: Connection) -> str | None:
    """None where the tables of the program have never been made."""
    if VERSION_TABLE not in inspect(connection).get_table_names():
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return found


def describe(connection: Connection) -> tuple[TableShape, ...]:
    """All tables but Alembic's, each after those that it refers to."""
    inspected = inspect(connection)
    names = [name for name, _ in inspected.get_sorted_table_and_fkc_names() if name not in (None, VERSION_TABLE)]
    return tuple(
        TableShape(
            name=name, columns=tuple((one["name"], _kind(name, one)) for one in inspected.get_columns(name))
        )
        for name in names if name is not None
    )


def _kind(table: str, column: Any) -> str:
    for known, kind in _KIND_OF:
        if isinstance(column["type"], known):
            return kind
    raise TypeError(f"{table}.{column['name']}: no kind is known for {column['type']!r}")


def table_of(shape: TableShape) -> Table:
    """To select from and insert into. Texts are what they are, whatever collation they are compared in."""
    return Table(shape.name, MetaData(), *(Column(name, _TYPE_OF[kind]) for name, kind in shape.columns))


def counters(connection: Connection) -> dict[str, int]:
    """The highest number that the database has given out for the rows of a table, where it remembers that."""
    if connection.dialect.name == "sqlite":
        if not connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")).first():
            return {}
        return {row.name: int(row.seq) for row in connection.execute(text("SELECT name, seq FROM sqlite_sequence"))}
    found = {}
    for table, (_, sequence) in sequences(connection).items():
        row = connection.execute(text(f"SELECT last_value, is_called FROM {sequence}")).one()
        found[table] = int(row.last_value) if row.is_called else 0
    return found


def sequences(connection: Connection) -> dict[str, tuple[str, str]]:
    """Of PostgreSQL: by table, the column that is counted up and the name of its sequence, ready for a statement."""
    rows = connection.execute(text(
        "SELECT c.relname AS table_name, a.attname AS column_name, d.refobjsubid, s.oid::regclass::text AS sequence"
        " FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.deptype IN ('a', 'i')"
        " JOIN pg_class c ON c.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid"
        " WHERE s.relkind = 'S' AND c.relnamespace = current_schema()::regnamespace"
    ))
    return {row.table_name: (row.column_name, row.sequence) for row in rows}
