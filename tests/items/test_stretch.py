"""Series that EAS has no words for: a device lays out of what it is shown what dateutil lays out of the rules."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import DAILY, MONTHLY, WEEKLY, rrule, rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.items import calendar
from eas.items.body import Wanted
from eas.items.calendar import Appointment, Exception_
from eas.items.native import Refused, Viewer
from eas.items.recurrence import Recurrence, RecurrenceType
from eas.items.stretch import MAX_EXCEPTIONS
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
ME = Viewer(addresses=("ann@example.com",), name="Ann", zone="Europe/Berlin", now=NOW)
ALL = frozenset(f.name for f in fields(Appointment))
V = Version.V14_1
HOUR = timedelta(hours=1)


def series(*lines: str, start: str = "20240101T100000", others: str = "") -> bytes:
    body = "\r\n".join(lines)
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:u1\r\nDTSTAMP:20240101T000000Z\r\n"
        f"DTSTART;TZID=Europe/Berlin:{start}\r\nDURATION:PT1H\r\nSUMMARY:Tour\r\n{body}\r\nEND:VEVENT\r\n{others}"
        "END:VCALENDAR\r\n"
    ).encode()


def show(data: bytes, version: Version = V, viewer: Viewer = ME) -> Appointment:
    return calendar.from_native(data, Wanted(), viewer, version)


_FREQ = {RecurrenceType.DAILY: DAILY, RecurrenceType.WEEKLY: WEEKLY, RecurrenceType.MONTHLY: MONTHLY,
         RecurrenceType.MONTHLY_NTH: MONTHLY}  # fmt: skip


def laid_out(shown: Appointment) -> list[tuple[datetime, str | None]]:
    """What a device makes of it: start (instant) and subject of each occurrence, in order. By its own means."""
    said = shown.recurrence
    assert said is not None
    assert shown.start_time is not None
    days = [day for day in range(7) if (said.day_of_week or 0) & 1 << (day + 1) % 7]
    nth = {5: -1}.get(said.week_of_month or 0, said.week_of_month)
    pattern = rrule(
        _FREQ[said.type], interval=said.interval or 1, count=said.occurrences,  # type: ignore[index]
        dtstart=shown.start_time.astimezone(BERLIN).replace(tzinfo=None),
        byweekday=days or None, bymonthday=said.day_of_month, bysetpos=nth,
    )
    places = {wall.replace(tzinfo=BERLIN).astimezone(UTC) for wall in pattern}
    found = dict.fromkeys(places, (None, shown.subject))
    for exception in shown.exceptions:
        assert exception.exception_start_time in places
        if exception.deleted:
            del found[exception.exception_start_time]
        else:
            at = exception.start_time or exception.exception_start_time
            found[exception.exception_start_time] = (at, exception.subject or shown.subject)  # type: ignore[assignment]
    return sorted((at or place, subject) for place, (at, subject) in found.items())


def expected(text: str, start: datetime, low: datetime, high: datetime) -> list[datetime]:
    """dateutil's. DTSTART counts whether the rule has it or not."""
    walls = {start, *rrulestr(text, dtstart=start).between(low - timedelta(days=3), high + timedelta(days=3))}
    instants = {wall.replace(tzinfo=BERLIN).astimezone(UTC) for wall in walls}
    return sorted(instants)


RULES = (
    "FREQ=MONTHLY;BYDAY=1MO,3MO", "FREQ=MONTHLY;BYMONTHDAY=1,15", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1",
    "FREQ=YEARLY;BYWEEKNO=20,40;BYDAY=MO", "FREQ=YEARLY;BYWEEKNO=-1;BYDAY=FR,MO", "FREQ=YEARLY;BYYEARDAY=1,100,200",
    "FREQ=HOURLY;INTERVAL=36", "FREQ=HOURLY;BYHOUR=9,12,15;BYDAY=MO", "FREQ=DAILY;BYHOUR=9,17",
    "FREQ=DAILY;BYMONTH=1,7", "FREQ=WEEKLY;BYDAY=MO,TH;BYMONTH=3,4,5", "FREQ=MONTHLY;BYDAY=5FR",
    "FREQ=YEARLY;BYMONTH=2,5,6;BYMONTHDAY=3", "FREQ=MONTHLY;BYMONTHDAY=-3,-1", "FREQ=MINUTELY;INTERVAL=1000",
    "FREQ=YEARLY;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
)  # fmt: skip


@pytest.mark.parametrize("text", RULES)
def test_a_device_lays_out_what_the_rule_says(text: str) -> None:
    start = datetime(2024, 1, 1, 10)
    shown = show(series(f"RRULE:{text}"))
    assert len(shown.exceptions) <= MAX_EXCEPTIONS
    found = [at for at, _ in laid_out(shown)]
    low, high = found[0], found[-1]
    naive = [moment.astimezone(BERLIN).replace(tzinfo=None) for moment in (low, high)]
    assert found == [at for at in expected(text, start, *naive) if low <= at <= high]
    # Now is in it, and what is next.
    assert low <= NOW + timedelta(days=40)
    assert high >= NOW + timedelta(days=2)


@st.composite
def odd_rules(draw: st.DrawFn) -> str:
    freq = draw(st.sampled_from(("MONTHLY", "YEARLY", "WEEKLY", "DAILY", "HOURLY")))
    parts = [f"FREQ={freq}", f"INTERVAL={draw(st.integers(1, 4))}"]
    if freq in ("MONTHLY", "YEARLY"):
        days = draw(st.lists(st.sampled_from(("MO", "TU", "WE", "FR", "SU")), min_size=1, max_size=3, unique=True))
        if draw(st.booleans()):
            parts.append(f"BYDAY={','.join(days)}")
            places = sorted(draw(st.sets(st.sampled_from((1, 2, 3, -1)), min_size=2)))
            parts.append(f"BYSETPOS={','.join(map(str, places))}")
        else:
            parts.append(f"BYMONTHDAY={','.join(map(str, sorted(draw(st.sets(st.integers(1, 28), min_size=2)))))}")
    if freq in ("WEEKLY", "DAILY", "HOURLY") or draw(st.booleans()):
        parts.append(f"BYMONTH={','.join(map(str, sorted(draw(st.sets(st.integers(1, 12), min_size=2)))))}")
    if freq == "HOURLY":
        parts.append("BYHOUR=9,15")
    return ";".join(parts)


@pytest.mark.long
@settings(max_examples=40, deadline=None)
@given(odd_rules())
def test_any_odd_rule_is_laid_out_as_dateutil_does(text: str) -> None:
    shown = show(series(f"RRULE:{text}"))
    if shown.recurrence is None:
        return
    if shown.recurrence.occurrences is None:  # the rule can be said after all
        return
    found = [at for at, _ in laid_out(shown)]
    low, high = found[0], found[-1]
    naive = [moment.astimezone(BERLIN).replace(tzinfo=None) for moment in (low, high)]
    # dateutil takes BYSETPOS of the first period from DTSTART on, RFC 5545 from the period's beginning.
    skip = datetime(2024, 12, 31, tzinfo=UTC)
    wanted = [at for at in expected(text, datetime(2024, 1, 1, 10), *naive) if max(low, skip) <= at <= high]
    assert [at for at in found if at >= skip] == wanted
    assert len(shown.exceptions) <= MAX_EXCEPTIONS


EXTRA = ("RDATE;TZID=Europe/Berlin:20260407T140000,20260408T100000", "EXDATE;TZID=Europe/Berlin:20260406T100000")


def test_dates_beside_a_rule_are_shown() -> None:
    data = series("RRULE:FREQ=WEEKLY;BYDAY=MO", *EXTRA)
    found = {at for at, _ in laid_out(show(data))}
    assert datetime(2026, 4, 7, 12, tzinfo=UTC) in found
    assert datetime(2026, 4, 8, 8, tzinfo=UTC) in found
    assert datetime(2026, 4, 6, 8, tzinfo=UTC) not in found
    assert datetime(2026, 4, 13, 8, tzinfo=UTC) in found


def test_several_rules_and_rules_of_exceptions_are_shown() -> None:
    data = series("RRULE:FREQ=WEEKLY;BYDAY=MO", "RRULE:FREQ=MONTHLY;BYMONTHDAY=9", "EXRULE:FREQ=WEEKLY;INTERVAL=2")
    found = {at.astimezone(BERLIN).date().isoformat() for at, _ in laid_out(show(data))}
    every = rrulestr("FREQ=WEEKLY;BYDAY=MO", dtstart=datetime(2024, 1, 1, 10))
    ninth = rrulestr("FREQ=MONTHLY;BYMONTHDAY=9", dtstart=datetime(2024, 1, 1, 10))
    gone = rrulestr("FREQ=WEEKLY;INTERVAL=2", dtstart=datetime(2024, 1, 1, 10))
    window = datetime(2026, 1, 1), datetime(2026, 12, 1)
    wanted = {*every.between(*window), *ninth.between(*window)} - set(gone.between(*window))
    assert {day for day in found if "2026-01-01" <= day < "2026-12-01"} == {w.date().isoformat() for w in wanted}


ONWARD = (
    "BEGIN:VEVENT\r\nUID:u1\r\nDTSTAMP:20240101T000000Z\r\n"
    "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260413T100000\r\n"
    "DTSTART;TZID=Europe/Berlin:20260414T110000\r\nDURATION:PT1H\r\nSUMMARY:Later\r\nEND:VEVENT\r\n"
)


def test_an_exception_for_all_that_follow_holds_for_all_that_follow() -> None:
    shown = show(series("RRULE:FREQ=WEEKLY;BYDAY=MO", others=ONWARD))
    found = dict(laid_out(shown))
    assert found[datetime(2026, 4, 6, 8, tzinfo=UTC)] == "Tour"
    assert found[datetime(2026, 4, 14, 9, tzinfo=UTC)] == "Later"
    assert found[datetime(2026, 4, 21, 9, tzinfo=UTC)] == "Later"
    assert datetime(2026, 4, 20, 8, tzinfo=UTC) not in found


@pytest.mark.long
@pytest.mark.parametrize("text", RULES)
def test_renaming_touches_neither_rule_nor_times(text: str) -> None:
    data = series(f"RRULE:{text}", *EXTRA)
    for viewer in (ME, replace(ME, now=NOW + timedelta(days=500))):
        stored = calendar.to_native(replace(show(data), subject="x"), ALL, data, frozenset(), viewer, V, uid="x")
        kept = {line for line in data.split(b"\r\n") if not line.startswith((b"SUMMARY", b"DTSTAMP"))}
        assert kept <= set(stored.split(b"\r\n"))
        assert b"SUMMARY:x" in stored


@pytest.mark.long
@pytest.mark.parametrize("text", RULES)
def test_an_occurrence_is_deleted_where_it_stands(text: str) -> None:
    """In the pattern that was shown; what is stored is an EXDATE of the real series."""
    data = series(f"RRULE:{text}")
    shown = show(data)
    before = laid_out(shown)
    places = {e.exception_start_time for e in shown.exceptions}
    second = sorted(e.exception_start_time for e in shown.exceptions if not e.deleted and e.exception_start_time)
    at = second[1] if len(second) > 1 else before[1][0]
    sent = (*(e for e in shown.exceptions if e.exception_start_time != at),
            Exception_(exception_start_time=at, deleted=True))
    stored = calendar.to_native(replace(shown, exceptions=sent), ALL, data, frozenset(), ME, V, uid="x")
    assert stored.count(b"EXDATE") == 1
    by_instance = calendar.without_instance(data, at, ME, Version.V16_1)
    assert by_instance.count(b"EXDATE") == 1
    after = laid_out(show(stored))
    assert len(after) in (len(before) - 1, len(before)), places
    assert len(set(before) - set(after)) == 1


def test_an_occurrence_is_moved_and_renamed_where_it_stands() -> None:
    data = series("RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15")
    shown = show(data)
    moved = next(e for e in shown.exceptions if e.start_time == datetime(2026, 4, 15, 8, tzinfo=UTC))
    sent = replace(moved, subject="x", start_time=moved.start_time + HOUR, end_time=moved.end_time + HOUR)  # type: ignore[operator]
    others = tuple(sent if e is moved else e for e in shown.exceptions)
    stored = calendar.to_native(replace(shown, exceptions=others), ALL, data, frozenset(), ME, V, uid="x")
    assert stored.count(b"RECURRENCE-ID;TZID=Europe/Berlin:20260415T100000") == 1
    assert stored.count(b"RECURRENCE-ID") == 1
    assert (datetime(2026, 4, 15, 9, tzinfo=UTC), "x") in laid_out(show(stored))
    subject: Any = Element("AirSync:ApplicationData", (Element("Calendar:Subject", "y"),))
    again = calendar.instance_to_native(subject, stored, moved.exception_start_time, ME, Version.V16_1)  # type: ignore[arg-type]
    assert (datetime(2026, 4, 15, 9, tzinfo=UTC), "y") in laid_out(show(again))


def test_other_times_without_another_pattern_are_refused_and_another_pattern_is_taken() -> None:
    data = series("RRULE:FREQ=MONTHLY;BYDAY=1MO,3MO")
    shown = show(data)
    assert shown.recurrence is not None
    moved = replace(shown, start_time=shown.start_time + HOUR, end_time=shown.end_time + HOUR)  # type: ignore[operator]
    with pytest.raises(Refused):
        calendar.to_native(moved, ALL, data, frozenset(), ME, V, uid="x")
    daily = Recurrence(type=RecurrenceType.DAILY, occurrences=7)
    stored = calendar.to_native(replace(shown, recurrence=daily, exceptions=()), ALL, data, frozenset(), ME, V, uid="x")
    assert b"RRULE:FREQ=DAILY;COUNT=7\r\n" in stored


def test_a_series_can_be_ended() -> None:
    data = series("RRULE:FREQ=MONTHLY;BYDAY=1MO,3MO", *EXTRA)
    shown = show(data)
    single = replace(shown, recurrence=None, exceptions=())
    stored = calendar.to_native(single, ALL - {"recurrence", "exceptions"}, data, frozenset(), ME, V, uid="x")
    assert not any(name in stored for name in (b"RRULE", b"RDATE", b"EXDATE"))
    # From 16.0 by an empty element.
    empty = calendar.to_native(Appointment(), frozenset({"recurrence"}), data, ALL, ME, Version.V16_1, uid="x")
    assert b"RRULE" not in empty


def test_all_day_series_without_words_stay_on_their_days() -> None:
    data = (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:u1\r\nDTSTAMP:20240101T000000Z\r\n"
        b"DTSTART;VALUE=DATE:20250101\r\nRRULE:FREQ=MONTHLY;BYMONTHDAY=1,15\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    shown = show(data, Version.V16_1)
    starts = {e.start_time for e in shown.exceptions} | {shown.start_time}
    assert datetime(2026, 4, 15, tzinfo=UTC) in starts
    old = {e.start_time for e in show(data).exceptions}
    assert datetime(2026, 4, 14, 22, tzinfo=UTC) in old
