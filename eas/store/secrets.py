"""Secrets that all processes of a site know, and nobody who sees only what lies in Redis."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from eas.db.transactions import Transactions

from .tables import site_secret as table

SIZE = 32


async def site_secret(run: Transactions, name: str) -> bytes:
    """The one of that name; made by whoever asks first, and never changed. Raises what the database raises."""
    found = await run.look(lambda connection: _one(connection, name))
    if found is not None:
        return found
    new = secrets.token_bytes(SIZE)
    try:
        await run.write(lambda connection: connection.execute(insert(table).values(name=name, value=new)))
    except IntegrityError:  # another process was quicker
        found = await run.look(lambda connection: _one(connection, name))
        if found is None:
            raise
        return found
    return new


def _one(connection: Connection, name: str) -> bytes | None:
    found = connection.execute(select(table.c.value).where(table.c.name == name)).scalar_one_or_none()
    return None if found is None else bytes(found)
