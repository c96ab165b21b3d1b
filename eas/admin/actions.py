"""What an admin can do, for the command line and later for pages. Each action is a function of the site.

What is given back is plain (texts, numbers, lists), ready to be shown or written as JSON. Raises ActionError with a
text for people; whatever a running server has to know, it is told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from eas.backends.embedded import admin as embedded
from eas.engine.errors import BackendError
from eas.engine.model import Access, Device, FolderType, Right
from eas.engine.partnership import storm_of
from eas.engine.quirks import TABLE, Quirk, quirks_of
from eas.store import DEFAULT_POLICY, Assignee

from .acting import Permission, action
from .conduct import access_as_data, storm_as_data, storm_in_words, wait_in_words
from .elsewhere import backends
from .errors import Invalid, NotFound, Refused
from .site import Site

#: The name under which `policy set` takes the policy of all who have none of their own.
EVERYBODY = DEFAULT_POLICY.name


@asynccontextmanager
async def _people(site: Site) -> AsyncIterator[embedded.Admin]:
    """The embedded groupware's admin, its errors in our words; then the bell."""
    try:
        yield site.people
    except embedded.NotThere as error:
        raise NotFound(str(error)) from error
    except embedded.AlreadyThere as error:
        raise Refused(str(error)) from error
    except embedded.AdminError as error:
        raise Invalid(str(error)) from error
    site.ring_all()


# Users --------------------------------------------------------------------------------------------------------------


@action("user.add", Permission.RULE, about="address", secret=("password", "aliases"), named=("profile",))
async def add_user(
    site: Site,
    address: str,
    password: str,
    profile: Mapping[str, Any],
    *,
    aliases: Sequence[str] = (),
    picture: Path | None = None,
    certificates: Sequence[Path] = (),
) -> str:
    """`profile` holds fields of the address list, and zone, quota, activesync, hidden. The login."""
    photo = _picture(picture)
    ders = [der for path in certificates for der in _certificates(path)]
    texts = {name: value for name, value in profile.items() if name in embedded.PROFILE}
    others = {name: value for name, value in profile.items() if name in ("activesync", "hidden", "enabled")}
    if photo:
        others["picture"] = photo
    if ders:
        others["certificates"] = ders
    async with _people(site) as people:
        account = await people.add_user(
            address, password, aliases=aliases, zone=profile.get("zone", "UTC"), quota=profile.get("quota", 0), **texts
        )
        if others:
            await people.change_user(account.id, **others)
    return account.login


@action("user.list", Permission.SEE, http=("GET", "/users"))
async def users(site: Site) -> list[dict[str, Any]]:
    known = await backends(site)
    async with _people(site) as people:
        return [_account(found, known) for found in await people.users()]


@action("user.show", Permission.SEE, http=("GET", "/users/{who}"))
async def user(site: Site, who: str) -> dict[str, Any]:
    known = await backends(site)
    async with _people(site) as people:
        return _account(await people.user(who), known)


@action("user.set", Permission.RULE, named=("profile",))
async def set_user(
    site: Site,
    who: str,
    profile: Mapping[str, Any],
    *,
    add_aliases: Sequence[str] = (),
    remove_aliases: Sequence[str] = (),
    picture: Path | None = None,
    no_picture: bool = False,
    certificates: Sequence[Path] = (),
    no_certificates: bool = False,
) -> None:
    """Change what is given, and nothing else."""
    changes = dict(profile)
    photo = _picture(picture)
    ders = [der for path in certificates for der in _certificates(path)]
    async with _people(site) as people:
        account = await people.user(who)
        if photo or no_picture:
            changes["picture"] = photo
        if ders or no_certificates:
            changes["certificates"] = (*(() if no_certificates else account.certificates), *ders)
        if changes:
            await people.change_user(account.id, **changes)
        if add_aliases or remove_aliases:
            gone = {alias.casefold() for alias in remove_aliases}
            if unknown := gone - {alias.casefold() for alias in account.aliases}:
                raise NotFound(f"{who} has no alias {', '.join(sorted(unknown))}")
            kept = [alias for alias in account.aliases if alias.casefold() not in gone]
            await people.set_aliases(account.id, [*kept, *add_aliases])
    if profile.get("activesync") is False or profile.get("enabled") is False:
        await _end_waits(site, account.id)
    if profile.get("enabled") is False:
        await site.staff.end_sessions(user_id=account.id)


@action("user.password", Permission.RULE, secret=("password",))
async def set_password(site: Site, who: str, password: str) -> None:
    async with _people(site) as people:
        await people.set_password(who, password)
        await site.staff.end_sessions(user_id=(await people.user(who)).id)


def _account(found: embedded.Account, backend_of: Mapping[str, str]) -> dict[str, Any]:
    """`backend` names the other servers where the groupware is, "" for none."""
    return {
        "login": found.login, "domain": found.domain, "address": found.address, "aliases": list(found.aliases),
        **found.profile, "groups": list(found.groups), "enabled": found.enabled, "activesync": found.activesync,
        "hidden": found.hidden, "backend": backend_of.get(found.id, ""), "zone": found.zone, "quota": found.quota,
        "used": found.used, "picture_bytes": len(found.picture),
        "certificates": [_subject(der) for der in found.certificates],
        "created": found.created.isoformat() if found.created else None, "id": found.id,
    }


def _subject(der: bytes) -> str:
    try:
        return x509.load_der_x509_certificate(der).subject.rfc4514_string()
    except ValueError:
        return f"{len(der)} bytes that are no certificate"


def _picture(path: Path | None) -> bytes:
    return b"" if path is None else _file(path)


def _certificates(path: Path) -> list[bytes]:
    """Those in a file, PEM or DER, as DER. Raises Invalid."""
    raw = _file(path)
    try:
        found = x509.load_pem_x509_certificates(raw) if b"-----BEGIN" in raw else [x509.load_der_x509_certificate(raw)]
    except ValueError as error:
        raise Invalid(f"{path}: {error}") from error
    return [certificate.public_bytes(Encoding.DER) for certificate in found]


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}") from error


# Groups and rights --------------------------------------------------------------------------------------------------


@action("group.add", Permission.RULE, about="address")
async def add_group(site: Site, address: str, name: str, members: Sequence[str], hidden: bool = False) -> None:
    async with _people(site) as people:
        await people.add_group(address, name, members, hidden)


@action("group.list", Permission.SEE, http=("GET", "/groups"))
async def groups(site: Site) -> list[dict[str, Any]]:
    async with _people(site) as people:
        return [_group(found) for found in await people.groups()]


@action("group.show", Permission.SEE, http=("GET", "/groups/{address}"), about="address")
async def group(site: Site, address: str) -> dict[str, Any]:
    return _group(await _find_group(site, address))


@action("group.set", Permission.RULE, about="address")
async def set_group(
    site: Site, address: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> None:
    """Members in any form that a user can be named by, or addresses elsewhere."""
    found = await _find_group(site, address)
    async with _people(site) as people:
        gone = set()
        for member in remove:
            named = await _address_of(site, member)
            if named.casefold() not in {m.casefold() for m in found.members}:
                raise NotFound(f"{member} is no member of {address}")
            gone.add(named.casefold())
        kept = [member for member in found.members if member.casefold() not in gone]
        await people.set_members(found.id, [*kept, *add])


@action("group.remove", Permission.RULE, http=("DELETE", "/groups/{address}"), about="address")
async def remove_group(site: Site, address: str) -> None:
    found = await _find_group(site, address)
    async with _people(site) as people:
        await people.remove_group(found.id)
    await site.store.clear_policy(Assignee.GROUP, found.name)


async def _find_group(site: Site, name: str) -> embedded.Group:
    async with _people(site) as people:
        known = await people.groups()
    wanted = name.casefold()
    hits = [g for g in known if wanted in (g.address.casefold(), g.name.casefold(), g.id)]
    if len(hits) != 1:
        raise NotFound(f"no group {name}")
    return hits[0]


async def _address_of(site: Site, member: str) -> str:
    """A user's address, or what was given where there is no such user."""
    try:
        return (await site.people.user(member)).address
    except embedded.NotThere:
        return member


def _group(found: embedded.Group) -> dict[str, Any]:
    return {
        "address": found.address, "name": found.name, "members": list(found.members), "hidden": found.hidden,
        "id": found.id,
    }


@action("rights.list", Permission.CONTENT, http=("GET", "/users/{owner}/rights"), about="owner")
async def rights(site: Site, owner: str) -> list[dict[str, Any]]:
    """What others may do with a user's folders."""
    async with _people(site) as people:
        folders = await people.folders(owner)
    return [
        {"folder": info.folder.name, "grantee": grant.principal, "right": right_name(grant.right), "id": info.folder.id}
        for info in folders
        for grant in info.grants
    ]


@action("rights.grant", Permission.RULE, about="owner")
async def grant(site: Site, owner: str, folder: str, grantee: str, right: Right | None) -> None:
    """None takes back what was said; NONE forbids even what colleagues may."""
    async with _people(site) as people:
        number = _folder_id(await people.folders(owner), folder, owner)
        await people.set_right(owner, number, grantee, right)


def right_name(right: Right) -> str:
    return right.name.lower().replace("_", "-")


def _folder_id(folders: Sequence[embedded.FolderInfo], name: str, owner: str) -> str:
    """By id, type (`calendar`), name, or path with slashes. Raises NotFound."""
    of_id = {info.folder.id: info.folder for info in folders}
    if name in of_id:
        return name
    kind = FolderType.__members__.get(name.upper().replace(" ", "_").replace("-", "_"))
    wanted = name.casefold().strip("/")
    for folder in of_id.values():
        path, at = folder.name, folder
        while at.parent in of_id:
            at = of_id[at.parent]
            path = f"{at.name}/{path}"
        if folder.type is kind or wanted in (folder.name.casefold(), path.casefold()):
            return folder.id
    raise NotFound(f"{owner} has no folder {name}")


# Devices ------------------------------------------------------------------------------------------------------------


@action("device.list", Permission.SEE, http=("GET", "/devices"))
async def devices(site: Site, who: str = "", *, storms: bool = False) -> list[dict[str, Any]]:
    """All, or one user's; with `storms` only those that repeat themselves without effect."""
    async with _people(site) as people:
        names = {account.id: account.login for account in await people.users()}
        user_id = (await people.user(who)).id if who else None
    now = datetime.now(UTC)
    found = [one for one in await site.store.devices(user_id) if not storms or storm_of(one, now) is not None]
    return [_device(one, names) for one in found]


@action("device.show", Permission.SEE, http=("GET", "/users/{who}/devices/{device_id}"))
async def device(site: Site, who: str, device_id: str) -> dict[str, Any]:
    """With the quirks that it is given, and the items that it got degraded."""
    user_id, found = await _find_device(site, who, device_id)
    degraded = [
        {"item": f"{one.owner.collection_id}:{one.id}", "reason": one.reason, "since": one.at.isoformat()}
        for one in await site.store.degraded(user_id, device_id)
    ]
    quirks = {quirk.value: _why(quirk, found) for quirk in sorted(quirks_of(found))}
    off = {name: "switched off" for name, on in found.quirks.items() if not on}
    return {**_device(found, {user_id: who}), "quirks": quirks | off, "degraded": degraded}


def _why(quirk: Quirk, found: Device) -> str:
    if found.quirks.get(quirk.value):
        return "switched on"
    return next(row.does for row in TABLE if row.quirk is quirk and row.fits(found))


@action("device.remove", Permission.WIPE, http=("DELETE", "/users/{who}/devices/{device_id}"))
async def remove_device(site: Site, who: str, device_id: str) -> None:
    """With the device passwords that it uses."""
    user_id, _ = await _find_device(site, who, device_id)
    await site.store.remove_device(user_id, device_id)
    site.tell({"do": "end", "user": user_id, "device": device_id})


@action("device.recovery-password", Permission.WIPE, changes=True)
async def recovery_password(site: Site, who: str, device_id: str) -> str:
    """With which a device can be unlocked whose own password was forgotten. [MS-ASCMD] DevicePassword"""
    _, found = await _find_device(site, who, device_id)
    if not found.recovery_password:
        raise NotFound(f"{device_id} has left no recovery password")
    return found.recovery_password


@action("device.quirk", Permission.TEND, http=("PUT", "/users/{who}/devices/{device_id}/quirks/{name}"))
async def set_quirk(site: Site, who: str, device_id: str, name: str, switched: bool | None) -> None:
    """Switch a quirk on or off for a device; None leaves it to the table again."""
    user_id, found = await _find_device(site, who, device_id)
    known = [quirk.value for quirk in Quirk]
    if name not in known and not (switched is None and name in found.quirks):
        raise NotFound(f"no quirk {name}; there are {', '.join(known)}")

    def change(device: Device) -> Device:
        others = {quirk: value for quirk, value in device.quirks.items() if quirk != name}
        return replace(device, quirks=others if switched is None else {**others, name: switched})

    await site.store.alter_device(user_id, device_id, change)


@action("device.block", Permission.TEND, http=("POST", "/users/{who}/devices/{device_id}/block"))
async def block_device(site: Site, who: str, device_id: str) -> None:
    await _set_access(site, who, device_id, Access.BLOCKED)


@action("device.allow", Permission.TEND, http=("POST", "/users/{who}/devices/{device_id}/allow"))
async def allow_device(site: Site, who: str, device_id: str) -> None:
    await _set_access(site, who, device_id, Access.ALLOWED)


async def _set_access(site: Site, who: str, device_id: str, access: Access) -> None:
    user_id, _ = await _find_device(site, who, device_id)
    await site.store.set_access(user_id, device_id, access)
    site.tell({"do": "end", "user": user_id, "device": device_id})


async def _find_device(site: Site, who: str, device_id: str) -> tuple[str, Device]:
    async with _people(site) as people:
        user_id = (await people.user(who)).id
    found = await site.store.device(user_id, device_id)
    if found is None:
        raise NotFound(f"{who} has no device {device_id}")
    return user_id, found


async def _end_waits(site: Site, user_id: str) -> None:
    """So that the next request of each device comes now, and meets the door."""
    for found in await site.store.devices(user_id):
        site.tell({"do": "end", "user": user_id, "device": found.id})


def _device(found: Device, names: Mapping[str, str]) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "user": names.get(found.user_id, found.user_id), "device": found.id, "type": found.type,
        "model": found.information.get("Model", ""), "agent": found.agent, "version": found.version,
        "first_seen": found.first_seen.isoformat() if found.first_seen else None,
        "last_seen": found.last_seen.isoformat() if found.last_seen else None,
        **access_as_data(found), "wipe": found.wipe.value, "wipe_account_only": found.wipe_account_only,
        "wipe_at": found.wipe_at.isoformat() if found.wipe_at else None,
        "provisioned": bool(found.policy_key), "information": dict(found.information),
        "heartbeat": found.ping_heartbeat or None, "folders_watched": len(found.ping_folders),
        "waits": wait_in_words(found, now), "storm": storm_as_data(found, now), "note": storm_in_words(found, now),
    }


# Mail ---------------------------------------------------------------------------------------------------------------


@action("mail.deliver", Permission.CONTENT, about="to", secret=("message",))
async def deliver(site: Site, to: str, message: bytes, sender: str = "") -> bool:
    """Put a message into the inbox of a user, or of a group's members. Whether a running server was told."""
    if not message.strip():
        raise Invalid("the message is empty")
    address = await _address_of(site, to)
    if "@" not in address:
        address = (await _find_group(site, to)).address
    (problem,) = await site.office.take(sender, [address], message)
    if isinstance(problem, BackendError):
        raise NotFound(f"nobody here has the address {address}") if _unknown(problem) else Refused(str(problem))
    return site.ring_all()


def _unknown(problem: BackendError) -> bool:
    reason = getattr(problem, "reason", None)
    return reason is not None and reason.name == "UNKNOWN_RECIPIENT"


