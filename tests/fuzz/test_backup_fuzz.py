"""Whatever stands in a file, it is either read as a backup or refused as none: `Damaged`, and nothing else."""

from __future__ import annotations

import gzip
import io
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fuzz_settings import examples
from hypothesis import given
from hypothesis import strategies as st

from eas.db.backup import Damaged, Header, Reader, TableShape, Writer, archive

KINDS: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-(1 << 63), (1 << 63) - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "text": st.text() | st.just("long " * 20),
    "bytes": st.binary() | st.just(b"\0\xff" * 40),
    "moment": st.datetimes(timezones=st.timezones()),
    "json": st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=5,
    ),
}
SHAPES = st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5).map(
    lambda kinds: tuple((f"c{n}", kind) for n, kind in enumerate(kinds))
)
AT = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)


@pytest.fixture(autouse=True, scope="module")
def short_pieces() -> Any:
    """So that values of some tens of octets are long ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "PIECE", 16)
        yield


def written(tables: dict[str, tuple[tuple[tuple[str, str], ...], list[tuple[Any, ...]]]]) -> bytes:
    shapes = tuple(TableShape(name=name, columns=columns) for name, (columns, _) in tables.items())
    header = Header(release="1", revision="0001", at=AT, database="sqlite", tables=shapes, beside=("/etc/eas.toml",))
    out = io.BytesIO()
    writer = Writer(out, header)
    for shape in shapes:
        writer.table(shape)
        for row in tables[shape.name][1]:
            writer.row(row)
    writer.end({"t0": 7})
    return out.getvalue()


def read(octets: bytes) -> list[tuple[str, tuple[Any, ...]]]:
    reader = Reader(io.BytesIO(octets))
    found = [(shape.name, row) for shape, row in reader.rows()]
    assert reader.summary is not None
    return found


@st.composite
def tables(draw: st.DrawFn) -> dict[str, tuple[tuple[tuple[str, str], ...], list[tuple[Any, ...]]]]:
    made = {}
    for number in range(draw(st.integers(1, 3))):
        columns = draw(SHAPES)
        row = st.tuples(*(st.none() | KINDS[kind] for _, kind in columns))
        made[f"t{number}"] = columns, draw(st.lists(row, max_size=4))
    return made


@examples(50)
@given(tables())
def test_what_is_written_is_read(made: Any) -> None:
    assert read(written(made)) == [(name, row) for name, (_, rows) in made.items() for row in rows]


SAMPLE = written({
    "t0": (
        (("id", "int"), ("name", "text"), ("octets", "bytes")),
        [(n, f"name {n}", bytes(range(n))) for n in range(40)],
    ),
    "t1": ((("at", "moment"), ("told", "json")), [(AT + timedelta(n), {"n": n}) for n in range(9)]),
})
LINES = gzip.decompress(SAMPLE).splitlines(keepends=True)
ROWS = read(SAMPLE)


@examples(50)
@given(st.binary())
def test_foreign_octets_are_no_backup(octets: bytes) -> None:
    for file in (octets, gzip.compress(octets), gzip.compress(LINES[0] + octets)):
        with pytest.raises(Damaged):
            read(file)


@examples(50)
@given(st.integers(0, len(SAMPLE) - 1))
def test_a_file_that_was_cut_off_is_found(length: int) -> None:
    with pytest.raises(Damaged):
        read(SAMPLE[:length])


@examples(50)
@given(st.integers(0, len(SAMPLE) - 1), st.integers(1, 255))
def test_a_changed_octet_is_found_or_changes_nothing(at: int, by: int) -> None:
    """There are some in the header of gzip that mean nothing to us."""
    changed = bytearray(SAMPLE)
    changed[at] ^= by
    with suppress(Damaged):
        assert read(bytes(changed)) == ROWS


@examples(50)
@given(st.integers(0, sum(map(len, LINES)) - 1), st.binary(min_size=1, max_size=3))
def test_changed_contents_are_found(at: int, octets: bytes) -> None:
    """Under a packing that is in order. What stays the same value is no change."""
    whole = b"".join(LINES)
    changed = whole[:at] + octets + whole[at + len(octets) :]
    try:
        found = read(gzip.compress(changed))
    except Damaged:
        return
    assert found == ROWS
    assert changed == whole or at >= whole.rindex(b'{"end"') or at < len(LINES[0])


@examples(50)
@given(st.lists(st.sampled_from(range(len(LINES))), max_size=60))
def test_lines_that_are_missing_doubled_or_moved_are_found(order: list[int]) -> None:
    with pytest.raises(Damaged):
        read(gzip.compress(b"".join(LINES[n] for n in [0, *order])))


@examples(50)
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.text() | st.sampled_from(
            ["eas-backup", "tables", "at", "name", "columns", "end", "table", "piece", "pieces", "sha256", "rows"]
        ), inner, max_size=4,
    ), max_leaves=12,
))
def test_any_json_in_place_of_a_line(value: Any) -> None:
    line = json.dumps(value).encode() + b"\n"
    for lines in ([line, *LINES[1:]], [*LINES[:5], line, *LINES[5:]], [*LINES[:-1], line]):
        with pytest.raises(Damaged):
            read(gzip.compress(b"".join(lines)))


def test_a_newer_form_is_told_as_such() -> None:
    newer = LINES[0].replace(b'"eas-backup":1', b'"eas-backup":2')
    with pytest.raises(Damaged, match="newer version"):
        read(gzip.compress(b"".join([newer, *LINES[1:]])))


def test_a_line_without_an_end_takes_no_memory() -> None:
    """A gigabyte in a file of a megabyte, and numbers that would take minutes to read."""
    packed = gzip.compress(b"[" + b"1" * (archive.MAX_LINE + 1))
    for file in (packed, gzip.compress(LINES[0] + b"[" * 100_000 + b"\n"), gzip.compress(b"9" * 10_000 + b"\n")):
        with pytest.raises(Damaged):
            read(file)
