"""Reports: who has which devices, how old they are, whether they hold their policy; a summary of a month as a text.

Each report is a list of plain dicts, for pages, CSV and JSON alike; REPORTS says which columns it has. Nothing of what
is in a mailbox is in any of them. Whatever the number of devices, a report costs a handful of statements.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from eas.backends.embedded.roll import roll
from eas.engine.model import Access, Wipe

from . import devices
from .acting import Permission, action
from .compliance import CURRENT, OLDER, compliance, counts
from .devices import Found
from .site import Site

Rows = list[dict[str, Any]]

#: Days without a request after which a device is told of as unused, where nothing else is asked for.
DAYS = 30
#: Lines of a list in the summary of a month; what is beyond is counted.
MAX_LINES = 20


# The reports ----------------------------------------------------------------------------------------------------------


@action("report.users", Permission.SEE, http=("GET", "/reports/users"))
async def users(site: Site, *, without: bool = False) -> Rows:
    """Every user with the number of devices and the last request of any; those `without` any, if that is asked for.
    Those who are barred from ActiveSync are named as such."""
    found, people = await asyncio.gather(devices.everyone(site), site.groupware.read(roll))
    of_user: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        of_user[one.address].append(one)
    rows = []
    for user in sorted(people.values(), key=lambda user: user.address):
        theirs = of_user[user.address]
        if not (without and theirs):
            rows.append({
                "user": user.login, "address": user.address, "name": user.name, "devices": len(theirs),
                "last_seen": _iso(max((one.last_seen for one in theirs if one.last_seen), default=None)),
                "activesync": user.enabled and user.activesync,
            })
    return rows


@action("report.users_without", Permission.SEE, http=("GET", "/reports/users-without"))
async def users_without(site: Site) -> Rows:
    """Users who have no device."""
    return await users(site, without=True)


@action("report.versions", Permission.SEE, http=("GET", "/reports/versions"))
async def versions(site: Site) -> Rows:
    """How many devices speak which version of the protocol; "" for those that have not been here."""
    return _grouped(await devices.everyone(site), ("version",), lambda one: (one.version,))


@action("report.systems", Permission.SEE, http=("GET", "/reports/systems"))
async def systems(site: Site) -> Rows:
    """How many devices are of which kind and system; the system is "" where the device has not said it."""
    return _grouped(await devices.everyone(site), ("kind", "os"), lambda one: (one.kind, one.os))


@action("report.unused", Permission.SEE, http=("GET", "/reports/unused"))
async def unused(site: Site, *, days: int = DAYS) -> Rows:
    """Devices without a request for so many days, the longest first; `days` is None for those that were never here."""
    now = datetime.now(UTC)
    before = now - timedelta(days=max(0, min(days, 36_500)))
    found = [one for one in await devices.everyone(site) if one.last_seen is None or one.last_seen < before]
    return [
        {**_named(one), "first_seen": _iso(one.first_seen), "last_seen": _iso(one.last_seen),
         "days": (now - one.last_seen).days if one.last_seen else None, "access": one.access}
        for one in sorted(found, key=lambda one: (one.last_seen or _NEVER, one.user, one.device))
    ]


@action("report.policies", Permission.SEE, http=("GET", "/reports/policies"))
async def policies(site: Site) -> Rows:
    """Each device with the policy that is in force for it, and whether it holds that one ("current"), has acknowledged
    another one ("older"), or none ("none")."""
    found, people = await asyncio.gather(compliance(site), site.groupware.read(roll))
    return [
        {"user": people[one.user_id].login if one.user_id in people else one.user_id,
         "address": people[one.user_id].address if one.user_id in people else one.user_id, "device": one.device_id,
         "version": one.version, "policy": one.policy, "enforced": one.enforced, "holds": one.holds,
         "last_seen": _iso(one.last_seen)}
        for one in found
    ]  # fmt: skip


@action("report.policy_counts", Permission.SEE, http=("GET", "/reports/policy-counts"))
async def policy_counts(site: Site) -> Rows:
    """For each policy that is in force for any device: how many hold it, an older one, none."""
    return counts(await compliance(site))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`title` for people; `columns` in order; `days` whether it asks for a number of days."""

    title: str
    columns: tuple[str, ...]
    make: Callable[..., Awaitable[Rows]]
    days: bool = False


#: By the name on the command line and in addresses of pages.
REPORTS: Mapping[str, Report] = {
    "users": Report(
        title="Users and how many devices they have", make=users,
        columns=("user", "address", "name", "devices", "last_seen", "activesync"),
    ),
    "users-without": Report(
        title="Users without a device", make=users_without, columns=("user", "address", "name", "activesync"),
    ),
    "versions": Report(
        title="Devices by version of the protocol", make=versions, columns=("version", "devices", "users", "percent"),
    ),
    "systems": Report(
        title="Devices by kind and system", make=systems, columns=("kind", "os", "devices", "users", "percent"),
    ),
    "unused": Report(
        title="Devices that are not used", make=unused, days=True,
        columns=("user", "device", "kind", "model", "version", "last_seen", "days", "access"),
    ),
    "policies": Report(
        title="Devices and their policies", make=policies,
        columns=("user", "device", "version", "policy", "enforced", "holds", "last_seen"),
    ),
    "policy-counts": Report(
        title="Policies and how many devices hold them", make=policy_counts,
        columns=("policy", "enforced", "devices", "current", "older", "none"),
    ),
}  # fmt: skip


async def rows_of(site: Site, name: str, days: int = DAYS) -> Rows:
    """One of REPORTS by its name."""
    report = REPORTS[name]
    return await (report.make(site, days=days) if report.days else report.make(site))


# The summary of a month -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A calendar month, UTC; `end` is the first moment of the next."""

    begin: datetime
    end: datetime

    @property
    def name(self) -> str:
        return f"{self.begin:%B %Y}"


def month_before(now: datetime) -> Month:
    """The last month that is over."""
    end = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Month(begin=(end - timedelta(days=1)).replace(day=1), end=end)


@action("report.monthly", Permission.SEE, http=("GET", "/reports/monthly"))
async def monthly(site: Site) -> dict[str, str]:
    """`subject` and `text` of the summary: what is so now, and what was new in the month that is over."""
    now = datetime.now(UTC)
    found, held, people = await asyncio.gather(
        devices.everyone(site), compliance(site), site.groupware.read(roll)
    )
    month = month_before(now)
    with_any = {one.address for one in found}
    without = sum(user.address not in with_any for user in people.values() if user.enabled and user.activesync)
    text = "\n\n".join((
        _overview(found, month, len(people), without, now), _shares("By kind", (one.kind for one in found)),
        _shares("By version of the protocol", (one.version or "not known yet" for one in found)),
        _policies(counts(held)), _attention(found), _longest(found, now),
    ))
    return {"subject": f"Devices in {month.name}", "text": text}


@action("report.mail", Permission.RULE, http=("POST", "/reports/monthly/mail"))
async def mail_monthly(site: Site, *, to: list[str]) -> list[str]:
    """Send the summary to these addresses; those to which it could be handed over."""
    told = await monthly(site)
    handed = await asyncio.gather(
        *[site.notices.mail(one, told["subject"], told["text"], topic="monthly report") for one in dict.fromkeys(to)]
    )
    return [one for one, done in zip(dict.fromkeys(to), handed, strict=True) if done]


def _overview(found: Sequence[Found], month: Month, people: int, without: int, now: datetime) -> str:
    new = sum(month.begin <= one.first_seen < month.end for one in found if one.first_seen)
    recent = sum(one.last_seen is not None and one.last_seen > now - timedelta(days=DAYS) for one in found)
    told = {
        "Devices": len(found), f"  new in {month.name}": new, f"  used in the last {DAYS} days": recent,
        f"  not used for {DAYS} days": len(found) - recent, "Users": people, "  without a device": without,
    }
    return "\n".join(f"{name:<30} {count:7}" for name, count in told.items())


def _shares(title: str, words: Iterable[str]) -> str:
    found = Counter(words)
    whole = max(1, found.total())
    lines = [
        f"  {word[:28]:<28} {count:7}  {count * 100 / whole:5.1f} %" for word, count in found.most_common(MAX_LINES)
    ]
    return "\n".join((title, *(lines or ["  none"])))


def _policies(told: Rows) -> str:
    lines = [
        f"  {row['policy'][:28]:<28} {row[CURRENT]:7} hold it, {row[OLDER]} an older one, {row['none']} none"
        for row in told[:MAX_LINES]
    ]
    return "\n".join(("Policies", *(lines or ["  no device"])))


def _attention(found: Sequence[Found]) -> str:
    pending = (Wipe.REQUESTED.value, Wipe.SENT.value, Wipe.FAILED.value)
    told = {
        "blocked": sum(one.access == Access.BLOCKED.value for one in found),
        "in quarantine": sum(one.access == Access.QUARANTINED.value for one in found),
        "wipe pending": sum(one.wipe in pending for one in found),
        "wiped": sum(one.wipe == Wipe.DONE.value for one in found),
        "repeats itself without effect": sum(one.storm for one in found),
    }
    return "\n".join(("What needs a look", *(f"  {name:<28} {count:7}" for name, count in told.items())))


def _longest(found: Sequence[Found], now: datetime) -> str:
    old = sorted(
        (one for one in found if one.last_seen is None or one.last_seen < now - timedelta(days=DAYS)),
        key=lambda one: (one.last_seen or _NEVER, one.user, one.device),
    )
    lines = [f"  {_when(one.last_seen)}  {one.user}, {one.model or one.kind} ({one.device})" for one in old[:MAX_LINES]]
    more = [f"  and {len(old) - MAX_LINES} more: eas report unused"] if len(old) > MAX_LINES else []
    return "\n".join((f"Not used for {DAYS} days, the longest first", *(lines or ["  none"]), *more))


# Parts ----------------------------------------------------------------------------------------------------------------

_NEVER = datetime.min.replace(tzinfo=UTC)


def _grouped(found: Sequence[Found], names: tuple[str, ...], key: Callable[[Found], tuple[str, ...]]) -> Rows:
    """Counts of devices and of their users by some of their values, the most frequent first."""
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for one in found:
        groups[key(one)].append(one.address)
    return [
        {**dict(zip(names, values, strict=True)), "devices": len(owners), "users": len(set(owners)),
         "percent": round(len(owners) * 100 / len(found), 1)}
        for values, owners in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    ]  # fmt: skip


def _named(one: Found) -> dict[str, Any]:
    return {
        "user": one.user, "address": one.address, "device": one.device, "kind": one.kind, "model": one.model,
        "os": one.os, "version": one.version,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment is not None else None


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment is not None else "never     "
