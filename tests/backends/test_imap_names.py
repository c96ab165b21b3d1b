"""Names of mailboxes in modified UTF-7, and arguments of commands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.backends.imap import commands, names, responses
from eas.backends.imap.model import Bad
from eas.backends.imap.syntax import tree


@pytest.mark.parametrize(("wire", "name"), [
    (b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"), (b"Gr&APwA3w-e &- Co", "Grüße & Co"),
    (b"&2D3eAA-", "😀"), (b"INBOX", "INBOX"), (b"&AAoADQ-", "\n\r"), (b"", ""),
])  # fmt: skip
def test_names(wire: bytes, name: str) -> None:
    assert names.decoded(wire) == name
    assert names.encoded(name) == wire


@pytest.mark.parametrize(("wire", "name"), [
    (b"inbox", "INBOX"), (b"Gr\xc3\xbcn", "Grün"), (b"a\xff", "a\N{REPLACEMENT CHARACTER}"), (b"A&B", "A&B"),
    (b"A & B", "A & B"), (b"&2D0-", "&2D0-"), (b"&a-", "&a-"), (b"&AP", "&AP"), (b"&!!-", "&!!-"), (b"x&", "x&"),
])  # fmt: skip
def test_names_that_are_spelled_wrong_are_shown_as_they_are(wire: bytes, name: str) -> None:
    assert names.decoded(wire) == name


@given(st.text(st.characters(codec="utf-8"), max_size=20))
@settings(max_examples=200)
def test_every_name_comes_back(name: str) -> None:
    wire = names.encoded(name)
    assert all(0x20 <= octet <= 0x7E for octet in wire)
    assert names.decoded(wire) == ("INBOX" if name.upper() == "INBOX" else name)


@given(st.text(max_size=8), st.binary(max_size=12))
@settings(max_examples=100)
def test_nothing_is_too_odd(name: str, wire: bytes) -> None:
    names.encoded(name)
    names.decoded(wire)


@given(st.binary(max_size=40))
@settings(max_examples=200)
def test_strings_are_quoted_or_literals(data: bytes) -> None:
    piece = commands.string(data)
    if isinstance(piece, commands.Literal):
        assert piece.data == data
        assert piece.binary == (b"\0" in data)
    else:
        assert tree([piece]) == [data]


def test_literals_are_announced() -> None:
    assert commands.Literal(b"abc").announced(True) == b"{3+}\r\n"
    assert commands.Literal(b"abc").announced(False) == b"{3}\r\n"
    assert commands.Literal(b"a\0c", binary=True).announced(False) == b"~{3}\r\n"


@given(st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))
@settings(max_examples=100)
def test_dates_come_back(value: datetime, minutes: int) -> None:
    value = value.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    written = commands.moment(value)
    assert responses.moment(written[1:-1]) == value


def test_a_date_as_it_is_written() -> None:
    assert commands.moment(datetime(2026, 3, 1, 9, 5, 7, tzinfo=UTC)) == b'"01-Mar-2026 09:05:07 +0000"'


def test_what_would_leave_its_line_is_refused() -> None:
    for text in ("a\r\nb", "a\nb", "a\0b", "ü"):
        with pytest.raises(Bad):
            commands.plain(text)
    for flag in ("", "a b", "a(", 'a"', "a\\b", "a%", "a*", "ü", "{", "\\", "a]"):
        with pytest.raises(Bad):
            commands.flags([flag])
    assert commands.flags(["\\Seen", "$Forwarded", "NonJunk", "a.b-c_d/e"]) == b"(\\Seen $Forwarded NonJunk a.b-c_d/e)"


def test_criteria_are_joined() -> None:
    assert commands.merged(commands.criteria(["OR", "SUBJECT", b"x y", "TEXT", "ü".encode(), "UNSEEN"])) == [
        b' OR SUBJECT "x y" TEXT ', commands.Literal("ü".encode()), b" UNSEEN",
    ]  # fmt: skip
