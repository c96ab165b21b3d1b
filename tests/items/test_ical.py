"""Values of iCalendar lines, and the rules that tables are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.items.contentline import Component, Line, parse, serialize
from eas.items.ical import (
    Each,
    Form,
    Moment,
    Number,
    Rule,
    Stamp,
    Text,
    Truth,
    Words,
    duration_value,
    moment_line,
    open_calendar,
    read_duration,
    read_moment,
)
from eas.items.native import Unreadable
from eas.items.vtimezone import Zones

BERLIN, TOKYO = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo")
ZONES = Zones(Component("VCALENDAR"), BERLIN)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("PT15M", timedelta(minutes=15)),
        ("-P1DT2H", -timedelta(days=1, hours=2)),
        ("P2W", timedelta(weeks=2)),
        ("-PT0S", timedelta()),
        ("+PT90S", timedelta(seconds=90)),
    ],
)
def test_durations(text: str, span: timedelta) -> None:
    assert read_duration(text) == span
    assert read_duration(duration_value(span)) == span


@pytest.mark.parametrize("text", ["", "P", "PT", "15", "PT1H2X", "P999999W", "PT99999999999S", "P-1D", "P١D"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        read_duration(text)


@settings(max_examples=100, deadline=None)
@given(st.integers(-(10**7), 10**7))
def test_durations_round_trip(seconds: int) -> None:
    assert read_duration(duration_value(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        (b"DTSTART:20260415T100000Z", Moment(datetime(2026, 4, 15, 10), UTC, Form.UTC)),
        (b"DTSTART:20260415T100000", Moment(datetime(2026, 4, 15, 10), BERLIN, Form.FLOATING)),
        (b"DTSTART;VALUE=DATE:20260415", Moment(datetime(2026, 4, 15), BERLIN, Form.DATE)),
        (b"DTSTART:20260415", Moment(datetime(2026, 4, 15), BERLIN, Form.DATE)),
        (b"DTSTART;TZID=Asia/Tokyo:20260415T100000", Moment(datetime(2026, 4, 15, 10), TOKYO, Form.ZONED)),
        (b'DTSTART;TZID="Tokyo Standard Time":20260415T100000', Moment(datetime(2026, 4, 15, 10), TOKYO, Form.ZONED)),
        (b"DTSTART:20260415T100060Z", Moment(datetime(2026, 4, 15, 10, 0, 59), UTC, Form.UTC)),
    ],
)
def test_moments(line: bytes, moment: Moment) -> None:
    (read,) = parse(b"BEGIN:X\n" + line + b"\nEND:X\n").lines
    assert read_moment(read, ZONES) == moment
    assert read_moment(moment_line("DTSTART", moment, ZONES), ZONES) == moment


@pytest.mark.parametrize("value", ["", "today", "2026-04-15", "20261315", "20260415T250000", "20260415T10", "٢٠٢٦٠٤١٥"])
def test_no_moments(value: str) -> None:
    with pytest.raises(Unreadable):
        read_moment(Line("DTSTART", value), ZONES)


words = Words("CLASS", {1: "PUBLIC", 2: "PRIVATE"}, default=1, other=2)
RULES: list[tuple[Rule, Any]] = [
    (Text("SUMMARY"), "a; b, c\\ d\ne"),
    (Each("CATEGORIES"), ("a", "b, c", "d;e")),
    (Truth("X-T"), True),
    (Truth("X-T"), False),
    (Number("X-N"), 0),
    (Number("X-N"), -5),
    (Stamp("X-S"), datetime(2026, 4, 15, 10, tzinfo=UTC)),
    (words, 1),
    (words, 2),
]


@pytest.mark.parametrize(("rule", "value"), RULES)
def test_rules_undo_themselves(rule: Rule, value: Any) -> None:
    component = Component("VEVENT")
    rule.dump(value, component)
    assert rule.load(parse(serialize(component))) == value
    rule.dump(() if isinstance(value, tuple) else None, component)
    assert rule.load(component) in (None, (), False, 1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=8).map(str.strip).filter(bool), max_size=5, unique=True))
def test_lists_of_texts_round_trip(values: list[str]) -> None:
    component = Component("VEVENT")
    rule = Each("CATEGORIES")
    rule.dump(tuple(values), component)
    read = rule.load(parse(serialize(component)))
    rule.dump(read, component)
    assert rule.load(parse(serialize(component))) == read
    if all(value.isprintable() for value in values):
        assert read == tuple(values)


def test_words_that_stay_keep_their_line() -> None:
    component = parse(b"BEGIN:VEVENT\nCATEGORIES;X-A=1:a,b\\, c\nCATEGORIES:d\nEND:VEVENT\n")
    Each("CATEGORIES").dump(("a", "b, c", "e"), component)
    assert serialize(component) == b"BEGIN:VEVENT\nCATEGORIES;X-A=1:a,b\\, c,e\nEND:VEVENT\n"


def test_text_that_changes_loses_the_rendering_of_the_old_one() -> None:
    component = parse(b'BEGIN:X\nDESCRIPTION;ALTREP="data:text/html,x";LANGUAGE=de:y\nEND:X\n')
    Text("DESCRIPTION").dump("z", component)
    assert b"DESCRIPTION;LANGUAGE=de:z" in serialize(component)


def test_bare_event_gets_a_calendar_around_it() -> None:
    calendar, (event,) = open_calendar(b"BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\n", "VEVENT")
    assert (calendar.name, event.name) == ("VCALENDAR", "VEVENT")
    assert b"BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nEND:VCALENDAR" in serialize(calendar)


def test_object_of_another_kind_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        open_calendar(b"BEGIN:VCARD\r\nEND:VCARD\r\n", "VEVENT")
