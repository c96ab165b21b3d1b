"""Effects outside the state, written down before they are done. Functions of a connection inside a transaction;
docs/design.md section 2, "Effects outside our database".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, exists, func, insert, or_, select, update

from eas.engine.ports import Chosen, Intent, Owner

from .tables import device, intent, sync_generation, sync_state

_OWNED = (
    intent.c.user_id == bindparam("user"),
    intent.c.device_id == bindparam("device"),
    intent.c.collection_id == bindparam("collection"),
)

_ALL = select(intent).where(*_OWNED).order_by(intent.c.id)
_SAME = select(intent).where(
    *_OWNED,
    intent.c.verb == bindparam("verb"),
    intent.c.client_id == bindparam("client"),
    intent.c.server_id == bindparam("server"),
    intent.c.digest == bindparam("content"),
)
_ADD = insert(intent).returning(intent.c.id)
_SETTLE = update(intent).where(*_OWNED, intent.c.id == bindparam("settled")).values(result=bindparam("outcome"))
_SETTLE_UNDER = (
    update(intent)
    .where(*_OWNED, intent.c.id == bindparam("settled"))
    .values(result=bindparam("outcome"), settled_key=bindparam("under"))
)
_FORGET = delete(intent).where(*_OWNED, intent.c.id.in_(bindparam("ids", expanding=True)))
_FORGET_ALL = delete(intent).where(intent.c.user_id == bindparam("user"), intent.c.device_id == bindparam("device"))
_OPEN = select(func.count()).select_from(intent).where(intent.c.result == "")


def of_owner(connection: Connection, owner: Owner) -> Sequence[Intent]:
    """Oldest first."""
    return [_intent(row) for row in connection.execute(_ALL, _owner(owner))]


def same(connection: Connection, owner: Owner, wanted: Intent) -> Intent | None:
    """The one of equal identity."""
    identity = {
        "verb": wanted.verb, "client": wanted.client_id, "server": wanted.server_id, "content": wanted.digest,
    }
    row = connection.execute(_SAME, {**_owner(owner), **identity}).one_or_none()
    return None if row is None else _intent(row)


def add(connection: Connection, owner: Owner, new: Intent, at: datetime) -> int:
    """Its id. Raises IntegrityError if there is one of equal identity."""
    values = {
        "user_id": owner.user_id, "device_id": owner.device_id, "collection_id": owner.collection_id,
        "verb": new.verb, "client_id": new.client_id, "server_id": new.server_id, "digest": new.digest,
        "chosen_name": new.chosen.name, "chosen_note": new.chosen.note,
        "result": new.result, "settled_key": new.settled_key, "created": at,
    }
    return int(connection.execute(_ADD, values).scalar_one())


def settle(connection: Connection, owner: Owner, id: int, result: str) -> None:
    connection.execute(_SETTLE, {**_owner(owner), "settled": id, "outcome": result})


def settle_all(connection: Connection, owner: Owner, settled: Mapping[int, tuple[str, str]]) -> None:
    """Intent id -> (result, key of the generation that reports it)."""
    values = [
        {**_owner(owner), "settled": id, "outcome": result, "under": key} for id, (result, key) in settled.items()
    ]
    if values:
        connection.execute(_SETTLE_UNDER, values)


def forget(connection: Connection, owner: Owner, ids: Collection[int]) -> None:
    if ids:
        connection.execute(_FORGET, {**_owner(owner), "ids": list(ids)})


def forget_device(connection: Connection, user_id: str, device_id: str) -> None:
    connection.execute(_FORGET_ALL, {"user": user_id, "device": device_id})


def count_open(connection: Connection) -> int:
    """Those of which the result is not known."""
    return int(connection.execute(_OPEN).scalar_one())


def gone(before: datetime) -> tuple[Select[Any], Select[Any]]:
    """The ids of those that are older, and of those of devices that are no more.

    What a device may still ask for again stays, however old: where its answer waits to be proven, and where the device
    was not heard of since. It may have been in a drawer, and its state been dropped meanwhile."""
    reported = (
        exists()
        .where(sync_generation.c.state == sync_state.c.number, sync_generation.c.key == intent.c.settled_key)
        .where(
            sync_state.c.user_id == intent.c.user_id,
            sync_state.c.device_id == intent.c.device_id,
            sync_state.c.collection_id == intent.c.collection_id,
        )
    )
    owner = exists().where(device.c.user_id == intent.c.user_id, device.c.id == intent.c.device_id)
    heard = owner.where(or_(device.c.last_seen.is_(None), device.c.last_seen >= before))
    return (
        select(intent.c.id).where(intent.c.created < before, ~reported, heard), select(intent.c.id).where(~owner)
    )


def _owner(owner: Owner) -> dict[str, Any]:
    return {"user": owner.user_id, "device": owner.device_id, "collection": owner.collection_id}


def _intent(row: Row[Any]) -> Intent:
    return Intent(
        id=row.id, verb=row.verb, client_id=row.client_id, server_id=row.server_id, digest=row.digest,
        chosen=Chosen(name=row.chosen_name, note=row.chosen_note), result=row.result, settled_key=row.settled_key,
    )
