"""A whole gateway without a server: the real engine, store and groupware over SQLite in memory, and ports that fail.

Nothing here waits, so that a coroutine is run by hand to its end; between any two calls of a port something else may
be done, or the process may die.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import StaticPool

import eas.store.tables  # noqa: F401 - so that there are tables to make
from eas.backends.embedded.admin import Admin
from eas.backends.embedded.groupware import Groupware
from eas.backends.embedded.mailbox import EmbeddedMailbox
from eas.db import Base
from eas.engine.model import Device, FolderType, User
from eas.engine.session import Session
from eas.protocol.query import Query
from eas.protocol.version import Version
from eas.push.leases import LocalLeases
from eas.store import SqlStateStore

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
ADDRESS = "anna@example.com"

R = TypeVar("R")


def run(work: Coroutine[Any, Any, R]) -> R:
    """To its end, at once: it must not have to wait for anything."""
    try:
        while work.send(None) is None:
            pass  # it only lets others come in between (asyncio.sleep(0))
    except StopIteration as done:
        return done.value
    work.close()
    raise AssertionError("something waits that should not")


class Memory:
    """`eas.db.transactions.Transactions` on one connection to SQLite in memory, in this thread."""

    def __init__(self) -> None:
        self.raw = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.raw.execute("PRAGMA foreign_keys=ON")
        self._engine = create_engine("sqlite://", creator=lambda: self.raw, poolclass=StaticPool)
        self._busy = False

    async def look(self, do: Callable[[Connection], R]) -> R:
        return self._in_transaction(do)

    read = write = look

    def _in_transaction(self, do: Callable[[Connection], R]) -> R:
        assert not self._busy, "a transaction within a transaction"
        self._busy = True
        try:
            with self._engine.connect() as connection, connection.begin():
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                return do(connection)
        finally:
            self._busy = False

    async def close(self) -> None:
        self._engine.dispose()
        self.raw.close()


@dataclass(slots=True)
class Clock:
    moment: datetime = NOON

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def go_on(self, by: timedelta) -> None:
        self.moment += by


class Entropy:
    """Keys that are told apart when a run is read."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def key(self) -> str:
        return f"k{next(self._numbers)}"

    def number(self) -> str:
        return str(next(self._numbers))


class Crash(BaseException):
    """The process died. Nothing in the program may catch it."""


@dataclass(slots=True)
class Fate:
    """What happens at the n-th look at a port from now: each call has one before and one after its effect."""

    at: int = 0
    do: Callable[[], None] | None = None
    steps: int = 0

    def step(self, name: str) -> None:
        self.steps += 1
        if self.do is not None and self.steps == self.at:
            do, self.do = self.do, None
            do()

    def arm(self, at: int, do: Callable[[], None]) -> None:
        self.at, self.do, self.steps = at, do, 0

    def disarm(self) -> None:
        self.do = None


class Watched:
    """A port each of whose calls passes `fate` before and after."""

    def __init__(self, port: Any, fate: Fate) -> None:
        self._port, self._fate = port, fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name == "feed":
            return lambda folder: Watched(found(folder), self._fate)
        if name in ("fetch", "part"):
            return lambda *given: self._pieces(name, found(*given))
        return lambda *given, **named: self._call(name, found, given, named)

    async def _call(self, name: str, found: Any, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        self._fate.step(name)
        result = await found(*given, **named)
        self._fate.step(name)
        return result

    async def _pieces(self, name: str, pieces: Any) -> Any:
        self._fate.step(name)
        async for piece in pieces:
            yield piece
        self._fate.step(name)


class Nobody:
    """A bell without ears."""

    def ring(self, *given: Any) -> None: ...

    def end(self, *given: Any) -> None: ...


@cache
def _template() -> tuple[Memory, str]:
    """A groupware with one user, made once: each example begins with a copy."""
    memory = Memory()
    run(memory.write(lambda connection: Base.metadata.create_all(connection)))
    groupware = Groupware(transactions=memory, domain="example.com", now=lambda: NOON)
    # Hashing a password is done in a thread; nobody logs in here.
    import eas.backends.embedded.admin as admin

    async def plain(password: str) -> str:
        return password

    hashed, admin._hashed = admin._hashed, plain
    try:
        account = run(Admin(groupware).add_user(ADDRESS, "secret"))
    finally:
        admin._hashed = hashed
    return memory, account.id


@dataclass(slots=True)
class World:
    """One user, one device id, one database."""

    version: Version = Version.V14_1
    clock: Clock = field(default_factory=Clock)
    fate: Fate = field(default_factory=Fate)
    memory: Memory = field(default_factory=Memory)
    user: User = field(init=False)
    groupware: Groupware = field(init=False)
    mailbox: EmbeddedMailbox = field(init=False)
    store: SqlStateStore = field(init=False)
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        template, user_id = _template()
        template.raw.backup(self.memory.raw)
        self.user = User(id=user_id, login="anna", address=ADDRESS, addresses=(ADDRESS,), name="Anna")
        self.groupware = Groupware(transactions=self.memory, domain="example.com", now=self.clock.now)
        self.mailbox = EmbeddedMailbox(self.groupware, self.user)
        self.store = SqlStateStore(self.memory, now=self.clock.now)
        device = run(self.store.add_device(Device(user_id=user_id, id="PHONE1", type="Test")))
        port: Any = None
        self.session = Session(
            user=self.user, device=device, version=self.version,
            query=Query(command="Sync", device_id="PHONE1", device_type="Test"),
            mailbox=Watched(self.mailbox, self.fate), directory=port, outbox=port,
            store=Watched(self.store, self.fate), bell=Nobody(), clock=self.clock, leases=LocalLeases(),  # type: ignore[arg-type]
            entropy=Entropy(),
        )

    def folder(self, type: FolderType) -> str:
        return next(folder.id for folder in run(self.mailbox.folders()) if folder.type is type)

    def forget_tombstones(self) -> None:
        """What the groupware does when deletions are too old to be remembered: a feed begins anew."""
        def work(connection: Connection) -> None:
            connection.execute(text("delete from gw_tombstone"))
            connection.execute(text("update gw_folder set floor = modseq"))

        run(self.memory.write(work))

    def close(self) -> None:
        run(self.memory.close())
