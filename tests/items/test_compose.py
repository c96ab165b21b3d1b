"""Messages on their way out. [MS-ASCMD] SendMail, SmartReply, SmartForward."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_samples import JANE, names, raw

from eas.items import compose, conversation, headers, mime
from eas.items.compose import ComposeError, Fault, Outgoing
from eas.items.native import Viewer

NEW = (
    "From: Jane Döe <spoofed@example.net>\r\nTo: Anna <anna@example.org>, anna@EXAMPLE.org\r\nCc: bob@example.net\r\n"
    "Bcc: secret@example.org\r\nSubject: =?utf-8?q?R=C3=BCckfrage?=\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\nMy answer €\r\nbye\r\n"
).encode()
RICH = (
    b"To: anna@example.org\r\nSubject: x\r\nContent-Type: multipart/alternative; boundary=n\r\n\r\n--n\r\n"
    b"Content-Type: text/plain\r\n\r\nnew text\r\n--n\r\nContent-Type: text/html\r\n\r\n"
    b"<html><body><p>new html</p></body></html>\r\n--n--\r\n"
)
ID = "<made@example.com>"


def prepare(message: bytes, viewer: Viewer = JANE) -> Outgoing:
    return compose.prepare(message, viewer, message_id=ID)


def parsed(message: bytes) -> EmailMessage:
    """As the standard library reads what we send, without finding fault."""
    found = email.message_from_bytes(prepare(message).mime, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    assert not [defect for part in found.walk() for defect in part.defects]
    return found


def text(message: EmailMessage, kind: str = "plain") -> str:
    body = message.get_body((kind,))
    return "" if body is None else str(body.get_content())


def kinds(message: EmailMessage) -> list[str]:
    return [part.get_content_type() for part in message.walk()]


# --- SendMail ---------------------------------------------------------------------------------------------------------


def test_message_is_made_ready() -> None:
    out = prepare(NEW)
    assert out.sender == "jane@example.com"
    assert out.recipients == ("anna@example.org", "bob@example.net", "secret@example.org")
    assert (out.message_id, out.subject) == (ID, "Rückfrage")
    head, _, body = out.mime.partition(b"\r\n\r\n")
    assert body == "My answer €\r\nbye\r\n".encode()
    assert b"\nbcc:" not in head.lower()
    assert b"secret" not in head
    assert b"spoofed" not in head
    assert head.isascii()
    found = parsed(NEW)
    assert str(found["From"]) == "Jane Döe <jane@example.com>"
    assert found["Date"].datetime == JANE.now
    assert found["MIME-Version"] == "1.0"


def test_own_identity_id_and_date_are_kept() -> None:
    message = (
        b"From: J.Doe@Example.com\r\nTo: a@b.org\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
        b"Message-ID: <own@phone>\r\n\r\nx"
    )
    out = prepare(message)
    assert (out.sender, out.message_id) == ("j.doe@example.com", "<own@phone>")
    assert b"Date: Mon, 1 Jan 2024 00:00:00 +0000" in out.mime
    assert out.mime.count(b"Message-ID:") == out.mime.count(b"From:") == 1


def test_bare_line_ends_become_crlf() -> None:
    out = prepare(b"To: a@b.org\nSubject: x\n y\n\none\ntwo\r\nthree\rfour")
    assert out.mime.endswith(b"\r\n\r\none\r\ntwo\r\nthree\r\nfour")
    assert out.mime.replace(b"\r\n", b"").count(b"\n") == 0


def test_content_of_signed_messages_is_untouched() -> None:
    signed = raw("smime_signed")
    assert prepare(signed).mime.partition(b"\r\n\r\n")[2] == signed.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("message", [b"", b"\r\n\r\n", b"no header\r\n\r\nTo: a@b.org", b"\x00\xff" * 20])
def test_what_is_no_message_is_refused(message: bytes) -> None:
    with pytest.raises(ComposeError) as caught:
        prepare(message)
    assert caught.value.kind is Fault.INVALID_MIME


@pytest.mark.parametrize(
    "to", [b"", b"To:\r\n", b"To: undisclosed-recipients:;\r\n", b"To: nobody\r\n", b"To: <a b@c>\r\n"]
)
def test_message_without_recipients_is_refused(to: bytes) -> None:
    with pytest.raises(ComposeError) as caught:
        prepare(b"Subject: x\r\n" + to + b"\r\ntext")
    assert caught.value.kind is Fault.NO_RECIPIENT


@pytest.mark.parametrize(
    "name",
    [
        b"=?utf-8?q?x=0D=0ABcc:_evil@e.org=0D=0A?=",
        b'"x\r\n Bcc: evil@e.org"',
        b'"=?utf-8?q?=22_=3Cevil=40e.org=3E?="',
        b"x\0y",
    ],
)
def test_display_name_cannot_add_headers_or_addresses(name: bytes) -> None:
    out = prepare(b"From: " + name + b" <x@y>\r\nTo: " + name + b" <a@b.org>\r\n\r\ntext")
    found = email.message_from_bytes(out.mime, policy=email.policy.default)
    assert "Bcc" not in found
    assert [box.addr_spec for box in found["From"].addresses] == ["jane@example.com"]
    assert out.recipients == ("a@b.org",)


@given(st.binary(max_size=300))
def test_any_octets_give_a_message_or_a_fault(octets: bytes) -> None:
    for message in (octets, b"To: a@b.org\r\n" + octets):
        try:
            out = prepare(message)
        except ComposeError:
            continue
        head = out.mime.partition(b"\r\n\r\n")[0]
        assert b"\0" not in head
        assert head.replace(b"\r\n", b"").count(b"\n") == 0
        assert not any(line[:4].lower() == b"bcc:" for line in head.split(b"\r\n"))


# --- SmartReply, SmartForward -----------------------------------------------------------------------------------------


def test_reply_quotes_the_original_as_text() -> None:
    found = parsed(compose.reply(NEW, raw("plain")))
    assert kinds(found) == ["text/plain"]
    assert found.get_content_charset() == "utf-8"
    lines = text(found).splitlines()
    assert lines[:2] == ["My answer €", "bye"]
    assert 'From: "Anna Berg" <anna@example.org>' in lines
    assert "> Shall we meet at noon?" in lines


def test_forward_passes_text_on_unquoted() -> None:
    lines = text(parsed(compose.forward(NEW, raw("plain")))).splitlines()
    assert "Shall we meet at noon?" in lines


@pytest.mark.parametrize("new", [NEW, RICH])
def test_html_original_gives_text_and_html(new: bytes) -> None:
    found = parsed(compose.reply(new, raw("inline_image")))
    assert kinds(found) == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    page = text(found, "html")
    assert (
        page.index("answer" if new is NEW else "new html")
        < page.index("<blockquote")
        < page.index("cid:logo@example.org")
    )
    assert page.lower().count("<body") == page.lower().count("</body>") == 1
    assert "> See the logo" in text(found)


def test_html_reply_to_text() -> None:
    found = parsed(compose.reply(RICH, raw("plain")))
    assert kinds(found) == ["multipart/alternative", "text/plain", "text/html"]
    assert "Shall we meet at noon?" in text(found, "html")


def test_forward_carries_attachments_and_reply_does_not() -> None:
    forwarded = parsed(compose.forward(NEW, raw("inline_image")))
    (pdf,) = forwarded.iter_attachments()
    assert (pdf.get_filename(), pdf.get_payload(decode=True)) == ("Prüfbericht.pdf", b"%PDF-1.4 made up")
    image = next(part for part in forwarded.walk() if part.get_content_type() == "image/png")
    assert image["Content-ID"] == "<logo@example.org>"
    assert not list(parsed(compose.reply(NEW, raw("two_texts"))).iter_attachments())


def test_forward_carries_enclosed_messages_whole() -> None:
    found = parsed(compose.forward(NEW, raw("forwarded")))
    (enclosed,) = found.iter_attachments()
    assert enclosed.get_content_type() == "message/rfc822"
    assert enclosed.get_payload(0)["Message-ID"] == "<plan@example.net>"  # type: ignore[index]


def test_sealed_original_is_attached_to_a_forward() -> None:
    for name in ("smime_encrypted", "smime_signed"):
        (enclosed,) = parsed(compose.forward(NEW, raw(name))).iter_attachments()
        assert enclosed.get_content_type() == "message/rfc822"
        assert enclosed.get_filename().endswith(".eml")  # type: ignore[union-attr]
        assert kinds(parsed(compose.reply(NEW, raw(name)))) == ["text/plain"]


def test_original_that_cannot_be_read_is_attached_to_a_forward() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(100))
    out = compose.forward(NEW, deep)
    # Enclosed as a message it would make the forward unreadable, too: a file it is.
    assert b"application/octet-stream" in out
    assert b".eml" in out
    assert text(parsed(compose.reply(NEW, raw("no_header"))))


def test_sealed_answer_is_left_as_it_is() -> None:
    signed = raw("smime_signed")
    assert compose.reply(signed, raw("plain")).partition(b"\r\n\r\n")[2] == signed.partition(b"\r\n\r\n")[2]


def test_attachments_of_the_answer_stay() -> None:
    new = raw("inline_image")
    found = parsed(compose.reply(new, raw("plain")))
    assert [part.get_filename() for part in found.iter_attachments()] == ["Prüfbericht.pdf"]
    assert "image/png" in kinds(found)


def test_calendar_parts_stay() -> None:
    assert kinds(parsed(compose.reply(raw("accepted"), raw("plain")))) == [
        "multipart/alternative",
        "text/plain",
        "text/calendar",
    ]
    forwarded = parsed(compose.forward(NEW, raw("invitation")))
    calendar = next(part for part in forwarded.walk() if part.get_content_type() == "text/calendar")
    assert calendar.get_param("method") == "REQUEST"
    assert b"UID:review-1@example.org" in calendar.get_payload(decode=True)  # type: ignore[operator]


def test_answers_are_joined_to_the_conversation() -> None:
    original = raw("thread_references")
    found = parsed(compose.reply(NEW, original))
    assert found["In-Reply-To"] == "<t3@example.org>"
    assert str(found["References"]).split() == ["<t1@example.org>", "<t2@example.org>", "<t3@example.org>"]
    assert found["Thread-Topic"] == "Budget"
    out = prepare(compose.reply(NEW, original)).mime
    of_reply, of_original = (
        conversation.conversation_of(headers.parse(m[: mime.header_end(m)]), JANE.now) for m in (out, original)
    )
    assert of_reply.id == of_original.id
    assert len(of_reply.index) == len(of_original.index) + 5


def test_references_of_the_device_are_kept() -> None:
    new = b"In-Reply-To: <mine@x>\r\nReferences: <mine@x>\r\n" + NEW
    found = parsed(compose.reply(new, raw("plain")))
    assert (found["In-Reply-To"], found["References"]) == ("<mine@x>", "<mine@x>")


def test_appointment_is_attached_to_a_forward_and_quoted_in_a_reply() -> None:
    ics = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDESCRIPTION:Bring it\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    found = parsed(compose.forward(NEW, ics, "Calendar", datetime(2024, 7, 5, 10, tzinfo=UTC)))
    (invite,) = found.iter_attachments()
    assert (invite.get_filename(), invite.get_payload(decode=True)) == ("invite.ics", ics)
    assert "2024-07-05 10:00 UTC" in text(found)
    assert "Bring it" in text(parsed(compose.reply(NEW, ics, "Calendar")))


@pytest.mark.parametrize("name", names())
def test_every_message_can_be_answered_and_forwarded(name: str) -> None:
    for new in (NEW, RICH):
        for answer in (compose.reply, compose.forward):
            found = parsed(answer(new, raw(name)))
            assert found["Subject"]
    if name not in ("no_header",):
        compose.reply(raw(name), raw("plain"))


@given(st.binary(max_size=200))
def test_any_original_can_be_answered(octets: bytes) -> None:
    for message in (octets, b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + octets):
        for answer in (compose.reply, compose.forward):
            assert answer(NEW, message).startswith(b"From:")


def test_equal_input_gives_equal_output() -> None:
    assert compose.forward(NEW, raw("inline_image")) == compose.forward(NEW, raw("inline_image"))
