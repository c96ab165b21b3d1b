"""The Calendar class as it travels: appointments, attendees, exceptions. [MS-ASCAL] Elements.

What the fields mean in an iCalendar object is in `calendar.py`. From 16.0 an occurrence is changed by a Change of its
own with InstanceId, whose ApplicationData is an `Exception_` in these words.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import IntEnum

from eas.protocol.schema import (
    COMPACT,
    FLAG,
    INT,
    Codec,
    SchemaError,
    Spelling,
    element,
    elements,
    enum,
    load,
    message,
    plain,
    spelled,
    stated,
)
from eas.protocol.schema import content as schema_content
from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

from .body import Body, BodyType
from .enclosed import Enclosure, enclosures
from .place import PLACE, Place
from .recurrence import Recurrence
from .timezone import TimeZoneInformation

BEFORE_16, FROM_16 = Spoken(until=Version.V14_1), Spoken(since=Version.V16_0)
FROM_12, ONLY_2_5 = Spoken(since=Version.V12_0), Spoken(until=Version.V2_5)


class BusyStatus(IntEnum):
    """[MS-ASCAL] BusyStatus R13810-R13814, R2038001."""

    UNKNOWN = -1  # 16.0 and later, responses only
    FREE = 0
    TENTATIVE = 1
    BUSY = 2
    OUT_OF_OFFICE = 3
    ELSEWHERE = 4  # 16.0 and later, R2043-R2044


class Sensitivity(IntEnum):
    """[MS-ASCAL] Sensitivity R610-R613; the same in tasks and mail."""

    NORMAL = 0
    PERSONAL = 1
    PRIVATE = 2
    CONFIDENTIAL = 3


class AttendeeStatus(IntEnum):
    """[MS-ASCAL] AttendeeStatus R568-R572."""

    UNKNOWN = 0
    TENTATIVE = 2
    ACCEPTED = 3
    DECLINED = 4
    NOT_RESPONDED = 5


class AttendeeType(IntEnum):
    """[MS-ASCAL] AttendeeType R573-R575."""

    REQUIRED = 1
    OPTIONAL = 2
    RESOURCE = 3


class ResponseType(IntEnum):
    """[MS-ASCAL] ResponseType R408-R418: what the user answered to the organizer."""

    NONE = 0
    ORGANIZER = 1
    TENTATIVE = 2
    ACCEPTED = 3
    DECLINED = 4
    NOT_RESPONDED = 5


#: MeetingStatus is a sum of these, R31812-R3181411. The bit 8 means nothing.
MEETING, RECEIVED, CANCELLED = 1, 2, 4
#: The values that exist, R309.
MEETING_STATUSES = frozenset({0, 1, 3, 5, 7, 9, 11, 13, 15})


def _load_body(body: Element, version: Version) -> Body | None:
    return load(Body, body, version) if body.elements else None


#: A Body that may be empty, which stands for none.
BODY = Codec(_load_body, lambda body, version: schema_content(body, version))
#: The element of 2.5 is the text itself.
OLD_BODY = Codec(
    lambda e, version: Body(type=BodyType.TEXT, data=e.text) if e.text else None,
    lambda body, version: body.data or "",
)


def _load_recurrence(e: Element, version: Version) -> Recurrence:
    """Each element once: two of a kind are refused. R53912"""
    tags = [child.tag for child in e.elements]
    if len(set(tags)) < len(tags):
        raise SchemaError("an element twice in a Recurrence", e.tag)
    return load(Recurrence, e, version)


RECURRENCE = Codec(_load_recurrence, message(Recurrence).dump)
#: Base64 of TIME_ZONE_INFORMATION; an empty element is None.
TIME_ZONE = plain(lambda text: TimeZoneInformation.parse(text) if text.strip() else None, lambda zone: zone.text)
TEXT_OR_NONE = plain(lambda text: text or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendee:
    """[MS-ASCAL] Attendee. Devices leave out either; what we send has both."""

    email: str | None = element("Calendar:Email", default=None)
    name: str | None = element("Calendar:Name", default=None)
    status: AttendeeStatus | None = element(
        "Calendar:AttendeeStatus", enum(AttendeeStatus), since=Version.V12_0, default=None
    )
    type: AttendeeType | None = element("Calendar:AttendeeType", enum(AttendeeType), since=Version.V12_0, default=None)
    proposed_start: datetime | None = element(
        "MeetingResponse:ProposedStartTime", COMPACT, since=Version.V16_1, default=None
    )
    proposed_end: datetime | None = element(
        "MeetingResponse:ProposedEndTime", COMPACT, since=Version.V16_1, default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exception_:
    """[MS-ASCAL] Exception: an occurrence that differs from its series, or was deleted.

    A field that is None is inherited from the series (R82, R108 ...), unless it is named in `removed`: then its element
    is there and empty, and the occurrence has no such thing (R508, R539).
    """

    deleted: bool | None = element("Calendar:Deleted", FLAG, default=None)
    exception_start_time: datetime | None = spelled(
        Spelling("Calendar:ExceptionStartTime", COMPACT, spoken=BEFORE_16),
        Spelling("AirSyncBase:InstanceId", COMPACT, spoken=FROM_16),
        default=None,
    )
    subject: str | None = element("Calendar:Subject", TEXT_OR_NONE, default=None)
    start_time: datetime | None = element("Calendar:StartTime", COMPACT, default=None)
    end_time: datetime | None = element("Calendar:EndTime", COMPACT, default=None)
    body: Body | None = spelled(
        Spelling("AirSyncBase:Body", BODY, spoken=FROM_12),
        Spelling("Calendar:Body", OLD_BODY, spoken=ONLY_2_5),
        default=None,
    )
    # 16.0 moved the place into a structure, R2135.
    location: str | Place | None = spelled(
        Spelling("Calendar:Location", TEXT_OR_NONE, spoken=BEFORE_16),
        Spelling("AirSyncBase:Location", PLACE, spoken=FROM_16),
        default=None,
    )
    categories: tuple[str, ...] = elements("Calendar:Category", within="Calendar:Categories")
    sensitivity: Sensitivity | None = element("Calendar:Sensitivity", enum(Sensitivity), default=None)
    busy_status: BusyStatus | None = element("Calendar:BusyStatus", enum(BusyStatus), default=None)
    all_day_event: bool | None = element("Calendar:AllDayEvent", FLAG, default=None)
    reminder: int | None = element("Calendar:Reminder", INT, default=None)
    dt_stamp: datetime | None = element("Calendar:DtStamp", COMPACT, default=None)
    meeting_status: int | None = element("Calendar:MeetingStatus", INT, default=None)
    attendees: tuple[Attendee, ...] = elements(
        "Calendar:Attendee", message(Attendee), within="Calendar:Attendees", since=Version.V14_0
    )
    appointment_reply_time: datetime | None = element(
        "Calendar:AppointmentReplyTime", COMPACT, since=Version.V14_0, default=None
    )
    response_type: ResponseType | None = element(
        "Calendar:ResponseType", enum(ResponseType), since=Version.V14_0, default=None
    )
    online_meeting_conf_link: str | None = element(
        "Calendar:OnlineMeetingConfLink", TEXT_OR_NONE, since=Version.V14_1, default=None
    )
    online_meeting_external_link: str | None = element(
        "Calendar:OnlineMeetingExternalLink", TEXT_OR_NONE, since=Version.V14_1, default=None
    )
    attachments: tuple[Enclosure, ...] = enclosures()
    removed: frozenset[str] = frozenset()


def load_exception(e: Element, version: Version) -> Exception_:
    """An Exception, or from 16.0 the ApplicationData of a Change with InstanceId."""
    read = load(Exception_, e, version)
    empty = {name for name in stated(Exception_, e, version) if getattr(read, name) in (None, ())}
    return replace(read, removed=frozenset(empty - {"deleted", "exception_start_time"}))


EXCEPTION = Codec(load_exception, lambda value, version: schema_content(value, version, value.removed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """One calendar item, its elements in the order of the schema. Times are aware datetimes in UTC.

    All-day: up to 14.1 the midnights of `timezone`, as instants; from 16.0 the dates themselves, as midnights of UTC,
    without `timezone` (R2006, R2007). `reminder` is in minutes before the start. `meeting_status` is a sum.
    """

    timezone: TimeZoneInformation | None = element("Calendar:Timezone", TIME_ZONE, default=None)
    all_day_event: bool | None = element("Calendar:AllDayEvent", FLAG, default=None)
    body: Body | None = spelled(
        Spelling("AirSyncBase:Body", BODY, spoken=FROM_12),
        Spelling("Calendar:Body", OLD_BODY, spoken=ONLY_2_5),
        default=None,
    )
    body_truncated: bool | None = element("Calendar:BodyTruncated", FLAG, until=Version.V2_5, default=None)
    busy_status: BusyStatus | None = element("Calendar:BusyStatus", enum(BusyStatus), default=None)
    organizer_name: str | None = element("Calendar:OrganizerName", TEXT_OR_NONE, default=None)
    organizer_email: str | None = element("Calendar:OrganizerEmail", TEXT_OR_NONE, default=None)
    dt_stamp: datetime | None = element("Calendar:DtStamp", COMPACT, default=None)
    end_time: datetime | None = element("Calendar:EndTime", COMPACT, default=None)
    # 16.0 moved the place into a structure, R2135.
    location: str | Place | None = spelled(
        Spelling("Calendar:Location", TEXT_OR_NONE, spoken=BEFORE_16),
        Spelling("AirSyncBase:Location", PLACE, spoken=FROM_16),
        default=None,
    )
    reminder: int | None = element("Calendar:Reminder", INT, default=None)
    sensitivity: Sensitivity | None = element("Calendar:Sensitivity", enum(Sensitivity), default=None)
    subject: str | None = element("Calendar:Subject", TEXT_OR_NONE, default=None)
    start_time: datetime | None = element("Calendar:StartTime", COMPACT, default=None)
    uid: str | None = element("Calendar:UID", TEXT_OR_NONE, default=None)
    client_uid: str | None = element("Calendar:ClientUid", TEXT_OR_NONE, since=Version.V16_0, default=None)
    meeting_status: int | None = element("Calendar:MeetingStatus", INT, default=None)
    # Written even when empty, as Exchange does: Windows Phone wants it (field observation).
    attendees: tuple[Attendee, ...] = elements(
        "Calendar:Attendee", message(Attendee), within="Calendar:Attendees", keep=True
    )
    categories: tuple[str, ...] = elements("Calendar:Category", within="Calendar:Categories")
    recurrence: Recurrence | None = element("Calendar:Recurrence", RECURRENCE, default=None)
    exceptions: tuple[Exception_, ...] = elements("Calendar:Exception", EXCEPTION, within="Calendar:Exceptions")
    response_requested: bool | None = element(
        "Calendar:ResponseRequested", FLAG, since=Version.V14_0, default=None
    )
    appointment_reply_time: datetime | None = element(
        "Calendar:AppointmentReplyTime", COMPACT, since=Version.V14_0, default=None
    )
    response_type: ResponseType | None = element(
        "Calendar:ResponseType", enum(ResponseType), since=Version.V14_0, default=None
    )
    disallow_new_time_proposal: bool | None = element(
        "Calendar:DisallowNewTimeProposal", FLAG, since=Version.V14_0, default=None
    )
    native_body_type: int | None = element("AirSyncBase:NativeBodyType", INT, since=Version.V12_0, default=None)
    online_meeting_conf_link: str | None = element(
        "Calendar:OnlineMeetingConfLink", TEXT_OR_NONE, since=Version.V14_1, default=None
    )
    online_meeting_external_link: str | None = element(
        "Calendar:OnlineMeetingExternalLink", TEXT_OR_NONE, since=Version.V14_1, default=None
    )
    attachments: tuple[Enclosure, ...] = enclosures()
    #: Not an element: only a stretch of the series is shown, which is another one later (see `stretch.py`).
    laid_out: bool = False


#: The fields that an exception shares with its series.
SHARED = tuple(f.name for f in fields(Exception_) if f.name in {g.name for g in fields(Appointment)})
