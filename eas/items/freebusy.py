"""When somebody is busy: the periods of an event, and MergedFreeBusy. [MS-ASCMD] MergedFreeBusy R3315-R3339."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from .appointment import BusyStatus
from .calendar_view import VEVENT
from .contentline import Component
from .event import all_day_instants, open_event

SLOT = timedelta(minutes=30)
#: Free/busy times are asked for up to 42 days; this is far beyond, against endless loops over a bad request.
MAX_SLOTS = 48 * 366


@dataclass(frozen=True, slots=True)
class BusyPeriod:
    """Aware times in UTC; `status` is TENTATIVE, BUSY or OUT_OF_OFFICE."""

    start: datetime
    end: datetime
    status: BusyStatus


#: What counts as busy. Who works elsewhere can be met: the digit 4 means that nothing is known.
_COUNTS = frozenset({BusyStatus.TENTATIVE, BusyStatus.BUSY, BusyStatus.OUT_OF_OFFICE})


def busy_periods(data: bytes, start: datetime, end: datetime, zone: tzinfo = UTC) -> list[BusyPeriod]:
    """The periods between `start` and `end` in which an event takes its owner's time, in order, cut to these bounds.

    `zone` is the owner's, for floating times and days. Cancelled events and occurrences take none. Raises Unreadable.
    """
    event = open_event(data, zone)
    found = []
    for span, component in event.laid_out(start, end):
        status = VEVENT["busy_status"].load(component)
        if status not in _COUNTS or _cancelled(component):
            continue
        first, last = span.start.instant, span.end.instant
        if span.all_day:
            first, last = all_day_instants(span, span.start.zone)
        if first < last:
            found.append(BusyPeriod(max(first, start), min(last, end), status))
    return found


def merged_free_busy(periods: Iterable[BusyPeriod], start: datetime, end: datetime) -> str:
    """A digit for each 30 minutes from `start` on: 0 free, 1 tentative, 2 busy, 3 out of office; of several the
    highest. The last slot may reach beyond `end`; any overlap marks a slot."""
    digits = [0] * min(MAX_SLOTS, max(0, -((start - end) // SLOT)))
    for period in periods:
        first = max(0, (period.start - start) // SLOT)
        last = min(len(digits), -((start - period.end) // SLOT))
        for slot in range(first, last):
            digits[slot] = max(digits[slot], int(period.status))
    return "".join(map(str, digits))


def _cancelled(component: Component) -> bool:
    line = component.first("STATUS")
    return line is not None and line.value.strip().upper() == "CANCELLED"
