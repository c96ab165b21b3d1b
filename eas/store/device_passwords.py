"""Passwords for one device each, which take the place of the mailbox's password and are revoked one by one.

They are made here and have 100 random bits, so a keyed digest is enough to keep them: whoever has the table without the
key (`site_secret`) can try nothing, and whoever has both still faces 2^100. Written in groups, read without regard to
case, spaces and hyphens. The first device that uses one is the only one that may.

Each request that comes with one costs a select by a unique index, and nothing is remembered: so one that is revoked, by
whatever way, is over at once in all processes.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from eas.db.transactions import Transactions
from eas.engine.model import DevicePassword

from .reaching import reachable
from .tables import device_password as table

#: 32 symbols without those that are taken for each other.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
#: 5 bits each.
SYMBOLS, GROUP = 20, 5
_FORM = re.compile(f"[{ALPHABET}]{{{SYMBOLS}}}")
_MARKS = re.compile(r"[\s-]")

#: The name of the key.
SECRET = "device passwords"
#: When one was last used is noted this exactly.
USED = timedelta(minutes=10)


def made() -> str:
    """A new one, as it is shown."""
    symbols = "".join(secrets.choice(ALPHABET) for _ in range(SYMBOLS))
    return "-".join(symbols[at:at + GROUP] for at in range(0, SYMBOLS, GROUP))


def read(text: str) -> str:
    """What was typed as its symbols alone; "" for what cannot be one."""
    if len(text) > 4 * SYMBOLS:
        return ""
    symbols = _MARKS.sub("", text).lower()
    return symbols if _FORM.fullmatch(symbols) else ""


# Functions of a connection inside a transaction ----------------------------------------------------------------------

_COLUMNS = [column for column in table.c if column.name != "digest"]


def add(connection: Connection, user_id: str, name: str, digest: bytes, at: datetime, expires: datetime | None) -> int:
    statement = insert(table).values(
        user_id=user_id, name=name, digest=digest, device_id="", created=at, expires=expires
    ).returning(table.c.id)
    return int(connection.execute(statement).scalar_one())


def by_digest(connection: Connection, digest: bytes) -> DevicePassword | None:
    row = connection.execute(select(*_COLUMNS).where(table.c.digest == digest)).one_or_none()
    return None if row is None else _one(row)


def of_user(connection: Connection, user_id: str | None) -> Sequence[DevicePassword]:
    """Oldest first; of all users for None."""
    statement = select(*_COLUMNS).order_by(table.c.user_id, table.c.id)
    if user_id is not None:
        statement = statement.where(table.c.user_id == user_id)
    return [_one(row) for row in connection.execute(statement)]


def bind(connection: Connection, id: int, device_id: str, at: datetime) -> str:
    """Whose it is: of this device if it was nobody's; "" if there is none of that number."""
    free = (table.c.id == id, table.c.device_id == "")
    connection.execute(update(table).where(*free).values(device_id=device_id, first_used=at, last_used=at))
    return connection.execute(select(table.c.device_id).where(table.c.id == id)).scalar_one_or_none() or ""


def used(connection: Connection, id: int, at: datetime) -> None:
    connection.execute(update(table).where(table.c.id == id).values(last_used=at))


def remove(connection: Connection, user_id: str, ids: Sequence[int]) -> int:
    statement = delete(table).where(table.c.user_id == user_id, table.c.id.in_(ids))
    return connection.execute(statement).rowcount


def forget_device(connection: Connection, user_id: str, device_id: str) -> int:
    statement = delete(table).where(table.c.user_id == user_id, table.c.device_id == device_id)
    return connection.execute(statement).rowcount


def _one(row: Row[Any]) -> DevicePassword:
    return DevicePassword(**row._mapping)


# The store ------------------------------------------------------------------------------------------------------------


class DevicePasswords:
    """`key_of` gives the key of the digests. Everything may raise Unavailable."""

    def __init__(
        self, run: Transactions, now: Callable[[], datetime], key_of: Callable[[], Awaitable[bytes]]
    ) -> None:
        self._run, self._now, self._key_of = run, now, key_of
        self._key: bytes | None = None

    async def find(self, text: str) -> DevicePassword | None:
        """The one that was typed, and that it was used is noted; None for what is none, is over or was revoked."""
        symbols = read(text)
        if not symbols:
            return None
        digest, now = await self._digest(symbols), self._now()
        with reachable():
            found = await self._run.look(lambda c: by_digest(c, digest))
            if found is None or (found.expires is not None and found.expires <= now):
                return None
            if found.last_used is not None and now - found.last_used > USED:
                await self._run.write(lambda c: used(c, found.id, now), lasting=False)
        return found

    async def hold(self, found: DevicePassword, device_id: str) -> bool:
        """Whether this device may use it; the first one that does makes it its own."""
        if found.device_id:
            return found.device_id == device_id
        with reachable():
            return await self._run.write(lambda c: bind(c, found.id, device_id, self._now())) == device_id

    async def make(self, user_id: str, name: str, lifetime: timedelta | None = None) -> tuple[DevicePassword, str]:
        """A new one, and what to type, which is told nowhere else."""
        text, now = made(), self._now()
        digest, expires = await self._digest(read(text)), now + lifetime if lifetime is not None else None
        with reachable():
            id = await self._run.write(lambda c: add(c, user_id, name, digest, now, expires))
        return DevicePassword(id=id, user_id=user_id, name=name, device_id="", created=now, expires=expires), text

    async def all(self, user_id: str | None = None) -> Sequence[DevicePassword]:
        with reachable():
            return await self._run.read(lambda c: of_user(c, user_id))

    async def remove(self, user_id: str, id: int) -> bool:
        """False if the user has none of that number. Waits that began with it are not ended here."""
        with reachable():
            return bool(await self._run.write(lambda c: remove(c, user_id, [id])))

    async def revoke_for_device(self, user_id: str, device_id: str) -> int:
        """All that this device has made its own: how many there were. For one that was wiped, lost or removed."""
        with reachable():
            return await self._run.write(lambda c: forget_device(c, user_id, device_id))

    async def _digest(self, symbols: str) -> bytes:
        if self._key is None:
            self._key = await self._key_of()
        return hmac.digest(self._key, symbols.encode(), "sha256")
