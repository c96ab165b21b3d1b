"""What devices hold of collections: one small row with the heads, and the bodies that the heads refer to.

Functions of a connection inside a transaction; docs/design.md section 2.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, literal, select, union_all, update
from sqlalchemy.exc import IntegrityError

from eas.engine.keys import Head, Held, LostTime
from eas.engine.model import CollectionId
from eas.engine.ports import Owner, Step, StoredBody

from . import degraded, intents
from .tables import sync_blob, sync_generation, sync_state

_OWNED = (
    sync_state.c.user_id == bindparam("user"),
    sync_state.c.device_id == bindparam("device"),
    sync_state.c.collection_id == bindparam("collection"),
)

_LOAD = select(sync_state.c.row, sync_state.c.heads).where(*_OWNED)

_OF_DEVICE = (
    select(sync_state.c.collection_id, sync_state.c.row, sync_state.c.heads)
    .where(*_OWNED[:2]).order_by(sync_state.c.collection_id)
)
_SEVERAL = (
    select(sync_state.c.collection_id, sync_state.c.row, sync_state.c.heads)
    .where(*_OWNED[:2], sync_state.c.collection_id.in_(bindparam("collections", expanding=True)))
)

_GENERATION, _BLOB = "generation", "blob"
#: The generation's body has number 0, which is no blob's.
_BODY = union_all(
    select(literal(0).label("number"), sync_generation.c.body)
    .join_from(sync_state, sync_generation)
    .where(*_OWNED, sync_generation.c.key == bindparam("key")),
    select(sync_blob.c.blob, sync_blob.c.data)
    .join_from(sync_state, sync_blob)
    .where(*_OWNED, sync_blob.c.blob.in_(bindparam("blobs", expanding=True))),
)

_BEGIN = insert(sync_state).returning(sync_state.c.number)
_SWAP = (
    update(sync_state)
    .where(*_OWNED, sync_state.c.row == bindparam("expected"))
    .values(row=sync_state.c.row + 1, heads=bindparam("heads"))
    .returning(sync_state.c.number)
)
#: What is not kept goes, and so does what is written anew: a body may be replaced under its key.
_DROP_GENERATIONS = delete(sync_generation).where(
    sync_generation.c.state == bindparam("of"), sync_generation.c.key.not_in(bindparam("kept", expanding=True))
)
_DROP_BLOBS = delete(sync_blob).where(
    sync_blob.c.state == bindparam("of"), sync_blob.c.blob.not_in(bindparam("kept", expanding=True))
)
_ADD_GENERATION, _ADD_BLOB = insert(sync_generation), insert(sync_blob)

_FORGET_ONE = delete(sync_state).where(*_OWNED)
_FORGET_ALL = delete(sync_state).where(*_OWNED[:2])


class Lost(Exception):
    """Somebody else was quicker; the transaction is to be rolled back."""


def load(connection: Connection, owner: Owner) -> Held | None:
    found = connection.execute(_LOAD, owner_values(owner)).one_or_none()
    return None if found is None else load_heads(found.heads, found.row)


def several(
    connection: Connection, user_id: str, device_id: str, collections: Collection[CollectionId]
) -> dict[CollectionId, Held]:
    """Those that there are."""
    values = {"user": user_id, "device": device_id, "collections": list(collections)}
    return {row.collection_id: load_heads(row.heads, row.row) for row in connection.execute(_SEVERAL, values)}


def of_device(connection: Connection, user_id: str, device_id: str) -> dict[CollectionId, Held]:
    """All that a device holds, by collection."""
    found = connection.execute(_OF_DEVICE, {"user": user_id, "device": device_id})
    return {row.collection_id: load_heads(row.heads, row.row) for row in found}


def body(connection: Connection, owner: Owner, key: str, base: int, listing: int) -> StoredBody:
    values = {**owner_values(owner), "key": key, "blobs": [number for number in {base, listing} if number]}
    parts = {number: bytes(data) for number, data in connection.execute(_BODY, values)}
    return StoredBody(
        base=parts.get(base, b"") if base else b"",
        listing=parts.get(listing, b"") if listing else b"",
        generation=parts.get(0, b""),
    )


def commit(connection: Connection, owner: Owner, row: int, step: Step, release: str, at: datetime) -> None:
    """Raises Lost if the row has not this version (0: if there is one)."""
    state = _swap(connection, owner, row, dump_heads(step.held))
    keys = {head.key for head in step.held.heads}
    numbers = {number for head in step.held.heads for number in (head.base, head.listing) if number}
    generations = [{"state": state, "key": key, "body": data} for key, data in step.generations.items() if key in keys]
    blobs = [{"state": state, "blob": number, "data": data} for number, data in step.blobs.items() if number in numbers]
    if row:
        connection.execute(_DROP_GENERATIONS, {"of": state, "kept": sorted(keys - step.generations.keys())})
        connection.execute(_DROP_BLOBS, {"of": state, "kept": sorted(numbers - step.blobs.keys())})
    if generations:
        connection.execute(_ADD_GENERATION, generations)
    if blobs:
        connection.execute(_ADD_BLOB, blobs)
    degraded.note(connection, state, step.degraded, release, at)
    intents.settle_all(connection, owner, step.settled)
    intents.forget(connection, owner, step.forgotten)


def _swap(connection: Connection, owner: Owner, row: int, heads: str) -> int:
    """The state's number."""
    if row:
        values = {**owner_values(owner), "expected": row, "heads": heads}
        number = connection.execute(_SWAP, values).scalar_one_or_none()
        if number is None:
            raise Lost
        return int(number)
    new = {
        "user_id": owner.user_id, "device_id": owner.device_id, "collection_id": owner.collection_id,
        "row": 1, "heads": heads,
    }
    try:
        return int(connection.execute(_BEGIN, new).scalar_one())
    except IntegrityError as error:
        raise Lost from error


def forget(connection: Connection, user_id: str, device_id: str, collection_id: CollectionId | None) -> None:
    values = {"user": user_id, "device": device_id}
    if collection_id is None:
        connection.execute(_FORGET_ALL, values)
    else:
        connection.execute(_FORGET_ONE, {**values, "collection": collection_id})


def owner_values(owner: Owner) -> dict[str, Any]:
    return {"user": owner.user_id, "device": owner.device_id, "collection": owner.collection_id}


# -- heads as JSON: {"proven": {...} or absent, "issued": [...], "named": "..." or absent, "lost": {...} or absent}.
#    What has its default is left away, and what is unknown is ignored, so that a field may be added while nodes of
#    both kinds run.

_HEAD_DEFAULTS: Mapping[str, object] = {f.name: f.default for f in fields(Head)}
_LOST_FIELDS = frozenset(f.name for f in fields(LostTime))


def dump_heads(held: Held) -> str:
    value: dict[str, Any] = {"issued": [_dump_head(head) for head in held.issued]}
    if held.proven is not None:
        value["proven"] = _dump_head(held.proven)
    if held.named:
        value["named"] = held.named
    if held.lost is not None:
        value["lost"] = asdict(held.lost)
    return json.dumps(value, separators=(",", ":"))


def load_heads(text: str, row: int) -> Held:
    value = json.loads(text)
    proven, lost = value.get("proven"), value.get("lost")
    return Held(
        row=row,
        proven=None if proven is None else _load_head(proven),
        issued=tuple([_load_head(head) for head in value["issued"]]),
        named=value.get("named", ""),
        lost=None if lost is None else LostTime(**{name: lost[name] for name in lost.keys() & _LOST_FIELDS}),
    )


def _dump_head(head: Head) -> dict[str, Any]:
    values = {name: getattr(head, name) for name in _HEAD_DEFAULTS}
    return {name: value for name, value in values.items() if value != _HEAD_DEFAULTS[name]}


def _load_head(value: Mapping[str, Any]) -> Head:
    return Head(**{name: value[name] for name in value.keys() & _HEAD_DEFAULTS.keys()})
