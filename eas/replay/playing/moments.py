"""Dates of a session moved by a distance, so that what was yesterday when it was recorded is yesterday again.

Instants are moved, as they are written in ActiveSync, in MIME and in iCalendar; dates of persons (birthdays) are not.
A distance is whole days, so that times of day stay what they are, but for places whose clocks are changed in between.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

#: [MS-ASDTYPE] dateTime and Compact DateTime; milliseconds are kept as they are.
_DASHED = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?Z")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z")
_HEADER = re.compile(rb"^(Date|Resent-Date|X-Original-Date):[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
#: Properties of iCalendar with one date, or date and time.
_PROPERTY = re.compile(
    rb"^((?:DTSTART|DTEND|DUE|DTSTAMP|RECURRENCE-ID|EXDATE|CREATED|LAST-MODIFIED|COMPLETED)[^:\r\n]*):"
    rb"(\d{8})(T\d{6})?", re.MULTILINE,
)
_UNTIL = re.compile(rb"^(RRULE:[^\r\n]*UNTIL=)(\d{8})", re.MULTILINE)
#: `+7d`, `-12h`.
_DISTANCE = re.compile(r"([+-]?\d{1,6})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}

NONE = timedelta()


def instant(text: str) -> datetime | None:
    """An instant in either form, None for anything else."""
    found = _DASHED.fullmatch(text) or _COMPACT.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, *rest = found.groups()
    micro = int((rest[0] or ".")[1:7].ljust(6, "0")) if rest else 0
    try:
        return datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), micro, tzinfo=UTC)
    except ValueError:
        return None


def moved(text: str, by: timedelta) -> str:
    """The text later by so much where it is an instant, else as it is; in the same form."""
    if not by or len(text) < 16 or not text.endswith("Z"):
        return text
    for pattern, form in ((_DASHED, "%Y-%m-%dT%H:%M:%S"), (_COMPACT, "%Y%m%dT%H%M%S")):
        if found := pattern.fullmatch(text):
            fraction = (found.group(7) or "") if pattern is _DASHED else ""
            at = _later(instant(text), by)
            return text if at is None else f"{at.strftime(form)}{fraction}Z"
    return text


def _later(at: datetime | None, by: timedelta) -> datetime | None:
    """None where no such date can be written: before 1000 or after 9999."""
    try:
        later = at + by if at is not None else None
    except OverflowError:
        return None
    return later if later is not None and later.year >= 1000 else None


def moved_message(data: bytes, by: timedelta) -> bytes:
    """A MIME message with its dates moved: of its header, and of iCalendar parts that travel as text."""
    if not by:
        return data
    data = _HEADER.sub(lambda found: _date(found, by), data)
    return moved_calendar(data, by) if b"BEGIN:VCALENDAR" in data else data


def _date(found: re.Match[bytes], by: timedelta) -> bytes:
    try:
        at = _later(parsedate_to_datetime(found[2].decode("latin-1")), by)
    except (ValueError, TypeError, IndexError):
        at = None
    return found[0] if at is None else found[1] + b": " + format_datetime(at).encode()


def moved_calendar(data: bytes, by: timedelta) -> bytes:
    """iCalendar with its dates moved; time zones and what is relative stay."""
    inside = data.split(b"BEGIN:VTIMEZONE")
    out = [_properties(inside[0], by)]
    for piece in inside[1:]:
        zone, end, rest = piece.partition(b"END:VTIMEZONE")
        out.append(b"BEGIN:VTIMEZONE" + zone + end + _properties(rest, by))
    return b"".join(out)


def _properties(data: bytes, by: timedelta) -> bytes:
    data = _PROPERTY.sub(lambda found: found[1] + b":" + _stamp(found[2], found[3] or b"", by), data)
    return _UNTIL.sub(lambda found: found[1] + _stamp(found[2], b"", by), data)


def _stamp(day: bytes, clock: bytes, by: timedelta) -> bytes:
    form = "%Y%m%dT%H%M%S" if clock else "%Y%m%d"
    try:
        at = _later(datetime.strptime((day + clock).decode(), form).replace(tzinfo=UTC), by)
    except ValueError:
        at = None
    return day + clock if at is None else at.strftime(form).encode()


def distance(words: str, recorded: datetime, now: datetime) -> timedelta:
    """What `--shift-dates` says: `none`, `now` (whole days, at most up to now), or `+7d`, `-12h`. Raises ValueError."""
    if words == "none":
        return NONE
    if words == "now":
        return timedelta(days=(now - recorded).days)
    if found := _DISTANCE.fullmatch(words):
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    raise ValueError(f"{words!r} is none of now, none, +7d, -12h")
