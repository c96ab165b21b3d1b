"""Arbitrary iCalendar objects and arbitrary wire items: only the documented errors come out, and nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eas.items import calendar, freebusy, meeting, tasks
from eas.items.appointment import AttendeeStatus, AttendeeType, BusyStatus, Sensitivity
from eas.items.body import Body, BodyType, Wanted
from eas.items.calendar import Appointment, Attendee, Exception_
from eas.items.native import Refused, Unreadable, Viewer
from eas.items.recurrence import Recurrence, RecurrenceType, TaskRecurrence
from eas.items.tasks import Task
from eas.items.timezone import blob_of
from eas.protocol import schema
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

ME = Viewer(
    addresses=("ann@example.com",), name="Ann", zone="Europe/Berlin", now=datetime(2026, 4, 1, 12, tzinfo=UTC)
)
APPOINTMENT = frozenset(f.name for f in fields(Appointment))
FUZZ = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])

STAMPS = ["20260415T100000Z", "20260415T100000", "20260415", "00010101T000000Z", "99991231T235959Z", "20260230", "x",
          "20260422T100000Z", "19700101T000000", "20260325T023000"]  # fmt: skip
RULES = ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=WE;COUNT=5", "FREQ=MONTHLY;BYDAY=1MO,3MO", "FREQ=YEARLY;UNTIL=20300101",
         "FREQ=SECONDLY", "FREQ=FOO", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MONTHLY;BYMONTHDAY=-1;INTERVAL=99999",
         "RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=5L;BYMONTHDAY=8", "FREQ=YEARLY;UNTIL=00010101T000000Z"]  # fmt: skip
stamps = st.sampled_from(STAMPS) | st.text(max_size=12)
params = st.sampled_from(["", ";VALUE=DATE", ";TZID=Europe/Berlin", ";TZID=Foo", ';TZID="Custom"', ";RELATED=END"])
dated = st.tuples(
    st.sampled_from(["DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "EXDATE", "RDATE", "DTSTAMP", "COMPLETED", "TRIGGER"]),
    params, stamps,
).map(lambda p: f"{p[0]}{p[1]}:{p[2]}")  # fmt: skip
others = st.sampled_from([
    "DURATION:PT1H", "DURATION:P1D", "DURATION:-PT5M", "DURATION:x", "UID:u", "UID:v", "SUMMARY:a\\, b", "X-FOO:bar",
    "ORGANIZER:mailto:ann@example.com", "ORGANIZER:x", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.com",
    "ATTENDEE:urn:uuid:1", "STATUS:CANCELLED", "SEQUENCE:x", "SEQUENCE:3", "CLASS:X", "TRANSP:TRANSPARENT",
    "PRIORITY:3",
    "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE", "X-MICROSOFT-CDO-BUSYSTATUS:OOF", "CATEGORIES:a,b", "DESCRIPTION:x",
    "METHOD:REQUEST",
    "X-ALT-DESC;FMTTYPE=text/html:<p>x", "PERCENT-COMPLETE:x", "BEGIN:VALARM", "ACTION:DISPLAY", "END:VALARM",
    "TRIGGER:-PT15M", "END:VEVENT", "BEGIN:VEVENT", "BEGIN:VTIMEZONE", "TZID:Custom", "BEGIN:STANDARD",
    "TZOFFSETFROM:+0100",
    "TZOFFSETTO:+0200", "END:STANDARD", "END:VTIMEZONE", "X-EAS-CALENDARTYPE:9",
])  # fmt: skip
rules = (st.sampled_from(RULES) | st.text(max_size=20)).map(lambda text: f"RRULE:{text}")
lines = st.lists(dated | rules | others, max_size=14)


def wrapped(kind: str) -> Callable[[list[str]], bytes]:
    def build(found: list[str]) -> bytes:
        body = "\r\n".join(["BEGIN:VCALENDAR", f"BEGIN:{kind}", *found, f"END:{kind}", "END:VCALENDAR", ""])
        return body.encode("utf-8", "replace")

    return build


events = st.binary(max_size=80) | lines.map(wrapped("VEVENT"))
todos = st.binary(max_size=80) | lines.map(wrapped("VTODO"))
good_events = lines.map(lambda found: wrapped("VEVENT")(["DTSTART;TZID=Europe/Berlin:20260415T100000", *found]))


@FUZZ
@given(events, st.sampled_from(list(Version)))
def test_any_event_is_shown_or_unreadable(data: bytes, version: Version) -> None:
    calendar.horizon(data)
    schema.dump("x", calendar.degraded(data, "x"), version)
    try:
        shown = calendar.from_native(data, Wanted(), ME, version)
    except Unreadable:
        return
    wire = schema.dump("x", shown, version)
    assert schema.dump("x", schema.load(Appointment, wire, version), version) == wire
    freebusy.busy_periods(data, ME.now, ME.now + timedelta(days=42))


@pytest.mark.long
@FUZZ
@given(good_events)
def test_event_that_is_sent_back_as_shown_is_not_touched(data: bytes) -> None:
    try:
        shown = calendar.from_native(data, Wanted(), ME, Version.V14_1)
    except Unreadable:
        return
    wire = schema.dump("x", shown, Version.V14_1)
    sent, given_ = schema.load(Appointment, wire, Version.V14_1), schema.stated(Appointment, wire, Version.V14_1)
    assert calendar.to_native(sent, given_, data, APPOINTMENT, ME, Version.V14_1, uid="x") == data


@FUZZ
@given(todos, st.sampled_from(list(Version)))
def test_any_task_is_shown_or_unreadable(data: bytes, version: Version) -> None:
    tasks.horizon(data)
    schema.dump("x", tasks.degraded(data, "x"), version)
    try:
        shown = tasks.from_native(data, Wanted(), ME, version)
    except Unreadable:
        return
    wire = schema.dump("x", shown, version)
    sent, given_ = schema.load(Task, wire, version), schema.stated(Task, wire, version)
    assert tasks.to_native(sent, given_, data, tasks.ALWAYS_KEPT | (frozenset(f.name for f in fields(Task)) - given_),
                           ME, version, uid="x") == data  # fmt: skip


@FUZZ
@given(events, events)
def test_any_meeting_message_is_taken_or_unreadable(data: bytes, other: bytes) -> None:
    for act in (
        lambda: meeting.meeting_request(data, ME, Version.V14_1),
        lambda: meeting.message_class(data),
        lambda: meeting.uid_of(data),
        lambda: meeting.recurs(data),
        lambda: meeting.respond(data, 1, ME, None),
        lambda: meeting.respond(data, 3, ME, datetime(2026, 4, 15, 10, tzinfo=UTC)),
        lambda: meeting.apply_response(data, 2, ME, datetime(2026, 4, 22, 10, tzinfo=UTC)),
        lambda: meeting.apply_reply(data, other),
        lambda: meeting.apply_request(data, other, ME),
        lambda: meeting.apply_request(data, data, ME),
        lambda: meeting.apply_cancel(data, other, ME),
        lambda: meeting.apply_counter(data, other),
        lambda: meeting.apply_forward(data, other, frozenset({"ann@example.com"})),
    ):
        try:
            act()
        except (Unreadable, Refused):
            continue


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


instants = st.sampled_from([datetime(2026, 4, 15, 8, tzinfo=UTC), datetime(2026, 4, 22, 8, tzinfo=UTC),
                            datetime(2026, 4, 21, 22, tzinfo=UTC)]) | st.datetimes(
    datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # fmt: skip
texts = st.text(max_size=12)
bodies = st.builds(Body, type=st.sampled_from(BodyType), data=maybe(texts))
attendees = st.lists(
    st.builds(Attendee, email=maybe(texts | st.just("bob@example.com")), name=maybe(texts),
              status=maybe(st.sampled_from(AttendeeStatus)), type=maybe(st.sampled_from(AttendeeType))), max_size=3,
).map(tuple)  # fmt: skip
numbers = maybe(st.integers(-2, 130))
recurrences = {
    "type": maybe(st.sampled_from(RecurrenceType)), "interval": numbers, "until": maybe(instants),
    "occurrences": numbers,
    "week_of_month": numbers, "day_of_month": numbers, "day_of_week": numbers, "month_of_year": numbers,
    "calendar_type": numbers, "is_leap_month": maybe(st.booleans()), "first_day_of_week": numbers,
}  # fmt: skip
weekly = st.just(Recurrence(type=RecurrenceType.WEEKLY, day_of_week=8, interval=1))
shared: dict[str, Any] = {
    "subject": maybe(texts), "location": maybe(texts), "start_time": maybe(instants), "end_time": maybe(instants),
    "body": maybe(bodies), "categories": st.lists(texts, max_size=3).map(tuple), "reminder": numbers,
    "sensitivity": maybe(st.sampled_from(Sensitivity)), "busy_status": maybe(st.sampled_from(BusyStatus)),
    "all_day_event": maybe(st.booleans()), "dt_stamp": maybe(instants), "meeting_status": numbers,
    "attendees": attendees,
}  # fmt: skip
exceptions = st.lists(
    st.builds(Exception_, deleted=maybe(st.booleans()), exception_start_time=maybe(instants),
              removed=st.frozensets(st.sampled_from(["subject", "reminder", "body", "attendees"])), **shared),
    max_size=3,
).map(tuple)  # fmt: skip
zones = st.sampled_from([blob_of(ZoneInfo(key), 2026) for key in ("UTC", "Asia/Tokyo", "Europe/Berlin")])
items = st.builds(
    Appointment, timezone=maybe(zones), recurrence=maybe(weekly | st.builds(Recurrence, **recurrences)),
    exceptions=exceptions, uid=maybe(texts), organizer_name=maybe(texts), organizer_email=maybe(texts),
    response_requested=maybe(st.booleans()), disallow_new_time_proposal=maybe(st.booleans()), **shared,
)  # fmt: skip
names = st.frozensets(st.sampled_from(sorted(APPOINTMENT)))


_COUNT = re.compile(rb"SEQUENCE:[0-9]+")
#: A meeting whose organizer makes one appointment of the series, by leaving its pattern out.
_SERIES_ENDED = wrapped("VEVENT")([
    "DTSTART;TZID=Europe/Berlin:20260415T100000", "DTSTART:20260415T100000Z", "RRULE:FREQ=DAILY",
    "ATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.com", *["DTSTART:20260415T100000Z"] * 4, "SEQUENCE:x",
])  # fmt: skip


@FUZZ
@example(
    Appointment(), frozenset(), frozenset({"all_day_event", "appointment_reply_time", "attendees"}), _SERIES_ENDED,
    Version.V12_1,
)
@given(items, names, names, st.none() | good_events, st.sampled_from([Version.V12_1, Version.V14_1, Version.V16_1]))
def test_any_item_is_stored_or_refused(
    item: Appointment, given_: frozenset[str], kept: frozenset[str], base: bytes | None, version: Version
) -> None:
    try:
        stored = calendar.to_native(item, given_, base, kept, ME, version, uid="u1")
    except Refused:
        return
    again = calendar.from_native(stored, Wanted(), ME, version)
    assert again.start_time is not None
    if base is not None:
        # Lines that EAS knows nothing of: all of them, as they were.
        held = [line for line in base.split(b"\r\n") if line.startswith((b"X-FOO", b"SEQUENCE:x", b"TZOFFSET"))]
        out = stored.split(b"\r\n")
        # But a change that invitees must hear of is counted, whatever stood there: RFC 5546 2.1.4.
        counted = b"ATTENDEE" in base and any(_COUNT.fullmatch(line) for line in out)
        assert all(line in out or (counted and line == b"SEQUENCE:x") for line in held)


task_items = st.builds(
    Task, subject=maybe(texts), body=maybe(bodies), importance=numbers, utc_start_date=maybe(instants),
    start_date=maybe(instants), utc_due_date=maybe(instants), due_date=maybe(instants), complete=maybe(st.booleans()),
    categories=st.lists(texts, max_size=3).map(tuple), date_completed=maybe(instants), reminder_time=maybe(instants),
    recurrence=maybe(st.builds(TaskRecurrence, **recurrences, start=maybe(instants), regenerate=numbers,
                               dead_occur=numbers)),
    sensitivity=maybe(st.sampled_from(Sensitivity)), reminder_set=numbers, ordinal_date=maybe(instants),
)  # fmt: skip


@FUZZ
@given(task_items, st.frozensets(st.sampled_from(sorted(f.name for f in fields(Task)))), st.none() | todos)
def test_any_task_is_stored_or_refused(item: Task, given_: frozenset[str], base: bytes | None) -> None:
    try:
        stored = tasks.to_native(item, given_, base, frozenset(), ME, Version.V14_1, uid="u1")
    except Refused:
        return
    tasks.from_native(stored, Wanted(), ME, Version.V14_1)


tags = st.sampled_from(["Calendar:Timezone", "Calendar:StartTime", "Calendar:Recurrence", "Calendar:Type",
                        "Calendar:Until", "Calendar:Exceptions", "Calendar:Exception", "Calendar:Attendees",
                        "Calendar:Attendee", "Calendar:Reminder", "AirSyncBase:Body"])  # fmt: skip
elements = st.recursive(
    st.builds(Element, tags, st.text(max_size=10)),
    lambda inner: st.builds(Element, tags, st.lists(inner, max_size=4).map(tuple)), max_leaves=8,
)  # fmt: skip


@FUZZ
@given(st.lists(elements, max_size=6).map(tuple))
def test_any_elements_are_loaded_or_schema_errors(content: tuple[Element, ...]) -> None:
    with suppress(schema.SchemaError):
        schema.load(Appointment, Element("x", content), Version.V14_1)
