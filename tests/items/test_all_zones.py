"""Time zones both ways, and all-day events that stay on their day: a sample of zones and years, or all of them.

`make zones` (EAS_ZONES=all) takes every IANA zone and the years 2000 to 2040, which is some minutes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from tzlocal.windows_tz import win_tz

from eas.items import calendar
from eas.items.body import Wanted
from eas.items.calendar import Appointment
from eas.items.contentline import Component, Line, parse, serialize
from eas.items.native import Viewer
from eas.items.timezone import TimeZoneInformation, blob_of, changes, keeps, zone_of, zone_of_blob, zone_of_rules
from eas.items.vtimezone import Zones, definition, read
from eas.protocol.version import Version

EVERY = os.environ.get("EAS_ZONES") == "all"
#: Both hemispheres, half and quarter hours, half an hour of summer, no summer, changes of law, both edges of the map.
SAMPLE = (
    "Europe/Berlin", "Europe/Dublin", "America/New_York", "America/St_Johns", "America/Sao_Paulo", "Asia/Kolkata",
    "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati", "Pacific/Pago_Pago",
    "Africa/Casablanca", "Asia/Tehran", "Africa/Cairo", "America/Caracas", "Asia/Gaza", "Antarctica/Troll", "UTC",
)
ZONES = sorted(available_timezones()) if EVERY else SAMPLE
YEARS = range(2000, 2041) if EVERY else (2000, 2007, 2011, 2026, 2033, 2040)


@cache
def sayable(zone: ZoneInfo, year: int) -> bool:
    """At most two changes between two offsets of whole minutes: what the structure has room for. The leap over the
    date line at the end of 2011 is too near to New Year, where the structure's other change would be."""
    found = changes(zone, year)
    if any(abs(c.after - c.before) >= timedelta(hours=20) for c in found):
        return False
    start = datetime(year, 1, 1, tzinfo=UTC).astimezone(zone).utcoffset() or timedelta()
    offsets = {start, *(c.after for c in found)}
    return len(found) <= 2 and len(offsets) <= 2 and not any(o % timedelta(minutes=1) for o in offsets)


def moments(year: int, *zones: tzinfo) -> Iterator[datetime]:
    """Two a month, and the seconds around each change, but for those of New Year: [MS-ASDTYPE] has no place for one
    change alone, so that the other is said to be then."""
    yield from (datetime(year, month, day, 12, tzinfo=UTC) for month in range(1, 13) for day in (2, 16))
    for zone in zones:
        for change in changes(zone, year):
            if change.wall > datetime(year, 1, 2):
                yield from (change.at + timedelta(seconds=seconds) for seconds in (-1, 0))


def agree(one: tzinfo, other: tzinfo, year: int) -> bool:
    return all(m.astimezone(one).utcoffset() == m.astimezone(other).utcoffset() for m in moments(year, one, other))


@pytest.mark.parametrize("key", ZONES)
def test_a_zone_keeps_its_time_as_a_structure_and_back(key: str) -> None:
    """[MS-ASDTYPE] R103-R120: whatever the year, what is said is the time that the zone keeps then; and what is said is
    understood as that zone, or as one that keeps the same time."""
    zone = ZoneInfo(key)
    for year in YEARS:
        blob = blob_of(zone, year)
        assert TimeZoneInformation.parse(blob.text) == blob
        if not sayable(zone, year):
            continue
        assert agree(zone, zone_of_rules(blob), year), year
        assert zone_of_blob(blob, year, zone) == zone
        # To the minute; a zone whose only change is that of New Year's Day is in force all along.
        understood = zone_of_blob(blob, year)
        assert keeps(understood, blob, year), (year, understood)


@pytest.mark.parametrize("key", ZONES)
def test_a_zone_keeps_its_time_as_a_definition_and_back(key: str) -> None:
    zone = ZoneInfo(key)
    for year in YEARS:
        again = read(parse(serialize(definition(zone, year))))
        assert again is not None
        for later in (year, year + 1):
            assert agree(zone, again, later), (year, later)


@pytest.mark.parametrize("key", ZONES)
def test_a_custom_definition_means_its_own_rules(key: str) -> None:
    """A TZID that nobody knows, with the rules of a zone: shown as these rules, and kept with the item."""
    zone = ZoneInfo(key)
    for year in YEARS:
        if not sayable(zone, year):
            continue
        custom = definition(zone, year)
        custom.items = [Line("TZID", "Our Office"), *custom.items[1:]]
        holder = Component("VCALENDAR", [custom])
        found = Zones(parse(serialize(holder)), UTC).of("Our Office")
        assert agree(zone, found, year), year
        assert agree(zone, zone_of_rules(blob_of(found, year)), year), year


def test_every_name_of_windows_is_a_zone() -> None:
    for name in win_tz:
        zone = zone_of(name)
        assert zone is not None, name
        for year in YEARS:
            assert TimeZoneInformation.parse(blob_of(zone, year).text) == blob_of(zone, year)


# -- All-day events

ALL = frozenset(f.name for f in fields(Appointment))
#: The day of a change of the clock, a day in summer, one at either end of a year.
DAYS = (date(2026, 3, 29), date(2026, 7, 15), date(2026, 10, 25), date(2026, 12, 31), date(2027, 1, 1))


def viewer(zone: str) -> Viewer:
    return Viewer(addresses=("ann@example.com",), name="Ann", zone=zone, now=datetime(2026, 4, 1, 12, tzinfo=UTC))


def all_day(day: date) -> bytes:
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:u1\r\nDTSTAMP:20260101T000000Z\r\n"
        f"DTSTART;VALUE=DATE:{day:%Y%m%d}\r\nDTEND;VALUE=DATE:{day + timedelta(days=2):%Y%m%d}\r\nSUMMARY:Off\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


@pytest.mark.parametrize("key", ZONES)
def test_an_all_day_event_stays_on_its_day_in_every_version(key: str) -> None:
    """Shown in any version and sent back in it, with another subject: the same days."""
    who = viewer(key)
    for day in DAYS:
        data = all_day(day)
        for version in Version:
            shown = calendar.from_native(data, Wanted(), who, version)
            assert shown.all_day_event
            assert shown.start_time is not None
            if version >= Version.V16_0:
                assert (shown.start_time.date(), shown.timezone) == (day, None)
            else:
                assert shown.timezone is not None
                local = shown.start_time.astimezone(zone_of_blob(shown.timezone, day.year, ZoneInfo(key)))
                # In some zones the clock passes over a midnight, to one.
                assert (local.date(), local.hour in (0, 1)) == (day, True)
            sent = replace(shown, subject="x", exceptions=())
            again = calendar.to_native(sent, ALL, data, frozenset(), who, version, uid="n")
            assert f"DTSTART;VALUE=DATE:{day:%Y%m%d}\r\n".encode() in again
            assert f"DTEND;VALUE=DATE:{day + timedelta(days=2):%Y%m%d}\r\n".encode() in again


@pytest.mark.parametrize("key", ZONES)
def test_a_new_all_day_event_is_on_the_day_that_its_device_says(key: str) -> None:
    """Midnights of the device's own zone up to 14.1, the date itself later; whatever zone its user is in."""
    zone = ZoneInfo(key)
    for day in DAYS:
        midnight = datetime(day.year, day.month, day.day)
        for version in Version:
            if version >= Version.V16_0:
                start, told = midnight.replace(tzinfo=UTC), None
            else:
                start, told = midnight.replace(tzinfo=zone).astimezone(UTC), blob_of(zone, day.year)
                if not sayable(zone, day.year) or start.astimezone(zone).replace(tzinfo=None) != midnight:
                    continue  # a midnight that the clock passes over is none of this device's
            item = Appointment(
                timezone=told, all_day_event=True, start_time=start, end_time=start + timedelta(days=1), subject="x"
            )
            zoned = {"timezone"} if told else set()
            given = frozenset({"all_day_event", "start_time", "end_time", "subject"} | zoned)
            stored = calendar.to_native(item, given, None, frozenset(), viewer("Europe/Berlin"), version, uid="n")
            if told is None or not told.unknown:
                assert f"DTSTART;VALUE=DATE:{day:%Y%m%d}\r\n".encode() in stored, (version, day)
