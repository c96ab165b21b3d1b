"""Tasks: every field there and back, and what survives. [MS-ASTASK]"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.items import tasks
from eas.items.body import Body, BodyType, Wanted
from eas.items.calendar import Sensitivity
from eas.items.native import Refused, Unreadable, Viewer
from eas.items.recurrence import RecurrenceType, TaskRecurrence
from eas.items.tasks import ALWAYS_KEPT, Task
from eas.protocol import schema
from eas.protocol.version import Version

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
ME = Viewer(addresses=("ann@example.com",), name="Ann", zone="Europe/Berlin", now=NOW)
ALL = frozenset(f.name for f in fields(Task))
V = Version.V14_1
#: 15 April as a mere date: what the clock shows, and the instant.
LOCAL, INSTANT = datetime(2026, 4, 15, tzinfo=UTC), datetime(2026, 4, 14, 22, tzinfo=UTC)


def show(data: bytes, version: Version = V) -> Task:
    return tasks.from_native(data, Wanted(), ME, version)


def add(version: Version = V, **values: Any) -> bytes:
    return tasks.to_native(Task(**values), frozenset(values), None, frozenset(), ME, version, uid="u1")


def change(base: bytes, kept: frozenset[str] = ALL, version: Version = V, **values: Any) -> bytes:
    return tasks.to_native(Task(**values), frozenset(values), base, kept, ME, version, uid="never")


def todo(*lines: str) -> bytes:
    body = "\r\n".join(["UID:u1", "DTSTAMP:20260101T000000Z", *lines])
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTODO\r\n{body}\r\nEND:VTODO\r\nEND:VCALENDAR\r\n".encode()


DAILY = TaskRecurrence(type=RecurrenceType.DAILY, interval=2, start=LOCAL, occurrences=5)
FIELDS: list[dict[str, Any]] = [
    {"subject": "Buy; milk, and\nmore"},
    {"utc_due_date": INSTANT, "due_date": LOCAL},
    {"utc_due_date": INSTANT + timedelta(hours=9), "due_date": LOCAL + timedelta(hours=9)},
    {"utc_start_date": INSTANT, "start_date": LOCAL},
    {"utc_start_date": INSTANT, "start_date": LOCAL, "utc_due_date": INSTANT, "due_date": LOCAL},
    {"complete": False},
    {"complete": True, "date_completed": datetime(2026, 3, 3, 10, 11, 12, tzinfo=UTC)},
    {"importance": 0},
    {"importance": 1},
    {"importance": 2},
    {"importance": 7},  # R187, R550: other values are returned
    {"reminder_set": 1, "reminder_time": datetime(2026, 4, 14, 7, tzinfo=UTC)},
    {"reminder_set": 0},
    {"categories": ("Home", "A, b")},
    *({"sensitivity": sensitivity} for sensitivity in Sensitivity),
    {"recurrence": replace(DAILY, regenerate=1)},
    {"recurrence": replace(DAILY, dead_occur=1), "complete": True, "date_completed": NOW},
    {"recurrence": TaskRecurrence(
        type=RecurrenceType.YEARLY, interval=1, start=LOCAL, month_of_year=4, day_of_month=15, calendar_type=0)},
    {"recurrence": TaskRecurrence(
        type=RecurrenceType.WEEKLY, interval=1, start=LOCAL, day_of_week=10, first_day_of_week=0)},
    {"ordinal_date": NOW, "sub_ordinal_date": "555"},
]  # fmt: skip


@pytest.mark.parametrize("values", FIELDS, ids=lambda values: "+".join(values))
def test_field_goes_there_and_back(values: dict[str, Any]) -> None:
    for stored in (add(**values), change(todo("SUMMARY:x"), **values)):
        shown = show(stored)
        assert {name: getattr(shown, name) for name in values} == values


def test_comments_go_there_and_back() -> None:
    body = show(add(body=Body(type=BodyType.TEXT, data="two\nlines"))).body
    assert body is not None
    assert body.data == "two\nlines"


def test_elements_stand_in_the_order_of_the_schema() -> None:
    data = add(
        subject="x", body=Body(type=BodyType.TEXT, data="b"), utc_start_date=INSTANT, start_date=LOCAL,
        utc_due_date=INSTANT, due_date=LOCAL, categories=("c",), recurrence=DAILY, complete=True, reminder_set=1,
        reminder_time=NOW, sensitivity=Sensitivity.PRIVATE,
    )  # fmt: skip
    wire = schema.dump("x", show(data), V)
    assert [e.tag.partition(":")[2] for e in wire.elements] == [
        "Subject", "Body", "Importance", "UtcStartDate", "StartDate", "UtcDueDate", "DueDate", "Categories",
        "Recurrence", "Complete", "DateCompleted", "Sensitivity", "ReminderTime", "ReminderSet",
    ]  # fmt: skip
    due, recurrence = wire.child("Tasks:DueDate"), wire.child("Tasks:Recurrence")
    assert due is not None
    assert due.text == "2026-04-15T00:00:00.000Z"
    assert recurrence is not None
    start = recurrence.child("Tasks:Start")
    assert start is not None
    assert start.text == "2026-04-15T00:00:00.000Z"


def test_a_mere_date_is_a_date() -> None:
    data = add(utc_due_date=INSTANT, due_date=LOCAL)
    assert b"DUE;VALUE=DATE:20260415\r\n" in data
    timed = add(utc_due_date=INSTANT + timedelta(hours=9), due_date=LOCAL + timedelta(hours=9))
    assert b"DUE;TZID=Europe/Berlin:20260415T090000\r\n" in timed


@pytest.mark.parametrize("values", [{"utc_due_date": INSTANT}, {"due_date": LOCAL}])
def test_one_of_a_pair_is_enough(values: dict[str, Any]) -> None:
    assert b"DUE;VALUE=DATE:20260415\r\n" in add(**values)


def test_start_and_due_are_of_one_kind() -> None:
    """RFC 5545 3.8.2.3."""
    data = add(start_date=LOCAL, utc_start_date=INSTANT, due_date=LOCAL, utc_due_date=INSTANT)
    timed = change(data, due_date=LOCAL + timedelta(hours=9), utc_due_date=INSTANT + timedelta(hours=9))
    assert b"DTSTART;TZID=Europe/Berlin:20260415T000000" in timed
    assert b"DUE;TZID=Europe/Berlin:20260415T090000" in timed


def test_due_date_of_another_zone_is_shown_on_the_viewers_clock() -> None:
    shown = show(todo("DUE;TZID=America/New_York:20260415T090000"))
    assert (shown.utc_due_date, shown.due_date) == (
        datetime(2026, 4, 15, 13, tzinfo=UTC), datetime(2026, 4, 15, 15, tzinfo=UTC)
    )  # fmt: skip


def test_what_is_left_out_is_removed_but_for_three() -> None:
    """[MS-ASTASK] R369 Importance, R370 ReminderSet, and the body stay."""
    data = add(
        subject="x", importance=2, reminder_set=1, reminder_time=NOW, body=Body(type=BodyType.TEXT, data="b"),
        categories=("c",), utc_due_date=INSTANT, due_date=LOCAL, sensitivity=Sensitivity.PRIVATE, recurrence=DAILY,
    )  # fmt: skip
    shown = show(change(data, kept=ALWAYS_KEPT, subject="y", complete=False))
    assert (shown.subject, shown.importance, shown.reminder_set, shown.reminder_time) == ("y", 2, 1, NOW)
    assert shown.body is not None
    assert (shown.categories, shown.due_date, shown.recurrence) == ((), None, None)
    assert shown.sensitivity is Sensitivity.NORMAL


def test_empty_categories_remove_them() -> None:
    """[MS-ASTASK] R436."""
    assert show(change(add(categories=("c",)), categories=())).categories == ()


def test_completing_a_task() -> None:
    """[MS-ASTASK] R124: DateCompleted is there if Complete is 1."""
    done = change(todo("STATUS:IN-PROCESS", "PERCENT-COMPLETE:40"), complete=True)
    assert show(done).date_completed == NOW
    assert b"STATUS:COMPLETED" in done
    assert b"PERCENT-COMPLETE:100" in done
    undone = change(done, complete=False)
    assert show(undone).complete is False
    assert b"STATUS:NEEDS-ACTION" in undone
    assert b"COMPLETED:" not in undone.replace(b"STATUS:COMPLETED", b"")


def test_status_and_percent_beyond_complete_survive() -> None:
    data = todo("STATUS:IN-PROCESS", "PERCENT-COMPLETE:40", "X-FOO:bar")
    changed = change(data, subject="x", complete=False)
    assert b"STATUS:IN-PROCESS\r\nPERCENT-COMPLETE:40\r\nX-FOO:bar\r\n" in changed


@pytest.mark.parametrize(
    ("lines", "complete"),
    [
        (("STATUS:COMPLETED",), True),
        (("COMPLETED:20260301T000000Z",), True),
        (("PERCENT-COMPLETE:100",), True),
        (("STATUS:NEEDS-ACTION", "COMPLETED:20260301T000000Z"), False),
        (("STATUS:CANCELLED",), False),
        ((), False),
    ],
)
def test_what_counts_as_complete(lines: tuple[str, ...], complete: bool) -> None:
    shown = show(todo(*lines))
    assert shown.complete is complete
    assert (shown.date_completed is not None) is complete
    assert (tasks.horizon(todo(*lines)) is not None) is complete


def test_completed_occurrence_that_left_its_series_does_not_repeat() -> None:
    """[MS-ASTASK] R156, R157: DeadOccur. Groupware sees a done task, not a series that is done."""
    data = add(subject="x", complete=True, recurrence=replace(DAILY, dead_occur=1))
    assert b"\r\nRRULE:" not in data
    assert show(data).recurrence == replace(DAILY, dead_occur=1)


def test_series_goes_on_when_an_occurrence_is_completed() -> None:
    """What devices send: the done occurrence as a new task, and the series with its next start."""
    data = add(subject="x", start_date=LOCAL, utc_start_date=INSTANT, recurrence=DAILY)
    later = {"start_date": LOCAL + timedelta(days=2), "utc_start_date": INSTANT + timedelta(days=2)}
    moved = change(data, recurrence=replace(DAILY, start=LOCAL + timedelta(days=2), occurrences=4), **later)
    assert b"DTSTART;VALUE=DATE:20260417" in moved
    assert b"COUNT=4" in moved


@pytest.mark.parametrize("start", [LOCAL, INSTANT])
def test_start_of_a_recurrence_is_local_or_utc(start: datetime) -> None:
    """Devices differ; a midnight tells which (field observation)."""
    data = add(recurrence=replace(DAILY, start=start))
    assert b"DTSTART;VALUE=DATE:20260415" in data


@pytest.mark.parametrize(
    "values",
    [
        {"reminder_set": 2},  # R252
        {"recurrence": TaskRecurrence(type=RecurrenceType.DAILY)},  # R37011
        {"recurrence": TaskRecurrence(start=LOCAL)},  # R289
        {"recurrence": TaskRecurrence(type=RecurrenceType.DAILY, start=LOCAL, day_of_month=3)},  # R132
        {"recurrence": TaskRecurrence(type=RecurrenceType.DAILY, start=LOCAL, calendar_type=1)},  # R81
        {"recurrence": TaskRecurrence(
            type=RecurrenceType.WEEKLY, day_of_week=2, first_day_of_week=7, start=LOCAL)},  # R171
        {"recurrence": TaskRecurrence(
            type=RecurrenceType.WEEKLY, day_of_week=2, week_of_month=1, start=LOCAL)},  # R320
    ],
)  # fmt: skip
def test_what_is_answered_with_status_6(values: dict[str, Any]) -> None:
    """[MS-ASTASK]."""
    with pytest.raises(Refused):
        add(**values)


def test_reminder_kinds() -> None:
    relative = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER;RELATED=END:-PT1H", "END:VALARM")
    data = todo("DUE:20260415T100000Z", *relative)
    assert show(data).reminder_time == datetime(2026, 4, 15, 9, tzinfo=UTC)
    assert change(data, reminder_set=1, reminder_time=datetime(2026, 4, 15, 9, tzinfo=UTC)) == data
    mail = ("BEGIN:VALARM", "ACTION:EMAIL", "TRIGGER:-PT1H", "END:VALARM")
    assert b"ACTION:EMAIL" in change(todo(*mail), reminder_set=1, reminder_time=NOW)
    assert show(todo(*mail)).reminder_set == 0


def test_unsayable_rule_survives() -> None:
    data = todo("DTSTART;VALUE=DATE:20260415", "RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15")
    assert show(data).recurrence is None
    assert b"RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15" in change(data, kept=frozenset(), subject="x")


RICH = (
    "SUMMARY;LANGUAGE=de:x", "DTSTART;X-A=b;VALUE=DATE:20260415", "DUE;VALUE=DATE:20260416", "RELATED-TO:u2",
    "X-OC-HIDESUBTASKS:1", "PRIORITY:3", "GEO:1;2", "BEGIN:VALARM", "ACTION:EMAIL", "TRIGGER:-PT1H", "END:VALARM",
    "RRULE:FREQ=WEEKLY;X-Y=z", "ATTACH:https://example.com/",
)  # fmt: skip


@pytest.mark.parametrize(
    ("values", "but"),
    [
        ({"subject": "y"}, b"SUMMARY"),
        ({"importance": 0}, b"PRIORITY"),
        ({"complete": True}, b"STATUS"),
        ({"categories": ("z",)}, b"CATEGORIES"),
        ({"due_date": LOCAL + timedelta(days=9)}, b"DUE"),
        ({"reminder_set": 1, "reminder_time": NOW}, b"x"),
        ({"body": Body(type=BodyType.TEXT, data="z")}, b"DESCRIPTION"),
    ],
)
def test_all_other_lines_survive_an_edit(values: dict[str, Any], but: bytes) -> None:
    data = todo(*RICH)
    changed = change(data, **values)
    assert changed != data
    lines = changed.split(b"\r\n")
    assert all(line in lines or line.startswith((b"DTSTAMP", but)) for line in data.split(b"\r\n"))


def test_edit_that_changes_nothing_gives_back_the_octets() -> None:
    data = todo(*RICH)
    wire = schema.dump("x", show(data), V)
    sent, stated = schema.load(Task, wire, V), schema.stated(Task, wire, V)
    assert tasks.to_native(sent, stated, data, ALWAYS_KEPT, ME, V, uid="x") == data


@pytest.mark.parametrize("data", [b"", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", todo("DUE:soon")])
def test_unreadable_objects(data: bytes) -> None:
    with pytest.raises(Unreadable):
        show(data)
    with pytest.raises(Refused):
        change(data, subject="x")
    told = tasks.degraded(data, "no good")
    assert told.body is not None
    assert "no good" in (told.body.data or "")
    schema.dump("x", told, V)


dates = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)).map(
    lambda at: at.replace(microsecond=0)
)
texts = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=30).map(str.strip)


@settings(max_examples=80, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "subject": texts.filter(bool),
            "utc_due_date": dates,
            "importance": st.integers(0, 5),
            "categories": st.lists(texts.filter(bool), max_size=4, unique=True).map(tuple),
            "sensitivity": st.sampled_from(Sensitivity),
            "ordinal_date": dates,
        },
    ),
    st.sampled_from(Version),
)
def test_tasks_round_trip(values: dict[str, Any], version: Version) -> None:
    if version is Version.V2_5:
        values.pop("ordinal_date", None)
    shown = show(add(version, **values), version)
    assert {name: getattr(shown, name) for name in values} == values
    again = schema.load(Task, schema.dump("x", shown, version), version)
    assert again == shown


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "UTC"])
@pytest.mark.parametrize("sent_in_utc", [False, True])
def test_the_last_day_of_a_series_is_local_as_the_first(zone: str, sent_in_utc: bool) -> None:
    """Sent as local time or in UTC, the series ends on the day that was meant."""
    viewer = replace(ME, zone=zone)
    start, until = datetime(2026, 4, 15, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    sent = until.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) if sent_in_utc else until
    item = Task(
        start_date=start, recurrence=TaskRecurrence(type=RecurrenceType.DAILY, interval=1, start=start, until=sent)
    )
    given_fields = frozenset({"start_date", "recurrence"})
    stored = tasks.to_native(item, given_fields, None, frozenset(), viewer, V, uid="u1")
    assert b"UNTIL=20260501\r\n" in stored
    shown = tasks.from_native(stored, Wanted(), viewer, V)
    assert shown.recurrence is not None
    assert (shown.recurrence.start, shown.recurrence.until) == (start, until)
    assert tasks.to_native(shown, ALL, stored, frozenset(), viewer, V, uid="u1") == stored


def test_more_than_300_categories_are_refused() -> None:
    """[MS-ASTASK] R402"""
    with pytest.raises(Refused):
        add(categories=tuple(f"c{n}" for n in range(301)))
