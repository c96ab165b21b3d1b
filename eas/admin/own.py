"""What owners do with their own phones: see them, name them, wipe or forget a lost one, choose what goes to it.

`who` is always whoever acts (`acting._check`): there is no way from here to anybody else's phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from eas.engine.hierarchy import ROOT, SPECIAL
from eas.engine.model import Access, Device, FolderType, Level, Wipe
from eas.protocol.version import ACCOUNT_ONLY_WIPE, Version
from eas.store.audit import about

from . import actions, activity, passwords
from .acting import Permission, action
from .errors import Invalid, NotFound, Refused
from .kinds import kind_of
from .mailboxes import own_mailbox
from .own_words import did, in_words
from .site import Site

#: Characters of what a phone is called.
MAX_LABEL = 40
#: A phone that was not heard of for so long gets nothing new, whatever the reason.
SILENT = timedelta(days=3)
#: Lines of the log that are shown.
LOG_LINES = 200


# Phones ---------------------------------------------------------------------------------------------------------------


@action("own.devices", Permission.OWN, http=("GET", "/users/{who}/own/devices"))
async def own_devices(site: Site, who: str) -> list[dict[str, Any]]:
    """The one that was heard of last comes first."""
    found = await site.store.devices(site.caller.user_id)
    now, never = datetime.now(UTC), datetime.min.replace(tzinfo=UTC)
    return [shown(one, now) for one in sorted(found, key=lambda one: one.last_seen or never, reverse=True)]


@action("own.device", Permission.OWN, http=("GET", "/users/{who}/own/devices/{device_id}"))
async def own_device(site: Site, who: str, device_id: str) -> dict[str, Any]:
    return shown(await _own(site, device_id), datetime.now(UTC))


@action("own.rename", Permission.OWN, http=("PUT", "/users/{who}/own/devices/{device_id}/label"))
async def rename_own(site: Site, who: str, device_id: str, label: str) -> None:
    """"" gives it back the name that the phone has by itself."""
    label = " ".join(label.split())
    if len(label) > MAX_LABEL or not label.isprintable():
        raise Invalid(f"a name has at most {MAX_LABEL} letters")
    await _own(site, device_id)
    await site.store.alter_device(site.caller.user_id, device_id, lambda device: replace(device, label=label))


@action("own.remove", Permission.OWN, http=("DELETE", "/users/{who}/own/devices/{device_id}"))
async def remove_own(site: Site, who: str, device_id: str) -> None:
    """With the passwords that only it uses. Raises Refused while a wipe is under way."""
    found = await _own(site, device_id)
    if found.wipe in (Wipe.REQUESTED, Wipe.SENT):
        raise Refused("this phone is being wiped: if it were forgotten now, it would not be. Take the wipe back first")
    await passwords.revoke_for_device(site, site.caller.user_id, device_id)
    await actions.remove_device(site, site.caller.user_id, device_id)


async def _own(site: Site, device_id: str) -> Device:
    """Raises NotFound, for phones of others as for those that are not."""
    found = await site.store.device(site.caller.user_id, device_id)
    if found is None:
        raise NotFound("you have no such phone")
    return found


def wipes_account(device: Device) -> bool:
    return any(version.text == device.version for version in Version if version in ACCOUNT_ONLY_WIPE)


def shown(device: Device, now: datetime) -> dict[str, Any]:
    """`state` and `kind` are a word and its colour, `means` and `next` say what it is and what to do."""
    kind = kind_of(device.type, device.agent, device.information.get("OS", ""))
    itself = device.information.get("FriendlyName") or device.information.get("Model") or kind
    state, colour, means, then = _state(device, now)
    return {
        "device": device.id, "name": device.label or itself, "itself": itself, "label": device.label, "what": kind,
        "model": device.information.get("Model", ""), "os": device.information.get("OS", ""),
        "first_seen": _iso(device.first_seen), "last_seen": _iso(device.last_seen), "state": state, "kind": colour,
        "means": means, "next": then, "wipes_account": wipes_account(device), "wipe": device.wipe.value,
        "wiping": device.wipe in (Wipe.REQUESTED, Wipe.SENT), "left_out": list(device.left_out),
    }


_WIPES: Mapping[Wipe, tuple[str, str, str, str]] = {
    Wipe.REQUESTED: (
        "Will be wiped", "warn", "It will be told to erase itself as soon as it connects.",
        "If you find it before, take the wipe back here.",
    ),
    Wipe.SENT: (
        "Being wiped", "warn", "It was told to erase itself, and has not said yet that it did.",
        "Change your password as well, if you think that somebody has it.",
    ),
    Wipe.DONE: (
        "Wiped", "", "It has erased itself, or the account, and said so.",
        "If you have it back and want to set it up again, say here that it may be.",
    ),
    Wipe.FAILED: (
        "Not wiped", "bad", "It was told to erase itself, and said that it could not.",
        "Change your password now: then it gets nothing any more.",
    ),
}
_BLOCKED = (
    "Blocked", "bad", "The administrators do not let it in; nothing is synchronised.",
    "Ask them, if it should be let in.",
)
_WAITING = (
    "Waiting", "warn", "It is new here, and waits until an administrator lets it in.",
    "There is nothing to do on the phone; mail comes by itself then.",
)
_CLOSED: Mapping[str, tuple[str, str, str, str]] = {
    Access.BLOCKED: _BLOCKED, Access.QUARANTINED: _WAITING, Level.BLOCK: _BLOCKED, Level.QUARANTINE: _WAITING,
    Level.DISCOVERY: _WAITING,
}


def _state(device: Device, now: datetime) -> tuple[str, str, str, str]:
    if device.wipe is not Wipe.NONE:
        return _WIPES[device.wipe]
    # What was decided of it by name, else how the rules decided last.
    level = device.admission.level if device.admission is not None else Level.ALLOW
    for closed in (device.access, level if device.access is Access.NONE else Level.ALLOW):
        if closed in _CLOSED:
            return _CLOSED[closed]
    if device.last_seen is None or now - device.last_seen > SILENT:
        return (
            "Silent", "warn", "It has not been heard of for some days.",
            "If you still use it: is it on, has it a network, and is your present password set in its account? If you "
            "have it no longer, remove it here; if it was lost, wipe it.",
        )
    return ("Works", "ok", "It keeps itself up to date.", "")


# What goes to a phone -------------------------------------------------------------------------------------------------

#: What a folder is for people.
_KINDS: Mapping[str, str] = {
    "Email": "Mail", "Calendar": "Calendars", "Contacts": "Address books", "Tasks": "Tasks", "Notes": "Notes",
}
_HIDDEN = frozenset({FolderType.RECIPIENT_CACHE, FolderType.OUTBOX})


@action("own.folders", Permission.OWN, http=("GET", "/users/{who}/own/devices/{device_id}/folders"))
async def own_folders(site: Site, who: str, device_id: str) -> list[dict[str, Any]]:
    """All folders in the order of their kinds, each with whether it goes to the phone; `fixed` ones always do."""
    device = await _own(site, device_id)
    folders = [one for one in await (await own_mailbox(site)).folders() if one.type not in _HIDDEN]
    of_id = {one.id: one for one in folders}
    found = []
    for folder in folders:
        path, at = [folder.name], folder
        while at.parent in of_id and at.parent != ROOT and len(path) < 30:
            at = of_id[at.parent]
            path.insert(0, at.name)
        found.append({
            "id": folder.id, "path": " / ".join(path), "kind": _KINDS.get(folder.item_class, folder.item_class),
            "shared": not folder.own, "fixed": folder.type in SPECIAL, "on": folder.id not in device.left_out,
        })
    kinds = list(_KINDS.values())
    return sorted(found, key=lambda one: (
        kinds.index(one["kind"]) if one["kind"] in kinds else len(kinds), not one["fixed"], one["shared"],
        one["path"].casefold(),
    ))


@action("own.choose-folders", Permission.OWN, http=("PUT", "/users/{who}/own/devices/{device_id}/folders"))
async def choose_own_folders(site: Site, who: str, device_id: str, left_out: Sequence[str]) -> None:
    """What is left out disappears from the phone at its next look, and from nowhere else; what comes back is fetched
    anew. A phone that waits looks now."""
    known = {one["id"]: one for one in await own_folders(site, who, device_id)}
    chosen = sorted({id for id in left_out if id in known and not known[id]["fixed"]})
    user_id = site.caller.user_id
    await site.store.alter_device(user_id, device_id, lambda device: replace(device, left_out=tuple(chosen)))
    site.tell({"do": "end", "user": user_id, "device": device_id})
    site.tell({"do": "ring", "user": user_id, "collections": [ROOT]})


# What happened --------------------------------------------------------------------------------------------------------


@action("own.log", Permission.OWN, http=("GET", "/users/{who}/own/log"))
async def own_log(site: Site, who: str) -> list[dict[str, Any]]:
    """What was done to the owner's phones and mailbox settings, by whom: newest first, in words."""
    account = await site.people.user(site.caller.user_id)
    names = {account.login, account.address, *account.aliases, site.caller.user_id}
    entries = await site.audit.run.read(lambda c: about(c, sorted(names), LOG_LINES))
    devices = {one.id: shown(one, one.last_seen or datetime.now(UTC)) for one in
               await site.store.devices(site.caller.user_id)}
    return [
        {
            "at": one.at.isoformat(), "who": "you" if one.actor in names else _actor(one.role, one.face),
            "what": in_words(one), "device": one.about_device,
            "phone": devices[one.about_device]["name"] if one.about_device in devices else one.about_device,
            "outcome": "" if one.outcome == "done" else one.outcome,
        }
        for one in entries
    ]


@action("own.events", Permission.OWN, http=("GET", "/users/{who}/own/devices/{device_id}/events"))
async def own_events(site: Site, who: str, device_id: str, *, count: int = 20) -> list[dict[str, Any]]:
    """What the phone asked last, newest first, in words."""
    await _own(site, device_id)
    found = await activity.events(site, site.caller.user_id, device_id, count=min(count, LOG_LINES))
    return [{"at": one["at"], "did": did(one), "fine": one["fine"], "next": one["next"]} for one in found]


_STAFF = {"helpdesk": "the help desk", "admin": "an administrator"}


def _actor(role: str, face: str) -> str:
    """Owners need no names of staff."""
    return "the server" if face == "server" else _STAFF.get(role, "somebody")


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
