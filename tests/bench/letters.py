"""Messages in bulk: the kinds that a mailbox is made of, all different, the same every time."""

from __future__ import annotations

import base64
import quopri
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

FIRST = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
#: Between one message and the next.
PACE = timedelta(minutes=7)

PEOPLE = ("Mia Ek", "Tomás Duarte", "Jürgen Möller", "Aoife Byrne", "Zoë Brandt", "Kofi Mensah", "Ida Lund")
SUBJECTS = ("Minutes of Tuesday", "Offer for the staircase", "Rückfrage zur Planung", "Invoice 3308", "Lunch?",
            "Delivery next week", "Re: Oak or birch", "Fwd: Measurements")
SENTENCES = (
    "The boards came this morning and two of them are warped.",
    "Could you call the customer before noon, please?",
    "Für die Treppe brauchen wir noch das Maß der Öffnung.",
    "I have put the drawings into the shared folder.",
    "We agreed on birch, with an oiled surface, and delivery in week 14.",
    "The price does not include the fitting.",
)


def received(number: int) -> datetime:
    return FIRST + number * PACE


def letter(number: int, *, bodies: bool = False) -> bytes:
    """A message of about 1 KB; with `bodies` one of four kinds with 2 to 30 KB, as people and programs send them."""
    if not bodies:
        return _head(number, "text/plain; charset=utf-8") + _lines(number, 6).encode()
    return KINDS[number % len(KINDS)](number)


def _head(number: int, content_type: str, transfer: str = "8bit") -> bytes:
    name = PEOPLE[number % len(PEOPLE)]
    shown = f"=?utf-8?b?{base64.b64encode(name.encode()).decode()}?="
    subject = base64.b64encode(f"{SUBJECTS[number % len(SUBJECTS)]} ({number})".encode()).decode()
    hops = "".join(
        f"Received: from mx{hop}.example.net (mx{hop}.example.net [192.0.2.{hop + 1}])\r\n\tby mail.example.test with "
        f"ESMTPS id {number:x}{hop}\r\n\tfor <ben@example.test>; Mon, 5 Jan 2026 08:00:0{hop} +0000\r\n"
        for hop in range(4)
    )
    return (
        f"{hops}From: {shown} <person{number % 97}@example.net>\r\nTo: Ben Okafor <ben@example.test>\r\n"
        f"Subject: =?utf-8?b?{subject}?=\r\nDate: {format_datetime(received(number))}\r\n"
        f"Message-ID: <bench-{number}@example.net>\r\nReferences: <bench-{number // 4 * 4}@example.net>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: {transfer}\r\n\r\n"
    ).encode()


def _lines(number: int, count: int) -> str:
    return "".join(f"{SENTENCES[(number + at) % len(SENTENCES)]} ({at})\r\n" for at in range(count))


def _html(number: int, paragraphs: int) -> str:
    style = "margin:0 0 8pt 0"
    body = "".join(
        f'<p class="MsoNormal" style="{style}">{SENTENCES[(number + at) % len(SENTENCES)]} &nbsp;<b>{at}</b></p>\r\n'
        for at in range(paragraphs)
    )
    return (
        "<html><head><meta charset=utf-8><style>p.MsoNormal {font-family: Calibri; font-size: 11pt}</style></head>"
        f"<body>{body}<img src=\"cid:logo\"></body></html>\r\n"
    )


def _plain(number: int) -> bytes:
    return _head(number, "text/plain; charset=utf-8", "quoted-printable") + quopri.encodestring(
        _lines(number, 25).encode()
    ).replace(b"\n", b"\r\n").replace(b"\r\r\n", b"\r\n")


def _alternative(number: int) -> bytes:
    """Text, and 8 KB of HTML in quoted-printable, as Outlook does it."""
    html = quopri.encodestring(_html(number, 60).encode()).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return (
        _head(number, 'multipart/alternative; boundary="alt"', "7bit")
        + b'--alt\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n'
        + _lines(number, 30).encode()
        + b'\r\n--alt\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
        + html + b"\r\n--alt--\r\n"
    )


def _newsletter(number: int) -> bytes:
    """15 KB of HTML in base64, nothing else."""
    return _head(number, "text/html; charset=utf-8", "base64") + base64.encodebytes(
        _html(number, 110).encode()
    ).replace(b"\n", b"\r\n")


def _attached(number: int) -> bytes:
    """Text and HTML with a picture in it, and a document of 12 KB."""
    picture, document = bytes(range(256)) * 8, bytes((number + at) % 251 for at in range(12_000))
    return (
        _head(number, 'multipart/mixed; boundary="mix"', "7bit")
        + b'--mix\r\nContent-Type: multipart/related; boundary="rel"\r\n\r\n'
        + b"--rel\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        + _html(number, 45).encode()
        + b"\r\n--rel\r\nContent-Type: image/png; name=logo.png\r\nContent-ID: <logo>\r\n"
        + b"Content-Disposition: inline\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(picture).replace(b"\n", b"\r\n")
        + b"\r\n--rel--\r\n--mix\r\nContent-Type: application/pdf; name=offer.pdf\r\n"
        + b"Content-Disposition: attachment; filename=offer.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(document).replace(b"\n", b"\r\n") + b"\r\n--mix--\r\n"
    )


#: As often as they occur here: half of all mail is text with HTML beside it.
KINDS = (_alternative, _plain, _alternative, _newsletter, _attached, _alternative)
