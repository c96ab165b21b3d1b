"""Reading the audit log: by what was done to whom, whether it is whole (`audit_chain`); removing what is older than is
kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select

from eas.db.serving import alone_at_tidying
from eas.db.transactions import Transactions

from .audit import HEAD, Entry, append, entry_of
from .audit_chain import NOTHING, TRIMMED, Check, Mark, Verdict
from .reaching import reachable
from .tables import audit_head as head
from .tables import audit_log as log

#: Rows that are read at a time: other work comes in between.
AT_ONCE = 1000
#: What is too old is removed once a day: each time is an entry of its own.
TRIM_EVERY = timedelta(days=1)

#: Which columns are looked through for a part of a text, by the name of the filter; others have to be the same.
_LIKE: Mapping[str, ColumnElement[str]] = {
    "actor": log.c.actor, "user": log.c.about_user, "device": log.c.about_device, "address": log.c.address,
}
_SAME: Mapping[str, ColumnElement[str]] = {"role": log.c.role, "face": log.c.face}
_COLUMNS = ("number", "at", "actor", "role", "face", "address", "action", "about_user", "about_device", "outcome")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """"" and None leave all. `actor`, `user`, `device` and `address` are parts of a text, in any case of letters;
    `action` is a whole name or the beginning of one before a dot ("wipe"); `outcome` is "done" or its contrary,
    "other"."""

    actor: str = ""
    user: str = ""
    device: str = ""
    address: str = ""
    role: str = ""
    face: str = ""
    action: str = ""
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def where(self) -> ColumnElement[bool]:
        terms: list[ColumnElement[bool]] = []
        terms += [
            column.icontains(value, autoescape=True) for name, column in _LIKE.items() if (value := getattr(self, name))
        ]
        terms += [column == value for name, column in _SAME.items() if (value := getattr(self, name))]
        if self.action:
            terms.append((log.c.action == self.action) | log.c.action.startswith(f"{self.action}.", autoescape=True))
        if self.outcome:
            terms.append(log.c.outcome == "done" if self.outcome == "done" else log.c.outcome != "done")
        if self.since is not None:
            terms.append(log.c.at >= self.since)
        if self.until is not None:
            terms.append(log.c.at < self.until)
        return and_(True, *terms)


class AuditBook:
    """Raises Unavailable."""

    def __init__(self, run: Transactions) -> None:
        self._run = run

    async def page(self, wanted: Filter, *, skip: int = 0, most: int = 100) -> tuple[list[Entry], int]:
        """Newest first, and how many fit in all."""
        def work(connection: Connection) -> tuple[list[Entry], int]:
            where = wanted.where()
            rows = connection.execute(
                select(log).where(where).order_by(log.c.number.desc()).offset(skip).limit(most)
            ).all()
            total = connection.execute(select(func.count()).select_from(log).where(where)).scalar_one()
            return [entry_of(row._mapping) for row in rows], int(total)

        with reachable():
            return await self._run.read(work)

    async def actions(self) -> list[str]:
        """The names that occur."""
        with reachable():
            return await self._run.read(
                lambda c: list(c.execute(select(log.c.action).distinct().order_by(log.c.action)).scalars())
            )

    async def all(self, wanted: Filter) -> AsyncIterator[list[Entry]]:
        """Oldest first, some at a time."""
        after = 0
        while True:
            with reachable():
                batch = await self._run.read(
                    lambda c, after=after: [entry_of(row._mapping) for row in c.execute(  # type: ignore[misc]
                        select(log).where(wanted.where(), log.c.number > after).order_by(log.c.number).limit(AT_ONCE)
                    )]
                )
            if not batch:
                return
            yield batch
            after = batch[-1].number

    async def head(self) -> Mark:
        """The last row, to be noted elsewhere; NOTHING while there is none."""
        with reachable():
            return await self._run.read(lambda c: _head(c) or NOTHING)

    async def verify(self, noted: Mark | None = None) -> Verdict:
        """What is appended meanwhile is not looked at."""
        with reachable():
            end, seal, beyond = await self._run.read(_frame)
        check, after = Check(seal, noted), 0
        upto = max(end.number if end is not None else 0, beyond)
        while after < upto:
            with reachable():
                rows = await self._run.read(lambda c, after=after: _raw(c, after, upto))  # type: ignore[misc]
            fine = [check.row(row["number"], row, made) for row, made in rows]
            if not rows or not all(fine):
                break
            after = rows[-1][0]["number"]
            await asyncio.sleep(0)
        return check.end(end)

    async def trim(self, before: datetime) -> int:
        """Remove what is older, once a day and where it is a whole piece at the beginning; how many rows. The entry
        that this leaves seals what has gone."""
        def work(connection: Connection) -> int:
            return _trim(connection, before) if alone_at_tidying(connection) else 0

        with reachable():
            return await self._run.write(work)


def _head(connection: Connection) -> Mark | None:
    row = connection.execute(select(head.c.number, head.c.hash).where(head.c.id == HEAD)).one_or_none()
    return None if row is None else Mark(row.number, row.hash)


def _frame(connection: Connection) -> tuple[Mark | None, Mark, int]:
    """The head, the newest seal, and the highest number that is there."""
    highest = connection.execute(select(func.max(log.c.number))).scalar_one()
    details = connection.execute(
        select(log.c.details).where(log.c.action == TRIMMED).order_by(log.c.number.desc()).limit(1)
    ).scalar_one_or_none()
    return _head(connection), _seal(details), int(highest or 0)


def _seal(details: str | None) -> Mark:
    """NOTHING also for what cannot be read: the rows before it are missing then."""
    try:
        said = json.loads(details or "{}")
        return Mark(int(said["through"]), str(said["hash"]))
    except (ValueError, KeyError, TypeError):
        return NOTHING


def _raw(connection: Connection, after: int, upto: int) -> list[tuple[dict[str, Any], str]]:
    """Rows as they are hashed, each with the hash that it has."""
    columns = [log.c[name] for name in _COLUMNS]
    rows = connection.execute(
        select(*columns, log.c.details, log.c.hash).where(log.c.number > after, log.c.number <= upto)
        .order_by(log.c.number).limit(AT_ONCE)
    )
    found = []
    for row in rows:
        values = dict(row._mapping)
        made = values.pop("hash")
        values["at"] = values["at"].astimezone(UTC).isoformat()
        found.append((values, made))
    return found


def _trim(connection: Connection, before: datetime) -> int:
    first = connection.execute(select(log.c.number, log.c.at).order_by(log.c.number).limit(1)).one_or_none()
    if first is None or first.at >= before - TRIM_EVERY:
        return 0
    young = connection.execute(select(func.min(log.c.number)).where(log.c.at >= before)).scalar_one()
    through = (int(young) if young is not None else _number(_head(connection)) + 1) - 1
    sealed = connection.execute(select(log.c.hash).where(log.c.number == through)).scalar_one_or_none()
    if sealed is None:
        return 0  # there is something wrong with the log: nothing of it is removed
    removed = connection.execute(delete(log).where(log.c.number <= through)).rowcount
    append(connection, Entry(
        at=datetime.now(UTC), actor="server", role="admin", face="server", address="", action=TRIMMED,
        details={"through": through, "hash": sealed, "rows": removed},
    ))
    return removed


def _number(mark: Mark | None) -> int:
    return 0 if mark is None else mark.number
