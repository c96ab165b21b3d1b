"""From an event to what a device is shown of it: the table of a VEVENT's lines, times, exceptions.

`VEVENT` serves both directions; what takes several lines or fields at once has functions here and in
`calendar_edit.py`. RFC 5545; [MS-OXCICAL] for X-MICROSOFT-CDO-*; [MS-ASCAL].
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from eas.protocol.version import Version

from . import alarm, comment, enclosed, participants
from .appointment import (
    FROM_16,
    SHARED,
    Appointment,
    BusyStatus,
    Exception_,
    ResponseType,
    Sensitivity,
)
from .body import BodyType, Wanted, render_source
from .contentline import Component
from .event import Event, Occurrence, Span, all_day_instants, read_span
from .ical import Each, Form, Moment, Number, Rule, Stamp, Text, Truth, Words, local, read_utc, set_value, utc
from .native import Viewer
from .place import Place, Where
from .recurrence import Recurrence
from .stretch import Stretch, stretch_of
from .timezone import TimeZoneInformation, blob_of, zone_of_rules

#: [MS-ASCAL] Category R187, Exception R24311.
MAX_CATEGORIES, MAX_EXCEPTIONS = 300, 256


@dataclass(frozen=True, slots=True)
class Busy:
    """BusyStatus in X-MICROSOFT-CDO-BUSYSTATUS and TRANSP. Where the two disagree, a program that knows TRANSP alone
    was the last to write, and TRANSP decides between free and not."""

    def load(self, component: Component) -> BusyStatus:
        line, transparent = component.first("X-MICROSOFT-CDO-BUSYSTATUS"), _word(component, "TRANSP") == "TRANSPARENT"
        word = line.value.strip().upper() if line else ""
        said = next((status for status, (known, _) in _BUSY.items() if known == word), None)
        if said is None:
            tentative = _word(component, "STATUS") == "TENTATIVE"
            return BusyStatus.FREE if transparent else BusyStatus.TENTATIVE if tentative else BusyStatus.BUSY
        if said is BusyStatus.ELSEWHERE or component.first("TRANSP") is None:
            return said
        if transparent:
            return BusyStatus.FREE
        return BusyStatus.BUSY if said is BusyStatus.FREE else said

    def dump(self, value: BusyStatus | None, component: Component) -> None:
        if value is None or value is BusyStatus.UNKNOWN:
            set_value(component, "X-MICROSOFT-CDO-BUSYSTATUS", None)
            set_value(component, "TRANSP", None)
            if _word(component, "STATUS") == "TENTATIVE":
                set_value(component, "STATUS", None)
            return
        word, transp = _BUSY[value]
        set_value(component, "X-MICROSOFT-CDO-BUSYSTATUS", word)
        set_value(component, "TRANSP", transp)


@dataclass(frozen=True, slots=True)
class Reminder:
    """Minutes before the start, in a VALARM."""

    def load(self, component: Component) -> int | None:
        return alarm.load_minutes(component)

    def dump(self, value: int | None, component: Component) -> None:
        alarm.dump_minutes(component, value)


_BUSY = {
    BusyStatus.FREE: ("FREE", "TRANSPARENT"),
    BusyStatus.TENTATIVE: ("TENTATIVE", "OPAQUE"),
    BusyStatus.BUSY: ("BUSY", "OPAQUE"),
    BusyStatus.OUT_OF_OFFICE: ("OOF", "OPAQUE"),
    BusyStatus.ELSEWHERE: ("WORKINGELSEWHERE", "TRANSPARENT"),
}
#: CLASS; X-PERSONAL is [MS-OXCICAL]'s. An unknown class is private, RFC 5545 3.8.1.3.
CLASS = Words(
    "CLASS",
    {
        Sensitivity.NORMAL: "PUBLIC",
        Sensitivity.PERSONAL: "X-PERSONAL",
        Sensitivity.PRIVATE: "PRIVATE",
        Sensitivity.CONFIDENTIAL: "CONFIDENTIAL",
    },
    default=Sensitivity.NORMAL,
    other=Sensitivity.PRIVATE,
)
#: Appointment field -> its place in a VEVENT, of the series as of an exception. Both directions.
VEVENT: Mapping[str, Rule] = {
    "subject": Text("SUMMARY"),
    "location": Where(),
    "sensitivity": CLASS,
    "busy_status": Busy(),
    "reminder": Reminder(),
    "categories": Each("CATEGORIES"),
    "disallow_new_time_proposal": Truth("X-MICROSOFT-DISALLOW-COUNTER"),
}
#: Where links of online meetings stand, best first: [MS-OXCICAL], Teams and Skype, Google, RFC 7986.
_LINKS = (
    "X-MICROSOFT-ONLINEMEETINGEXTERNALLINK", "X-MICROSOFT-SKYPETEAMSMEETINGURL", "X-GOOGLE-CONFERENCE", "CONFERENCE",
)  # fmt: skip
_CONF_LINK = Text("X-MICROSOFT-ONLINEMEETINGCONFLINK")
REPLY_TIME = Stamp("X-MICROSOFT-CDO-REPLYTIME")
#: CalendarTypes that count the same days as the Gregorian calendar and have no other place.
CALENDAR_TYPE = Number("X-EAS-CALENDARTYPE")
#: Asked for an answer, of an appointment that has no attendees yet.
RESPONSE_REQUESTED = Truth("X-EAS-RESPONSEREQUESTED")
_ANSWERED = frozenset({ResponseType.TENTATIVE, ResponseType.ACCEPTED, ResponseType.DECLINED})


def show(event: Event, wanted: Wanted, viewer: Viewer, version: Version) -> Appointment:
    """The event as a device of that version sees it."""
    stretch = stretch_of(event, viewer.now) if event.unsayable else None
    return show_stretch(event, stretch, wanted, viewer, version)


def show_stretch(
    event: Event, stretch: Stretch | None, wanted: Wanted, viewer: Viewer, version: Version
) -> Appointment:
    """As `show`, with a given stretch of a series that EAS has no words for; where there is none, such a series is
    shown as its next occurrence alone."""
    if stretch is not None:
        span = stretch.span
    else:
        span = event.shown(viewer.now) if event.unsayable else event.span
    source = comment.source(event.main)
    name, address = participants.organizer(event.main)
    return Appointment(
        **describe(event.main, wanted, viewer, version),
        **times(span, event, viewer, version),
        organizer_name=name or viewer.name,
        organizer_email=address or next(iter(viewer.addresses), None),
        uid=uid(event),
        recurrence=stretch.recurrence if stretch else shown_recurrence(event, version),
        exceptions=exceptions(event, stretch, wanted, viewer, version),
        response_requested=_asks(event.main, viewer),
        disallow_new_time_proposal=VEVENT["disallow_new_time_proposal"].load(event.main),
        native_body_type=int(source.native) if source else None,
        laid_out=stretch is not None,
    )


def describe(component: Component, wanted: Wanted, viewer: Viewer, version: Version) -> dict[str, Any]:
    """The fields that a series and its exceptions share, but for the times."""
    source = comment.source(component)
    response = participants.response_type(component, viewer)
    from_16 = version in FROM_16
    told = {name: rule.load(component) for name, rule in VEVENT.items() if name in SHARED}
    told["categories"] = told["categories"][:MAX_CATEGORIES]
    if not from_16 and told["busy_status"] is BusyStatus.ELSEWHERE:
        told["busy_status"] = BusyStatus.FREE  # R2043: the value does not exist; nobody is kept from inviting
    if not from_16 and isinstance(told["location"], Place):
        told["location"] = Text("LOCATION").load(component)
    return {
        **told,
        "body": render_source(source, _for_calendar(wanted) if from_16 else wanted, version) if source else None,
        "dt_stamp": stamp_of(component),
        "meeting_status": participants.meeting_status(component, viewer),
        "attendees": participants.for_version(participants.load_attendees(component), version),
        "response_type": response,
        # R52522: not while nothing was answered.
        "appointment_reply_time": REPLY_TIME.load(component) if response in _ANSWERED else None,
        "online_meeting_conf_link": _CONF_LINK.load(component),
        "online_meeting_external_link": _link(component),
        "attachments": enclosed.load(component) if from_16 else (),
    }


def _for_calendar(wanted: Wanted) -> Wanted:
    """From 16.0 comments are text or HTML, whatever else is preferred. [MS-ASAIRS] Type (Body) R1400, R1401"""
    kept = tuple(p for p in wanted.preferences if p.type in (BodyType.TEXT, BodyType.HTML))
    return wanted if kept == wanted.preferences else replace(wanted, preferences=kept)


def times(span: Span, event: Event, viewer: Viewer, version: Version) -> dict[str, Any]:
    """StartTime, EndTime, AllDayEvent and Timezone."""
    zone = span.start.zone
    if span.all_day and version in FROM_16:
        start, end = span.start.wall.replace(tzinfo=UTC), span.end.wall.replace(tzinfo=UTC)
        return {"start_time": start, "end_time": end, "all_day_event": True}
    start, end = all_day_instants(span, zone) if span.all_day else (span.start.instant, span.end.instant)
    return {
        "start_time": start,
        "end_time": end,
        "all_day_event": span.all_day,
        "timezone": shown_zone(event, zone, viewer),
    }


def shown_zone(event: Event, zone: tzinfo, viewer: Viewer) -> TimeZoneInformation:
    """The blob of the year that matters: today's for a series that still runs, if it is right for the first start too
    (the device counts the series from there), else that of the start."""
    start = event.span.start
    blob = blob_of(zone, start.wall.year)
    rule = event.rule
    if rule is None:
        return blob
    last = rule.until.year if rule.until else viewer.now.year
    today = blob_of(zone, max(start.wall.year, min(viewer.now.year, last)))
    holds = start.instant.astimezone(zone_of_rules(today)).utcoffset() == start.wall.replace(tzinfo=zone).utcoffset()
    return today if holds else blob


def shown_recurrence(event: Event, version: Version) -> Recurrence | None:
    """With Until, of days from 16.0 on, as the last date itself."""
    told, start = event.recurrence, event.span.start
    if told is not None and told.until is not None and start.form is Form.DATE and version in FROM_16:
        told = replace(told, until=local(told.until, start.zone).replace(tzinfo=UTC))
    if told is None or told.calendar_type != 0:
        return told
    return replace(told, calendar_type=CALENDAR_TYPE.load(event.main) or 0)


def exceptions(
    event: Event, stretch: Stretch | None, wanted: Wanted, viewer: Viewer, version: Version
) -> tuple[Exception_, ...]:
    """What differs, by original start; the latest MAX_EXCEPTIONS, since the past matters least."""
    series = describe(event.main, wanted, viewer, version)
    if stretch is not None:
        return tuple(
            _at_place(event, place, occurrence, series, wanted, viewer, version)
            for place, occurrence in stretch.changed(event)
        )
    if not event.recurrence:
        return ()
    found = {}
    for moment in event.deleted:
        at = original_time(event, moment.wall, version)
        found[moment.instant] = Exception_(deleted=True, exception_start_time=at)
    for instant, component in event.others.items():
        found[instant] = show_exception(event, component, series, wanted, viewer, version)
    return tuple(found[instant] for instant in sorted(found))[-MAX_EXCEPTIONS:]


def show_exception(
    event: Event, component: Component, series: Mapping[str, Any], wanted: Wanted, viewer: Viewer, version: Version
) -> Exception_:
    """One occurrence: what it has otherwise than the series (described in `series`) has. R539, R543."""
    line = component.first("RECURRENCE-ID")
    assert line is not None, "only components with a RECURRENCE-ID are exceptions"
    original = event.original(line)
    found = Occurrence(original, read_span(component, event.zones), component)
    return _at_place(event, original, found, series, wanted, viewer, version)


def _at_place(
    event: Event, place: Moment, found: Occurrence | None, series: Mapping[str, Any], wanted: Wanted, viewer: Viewer,
    version: Version,
) -> Exception_:
    """What is at this place of the pattern, None for nothing, as an exception to it."""
    at = original_time(event, place.wall, version)
    if found is None:
        return Exception_(deleted=True, exception_start_time=at)
    told = series if found.component is event.main else describe(found.component, wanted, viewer, version)
    when = times(found.span, event, viewer, version)
    inherited = times(event.span.begun(place), event, viewer, version)
    when = {name: value for name, value in when.items() if name != "timezone" and value != inherited[name]}
    if when:
        # Both or none: devices take a lone end for one of the series.
        both = times(found.span, event, viewer, version)
        when.update({name: both[name] for name in ("start_time", "end_time")})
    differing = {name: value for name, value in told.items() if value != series[name]}
    removed = frozenset(name for name, value in differing.items() if value in (None, ()))
    return Exception_(
        exception_start_time=at,
        removed=removed & CAN_BE_EMPTY,
        **{name: value for name, value in differing.items() if name not in removed},
        **when,
    )


#: Fields of an exception that an empty element can take away. Numbers and flags have defaults instead.
CAN_BE_EMPTY = frozenset({"subject", "location", "body", "categories", "reminder", "attendees", "attachments"})


def original_time(event: Event, wall: datetime, version: Version) -> datetime:
    """ExceptionStartTime: of all-day series the midnight, from 16.0 on the date."""
    start = event.span.start
    if start.form is Form.DATE and version in FROM_16:
        return wall.replace(tzinfo=UTC)
    return utc(wall, start.zone)


def uid(event: Event) -> str:
    """The UID; for an object without one, its digest, so that it is the same each time."""
    line = event.main.first("UID")
    if line and line.value.strip():
        return line.text().strip()
    seen = "".join(f"{line.name}:{line.value}" for line in event.main.lines)
    return hashlib.blake2b(seen.encode("utf-8", "replace"), digest_size=16).hexdigest()


def stamp_of(component: Component) -> datetime | None:
    """DTSTAMP, or what comes nearest: it must not differ from one look to the next."""
    names = ("DTSTAMP", "LAST-MODIFIED", "CREATED", "DTSTART")
    return next((at for name in names if (at := read_utc(component, name))), None)


def _asks(component: Component, viewer: Viewer) -> bool:
    asks = participants.response_requested(component, viewer)
    return bool(RESPONSE_REQUESTED.load(component)) if asks is None else asks


def _link(component: Component) -> str | None:
    found = (Text(name).load(component) for name in _LINKS)
    return next((link for link in found if link and link.lower().startswith(("https://", "http://"))), None)


def _word(component: Component, name: str) -> str:
    line = component.first(name)
    return line.value.strip().upper() if line else ""
