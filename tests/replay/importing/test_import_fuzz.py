"""Whatever is done to a file: it is imported, in part or whole, or there is a SessionError. Nothing else comes out."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.replay.format.model import SessionError
from eas.replay.format.reading import read
from eas.replay.format.writing import exchange_text, head_text
from eas.replay.importing.formats import FORMATS
from eas.replay.importing.joining import Import, with_head

SAMPLES = Path(__file__).parents[3] / "fixtures" / "sessions" / "imports"
FILES = {
    "zpush.log": "zpush", "horde/APPLDNQXV00AC0.txt": "horde", "sogo.log": "sogo", "sogo-container.log": "sogo",
    "exchange.txt": "exchange", "mitmproxy.har": "har", "mitmproxy.flow": "mitmproxy", "tcpdump.pcap": "pcap",
}
#: What is put in: ends of lines, of texts and of numbers, and what is neither.
BITS = [
    b"", b"\n", b"\r", b"\0", b"\xff", b"<", b">", b"/>", b"&", b'"', b"]", b"}", b"9", b"99999999999", b"-1", b" ",
    b"[", b"I ", b"O ", b"</", b":", b"\xc3\xa9", b"\xed\xa0\x80", b'bytes="99999999"', b"\nRequestTime : \n",
    b"HTTP/1.1 200 OK\r\n\r\n",
]


def outcome(file: Path, format: str) -> None:
    """What is imported can be written, and read again."""
    run = Import([file], format)
    try:
        meta, exchanges = with_head(run)
        text = head_text(meta) + "".join(map(exchange_text, exchanges))
    except SessionError as error:
        wrong = str(error)
    else:
        wrong = ""
    if wrong:
        assert wrong.startswith(str(file))
        return
    assert len(list(read(text.split("\n")[:-1]).exchanges)) == run.tally.imported
    assert all(sentence.isprintable() for sentence in run.tally.sentences())


@pytest.mark.parametrize("name", FILES)
def test_a_mutated_file(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    sample = (SAMPLES / name).read_bytes()
    file = tmp_path_factory.mktemp("fuzz") / Path(name).name
    places = st.integers(0, len(sample))
    change = st.tuples(places, st.integers(0, 60), st.sampled_from(BITS) | st.binary(max_size=6))

    @settings(max_examples=60, deadline=None, database=None)
    @given(st.lists(change, min_size=1, max_size=12), st.none() | places)
    def mutate(changes: list[tuple[int, int, bytes]], cut: int | None) -> None:
        data = sample
        for at, length, bit in changes:
            data = data[:at] + bit + data[at + length :]
        file.write_bytes(data[:cut])
        outcome(file, FILES[name])

    mutate()


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_any_bytes_as_any_format(format: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("fuzz") / "any"
    beginnings = st.sampled_from([
        b"", b'{"log":{"entries":[', b"\xd4\xc3\xb2\xa1" + b"\0" * 16 + b"\x01\0\0\0", b"\x0a\x0d\x0d\x0a",
        b"30:3:abc,", b" Log Entry: 1\n", b"21/11/2026 10:00:00 [1] [WBXML] I  <",
        b"[1][2026-11-21T10:00:00Z] I: <", b"\xff\xfe", b"\x1f\x8b",
    ])

    @settings(max_examples=60, deadline=None, database=None)
    @given(beginnings, st.binary(max_size=200))
    def make(begin: bytes, data: bytes) -> None:
        file.write_bytes(begin + data)
        outcome(file, format.name)  # type: ignore[attr-defined]

    make()


@pytest.mark.parametrize("name", FILES)
def test_every_sample_for_every_reader_and_packed(name: str, tmp_path: Path) -> None:
    sample = (SAMPLES / name).read_bytes()
    (tmp_path / "x").write_bytes(sample)
    for format in FORMATS:
        outcome(tmp_path / "x", format.name)
    (tmp_path / "x.gz").write_bytes(gzip.compress(sample))
    run = Import([tmp_path / "x.gz"])
    packed = list(with_head(run)[1])
    assert run.formats[0].name == FILES[name]
    assert len(packed) == len(list(with_head(Import([SAMPLES / name]))[1]))
    (tmp_path / "x.gz").write_bytes(gzip.compress(sample)[:-20])
    outcome(tmp_path / "x.gz", FILES[name])
