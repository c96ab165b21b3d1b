"""Who is told of a change of an appointment, and what: the messages of RFC 5546 that follow from a write.

The organizer's invitees hear what concerns them: those who are new are invited, those who stay hear of times, texts and
places that changed, those who were taken off, or whose meeting is called off, get a cancellation. Nobody hears of what
is the organizer's own (a reminder, a category, who has answered). An invitee who deletes a meeting declines it, as
Exchange has it. Whoever is neither tells nobody.

[MS-ASCMD] Creating a Meeting or Appointment R7478: from 16.0 the server mails all this.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from . import itip_build, participants
from .contentline import Component, serialize
from .event import Event, open_event, read_span
from .headers import Address
from .ical import Moment, set_value, utc_value
from .itip_build import Notice, is_cancelled, people, sequence
from .native import Viewer
from .timezone import zone_or_utc

#: What invitees are told of when it changes, beside times and the rule.
TOLD = ("SUMMARY", "LOCATION", "DESCRIPTION", "CLASS", "URL", "CONFERENCE", "X-MICROSOFT-DISALLOW-COUNTER", "ATTACH")
#: What makes up the pattern of a series. RFC 5546 2.1.4.
PATTERN = ("RRULE", "RDATE", "EXRULE")
_ANSWERS = frozenset({"ACCEPTED", "TENTATIVE", "DECLINED"})

#: Attendees by their address in lower case.
_People = dict[str, Address]


def notices(before: bytes | None, after: bytes | None, viewer: Viewer) -> tuple[Notice, ...]:
    """The messages that follow when the viewer's appointment `before` becomes `after` (None: there is none).

    Raises Unreadable.
    """
    held, now = _opened(before, viewer), _opened(after, viewer)
    told = held or now
    if told is None or (held and now and before == after):
        return ()
    host = next((host for event in (held, now) if event and (host := participants.organizer(event.main)[1])), "")
    if not host:
        return ()
    if participants.is_viewer(host, viewer):
        return tuple(_Organizer(held, now, viewer).notices())
    return tuple(notice for notice in _invitees(held, now, viewer) if notice is not None)


def restated(before: bytes | None, after: bytes, viewer: Viewer) -> bytes:
    """`after` as it is to be stored when the viewer organizes it: where times, pattern or state of the series or of an
    occurrence changed, its SEQUENCE is raised (if it is not yet) and its invitees are asked anew. RFC 5546 2.1.4.

    Raises Unreadable.
    """
    held, now = _opened(before, viewer), _opened(after, viewer)
    if held is None or now is None or not people(now.main, viewer):
        return after
    if not participants.is_viewer(participants.organizer(now.main)[1], viewer):
        return after
    changed = False
    retimed = _retimed(held, now)
    dropped = {m.instant for m in held.deleted} != {m.instant for m in now.deleted}
    if retimed or dropped or is_cancelled(held.main) != is_cancelled(now.main):
        changed |= _raise(now.main, sequence(held.main), viewer, asks=retimed)
    for original, component in now.others.items():
        was = held.others.get(original)
        moved = _occurrence_moved(held, now, original)
        if moved or is_cancelled(component) != is_cancelled(was or held.main):
            floor = max(sequence(was or held.main), sequence(now.main) - 1)
            changed |= _raise(component, floor, viewer, asks=moved)
    return serialize(now.calendar) if changed else after


def _opened(data: bytes | None, viewer: Viewer) -> Event | None:
    return None if data is None else open_event(data, zone_or_utc(viewer.zone))


def _raise(component: Component, floor: int, viewer: Viewer, *, asks: bool) -> bool:
    """True if the component changed."""
    changed = False
    if sequence(component) <= floor:
        set_value(component, "SEQUENCE", str(floor + 1))
        set_value(component, "DTSTAMP", utc_value(viewer.now))
        changed = True
    _, host = participants.organizer(component)
    for line in component.find("ATTENDEE") if asks else ():
        answered = (line.param("PARTSTAT") or "").upper() in _ANSWERS
        if answered and not participants.same(participants.address_of(line), host):
            asked = participants.with_param(participants.unnoted(line), "PARTSTAT", "NEEDS-ACTION")
            component.replace(line, asked)
            changed = True
    return changed


# -- What has changed


def _retimed(held: Event, now: Event) -> bool:
    """Whether the series (or the one appointment) is at other times."""
    if (held.span.start.instant, held.span.end.instant) != (now.span.start.instant, now.span.end.instant):
        return True
    if held.span.all_day != now.span.all_day:
        return True
    zones = (held.span.start.zone, now.span.start.zone)
    return _values(held.main, PATTERN) != _values(now.main, PATTERN) or (now.repeats and zones[0] != zones[1])


def _occurrence_moved(held: Event | None, now: Event, original: datetime) -> bool:
    """Whether the occurrence at `original`, which has a component in `now`, is at another time than it was."""
    span = read_span(now.others[original], now.zones)
    if held is None:
        return True
    was = held.others.get(original)
    old = read_span(was, held.zones) if was else held.span.begun(held.span.start.like(original))
    return (span.start.instant, span.end.instant) != (old.start.instant, old.end.instant)


def _values(component: Component, names: Iterable[str]) -> list[tuple[str, str]]:
    return sorted((name, line.text()) for name in names for line in component.find(name) if line.value.strip())


def _over(event: Event, viewer: Viewer) -> bool:
    """Whether nothing of it is still to come: who tidies up a calendar calls nothing off."""
    end = event.end()
    return end is not None and end <= viewer.now


# -- The organizer's side


@dataclass(slots=True)
class _Organizer:
    held: Event | None
    now: Event | None
    viewer: Viewer

    def notices(self) -> Iterable[Notice]:
        held, now = self.held, self.now
        was_on = held is not None and not is_cancelled(held.main)
        if now is None or is_cancelled(now.main):
            yield from self._called_off() if was_on else ()
            return
        old = self._everybody(held) if was_on else {}
        gone = {key: box for key, box in old.items() if key not in self._everybody(now)}
        if gone and held is not None and not _over(held, self.viewer):
            yield itip_build.cancel(held, held.main, gone.values(), self.viewer, whole=False)
        invited = people(now.main, self.viewer)
        told = invited if self._series_changed() else {k: v for k, v in invited.items() if k not in self._series(held)}
        if told:
            yield itip_build.request(now, [now.main, *now.others.values()], told.values(), self.viewer)
        if held is not None and was_on:
            yield from self._occurrences(held, now, told.keys() | gone.keys())

    def _called_off(self) -> Iterable[Notice]:
        assert self.held is not None
        people_ = self._everybody(self.held)
        if not people_ or _over(self.held, self.viewer):
            return
        event, deleted = self.now or self.held, self.now is None
        yield itip_build.cancel(event, event.main, people_.values(), self.viewer, raised=deleted)

    def _series(self, event: Event | None) -> _People:
        return {} if event is None or is_cancelled(event.main) else people(event.main, self.viewer)

    def _everybody(self, event: Event | None) -> _People:
        """Those of the series, and of any occurrence."""
        if event is None:
            return {}
        found = people(event.main, self.viewer)
        for component in event.others.values():
            found = {**people(component, self.viewer), **found}
        return found

    def _series_changed(self) -> bool:
        held, now = self.held, self.now
        assert now is not None
        if held is None or is_cancelled(held.main):
            return True
        back = {m.instant for m in held.deleted} - {m.instant for m in now.deleted}
        restored = held.others.keys() - now.others.keys() - {m.instant for m in now.deleted}
        return (
            _retimed(held, now) or _values(held.main, TOLD) != _values(now.main, TOLD)
            or bool(back - now.others.keys()) or bool(restored)
        )

    def _occurrences(self, held: Event, now: Event, told: set[str]) -> Iterable[Notice]:
        """`told` have heard of the whole meeting already."""
        before = {moment.instant for moment in held.deleted}
        for moment in now.deleted:
            if moment.instant not in before:
                was = held.others.get(moment.instant)
                if was is None or not is_cancelled(was):
                    yield from self._dropped(held, now, moment, told)
        for original, component in now.others.items():
            yield from self._changed(held, original, component, told)

    def _dropped(self, held: Event, now: Event, moment: Moment, told: set[str]) -> Iterable[Notice]:
        was = held.others.get(moment.instant)
        to = _but(people(was or held.main, self.viewer), told)
        span = read_span(was, held.zones) if was else held.span.begun(moment)
        if to and span.end.instant > self.viewer.now:
            # The series' own component, whose SEQUENCE was raised with the write.
            base = was if was is not None and sequence(was) >= sequence(now.main) else now.main
            yield itip_build.cancel(now, base, to.values(), self.viewer, original=moment)

    def _changed(self, held: Event, original: datetime, component: Component, told: set[str]) -> Iterable[Notice]:
        now = self.now
        assert now is not None
        was = held.others.get(original, held.main)
        dropped_before = original not in held.others and original in {m.instant for m in held.deleted}
        before = {} if dropped_before or is_cancelled(was) else people(was, self.viewer)
        if is_cancelled(component):
            if to := _but(before, told):
                yield itip_build.cancel(now, component, to.values(), self.viewer)
            return
        after = people(component, self.viewer)
        if gone := _but({k: v for k, v in before.items() if k not in after}, told):
            yield itip_build.cancel(now, component, gone.values(), self.viewer, whole=False)
        changed = _occurrence_moved(held, now, original) or _values(was, TOLD) != _values(component, TOLD)
        to = _but(after if changed else {k: v for k, v in after.items() if k not in before}, told)
        if to:
            yield itip_build.request(now, [component], to.values(), self.viewer)


def _but(found: _People, told: set[str]) -> _People:
    return {key: box for key, box in found.items() if key not in told}


# -- The invitee's side


def _invitees(held: Event | None, now: Event | None, viewer: Viewer) -> Iterable[Notice | None]:
    if held is None or is_cancelled(held.main):
        return
    if now is None:
        if not _over(held, viewer) and _answer(held.main, viewer) not in (None, "DECLINED"):
            yield itip_build.reply(held, held.main, "DECLINED", viewer)
        return
    answer = _answer(now.main, viewer)
    if answer != _answer(held.main, viewer) and answer in _ANSWERS:
        yield itip_build.reply(now, now.main, str(answer), viewer)
    before = {moment.instant for moment in held.deleted}
    for moment in now.deleted:
        was = held.others.get(moment.instant)
        span = read_span(was, held.zones) if was else held.span.begun(moment)
        if moment.instant in before or span.end.instant <= viewer.now or (was is not None and is_cancelled(was)):
            continue
        if _answer(was or held.main, viewer) not in (None, "DECLINED"):
            yield itip_build.reply(held, was or held.main, "DECLINED", viewer, original=moment)


def _answer(component: Component, viewer: Viewer) -> str | None:
    """The viewer's PARTSTAT; "" for none; None if the viewer is not on the list."""
    line = participants.own_line(component, viewer)
    return None if line is None else (line.param("PARTSTAT") or "").upper()
