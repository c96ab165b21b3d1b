"""Messages by the time at which they were received (INTERNALDATE), exactly.

SEARCH compares days only, each in the time zone that the message was stored with (RFC 3501 6.4.4): it is asked for a
day or two more, and only the days at the border are looked at one by one.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from . import spans
from .model import Session, Spans

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY = timedelta(days=1)


def search_date(day: date) -> str:
    """RFC 3501 9, date: in English, whatever the locale."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04d}"


def shifted(day: date, days: int) -> date:
    """As far as there are days."""
    try:
        return day + days * _DAY
    except OverflowError:
        return date.max if days > 0 else date.min


async def beyond(session: Session, edge: datetime) -> Spans:
    """The UIDs of all messages that were received after `edge` (aware, UTC)."""
    day = edge.date()
    asked = ["SINCE", search_date(shifted(day, -1))]
    some = await session.search(asked)
    if not some:
        return ()
    # Of two days later everywhere, wherever on earth the day was counted.
    sure = spans.common(some, await session.search(["SINCE", search_date(shifted(day, 2))]))
    border = spans.without(some, sure)
    exact = [uid for uid, at in (await received(session, border)).items() if at > edge]
    return spans.union(sure, spans.of(exact))


async def between(session: Session, old: datetime, new: datetime) -> list[int]:
    """The UIDs of the messages that were received after `old` and not after `new`."""
    asked = ["SINCE", search_date(shifted(old.date(), -1)), "BEFORE", search_date(shifted(new.date(), 2))]
    found = await received(session, await session.search(asked))
    return [uid for uid, at in found.items() if old < at <= new]


async def received(session: Session, which: Spans) -> dict[int, datetime]:
    """UID -> INTERNALDATE."""
    found: dict[int, datetime] = {}
    if which:
        async for one in session.fetch(which, ("INTERNALDATE",)):
            if one.internal_date is not None:
                found[one.uid] = one.internal_date
    return found
