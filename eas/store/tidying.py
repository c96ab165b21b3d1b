"""What nobody needs any more of the state: found and removed some rows at a time, so that no request waits for long.

A cleaning says which rows go, and removes some of them; functions of a connection inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, select

from eas.engine.model import Access, Wipe

from . import device_passwords, devices, intents, policies, states
from .activity_rows import orphans, remove_rows, surplus
from .activity_tables import device_answer, device_day, device_event, login_failure, site_hour, site_live
from .tables import device, intent, sync_state


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """For so many days without a word; 0 for ever (of effects: a day at least)."""

    device_days: int = 0
    state_days: int = 0
    intent_days: int = 7
    activity_days: int = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaning:
    """`found` are rows by their keys, `some` how many at once."""

    name: str
    found: Select[Any]
    remove: Callable[[Connection, Sequence[Row[Any]]], None]
    some: int

    def do(self, connection: Connection) -> int:
        """How many were removed; fewer than `some` if these were all."""
        rows = connection.execute(self.found.limit(self.some)).all()
        if rows:
            self.remove(connection, rows)
        return len(rows)

    def count(self, connection: Connection) -> int:
        """How many would be."""
        return int(connection.execute(select(func.count()).select_from(self.found.subquery())).scalar_one())


def cleanings(keep: Keep, now: datetime) -> list[Cleaning]:
    """Devices come before their states, which go with them."""
    found = []
    heard = func.coalesce(device.c.last_seen, device.c.first_seen)
    if keep.device_days:
        unused = heard < now - timedelta(days=keep.device_days)
        # One that is blocked or kept in quarantine by name, or has anything to do with a wipe, would come back as a new
        # one and be let in.
        kept_out = (Access.BLOCKED.value, Access.QUARANTINED.value)
        plain = (device.c.wipe == Wipe.NONE.value, device.c.access.not_in(kept_out))
        devices_gone = select(device.c.user_id, device.c.id).where(unused, *plain)
        found.append(Cleaning(name="devices", found=devices_gone, remove=_remove_devices, some=20))
    theirs = (device.c.user_id == sync_state.c.user_id) & (device.c.id == sync_state.c.device_id)
    known = select(sync_state.c.number).outerjoin(device, theirs)
    found.append(Cleaning(name="states", found=known.where(device.c.id.is_(None)), remove=_remove_states, some=100))
    if keep.state_days:
        unused = heard < now - timedelta(days=keep.state_days)
        found.append(Cleaning(name="states", found=known.where(unused), remove=_remove_states, some=100))
    for gone in intents.gone(now - timedelta(days=max(1, keep.intent_days))):
        found.append(Cleaning(name="intents", found=gone, remove=_remove_intents, some=500))
    return [*found, *_of_activity(now - timedelta(days=max(1, keep.activity_days)))]


def _of_activity(before: datetime) -> list[Cleaning]:
    """Notes of what devices did: of devices that are no more, beyond the last of a device, and old ones."""
    day = before.date().isoformat()
    event, answer, days, hour = device_event.c, device_answer.c, device_day.c, site_hour.c
    of_numbers = select(event.number)
    found = [(device_event, surplus()), (device_event, of_numbers.where(event.at < before))]
    found += [(table, orphans(table)) for table in (device_event, device_answer, device_day, login_failure)]
    found += [
        (device_answer, select(*device_answer.primary_key.columns).where(answer.at < before)),
        (device_day, select(*device_day.primary_key.columns).where(days.day < day)),
        (login_failure, select(*login_failure.primary_key.columns).where(login_failure.c.last < before)),
        (site_hour, select(*site_hour.primary_key.columns).where(hour.hour < day)),
        (site_live, select(site_live.c.node).where(site_live.c.at < before)),
    ]
    return [Cleaning(name="notes", found=rows, remove=partial(remove_rows, table), some=500) for table, rows in found]


def _remove_devices(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    for row in rows:
        states.forget(connection, row.user_id, row.id, None)
        intents.forget_device(connection, row.user_id, row.id)
        policies.forget_device(connection, row.user_id, row.id)
        device_passwords.forget_device(connection, row.user_id, row.id)
        devices.remove(connection, row.user_id, row.id)


def _remove_states(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    connection.execute(delete(sync_state).where(sync_state.c.number.in_([row.number for row in rows])))


def _remove_intents(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    connection.execute(delete(intent).where(intent.c.id.in_([row.id for row in rows])))
