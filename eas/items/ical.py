"""Rules that tie one field of an item to its lines in an iCalendar component, and the values that such lines hold.

A rule has a `load` and a `dump` that undo each other. `dump` changes as little as can be: the line that is there keeps
its place and its parameters. RFC 5545; [MS-OXCICAL] for the X-MICROSOFT-CDO properties.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum
from typing import Any, Protocol

from .contentline import Component, Line, escape, parse, split, unescape
from .native import Unreadable
from .timezone import is_utc
from .vtimezone import Zones

#: Longer durations are no durations: 3,000 years would leave the calendar.
MAX_DURATION = timedelta(days=366 * 100)
#: What made the objects that are new here.
PRODUCT = "-//eas-gateway//EN"


class Form(Enum):
    """How a point in time is written."""

    UTC = "UTC"
    ZONED = "ZONED"
    FLOATING = "FLOATING"
    DATE = "DATE"


@dataclass(frozen=True, slots=True)
class Moment:
    """A DTSTART and its like: wall time (naive; 00:00 of a DATE) and zone (the viewer's for floating times, dates)."""

    wall: datetime
    zone: tzinfo
    form: Form

    @property
    def instant(self) -> datetime:
        """The point in time, in UTC."""
        return utc(self.wall, self.zone)

    def at(self, wall: datetime) -> Moment:
        return replace(self, wall=wall)

    def like(self, instant: datetime) -> Moment:
        """The same form and zone at another instant."""
        return replace(self, wall=local(instant, self.zone))


def utc(wall: datetime, zone: tzinfo) -> datetime:
    """A wall time as an instant in UTC; at the ends of the calendar as if in UTC."""
    try:
        return wall.replace(tzinfo=zone).astimezone(UTC)
    except (OverflowError, ValueError):
        return wall.replace(tzinfo=UTC)


def local(instant: datetime, zone: tzinfo) -> datetime:
    """An instant as naive wall time in `zone`; the fold is kept, so that `utc` undoes it."""
    try:
        return instant.astimezone(zone).replace(tzinfo=None)
    except (OverflowError, ValueError):
        return instant.replace(tzinfo=None)


def read_moment(line: Line, zones: Zones) -> Moment:
    """Raises Unreadable for what is no date or time."""
    found = _STAMP.fullmatch(line.value.strip())
    if not found:
        raise Unreadable(f"{line.name} is {line.value[:40]!r}")
    try:
        wall = datetime.strptime(found[1] + _clock(found[2]), "%Y%m%d%H%M%S")
    except ValueError:
        raise Unreadable(f"{line.name} is {line.value[:40]!r}") from None
    if not found[2]:
        return Moment(wall, zones.viewer, Form.DATE)
    if found[3]:
        return Moment(wall, UTC, Form.UTC)
    if tzid := line.param("TZID"):
        return Moment(wall, zones.of(tzid), Form.ZONED)
    return Moment(wall, zones.viewer, Form.FLOATING)


def moment_value(moment: Moment) -> str:
    stamp = f"{moment.wall.year:04d}{moment.wall:%m%d}"
    if moment.form is Form.DATE:
        return stamp
    return f"{stamp}T{moment.wall:%H%M%S}" + ("Z" if moment.form is Form.UTC else "")


def moment_line(name: str, moment: Moment, zones: Zones) -> Line:
    """The line for `moment`; the definition of its zone is added to the object if it lacks one."""
    if moment.form is Form.DATE:
        params: tuple[tuple[str, tuple[str, ...]], ...] = (("VALUE", ("DATE",)),)
    elif moment.form is Form.ZONED:
        params = (("TZID", (zones.define(moment.zone, moment.wall.year),)),)
    else:
        params = ()
    return Line(name, moment_value(moment), params)


def form_for(zone: tzinfo) -> Form:
    """How a time in `zone` is written in a new line."""
    return Form.UTC if is_utc(zone) else Form.ZONED


def read_utc(component: Component, name: str) -> datetime | None:
    """DTSTAMP and its like, in UTC; None if there is none, or none that can be read."""
    line = component.first(name)
    return utc_of(line.value) if line else None


def utc_of(text: str) -> datetime | None:
    """None for what is no date in UTC."""
    found = _STAMP.fullmatch(text.strip())
    if not found:
        return None
    try:
        return datetime.strptime(found[1] + (found[2] or "000000"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def utc_value(instant: datetime) -> str:
    instant = instant.astimezone(UTC)
    return f"{instant.year:04d}{instant:%m%dT%H%M%S}Z"


def read_duration(text: str) -> timedelta:
    """`-PT15M`, `P1DT2H`, `P2W`. Raises ValueError."""
    found = _DURATION.fullmatch(text.strip().upper())
    if not found or not any(found.groups()[1:]):
        raise ValueError(f"duration {text[:40]!r}")
    weeks, days, hours, minutes, seconds = (int(piece or 0) for piece in found.groups()[1:])
    try:
        span = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise ValueError(f"duration {text[:40]!r}") from None
    if span > MAX_DURATION:
        raise ValueError(f"duration {text[:40]!r}")
    return -span if found[1] == "-" else span


def duration_value(span: timedelta) -> str:
    sign, seconds = ("-", -span) if span < timedelta() else ("", span)
    days, rest = seconds.days, seconds.seconds
    if not rest:
        return f"{sign}P{days // 7}W" if days and not days % 7 else f"{sign}P{days}D" if days else f"{sign}PT0S"
    times = "".join(f"{n}{unit}" for n, unit in ((rest // 3600, "H"), (rest // 60 % 60, "M"), (rest % 60, "S")) if n)
    return f"{sign}P{days}DT{times}" if days else f"{sign}PT{times}"


def open_calendar(data: bytes, kind: str) -> tuple[Component, list[Component]]:
    """The object, and its components called `kind` in document order. Raises Unreadable if there are none.

    A bare VEVENT gets a VCALENDAR around it.
    """
    root = parse(data)
    if root.name == kind:
        root.before, root.after = b"", b""
        calendar = new_calendar()
        calendar.items.append(root)
        return calendar, [root]
    found = root.components(kind)
    if not found:
        raise Unreadable(f"no {kind} in a {root.name[:40]}")
    return root, found


def new_calendar() -> Component:
    return Component("VCALENDAR", [Line("VERSION", "2.0"), Line("PRODID", PRODUCT)])


def set_line(component: Component, line: Line) -> None:
    """Put `line` in the place of the first line of its name, and drop further ones."""
    held = component.find(line.name)
    if not held:
        component.add(line)
        return
    component.replace(held[0], line)
    for other in held[1:]:
        component.remove(other)


def set_value(component: Component, name: str, value: str | None) -> None:
    """A raw value in the line that is there (its parameters stay) or a new one; None drops the lines of that name."""
    held = component.find(name)
    if value is None:
        for line in held:
            component.remove(line)
    elif not held:
        component.add(Line(name, value))
    elif held[0].value != value:
        component.replace(held[0], held[0].with_value(value))


class Rule(Protocol):
    def load(self, component: Component) -> Any: ...
    def dump(self, value: Any, component: Component) -> None: ...


@dataclass(frozen=True, slots=True)
class Text:
    """A text property. Absent is None, as is empty."""

    name: str

    def load(self, component: Component) -> str | None:
        line = component.first(self.name)
        return (line.text() or None) if line else None

    def dump(self, value: str | None, component: Component) -> None:
        held = component.first(self.name)
        if not value:
            set_value(component, self.name, None)
        elif held:
            component.replace(held, _without(held, "ALTREP").with_text(value))
        else:
            component.add(Line(self.name, "").with_text(value))


@dataclass(frozen=True, slots=True)
class Words:
    """An enumeration as the word in a property. `default` is what no line means; `other` what unknown words mean."""

    name: str
    words: Mapping[Any, str]
    default: Any
    other: Any

    def load(self, component: Component) -> Any:
        line = component.first(self.name)
        if line is None:
            return self.default
        word = line.value.strip().upper()
        return next((member for member, known in self.words.items() if known == word), self.other)

    def dump(self, value: Any, component: Component) -> None:
        value = self.default if value is None else value
        if value == self.default and component.first(self.name) is None:
            return
        set_value(component, self.name, self.words[value])


@dataclass(frozen=True, slots=True)
class Truth:
    """TRUE and FALSE in an X- property; no line is false, and None."""

    name: str

    def load(self, component: Component) -> bool:
        line = component.first(self.name)
        return line is not None and line.value.strip().upper() == "TRUE"

    def dump(self, value: bool | None, component: Component) -> None:
        if value or component.first(self.name):
            set_value(component, self.name, "TRUE" if value else "FALSE")


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number; None for no line, or for one that holds none."""

    name: str

    def load(self, component: Component) -> int | None:
        line = component.first(self.name)
        text = line.value.strip() if line else ""
        return int(text) if _NUMBER.fullmatch(text) else None

    def dump(self, value: int | None, component: Component) -> None:
        set_value(component, self.name, None if value is None else str(value))


@dataclass(frozen=True, slots=True)
class Stamp:
    """A point in time in UTC."""

    name: str

    def load(self, component: Component) -> datetime | None:
        return read_utc(component, self.name)

    def dump(self, value: datetime | None, component: Component) -> None:
        set_value(component, self.name, None if value is None else utc_value(value))


@dataclass(frozen=True, slots=True)
class Each:
    """A property with a list of texts, in one line or several."""

    name: str

    def load(self, component: Component) -> tuple[str, ...]:
        pieces = (piece for line in component.find(self.name) for piece in split(line.decoded(), ","))
        found = (unescape(piece).strip() for piece in pieces)
        return tuple(dict.fromkeys(text for text in found if text))

    def dump(self, value: Iterable[str], component: Component) -> None:
        """Words that stay keep their line; new ones go to the first."""
        wanted = list(dict.fromkeys(value))
        for line in component.find(self.name):
            pieces = split(line.decoded(), ",")
            stay = [piece for piece in pieces if unescape(piece).strip() in wanted]
            wanted = [text for text in wanted if text not in {unescape(piece).strip() for piece in stay}]
            if not stay:
                component.remove(line)
            elif len(stay) != len(pieces):
                component.replace(line, line.with_escaped(",".join(stay)))
        if not wanted:
            return
        added = ",".join(map(escape, wanted))
        if held := component.first(self.name):
            component.replace(held, held.with_escaped(f"{held.decoded()},{added}"))
        else:
            component.add(Line(self.name, added))


def load(rules: Mapping[str, Rule], component: Component) -> dict[str, Any]:
    """Field -> value for all rules."""
    return {name: rule.load(component) for name, rule in rules.items()}


_STAMP = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII | re.IGNORECASE)
_DURATION = re.compile(
    r"([+-]?)P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?", re.ASCII
)
_NUMBER = re.compile(r"-?\d{1,9}", re.ASCII)


def _clock(text: str | None) -> str:
    """HHMMSS; a leap second, which Python does not have, is the second before it."""
    return f"{text[:4]}59" if text and text.endswith("60") else text or "000000"


def _without(line: Line, name: str) -> Line:
    """The line without a parameter that belongs to its old value."""
    kept = tuple(param for param in line.params if param[0] != name)
    return line if kept == line.params else line.with_params(kept)
