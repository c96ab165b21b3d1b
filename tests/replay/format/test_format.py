"""Bytes -> session file -> bytes, for all bytes; the reader says what is wrong, and where."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eas.protocol import http
from eas.protocol.wbxml import Element, encode
from eas.replay.format.body import body_of, wire
from eas.replay.format.capture import exchange_of
from eas.replay.format.document import DocumentError, from_text
from eas.replay.format.model import (
    Answer,
    Binary,
    Document,
    Exchange,
    LeftOut,
    Meta,
    Parts,
    Request,
    SessionError,
    Text,
)
from eas.replay.format.reading import open_session, read
from eas.replay.format.writing import exchange_text, head_text, replace_head, writer

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TYPES = ["", http.WBXML, http.MULTIPART, "message/rfc822", "text/xml", "text/html; charset=x", "image/jpeg"]

SYNC = Element("AirSync:Sync", (
    Element("AirSync:Collections", (Element("AirSync:SyncKey", "1"), Element("Email:Subject", "a < b & c")),),
))
SEND = Element("ComposeMail:SendMail", (
    Element("ComposeMail:SaveInSentItems"), Element("ComposeMail:Mime", b"Subject: x\r\n\r\nBody  \r\n\r\n"),
))


def exchange(body: bytes = b"", content_type: str = "", **others: object) -> Exchange:
    fields = {
        "number": 1, "time": NOON, "method": "POST", "target": "/Microsoft-Server-ActiveSync?Cmd=Sync", "headers": [],
        "body": b"", "status": 200, "seconds": 0.1, "answer_headers": [("Content-Type", content_type)], "answer": body,
    }
    return exchange_of(**{**fields, **others})  # type: ignore[arg-type]


def back(*exchanges: Exchange) -> list[Exchange]:
    text = head_text(Meta()) + "".join(map(exchange_text, exchanges))
    return list(read(text.split("\n")[:-1]).exchanges)


@given(st.one_of(st.binary(), st.text().map(str.encode)), st.sampled_from(TYPES))
def test_any_bytes_come_back(data: bytes, content_type: str) -> None:
    assert wire(body_of(data, content_type)) == data
    (found,) = back(exchange(data, content_type))
    assert wire(found.answer.body) == data


@given(st.lists(st.sampled_from(["a", " ", "\t", "\r", "\n", "\r\n", "\\", "\\n", "~", "é", "\x0c", "\u2028", "#"])))
def test_any_text_comes_back(parts: list[str]) -> None:
    data = "".join(parts).encode()
    (found,) = back(exchange(data, "message/rfc822"), )
    assert wire(found.answer.body) == data


@pytest.mark.parametrize("root", [SYNC, SEND])
def test_documents_are_readable(root: Element) -> None:
    text = exchange_text(exchange(encode(root), http.WBXML))
    assert "base64" not in text
    assert "exact" not in text
    (found,) = back(exchange(encode(root), http.WBXML))
    assert found.answer.body == Document(root)


def test_how_it_looks() -> None:
    assert exchange_text(exchange(encode(SYNC), http.WBXML, number=7)) == """
=== 7 2026-11-21T12:00:00.000Z
--> POST /Microsoft-Server-ActiveSync?Cmd=Sync
<-- 200 0.100s
Content-Type: application/vnd.ms-sync.wbxml
body: wbxml
  <Sync xmlns="AirSync">
    <Collections>
      <SyncKey>1</SyncKey>
      <email:Subject>a &lt; b &amp; c</email:Subject>
    </Collections>
  </Sync>
"""


def test_other_bytes_for_the_same_document_are_kept_until_it_is_edited() -> None:
    odd = encode(SYNC)[:4] + b"\x00\x00" + encode(SYNC)[4:]  # a switch to the page that holds already
    text = exchange_text(exchange(odd, http.WBXML))
    assert "exact: " in text
    head = head_text(Meta())
    (found,) = read((head + text).splitlines()).exchanges
    assert wire(found.answer.body) == odd
    (found,) = read((head + text.replace("<SyncKey>1", "<SyncKey>2")).splitlines()).exchanges
    assert wire(found.answer.body) == encode(SYNC).replace(b"1\0", b"2\0")


def test_multipart_answers() -> None:
    data = http.multipart([encode(SYNC), b"", b"a picture \x00\xff" * 9, b"text\r\n"])
    made = exchange(data, http.MULTIPART)
    assert isinstance(made.answer.body, Parts)
    assert [type(part) for part in made.answer.body.parts] == [Document, type(None), Binary, Text]
    assert back(made) == [made]


def test_everything_else_of_an_exchange() -> None:
    made = Exchange(
        number=3, time=NOON + timedelta(milliseconds=7),
        request=Request(method="OPTIONS", target="/", headers=(("X-A", ""), ("X-A", "b: c"))),
        answer=Answer(status=None, seconds=30.0, why="the client went away", body=LeftOut(70_000, "too large")),
        comments=("what to see here", ""),
    )
    assert back(made, made) == [made, made]


def test_a_base64_query_is_explained() -> None:
    from eas.protocol.query import Query, encode_base64
    from eas.protocol.version import Version

    query = encode_base64(Query(
        command="Ping", device_id="A1", device_type="SP", user="anna", version=Version.V14_1, policy_key=7,
    ))
    made = exchange(target=f"/Microsoft-Server-ActiveSync?{query}")
    assert "\nquery: Cmd=Ping&User=anna&DeviceId=A1&DeviceType=SP&ProtocolVersion=14.1&Locale=1033&PolicyKey=7\n" in \
        exchange_text(made)
    assert back(made) == [made]


def test_secrets_do_not_get_in() -> None:
    made = exchange(headers=[("Authorization", "Basic YW5uYTpzZWNyZXQ="), ("Cookie", "a=b"), ("Connection", "close")])
    assert made.request.headers == (("Authorization", "Basic ***"), ("Cookie", "***"))


def test_headers_that_look_like_the_file() -> None:
    """Nobody can make a file unreadable by what he sends."""
    headers = [("body", "wbxml"), ("query", "x"), ("#no", "x"), ("<--", "200"), ("a b", "x"), ("", ""), ("part", "y")]
    (found,) = back(exchange(b"x", "text/plain", headers=headers, answer_headers=headers))
    assert found.request.headers == (
        ("Body", "wbxml"), ("Query", "x"), ("_no", "x"), ("_--", "200"), ("a_b", "x"), ("_", ""), ("part", "y"),
    )
    assert found.answer.headers == found.request.headers


def test_compressed_answers() -> None:
    packed = gzip.compress(encode(SYNC))
    made = exchange(packed, answer_headers=[("Content-Type", http.WBXML), ("Content-Encoding", "gzip")], answer=packed)
    assert made.answer.body == Document(SYNC)


@given(
    st.text(max_size=9), st.text(max_size=9), st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=3),
    st.integers(0, 99_999), st.floats(-9, 9), st.text(max_size=9),
)
@example("M-SEARCH", "/a b", [("body", "wbxml"), ("query", ""), ("", ""), ("a b:", "\r\n<-- 200 1s")], 0, -1.0, "\n==")
def test_whatever_was_seen_can_be_read_again(
    method: str, target: str, headers: list[tuple[str, str]], status: int, seconds: float, why: str
) -> None:
    made = exchange(method=method, target=target, headers=headers, status=status, seconds=seconds, why=why)
    (found,) = back(made)
    assert len(found.request.headers) == len(made.request.headers)
    assert back(found) == [found]


@pytest.mark.parametrize("name", ["plain.session", "packed.session.gz"])
def test_files(tmp_path: Path, name: str) -> None:
    meta = Meta((("device", "A1"), ("note", "one"), ("note", "two")))
    made = [exchange(encode(SYNC), http.WBXML, number=number) for number in range(3)]
    with writer(tmp_path / name) as file:
        file.head(meta)
        for one in made:
            file.add(one)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    with open_session(tmp_path / name) as session:
        assert session.meta == meta
        assert list(session.exchanges) == made


GOOD = ["eas-session 1", "device: A1", "", "=== 1 2026-11-21T12:00:00Z", "--> POST /x", "<-- 200 0.1s"]


@pytest.mark.parametrize(("lines", "line", "said"), [
    ([], 1, "eas-session"),
    (["From: me"], 1, "eas-session"),
    (["eas-session 99"], 1, "newer"),
    (["eas-session 1", "what?"], 2, "head"),
    ([*GOOD[:3], "=== 1 yesterday", *GOOD[4:]], 4, "no time"),
    ([*GOOD[:4], "POST /x"], 5, "-->"),
    (GOOD[:5], 6, "<--"),
    ([*GOOD, "body: picture"], 7, "no kind"),
    ([*GOOD, "body: wbxml", "  <Sync>"], 7, ""),
    ([*GOOD, "body: wbxml", '  <Sync xmlns="AirSync"><Nonsense/></Sync>'], 7, "AirSync:Nonsense"),
    ([*GOOD, "body: base64", "  ...."], 7, "base64"),
    ([*GOOD, "body: parts 2", "part: empty"], 9, "part"),
    ([*GOOD, "body: text escaped", "  \\q"], 7, "backslash"),
    ([*GOOD, "body: text loud", "  x"], 7, "loud"),
    ([*GOOD, "body: left-out many"], 7, "number"),
])
def test_what_is_wrong_is_said(lines: list[str], line: int, said: str) -> None:
    with pytest.raises(SessionError) as caught:
        list(read(lines, "x.session").exchanges)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"x.session:{line}: ")


def test_a_file_that_is_cut(tmp_path: Path) -> None:
    packed = gzip.compress((head_text(Meta()) + exchange_text(exchange(bytes(range(256)) * 400))).encode())
    (tmp_path / "cut.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(SessionError, match="unpacked"), open_session(tmp_path / "cut.gz") as session:
        list(session.exchanges)
    (tmp_path / "no text").write_bytes(b"eas-session 1\n\xff\n")
    with pytest.raises(SessionError, match="UTF-8"), open_session(tmp_path / "no text") as session:
        list(session.exchanges)


@pytest.mark.parametrize("name", ["plain.session", "packed.session.gz"])
def test_another_head(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    made = [exchange(b"=== 9 no exchange\r\n", "text/plain", number=number) for number in range(3)]
    with writer(file) as out:
        out.head(Meta((("device", "A1"),)))
        for one in made:
            out.add(one)
    replace_head(file, Meta((("device", "A1"), ("device", "B2"))))
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]
    with open_session(file) as session:
        assert session.meta.all("device") == ("A1", "B2")
        assert list(session.exchanges) == made


def test_a_prefix_that_nobody_declared() -> None:
    """lxml lets it pass where an element with a namespace of its own stands inside."""
    with pytest.raises(DocumentError, match="x:y"):
        from_text('<x:y><Sync xmlns="AirSync"></Sync></x:y>')
