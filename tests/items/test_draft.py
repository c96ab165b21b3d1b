"""Drafts: what a device says -> a message, and the message changed. [MS-ASEMAIL] Sync Command Request; [MS-ASAIRS] Add,
Delete."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.items import draft, headers, mime
from eas.items.body import Body, BodyType
from eas.items.email import Email
from eas.items.enclosed import Attach, Detach
from eas.items.native import Part, Refused, Unreadable, Viewer

VIEWER = Viewer(addresses=("anna@example.com",), name="Anna", zone="UTC", now=datetime(2026, 3, 3, tzinfo=UTC))


def named(item: Email) -> frozenset[str]:
    return frozenset(name for name in draft.WRITABLE if getattr(item, name))


def made(item: Email) -> bytes:
    return draft.compose(item, named(item), VIEWER, message_id="<id@example.com>", mark="first").mime


def fields(raw: bytes) -> dict[bytes, bytes]:
    return headers.parse(raw[: mime.header_end(raw)])


def attached(raw: bytes) -> dict[str, Part]:
    return {item.part.filename: item.part for item in mime.attachments(mime.structure(raw))}


def text(data: str, type: BodyType = BodyType.TEXT) -> Body:
    return Body(type=type, data=data)


#: As another program has written it: an alternative, a picture that it refers to, a file, a field of its own.
FOREIGN = b"""From: Anna <anna@example.com>\r
To: ben@example.com\r
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r
X-Mailer: Other\r
Message-ID: <foreign@example.com>\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=o; x-own=kept\r
\r
--o\r
Content-Type: multipart/related; boundary=r\r
\r
--r\r
Content-Type: multipart/alternative; boundary=a\r
\r
--a\r
Content-Type: text/plain\r
\r
Old words.\r
--a\r
Content-Type: text/html\r
\r
<p>Old words. <img src="cid:p"></p>\r
--a--\r
--r\r
Content-Type: image/png; name=p.png\r
Content-ID: <p>\r
Content-Transfer-Encoding: base64\r
X-Part: kept\r
\r
iVBORw0K\r
--r--\r
--o\r
Content-Type: application/pdf; name=f.pdf\r
Content-Disposition: attachment; filename=f.pdf\r
Content-Transfer-Encoding: base64\r
\r
JVBERi0=\r
--o--\r
"""


def test_what_is_not_named_stays() -> None:
    item = Email(body=text("New words."), cc="carl@example.com")
    raw = draft.change(FOREIGN, item, frozenset(("body", "cc")), mark="m").mime
    assert b"New words." in raw
    assert b"Old words." not in raw
    told = fields(raw)
    assert (told[b"x-mailer"], told[b"message-id"]) == (b"Other", b"<foreign@example.com>")
    assert headers.text(told[b"subject"]) == "Grüße"
    assert b"carl@example.com" in told[b"cc"]
    assert set(attached(raw)) == {"p.png", "f.pdf"}
    assert b"x-own" in raw
    for kept in (b"iVBORw0K\r\n", b"JVBERi0=\r\n", b"Content-ID: <p>\r\n"):
        assert kept in raw


def test_a_header_alone_leaves_the_content_octet_for_octet() -> None:
    raw = draft.change(FOREIGN, Email(subject="New"), frozenset(("subject", "to")), mark="m").mime
    assert raw[mime.header_end(raw) :] == FOREIGN[mime.header_end(FOREIGN) :]
    assert fields(raw)[b"subject"] == b"New"
    assert b"to" not in fields(raw)


def test_attachments_go_by_reference_and_the_same_again_changes_nothing() -> None:
    parts = attached(FOREIGN)
    gone = Email(attachments=(Detach(file_reference=f"3:4:{draft.reference(parts['p.png'])}"),))
    once = draft.change(FOREIGN, gone, frozenset(("attachments",)), mark="m").mime
    assert set(attached(once)) == {"f.pdf"}
    assert draft.change(once, gone, frozenset(("attachments",)), mark="m").mime == once
    last = Email(attachments=(Detach(file_reference=f"3:4:{draft.reference(parts['f.pdf'])}"),))
    assert not attached(draft.change(once, last, frozenset(("attachments",)), mark="n").mime)


def test_an_attachment_is_added_once_for_its_command() -> None:
    item = Email(attachments=(Attach(client_id="a", method=1, content=b"x", display_name="twin.txt"),))
    given = frozenset(("attachments",))
    once = draft.change(FOREIGN, item, given, mark="m")
    assert draft.change(once.mime, item, given, mark="m").mime == once.mime
    twice = draft.change(once.mime, item, given, mark="other")
    twins = [p for p in mime.walk(mime.structure(twice.mime)) if p.filename == "twin.txt"]
    assert len({draft.reference(part) for part in twins}) == 2
    assert [id for id, _ in twice.added] == ["a"]


def test_a_reference_outlives_the_sections() -> None:
    one, two = (Attach(client_id=n, method=1, content=n.encode(), display_name=f"{n}.txt") for n in ("1", "2"))
    raw = made(Email(body=text("x"), attachments=(one, two)))
    first, second = (draft.reference(attached(raw)[name]) for name in ("1.txt", "2.txt"))
    less = draft.change(raw, Email(attachments=(Detach(file_reference=first),)), frozenset(("attachments",)), mark="m")
    root = mime.structure(less.mime)
    assert draft.referred(root, first) is None
    section = draft.referred(root, second)
    assert section is not None
    assert section != second.partition("-")[0]
    assert mime.part_at(root, section) == attached(less.mime)["2.txt"]


def test_importance_is_said_in_one_way() -> None:
    raw = b"X-Priority: 1\r\nSubject: x\r\n\r\nText.\r\n"
    raw = draft.change(raw, Email(importance=0), frozenset(("importance",)), mark="m").mime
    assert fields(raw)[b"importance"] == b"low"
    assert b"x-priority" not in fields(raw)


@pytest.mark.parametrize(("to", "unfit"), [
    ("ben@example.com", ()), ("Ben <ben@example.com>; \"C, D\" <c@example.com>", ()), ("ben", ("ben",)),
    ("a b@example.com", ("a b@example.com",)), ("@example.com, x@", ("@example.com", "x@")), ("Ben <", ("",)),
])  # fmt: skip
def test_what_is_no_address_is_kept_and_known(to: str, unfit: tuple[str, ...]) -> None:
    raw = made(Email(to=to))
    assert draft.unfit_addresses(raw) == unfit
    assert list(headers.addresses(fields(raw)[b"to"]))


def test_a_line_end_in_a_field_starts_no_other() -> None:
    raw = made(Email(to="a@example.com\r\nBcc: b@example.com", subject="x\r\nBcc: c@example.com"))
    assert b"bcc" not in fields(raw)


@settings(max_examples=60)
@given(st.binary(max_size=300), st.text(max_size=40), st.booleans())
def test_whatever_lies_there_only_the_documented_errors_come_out(noise: bytes, words: str, html: bool) -> None:
    item = Email(
        to=words, subject=words, body=text(words, BodyType.HTML if html else BodyType.TEXT),
        attachments=(
            Attach(client_id="1", method=1, content=noise, display_name=words, content_type=words, content_id=words),
            Detach(file_reference=words),
        ),
    )
    for raw in (noise, FOREIGN[: len(noise) * 4] + noise):
        try:
            done = draft.change(raw, item, named(item), mark="m").mime
        except (Refused, Unreadable):
            continue
        assert draft.change(done, item, named(item), mark="m").mime == done
