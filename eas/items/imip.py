"""Scheduling objects as mail: a text for those who read, an object for those whose calendar reads. RFC 6047.

The message is made of its notice, its name and its moment alone, so that the same notice made again is the same mail.
"""

from __future__ import annotations

import base64
from email.utils import format_datetime
from hashlib import blake2b

from . import comment, participants, rawheader
from .body import Source
from .calendar_view import VEVENT
from .compose import Outgoing
from .event import Event, open_event
from .headers import Address
from .itip_build import FORWARD, Notice
from .markup import clean, fragment_of_text, inner_html
from .native import Viewer
from .rawheader import Field
from .timezone import key_of, zone_or_utc

#: A subject longer than this is cut: servers refuse header lines beyond 998 octets.
MAX_SUBJECT = 200
_CRLF = b"\r\n"


def mail_of(notice: Notice, name: str, viewer: Viewer, *, body: Source | None = None) -> Outgoing:
    """The message from the viewer. `name` is the local part of its Message-ID; `viewer.now` its Date. `body` stands in
    the place of the meeting's own description (the words that go with an answer). Raises Unreadable."""
    event = open_event(notice.calendar, zone_or_utc(viewer.zone))
    own = next((a for a in viewer.addresses if participants.same(a, notice.sender)), viewer.addresses[0])
    sender = Address(viewer.name, own)
    domain = sender.address.rpartition("@")[2] or "localhost"
    message_id = f"<{name}@{domain}>"
    title = clean(VEVENT["subject"].load(event.main) or "").strip()
    subject = f"{notice.prefix}{' '.join(title.split())}"[:MAX_SUBJECT]
    fields = [
        rawheader.address_field("From", [sender]), rawheader.address_field("To", notice.recipients),
        rawheader.field("Subject", subject), Field(b"Date", format_datetime(viewer.now).encode("ascii")),
        Field(b"Message-ID", message_id.encode("ascii", "replace")), Field(b"MIME-Version", b"1.0"),
    ]
    mime = rawheader.joined(rawheader.in_ascii(field) for field in fields)[: -len(_CRLF)]
    mime += _content(notice, event, viewer, body, name)
    return Outgoing(
        sender=sender.address, recipients=tuple(dict.fromkeys(box.address for box in notice.recipients)), mime=mime,
        message_id=message_id, subject=subject,
    )


def undelivered(notice: Notice, name: str, viewer: Viewer, reason: str) -> bytes:
    """A message to the viewer that a notice did not go out. Raises Unreadable."""
    event = open_event(notice.calendar, zone_or_utc(viewer.zone))
    title = " ".join(clean(VEVENT["subject"].load(event.main) or "").split())
    own = Address(viewer.name, viewer.addresses[0])
    domain = own.address.rpartition("@")[2] or "localhost"
    fields = [
        rawheader.address_field("From", [Address("Calendar", own.address)]), rawheader.address_field("To", [own]),
        rawheader.field("Subject", f"Undeliverable: {notice.prefix}{title}"[:MAX_SUBJECT]),
        Field(b"Date", format_datetime(viewer.now).encode("ascii")),
        Field(b"Message-ID", f"<{name}@{domain}>".encode("ascii", "replace")),
        Field(b"Auto-Submitted", b"auto-generated"), Field(b"MIME-Version", b"1.0"),
    ]
    to = ", ".join(box.display for box in notice.recipients)
    text = f"{title}\r\n{when(event, viewer)}\r\n\r\nThis could not be sent to {to}: {reason}.\r\n"
    head = rawheader.joined(rawheader.in_ascii(field) for field in fields)[: -len(_CRLF)]
    return head + _part("text/plain; charset=utf-8", text.encode("utf-8", "replace"))


def when(event: Event, viewer: Viewer) -> str:
    """The time in words, in the zone of the meeting."""
    span = event.span
    first, last = span.start.wall, span.end.wall
    if span.all_day:
        days = f"{first:%a %d %b %Y}"
        return f"{days}, all day" if (last - first).days <= 1 else f"{days}, {(last - first).days} days"
    zone = span.start.zone
    last = span.start.like(span.end.instant).wall
    ends = f"{last:%H:%M}" if last.date() == first.date() else f"{last:%a %d %b %Y %H:%M}"
    recurs = " (recurring)" if event.repeats else ""
    return f"{first:%a %d %b %Y %H:%M} - {ends} ({key_of(zone)}){recurs}"


def _content(notice: Notice, event: Event, viewer: Viewer, body: Source | None, name: str) -> bytes:
    """multipart/alternative, in the order of RFC 6047 2.4: what is richest last."""
    boundary = f"=_{blake2b(name.encode(), digest_size=12).hexdigest()}"
    source = (comment.source(event.main) or Source()) if body is None else body
    facts = _facts(notice, event, viewer, has_words=body is not None)
    text = "\r\n\r\n".join(filter(None, (facts, source.as_text().strip())))
    parts = [_part("text/plain; charset=utf-8", text.encode("utf-8", "replace"))]
    if source.html:
        page = f"<html><body>{fragment_of_text(facts)}<br>{inner_html(source.html)}</body></html>"
        parts.append(_part("text/html; charset=utf-8", page.encode("utf-8", "replace")))
    parts.append(_part(f"text/calendar; charset=utf-8; method={notice.method}", notice.calendar))
    lines = [f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'.encode()]
    lines += [b"--" + boundary.encode() + _CRLF + part + _CRLF for part in parts]
    return b"".join(lines) + b"--" + boundary.encode() + b"--\r\n"


def _facts(notice: Notice, event: Event, viewer: Viewer, *, has_words: bool) -> str:
    """What a program without a calendar shows. An answer is its own words alone where the sender wrote (or wanted) any,
    [MS-ASCMD] SendResponse R7114, R7115."""
    if notice.method == "REPLY" and has_words:
        return ""
    label = "Proposed" if notice.method == "COUNTER" else "When"
    told = [(label, when(event, viewer)), ("Where", str(VEVENT["location"].load(event.main) or ""))]
    if notice.method in ("REQUEST", "CANCEL"):
        told.append(("Organizer", participants.organizer(event.main)[0]))
    if notice.method == FORWARD:
        people = [participants.name_of(line) or participants.address_of(line) for line in event.main.find("ATTENDEE")]
        told.append(("Forwarded to", ", ".join(people)))
    return "\r\n".join(f"{label}: {' '.join(clean(value).split())}" for label, value in told if value)


def _part(kind: str, data: bytes) -> bytes:
    packed = base64.b64encode(data)
    lines = _CRLF.join(packed[at : at + 76] for at in range(0, len(packed), 76))
    return b"Content-Type: " + kind.encode("ascii") + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines
