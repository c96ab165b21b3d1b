"""Many devices at once: found, counted, listed. One device is in `actions` and `activity`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from eas.backends.embedded.admin import NotThere
from eas.backends.embedded.roll import Enrolled, roll
from eas.engine.model import Wipe
from eas.engine.partnership import STORM_NOTED
from eas.store.fleet import FleetRow

from . import health
from .acting import Permission, action
from .conduct import level_in_words
from .errors import NotFound
from .kinds import kind_of
from .site import Site

#: Days without a request after which a device counts as unused.
UNUSED_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A line of a list. `user` is the login, `address` names the user beyond doubt; both are the id of a user that is
    no more. Times are None for never."""

    user_id: str
    user: str
    address: str
    name: str
    device: str
    kind: str
    model: str
    os: str
    type: str
    agent: str
    version: str
    first_seen: datetime | None
    last_seen: datetime | None
    access: str
    wipe: str
    provisioned: bool
    storm: bool

    def plain(self) -> dict[str, Any]:
        return {
            "user": self.user, "address": self.address, "name": self.name, "device": self.device, "kind": self.kind,
            "model": self.model, "os": self.os, "type": self.type, "agent": self.agent, "version": self.version,
            "first_seen": _iso(self.first_seen), "last_seen": _iso(self.last_seen), "access": self.access,
            "wipe": self.wipe, "provisioned": self.provisioned, "storm": self.storm,
        }

    @property
    def text(self) -> str:
        """What a search looks through."""
        said = (self.user, self.address, self.name, self.device, self.kind, self.model, self.os, self.agent)
        return " ".join(said).casefold()


Fits = Callable[[Found, datetime], bool]

#: What may be asked of a device, by the word in the address of the page: (for people, whether it is so).
STATES: Mapping[str, tuple[str, Fits]] = {
    "allowed": ("Allowed in", lambda one, now: one.access == "allowed"),
    "blocked": ("Blocked", lambda one, now: one.access == "blocked"),
    "quarantined": ("In quarantine", lambda one, now: one.access == "quarantined"),
    "wiping": ("Being wiped", lambda one, now: one.wipe not in (Wipe.NONE.value, Wipe.DONE.value)),
    "wiped": ("Wiped", lambda one, now: one.wipe == Wipe.DONE.value),
    "storm": ("Repeats itself", lambda one, now: one.storm),
    "unprovisioned": ("Without a policy", lambda one, now: not one.provisioned),
    "unused": (f"Unused for {UNUSED_DAYS} days", lambda one, now: _unused(one, now)),
}
_NEVER: datetime = datetime.min.replace(tzinfo=UTC)

#: By what a list can be ordered.
SORTS: Mapping[str, Callable[[Found], Any]] = {
    "user": lambda one: (one.user, one.device), "kind": lambda one: (one.kind, one.model, one.device),
    "version": lambda one: (one.version, one.user), "access": lambda one: (one.access, one.wipe, one.user),
    "first_seen": lambda one: one.first_seen or _NEVER, "last_seen": lambda one: one.last_seen or _NEVER,
    "device": lambda one: one.device,
}


@action("device.search", Permission.SEE, http=("GET", "/devices/search"))
async def search(
    site: Site, *, q: str = "", state: str = "", kind: str = "", version: str = "", sort: str = "-last_seen",
    offset: int = 0, rows: int = 50,
) -> dict[str, Any]:
    """Devices whose user, id, kind, model, system or agent has all the words of `q`. `total` is without `offset` and
    `rows` (0: all); `kinds` and `versions` say what else could be asked for, with how many there are of each."""
    now = datetime.now(UTC)
    everything = await everyone(site)
    hits = chosen(everything, now, q=q, state=state, kind=kind, version=version)
    ordered = in_order(hits, sort)
    shown = ordered[offset : offset + rows] if rows else ordered[offset:]
    return {
        "total": len(hits), "devices": [one.plain() for one in shown],
        "kinds": dict(Counter(one.kind for one in everything).most_common()),
        "versions": dict(sorted(Counter(one.version for one in everything).items())),
    }


async def everyone(site: Site) -> list[Found]:
    """All devices of the site."""
    now = datetime.now(UTC)
    rows, people = await asyncio.gather(site.store.fleet(), site.groupware.read(roll))
    return [_found(row, people.get(row.user_id), now) for row in rows]


async def found_by(site: Site, asked: Mapping[str, str]) -> tuple[list[Found], list[Found]]:
    """All devices, and those that the filters leave: `q`, `state`, `kind`, `version`, and `condition`, a name of
    eas.admin.condition_names."""
    everything = await everyone(site)
    filters = {name: asked.get(name, "") for name in ("q", "state", "kind", "version")}
    hits = chosen(everything, datetime.now(UTC), **filters)
    if condition := asked.get("condition", ""):
        findings = (await health.recent(site)).findings
        ill = {key for key, several in findings.items() if any(one.name.value == condition for one in several)}
        hits = [one for one in hits if (one.user_id, one.device) in ill]
    return everything, hits


async def of_user(site: Site, who: str) -> list[Found]:
    """Those of one user. Raises NotFound."""
    try:
        account = await site.people.user(who)
    except NotThere as error:
        raise NotFound(str(error)) from error
    return [one for one in await everyone(site) if one.address == account.address]


def chosen(
    devices: Iterable[Found], now: datetime, *, q: str = "", state: str = "", kind: str = "", version: str = ""
) -> list[Found]:
    """An unknown state is as none."""
    words = q.casefold().split()
    fits = STATES[state][1] if state in STATES else None
    return [
        one for one in devices
        if (not kind or one.kind == kind) and (not version or one.version == version)
        and (fits is None or fits(one, now)) and (not words or _has(one.text, words))
    ]


def in_order(devices: Sequence[Found], sort: str) -> list[Found]:
    """`-` before the name: downwards. An unknown one is -last_seen."""
    name = sort.removeprefix("-")
    if name not in SORTS:
        name, sort = "last_seen", "-last_seen"
    return sorted(devices, key=SORTS[name], reverse=sort.startswith("-"))


def _has(text: str, words: Sequence[str]) -> bool:
    return all(word in text for word in words)


def _found(row: FleetRow, user: Enrolled | None, now: datetime) -> Found:
    os = row.information.get("OS", "")
    return Found(
        user_id=row.user_id, user=user.login if user else row.user_id, address=user.address if user else row.user_id,
        name=user.name if user else "", device=row.id, kind=kind_of(row.type, row.agent, os),
        model=row.information.get("FriendlyName") or row.information.get("Model", ""), os=os, type=row.type,
        agent=row.agent, version=row.version, first_seen=row.first_seen, last_seen=row.last_seen,
        access=level_in_words(row.admission), wipe=row.wipe, provisioned=bool(row.policy_key),
        storm=_storms(row.storm, now),
    )


def _storms(storm: Mapping[str, Any] | None, now: datetime) -> bool:
    return storm is not None and now - datetime.fromisoformat(storm["last"]) < STORM_NOTED


def _unused(one: Found, now: datetime) -> bool:
    return one.last_seen is None or now - one.last_seen > timedelta(days=UNUSED_DAYS)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
