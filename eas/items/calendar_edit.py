"""From what a device sent to the event that is stored: only what changed is written, the rest keeps its octets.

[MS-ASCAL] Server Details; [MS-ASCMD] Change (Sync), Supported.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from hashlib import blake2b
from itertools import chain
from typing import Any

from eas.protocol.version import EXCEPTIONS_END_WITH_PATTERN, INSTANCE_COMMANDS, SERVER_OWNS_MEETINGS, Version

from . import calendar_exceptions, comment, enclosed, globalobjid, participants
from .appointment import CANCELLED, FROM_16, MEETING, MEETING_STATUSES, Appointment, BusyStatus
from .body import Wanted
from .calendar_view import CALENDAR_TYPE, MAX_CATEGORIES, RESPONSE_REQUESTED, VEVENT, show, times
from .contentline import Component, Line
from .event import DAY, Event, Span, event_of, read_span
from .ical import Form, Moment, form_for, local, moment_line, new_calendar, set_line, set_value, utc, utc_value
from .native import Refused, Viewer
from .place import whole
from .recurrence import SCALES, Recurrence, completed, same_rule, to_rule
from .rrule import Rule
from .rrule import show as show_rule
from .stretch import Stretch, earlier, stretch_of
from .timezone import TimeZoneInformation, zone_of_blob, zone_of_rules, zone_or_utc

HALF_HOUR = timedelta(minutes=30)
#: [MS-ASCAL] UID R463.
MAX_UID = 300
#: What a Change removes by leaving it out, unless it is ghosted. All else stays: without times, zone, UID, organizer
#: there is no event; R541 and [MS-ASCMD] Change for exceptions and body; the rest is the server's.
REMOVABLE = frozenset({
    "subject", "location", "categories", "sensitivity", "busy_status", "reminder", "attendees", "recurrence",
    "response_requested", "disallow_new_time_proposal",
})  # fmt: skip
#: What says when a series is.
OF_PATTERN = frozenset({"start_time", "end_time", "all_day_event", "timezone", "recurrence"})
#: What from 16.0 on is the server's to say, whoever organizes: R2088, R2168, R2174, R2221.
_SERVERS = frozenset({"organizer_name", "organizer_email", "dt_stamp", "uid"})
#: What of a meeting belongs to its organizer. Attendees have their own answer in the list, see `_attendees`.
OF_ORGANIZER = frozenset({
    "start_time", "end_time", "all_day_event", "timezone", "recurrence", "organizer_name", "organizer_email",
    "meeting_status", "response_requested", "disallow_new_time_proposal",
})  # fmt: skip
#: The fields of the table that an Add or Change can set.
_SIMPLE = tuple(VEVENT)


def add(item: Appointment, given: Collection[str], viewer: Viewer, version: Version, new_uid: str) -> Component:
    """A new object. Raises Refused."""
    new_uid = stated_uid(item, viewer, version) or new_uid
    if max(len(new_uid), len(item.client_uid or "")) > MAX_UID:
        raise Refused("UID too long")
    calendar = new_calendar()
    main = Component("VEVENT", [Line("UID", "").with_text(new_uid)])
    stamp = None if version in SERVER_OWNS_MEETINGS else item.dt_stamp
    main.items.append(Line("DTSTAMP", utc_value(stamp or viewer.now)))
    start, end = default_times(item.start_time, item.end_time, viewer.now)
    zone = zone_or_utc(viewer.zone)
    stand_in = Moment(local(start, zone), zone, form_for(zone))
    main.items.append(Line("DTSTART", utc_value(start)))
    calendar.items.append(main)
    event = event_of(calendar, [main], zone)
    event.span = Span(stand_in, stand_in.like(end), False)
    item = replace(item, start_time=start, end_time=end)
    edit = _Edit(item, frozenset(given) | {"start_time", "end_time"}, frozenset(), event, None, viewer, version)
    edit.apply()
    return calendar


def stated_uid(item: Appointment, viewer: Viewer, version: Version) -> str | None:
    """The UID of what a device adds, if it says one: up to 14.1 by UID; later by ClientUid, from which it follows, so
    that the same event is found when it is added again (R2062). From 16.0 a UID counts for nothing (R2221)."""
    if version not in SERVER_OWNS_MEETINGS:
        return globalobjid.plain_uid(item.uid) if item.uid else None
    if not item.client_uid:
        return None
    owner = next(iter(viewer.addresses), "")
    return blake2b(f"{owner}\0{item.client_uid}".encode("utf-8", "replace"), digest_size=20).hexdigest()


def change(
    item: Appointment, given: Collection[str], kept: Collection[str], event: Event, viewer: Viewer, version: Version
) -> bool:
    """Change the event in place; False if nothing differed. Raises Refused."""
    shown = show(event, Wanted(), viewer, version)
    return _Edit(item, frozenset(given), frozenset(kept), event, shown, viewer, version).apply()


def default_times(start: datetime | None, end: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """StartTime and EndTime of an Add that lacks one or both. [MS-ASCAL] R52511-R52518. Raises Refused."""
    rounded = round_up(now.astimezone(UTC))
    if start is not None and end is not None:
        return start, end
    if start is None and end is None:
        return rounded, rounded + HALF_HOUR
    if start is None:
        assert end is not None
        if end <= now or rounded > end:
            raise Refused("an end in the past, and no start")
        return rounded, end
    if start > now:
        raise Refused("a start in the future, and no end")
    return start, rounded + HALF_HOUR


def round_up(now: datetime) -> datetime:
    """To the half hour: 18:03 is 18:30, R52512."""
    past = timedelta(minutes=now.minute % 30, seconds=now.second, microseconds=now.microsecond)
    return now + (HALF_HOUR - past if past else timedelta())


@dataclass(slots=True)
class _Edit:
    """One Add (`shown` None) or Change at work on `event`."""

    item: Appointment
    given: frozenset[str]
    kept: frozenset[str]
    event: Event
    shown: Appointment | None
    viewer: Viewer
    version: Version
    #: Of a series that EAS has no words for: what the device speaks of.
    sent: Stretch | None = None

    def apply(self) -> bool:
        before = octets(self.event)
        held, was_sayable = self.event.span, self.event.repeats and not self.event.unsayable
        if not self.mine:
            self._leave(OF_ORGANIZER)
        if self.event.unsayable and not self._ended():
            self.sent = shown_stretch(self.item, self.given, self.event, self.viewer, self.version)
            if self.sent is not None:
                # The times and the pattern are not those of the series, and were not changed.
                self._leave(OF_PATTERN)
        span = self._span()
        rule, replaced = self._rule(span)
        self._check_meeting_status()
        moved = self._write_span(span)
        self.event.span = span
        if replaced:
            self._write_rule(rule, was_sayable)
        if (moved or replaced) and was_sayable and self.event.repeats:
            if self.version in EXCEPTIONS_END_WITH_PATTERN:  # R2097, R2114, R2180, R2202
                calendar_exceptions.drop(self.event)
            else:
                calendar_exceptions.follow(self.event, held)
        for name in _SIMPLE:
            self._simple(name)
        if self._changes("body"):
            comment.dump(self.event.main, self.item.body)
        enclosed.dump(self.item.attachments, self.event.main)
        self._meeting()
        if "exceptions" in self.given and self.item.exceptions:
            if self.shown is not None and self.version in INSTANCE_COMMANDS:
                if self.item.exceptions != self.shown.exceptions:
                    raise Refused("Exceptions in a Change from 16.0 on")  # R2112
            elif self.sent is not None:
                calendar_exceptions.put_in_stretch(
                    self.event, self.sent, self.item.exceptions, self.viewer, self.version
                )
            elif not self.event.repeats or self.event.unsayable:
                raise Refused("exceptions to what does not repeat")
            else:
                calendar_exceptions.put(self.event, self.item.exceptions, self.viewer, self.version)
        if octets(self.event) == before:
            return False
        self._stamp(significant=moved or replaced)
        return True

    # -- What the device wants

    @property
    def mine(self) -> bool:
        """Whether the viewer may change what all participants share."""
        return self.shown is None or participants.is_organizer(self.event.main, self.viewer)

    def _leave(self, names: frozenset[str]) -> None:
        """Take these fields as left out and as kept. If the device said them otherwise it is told the item again."""
        self.given, self.kept = self.given - names, self.kept | names

    def _changes(self, name: str) -> bool:
        """Whether the device said something of the field, if only by leaving it out."""
        if name in self.given:
            return self.shown is None or getattr(self.item, name) != getattr(self.shown, name)
        return self._left_out(name) and getattr(self.shown, name) not in (None, ())

    def _left_out(self, name: str) -> bool:
        return self.shown is not None and name in REMOVABLE and name not in self.given and name not in self.kept

    def _simple(self, name: str) -> None:
        if not self._changes(name):
            return
        value = getattr(self.item, name)
        if name == "categories":
            value = value[:MAX_CATEGORIES]
        if name == "busy_status" and value is BusyStatus.ELSEWHERE and self.version not in FROM_16:
            raise Refused("BusyStatus 4 before 16.0")
        if name == "reminder" and value is not None and value < 0:
            raise Refused("a reminder after the start")
        if name == "location" and self.version in FROM_16:
            value = whole(value)
        VEVENT[name].dump(value, self.event.main)

    # -- Times

    def _span(self) -> Span:
        """The times that the event shall have. Raises Refused."""
        held = self.event.span
        start, end = self._time("start_time"), self._time("end_time")
        if self.shown is not None:
            self._check_pair()
            if (start, end) == (self.shown.start_time, self.shown.end_time) and not self._retimed():
                return held
            if self.event.unsayable and not self._new_recurrence() and not self._ended():
                return self._unmoved(start, end)
        if end < start:
            raise Refused("an end before the start")
        zone, form = self._zone(start)
        if self._all_day():
            return self._days(start, end)
        first = Moment(local(start, zone), zone, form)
        ends_elsewhere = zone == held.start.zone and form == held.start.form and self.shown is not None
        last = held.end.like(end) if ends_elsewhere else first.like(end)
        return Span(first, last, False)

    def _time(self, name: str) -> datetime:
        value: datetime | None = getattr(self.item, name) if name in self.given else None
        value = value or (getattr(self.shown, name) if self.shown else None)
        assert value is not None, "an Add gets its times before"
        return value

    def _check_pair(self) -> None:
        """R53915: EndTime without StartTime. From 16.0 a Change names only what changed (R2232)."""
        alone = "end_time" in self.given and "start_time" not in self.given
        if alone and "start_time" not in self.kept and self.version not in FROM_16:
            raise Refused("EndTime without StartTime")

    def _retimed(self) -> bool:
        """Whether zone or all-day flag are other than shown, in a way that matters."""
        assert self.shown is not None
        if self._all_day() != bool(self.shown.all_day_event):
            return True
        blob = self._blob()
        if blob is None or self.event.span.all_day or not (self.event.repeats or self._new_recurrence()):
            return False
        return self._zone(self._time("start_time"))[0] != self.event.span.start.zone

    def _all_day(self) -> bool:
        if "all_day_event" in self.given:
            return bool(self.item.all_day_event)
        if self.shown is None or "all_day_event" in self.kept or "start_time" not in self.given:
            return bool(self.shown and self.shown.all_day_event)
        return False

    def _new_recurrence(self) -> bool:
        return self._wanted() is not None

    def _blob(self) -> TimeZoneInformation | None:
        return self.item.timezone if "timezone" in self.given else None

    def _zone(self, start: datetime) -> tuple[tzinfo, Form]:
        """The zone of the item's times, and how they are written."""
        stored, own = self.event.span.start, zone_or_utc(self.viewer.zone)
        has_zone = self.shown is not None and stored.form is not Form.DATE
        blob = self._blob()
        if blob is None:
            zone = stored.zone if has_zone else own
        else:
            zone = zone_of_blob(blob, start.year, *((stored.zone,) if has_zone else ()), own)
        return zone, stored.form if has_zone and zone == stored.zone else form_for(zone)

    def _days(self, start: datetime, end: datetime) -> Span:
        """The days of an all-day event. From 16.0 the dates themselves; before, midnights in some zone: the blob's, the
        viewer's, or UTC, whichever makes both midnights, else the nearest midnights in the first of them."""
        own = zone_or_utc(self.viewer.zone)
        blob = self._blob()
        zones: list[tzinfo] = [UTC]
        if self.version not in FROM_16:
            zones = [zone_of_rules(blob)] if blob and not blob.unknown else []
            zones += [self.event.span.start.zone, own, UTC]
        pairs = [(local(start, zone), local(end, zone)) for zone in zones]
        exact = [pair for pair in pairs if all(wall.time() == time.min for wall in pair)]
        first, last = (_nearest_midnight(wall) for wall in (exact or pairs)[0])
        stored = self.event.span.start
        moment = Moment(first, stored.zone if stored.form is Form.DATE else own, Form.DATE)
        return Span(moment, moment.at(max(last, first + DAY)), True)

    def _unmoved(self, start: datetime, end: datetime) -> Span:
        """A series that EAS cannot say was shown as one of its occurrences: the device may only leave its times."""
        for span, component in self.event.laid_out(start - DAY, end + DAY):
            told = times(span, self.event, self.viewer, self.version)
            if component is self.event.main and (told["start_time"], told["end_time"]) == (start, end):
                return self.event.span
        raise Refused("the times of a series that ActiveSync cannot express")

    def _write_span(self, span: Span) -> bool:
        """True if the start or the end changed."""
        held, main = self.event.span, self.event.main
        if span is held:
            return False
        write_span(main, span, self.event)
        if self.shown is None:
            return True
        return (span.start, span.end) != (held.start, held.end)

    # -- Recurrence

    def _rule(self, span: Span) -> tuple[Rule | None, bool]:
        """The rule that the event shall have, and whether it takes the place of what is there. Raises Refused."""
        wanted = self._wanted()
        if wanted is None:
            return None, self._ended()
        held = self.event.rule
        shown = self.shown.recurrence if self.shown else None
        rule = to_rule(self._in_zone(wanted, span), span.start, held)
        if shown is None or span.start.form != self.event.span.start.form:
            return rule, True
        if self.event.unsayable:
            return rule, True
        same = same_rule(rule, to_rule(self._in_zone(shown, self.event.span), self.event.span.start, held))
        return rule, not same or (wanted.calendar_type or 0) != (shown.calendar_type or 0)

    def _ended(self) -> bool:
        """Whether the device takes the pattern away. Of a series shown as one occurrence none can mean that."""
        said = self.shown is not None and self.shown.recurrence is not None
        gone = "recurrence" in self.given or self._left_out("recurrence")
        return gone and said and self.event.repeats and self._wanted() is None

    def _in_zone(self, said: Recurrence, span: Span) -> Recurrence:
        """From 16.0 Until of all-day series is the last date itself, as StartTime is: here its midnight in the zone."""
        if said.until is None or span.start.form is not Form.DATE or self.version not in FROM_16:
            return said
        return replace(said, until=utc(said.until.replace(tzinfo=None), span.start.zone))

    def _wanted(self) -> Recurrence | None:
        """The recurrence that was sent, in the calendar that the device was shown if it names none."""
        sent = self.item.recurrence if "recurrence" in self.given else None
        if sent is None or blank(sent):
            return None
        return completed(sent, self.shown.recurrence if self.shown else None)

    def _write_rule(self, rule: Rule | None, was_sayable: bool) -> None:
        main = self.event.main
        if rule is None:
            calendar_exceptions.drop(self.event)
            for name in ("RRULE", "RDATE", "EXRULE"):
                set_value(main, name, None)
            CALENDAR_TYPE.dump(None, main)
            return
        if not was_sayable:
            # Dates and exceptions of a pattern that the device never saw.
            calendar_exceptions.drop(self.event)
            for name in ("RDATE", "EXRULE"):
                set_value(main, name, None)
        text = show_rule(rule)
        if not any(line.value == text for line in main.find("RRULE")) or len(main.find("RRULE")) > 1:
            set_line(main, Line("RRULE", text))
        wanted = self._wanted()
        number = wanted.calendar_type if wanted else None
        CALENDAR_TYPE.dump(number if number and number not in SCALES else None, main)

    # -- Meetings

    def _check_meeting_status(self) -> None:
        status = self.item.meeting_status
        if "meeting_status" in self.given and status is not None and status not in MEETING_STATUSES:
            raise Refused(f"MeetingStatus {status}")

    def _meeting(self) -> None:
        """Attendees, organizer, cancellation. An organizer is written only where there is a meeting: calendar servers
        take an object with an organizer for a matter of scheduling."""
        main = self.event.main
        status = self.item.meeting_status if "meeting_status" in self.given else None
        if self._changes("attendees"):
            self._attendees()
            if not main.find("ATTENDEE") and not status:
                set_value(main, "ORGANIZER", None)
        if status == 0 and not main.find("ATTENDEE"):
            set_value(main, "ORGANIZER", None)
        asked = any(self._changes(name) for name in ("attendees", "meeting_status", "organizer_email"))
        if asked and (main.find("ATTENDEE") or (status and status & MEETING)):
            self._organizer()
        if status is not None:
            held = main.first("STATUS")
            cancelled = held is not None and held.value.strip().upper() == "CANCELLED"
            if bool(status & CANCELLED) is not cancelled:
                set_value(main, "STATUS", "CANCELLED" if status & CANCELLED else None)
        if self._changes("response_requested"):
            asks = bool(self.item.response_requested)
            RESPONSE_REQUESTED.dump(asks and not main.find("ATTENDEE"), main)
            participants.set_response_requested(main, asks)

    def _attendees(self) -> None:
        """The list of a meeting is its organizer's: of a meeting that was received a device changes no names.
        Devices have dropped attendees so (iOS, on deleting an occurrence)."""
        main = self.event.main
        wanted = self.item.attendees if "attendees" in self.given else ()
        asks = self.item.response_requested if "response_requested" in self.given else None
        if self.version in SERVER_OWNS_MEETINGS:
            # The answers come to the server (R2028): what a device says of them counts for nothing.
            wanted = tuple(replace(attendee, status=None) for attendee in wanted)
        if not self.mine:
            own = [a for a in wanted if participants.is_viewer(a.email or "", self.viewer)]
            wanted = participants.merged(main, own)
        participants.dump_attendees(main, wanted, asks=asks)

    def _organizer(self) -> None:
        """Whoever is organizer stays it: devices have taken over meetings by sending themselves (KB2563324)."""
        if self.event.main.first("ORGANIZER") is not None:
            return
        said = self.given - _SERVERS if self.version in SERVER_OWNS_MEETINGS else self.given
        address = self.item.organizer_email if "organizer_email" in said else None
        name = self.item.organizer_name if "organizer_name" in said else None
        own = next(iter(self.viewer.addresses), None)
        if not address or participants.is_viewer(address, self.viewer):
            address, name = address or own, name or self.viewer.name
        participants.set_organizer(self.event.main, name, address)

    def _stamp(self, *, significant: bool) -> None:
        """DTSTAMP and LAST-MODIFIED of a change, and SEQUENCE of one that invitees must hear of. RFC 5546 2.1.4."""
        main = self.event.main
        if self.shown is None:
            return
        said = self.item.dt_stamp if "dt_stamp" in self.given and self.version not in SERVER_OWNS_MEETINGS else None
        stamp(self.event, self.viewer.now, said)
        mine = participants.is_organizer(main, self.viewer) and main.find("ATTENDEE")
        if significant and mine:
            held = main.first("SEQUENCE")
            number = int(held.value) if held and held.value.strip().isdecimal() and held.value.isascii() else 0
            set_value(main, "SEQUENCE", str(number + 1))


def stamp(event: Event, now: datetime, said: datetime | None = None) -> None:
    """When the event was changed: DTSTAMP, and LAST-MODIFIED if it has one."""
    set_value(event.main, "DTSTAMP", utc_value(said or now))
    if event.main.first("LAST-MODIFIED"):
        set_value(event.main, "LAST-MODIFIED", utc_value(now))


def shown_stretch(
    item: Appointment, given: Collection[str], event: Event, viewer: Viewer, version: Version
) -> Stretch | None:
    """Of a series that EAS has no words for: what the device was shown of it, now or years ago, if it leaves times and
    pattern as they were shown. Raises Refused if it changes the times alone."""
    now = stretch_of(event, viewer.now)
    if now is None or not set(given) & OF_PATTERN:
        return now
    if "recurrence" in given and (item.recurrence is None or blank(item.recurrence)):
        return None
    moved = False
    for candidate in chain((now,), earlier(event, viewer.now)):
        if "recurrence" in given and not _same_pattern(item.recurrence, candidate):
            continue
        told = times(candidate.span, event, viewer, version)
        if all(getattr(item, name) in (None, told[name]) for name in ("start_time", "end_time") if name in given):
            return candidate
        moved = True
    if moved:
        raise Refused("the times of a series that ActiveSync cannot express")
    return None


def _same_pattern(sent: Recurrence | None, shown: Stretch) -> bool:
    if sent is None:
        return False
    start = shown.span.start
    return same_rule(to_rule(sent, start), to_rule(shown.recurrence, start))


def blank(recurrence: Recurrence) -> bool:
    """An empty Recurrence element: the event shall not repeat, R2180002."""
    return all(getattr(recurrence, f.name) is None for f in fields(recurrence))


def write_span(component: Component, span: Span, event: Event) -> None:
    """DTSTART and DTEND (or DURATION, if the object has it and it still fits)."""
    held = read_span(component, event.zones)
    _put_moment(component, "DTSTART", span.start, event)
    duration = component.first("DURATION")
    if duration is not None and held.length == span.length and held.all_day == span.all_day:
        pass
    else:
        if duration is not None:
            component.remove(duration)
        _put_moment(component, "DTEND", span.end, event)
    if component.first("X-MICROSOFT-CDO-ALLDAYEVENT"):
        set_value(component, "X-MICROSOFT-CDO-ALLDAYEVENT", "TRUE" if span.all_day else "FALSE")


def _put_moment(component: Component, name: str, moment: Moment, event: Event) -> None:
    held = component.first(name)
    line = moment_line(name, moment, event.zones)
    if held is None:
        component.add(line)
        return
    others = tuple(param for param in held.params if param[0] not in ("VALUE", "TZID"))
    if (held.value, held.params) != (line.value, (*line.params, *others)):
        component.replace(held, line.with_params((*line.params, *others)) if others else line)


def _nearest_midnight(wall: datetime) -> datetime:
    try:
        return datetime.combine((wall + timedelta(hours=12)).date(), time.min)
    except OverflowError:
        return datetime.combine(wall.date(), time.min)


def octets(event: Event) -> list[Any]:
    """What of the object can change, for comparison. Lines and components are replaced, never altered."""

    def flat(component: Component) -> list[Any]:
        return [flat(item) if isinstance(item, Component) else item for item in component.items]

    return flat(event.calendar)

