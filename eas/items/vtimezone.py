"""VTIMEZONE: what a TZID means in an object, and the definition that goes with a TZID that we write. RFC 5545 3.6.5.

Whom to believe: a TZID that is an IANA or Windows name means that zone, whatever the definition says, since definitions
are often cut short or out of date and every other program does the same. A bare abbreviation ("EST", "CET") is believed
only if there is no definition. Everything else goes by its X-LIC-LOCATION, then by its own rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

from . import rrule
from .contentline import Component, Line
from .timezone import (
    LAST_YEAR,
    Change,
    Observance,
    RuleZone,
    blob_of,
    changes,
    is_utc,
    keeps,
    key_of,
    zone_of,
    zone_of_rules,
)

#: Definitions that list every change since 1900 have about 250.
MAX_OBSERVANCES = 400
#: How long a definition that has no yearly rule is written out, and how long a rule must hold to be written as one.
WRITTEN_YEARS = 20
_CHECKED_YEARS = 10


class Zones:
    """The zones of one iCalendar object. Floating times and TZIDs that mean nothing are in the viewer's zone."""

    def __init__(self, calendar: Component, viewer: tzinfo) -> None:
        self.viewer = viewer
        self._calendar = calendar
        self._definitions = {
            line.value.strip(): component
            for component in calendar.components("VTIMEZONE")
            if (line := component.first("TZID"))
        }
        self._found: dict[str, tzinfo] = {}

    def of(self, tzid: str) -> tzinfo:
        tzid = tzid.strip()
        if tzid not in self._found:
            self._found[tzid] = self._resolve(tzid)
        return self._found[tzid]

    def tzid(self, zone: tzinfo) -> str | None:
        """The TZID by which the object already calls `zone`: one that it defines, or a name that needs no definition
        and that it uses without one (RFC 7809); None if there is neither."""
        named = (tzid for tzid in self._found if tzid not in self._definitions and zone_of(tzid) == zone)
        return next((tzid for tzid in self._definitions if self.of(tzid) == zone), None) or next(named, None)

    def define(self, zone: tzinfo, year: int) -> str:
        """The TZID for `zone`, whose definition is added to the object if it has none yet."""
        if (tzid := self.tzid(zone)) is not None:
            return tzid
        component = definition(zone, year)
        at = next((i for i, item in enumerate(self._calendar.items) if isinstance(item, Component)), None)
        self._calendar.items.insert(len(self._calendar.items) if at is None else at, component)
        tzid = key_of(zone)
        self._definitions[tzid] = component
        self._found[tzid] = zone
        return tzid

    def _resolve(self, tzid: str) -> tzinfo:
        component = self._definitions.get(tzid)
        named = zone_of(tzid)
        if named and (component is None or "/" in tzid or " " in tzid or is_utc(named)):
            return named
        if component is not None:
            location = component.first("X-LIC-LOCATION")
            return (zone_of(location.value) if location else None) or read(component) or named or self.viewer
        return named or _fixed(tzid) or self.viewer


def read(component: Component) -> RuleZone | None:
    """A VTIMEZONE as a zone; None if no observance in it can be understood."""
    line = component.first("TZID")
    observances = []
    for part in [c for c in component.components() if c.name in ("STANDARD", "DAYLIGHT")][:MAX_OBSERVANCES]:
        if observance := _observance(part):
            observances.append(observance)
    try:
        return RuleZone(line.value.strip() if line else "", observances)
    except ValueError:
        return None


def definition(zone: tzinfo, year: int) -> Component:
    """A VTIMEZONE that is right from `year` on: yearly rules where the zone has them, else each change for a while."""
    made = Component("VTIMEZONE", [Line("TZID", key_of(zone))])
    if isinstance(zone, RuleZone):
        made.items += [_part(o.first, o.before, o.after, o.name, o.rule, o.dates) for o in zone.observances]
        return made
    years = range(year - 1, min(year + WRITTEN_YEARS, LAST_YEAR))
    found = [change for y in years for change in changes(zone, y)]
    blob = blob_of(zone, year)
    if not found:
        offset = datetime(year, 1, 1, tzinfo=zone).utcoffset() or timedelta()
        made.items.append(_part(datetime(1970, 1, 1), offset, offset, _abbreviation(zone, datetime(year, 1, 1))))
    elif blob.has_daylight and all(keeps(zone, blob, y) for y in range(year - 1, year + _CHECKED_YEARS)):
        for rule_part in zone_of_rules(blob).observances:
            made.items.append(_yearly(zone, rule_part, found))
    else:
        made.items += _listed(zone, found)
    return made


def offset_text(offset: timedelta) -> str:
    """As in TZOFFSETTO: "+0130", with seconds only if there are some."""
    seconds = abs(offset) // timedelta(seconds=1)
    text = f"{'-' if offset < timedelta() else '+'}{seconds // 3600:02d}{seconds // 60 % 60:02d}"
    return f"{text}{seconds % 60:02d}" if seconds % 60 else text


_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)(?::?(\d\d))?", re.ASCII)
_FIXED = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?", re.ASCII)
_LOCAL = re.compile(r"(\d{8})(?:T(\d{6}))?Z?", re.ASCII)


def _fixed(tzid: str) -> RuleZone | None:
    """`UTC+01:00`, `GMT-5`: a zone of one offset."""
    if not (found := _FIXED.fullmatch(tzid.upper().replace(" ", ""))):
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0)) * (-1 if found[1] == "-" else 1)
    try:
        return RuleZone(tzid, [Observance(datetime(1970, 1, 1), offset, offset)])
    except ValueError:
        return None


def _observance(part: Component) -> Observance | None:
    values = {name: line.value.strip() for name in _NEEDED if (line := part.first(name))}
    first = _wall(values.get("DTSTART", ""))
    before, after = (_read_offset(values.get(name, "")) for name in ("TZOFFSETFROM", "TZOFFSETTO"))
    if first is None or before is None or after is None:
        return None
    name = part.first("TZNAME")
    dates = [_wall(piece.partition("/")[0]) for line in part.find("RDATE") for piece in line.value.split(",")]
    rule = None
    if line := part.first("RRULE"):
        try:
            rule = rrule.parse(line.value)
        except rrule.BadRule:
            rule = None
        if rule and (rule.freq != "YEARLY" or not rule.expandable):
            rule = None
        elif rule and rule.until and rule.until.tzinfo:
            rule = replace(rule, until=(rule.until + before).replace(tzinfo=None))
    return Observance(
        first=first,
        before=before,
        after=after,
        name=name.text() if name else "",
        rule=rule,
        dates=tuple(sorted({date for date in dates if date}))[:MAX_OBSERVANCES],
    )


_NEEDED = ("DTSTART", "TZOFFSETFROM", "TZOFFSETTO")


def _wall(text: str) -> datetime | None:
    if not (found := _LOCAL.fullmatch(text.strip())):
        return None
    try:
        return datetime.strptime(found[1] + (found[2] or "000000"), "%Y%m%d%H%M%S")
    except ValueError:
        return None


def _read_offset(text: str) -> timedelta | None:
    if not (found := _OFFSET.fullmatch(text)):
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]), seconds=int(found[4] or 0))
    return -offset if found[1] == "-" else offset


def _part(
    first: datetime,
    before: timedelta,
    after: timedelta,
    name: str = "",
    rule: rrule.Rule | None = None,
    dates: Iterable[datetime] = (),
) -> Component:
    """STANDARD or DAYLIGHT, whichever way the clock goes."""
    made = Component("DAYLIGHT" if after > before else "STANDARD", [Line("DTSTART", _stamp(first))])
    made.items += [Line("TZOFFSETFROM", offset_text(before)), Line("TZOFFSETTO", offset_text(after))]
    if name:
        made.items.append(Line("TZNAME", "").with_text(name))
    if rule:
        if rule.until and not rule.until.tzinfo:
            rule = replace(rule, until=(rule.until - before).replace(tzinfo=UTC))
        made.items.append(Line("RRULE", rrule.show(rule)))
    if dates:
        made.items.append(Line("RDATE", ",".join(map(_stamp, dates))))
    return made


def _stamp(moment: datetime) -> str:
    return f"{moment.year:04d}{moment:%m%dT%H%M%S}"


def _abbreviation(zone: tzinfo, wall: datetime) -> str:
    return wall.replace(tzinfo=zone).tzname() or ""


def _yearly(zone: tzinfo, observance: Observance, found: list[Change]) -> Component:
    """The rule, beginning with the first change of its kind that the zone really makes."""
    change = next(c for c in found if c.after == observance.after)
    name = change.at.astimezone(zone).tzname() or ""
    return _part(change.wall, change.before, change.after, name, observance.rule)


def _listed(zone: tzinfo, found: list[Change]) -> list[Component]:
    """One part for each pair of offsets, with the dates on which it begins."""
    kinds: dict[tuple[timedelta, timedelta], list[Change]] = {}
    for change in found:
        kinds.setdefault((change.before, change.after), []).append(change)
    return [
        _part(first.wall, before, after, first.at.astimezone(zone).tzname() or "", None, [c.wall for c in rest])
        for (before, after), (first, *rest) in kinds.items()
    ]


