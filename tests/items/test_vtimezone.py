"""VTIMEZONE: read, written, and whom to believe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from eas.items.contentline import Component, parse, serialize
from eas.items.timezone import SystemTime, TimeZoneInformation, changes, key_of, zone_of_rules
from eas.items.vtimezone import Zones, definition, read

BERLIN = ZoneInfo("Europe/Berlin")


def zones(text: str = "") -> Zones:
    return Zones(parse(f"BEGIN:VCALENDAR\n{text}END:VCALENDAR\n".encode()), BERLIN)


def vtimezone(tzid: str, *parts: str) -> str:
    return "\n".join(["BEGIN:VTIMEZONE", f"TZID:{tzid}", *parts, "END:VTIMEZONE", ""])


def part(kind: str, start: str, before: str, after: str, *more: str) -> str:
    lines = [f"BEGIN:{kind}", f"DTSTART:{start}", f"TZOFFSETFROM:{before}", f"TZOFFSETTO:{after}"]
    return "\n".join([*lines, *more, f"END:{kind}"])


FIXED = part("STANDARD", "19700101T000000", "+0500", "+0500")


@pytest.mark.parametrize(
    ("tzid", "definitions", "key"),
    [
        ("Europe/Paris", "", "Europe/Paris"),
        ("Europe/Paris", vtimezone("Europe/Paris", FIXED), "Europe/Paris"),  # the name outranks the definition
        ("Tokyo Standard Time", vtimezone("Tokyo Standard Time", FIXED), "Asia/Tokyo"),
        ("EST", "", "EST"),
        ("EST", vtimezone("EST", FIXED), "EST (defined)"),  # but not an abbreviation
        ("Foo", vtimezone("Foo", "X-LIC-LOCATION:Asia/Tokyo", FIXED), "Asia/Tokyo"),
        ("Foo", "", "Europe/Berlin"),  # the viewer's
        ("Foo", vtimezone("Foo", "BEGIN:STANDARD\nDTSTART:x\nEND:STANDARD"), "Europe/Berlin"),
        ("UTC", vtimezone("UTC", FIXED), "UTC"),
    ],
)
def test_what_a_tzid_means(tzid: str, definitions: str, key: str) -> None:
    found = zones(definitions).of(tzid)
    if key == "EST (defined)":
        assert datetime(2026, 1, 1, tzinfo=found).utcoffset() == timedelta(hours=5)
    else:
        assert key_of(found) == key


@pytest.mark.parametrize(("tzid", "hours"), [("UTC+02:00", 2.0), ("GMT-0530", -5.5), ("+3", 3.0)])
def test_fixed_offsets_without_definition(tzid: str, hours: float) -> None:
    assert datetime(2026, 1, 1, tzinfo=zones().of(tzid)).utcoffset() == timedelta(hours=hours)


def test_rules_and_dates_of_a_custom_zone() -> None:
    found = zones(
        vtimezone(
            "Foo",
            part("STANDARD", "20070101T000000", "+0100", "+0100"),
            part("DAYLIGHT", "20240331T020000", "+0100", "+0300", "RDATE:20250330T020000,20260329T020000"),
            part("STANDARD", "20241027T030000", "+0300", "+0100",
                 "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20261025T000000Z"),
        )
    ).of("Foo")
    hours = [
        (datetime(year, month, 1, tzinfo=found).utcoffset() or timedelta()) / timedelta(hours=1)
        for year, month in ((2000, 7), (2024, 7), (2025, 1), (2025, 7), (2026, 7), (2026, 12), (2027, 7))
    ]
    assert hours == [1, 3, 1, 3, 3, 1, 1]


def test_hostile_rules_are_passed_over() -> None:
    hostile = part("STANDARD", "19700101T000000", "+0100", "+0200", "RRULE:FREQ=SECONDLY")
    found = zones(vtimezone("Foo", hostile)).of("Foo")
    assert datetime(2026, 1, 1, tzinfo=found).utcoffset() == timedelta(hours=2)
    assert zones(vtimezone("Foo", part("STANDARD", "19700101T000000", "+9900", "+9900"))).of("Foo") is BERLIN


@pytest.mark.parametrize("year", [2007, 2026])
def test_written_definition_is_right_from_that_year_on(year: int) -> None:
    """Every third zone, and two of changing rules."""
    for key in [*sorted(available_timezones())[::3], "Africa/Casablanca", "Asia/Dhaka"]:
        zone = ZoneInfo(key)
        again = read(parse(serialize(definition(zone, year))))
        assert again is not None
        probes = [datetime(y, m, 2, 12, tzinfo=UTC) for y in (year, year + 1, year + 5) for m in range(1, 13, 2)]
        probes += [c.at + timedelta(seconds=s) for c in changes(zone, year + 1) for s in (-1, 0)]
        for moment in probes:
            assert moment.astimezone(again).utcoffset() == moment.astimezone(zone).utcoffset(), (key, moment)


def test_definition_of_a_blobs_rules() -> None:
    blob = TimeZoneInformation(
        bias=-75, standard_date=SystemTime(0, 9, 3, 2, 1), daylight_date=SystemTime(0, 4, 2, 1, 1), daylight_bias=-30
    )
    zone = zone_of_rules(blob)
    again = read(definition(zone, 2026))
    assert again is not None
    for month in range(1, 13):
        moment = datetime(2026, month, 15, tzinfo=UTC)
        assert moment.astimezone(again).utcoffset() == moment.astimezone(zone).utcoffset()


def test_definitions_are_added_once_and_found_again() -> None:
    calendar = parse(b"BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR\n")
    ours = Zones(calendar, BERLIN)
    assert [ours.define(BERLIN, 2026), ours.define(BERLIN, 2027)] == ["Europe/Berlin"] * 2
    assert [item.name for item in calendar.items if isinstance(item, Component)] == ["VTIMEZONE", "VEVENT"]


def test_windows_name_of_the_object_is_used_again() -> None:
    ours = zones(vtimezone("W. Europe Standard Time", FIXED))
    assert ours.define(BERLIN, 2026) == "W. Europe Standard Time"


def test_name_that_the_object_uses_without_definition_is_used_so_again() -> None:
    """RFC 7809: calendar servers may leave the definitions out."""
    ours = zones()
    assert ours.of("Europe/Berlin") is BERLIN
    assert ours.define(BERLIN, 2026) == "Europe/Berlin"
    assert not ours._definitions
