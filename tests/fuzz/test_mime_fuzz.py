"""Arbitrary octets, and real messages with arbitrary damage: only Unreadable comes out, and soon."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eas.items import compose, email, mime
from eas.items.body import BodyPreference, BodyType, Wanted
from eas.items.native import Mail, MailFlags, Unreadable, Viewer
from eas.protocol.schema import content
from eas.protocol.version import Version

NOW = datetime(2024, 7, 1, tzinfo=UTC)
VIEWER = Viewer(addresses=("jane@example.com",), name="Jane", zone="Europe/Berlin", now=NOW)
MESSAGES = [
    path.read_bytes() for path in sorted((Path(__file__).resolve().parents[2] / "fixtures" / "mail").glob("*.eml"))
]
SMALL = [message for message in MESSAGES if len(message) < 5000]

#: What tends to upset parsers of mail.
SPARKS = st.sampled_from(
    [
        *(b"\r\n\r\n", b"\n\n", b"--", b"\n--b1\n", b"=?utf-8?B?", b"?=", b"\0", b"\xff\xfe", b"base64"),
        *(
            b"\r",
            b"\t",
            b";",
            b'"',
            b"<",
            b"(",
            b"boundary=b1",
            b"*0*=",
            b"%",
            b"charset=utf-16\r\n",
            b"Thread-Index: AQ\r\n",
        ),
        b"Content-Type: message/rfc822\r\n\r\n",
        b'Content-Type: multipart/mixed; boundary="\r\n',
        b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 1 x\n",
    ]
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message with some places cut out, doubled or overwritten."""
    message = draw(st.sampled_from(SMALL))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(message)))
        end = draw(st.integers(start, min(len(message), start + 60)))
        message = message[:start] + draw(SPARKS | st.binary(max_size=6)) + message[end:]
    return message


_HTML = BodyPreference(type=BodyType.HTML, truncation_size=100, preview=30)
_MIME = BodyPreference(type=BodyType.MIME, truncation_size=200, all_or_none=True)
_PART = BodyPreference(type=BodyType.HTML, truncation_size=9)
WANTED = [
    Wanted(),
    Wanted(preferences=(_HTML,)),
    Wanted(preferences=(_MIME, BodyPreference(type=BodyType.TEXT)), mime_support=2, part_preference=_PART),
]


def shown(message: bytes, wanted: Wanted, version: Version) -> None:
    root = mime.structure(message)
    sections = {}
    for section, octets in mime.sections_wanted(root, wanted).items():
        part = mime.part_at(root, section) if section else None
        sections[section] = message[:octets] if part is None else mime.cut_from(message, part, octets)
    item = Mail(
        id=1, version="", flags=MailFlags(), received=NOW, size=len(message), structure=root, sections=sections,
        header=message[: mime.header_end(message)],
    )  # fmt: skip
    content(email.render(item, wanted, VIEWER, version, lambda part: part.section), version)
    content(email.degraded(item, "reason", VIEWER, version, lambda part: part.section), version)


@pytest.mark.parametrize("wanted", WANTED)
@given(message=damaged())
@settings(max_examples=60, deadline=None)
def test_damaged_messages_are_shown_or_unreadable(wanted: Wanted, message: bytes) -> None:
    for version in (Version.V2_5, Version.V14_1):
        with suppress(Unreadable):
            shown(message, wanted, version)


@given(message=st.binary(max_size=400) | st.lists(SPARKS, max_size=30).map(b"".join))
@settings(max_examples=100, deadline=None)
def test_any_octets_are_shown_or_unreadable(message: bytes) -> None:
    for wanted in WANTED:
        with suppress(Unreadable):
            shown(message, wanted, Version.V14_1)


@given(message=damaged())
@example(
    b"Content-Type: multipart/mixed; boundary=d\r\n\r\n--d\r\n"
    b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n--d--\r\n"
)
@settings(max_examples=60, deadline=None)
def test_parts_lie_within_their_parents(message: bytes) -> None:
    with suppress(Unreadable):
        root = mime.structure(message)
        for part in mime.walk(root):
            assert 0 <= part.offset <= part.offset + part.size <= len(message)
            for child in part.children:
                assert part.offset <= child.offset
                assert child.offset + child.size <= part.offset + part.size
        sections = [part.section for part in mime.walk(root)]
        assert len(sections) == len(set(sections))


@given(message=damaged())
@settings(max_examples=50, deadline=None)
def test_damaged_messages_are_answered(message: bytes) -> None:
    new = b"To: a@b.org\r\nSubject: x\r\n\r\ntext\r\n"
    for answer in (compose.reply, compose.forward):
        compose.prepare(answer(new, message), VIEWER, message_id="<m@x>")
        with suppress(compose.ComposeError):
            compose.prepare(answer(message, new), VIEWER, message_id="<m@x>")
