"""The fleet at one look, as numbers and series: for the first page, and for whoever draws pictures elsewhere."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from eas.engine.activity import hour_of
from eas.engine.model import Wipe
from eas.measures import PUSHED

from . import devices
from .acting import Permission, action
from .kinds import kind_of
from .site import Site

#: Of many kinds the most frequent ones are told, the others together.
MOST_SERIES = 5
OTHERS = "Others"

#: What a series of hours is made of: rows of `ActivityStore.hours`.
HourRow = tuple[str, str, str, float]


@action("overview", Permission.SEE, http=("GET", "/overview"))
async def overview(site: Site, *, hours: int = 24, days: int = 30) -> dict[str, Any]:
    """Numbers of now and of the last so many hours; and series, each as its labels (hours or days, UTC) and values by
    name: `kinds` and `versions` of devices that asked on a day, `requests` and `errors` in an hour, `push` (seconds
    from the change to the answer, for half and for 95 of 100), `held` (phones that waited, on the average)."""
    now = datetime.now(UTC)
    hours, days = min(max(hours, 1), 24 * 14), min(max(days, 1), 365)
    everything, counted, seen, look = await asyncio.gather(
        devices.everyone(site), site.activity.hours(hours), site.activity.seen_by_day(days), waiting(site)
    )
    labels = [hour_of((now - timedelta(hours=back)).timestamp()) for back in reversed(range(hours))]
    series = of_hours(counted, labels)
    return {
        "devices": len(everything), "users": len({one.address for one in everything}),
        "active": sum(_within(one, now, timedelta(days=1)) for one in everything), "waiting": look,
        "requests": _sum(series["requests"]), "errors": _sum(series["errors"]), "hours": hours, "days": days,
        "states": states(everything, now), "series": {**series, **of_days(seen, now, days)},
    }


async def waiting(site: Site) -> int | None:
    """Phones that wait at this moment, at all nodes; None if nobody can say."""
    told = await site.activity.looks()
    if not told and (own := site.ask({"do": "look"})) is not None:
        told = [dict(own["look"])]
    return sum(int(one["waiting"]) for one in told) if told else None


def states(everything: Sequence[devices.Found], now: datetime) -> dict[str, int]:
    """How many devices are in each of the states that a list can be asked for."""
    return {name: sum(fits(one, now) for one in everything) for name, (_, fits) in devices.STATES.items()}


def of_hours(counted: Iterable[HourRow], labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Series by the hour from what the nodes have counted."""
    table: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for hour, name, label, value in counted:
        table[name][hour][label] = value
    return {
        "requests": _series(labels, _top(table["requests"], labels)),
        "errors": _series(labels, {"errors": [sum(table["errors"][hour].values()) for hour in labels]}),
        "push": _series(labels, {
            name: [quantile(table["push"][hour], share) for hour in labels] for name, share in SHARES.items()
        }),
        "held": _series(labels, {"held": [_mean(table, hour) for hour in labels]}),
    }


#: The names of `push`, and the share of all news that were handed over within that time.
SHARES: Mapping[str, float] = {"half": 0.5, "95 of 100": 0.95}


def quantile(buckets: Mapping[str, float], share: float) -> float | None:
    """Within how many seconds that share lies, by upper bounds of which each has its count; between two bounds the
    news are taken to lie evenly. None where nothing was counted; beyond the last bound it is that bound."""
    wanted = share * sum(buckets.values())
    below = lower = 0.0
    for bound in sorted(buckets, key=float):
        if bound == "inf":
            break
        count = buckets[bound]
        lower = max((known for known in PUSHED if known < float(bound)), default=0.0)
        if count and below + count >= wanted:
            return round(lower + (float(bound) - lower) * (wanted - below) / count, 3)
        below += count
    return PUSHED[-1] if wanted else None


def of_days(seen: Iterable[tuple[str, str, str, str, int]], now: datetime, days: int) -> dict[str, dict[str, Any]]:
    """Devices that asked on each day, by kind and by version."""
    labels = [(now - timedelta(days=back)).date().isoformat() for back in reversed(range(days))]
    kinds: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    versions: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for day, version, type, agent, count in seen:
        kinds[day][kind_of(type, agent)] += count
        versions[day][version or "unknown"] += count
    return {"kinds": _series(labels, _top(kinds, labels)), "versions": _series(labels, _top(versions, labels))}


def _top(table: Mapping[str, Mapping[str, float]], labels: Sequence[str]) -> dict[str, list[float]]:
    """The most frequent names first, the rest as one."""
    totals: dict[str, float] = defaultdict(float)
    for label in labels:
        for name, value in table.get(label, {}).items():
            totals[name] += value
    names = sorted(totals, key=lambda name: (-totals[name], name))
    kept = names if len(names) <= MOST_SERIES + 1 else names[:MOST_SERIES]
    made = {name: [table.get(label, {}).get(name, 0.0) for label in labels] for name in kept}
    if len(kept) < len(names):
        made[OTHERS] = [
            sum(value for name, value in table.get(label, {}).items() if name not in kept) for label in labels
        ]
    return made


def _series(labels: Sequence[str], values: Mapping[str, Sequence[float | None]]) -> dict[str, Any]:
    return {"labels": list(labels), "values": {name: list(row) for name, row in values.items()}}


def _sum(series: Mapping[str, Any]) -> int:
    return round(sum(value or 0.0 for row in series["values"].values() for value in row))


def _mean(table: Mapping[str, Mapping[str, Mapping[str, float]]], hour: str) -> float | None:
    """`held` is added up at every look; None where nobody looked."""
    looks = table["held_looks"][hour].get("", 0.0)
    return round(table["held"][hour].get("", 0.0) / looks, 1) if looks else None


def _within(one: devices.Found, now: datetime, span: timedelta) -> bool:
    return one.last_seen is not None and now - one.last_seen < span and one.wipe != Wipe.DONE.value
