"""Exceptions of series: shown, sent, kept, and led along when the series moves. [MS-ASCAL] Exception, Exceptions."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eas.items import calendar
from eas.items.body import Body, BodyType, Wanted
from eas.items.calendar import Appointment, Attendee, BusyStatus, Exception_, Sensitivity
from eas.items.native import Refused, Viewer
from eas.items.recurrence import Recurrence, RecurrenceType
from eas.protocol import schema
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

ME = Viewer(
    addresses=("ann@example.com",), name="Ann", zone="Europe/Berlin", now=datetime(2026, 4, 1, 12, tzinfo=UTC)
)
ALL = frozenset(f.name for f in fields(Appointment))
V = Version.V14_1
FIRST = datetime(2026, 4, 15, 8, tzinfo=UTC)  # a Wednesday, 10:00 in Berlin
WEEK, HOUR = timedelta(days=7), timedelta(hours=1)


def vevent(*lines: str) -> str:
    return "\r\n".join(["BEGIN:VEVENT", "UID:u1", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT", ""])


def series(*extra: str, others: str = "", rule: str = "FREQ=WEEKLY;BYDAY=WE") -> bytes:
    main = vevent(
        "DTSTART;TZID=Europe/Berlin:20260415T100000", "DTEND;TZID=Europe/Berlin:20260415T110000", f"RRULE:{rule}",
        "SUMMARY:Talk", "LOCATION:Room", *extra,
    )  # fmt: skip
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{main}{others}END:VCALENDAR\r\n".encode()


def override(day: str, *lines: str, start: str = "") -> str:
    start = start or f"{day}T100000"
    end = f"{start[:9]}{int(start[9:11]) + 1:02d}{start[11:]}"
    return vevent(
        f"RECURRENCE-ID;TZID=Europe/Berlin:{day}T100000", f"DTSTART;TZID=Europe/Berlin:{start}",
        f"DTEND;TZID=Europe/Berlin:{end}", *lines,
    )  # fmt: skip


SECOND = override("20260422", "SUMMARY:Talk", "LOCATION:Garden", "X-OWN:1")


def show(data: bytes, version: Version = V) -> Appointment:
    return calendar.from_native(data, Wanted(), ME, version)


def exceptions(data: bytes, version: Version = V) -> dict[datetime, Exception_]:
    return {e.exception_start_time: e for e in show(data, version).exceptions if e.exception_start_time}


def put(data: bytes, *sent: Exception_, version: Version = V, **values: Any) -> bytes:
    item = Appointment(exceptions=sent, **values)
    return calendar.to_native(item, frozenset(values) | {"exceptions"}, data, ALL, ME, version, uid="x")


def change(data: bytes, **values: Any) -> bytes:
    return calendar.to_native(Appointment(**values), frozenset(values), data, ALL, ME, V, uid="x")


def test_deleted_occurrences_are_exdates() -> None:
    """[MS-ASCAL] R210."""
    data = series("EXDATE;TZID=Europe/Berlin:20260422T100000,20260429T100000")
    found = exceptions(data)
    assert [e.deleted for e in found.values()] == [True, True]
    assert list(found) == [FIRST + WEEK, FIRST + 2 * WEEK]


def test_exception_tells_only_what_differs() -> None:
    """[MS-ASCAL] R82, R298, R442: what is missing is as in the series."""
    (shown,) = show(series(others=SECOND)).exceptions
    assert shown == Exception_(exception_start_time=FIRST + WEEK, location="Garden")


def test_what_an_exception_lacks_is_an_empty_element() -> None:
    """[MS-ASCAL] R539, R543, R544."""
    data = series(others=override("20260422", "SUMMARY:Talk"))
    (shown,) = show(data).exceptions
    assert shown.removed == {"location"}
    wire = schema.dump("x", show(data), V).child("Calendar:Exceptions")
    assert wire is not None
    assert Element("Calendar:Location") in wire.elements[0].elements
    assert schema.load(Appointment, schema.dump("x", show(data), V), V).exceptions == (shown,)


def test_exception_has_no_uid_and_no_time_zone() -> None:
    wire = schema.dump("x", show(series(others=SECOND)), V).child("Calendar:Exceptions")
    assert wire is not None
    assert not {"Calendar:UID", "Calendar:Timezone"} & {e.tag for e in wire.elements[0].elements}


FIELDS: list[tuple[str, Any]] = [
    ("subject", "Other"),
    ("location", "Garden"),
    ("reminder", 5),
    ("categories", ("A", "B")),
    ("sensitivity", Sensitivity.CONFIDENTIAL),
    ("busy_status", BusyStatus.OUT_OF_OFFICE),
    ("attendees", (Attendee(email="b@example.com", name="B", status=None, type=None),)),
    ("start_time", FIRST + WEEK + HOUR),
    ("end_time", FIRST + WEEK + 2 * HOUR),
]


@pytest.mark.parametrize(("name", "value"), FIELDS)
def test_field_of_an_exception_goes_there_and_back(name: str, value: Any) -> None:
    sent = Exception_(exception_start_time=FIRST + WEEK, **{name: value})
    shown = exceptions(put(series(), sent))[FIRST + WEEK]
    if name == "attendees":
        assert [a.email for a in shown.attendees] == ["b@example.com"]
    else:
        assert getattr(shown, name) == value


def test_body_of_an_exception_goes_there_and_back() -> None:
    sent = Exception_(exception_start_time=FIRST + WEEK, body=Body(type=BodyType.TEXT, data="special"))
    shown = exceptions(put(series("DESCRIPTION:usual"), sent))[FIRST + WEEK]
    assert shown.body is not None
    assert shown.body.data == "special"


@pytest.mark.parametrize("name", ["subject", "location", "reminder", "categories", "body"])
def test_inherited_value_is_taken_away_by_an_empty_element(name: str) -> None:
    """[MS-ASCAL] R508, R509, R2242."""
    data = series("CATEGORIES:A", "DESCRIPTION:b", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT5M", "END:VALARM")
    sent = Exception_(exception_start_time=FIRST + WEEK, removed=frozenset({name}))
    assert exceptions(put(data, sent))[FIRST + WEEK].removed == {name}


def test_new_exception_is_a_whole_event() -> None:
    """iCalendar's exceptions inherit nothing: properties that EAS does not know come along, alarms too."""
    data = series("X-FOO;A=b:c", "BEGIN:VALARM", "ACTION:EMAIL", "TRIGGER:-PT5M", "END:VALARM")
    stored = put(data, Exception_(exception_start_time=FIRST + WEEK, subject="Other"))
    exception = stored[stored.rindex(b"BEGIN:VEVENT") :]
    assert b"X-FOO;A=b:c" in exception
    assert b"ACTION:EMAIL" in exception
    assert b"RRULE" not in exception
    assert b"RECURRENCE-ID;TZID=Europe/Berlin:20260422T100000" in exception
    assert stored.startswith(data[: data.index(b"DTSTAMP")])


def test_a_listed_exception_replaces_that_one_and_the_others_stay() -> None:
    """[MS-ASCAL] R542: an Exception that is left out remains."""
    third = override("20260429", "SUMMARY:Third", "LOCATION:Room")
    data = series("EXDATE;TZID=Europe/Berlin:20260506T100000", others=SECOND + third)
    stored = put(data, Exception_(exception_start_time=FIRST + WEEK, subject="New"))
    found = exceptions(stored)
    assert (found[FIRST + WEEK].subject, found[FIRST + WEEK].location) == ("New", None)
    assert found[FIRST + 2 * WEEK].subject == "Third"
    assert found[FIRST + 3 * WEEK].deleted
    assert b"X-OWN:1" in stored
    assert third.encode() in stored


def test_exceptions_that_are_absent_are_all_kept() -> None:
    """[MS-ASCAL] R541, R54111."""
    data = series("EXDATE;TZID=Europe/Berlin:20260506T100000", others=SECOND)
    stored = calendar.to_native(
        replace(show(data), subject="New"), ALL - {"exceptions"}, data, calendar.ALWAYS_KEPT, ME, V, uid="x"
    )
    assert exceptions(stored).keys() == exceptions(data).keys()
    assert SECOND.encode() in stored


def test_exception_that_is_sent_back_as_it_was_shown_changes_nothing() -> None:
    data = series("EXDATE;TZID=Europe/Berlin:20260506T100000", others=SECOND)
    assert put(data, *show(data).exceptions) == data


def test_deleting_an_exception_removes_its_event() -> None:
    stored = put(series(others=SECOND), Exception_(exception_start_time=FIRST + WEEK, deleted=True))
    assert stored.count(b"BEGIN:VEVENT") == 1
    assert b"EXDATE;TZID=Europe/Berlin:20260422T100000" in stored
    assert put(stored, Exception_(exception_start_time=FIRST + WEEK, deleted=True)) == stored


def test_deleted_occurrence_comes_back() -> None:
    data = series("EXDATE;TZID=Europe/Berlin:20260422T100000,20260429T100000")
    stored = put(data, Exception_(exception_start_time=FIRST + WEEK, subject="Back"))
    assert b"EXDATE;TZID=Europe/Berlin:20260429T100000\r\n" in stored
    assert exceptions(stored)[FIRST + WEEK].subject == "Back"


def test_cancelled_occurrence() -> None:
    data = series("ORGANIZER:mailto:ann@example.com", "ATTENDEE:mailto:b@example.com")
    stored = put(data, Exception_(exception_start_time=FIRST + WEEK, meeting_status=5))
    assert exceptions(stored)[FIRST + WEEK].meeting_status == 5


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (FIRST - HOUR, FIRST),  # before the first one
        (FIRST + HOUR / 2, FIRST + 2 * HOUR),  # into the one before
        (FIRST + 2 * WEEK - HOUR, FIRST + 2 * WEEK + HOUR),  # into the one after
        (FIRST + 3 * WEEK, FIRST + 3 * WEEK + HOUR),  # past the one after
        (FIRST + WEEK + HOUR, FIRST + WEEK),  # ends before it starts
    ],
)
def test_impossible_exceptions_are_refused(start: datetime, end: datetime) -> None:
    """[MS-ASCAL] R386-R388."""
    with pytest.raises(Refused):
        put(series(), Exception_(exception_start_time=FIRST + WEEK, start_time=start, end_time=end))


def test_exception_may_move_up_to_its_neighbours() -> None:
    for start in (FIRST + HOUR, FIRST + 2 * WEEK - HOUR):
        sent = Exception_(exception_start_time=FIRST + WEEK, start_time=start, end_time=start + HOUR)
        assert exceptions(put(series(), sent))[FIRST + WEEK].start_time == start


def test_exception_to_no_occurrence() -> None:
    """A wrong time of day means the occurrence of the day (iOS); another day is refused; its deletion is no loss."""
    day = FIRST + WEEK
    assert exceptions(put(series(), Exception_(exception_start_time=day + 3 * HOUR, subject="x"))).keys() == {day}
    with pytest.raises(Refused):
        put(series(), Exception_(exception_start_time=day + timedelta(days=1), subject="x"))
    with pytest.raises(Refused):
        put(series(), Exception_(subject="x"))
    data = series()
    assert put(data, Exception_(exception_start_time=day + timedelta(days=1), deleted=True)) == data


def test_exceptions_to_what_does_not_repeat_are_refused() -> None:
    data = series().replace(b"RRULE:FREQ=WEEKLY;BYDAY=WE\r\n", b"")
    with pytest.raises(Refused):
        put(data, Exception_(exception_start_time=FIRST, subject="x"))


def test_new_series_comes_with_its_exceptions() -> None:
    item = Appointment(
        subject="Talk", start_time=FIRST, end_time=FIRST + HOUR,
        recurrence=Recurrence(type=RecurrenceType.WEEKLY, day_of_week=8, interval=1),
        exceptions=(
            Exception_(exception_start_time=FIRST + WEEK, deleted=True),
            Exception_(exception_start_time=FIRST + 2 * WEEK, subject="Other"),
        ),
    )  # fmt: skip
    given = frozenset({"subject", "start_time", "end_time", "recurrence", "exceptions"})
    stored = calendar.to_native(item, given, None, frozenset(), ME, V, uid="u1")
    assert show(stored).exceptions == item.exceptions


# -- Series that move


def test_exceptions_follow_a_series_to_another_hour() -> None:
    data = series("EXDATE;TZID=Europe/Berlin:20260429T100000", others=SECOND)
    stored = change(data, start_time=FIRST + 3 * HOUR, end_time=FIRST + 4 * HOUR)
    found = exceptions(stored)
    assert list(found) == [FIRST + WEEK + 3 * HOUR, FIRST + 2 * WEEK + 3 * HOUR]
    assert found[FIRST + WEEK + 3 * HOUR] == Exception_(
        exception_start_time=FIRST + WEEK + 3 * HOUR, location="Garden", dt_stamp=datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert found[FIRST + 2 * WEEK + 3 * HOUR].deleted


def test_exception_that_was_moved_stays_where_it_was_moved() -> None:
    moved = override("20260422", "SUMMARY:Talk", "LOCATION:Room", start="20260422T180000")
    stored = change(series(others=moved), start_time=FIRST + HOUR, end_time=FIRST + 2 * HOUR)
    found = exceptions(stored)[FIRST + WEEK + HOUR]
    assert found.start_time == FIRST + WEEK + 8 * HOUR


def test_exceptions_follow_a_series_to_another_day() -> None:
    stored = change(
        series("EXDATE;TZID=Europe/Berlin:20260429T100000", others=SECOND),
        start_time=FIRST + timedelta(days=1), end_time=FIRST + timedelta(days=1) + HOUR,
        recurrence=Recurrence(type=RecurrenceType.WEEKLY, day_of_week=16, interval=1),
    )  # fmt: skip
    assert list(exceptions(stored)) == [FIRST + WEEK + timedelta(days=1), FIRST + 2 * WEEK + timedelta(days=1)]


def test_exceptions_without_an_occurrence_go() -> None:
    """Every other week: the second occurrence is none any more, the third still is."""
    third = override("20260429", "SUMMARY:Third", "LOCATION:Room")
    wanted = Recurrence(type=RecurrenceType.WEEKLY, day_of_week=8, interval=2)
    stored = change(series(others=SECOND + third), recurrence=wanted)
    assert list(exceptions(stored)) == [FIRST + 2 * WEEK]
    assert third.encode() in stored


def test_end_of_the_recurrence_ends_the_exceptions() -> None:
    """[MS-ASCAL] R2180002: an empty Recurrence makes the event single."""
    data = series("EXDATE;TZID=Europe/Berlin:20260429T100000", others=SECOND)
    stored = change(data, recurrence=Recurrence())
    assert show(stored).recurrence is None
    assert stored.count(b"BEGIN:VEVENT") == 1
    assert b"EXDATE" not in stored


def test_same_pattern_in_other_words_keeps_the_line() -> None:
    data = series(rule="BYDAY=WE;FREQ=WEEKLY;INTERVAL=1;WKST=MO", others=SECOND)
    wanted = Recurrence(type=RecurrenceType.DAILY, day_of_week=8)
    assert change(data, recurrence=wanted) == data


def test_sequence_grows_when_invitees_must_hear_of_it() -> None:
    """RFC 5546 2.1.4: the organizer's change of times."""
    lines = ("ORGANIZER:mailto:ann@example.com", "ATTENDEE:mailto:b@example.com", "SEQUENCE:4")
    later = change(series(*lines), start_time=FIRST + HOUR, end_time=FIRST + 2 * HOUR)
    assert b"SEQUENCE:5\r\n" in later
    assert b"SEQUENCE:4\r\n" in change(series(*lines), subject="x")


# -- All-day series


ALL_DAY = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:u1\r\nDTSTAMP:20260101T000000Z\r\n"
    b"DTSTART;VALUE=DATE:20260415\r\nRRULE:FREQ=WEEKLY\r\nSUMMARY:Off\r\nEXDATE;VALUE=DATE:20260422\r\nEND:VEVENT\r\n"
    b"END:VCALENDAR\r\n"
)


@pytest.mark.parametrize(
    ("version", "original"),
    [(V, datetime(2026, 4, 28, 22, tzinfo=UTC)), (Version.V16_1, datetime(2026, 4, 29, tzinfo=UTC))],
)
def test_exceptions_of_all_day_series(version: Version, original: datetime) -> None:
    """Midnights up to 14.1, dates from 16.0, in ExceptionStartTime and InstanceId as in StartTime."""
    if version is V:
        stored = put(ALL_DAY, Exception_(exception_start_time=original, subject="On"), version=version)
        deleted = put(ALL_DAY, Exception_(exception_start_time=original, deleted=True), version=version)
    else:
        subject = Element("AirSync:ApplicationData", (Element("Calendar:Subject", "On"),))
        stored = calendar.instance_to_native(subject, ALL_DAY, original, ME, version)
        deleted = calendar.without_instance(ALL_DAY, original, ME, version)
    assert b"RECURRENCE-ID;VALUE=DATE:20260429\r\n" in stored
    assert b"DTSTART;VALUE=DATE:20260429\r\n" in stored
    shown = exceptions(stored, version)
    assert list(shown) == [original - WEEK, original]
    assert shown[original].start_time is None
    assert b"EXDATE;VALUE=DATE:20260429\r\n" in deleted


def test_all_day_exception_moves_by_days() -> None:
    original = datetime(2026, 4, 28, 22, tzinfo=UTC)
    sent = Exception_(exception_start_time=original, start_time=original + timedelta(days=1),
                      end_time=original + timedelta(days=3))  # fmt: skip
    stored = put(ALL_DAY, sent)
    assert b"DTSTART;VALUE=DATE:20260430\r\n" in stored
    assert b"DTEND;VALUE=DATE:20260502\r\n" in stored


def test_recurrence_id_that_is_a_date_means_the_occurrence_of_that_day() -> None:
    others = vevent("RECURRENCE-ID;VALUE=DATE:20260422", "DTSTART:20260422T090000Z", "DTEND:20260422T100000Z",
                    "SUMMARY:Talk", "LOCATION:Room")  # fmt: skip
    assert exceptions(series(others=others))[FIRST + WEEK].start_time == FIRST + WEEK + HOUR


@pytest.mark.long
def test_no_more_than_256_exceptions_are_shown() -> None:
    """[MS-ASCAL] R24311; the latest ones, and an edit loses none."""
    days = [datetime(2026, 4, 16) + timedelta(days=n) for n in range(400)]
    lines = [f"EXDATE;TZID=Europe/Berlin:{day:%Y%m%d}T100000" for day in days]
    data = series(*lines, rule="FREQ=DAILY")
    shown = show(data).exceptions
    assert len(shown) == 256
    assert shown[-1].exception_start_time == datetime(2027, 5, 20, 8, tzinfo=UTC)
    assert put(data, *shown, subject="x").count(b"EXDATE") == 400


def test_object_of_one_occurrence_alone_is_shown_as_a_single_event() -> None:
    data = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{SECOND}END:VCALENDAR\r\n".encode()
    shown = show(data)
    assert (shown.start_time, shown.recurrence, shown.exceptions) == (FIRST + WEEK, None, ())
    changed = change(data, subject="x")
    assert b"RECURRENCE-ID;TZID=Europe/Berlin:20260422T100000" in changed
