"""`eas session import`, as a user calls it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eas.cli import app
from eas.replay.format.body import wire
from eas.replay.format.model import Document
from eas.replay.format.reading import open_session

SAMPLES = Path(__file__).parents[1] / "fixtures" / "sessions" / "imports"
EAS = Path(sys.executable).with_name("eas")


def run(*arguments: object, code: int = 0) -> tuple[str, str]:
    """Standard output and standard error."""
    result = CliRunner().invoke(app, ["session", "import", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


@pytest.mark.parametrize(("sample", "name", "count"), [
    ("zpush.log", "Z-Push log", 7), ("horde/APPLDNQXV00AC0.txt", "Horde log", 5), ("sogo.log", "SOGo log", 3),
    ("exchange.txt", "Exchange mailbox log", 4), ("mitmproxy.har", "HAR", 7),
    ("mitmproxy.flow", "mitmproxy flow file", 7), ("tcpdump.pcap", "capture", 7),
])
def test_every_format_is_recognised_and_masked(sample: str, name: str, count: int, tmp_path: Path) -> None:
    out, err = run(SAMPLES / sample, "-o", tmp_path / "x.session.gz")
    assert out == ""
    assert err.startswith(f"{count} exchanges imported from {name}, masked\n")
    with open_session(tmp_path / "x.session.gz") as session:
        exchanges = list(session.exchanges)
    assert len(exchanges) == count
    assert session.meta.get("masked")
    everything = repr(session.meta) + repr(exchanges) + repr([wire(exchange.request.body) for exchange in exchanges])
    names = ("anna@example.com", "ApplDNQXV00AC0", "Bergstr", "Annas Telefon", "Bis morgen", "bis gleich", "EX1")
    for private in names:
        assert private.lower() not in everything.lower()
    assert any(isinstance(exchange.request.body, Document) for exchange in exchanges)


def test_what_the_importer_says_of_an_exchange_is_not_masked() -> None:
    out, _ = run(SAMPLES / "exchange.txt")
    assert "# answer: placeholders for texts that the log leaves out: FolderHierarchy:DisplayName\n" in out
    assert "# AccessState: Allowed\n" in out
    assert "note: Exchange replaces most texts by their length" in out


def test_contents_on_standard_output() -> None:
    out, err = run(SAMPLES / "zpush.log", "--contents", "--user", "anna")
    assert out.startswith("eas-session 1\ndevice: appldnqxv00ac0\n")
    assert "note: there are no HTTP headers in the log" in out
    assert "<email:Subject>Frühstück</email:Subject>" in out
    assert err.splitlines() == [
        "4 exchanges imported from Z-Push log, with names and contents",
        "3 exchanges of other devices or users: passed over",
        f"1 exchange without an answer (first: {SAMPLES / 'zpush.log'}:200)",
        f"1 text of which only the length is known: a placeholder of that length (first: {SAMPLES / 'zpush.log'}:139)",
        f"2 contents that are cut short in the record (first: {SAMPLES / 'zpush.log'}:139)",
        "there are no HTTP headers in the log: Content-Type is supplied, User-Agent and others are unknown",
        "request lines are put together from command, user and device",
        "times are to the second, and taken for UTC",
    ]


def test_several_files_are_one_session(tmp_path: Path) -> None:
    _, err = run(SAMPLES / "mitmproxy.flow", SAMPLES / "exchange.txt", "-o", tmp_path / "x.session")
    assert err.startswith("11 exchanges imported from mitmproxy flow file and Exchange mailbox log, masked\n")
    with open_session(tmp_path / "x.session") as session:
        assert [exchange.number for exchange in session.exchanges] == list(range(1, 12))


def test_several_devices_are_told() -> None:
    _, err = run(SAMPLES / "zpush.log")
    assert "2 devices: appldnqxv00ac0 (4), androidc1234567 (3); --device takes one of them\n" in err
    _, err = run(SAMPLES / "zpush.log", "--device", "AndroidC1234567")
    assert "3 exchanges imported" in err
    assert "2 devices" not in err


def test_standard_input() -> None:
    done = subprocess.run(
        [EAS, "session", "import", "-", "--contents"], input=(SAMPLES / "sogo.log").read_bytes(), capture_output=True,
        check=True, timeout=60,
    )
    assert done.stdout.count(b"\n=== ") == 3
    assert done.stderr.startswith(b"3 exchanges imported from SOGo log")


def test_what_cannot_be_imported(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("hello\n")
    assert "x: not recognised as one of pcap, mitmproxy, har," in run(tmp_path / "x", code=2)[1]
    assert "no format is called 'word'; there are" in run(tmp_path / "x", "--format", "word", code=2)[1]
    assert "No such file" in run(tmp_path / "nowhere", code=2)[1]
    (tmp_path / "x.har").write_text('{"log": {"entries": [{"request": }]}}')
    assert "x.har:1: no JSON" in run(tmp_path / "x.har", "-o", tmp_path / "out", code=2)[1]
    assert not (tmp_path / "out").exists()
    _, err = run(SAMPLES / "sogo.log", "--device", "nobody", code=1)
    assert err.splitlines() == [
        "eas: nothing to import: no exchange of that device or user in there",
        "eas: 3 exchanges of other devices or users: passed over",
    ]
    assert "one of the files to import" in run(tmp_path / "x", "-o", tmp_path / "x", code=2)[1]


def test_nothing_of_activesync_in_it(tmp_path: Path) -> None:
    (tmp_path / "x.har").write_text(
        '{"log": {"entries": [{"request": {"url": "https://example.com/", "method": "GET"}, "response": {}}]}}'
    )
    _, err = run(tmp_path / "x.har", "-o", tmp_path / "out", code=1)
    assert err.splitlines() == [
        "eas: nothing to import: no exchange of ActiveSync in there",
        "eas: 1 request that is not ActiveSync: passed over",
    ]
    assert not (tmp_path / "out").exists()
