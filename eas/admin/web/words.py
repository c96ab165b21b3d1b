"""How pages say times, numbers and states: filters of the templates. The moment of reading can be
given; else it is now.

Times come as ISO texts, as the actions give them, or as datetimes; an empty one is a dash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

#: The largest unit that fits, seconds first.
_SPANS = ((60, 1, "second"), (3600, 60, "minute"), (86400, 3600, "hour"), (86400 * 60, 86400, "day"))
_MONTH, _YEAR = 86400 * 30.44, 86400 * 365.25
NOTHING = "–"


def parsed(value: str | datetime | None) -> datetime | None:
    """None for nothing; a text without a zone is UTC."""
    if not value:
        return None
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def ago(value: str | datetime | None, now: datetime | None = None) -> str:
    """"3 minutes ago", "in 2 hours", "just now"."""
    at = parsed(value)
    if at is None:
        return "never"
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    said = span(abs(seconds))
    if abs(seconds) < 5:
        return "just now"
    return f"{said} ago" if seconds > 0 else f"in {said}"


def span(seconds: float) -> str:
    """The largest unit that fits, whole: "3 days"."""
    for below, size, name in _SPANS:
        if seconds < below:
            return _counted(int(seconds // size), name)
    if seconds < _YEAR:
        return _counted(int(seconds // _MONTH), "month")
    return _counted(int(seconds // _YEAR), "year")


def moment(value: str | datetime | None) -> str:
    """To the second, in UTC, for those who compare."""
    at = parsed(value)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at is not None else NOTHING


def when(value: str | datetime | None, now: datetime | None = None) -> Markup:
    """How long ago, with the exact time where a mouse or a screen reader finds it."""
    at = parsed(value)
    if at is None:
        return Markup('<span class="muted">never</span>')
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), moment(at), ago(at, now))


def at(value: str | datetime | None, now: datetime | None = None) -> Markup:
    """The time itself: of today without the day."""
    found = parsed(value)
    if found is None:
        return Markup('<span class="muted">{}</span>').format(NOTHING)
    said = f"{found:%H:%M:%S}" if found.date() == (now or datetime.now(UTC)).date() else f"{found:%Y-%m-%d %H:%M}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(found.isoformat(), moment(found), said)


def size(value: float | None) -> str:
    """"1.4 MB": powers of a thousand."""
    if value is None:
        return NOTHING
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(value) >= size:
            return f"{value / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{value:.0f} B"


def number(value: float | None) -> str:
    """With commas between thousands."""
    if value is None:
        return NOTHING
    return f"{value:,.1f}".removesuffix(".0") if value % 1 else f"{value:,.0f}"


def counted(value: int, one: str, many: str = "") -> str:
    """"1 device", "1,204 devices"."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def _counted(value: int, name: str) -> str:
    return f"{value} {name}{'' if value == 1 else 's'}"


def segment(text: str) -> str:
    """As a step of a path."""
    return quote(text, safe="@")


#: By the names that templates use.
FILTERS: Mapping[str, Callable[..., Any]] = {
    "ago": ago, "at": at, "counted": counted, "moment": moment, "number": number, "segment": segment, "size": size,
    "span": span, "when": when,
}
