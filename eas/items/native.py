"""Items as a backend hands them over: RFC 5322 messages in parts, vCard and iCalendar objects as bytes.

Every backend speaks this form and every item class maps from it, so that IMAP, DAV and the embedded store share one
mapping. Nothing here knows an element of ActiveSync.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

#: The id of an item within its collection: positive, never used again, growing with arrival. For mail the low 32 bits
#: are the UID and the bits above them count the UIDVALIDITY epochs of the folder.
ItemId = int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One node of a message's MIME tree, as IMAP's BODYSTRUCTURE tells it.

    `section` is the IMAP section number ("1", "2.1"; a message that is not multipart has its one part "1"; the root of
    a multipart is ""). `type` is lower case ("text/html"), `encoding` the lower-case transfer encoding. `size` counts
    the encoded octets of the body. `offset` is where the body's octets begin in the whole message, or -1 if unknown.
    A message/rfc822 part has one child: the root of the enclosed message.
    """

    section: str
    type: str
    size: int
    encoding: str = "7bit"
    params: Mapping[str, str] = field(default_factory=dict)
    disposition: str = ""
    filename: str = ""
    content_id: str = ""
    location: str = ""
    offset: int = -1
    children: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """The follow-up flag of a message. `status` 0 cleared, 1 complete, 2 active. Dates are aware, in UTC; the pairs
    start/utc_start and due/utc_due hold local time written as UTC, and UTC. [MS-ASEMAIL] Flag."""

    status: int
    subject: str | None = None
    flag_type: str | None = None
    date_completed: datetime | None = None
    complete_time: datetime | None = None
    start: datetime | None = None
    due: datetime | None = None
    utc_start: datetime | None = None
    utc_due: datetime | None = None
    reminder_set: bool | None = None
    reminder_time: datetime | None = None
    ordinal_date: datetime | None = None
    sub_ordinal_date: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFlags:
    """What can change about a message and what a device can see of it.

    `last_verb` is 0 (none), 1 replied to sender, 2 replied to all, 3 forwarded; `last_verb_time` belongs to it.
    """

    read: bool = False
    follow_up: FollowUp | None = None
    last_verb: int = 0
    last_verb_time: datetime | None = None
    categories: tuple[str, ...] = ()
    draft: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message, loaded as far as it was asked for.

    `header` is the whole header block, raw. `structure` is None if the message could not be parsed. `sections` holds
    raw (still transfer-encoded) octets by section number, perhaps cut short (then fewer than the part's `size`); the
    whole message stands under "" when it was asked for. `version` names the state of the flags.
    """

    id: ItemId
    version: str
    flags: MailFlags
    received: datetime
    size: int
    header: bytes
    structure: Part | None
    sections: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One contact, appointment, task or note: a vCard, or an iCalendar object with one UID. `version` is its ETag."""

    id: ItemId
    version: str
    data: bytes


Item = Mail | Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks at an item. `zone` is an IANA name; `now` an aware datetime."""

    addresses: tuple[str, ...]
    name: str
    zone: str
    now: datetime


class Unreadable(ValueError):
    """The native form cannot be read; the item is to be shown degraded, with this text as the reason."""


class Refused(ValueError):
    """What the device sent cannot be stored as it is: Status 6 for the item. [MS-ASCMD] Status (Sync)."""
