"""Addresses from which a phone fetches its settings: short-lived, and each only once. Kept as hashes alone."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from eas.db.transactions import Transactions

from .reaching import reachable
from .tables import profile_link as table

#: Long enough to take the phone out of the pocket and scan a code.
LASTS = timedelta(minutes=15)
#: Of one user at a time: the oldest goes.
MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """`password_for`: a device password of this name is made when it is fetched; "" for none."""

    user_id: str
    until: datetime
    password_for: str


class ProfileLinks:
    def __init__(self, run: Transactions) -> None:
        self._run = run

    async def make(self, user_id: str, now: datetime, password_for: str = "") -> tuple[str, datetime]:
        """The secret, and until when it is good."""
        token, until = secrets.token_urlsafe(24), now + LASTS

        def work(connection: Connection) -> None:
            connection.execute(delete(table).where(table.c.until < now))
            mine = connection.execute(
                select(table.c.token).where(table.c.user_id == user_id).order_by(table.c.until.desc())
            ).scalars().all()
            connection.execute(delete(table).where(table.c.token.in_(mine[MOST - 1 :])))
            connection.execute(insert(table).values(
                token=_hashed(token), user_id=user_id, until=until, password_for=password_for
            ))

        with reachable():
            await self._run.write(work)
        return token, until

    async def look(self, token: str, now: datetime) -> Link | None:
        statement = select(table).where(table.c.token == _hashed(token), table.c.until > now)
        with reachable():
            row = await self._run.look(lambda c: c.execute(statement).one_or_none())
        return None if row is None else Link(user_id=row.user_id, until=row.until, password_for=row.password_for)

    async def take(self, token: str, now: datetime) -> Link | None:
        """The same, once: of several who ask one gets it."""

        def work(connection: Connection) -> Link | None:
            row = connection.execute(
                delete(table).where(table.c.token == _hashed(token), table.c.until > now).returning(*table.c)
            ).one_or_none()
            return None if row is None else Link(user_id=row.user_id, until=row.until, password_for=row.password_for)

        with reachable():
            return await self._run.write(work)


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
