"""Appointments: every field there and back, and what survives. [MS-ASCAL]."""

from __future__ import annotations

import base64
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from eas.items import calendar
from eas.items.body import Body, BodyPreference, BodyType, Wanted
from eas.items.calendar import (
    Appointment,
    Attendee,
    AttendeeStatus,
    AttendeeType,
    BusyStatus,
    ResponseType,
    Sensitivity,
)
from eas.items.ghosting import kept_fields
from eas.items.native import Refused, Unreadable, Viewer
from eas.items.recurrence import Recurrence, RecurrenceType
from eas.items.timezone import TimeZoneInformation, blob_of, key_of, zone_of_blob
from eas.protocol import schema
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 4, 1, 12, 3, tzinfo=UTC)
ME = Viewer(addresses=("ann@example.com", "a.example@example.com"), name="Ann Example", zone="Europe/Berlin", now=NOW)
START, END = datetime(2026, 4, 15, 8, tzinfo=UTC), datetime(2026, 4, 15, 9, tzinfo=UTC)
ALL = frozenset(f.name for f in fields(Appointment))
V = Version.V14_1
PLAIN = Wanted()


def show(data: bytes, version: Version = V, wanted: Wanted = PLAIN) -> Appointment:
    return calendar.from_native(data, wanted, ME, version)


def add(version: Version = V, **values: Any) -> bytes:
    item = Appointment(**{"start_time": START, "end_time": END, **values})
    sent = frozenset(values) | {"start_time", "end_time"}
    return calendar.to_native(item, sent, None, frozenset(), ME, version, uid="u1")


def change(base: bytes, version: Version = V, kept: frozenset[str] = ALL, **values: Any) -> bytes:
    """A Change that names `values` alone; all else is ghosted."""
    return calendar.to_native(Appointment(**values), frozenset(values), base, kept, ME, version, uid="never")


def event(*lines: str, zone: str = "") -> bytes:
    body = "\r\n".join(["UID:u1", "DTSTAMP:20260101T000000Z", *lines])
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\n{zone}BEGIN:VEVENT\r\n{body}\r\nEND:VEVENT\r\n"
        "END:VCALENDAR\r\n"
    ).encode()


TIMED = ("DTSTART;TZID=Europe/Berlin:20260415T100000", "DTEND;TZID=Europe/Berlin:20260415T110000")

FIELDS: list[tuple[str, Any]] = [
    ("subject", "Lunch; with, \\ ünïcode\nand more"),
    ("location", "Room 1, second floor"),
    ("reminder", 0),
    ("reminder", 15),
    ("reminder", 2880),
    *(("busy_status", status) for status in BusyStatus if 0 <= status <= 3),
    ("categories", ("Business", "Travel, far; away")),
    *(("sensitivity", sensitivity) for sensitivity in Sensitivity),
    ("disallow_new_time_proposal", True),
    ("response_requested", True),
]


@pytest.mark.parametrize(("name", "value"), FIELDS)
def test_field_goes_there_and_back(name: str, value: Any) -> None:
    """[MS-ASCAL] R82-R85 and their like: what a device stores is what it is shown, added or changed."""
    assert getattr(show(add(**{name: value})), name) == value
    assert getattr(show(change(event(*TIMED), **{name: value})), name) == value


@pytest.mark.parametrize("name", ["subject", "location", "reminder", "categories"])
def test_field_is_removed_by_an_empty_element(name: str) -> None:
    empty: Any = () if name == "categories" else None
    full = add(subject="x", location="x", reminder=5, categories=("x",))
    gone = show(change(full, **{name: empty}))
    assert getattr(gone, name) == empty
    others = {"subject", "location", "reminder", "categories"} - {name}
    assert all(getattr(gone, other) for other in others)


def test_start_and_end_go_there_and_back() -> None:
    shown = show(add(timezone=blob_of(BERLIN, 2026)))
    assert (shown.start_time, shown.end_time, shown.all_day_event) == (START, END, False)
    later = show(change(event(*TIMED), start_time=START + timedelta(hours=1), end_time=END + timedelta(hours=2)))
    assert (later.start_time, later.end_time) == (START + timedelta(hours=1), END + timedelta(hours=2))


def test_comments_go_there_and_back_as_text_and_html() -> None:
    text = Body(type=BodyType.TEXT, data="Bring a pen\nand paper")
    shown = show(add(body=text)).body
    assert shown is not None
    assert shown.data == text.data
    html = Body(type=BodyType.HTML, data="<p>Bring a <b>pen</b></p>")
    stored = add(body=html)
    told = show(stored, wanted=Wanted(preferences=(BodyPreference(type=BodyType.HTML),)))
    assert told.body is not None
    assert "<b>pen</b>" in (told.body.data or "")
    assert told.native_body_type == 2
    assert b"DESCRIPTION:Bring a pen" in stored


def test_body_that_was_shown_as_html_comes_back_unchanged() -> None:
    data = event(*TIMED, "DESCRIPTION:Bring a pen")
    told = show(data, wanted=Wanted(preferences=(BodyPreference(type=BodyType.HTML),)))
    assert calendar.to_native(told, ALL, data, frozenset(), ME, V, uid="x").count(b"DESCRIPTION:Bring a pen") == 1


def test_body_without_data_is_kept_and_an_empty_one_removed() -> None:
    data = event(*TIMED, "DESCRIPTION:Bring a pen")
    assert change(data, body=Body(type=BodyType.TEXT)) == data
    assert b"DESCRIPTION" not in change(data, body=Body(type=BodyType.TEXT, data=""))
    assert b"DESCRIPTION" not in change(data, body=None)


PEOPLE = (
    Attendee(email="bob@example.com", name="Bob", status=AttendeeStatus.UNKNOWN, type=AttendeeType.REQUIRED),
    Attendee(email="eve@example.com", name="Eve", status=AttendeeStatus.ACCEPTED, type=AttendeeType.OPTIONAL),
    Attendee(email="dan@example.com", name="Dan: D", status=AttendeeStatus.DECLINED, type=AttendeeType.REQUIRED),
    Attendee(email="tea@example.com", name="Tea", status=AttendeeStatus.TENTATIVE, type=AttendeeType.REQUIRED),
    Attendee(email="room@example.com", name="Room 1", status=AttendeeStatus.NOT_RESPONDED, type=AttendeeType.RESOURCE),
)


def test_participants_and_resources_go_there_and_back_with_status_and_role() -> None:
    """[MS-ASCAL] AttendeeStatus R568-R572, AttendeeType R573-R575."""
    stored = add(attendees=PEOPLE, meeting_status=1)
    shown = show(stored)
    assert shown.attendees == PEOPLE
    assert shown.meeting_status == 1
    assert (shown.organizer_name, shown.organizer_email) == ("Ann Example", "ann@example.com")
    assert b"CUTYPE=RESOURCE" in stored
    assert show(change(event(*TIMED), attendees=PEOPLE)).attendees == PEOPLE


def test_parameters_of_attendees_survive() -> None:
    line = (
        'ATTENDEE;CN="Bob: B";PARTSTAT=NEEDS-ACTION;DELEGATED-FROM="mailto:x@example.com";X-NUM-GUESTS=2'
        ":MAILTO:bob@example.com"
    )
    data = event(*TIMED, "ORGANIZER:mailto:ann@example.com", line, "ATTENDEE;X-Y=z:mailto:eve@example.com")
    bob, eve = show(data).attendees
    changed = change(data, attendees=(replace(bob, status=AttendeeStatus.ACCEPTED), eve))
    assert b"ATTENDEE;X-Y=z:mailto:eve@example.com\r\n" in changed
    unfolded = changed.replace(b"\r\n ", b"").decode()
    assert line.replace("NEEDS-ACTION", "ACCEPTED") in unfolded
    without = change(data, attendees=(eve,))
    assert b"bob@example.com" not in without
    assert b"ATTENDEE;X-Y=z:mailto:eve@example.com\r\n" in without


def test_organizer_among_the_attendees_is_not_shown_and_survives() -> None:
    own = "ATTENDEE;ROLE=CHAIR;PARTSTAT=ACCEPTED:mailto:ann@example.com"
    data = event(*TIMED, "ORGANIZER:mailto:ann@example.com", own, "ATTENDEE:mailto:bob@example.com")
    assert [a.email for a in show(data).attendees] == ["bob@example.com"]
    assert own.encode() in change(data, attendees=PEOPLE)


def test_names_of_a_received_meeting_are_its_organizers() -> None:
    """Devices have dropped the attendees of meetings, and made themselves the organizer."""
    data = event(*TIMED, "ORGANIZER;CN=Boss:mailto:boss@example.com", "ATTENDEE:mailto:ann@example.com",
                 "ATTENDEE:mailto:bob@example.com")  # fmt: skip
    assert change(data, attendees=()) == data
    hijacked = change(data, organizer_email="ann@example.com", organizer_name="Ann", subject="Mine")
    assert show(hijacked).organizer_email == "boss@example.com"


RECEIVED_LINES = (
    "ORGANIZER;CN=Boss:mailto:boss@example.com", "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:ann@example.com",
    "ATTENDEE;PARTSTAT=TENTATIVE:mailto:bob@example.com", "SUMMARY:Talk", "RRULE:FREQ=WEEKLY;COUNT=5",
)


@pytest.mark.parametrize("version", [V, Version.V16_1])
def test_an_attendee_changes_only_what_is_their_own(version: Version) -> None:
    """Neither times nor pattern nor the answers of others; one's reminder and categories, and in 14.1 one's answer."""
    data = event(*TIMED, *RECEIVED_LINES)
    moved = change(
        data, version, start_time=START + timedelta(hours=1), end_time=END + timedelta(hours=1), recurrence=None,
        meeting_status=7, subject="Mine", reminder=5, attendees=(
            Attendee(email="ann@example.com", name="Ann", status=AttendeeStatus.ACCEPTED),
            Attendee(email="bob@example.com", name="Bob", status=AttendeeStatus.DECLINED),
            Attendee(email="eve@example.com", name="Eve"),
        ),
    )
    for line in (*TIMED, "RRULE:FREQ=WEEKLY;COUNT=5", "ATTENDEE;PARTSTAT=TENTATIVE:mailto:bob@example.com"):
        assert f"{line}\r\n".encode() in moved
    assert b"eve@example.com" not in moved
    assert b"STATUS:CANCELLED" not in moved
    shown = show(moved, version)
    assert (shown.subject, shown.reminder) == ("Mine", 5)
    assert shown.response_type is (ResponseType.ACCEPTED if version is V else ResponseType.NOT_RESPONDED)


def test_what_is_the_servers_from_16_0_counts_for_nothing() -> None:
    """[MS-ASCAL] R2028, R2088, R2168, R2174, R2221."""
    stamp = datetime(2020, 1, 1, tzinfo=UTC)
    stored = add(
        Version.V16_1, uid="mine", dt_stamp=stamp, organizer_email="eve@example.com", organizer_name="Eve",
        meeting_status=1, attendees=(Attendee(email="bob@example.com", name="Bob", status=AttendeeStatus.ACCEPTED),),
    )
    shown = show(stored, Version.V16_1)
    assert (shown.uid, shown.organizer_email, shown.dt_stamp) == ("u1", "ann@example.com", NOW)
    assert [a.status for a in shown.attendees] == [AttendeeStatus.UNKNOWN]


@pytest.mark.parametrize(
    ("lines", "status", "response"),
    [
        ((), 0, ResponseType.NONE),
        (("ORGANIZER:mailto:ann@example.com", "ATTENDEE:mailto:bob@example.com"), 1, ResponseType.ORGANIZER),
        (("ORGANIZER:MAILTO:A.Example@example.com", "ATTENDEE:mailto:bob@example.com"), 1, ResponseType.ORGANIZER),
        (("ORGANIZER:mailto:x@y.z", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.com"), 3, ResponseType.ACCEPTED),
        (("ORGANIZER:mailto:x@y.z", "ATTENDEE;PARTSTAT=TENTATIVE:mailto:ANN@example.com"), 3, ResponseType.TENTATIVE),
        (("ORGANIZER:mailto:x@y.z", "ATTENDEE;PARTSTAT=DECLINED:mailto:ann@example.com"), 3, ResponseType.DECLINED),
        (("ORGANIZER:mailto:x@y.z", "ATTENDEE:mailto:ann@example.com"), 3, ResponseType.NOT_RESPONDED),
        (("ORGANIZER:mailto:x@y.z", "ATTENDEE:mailto:bob@example.com"), 3, ResponseType.NONE),
        (("ORGANIZER:mailto:x@y.z", "ATTENDEE:mailto:ann@example.com", "STATUS:CANCELLED"), 7,
         ResponseType.NOT_RESPONDED),
        (("ORGANIZER:mailto:ann@example.com", "ATTENDEE:mailto:bob@example.com", "STATUS:CANCELLED"), 5,
         ResponseType.ORGANIZER),
    ],
)  # fmt: skip
def test_meeting_status_and_response_type(lines: tuple[str, ...], status: int, response: ResponseType) -> None:
    """[MS-ASCAL] MeetingStatus R310-R314, ResponseType R408-R418."""
    shown = show(event(*TIMED, *lines))
    assert (shown.meeting_status, shown.response_type) == (status, response)


def test_reply_time_is_told_once_there_is_a_reply() -> None:
    """[MS-ASCAL] R52522."""
    lines = (*TIMED, "ORGANIZER:mailto:x@y.z", "X-MICROSOFT-CDO-REPLYTIME:20260301T101010Z")
    answered = show(event(*lines, "ATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.com"))
    assert answered.appointment_reply_time == datetime(2026, 3, 1, 10, 10, 10, tzinfo=UTC)
    assert show(event(*lines, "ATTENDEE:mailto:ann@example.com")).appointment_reply_time is None


def test_cancelling_by_meeting_status() -> None:
    """[MS-ASCAL] R313: 5 is a meeting that its organizer cancelled."""
    data = add(attendees=PEOPLE, meeting_status=1)
    assert show(change(data, meeting_status=5)).meeting_status == 5
    assert show(change(change(data, meeting_status=5), meeting_status=1)).meeting_status == 1
    with pytest.raises(Refused):
        change(data, meeting_status=6)


def test_server_defaults_are_always_there() -> None:
    """DtStamp, Organizer, Sensitivity, UID, BusyStatus, MeetingStatus, DisallowNewTimeProposal (R215), Timezone."""
    shown = schema.dump("x", show(event(*TIMED)), V)
    tags = {e.tag for e in shown.elements}
    assert {f"Calendar:{name}" for name in (
        "DtStamp", "OrganizerName", "OrganizerEmail", "Sensitivity", "UID", "BusyStatus", "MeetingStatus",
        "DisallowNewTimeProposal", "Timezone", "StartTime", "EndTime", "AllDayEvent",
    )} <= tags  # fmt: skip


def test_calendar_type_is_always_there_for_months_and_years_and_is_what_was_sent() -> None:
    """[MS-ASCAL] R143-R14313, R11029."""
    assert show(event(*TIMED, "RRULE:FREQ=MONTHLY")).recurrence.calendar_type == 0  # type: ignore[union-attr]
    yearly = Recurrence(
        type=RecurrenceType.YEARLY, interval=1, day_of_month=15, month_of_year=4, calendar_type=1
    )
    assert show(add(recurrence=yearly)).recurrence == yearly
    changed = change(add(recurrence=yearly), recurrence=replace(yearly, calendar_type=0))
    assert show(changed).recurrence == replace(yearly, calendar_type=0)


# -- Times


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, ("2026-04-01T12:30", "2026-04-01T13:00")),  # R52514
        (None, "2026-04-01T15:00", ("2026-04-01T12:30", "2026-04-01T15:00")),  # R52516
        ("2026-04-01T10:00", None, ("2026-04-01T10:00", "2026-04-01T13:00")),  # R52517
        (None, "2026-04-01T11:00", None),  # R52515
        (None, "2026-04-01T12:20", None),  # R5251611
        ("2026-04-01T13:00", None, None),  # R52518
        ("2026-04-01T13:00", "2026-04-01T12:59", None),
    ],
)
def test_add_without_times_gets_times(start: str | None, end: str | None, expected: tuple[str, str] | None) -> None:
    """[MS-ASCAL] R52511-R52518; now is 12:03."""
    sent = {k: datetime.fromisoformat(v + "+00:00") for k, v in (("start_time", start), ("end_time", end)) if v}
    if expected is None:
        with pytest.raises(Refused):
            calendar.to_native(Appointment(**sent), frozenset(sent), None, frozenset(), ME, V, uid="u")
        return
    shown = show(calendar.to_native(Appointment(**sent), frozenset(sent), None, frozenset(), ME, V, uid="u"))
    assert (f"{shown.start_time:%Y-%m-%dT%H:%M}", f"{shown.end_time:%Y-%m-%dT%H:%M}") == expected


def test_end_without_start_is_refused_in_a_change() -> None:
    """[MS-ASCAL] R53915; but a ghosted start may be left out, and from 16.0 all is ghosted."""
    data = event(*TIMED)
    with pytest.raises(Refused):
        change(data, kept=frozenset(), end_time=END + timedelta(hours=1))
    assert show(change(data, end_time=END + timedelta(hours=1))).end_time == END + timedelta(hours=1)
    moved = change(data, Version.V16_0, kept=frozenset(), end_time=END + timedelta(hours=1))
    assert show(moved).end_time == END + timedelta(hours=1)


def test_all_day_event_is_midnights_of_the_zone_up_to_14_1() -> None:
    data = event("DTSTART;VALUE=DATE:20260415", "DTEND;VALUE=DATE:20260417")
    shown = show(data)
    assert shown.all_day_event
    assert (shown.start_time, shown.end_time) == (
        datetime(2026, 4, 14, 22, tzinfo=UTC), datetime(2026, 4, 16, 22, tzinfo=UTC)
    )  # fmt: skip
    assert shown.timezone == blob_of(BERLIN, 2026)
    assert calendar.to_native(shown, ALL, data, frozenset(), ME, V, uid="x") == data


def test_all_day_event_is_its_dates_from_16_0() -> None:
    """[MS-ASCAL] R2005-R2007: no Timezone."""
    data = event("DTSTART;VALUE=DATE:20260415")
    shown = show(data, Version.V16_1)
    assert (shown.start_time, shown.end_time) == (datetime(2026, 4, 15, tzinfo=UTC), datetime(2026, 4, 16, tzinfo=UTC))
    assert shown.timezone is None
    assert b"DTSTART;VALUE=DATE:20260415" in add(
        Version.V16_1, all_day_event=True, start_time=shown.start_time, end_time=shown.end_time
    )


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "Pacific/Auckland"])
def test_all_day_event_of_a_device_elsewhere_keeps_its_date(zone: str) -> None:
    """Midnights of the device's blob, whatever zone the viewer is in."""
    there = ZoneInfo(zone)
    start = datetime(2026, 4, 15, tzinfo=there).astimezone(UTC)
    blob = blob_of(there, 2026) if zone != "UTC" else TimeZoneInformation()
    data = add(all_day_event=True, start_time=start, end_time=start + timedelta(days=1), timezone=blob)
    assert b"DTSTART;VALUE=DATE:20260415\r\n" in data
    assert b"DTEND;VALUE=DATE:20260416\r\n" in data


def test_all_day_event_of_no_length_is_a_day() -> None:
    """Nokia's yearly events (field observation)."""
    start = datetime(2026, 4, 14, 22, tzinfo=UTC)
    data = add(all_day_event=True, start_time=start, end_time=start, timezone=blob_of(BERLIN, 2026))
    assert b"DTEND;VALUE=DATE:20260416\r\n" in data


def test_exchange_marks_some_all_day_events() -> None:
    data = event("DTSTART:20260415T000000", "DTEND:20260416T000000", "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE")
    assert show(data).all_day_event


def test_timed_event_becomes_all_day_and_back() -> None:
    start = datetime(2026, 4, 14, 22, tzinfo=UTC)
    days = change(event(*TIMED), all_day_event=True, start_time=start, end_time=start + timedelta(days=1))
    assert b"DTSTART;VALUE=DATE:20260415" in days
    timed = change(days, all_day_event=False, start_time=START, end_time=END)
    assert b"DTSTART;TZID=Europe/Berlin:20260415T100000" in timed


def test_stored_zone_is_kept_if_the_blob_agrees() -> None:
    """Vienna and Berlin have the same rules."""
    data = event("DTSTART;TZID=Europe/Vienna:20260415T100000", "DTEND;TZID=Europe/Vienna:20260415T110000",
                 "RRULE:FREQ=DAILY")  # fmt: skip
    assert change(data, timezone=blob_of(BERLIN, 2026), start_time=START, end_time=END) == data
    moved = change(data, timezone=blob_of(BERLIN, 2026), start_time=START + timedelta(hours=1), end_time=END)
    assert b"DTSTART;TZID=Europe/Vienna:20260415T110000" in moved


def test_new_event_carries_the_definition_of_its_zone() -> None:
    data = add(timezone=blob_of(ZoneInfo("America/New_York"), 2026), recurrence=Recurrence(type=RecurrenceType.DAILY))
    assert b"TZID:America/New_York\r\nBEGIN:" in data
    assert b"DTSTART;TZID=America/New_York:20260415T040000" in data
    assert data.index(b"BEGIN:VTIMEZONE") < data.index(b"BEGIN:VEVENT")


CUSTOM = (
    "BEGIN:VTIMEZONE\r\nTZID:Our Zone\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nTZOFFSETFROM:+0145\r\n"
    "TZOFFSETTO:+0115\r\nRRULE:FREQ=YEARLY;BYMONTH=9;BYDAY=2WE\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT\r\n"
    "DTSTART:16010101T000000\r\nTZOFFSETFROM:+0115\r\nTZOFFSETTO:+0145\r\nRRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1TU\r\n"
    "END:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
)


def test_custom_zone_is_shown_by_its_rules_and_survives() -> None:
    data = event("DTSTART;TZID=Our Zone:20260415T100000", "RRULE:FREQ=WEEKLY", zone=CUSTOM)
    shown = show(data)
    assert shown.start_time == datetime(2026, 4, 15, 8, 15, tzinfo=UTC)
    assert shown.timezone is not None
    assert (shown.timezone.bias, shown.timezone.daylight_bias) == (-75, -30)
    later = datetime(2026, 4, 15, 9, 15, tzinfo=UTC)
    moved = change(data, timezone=shown.timezone, start_time=later, end_time=later)
    assert b"DTSTART;TZID=Our Zone:20260415T110000" in moved
    assert CUSTOM.encode() in moved


def test_floating_times_are_in_the_viewers_zone_and_stay_floating() -> None:
    data = event("DTSTART:20260415T100000", "DTEND:20260415T110000")
    assert show(data).start_time == START
    moved = change(data, start_time=START + timedelta(hours=1), end_time=END + timedelta(hours=1))
    assert b"DTSTART:20260415T110000\r\n" in moved


def test_duration_stays_a_duration_while_it_fits() -> None:
    data = event("DTSTART;TZID=Europe/Berlin:20260415T100000", "DURATION:PT1H")
    moved = change(data, start_time=START + timedelta(hours=1), end_time=END + timedelta(hours=1))
    assert b"DURATION:PT1H\r\n" in moved
    assert b"DTEND" not in moved
    longer = change(data, end_time=END + timedelta(hours=1))
    assert b"DURATION" not in longer
    assert b"DTEND;TZID=Europe/Berlin:20260415T120000" in longer


def test_series_is_shown_with_todays_rules_of_its_zone() -> None:
    """A series of 2006 in New York began when DST ended in October; phones count with one set of rules."""
    data = event("DTSTART;TZID=America/New_York:20060615T100000", "RRULE:FREQ=WEEKLY")
    blob = show(data).timezone
    assert blob is not None
    assert blob == blob_of(ZoneInfo("America/New_York"), 2026)
    assert blob != blob_of(ZoneInfo("America/New_York"), 2006)
    single = show(event("DTSTART;TZID=America/New_York:20060615T100000")).timezone
    assert single == blob_of(ZoneInfo("America/New_York"), 2006)


# -- Survival


RICH = (
    *TIMED,
    "SUMMARY;LANGUAGE=de:Ein sehr langer Betreff, der in der Datei gefaltet ist, damit man si",
    " eht, dass er bleibt",
    "X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-TITLE=Home:geo:52.5,13.4",
    "REQUEST-STATUS:2.0;Success",
    "ATTACH;FMTTYPE=image/png:https://example.com/a.png",
    "item1.X-FOO:bar",
    "CLASS:X-UNHEARD",
    "BEGIN:VALARM", "ACTION:EMAIL", "TRIGGER:-PT1H", "SUMMARY:x", "ATTENDEE:mailto:a@b.c", "END:VALARM",
    "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER;RELATED=END:-PT5M", "END:VALARM",
    "BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER:-PT10M", "X-LIC-ERROR:z", "END:VALARM",
    "BEGIN:X-COMPONENT", "X-A:b", "END:X-COMPONENT",
)  # fmt: skip


def kept_lines(before: bytes, after: bytes, but: tuple[bytes, ...] = ()) -> bool:
    """Whether every physical line of `before` stands in `after`, but for those that begin with one of `but`."""
    lines = after.split(b"\r\n")
    return all(line in lines or line.startswith((b"DTSTAMP", *but)) for line in before.split(b"\r\n"))


@pytest.mark.parametrize(
    ("values", "but"),
    [
        ({"location": "Elsewhere"}, ()),
        ({"subject": "Other"}, (b"SUMMARY", b" eht")),
        ({"busy_status": BusyStatus.FREE}, ()),
        ({"reminder": 25}, (b"TRIGGER:-PT10M",)),
        ({"categories": ("A",)}, ()),
        ({"start_time": START - timedelta(hours=1)}, (b"DTSTART",)),
        ({"recurrence": Recurrence(type=RecurrenceType.DAILY)}, ()),
        ({"body": Body(type=BodyType.HTML, data="<p>x</p>")}, ()),
        ({"attendees": PEOPLE}, ()),
        ({"sensitivity": Sensitivity.PERSONAL}, (b"CLASS",)),
    ],
)
def test_all_other_lines_survive_an_edit(values: dict[str, Any], but: tuple[bytes, ...]) -> None:
    data = event(*RICH)
    changed = change(data, **values)
    assert changed != data
    assert kept_lines(data, changed, but)
    for name, value in values.items():
        if name not in ("body", "recurrence"):
            assert getattr(show(changed), name) == value


def test_edit_that_changes_nothing_gives_back_the_octets() -> None:
    for data in (event(*RICH), event(*RICH, zone=CUSTOM).replace(b"\r\n", b"\n")):
        shown = show(data)
        assert calendar.to_native(shown, ALL, data, frozenset(), ME, V, uid="x") == data
        wire = schema.dump("x", shown, V)
        sent, stated = schema.load(Appointment, wire, V), schema.stated(Appointment, wire, V)
        assert calendar.to_native(sent, stated, data, frozenset(), ME, V, uid="x") == data


def test_reminder_is_the_first_alarm_before_the_start_and_the_others_stay() -> None:
    data = event(*RICH)
    assert show(data).reminder == 10
    gone = change(data, reminder=None)
    assert show(gone).reminder is None
    assert gone.count(b"BEGIN:VALARM") == 2
    assert b"X-LIC-ERROR" not in gone


def test_a_change_that_leaves_out_what_is_not_ghosted_removes_it() -> None:
    """[MS-ASCMD] R5912: not ghosted is deleted; R5911: ghosted is kept. Body, exceptions and times stay."""
    data = add(subject="x", location="y", reminder=5, categories=("z",), body=Body(type=BodyType.TEXT, data="b"),
               recurrence=Recurrence(type=RecurrenceType.DAILY))  # fmt: skip
    shown = show(change(data, kept=calendar.ALWAYS_KEPT | {"location"}, subject="new"))
    assert (shown.subject, shown.location, shown.reminder, shown.categories) == ("new", "y", None, ())
    assert shown.recurrence is None
    assert shown.body is not None
    assert (shown.start_time, shown.end_time) == (START, END)


def test_busy_status_of_programs_that_know_transp_alone() -> None:
    lines = ("X-MICROSOFT-CDO-BUSYSTATUS:OOF", "TRANSP:TRANSPARENT")
    assert show(event(*TIMED, *lines)).busy_status is BusyStatus.FREE
    assert show(event(*TIMED, "TRANSP:TRANSPARENT")).busy_status is BusyStatus.FREE
    assert show(event(*TIMED, "STATUS:TENTATIVE")).busy_status is BusyStatus.TENTATIVE
    assert show(event(*TIMED)).busy_status is BusyStatus.BUSY


def test_working_elsewhere_exists_from_16_0() -> None:
    """[MS-ASCAL] R2043, R2044; before, it is shown as free, and stays what it is."""
    data = event(*TIMED, "X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE", "TRANSP:TRANSPARENT")
    assert show(data, Version.V16_0).busy_status is BusyStatus.ELSEWHERE
    assert show(data).busy_status is BusyStatus.FREE
    assert change(data, busy_status=BusyStatus.FREE) == data
    with pytest.raises(Refused):
        change(data, busy_status=BusyStatus.ELSEWHERE)


def test_unknown_class_is_private_and_survives() -> None:
    data = event(*TIMED, "CLASS:X-SECRET")
    assert show(data).sensitivity is Sensitivity.PRIVATE
    assert b"CLASS:X-SECRET" in change(data, subject="x", sensitivity=Sensitivity.PRIVATE)


def test_uid_of_the_device_is_taken_and_unwrapped() -> None:
    """[MS-ASCAL] R2219, R463. Outlook's hexadecimal form of another program's UID means that UID."""
    assert show(add(uid="0123ABC")).uid == "0123ABC"
    assert show(add(Version.V16_0, uid="0123ABC")).uid == "u1"
    wrapped = "040000008200E00074C5B7101A82E008" + "00" * 20 + "12000000" + b"vCal-Uid\x01\0\0\0hello\0".hex()
    assert show(add(uid=wrapped)).uid == "hello"
    with pytest.raises(Refused):
        add(uid="x" * 301)


def test_online_meeting_link() -> None:
    data = event(*TIMED, "X-GOOGLE-CONFERENCE:https://meet.example.com/x")
    assert show(data).online_meeting_external_link == "https://meet.example.com/x"
    assert show(event(*TIMED, "CONFERENCE:tel:+1")).online_meeting_external_link is None


# -- Series that EAS cannot say


def test_unsayable_series_is_shown_as_a_pattern_with_exceptions() -> None:
    data = event("DTSTART;TZID=Europe/Berlin:20250106T100000", "DURATION:PT1H", "RRULE:FREQ=MONTHLY;BYDAY=1MO,3MO",
                 "SUMMARY:Tour")  # fmt: skip
    shown = show(data)
    assert shown.recurrence is not None
    assert shown.recurrence.type is RecurrenceType.WEEKLY
    assert shown.start_time == datetime(2025, 1, 6, 9, tzinfo=UTC)
    assert all(exception.deleted for exception in shown.exceptions)
    renamed = calendar.to_native(replace(shown, subject="x"), ALL, data, frozenset(), ME, V, uid="x")
    assert b"RRULE:FREQ=MONTHLY;BYDAY=1MO,3MO" in renamed
    assert b"DTSTART;TZID=Europe/Berlin:20250106T100000" in renamed
    assert b"EXDATE" not in renamed
    assert b"SUMMARY:x" in renamed
    with pytest.raises(Refused):
        change(data, start_time=shown.start_time + timedelta(hours=1), end_time=shown.end_time + timedelta(hours=1))  # type: ignore[operator]


def test_unsayable_series_that_was_shown_earlier_may_be_renamed_later() -> None:
    data = event("DTSTART;TZID=Europe/Berlin:20250101T100000", "RRULE:FREQ=MONTHLY;BYDAY=1MO,3MO")
    shown = show(data)
    later = replace(ME, now=NOW + timedelta(days=700))
    renamed = calendar.to_native(replace(shown, subject="x"), ALL, data, frozenset(), later, V, uid="x")
    assert b"RRULE:FREQ=MONTHLY;BYDAY=1MO,3MO" in renamed


def test_rrule_that_nobody_understands_survives() -> None:
    data = event(*TIMED, "RRULE:FREQ=FOO")
    assert show(data).recurrence is None
    assert b"RRULE:FREQ=FOO" in change(data, kept=frozenset(), subject="x")


# -- Horizon, degraded, versions


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (TIMED, END),
        (("DTSTART;VALUE=DATE:20260415",), datetime(2026, 4, 16, tzinfo=UTC)),
        ((*TIMED, "RRULE:FREQ=DAILY;COUNT=3"), END + timedelta(days=2)),
        ((*TIMED, "RRULE:FREQ=WEEKLY;UNTIL=20260501T000000Z"), END + timedelta(days=14)),
        ((*TIMED, "RRULE:FREQ=WEEKLY"), None),
        ((*TIMED, "RRULE:FREQ=FOO"), None),
        ((*TIMED, "RRULE:FREQ=HOURLY;COUNT=3"), END + timedelta(hours=2)),
        ((*TIMED, "RDATE;TZID=Europe/Berlin:20270415T100000"), datetime(2027, 4, 15, 9, tzinfo=UTC)),
    ],
)
def test_horizon(lines: tuple[str, ...], expected: datetime | None) -> None:
    assert calendar.horizon(event(*lines)) == expected


def test_horizon_counts_moved_occurrences() -> None:
    data = event(*TIMED, "RRULE:FREQ=DAILY;COUNT=2").replace(
        b"END:VCALENDAR",
        b"BEGIN:VEVENT\r\nUID:u1\r\nRECURRENCE-ID;TZID=Europe/Berlin:20260416T100000\r\nDTSTART:20260601T080000Z\r\n"
        b"DTEND:20260601T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR",
    )
    assert calendar.horizon(data) == datetime(2026, 6, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", event(), event("DTSTART:tomorrow")]
)
def test_unreadable_objects(data: bytes) -> None:
    with pytest.raises(Unreadable):
        show(data)
    with pytest.raises(Refused):
        change(data, subject="x")
    assert calendar.horizon(data) is None
    told = calendar.degraded(data, "no good")
    assert "no good" in (told.body.data or "" if told.body else "")
    schema.dump("x", told, V)


def test_degraded_shows_what_the_lines_show() -> None:
    told = calendar.degraded(event("DTSTART:20260415T100000Z", "SUMMARY:Lunch"), "x")
    assert (told.subject, told.start_time) == ("Lunch", datetime(2026, 4, 15, 10, tzinfo=UTC))


@pytest.mark.parametrize("version", list(Version))
def test_elements_are_those_of_the_version(version: Version) -> None:
    data = event(*TIMED, "LOCATION:Here", "ORGANIZER:mailto:x@y.z", "ATTENDEE:mailto:ann@example.com", "DESCRIPTION:d",
                 "RRULE:FREQ=WEEKLY", "EXDATE;TZID=Europe/Berlin:20260422T100000")  # fmt: skip
    wire = schema.dump("x", show(data, version), version)
    tags = {e.tag for e in wire.elements}
    assert ("Calendar:ResponseType" in tags) is (version >= Version.V14_0)
    assert ("Calendar:Location" in tags) is (version < Version.V16_0)
    assert ("AirSyncBase:Location" in tags) is (version >= Version.V16_0)
    assert ("AirSyncBase:Body" in tags) is (version >= Version.V12_0)
    assert ("Calendar:Body" in tags) is (version < Version.V12_0)
    exception = wire.child("Calendar:Exceptions").elements[0]  # type: ignore[union-attr]
    assert (exception.child("AirSyncBase:InstanceId") is None) is (version < Version.V16_0)
    read = schema.load(Appointment, wire, version)
    assert schema.dump("x", read, version) == wire
    kept = kept_fields(Appointment, None, calendar.ALWAYS_KEPT, version)
    assert calendar.to_native(read, schema.stated(Appointment, wire, version), data, kept, ME, version, uid="x") == data


def test_compact_dates_and_base64_zone_on_the_wire() -> None:
    wire = schema.dump("x", show(event(*TIMED)), V)
    start, zone = wire.child("Calendar:StartTime"), wire.child("Calendar:Timezone")
    assert start == Element("Calendar:StartTime", "20260415T080000Z")
    assert zone is not None
    assert len(base64.b64decode(zone.text)) == 172
    assert key_of(zone_of_blob(TimeZoneInformation.parse(zone.text), 2026)) == "Europe/Berlin"


def test_attendees_are_there_even_if_there_are_none() -> None:
    """Windows Phone wants the element (field observation)."""
    assert schema.dump("x", show(event(*TIMED)), V).child("Calendar:Attendees") == Element("Calendar:Attendees")
