"""RRULE: text <-> Rule, and the occurrences of a rule in a stretch of time. RFC 5545 3.3.10, RFC 7529.

Times are wall times (naive datetimes) throughout: a rule repeats at the same hour on the clock, so that zones are the
caller's business. Nothing here knows ActiveSync; `recurrence.py` says which rules a device can be told.

Why not dateutil: it walks every period up to the year 9999 looking for a day that a rule such as
`FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30` never has (measured: 4 s, and hours for SECONDLY), and begins at DTSTART each time.
Here the periods are counted, and those before the stretch that is asked for are skipped. dateutil is the oracle in the
tests.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import product

#: Periods (years ... seconds) that one expansion looks at: 137 years of days, or a month of minutes. No rule of a
#: person is longer.
MAX_PERIODS = 50_000
#: Periods in a row without an occurrence after which there will be none. The rarest date, 29 February on a given
#: weekday, comes within 40 years; with an interval that leaves most years out it takes longer.
MAX_EMPTY = {
    "YEARLY": 500, "MONTHLY": 1_500, "WEEKLY": 5_000, "DAILY": 20_000,
    "HOURLY": 20_000, "MINUTELY": 20_000, "SECONDLY": 20_000,
}  # fmt: skip
#: RFC 5545 sets no bound; [MS-ASCAL] Interval R28311 and Occurrences R345 stop at 999. A year has 366 days.
MAX_INTERVAL = 100_000
MAX_COUNT = 1_000_000
#: Occurrences on one day. Every five minutes is more than anybody has.
MAX_TIMES = 288
#: Values in one BY list: BYYEARDAY may name each day of a leap year from both ends.
MAX_LIST = 732

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
#: Frequencies within a day, by the length of their period.
_WITHIN_DAY = {"HOURLY": timedelta(hours=1), "MINUTELY": timedelta(minutes=1), "SECONDLY": timedelta(seconds=1)}


class BadRule(ValueError):
    """No RRULE that could be understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One RRULE. `by_day` holds (n, weekday), n 0 for every one, negative from the end, weekday 0 for Monday.

    `until` is naive (wall time, 00:00 of a DATE) or aware in UTC; `until_is_date` if it was written as a DATE.
    `week_start` is None if WKST was not written (Monday). `scale` is RSCALE of RFC 7529, "" for Gregorian; `leap` says
    that BYMONTH carried the L of a leap month. `other` are the parts that are not known, as (name, value).
    """

    freq: str
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    until_is_date: bool = False
    by_month: tuple[int, ...] = ()
    by_week_no: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_day: tuple[tuple[int, int], ...] = ()
    by_hour: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_second: tuple[int, ...] = ()
    by_set_pos: tuple[int, ...] = ()
    week_start: int | None = None
    scale: str = ""
    leap: bool = False
    other: tuple[tuple[str, str], ...] = ()

    @property
    def expandable(self) -> bool:
        """False for what `between` cannot lay out: other calendars, unknown parts, week numbers of other than years,
        and what is beyond the bounds."""
        return (
            not (self.scale or self.other)
            and not (self.by_week_no and self.freq != "YEARLY")
            and (self.count or 0) <= MAX_PERIODS
            and max(1, len(self.by_hour)) * max(1, len(self.by_minute)) * max(1, len(self.by_second)) <= MAX_TIMES
        )


def parse(text: str) -> Rule:
    """Raises BadRule. Parts in any order and case; unknown parts are kept in `other`."""
    parts: dict[str, str] = {}
    other = []
    for piece in filter(None, (piece.strip() for piece in text.split(";"))):
        name, equals, value = piece.partition("=")
        name = name.strip().upper()
        if not equals or name in parts:
            raise BadRule(f"RRULE part {piece[:40]!r}")
        if name in _KNOWN:
            parts[name] = value.strip().upper()
        else:
            other.append((name, value.strip()))
    freq = parts.get("FREQ", "")
    if freq not in FREQUENCIES:
        raise BadRule(f"FREQ {freq[:20]!r}")
    until, is_date = _until(parts["UNTIL"]) if "UNTIL" in parts else (None, False)
    months = [m.removesuffix("L") for m in parts.get("BYMONTH", "").split(",")] if "BYMONTH" in parts else []
    return Rule(
        freq=freq,
        interval=_number(parts.get("INTERVAL", "1"), 1, MAX_INTERVAL),
        count=_number(parts["COUNT"], 1, MAX_COUNT) if "COUNT" in parts else None,
        until=until,
        until_is_date=is_date,
        by_month=tuple(_number(m, 1, 13) for m in months),
        leap="L" in parts.get("BYMONTH", ""),
        by_day=tuple(_weekday(d) for d in _list(parts.get("BYDAY", ""))),
        week_start=_weekday(parts["WKST"])[1] if "WKST" in parts else None,
        scale="" if parts.get("RSCALE", "GREGORIAN") == "GREGORIAN" else parts["RSCALE"],
        other=tuple(other),
        **{field: _numbers(parts.get(name, ""), low, high) for name, (field, low, high) in _LISTS.items()},
    )


def show(rule: Rule) -> str:
    """The rule as the value of an RRULE line."""
    out = [f"RSCALE={rule.scale}"] if rule.scale else []
    out.append(f"FREQ={rule.freq}")
    if rule.interval != 1:
        out.append(f"INTERVAL={rule.interval}")
    if rule.count is not None:
        out.append(f"COUNT={rule.count}")
    elif rule.until is not None:
        out.append(f"UNTIL={_show_until(rule)}")
    if rule.by_month:
        out.append("BYMONTH=" + ",".join(f"{m}L" if rule.leap else str(m) for m in rule.by_month))
    if rule.by_day:
        out.append("BYDAY=" + ",".join(f"{n or ''}{WEEKDAYS[day]}" for n, day in rule.by_day))
    for name, (field, _, _) in _LISTS.items():
        if values := getattr(rule, field):
            out.append(f"{name}={','.join(map(str, values))}")
    if rule.week_start is not None:
        out.append(f"WKST={WEEKDAYS[rule.week_start]}")
    return ";".join(out + [f"{name}={value}" for name, value in rule.other])


def between(rule: Rule, start: datetime, low: datetime, high: datetime) -> Iterator[datetime]:
    """The occurrences of `rule` from `low` to `high`, both included, in order; all naive, `start` as DTSTART.

    DTSTART itself only if the rule meets it. An aware `until` is compared as if it were wall time: convert it first.
    Empty for a rule that is not `expandable`. At most MAX_PERIODS periods are looked at.
    """
    if not rule.expandable:
        return
    rule = _with_defaults(rule, start)
    last = high if rule.until is None else min(high, rule.until.replace(tzinfo=None))
    first = 0 if rule.count is not None else max(0, _period_of(rule, start, low) - 1)
    seen = empty = 0
    index = first
    for _ in range(MAX_PERIODS):
        found, begins = _period(rule, start, index)
        empty = 0 if found else empty + 1
        if begins is None or begins > last or empty > MAX_EMPTY[rule.freq]:
            return
        for moment in found:
            if moment < start:
                continue
            if moment > last:
                return
            seen += 1
            if moment >= low:
                yield moment
            if seen == rule.count:
                return
        index = index + 1 if found else _following(rule, start, index, begins)


def _following(rule: Rule, start: datetime, index: int, begins: datetime) -> int:
    """The period to look at after an empty one: within a day that is none of the rule's, or an hour, none is left."""
    if rule.freq not in _WITHIN_DAY:
        return index + 1
    if not _meets(rule, begins.date()):
        rest = timedelta(days=1) - (begins - datetime.combine(begins.date(), time.min))
    elif rule.freq != "HOURLY" and rule.by_hour and begins.hour not in rule.by_hour:
        rest = timedelta(hours=1) - timedelta(minutes=begins.minute, seconds=begins.second)
    else:
        return index + 1
    return index + max(1, -(-rest // (_WITHIN_DAY[rule.freq] * rule.interval)))


def last_of(rule: Rule, start: datetime) -> datetime | None:
    """The last occurrence; None if the rule has no end, or is not `expandable`, or its end is beyond MAX_PERIODS."""
    if not rule.expandable or (rule.count is None and rule.until is None):
        return None
    if rule.count is not None:
        found = list(between(rule, start, start, datetime.max))
        return found[-1] if len(found) == rule.count else None
    assert rule.until is not None
    until = rule.until.replace(tzinfo=None)
    if until <= start:
        return start
    # Look back in growing steps rather than through a daily series of ten years.
    unit = _WITHIN_DAY.get(rule.freq, timedelta(days=1))
    for steps in (40, 400, 4000, 40_000):
        back = steps * rule.interval * unit if steps * rule.interval < 700_000 else datetime.max - datetime.min
        low = max(start, until - back) if back < until - start else start
        if found := list(between(rule, start, low, until)):
            return found[-1]
        if low == start:
            break
    return start


_LISTS = {
    "BYMONTHDAY": ("by_month_day", -31, 31),
    "BYYEARDAY": ("by_year_day", -366, 366),
    "BYWEEKNO": ("by_week_no", -53, 53),
    "BYHOUR": ("by_hour", 0, 23),
    "BYMINUTE": ("by_minute", 0, 59),
    "BYSECOND": ("by_second", 0, 60),
    "BYSETPOS": ("by_set_pos", -366, 366),
}
_KNOWN = frozenset({*_LISTS, "FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYDAY", "WKST", "RSCALE"})
_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_STAMP = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII)


def _number(text: str, low: int, high: int) -> int:
    if not _NUMBER.fullmatch(text.strip()) or not low <= int(text) <= high:
        raise BadRule(f"RRULE number {text[:20]!r}")
    return int(text)


def _list(text: str) -> list[str]:
    values = [value.strip() for value in text.split(",")] if text else []
    if len(values) > MAX_LIST:
        raise BadRule("RRULE list too long")
    return values


def _numbers(text: str, low: int, high: int) -> tuple[int, ...]:
    values = tuple(_number(value, low, high) for value in _list(text))
    if low < 0 and 0 in values:
        raise BadRule("RRULE list with 0")
    return values


def _weekday(text: str) -> tuple[int, int]:
    found = _DAY.fullmatch(text)
    if not found or not -53 <= int(found[1] or 0) <= 53:
        raise BadRule(f"RRULE weekday {text[:20]!r}")
    return int(found[1] or 0), WEEKDAYS.index(found[2])


def _until(text: str) -> tuple[datetime, bool]:
    found = _STAMP.fullmatch(text)
    if not found:
        raise BadRule(f"UNTIL {text[:20]!r}")
    try:
        moment = datetime.strptime(found[1] + (found[2] or "000000"), "%Y%m%d%H%M%S")
    except ValueError:
        raise BadRule(f"UNTIL {text[:20]!r}") from None
    return moment.replace(tzinfo=UTC) if found[3] else moment, not found[2]


def _show_until(rule: Rule) -> str:
    assert rule.until is not None
    if rule.until_is_date:
        return f"{rule.until:%Y%m%d}".zfill(8)
    return f"{rule.until:%Y%m%dT%H%M%S}".zfill(15) + ("Z" if rule.until.tzinfo else "")


def _with_defaults(rule: Rule, start: datetime) -> Rule:
    """What DTSTART says where the rule says nothing. RFC 5545 3.3.10, last paragraphs."""
    added: dict[str, tuple[object, ...]] = {}
    if rule.by_week_no and not (rule.by_month_day or rule.by_day or rule.by_year_day):
        added = {"by_day": ((0, start.weekday()),)}
    elif not (rule.by_month_day or rule.by_day or rule.by_year_day):
        if rule.freq == "YEARLY":
            added = {"by_month": rule.by_month or (start.month,), "by_month_day": (start.day,)}
        elif rule.freq == "MONTHLY":
            added = {"by_month_day": (start.day,)}
        elif rule.freq == "WEEKLY":
            added = {"by_day": ((0, start.weekday()),)}
    # What is finer than the period comes from DTSTART; the period's own part and coarser ones are filters.
    fine = ("HOURLY", "MINUTELY", "SECONDLY").index(rule.freq) + 1 if rule.freq in _WITHIN_DAY else 0
    return replace(
        rule,
        by_hour=tuple(sorted(set(rule.by_hour))) or ((start.hour,) if fine < 1 else ()),
        by_minute=tuple(sorted(set(rule.by_minute))) or ((start.minute,) if fine < 2 else ()),
        by_second=tuple(sorted({min(s, 59) for s in rule.by_second})) or ((start.second,) if fine < 3 else ()),
        **added,  # type: ignore[arg-type]
    )


def _week_begins(rule: Rule, day: date) -> int:
    """Ordinal of the first day of the week of `day`, 0 or less before the year 1."""
    return day.toordinal() - (day.weekday() - (rule.week_start or 0)) % 7


def _period_of(rule: Rule, start: datetime, moment: datetime) -> int:
    """The index of the period that holds `moment`; negative before `start`."""
    if rule.freq == "YEARLY":
        passed = moment.year - start.year
    elif rule.freq == "MONTHLY":
        passed = (moment.year - start.year) * 12 + moment.month - start.month
    elif rule.freq == "WEEKLY":
        passed = (_week_begins(rule, moment.date()) - _week_begins(rule, start.date())) // 7
    elif rule.freq in _WITHIN_DAY:
        passed = (moment - _begun(rule, start)) // _WITHIN_DAY[rule.freq]
    else:
        passed = moment.toordinal() - start.toordinal()
    return passed // rule.interval


def _period(rule: Rule, start: datetime, index: int) -> tuple[list[datetime], datetime | None]:
    """The occurrences within period `index`, and when it begins; None for a period beyond the year 9999."""
    step = index * rule.interval
    if rule.freq in _WITHIN_DAY:
        return _period_within_day(rule, start, step)
    if step > _MAX_ORDINAL:
        return [], None
    if rule.freq == "YEARLY":
        first, end = _months(start.year + step, 1, 12)
    elif rule.freq == "MONTHLY":
        months = start.month - 1 + step
        first, end = _months(start.year + months // 12, months % 12 + 1, 1)
    elif rule.freq == "WEEKLY":
        first = _week_begins(rule, start.date()) + 7 * step
        end = first + 7
    else:
        first = start.toordinal() + step
        end = first + 1
    if first < 1:
        first = 1
    if first >= _MAX_ORDINAL:
        return [], None
    days = [day for day in map(date.fromordinal, range(first, min(end, _MAX_ORDINAL))) if _meets(rule, day)]
    times = [time(h, m, s) for h, m, s in product(rule.by_hour, rule.by_minute, rule.by_second)]
    found = [datetime.combine(day, at) for day in days for at in times]
    return _placed(rule, found), datetime.combine(date.fromordinal(first), time.min)


def _begun(rule: Rule, start: datetime) -> datetime:
    """The beginning of the hour, minute or second of `start`."""
    if rule.freq == "HOURLY":
        return start.replace(minute=0, second=0, microsecond=0)
    return start.replace(second=0 if rule.freq == "MINUTELY" else start.second, microsecond=0)


def _period_within_day(rule: Rule, start: datetime, step: int) -> tuple[list[datetime], datetime | None]:
    """The occurrences within the hour, minute or second that is `step` of them after that of `start`."""
    try:
        begins = _begun(rule, start) + step * _WITHIN_DAY[rule.freq]
    except OverflowError:
        return [], None
    if not _meets(rule, begins.date()) or (rule.by_hour and begins.hour not in rule.by_hour):
        return [], begins
    minutes, seconds = rule.by_minute, rule.by_second
    if rule.freq != "HOURLY":
        if minutes and begins.minute not in minutes:
            return [], begins
        minutes = (begins.minute,)
    if rule.freq == "SECONDLY":
        if seconds and begins.second not in seconds:
            return [], begins
        seconds = (begins.second,)
    found = [begins.replace(minute=m, second=s) for m, s in product(minutes, seconds)]
    return _placed(rule, found), begins


def _placed(rule: Rule, found: list[datetime]) -> list[datetime]:
    """What BYSETPOS leaves of the occurrences within one period."""
    if not rule.by_set_pos:
        return found
    places = {pos - 1 if pos > 0 else len(found) + pos for pos in rule.by_set_pos}
    return [moment for place, moment in enumerate(found) if place in places]


_MAX_ORDINAL = date.max.toordinal()


def _months(year: int, month: int, count: int) -> tuple[int, int]:
    """First ordinal of `count` months, and the first one after them."""
    if year > 9998:
        return _MAX_ORDINAL, _MAX_ORDINAL
    after = month + count - 1
    return date(year, month, 1).toordinal(), date(year + after // 12, after % 12 + 1, 1).toordinal()


def _meets(rule: Rule, day: date) -> bool:
    if rule.by_month and day.month not in rule.by_month:
        return False
    if rule.by_month_day:
        length = calendar.monthrange(day.year, day.month)[1]
        if day.day not in rule.by_month_day and day.day - length - 1 not in rule.by_month_day:
            return False
    if rule.by_year_day:
        length = 366 if calendar.isleap(day.year) else 365
        of_year = day.timetuple().tm_yday
        if of_year not in rule.by_year_day and of_year - length - 1 not in rule.by_year_day:
            return False
    if rule.by_week_no and not _in_week(rule, day):
        return False
    return not rule.by_day or any(wd == day.weekday() and _nth(rule, day, n) for n, wd in rule.by_day)


def _in_week(rule: Rule, day: date) -> bool:
    """Whether the week of `day` has one of the numbers; week 1 is the first with four days in its year. RFC 5545
    3.3.10 BYWEEKNO."""
    first = _week_begins(rule, day)
    year = date.fromordinal(min(max(first + 3, 1), _MAX_ORDINAL)).year
    one = _week_begins(rule, date(year, 1, 4))
    following = _week_begins(rule, date(year + 1, 1, 4)) if year < 9999 else one + 53 * 7
    number, weeks = (first - one) // 7 + 1, (following - one) // 7
    return number in rule.by_week_no or number - weeks - 1 in rule.by_week_no


def _nth(rule: Rule, day: date, n: int) -> bool:
    """Whether `day` is the n-th of its weekday in its month, or in its year where the rule names no month."""
    if n == 0 or rule.freq not in ("MONTHLY", "YEARLY") or rule.by_week_no:
        return True
    if rule.freq == "MONTHLY" or rule.by_month:
        place, length = day.day, calendar.monthrange(day.year, day.month)[1]
    else:
        place, length = day.timetuple().tm_yday, 366 if calendar.isleap(day.year) else 365
    return n == ((place - 1) // 7 + 1 if n > 0 else -((length - place) // 7 + 1))
