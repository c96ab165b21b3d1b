"""A message made of what a device was told of it: its elements -> RFC 5322, flags and date.

Where the session has the message in MIME, that is it. Else it is built so that a gateway says of it what the recorded
server said: header, text, and attachments of the same names and sizes, filled where the session lacks their content.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from email import message_from_bytes
from email.headerregistry import HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, getaddresses
from hashlib import blake2b
from mimetypes import guess_type

from eas.items import email, headers, markup, rawheader
from eas.items.native import MailFlags, Refused
from eas.protocol import schema
from eas.protocol.schema import SchemaError
from eas.protocol.version import Version
from eas.protocol.wbxml import Element
from eas.replay.playing.learning import NOTHING, text
from eas.replay.playing.moments import instant

from .invitations import invitation, one_line

#: Octets that an attachment or a body is filled to at most.
FILLED = 50 * 1024 * 1024
#: The octets and the media type of an attachment, by its reference; None where the session does not have them.
Files = Callable[[str], tuple[bytes, str] | None]

#: Method of an attachment that is a message. [MS-ASAIRS] Method
_EMBEDDED = "5"
_PLAIN, _HTML, _MIME = "1", "2", "4"
#: Element -> field of the header.
_HEADERS = {
    "Email:From": "From", "Email:To": "To", "Email:Cc": "Cc", "Email:ReplyTo": "Reply-To", "Email2:Sender": "Sender",
    "Email2:Bcc": "Bcc",
}
_IMPORTANCE = {"0": "Low", "2": "High"}


def _registry() -> HeaderRegistry:
    """Addresses as they stand, however they are written."""
    found = HeaderRegistry()
    for name in ("from", "to", "cc", "bcc", "reply-to", "sender", "message-id"):
        found.map_to_type(name, UnstructuredHeader)  # type: ignore[arg-type]
    return found


_POLICY = EmailPolicy(linesep="\r\n", header_factory=_registry(), max_line_length=78)


@dataclass(frozen=True, slots=True)
class Made:
    """`lacks` are for people: what of the message the session did not have."""

    mime: bytes
    flags: MailFlags
    received: datetime | None
    subject: str
    lacks: tuple[str, ...] = ()


def message_of(data: Element, version: Version, files: Files) -> Made:
    """From the elements of a mail."""
    subject = text(data, "Email:Subject")
    received = instant(text(data, "Email:DateReceived"))
    flags, lacks = _flags(data, version)
    whole = _whole(data)
    if whole is None:
        built, more = _built(data, subject, received, files)
        whole, lacks = built, (*lacks, *more)
    return Made(mime=whole, flags=flags, received=received, subject=subject, lacks=lacks)


def _whole(data: Element) -> bytes | None:
    """The message in MIME, if it is here to its end."""
    body = data.child("AirSyncBase:Body") or NOTHING
    if text(body, "AirSyncBase:Type") == _MIME and text(body, "AirSyncBase:Truncated") != "1":
        return text(body, "AirSyncBase:Data").encode("utf-8", "surrogateescape") or None
    old = text(data, "Email:MIMEData")
    return old.encode("utf-8", "surrogateescape") if old and text(data, "Email:MIMETruncated") != "1" else None


def _flags(data: Element, version: Version) -> tuple[MailFlags, tuple[str, ...]]:
    states = Element(data.tag, tuple(
        child for child in data.elements if child.tag in ("Email:Read", "Email:Flag", "Email:Categories")
    ))
    flags, lacks = MailFlags(), tuple[str, ...]()
    try:
        flags = email.parse_change(
            schema.load(email.Email, states, version), schema.stated(email.Email, states, version), flags
        )
    except (SchemaError, Refused) as error:
        lacks = (f"its flags: {error}",)
    verb = text(data, "Email2:LastVerbExecuted")
    return replace(
        flags, last_verb=int(verb) if verb in ("1", "2", "3") else 0,
        last_verb_time=instant(text(data, "Email2:LastVerbExecutionTime")), draft=text(data, "Email2:IsDraft") == "1",
    ), lacks


# Built anew ----------------------------------------------------------------------------------------------------------


def _built(
    data: Element, subject: str, received: datetime | None, files: Files
) -> tuple[bytes, tuple[str, ...]]:
    message = EmailMessage(policy=_POLICY)
    fields = b""
    for tag, name in _HEADERS.items():
        value = one_line(text(data, tag))
        if boxes := _boxes(value):
            fields += rawheader.joined([rawheader.address_field(name, boxes)]).removesuffix(rawheader.CRLF)
        elif value:
            message[name] = value
    message["Subject"] = one_line(subject)
    if received is not None:
        message["Date"] = format_datetime(received)
    message["Message-ID"] = f"<{_digest(data)}@session.invalid>"
    if (importance := _IMPORTANCE.get(text(data, "Email:Importance"))) is not None:
        message["Importance"] = importance
    if topic := one_line(text(data, "Email:ThreadTopic")):
        message["Thread-Topic"] = topic
    if index := _thread_index(data):
        message["Thread-Index"] = index
    lacks = list(_texts(message, data))
    if (meeting := data.child("Email:MeetingRequest")) is not None:
        lacks += _meeting(message, data, meeting)
    lacks += _attachments(message, data, files)
    return fields + message.as_bytes(), tuple(lacks)


def _boxes(value: str) -> list[headers.Address]:
    """None where they are not all addresses: then the text is written as it stands."""
    found = [headers.Address(*one) for one in getaddresses([value])]
    return found if all("@" in one.address for one in found) else []


def _digest(data: Element) -> str:
    said = "\0".join(text(data, tag) for tag in ("Email:Subject", "Email:From", "Email:To", "Email:DateReceived"))
    return blake2b(said.encode("utf-8", "replace"), digest_size=12).hexdigest()


def _thread_index(data: Element) -> str:
    """What makes the conversation the one that it was. [MS-ASCON] ConversationIndex R73, Conversation ID."""
    id, index = data.child("Email2:ConversationId"), data.child("Email2:ConversationIndex")
    octets = id.content if id is not None and isinstance(id.content, bytes) else b""
    rest = index.content if index is not None and isinstance(index.content, bytes) else b""
    return b64encode(b"\x01" + rest[:5] + octets + rest[5:]).decode() if len(octets) == 16 and len(rest) >= 5 else ""


def _texts(message: EmailMessage, data: Element) -> list[str]:
    body = data.child("AirSyncBase:Body") or NOTHING
    kind, said = text(body, "AirSyncBase:Type"), text(body, "AirSyncBase:Data")
    if not body.elements:
        kind, said = _PLAIN, text(data, "Email:Body")
    native = text(data, "AirSyncBase:NativeBodyType") or kind
    lacks = []
    cut = text(body, "AirSyncBase:Truncated") == "1" or text(data, "Email:BodyTruncated") == "1"
    if cut:
        wanted = text(body, "AirSyncBase:EstimatedDataSize") or text(data, "Email:BodySize")
        said = _filled(said, int(wanted) if wanted.isdigit() else 0, kind)
        lacks.append("the end of its body: filled")
    if kind == _MIME:
        said, lacks = "", ["its body: only a part of the message in MIME was recorded"]
    if native == _HTML:
        html = said if kind == _HTML else markup.html_of_text(said)
        if kind == _HTML and (other := _other_text(html, text(body, "AirSyncBase:Preview"))):
            _set_text(message, other, "plain")
            message.make_alternative()
            message.attach(_text_part(html, "html"))
        elif kind == _HTML:
            _set_text(message, html, "html")
        else:
            _set_text(message, said, "plain")
            message.make_alternative()
            message.attach(_text_part(html, "html"))
    else:
        _set_text(message, _plain_of(said) if kind == _HTML else said, "plain")
    return lacks


def _other_text(html: str, preview: str) -> str:
    """The beginning of the plain text beside the HTML, where the preview shows that there was another; else ""."""
    return preview if not markup.flat(markup.text_of_html(html), len(preview)).startswith(preview) else ""


def _plain_of(html: str) -> str:
    """The text of which that is the HTML: with as many ends of lines at its end as it had, where that can be told."""
    found = markup.text_of_html(html)
    told = (found + end for end in ("", "\n", "\n\n") if markup.html_of_text(found + end) == html)
    return next(told, f"{found}\n")


def _set_text(message: EmailMessage, said: str, subtype: str) -> None:
    """As it stands: EmailMessage gives a text that has no end of its last line one, which would be told of."""
    octets = said.encode("utf-8", "surrogateescape")
    message.set_content(octets, "text", subtype, cte="base64", params={"charset": "utf-8"})


def _text_part(said: str, subtype: str) -> EmailMessage:
    part = EmailMessage(policy=_POLICY)
    _set_text(part, said, subtype)
    return part


def _filled(said: str, size: int, kind: str) -> str:
    missing = min(size, FILLED) - len(said.encode("utf-8", "surrogateescape"))
    line = ". " * 35 + ("<br>\r\n" if kind == _HTML else "\r\n")
    return said + line * max(1, -(-missing // len(line)))


def _attachments(message: EmailMessage, data: Element, files: Files) -> list[str]:
    lacks = []
    for holder in (*data.children("AirSyncBase:Attachments"), *data.children("Email:Attachments")):
        for one in holder.elements:
            space = one.tag.partition(":")[0]
            name = text(one, f"{space}:DisplayName") or "attachment"
            size = text(one, "AirSyncBase:EstimatedDataSize") or text(one, "Email:AttSize")
            found = files(text(one, "AirSyncBase:FileReference") or text(one, "Email:AttName"))
            octets, kind = found or (b"." * min(int(size) if size.isdigit() else 1, FILLED), "")
            if found is None:
                lacks.append(f"what is in {name!r}: filled to its size")
            if (text(one, "AirSyncBase:Method") or text(one, "Email:AttMethod")) == _EMBEDDED:
                message.add_attachment(_message_in(octets, name, found is not None), filename=name)
                continue
            main, _, sub = _type_of(name, kind).partition("/")
            inline = text(one, "AirSyncBase:IsInline") == "1"
            message.add_attachment(
                octets, maintype=main, subtype=sub, filename=name, disposition="inline" if inline else "attachment",
                cid=f"<{cid}>" if (cid := text(one, "AirSyncBase:ContentId")) else None,
            )
    return lacks


def _message_in(octets: bytes, name: str, known: bool) -> EmailMessage:
    """A message that is attached to another."""
    if known:
        return message_from_bytes(octets, EmailMessage, policy=_POLICY)
    made = EmailMessage(policy=_POLICY)
    made["Subject"] = name.removesuffix(".eml")
    made.set_content(octets.decode("ascii", "replace"), cte="base64")
    return made


def _type_of(name: str, told: str) -> str:
    """A part that is a message, or has parts, is another thing."""
    found = told or guess_type(name)[0] or ""
    whole = found.partition("/")[0] not in ("", "message", "multipart") and "/" in found
    return found if whole else "application/octet-stream"


# Meetings ------------------------------------------------------------------------------------------------------------


def _meeting(message: EmailMessage, data: Element, meeting: Element) -> list[str]:
    found = invitation(data, meeting, _digest(data))
    if found is None:
        return ["its invitation, whose times were not recorded"]
    calendar, params = found.calendar, {"method": found.method}
    lacks = ["the rule of its series"] if meeting.child("Email:Recurrences") is not None else []
    if message.get_content_maintype() != "multipart" and not message.get_content().strip():
        message.set_content(calendar, subtype="calendar", cte="base64", params=params)
        return lacks
    if message.get_content_maintype() != "multipart":
        message.make_alternative()
    part = EmailMessage(policy=_POLICY)
    part.set_content(calendar, subtype="calendar", cte="base64", params=params)
    message.attach(part)
    return lacks
