"""Messages in a form that a person reads, and back to the character; edited ones are encoded anew."""

from __future__ import annotations

from base64 import b64encode
from email.message import EmailMessage
from email.policy import SMTP
from quopri import encodestring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.protocol import http
from eas.protocol.wbxml import Element, encode
from eas.replay.format.body import body_of, wire
from eas.replay.format.document import from_text, to_text
from eas.replay.format.lines import read_text, written
from eas.replay.format.mimetext import from_readable, to_readable

HEAD = "MIME-Version: 1.0\nContent-Type: text/plain; charset={}\nContent-Transfer-Encoding: {}\n\n"
#: What messages are made of, and what looks like our own lines.
PIECES = st.sampled_from([
    "", "\n", "\n\n", "%", "%%", "%% end\n", "%% base64 76 utf-8 crlf\n", "%% says Subject: x\n", "%%% end", " ", "\t",
    "\r",
    "Content-Transfer-Encoding: base64\n", "Content-Transfer-Encoding: quoted-printable\n", "--b\n", "--b--\n",
    "Content-Type: text/html; charset=utf-8\n", 'Content-Type: multipart/mixed; boundary="b"\n', "R3LDvMOfZQ==\n",
    "Gr=C3=BC=C3=9Fe=\n", "=E4=", "=c3=bc", "=20\n", "Subject: =?utf-8?B?R3LDvMOfZQ==?=\n", " =?utf-8?q?=C3=BC?=\n", "",
    "\x85", "ü",
    "charset=iso-8859-1", "\u2028", "AA", "=?x?b?!!?=\n",
])


@given(st.one_of(st.text(), st.lists(PIECES, max_size=25).map("".join)))
def test_any_text_comes_back(text: str) -> None:
    assert from_readable(to_readable(text)) == text


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["utf-8", "iso-8859-1", "koi8-r"]),
       st.sampled_from([57, 60, 72, 3]), st.sampled_from(["", "\n", "\r\n"]))
def test_any_encoded_text_comes_back(text: str, charset: str, size: int, eol: str) -> None:
    data = (text + eol).encode(charset, "replace")
    columns = "\n".join(b64encode(data[at : at + size]).decode() for at in range(0, len(data), size))
    for message in (
        HEAD.format(charset, "base64") + columns + "\n--b--\n",
        HEAD.format(charset, "quoted-printable") + encodestring(data).decode(),
    ):
        assert from_readable(to_readable(message)) == message


@given(st.lists(PIECES, max_size=25).map("".join), st.booleans())
def test_any_message_comes_back_from_a_file_and_a_document(text: str, crlf: bool) -> None:
    data = (text.replace("\n", "\r\n") if crlf else text).encode()
    if data:
        body = body_of(data, "message/rfc822")
        head, *lines = list(written(body))
        _, kind, *words = head.split(" ")
        if kind != "base64":
            assert read_text([kind, *words], [line[2:] for line in lines], 1).data == data
    sent = Element("ComposeMail:SendMail", (Element("ComposeMail:Mime", data),))
    assert from_text(to_text(sent)) == sent


def message() -> bytes:
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"], made["Subject"] = "anna@example.com", "ben@example.com", "Grüße aus Köln"
    made.set_content("Schöne Grüße!\n-- \n%% end\n", cte="base64")
    made.add_alternative("<p>Schöne = Grüße</p>\n" + "x" * 90 + "\n", subtype="html", cte="quoted-printable")
    made.add_attachment(b"\x00\x01" * 60, maintype="application", subtype="octet-stream", filename="a.bin")
    return made.as_bytes()


def test_how_a_message_looks() -> None:
    text = "\n".join(written(body_of(message(), "message/rfc822")))
    assert "%% says Subject: Grüße aus Köln" in text
    assert "  %% base64 76 utf-8 crlf\n  Schöne Grüße!\n  --\\x20\n  %%% end\n  %% end\n" in text
    assert "  %% quoted-printable utf-8\n  <p>Schöne =3D Grüße</p>\n" in text
    assert "AAEAAQAB" in text  # what is no text stays as it is


def test_an_edited_message_is_encoded_anew() -> None:
    data = message()
    head, *lines = list(written(body_of(data, "message/rfc822")))
    edited = [line[2:].replace("Schöne", "Liebe") for line in lines]
    found = read_text(head.split(" ")[1:], edited, 1).data
    assert b64encode("Liebe Grüße!\n".encode())[:16] in found
    assert b"<p>Liebe =3D Gr=C3=BC=C3=9Fe</p>" in found


def test_a_message_that_is_sent_is_readable_in_its_document() -> None:
    sent = Element("ComposeMail:SendMail", (Element("ComposeMail:Mime", message()),))
    assert "\nSchöne Grüße!\n" in to_text(sent)
    assert wire(body_of(encode(sent), http.WBXML)) == encode(sent)


@pytest.mark.parametrize(("text", "said"), [
    ("%% base64 76 utf-8\nx", "'%% end' is missing"),
    ("%% base64 76 rot13\nx\n%% end", "unknown charset"),
    ("%% base64 76 us-ascii\nü\n%% end", "ascii"),
    ("%% base64 76 utf-8\n%% base64 76 utf-8\n%% end", "is expected"),
    ("%% bold", "unknown line"),
])
def test_what_cannot_be_read_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        from_readable(text)


def test_large_messages_take_their_time_once() -> None:
    """Linear: this would take minutes otherwise."""
    text = HEAD.format("utf-8", "quoted-printable") + "=C3=BC indented\n " * 100_000 + "\n" + " a\n" * 100_000
    assert from_readable(to_readable(text)) == text
