"""Items that went out to a device degraded, since they could not be converted: with the reason, and the release of the
program that could not. Functions of a connection inside a transaction.

They hang on the state of the collection and go with it: a device that begins anew gets every item anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select

from eas.engine.ports import DegradedItem, Owner
from eas.items.native import ItemId

from .tables import degraded, sync_state

_OWNED = (
    sync_state.c.user_id == bindparam("user"),
    sync_state.c.device_id == bindparam("device"),
    sync_state.c.collection_id == bindparam("collection"),
)
_ALL = (
    select(
        sync_state.c.user_id, sync_state.c.device_id, sync_state.c.collection_id,
        degraded.c.item, degraded.c.reason, degraded.c.release, degraded.c.at,
    )
    .join_from(degraded, sync_state)
    .order_by(sync_state.c.user_id, sync_state.c.device_id, sync_state.c.collection_id, degraded.c.item)
)
_OF_DEVICE = _ALL.where(sync_state.c.user_id == bindparam("user"), sync_state.c.device_id == bindparam("device"))
_DROP = delete(degraded).where(
    degraded.c.state == bindparam("of"), degraded.c.item.in_(bindparam("items", expanding=True))
)
_DROP_OF_OWNER = delete(degraded).where(
    degraded.c.state.in_(select(sync_state.c.number).where(*_OWNED)),
    degraded.c.item.in_(bindparam("items", expanding=True)),
)
_ADD = insert(degraded)


def note(connection: Connection, state: int, told: Mapping[ItemId, str], release: str, at: datetime) -> None:
    """`told` are the items of one answer with their reasons; "" for those that went out whole, or are gone."""
    if not told:
        return
    connection.execute(_DROP, {"of": state, "items": list(told)})
    values = [
        {"state": state, "item": id, "reason": reason, "release": release, "at": at}
        for id, reason in told.items() if reason
    ]
    if values:
        connection.execute(_ADD, values)


def everything(connection: Connection, user_id: str | None, device_id: str | None) -> Sequence[DegradedItem]:
    """By owner and item; of one device, or all."""
    if user_id is None or device_id is None:
        rows = connection.execute(_ALL)
    else:
        rows = connection.execute(_OF_DEVICE, {"user": user_id, "device": device_id})
    return [
        DegradedItem(
            owner=Owner(user_id=row.user_id, device_id=row.device_id, collection_id=row.collection_id),
            id=row.item, reason=row.reason, release=row.release, at=row.at,
        )
        for row in rows
    ]


def drop(connection: Connection, owner: Owner, ids: Collection[ItemId]) -> None:
    values = {"user": owner.user_id, "device": owner.device_id, "collection": owner.collection_id, "items": list(ids)}
    connection.execute(_DROP_OF_OWNER, values)
