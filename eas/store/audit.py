"""The log of what was done: rows that are only appended, each with a hash over itself and the one before it.

Whoever changes, takes out or reorders a row breaks the chain from there on; `audit_head` tells how long it should be.
Appending raises the head first, which locks it: processes that write at the same time make one chain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from eas.db.transactions import Transactions
from eas.items.markup import clean

from .tables import audit_head as head
from .tables import audit_log as log

#: The id of the head's only row.
HEAD = 1
#: What stands before the first row.
START = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`actor` did `action`; `about_user` is a login as it was given. `number` and `hash` are "" and 0 until it is in
    the log. `outcome` is "done", or why not."""

    at: datetime
    actor: str
    role: str
    face: str
    address: str
    action: str
    about_user: str = ""
    about_device: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = "done"
    number: int = 0
    hash: str = ""


class AuditLog:
    """Raises what the database raises."""

    def __init__(self, run: Transactions) -> None:
        self.run = run

    async def append(self, entry: Entry) -> None:
        for last in (False, True):
            try:
                await self.run.write(lambda connection: append(connection, entry))
            except IntegrityError:  # two who made the head at once
                if last:
                    raise
            else:
                return


def append(connection: Connection, entry: Entry) -> None:
    raised = connection.execute(
        update(head).where(head.c.id == HEAD).values(number=head.c.number + 1).returning(head.c.number, head.c.hash)
    ).one_or_none()
    if raised is None:
        connection.execute(insert(head).values(id=HEAD, number=1, hash=START))
    number, before = (1, START) if raised is None else (raised.number, raised.hash)
    row = row_of(entry, number)
    made = chained(before, row)
    connection.execute(insert(log).values({**row, "at": entry.at, "hash": made}))
    connection.execute(update(head).where(head.c.id == HEAD).values(hash=made))


def row_of(entry: Entry, number: int) -> dict[str, Any]:
    """The row but for its hash; the moment as text, which is what is hashed. Without what a database may refuse in a
    text: nobody is to escape the log by the name of a phone."""
    said = {
        "actor": entry.actor, "role": entry.role, "face": entry.face, "address": entry.address, "action": entry.action,
        "about_user": entry.about_user, "about_device": entry.about_device, "outcome": entry.outcome,
        "details": json.dumps(entry.details, sort_keys=True),
    }
    at = entry.at.astimezone(UTC).isoformat()
    return {"number": number, "at": at, **{name: clean(value) for name, value in said.items()}}


def chained(before: str, row: Mapping[str, Any]) -> str:
    """`row` as `row_of` gives it."""
    said = json.dumps([before, *(row[name] for name in sorted(row))], separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


def entries(connection: Connection, after: int = 0, most: int = 1000) -> list[Entry]:
    """In order, those behind a number."""
    rows = connection.execute(select(log).where(log.c.number > after).order_by(log.c.number).limit(most))
    return [entry_of(row._mapping) for row in rows]


def entry_of(row: Mapping[Any, Any]) -> Entry:
    return Entry(**{**row, "details": json.loads(row["details"])})


def about(connection: Connection, users: Sequence[str], most: int) -> list[Entry]:
    """The last ones about any of the names, newest first."""
    statement = select(log).where(log.c.about_user.in_(users)).order_by(log.c.number.desc()).limit(most)
    return [entry_of(row._mapping) for row in connection.execute(statement)]
