"""An event as it lies in an iCalendar object: when it is, how it repeats, which occurrences differ. RFC 5545 3.6.1.

One object holds one UID: a VEVENT for the series, and one with RECURRENCE-ID for each occurrence that differs. An
object of such occurrences alone (an invitation to one of them) stands for the first of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from . import rrule
from .contentline import Component, Line
from .ical import Form, Moment, open_calendar, read_duration, read_moment, utc
from .native import Unreadable
from .recurrence import MAX_OCCURRENCES, Recurrence, from_rule, in_wall_time, occurrences
from .rrule import Rule
from .vtimezone import Zones

DAY = timedelta(days=1)
#: RRULEs and EXRULEs of one event. RFC 5545 says there should be one.
MAX_RULES = 20
#: EXDATEs and RDATEs that are read. A daily series of 20 years has 7,300 days.
MAX_DATES = 10_000


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when. `all_day`: `start` and `end` are midnights, whatever their form."""

    start: Moment
    end: Moment
    all_day: bool

    @property
    def length(self) -> timedelta:
        """On the clock for all-day events, in time for others."""
        return self.end.wall - self.start.wall if self.all_day else self.end.instant - self.start.instant

    def begun(self, start: Moment) -> Span:
        """The same length from another start on."""
        if self.all_day:
            return Span(start, start.at(_plus(start.wall, self.length)), True)
        return Span(start, self.end.like(_plus(start.instant, self.length)), False)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence: when it would begin by the pattern, when it is, and the component that describes it."""

    original: Moment
    span: Span
    component: Component


@dataclass(slots=True)
class Event:
    """`others` are the occurrences that differ, by the instant at which they would have begun."""

    calendar: Component
    zones: Zones
    main: Component
    span: Span
    others: dict[datetime, Component]

    @property
    def rules(self) -> list[Line]:
        return self.main.find("RRULE")

    @property
    def repeats(self) -> bool:
        """Whether this is a series of any kind, sayable or not."""
        return bool(self.rules or self.main.find("RDATE"))

    @property
    def rule(self) -> Rule | None:
        """The one RRULE; None if there is none, several, or one that is not understood."""
        if len(self.rules) != 1:
            return None
        try:
            return rrule.parse(self.rules[0].value)
        except rrule.BadRule:
            return None

    @property
    def recurrence(self) -> Recurrence | None:
        """What a device is told of the series; None also if EAS cannot say it (see `stretch.py`)."""
        rule = self.rule
        if rule is None or self.main.find("EXRULE") or self.main.find("RDATE") or self.onward:
            return None
        return from_rule(rule, self.span.start)

    @property
    def unsayable(self) -> bool:
        """A series that EAS has no words for."""
        return self.repeats and self.recurrence is None

    def original(self, line: Line) -> Moment:
        """A RECURRENCE-ID as the moment at which the occurrence begins in the series. Raises Unreadable."""
        return self.fitted(read_moment(line, self.zones))

    def fitted(self, moment: Moment) -> Moment:
        """A moment in the form and zone of the series; a date means the occurrence of that day, and the other way."""
        start = self.span.start
        if start.form is Form.DATE:
            return start.at(datetime.combine(moment.wall.date(), time.min))
        if moment.form is Form.DATE:
            return start.at(datetime.combine(moment.wall.date(), start.wall.time()))
        return start.like(moment.instant)

    @property
    def deleted(self) -> list[Moment]:
        """The EXDATEs."""
        return list(self._dates("EXDATE"))

    def _dates(self, name: str) -> Iterator[Moment]:
        count = 0
        for line in self.main.find(name):
            for value in line.value.split(","):
                count += 1
                if count > MAX_DATES:
                    return
                try:
                    yield self.original(line.with_value(value.partition("/")[0].strip()))
                except Unreadable:
                    continue

    def starts(self, low: datetime, high: datetime, limit: int = MAX_OCCURRENCES) -> list[Moment]:
        """When the occurrences would begin that begin from `low` to `high`, without the deleted ones; exceptions by
        their original start. Rules that cannot be laid out give the first occurrence alone."""
        first = self.span.start
        found = [first] if low <= first.instant <= high else []
        gone = {moment.instant for moment in self.deleted}
        for rule in self._rules("RRULE"):
            found += occurrences(rule, first, low, high, limit + len(gone))
        found += [moment for moment in self._dates("RDATE") if low <= moment.instant <= high]
        for rule in self._rules("EXRULE"):
            gone |= {moment.instant for moment in occurrences(rule, first, low, high)}
        unique = {moment.instant: moment for moment in found if moment.instant not in gone}
        return [unique[instant] for instant in sorted(unique)][:limit]

    def _rules(self, name: str) -> list[Rule]:
        """The rules that are understood."""
        found = []
        for line in self.main.find(name)[:MAX_RULES]:
            try:
                found.append(rrule.parse(line.value))
            except rrule.BadRule:
                continue
        return found

    @property
    def understood(self) -> list[Rule]:
        """The RRULEs that are understood."""
        return self._rules("RRULE")

    @property
    def onward(self) -> list[tuple[Moment, Component]]:
        """The exceptions that hold for all later occurrences, too (RANGE=THISANDFUTURE), in order."""
        found = []
        for component in self.others.values():
            line = component.first("RECURRENCE-ID")
            if line is not None and (line.param("RANGE") or "").upper() == "THISANDFUTURE":
                found.append((self.original(line), component))
        return sorted(found, key=lambda pair: pair[0].instant)

    def occurrence(self, original: Moment, onward: list[tuple[Moment, Component]] | None = None) -> Occurrence:
        """The occurrence that would begin at `original`, as it is. `onward` if it is at hand."""
        own = self.others.get(original.instant)
        if own is not None:
            return Occurrence(original, read_span(own, self.zones), own)
        onward = self.onward if onward is None else onward
        held = [pair for pair in onward if pair[0].instant <= original.instant]
        if not held:
            return Occurrence(original, self.span.begun(original), self.main)
        began, component = held[-1]
        model = read_span(component, self.zones)
        # As far from its place in the pattern, on the clock, as the first of them.
        return Occurrence(original, model.begun(model.start.at(_plus(original.wall, model.start.wall - began.wall))),
                          component)

    def occurrences(self, low: datetime, high: datetime, limit: int) -> list[Occurrence]:
        """Those that would begin by the pattern from `low` to `high`, in the order of the pattern; none if they are
        more than `limit`."""
        originals = {moment.instant: moment for moment in self.starts(low, high, limit + 1)}
        if len(originals) > limit:
            return []
        for component in self.others.values():
            line = component.first("RECURRENCE-ID")
            if line is not None and low <= (moment := self.original(line)).instant <= high:
                originals[moment.instant] = moment
        onward = self.onward
        return [self.occurrence(originals[instant], onward) for instant in sorted(originals)]

    def laid_out(self, low: datetime, high: datetime) -> list[tuple[Span, Component]]:
        """The occurrences that touch the time from `low` to `high`, each with the component that describes it."""
        reach = max(self.span.length, timedelta()) + DAY
        out, onward = [], self.onward
        for start in self.starts(_plus(low, -reach), high):
            if start.instant not in self.others:
                found = self.occurrence(start, onward)
                out.append((found.span, found.component))
        for component in self.others.values():
            out.append((read_span(component, self.zones), component))
        touching = [(span, c) for span, c in out if span.start.instant < high and span.end.instant > low]
        # Events of no length count where they are.
        touching += [(s, c) for s, c in out if s.start.instant == s.end.instant and low <= s.start.instant < high]
        return sorted(touching, key=lambda found: found[0].start.instant)

    def shown(self, now: datetime) -> Span:
        """Of a series that EAS cannot say: the occurrence that is now or comes next, else the first."""
        ahead = now + 400 * DAY
        for span, component in self.laid_out(now, ahead):
            if component is self.main:
                return span
        return self.span

    def end(self) -> datetime | None:
        """The instant after which nothing of this event happens; None if it never ends."""
        last = self.span
        if self.rules or self.main.find("RDATE"):
            dates = list(self._dates("RDATE"))
            rules = self._rules("RRULE")
            if len(rules) < len(self.rules):
                return None
            for rule in rules:
                final = rrule.last_of(in_wall_time(rule, self.span.start), self.span.start.wall)
                if final is None:
                    return None
                candidate = self.span.begun(self.span.start.at(final))
                last = max(last, candidate, key=lambda span: span.end.instant)
            ends = [self.span.begun(date).end.instant for date in dates]
        else:
            ends = []
        ends += [read_span(component, self.zones).end.instant for component in self.others.values()]
        return max([last.end.instant, self.span.end.instant, *ends])


def open_event(data: bytes, viewer_zone: tzinfo) -> Event:
    """Raises Unreadable if the object has no VEVENT, or its time cannot be understood."""
    calendar, found = open_calendar(data, "VEVENT")
    return event_of(calendar, found, viewer_zone)


def event_of(calendar: Component, found: list[Component], viewer_zone: tzinfo) -> Event:
    """The event of these VEVENTs. Raises Unreadable."""
    zones = Zones(calendar, viewer_zone)
    mains = [component for component in found if component.first("RECURRENCE-ID") is None]
    main = mains[0] if mains else found[0]
    event = Event(calendar, zones, main, read_span(main, zones), {})
    for component in found:
        line = component.first("RECURRENCE-ID")
        if component is main or line is None or not mains:
            continue
        if _uid(component) not in ("", _uid(main)):
            continue
        event.others[event.original(line).instant] = component
        read_span(component, zones)
    return event


def read_span(component: Component, zones: Zones) -> Span:
    """DTSTART with DTEND or DURATION; an end before the start counts as none. Raises Unreadable."""
    line = component.first("DTSTART")
    if line is None:
        raise Unreadable(f"{component.name} without DTSTART")
    start = read_moment(line, zones)
    all_day = start.form is Form.DATE
    end = _end(component, start, zones)
    marked = component.first("X-MICROSOFT-CDO-ALLDAYEVENT")
    if not all_day and marked is not None and marked.value.strip().upper() == "TRUE":
        # Exchange writes some all-day events as times, with this mark.
        all_day = start.wall.time() == end.wall.time() == time.min and end.wall > start.wall
    return Span(start, end, all_day)


def all_day_instants(span: Span, zone: tzinfo) -> tuple[datetime, datetime]:
    """The midnights of the first and after the last day in `zone`."""
    return utc(span.start.wall, zone), utc(span.end.wall, zone)


def _uid(component: Component) -> str:
    line = component.first("UID")
    return line.value.strip() if line else ""


def _end(component: Component, start: Moment, zones: Zones) -> Moment:
    default = start.at(_plus(start.wall, DAY)) if start.form is Form.DATE else start
    if line := component.first("DTEND"):
        end = read_moment(line, zones)
        if start.form is Form.DATE or end.form is Form.DATE:
            # A DATE on one side only: the days count.
            end = start.at(datetime.combine(end.wall.date(), time.min if start.form is Form.DATE else end.wall.time()))
            return end if end.wall > start.wall else default
        return end if end.instant >= start.instant else default
    if line := component.first("DURATION"):
        try:
            span = read_duration(line.value)
        except ValueError as error:
            raise Unreadable(str(error)) from None
        if span <= timedelta():
            return default
        if start.form is Form.DATE:
            return start.at(_plus(start.wall, max(DAY, timedelta(days=span.days))))
        # RFC 5545 3.3.6: days are days on the clock, the rest is time.
        on_clock = start.at(_plus(start.wall, timedelta(days=span.days)))
        return on_clock.like(_plus(on_clock.instant, timedelta(seconds=span.seconds)))
    return default


def _plus(moment: datetime, span: timedelta) -> datetime:
    try:
        return moment + span
    except OverflowError:
        return moment
