"""One occurrence of a series, changed or deleted by a command of its own with InstanceId, from 16.0.

[MS-ASAIRS] InstanceId R1175; [MS-ASCAL] Exceptions R2112, R2113; [MS-ASCMD] Change R6238, Delete (Sync) R6420. What
such a Change leaves out is kept as it is (R2232); an empty element takes away what the series has (R2242).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from datetime import datetime, timedelta
from itertools import chain

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

from . import calendar_exceptions
from .appointment import Exception_
from .body import Wanted
from .calendar_view import describe, original_time, show_exception, times
from .event import Event, read_span
from .ical import Moment
from .native import Refused, Viewer
from .stretch import earlier, stretch_of

#: What belongs to the series alone: with InstanceId it is refused. Of Timezone seen with Exchange Online.
_OF_SERIES = frozenset(
    f"Calendar:{name}" for name in ("Timezone", "Recurrence", "Exceptions", "UID", "ClientUid", "ResponseRequested")
)


class NoOccurrence(Refused):
    """The series has no such occurrence."""


def check(data: Element) -> None:
    """Raises Refused for elements that an occurrence does not have."""
    wrong = sorted(child.tag for child in data.elements if child.tag in _OF_SERIES)
    if wrong:
        raise Refused(f"{wrong[0]} in a Change of one occurrence")


def change(
    event: Event, at: datetime, sent: Exception_, given: Collection[str], viewer: Viewer, version: Version
) -> None:
    """Make the occurrence that begins, or began once, at `at` what the device says of it. Raises Refused."""
    original = _occurrence(event, at, viewer, version)
    series = describe(event.main, Wanted(), viewer, version)
    held = event.others.get(original.instant)
    shown = show_exception(event, held, series, Wanted(), viewer, version) if held else Exception_()
    given = frozenset(given)
    if sent.all_day_event is not None and sent.all_day_event is not event.span.all_day:
        raise Refused("AllDayEvent of an occurrence is that of its series")  # R2009
    whole = replace(
        shown,
        exception_start_time=original_time(event, original.wall, version),
        removed=(shown.removed - given) | sent.removed,
        **{f.name: getattr(sent, f.name) for f in fields(Exception_) if f.name in given and f.name not in _NAMED},
    )
    if given & {"start_time", "end_time"}:
        whole = _timed(event, original, whole, sent, viewer, version)
    calendar_exceptions.put(event, [replace(whole, attachments=sent.attachments)], viewer, version)


_NAMED = frozenset({"exception_start_time", "removed", "attachments", "deleted"})


def delete(event: Event, at: datetime, viewer: Viewer, version: Version) -> None:
    """Raises Refused. What is deleted already stays so."""
    calendar_exceptions.delete(event, _occurrence(event, at, viewer, version))


def _occurrence(event: Event, at: datetime, viewer: Viewer, version: Version) -> Moment:
    if not event.repeats:
        raise Refused("an occurrence of what does not repeat")
    if event.unsayable and (now := stretch_of(event, viewer.now)) is not None:
        asked = Exception_(exception_start_time=at, deleted=True)
        for candidate in chain((now,), earlier(event, viewer.now)):
            if (place := calendar_exceptions.place_of(event, candidate, asked, version)) is not None:
                return place
    try:
        found = calendar_exceptions.original_of(event, Exception_(exception_start_time=at, deleted=True), version)
    except Refused as error:
        raise NoOccurrence(str(error)) from error
    if found is None:
        raise NoOccurrence(f"no occurrence at {at:%Y-%m-%dT%H:%M}")
    return found


def _timed(
    event: Event, original: Moment, whole: Exception_, sent: Exception_, viewer: Viewer, version: Version
) -> Exception_:
    """With both times: one that was not sent is the one in force, unless the other has overtaken it."""
    held = event.others.get(original.instant)
    now = times(read_span(held, event.zones) if held else event.span.begun(original), event, viewer, version)
    start, end = sent.start_time or now["start_time"], sent.end_time or now["end_time"]
    length: timedelta = now["end_time"] - now["start_time"]
    if sent.end_time is None and end < start:
        end = start + length
    return replace(whole, start_time=start, end_time=end)
