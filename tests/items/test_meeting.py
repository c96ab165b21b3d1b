"""Meeting messages as devices see them, and what answers and updates make of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eas.items import calendar, globalobjid, meeting
from eas.items.body import Wanted
from eas.items.calendar import AttendeeStatus, BusyStatus, ResponseType
from eas.items.meeting import InstanceType, MeetingMessageType
from eas.items.native import Refused, Unreadable, Viewer
from eas.items.timezone import TimeZoneInformation
from eas.protocol import schema
from eas.protocol.version import Version

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
ANN = Viewer(addresses=("ann@example.com",), name="Ann", zone="Europe/Berlin", now=NOW)
BOSS = Viewer(addresses=("boss@example.com",), name="Boss", zone="Europe/Berlin", now=NOW)
V = Version.V14_1
FIRST = datetime(2026, 4, 15, 8, tzinfo=UTC)
WEEK, HOUR = timedelta(days=7), timedelta(hours=1)

ZONED = ("DTSTART;TZID=Europe/Berlin:20260415T100000", "DTEND;TZID=Europe/Berlin:20260415T110000")
PEOPLE = ("ORGANIZER;CN=Boss:mailto:boss@example.com", "ATTENDEE;CN=Bob:mailto:bob@example.com",
          "ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:ann@example.com")  # fmt: skip
SECOND = ("RECURRENCE-ID;TZID=Europe/Berlin:20260422T100000", "DTSTART;TZID=Europe/Berlin:20260422T120000",
          "DTEND;TZID=Europe/Berlin:20260422T130000")  # fmt: skip


def vevent(*lines: str) -> str:
    return "\r\n".join(["BEGIN:VEVENT", "UID:u1", *lines, "END:VEVENT", ""])


def message(*events: str, method: str = "REQUEST") -> bytes:
    method = f"METHOD:{method}\r\n" if method else ""
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{method}{''.join(events)}END:VCALENDAR\r\n".encode()


def invitation(*lines: str, method: str = "REQUEST", stamp: str = "20260301T000000Z", sequence: int = 0) -> bytes:
    times = () if any(line.startswith("DTSTART") for line in lines) else ZONED
    return message(vevent(f"DTSTAMP:{stamp}", f"SEQUENCE:{sequence}", *times, *PEOPLE, *lines), method=method)


def show(data: bytes, viewer: Viewer = ANN) -> calendar.Appointment:
    return calendar.from_native(data, Wanted(), viewer, V)


# -- What is shown


def test_elements_stand_in_the_order_of_the_schema() -> None:
    """[MS-ASEMAIL] MeetingRequest is a sequence: DtStamp before EndTime."""
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "END:VALARM")
    ics = invitation("RRULE:FREQ=WEEKLY", "LOCATION:Room", *alarm)
    wire = schema.dump("Email:MeetingRequest", meeting.meeting_request(ics, ANN, V), V)
    assert [e.tag.partition(":")[2] for e in wire.elements] == [
        "AllDayEvent", "StartTime", "DtStamp", "EndTime", "InstanceType", "Location", "Organizer", "Reminder",
        "ResponseRequested", "Recurrences", "Sensitivity", "BusyStatus", "TimeZone", "GlobalObjId",
        "DisallowNewTimeProposal", "MeetingMessageType",
    ]  # fmt: skip
    by_tag = {e.tag: e for e in wire.elements}
    assert by_tag["Email:StartTime"].text == "2026-04-15T08:00:00.000Z"
    assert by_tag["Email:Reminder"].text == "900"
    assert by_tag["Email:Organizer"].text == '"Boss" <boss@example.com>'
    assert by_tag["Email:ResponseRequested"].text == "1"
    assert globalobjid.to_uid(by_tag["Email:GlobalObjId"].text) == "u1"
    assert TimeZoneInformation.parse(by_tag["Email:TimeZone"].text).bias == -60


@pytest.mark.parametrize("version", list(Version))
def test_elements_are_those_of_the_version(version: Version) -> None:
    ics = invitation("LOCATION:Room")
    tags = {e.tag for e in schema.dump("x", meeting.meeting_request(ics, ANN, version), version).elements}
    assert ("Email:GlobalObjId" in tags) is (version < Version.V16_0)
    assert ("Calendar:UID" in tags) is (version >= Version.V16_0)
    assert ("Email2:MeetingMessageType" in tags) is (version >= Version.V14_1)
    assert ("Email:DisallowNewTimeProposal" in tags) is (version >= Version.V14_0)
    assert ("AirSyncBase:Location" in tags) is (version >= Version.V16_0)


@pytest.mark.parametrize(
    ("ics", "kind", "original"),
    [
        (invitation(), InstanceType.SINGLE, None),
        (invitation("RRULE:FREQ=WEEKLY"), InstanceType.MASTER, None),
        (invitation("RECURRENCE-ID;TZID=Europe/Berlin:20260415T100000"), InstanceType.INSTANCE, FIRST),
        (invitation(*SECOND), InstanceType.EXCEPTION, FIRST + WEEK),
    ],
)
def test_instance_type_and_recurrence_id(ics: bytes, kind: InstanceType, original: datetime | None) -> None:
    """[MS-ASEMAIL] InstanceType R492-R495, RecurrenceId R935, R936, R1350."""
    shown = meeting.meeting_request(ics, ANN, V)
    assert (shown.instance_type, shown.recurrence_id) == (kind, original)
    assert bool(shown.recurrences) is (kind is InstanceType.MASTER)


@pytest.mark.parametrize(
    ("ics", "kind"),
    [
        (invitation(), MeetingMessageType.INITIAL),
        (invitation(sequence=2), MeetingMessageType.FULL_UPDATE),
        (invitation(method="CANCEL"), MeetingMessageType.UNSPECIFIED),
    ],
)
def test_meeting_message_type(ics: bytes, kind: MeetingMessageType) -> None:
    """[MS-ASEMAIL] MeetingMessageType R533-R535."""
    assert meeting.meeting_request(ics, ANN, V).meeting_message_type is kind


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((), BusyStatus.BUSY),
        (("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE", "X-MICROSOFT-CDO-INTENDEDSTATUS:OOF"), BusyStatus.OUT_OF_OFFICE),
        (("TRANSP:TRANSPARENT",), BusyStatus.FREE),
    ],
)
def test_busy_status_is_that_after_accepting(lines: tuple[str, ...], status: BusyStatus) -> None:
    """[MS-ASEMAIL] BusyStatus R262, R270."""
    assert meeting.meeting_request(invitation(*lines), ANN, V).busy_status is status


def reply(partstat: str, *, by: str = "bob@example.com", sequence: int = 0, lines: tuple[str, ...] = ZONED) -> bytes:
    return message(
        vevent("DTSTAMP:20260302T000000Z", f"SEQUENCE:{sequence}", *lines, "ORGANIZER:mailto:boss@example.com",
               f"ATTENDEE;PARTSTAT={partstat}:mailto:{by}"),
        method="REPLY",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ics", "kind"),
    [
        (invitation(), "IPM.Schedule.Meeting.Request"),
        (invitation(method="CANCEL"), "IPM.Schedule.Meeting.Canceled"),
        (reply("ACCEPTED"), "IPM.Schedule.Meeting.Resp.Pos"),
        (reply("TENTATIVE"), "IPM.Schedule.Meeting.Resp.Tent"),
        (reply("DECLINED"), "IPM.Schedule.Meeting.Resp.Neg"),
        (invitation(method="COUNTER"), "IPM.Schedule.Meeting.Resp.Tent"),
        (invitation(method="PUBLISH"), "IPM.Note"),
        (invitation(method=""), "IPM.Note"),
    ],
)
def test_message_class(ics: bytes, kind: str) -> None:
    assert meeting.message_class(ics) == kind
    if kind == "IPM.Note":
        with pytest.raises(Unreadable):
            meeting.meeting_request(ics, ANN, V)
    else:
        assert meeting.meeting_request(ics, ANN, V).start_time == FIRST


@pytest.mark.parametrize("ics", [b"", b"BEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR\n"])
def test_unreadable_messages(ics: bytes) -> None:
    with pytest.raises(Unreadable):
        meeting.message_class(ics)
    with pytest.raises(Unreadable):
        meeting.meeting_request(ics, ANN, V)
    with pytest.raises(Refused):
        meeting.respond(ics, 1, ANN, None)


# -- Answers


@pytest.mark.parametrize(
    ("response", "answered", "busy"),
    [(1, ResponseType.ACCEPTED, BusyStatus.BUSY), (2, ResponseType.TENTATIVE, BusyStatus.TENTATIVE)],
)
def test_answered_invitation_is_an_appointment(response: int, answered: ResponseType, busy: BusyStatus) -> None:
    stored = meeting.respond(invitation("X-FOO;A=b:c"), response, ANN, None)
    assert stored is not None
    assert b"METHOD" not in stored
    assert b"X-FOO;A=b:c" in stored
    shown = show(stored)
    assert (shown.response_type, shown.busy_status, shown.meeting_status) == (answered, busy, 3)
    assert shown.appointment_reply_time == NOW
    assert b"RSVP" not in stored


def test_declined_invitation_is_nothing() -> None:
    assert meeting.respond(invitation(), 3, ANN, None) is None


def test_accepting_what_was_tentative_makes_busy() -> None:
    lines = ("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE", "X-MICROSOFT-CDO-INTENDEDSTATUS:OOF")
    stored = meeting.respond(invitation(*lines), 1, ANN, None)
    assert stored is not None
    assert show(stored).busy_status is BusyStatus.OUT_OF_OFFICE
    tentative = meeting.apply_response(stored, 2, ANN, None)
    assert show(tentative).busy_status is BusyStatus.TENTATIVE


def test_invitation_by_a_list_gets_a_line_for_the_user() -> None:
    eve = Viewer(addresses=("eve@example.com",), name="Eve", zone="UTC", now=NOW)
    stored = meeting.respond(invitation(), 1, eve, None)
    assert stored is not None
    assert show(stored, eve).response_type is ResponseType.ACCEPTED


@pytest.mark.parametrize("method", ["CANCEL", "REPLY", "COUNTER"])
def test_what_is_no_invitation_is_not_answered(method: str) -> None:
    with pytest.raises(Refused):
        meeting.respond(invitation(method=method), 1, ANN, None)
    with pytest.raises(Refused):
        meeting.respond(invitation(), 4, ANN, None)


def test_organizer_does_not_answer() -> None:
    with pytest.raises(Refused):
        meeting.apply_response(invitation(method=""), 1, BOSS, None)


def series(**values: Any) -> bytes:
    return invitation("RRULE:FREQ=WEEKLY", method="", **values)


def test_answer_to_a_series_counts_for_its_exceptions() -> None:
    """[MS-ASCMD] R3191."""
    data = message(vevent("DTSTAMP:20260301T000000Z", *ZONED, *PEOPLE, "RRULE:FREQ=WEEKLY"),
                   vevent("DTSTAMP:20260301T000000Z", *SECOND, *PEOPLE), method="")  # fmt: skip
    answered = meeting.apply_response(data, 1, ANN, None)
    assert answered.count(b"PARTSTAT=ACCEPTED") == 2


def test_answer_to_one_occurrence_makes_an_exception() -> None:
    """[MS-ASCMD] R3190."""
    shown = show(meeting.apply_response(series(), 2, ANN, FIRST + WEEK))
    assert shown.response_type is ResponseType.NOT_RESPONDED
    (exception,) = shown.exceptions
    assert exception.exception_start_time == FIRST + WEEK
    assert exception.response_type is ResponseType.TENTATIVE


def test_answer_names_a_moved_occurrence_by_its_old_or_new_start() -> None:
    """[MS-ASCMD] R3192."""
    data = message(vevent("DTSTAMP:20260301T000000Z", *ZONED, *PEOPLE, "RRULE:FREQ=WEEKLY"),
                   vevent("DTSTAMP:20260301T000000Z", *SECOND, *PEOPLE), method="")  # fmt: skip
    for instance in (FIRST + WEEK, FIRST + WEEK + 2 * HOUR):
        (exception,) = show(meeting.apply_response(data, 1, ANN, instance)).exceptions
        assert exception.response_type is ResponseType.ACCEPTED


def test_declined_occurrence_goes() -> None:
    (exception,) = show(meeting.apply_response(series(), 3, ANN, FIRST + WEEK)).exceptions
    assert exception.deleted
    stored = meeting.respond(invitation("RRULE:FREQ=WEEKLY"), 3, ANN, FIRST + WEEK)
    assert stored is not None
    assert show(stored).exceptions[0].deleted


def test_instance_that_does_not_exist_is_refused() -> None:
    """[MS-ASCMD] R3196 for what does not recur."""
    with pytest.raises(Refused):
        meeting.apply_response(series(), 1, ANN, FIRST + HOUR)
    with pytest.raises(Refused):
        meeting.apply_response(invitation(method=""), 1, ANN, FIRST)
    assert meeting.recurs(series())
    assert meeting.recurs(invitation(*SECOND))
    assert not meeting.recurs(invitation())
    assert meeting.uid_of(series()) == "u1"


# -- Replies to the organizer


def statuses(data: bytes) -> dict[str | None, AttendeeStatus | None]:
    return {a.email: a.status for a in show(data, BOSS).attendees}


def test_reply_is_noted_in_the_organizers_event() -> None:
    data = invitation("X-FOO:bar", method="")
    answered = meeting.apply_reply(data, reply("ACCEPTED", by="BOB@example.com"))
    assert statuses(answered) == {
        "ann@example.com": AttendeeStatus.NOT_RESPONDED, "bob@example.com": AttendeeStatus.ACCEPTED
    }  # fmt: skip
    assert b"X-FOO:bar" in answered
    assert b"ATTENDEE;CN=Bob;PARTSTAT=ACCEPTED;X-EAS-REPLIED=" in answered


def test_reply_about_one_occurrence() -> None:
    lines = ("RECURRENCE-ID;TZID=Europe/Berlin:20260422T100000", "DTSTART;TZID=Europe/Berlin:20260422T100000")
    answered = meeting.apply_reply(series(), reply("DECLINED", lines=lines))
    assert statuses(answered)["bob@example.com"] is AttendeeStatus.UNKNOWN
    (exception,) = show(answered, BOSS).exceptions
    assert {a.email: a.status for a in exception.attendees}["bob@example.com"] is AttendeeStatus.DECLINED


@pytest.mark.parametrize(
    "told",
    [
        reply("ACCEPTED", by="eve@example.com"),  # was not invited
        reply("NEEDS-ACTION"),
        reply("DELEGATED"),
        reply("ACCEPTED").replace(b"UID:u1", b"UID:u2"),
        reply("ACCEPTED", lines=("RECURRENCE-ID:20260423T100000Z", "DTSTART:20260423T100000Z")),  # no such occurrence
    ],
)
def test_replies_that_change_nothing(told: bytes) -> None:
    data = series()
    assert meeting.apply_reply(data, told) == data


def test_reply_to_a_former_state_is_outdated() -> None:
    data = invitation(method="", sequence=3)
    assert meeting.apply_reply(data, reply("ACCEPTED", sequence=2)) == data
    assert meeting.apply_reply(data, reply("ACCEPTED", sequence=3)) != data


# -- Updates and cancellations

OWN = ("CATEGORIES:Mine", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT5M", "END:VALARM")


def accepted(*lines: str, **values: Any) -> bytes:
    stored = meeting.respond(invitation(*lines, **values), 1, ANN, None)
    assert stored is not None
    return stored


def test_update_keeps_what_is_the_viewers_own() -> None:
    told = invitation("SUMMARY:New", stamp="20260302T000000Z", sequence=1)
    updated = meeting.apply_request(accepted(*OWN), told, ANN)
    shown = show(updated)
    assert (shown.subject, shown.categories, shown.reminder) == ("New", ("Mine",), 5)
    assert shown.response_type is ResponseType.ACCEPTED
    assert b"METHOD" not in updated


def test_update_to_another_time_asks_again() -> None:
    later = ("DTSTART;TZID=Europe/Berlin:20260415T120000", "DTEND;TZID=Europe/Berlin:20260415T130000")
    shown = show(meeting.apply_request(accepted(*OWN), invitation(*later, sequence=1), ANN))
    assert shown.start_time == FIRST + 2 * HOUR
    assert shown.response_type is ResponseType.NOT_RESPONDED
    assert shown.appointment_reply_time is None
    assert shown.reminder == 5


@pytest.mark.parametrize(
    "told",
    [
        invitation("SUMMARY:New", sequence=1),  # older by SEQUENCE
        invitation("SUMMARY:New", sequence=2, stamp="20260201T000000Z"),  # older by DTSTAMP
        invitation("SUMMARY:New", sequence=9).replace(b"boss@", b"thief@"),  # of another organizer
        invitation("SUMMARY:New", sequence=9).replace(b"UID:u1", b"UID:u2"),
    ],
)
def test_updates_that_do_not_count(told: bytes) -> None:
    """RFC 5546 2.1.5; and nobody takes over another's meeting."""
    data = accepted(sequence=2)
    assert meeting.apply_request(data, told, ANN) == data
    assert meeting.apply_cancel(data, told, ANN) == data


def test_update_of_one_occurrence() -> None:
    data = accepted("RRULE:FREQ=WEEKLY")
    updated = meeting.apply_request(data, invitation(*SECOND, "SUMMARY:Moved", sequence=1), ANN)
    (exception,) = show(updated).exceptions
    assert (exception.subject, exception.start_time) == ("Moved", FIRST + WEEK + 2 * HOUR)
    again = meeting.apply_request(updated, invitation(*SECOND, "SUMMARY:Again", sequence=2), ANN)
    assert [e.subject for e in show(again).exceptions] == ["Again"]
    renamed = meeting.apply_request(again, invitation("RRULE:FREQ=WEEKLY", "SUMMARY:Series", sequence=3), ANN)
    assert [e.subject for e in show(renamed).exceptions] == ["Again"]
    retimed = meeting.apply_request(again, invitation("RRULE:FREQ=DAILY", sequence=3), ANN)
    assert show(retimed).exceptions == ()


def test_update_brings_the_definition_of_its_zone() -> None:
    zone = ("BEGIN:VTIMEZONE\r\nTZID:Foo\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0500\r\n"
            "TZOFFSETTO:+0500\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n")  # fmt: skip
    told = invitation("DTSTART;TZID=Foo:20260415T100000", sequence=1)
    told = told.replace(b"BEGIN:VEVENT", zone.encode() + b"BEGIN:VEVENT")
    assert show(meeting.apply_request(accepted(), told, ANN)).start_time == datetime(2026, 4, 15, 5, tzinfo=UTC)


def test_cancelled_meeting_stays_as_cancelled() -> None:
    """[MS-ASCAL] R314."""
    cancelled = meeting.apply_cancel(accepted(*OWN), invitation(method="CANCEL", sequence=1), ANN)
    shown = show(cancelled)
    assert (shown.meeting_status, shown.categories) == (7, ("Mine",))
    assert b"SEQUENCE:1" in cancelled


def test_cancelled_occurrence() -> None:
    told = invitation("RECURRENCE-ID;TZID=Europe/Berlin:20260422T100000", method="CANCEL", sequence=1)
    shown = show(meeting.apply_cancel(accepted("RRULE:FREQ=WEEKLY"), told, ANN))
    assert shown.meeting_status == 3
    (exception,) = shown.exceptions
    assert (exception.exception_start_time, exception.meeting_status) == (FIRST + WEEK, 7)
