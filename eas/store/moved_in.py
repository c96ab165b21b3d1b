"""Partnerships that come from another server, and how a phone finds its own. Functions of a connection inside a
transaction.

Other servers keep a device's id in a spelling of their own, and some no type. What the phone says with its first
request is put in their place then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, Table, insert, select, update

from eas.db import Base
from eas.engine.model import Device

from . import access, devices, wipes
from .tables import device, sync_state

#: What is said of ids by an admin, or once and for ever: not of one partnership.
_OF_IDS = ("access_list", "audit")


def add(connection: Connection, new: Sequence[Device]) -> Sequence[Device]:
    """Those that were not there, with what is in force here for their ids. Raises IntegrityError if one comes at the
    same moment."""
    held = {(user, id) for user, id in connection.execute(select(device.c.user_id, device.c.id))}
    lists = access.lists(connection)
    missing = [_bound(connection, one, lists) for one in new if (one.user_id, one.id) not in held]
    if missing:
        connection.execute(insert(device), [{**devices.row_of(one), "row": 1} for one in missing])
    return missing


def bare_id(device_id: str) -> str:
    """What other servers leave of a device id at least: its letters, in small, and digits."""
    return "".join(filter(str.isalnum, device_id)).lower()


def claim(connection: Connection, user_id: str, device_id: str, type: str) -> Device | None:
    """The partnership of this id that has no type, or one that was moved in under another spelling and has not
    synchronised here: it has this id and type from now on. None if there is none."""
    found = [one for one in devices.everyone(connection, user_id) if bare_id(one.id) == bare_id(device_id)]
    kept = next((one for one in found if one.id == device_id), None)
    if kept is None:
        kept = next((one for one in found if not _has_synchronised(connection, one)), None)
    if kept is None:
        return None
    here = (device.c.user_id == user_id, device.c.id == kept.id)
    renamed = update(device).where(*here).values(id=device_id, type=kept.type or type, row=device.c.row + 1)
    connection.execute(renamed)
    if kept.id != device_id:
        _take_along(connection, user_id, kept.id, device_id)
    claimed = devices.one(connection, user_id, device_id)
    if claimed is None:
        return None
    bound = _bound(connection, claimed, access.lists(connection, user_id))
    if bound != claimed and devices.save(connection, bound):
        return replace(bound, row=claimed.row + 1)
    return claimed


def _bound(connection: Connection, known: Device, lists: Mapping[str, Sequence[str]]) -> Device:
    """With a wipe that was ordered here for its id, and whether its user's list of devices has it."""
    listed = access.is_listed(known.id, lists.get(known.user_id, ()))
    return replace(wipes.inherited(connection, known), listed=listed)


def _has_synchronised(connection: Connection, known: Device) -> bool:
    rows = select(sync_state.c.number).where(
        sync_state.c.user_id == known.user_id, sync_state.c.device_id == known.id
    )
    return connection.execute(rows.limit(1)).first() is not None


def _take_along(connection: Connection, user_id: str, old: str, new: str) -> None:
    """What is kept beside the device, unless something is known of the new id."""
    for table in _beside_devices():
        of_new = select(table.c.device_id).where(table.c.user_id == user_id, table.c.device_id == new)
        if connection.execute(of_new.limit(1)).first() is None:
            moved = update(table).where(table.c.user_id == user_id, table.c.device_id == old)
            connection.execute(moved.values(device_id=new))


def _beside_devices() -> list[Table]:
    return [
        table for table in Base.metadata.sorted_tables
        if {"user_id", "device_id"} <= set(table.c.keys()) and not table.name.startswith(_OF_IDS)
    ]
