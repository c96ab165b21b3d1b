"""Calendar items: an iCalendar object <-> the Calendar class.

The parts: `appointment.py` the elements; `calendar_view.py` what is shown of an event; `calendar_edit.py`,
`calendar_exceptions.py` and `calendar_instances.py` what a device may change in it; `event.py` when it takes place;
`participants.py`, `alarm.py`, `comment.py`, `place.py`, `enclosed.py` the lines that take more than a row in a table.

What EAS cannot say survives every change: other properties, alarms and components, parameters of lines, zones of their
own, RDATEs, RRULEs (see `recurrence.py`). An edit that changes nothing gives back the octets that were stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from eas.protocol import schema
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

from . import calendar_edit, calendar_instances, calendar_view, enclosed
from .appointment import (
    Appointment,
    Attendee,
    AttendeeStatus,
    AttendeeType,
    BusyStatus,
    Exception_,
    ResponseType,
    Sensitivity,
    load_exception,
)
from .body import Body, BodyType, Wanted
from .calendar_edit import stated_uid
from .calendar_instances import NoOccurrence
from .contentline import glimpse, serialize
from .event import Event, open_event
from .native import Refused, Unreadable, Viewer
from .timezone import zone_or_utc

#: What a Change may leave out without removing it, whatever Supported says: [MS-ASCAL] R541 (Exceptions),
#: [MS-ASCMD] Change (Body). The rest of what has to stay is no matter of the device, see calendar_edit.REMOVABLE.
ALWAYS_KEPT = frozenset({"body", "body_truncated", "exceptions", "uid", "client_uid", "dt_stamp", "native_body_type"})


def from_native(data: bytes, wanted: Wanted, viewer: Viewer, version: Version) -> Appointment:
    """The event as a device of that version sees it. Raises Unreadable."""
    return calendar_view.show(open_event(data, zone_or_utc(viewer.zone)), wanted, viewer, version)


def to_native(
    item: Appointment,
    given: frozenset[str],
    base: bytes | None,
    kept: frozenset[str],
    viewer: Viewer,
    version: Version,
    *,
    uid: str,
) -> bytes:
    """The object to store. Raises Refused.

    `given` are the fields whose element the device sent, `kept` those that keep their stored value when it did not.
    `base` is the stored object, None for an Add, which gets `uid` unless the device brings one. `base` is given back as
    it is if nothing differs from what the device was shown.
    """
    if base is None:
        return serialize(calendar_edit.add(item, given, viewer, version, uid))
    event = _stored(base, viewer)
    return serialize(event.calendar) if calendar_edit.change(item, given, kept, event, viewer, version) else base


def instance_to_native(data: Element, base: bytes, at: datetime, viewer: Viewer, version: Version) -> bytes:
    """The object with one occurrence changed, the one that begins by the pattern at `at` (of days: the date, as a
    midnight of UTC). `data` is the ApplicationData. Raises SchemaError, Refused, NoOccurrence."""
    calendar_instances.check(data)
    sent, given = load_exception(data, version), schema.stated(Exception_, data, version)
    event = _stored(base, viewer)
    before = calendar_edit.octets(event)
    calendar_instances.change(event, at, sent, given, viewer, version)
    return base if calendar_edit.octets(event) == before else _stamped(event, viewer)


def without_instance(base: bytes, at: datetime, viewer: Viewer, version: Version) -> bytes:
    """The object without one occurrence. Raises Refused, NoOccurrence."""
    event = _stored(base, viewer)
    before = calendar_edit.octets(event)
    calendar_instances.delete(event, at, viewer, version)
    return base if calendar_edit.octets(event) == before else _stamped(event, viewer)


def _stamped(event: Event, viewer: Viewer) -> bytes:
    """With the times of the change in the series: an exception has none that would tell of its deletion."""
    calendar_edit.stamp(event, viewer.now)
    return serialize(event.calendar)


def _stored(base: bytes, viewer: Viewer) -> Event:
    try:
        return open_event(base, zone_or_utc(viewer.zone))
    except Unreadable as error:
        raise Refused(f"the stored event cannot be read: {error}") from error


def referred(item: Appointment, refer: Callable[[str], str]) -> Appointment:
    """The item as shown, with FileReferences that name it. `refer` makes one of a section."""
    if not item.attachments and not any(exception.attachments for exception in item.exceptions):
        return item
    return replace(
        item,
        attachments=enclosed.completed(item.attachments, refer),
        exceptions=tuple(
            replace(exception, attachments=enclosed.completed(exception.attachments, refer))
            for exception in item.exceptions
        ),
    )


def horizon(data: bytes) -> datetime | None:
    """The instant after which nothing of this event happens; None if it has no end, or none that can be found out.

    For FilterType: [MS-ASCMD] keeps what is in the future and what repeats without end. Floating times count as UTC.
    """
    try:
        return open_event(data, UTC).end()
    except Unreadable:
        return None


def degraded(data: bytes, reason: str) -> Appointment:
    """What a look at the lines shows of an event that is Unreadable, with the reason in its body."""
    notice = f"This event could not be read in full: {reason}. The original is unchanged on the server."
    start = _glimpse_time(data, "DTSTART") or datetime(1970, 1, 1, tzinfo=UTC)
    end = _glimpse_time(data, "DTEND") or start
    return Appointment(
        subject=glimpse(data, "SUMMARY") or "(unreadable event)",
        location=glimpse(data, "LOCATION"),
        start_time=start,
        end_time=max(start, end),
        all_day_event=False,
        dt_stamp=start,
        uid=glimpse(data, "UID"),
        busy_status=BusyStatus.BUSY,
        sensitivity=Sensitivity.NORMAL,
        meeting_status=0,
        body=Body(type=BodyType.TEXT, estimated_size=len(notice.encode()), data=notice),
    )


def _glimpse_time(data: bytes, name: str) -> datetime | None:
    digits = "".join(c for c in glimpse(data, name) or "" if c.isascii() and c.isdigit())
    try:
        return datetime.strptime(digits[:14].ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


__all__ = [
    "ALWAYS_KEPT", "Appointment", "Attendee", "AttendeeStatus", "AttendeeType", "BusyStatus", "Exception_",
    "NoOccurrence", "ResponseType", "Sensitivity", "degraded", "from_native", "horizon", "instance_to_native",
    "referred", "stated_uid", "to_native", "without_instance",
]  # fmt: skip
