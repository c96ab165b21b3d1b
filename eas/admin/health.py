"""How the fleet is: which conditions which devices have, counted; one device's; and a verdict for monitoring."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, func, select

from eas.backends.embedded.roll import roll
from eas.engine.model import Wipe
from eas.store import activity_rows
from eas.store.devices import bound_of, storm_of
from eas.store.fleet import FleetRow, fleet
from eas.store.tables import degraded, sync_state

from .acting import Permission, action
from .actions import _find_device
from .condition_names import ABOUT, Name, Severity
from .conditions import REPEATS, STARTS, Facts, Finding, Said, Wrong, asks_for_policy, findings, with_twins, worst
from .conduct import access_of
from .errors import Invalid
from .site import Site

Key = tuple[str, str]

#: What a monitoring plug-in says by its exit code: 0 ok, 1 warnings, 2 critical; 3 stands for what cannot be told.
CODES: Mapping[Severity | None, int] = {None: 0, Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}
WORDS: Mapping[int, str] = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}


@dataclass(frozen=True, slots=True)
class Survey:
    """The facts of each device, and what follows."""

    facts: Mapping[Key, Facts]
    findings: Mapping[Key, Sequence[Finding]]


async def refresh(site: Site, user_id: str, device_id: str) -> None:
    """Have written down what the device did: here, and in a server that runs beside the command line."""
    site.ask({"do": "note"})
    await site.activity.flush(only=(user_id, device_id))


async def survey(site: Site, now: datetime | None = None) -> Survey:
    """All devices of the site."""
    at = now or datetime.now(UTC)
    facts = await site.activity.read(lambda c: gathered(c, at))
    return Survey(facts=facts, findings={key: findings(one, at) for key, one in facts.items()})


#: How old a survey may be that a page shows: it takes a quarter of a second for 2,000 devices.
RECENT = timedelta(seconds=15)
_recent: WeakKeyDictionary[object, tuple[datetime, Survey]] = WeakKeyDictionary()


async def recent(site: Site) -> Survey:
    """All devices of the site, as they were some seconds ago."""
    now = datetime.now(UTC)
    kept = _recent.get(site.activity)
    if kept is None or now - kept[0] > RECENT:
        kept = _recent[site.activity] = now, await survey(site, now)
    return kept[1]


def gathered(connection: Connection, now: datetime, user_id: str | None = None) -> dict[Key, Facts]:
    """In one reading, from summaries alone; of all, or of the devices of a user (twins are the same user's)."""
    today, yesterday = (now - timedelta(days=back) for back in (0, 1))
    said: dict[Key, list[Said]] = defaultdict(list)
    for row in activity_rows.amiss(connection, today.date().isoformat(), REPEATS, STARTS, user_id):
        said[row["user_id"], row["device_id"]].append(_said(row))
    refused = [key for key, several in said.items() if any(map(asks_for_policy, several))]
    good, synced = activity_rows.last_good(connection, refused), activity_rows.synced(connection, user_id)
    totals = activity_rows.totals(connection, yesterday.date().isoformat(), user_id)
    wrong = {(row["user_id"], row["device_id"]): row for row in activity_rows.failures(connection, user_id)}
    simplified = _degraded(connection)
    return {
        (one.user_id, one.device_id): one for one in with_twins([
            replace(
                _facts(row, said.get(key, ()), totals.get(key), wrong.get(key)),
                degraded=simplified.get(key, 0), synced=key in synced, last_good=good.get(key),
            )
            for row in fleet(connection, user_id) for key in ((row.user_id, row.id),)
        ])
    }


def _said(row: Mapping[str, Any]) -> Said:
    return Said(**{name: value for name, value in row.items() if name not in ("user_id", "device_id")})


def _degraded(connection: Connection) -> dict[Key, int]:
    statement = (
        select(sync_state.c.user_id, sync_state.c.device_id, func.count())
        .join_from(degraded, sync_state).group_by(sync_state.c.user_id, sync_state.c.device_id)
    )
    return {(user, device): count for user, device, count in connection.execute(statement)}


def _facts(row: FleetRow, said: Iterable[Said], totals: Any, wrong: Mapping[str, Any] | None) -> Facts:
    stated = row.information
    return Facts(
        user_id=row.user_id, device_id=row.id, type=row.type, model=stated.get("Model", ""),
        imei=stated.get("IMEI", ""), friendly_name=stated.get("FriendlyName", ""), agent=row.agent,
        version=row.version, first_seen=row.first_seen, last_seen=row.last_seen, access=access_of(row.admission),
        wipe=Wipe(row.wipe), wipe_at=row.wipe_at, storm=storm_of(row.storm), wait_bound=bound_of(row.wait_bound),
        said=tuple(said),
        wrong=Wrong(since=wrong["since"], last=wrong["last"], times=wrong["times"]) if wrong else None,
        requests=_number(totals, "requests"), waits=_number(totals, "waits"),
        waits_held=_number(totals, "waits_held"), waits_cut=_number(totals, "waits_cut"),
    )


def _number(totals: Any, name: str) -> int:
    return int(getattr(totals, name)) if totals is not None else 0


def as_data(finding: Finding) -> dict[str, Any]:
    """`name`, `title`, `severity`, `since` (ISO or None), `detail`, `means`, `todo`."""
    about = ABOUT[finding.name]
    return {
        "name": finding.name.value, "title": about.title, "severity": finding.severity.value,
        "since": finding.since.isoformat() if finding.since else None, "detail": finding.detail,
        "means": about.means, "todo": about.todo,
    }


# Actions --------------------------------------------------------------------------------------------------------------


@action("health.conditions", Permission.SEE, http=("GET", "/health/conditions"))
async def conditions(site: Site) -> list[dict[str, str]]:
    """All that there are: `name`, `title`, `severity`, `means`, `todo`."""
    return [
        {"name": name.value, "title": about.title, "severity": about.severity.value, "means": about.means,
         "todo": about.todo}
        for name, about in ABOUT.items()
    ]


@action("health.fleet", Permission.SEE, http=("GET", "/health"))
async def health(site: Site, ignore: Sequence[str] = ()) -> dict[str, Any]:
    """How all devices are. `code` and `word` as a monitoring plug-in says them, `line` in its manner; `devices` and
    `healthy` in numbers; `conditions` are those that any device has, the worst first: as in `conditions`, with `count`,
    the worst `severity` and `examples` (login and device id of a few). `ignore` names conditions that do not count
    for `code`."""
    if unknown := [name for name in ignore if name not in {one.value for one in Name}]:
        raise Invalid(f"no condition {', '.join(unknown)}; there are {', '.join(one.value for one in Name)}")
    found, people = await survey(site), await site.groupware.read(roll)
    everything = {**found.findings, **await _of_site(site)}
    named = {
        (people[user].login if user in people else user, device): several
        for (user, device), several in everything.items()
    }
    return judged(named, len(found.facts), frozenset(ignore))


def judged(
    everything: Mapping[Key, Sequence[Finding]], devices: int, ignore: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Pure; by login and device id."""
    by_name: dict[Name, list[tuple[Key, Finding]]] = defaultdict(list)
    for key, several in everything.items():
        for one in several:
            by_name[one.name].append((key, one))
    told = [_counted(name, hits) for name, hits in by_name.items()]
    told.sort(key=lambda one: (-CODES[Severity(one["severity"])], one["severity"], -one["count"]))
    counting = [one for one in told if one["name"] not in ignore]
    code = CODES[worst(f for hits in by_name.values() for _, f in hits if f.name.value not in ignore)]
    ill = sum(1 for several in everything.values() if any(CODES[one.severity] for one in several))
    return {
        "code": code, "word": WORDS[code], "line": _line(code, counting, devices), "devices": devices,
        "healthy": max(0, devices - ill), "conditions": told,
    }


def _counted(name: Name, hits: Sequence[tuple[Key, Finding]]) -> dict[str, Any]:
    about, severity = ABOUT[name], worst(finding for _, finding in hits)
    return {
        "name": name.value, "title": about.title, "severity": (severity or about.severity).value, "count": len(hits),
        "means": about.means, "todo": about.todo,
        "examples": [{"user": user, "device": device} for (user, device), _ in hits[:5] if device],
    }


def _line(code: int, told: Sequence[Mapping[str, Any]], devices: int) -> str:
    """For monitoring: a word, what there is of it, and figures behind a bar. [Nagios plug-in guidelines]"""
    worse = [f"{one['count']} {one['name']}" for one in told if CODES[Severity(one["severity"])]]
    counts = Counter({one["name"]: one["count"] for one in told})
    figures = " ".join(f"'{name.value}'={counts[name.value]}" for name in Name)
    said = ", ".join(worse) or f"{devices} devices, nothing amiss"
    return f"EAS {WORDS[code]}: {said} | devices={devices} {figures}"


async def _of_site(site: Site) -> dict[Key, list[Finding]]:
    """What is no device's: whether a server runs."""
    running = site.ask({"do": "look"}) is not None or await site.activity.looks()
    if running:
        return {}
    detail = "nothing answers on the control socket"
    return {("", ""): [Finding(
        name=Name.NO_SERVER, severity=ABOUT[Name.NO_SERVER].severity, since=None, detail=detail
    )]}


@action("health.devices", Permission.SEE, http=("GET", "/health/devices"))
async def afflicted(site: Site, condition: str = "") -> list[dict[str, Any]]:
    """Devices with a condition, or with any that is more than information: `user` (login), `user_id`, `device`,
    `last_seen` (ISO or None), `severity`, and `conditions` in the form of `as_data`. The worst first, then who was
    heard of last."""
    if condition and condition not in {one.value for one in Name}:
        raise Invalid(f"no condition {condition}; there are {', '.join(one.value for one in Name)}")
    found, people = await survey(site), await site.groupware.read(roll)
    chosen = [
        (key, several) for key, several in found.findings.items()
        if any(one.name.value == condition if condition else CODES[one.severity] for one in several)
    ]
    old = datetime.min.replace(tzinfo=UTC)
    chosen.sort(key=lambda hit: found.facts[hit[0]].last_seen or old, reverse=True)
    chosen.sort(key=lambda hit: -CODES[worst(hit[1])])
    return [
        {
            "user": people[key[0]].login if key[0] in people else key[0], "user_id": key[0], "device": key[1],
            "last_seen": seen.isoformat() if (seen := found.facts[key].last_seen) else None,
            "severity": (worst(several) or Severity.INFO).value,
            "conditions": list(map(as_data, several)),
        }
        for key, several in chosen
    ]


@action("device.health", Permission.SEE, http=("GET", "/users/{who}/devices/{device_id}/health"))
async def device_health(site: Site, who: str, device_id: str) -> list[dict[str, Any]]:
    """The conditions of one device, the worst first, in the form of `as_data`."""
    user_id, _ = await _find_device(site, who, device_id)
    await refresh(site, user_id, device_id)
    # Whether there is a twin is seen among all devices of the user.
    at = datetime.now(UTC)
    facts = await site.activity.read(lambda c: gathered(c, at, user_id))
    return [as_data(one) for one in findings(facts[user_id, device_id], at)] if (user_id, device_id) in facts else []
