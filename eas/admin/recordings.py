"""Recordings of what devices and the server say to each other: asked for, watched, ended, fetched, removed.

What people wrote is masked, unless somebody who may see contents asks for it as it is; passwords are never written.
The owner of the device sees on their own page that it is recorded, by whom and how.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from eas.backends.embedded import admin as embedded
from eas.store.recordings import Part, Recording, Runs, State

from .acting import Permission, action, concerns
from .actions import _people
from .errors import Forbidden, Invalid, NotFound, Refused
from .site import Site

#: Hours, unless somebody wants otherwise, and at most: nobody shall forget one.
HOURS, MOST_HOURS = 2.0, 72.0
#: Octets, packed, unless somebody wants otherwise; and what one can want.
SIZE, SMALLEST, LARGEST = 50_000_000, 50_000, 4_000_000_000
MAX_NOTE = 200
KEY_SIZE = 32

STOPPED = "stopped by {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file, piece by piece. `elsewhere` are the nodes that have more of it."""

    name: str
    media_type: str
    pieces: Iterator[bytes]
    elsewhere: Sequence[str] = ()


@action("recording.start", Permission.TEND, http=("POST", "/users/{who}/recordings"))
async def start(
    site: Site, who: str, *, device_id: str = "", hours: float = HOURS, max_bytes: int = SIZE, contents: bool = False,
    note: str = "",
) -> dict[str, Any]:
    """Record one device of a user from now on, or all of them ("" as `device_id`); masked, unless `contents`.

    A device need not be known yet. Raises Refused where it is recorded already, Forbidden for contents that the caller
    may not see.
    """
    if contents and not site.caller.may(Permission.CONTENT):
        raise Forbidden("Contents are recorded for those alone who may see them; without, a recording is masked.")
    _check(hours, max_bytes, note)
    async with _people(site) as people:
        account = await people.user(who)
    known = await site.store.device(account.id, device_id) if device_id else None
    now = datetime.now(UTC)
    try:
        made = await site.recordings.begin(Recording(
            user_id=account.id, address=account.address, device_id=device_id, agent=known.agent if known else "",
            since=now, until=now + timedelta(hours=hours), max_bytes=max_bytes, contents=contents,
            key=secrets.token_bytes(KEY_SIZE), asked_by=site.caller.name, asked_role=site.caller.role.value, note=note,
        ))
    except Runs as error:
        raise Refused(str(error)) from error
    return {**_shown(site, made), "known": known is not None or not device_id}


def _check(hours: float, max_bytes: int, note: str) -> None:
    if not 0 < hours <= MOST_HOURS:
        raise Invalid(f"A recording lasts up to {MOST_HOURS:.0f} hours.")
    if not SMALLEST <= max_bytes <= LARGEST:
        raise Invalid(f"A recording has from {SMALLEST // 1000} kB up to {LARGEST // 10**9} GB.")
    if len(note) > MAX_NOTE or not note.isprintable():
        raise Invalid(f"A note has one line of at most {MAX_NOTE} characters.")


@action("recording.list", Permission.SEE, http=("GET", "/recordings"))
async def recordings(site: Site, *, who: str = "", device_id: str = "") -> list[dict[str, Any]]:
    """Newest first; of one user, or one device and what else is recorded with it."""
    user_id = None
    if who:
        async with _people(site) as people:
            user_id = (await people.user(who)).id
    return [_shown(site, one) for one in await site.recordings.all(user_id, device_id or None)]


@action("recording.stop", Permission.TEND, http=("POST", "/recordings/{number}/stop"))
async def stop(site: Site, number: int) -> dict[str, Any]:
    """End it now. Raises Refused for one that is over."""
    found = await _found(site, number)
    now = datetime.now(UTC)
    if found.stands(now) is State.ENDED or not await site.recordings.end(
        found.id, now, STOPPED.format(site.caller.name)
    ):
        raise Refused(f"recording {number} is over already")
    return _shown(site, await _found(site, number))


@action("recording.fetch", Permission.TEND, http=("GET", "/recordings/{number}/session"), changes=True)
async def fetch(site: Site, number: int) -> Download:
    """The session: all that the processes of this node have written, in the order of time. Also while it runs.

    Raises Forbidden for contents that the caller may not see, NotFound where this node has nothing of it.
    """
    found = await _found(site, number)
    if found.contents and not site.caller.may(Permission.CONTENT):
        raise Forbidden("This recording has contents in it, which you may not see.")
    here = set(site.shelf.files(found.id))
    elsewhere = sorted({_machine(part) for part in found.parts if part.file not in here})
    if not here:
        where = f"; there are parts on {', '.join(elsewhere)}" if elsewhere else ": no device has asked anything yet"
        raise NotFound(f"there is nothing of recording {number} here{where}")
    return Download(
        name=f"{found.address.partition('@')[0]}-{number}.session.gz", media_type="application/gzip",
        pieces=site.shelf.packed(found.id, _notes(found, here, elsewhere)), elsewhere=elsewhere,
    )


@action("recording.remove", Permission.TEND, http=("DELETE", "/recordings/{number}"))
async def remove(site: Site, number: int) -> None:
    """With its files: here at once, on other nodes within a minute. One that runs ends."""
    found = await _found(site, number)
    if found.contents and not site.caller.may(Permission.CONTENT):
        raise Forbidden("This recording has contents in it: who may not see them does not remove it either.")
    await site.recordings.remove(found.id)
    site.shelf.remove(found.id)


@action("own.recordings", Permission.OWN, http=("GET", "/users/{who}/own/recordings"))
async def own_recordings(site: Site, who: str) -> list[dict[str, Any]]:
    """Those of the own devices that run now."""
    now = datetime.now(UTC)
    mine = await site.recordings.all(site.caller.user_id)
    return [_shown(site, one) for one in mine if one.stands(now) is State.RUNNING]


async def _found(site: Site, number: int) -> Recording:
    found = await site.recordings.one(number)
    if found is None:
        raise NotFound(f"no recording {number}")
    try:
        login = (await site.people.user(found.user_id)).login
    except embedded.AdminError:
        login = found.address
    concerns(login, found.device_id)
    return found


def _notes(found: Recording, here: set[str], elsewhere: Sequence[str]) -> list[str]:
    """For the head of the file. Of one that is masked neither when, by whom nor where: its times are made up, too."""
    notes = ["fetched while it was running"]
    if found.stands(datetime.now(UTC)) is State.ENDED:
        at = f" {_until(found):%Y-%m-%d %H:%M} UTC" if found.contents else ""
        notes = [f"ended{at}: {_why(found) if found.contents else _why(found).partition(' by ')[0]}"]
    if elsewhere:
        missing = sum(part.exchanges for part in found.parts if part.file not in here)
        where = ", ".join(elsewhere) if found.contents else "other nodes"
        notes.append(f"not all of it: {missing} exchanges are on {where}")
    return notes


def _machine(part: Part) -> str:
    return part.node.partition("/")[0]


def _until(found: Recording) -> datetime:
    return found.ended or found.until


def _why(found: Recording) -> str:
    return found.why or "the time is over"


def _shown(site: Site, found: Recording) -> dict[str, Any]:
    """`until` is when it ended, once it has; `bytes` are packed. `here` of a part: this node has it."""
    state = found.stands(datetime.now(UTC))
    ended = state is State.ENDED
    here = set(site.shelf.files(found.id))
    return {
        "number": found.id, "user": found.address, "device": found.device_id, "state": state.value,
        "why": _why(found) if ended else "", "since": found.since.isoformat(),
        "until": (_until(found) if ended else found.until).isoformat(), "contents": found.contents,
        "exchanges": found.exchanges, "bytes": found.bytes, "max_bytes": found.max_bytes, "by": found.asked_by,
        "role": found.asked_role, "note": found.note,
        "parts": [
            {"node": part.node, "exchanges": part.exchanges, "bytes": part.bytes, "here": part.file in here}
            for part in found.parts
        ],
    }
