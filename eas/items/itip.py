"""What meeting messages and answers make of the calendar. RFC 5546; [MS-ASCMD] MeetingResponse R3190-R3196.

Who may do what: an update or cancellation counts only from the organizer of the stored meeting, and only if it is not
older; a reply counts only of somebody who was invited. (Whether the mail is really theirs is not known here.)
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from . import calendar_exceptions, itip_build, participants
from .appointment import BusyStatus
from .body import Source
from .calendar_view import REPLY_TIME, VEVENT, uid
from .contentline import Component, Line, serialize
from .event import Event, event_of, open_event, read_span
from .ical import Moment, Number, read_utc, set_value
from .itip_build import FORWARD, Notice
from .native import Refused, Unreadable, Viewer
from .timezone import zone_or_utc

ACCEPT, TENTATIVE, DECLINE = 1, 2, 3
#: UserResponse -> PARTSTAT. [MS-ASCMD] UserResponse.
_PARTSTAT = {ACCEPT: "ACCEPTED", TENTATIVE: "TENTATIVE", DECLINE: "DECLINED"}
#: The methods whose messages are meeting messages.
METHODS = frozenset({"REQUEST", "CANCEL", "REPLY", "COUNTER", FORWARD})
#: Those to whom one forward notification makes the organizer's list grow at most.
MAX_FORWARDEES = 100
#: What is the reader's own in an event, and stays when the organizer sends a new one. Alarms too.
_OWN = ("CATEGORIES", "X-MICROSOFT-CDO-BUSYSTATUS", "TRANSP", "X-MICROSOFT-CDO-REPLYTIME", "X-MOZ-LASTACK")
#: What of an event, if it changes, asks for a new answer.
_TIMING = ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE")


def method_of(calendar: Component) -> str:
    line = calendar.first("METHOD")
    return line.value.strip().upper() if line else ""


def respond(ics: bytes, response: int, viewer: Viewer, instance: datetime | None) -> bytes | None:
    """The event to put into the calendar when an invitation is answered; None when it is declined as a whole.

    `response`: 1 accept, 2 tentative, 3 decline; `instance` is the start of one occurrence of a series. Raises Refused
    for what is no invitation, and to the organizer.
    """
    event = _open(ics, viewer)
    if method_of(event.calendar) not in ("REQUEST", "PUBLISH", ""):
        raise Refused("not an invitation")
    # Without an ORGANIZER, which RFC 5546 asks for, it is an invitation all the same to whoever got it by mail.
    if event.main.first("ORGANIZER") is not None and participants.is_organizer(event.main, viewer):
        raise Refused("the organizer does not answer")
    if response == DECLINE and instance is None:
        return None
    set_value(event.calendar, "METHOD", None)
    _answer(event, response, viewer, instance)
    return serialize(event.calendar)


def apply_response(stored: bytes, response: int, viewer: Viewer, instance: datetime | None) -> bytes:
    """The stored event with the viewer's answer: in all of it, or in one occurrence, which goes if it is declined.

    Raises Refused if there is no such occurrence, or the viewer is the organizer.
    """
    event = _open(stored, viewer)
    if participants.is_meeting(event.main) and participants.is_organizer(event.main, viewer):
        raise Refused("the organizer does not answer")
    _answer(event, response, viewer, instance)
    return serialize(event.calendar)


def is_answered(ics: bytes, response: int, viewer: Viewer, instance: datetime | None) -> bool:
    """Whether the viewer's answer in the event, or in the occurrence at `instance`, is this one. Raises Unreadable."""
    event = open_event(ics, zone_or_utc(viewer.zone))
    component = event.main
    if instance is not None:
        try:
            component = event.others.get(occurrence(event, instance).instant, event.main)
        except Refused:  # gone since: it was declined
            return response == DECLINE
    line = participants.own_line(component, viewer)
    return line is not None and (line.param("PARTSTAT") or "").upper() == _PARTSTAT.get(response)


def answer_of(
    ics: bytes, response: int, viewer: Viewer, instance: datetime | None, body: Source | None,
    proposed: tuple[datetime, datetime] | None,
) -> Notice | None:
    """The message that tells the organizer: a REPLY, or with `proposed` times a COUNTER. None if there is no organizer
    to tell. Raises Refused if there is no such occurrence, Unreadable."""
    event = open_event(ics, zone_or_utc(viewer.zone))
    component, original = event.main, None
    if instance is not None:
        original = occurrence(event, instance)
        component = event.others.get(original.instant, event.main)
    return itip_build.reply(
        event, component, _PARTSTAT[response], viewer, original=original, proposed=proposed,
        comment=body.as_text() if body else "",
    )


def has_occurrence(ics: bytes, instance: datetime, viewer: Viewer) -> bool:
    """Whether an occurrence of the series begins (or began, before it was moved) at `instance`. Raises Unreadable."""
    try:
        occurrence(open_event(ics, zone_or_utc(viewer.zone)), instance)
    except Refused:
        return False
    return True


def apply_reply(stored: bytes, reply: bytes, authors: Collection[str] | None = None) -> bytes:
    """The organizer's event with what an attendee answered, as far as it is one of `authors` (lower case; None: whoever
    it is): nobody answers for others. Unchanged for replies to something else, to a former state
    (SEQUENCE), overtaken by a later one of the same attendee (DTSTAMP), or of somebody who was not invited. Raises
    Unreadable."""
    return _answered(stored, reply, authors, proposals=False)


def apply_counter(stored: bytes, counter: bytes, authors: Collection[str] | None = None) -> bytes:
    """The organizer's event with the times that an attendee would like better noted beside the attendee, whose answer
    is tentative unless the message says otherwise. Raises Unreadable."""
    return _answered(stored, counter, authors, proposals=True)


def _answered(stored: bytes, message_: bytes, authors: Collection[str] | None, *, proposals: bool) -> bytes:
    event, message = open_event(stored, UTC), open_event(message_, UTC)
    if uid(event) != uid(message):
        return stored
    noted = proposals and not VEVENT["disallow_new_time_proposal"].load(event.main)
    changed = False
    for told in (message.main, *message.others.values()):
        if (component := _component_for(event, told)) is None or _sequence(told) < _sequence(component):
            continue
        span = read_span(told, message.zones)
        times = (span.start.instant, span.end.instant) if noted and span.start.instant < span.end.instant else None
        for line in told.find("ATTENDEE"):
            if authors is not None and participants.address_of(line).lower() not in authors:
                continue
            partstat = (line.param("PARTSTAT") or "").upper()
            if proposals and partstat not in _PARTSTAT.values():
                partstat = "TENTATIVE"
            if partstat in _PARTSTAT.values():
                at = read_utc(told, "DTSTAMP")
                changed |= _set_partstat(component, participants.address_of(line), partstat, at, times)
    return serialize(event.calendar) if changed else stored


def apply_forward(stored: bytes, notice: bytes, authors: Collection[str]) -> bytes:
    """The organizer's event with those to whom an invitee passed it on. Unchanged if none of `authors` (lower case) is
    invited: a stranger invites nobody. Raises Unreadable."""
    event, message = open_event(stored, UTC), open_event(notice, UTC)
    if uid(event) != uid(message):
        return stored
    changed = False
    for told in (message.main, *message.others.values()):
        component = _component_for(event, told)
        if component is None:
            continue
        held = {participants.address_of(line).lower() for line in component.find("ATTENDEE")}
        if held.isdisjoint(authors):
            continue
        for line in told.find("ATTENDEE")[:MAX_FORWARDEES]:
            address = participants.address_of(line)
            if "@" in address and address.lower() not in held:
                held.add(address.lower())
                component.add(participants.invited(address, participants.name_of(line)))
                changed = True
    return serialize(event.calendar) if changed else stored


def apply_request(stored: bytes, request: bytes, viewer: Viewer) -> bytes:
    """The stored event as the organizer's update has it. The viewer's alarms, categories and, while the times are the
    same, answer stay. Unchanged for older updates and those of others. Raises Unreadable."""
    zone = zone_or_utc(viewer.zone)
    event, message = open_event(stored, zone), open_event(request, zone)
    if not _counts(event, message):
        return stored
    _define_zones(event, message)
    told = [message.main, *message.others.values()]
    if (series := next((c for c in told if c.first("RECURRENCE-ID") is None), None)) is not None:
        retimed = _retimed(event.main, series)
        for component in list(event.others.values()):
            if retimed:
                event.calendar.remove(component)
        _take(event, event.main, series, viewer)
        event = event_of(event.calendar, event.calendar.components("VEVENT"), zone)
    for component in told:
        if component is not series:
            held = _component_for(event, component)
            if held is not None and held.first("RECURRENCE-ID") is not None:
                _take(event, held, component, viewer)
    return serialize(event.calendar)


def overtaken(request: bytes, stored: bytes) -> bool:
    """Whether the meeting as it stands in the calendar is a later state (SEQUENCE) than the request tells. Raises
    Unreadable."""
    event, message = open_event(stored, UTC), open_event(request, UTC)
    if uid(event) != uid(message):
        return False
    held = _component_for(event, message.main, make=False) or event.main
    return _sequence(message.main) < _sequence(held)


def apply_cancel(stored: bytes, cancel: bytes, viewer: Viewer) -> bytes:
    """The stored event marked as cancelled, or those occurrences of it that the message names. It stays in the
    calendar, for the user to see and remove (MeetingStatus 7). Unchanged for older messages and those of others.
    Raises Unreadable."""
    event, message = open_event(stored, UTC), open_event(cancel, UTC)
    if not _counts(event, message):
        return stored
    for told in (message.main, *message.others.values()):
        if not _concerns(told, viewer):
            continue
        whole = told.first("RECURRENCE-ID") is None
        component = event.main if whole else _component_for(event, told)
        marked = [event.main, *event.others.values()] if whole else [component] if component else []
        for one in marked:
            set_value(one, "STATUS", "CANCELLED")
            if (sequence := _sequence(told)) > _sequence(one):
                set_value(one, "SEQUENCE", str(sequence))
    return serialize(event.calendar)


def _concerns(told: Component, viewer: Viewer) -> bool:
    """Whether a cancellation is about the viewer: some programs tell everybody who was taken off the list, RFC 5546
    3.2.5, and name only those, without calling the meeting off."""
    named = told.find("ATTENDEE")
    return itip_build.is_cancelled(told) or not named or participants.own_line(told, viewer) is not None


def _open(data: bytes, viewer: Viewer) -> Event:
    try:
        return open_event(data, zone_or_utc(viewer.zone))
    except Unreadable as error:
        raise Refused(str(error)) from error


def _answer(event: Event, response: int, viewer: Viewer, instance: datetime | None) -> None:
    if response not in _PARTSTAT:
        raise Refused(f"UserResponse {response}")
    if instance is None:
        for component in (event.main, *event.others.values()):
            _mark(component, response, viewer)
        return
    original = occurrence(event, instance)
    if response == DECLINE:
        calendar_exceptions.delete(event, original)
        return
    _mark(_exception_at(event, original), response, viewer)


def occurrence(event: Event, instance: datetime) -> Moment:
    """The original start of the occurrence that begins, or began before it was moved, at `instance`, R3192. Raises
    Refused."""
    line = event.main.first("RECURRENCE-ID")
    if line is not None and instance in (event.span.start.instant, event.original(line).instant):
        return event.original(line)
    if not event.repeats:
        raise Refused("the meeting does not recur")
    for original, component in event.others.items():
        if instance in (original, _start(component, event)):
            held = component.first("RECURRENCE-ID")
            assert held is not None, "exceptions have one"
            return event.original(held)
    for moment in event.starts(instance, instance):
        return moment
    raise Refused("no such occurrence")


def _start(component: Component, event: Event) -> datetime:
    return event_of(event.calendar, [component], event.zones.viewer).span.start.instant


def _exception_at(event: Event, original: Moment) -> Component:
    """The component of one occurrence, made if there is none."""
    if event.main.first("RECURRENCE-ID") is not None:
        return event.main
    held = event.others.get(original.instant)
    return held or calendar_exceptions.make(event, original)


def _mark(component: Component, response: int, viewer: Viewer) -> None:
    """The answer, when it was given, and what it makes of the time."""
    if not participants.answer(component, viewer, _PARTSTAT[response]):
        own = next(iter(viewer.addresses), None)
        if own is None:
            raise Refused("the user has no address")
        line = Line("ATTENDEE", f"mailto:{own}", (("PARTSTAT", (_PARTSTAT[response],)),))
        component.add(participants.with_param(line, "CN", viewer.name) if viewer.name else line)
    REPLY_TIME.dump(viewer.now, component)
    busy, held = VEVENT["busy_status"], VEVENT["busy_status"].load(component)
    intended = component.first("X-MICROSOFT-CDO-INTENDEDSTATUS")
    if response == TENTATIVE and held is not BusyStatus.FREE:
        busy.dump(BusyStatus.TENTATIVE, component)
    elif response == ACCEPT and intended is not None:
        set_value(component, "X-MICROSOFT-CDO-BUSYSTATUS", intended.value.strip().upper())
        set_value(component, "TRANSP", "TRANSPARENT" if intended.value.strip().upper() == "FREE" else "OPAQUE")
    elif response == ACCEPT and held is BusyStatus.TENTATIVE:
        busy.dump(BusyStatus.BUSY, component)
    if response == ACCEPT and (status := component.first("STATUS")) and status.value.strip().upper() == "TENTATIVE":
        set_value(component, "STATUS", "CONFIRMED")


def _sequence(component: Component) -> int:
    return Number("SEQUENCE").load(component) or 0


def _counts(event: Event, message: Event) -> bool:
    """Whether a message of the organizer concerns this event, comes from its organizer, and is not older, RFC 5546
    2.1.5."""
    _, stored_host = participants.organizer(event.main)
    _, told_host = participants.organizer(message.main)
    if uid(event) != uid(message) or not stored_host or not participants.same(stored_host, told_host):
        return False
    held = _component_for(event, message.main, make=False) or event.main
    newer, older = _sequence(message.main), _sequence(held)
    if newer != older:
        return newer > older
    told, kept = read_utc(message.main, "DTSTAMP"), read_utc(held, "DTSTAMP")
    return told is None or kept is None or told >= kept


def _component_for(event: Event, told: Component, *, make: bool = True) -> Component | None:
    """The component of `event` that a component of a message is about; None if it has no such occurrence."""
    line = told.first("RECURRENCE-ID")
    if line is None:
        return event.main
    try:
        original = event.original(line)
    except Unreadable:
        return None
    if (own := event.main.first("RECURRENCE-ID")) is not None:
        return event.main if event.original(own).instant == original.instant else None
    if (held := event.others.get(original.instant)) is not None or not make:
        return held
    if not event.repeats or not event.starts(original.instant, original.instant):
        return None
    return calendar_exceptions.make(event, original)


def _set_partstat(
    component: Component, address: str, partstat: str, at: datetime | None, times: tuple[datetime, datetime] | None
) -> bool:
    """Note an answer given `at` a moment; False if it is known, or a later one is."""
    for line in component.find("ATTENDEE"):
        if address and participants.same(participants.address_of(line), address):
            before = participants.replied_at(line)
            if at is not None and before is not None and at < before:
                return False
            same = (line.param("PARTSTAT") or "").upper() == partstat
            if same and participants.proposal(line) == (times or (None, None)):
                return False
            answered = participants.without_param(participants.with_param(line, "PARTSTAT", partstat), "RSVP")
            component.replace(line, participants.noted(answered, at, times))
            return True
    return False


def _retimed(held: Component, told: Component) -> bool:
    def timing(component: Component) -> list[tuple[str, str, str]]:
        return sorted((n, line.value, line.param("TZID") or "") for n in _TIMING for line in component.find(n))

    return timing(held) != timing(told)


def _take(event: Event, held: Component, told: Component, viewer: Viewer) -> None:
    """Put the organizer's component in the place of `held`, with what is the viewer's own."""
    retimed = _retimed(held, told)
    made = calendar_exceptions.copied(told)
    for name in _OWN:
        if held.find(name):
            set_value(made, name, None)
            made.items += held.find(name)
    made.items = [item for item in made.items if not (isinstance(item, Component) and item.name == "VALARM")]
    made.items += held.components("VALARM")
    own = participants.own_line(held, viewer)
    if own is not None and not retimed and (partstat := own.param("PARTSTAT")):
        participants.answer(made, viewer, partstat)
    if retimed:
        set_value(made, "X-MICROSOFT-CDO-REPLYTIME", None)
    at = next(i for i, item in enumerate(event.calendar.items) if item is held)
    event.calendar.items[at] = made


def _define_zones(event: Event, message: Event) -> None:
    """The definitions of zones that the update brings and the object lacks."""
    items = event.calendar.items
    known = {line.value for c in event.calendar.components("VTIMEZONE") if (line := c.first("TZID"))}
    for component in message.calendar.components("VTIMEZONE"):
        line = component.first("TZID")
        if line is not None and line.value not in known:
            items.insert(next(i for i, item in enumerate(items) if isinstance(item, Component)), component)
