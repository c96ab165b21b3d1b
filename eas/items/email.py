"""Messages as devices see them. Wire form of the Email class, and native Mail -> that. Pure.

[MS-ASEMAIL]; the order of the elements is that of its examples. What a device may change is `parse_change`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict

from eas.items import conversation, followup, headers, mailbody, meeting, mime
from eas.items.attachments import display_name, method_of
from eas.items.body import (
    Body,
    BodyPart,
    BodyType,
    Source,
    Wanted,
    render_part,
    render_source,
)
from eas.items.enclosed import Attach, Detach
from eas.items.followup import FollowUpFlag
from eas.items.meeting import MeetingRequest
from eas.items.message_class import NOTE, VOICEMAIL, message_class
from eas.items.native import Mail, MailFlags, Part, Refused, Unreadable, Viewer
from eas.items.unique import unique
from eas.protocol.schema import DASHED, FLAG, INT, OPAQUE, Spelling, element, elements, enum, message, spelled
from eas.protocol.version import Spoken, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """[MS-ASAIRS] Attachment, as answered."""

    display_name: str | None = element("AirSyncBase:DisplayName", default=None)
    file_reference: str = element("AirSyncBase:FileReference")
    method: int = element("AirSyncBase:Method", INT, default=1)
    estimated_size: int = element("AirSyncBase:EstimatedDataSize", INT, default=0)
    content_id: str | None = element("AirSyncBase:ContentId", default=None)
    content_location: str | None = element("AirSyncBase:ContentLocation", default=None)
    is_inline: bool | None = element("AirSyncBase:IsInline", FLAG, default=None)
    um_duration: int | None = element("Email2:UmAttDuration", INT, since=Version.V14_0, default=None)
    um_order: int | None = element("Email2:UmAttOrder", INT, since=Version.V14_0, default=None)


#: From 16.0 a device may say of a draft what is to be added and deleted. [MS-ASAIRS] Attachments R102
ENCLOSURES = {"AirSyncBase:Attachment": Attachment, "AirSyncBase:Add": Attach, "AirSyncBase:Delete": Detach}


@dataclass(frozen=True, slots=True, kw_only=True)
class OldAttachment:
    """[MS-ASEMAIL] Attachment (Email Namespace), for 2.5."""

    name: str = element("Email:AttName", until=Version.V2_5)
    size: int = element("Email:AttSize", INT, until=Version.V2_5)
    method: int = element("Email:AttMethod", INT, until=Version.V2_5)
    display_name: str | None = element("Email:DisplayName", until=Version.V2_5, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Categories:
    """[MS-ASEMAIL] Categories. Without any the element stands empty: there are none (R318, R319)."""

    names: tuple[str, ...] = elements("Email:Category")


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """One message, or the part of it that a Change tells. Times are aware, in UTC. [MS-ASEMAIL].

    `flag` without members and `categories` without names are written as empty elements; None leaves them out.
    """

    to: str | None = element("Email:To", default=None)
    cc: str | None = element("Email:Cc", default=None)
    sender_from: str | None = element("Email:From", default=None)
    subject: str | None = element("Email:Subject", default=None)
    reply_to: str | None = element("Email:ReplyTo", default=None)
    date_received: datetime | None = element("Email:DateReceived", DASHED, default=None)
    display_to: str | None = element("Email:DisplayTo", default=None)
    thread_topic: str | None = element("Email:ThreadTopic", default=None)
    importance: int | None = element("Email:Importance", INT, default=None)
    read: bool | None = element("Email:Read", FLAG, default=None)
    attachments: tuple[Attachment | Attach | Detach, ...] = spelled(
        Spelling(
            "", within="AirSyncBase:Attachments", many=True, spoken=Spoken(since=Version.V16_0), classes=ENCLOSURES
        ),
        Spelling(
            "AirSyncBase:Attachment", message(Attachment), "AirSyncBase:Attachments", Spoken(since=Version.V12_0),
            many=True,
        ),
        default=(),
    )
    old_attachments: tuple[OldAttachment, ...] = elements(
        "Email:Attachment", message(OldAttachment), within="Email:Attachments", until=Version.V2_5
    )
    body: Body | None = element("AirSyncBase:Body", message(Body), since=Version.V12_0, default=None)
    body_part: BodyPart | None = element("AirSyncBase:BodyPart", message(BodyPart), since=Version.V14_1, default=None)
    old_body: str | None = element("Email:Body", until=Version.V2_5, default=None)
    old_body_size: int | None = element("Email:BodySize", INT, until=Version.V2_5, default=None)
    old_body_truncated: bool | None = element("Email:BodyTruncated", FLAG, until=Version.V2_5, default=None)
    mime_data: str | None = element("Email:MIMEData", until=Version.V2_5, default=None)
    mime_size: int | None = element("Email:MIMESize", INT, until=Version.V2_5, default=None)
    mime_truncated: bool | None = element("Email:MIMETruncated", FLAG, until=Version.V2_5, default=None)
    message_class: str | None = element("Email:MessageClass", default=None)
    meeting_request: MeetingRequest | None = element("Email:MeetingRequest", message(MeetingRequest), default=None)
    internet_cpid: str | None = element("Email:InternetCPID", default=None)
    flag: FollowUpFlag | None = element("Email:Flag", message(FollowUpFlag), since=Version.V12_0, default=None)
    content_class: str | None = element("Email:ContentClass", since=Version.V12_0, default=None)
    native_body_type: BodyType | None = element(
        "AirSyncBase:NativeBodyType", enum(BodyType), since=Version.V12_0, default=None
    )
    um_caller_id: str | None = element("Email2:UmCallerID", since=Version.V14_0, default=None)
    um_user_notes: str | None = element("Email2:UmUserNotes", since=Version.V14_0, default=None)
    conversation_id: bytes | None = element("Email2:ConversationId", OPAQUE, since=Version.V14_0, default=None)
    conversation_index: bytes | None = element("Email2:ConversationIndex", OPAQUE, since=Version.V14_0, default=None)
    last_verb: int | None = element("Email2:LastVerbExecuted", INT, since=Version.V14_0, default=None)
    last_verb_time: datetime | None = element("Email2:LastVerbExecutionTime", DASHED, since=Version.V14_0, default=None)
    received_as_bcc: bool | None = element("Email2:ReceivedAsBcc", FLAG, since=Version.V14_0, default=None)
    sender: str | None = element("Email2:Sender", since=Version.V14_0, default=None)
    categories: Categories | None = element("Email:Categories", message(Categories), since=Version.V14_0, default=None)
    is_draft: bool | None = element("Email2:IsDraft", FLAG, since=Version.V16_0, default=None)
    bcc: str | None = element("Email2:Bcc", since=Version.V16_0, default=None)


#: [MS-ASEMAIL] To, From R477: characters.
MAX_ADDRESSES = 32768
#: [MS-ASEMAIL] Bcc (by its schema).
MAX_BCC = 1024
#: [MS-ASEMAIL] Category R324.
MAX_CATEGORIES = 300
#: The code page of what we send: all text becomes UTF-8. [MS-ASEMAIL] InternetCPID R496.
_UTF8_CODE_PAGE = "65001"
_CONTENT_CLASS = "urn:content-classes:message"
_MEETING_CONTENT_CLASS = "urn:content-classes:calendarmessage"

#: What Exchange's unified messaging says of a recorded call.
_CALLER, _DURATION = b"x-callingtelephonenumber", b"x-voicemessageduration"

References = Callable[[Part], str]


class _Envelope(TypedDict, total=False):
    to: str | None
    cc: str | None
    sender_from: str | None
    subject: str | None
    reply_to: str | None
    date_received: datetime | None
    display_to: str | None
    thread_topic: str | None
    importance: int | None
    internet_cpid: str | None
    conversation_id: bytes | None
    conversation_index: bytes | None
    sender: str | None
    received_as_bcc: bool | None
    is_draft: bool | None
    bcc: str | None


class _Bodies(TypedDict, total=False):
    body: Body | None
    body_part: BodyPart | None
    old_body: str | None
    old_body_size: int | None
    old_body_truncated: bool | None
    mime_data: str | None
    mime_size: int | None
    mime_truncated: bool | None


class _Attachments(TypedDict, total=False):
    attachments: tuple[Attachment, ...]
    old_attachments: tuple[OldAttachment, ...]


class _States(TypedDict, total=False):
    read: bool | None
    flag: FollowUpFlag | None
    categories: Categories | None
    last_verb: int | None
    last_verb_time: datetime | None


def render(mail: Mail, wanted: Wanted, viewer: Viewer, version: Version, references: References) -> Email:
    """The whole message as wanted. `references` gives a part's FileReference. Raises Unreadable."""
    message = mailbody.loaded(mail)
    fields = headers.parse(mail.header)
    request, kind, attached = _kind(message, fields, viewer, version)
    return Email(
        **_envelope(mail, fields, viewer, version),
        **_bodies(message, mail, fields, wanted, version),
        **_attachments(attached, fields, kind, version, references),
        message_class=kind,
        meeting_request=request,
        content_class=_CONTENT_CLASS if request is None else _MEETING_CONTENT_CLASS,
        native_body_type=message.plan.native,
        um_caller_id=headers.text(fields.get(_CALLER, b"")) or None if kind.startswith(VOICEMAIL) else None,
        **_states(mail.flags),
    )


#: What can change about a message: the names under which `render_flags` knows it.
STATES = frozenset(("read", "flag", "categories"))


def render_flags(flags: MailFlags, version: Version, changed: Collection[str] = STATES) -> Email:
    """What a Change tells when nothing but flags has changed.

    `changed` names which have, where that is known: then nothing else is told, but for the last verb, if there is one.
    [MS-ASEMAIL] Sending E-Mail Changes to the Client R75, R76, R104.
    """
    states = _states(flags)
    for name in STATES.difference(changed):
        del states[name]  # type: ignore[misc]
    return Email(**states)


def degraded(mail: Mail, reason: str, viewer: Viewer, version: Version, references: References) -> Email:
    """What can be said of a message that cannot be shown: its header, a notice, the original attached. Never fails."""
    fields = headers.parse(mail.header)
    subject = headers.text(fields.get(b"subject", b""))
    notice = _NOTICE.format(reason=reason)
    whole = Part(section="", type="message/rfc822", size=mail.size, filename=subject, offset=0)
    body = render_source(Source(text=notice), Wanted(), version)
    return Email(
        **_envelope(mail, fields, viewer, version),
        **_spelled_body(body, version),
        **_listed([_attachment(whole, False, references)], version),
        message_class=NOTE,
        content_class=_CONTENT_CLASS,
        native_body_type=BodyType.TEXT,
        **_states(mail.flags),
    )


_NOTICE = (
    "This message could not be converted for this device ({reason}).\r\n\r\n"
    "The original message is attached unchanged.\r\n"
)


def parse_change(item: Email, given: frozenset[str], flags: MailFlags) -> MailFlags:
    """The flags after a device's Change; `given` names the elements that it has. Raises Refused.

    [MS-ASEMAIL] Sync Command Request R41: Read, Flag and Categories; ConversationId R347, Sender R723 and the rest are
    not the device's to change.
    """
    foreign = given - STATES
    if foreign:
        raise Refused(f"a device cannot change {', '.join(sorted(foreign))} of a message")
    changed = flags
    if "read" in given and item.read is not None:
        changed = replace(changed, read=item.read)
    if "flag" in given:
        changed = replace(changed, follow_up=followup.from_wire(item.flag))
    if "categories" in given:
        names = item.categories.names if item.categories else ()
        # One name twice is one category; more than the limit is cut as Exchange cuts it: silently.
        changed = replace(changed, categories=tuple(dict.fromkeys(name for name in names if name))[:MAX_CATEGORIES])
    return changed


# --- Header -----------------------------------------------------------------------------------------------------------


def _envelope(mail: Mail, fields: Mapping[bytes, bytes], viewer: Viewer, version: Version) -> _Envelope:
    """What the header says, and the conversation."""
    to = _mailboxes(fields.get(b"to", b""))
    sender_from = next(headers.addresses(fields.get(b"from", b"")), None)
    subject = headers.text(fields.get(b"subject", b""))
    topic = headers.text(fields.get(b"thread-topic", b"")) or conversation.topic_of(subject)
    values: _Envelope = {
        "to": ", ".join(box.full for box in to) or None,
        "cc": ", ".join(box.full for box in _mailboxes(fields.get(b"cc", b""))) or None,
        "sender_from": sender_from.full if sender_from else None,
        "subject": subject,
        "reply_to": "; ".join(box.full for box in _mailboxes(fields.get(b"reply-to", b""))) or None,
        "date_received": mail.received,
        "display_to": "; ".join(box.display for box in to) or None,
        "thread_topic": topic,
        "importance": importance(fields),
        "internet_cpid": _UTF8_CODE_PAGE,
    }
    if version >= Version.V14_0:
        known = conversation.conversation_of(fields, mail.received)
        sender = next(headers.addresses(fields.get(b"sender", b"")), None)
        same = sender is None or (sender_from is not None and sender.address.lower() == sender_from.address.lower())
        values |= {
            "conversation_id": known.id,
            "conversation_index": known.index,
            "sender": None if sender is None or same else sender.full,
            "received_as_bcc": _received_as_bcc(mail, fields, viewer) or None,
            "is_draft": mail.flags.draft,
            "bcc": _bcc(fields) if mail.flags.draft else None,
        }
    return values


def _mailboxes(value: bytes) -> list[headers.Address]:
    """The addresses of a list, as many as the element may hold: of 3,000 recipients only the first are even read."""
    found: list[headers.Address] = []
    left = MAX_ADDRESSES
    for box in headers.addresses(value):
        left -= len(box.full) + 2
        if left < 0:
            break
        found.append(box)
    return found


def _bcc(fields: Mapping[bytes, bytes]) -> str | None:
    value = ", ".join(box.full for box in _mailboxes(fields.get(b"bcc", b"")))
    return value if 0 < len(value) <= MAX_BCC else None


_LOW, _NORMAL, _HIGH = 0, 1, 2
#: Header fields that tell the importance, in the order of their weight, and what their first word means.
_IMPORTANCE = (
    (b"importance", {b"high": _HIGH, b"low": _LOW, b"normal": _NORMAL}),
    (b"x-priority", {b"1": _HIGH, b"2": _HIGH, b"3": _NORMAL, b"4": _LOW, b"5": _LOW}),
    (b"priority", {b"urgent": _HIGH, b"non-urgent": _LOW, b"normal": _NORMAL}),
    (b"x-msmail-priority", {b"high": _HIGH, b"low": _LOW, b"normal": _NORMAL}),
)


def importance(fields: Mapping[bytes, bytes]) -> int:
    """Always told: Android 2.2 takes a missing one for low."""
    for name, meaning in _IMPORTANCE:
        words = fields.get(name, b"").lower().split()
        if words and words[0] in meaning:
            return meaning[words[0]]
    return _NORMAL


def _received_as_bcc(mail: Mail, fields: Mapping[bytes, bytes], viewer: Viewer) -> bool:
    """Whether the viewer is none of the recipients that are told. A guess: mail to lists and one's own is left out."""
    if mail.flags.draft or not viewer.addresses or b"list-id" in fields or b"list-post" in fields:
        return False
    if fields.get(b"precedence", b"").lower() in (b"list", b"bulk"):
        return False
    told = b"\n".join(fields.get(name, b"") for name in (b"to", b"cc", b"from", b"sender")).lower()
    return not any(address.lower().encode("utf-8", "replace") in told for address in viewer.addresses)


# --- Body, attachments, kind ------------------------------------------------------------------------------------------


def _bodies(
    message: mailbody.Loaded, mail: Mail, fields: Mapping[bytes, bytes], wanted: Wanted, version: Version
) -> _Bodies:
    """Body and BodyPart, or in 2.5 what stands for them."""
    whole = mailbody.mime_body(message, wanted, version, mail.size)
    values: _Bodies
    if whole is not None:
        values = _spelled_body(whole, version)
        source = None
    else:
        source = _source(message)
        values = _spelled_body(
            render_source(source, mailbody.text_preference(wanted) if version < Version.V12_0 else wanted, version),
            version,
        )
    if wanted.part_preference is not None and version >= Version.V14_1:
        new = unique(source or _source(message), fields)
        values["body_part"] = render_part(new, wanted.part_preference, wanted)
        if not wanted.preferences:  # [MS-ASCON] R247: who asks for the part alone gets it alone
            values.pop("body", None)
    return values


def _source(message: mailbody.Loaded) -> Source:
    """The text of the message; of an invitation without any, what the calendar part describes."""
    inner = mailbody.unsealed(message)
    if inner is not None:
        return mailbody.source_of(inner)
    calendar = message.plan.calendar
    if calendar is not None and not message.plan.segments:
        return Source(text=mailbody.description(message.decoded(calendar) or b""))
    return mailbody.source_of(message)


def _spelled_body(body: Body, version: Version) -> _Bodies:
    if version >= Version.V12_0:
        return {"body": body}
    if body.type is BodyType.MIME:
        return {"mime_data": body.data, "mime_size": body.estimated_size, "mime_truncated": bool(body.truncated)}
    return {
        "old_body": body.data or "",
        "old_body_size": body.estimated_size,
        "old_body_truncated": bool(body.truncated),
    }


def _kind(
    message: mailbody.Loaded, fields: Mapping[bytes, bytes], viewer: Viewer, version: Version
) -> tuple[MeetingRequest | None, str, list[mime.Attached]]:
    """The meeting request, the message class and what is attached.

    A calendar part that cannot be read, or is none of a meeting, makes an ordinary message, to which it is attached.
    """
    attached = list(message.plan.attached)
    calendar = message.plan.calendar
    kind = message_class(message.root, fields, _reports(message))
    if calendar is None or kind != NOTE:
        return None, kind, attached
    data = message.octets(calendar)
    if data:
        try:
            ics = mime.text_of(calendar, data).encode("utf-8", "replace")  # iCalendar is UTF-8, the part may not be
            meeting_class = meeting.message_class(ics)
            if meeting_class != NOTE:
                return meeting.meeting_request(ics, viewer, version), meeting_class, attached
        except Unreadable:
            pass
    if all(item.part is not calendar for item in attached):
        attached.append(mime.Attached(calendar, False))
    return None, kind, attached


def _reports(message: mailbody.Loaded) -> dict[str, bytes]:
    return {part.section: message.decoded(part) or b"" for part in message.plan.reports}


def _attachments(
    attached: list[mime.Attached],
    fields: Mapping[bytes, bytes],
    kind: str,
    version: Version,
    references: References,
) -> _Attachments:
    found = [_attachment(item.part, item.inline, references) for item in attached]
    if kind.startswith(VOICEMAIL) and _DURATION in fields:
        found = _voice(found, [item.part for item in attached], fields)
    return _listed(found, version)


def _attachment(part: Part, inline: bool, references: References) -> Attachment:
    return Attachment(
        display_name=display_name(part),
        file_reference=references(part),
        method=method_of(part),
        estimated_size=mime.decoded_size(part),
        content_id=part.content_id or None,
        content_location=part.location or None,
        is_inline=inline or None,
    )


def _voice(found: list[Attachment], parts: list[Part], fields: Mapping[bytes, bytes]) -> list[Attachment]:
    """[MS-ASEMAIL] UmAttDuration (seconds), UmAttOrder R809: the most recent one, which stands last, is 1."""
    duration = fields[_DURATION]
    seconds = int(duration) if duration.isdigit() and len(duration) < 10 else 0
    voices = [index for index, part in enumerate(parts) if part.type.startswith("audio/")]
    for order, index in enumerate(reversed(voices), 1):
        found[index] = replace(found[index], um_order=order, um_duration=seconds if order == 1 else 0)
    return found


def _listed(found: list[Attachment], version: Version) -> _Attachments:
    if version >= Version.V12_0:
        return {"attachments": tuple(found)}
    old = (
        OldAttachment(name=a.file_reference, size=a.estimated_size, method=a.method, display_name=a.display_name)
        for a in found
    )
    return {"old_attachments": tuple(old)}


def _states(flags: MailFlags) -> _States:
    """What can change about a message."""
    values: _States = {
        "read": flags.read,
        "flag": followup.to_wire(flags.follow_up),
        "categories": Categories(names=flags.categories[:MAX_CATEGORIES]),
    }
    if flags.last_verb:
        values |= {"last_verb": flags.last_verb, "last_verb_time": flags.last_verb_time}
    return values
