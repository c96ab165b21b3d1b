"""The times of logs. Those without a zone are taken for UTC; some have no year."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SYSLOG = re.compile(r"([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2})")
_PARTS = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4}) (\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,7}))?(?: ([AP])M)?")


def iso(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def day_first(text: str) -> datetime | None:
    """"21/11/2026 10:00:00" """
    return _of_parts(text, day_first=True)


def month_first(text: str) -> datetime | None:
    """"11/21/2026 10:00:00", also with AM and PM; the day where it can only be the first."""
    return _of_parts(text, day_first=False)


def _of_parts(text: str, *, day_first: bool) -> datetime | None:
    found = _PARTS.fullmatch(text.strip())
    if not found:
        return None
    first, second, year, hour, minute, second_of = (int(part) for part in found.groups()[:6])
    day, month = (first, second) if day_first or first > 12 else (second, first)
    if found[8]:
        hour = hour % 12 + 12 * (found[8] == "P")
    micro = int((found[7] or "0")[:6].ljust(6, "0"))
    return _moment(year, month, day, hour, minute, second_of, micro)


def _moment(*parts: int) -> datetime | None:
    try:
        return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]  # the zone is no part
    except ValueError:
        return None


class Syslog:
    """ "Nov 21 10:00:00": the last such moment before the file was written."""

    def __init__(self, changed: datetime) -> None:
        self._changed = changed

    def __call__(self, text: str) -> datetime | None:
        found = _SYSLOG.fullmatch(text)
        if not found or found[1] not in _MONTHS:
            return None
        month, rest = _MONTHS.index(found[1]) + 1, [int(part) for part in found.groups()[1:]]
        for year in range(self._changed.year, self._changed.year - 5, -1):  # 29 February is not in each
            moment = _moment(year, month, *rest)
            # A day of grace: the clocks of the log and of the file system need not have one zone.
            if moment is not None and moment <= self._changed + timedelta(days=1):
                return moment
        return None
