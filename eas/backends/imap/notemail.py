"""Notes that stand in a mailbox as messages, as Apple's Notes keeps them, <-> VJOURNAL as `items.notes` reads it. Pure.

    Subject SUMMARY · text/html X-ALT-DESC and DESCRIPTION, text/plain DESCRIPTION · Date LAST-MODIFIED
    X-Mail-Created-Date CREATED · X-Universally-Unique-Identifier UID · keywords CATEGORIES
    X-EAS-Message-Class X-EAS-MESSAGE-CLASS

An edited note is a new message: whatever stood in the old one that is none of these stays in it, header fields,
pictures and other parts alike. The Message-ID is a new one, since it is by that that messages are told apart.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from eas.items import headers, mailbody, markup, mime, rawheader
from eas.items.body import BodyPreference, BodyType, Wanted
from eas.items.contentline import Component, Line, parse, serialize
from eas.items.native import Mail, Part, Unreadable
from eas.items.notes import VJOURNAL, new_journal
from eas.items.rawheader import CRLF, Field
from eas.items.vcard import Text, load, put

#: What Apple's programs know a note by.
KIND = b"com.apple.mail-note"
UID_FIELD = "X-Universally-Unique-Identifier"
_KIND_FIELD, _CREATED_FIELD, _CLASS_FIELD = "X-Uniform-Type-Identifier", "X-Mail-Created-Date", "X-EAS-Message-Class"

_DESCRIPTION = Text(("DESCRIPTION",))
#: UIDs that can stand in a header field as they are.
_PLAIN_UID = re.compile(r"[!-~]{1,200}")
_ATTRIBUTES_OF_BODY = frozenset((b"content-type", b"content-transfer-encoding"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a note says. `html` None: it is plain text. Lines end with "\\n"."""

    subject: str = ""
    text: str = ""
    html: str | None = None
    message_class: str = ""
    categories: tuple[str, ...] = ()

    @property
    def content(self) -> tuple[str, str, str]:
        """What makes it another message if it differs."""
        return self.subject, self.message_class, self.html if self.html is not None else f"\0{self.text}"


def wanted(octets: int) -> Wanted:
    """The whole body of a note; of one that is longer, too little for `journal`."""
    return Wanted(preferences=(BodyPreference(type=BodyType.HTML, truncation_size=octets),))


# --- A message as a note ----------------------------------------------------------------------------------------------


def journal(mail: Mail) -> bytes:
    """Raises Unreadable."""
    fields = headers.parse(mail.header)
    loaded = mailbody.loaded(mail)
    source = mailbody.source_of(loaded)
    if (source.text_size if source.html is None else source.html_size) is not None:
        raise Unreadable("it is too long")
    modified = headers.moment(fields.get(b"date", b"")) or mail.received
    root = new_journal(uid_of(fields, mail.id), headers.moment(fields.get(b"x-mail-created-date", b"")) or modified)
    written = root.components("VJOURNAL")[0]
    html = _lines(source.html) if source.html is not None else None
    text = markup.text_of_html(html) if html is not None else _lines(source.text or "")
    values = {
        "subject": headers.text(fields.get(b"subject", b"")) or None,
        "message_class": headers.text(fields.get(b"x-eas-message-class", b"")) or None,
        "categories": mail.flags.categories,
    }
    for name, value in values.items():
        VJOURNAL[name].dump(value, written)
    _DESCRIPTION.dump(text or None, written)
    if html is not None:
        written.add(Line("X-ALT-DESC", "", (("FMTTYPE", ("text/html",)),)).with_text(html))
    for name in ("LAST-MODIFIED", "DTSTAMP"):
        put(written, Line(name, f"{modified.astimezone(UTC):%Y%m%dT%H%M%SZ}"))
    return serialize(root)


def unreadable(mail: Mail) -> bytes:
    """What can be said of it: no object, but the subject is found in it."""
    subject = headers.text(headers.parse(mail.header).get(b"subject", b""))
    return Line("SUMMARY", "").with_text(subject).render()


def uid_of(fields: headers.Fields, id: int) -> str:
    """It stays when the note is edited; what has none is named by its id."""
    return headers.text(fields.get(UID_FIELD.lower().encode(), b"")).strip() or f"note-{id}"


def _lines(text: str) -> str:
    return markup.clean(text.replace("\r\n", "\n").replace("\r", "\n"))


# --- A note as a message ----------------------------------------------------------------------------------------------


def said(data: bytes) -> Said:
    """What a VJOURNAL says. Raises Unreadable."""
    written = _journal(data)
    values = load(VJOURNAL, written)
    html = next(
        (line for line in written.find("X-ALT-DESC") if (line.param("FMTTYPE") or "").lower() == "text/html"), None
    )
    return Said(
        subject=values["subject"] or "", text=_lines(_DESCRIPTION.load(written) or ""),
        html=_lines(html.text()) if html is not None else None, message_class=values["message_class"] or "",
        categories=values["categories"],
    )


def _journal(data: bytes) -> Component:
    root = parse(data)
    journals = [root] if root.name == "VJOURNAL" else root.components("VJOURNAL")
    if not journals:
        raise Unreadable("no VJOURNAL in it")
    return journals[0]


def message(data: bytes, now: datetime, *, message_id: str, sender: headers.Address) -> bytes:
    """A new message of a VJOURNAL. Raises Unreadable."""
    note = said(data)
    line = _journal(data).first("UID")
    uid = line.text() if line is not None else ""
    fields = [
        rawheader.field(_KIND_FIELD, KIND.decode()),
        rawheader.field(UID_FIELD, uid if _PLAIN_UID.fullmatch(uid) else message_id.strip("<>").partition("@")[0]),
        rawheader.field(_CREATED_FIELD, format_datetime(now.astimezone(UTC))),
        rawheader.address_field("From", [sender]),
        rawheader.field("MIME-Version", "1.0"),
    ]
    content_fields, body = _body(note.html, note.text)
    return rawheader.joined([*_with_said(fields, note, now, message_id), *content_fields]) + body


def edited(raw: bytes, note: Said, now: datetime, *, message_id: str, uid: str) -> bytes:
    """A message with another text in it; `uid` is what the note is known by. Raises Unreadable for one that cannot be
    parsed, or in which there is no place for a text."""
    root, end = mime.structure(raw), mime.header_end(raw)
    fields = rawheader.fields_of(raw[:end])
    if not any(field.key == UID_FIELD.lower().encode() for field in fields):
        fields.append(rawheader.field(UID_FIELD, uid))
    fields = _with_said(fields, note, now, message_id)
    if not root.type.startswith("multipart/"):
        if root.type not in ("text/plain", "text/html"):
            raise Unreadable(f"a note of type {root.type}")
        content_fields, body = _body(note.html, note.text)
        kept = rawheader.without(fields, _ATTRIBUTES_OF_BODY)
        return rawheader.joined([*kept, *content_fields]) + body
    return rawheader.joined(fields) + _with_parts(raw, end, root, note)


def _with_said(fields: list[Field], note: Said, now: datetime, message_id: str) -> list[Field]:
    """In the places of those that are there."""
    written = {
        b"subject": rawheader.field("Subject", note.subject),
        b"date": rawheader.field("Date", format_datetime(now.astimezone(UTC))),
        b"message-id": rawheader.field("Message-ID", message_id),
    }
    if note.message_class:
        written[_CLASS_FIELD.lower().encode()] = rawheader.field(_CLASS_FIELD, note.message_class)
    else:
        fields = rawheader.without(fields, {_CLASS_FIELD.lower().encode()})
    there = {field.key for field in fields}
    return [
        *[written.get(field.key, field) for field in fields], *[one for key, one in written.items() if key not in there]
    ]


def _body(html: str | None, text: str) -> tuple[list[Field], bytes]:
    kind = "text/plain" if html is None else "text/html"
    fields = [
        rawheader.field("Content-Type", f"{kind}; charset=utf-8"),
        rawheader.field("Content-Transfer-Encoding", "quoted-printable"),
    ]
    encoded = binascii.b2a_qp((text if html is None else html).encode("utf-8", "replace"), istext=True)
    # A soft line break at the end: Cyrus 3.6 finds nothing in a last line that has none.
    return fields, encoded.replace(b"\n", CRLF) + (b"" if encoded.endswith(b"\n") else b"=\r\n")


def _with_parts(raw: bytes, end: int, root: Part, note: Said) -> bytes:
    """The body of a multipart with its texts replaced: the first of each kind by the whole text, others by nothing."""
    segments = mime.layout(root).segments
    rich = [part for segment in segments for part in segment.rich]
    plain = [part for segment in segments for part in segment.plain]
    if not rich and not plain:
        raise Unreadable("no text in it")
    cuts: list[tuple[int, int, bytes]] = []
    for some, is_rich in ((rich, True), (plain, False)):
        for number, part in enumerate(some):
            html, text = (note.html, note.text) if not number else ("" if is_rich else None, "")
            if is_rich and html is None:
                html = markup.html_of_text(text)
            if not is_rich and rich:
                html = None  # the other form of the same
            cuts.append(_part(raw, part, html, text))
    out, at = list[bytes](), end
    for start, stop, octets in sorted(cuts):
        out += [raw[at:start], octets]
        at = stop
    return b"".join([*out, raw[at:]])


def _part(raw: bytes, part: Part, html: str | None, text: str) -> tuple[int, int, bytes]:
    """From where to where a part's header and content reach, and what takes their place."""
    if part.offset < 0:
        raise Unreadable("a text that is nowhere")
    boundary = raw.rfind(b"\n--", 0, part.offset)
    start = raw.find(b"\n", boundary + 1, part.offset) + 1
    if boundary < 0 or start <= 0:
        raise Unreadable("a part without a delimiter")
    fields = rawheader.without(rawheader.fields_of(raw[start : part.offset]), _ATTRIBUTES_OF_BODY)
    content_fields, body = _body(html, text)
    return start, part.offset + part.size, rawheader.joined([*fields, *content_fields]) + body
