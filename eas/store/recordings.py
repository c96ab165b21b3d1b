"""Recordings of what devices and the server say to each other: who asked for them, how far they are, what ended them.

What was said stands in files (`eas.replay`), one for each process that took part; here is what all processes of a site
have to know of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select, update

from eas.db.transactions import Transactions

from .reaching import reachable
from .tables import recording as table
from .tables import recording_part as parts

#: Of a site at a time. Each costs a little with every request, and somebody has to read it all.
MOST = 20

#: Why a recording is over, where nobody has ended it.
TIME_IS_OVER = "the time is over"


class State(StrEnum):
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one process has written: `file` is its name in the folder of recordings of that node."""

    file: str
    node: str
    exchanges: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """`device_id` "" for all devices of the user; `agent` as which the device was known then. `contents`: nothing is
    masked. `key` is what is masked with, b"" once it is over. `ended` None: nobody has ended it; `why` is what has."""

    id: int = 0
    user_id: str
    address: str
    device_id: str
    agent: str
    since: datetime
    until: datetime
    max_bytes: int
    contents: bool
    key: bytes = field(repr=False)
    asked_by: str
    asked_role: str
    note: str = ""
    ended: datetime | None = None
    why: str = ""
    parts: Sequence[Part] = ()

    def stands(self, now: datetime) -> State:
        return State.RUNNING if self.ended is None and now < self.until else State.ENDED

    @property
    def exchanges(self) -> int:
        return sum(part.exchanges for part in self.parts)

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts)


class Runs(ValueError):
    """There is one of that device, or of all of that user's; or as many as there may be."""


class RecordingStore:
    """Everything raises Unavailable."""

    def __init__(self, run: Transactions) -> None:
        self._run = run

    async def begin(self, asked: Recording) -> Recording:
        """Under a new id. Raises Runs."""
        def work(connection: Connection) -> Recording:
            _check(connection, asked)
            key = connection.execute(insert(table).values(**_values(asked))).inserted_primary_key
            assert key is not None
            return replace(asked, id=int(key[0]))

        with reachable():
            return await self._run.write(work)

    async def running(self) -> Sequence[Recording]:
        """Those that nobody has ended, also if their time is over; asked for by each process every other second."""
        with reachable():
            return await self._run.look(lambda c: _found(c, select(table).where(table.c.ended.is_(None))))

    async def all(self, user_id: str | None = None, device_id: str | None = None) -> Sequence[Recording]:
        """Newest first. Those of a device have those of all of its user's devices among them."""
        statement = select(table).order_by(table.c.id.desc())
        if user_id is not None:
            statement = statement.where(table.c.user_id == user_id)
        if device_id is not None:
            statement = statement.where(table.c.device_id.in_((device_id, "")))
        with reachable():
            return await self._run.read(lambda c: _found(c, statement))

    async def one(self, id: int) -> Recording | None:
        with reachable():
            found = await self._run.read(lambda c: _found(c, select(table).where(table.c.id == id)))
        return found[0] if found else None

    async def end(self, id: int, at: datetime, why: str) -> bool:
        """False if it was over, or is not there any more."""
        statement = update(table).where(table.c.id == id, table.c.ended.is_(None)).values(ended=at, why=why, key=b"")
        with reachable():
            return await self._run.write(lambda c: c.execute(statement).rowcount == 1)

    async def end_overdue(self, now: datetime) -> int:
        """Those whose time is over; how many."""
        values = {"ended": table.c.until, "why": TIME_IS_OVER, "key": b""}
        statement = update(table).where(table.c.until <= now, table.c.ended.is_(None)).values(values)
        with reachable():
            return await self._run.write(lambda c: c.execute(statement).rowcount)

    async def note(self, done: Mapping[int, Sequence[Part]]) -> None:
        """How far the files of a process are by now, by the id of the recording; of one that was removed nothing."""
        def work(connection: Connection) -> None:
            known = connection.execute(select(table.c.id).where(table.c.id.in_(done))).scalars().all()
            for id in known:
                for part in done[id]:
                    _note(connection, id, part)

        with reachable():
            await self._run.write(work, lasting=False)

    async def remove(self, id: int) -> bool:
        """False if there was none. Files are swept by who has them."""
        with reachable():
            return await self._run.write(lambda c: _remove(c, [id])) == 1

    async def expire(self, before: datetime) -> int:
        """Those that ended before; how many."""
        def work(connection: Connection) -> int:
            old = connection.execute(select(table.c.id).where(table.c.ended < before)).scalars().all()
            return _remove(connection, old)

        with reachable():
            return await self._run.write(work)

    async def ids(self) -> frozenset[int]:
        with reachable():
            return frozenset(await self._run.read(lambda c: c.execute(select(table.c.id)).scalars().all()))


def _check(connection: Connection, asked: Recording) -> None:
    open_ = connection.execute(select(table).where(table.c.ended.is_(None), table.c.until > asked.since)).all()
    for row in open_:
        if row.user_id == asked.user_id and row.device_id in (asked.device_id, ""):
            raise Runs(f"recording {row.id} is running already; stop it first")
    if len(open_) >= MOST:
        raise Runs(f"{MOST} recordings are running, which is as many as there may be at a time")


_COLUMNS = tuple(column.name for column in table.columns)


def _values(asked: Recording) -> dict[str, object]:
    return {name: getattr(asked, name) for name in _COLUMNS if name != "id"}


def _found(connection: Connection, statement: object) -> list[Recording]:
    rows = connection.execute(statement).all()  # type: ignore[call-overload]
    if not rows:
        return []
    written: dict[int, list[Part]] = {}
    mine = select(parts).where(parts.c.recording_id.in_([row.id for row in rows])).order_by(parts.c.file)
    for row in connection.execute(mine):
        written.setdefault(row.recording_id, []).append(
            Part(file=row.file, node=row.node, exchanges=row.exchanges, bytes=row.bytes)
        )
    return [Recording(**row._mapping, parts=tuple(written.get(row.id, ()))) for row in rows]


def _note(connection: Connection, id: int, part: Part) -> None:
    counted = {"exchanges": part.exchanges, "bytes": part.bytes}
    if not connection.execute(update(parts).where(parts.c.file == part.file).values(counted)).rowcount:
        connection.execute(insert(parts).values(file=part.file, recording_id=id, node=part.node, **counted))


def _remove(connection: Connection, ids: Sequence[int]) -> int:
    connection.execute(delete(parts).where(parts.c.recording_id.in_(ids)))
    return connection.execute(delete(table).where(table.c.id.in_(ids))).rowcount
