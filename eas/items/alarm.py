"""Reminders: the VALARM that a device is shown. RFC 5545 3.6.6.

An appointment's reminder is the first alarm that shows or sounds at a time before (or at) the start; a task's, the
first one at a point in time. Mails, alarms after the start or before the end, and further ones are not shown, and stay.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from .contentline import Component, Line
from .ical import duration_value, read_duration, read_moment, utc_value
from .native import Unreadable
from .vtimezone import Zones

#: Alarms that a person sees or hears at the device.
_SEEN = frozenset({"DISPLAY", "AUDIO", ""})
MINUTE = timedelta(minutes=1)


def load_minutes(component: Component) -> int | None:
    """Whole minutes before the start. [MS-ASCAL] Reminder R39011."""
    found = _relative(component)
    return int(-found[1] // MINUTE) if found else None


def dump_minutes(component: Component, minutes: int | None) -> None:
    found = _relative(component)
    if minutes is None:
        if found:
            component.remove(found[0])
    elif not found:
        component.add(_new(Line("TRIGGER", duration_value(-minutes * MINUTE))))
    elif int(-found[1] // MINUTE) != minutes:
        alarm, _ = found
        line = alarm.find("TRIGGER")[0]
        alarm.replace(line, line.with_value(duration_value(-minutes * MINUTE)))


def load_time(component: Component, zones: Zones) -> datetime | None:
    """The point in time of a task's reminder, in UTC; relative ones count from DTSTART or, before the end, from DUE."""
    found = _timed(component, zones)
    return found[1] if found else None


def dump_time(component: Component, at: datetime | None, zones: Zones) -> None:
    found = _timed(component, zones)
    if at is None:
        if found:
            component.remove(found[0])
        return
    trigger = Line("TRIGGER", utc_value(at), (("VALUE", ("DATE-TIME",)),))
    if not found:
        component.add(_new(trigger))
    elif found[1] != at.replace(microsecond=0):
        found[0].replace(found[0].find("TRIGGER")[0], trigger)


def _new(trigger: Line) -> Component:
    return Component("VALARM", [Line("ACTION", "DISPLAY"), Line("DESCRIPTION", "Reminder"), trigger])


def _alarms(component: Component) -> list[tuple[Component, Line]]:
    """The alarms that can be seen, with their triggers."""
    out = []
    for alarm in component.components("VALARM"):
        action, trigger = alarm.first("ACTION"), alarm.first("TRIGGER")
        if trigger is not None and (action.value.strip().upper() if action else "") in _SEEN:
            out.append((alarm, trigger))
    return out


def _span(trigger: Line) -> timedelta | None:
    try:
        return read_duration(trigger.value)
    except ValueError:
        return None


def _relative(component: Component) -> tuple[Component, timedelta] | None:
    for alarm, trigger in _alarms(component):
        span = _span(trigger)
        if span is not None and span <= timedelta() and (trigger.param("RELATED") or "").upper() != "END":
            return alarm, span
    return None


def _timed(component: Component, zones: Zones) -> tuple[Component, datetime] | None:
    for alarm, trigger in _alarms(component):
        span = _span(trigger)
        line = trigger
        if span is not None:
            ends = (trigger.param("RELATED") or "").upper() == "END"
            base = component.first("DUE" if ends else "DTSTART") or component.first("DUE")
            if base is None:
                continue
            line = base
        try:
            at = read_moment(line, zones).instant + (span or timedelta())
        except (Unreadable, OverflowError):
            continue
        return alarm, at.astimezone(UTC)
    return None
