"""Session files that are nearly right, messages that are nearly some kind, and texts made to take long."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from fuzz_settings import examples
from hypothesis import event, given
from hypothesis import strategies as st

from eas.protocol import http
from eas.protocol.wbxml import Element
from eas.replay.format import document
from eas.replay.format.body import body_of, wire
from eas.replay.format.capture import exchange_of
from eas.replay.format.lines import written
from eas.replay.format.mimetext import from_readable, to_readable
from eas.replay.format.model import Exchange, Meta, SessionError
from eas.replay.format.reading import open_session, read
from eas.replay.format.writing import exchange_text, head_text
from eas.replay.masking.masker import Masker
from eas.replay.masking.secrets import without_passwords

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SESSIONS = sorted(Path(__file__).parents[2].joinpath("fixtures/sessions").rglob("*.session"))
#: Exchanges of one file that are mutated together.
TOGETHER = 3


@cache
def blocks() -> list[list[str]]:
    """Real exchanges as lines, small ones, one of each shape of request and answer."""
    found: dict[tuple[object, ...], list[str]] = {}
    for file in SESSIONS:
        with open_session(file) as session:
            for exchange in session.exchanges:
                path = exchange.request.target.partition("&User")[0][-30:]
                shape = (exchange.request.method, path, exchange.answer.status, type(exchange.answer.body))
                text = exchange_text(exchange)
                if len(text) < 20_000:
                    found.setdefault(shape, text.split("\n")[:-1])
    return list(found.values())


def parse(lines: list[str]) -> list[Exchange] | None:
    """What is read, or None where the reader says what is wrong, and where."""
    try:
        return list(read(lines, "x.session").exchanges)
    except SessionError as error:
        wrong = error
    assert str(wrong).startswith("x.session:")
    assert 1 <= wrong.line <= len(lines) + 1
    return None


def check(lines: list[str]) -> None:
    found = parse(lines)
    event("refused" if found is None else "read")
    if found is None:
        return
    text = head_text(Meta()) + "".join(map(exchange_text, found))
    # What a person wrote may have blanks around headers and reasons; from the first writing on nothing changes.
    again = parse(text.split("\n")[:-1])
    assert again is not None
    assert [wire_of(one) for one in again] == [wire_of(one) for one in found]
    assert "".join(map(exchange_text, again)) == "".join(map(exchange_text, found))
    masker = Masker(b"key")
    masker.meta(Meta((("user", "anna@example.com"), ("device", "A1"))))
    masked = [masker.exchange(one) for one in found]
    read_again = parse((head_text(Meta()) + "".join(map(exchange_text, masked))).split("\n")[:-1])
    assert read_again is not None
    assert [wire_of(one) for one in read_again] == [wire_of(one) for one in masked]


def wire_of(exchange: Exchange) -> tuple[object, ...]:
    sides = []
    for body in (exchange.request.body, exchange.answer.body):
        try:
            sides.append(wire(body))
        except SessionError:
            sides.append(b"left out")
    return exchange.number, exchange.request.method, *sides


LINES = st.one_of(
    st.text(max_size=30).map(lambda text: text.replace("\n", "")),
    st.sampled_from([
        "", "  ", "# a word", "=== 1 2026-11-21T12:00:00Z", "--> POST /x?y", "<-- 200 0.1s", "<-- none 3s # why",
        "A: b", "body: wbxml",
        "body: base64", "body: parts 2", "part: empty", "part: wbxml", "part: text unended", "body: left-out ?",
        "exact: 00000000",
        "body: mime crlf blank=3", "  <Sync xmlns=\"AirSync\">", "  </Sync>", "  AAAA", "  %% end",
        "  %% base64 76 utf-8", "body: text escaped",
        "  <Data opaque=\"mime\" eol=\"crlf\">", "  &#0;", "  &amp;", "  <!-- -->", "  <?x?>", "query: x", "  \\x00\\n",
    ]),
)
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["drop", "put", "swap", "cut", "twice", "letter"]),
    LINES), max_size=4)


def mutated(lines: list[str], changes: list[tuple[float, str, str]]) -> list[str]:
    lines = list(lines)
    for where, kind, other in changes:
        at = min(int(where * len(lines)), len(lines) - 1)
        match kind:
            case "drop":
                del lines[at]
            case "put":
                lines.insert(at, other)
            case "swap":
                lines[at] = other
            case "cut":
                lines[at] = lines[at][: len(lines[at]) // 2]
            case "twice":
                lines[at:at] = lines[at : at + 5]
            case "letter":
                middle = len(lines[at]) // 2
                lines[at] = lines[at][:middle] + other[:3] + lines[at][middle + 1 :]
        lines = lines or [""]
    return lines


@given(st.data(), CHANGES)
@examples(60)
def test_sessions_that_were_edited(data: st.DataObject, changes: list[tuple[float, str, str]]) -> None:
    chosen = data.draw(st.lists(st.sampled_from(blocks()), min_size=1, max_size=TOGETHER))
    body = mutated([line for block in chosen for line in block], changes)
    check(["eas-session 1", "device: A1", *body])


@given(st.lists(LINES, max_size=30))
@examples(100)
def test_lines_in_any_order(lines: list[str]) -> None:
    check(["eas-session 1", "=== 1 2026-11-21T12:00:00Z", "--> POST /x", "<-- 200 0.1s", *lines])
    check(lines)


TAGS = st.sampled_from(["Sync", "Add", "email:Subject", "airsyncbase:Data", "composemail:Mime", "nope", "x:y",
    "xml:a", "sync"])
ATTRIBUTES = st.sampled_from([
    "", ' xmlns="AirSync"', ' xmlns="Email"', ' opaque="mime"', ' opaque="base64"', ' opaque="loud"', ' eol="crlf"',
    ' xml:space="preserve"',
    ' xmlns:email="Contacts"', " a=", ' xmlns=""',
])
TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(["&amp;", "&lol;", "&#0;", "%% end\n", "<![CDATA[x]]>", "]]>",
    "<!-- -->", "<!DOCTYPE x>"]))
XML = st.recursive(
    TEXTS,
    lambda inner: st.builds(
        lambda tag, attributes, content, end: f"<{tag}{attributes}>{''.join(content)}</{end or tag}>",
        TAGS, ATTRIBUTES, st.lists(inner, max_size=4), st.sampled_from(["", "", "", "", "Sync"]),
    ),
    max_leaves=12,
)


@given(XML)
@examples(200)
def test_documents(text: str) -> None:
    try:
        root = document.from_text(text)
    except document.DocumentError:
        event("refused")
        return
    event("read")
    assert isinstance(root, Element)
    assert document.from_text(document.to_text(root)) == root


TYPES = st.sampled_from([
    "", http.WBXML, http.MULTIPART, "message/rfc822", "text/xml", "application/json", "text/html; charset=utf-7",
    "image/png", "\x00", "a" * 99,
])
HEADERS = st.lists(st.tuples(
    st.sampled_from(["Content-Type", "content-encoding", "Authorization", "Cookie", "X-A", "Content-Length",
        "User-Agent"]),
    TYPES | st.sampled_from(["gzip", "deflate", "br", "gzip, gzip", "Basic abc", "Bearer",
        "999"]) | st.text(max_size=9),
), max_size=5)
DATA = st.one_of(st.binary(max_size=60), st.sampled_from([
    b"\x1f\x8b\x08\x00", b"\x03\x01\x6a\x00\x45\x5c\x4f", b"\x02\x00\x00\x00",
    b"\x01\x00\x00\x00\x0c\x00\x00\x00\xff\xff\xff\xff", b"{\"a\":",
    b"Content-Transfer-Encoding: base64\r\n\r\n4pyT\r\n", b"Subject: =?utf-8?q?=e2=9c=93?=\n\n%% end\n",
]))


@given(HEADERS, DATA, HEADERS, DATA, st.text(max_size=20))
@examples(150)
def test_whatever_is_seen_can_be_written_and_read(
    headers: list[tuple[str, str]], body: bytes, answer_headers: list[tuple[str, str]], answer: bytes, why: str
) -> None:
    made = exchange_of(
        number=1, time=NOON, method="POST", target="/Microsoft-Server-ActiveSync?Cmd=Sync", headers=headers,
        body=body, status=200,
        seconds=0.1, answer_headers=answer_headers, answer=answer, why=why,
    )
    for exchange in (made, without_passwords(made), Masker(b"key").exchange(made)):
        text = head_text(Meta()) + exchange_text(exchange)
        (again,) = read(text.split("\n")[:-1]).exchanges
        assert wire_of(again) == wire_of(exchange)
        assert exchange_text(again) == exchange_text(exchange)


# Texts made to take long ---------------------------------------------------------------------------------------------

#: Characters of each; a way that takes the square of it is minutes long, one that does not is well under a second.
LONG = 60_000
#: Seconds of a core that each may take, whatever else the machine does.
SECONDS = 20.0

HEAD = ["eas-session 1", "=== 1 2026-11-21T12:00:00Z", "--> POST /x", "<-- 200 0.1s"]


def a_document(text: str) -> list[str]:
    return [*HEAD, "body: wbxml", *(f"  {line}" for line in text.split("\n"))]


OPEN = '<Sync xmlns="AirSync">'
HOSTILE_SESSIONS = {
    "documents nested deeply": a_document(OPEN + "<Add>" * 40_000 + "</Add>" * 40_000 + "</Sync>"),
    "documents nested and left open": a_document(OPEN * 20_000),
    "attributes": a_document("<Sync " + " ".join(f'a{n}=""' for n in range(20_000)) + "/>"),
    "namespaces": a_document("<Sync " + " ".join(f'xmlns:a{n}="x"' for n in range(20_000)) + "/>"),
    "siblings": a_document(OPEN + "<Add/>\n" * 10_000 + "</Sync>"),
    "texts between": a_document(OPEN + "x<Add/>" * 10_000 + "</Sync>"),
    "entities": a_document('<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + OPEN + "&b;</Sync>"),
    "references": a_document(OPEN + "&#65;" * 40_000 + "</Sync>"),
    "a long line": [*HEAD, "x" * LONG],
    "a long word behind a body": [*HEAD, "body: text " + "a " * LONG + "#"],
    "empty lines that are not there": [*HEAD, "body: text " + " ".join(f"blank={n}" for n in range(990_000, 999_999)),
    "  x"],
    "parts in parts": [*HEAD, "body: parts 1", *["part: parts 1"] * 5000, "part: empty"],
    "parts that are missing": [*HEAD, "body: parts 10000", "part: empty"],
    "a long number": ["eas-session " + "9" * LONG],
    "long times": [HEAD[0], "=== 1 " + "2026-11-21T12:00:00" + "9" * LONG, *HEAD[2:]],
    "seconds": [*HEAD[:3], "<-- 200 " + "9" * LONG + "s"],
    "backslashes": [*HEAD, "body: text escaped", "  " + "\\\\" * LONG],
    "half escapes": [*HEAD, "body: text escaped", "  " + "\\x0" * LONG],
    "comments": [*HEAD, *["#"] * LONG],
    "headers": [*HEAD, *["a: b"] * LONG],
    "marks of messages": [*HEAD, "body: mime", *["  %% says"] * LONG],
}


@pytest.mark.parametrize("name", HOSTILE_SESSIONS)
def test_no_session_takes_long(name: str) -> None:
    began = time.process_time()
    masker = Masker(b"key")
    for exchange in parse(HOSTILE_SESSIONS[name]) or ():
        exchange_text(masker.exchange(exchange))
    assert time.process_time() - began < SECONDS


QUOTED = "Content-Transfer-Encoding: quoted-printable\n"
HOSTILE_MESSAGES = {
    "blanks": " " * LONG + "x",
    "blanks in many lines": (" " * 1000 + "x\n") * 200,
    "heads without an end": f"{QUOTED}\nx\n" * 6000,
    "boundaries": (
        "".join(f"Content-Type: x; boundary=b{n}\n\n--c\n" for n in range(4000)) + f"{QUOTED}\n" + "--x\n" * 10_000
    ),
    "base64 that is none": "Content-Transfer-Encoding: base64\n\nAAAA\n" * 6000,
    "base64": "Content-Transfer-Encoding: base64\n\n" + "AAAA\n" * 20_000,
    "half words": "Subject: " + "=?utf-8?q?" * 10_000,
    "words": "Subject: x\n" + " =?utf-8?q?a?=\n" * 10_000,
    "charsets": "Content-Type: " + "charset=" * 10_000 + "\n\n",
    "quotes": "x: " + 'boundary="' * 10_000 + "\n\n",
    "letters cut in half": f"{QUOTED}Content-Type: text/plain; charset=utf-8\n\n" + "=C3" * LONG,
    "marks": "%%\n" * LONG,
    "backslashes and controls": "\\\x01" * LONG,
}


@pytest.mark.long
@pytest.mark.parametrize("name", HOSTILE_MESSAGES)
def test_no_message_takes_long(name: str) -> None:
    text = HOSTILE_MESSAGES[name]
    began = time.process_time()
    assert from_readable(to_readable(text)) == text
    assert list(written(body_of(text.encode(), "message/rfc822")))
    for kind in ("message/rfc822", "text/html", "application/json", "text/xml"):
        Masker(b"key").exchange(exchange_of(
            number=1, time=NOON, method="POST", target="/x", headers=[("Content-Type", kind)], body=text.encode(),
            status=200, seconds=0.1,
        ))
    assert time.process_time() - began < SECONDS


def test_a_long_session_of_noise() -> None:
    """Bytes of no kind, in all types, many at once."""
    noise = random.Random(7).randbytes(LONG)
    began = time.process_time()
    for kind in ("", http.WBXML, http.MULTIPART, "message/rfc822", "text/html"):
        body = body_of(noise, kind)
        assert wire(body) == noise
        assert list(written(body))
    assert time.process_time() - began < SECONDS
