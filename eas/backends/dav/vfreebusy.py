"""Free/busy by the schedule outbox: the request, and what comes back. RFC 5546 3.3, RFC 6638 5 and 10, RFC 5545 3.6.4.

No I/O.
"""

from __future__ import annotations

from datetime import UTC, datetime

from eas.items import ical
from eas.items.appointment import BusyStatus
from eas.items.contentline import Component, Line, parse, serialize
from eas.items.freebusy import BusyPeriod
from eas.items.native import Unreadable

from .xmlbody import CAL, BadXml, Node

#: RFC 5545 3.2.9 FBTYPE: what is unknown is as good as BUSY. Out of office is what cannot be booked at all.
_STATUS_OF = {
    "FREE": None, "BUSY": BusyStatus.BUSY, "BUSY-UNAVAILABLE": BusyStatus.OUT_OF_OFFICE,
    "BUSY-TENTATIVE": BusyStatus.TENTATIVE,
}
#: Periods of one answer. 42 days have some 2,000 half hours.
MAX_PERIODS = 20_000


def moment(instant: datetime) -> str:
    return ical.utc_value(instant)


def request(
    *, uid: str, organizer: str, attendee: str, start: datetime, end: datetime, now: datetime | None = None
) -> bytes:
    """`now` stands in DTSTAMP; `start` if it is not told."""
    calendar = ical.new_calendar()
    calendar.items.append(Line("METHOD", "REQUEST"))
    calendar.items.append(Component("VFREEBUSY", [
        Line("UID", uid), Line("DTSTAMP", moment(now or start)), Line("DTSTART", moment(start)),
        Line("DTEND", moment(end)), Line("ORGANIZER", f"mailto:{organizer}"), Line("ATTENDEE", f"mailto:{attendee}"),
    ]))
    return serialize(calendar)


def answer(root: Node, address: str) -> bytes | None:
    """The object for this address out of a schedule-response; None if the server knows nothing of it, or does not tell.
    Raises BadXml."""
    if root.name != f"{CAL}schedule-response":
        raise BadXml("no schedule-response")
    for response in root.children:
        recipient = response.child(f"{CAL}recipient")
        status = response.child(f"{CAL}request-status")
        data = response.child(f"{CAL}calendar-data")
        if recipient is None or _address(recipient) != address.lower():
            continue
        # 2.x is success, 3.7 an invalid user, 3.8 no authority, 5.x a failure of the service. RFC 5546 3.6
        if status is not None and status.text.strip().startswith("2") and data is not None and data.text.strip():
            return data.text.encode()
    return None


def _address(recipient: Node) -> str:
    text = (recipient.hrefs() or (recipient.text.strip(),))[0].lower()
    return text.removeprefix("mailto:")


def periods(data: bytes, start: datetime, end: datetime) -> list[BusyPeriod]:
    """The periods of a VFREEBUSY, in order, cut to these bounds. Raises Unreadable."""
    found = []
    for component in parse(data).components("VFREEBUSY"):
        for line in component.find("FREEBUSY"):
            status = _STATUS_OF.get((line.param("FBTYPE") or "BUSY").upper(), BusyStatus.BUSY)
            for text in line.value.split(",") if status is not None else ():
                if (span := _span(text)) and status is not None:
                    found.append(BusyPeriod(max(span[0], start), min(span[1], end), status))
                if len(found) > MAX_PERIODS:
                    raise Unreadable("free/busy without measure")
    return sorted((one for one in found if one.start < one.end), key=lambda one: (one.start, one.end))


def _span(text: str) -> tuple[datetime, datetime] | None:
    """RFC 5545 3.3.9 PERIOD, in UTC; None for none."""
    first, _, last = text.partition("/")
    start, end = ical.utc_of(first), ical.utc_of(last)
    if start is None:
        return None
    if end is None:
        try:
            end = start + ical.read_duration(last)
        except (ValueError, OverflowError):
            return None
    return start.astimezone(UTC), end.astimezone(UTC)
