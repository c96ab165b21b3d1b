"""Time zones: the blob, and what it can and cannot say of a zone."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tzlocal.windows_tz import win_tz

from eas.items import timezone
from eas.items.timezone import (
    BadTimeZone,
    SystemTime,
    TimeZoneInformation,
    blob_of,
    changes,
    key_of,
    zone_of,
    zone_of_blob,
    zone_of_rules,
)

BERLIN, NEW_YORK, TOKYO = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")
EASTERN = TimeZoneInformation(
    bias=300,
    standard_name="Eastern",
    standard_date=SystemTime(0, 11, 0, 1, 2),
    daylight_name="Eastern DST",
    daylight_date=SystemTime(0, 3, 0, 2, 2),
    daylight_bias=-60,
)


def expressible(zone: ZoneInfo, year: int) -> bool:
    """At most two changes between two offsets of whole minutes."""
    found = changes(zone, year)
    start = datetime(year, 1, 1, tzinfo=UTC).astimezone(zone).utcoffset() or timedelta()
    offsets = {start, *(c.after for c in found)}
    return len(found) <= 2 and len(offsets) <= 2 and not any(o % timedelta(minutes=1) for o in offsets)


def test_blob_is_the_structure_of_the_specification() -> None:
    """[MS-ASDTYPE] TimeZone R104-R120: 172 bytes, biases in minutes, SYSTEMTIMEs of eight 16-bit numbers."""
    packed = base64.b64decode(EASTERN.text)
    assert len(packed) == 172
    assert packed[:4] == (300).to_bytes(4, "little")
    assert packed[4:20] == "Eastern".encode("utf-16-le") + b"\0\0"
    assert packed[68:84] == bytes([0, 0, 11, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0])
    assert packed[168:] == (-60).to_bytes(4, "little", signed=True)
    assert TimeZoneInformation.parse(EASTERN.text) == EASTERN


@pytest.mark.parametrize("year", [1998, 2026, 2031])
def test_blob_of_every_zone_keeps_its_time_through_the_year(year: int) -> None:
    """Every IANA zone, each month and around each change; the hours at New Year are the documented exception."""
    told = 0
    for key in sorted(available_timezones()):
        zone = ZoneInfo(key)
        if not expressible(zone, year):
            continue
        told += 1
        rules = zone_of_rules(blob_of(zone, year))
        probes = [datetime(year, month, day, 12, tzinfo=UTC) for month in range(1, 13) for day in (2, 16)]
        around = [c.at for z in (zone, rules) for c in changes(z, year) if c.wall > datetime(year, 1, 2)]
        probes += [at + timedelta(seconds=seconds) for at in around for seconds in (-1, 0)]
        for moment in probes:
            assert moment.astimezone(zone).utcoffset() == moment.astimezone(rules).utcoffset(), (key, moment)
    assert told >= len(available_timezones()) - 5


def test_what_a_blob_cannot_say_becomes_the_longest_offset() -> None:
    """In 2029 and 2033 Morocco's clocks change three times."""
    blob = blob_of(ZoneInfo("Africa/Casablanca"), 2033)
    assert not blob.has_daylight
    assert blob.standard_offset == timedelta(hours=1)


def test_rules_hold_in_the_years_after() -> None:
    """The fourth Sunday of March 2027 is its last: the rule has to say "last"."""
    blob = blob_of(BERLIN, 2027)
    assert (blob.daylight_date.month, blob.daylight_date.day) == (3, 5)
    assert all(timezone.keeps(BERLIN, blob, year) for year in range(2020, 2038))


@pytest.mark.parametrize("hours", range(-4, 5))
def test_skipped_and_repeated_hours_are_as_in_zoneinfo(hours: int) -> None:
    rules = zone_of_rules(blob_of(BERLIN, 2026))
    for change in changes(BERLIN, 2026):
        for minutes in (0, 30):
            wall = change.wall + timedelta(hours=hours, minutes=minutes)
            for fold in (0, 1):
                ours, theirs = (wall.replace(tzinfo=z, fold=fold) for z in (rules, BERLIN))
                assert ours.utcoffset() == theirs.utcoffset()
            instant = change.at + timedelta(hours=hours, minutes=minutes)
            ours, theirs = instant.astimezone(rules), instant.astimezone(BERLIN)
            assert (ours.replace(tzinfo=None), ours.fold) == (theirs.replace(tzinfo=None), theirs.fold)


def test_stored_zone_outranks_the_viewers_and_both_outrank_a_match() -> None:
    blob = blob_of(ZoneInfo("Europe/Paris"), 2026)
    vienna, madrid = ZoneInfo("Europe/Vienna"), ZoneInfo("Europe/Madrid")
    assert zone_of_blob(blob, 2026, vienna, madrid) is vienna
    assert zone_of_blob(blob, 2026, NEW_YORK, madrid) is madrid
    assert key_of(zone_of_blob(blob, 2026, NEW_YORK, TOKYO)) == "Europe/Paris"  # by its Windows name, Romance
    assert key_of(zone_of_blob(blob_of(vienna, 2026), 2026)) == "Europe/Berlin"  # by its rules


def test_localised_names_do_not_matter() -> None:
    blob = TimeZoneInformation.parse(EASTERN.text)
    assert key_of(zone_of_blob(blob, 2026, BERLIN)) == "America/New_York"


def test_all_zero_blob_says_nothing() -> None:
    blob = TimeZoneInformation.parse("A" * 232)
    assert blob.unknown
    assert zone_of_blob(blob, 2026, BERLIN) is BERLIN
    assert zone_of_blob(blob, 2026) is UTC


def test_custom_rules_become_a_zone_of_their_own() -> None:
    blob = TimeZoneInformation(
        bias=-75,
        standard_date=SystemTime(0, 9, 3, 2, 1, 30),
        daylight_date=SystemTime(0, 5, 2, 1, 4),
        daylight_bias=-30,
    )
    zone = zone_of_blob(blob, 2026, BERLIN)
    assert zone == zone_of_rules(blob)
    assert datetime(2026, 7, 1, tzinfo=zone).utcoffset() == timedelta(minutes=105)
    assert timezone.keeps(zone, blob, 2026)
    assert zone_of_blob(blob_of(zone, 2026), 2026, zone) is zone


def test_absolute_dates_count_in_their_year() -> None:
    blob = TimeZoneInformation(
        bias=0,
        standard_date=SystemTime(2026, 10, 0, 7, 2),
        daylight_date=SystemTime(2026, 4, 0, 3, 1),
        daylight_bias=-60,
    )
    zone = zone_of_rules(TimeZoneInformation.parse(blob.text))
    offsets = [datetime(2026, month, 5, tzinfo=zone).utcoffset() for month in (3, 6, 11)]
    assert offsets == [timedelta(), timedelta(hours=1), timedelta()]
    assert datetime(2028, 6, 5, tzinfo=zone).utcoffset() == timedelta()


@pytest.mark.parametrize("windows", sorted(win_tz))
def test_every_windows_name_is_known(windows: str) -> None:
    zone = zone_of(windows)
    assert zone is not None
    assert zone_of_blob(blob_of(zone, 2026), 2026, zone) is zone


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Tzfile/Europe/Berlin", "Europe/Berlin"),
        ("/mozilla.org/20050126_1/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("pacific standard time", "America/Los_Angeles"),
    ],
)
def test_names_that_mean_a_zone(name: str, key: str) -> None:
    assert key_of(zone_of(name) or UTC) == key


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "Europe", "/", "Mars/Olympus", "x" * 5000, "\0"])
def test_names_that_mean_none(name: str) -> None:
    assert zone_of(name) is None


def test_142_windows_zones_have_64_sets_of_rules() -> None:
    """Why a blob alone does not name a zone."""
    assert len(win_tz) == 142
    assert 60 <= len({timezone._signature(ZoneInfo(key), 2026) for key in win_tz.values()}) <= 70


yearly = st.builds(SystemTime, st.just(0), st.integers(1, 12), st.integers(0, 6), st.integers(1, 5), st.integers(0, 23))


@settings(max_examples=100, deadline=None)
@given(st.integers(-840, 840), st.text(max_size=40), yearly, yearly)
def test_blobs_round_trip(bias: int, name: str, standard: SystemTime, daylight: SystemTime) -> None:
    blob = TimeZoneInformation(
        bias=bias, standard_name=name, standard_date=standard, daylight_date=daylight, daylight_bias=-60
    )
    once = TimeZoneInformation.parse(blob.text)
    assert (once.bias, once.standard_date, once.daylight_date) == (bias, standard, daylight)
    assert TimeZoneInformation.parse(once.text) == once


def test_bad_dates_are_refused() -> None:
    for when in (SystemTime(0, 13, 0, 1), SystemTime(0, 3, 7, 1), SystemTime(0, 3, 0, 6), SystemTime(2026, 2, 0, 30)):
        blob = TimeZoneInformation(standard_date=SystemTime(0, 10, 0, 5, 3), daylight_date=when, daylight_bias=-60)
        with pytest.raises(BadTimeZone):
            TimeZoneInformation.parse(blob.text)
