"""Passwords for one device each: made, listed, revoked. By staff for anybody, by owners for themselves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from eas.engine.model import DevicePassword

from .acting import Permission, action
from .actions import _end_waits, _people
from .errors import Invalid, NotFound, Refused
from .site import Site

#: Characters of the name that a person gives.
MAX_NAME = 60
#: Of one user: more than anybody has devices.
MAX_PASSWORDS = 50


#: Who has a device password can read the mailbox: among staff only those who may see contents make one for others.
@action(
    "device-password.add", Permission.OWN, staff=Permission.CONTENT, http=("POST", "/users/{who}/device-passwords")
)
async def add_device_password(site: Site, who: str, name: str, *, days: int = 0) -> dict[str, Any]:
    """With `password`, which is told this once. It is over after so many days; 0: never."""
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        raise Invalid(f"a name for it is needed, of at most {MAX_NAME} characters: which device is it for?")
    if days < 0:
        raise Invalid("days is a number of days, or 0 for no end")
    async with _people(site) as people:
        user_id = (await people.user(who)).id
    if len(await site.store.passwords.all(user_id)) >= MAX_PASSWORDS:
        raise Refused(f"{who} has {MAX_PASSWORDS} device passwords: revoke one that is not used any more")
    made, text = await site.store.passwords.make(user_id, name, timedelta(days=days) if days else None)
    return {**_shown(made, {user_id: who}), "password": text}


@action(
    "device-password.list", Permission.OWN, staff=Permission.SEE, http=("GET", "/users/{who}/device-passwords")
)
async def device_passwords(site: Site, who: str = "") -> list[dict[str, Any]]:
    """Those of a user, or of all; never the passwords themselves, which nobody knows."""
    async with _people(site) as people:
        names = {account.id: account.login for account in await people.users()}
        user_id = (await people.user(who)).id if who else None
    return [_shown(one, names) for one in await site.store.passwords.all(user_id)]


@action(
    "device-password.revoke", Permission.OWN, staff=Permission.TEND,
    http=("DELETE", "/users/{who}/device-passwords/{id}"),
)
async def revoke_device_password(site: Site, who: str, id: int) -> None:
    """It is over at once, also for a phone that waits."""
    async with _people(site) as people:
        user_id = (await people.user(who)).id
    found = next((one for one in await site.store.passwords.all(user_id) if one.id == id), None)
    if found is None or not await site.store.passwords.remove(user_id, id):
        raise NotFound(f"{who} has no device password {id}")
    if found.device_id:
        site.tell({"do": "end", "user": user_id, "device": found.device_id})


@action(
    "device-password.revoke-all", Permission.OWN, staff=Permission.TEND,
    http=("DELETE", "/users/{who}/device-passwords"),
)
async def revoke_device_passwords(site: Site, who: str) -> int:
    """All of a user: how many there were."""
    async with _people(site) as people:
        user_id = (await people.user(who)).id
    found = await site.store.passwords.all(user_id)
    for one in found:
        await site.store.passwords.remove(user_id, one.id)
    if found:
        await _end_waits(site, user_id)
    return len(found)


async def revoke_for_device(site: Site, user_id: str, device_id: str) -> int:
    """What a device that was wiped, lost or removed had of its own: how many there were."""
    count = await site.store.passwords.revoke_for_device(user_id, device_id)
    if count:
        site.tell({"do": "end", "user": user_id, "device": device_id})
    return count


def _shown(found: DevicePassword, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "user": names.get(found.user_id, found.user_id), "id": found.id, "name": found.name, "device": found.device_id,
        "created": found.created.isoformat(), "expires": _text(found.expires), "first_used": _text(found.first_used),
        "last_used": _text(found.last_used),
    }


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
