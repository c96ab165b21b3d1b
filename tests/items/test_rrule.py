"""RRULE: text and occurrences, with dateutil as the oracle."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eas.items import rrule
from eas.items.rrule import WEEKDAYS, BadRule, Rule

START = datetime(2024, 3, 9, 10, 0)


@st.composite
def rule_texts(draw: st.DrawFn) -> str:
    """Rules that both libraries read alike: dateutil errs where BYDAY mixes `MO` and `1TU`."""
    freq = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY"]))
    parts = [f"FREQ={freq}"]
    if draw(st.booleans()):
        parts.append(f"INTERVAL={draw(st.integers(1, 5))}")
    end = draw(st.sampled_from(["", "COUNT=7", "COUNT=40", "UNTIL=20281231T100000", "UNTIL=20240601T100000"]))
    parts += [end] if end else []
    if draw(st.booleans()):
        months = draw(st.lists(st.integers(1, 12), min_size=1, max_size=3, unique=True))
        parts.append("BYMONTH=" + ",".join(map(str, months)))
    if freq != "WEEKLY" and draw(st.booleans()):
        days = draw(st.lists(st.sampled_from([1, 2, 15, 28, 29, 30, 31, -1, -2, -31]), min_size=1, max_size=3))
        parts.append("BYMONTHDAY=" + ",".join(map(str, days)))
    if draw(st.booleans()):
        nth = draw(st.sampled_from(["", "1", "2", "5", "-1"])) if freq in ("MONTHLY", "YEARLY") else ""
        days_of_week = draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=4, unique=True))
        parts.append("BYDAY=" + ",".join(nth + day for day in days_of_week))
    if freq in ("MONTHLY", "YEARLY") and len(parts) > 2 and draw(st.booleans()):
        parts.append("BYSETPOS=" + draw(st.sampled_from(["1", "-1", "2", "1,-1"])))
    if draw(st.booleans()):
        parts.append(f"WKST={draw(st.sampled_from(WEEKDAYS))}")
    return ";".join(parts)


@settings(max_examples=80, deadline=None)
@given(rule_texts(), st.integers(0, 900), st.integers(0, 27))
def test_occurrences_are_those_of_dateutil(text: str, ahead: int, day: int) -> None:
    start = START + timedelta(days=day)
    try:
        oracle = rrulestr(text, dtstart=start)
    except ValueError:
        assume(False)
    low = start + timedelta(days=ahead)
    high = low + timedelta(days=300)
    # dateutil takes BYSETPOS of the first period from DTSTART on, RFC 5545 from the period's beginning; both then
    # drop what is before DTSTART, and a COUNT tells the difference.
    assume(not ("COUNT" in text and "BYSETPOS" in text))
    assert list(rrule.between(rrule.parse(text), start, low, high)) == oracle.between(low, high, inc=True)


@settings(max_examples=150, deadline=None)
@given(rule_texts())
def test_a_rule_is_written_as_it_was_read(text: str) -> None:
    rule = rrule.parse(text)
    assert rrule.parse(rrule.show(rule)) == rule


def test_unknown_parts_survive_and_are_not_laid_out() -> None:
    rule = rrule.parse("FREQ=WEEKLY;X-FOO=Bar;RSCALE=GREGORIAN")
    assert rrule.show(rule) == "FREQ=WEEKLY;X-FOO=Bar"
    assert list(rrule.between(rule, START, START, START + timedelta(days=30))) == []


def test_leap_month_of_another_calendar() -> None:
    rule = rrule.parse("RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=5L;BYMONTHDAY=1")
    assert rule.scale == "CHINESE"
    assert rule.leap
    assert rrule.show(rule) == "RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=5L;BYMONTHDAY=1"
    assert not rule.expandable


@pytest.mark.parametrize(
    "text",
    [
        "", "FREQ=FOO", "INTERVAL=2", "FREQ=DAILY;FREQ=DAILY", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;COUNT=x", "FREQ=DAILY;UNTIL=2024", "FREQ=DAILY;UNTIL=20241399", "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=WEEKLY;BYDAY=XX", "FREQ=WEEKLY;BYDAY=99MO", "FREQ=DAILY;COUNT=²", "FREQ=DAILY;BYDAY",
        "FREQ=DAILY;BYMONTH=,",
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(BadRule):
        rrule.parse(text)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="FREQDAILYWKUNTBSOP=;,-0123456789MOHC", max_size=60))
def test_nothing_but_bad_rule_comes_out(text: str) -> None:
    try:
        rule = rrule.parse("FREQ=DAILY;" + text)
    except BadRule:
        return
    assert isinstance(rule, Rule)
    list(rrule.between(rule, START, START, START + timedelta(days=40)))
    rrule.last_of(rule, START)


def test_impossible_rule_ends() -> None:
    """dateutil looks for 30 February day by day until the year 9999."""
    rule = rrule.parse("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")
    assert list(rrule.between(rule, START, START, datetime(2100, 1, 1))) == []


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("FREQ=DAILY;COUNT=3", datetime(2024, 3, 11, 10)),
        ("FREQ=WEEKLY;UNTIL=20240401T000000", datetime(2024, 3, 30, 10)),
        ("FREQ=YEARLY;UNTIL=20300101T000000", datetime(2029, 3, 9, 10)),
        ("FREQ=WEEKLY;UNTIL=20200101T000000", START),
        ("FREQ=DAILY", None),
        ("FREQ=HOURLY;COUNT=3", datetime(2024, 3, 9, 12)),
        ("FREQ=SECONDLY;UNTIL=20240310T100000", datetime(2024, 3, 10, 10)),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3", None),
    ],
)
def test_last_occurrence(text: str, last: datetime | None) -> None:
    assert rrule.last_of(rrule.parse(text), START) == last
