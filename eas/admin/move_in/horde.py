"""What Horde's ActiveSync keeps in its database: one row for each device, one for each user of a device, and the states
that say when a device last synchronised. docs/move-in.md has the form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from eas.engine.model import Wipe

from . import php
from .dump import DumpError, Row, blob, rows
from .found import Found, Reading, key_of, latest, moment_of, number_of, text_of, version_of

DEVICES, USERS, STATES = "horde_activesync_device", "horde_activesync_device_users", "horde_activesync_state"
#: `device_rwstatus`; 0 and 1 are no wipe. It is the device's, whoever uses it.
_WIPES = {2: Wipe.REQUESTED, 3: Wipe.DONE}
_NO_WIPE = (None, 0, 1)
_INFORMATION = ("Model", "IMEI", "FriendlyName", "OS", "OSLanguage", "PhoneNumber", "MobileOperator")


_OF_DEVICE = (
    "device_id", "device_type", "device_agent", "device_rwstatus", "device_policykey", "device_properties",
)
_OF_USER = ("device_id", "device_user", "device_policykey", "device_accountonly_rwstatus")


def read(path: Path) -> Reading:
    """Raises DumpError, OSError."""
    devices: dict[str, Row] = {}
    users: list[Row] = []
    last: dict[tuple[str, str], datetime | None] = {}
    for table, row in rows(path, lambda name: name in (DEVICES, USERS, STATES)):
        if table == DEVICES:
            devices[text_of(row.get("device_id"))] = _kept(row, _OF_DEVICE)
        elif table == USERS:
            users.append(_kept(row, _OF_USER))
        else:
            key = text_of(row.get("sync_user")), text_of(row.get("sync_devid"))
            last[key] = latest(last.get(key), moment_of(row.get("sync_timestamp")))
    if not devices and not users:
        raise DumpError(f"{path}: no row of {DEVICES} or {USERS}")
    faults: list[str] = []
    about = {id: _about(id, row, faults) for id, row in devices.items()}
    found = [_partnership(row, devices, about, last) for row in users]
    used = {one.device for one in found}
    faults += [f"device {id}: no user has it" for id in devices if id not in used]
    return Reading(found=[one for one in found if one.device], faults=faults)


def _kept(row: Row, names: Iterable[str]) -> Row:
    return {name: row.get(name) for name in names}


def _about(id: str, row: Row, faults: list[str]) -> Mapping[str, Any]:
    """What a device has said of itself, and what Horde notes beside it."""
    octets = blob(row.get("device_properties"))
    if not octets:
        return {}
    try:
        told = php.load(octets)
    except php.PhpError as error:
        faults.append(f"device {id}: what it said of itself cannot be read ({error})")
        return {}
    return {text_of(key): value for key, value in told.items()} if isinstance(told, dict) else {}


def _partnership(
    row: Row, devices: Mapping[str, Row], about: Mapping[str, Mapping[str, Any]],
    last: Mapping[tuple[str, str], datetime | None],
) -> Found:
    id, user = text_of(row.get("device_id")), text_of(row.get("device_user"))
    device, said = devices.get(id, {}), about.get(id, {})
    status, alone = number_of(device.get("device_rwstatus")), number_of(row.get("device_accountonly_rwstatus"))
    notes = [] if device else ["without any device data"]
    if status not in (*_NO_WIPE, *_WIPES):
        notes.append(f"the wipe state {status} is not known")
    if alone not in _NO_WIPE:
        notes.append(f"a wipe of the account alone was asked for or done (state {alone}): ask for it again, if need be")
    blocked = said.get("blocked")
    return Found(
        names=(user,), device=id, type=text_of(device.get("device_type")), agent=text_of(device.get("device_agent")),
        version=version_of(said.get("version")), last_seen=last.get((user, id)),
        policy_key=key_of(row.get("device_policykey")) or key_of(device.get("device_policykey")),
        wipe=_WIPES.get(status or 0, Wipe.NONE), blocked=blocked is True or number_of(blocked) == 1,
        information={name: text for name in _INFORMATION if (text := text_of(said.get(f"Settings:{name}")))},
        notes=tuple(notes),
    )
