"""Arbitrary states of other servers: only the documented errors come out, and what PHP wrote is read as it was."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fuzz_settings import examples
from hypothesis import given
from hypothesis import strategies as st
from php_kit import dump, state

from eas.admin.move_in import horde, php, sogo, zpush
from eas.admin.move_in.dump import Dump, DumpError
from eas.admin.move_in.found import Reading

SAMPLES = Path(__file__).parents[2] / "fixtures/move-in"
READERS: list[tuple[str, Callable[[Path], Reading]]] = [
    ("zpush-mysql.sql", zpush.read), ("horde-mysql.sql", horde.read), ("horde-postgresql.sql", horde.read),
    ("sogo-mysql.sql", sogo.read),
]

keys = st.integers(-(1 << 40), 1 << 40) | st.binary(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 62), 1 << 62) | st.binary(max_size=12)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.dictionaries(keys, inner, max_size=4), max_leaves=20,
)  # fmt: skip
members = st.sampled_from([
    "devices", "deviceid", "deviceuser", "domain", "devicetype", "useragent", "wipestatus", "policykey", "asversion",
    "firstsynctime", "lastupdatetime", "wiperequestedon", "devicemodel",
])  # fmt: skip


@examples(300)
@given(values)
def test_what_was_written_is_read(value: Any) -> None:
    assert php.load(dump(value)) == value


@examples(300)
@given(st.binary(max_size=60) | st.text("aObsidNCrR:;{}\"0123456789-.", max_size=60).map(str.encode))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    with suppress(php.PhpError):
        php.load(data)


@examples(200)
@given(values.map(dump), st.data())
def test_what_is_damaged_is_read_or_refused(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data)))
    with suppress(php.PhpError):
        php.load(data[:at] + draw.draw(st.binary(max_size=4)) + data[at + draw.draw(st.integers(0, 6)) :])


def test_bounds() -> None:
    for deep in (b"a:1:{i:0;" * 100_000, b"O:1:\"A\":1:{i:0;" * 1000):
        with pytest.raises(php.PhpError, match="too deep"):
            php.load(deep)
    for long in (b's:9999999999:"a";', b"a:9999999999:{}", b"i:" + b"9" * 5000 + b";", b"C:1:\"A\":99:{}"):
        with pytest.raises(php.PhpError):
            php.load(long)


@examples(200)
@given(st.dictionaries(members, values | st.text(max_size=6), max_size=6), st.booleans(), st.booleans())
def test_any_state_object_is_partnerships_or_a_fault(data: dict[str, Any], own_form: bool, nested: bool) -> None:
    inner = state("ASDevice", data, own_form=own_form)
    whole = state("StateObject", {"devices": {"anna": inner}}, own_form=own_form) if nested else inner
    reading = zpush._reading({"d1": dump(whole)}, [("anna", "d1")], [])
    assert len(reading.found) >= 1 or reading.faults


@examples(60)
@given(st.sampled_from(READERS), st.data())
def test_a_damaged_dump_is_read_or_refused(tmp_path_factory: Any, which: Any, draw: st.DataObject) -> None:
    sample, read = which
    data = (SAMPLES / sample).read_bytes()
    at = draw.draw(st.integers(0, len(data)))
    cut = data[:at] + draw.draw(st.binary(max_size=6)) + data[at + draw.draw(st.integers(0, 40)) :]
    file = tmp_path_factory.getbasetemp() / "damaged.sql"
    file.write_bytes(cut)
    with suppress(DumpError):
        read(file)


@examples(200)
@given(st.text("INSERTOVALUECOPYFMNULLtablex ()',;`\"\\\n$0123456789-/*", max_size=120).map(str.encode))
def test_any_text_is_a_dump_or_refused(text: bytes) -> None:
    for head in (b"", b"-- MySQL dump\n", b"INSERT INTO t (a) VALUES ("):
        with suppress(DumpError):
            list(Dump(head + text, Path("dump.sql")).rows(lambda table: True))
