"""The file of a backup: gzip of lines of JSON, of any length, read and written with bounded memory.

    {"eas-backup": 1, "release": "0.1.0", "revision": "0006", ...}     the header
    {"table": "gw_user"}                                              the rows of this table follow
    ["a3f0", "anna", null, ...]                                       a row, in the order of the header's columns
    {"piece": "..."}                                                  a piece of a long value of the next row
    {"end": {"rows": {"gw_user": 12}, "counters": {...}, "sha256": "..."}}

A value is written by the kind of its column: bytes in base64, moments as ISO 8601 in UTC, JSON as itself. One that is
longer than PIECE stands in pieces before its row, where {"pieces": 3} takes its place. The digest is that of all lines
before the last one, so whatever was cut off or changed is found, at the latest at the end.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import IO, Any

#: Of the form of the file. One that is higher was made by a newer program.
FORMAT = 1
#: Characters of a value, as written, beyond which it is cut into pieces.
PIECE = 256 << 10
#: Octets of one line that are read: more columns than any table has, all as long as may be.
MAX_LINE = 32 << 20
#: Octets of one value that is put together from pieces.
MAX_VALUE = 512 << 20
#: Little is gained above: most of what there is are attachments.
LEVEL = 1

_GREATEST = 1 << 63


class Damaged(Exception):
    """This is no backup, or one that was cut off or changed, or of a newer form; the text says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableShape:
    """`columns` are (name, kind); kinds are those of KINDS."""

    name: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """`revision` is that of the tables, `database` the kind from which they come. `beside` names what else a site has
    that is not in the database. The tables stand in an order in which each comes after those that it refers to."""

    release: str
    revision: str
    at: datetime
    database: str
    tables: tuple[TableShape, ...]
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """`rows` by table; `counters` are the highest numbers that the database ever gave out, by table."""

    rows: Mapping[str, int]
    counters: Mapping[str, int]


# -- values by kind


def _moment(value: datetime) -> str:
    return (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)).isoformat()


def _read_moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _read_bytes(text: str) -> bytes:
    return b64decode(text, validate=True)


def _of(*types: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in types


#: kind -> (how a value is written, how it is read, what it must be in the line). None is None in all.
KINDS: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], bool]]] = {
    "int": (int, int, lambda value: type(value) is int and -_GREATEST <= value < _GREATEST),
    "float": (float, float, _of(float, int)),
    "bool": (bool, bool, _of(bool)),
    "text": (str, str, _of(str)),
    "bytes": (lambda value: b64encode(value).decode("ascii"), _read_bytes, _of(str)),
    "moment": (_moment, _read_moment, _of(str)),
    "json": (lambda value: value, lambda value: value, lambda value: True),
}
#: Those that may be long.
_LONG = frozenset({"text", "bytes"})


# -- writing


@dataclass(slots=True)
class Writer:
    """Into a binary file that stays open. `end` makes it whole; without it the file is seen to be cut off."""

    file: IO[bytes]
    header: Header
    rows: dict[str, int] = field(default_factory=dict)
    _packed: gzip.GzipFile = field(init=False)
    _digest: Any = field(init=False)
    _table: TableShape | None = None

    def __post_init__(self) -> None:
        self._packed = gzip.GzipFile(fileobj=self.file, mode="wb", compresslevel=LEVEL, filename="", mtime=0)
        self._digest = hashlib.sha256()
        self._put(_dump_header(self.header))

    def table(self, shape: TableShape) -> None:
        self._table = shape
        self.rows[shape.name] = 0
        self._put({"table": shape.name})

    def row(self, values: Sequence[Any]) -> None:
        """Of the table that was named last."""
        assert self._table is not None
        self._put([
            None if value is None else self._shortened(KINDS[kind][0](value), kind)
            for value, (_, kind) in zip(values, self._table.columns, strict=True)
        ])
        self.rows[self._table.name] += 1

    def end(self, counters: Mapping[str, int]) -> Summary:
        self._put({"end": {"rows": self.rows, "counters": counters, "sha256": self._digest.hexdigest()}})
        self._packed.close()
        return Summary(rows=dict(self.rows), counters=counters)

    def _shortened(self, value: Any, kind: str) -> Any:
        if kind not in _LONG or len(value) <= PIECE:
            return value
        pieces = range(0, len(value), PIECE)
        for start in pieces:
            self._put({"piece": value[start : start + PIECE]})
        return {"pieces": len(pieces)}

    def _put(self, value: Any) -> None:
        line = json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
        self._digest.update(line)
        self._packed.write(line)


def _dump_header(header: Header) -> dict[str, Any]:
    return {
        "eas-backup": FORMAT, "release": header.release, "revision": header.revision, "at": header.at.isoformat(),
        "database": header.database, "beside": list(header.beside),
        "tables": [{"name": shape.name, "columns": list(map(list, shape.columns))} for shape in header.tables],
    }


# -- reading


class Reader:
    """Of a binary file that stays open. `header` is there at once; `rows` has to be read to its end, where it is known
    that the file is whole: then there is a `summary`. Raises Damaged from anywhere."""

    def __init__(self, file: IO[bytes]) -> None:
        self._packed = gzip.GzipFile(fileobj=file, mode="rb")
        self._digest = hashlib.sha256()
        self._line = 0
        self.summary: Summary | None = None
        first = self._next()
        self.header = self._sound(_load_header, first)

    def rows(self) -> Iterator[tuple[TableShape, tuple[Any, ...]]]:
        """One after the other, with the table of each."""
        shapes = {shape.name: shape for shape in self.header.tables}
        counts: dict[str, int] = {}
        pieces: list[str] = []
        shape: TableShape | None = None
        while True:
            before = self._digest.hexdigest()
            said = self._next()
            if isinstance(said, list) and shape is not None:
                yield shape, self._row(shape, said, pieces)
                counts[shape.name] += 1
                pieces = []
            elif not isinstance(said, dict) or len(said) != 1:
                raise self._damaged("this is no row")
            elif "piece" in said:
                pieces.append(self._piece(said["piece"], pieces))
            elif "table" in said:
                shape = self._begun(said["table"], shapes, counts)
            elif "end" in said:
                self.summary = self._ended(said["end"], counts, before, pieces)
                return
            else:
                raise self._damaged("this is no row")

    def _begun(self, name: Any, shapes: Mapping[str, TableShape], counts: dict[str, int]) -> TableShape:
        if not isinstance(name, str) or name not in shapes or name in counts:
            raise self._damaged("a table that is not in the header, or stands twice")
        counts[name] = 0
        return shapes[name]

    def _piece(self, value: Any, before: Sequence[str]) -> str:
        if not isinstance(value, str) or not value or (len(before) + 1) * PIECE > MAX_VALUE:
            raise self._damaged("a value that is too long")
        return value

    def _row(self, shape: TableShape, values: list[Any], pieces: list[str]) -> tuple[Any, ...]:
        if len(values) != len(shape.columns):
            raise self._damaged(f"{len(values)} values for the {len(shape.columns)} columns of {shape.name}")
        waiting = iter(pieces)
        found = tuple([
            self._value(value, kind, waiting) for value, (_, kind) in zip(values, shape.columns, strict=True)
        ])
        if next(waiting, None) is not None:
            raise self._damaged("pieces that belong to no value")
        return found

    def _value(self, value: Any, kind: str, pieces: Iterator[str]) -> Any:
        if value is None:
            return None
        if kind in _LONG and isinstance(value, dict):
            count = value.get("pieces")
            taken = list(islice(pieces, count)) if type(count) is int and 0 < count <= MAX_VALUE else []
            if not taken or len(taken) != count:
                raise self._damaged("a value without its pieces")
            value = "".join(taken)
        _, read, fits = KINDS[kind]
        if not fits(value):
            raise self._damaged(f"no {kind}")
        return self._sound(read, value)

    def _ended(self, said: Any, counts: dict[str, int], digest: str, pieces: Sequence[str]) -> Summary:
        if not isinstance(said, dict) or said.get("sha256") != digest:
            raise self._damaged("the checksum is another one")
        if pieces or said.get("rows") != counts or counts.keys() != {shape.name for shape in self.header.tables}:
            raise self._damaged("rows are missing")
        if self._read(1):
            raise self._damaged("there is something behind the end")
        counters = said.get("counters")
        whole = KINDS["int"][2]
        if not isinstance(counters, dict) or not all(map(whole, counters.values())):
            raise self._damaged("no counters")
        return Summary(rows=counts, counters=counters)

    def _next(self) -> Any:
        line = self._read(MAX_LINE)
        self._line += 1
        if not line.endswith(b"\n"):
            raise self._damaged("the file ends in the middle" if len(line) < MAX_LINE else "a line without an end")
        self._digest.update(line)
        return self._sound(json.loads, line)

    def _read(self, most: int) -> bytes:
        try:
            return self._packed.readline(most)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            reason = "the file ends in the middle" if isinstance(error, EOFError) else "this is not what was written"
            raise self._damaged(reason) from error

    def _sound(self, read: Callable[[Any], Any], value: Any) -> Any:
        try:
            return read(value)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError, AttributeError) as error:
            raise self._damaged("this is not what was written") from error

    def _damaged(self, reason: str) -> Damaged:
        return Damaged(f"line {self._line}: {reason}" if self._line > 1 else f"this is no backup: {reason}")


def _load_header(said: Any) -> Header:
    """Raises what wrong values raise, and Damaged for a newer form."""
    form = said["eas-backup"]
    if type(form) is not int or form < 1:
        raise ValueError
    if form > FORMAT:
        raise Damaged(f"the backup has form {form}, this program knows {FORMAT}: it was made by a newer version")
    at = datetime.fromisoformat(said["at"])
    tables = tuple(_load_shape(one) for one in said["tables"])
    names = [shape.name for shape in tables]
    if at.tzinfo is None or len(set(names)) != len(names):
        raise ValueError
    return Header(
        release=_text(said["release"]), revision=_text(said["revision"]), at=at, database=_text(said["database"]),
        tables=tables, beside=tuple(map(_text, _listed(said.get("beside", [])))),
    )


def _load_shape(said: Any) -> TableShape:
    columns = tuple((_text(name), _text(kind)) for name, kind in _listed(said["columns"]))
    if not columns or any(kind not in KINDS for _, kind in columns):
        raise ValueError
    return TableShape(name=_text(said["name"]), columns=columns)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _listed(value: Any) -> Iterable[Any]:
    if not isinstance(value, list):
        raise ValueError
    return value
