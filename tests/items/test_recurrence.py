"""Recurrence <-> RRULE, and what is legal in a Recurrence. [MS-ASCAL]."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.items import rrule
from eas.items.ical import Form, Moment
from eas.items.native import Refused
from eas.items.recurrence import (
    EmailRecurrence,
    Recurrence,
    RecurrenceType,
    TaskRecurrence,
    as_kind,
    check,
    from_rule,
    in_wall_time,
    occurrences,
    to_rule,
)
from eas.protocol import schema
from eas.protocol.version import Version

BERLIN = ZoneInfo("Europe/Berlin")
#: A Wednesday.
START = Moment(datetime(2026, 4, 15, 10, 0), BERLIN, Form.ZONED)
DAY = Moment(datetime(2026, 4, 15), BERLIN, Form.DATE)

SAID = [
    ("FREQ=DAILY", Recurrence(type=RecurrenceType.DAILY, interval=1)),
    ("FREQ=DAILY;INTERVAL=3;COUNT=9", Recurrence(type=RecurrenceType.DAILY, interval=3, occurrences=9)),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;WKST=SU", Recurrence(
        type=RecurrenceType.WEEKLY, interval=2, day_of_week=2 + 32, first_day_of_week=0)),
    ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;WKST=MO", Recurrence(
        type=RecurrenceType.WEEKLY, interval=1, day_of_week=62, first_day_of_week=1)),
    ("FREQ=MONTHLY;BYMONTHDAY=31", Recurrence(
        type=RecurrenceType.MONTHLY, interval=1, day_of_month=31, calendar_type=0)),
    ("FREQ=MONTHLY;BYDAY=2TU", Recurrence(
        type=RecurrenceType.MONTHLY_NTH, interval=1, week_of_month=2, day_of_week=4, calendar_type=0)),
    ("FREQ=MONTHLY;BYDAY=-1FR", Recurrence(
        type=RecurrenceType.MONTHLY_NTH, interval=1, week_of_month=5, day_of_week=32, calendar_type=0)),
    ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1", Recurrence(
        type=RecurrenceType.MONTHLY_NTH, interval=1, week_of_month=1, day_of_week=62, calendar_type=0)),
    ("FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=-1", Recurrence(
        type=RecurrenceType.MONTHLY_NTH, interval=1, week_of_month=5, day_of_week=65, calendar_type=0)),
    ("FREQ=MONTHLY;BYMONTHDAY=-1", Recurrence(
        type=RecurrenceType.MONTHLY_NTH, interval=1, week_of_month=5, day_of_week=127, calendar_type=0)),
    ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=3", Recurrence(
        type=RecurrenceType.MONTHLY_NTH, interval=1, week_of_month=3, day_of_week=127, calendar_type=0)),
    ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", Recurrence(
        type=RecurrenceType.YEARLY, interval=1, month_of_year=2, day_of_month=29, calendar_type=0)),
    ("FREQ=YEARLY;INTERVAL=2;BYMONTH=11;BYDAY=4TH", Recurrence(
        type=RecurrenceType.YEARLY_NTH, interval=2, month_of_year=11, week_of_month=4, day_of_week=16,
        calendar_type=0)),
    ("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=-1", Recurrence(
        type=RecurrenceType.YEARLY_NTH, interval=1, month_of_year=12, week_of_month=5, day_of_week=127,
        calendar_type=0)),
    ("RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=5L;BYMONTHDAY=8", Recurrence(
        type=RecurrenceType.YEARLY, interval=1, month_of_year=5, day_of_month=8, calendar_type=8,
        is_leap_month=True)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), SAID)
def test_rule_and_recurrence_say_the_same(text: str, said: Recurrence) -> None:
    """[MS-ASCAL] Recurrence Patterns R38921-R38952, both directions of one table."""
    assert from_rule(rrule.parse(text), START) == said
    assert rrule.parse(rrule.show(to_rule(said, START))) == rrule.parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FREQ=WEEKLY", Recurrence(type=RecurrenceType.WEEKLY, interval=1, day_of_week=8, first_day_of_week=1)),
        ("FREQ=MONTHLY", Recurrence(type=RecurrenceType.MONTHLY, interval=1, day_of_month=15, calendar_type=0)),
        ("FREQ=YEARLY", Recurrence(
            type=RecurrenceType.YEARLY, interval=1, month_of_year=4, day_of_month=15, calendar_type=0)),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", Recurrence(
            type=RecurrenceType.WEEKLY, interval=1, day_of_week=62, first_day_of_week=1)),
        ("FREQ=YEARLY;BYMONTH=1,4,7,10;BYMONTHDAY=15", Recurrence(
            type=RecurrenceType.MONTHLY, interval=3, day_of_month=15, calendar_type=0)),
        ("FREQ=MONTHLY;BYDAY=WE;BYSETPOS=3", Recurrence(
            type=RecurrenceType.MONTHLY_NTH, interval=1, week_of_month=3, day_of_week=8, calendar_type=0)),
        ("FREQ=WEEKLY;BYDAY=WE;BYHOUR=10;BYMINUTE=0", Recurrence(
            type=RecurrenceType.WEEKLY, interval=1, day_of_week=8, first_day_of_week=1)),
    ],
)  # fmt: skip
def test_what_dtstart_implies_is_said(text: str, said: Recurrence) -> None:
    assert from_rule(rrule.parse(text), START) == said


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=HOURLY", "FREQ=MONTHLY;BYMONTHDAY=1,15", "FREQ=MONTHLY;BYDAY=1MO,3MO", "FREQ=MONTHLY;BYDAY=5MO",
        "FREQ=MONTHLY;BYMONTHDAY=-2", "FREQ=WEEKLY;BYMONTH=1,2", "FREQ=YEARLY;BYYEARDAY=100", "FREQ=YEARLY;BYWEEKNO=20",
        "FREQ=DAILY;INTERVAL=2;BYDAY=MO", "FREQ=YEARLY;BYMONTH=1,2;BYMONTHDAY=1", "FREQ=DAILY;BYHOUR=8,12",
        "FREQ=WEEKLY;INTERVAL=1000", "FREQ=DAILY;COUNT=1000", "FREQ=WEEKLY;X-FOO=1", "RSCALE=ETHIOPIC;FREQ=YEARLY",
        "FREQ=YEARLY;BYDAY=20MO", "FREQ=MONTHLY;BYDAY=MO;BYMONTHDAY=13",
    ],
)  # fmt: skip
def test_what_eas_cannot_say_is_not_said(text: str) -> None:
    assert from_rule(rrule.parse(text), START) is None


ILLEGAL = [
    Recurrence(),
    Recurrence(type=RecurrenceType.WEEKLY),
    Recurrence(type=RecurrenceType.MONTHLY),
    Recurrence(type=RecurrenceType.MONTHLY_NTH, day_of_week=2),
    Recurrence(type=RecurrenceType.MONTHLY_NTH, week_of_month=2),
    Recurrence(type=RecurrenceType.YEARLY, day_of_month=2),
    Recurrence(type=RecurrenceType.YEARLY_NTH, day_of_week=2, week_of_month=1),
    Recurrence(type=RecurrenceType.DAILY, day_of_month=1),  # R53916
    Recurrence(type=RecurrenceType.MONTHLY, day_of_month=1, day_of_week=2),  # R53917
    Recurrence(type=RecurrenceType.MONTHLY, day_of_month=1, month_of_year=2),  # R53918
    Recurrence(type=RecurrenceType.WEEKLY, day_of_week=2, week_of_month=1),  # R53919
    Recurrence(type=RecurrenceType.DAILY, interval=1000),  # R28311
    Recurrence(type=RecurrenceType.DAILY, occurrences=1000),  # R345
    Recurrence(type=RecurrenceType.DAILY, occurrences=0),
    Recurrence(type=RecurrenceType.WEEKLY, day_of_week=128),  # R201
    Recurrence(type=RecurrenceType.WEEKLY, day_of_week=2, first_day_of_week=7),  # R53914
    Recurrence(type=RecurrenceType.MONTHLY, day_of_month=32),  # R193
    Recurrence(type=RecurrenceType.MONTHLY_NTH, week_of_month=6, day_of_week=2),  # R476
    Recurrence(type=RecurrenceType.YEARLY, day_of_month=1, month_of_year=13),  # R326
    *(
        Recurrence(type=RecurrenceType.MONTHLY, day_of_month=1, calendar_type=n)
        for n in (13, *range(16, 20), 21, 22, 23)
    ),
    TaskRecurrence(type=RecurrenceType.DAILY),  # [MS-ASTASK] R37011
    TaskRecurrence(type=RecurrenceType.WEEKLY, day_of_week=1, calendar_type=1, start=datetime(2026, 1, 1, tzinfo=UTC)),
]


@pytest.mark.parametrize("recurrence", ILLEGAL)
def test_illegal_combinations_are_refused(recurrence: Recurrence) -> None:
    """[MS-ASCAL] R53912-R53919, [MS-ASTASK] R81, R132, R289, R320, R37011: Status 6."""
    with pytest.raises(Refused):
        check(recurrence)


def test_type_4_does_not_exist() -> None:
    with pytest.raises(schema.SchemaError):
        schema.load(Recurrence, schema.Element("x", (schema.Element("Calendar:Type", "4"),)), Version.V14_1)


def test_occurrences_outrank_until() -> None:
    """[MS-ASCAL] R53911, R5391111."""
    both = Recurrence(type=RecurrenceType.DAILY, occurrences=3, until=datetime(2030, 1, 1, tzinfo=UTC))
    assert rrule.show(to_rule(both, START)) == "FREQ=DAILY;COUNT=3"


def test_interval_0_is_1() -> None:
    """[MS-ASCAL] R5."""
    assert to_rule(Recurrence(type=RecurrenceType.DAILY, interval=0), START).interval == 1


def test_daily_pattern_with_days_is_a_weekly_one() -> None:
    """[MS-ASCAL] R3892312."""
    rule = to_rule(Recurrence(type=RecurrenceType.DAILY, interval=2, day_of_week=10), START)
    assert rrule.show(rule) == "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE"


def test_yearly_nth_pattern_without_day_takes_that_of_the_start() -> None:
    """[MS-ASCAL] R38949: DayOfWeek is optional there."""
    rule = to_rule(Recurrence(type=RecurrenceType.YEARLY_NTH, week_of_month=3, month_of_year=4), START)
    assert rrule.show(rule) == "FREQ=YEARLY;BYMONTH=4;BYDAY=3WE"


def test_first_day_of_week_that_a_device_cannot_say_is_kept() -> None:
    before = rrule.parse("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU")
    rule = to_rule(Recurrence(type=RecurrenceType.WEEKLY, interval=2, day_of_week=4), START, before)
    assert rrule.show(rule) == "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;WKST=SU"


def test_until_has_the_type_of_the_start() -> None:
    until = datetime(2026, 5, 5, 22, tzinfo=UTC)  # midnight of 6 May in Berlin
    daily = Recurrence(type=RecurrenceType.DAILY, until=until)
    assert rrule.show(to_rule(daily, START)) == "FREQ=DAILY;UNTIL=20260505T220000Z"
    assert rrule.show(to_rule(daily, DAY)) == "FREQ=DAILY;UNTIL=20260506"
    floating = replace(START, form=Form.FLOATING)
    assert rrule.show(to_rule(daily, floating)) == "FREQ=DAILY;UNTIL=20260506T000000"
    for start in (START, DAY, floating):
        told = from_rule(to_rule(daily, start), start)
        assert told is not None
        assert told.until == until


def test_until_that_is_a_date_counts_to_its_end() -> None:
    rule = in_wall_time(rrule.parse("FREQ=DAILY;UNTIL=20260417"), START)
    assert len(list(rrule.between(rule, START.wall, START.wall, START.wall + timedelta(days=9)))) == 3


def test_series_keeps_the_hour_on_the_clock() -> None:
    """10:00 in Berlin is 08:00 UTC in summer and 09:00 in winter."""
    rule = rrule.parse("FREQ=MONTHLY;BYMONTHDAY=15")
    found = occurrences(rule, START, START.instant, START.instant + timedelta(days=300))
    assert {moment.instant.hour for moment in found} == {8, 9}
    assert {moment.wall.hour for moment in found} == {10}


recurrences = st.one_of(
    st.builds(Recurrence, type=st.just(RecurrenceType.DAILY), interval=st.integers(1, 999)),
    st.builds(
        Recurrence, type=st.just(RecurrenceType.WEEKLY), interval=st.integers(1, 999), day_of_week=st.integers(1, 127),
        first_day_of_week=st.integers(0, 6), occurrences=st.none() | st.integers(1, 999),
    ),
    st.builds(
        Recurrence, type=st.just(RecurrenceType.MONTHLY), interval=st.integers(1, 999), day_of_month=st.integers(1, 31),
        calendar_type=st.sampled_from([0, 6, 8, 15, 20]), occurrences=st.none() | st.integers(1, 999),
    ),
    st.builds(
        Recurrence, type=st.just(RecurrenceType.MONTHLY_NTH), interval=st.integers(1, 999), calendar_type=st.just(0),
        week_of_month=st.integers(1, 5), day_of_week=st.integers(1, 127),
        until=st.none() | st.datetimes(datetime(2026, 5, 1), datetime(2090, 1, 1), timezones=st.just(UTC)).map(
            lambda at: at.replace(microsecond=0)),
    ),
    st.builds(
        Recurrence, type=st.just(RecurrenceType.YEARLY), interval=st.integers(1, 999), calendar_type=st.just(0),
        day_of_month=st.integers(1, 31), month_of_year=st.integers(1, 12),
    ),
    st.builds(
        Recurrence, type=st.just(RecurrenceType.YEARLY_NTH), interval=st.integers(1, 999), calendar_type=st.just(0),
        week_of_month=st.integers(1, 5), day_of_week=st.integers(1, 127), month_of_year=st.integers(1, 12),
    ),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(recurrences)
def test_recurrence_survives_as_rrule(recurrence: Recurrence) -> None:
    text = rrule.show(to_rule(recurrence, START))
    assert from_rule(rrule.parse(text), START) == recurrence


@settings(max_examples=60, deadline=None)
@given(recurrences, st.sampled_from([Recurrence, EmailRecurrence, TaskRecurrence]), st.sampled_from(list(Version)))
def test_pages_spell_it_each_in_its_way(recurrence: Recurrence, kind: type[Recurrence], version: Version) -> None:
    value = as_kind(recurrence, kind)
    written = schema.dump("x", value, version)
    read = schema.load(kind, written, version)
    for name in ("type", "interval", "until", "occurrences", "day_of_week", "day_of_month", "week_of_month"):
        assert getattr(read, name) == getattr(value, name)
    assert read.calendar_type == (value.calendar_type if version >= Version.V14_0 else None)
    assert read.first_day_of_week == (value.first_day_of_week if version >= Version.V14_1 else None)


def test_email_recurrence_stands_in_the_order_of_the_schema() -> None:
    """[MS-ASEMAIL] Recurrence is a sequence, with Interval required R499."""
    told = from_rule(rrule.parse("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;UNTIL=20300101T000000Z"), START)
    assert told is not None
    written = schema.dump("x", replace(as_kind(told, EmailRecurrence), is_leap_month=False), Version.V14_1)
    assert [e.tag for e in written.elements] == [
        "Email:Type", "Email:Interval", "Email:Until", "Email:WeekOfMonth", "Email:DayOfWeek", "Email:MonthOfYear",
        "Email2:CalendarType", "Email2:IsLeapMonth",
    ]  # fmt: skip
    assert written.elements[2].text == "20300101T000000Z"
