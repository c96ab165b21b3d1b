"""What one process of a site does for all of them, once in a period: a mail on the first of each month."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from eas.db.transactions import Transactions

from .reaching import reachable
from .tables import errand as table


class Errands:
    """Periods are texts that grow with time, as "2026-11"."""

    def __init__(self, run: Transactions) -> None:
        self._run = run

    async def take(self, name: str, period: str) -> bool:
        """Whether this process is to do it; False if another one has done it, or does it now. Raises Unavailable."""
        with reachable():
            try:
                return await self._run.write(lambda c: _taken(c, name, period))
            except IntegrityError:  # another process was quicker
                return False

    async def give_back(self, name: str, period: str) -> None:
        """It could not be done: whoever comes next may try. Raises Unavailable."""
        with reachable():
            await self._run.write(lambda c: _put(c, name, period, ""))


def _taken(connection: Connection, name: str, period: str) -> bool:
    held = connection.execute(select(table.c.period).where(table.c.name == name)).scalar_one_or_none()
    if held is None:
        connection.execute(insert(table).values(name=name, period=period))
        return True
    return held < period and _put(connection, name, held, period)


def _put(connection: Connection, name: str, before: str, after: str) -> bool:
    changed = update(table).where(table.c.name == name, table.c.period == before).values(period=after)
    return connection.execute(changed).rowcount == 1
