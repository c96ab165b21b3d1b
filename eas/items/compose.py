"""Messages on their way out: what SendMail, SmartReply and SmartForward send. Pure.

`prepare` makes a device's message fit to be handed to a mail server; `reply` and `forward` add the original first. The
content that a device sent is not touched but for its line ends, so that signatures hold.

[MS-ASCMD] SendMail, SmartReply, SmartForward, ReplaceMime.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import Enum, auto
from hashlib import sha256

from eas.items import conversation, headers, mime, rawheader
from eas.items.merge import merged
from eas.items.native import Unreadable, Viewer
from eas.items.octets import after
from eas.items.rawheader import Field


class Fault(Enum):
    NO_RECIPIENT = auto()
    INVALID_MIME = auto()


class ComposeError(ValueError):
    """The message cannot be sent; `kind` says why."""

    def __init__(self, kind: Fault, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message for the mail server, and the envelope it goes in.

    `sender` and `recipients` are plain addresses, each recipient once. `mime` has CRLF line ends and no Bcc.
    `message_id` has its angle brackets. `bcc` is the field that was taken out, whole and with its line end, for the
    sender's own copy; b"" if there was none.
    """

    sender: str
    recipients: tuple[str, ...]
    mime: bytes
    message_id: str
    subject: str = ""
    bcc: bytes = b""

    @property
    def identity(self) -> str:
        """Equal for each try to send the same message. A Message-ID alone is not enough: a device may change a message
        whose answer was lost, and send it again under the same one; Date is not, where it is added at each try."""
        end = mime.header_end(self.mime)
        fields = headers.parse(self.mime[:end])
        told = (self.message_id.encode(), *(fields.get(name, b"") for name in (b"from", b"to", b"cc", b"subject")))
        mark = sha256(b"\0".join(told))
        mark.update(memoryview(self.mime)[end:])
        return mark.hexdigest()

    @property
    def own_copy(self) -> bytes:
        """As it is kept in Sent Items: there the sender sees who got it."""
        return after(self.bcc, self.mime)


#: Fields that do not leave: Bcc is nobody's business, the others are set by mail servers.
_STRIPPED = frozenset((b"bcc", b"resent-bcc", b"return-path"))
#: What can stand in an envelope. Anything else (blanks, controls, brackets) is no address, or an attempt.
_ADDRESS = re.compile(r"[^\s<>,;:()\"\\\x00-\x1f\x7f@]{1,128}@[^\s<>,;:()\"\\\x00-\x1f\x7f@]{1,255}\Z")
_MESSAGE_ID = re.compile(rb"<[^<>\s]{1,240}>\Z")


def prepare(raw: bytes, viewer: Viewer, *, message_id: str) -> Outgoing:
    """The message as it is sent from `viewer`.

    From is the viewer's first address unless the device named another one of the viewer's; a display name is kept. Date
    and Message-ID (`message_id`) are added where they are missing, Bcc is taken out. Raises ComposeError.
    """
    block, body = _parted(raw)
    fields = rawheader.fields_of(block)
    recipients = tuple(_recipients(fields))
    if not recipients:
        raise ComposeError(Fault.NO_RECIPIENT, "the message has no recipient")
    sender = _sender(fields, viewer)
    kept = rawheader.without(fields, _STRIPPED | {b"from", b"sender"})
    own_id = next((f.value.strip() for f in kept if f.key == b"message-id"), b"")
    if not _MESSAGE_ID.match(own_id):
        own_id = message_id.encode("ascii")
    date = next((f for f in kept if f.key == b"date" and headers.moment(f.value)), None)
    date = date or Field(b"Date", format_datetime(viewer.now).encode("ascii"))
    kept = rawheader.without(kept, {b"message-id", b"date"})
    named = {f.key for f in kept}
    if b"mime-version" not in named:
        kept.append(Field(b"MIME-Version", b"1.0"))
    head = [rawheader.address_field("From", [sender]), date, Field(b"Message-ID", own_id)]
    return Outgoing(
        sender=sender.address,
        recipients=recipients,
        mime=after(rawheader.joined([*head, *(rawheader.in_ascii(f) for f in kept)]), rawheader.crlf(body)),
        message_id=own_id.decode("ascii", "replace"),
        subject=next((headers.text(f.value.replace(b"\r\n", b"")) for f in kept if f.key == b"subject"), ""),
        bcc=_bcc(fields),
    )


def _bcc(fields: Iterable[Field]) -> bytes:
    """One Bcc field of all that the device named in such."""
    named = [box for f in fields if f.key == b"bcc" for box in headers.addresses(f.value.replace(b"\r\n", b""))]
    return rawheader.joined([rawheader.address_field("Bcc", named)])[:-2] if named else b""


def answers_all(outgoing: Outgoing, original: bytes, viewer: Viewer) -> bool:
    """Whether a reply also goes to somebody beside its author to whom the original went."""
    fields = headers.parse(original[: _header_end(original)])

    def named(*names: bytes) -> set[str]:
        return {box.address.lower() for name in names for box in headers.addresses(fields.get(name, b""))}

    others = named(b"to", b"cc") - named(b"from", b"reply-to") - {address.lower() for address in viewer.addresses}
    return not others.isdisjoint(address.lower() for address in outgoing.recipients)


def _parted(raw: bytes) -> tuple[bytes, bytes]:
    """Header and body of a device's message. Raises ComposeError if it is none."""
    raw = raw.lstrip(b"\r\n")
    try:
        end = mime.header_end(raw)
        mime.structure(raw)
    except Unreadable as error:
        raise ComposeError(Fault.INVALID_MIME, str(error)) from error
    if not end:
        raise ComposeError(Fault.INVALID_MIME, "the message has no header")
    return raw[:end], raw[end:]


def _recipients(fields: Iterable[Field]) -> Iterator[str]:
    """The addresses of To, Cc and Bcc, each once, however it is spelled."""
    seen: set[str] = set()
    for given in fields:
        if given.key not in (b"to", b"cc", b"bcc"):
            continue
        for box in headers.addresses(given.value.replace(b"\r\n", b"")):
            if _ADDRESS.match(box.address) and box.address.lower() not in seen:
                seen.add(box.address.lower())
                yield box.address


def _sender(fields: Iterable[Field], viewer: Viewer) -> headers.Address:
    """[MS-ASCMD] SendMail: the server sets From to the user's address; the device may choose among the user's own."""
    given = next((f.value.replace(b"\r\n", b"") for f in fields if f.key == b"from"), b"")
    named = next(headers.addresses(given), headers.Address("", ""))
    own = {address.lower(): address for address in viewer.addresses}
    primary = viewer.addresses[0] if viewer.addresses else ""
    name = named.name if named.name and "@" not in named.name else viewer.name
    return headers.Address(name, own.get(named.address.lower(), primary))


def reply(raw: bytes, original: bytes, item_class: str = "Email", instance: datetime | None = None) -> bytes:
    """The device's message with the original's text quoted below, and the fields that join it to its conversation.

    `original` is a whole message, or the iCalendar object of an item of another class. One that cannot be read, and
    one that is signed or encrypted by the device, is left as it is. Raises ComposeError.
    """
    return _with_original(raw, original, item_class, instance, forwards=False)


def forward(raw: bytes, original: bytes, item_class: str = "Email", instance: datetime | None = None) -> bytes:
    """The device's message with the original's text and attachments; an original that cannot be merged is attached.

    As `reply` otherwise. `instance` names the occurrence of a recurring appointment: it is told in the text, the
    attached object is the whole series. Raises ComposeError.
    """
    return _with_original(raw, original, item_class, instance, forwards=True)


def _with_original(raw: bytes, original: bytes, item_class: str, instance: datetime | None, *, forwards: bool) -> bytes:
    raw = raw.lstrip(b"\r\n")
    block, _ = _parted(raw)
    is_mail = item_class == "Email"
    fields = rawheader.fields_of(block)
    if is_mail:
        fields = _threaded(fields, headers.parse(original[: _header_end(original)]))
    content = merged(raw, original, is_mail=is_mail, instance=instance, forwards=forwards)
    if content is None:
        return rawheader.joined(fields) + raw[len(block) :]
    own = rawheader.matching(fields, lambda key: not key.startswith(b"content-") and key != b"mime-version")
    return rawheader.joined([*own, Field(b"MIME-Version", b"1.0")])[:-2] + content


def _header_end(original: bytes) -> int:
    try:
        return mime.header_end(original)
    except Unreadable:
        return 0


#: Ids in References; a server may refuse longer fields (RFC 5322 allows 998 characters a line, but they are folded).
_MAX_REFERENCES = 50


def _threaded(fields: list[Field], original: dict[bytes, bytes]) -> list[Field]:
    """With In-Reply-To, References, Thread-Topic and Thread-Index, as far as the device has not set them itself."""
    named = {f.key for f in fields}
    added: list[Field] = []
    own = headers.message_ids(original.get(b"message-id", b""))[:1]
    if own and b"in-reply-to" not in named:
        added.append(Field(b"In-Reply-To", b"<%s>" % own[0]))
    if own and b"references" not in named:
        before = [i for i in conversation.ancestors(original) if i != own[0]]
        # The first one names the conversation; of the others the last are the nearest.
        kept = before[:1] + before[1:][-_MAX_REFERENCES:]
        added.append(Field(b"References", b"\r\n ".join(b"<%s>" % i for i in (*kept, own[0]))))
    if b"thread-index" not in named:
        dates = (f.value for f in fields if f.key == b"date")
        sent = headers.moment(next(dates, b"")) or headers.moment(original.get(b"date", b"")) or _LONG_AGO
        index = conversation.answering(original, sent)
        added.append(Field(b"Thread-Index", binascii.b2a_base64(index, newline=False)))
        if b"thread-topic" not in named:
            topic = headers.text(original.get(b"thread-topic", b"")) or conversation.topic_of(
                headers.text(original.get(b"subject", b""))
            )
            added.append(rawheader.field("Thread-Topic", topic))
    return fields + added


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
