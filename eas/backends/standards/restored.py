"""Numbers of places and ids of objects after a backup was put back; see `embedded.restored`.

The servers themselves were not put back: what they say of the time since is what devices were told.
"""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from eas.backends.embedded.restored import ITEMS, raise_numbers

from .tables import MemberRow, PlaceRow


def raise_ids(connection: Connection) -> int:
    """The first place number that may have been handed out in the lost time."""
    connection.execute(update(PlaceRow).values(next_item=PlaceRow.next_item + ITEMS))
    return raise_numbers(connection, PlaceRow.__table__, "number")  # type: ignore[arg-type]


def members(connection: Connection) -> frozenset[str]:
    """The users whose groupware stands on other servers."""
    return frozenset(connection.execute(select(MemberRow.user_id)).scalars())
