"""Calendars, tasks and notes as iCalendar objects: series with exceptions, zones near and far, invitations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from zoneinfo import ZoneInfo

from eas.engine.model import FolderType
from eas.items.native import MailFlags

from .cards import folded, text_value
from .mailing import compose, moment, octets, settle_boundaries
from .model import DOMAIN, ZONE, DemoMail, DemoRecord
from .people import ADDRESS_OF
from .threads import Said

PRODID = "PRODID:-//Nordhang Joinery//Calendar//EN"
NEW_YORK = "America/New_York"

#: The rules in force since 2007 (New York) and 1996 (Berlin).
TIMEZONES: dict[str, list[str]] = {
    ZONE: [
        "BEGIN:VTIMEZONE", f"TZID:{ZONE}", "BEGIN:DAYLIGHT", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "TZNAME:CEST",
        "DTSTART:19960331T020000", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "END:DAYLIGHT", "BEGIN:STANDARD",
        "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "TZNAME:CET", "DTSTART:19961027T030000",
        "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "END:STANDARD", "END:VTIMEZONE",
    ],
    NEW_YORK: [
        "BEGIN:VTIMEZONE", f"TZID:{NEW_YORK}", "BEGIN:DAYLIGHT", "TZOFFSETFROM:-0500", "TZOFFSETTO:-0400", "TZNAME:EDT",
        "DTSTART:20070311T020000", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU", "END:DAYLIGHT", "BEGIN:STANDARD",
        "TZOFFSETFROM:-0400", "TZOFFSETTO:-0500", "TZNAME:EST", "DTSTART:20071104T020000",
        "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU", "END:STANDARD", "END:VTIMEZONE",
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`start` is local time in `zone`, or a date for a whole day; `extra` are further content lines."""

    uid: str
    summary: str
    start: datetime | date
    minutes: int = 60
    days: int = 1
    zone: str = ZONE
    organizer: str = ""
    attendees: tuple[tuple[str, str], ...] = ()
    extra: tuple[str, ...] = ()


def vevent(event: Event, stamp: datetime, recurrence_id: datetime | None = None) -> list[str]:
    """The lines of one VEVENT."""
    lines = ["BEGIN:VEVENT", f"UID:{event.uid}@{DOMAIN}", f"DTSTAMP:{_utc(stamp)}"]
    lines.append(f"SUMMARY:{text_value(event.summary)}")
    if recurrence_id is not None:
        lines.append(f"RECURRENCE-ID;TZID={event.zone}:{_local(recurrence_id)}")
    if isinstance(event.start, datetime):
        end = event.start + timedelta(minutes=event.minutes)
        lines += [f"DTSTART;TZID={event.zone}:{_local(event.start)}", f"DTEND;TZID={event.zone}:{_local(end)}"]
    else:
        end_day = event.start + timedelta(days=event.days)
        lines += [f"DTSTART;VALUE=DATE:{event.start:%Y%m%d}", f"DTEND;VALUE=DATE:{end_day:%Y%m%d}"]
    if event.organizer:
        name, address = ADDRESS_OF[event.organizer]
        lines.append(f"ORGANIZER;CN={name}:mailto:{address}")
    for key, status in event.attendees:
        name, address = ADDRESS_OF[key]
        lines.append(f"ATTENDEE;CN={name};PARTSTAT={status};ROLE=REQ-PARTICIPANT;RSVP=TRUE:mailto:{address}")
    return [*lines, *event.extra, "END:VEVENT"]


def calendar(bodies: list[list[str]], zones: tuple[str, ...] = (ZONE,), method: str = "") -> bytes:
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", PRODID, *([f"METHOD:{method}"] if method else [])]
    inside = [line for zone in zones for line in TIMEZONES[zone]] + [line for body in bodies for line in body]
    return folded([*head, *inside, "END:VCALENDAR"])


def _utc(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _local(when: datetime) -> str:
    return when.strftime("%Y%m%dT%H%M%S")


def _next(day: date, weekday: int, weeks: int = 0) -> date:
    """The next such weekday (0 Monday), not today, and so many weeks on."""
    return day + timedelta(days=(weekday - day.weekday() - 1) % 7 + 1 + 7 * weeks)


def _at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute))


# Appointments -------------------------------------------------------------------------------------------------------


def appointments(now: datetime) -> Iterator[DemoRecord]:
    for owner in ("anna", "ben", "carla"):
        for data in (_monday_round(now, owner), *_single(now, owner), *_whole_days(now, owner)):
            yield DemoRecord(owner=owner, folder=FolderType.CALENDAR, data=data)


def _monday_round(now: datetime, owner: str) -> bytes:
    """Weekly since the beginning of the year; one week dropped, the next one moved to Tuesday and renamed."""
    today = now.date()
    first = _next(date(today.year, 1, 1) - timedelta(days=1), 0)
    coming = _next(today, 0)
    attendees = (("anna", "ACCEPTED"), ("ben", "ACCEPTED"), ("carla", "ACCEPTED"), ("david", "TENTATIVE"))
    series = Event(
        uid="monday-round", summary="Monday round", start=_at(first, 8, 30), minutes=45, organizer="anna",
        attendees=attendees,
        extra=(
            "RRULE:FREQ=WEEKLY;BYDAY=MO", f"EXDATE;TZID={ZONE}:{_local(_at(coming + timedelta(days=14), 8, 30))}",
            "LOCATION:Kitchen\\, House A", "CATEGORIES:Office", "X-NORDHANG-ROOM:KITCHEN-A",
            "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT10M", "DESCRIPTION:Monday round", "END:VALARM",
        ),
    )
    moved = Event(
        uid="monday-round", summary="Monday round (on Tuesday)", start=_at(coming + timedelta(days=8), 9),
        minutes=45, organizer="anna", attendees=attendees, extra=("LOCATION:Studio\\, House B",),
    )
    return calendar([vevent(series, now), vevent(moved, now, _at(coming + timedelta(days=7), 8, 30))])


def _single(now: datetime, owner: str) -> Iterator[bytes]:
    today, new_year = now.date(), date(now.year - 1, 12, 31)
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT30M", "DESCRIPTION:Reminder", "END:VALARM")
    events: dict[str, tuple[Event, ...]] = {
        "anna": (
            Event(uid="electrician", summary="Electrician, hall 2", start=_at(today - timedelta(days=2), 8),
                  minutes=240),
            Event(uid="closing", summary="Closing of the month with Emma", start=_at(date(today.year, 1, 31), 14),
                  extra=("RRULE:FREQ=MONTHLY;BYMONTHDAY=-1", "LOCATION:House A\\, 1.03")),
            Event(uid="choir", summary="Choir", start=_at(_next(today, 2), 19, 30), minutes=120,
                  extra=("CLASS:PRIVATE", "RRULE:FREQ=WEEKLY;COUNT=20", "X-MICROSOFT-CDO-BUSYSTATUS:OOF")),
            Event(uid="dentist", summary="Dentist", start=_at(_next(today, 3), 7, 30), minutes=45,
                  extra=("CLASS:PRIVATE", *alarm)),
        ),
        "ben": (
            Event(uid="hafenblick", summary="Hafenblick: measuring again", start=_at(_next(today, 3), 9), minutes=180,
                  extra=("LOCATION:Kaistraße 7\\, Hamburg", "CATEGORIES:Projects", *alarm,
                         "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC")),
            Event(uid="climbing", summary="Climbing with Sam", start=_at(_next(today, 2), 19, 30), minutes=120,
                  extra=("CLASS:PRIVATE", "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=WE")),
            Event(uid="archive-door", summary="City Archive: door to the site", start=_at(_next(today, 4), 10),
                  organizer="joel", attendees=(("joel", "ACCEPTED"), ("ben", "NEEDS-ACTION")),
                  extra=("STATUS:TENTATIVE",)),
            Event(uid="pipeline", summary="Offers of the week", start=_at(_next(today, 4), 15), minutes=30,
                  extra=("RRULE:FREQ=WEEKLY;BYDAY=FR",)),
        ),
        "carla": (
            Event(uid="yarrow-call", summary="Yarrow Lofts, call with Priya", start=_at(_next(today, 1), 10),
                  zone=NEW_YORK, organizer="priya", attendees=(("priya", "ACCEPTED"), ("carla", "ACCEPTED")),
                  extra=("RRULE:FREQ=WEEKLY;COUNT=6", "URL:https://call.example/yarrow")),
            Event(uid="materials", summary="Materials with Greta", start=_at(_next(today, 1), 14),
                  organizer="carla", attendees=(("carla", "ACCEPTED"), ("greta", "DECLINED"))),
            Event(uid="studio", summary="Drawing, please do not disturb", minutes=120,
                  start=_at(_next(new_year, 1), 8), extra=("RRULE:FREQ=DAILY;BYDAY=TU,WE,TH",)),
            Event(uid="pottery", summary="Pottery", start=_at(_next(new_year, 3), 18), minutes=150,
                  extra=("RRULE:FREQ=MONTHLY;BYDAY=1TH", "CLASS:CONFIDENTIAL")),
        ),
    }
    for event in events[owner]:
        yield calendar([vevent(event, now)], tuple(dict.fromkeys((event.zone, ZONE))))


def _whole_days(now: datetime, owner: str) -> Iterator[bytes]:
    today = now.date()
    fair = _next(today, 3, 3)
    yield calendar([vevent(Event(
        uid="fair", summary="Trade fair: Wood and Room", start=fair, days=3,
        extra=("LOCATION:Hall 4\\, stand C12", "CATEGORIES:Office", "TRANSP:OPAQUE"),
    ), now)], ())
    yield calendar([vevent(Event(
        uid=f"birthday-{owner}", summary="Rosa's birthday" if owner == "anna" else "Company anniversary",
        start=date(today.year - 3, 3, 8), extra=("RRULE:FREQ=YEARLY", "TRANSP:TRANSPARENT"),
    ), now)], ())
    if owner == "carla":
        yield calendar([vevent(Event(
            uid="holiday", summary="Holiday", start=_next(today, 0, 4), days=12,
            extra=("X-MICROSOFT-CDO-BUSYSTATUS:OOF",),
        ), now)], ())


def invitations(now: datetime) -> Iterator[DemoMail]:
    """Two invitations that wait for an answer: one from within, one from a customer in another zone."""
    today = now.date()
    tasting = Event(
        uid="oil-tasting", summary="Oils and waxes: what do we offer?", start=_at(_next(today, 3), 13), minutes=90,
        organizer="ben", attendees=(("ben", "ACCEPTED"), ("anna", "NEEDS-ACTION"), ("carla", "NEEDS-ACTION")),
        extra=("LOCATION:Studio\\, House B", "DESCRIPTION:Bring a rag.", "SEQUENCE:0"),
    )
    walk = Event(
        uid="site-walk", summary="Site walk, apartment 5C (by video)", start=_at(_next(today, 3), 11), zone=NEW_YORK,
        organizer="priya", attendees=(("priya", "ACCEPTED"), ("carla", "NEEDS-ACTION"), ("ben", "NEEDS-ACTION")),
        extra=("LOCATION:video", "SEQUENCE:0"),
    )
    for event, to, days, at in ((tasting, ("anna", "carla"), 1, "14:20"), (walk, ("carla", "ben"), 0, "01:15")):
        when = moment(now, days, at)
        said = Said(author=event.organizer, to=to, days=days, at=at, text=event.summary)
        message = compose(f"invitation {event.uid}", said, event.summary, when)
        body = calendar([vevent(event, when)], (event.zone,), "REQUEST")
        message.add_alternative(body.decode(), subtype="calendar", charset="utf-8", params={"method": "REQUEST"})
        settle_boundaries(message, event.uid)
        trace = f"Received: from mail.{DOMAIN} by mx.{DOMAIN};\r\n {format_datetime(when)}\r\n".encode()
        for owner in to:
            yield DemoMail(
                owner=owner, folder=FolderType.INBOX, message=trace + octets(message), received=when,
                flags=MailFlags(),
            )


# Tasks and notes ----------------------------------------------------------------------------------------------------


def tasks(now: datetime) -> Iterator[DemoRecord]:
    """Open ones with dates, priorities and reminders, a recurring one, a finished one."""
    today = now.date()
    remind = datetime.combine(today + timedelta(days=1), time(8), ZoneInfo(ZONE))
    alarm = [
        "BEGIN:VALARM", "ACTION:DISPLAY", f"TRIGGER;VALUE=DATE-TIME:{_utc(remind)}", "DESCRIPTION:Task", "END:VALARM",
    ]
    done = ["STATUS:COMPLETED", f"COMPLETED:{_utc(now - timedelta(days=3))}", "PERCENT-COMPLETE:100"]
    lists: dict[str, list[tuple[str, int, list[str]]]] = {
        "anna": [
            ("Book the electrician's second visit", 1, ["PRIORITY:1", *alarm]),
            ("Ask for prices of coffee machines", 6, ["PRIORITY:9", "CATEGORIES:Office"]),
            ("Water the plants in the showroom", 2, ["RRULE:FREQ=WEEKLY;BYDAY=TU,FR"]),
            ("Order key copies for hall 1", -2, done),
            ("Plan the closing days over New Year", 12, ["STATUS:IN-PROCESS", "PERCENT-COMPLETE:40"]),
        ],
        "ben": [
            ("Call Kim about the six wardrobes", 0, ["PRIORITY:1", "CATEGORIES:Projects", *alarm]),
            ("Answer Librairie du Quai before Friday", 3, ["PRIORITY:5"]),
            ("Offer for the dental practice", 8, ["STATUS:IN-PROCESS", "PERCENT-COMPLETE:70", "X-OFFER-NUMBER:2224"]),
            ("Send the photographs from Hamburg", -4, done),
        ],
        "carla": [
            ("Sheet 4: R3 on all edges", -1, done),
            ("Text for pages 13 to 16 of the catalogue", 5, ["PRIORITY:5", *alarm]),
            ("Back up the drawings", 4, ["RRULE:FREQ=MONTHLY;BYMONTHDAY=1", "CLASS:PRIVATE"]),
            ("Find a linoleum in a darker green", 9, ["CATEGORIES:Projects"]),
        ],
    }
    for owner, rows in lists.items():
        for number, (summary, days, extra) in enumerate(rows):
            due = today + timedelta(days=days)
            lines = [
                "BEGIN:VTODO", f"UID:task-{owner}-{number}@{DOMAIN}", f"DTSTAMP:{_utc(now)}",
                f"SUMMARY:{text_value(summary)}",
                f"DTSTART;VALUE=DATE:{due - timedelta(days=1):%Y%m%d}", f"DUE;VALUE=DATE:{due:%Y%m%d}", *extra,
                "END:VTODO",
            ]
            yield DemoRecord(owner=owner, folder=FolderType.TASKS, data=calendar([lines], ()))


def notes(now: datetime) -> Iterator[DemoRecord]:
    pages: dict[str, list[tuple[str, str]]] = {
        "anna": [
            ("Codes", "Gate: ask Anna.\\nAlarm: ask Anna.\\nAnna: ask Ben."),
            ("Coffee machine", "Serial number on the bottom. Do not turn it over while it is full."),
        ],
        "ben": [
            ("Hafenblick", "Counter 4.20 m\\, wall 3.60 x 2.80 m\\nPlaster by Friday\\nInês likes the dark green"),
            ("Good phrases", "“It is late\\, but it is right.”"),
        ],
        "carla": [
            ("Colours", "Ash with oil: warm\\nSmoked oak: only with daylight\\nBirch: never with yellow lamps"),
            ("Inches", "1 in = 25.4 mm. Always."),
        ],
    }
    for owner, rows in pages.items():
        for number, (title, text) in enumerate(rows):
            lines = [
                "BEGIN:VJOURNAL", f"UID:note-{owner}-{number}@{DOMAIN}", f"DTSTAMP:{_utc(now)}",
                f"LAST-MODIFIED:{_utc(now - timedelta(days=3 + number))}", f"SUMMARY:{title}", f"DESCRIPTION:{text}",
                "CATEGORIES:Office", "END:VJOURNAL",
            ]
            yield DemoRecord(owner=owner, folder=FolderType.NOTES, data=calendar([lines], ()))
