"""Header fields."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.header import Header
from email.utils import formataddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.items import headers
from eas.items.headers import Address


def test_fields_are_unfolded_and_the_first_counts() -> None:
    block = b"Subject: one\r\n two\r\n\tthree\r\nsubject: later\r\nTo: a@b\r\nto: c@d\r\nno field\r\n: nameless\r\n\r\n"
    found = headers.parse(block)
    assert found[b"subject"] == b"one two\tthree".replace(b"\t", b" ")
    assert found[b"to"] == b"a@b, c@d"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b"=?utf-8?Q?a?= =?utf-8?Q?b?=\t=?utf-8?Q?c?= d", "abc d"),
        (b"=?utf-8?B?w6Q=?= x =?ISO-8859-1?q?=E4_b?=", "ä x ä b"),
        (b"=?utf-8*de?Q?=C3=BC?=", "ü"),
        (b"=?utf-8?Q?=E2=82?= =?utf-8?Q?=AC?=", "€"),
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("latin-1"), "Grüße"),
        (b"=?utf-8?Q?a=0D=0ABcc:_x?=", "a Bcc: x"),
        (b"=?x-unknown?Q?=E4?=", "ä"),
        (b"=?utf-8?Q?open", "=?utf-8?Q?open"),
        (b"=?utf-8?B?w6=?=", "\xc3"),
    ],
)
def test_text(value: bytes, text: str) -> None:
    assert headers.text(value) == text


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b'"Doe, Jane" <j@x.org>, z@z', [("Doe, Jane", "j@x.org"), ("", "z@z")]),
        (b"John Doe <j@x> ; <y@y>", [("John Doe", "j@x"), ("", "y@y")]),
        (b'"a \\"b\\"" <c@d>', [('a "b"', "c@d")]),
        (b"undisclosed-recipients:;", []),
        (b'Team: a@b, "C" <c@d>; e@f', [("", "a@b"), ("C", "c@d"), ("", "e@f")]),
        (b"a@b (John (x) Doe), c@d", [("John (x) Doe", "a@b"), ("", "c@d")]),
        (b"=?utf-8?q?M=C3=BCller=2C_A?= <m@x>", [("Müller, A", "m@x")]),
        ("Jürgen <j@x>".encode(), [("Jürgen", "j@x")]),
        (b"only a name", [("only a name", "")]),
        (b'J. "Bob" Dobbs <b@x>', [("J. Bob Dobbs", "b@x")]),
        (b'"never closed <a@b>, c@d', [("never closed", "a@b"), ("", "c@d")]),
        (b"a@b <a@b>", [("", "a@b")]),
        (b", ,;", []),
    ],
)
def test_addresses(value: bytes, found: list[tuple[str, str]]) -> None:
    assert [(a.name, a.address) for a in headers.addresses(value)] == found


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12),
            st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.org", fullmatch=True),
        ),
        max_size=6,
    )
)
def test_addresses_that_the_standard_library_writes_are_read(boxes: list[tuple[str, str]]) -> None:
    value = ", ".join(formataddr(box, "utf-8") for box in boxes).encode()
    assert [(a.name, a.address) for a in headers.addresses(value)] == boxes


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn", "Co")), max_size=60))
def test_subject_that_the_standard_library_writes_is_read(subject: str) -> None:
    value = Header(subject, "utf-8").encode().replace("\n", "").encode()
    assert headers.text(value) == subject.replace("\ufeff", "") or "\ufeff" in subject


def test_full_form_of_an_address() -> None:
    assert Address("Doe, Jane", "j@x").full == '"Doe, Jane" <j@x>'
    assert Address('a "b" \\', "c@d").full == '"a \\"b\\" \\\\" <c@d>'
    assert Address("", "c@d").full == "c@d"


@pytest.mark.parametrize(
    ("value", "head", "params"),
    [
        (b'Text/Plain; Charset="utf-8"; format=flowed', "text/plain", {"charset": "utf-8", "format": "flowed"}),
        (b"attachment; filename*=utf-8'de'Gr%C3%BC%C3%9Fe.txt", "attachment", {"filename": "Grüße.txt"}),
        (b"inline; filename*0*=utf-8''Gr%C3%BC; filename*1=sse; filename*2=.txt", "inline", {"filename": "Grüsse.txt"}),
        (b'attachment; filename="=?utf-8?Q?=C3=BC.txt?="', "attachment", {"filename": "ü.txt"}),
        (b'x/y; name="a;b\\"c"; z', "x/y", {"name": 'a;b"c'}),
        ("attachment; filename=ü.txt".encode(), "attachment", {"filename": "ü.txt"}),
        (b"", "", {}),
    ],
)  # fmt: skip
def test_values_with_parameters(value: bytes, head: str, params: dict[str, str]) -> None:
    assert headers.value_and_params(value) == (head, params)


def test_dates() -> None:
    assert headers.moment(b"Mon, 1 Jul 2024 10:00:00 +0200") == datetime(2024, 7, 1, 8, tzinfo=UTC)
    for wrong in (b"", b"yesterday", b"Mon, 99 Jul 2024 10:00:00 +0200", b"1 Jan 99999999999 00:00:00", b"\xff"):
        assert headers.moment(wrong) is None


def test_message_ids() -> None:
    assert headers.message_ids(b"<a@b> text\r\n <c@d>") == [b"a@b", b"c@d"]
    assert headers.message_ids(b"bare@id") == [b"bare@id"]
    assert headers.message_ids(b"") == []


_PIECES = (
    b"(", b'"', b"<", b"a:", b"\\", b" ", b";", b'"a" ', b"a b ", b"=?u?q?", b"=?u?q?a?= ", b",", b'a "b" ', b"; a=",
    b"\t\n",
)  # fmt: skip


@pytest.mark.parametrize("piece", _PIECES)
def test_no_field_is_slow(piece: bytes) -> None:
    value = piece * (100_000 // len(piece))
    start = time.process_time()
    list(headers.addresses(value))
    headers.text(value)
    headers.value_and_params(value)
    headers.parse(value)
    headers.message_ids(value)
    headers.moment(value)
    assert time.process_time() - start < 2


@given(st.binary(max_size=200))
def test_never_fails(value: bytes) -> None:
    for box in headers.addresses(value):
        assert "\n" not in box.name
    headers.text(value)
    headers.value_and_params(value)
    headers.parse(value)
    headers.message_ids(value)
    headers.moment(value)
