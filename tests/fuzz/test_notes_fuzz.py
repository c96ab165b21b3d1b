"""Messages in a mailbox of notes, damaged, and notes with anything in them: only Unreadable comes out, and an edit
makes a message that says what was written into it."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from fuzz_settings import examples
from hypothesis import given
from hypothesis import strategies as st

from eas.backends.imap import notemail
from eas.items import mime, notes
from eas.items.contentline import parse
from eas.items.headers import Address
from eas.items.native import Mail, MailFlags, Unreadable

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SEEDS = (
    b"Subject: Shopping\r\nX-Uniform-Type-Identifier: com.apple.mail-note\r\nX-Universally-Unique-Identifier: U1\r\n"
    b"Date: Sat, 21 Nov 2026 09:30:00 +0100\r\nMessage-Id: <a@example.com>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n<div>Shopping</div><div>Milk &amp; bread</div>\r\n",
    b"Subject: Holiday\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=xx\r\n\r\nfirst\r\n--xx\r\n"
    b"Content-Type: multipart/alternative; boundary=yy\r\n\r\n--yy\r\nContent-Type: text/plain\r\n\r\nplain\r\n--yy\r\n"
    b"Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n"
    b"--yy--\r\n--xx\r\nContent-Type: image/png\r\nContent-ID: <p>\r\n\r\nxxxx\r\n--xx--\r\n",
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VJOURNAL\r\nUID:u-1\r\nSUMMARY:Shopping\r\nDESCRIPTION:Milk\\nBread\r\n"
    b"X-ALT-DESC;FMTTYPE=text/html:<p>Milk</p>\r\nCATEGORIES:Home,Work\r\nEND:VJOURNAL\r\nEND:VCALENDAR\r\n",
)
SPARKS = st.sampled_from([
    b"\r\n\r\n", b"\n", b"\r", b"--xx\r\n", b"--yy--", b"\0", b"\xff\xfe", b"=", b"=?utf-8?q?", b"&#0;", b"<", b"\\",
    b"charset=utf-16", b"Content-Type: text/plain; boundary=xx\r\n", b"Content-Transfer-Encoding: base64\r\n",
    b"SUMMARY:", b"BEGIN:VJOURNAL\r\n", b"UID:\r\n", b"\xe2\x80\xa8",
])


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    octets = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(octets)))
        end = draw(st.integers(start, min(len(octets), start + 40)))
        octets = octets[:start] + draw(SPARKS | st.binary(max_size=6)) + octets[end:]
    return octets


def as_mail(raw: bytes) -> Mail:
    root = mime.structure(raw)
    parts = {part.section: part for part in mime.walk(root)}
    wanted = mime.sections_wanted(root, notemail.wanted(1 << 20))
    return Mail(
        id=7, version="r", flags=MailFlags(categories=("a,b\0\ud800",)), received=NOW, size=len(raw),
        header=raw[: mime.header_end(raw)], structure=root,
        sections={section: mime.cut_from(raw, parts[section]) for section in wanted if section in parts},
    )


@examples(200)
@given(damaged())
def test_a_message_is_a_note_or_unreadable(raw: bytes) -> None:
    with suppress(Unreadable):
        mail = as_mail(raw)
        assert notes.degraded(notemail.unreadable(mail), "why").subject
        parse(notemail.journal(mail))


@examples(200)
@given(damaged())
def test_what_is_written_into_a_message_is_what_it_says(raw: bytes) -> None:
    note = notemail.Said(subject="A subject", text="New text\nof two lines", html=None)
    with suppress(Unreadable):
        changed = notemail.edited(raw, note, NOW, message_id="<new@example.com>", uid="u")
        found = notemail.said(notemail.journal(as_mail(changed)))
        assert found.subject == note.subject
        assert "New text" in found.text


@examples(200)
@given(damaged())
def test_a_note_is_a_message_or_unreadable(data: bytes) -> None:
    with suppress(Unreadable):
        note = notemail.said(data)
        raw = notemail.message(data, NOW, message_id="<new@example.com>", sender=Address("Anna", "anna@example.com"))
        found = notemail.said(notemail.journal(as_mail(raw)))
        assert (found.html is None) == (note.html is None)
        assert raw[: mime.header_end(raw)].isascii()
