"""HAR and mitmproxy: one run of a phone's first requests through mitmproxy, recorded three ways, is one session."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from eas.protocol import http
from eas.protocol.wbxml import Element, encode
from eas.replay.format.body import body_of
from eas.replay.format.model import Document, Exchange, LeftOut, Meta, SessionError
from eas.replay.format.reading import open_session, read
from eas.replay.format.writing import exchange_text, head_text, writer
from eas.replay.importing.joining import Import, with_head
from eas.replay.importing.tally import Note
from eas.replay.importing.tnetstrings import TnetstringError, loads

SAMPLES = Path(__file__).parents[3] / "fixtures" / "sessions" / "imports"
THREE = ("mitmproxy.flow", "mitmproxy.har", "tcpdump.pcap")

PING = Element("Ping:Ping", (Element("Ping:Status", "2"), Element("Ping:Folders", (Element("Ping:Folder", "Grüße"),))))
OPAQUE = Element("ComposeMail:SendMail", (Element("ComposeMail:Mime", b"Subject: x\r\n\r\n" + b"y" * 100),))


def imported(file: Path | str, **wanted: str) -> tuple[Import, Meta, list[Exchange]]:
    run = Import([SAMPLES / file], **wanted)
    meta, exchanges = with_head(run)
    return run, meta, list(exchanges)


def said(exchange: Exchange) -> tuple[object, ...]:
    """Without times: each program has its own."""
    request, answer = exchange.request, exchange.answer
    return request.method, request.target, request.headers, request.body, answer.status, answer.headers, answer.body


@pytest.mark.parametrize("sample", THREE)
def test_three_records_of_one_conversation(sample: str) -> None:
    run, meta, exchanges = imported(sample)
    assert [exchange.request.query.partition("&")[0].removeprefix("Cmd=") for exchange in exchanges] == [
        "", "Provision", "Provision", "FolderSync", "Sync", "Sync", "SendMail",
    ]
    assert list(map(said, exchanges)) == list(map(said, imported(THREE[0])[2]))
    assert run.tally.counts == {Note.OTHER: 1}
    assert [meta.get(name) for name in ("device", "device type", "user", "client", "protocol", "server")] == [
        "ApplDNQXV00AC0", "iPhone", "anna@example.com", "Apple-iPhone14C2/2001.50", "14.1", "16.1",
    ]
    assert all(isinstance(exchange.request.body, Document) for exchange in exchanges[1:])
    assert 0 < exchanges[1].answer.seconds < 1
    assert len({exchange.time for exchange in exchanges}) == 7


@pytest.mark.parametrize("sample", THREE)
def test_passwords_do_not_pass(sample: str, tmp_path: Path) -> None:
    secret = b64encode(b"anna@example.com:not-so-secret")
    assert secret in (SAMPLES / sample).read_bytes()
    _, meta, exchanges = imported(sample)
    text = head_text(meta) + "".join(map(exchange_text, exchanges))
    assert secret.decode() not in text
    assert "not-so-secret" not in text
    assert "Authorization: Basic ***" in text


def test_it_survives_writing_and_reading(tmp_path: Path) -> None:
    _, meta, exchanges = imported(THREE[0])
    with writer(tmp_path / "x.session") as session:
        session.head(meta)
        for exchange in exchanges:
            session.add(exchange)
    with open_session(tmp_path / "x.session") as session:
        read = list(session.exchanges)
    assert list(map(said, read)) == list(map(said, exchanges))


# HAR ------------------------------------------------------------------------------------------------------------------


def entry(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "startedDateTime": "2026-11-21T10:00:00.120+01:00", "time": 250.5,
        "request": {
            "method": "POST", "url": "https://mail.example.com/Microsoft-Server-ActiveSync?Cmd=Ping&DeviceId=a1",
            "headers": [{"name": ":method", "value": "POST"}, {"name": "content-type", "value": http.WBXML}],
            "bodySize": len(encode(PING)), "postData": {"mimeType": http.WBXML, "text": encode(PING).decode("latin-1")},
        },
        "response": {
            "status": 200, "headers": [{"name": "content-type", "value": http.WBXML}],
            "content": {"size": len(encode(PING)), "mimeType": http.WBXML, "encoding": "base64",
                        "text": b64encode(encode(PING)).decode()},
        },
    }
    for path, value in changes.items():
        *outer, last = path.split("__")
        place = made
        for name in outer:
            place = place[name]
        place[last] = value
    return made


def har(path: Path, *entries: Any, cut: int | None = None) -> Path:
    text = json.dumps({"log": {"version": "1.2", "creator": {"name": "x"}, "entries": list(entries)}}, indent=1)
    path.write_text(text[:cut])
    return path


@pytest.mark.parametrize("text", [
    encode(PING).decode("latin-1"), encode(PING).decode("utf-8"), "base64",
], ids=["a byte a character", "read as UTF-8", "base64"])
def test_har_requests_however_they_are_written(text: str, tmp_path: Path) -> None:
    made = entry(request__postData__text=b64encode(encode(PING)).decode() if text == "base64" else text)
    if text == "base64":
        made["request"]["postData"]["encoding"] = "base64"
    _, meta, (exchange,) = imported(har(tmp_path / "x.har", made))
    assert exchange.request.body == exchange.answer.body == Document(PING)
    assert exchange.request.headers == (("content-type", http.WBXML),)
    assert (exchange.answer.seconds, meta.get("started")) == (0.2505, "2026-11-21T09:00:00.120Z")


def test_har_of_a_browser_that_spoils_what_is_sent(tmp_path: Path) -> None:
    spoilt = encode(OPAQUE).decode("utf-8", "replace")
    made = entry(request__postData__text=spoilt, request__bodySize=len(encode(OPAQUE)))
    run, _, (exchange,) = imported(har(tmp_path / "x.har", made))
    assert isinstance(exchange.request.body, LeftOut)
    assert exchange.request.body.length == len(encode(OPAQUE))
    assert "does not keep binary data" in exchange.request.body.why
    assert run.tally.counts == {Note.CORRUPT: 1}


def test_har_without_an_answer_or_its_content(tmp_path: Path) -> None:
    lost = entry(response={"status": 0, "headers": [], "content": {}, "_error": "net::ERR_TIMED_OUT"})
    bare = entry(response__content={"size": 700, "mimeType": http.WBXML})
    run, _, (first, second) = imported(har(tmp_path / "x.har", lost, bare))
    assert (first.answer.status, first.answer.why, first.answer.body) == (None, "net::ERR_TIMED_OUT", None)
    assert second.answer.body == LeftOut(700, "the recording program did not keep the answer")
    assert run.tally.counts == {Note.UNANSWERED: 1, Note.CORRUPT: 1}


def test_har_passes_over_what_is_broken(tmp_path: Path) -> None:
    file = har(
        tmp_path / "x.har", entry(request__url="https://example.com/"), {}, entry(startedDateTime="now"), 7,
        entry(response__status="?"), entry(request__url="https://[x/"), entry(), entry(time=None),
    )
    run, _, exchanges = imported(file)
    assert len(exchanges) == 2
    assert run.tally.counts == {Note.OTHER: 1, Note.BROKEN: 5}
    line = [text.strip() for text in file.read_text().splitlines()].index("{},") + 1
    assert run.tally.first[Note.BROKEN] == f"{file}:{line}: no member 'request'"


def test_har_with_values_that_no_session_has(tmp_path: Path) -> None:
    headers = [{"name": "a b", "value": "x"}, {"name": "Host", "value": "a\nb"}]
    strange = entry(time=float("nan"), request__headers=headers)
    _, meta, (exchange, _) = imported(har(tmp_path / "x.har", strange, entry(time=1e15)))
    assert exchange.answer.seconds == 0
    assert exchange.comments == ("nobody knows how long it took",)
    text = head_text(meta) + exchange_text(exchange)
    (found,) = read(text.splitlines()).exchanges
    assert [name for name, _ in found.request.headers] == ["a_b", "Host"]


def test_har_that_is_cut(tmp_path: Path) -> None:
    run, _, exchanges = imported(har(tmp_path / "x.har", entry(), entry(), cut=2000))
    assert len(exchanges) == 1
    assert run.tally.counts == {Note.BROKEN: 1}
    with pytest.raises(SessionError, match=r"x\.har:\d+: "):
        imported(har(tmp_path / "x.har", entry(), cut=500))


def test_har_larger_than_what_is_read_at_once(tmp_path: Path) -> None:
    big = Element("AirSyncBase:Body", (Element("AirSyncBase:Data", "é€x" * 900_000),))
    text = b64encode(encode(big)).decode()
    file = har(tmp_path / "x.har", entry(), entry(response__content__text=text), entry())
    assert file.stat().st_size > 5_000_000
    assert [exchange.answer.body for exchange in imported(file)[2]] == [Document(PING), Document(big), Document(PING)]


# mitmproxy ------------------------------------------------------------------------------------------------------------


def tnet(value: object) -> bytes:
    match value:
        case None:
            return b"0:~"
        case bytes():
            return b"%d:%b," % (len(value), value)
        case str():
            return b"%d:%b;" % (len(value.encode()), value.encode())
        case bool():
            return b"4:true!" if value else b"5:false!"
        case int() | float():
            text = str(value).encode()
            return b"%d:%b%b" % (len(text), text, b"#" if isinstance(value, int) else b"^")
        case list() | tuple():
            text = b"".join(map(tnet, value))
            return b"%d:%b]" % (len(text), text)
        case dict():
            text = b"".join(tnet(key) + tnet(member) for key, member in value.items())
            return b"%d:%b}" % (len(text), text)
    raise TypeError(value)


def flow(version: int | tuple[int, ...], **changes: Any) -> dict[Any, Any]:
    old = isinstance(version, tuple)
    text = str.encode if old else str
    made = {
        "version": version, "type": text("http"), "error": None,
        "request": {
            "method": b"POST", "path": b"/Microsoft-Server-ActiveSync?Cmd=Ping&DeviceId=a1", "content": encode(PING),
            "headers": [[b"Content-Type", http.WBXML.encode()]],
            "timestamp_start": 1795255200.5, "timestamp_end": 1795255201.0,
        },
        "response": {"status_code": 200, "headers": [], "content": encode(PING), "timestamp_start": 1795255202.0,
                     "timestamp_end": 1795255203.25},
        **changes,
    }
    return {key.encode(): value for key, value in made.items()} if old else made


@pytest.mark.parametrize("version", [(0, 18), (1, 0, 0), 7, 10, 15, 20, 21])
def test_flows_of_all_versions(version: int | tuple[int, ...], tmp_path: Path) -> None:
    (tmp_path / "x.flow").write_bytes(tnet(flow(version)))
    _, _, (exchange,) = imported(tmp_path / "x.flow")
    assert exchange.request.body == exchange.answer.body == Document(PING)
    assert exchange.answer.seconds == 2.75


def test_flows_of_other_kinds_and_broken_ones(tmp_path: Path) -> None:
    packed = body_of(encode(PING))
    (tmp_path / "x.flow").write_bytes(b"".join(map(tnet, [
        flow(21, type="tcp"), flow(21, request={}), flow(21, response=None, error={"msg": "client went away"}),
        flow(21, response={"status_code": 200, "headers": [], "content": None}),
    ])) + b"5:hello," + tnet(flow(21)) + b"999:half")
    run, _, exchanges = imported(tmp_path / "x.flow")
    assert [(exchange.answer.status, exchange.answer.why) for exchange in exchanges] == [
        (None, "client went away"), (200, ""), (200, ""),
    ]
    assert exchanges[1].answer.body == LeftOut(-1, "mitmproxy passed this on without keeping it")
    assert exchanges[2].answer.body == packed
    assert run.tally.counts == {Note.OTHER: 1, Note.BROKEN: 3, Note.UNANSWERED: 1}
    assert "at byte" in run.tally.first[Note.BROKEN]


@pytest.mark.parametrize("data", [b"3:abc#", b"4:true?", b"5:1:a,2}", b"4:1:a,}", b"99:a,]", b"1:x!", b"1:x~"])
def test_tnetstrings_that_are_none(data: bytes) -> None:
    _, _, rest = data.partition(b":")
    with pytest.raises(TnetstringError):
        loads(rest[-1], rest[:-1])
    with pytest.raises(TnetstringError):
        loads(ord("]"), data)


def test_tnetstrings_that_are_deep() -> None:
    data = b""
    for _ in range(100):
        data = b"%d:%b]" % (len(data), data)
    with pytest.raises(TnetstringError, match="deep"):
        loads(ord("]"), data)
