"""What a device did, in words; who is at it now; and what mends a device: look again, begin anew, try again."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from eas.engine.activity import COMMAND, FOLDER, Event
from eas.engine.again import send_again
from eas.engine.errors import Contended
from eas.engine.hierarchy import ROOT, told_folders
from eas.engine.keys import Head, Held
from eas.engine.known import load_generation
from eas.engine.model import FolderType
from eas.engine.options import load_options
from eas.engine.ports import DegradedItem, Owner
from eas.engine.resync import begin_anew, look_again

from .acting import Permission, action
from .actions import _find_device, device
from .battery import estimate
from .errors import NotFound, Refused
from .health import device_health, refresh
from .site import Site
from .words import explain

#: FilterType in words. [MS-ASCMD] FilterType (Sync)
FILTERS: Mapping[int, str] = {
    0: "everything", 1: "1 day", 2: "3 days", 3: "1 week", 4: "2 weeks", 5: "1 month", 6: "3 months", 7: "6 months",
    8: "tasks that are not done",
}
#: Days of counts that a report has.
DAYS = 30
#: Folders that the person has named stay without their name for who may not see contents.
NAMED_BY_PEOPLE = frozenset((
    FolderType.GENERIC, FolderType.USER_MAIL, FolderType.USER_CALENDAR, FolderType.USER_CONTACTS, FolderType.USER_TASKS,
    FolderType.USER_NOTES, FolderType.USER_JOURNAL, FolderType.UNKNOWN,
))

_TYPES: Mapping[int, FolderType] = {int(type): type for type in FolderType}

#: How a wait ended, in words.
ENDS: Mapping[str, str] = {
    "news": "woken by news", "time": "held to its end", "replaced": "the phone asked anew",
    "gone": "the connection was cut off", "stop": "ended by the server", "": "",
}


# A device -------------------------------------------------------------------------------------------------------------


@action("device.report", Permission.SEE, http=("GET", "/users/{who}/devices/{device_id}/report"))
async def report(site: Site, who: str, device_id: str, *, events: int = 200) -> dict[str, Any]:
    """All for the page of a device: `device` (as device.show), `conditions` (as device.health), `folders`, `commands`
    (the last answers), `events` (the newest first), `days` (counts, the newest first) and `battery`.

    A folder has `id`, `name` ("" where it may not be seen), `type`, `kind`, `filter` in words, `backlog` (items that
    the device has yet to be told of, None for unknown), `last_sync`, `last_ok` (ISO or None), `status`, `fine`,
    `means`, `next`, `times` (in a row), `since`, `again` (same key in a row), `starts` (from nothing today). A command
    has the same from `last_sync` on, and `command` and `http`."""
    user_id, _ = await _find_device(site, who, device_id)
    await refresh(site, user_id, device_id)
    answers = await site.activity.answers(user_id, device_id)
    days = await site.activity.days(user_id, device_id, DAYS)
    return {
        "device": await device(site, who, device_id),
        "conditions": await device_health(site, who, device_id),
        "folders": await _folders(site, user_id, device_id, answers),
        "commands": [
            {"command": row["name"], "http": row["http"], **_answered(row, row["name"])}
            for row in answers if row["kind"] == COMMAND
        ],
        "events": list(map(_event, await site.activity.events(user_id, device_id, events))),
        "days": [{k: v for k, v in row.items() if k not in ("user_id", "device_id")} for row in days],
        "battery": asdict(estimate(days)),
    }


@action("device.events", Permission.SEE, http=("GET", "/users/{who}/devices/{device_id}/events"))
async def events(site: Site, who: str, device_id: str, *, count: int = 200) -> list[dict[str, Any]]:
    """What the device asked last, the newest first: `at` (ISO), `command`, `version`, `http`, `status`, `means`,
    `next`, `fine`, `sent` and `taken` (items to and from the device), `bytes_in`, `bytes_out`, `ms`, `waited`
    (seconds), `ended` (how the wait did, in words), `how` (the same for programs), `node`, and `folders` of a Sync with
    `id`, `status`, `sent`, `taken`, `more`, `again`, `begun`, `means`."""
    user_id, _ = await _find_device(site, who, device_id)
    await refresh(site, user_id, device_id)
    return list(map(_event, await site.activity.events(user_id, device_id, count)))


def _event(event: Event) -> dict[str, Any]:
    words = explain(event.command, event.status, event.http)
    bad = next((folder for folder in event.folders if folder.status != 1), None)
    if bad is not None and event.http == 200:
        words = explain(event.command, bad.status)
    return {
        **{name: value for name, value in event._asdict().items() if name not in ("at", "folders", "items")},
        "at": datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds"), "ms": round(event.ms, 1),
        "waited": round(event.waited, 1), "fine": event.fine, "means": words.means, "next": words.next,
        "ended": ENDS.get(event.how, event.how),
        "folders": [
            {**folder._asdict(), "means": explain("Sync", folder.status).means} for folder in event.folders
        ],
    }


def _answered(row: Mapping[str, Any], command: str) -> dict[str, Any]:
    words = explain(command, row["status"], row["http"] if row["kind"] == COMMAND else 200)
    return {
        "last_sync": row["at"].isoformat(), "last_ok": row["ok_at"].isoformat() if row["ok_at"] else None,
        "status": row["status"], "fine": row["fine"], "means": words.means, "next": words.next,
        "times": row["times"], "since": row["since"].isoformat(),
    }


_NO_ANSWER: Mapping[str, Any] = {
    "last_sync": None, "last_ok": None, "status": "", "fine": True, "means": "", "next": "", "times": 0, "since": None,
}


async def _folders(
    site: Site, user_id: str, device_id: str, answers: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    held = await site.store.held(user_id, device_id)
    told = {row["name"]: row for row in answers if row["kind"] == FOLDER}
    known = await _told(site, user_id, device_id, held.get(ROOT))
    see = site.caller.may(Permission.CONTENT)
    today = datetime.now(UTC).date().isoformat()
    found = []
    for id in sorted((held.keys() | told.keys()) - {ROOT}, key=lambda id: (len(id), id)):
        name, number = known.get(id, ("", int(FolderType.UNKNOWN)))
        row, state = told.get(id), held.get(id)
        kind = _TYPES.get(number, FolderType.UNKNOWN)
        found.append({
            "id": id, "name": name if see or kind not in NAMED_BY_PEOPLE else "", "type": number,
            "kind": kind.name.lower().replace("_", " ") if id in known else "",
            "filter": FILTERS.get(_filter(state), "") if state else "",
            "backlog": await _backlog(site, Owner(user_id=user_id, device_id=device_id, collection_id=id), state),
            **(_answered(row, "Sync") if row else _NO_ANSWER),
            "again": row["again"] if row else 0,
            "starts": row["starts"] if row and row["day"] == today else 0,
        })
    return found


def _filter(state: Held) -> int:
    return load_options(state.present.options).filter_type if state.present is not None else 0


async def _told(site: Site, user_id: str, device_id: str, state: Held | None) -> dict[str, tuple[str, int]]:
    """Name and type of the folders that the device was told of."""
    if state is None or state.present is None:
        return {}
    owner = Owner(user_id=user_id, device_id=device_id, collection_id=ROOT)
    body = await site.store.body(owner, state.present.key, 0, 0)
    return {id: (entry.name, entry.type) for id, entry in told_folders(body.generation).items()}


async def _backlog(site: Site, owner: Owner, state: Held | None) -> int | None:
    """Of what has been listed; what came since is seen by the next request."""
    head: Head | None = state.present if state is not None else None
    if state is None or head is None or state.lost is not None:
        return None
    if not head.pending:
        return 0
    body = await site.store.body(owner, head.key, head.base, head.listing)
    return len(load_generation(body.base, body.listing, head.cursor, body.generation)[1])


# Mending --------------------------------------------------------------------------------------------------------------


@action("device.resync", Permission.TEND, http=("POST", "/users/{who}/devices/{device_id}/resync"))
async def resync(site: Site, who: str, device_id: str, *, folder: str = "") -> list[str]:
    """Have the device begin a folder from nothing, or with "" all of them and the list of folders. It drops what it has
    and fetches it anew, so that nothing is there twice; at once, also if it waits. The ids of the folders."""

    async def one(owner: Owner) -> bool:
        return await begin_anew(site.store, owner, f"{secrets.token_hex(12)}")

    return await _mend(site, who, device_id, folder, one)


@action("device.repair", Permission.TEND, http=("POST", "/users/{who}/devices/{device_id}/repair"))
async def repair(site: Site, who: str, device_id: str, *, folder: str = "") -> list[str]:
    """Compare a folder, or with "" all of them, as they are with what the device is known to hold, and send it what
    differs; and simplified items once more. Nothing is dropped on the device. The ids of the folders."""
    done = await _mend(site, who, device_id, folder, lambda owner: look_again(site.store, owner))
    await retry(site, who, device_id, folder=folder)
    return done


@action("device.retry", Permission.TEND, http=("POST", "/users/{who}/devices/{device_id}/retry"))
async def retry(site: Site, who: str, device_id: str, *, item: str = "", folder: str = "") -> int:
    """Send simplified items again, in case they can be converted now: one (`item` as the report names it), those of a
    folder, or all. How many."""
    user_id, _ = await _find_device(site, who, device_id)
    waiting: dict[Owner, list[DegradedItem]] = defaultdict(list)
    for one in await site.store.degraded(user_id, device_id):
        if item in ("", f"{one.owner.collection_id}:{one.id}") and folder in ("", one.owner.collection_id):
            waiting[one.owner].append(one)
    if item and not waiting:
        raise NotFound(f"{device_id} has no simplified item {item}")
    for owner, several in waiting.items():
        ids = [one.id for one in several]
        try:
            await send_again(site.store, owner, ids)
        except Contended as error:
            raise Refused("the device is too busy just now; try again") from error
        await site.store.drop_degraded(owner, ids)
    _ring(site, user_id, [owner.collection_id for owner in waiting])
    return sum(map(len, waiting.values()))


async def _mend(
    site: Site, who: str, device_id: str, folder: str, change: Callable[[Owner], Any]
) -> list[str]:
    """Raises NotFound for a folder that the device does not synchronise."""
    user_id, _ = await _find_device(site, who, device_id)
    held = await site.store.held(user_id, device_id)
    if folder and folder not in held:
        raise NotFound(f"{device_id} does not synchronise a folder {folder}")
    # The list of folders comes last: a device that hears of it first would fetch the folders under their old keys.
    chosen = [folder] if folder else sorted(held, key=lambda id: (id == ROOT, id))
    try:
        done = [
            id for id in chosen if await change(Owner(user_id=user_id, device_id=device_id, collection_id=id))
        ]
    except Contended as error:
        raise Refused("the device is too busy just now; try again") from error
    _ring(site, user_id, done)
    return done


def _ring(site: Site, user_id: str, collections: Collection[str]) -> None:
    if collections:
        site.tell({"do": "ring", "user": user_id, "collections": sorted(collections)})


# The site -------------------------------------------------------------------------------------------------------------


@action("live", Permission.SEE, http=("GET", "/live"))
async def live(site: Site) -> dict[str, Any]:
    """Who is at it now: `waiting` and `working` in numbers, `second` (requests, errors, pushes, bytes a second over the
    last minute), `nodes` (node, waiting, working, second of each process), and `present`: user, device, command,
    version, waits, seconds, folders, node; those who work first, then who waits longest."""
    answer = site.ask({"do": "look"})
    here = answer.get("look") if answer is not None else None
    looks = [{**here, "at": None}] if here else []
    looks += [look for look in await site.activity.looks() if not here or look["node"] != here["node"]]
    present = [{**one, "node": look["node"]} for look in looks for one in look["present"]]
    present.sort(key=lambda one: (one["waits"], -one["seconds"]))
    return {
        "waiting": sum(look["waiting"] for look in looks), "working": sum(look["working"] for look in looks),
        "second": {
            name: round(sum(look["second"][name] for look in looks), 3)
            for name in ("requests", "errors", "pushes", "bytes")
        },
        "nodes": [{name: look[name] for name in ("node", "waiting", "working", "second", "at")} for look in looks],
        "present": present[:200],
    }
