"""Who may administer, who is logged in to the pages, and the tokens of programs. Tokens are kept as hashes alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from eas.db.transactions import Transactions

from . import tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Of the staff. `password` is a hash, "" where the name is a mailbox's, whose password is meant."""

    name: str
    role: str
    created: datetime
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSession:
    """Somebody who is logged in. `token` is a hash; `csrf` stands in every form. `sealed` is what they logged in with,
    so that only the browser's cookie opens it; "" for nothing."""

    token: str = field(repr=False)
    area: str
    name: str
    role: str
    user_id: str
    csrf: str = field(repr=False)
    began: datetime
    used: datetime
    sealed: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """`id` is shown, the token only once. `until` None: for ever."""

    token: str = field(repr=False)
    id: str
    label: str
    staff: str
    created: datetime
    used: datetime | None = None
    until: datetime | None = None


def hashed(token: str) -> str:
    """Tokens are long and random: a plain hash cannot be guessed backwards."""
    return hashlib.sha256(token.encode()).hexdigest()


V = TypeVar("V", Member, PageSession, ApiToken)


class StaffStore:
    """Raises what the database raises."""

    def __init__(self, run: Transactions) -> None:
        self._run = run

    # -- staff

    async def members(self) -> Sequence[Member]:
        statement = select(tables.staff).order_by(tables.staff.c.name)
        return [_value(Member, row) for row in await self._run.read(lambda c: c.execute(statement).all())]

    async def member(self, name: str) -> Member | None:
        return await self._one(Member, tables.staff, "name", name)

    async def add_member(self, member: Member) -> bool:
        """False if there is one of that name."""
        return await self._add(tables.staff, member)

    async def change_member(self, name: str, **values: str) -> bool:
        """`role` or `password`; whoever is logged in under the name is logged out. False if there is none."""
        changed = await self._run.write(
            lambda c: c.execute(update(tables.staff).where(tables.staff.c.name == name).values(**values)).rowcount
        )
        await self.end_sessions(name=name)
        return bool(changed)

    async def remove_member(self, name: str) -> bool:
        """With the tokens and whatever is open; False if there is none."""
        gone = await self._remove(tables.staff, "name", name)
        await self.end_sessions(name=name)
        return bool(gone)

    # -- sessions of pages

    async def begin_session(self, session: PageSession) -> None:
        await self._add(tables.page_session, session)

    async def session(self, token: str) -> PageSession | None:
        return await self._one(PageSession, tables.page_session, "token", hashed(token))

    async def use_session(self, token: str, now: datetime) -> None:
        """`token` as in the row."""
        table = tables.page_session
        await self._run.write(
            lambda c: c.execute(update(table).where(table.c.token == token).values(used=now)), lasting=False
        )

    async def end_session(self, token: str) -> None:
        """`token` as in the row."""
        await self._remove(tables.page_session, "token", token)

    async def end_sessions(self, *, name: str = "", user_id: str = "", before: datetime | None = None) -> int:
        """Those of a name or of a user, or those last used before; how many."""
        table = tables.page_session
        which = table.c.name == name if name else table.c.user_id == user_id if user_id else table.c.used < before
        return await self._run.write(lambda c: c.execute(delete(table).where(which)).rowcount)

    # -- tokens of programs

    async def tokens(self) -> Sequence[ApiToken]:
        statement = select(tables.api_token).order_by(tables.api_token.c.staff, tables.api_token.c.created)
        return [_value(ApiToken, row) for row in await self._run.read(lambda c: c.execute(statement).all())]

    async def add_token(self, token: ApiToken) -> None:
        await self._add(tables.api_token, token)

    async def token(self, token: str) -> ApiToken | None:
        return await self._one(ApiToken, tables.api_token, "token", hashed(token))

    async def use_token(self, token: str, now: datetime) -> None:
        """`token` as in the row."""
        table = tables.api_token
        await self._run.write(
            lambda c: c.execute(update(table).where(table.c.token == token).values(used=now)), lasting=False
        )

    async def remove_token(self, id: str) -> bool:
        return bool(await self._remove(tables.api_token, "id", id))

    # -- all of them

    async def _one(self, kind: type[V], table: Table, column: str, value: str) -> V | None:
        statement = select(table).where(table.c[column] == value)
        row = await self._run.look(lambda c: c.execute(statement).one_or_none())
        return None if row is None else _value(kind, row)

    async def _add(self, table: Table, value: Any) -> bool:
        try:
            await self._run.write(lambda c: c.execute(insert(table).values(asdict(value))))
        except IntegrityError:
            return False
        return True

    async def _remove(self, table: Table, column: str, value: str) -> int:
        return await self._run.write(lambda c: c.execute(delete(table).where(table.c[column] == value)).rowcount)


def _value(kind: type[V], row: Any) -> V:
    return kind(**{one.name: row._mapping[one.name] for one in fields(kind)})
