"""The audit log for those who read it: who did what to whom, whether the log is whole, and a copy of it. Contents of
mailboxes stand in none of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from eas.store.audit import Entry
from eas.store.audit_chain import Verdict, mark_of
from eas.store.audit_reading import AuditBook, Filter

from .acting import Permission, action
from .actions import _people
from .errors import Invalid
from .site import Site

#: Entries at a time, at most.
MOST = 1000
#: More is none that a database counts with.
FARTHEST = 2**31 - 1
#: Days of a device that are shown with what was done to it.
DAYS = 30

#: What an exported entry has, in this order.
COLUMNS = (
    "number", "at", "actor", "role", "face", "address", "action", "user", "device", "outcome", "details", "hash"
)


@action("audit.list", Permission.AUDIT, http=("GET", "/audit"))
async def entries(
    site: Site,
    *,
    actor: str = "",
    user: str = "",
    device: str = "",
    action: str = "",
    role: str = "",
    face: str = "",
    address: str = "",
    outcome: str = "",
    since: str = "",
    until: str = "",
    skip: int = 0,
    most: int = 100,
) -> dict[str, Any]:
    """Newest first: `entries`, and in `total` how many fit.

    `actor`, `user`, `device` and `address` are parts of names; `action` is a whole name or its beginning ("wipe");
    `outcome` is done or other. `since` and `until` are days or moments (ISO 8601, UTC unless they say otherwise).
    """
    wanted = filter_of(
        actor=actor, user=user, device=device, action=action, role=role, face=face, address=address, outcome=outcome,
        since=since, until=until,
    )
    found, total = await AuditBook(site.audit.run).page(
        wanted, skip=min(max(0, skip), FARTHEST), most=max(1, min(most, MOST))
    )
    return {"entries": [shown(entry) for entry in found], "total": total}


@action("audit.verify", Permission.AUDIT, http=("GET", "/audit/verify"))
async def verify(site: Site, *, noted: str = "") -> dict[str, Any]:
    """Whether the log is as it was written. `noted` is a head as it was told by an earlier verification and kept
    elsewhere ("17:ab12..."): only that shows that the end was not cut off by somebody who owns the database."""
    try:
        mark = mark_of(noted) if noted else None
    except ValueError as error:
        raise Invalid(str(error)) from error
    return _verdict(await AuditBook(site.audit.run).verify(mark))


@action("audit.actions", Permission.AUDIT, http=("GET", "/audit/actions"))
async def action_names(site: Site) -> list[str]:
    """The names of actions that occur in the log."""
    return await AuditBook(site.audit.run).actions()


@action("audit.export", Permission.AUDIT)
async def export(
    site: Site, *, since: str = "", until: str = "", actor: str = "", user: str = "", device: str = "",
    action: str = "",
) -> AsyncIterator[list[dict[str, Any]]]:
    """Oldest first, some at a time; that it was taken stands in the log."""
    wanted = filter_of(since=since, until=until, actor=actor, user=user, device=device, action=action)

    async def batches() -> AsyncIterator[list[dict[str, Any]]]:
        async for batch in AuditBook(site.audit.run).all(wanted):
            yield [shown(entry) for entry in batch]

    return batches()


@action("audit.of-device", Permission.AUDIT, http=("GET", "/users/{who}/devices/{device_id}/audit"))
async def of_device(site: Site, who: str, device_id: str, *, days: int = DAYS) -> dict[str, Any]:
    """What was done to one phone (`entries`, newest first), and what it read and wrote on each day, as counts alone
    (`days`)."""
    async with _people(site) as people:
        account = await people.user(who)
    # By the device alone: its user may have had another name at the time.
    found, _ = await AuditBook(site.audit.run).page(Filter(device=device_id), most=MOST)
    mine = [entry for entry in found if entry.about_device == device_id]
    counts = await site.activity.days(account.id, device_id, max(1, min(days, 366)))
    return {"entries": [shown(entry) for entry in mine], "days": [_day(row) for row in counts]}


def filter_of(*, since: str = "", until: str = "", **texts: str) -> Filter:
    """Raises Invalid."""
    return Filter(
        since=moment_of(since), until=moment_of(until, end=True),
        **{name: text.strip() for name, text in texts.items()},
    )


def moment_of(text: str, *, end: bool = False) -> datetime | None:
    """A day or a moment; None for "". A day that ends something is meant with all its hours. Raises Invalid."""
    text = text.strip()
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        if len(text) == len("2026-03-02") and end:
            found += timedelta(days=1)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"no day and no moment: {text[:40]!r}; 2026-03-02 and 2026-03-02T12:30 are such") from error


def shown(entry: Entry) -> dict[str, Any]:
    return {
        "number": entry.number, "at": entry.at.isoformat(), "actor": entry.actor, "role": entry.role,
        "face": entry.face, "address": entry.address, "action": entry.action, "user": entry.about_user,
        "device": entry.about_device, "outcome": entry.outcome, "details": dict(entry.details), "hash": entry.hash,
    }


def details_in_words(details: dict[str, Any]) -> str:
    """On one line, for tables."""
    return ", ".join(
        f"{name.replace('_', ' ')}: {_word(value)}" for name, value in details.items()
    )


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _verdict(found: Verdict) -> dict[str, Any]:
    return {
        "whole": not found.broken, "rows": found.rows, "broken": found.broken, "problem": found.problem,
        "removed_through": found.sealed, "unchecked": found.unchecked,
        "head": str(found.head) if found.head.number and not found.broken else "",
    }


def _day(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("user_id", "device_id")}


async def trim(site: Site, days: int) -> int:
    """Remove what is older than so many days, 0 for never; how many entries."""
    if not days:
        return 0
    return await AuditBook(site.audit.run).trim(datetime.now(UTC) - timedelta(days=days))
