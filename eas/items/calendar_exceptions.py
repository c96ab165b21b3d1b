"""Exceptions that a device sends, and those that have to follow when their series moves. [MS-ASCAL] Exception,
Exceptions R541-R544; RFC 5545 3.8.4.4, 3.8.5.1.

An exception of iCalendar is a whole VEVENT: it inherits nothing. So a new one begins as a copy of the series, and what
a device leaves out of its Exception is taken from the series.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from eas.protocol.version import SERVER_OWNS_MEETINGS, Version

from . import comment, enclosed, participants
from .appointment import CANCELLED, FROM_16, Attendee, Exception_
from .body import Wanted
from .calendar_view import CAN_BE_EMPTY, VEVENT, describe, exceptions, original_time, show_exception
from .contentline import Component, Line
from .event import DAY, Event, Span, read_span
from .ical import Form, Moment, form_for, local, moment_line, set_line, set_value, utc, utc_value
from .native import Refused, Viewer
from .place import whole
from .recurrence import in_wall_time, occurrences
from .stretch import Stretch

#: Lines of a series that its exceptions do not have.
_OF_SERIES = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE", "X-EAS-CALENDARTYPE", "DURATION", "DTEND"})
#: How far to look for the occurrences around one, by FREQ: a step of the pattern, and a leap year's rarity.
_STEP = {
    "SECONDLY": DAY / 24, "MINUTELY": DAY / 24, "HOURLY": DAY, "DAILY": DAY, "WEEKLY": 7 * DAY, "MONTHLY": 62 * DAY,
    "YEARLY": 366 * 4 * DAY,
}  # fmt: skip
_TIMING = ("start_time", "end_time", "all_day_event")
#: Fields of the table that exceptions have.
_SIMPLE = tuple(name for name in VEVENT if name != "disallow_new_time_proposal")


def put(event: Event, sent: Iterable[Exception_], viewer: Viewer, version: Version) -> None:
    """Each exception that was sent takes the place of the one that is there; the others stay. Raises Refused."""
    series = describe(event.main, Wanted(), viewer, version)
    mine = participants.is_organizer(event.main, viewer)
    for exception in sent:
        original = original_of(event, exception, version)
        if original is None:
            continue
        if exception.deleted:
            delete(event, original)
            continue
        held = event.others.get(original.instant)
        shown = show_exception(event, held, series, Wanted(), viewer, version) if held else None
        if not mine:
            # The times of a meeting are its organizer's.
            was = shown or Exception_()
            exception = replace(
                exception, start_time=was.start_time, end_time=was.end_time, all_day_event=was.all_day_event
            )
        if shown == replace(exception, deleted=None):
            continue
        component = held or make(event, original)
        _write_times(event, component, original, exception, shown, version)
        _write_fields(event, component, exception, shown, viewer, version)


def put_in_stretch(
    event: Event, stretch: Stretch, sent: Iterable[Exception_], viewer: Viewer, version: Version
) -> None:
    """Exceptions to a pattern that the device was shown in the place of the real one. Raises Refused."""
    shown = {e.exception_start_time: e for e in exceptions(event, stretch, Wanted(), viewer, version)}
    for exception in sent:
        was = shown.get(exception.exception_start_time)
        if was == exception or (was and was.deleted and exception.deleted):
            continue
        if (original := place_of(event, stretch, exception, version)) is not None:
            put(event, [_at_original(event, original, exception, was, viewer, version)], viewer, version)


def place_of(event: Event, stretch: Stretch, exception: Exception_, version: Version) -> Moment | None:
    """The occurrence that stands at a place of a pattern; None if nothing does, and nothing shall. Raises Refused."""
    at = exception.exception_start_time
    if at is None:
        raise Refused("an exception without ExceptionStartTime")
    if event.span.start.form is Form.DATE and version in FROM_16:
        at = utc(at.replace(tzinfo=None), event.span.start.zone)
    original = stretch.original(at)
    if original is None:
        if exception.deleted:
            return None
        raise Refused("an exception to an occurrence that does not exist")
    found = event.occurrence(original)
    if not exception.deleted and found.component not in (event.main, event.others.get(original.instant)):
        raise Refused("an occurrence that follows an exception which ActiveSync cannot express")
    return original


def _at_original(
    event: Event, original: Moment, sent: Exception_, was: Exception_ | None, viewer: Viewer, version: Version
) -> Exception_:
    """The exception as one to the real pattern: times that were not changed are those of the occurrence."""
    sent = replace(sent, exception_start_time=original_time(event, original.wall, version))
    timing = [(e.start_time, e.end_time) for e in (sent, was or Exception_())]
    if sent.deleted or timing[0] != timing[1]:
        return sent
    series = describe(event.main, Wanted(), viewer, version)
    held = event.others.get(original.instant)
    real = show_exception(event, held, series, Wanted(), viewer, version) if held else Exception_()
    return replace(sent, start_time=real.start_time, end_time=real.end_time, all_day_event=real.all_day_event)


def make(event: Event, original: Moment) -> Component:
    """A new exception, which so far is as the series; an occurrence that was deleted is there again."""
    component = _copy_of_series(event, original)
    _undelete(event, original)
    event.calendar.add(component)
    event.others[original.instant] = component
    return component


def delete(event: Event, original: Moment) -> None:
    """Take one occurrence out of the series."""
    held = event.others.pop(original.instant, None)
    if held is not None:
        event.calendar.remove(held)
    if original.instant not in {moment.instant for moment in event.deleted}:
        event.main.add(moment_line("EXDATE", original, event.zones))


def drop(event: Event) -> None:
    """The event does not repeat any more."""
    for component in event.others.values():
        event.calendar.remove(component)
    event.others.clear()
    set_value(event.main, "EXDATE", None)


def follow(event: Event, old: Span) -> None:
    """The series was moved or got another pattern: `event` has the new one, `old` are its former times. An exception
    goes to the occurrence of the same day, or of the day that is as far from the first one as before; one without such
    a counterpart goes. Times that it had of its own stay."""
    new = event.span
    days = new.start.wall.date() - old.start.wall.date()
    moved = {}
    others, event.others = event.others, {}
    for component in others.values():
        line = component.first("RECURRENCE-ID")
        assert line is not None
        before = _as_in(event, line, old)
        after = _counterpart(event, before, days)
        if after is None:
            event.calendar.remove(component)
            continue
        span = read_span(component, event.zones)
        if (before.wall, before.zone, before.form) != (after.wall, after.zone, after.form):
            set_line(component, moment_line("RECURRENCE-ID", after, event.zones))
            if span.start.instant == before.instant:
                same = span.length == old.length and span.all_day == old.all_day
                write_times(event, component, new.begun(after) if same else span.begun(after))
        event.others[after.instant] = component
    deleted = event.main.find("EXDATE")
    for line in deleted:
        for value in line.value.split(","):
            moved[value] = [
                (before, _counterpart(event, before, days)) for before in _moments(event, line, value, old)
            ]
    if any(before != after for pairs in moved.values() for before, after in pairs):
        set_value(event.main, "EXDATE", None)
        for moment in {after for pairs in moved.values() for _, after in pairs if after}:
            event.main.add(moment_line("EXDATE", moment, event.zones))


def write_times(event: Event, component: Component, span: Span) -> None:
    """DTSTART and DTEND of an exception."""
    held = {name: component.first(name) for name in ("DTSTART", "DTEND", "DURATION")}
    for name, moment in (("DTSTART", span.start), ("DTEND", span.end)):
        line = moment_line(name, moment, event.zones)
        if (old := held[name]) is None or (old.value, old.params) != (line.value, line.params):
            set_line(component, line)
    set_value(component, "DURATION", None)


def copied(component: Component) -> Component:
    """Components are edited in place: a copy must share none."""
    items = [copied(item) if isinstance(item, Component) else item for item in component.items]
    return Component(component.name, list[Line | Component](items), component.begin, component.end)


def _is_occurrence(event: Event, moment: Moment) -> bool:
    """Whether the series has, or had before it was changed or deleted, an occurrence at this moment."""
    instant = moment.instant
    known = {event.span.start.instant, *event.others, *(deleted.instant for deleted in event.deleted)}
    if instant in known:
        return True
    rule = event.rule
    if rule is None and any(rrule.expandable for rrule in event.understood):
        return instant in {at.instant for at in event.starts(instant, instant)}
    if rule is None or not rule.expandable:
        return True
    found = occurrences(rule, event.span.start, instant, instant)
    return bool(found) or instant in {at.instant for at in event.starts(instant, instant)}


def original_of(event: Event, exception: Exception_, version: Version) -> Moment | None:
    """Which occurrence is meant. Devices err in the time of day (iOS): the only occurrence of that day is taken then.
    None if something is to be deleted that is not there. Raises Refused."""
    at = exception.exception_start_time
    if at is None:
        raise Refused("an exception without ExceptionStartTime")
    start = event.span.start
    if start.form is Form.DATE:
        walls = [at.replace(tzinfo=None)] if version in FROM_16 else [local(at, start.zone), at.replace(tzinfo=None)]
        moments = [start.at(_midnight(wall)) for wall in walls]
    else:
        moments = [start.like(at)]
    if (found := next((moment for moment in moments if _is_occurrence(event, moment)), None)) is not None:
        return found
    day = moments[0].at(datetime.combine(moments[0].wall.date(), time.min))
    rule = event.rule
    if rule is not None and start.form is not Form.DATE:
        near = occurrences(rule, start, day.instant, day.instant + DAY - timedelta(seconds=1))
        if len(near) == 1:
            return near[0]
    if exception.deleted:
        return None
    raise Refused("an exception to an occurrence that does not exist")


def _midnight(wall: datetime) -> datetime:
    return datetime.combine((wall + timedelta(hours=12)).date(), time.min)


def _copy_of_series(event: Event, original: Moment) -> Component:
    """A VEVENT for one occurrence, as the series has it."""
    made = copied(event.main)
    made.items = [item for item in made.items if isinstance(item, Component) or item.name not in _OF_SERIES]
    made.begin = made.end = None
    span = event.span.begun(original)
    set_line(made, moment_line("DTSTART", span.start, event.zones))
    made.add(moment_line("DTEND", span.end, event.zones))
    made.add(moment_line("RECURRENCE-ID", original, event.zones))
    return made


def _undelete(event: Event, original: Moment) -> None:
    """Take the EXDATE of an occurrence away."""
    for line in event.main.find("EXDATE"):
        values = line.value.split(",")
        at = {value: {moment.instant for moment in _moments(event, line, value, event.span)} for value in values}
        kept = [value for value in values if original.instant not in at[value]]
        if not kept:
            event.main.remove(line)
        elif len(kept) != len(values):
            event.main.replace(line, line.with_value(",".join(kept)))


def _write_times(
    event: Event, component: Component, original: Moment, sent: Exception_, shown: Exception_ | None, version: Version
) -> None:
    """The times that were sent, else those of the series. Raises Refused for times that cannot be."""
    if shown is not None and all(getattr(sent, name) == getattr(shown, name) for name in _TIMING):
        return
    inherited = event.span.begun(original)
    span = inherited
    if any(getattr(sent, name) is not None for name in _TIMING):
        span = _sent_span(event, inherited, sent, version)
        _check_place(event, original, span)
    write_times(event, component, span)


def _sent_span(event: Event, inherited: Span, sent: Exception_, version: Version) -> Span:
    all_day = inherited.all_day if sent.all_day_event is None else sent.all_day_event
    start = sent.start_time
    if start is None:
        start = inherited.start.wall.replace(tzinfo=UTC) if all_day and version in FROM_16 else inherited.start.instant
    zone = event.span.start.zone
    if all_day:
        floating = version in FROM_16
        first = _midnight(start.replace(tzinfo=None) if floating else local(start, zone))
        ends = sent.end_time
        last = first + DAY if ends is None else _midnight(ends.replace(tzinfo=None) if floating else local(ends, zone))
        if ends is None and inherited.all_day:
            last = first + inherited.length
        moment = Moment(first, zone, Form.DATE)
        return Span(moment, moment.at(max(last, first + DAY)), True)
    end = sent.end_time or start + (inherited.end.instant - inherited.start.instant)
    if end < start:
        raise Refused("an exception that ends before it starts")
    form = form_for(zone) if inherited.start.form is Form.DATE else inherited.start.form
    moment = Moment(local(start, zone), zone, form)
    return Span(moment, moment.like(end), False)


def _check_place(event: Event, original: Moment, span: Span) -> None:
    """An exception stays between its neighbours, R386-R388; where the series overlaps itself, only their order counts.
    Raises Refused."""
    rule = event.rule
    if rule is None or not rule.expandable:
        return
    reach = _STEP[rule.freq] * (rule.interval + 1)
    try:
        low, high = original.instant - reach, original.instant + reach
    except OverflowError:
        return
    starts = [moment for moment in event.starts(low, high) if moment.instant != original.instant]
    before = max((m for m in starts if m.instant < original.instant), key=lambda m: m.instant, default=None)
    after = min((m for m in starts if m.instant > original.instant), key=lambda m: m.instant, default=None)
    if before is not None:
        held = _actual(event, before)
        overlap = event.span.begun(before).end.instant > original.instant
        if span.start.instant < (held.start if overlap else held.end).instant:
            raise Refused("an exception before the end of the occurrence before it")
    if after is not None:
        held = _actual(event, after)
        overlap = event.span.begun(original).end.instant > after.instant
        if (span.start if overlap else span.end).instant > held.start.instant:
            raise Refused("an exception after the start of the occurrence after it")


def _actual(event: Event, start: Moment) -> Span:
    component = event.others.get(start.instant)
    return read_span(component, event.zones) if component else event.span.begun(start)


def _write_fields(
    event: Event, component: Component, sent: Exception_, shown: Exception_ | None, viewer: Viewer, version: Version
) -> None:
    """What was sent, what was taken away, and from the series what was left out."""
    for name in _SIMPLE:
        if _differs(name, sent, shown):
            value = _value(name, sent)
            value = VEVENT[name].load(event.main) if value is _INHERITED else value
            VEVENT[name].dump(whole(value) if name == "location" and version in FROM_16 else value, component)
    # A body that is left out is kept, as everywhere ([MS-ASCMD] Change).
    if _differs("body", sent, shown) and (value := _value("body", sent)) is not _INHERITED:
        comment.dump(component, value)
    enclosed.dump(sent.attachments, component)
    if not participants.is_organizer(event.main, viewer):
        return
    if version >= Version.V14_0 and _differs("attendees", sent, shown):
        value = _value("attendees", sent)
        if value is _INHERITED:
            _inherit_attendees(event, component)
        else:
            participants.dump_attendees(component, _answers_kept(value or (), version), asks=None)
    if sent.meeting_status is not None:
        held = component.first("STATUS")
        cancelled = held is not None and held.value.strip().upper() == "CANCELLED"
        if bool(sent.meeting_status & CANCELLED) is not cancelled:
            set_value(component, "STATUS", None if cancelled else "CANCELLED")
    if sent.dt_stamp is not None and version not in SERVER_OWNS_MEETINGS:
        set_value(component, "DTSTAMP", utc_value(sent.dt_stamp))


_INHERITED: Any = object()


def _value(name: str, sent: Exception_) -> Any:
    """The value, None or () for one that was taken away, or _INHERITED."""
    value = getattr(sent, name)
    if value not in (None, ()):
        return value
    return value if name in sent.removed and name in CAN_BE_EMPTY else _INHERITED


def _differs(name: str, sent: Exception_, shown: Exception_ | None) -> bool:
    """Whether the exception has it otherwise than the component: a new one is as the series."""
    if shown is None:
        return _value(name, sent) is not _INHERITED
    return bool(_value(name, sent) != _value(name, shown))


def _answers_kept(attendees: Iterable[Attendee], version: Version) -> tuple[Attendee, ...]:
    """From 16.0 on what a device says of the answers counts for nothing, R2028."""
    without = version in SERVER_OWNS_MEETINGS
    return tuple(replace(attendee, status=None) if without else attendee for attendee in attendees)


def _inherit_attendees(event: Event, component: Component) -> None:
    for line in component.find("ATTENDEE"):
        component.remove(line)
    for line in event.main.find("ATTENDEE"):
        component.add(line)


def _as_in(event: Event, line: Line, old: Span) -> Moment:
    """A RECURRENCE-ID or EXDATE as a moment of the series as it was."""
    held, event.span = event.span, old
    try:
        return event.original(line)
    finally:
        event.span = held


def _moments(event: Event, line: Line, value: str, series: Span) -> list[Moment]:
    """The moment of one value of an EXDATE; none for what cannot be read."""
    try:
        return [_as_in(event, line.with_value(value.strip()), series)]
    except ValueError:
        return []


def _counterpart(event: Event, before: Moment, days: timedelta) -> Moment | None:
    """The occurrence of the new series that stands for one of the old."""
    rule, start = event.rule, event.span.start
    if rule is None:
        return before
    clock = start.wall.time()
    for shift in dict.fromkeys((timedelta(), days)):
        moment = start.at(datetime.combine(before.wall.date() + shift, clock))
        expanded = in_wall_time(rule, start)
        if not expanded.expandable or occurrences(rule, start, moment.instant, moment.instant):
            return moment
    return None
