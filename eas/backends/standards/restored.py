"""Numbers of places and ids of objects after a backup was put back; see `embedded.restored`.

The servers themselves were not put back: what they say of the time since is what devices were told.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select, update

from eas.backends.embedded.restored import raise_numbers, raised_count

from .tables import MemberRow, PlaceRow


def raise_items(connection: Connection, at: datetime) -> None:
    connection.execute(update(PlaceRow).values(next_item=raised_count(PlaceRow.next_item, at)))


def next_items(connection: Connection, places: Collection[int]) -> dict[int, int]:
    """As `embedded.restored.next_items`. Of IMAP, which gives ids itself, 1."""
    statement = select(PlaceRow.number, PlaceRow.next_item).where(PlaceRow.number.in_(places))
    return dict(connection.execute(statement).all())


def raise_places(connection: Connection, at: datetime) -> int:
    """The first place number that may have been handed out in the lost time."""
    return raise_numbers(connection, PlaceRow.__table__, "number", at)  # type: ignore[arg-type]


def members(connection: Connection) -> frozenset[str]:
    """The users whose groupware stands on other servers."""
    return frozenset(connection.execute(select(MemberRow.user_id)).scalars())
