"""Meeting messages: the calendar part of a mail as MeetingRequest and MessageClass. [MS-ASEMAIL]; RFC 5546.

What becomes of the calendar by them is in `itip.py`, whose functions are also found here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from eas.protocol.schema import COMPACT, DASHED, FLAG, INT, Spelling, element, elements, enum, message, spelled
from eas.protocol.version import Version

from . import globalobjid, participants
from .appointment import BEFORE_16, FROM_16, TEXT_OR_NONE, TIME_ZONE, BusyStatus, Sensitivity
from .calendar_view import VEVENT, shown_recurrence, shown_zone, stamp_of, times, uid
from .contentline import Component
from .event import Event, Span, open_event
from .ical import Number, read_utc
from .itip import (
    METHODS,
    apply_cancel,
    apply_counter,
    apply_forward,
    apply_reply,
    apply_request,
    apply_response,
    has_occurrence,
    method_of,
    respond,
)
from .itip_build import FORWARD
from .native import Unreadable, Viewer
from .place import PLACE
from .recurrence import EmailRecurrence, as_kind
from .timezone import TimeZoneInformation, zone_or_utc

#: Reminder is an unsignedShort of seconds: eighteen hours.
MAX_REMINDER = 65_535


class InstanceType(IntEnum):
    """[MS-ASEMAIL] InstanceType R492-R495, R1258."""

    SINGLE = 0
    MASTER = 1
    INSTANCE = 2
    EXCEPTION = 3
    ORPHAN = 4  # 16.0 and later


class MeetingMessageType(IntEnum):
    """[MS-ASEMAIL] MeetingMessageType R533-R539."""

    UNSPECIFIED = 0
    INITIAL = 1
    FULL_UPDATE = 2
    INFORMATIONAL = 3
    OUTDATED = 4
    DELEGATOR_COPY = 5
    DELEGATED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwardee:
    """[MS-ASCMD] Forwardee: somebody to whom an invitation is, or was, passed on."""

    name: str | None = element("ComposeMail:Name", default=None)
    email: str | None = element("ComposeMail:Email", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingRequest:
    """[MS-ASEMAIL] MeetingRequest, in the order of the schema. Dates are dashed; `reminder` is in seconds."""

    all_day_event: bool | None = element("Email:AllDayEvent", FLAG, default=None)
    start_time: datetime | None = element("Email:StartTime", DASHED, default=None)
    dt_stamp: datetime | None = element("Email:DtStamp", DASHED, default=None)
    end_time: datetime | None = element("Email:EndTime", DASHED, default=None)
    instance_type: InstanceType | None = element("Email:InstanceType", enum(InstanceType), default=None)
    location: str | None = spelled(
        Spelling("Email:Location", TEXT_OR_NONE, spoken=BEFORE_16),
        Spelling("AirSyncBase:Location", PLACE, spoken=FROM_16),
        default=None,
    )
    organizer: str | None = element("Email:Organizer", TEXT_OR_NONE, default=None)
    recurrence_id: datetime | None = element("Email:RecurrenceId", DASHED, default=None)
    reminder: int | None = element("Email:Reminder", INT, default=None)
    response_requested: bool | None = element("Email:ResponseRequested", FLAG, default=None)
    recurrences: tuple[EmailRecurrence, ...] = elements(
        "Email:Recurrence", message(EmailRecurrence), within="Email:Recurrences"
    )
    sensitivity: Sensitivity | None = element("Email:Sensitivity", enum(Sensitivity), default=None)
    busy_status: BusyStatus | None = element("Email:BusyStatus", enum(BusyStatus), default=None)
    timezone: TimeZoneInformation | None = element("Email:TimeZone", TIME_ZONE, default=None)
    global_obj_id: str | None = element("Email:GlobalObjId", until=Version.V14_1, default=None)
    disallow_new_time_proposal: bool | None = element(
        "Email:DisallowNewTimeProposal", FLAG, since=Version.V14_0, default=None
    )
    meeting_message_type: MeetingMessageType | None = element(
        "Email2:MeetingMessageType", enum(MeetingMessageType), since=Version.V14_1, default=None
    )
    uid: str | None = element("Calendar:UID", since=Version.V16_0, default=None)
    proposed_start: datetime | None = element(
        "MeetingResponse:ProposedStartTime", COMPACT, since=Version.V16_1, default=None
    )
    proposed_end: datetime | None = element(
        "MeetingResponse:ProposedEndTime", COMPACT, since=Version.V16_1, default=None
    )
    # Of a forward notification; R6485100817: not in 16.0.
    forwardees: tuple[Forwardee, ...] = elements(
        "ComposeMail:Forwardee", message(Forwardee), within="ComposeMail:Forwardees", since=Version.V16_1
    )


def meeting_request(ics: bytes, viewer: Viewer, version: Version) -> MeetingRequest:
    """What a device is told of a meeting message. Raises Unreadable for what is none, or cannot be understood."""
    event = _open(ics, viewer)
    main = event.main
    name, address = participants.organizer(main)
    reminder = VEVENT["reminder"].load(main)
    original = _original(event)
    recurrence = shown_recurrence(event, version)
    when: dict[str, Any] = {"timezone": shown_zone(event, event.span.start.zone, viewer)}
    proposed, span = _proposal(event)
    return MeetingRequest(
        **{**when, **times(span, event, viewer, version)},
        dt_stamp=stamp_of(main) or event.span.start.instant,
        instance_type=_instance_type(event, original, recurrence is not None),
        location=VEVENT["location"].load(main),
        organizer=f'"{name}" <{address}>' if name and name != address else address or None,
        recurrence_id=original,
        reminder=None if reminder is None else min(reminder * 60, MAX_REMINDER),
        response_requested=bool(participants.response_requested(main, viewer)),
        recurrences=(as_kind(recurrence, EmailRecurrence),) if recurrence else (),
        sensitivity=VEVENT["sensitivity"].load(main),
        busy_status=_busy(main, version),
        global_obj_id=globalobjid.of_uid(uid(event), _instance_date(event)),
        disallow_new_time_proposal=VEVENT["disallow_new_time_proposal"].load(main),
        meeting_message_type=_message_type(event),
        uid=uid(event),
        proposed_start=proposed.start.instant if proposed else None,
        proposed_end=proposed.end.instant if proposed else None,
        forwardees=_forwardees(event),
    )


def message_class(ics: bytes) -> str:
    """IPM.Schedule.Meeting.Request, .Canceled, .Resp.Pos, .Resp.Tent, .Resp.Neg; IPM.Note for any other method.

    A counter proposal is a tentative answer, as Exchange has it. Raises Unreadable.
    """
    event = open_event(ics, UTC)
    method = method_of(event.calendar)
    if method == "REPLY":
        words = [(line.param("PARTSTAT") or "").upper() for line in event.main.find("ATTENDEE")]
        return _REPLIES.get(words[0] if words else "", "IPM.Schedule.Meeting.Resp.Tent")
    return _CLASSES.get(method, "IPM.Note")


def uid_of(ics: bytes) -> str:
    """The UID of the meeting. Raises Unreadable."""
    return uid(open_event(ics, UTC))


def recurs(ics: bytes) -> bool:
    """Whether this is a series, or an occurrence of one. Raises Unreadable."""
    event = open_event(ics, UTC)
    return event.repeats or bool(event.others) or event.main.first("RECURRENCE-ID") is not None


def organizer_of(ics: bytes) -> str:
    """The address of the organizer, "" if there is none. Raises Unreadable."""
    return participants.organizer(open_event(ics, UTC).main)[1]


def takes_proposals(ics: bytes) -> bool:
    """Whether the organizer lets invitees propose other times. Raises Unreadable."""
    return not VEVENT["disallow_new_time_proposal"].load(open_event(ics, UTC).main)


def instance_of(ics: bytes) -> datetime | None:
    """When the occurrence would have begun that is all this object is about; None for a whole meeting. Aware, UTC.
    Raises Unreadable."""
    return _original(open_event(ics, UTC))


_CLASSES = {
    "REQUEST": "IPM.Schedule.Meeting.Request",
    "CANCEL": "IPM.Schedule.Meeting.Canceled",
    "COUNTER": "IPM.Schedule.Meeting.Resp.Tent",
    FORWARD: "IPM.Notification.Meeting.Forward",
}
_REPLIES = {
    "ACCEPTED": "IPM.Schedule.Meeting.Resp.Pos",
    "TENTATIVE": "IPM.Schedule.Meeting.Resp.Tent",
    "DECLINED": "IPM.Schedule.Meeting.Resp.Neg",
}


def _open(ics: bytes, viewer: Viewer) -> Event:
    event = open_event(ics, zone_or_utc(viewer.zone))
    if (method := method_of(event.calendar)) not in METHODS:
        raise Unreadable(f"method {method[:20]!r} is no meeting message")
    return event


def _original(event: Event) -> datetime | None:
    """RecurrenceId: of a message about one occurrence alone, R935, R936."""
    line = event.main.first("RECURRENCE-ID")
    return event.original(line).instant if line else None


def _proposal(event: Event) -> tuple[Span | None, Span]:
    """The times that a COUNTER asks for, None for other messages; and those of the meeting, as far as they are told."""
    if method_of(event.calendar) != "COUNTER":
        return None, event.span
    start, end = (read_utc(event.main, f"X-MS-OLK-ORIGINAL{name}") for name in ("START", "END"))
    if start is None or end is None or end < start:
        return event.span, event.span
    return event.span, Span(event.span.start.like(start), event.span.end.like(end), event.span.all_day)


def _forwardees(event: Event) -> tuple[Forwardee, ...]:
    if method_of(event.calendar) != FORWARD:
        return ()
    return tuple(
        Forwardee(name=participants.name_of(line) or address, email=address)
        for line in event.main.find("ATTENDEE") if (address := participants.address_of(line))
    )


def _instance_date(event: Event) -> datetime | None:
    line = event.main.first("RECURRENCE-ID")
    return event.original(line).wall if line else None


def _instance_type(event: Event, original: datetime | None, told: bool) -> InstanceType:
    if original is not None:
        return InstanceType.INSTANCE if original == event.span.start.instant else InstanceType.EXCEPTION
    return InstanceType.MASTER if told else InstanceType.SINGLE


def _busy(main: Component, version: Version) -> BusyStatus:
    """What the meeting will make of the calendar once accepted: Exchange's invitations say it apart, since they are
    tentative until then."""
    line = main.first("X-MICROSOFT-CDO-INTENDEDSTATUS")
    intended = _INTENDED.get(line.value.strip().upper()) if line else None
    status: BusyStatus = VEVENT["busy_status"].load(main) if intended is None else intended
    return BusyStatus.FREE if status is BusyStatus.ELSEWHERE and version not in FROM_16 else status


_INTENDED = {
    "FREE": BusyStatus.FREE,
    "TENTATIVE": BusyStatus.TENTATIVE,
    "BUSY": BusyStatus.BUSY,
    "OOF": BusyStatus.OUT_OF_OFFICE,
    "WORKINGELSEWHERE": BusyStatus.ELSEWHERE,
}


def _message_type(event: Event) -> MeetingMessageType:
    """Devices offer to answer 1 and 2 only (R5859 of [MS-ASCMD])."""
    if method_of(event.calendar) != "REQUEST":
        return MeetingMessageType.UNSPECIFIED
    sequence = Number("SEQUENCE").load(event.main) or 0
    return MeetingMessageType.FULL_UPDATE if sequence > 0 else MeetingMessageType.INITIAL


__all__ = [
    "InstanceType", "MeetingMessageType", "MeetingRequest", "apply_cancel", "apply_counter", "apply_forward",
    "apply_reply", "apply_request", "apply_response", "has_occurrence", "instance_of", "meeting_request",
    "message_class", "organizer_of", "recurs", "respond", "takes_proposals", "uid_of",
]  # fmt: skip
