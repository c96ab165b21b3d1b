"""Free/busy times. [MS-ASCMD] MergedFreeBusy R3315-R3339."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from eas.items.calendar import BusyStatus
from eas.items.freebusy import BusyPeriod, busy_periods, merged_free_busy
from eas.items.native import Unreadable

DAY = datetime(2026, 4, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)


def event(*lines: str, others: str = "") -> bytes:
    body = "\r\n".join(["BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:u", *lines, "END:VEVENT", ""])
    return f"{body}{others}END:VCALENDAR\r\n".encode()


def hours(data: bytes, days: int = 7, zone: str = "UTC") -> list[tuple[float, float, int]]:
    found = busy_periods(data, DAY, DAY + timedelta(days=days), ZoneInfo(zone))
    return [((p.start - DAY) / HOUR, (p.end - DAY) / HOUR, int(p.status)) for p in found]


TEN = ("DTSTART:20260415T100000Z", "DTEND:20260415T110000Z")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (TEN, [(10, 11, 2)]),
        ((*TEN, "TRANSP:TRANSPARENT"), []),
        ((*TEN, "STATUS:CANCELLED"), []),
        ((*TEN, "STATUS:TENTATIVE"), [(10, 11, 1)]),
        ((*TEN, "X-MICROSOFT-CDO-BUSYSTATUS:OOF"), [(10, 11, 3)]),
        ((*TEN, "X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE"), []),
        ((*TEN, "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260416T100000Z"), [(10, 11, 2), (58, 59, 2)]),
        (("DTSTART:20200101T100000Z", "DURATION:PT30M", "RRULE:FREQ=WEEKLY;BYDAY=TH"), [(34, 34.5, 2)]),
        (("DTSTART:20260414T230000Z", "DTEND:20260415T010000Z"), [(0, 1, 2)]),
        (("DTSTART:20260414T230000Z", "DTEND:20260415T000000Z"), []),
        (("DTSTART;VALUE=DATE:20260416",), [(24, 48, 2)]),
        (("DTSTART:20260415T100000Z",), []),
        (("DTSTART:20260415T100000Z", "RRULE:FREQ=HOURLY"), []),
        ((*TEN, "RDATE:20260417T100000Z"), [(10, 11, 2), (58, 59, 2)]),
        ((*TEN, "RRULE:FREQ=MONTHLY;BYMONTHDAY=15,17"), [(10, 11, 2), (58, 59, 2)]),
    ],
)
def test_periods(lines: tuple[str, ...], expected: list[tuple[float, float, int]]) -> None:
    assert hours(event(*lines)) == expected


def test_days_and_floating_times_are_the_owners() -> None:
    assert hours(event("DTSTART;VALUE=DATE:20260416"), zone="Europe/Berlin") == [(22, 46, 2)]
    assert hours(event("DTSTART:20260416T100000", "DURATION:PT1H"), zone="Europe/Berlin") == [(32, 33, 2)]


def test_moved_and_free_occurrences() -> None:
    def other(day: int, *lines: str) -> str:
        return "\r\n".join(["BEGIN:VEVENT", "UID:u", f"RECURRENCE-ID:202604{day}T100000Z", *lines, "END:VEVENT", ""])

    moved = other(16, "DTSTART:20260416T150000Z", "DTEND:20260416T160000Z")
    free = other(17, "DTSTART:20260417T100000Z", "DTEND:20260417T110000Z", "TRANSP:TRANSPARENT")
    data = event(*TEN, "RRULE:FREQ=DAILY;COUNT=3", others=moved + free)
    assert hours(data) == [(10, 11, 2), (39, 40, 2)]


def test_unreadable_events_are_told() -> None:
    with pytest.raises(Unreadable):
        busy_periods(b"", DAY, DAY + HOUR)


def period(start: float, end: float, status: BusyStatus) -> BusyPeriod:
    return BusyPeriod(DAY + start * HOUR, DAY + end * HOUR, status)


def test_digits() -> None:
    """R3315-R3339: 30 minutes each, the highest counts, any overlap counts, slots from the start as asked."""
    periods = [
        period(0.5, 1.5, BusyStatus.BUSY),
        period(1, 2, BusyStatus.TENTATIVE),
        period(1.4, 1.6, BusyStatus.OUT_OF_OFFICE),
        period(-5, -1, BusyStatus.BUSY),
        period(2.75, 9, BusyStatus.BUSY),
    ]
    assert merged_free_busy(periods, DAY, DAY + 3 * HOUR) == "023302"
    assert merged_free_busy(periods, DAY + HOUR / 4, DAY + 1.25 * HOUR) == "22"


@pytest.mark.parametrize(("minutes", "length"), [(30, 1), (31, 2), (60, 2), (10_080, 336), (0, 0), (-30, 0)])
def test_last_slot_may_be_shorter(minutes: int, length: int) -> None:
    assert merged_free_busy([], DAY, DAY + timedelta(minutes=minutes)) == "0" * length
