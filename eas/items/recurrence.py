"""Recurrence: the element of three pages, what is legal in it, and RRULE both ways.

[MS-ASCAL] Recurrence Patterns R38911-R38954; [MS-ASTASK] Recurrence R225-R238; [MS-ASEMAIL] Recurrence.

What EAS cannot say (every first and third Monday, several days of a month, hourly, RDATEs) `from_rule` answers with
None. Such a series is shown as its next occurrence alone, without Recurrence, and its RRULE is kept whatever the device
changes; see `calendar.py`. Nothing else was honest: a wider pattern with deleted exceptions runs out of the 256 that a
response may have (R24311) within months, and a narrower one hides appointments.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, time, timedelta
from enum import IntEnum
from itertools import islice, pairwise
from typing import TypeVar

from eas.protocol.schema import COMPACT, DASHED, FLAG, INT, element, enum
from eas.protocol.version import Version

from . import rrule
from .ical import Form, Moment, local, utc
from .native import Refused
from .rrule import Rule


class RecurrenceType(IntEnum):
    """[MS-ASCAL] Type R454-R459."""

    DAILY = 0
    WEEKLY = 1
    MONTHLY = 2
    MONTHLY_NTH = 3
    YEARLY = 5
    YEARLY_NTH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """[MS-ASCAL] Recurrence. `day_of_week` is a sum: 1 Sunday, 2 Monday ... 64 Saturday.

    `week_of_month` 5 is the last; `first_day_of_week` 0 is Sunday. All absent, from 16.0: no recurrence, R2180002.
    """

    type: RecurrenceType | None = element("Calendar:Type", enum(RecurrenceType), default=None)
    interval: int | None = element("Calendar:Interval", INT, default=None)
    until: datetime | None = element("Calendar:Until", COMPACT, default=None)
    occurrences: int | None = element("Calendar:Occurrences", INT, default=None)
    week_of_month: int | None = element("Calendar:WeekOfMonth", INT, default=None)
    day_of_month: int | None = element("Calendar:DayOfMonth", INT, default=None)
    day_of_week: int | None = element("Calendar:DayOfWeek", INT, default=None)
    month_of_year: int | None = element("Calendar:MonthOfYear", INT, default=None)
    calendar_type: int | None = element("Calendar:CalendarType", INT, since=Version.V14_0, default=None)
    is_leap_month: bool | None = element("Calendar:IsLeapMonth", FLAG, since=Version.V14_0, default=None)
    first_day_of_week: int | None = element("Calendar:FirstDayOfWeek", INT, since=Version.V14_1, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailRecurrence(Recurrence):
    """[MS-ASEMAIL] Recurrence: the same on the page of mail, in a fixed order, with Interval required R499."""

    type: RecurrenceType | None = element("Email:Type", enum(RecurrenceType), default=None)
    interval: int | None = element("Email:Interval", INT, default=None)
    until: datetime | None = element("Email:Until", COMPACT, default=None)
    occurrences: int | None = element("Email:Occurrences", INT, default=None)
    week_of_month: int | None = element("Email:WeekOfMonth", INT, default=None)
    day_of_month: int | None = element("Email:DayOfMonth", INT, default=None)
    day_of_week: int | None = element("Email:DayOfWeek", INT, default=None)
    month_of_year: int | None = element("Email:MonthOfYear", INT, default=None)
    calendar_type: int | None = element("Email2:CalendarType", INT, since=Version.V14_0, default=None)
    is_leap_month: bool | None = element("Email2:IsLeapMonth", FLAG, since=Version.V14_0, default=None)
    first_day_of_week: int | None = element("Email2:FirstDayOfWeek", INT, since=Version.V14_1, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecurrence(Recurrence):
    """[MS-ASTASK] Recurrence. `start` is the local start date; dates are dashed; `dead_occur` is 0 to 255."""

    type: RecurrenceType | None = element("Tasks:Type", enum(RecurrenceType), default=None)
    interval: int | None = element("Tasks:Interval", INT, default=None)
    until: datetime | None = element("Tasks:Until", DASHED, default=None)
    occurrences: int | None = element("Tasks:Occurrences", INT, default=None)
    week_of_month: int | None = element("Tasks:WeekOfMonth", INT, default=None)
    day_of_month: int | None = element("Tasks:DayOfMonth", INT, default=None)
    day_of_week: int | None = element("Tasks:DayOfWeek", INT, default=None)
    month_of_year: int | None = element("Tasks:MonthOfYear", INT, default=None)
    calendar_type: int | None = element("Tasks:CalendarType", INT, since=Version.V14_0, default=None)
    is_leap_month: bool | None = element("Tasks:IsLeapMonth", FLAG, since=Version.V14_0, default=None)
    first_day_of_week: int | None = element("Tasks:FirstDayOfWeek", INT, since=Version.V14_1, default=None)
    start: datetime | None = element("Tasks:Start", DASHED, default=None)
    regenerate: int | None = element("Tasks:Regenerate", INT, default=None)
    dead_occur: int | None = element("Tasks:DeadOccur", INT, default=None)


R = TypeVar("R", bound=Recurrence)

#: Occurrences laid out for one question (free/busy of some weeks, the next one). A year of hours.
MAX_OCCURRENCES = 10_000

#: The elements that say which days, by Type: what is not listed for a type must not be sent with it.
#: [MS-ASCAL] Recurrence Patterns; R194, R204, R327, R478; violations are Status 6, R53916-R53919.
DAYS_OF: dict[RecurrenceType, frozenset[str]] = {
    RecurrenceType.DAILY: frozenset({"day_of_week"}),
    RecurrenceType.WEEKLY: frozenset({"day_of_week"}),
    RecurrenceType.MONTHLY: frozenset({"day_of_month"}),
    RecurrenceType.MONTHLY_NTH: frozenset({"week_of_month", "day_of_week"}),
    RecurrenceType.YEARLY: frozenset({"day_of_month", "month_of_year"}),
    RecurrenceType.YEARLY_NTH: frozenset({"week_of_month", "day_of_week", "month_of_year"}),
}
#: Of these the ones that may be missing: DayOfWeek of daily (R3892311) and of yearly patterns (R38949).
_OPTIONAL: dict[RecurrenceType, frozenset[str]] = {
    RecurrenceType.DAILY: frozenset({"day_of_week"}),
    RecurrenceType.YEARLY_NTH: frozenset({"day_of_week"}),
}
#: R28311, R345, R476, R193, R201, R326, R277; [MS-ASTASK] R156, R4221.
_RANGES = {
    "interval": (0, 999),
    "occurrences": (1, 999),
    "week_of_month": (1, 5),
    "day_of_month": (1, 31),
    "day_of_week": (1, 127),
    "month_of_year": (1, 12),
    "first_day_of_week": (0, 6),
    "regenerate": (0, 1),
    "dead_occur": (0, 255),
}
#: [MS-ASCAL] CalendarType R576-R591; the numbers between are reserved and Status 6, R53913.
CALENDAR_TYPES = frozenset({*range(13), 14, 15, 20})
#: The types whose CalendarType is asked for in responses, R143-R14313.
_WITH_CALENDAR = frozenset(
    {RecurrenceType.MONTHLY, RecurrenceType.MONTHLY_NTH, RecurrenceType.YEARLY, RecurrenceType.YEARLY_NTH}
)
#: Calendars whose months are not Gregorian, by their name in RFC 7529. The others only count years differently.
SCALES = {6: "ISLAMIC-CIVIL", 8: "HEBREW", 15: "CHINESE", 20: "DANGI"}
#: Japanese Lunar has no name in RFC 7529, and no groupware could lay it out.
_UNSAYABLE_CALENDARS = frozenset({14})

ANY_DAY, WEEKDAYS, WEEKEND = 127, 62, 65


def check(recurrence: Recurrence) -> None:
    """Raises Refused for what the specifications answer with Status 6."""
    kind = recurrence.type
    if kind is None:
        raise Refused("Recurrence without Type")  # [MS-ASTASK] R289
    for name, (low, high) in _RANGES.items():
        value = getattr(recurrence, name, None)
        if value is not None and not low <= value <= high:
            raise Refused(f"{name} {value} in a recurrence")
    for name in ("day_of_week", "day_of_month", "week_of_month", "month_of_year"):
        given = getattr(recurrence, name) is not None
        if given and name not in DAYS_OF[kind]:
            raise Refused(f"{name} in a recurrence of type {kind}")
        if not given and name in DAYS_OF[kind] - _OPTIONAL.get(kind, frozenset()):
            raise Refused(f"recurrence of type {kind} without {name}")
    number = recurrence.calendar_type
    if number is not None and (number not in CALENDAR_TYPES or number in _UNSAYABLE_CALENDARS):
        raise Refused(f"CalendarType {number}")
    if isinstance(recurrence, TaskRecurrence):
        if recurrence.start is None:
            raise Refused("task recurrence without Start")  # [MS-ASTASK] R37011
        if number is not None and kind not in _WITH_CALENDAR:
            raise Refused(f"CalendarType in a task recurrence of type {kind}")  # [MS-ASTASK] R81


def as_kind(recurrence: Recurrence, kind: type[R]) -> R:
    """The same recurrence as another page spells it; what only tasks have is left out."""
    return kind(**{f.name: getattr(recurrence, f.name) for f in fields(Recurrence)})


def to_rule(recurrence: Recurrence, start: Moment, before: Rule | None = None) -> Rule:
    """The RRULE of a series that begins at `start`. `before` is the rule in whose place it comes, whose WKST stays if
    the recurrence does not name one (FirstDayOfWeek exists from 14.1). Raises Refused.

    Interval 0 is 1, as Exchange 2010 SP1 and later have it (R5). Occurrences outranks Until (R53911).
    """
    check(recurrence)
    assert recurrence.type is not None
    rule = Rule(freq="DAILY", interval=recurrence.interval or 1, count=recurrence.occurrences)
    if recurrence.occurrences is None and recurrence.until is not None:
        rule = _with_until(rule, recurrence.until, start)
    week_start = before.week_start if before else None
    if recurrence.first_day_of_week is not None:
        week_start = (recurrence.first_day_of_week - 1) % 7
    scale = SCALES.get(recurrence.calendar_type or 0, "")
    rule = _with_days(replace(rule, week_start=week_start, scale=scale), recurrence, start)
    return replace(rule, leap=bool(recurrence.is_leap_month and scale and rule.by_month))


def from_rule(rule: Rule, start: Moment) -> Recurrence | None:
    """What a device is told of an RRULE; None for what EAS cannot say. CalendarType 0 unless the rule names another."""
    if rule.interval > 999 or (rule.count or 0) > 999 or rule.other or rule.by_week_no or rule.by_year_day:
        return None
    clock = ((rule.by_hour, start.wall.hour), (rule.by_minute, start.wall.minute), (rule.by_second, start.wall.second))
    if any(named and set(named) != {at} for named, at in clock):
        return None
    number = next((n for n, scale in SCALES.items() if scale == rule.scale), 0)
    if rule.scale and not number:
        return None
    said = _SAY[rule.freq](rule, start) if rule.freq in _SAY else None
    if said is None or said.type is None:
        return None
    return replace(
        said,
        interval=said.interval or rule.interval,
        until=None if rule.until is None else _instant_of(rule, start),
        occurrences=rule.count,
        calendar_type=number if said.type in _WITH_CALENDAR else None,
        is_leap_month=True if rule.leap else None,
        first_day_of_week=_first_day(rule, said.type),
    )


def completed(wanted: R, shown: Recurrence | None) -> R:
    """The recurrence with the calendar that the device was shown, if it names none: before 14.0 it cannot, and later
    few do."""
    if shown is None or wanted.calendar_type is not None or shown.type is not wanted.type:
        return wanted
    leap = shown.is_leap_month if wanted.is_leap_month is None else wanted.is_leap_month
    return replace(wanted, calendar_type=shown.calendar_type, is_leap_month=leap)


def same_rule(one: Rule, other: Rule) -> bool:
    """Whether two rules mean the same but for the words: WKST has a default, and matters with an interval only."""
    return _plain(one) == _plain(other)


def _plain(rule: Rule) -> Rule:
    matters = rule.freq == "WEEKLY" and rule.interval > 1
    return replace(rule, week_start=(rule.week_start or 0) if matters else None)


def in_wall_time(rule: Rule, start: Moment) -> Rule:
    """The rule with an UNTIL that can be compared with wall times of `start`. A DATE counts to the end of the day."""
    if rule.until is None:
        return rule
    if start.form is Form.DATE:
        wall = datetime.combine(rule.until.date(), time.min)
    elif rule.until_is_date:
        wall = datetime.combine(rule.until.date(), time(23, 59, 59))
    elif rule.until.tzinfo:
        wall = local(rule.until, start.zone)
    else:
        wall = rule.until
    return replace(rule, until=wall, until_is_date=False)


def _with_until(rule: Rule, until: datetime, start: Moment) -> Rule:
    """UNTIL has the type of DTSTART: a date, local time for floating ones, else UTC. RFC 5545 3.3.10."""
    if start.form is Form.DATE:
        return replace(rule, until=datetime.combine(local(until, start.zone).date(), time.min), until_is_date=True)
    return replace(rule, until=local(until, start.zone) if start.form is Form.FLOATING else until.astimezone(UTC))


def _instant_of(rule: Rule, start: Moment) -> datetime:
    """Until as an instant: for dates the midnight that begins the last day, else the last possible start."""
    assert rule.until is not None
    if start.form is Form.DATE or rule.until_is_date:
        at = time.min if start.form is Form.DATE else start.wall.time()
        return utc(datetime.combine(rule.until.date(), at), start.zone)
    return rule.until if rule.until.tzinfo else utc(rule.until, start.zone)


def _sum_of(days: Iterable[int]) -> int:
    """Weekdays (0 Monday) as DayOfWeek has them."""
    return sum(1 << (day + 1) % 7 for day in set(days))


def _weekdays_of(total: int) -> tuple[int, ...]:
    """DayOfWeek as weekdays (0 Monday), from Monday on."""
    return tuple(day for day in range(7) if total & 1 << (day + 1) % 7)


def _first_day(rule: Rule, kind: RecurrenceType) -> int | None:
    """FirstDayOfWeek, which weekly patterns must have in responses, R52523. RFC 5545's default is Monday."""
    if rule.week_start is None:
        return 1 if kind is RecurrenceType.WEEKLY else None
    return (rule.week_start + 1) % 7


def _with_days(rule: Rule, recurrence: Recurrence, start: Moment) -> Rule:
    """FREQ and the BY parts."""
    kind, days = recurrence.type, _weekdays_of(recurrence.day_of_week or 0)
    if kind is RecurrenceType.DAILY and not days:
        return rule
    if kind in (RecurrenceType.DAILY, RecurrenceType.WEEKLY):
        # R3892312: a daily pattern with days is a weekly one.
        return replace(rule, freq="WEEKLY", by_day=tuple((0, day) for day in days))
    monthly = kind in (RecurrenceType.MONTHLY, RecurrenceType.MONTHLY_NTH)
    months = (recurrence.month_of_year,) if recurrence.month_of_year and not monthly else ()
    rule = replace(rule, freq="MONTHLY" if monthly else "YEARLY", by_month=months)
    if recurrence.day_of_month is not None:
        return replace(rule, by_month_day=(recurrence.day_of_month,))
    nth = -1 if recurrence.week_of_month == 5 else recurrence.week_of_month or 1
    days = days or (start.wall.weekday(),)
    if len(days) == 7 and nth == -1:
        return replace(rule, by_month_day=(-1,))
    if len(days) == 1:
        return replace(rule, by_day=((nth, days[0]),))
    return replace(rule, by_day=tuple((0, day) for day in days), by_set_pos=(nth,))


def _say_daily(rule: Rule, start: Moment) -> Recurrence | None:
    if rule.by_month or rule.by_month_day or rule.by_set_pos:
        return None
    if not rule.by_day:
        return Recurrence(type=RecurrenceType.DAILY)
    if rule.interval != 1:
        return None
    return Recurrence(type=RecurrenceType.WEEKLY, day_of_week=_sum_of(day for _, day in rule.by_day))


def _say_weekly(rule: Rule, start: Moment) -> Recurrence | None:
    if rule.by_month or rule.by_month_day or rule.by_set_pos:
        return None
    days = [day for _, day in rule.by_day] or [start.wall.weekday()]
    return Recurrence(type=RecurrenceType.WEEKLY, day_of_week=_sum_of(days))


def _say_monthly(rule: Rule, start: Moment) -> Recurrence | None:
    if rule.by_month:
        return None
    if not rule.by_day and not rule.by_month_day:
        return None if rule.by_set_pos else Recurrence(type=RecurrenceType.MONTHLY, day_of_month=start.wall.day)
    return _say_days(rule)


def _say_yearly(rule: Rule, start: Moment) -> Recurrence | None:
    if len(rule.by_month) > 1:
        return _say_quarterly(rule, start)
    if any(month > 12 for month in rule.by_month) and not rule.scale:
        return None
    if not rule.by_day and not rule.by_month_day:
        if rule.by_set_pos:
            return None
        month = rule.by_month[0] if rule.by_month else start.wall.month
        return Recurrence(type=RecurrenceType.YEARLY, month_of_year=month, day_of_month=start.wall.day)
    if not rule.by_month or (said := _say_days(rule)) is None:
        return None
    nth = said.type is RecurrenceType.MONTHLY_NTH
    kind = RecurrenceType.YEARLY_NTH if nth else RecurrenceType.YEARLY
    return replace(said, type=kind, month_of_year=rule.by_month[0])


def _say_quarterly(rule: Rule, start: Moment) -> Recurrence | None:
    """Months at equal distances, among them the first one: every so many months."""
    months = sorted(set(rule.by_month))
    apart = 12 // len(months)
    if rule.interval != 1 or rule.scale or start.wall.month not in months or 12 % len(months):
        return None
    if any(second - first != apart for first, second in pairwise(months)):
        return None
    said = _say_monthly(replace(rule, by_month=()), start)
    return replace(said, interval=apart) if said else None


def _say_days(rule: Rule) -> Recurrence | None:
    """The days within a month: one date, the n-th of a weekday, or the n-th of several."""
    if rule.by_month_day:
        if rule.by_day or rule.by_set_pos or len(rule.by_month_day) != 1:
            return None
        day = rule.by_month_day[0]
        if day == -1:
            return Recurrence(type=RecurrenceType.MONTHLY_NTH, week_of_month=5, day_of_week=ANY_DAY)
        return Recurrence(type=RecurrenceType.MONTHLY, day_of_month=day) if day > 0 else None
    places = {n for n, _ in rule.by_day}
    days = [day for _, day in rule.by_day]
    if places == {0} and len(rule.by_set_pos) == 1:
        nth = rule.by_set_pos[0]
    elif len(days) == 1 and places != {0} and not rule.by_set_pos:
        nth = places.pop()
    else:
        return None
    # A fifth Monday is not a last one: months without one are passed over.
    if nth != -1 and not 1 <= nth <= 4:
        return None
    week = 5 if nth == -1 else nth
    return Recurrence(type=RecurrenceType.MONTHLY_NTH, week_of_month=week, day_of_week=_sum_of(days))


_SAY = {"DAILY": _say_daily, "WEEKLY": _say_weekly, "MONTHLY": _say_monthly, "YEARLY": _say_yearly}


def occurrences(
    rule: Rule, start: Moment, low: datetime, high: datetime, limit: int = MAX_OCCURRENCES
) -> list[Moment]:
    """The occurrences of a series whose start (not end) is from `low` to `high` (instants), the first one always
    counted as one. RDATE and EXDATE are the caller's. [low, high] must be bounded; so is the number."""
    margin = timedelta(days=2)
    wall_low = max(start.wall, local(low, start.zone) - margin if low.year > 2 else start.wall)
    wall_high = local(high, start.zone) + margin if high.year < 9998 else datetime.max
    # Some more, since the first ones may lie within the margin.
    walls = list(islice(rrule.between(in_wall_time(rule, start), start.wall, wall_low, wall_high), 2 * limit))
    if not walls or (walls[0] != start.wall and wall_low <= start.wall):
        walls = [start.wall, *walls] if start.wall <= wall_high else walls
    return [moment for moment in map(start.at, walls) if low <= moment.instant <= high][:limit]

