"""Rows of a database that another server has filled: out of a dump as text (MySQL and MariaDB, PostgreSQL, SQLite), or
out of a file of SQLite. Nothing is executed.

Of a dump CREATE TABLE (for the names of the columns), INSERT, REPLACE and COPY ... FROM stdin are understood; all other
statements are passed over. Values are octets as the database has them, None for NULL; the octets of a number are its
digits. A dump that ends within a statement is refused as a whole.
"""

from __future__ import annotations

import mmap
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import quote

T = TypeVar("T")
Value = bytes | None
#: Its members are read when they are asked for, of most rows one or two; it is good until the next row is.
Row = Mapping[str, Value]
#: By the name of a table, without its schema, in small letters.
Wanted = Callable[[str], bool]

#: Octets of one value; states of devices have some megabytes.
MAX_VALUE = 64 << 20
#: Columns of a table.
MAX_COLUMNS = 1_000

_NAME = rb"(?:[`\"]?[\w$.-]+[`\"]?\s*\.\s*)?(?P<mark>[`\"]?)(?P<table>[\w$@.-]+)[`\"]?"
_COLUMNS = rb"\s*\((?P<columns>[^()]{1,40000})\)"
_BLANK = re.compile(rb"(?:\s++|--[^\n]*+|#[^\n]*+|/\*.*?\*/|\\[^\n]*+|(?i:DELIMITER)\b[^\n]*+)*+", re.DOTALL)
_INSERT = re.compile(
    rb"(?:INSERT|REPLACE)\s+(?:(?:IGNORE|OR\s+\w+|LOW_PRIORITY|DELAYED)\s+)?INTO\s+" + _NAME
    + rb"(?:" + _COLUMNS + rb")?\s*VALUES\s*", re.IGNORECASE,
)  # fmt: skip
_CREATE = re.compile(rb"CREATE\s+(?:\w+\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?" + _NAME + rb"\s*\(", re.IGNORECASE)
_COPY = re.compile(rb"COPY\s+" + _NAME + _COLUMNS + rb"\s*FROM\s+stdin;[ \t]*\r?\n", re.IGNORECASE)
_QUOTED = {
    True: rb"'(?:[^'\\]++|\\.|'')*+'",  # MySQL: a backslash says what the next character is
    False: rb"(?<![eE])'(?:[^']++|'')*+'|[eE]'(?:[^'\\]++|\\.|'')*+'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$",
}
_PASS = {
    style: re.compile(
        rb"(?:[^;'`\"$eE/-]++|" + quoted + rb"|`[^`]*+`|\"[^\"]*+\"|--[^\n]*+|/\*.*?\*/|[$eE/-])*+;", re.DOTALL
    )
    for style, quoted in _QUOTED.items()
}
_VALUE = {
    style: re.compile(
        rb"\s*(?:(?P<null>NULL)\b|(?P<word>TRUE|FALSE)\b|(?P<number>[-+]?[0-9][0-9.]*+(?:[eE][-+]?[0-9]+)?)(?![\w])"
        rb"|0x(?P<hex>[0-9a-fA-F]*)\b|[xX]'(?P<xhex>[0-9a-fA-F]*)'"
        rb"|(?:_\w+\s*|[nN])?(?P<quoted>" + quoted + rb")(?:::\w+)?)\s*(?P<end>[,)])", re.IGNORECASE | re.DOTALL,
    )
    for style, quoted in _QUOTED.items()
}  # fmt: skip
_COLUMN = re.compile(rb"\s*(?:([`\"])([\w$ -]+)\1|([\w$]+))")
_NO_COLUMN = frozenset((
    b"primary", b"key", b"unique", b"constraint", b"index", b"fulltext", b"check", b"foreign", b"exclude",
))
_MYSQL = re.compile(rb"-- (?:MySQL|MariaDB|phpMyAdmin)|/\*!|^[A-Z ]+`", re.MULTILINE)
_MYSQL_ESCAPES = {
    b"0": b"\0", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a", b"%": b"\\%", b"_": b"\\_",
}  # fmt: skip
_COPY_ESCAPES = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


class _Lazy(Mapping[str, Value], Generic[T]):
    """A row of a dump: what its values mean is worked out when they are asked for."""

    __slots__ = ("_read", "_stated")

    def __init__(self, columns: Sequence[str], stated: Sequence[T], read: Callable[[T], Value]) -> None:
        self._stated, self._read = dict(zip(columns, stated, strict=True)), read

    def __getitem__(self, name: str) -> Value:
        return self._read(self._stated[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._stated)

    def __len__(self) -> int:
        return len(self._stated)


class DumpError(Exception):
    """What cannot be read, in words, with the place."""


def rows(path: Path, wanted: Wanted) -> Iterator[tuple[str, Row]]:
    """(table, row) of the wanted tables in their order. Raises DumpError, OSError."""
    with path.open("rb") as file:
        head = file.read(16)
        if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK\x03\x04", b"(\xb5/\xfd")):
            raise DumpError(f"{path}: is compressed; unpack it first")
        if head.startswith(b"PGDMP"):
            raise DumpError(f"{path}: a dump of pg_dump in its own form; make one as text (pg_dump --format=plain)")
        if head == b"SQLite format 3\0":
            yield from _sqlite(path, wanted)
        elif head:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield from Dump(data, path).rows(wanted)


def _sqlite(path: Path, wanted: Wanted) -> Iterator[tuple[str, Row]]:
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            connection.text_factory = bytes
            found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
            for table in (name.decode() for (name,) in found):
                if not wanted(table.lower()):
                    continue
                cursor = connection.execute('SELECT * FROM "{}"'.format(table.replace('"', '""')))
                names = [column[0].lower() for column in cursor.description]
                for row in cursor:
                    yield table.lower(), dict(zip(names, map(_octets, row), strict=True))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise DumpError(f"{path}: {error}") from error


def _octets(value: bytes | int | float | None) -> Value:
    return value if value is None or isinstance(value, bytes) else str(value).encode()


@dataclass(slots=True)
class Dump:
    """A dump as text at work."""

    data: mmap.mmap | bytes
    path: Path
    at: int = 0
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def rows(self, wanted: Wanted) -> Iterator[tuple[str, Row]]:
        mysql = _MYSQL.search(self.data[:65536]) is not None
        while True:
            blank = _BLANK.match(self.data, self.at)
            self.at = blank.end() if blank else self.at
            if self.at >= len(self.data):
                return
            if copy := _COPY.match(self.data, self.at):
                yield from self._copy(copy, wanted)
            elif (insert := _INSERT.match(self.data, self.at)) and wanted(_table(insert)):
                yield from self._insert(insert, mysql or insert.group("mark") == b"`")
            else:
                if create := _CREATE.match(self.data, self.at):
                    self._create(create, mysql)
                else:
                    self._pass(mysql)

    def _pass(self, mysql: bool) -> None:
        start = self.at
        found = _PASS[mysql].match(self.data, start)
        if found is None:
            raise self._error("ends within a statement that begins")
        self.at = found.end()

    def _create(self, create: re.Match[bytes], mysql: bool) -> None:
        begun = create.end()
        self._pass(mysql)
        names = []
        for part in _parts(self.data[begun : self.at]):
            column = _COLUMN.match(part)
            name = (column.group(2) or column.group(3)).lower() if column else b""
            if column and (column.group(1) or name not in _NO_COLUMN):
                names.append(name.decode("latin-1"))
        self.columns[_table(create)] = tuple(names[:MAX_COLUMNS])

    def _insert(self, insert: re.Match[bytes], mysql: bool) -> Iterator[tuple[str, Row]]:
        table = _table(insert)
        named = insert.group("columns")
        columns = _names(named) if named else self.columns.get(table, ())
        if not columns:
            raise self._error(f"does not say which columns {table} has, before the statement")
        self.at = insert.end()
        while True:
            values = self._values(len(columns), mysql)
            yield table, _Lazy(columns, values, _in_mysql if mysql else _in_standard)
            rest = re.compile(rb"\s*([,;]|\Z|(?i:ON)\b)").match(self.data, self.at)
            if rest is None:
                raise self._error("has no comma and no end")
            if rest.group(1).upper() == b"ON":  # ON DUPLICATE KEY, ON CONFLICT
                self._pass(mysql)
                return
            self.at = rest.end()
            if rest.group(1) != b",":
                return

    def _values(self, count: int, mysql: bool) -> list[re.Match[bytes]]:
        opened = re.compile(rb"\s*\(").match(self.data, self.at)
        if opened is None:
            raise self._error("has no row")
        self.at, values = opened.end(), list[re.Match[bytes]]()
        while len(values) <= count:
            found = _VALUE[mysql].match(self.data, self.at)
            if found is None or found.end() - found.start() > MAX_VALUE * 2:
                raise self._error("has a value that is no plain one")
            self.at = found.end()
            values.append(found)
            if found.group("end") == b")":
                if len(values) == count:
                    return values
                break
        raise self._error(f"has not {count} values in a row")

    def _copy(self, copy: re.Match[bytes], wanted: Wanted) -> Iterator[tuple[str, Row]]:
        table, columns = _table(copy), _names(copy.group("columns"))
        skip, self.at = not wanted(table), copy.end()
        while True:
            end = self.data.find(b"\n", self.at)
            if end < 0:
                raise self._error("ends within the rows of a COPY,")
            line = self.data[self.at : end].rstrip(b"\r")
            if line == b"\\.":
                self.at = end + 1
                return
            if not skip:
                values = line.split(b"\t")
                if len(values) != len(columns) or len(line) > MAX_VALUE * 2:
                    raise self._error(f"has not {len(columns)} values in a row")
                yield table, _Lazy(columns, values, _copied)
            self.at = end + 1

    def _error(self, what: str) -> DumpError:
        return DumpError(f"{self.path}: {what} at octet {self.at}")


def _table(found: re.Match[bytes]) -> str:
    return found.group("table").decode("latin-1").lower()


def _names(listed: bytes) -> tuple[str, ...]:
    return tuple(name.strip(b" \t\r\n`\"").decode("latin-1").lower() for name in listed.split(b","))


def _parts(body: bytes) -> Iterator[bytes]:
    """What stands between the commas of a CREATE TABLE, those within parentheses and texts aside."""
    depth = start = 0
    for found in re.finditer(rb"'(?:[^'\\]++|\\.|'')*+'|[(),]", body):
        mark = found.group()
        depth += {b"(": 1, b")": -1}.get(mark, 0)
        if depth < 0 or (mark == b"," and depth == 0):
            yield body[start : found.start()]
            start = found.end()
        if depth < 0:
            return


def _value(found: re.Match[bytes], mysql: bool) -> Value:
    if found.group("null"):
        return None
    if (number := found.group("number")) is not None:
        return bytes(number)
    if found.group("word"):
        return b"1" if found.group("word").upper() == b"TRUE" else b"0"
    for name in ("hex", "xhex"):
        if (digits := found.group(name)) is not None:
            return bytes.fromhex((digits if len(digits) % 2 == 0 else b"0" + digits).decode())
    return _unquoted(found.group("quoted"), mysql)


def _in_mysql(found: re.Match[bytes]) -> Value:
    return _value(found, True)


def _in_standard(found: re.Match[bytes]) -> Value:
    return _value(found, False)


def _unquoted(quoted: bytes, mysql: bool) -> bytes:
    if quoted.startswith(b"$"):
        return quoted.partition(b"$")[2].partition(b"$")[2].rpartition(b"$")[0].rpartition(b"$")[0]
    escapes = mysql or quoted[:1] in b"eE"
    text = quoted[quoted.index(b"'") + 1 : -1]
    if not escapes:
        return text.replace(b"''", b"'")
    return re.sub(rb"''|\\(.)", _unescaped, text, flags=re.DOTALL)


def _unescaped(found: re.Match[bytes]) -> bytes:
    return b"'" if found.group(1) is None else _MYSQL_ESCAPES.get(found.group(1), found.group(1))


def _copied(value: bytes) -> Value:
    if value == b"\\N":
        return None
    return _ESCAPED.sub(lambda found: _COPY_ESCAPES.get(found.group(1), found.group(1)), value)


def blob(value: Value) -> bytes:
    """Octets that PostgreSQL writes as text (bytea, \\x and hexadecimal digits) as octets; others as they are."""
    if value and value.startswith(b"\\x"):
        try:
            return bytes.fromhex(value[2:].decode("ascii"))
        except ValueError:
            return value
    return value or b""
