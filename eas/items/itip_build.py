"""Scheduling objects that leave: what of an event goes into a REQUEST, CANCEL, REPLY or COUNTER. RFC 5546 section 3.2.

An object that leaves is a copy: the times, texts and people of the meeting, and nothing that is its owner's alone
(alarms, categories, how the time is shown). DTSTAMP is the moment of sending, SEQUENCE that of the stored event.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from . import participants
from .calendar_exceptions import copied
from .calendar_view import VEVENT
from .contentline import Component, Line, clean, serialize
from .event import Event, read_span
from .headers import Address
from .ical import Moment, Number, moment_line, new_calendar, set_line, set_value, utc_value
from .native import Viewer

#: What is the owner's alone, beside alarms and what our own names begin with.
_OWN = frozenset({
    "CATEGORIES", "X-MICROSOFT-CDO-BUSYSTATUS", "X-MICROSOFT-CDO-REPLYTIME", "X-MOZ-LASTACK", "X-MOZ-SNOOZE-TIME",
    "LAST-MODIFIED",
})  # fmt: skip
#: Of our own names one says something of the meeting: the place. The others are notes for its owner.
_NOTES, _OF_MEETING = "X-EAS-", "X-EAS-PLACE"
#: A method of our own: an invitee passes an invitation on, and tells the organizer to whom. RFC 5545 3.7.2 allows it.
FORWARD = "X-FORWARD"
#: What a calendar server notes for itself on the line of a participant. RFC 6638 7.1-7.3.
_SERVERS = ("SCHEDULE-STATUS", "SCHEDULE-AGENT", "SCHEDULE-FORCE-SEND", "EMAIL")
#: Lines of an event that stand in an answer to it. RFC 5546 3.2.3.
_IN_ANSWER = ("UID", "SEQUENCE", "RECURRENCE-ID", "SUMMARY", "LOCATION", "DTSTART", "DTEND", "DURATION", "ORGANIZER")
#: Octets of an object beyond which its attachments stay behind: programs take a large one for no invitation.
MAX_OBJECT = 256 * 1024
#: Before the subject of a message, by method, and by answer.
CANCELED, PROPOSED, FORWARDED = "Canceled: ", "New Time Proposed: ", "Meeting Forward Notification: "
ANSWERED = {"ACCEPTED": "Accepted: ", "TENTATIVE": "Tentative: ", "DECLINED": "Declined: "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message to be sent: its method, whom it is for, its iCalendar object. `prefix` stands before the subject.
    `sender` is the address of the viewer by which the meeting knows them, "" for the first one."""

    method: str
    recipients: tuple[Address, ...]
    calendar: bytes
    prefix: str = ""
    sender: str = ""


def people(component: Component, viewer: Viewer) -> dict[str, Address]:
    """The attendees to whom messages go, by their address in lower case: all but the organizer, the viewer, and those
    whom another program tells (RFC 6638 SCHEDULE-AGENT)."""
    _, host = participants.organizer(component)
    own = {address.lower() for address in viewer.addresses}
    found: dict[str, Address] = {}
    for line in component.find("ATTENDEE"):
        address = participants.address_of(line)
        told = (line.param("SCHEDULE-AGENT") or "SERVER").upper() == "SERVER"
        if told and "@" in address and not participants.same(address, host) and address.lower() not in own:
            found.setdefault(address.lower(), Address(clean(line.param("CN") or "").strip(), address))
    return found


def sequence(component: Component) -> int:
    return Number("SEQUENCE").load(component) or 0


def is_cancelled(component: Component) -> bool:
    line = component.first("STATUS")
    return line is not None and line.value.strip().upper() == "CANCELLED"


def request(event: Event, components: Iterable[Component], to: Collection[Address], viewer: Viewer) -> Notice:
    """An invitation, or an update of it."""
    made = [_asking(component, viewer) for component in components]
    return Notice(
        method="REQUEST", recipients=tuple(to), calendar=_object(event, "REQUEST", made),
        sender=participants.organizer(event.main)[1],
    )


def cancel(
    event: Event, component: Component, to: Collection[Address], viewer: Viewer, *,
    original: Moment | None = None, raised: bool = False, whole: bool = True,
) -> Notice:
    """A cancellation of the event, of the occurrence at `original`, or (not `whole`) of the part of those in `to`.

    `raised`: with a SEQUENCE beyond the stored one, since nothing is stored any more.
    """
    made = _clean(component, viewer)
    if original is not None and made.first("RECURRENCE-ID") is None:
        span = event.span.begun(original)
        made.items = [i for i in made.items if isinstance(i, Component) or i.name not in _OF_SERIES]
        set_line(made, moment_line("DTSTART", span.start, event.zones))
        made.add(moment_line("DTEND", span.end, event.zones))
        made.add(moment_line("RECURRENCE-ID", original, event.zones))
    if not whole:
        named = {box.address.lower() for box in to}
        for line in made.find("ATTENDEE"):
            if participants.address_of(line).lower() not in named:
                made.remove(line)
    set_value(made, "STATUS", "CANCELLED")
    set_value(made, "SEQUENCE", str(sequence(component) + raised))
    made.items = [i for i in made.items if not (isinstance(i, Component) and i.name == "VALARM")]
    return Notice(
        method="CANCEL", recipients=tuple(to), calendar=_object(event, "CANCEL", [made]), prefix=CANCELED,
        sender=participants.organizer(component)[1],
    )


def reply(
    event: Event, component: Component, partstat: str, viewer: Viewer, *,
    original: Moment | None = None, comment: str = "", proposed: tuple[datetime, datetime] | None = None,
) -> Notice | None:
    """The viewer's answer to the organizer; None if there is no organizer to tell. `original` names an occurrence that
    has no component of its own; `proposed` are other times that are asked for (then it is a COUNTER)."""
    name, host = participants.organizer(component)
    if "@" not in host or participants.is_viewer(host, viewer):
        return None
    made = Component("VEVENT", [line for name_ in _IN_ANSWER for line in component.find(name_)[:1]])
    if original is not None and component.first("RECURRENCE-ID") is None:
        span = event.span.begun(original)
        set_value(made, "DURATION", None)
        set_line(made, moment_line("DTSTART", span.start, event.zones))
        set_line(made, moment_line("DTEND", span.end, event.zones))
        made.add(moment_line("RECURRENCE-ID", original, event.zones))
    if proposed is not None:
        _propose(made, event, proposed)
    set_value(made, "DTSTAMP", utc_value(viewer.now))
    made.add(_own_line(component, partstat, viewer))
    if comment.strip():
        made.add(Line("COMMENT", "").with_text(comment.strip()))
    method = "REPLY" if proposed is None else "COUNTER"
    return Notice(
        method=method, recipients=(Address("" if name == host else name, host),),
        calendar=_object(event, method, [made]), prefix=PROPOSED if proposed else ANSWERED[partstat],
        sender=_own_address(component, viewer),
    )


def forwarded(
    event: Event, component: Component, to: Collection[Address], viewer: Viewer
) -> tuple[Notice, Notice | None]:
    """An invitation passed on by the viewer to `to`, and the notification of it to the organizer (None if there is none
    to tell). [MS-ASCMD] Forwardees."""
    made = _asking(component, viewer)
    held = {participants.address_of(line).lower() for line in made.find("ATTENDEE")}
    for box in to:
        if box.address.lower() not in held:
            made.add(participants.invited(box.address, box.name))
    passed = Notice(
        method="REQUEST", recipients=tuple(to), calendar=_object(event, "REQUEST", [made]), prefix="FW: ",
        sender=_own_address(component, viewer),
    )
    name, host = participants.organizer(component)
    if "@" not in host or participants.is_viewer(host, viewer):
        return passed, None
    told = Component("VEVENT", [line for name_ in _IN_ANSWER for line in component.find(name_)[:1]])
    set_value(told, "DTSTAMP", utc_value(viewer.now))
    for box in to:
        told.add(participants.invited(box.address, box.name))
    return passed, Notice(
        method=FORWARD, recipients=(Address("" if name == host else name, host),),
        calendar=_object(event, FORWARD, [told]), prefix=FORWARDED, sender=passed.sender,
    )


_OF_SERIES = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE", "DTSTART", "DTEND", "DURATION", "RECURRENCE-ID"})


def _propose(made: Component, event: Event, proposed: tuple[datetime, datetime]) -> None:
    """The times asked for in the place of those that are; the latter stay beside them, as Exchange has it."""
    span = read_span(made, event.zones)
    set_value(made, "X-MS-OLK-ORIGINALSTART", utc_value(span.start.instant))
    set_value(made, "X-MS-OLK-ORIGINALEND", utc_value(span.end.instant))
    set_value(made, "DURATION", None)
    for name, instant in zip(("DTSTART", "DTEND"), proposed, strict=True):
        set_line(made, Line(name, utc_value(instant)))


def _own_address(component: Component, viewer: Viewer) -> str:
    held = participants.own_line(component, viewer)
    return participants.address_of(held) if held else ""


def _own_line(component: Component, partstat: str, viewer: Viewer) -> Line:
    held = participants.own_line(component, viewer)
    line = held or Line("ATTENDEE", f"mailto:{next(iter(viewer.addresses), '')}")
    for name in ("RSVP", *_SERVERS):
        line = participants.without_param(line, name)
    if viewer.name and not line.param("CN"):
        line = participants.with_param(line, "CN", viewer.name)
    return participants.with_param(line, "PARTSTAT", partstat)


def _asking(component: Component, viewer: Viewer) -> Component:
    """A component as it invites: whoever has not answered is asked to, unless the organizer wants no answers."""
    made = _clean(component, viewer)
    intended = component.first("X-MICROSOFT-CDO-BUSYSTATUS")
    if intended is not None:
        set_value(made, "X-MICROSOFT-CDO-INTENDEDSTATUS", intended.value)
    for line in made.find("ATTENDEE"):
        new = line if line.param("PARTSTAT") else participants.with_param(line, "PARTSTAT", "NEEDS-ACTION")
        if (new.param("PARTSTAT") or "").upper() == "NEEDS-ACTION" and new.param("RSVP") is None:
            new = participants.with_param(new, "RSVP", "TRUE")
        if new is not line:
            made.replace(line, new)
    minutes = VEVENT["reminder"].load(component)
    made.items = [i for i in made.items if not (isinstance(i, Component) and i.name == "VALARM")]
    VEVENT["reminder"].dump(minutes, made)
    return made


def _is_own(name: str) -> bool:
    return name in _OWN or (name.startswith(_NOTES) and name != _OF_MEETING)


def _clean(component: Component, viewer: Viewer) -> Component:
    made = copied(component)
    made.items = [
        item for item in made.items
        if isinstance(item, Component) or not _is_own(item.name)
    ]
    for name in ("ORGANIZER", "ATTENDEE"):
        for line in made.find(name):
            new = line
            for param in _SERVERS:
                new = participants.without_param(new, param)
            new = participants.unnoted(new)
            if "@" in (address := participants.address_of(line)) and line.param("EMAIL") is not None:
                new = new.with_value(f"mailto:{address}")
            if new is not line:
                made.replace(line, new)
    set_value(made, "DTSTAMP", utc_value(viewer.now))
    return made


def _object(event: Event, method: str, components: list[Component]) -> bytes:
    calendar = new_calendar()
    calendar.items.append(Line("METHOD", method))
    named = {line.param("TZID") for c in components for line in c.lines if line.param("TZID")}
    for zone in event.calendar.components("VTIMEZONE"):
        line = zone.first("TZID")
        if line is not None and line.value.strip() in named:
            calendar.items.append(copied(zone))
    calendar.items += components
    made = serialize(calendar)
    if len(made) <= MAX_OBJECT:
        return made
    for component in components:
        for line in component.find("ATTACH"):
            if line.encoding:
                component.remove(line)
    return serialize(calendar)
