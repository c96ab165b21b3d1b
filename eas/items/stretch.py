"""A series that EAS has no words for, as a device is shown it: a stretch of it, in a pattern that EAS does have.

Several BYSETPOS, hours, week numbers, RDATEs, further rules, an exception for "this and all following": what such a
series does between two dates is laid out, and said as a daily, weekly or monthly pattern with exceptions. Where the
occurrences are part of a pattern, the rest of it are deleted exceptions (`kept in place`); else the n-th occurrence is
the n-th day, moved to where it belongs. The dates are those of whole years around now, less where that would take more
exceptions than a device is sent: docs/decisions/008-series-without-words.md.

The stored rules are never touched by this: an edit of an occurrence is led back to the real one, by `Stretch.original`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from .event import Event, Occurrence, Span
from .ical import Moment
from .recurrence import Recurrence, from_rule, occurrences
from .rrule import Rule

DAY = timedelta(days=1)
#: [MS-ASCAL] Exception R24311, Occurrences R345.
MAX_EXCEPTIONS, MAX_OCCURRENCES = 256, 999

#: How many months back it is looked at what a device may have been shown.
_EARLIER = range(1, 37)


@dataclass(frozen=True, slots=True)
class Stretch:
    """`span` are the times of the first occurrence, which the pattern begins with. `places` has all occurrences of the
    pattern, in order: when each would begin by it (the instant), and what is there, None for nothing."""

    span: Span
    recurrence: Recurrence
    places: Mapping[datetime, Occurrence | None]

    def original(self, at: datetime) -> Moment | None:
        """Which occurrence of the stored series stands at this place of the pattern."""
        found = self.places.get(at)
        return found.original if found else None

    def changed(self, event: Event) -> Iterator[tuple[Moment, Occurrence | None]]:
        """The places that are exceptions: those without an occurrence, and those with one that is elsewhere or
        otherwise than the pattern and the series have it."""
        for instant, found in self.places.items():
            place = self.span.start.like(instant)
            if found is None or found.component is not event.main or found.span.start.instant != instant:
                yield place, found


def stretch_of(event: Event, now: datetime) -> Stretch | None:
    """What is shown of the series at `now`; None if nothing of it can be laid out, or one occurrence alone."""
    for low, high in _windows(now.astimezone(UTC)):
        found = event.occurrences(low, high, MAX_OCCURRENCES)
        if not found:
            continue
        said = _in_place(event, found) or _in_turn(event, found)
        if said is not None:
            return said
    return None


def earlier(event: Event, now: datetime) -> Iterator[Stretch]:
    """What devices may have been shown in the years before, the latest first: one that asks for little still has it."""
    seen = None
    for months in _EARLIER:
        found = stretch_of(event, now - months * timedelta(days=30))
        if found is not None and found != seen:
            seen = found
            yield found


def _windows(now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Stretches around now, each shorter than the one before: whole years, months, weeks, so that what is shown does
    not change from day to day."""
    month = datetime(now.year, now.month, 1, tzinfo=UTC)
    week = datetime.combine(now.date() - timedelta(days=now.weekday()), time.min, UTC)
    if 3 < now.year < 9990:
        yield datetime(now.year - 1, 1, 1, tzinfo=UTC), datetime(now.year + 3, 1, 1, tzinfo=UTC)
        yield month - 95 * DAY, month + 400 * DAY
        yield month - 32 * DAY, month + 185 * DAY
        yield month, month + 64 * DAY
        yield week - 7 * DAY, week + 28 * DAY
        yield week, week + 14 * DAY
        day = datetime.combine(now.date(), time.min, UTC)
        yield day, day + 3 * DAY


def _in_place(event: Event, found: list[Occurrence]) -> Stretch | None:
    """The occurrences as part of a pattern that has them all where they are; None if there is none with few enough
    exceptions."""
    walls = [one.original.wall for one in found]
    if len({wall.date() for wall in walls}) < len(walls) or len({wall.time() for wall in walls}) > 1:
        return None
    by_instant = {one.original.instant: one for one in found}
    best: Stretch | None = None
    fewest = MAX_EXCEPTIONS + 1
    for rule in _covering([wall.date() for wall in walls]):
        start = found[0].original
        days = occurrences(rule, start, start.instant, found[-1].original.instant, MAX_OCCURRENCES + 1)
        if len(days) > MAX_OCCURRENCES or not by_instant.keys() <= {moment.instant for moment in days}:
            continue
        said = _said(event, rule, days, [by_instant.get(moment.instant) for moment in days])
        if said is not None and (needed := sum(1 for _ in said.changed(event))) < fewest:
            best, fewest = said, needed
    return best


def _covering(days: list[date]) -> Iterator[Rule]:
    """Patterns that have all of these days and perhaps more."""
    yield Rule(freq="DAILY")
    weekdays = sorted({day.weekday() for day in days})
    yield Rule(freq="WEEKLY", by_day=tuple((0, day) for day in weekdays), week_start=0)
    if len({day.day for day in days}) == 1:
        yield Rule(freq="MONTHLY", by_month_day=(days[0].day,))
    if len(weekdays) == 1 and len(places := {(day.day - 1) // 7 + 1 for day in days}) == 1 and 5 not in places:
        yield Rule(freq="MONTHLY", by_day=((places.pop(), weekdays[0]),))


def _in_turn(event: Event, found: list[Occurrence]) -> Stretch | None:
    """The n-th occurrence on the n-th day; None if that takes too many exceptions."""
    if len(found) > MAX_EXCEPTIONS + 1:
        return None
    start = found[0].original
    days = [start.at(start.wall + n * DAY) for n in range(len(found))]
    said = _said(event, Rule(freq="DAILY"), days, found)
    return said if said is not None and sum(1 for _ in said.changed(event)) <= MAX_EXCEPTIONS else None


def _said(event: Event, rule: Rule, days: list[Moment], there: Sequence[Occurrence | None]) -> Stretch | None:
    if len(days) < 2:
        return None
    recurrence = from_rule(replace(rule, count=len(days)), days[0])
    if recurrence is None:
        return None
    places = {day.instant: one for day, one in zip(days, there, strict=True)}
    if len(places) < len(days):
        return None  # two days that begin at once: where the calendar ends
    return Stretch(event.span.begun(days[0]), recurrence, places)


