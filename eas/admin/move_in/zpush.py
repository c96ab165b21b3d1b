"""What Z-Push keeps: as files (STATE_DIR) or in a database (its SQL state machine, also under the table names that
other programs give it). docs/move-in.md has the form.

For each device there is one *devicedata*: a serialised object whose member `devices` has an object of device data for
each user. A file or table of users says who is linked to which device. Releases write these objects in three ways,
and those that follow Z-Push write JSON; all mean the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from eas.engine.model import Wipe

from . import php
from .dump import DumpError, blob, rows
from .found import Found, Reading, earliest, key_of, latest, moment_of, number_of, text_of, version_of

DEVICE_DATA = "devicedata"
#: A file of device data; the largest that are known have some megabytes.
MAX_FILE = 64 << 20
#: The class that says of a JSON object what it is.
_CLASS = "gsSyncStateClass"
#: `wipestatus`: each state, whether it concerns the account alone. 0 and 1 are no wipe.
_WIPES: Mapping[int, tuple[Wipe, bool]] = {
    2: (Wipe.REQUESTED, False), 4: (Wipe.SENT, False), 8: (Wipe.DONE, False),
    16: (Wipe.REQUESTED, True), 32: (Wipe.SENT, True), 64: (Wipe.DONE, True),
}  # fmt: skip
#: Elements of DeviceInformation by the members that keep them.
_INFORMATION = {
    "devicemodel": "Model", "deviceimei": "IMEI", "devicefriendlyname": "FriendlyName", "deviceos": "OS",
    "deviceoslanguage": "OSLanguage", "devicephonenumber": "PhoneNumber", "devicemobileoperator": "MobileOperator",
}  # fmt: skip


def read(path: Path) -> Reading:
    """A folder of files, or a database. Raises DumpError, OSError."""
    return _folder(path) if path.is_dir() else _database(path)


# Files --------------------------------------------------------------------------------------------------------------


def _folder(path: Path) -> Reading:
    """`users`, and `<last letter of the device>/<the one before it>/<device>-devicedata`. Raises DumpError."""
    files = sorted(path.rglob(f"*-{DEVICE_DATA}"))
    users = path / "users"
    if not files and not users.is_file():
        raise DumpError(f"{path}: neither a file users nor any device data: is it the STATE_DIR of Z-Push?")
    data: dict[str, bytes] = {}
    faults = []
    for file in files:
        if file.stat().st_size > MAX_FILE:
            faults.append(f"{file}: larger than {MAX_FILE} octets")
            continue
        data[file.name.removesuffix(f"-{DEVICE_DATA}")] = file.read_bytes()
    links: list[tuple[str, str]] = []
    if users.is_file():
        try:
            links = list(_linked(php.load(users.read_bytes() or b"a:0:{}")))
        except php.PhpError as error:
            faults.append(f"{users}: {error}")
    return _reading(data, links, faults)


def _linked(users: Any) -> Iterator[tuple[str, str]]:
    """(user, device) of {user: {device: 1}}."""
    for user, devices in users.items() if isinstance(users, dict) else ():
        for device in devices if isinstance(devices, dict) else ():
            yield text_of(user), text_of(device)


# A database ---------------------------------------------------------------------------------------------------------


def _database(path: Path) -> Reading:
    """`states` and `users`, with whatever stands before these names. Raises DumpError."""
    data: dict[str, bytes] = {}
    links: list[tuple[str, str]] = []
    known = False
    for table, row in rows(path, lambda name: name.endswith(("states", "users"))):
        if {"device_id", "state_type", "state_data"} <= row.keys():
            known = True
            if text_of(row["state_type"]) == DEVICE_DATA:
                data[text_of(row["device_id"])] = blob(row["state_data"])
        elif {"username", "device_id"} <= row.keys() and table.endswith("users"):
            known = True
            links.append((text_of(row["username"]), text_of(row["device_id"])))
    if not known:
        raise DumpError(f"{path}: no table of states or users of Z-Push with a row in it")
    return _reading(data, links, [])


# Both ---------------------------------------------------------------------------------------------------------------


def _reading(data: Mapping[str, bytes], links: Iterable[tuple[str, str]], faults: list[str]) -> Reading:
    found: dict[tuple[str, str], Found] = {}
    for device, octets in data.items():
        try:
            partnerships = list(_devices(device, octets))
        except (php.PhpError, ValueError, RecursionError) as error:
            faults.append(f"device {device}: its data cannot be read ({error})")
            continue
        found.update({(one.names[0].casefold(), one.device.lower()): one for one in partnerships})
    for user, device in links:
        bare = Found(names=(user,), device=device, notes=("linked to the user, without any device data",))
        found.setdefault((user.casefold(), device.lower()), bare)
    return Reading(found=[one for one in found.values() if one.device], faults=faults)


def _devices(device: str, octets: bytes) -> Iterator[Found]:
    """Raises PhpError, ValueError."""
    told = json.loads(octets) if octets.lstrip()[:1] == b"{" else php.load(octets)
    members = _members(told)
    devices = members.get("devices")
    if devices is None and "deviceid" in members:  # data of a device for one user
        devices = {text_of(members.get("deviceuser")): told}
    if isinstance(devices, php.Thing):
        devices = devices.members
    for user, one in (devices.items() if isinstance(devices, dict) else ()):
        yield _partnership(device, text_of(user), _members(one))


def _members(value: Any) -> dict[str, Any]:
    """The members of a state object, by name in small letters. What it wrote is either a list of its number and them
    (within the object, or as octets for itself), or a JSON object with its class. Raises PhpError."""
    if isinstance(value, php.Thing):
        listed = php.load(value.raw) if value.raw else value.members
        value = listed.get(1, listed.get(b"data", listed)) if isinstance(listed, dict) else None
    elif isinstance(value, dict) and _CLASS in value:
        value = value.get("data")
    return {text_of(key).lower(): member for key, member in value.items()} if isinstance(value, dict) else {}


def _partnership(device: str, user: str, data: Mapping[str, Any]) -> Found:
    status = number_of(data.get("wipestatus")) or 0
    wipe, account_only = _WIPES.get(status, (Wipe.NONE, False))
    asked, acted = moment_of(data.get("wiperequestedon")), moment_of(data.get("wipeactionon"))
    domain = text_of(data.get("domain"))
    notes = (f"the wipe state {status} is not known",) if status not in (0, 1, *_WIPES) else ()
    agent = text_of(data.get("useragent"))
    return Found(
        names=(f"{user}@{domain}", user) if domain and "@" not in user else (user,), device=device,
        type=text_of(data.get("devicetype")), agent="" if agent.lower() == "unknown" else agent,
        version=version_of(data.get("asversion")), first_seen=moment_of(data.get("firstsynctime")),
        last_seen=latest(
            moment_of(data.get("lastupdatetime")), moment_of(data.get("lastsynctime")),
            earliest(moment_of(data.get("firstsynctime"))),
        ),
        policy_key=key_of(data.get("policykey")), wipe=wipe, wipe_account_only=account_only,
        wipe_at=None if wipe is Wipe.NONE else (asked if wipe is Wipe.REQUESTED else acted or asked),
        information={name: text for key, name in _INFORMATION.items() if (text := text_of(data.get(key)))},
        notes=notes,
    )
