"""Groupwares to test: one factory a backend, each with the users anna, ben and carla in example.com."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from groupware.postgresql import Postgresql
from sqlalchemy import Connection, create_engine, text

from eas.backends.embedded import Embedded, Limits, open_embedded
from eas.backends.embedded.accounts import find_login, load_user
from eas.backends.embedded.outbox import Relay
from eas.db import Base, Database
from eas.db.migrations import migrate
from eas.db.transactions import Transactions, transactions
from eas.engine.model import Folder, FolderType, Right, User
from eas.engine.ports import Directory, Feed, Mailbox, Outbox

#: The users, all with this password.
NAMES = ("anna", "ben", "carla")
PASSWORD = "correct horse"

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class World(Protocol):
    """What the conformance tests need of a groupware beyond its ports."""

    def mailbox(self, name: str) -> Mailbox: ...

    async def share(self, owner: str, folder: Folder, to: str, right: Right) -> None: ...

    def locked(self) -> AbstractAsyncContextManager[None]:
        """Nobody can write meanwhile."""
        ...

    async def close(self) -> None: ...


async def folder_of(mailbox: Mailbox, type: FolderType) -> Folder:
    return next(folder for folder in await mailbox.folders() if folder.type is type)


async def feed_of(mailbox: Mailbox, type: FolderType) -> Feed:
    return mailbox.feed(await folder_of(mailbox, type))


def template(path: Path) -> Path:
    """A database with its tables and users, to be copied for each test."""
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    asyncio.run(_populate(path))
    return path


#: The database on PostgreSQL that is copied instead.
TEMPLATE = "template_of_tests"


def template_on(server: Postgresql) -> None:
    """The same on PostgreSQL, by the migrations."""
    asyncio.run(_populate_on(server.new_database(name=TEMPLATE)))


async def _populate_on(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await database.close()
    await _populate(Path(), url)


async def _populate(path: Path, url: str = "") -> None:
    world = EmbeddedWorld.over(path, url=url)
    for name in NAMES:
        await world.add(f"{name}@example.com", name=f"{name.title()} Example")
    await world.close()


@dataclass
class Ground:
    """Where the databases of tests are: files of SQLite, unless `server` says otherwise."""

    server: Postgresql | None = None


ground = Ground()


@dataclass
class Rung:
    """A bell that only notes."""

    calls: list[tuple[str, frozenset[str]]] = field(default_factory=list)

    def ring(self, user_id: str, collections: Collection[str]) -> None:
        self.calls.append((user_id, frozenset(collections)))


@dataclass
class Clock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def later(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class EmbeddedWorld:
    path: Path
    database: Database
    transactions: Transactions
    embedded: Embedded
    bell: Rung
    clock: Clock
    users: dict[str, User] = field(default_factory=dict)

    @classmethod
    def over(
        cls, path: Path, relay: Relay | None = None, limits: Limits | None = None, url: str = ""
    ) -> EmbeddedWorld:
        database = Database(url or f"sqlite+aiosqlite:///{path}")
        run = transactions(database)
        bell, clock = Rung(), Clock()
        made = open_embedded(
            run, domain="example.com", relay=relay, ring=bell.ring, now=clock.now, limits=limits
        )
        return cls(path, database, run, made, bell, clock)

    @classmethod
    async def make(
        cls, template: Path, folder: Path, relay: Relay | None = None, limits: Limits | None = None,
        server: Postgresql | None = None,
    ) -> EmbeddedWorld:
        """On `server`, or where all tests are to be."""
        path, url, server = folder / "groupware.db", "", server or ground.server
        if server is None:
            shutil.copy(template, path)
        else:
            url = server.new_database(TEMPLATE)
        world = cls.over(path, relay, limits, url)
        for name in NAMES:
            await world.know(name)
        return world

    async def know(self, name: str) -> User:
        user = await self.embedded.groupware.read(lambda c: self._user(c, name))
        self.users[name.partition("@")[0]] = user
        return user

    def _user(self, connection: Connection, who: str) -> User:
        row = find_login(connection, who, "example.com")
        user = load_user(connection, row.id) if row is not None else None
        assert user is not None
        return user

    async def add(self, address: str, **profile: Any) -> User:
        await self.embedded.admin.add_user(address, PASSWORD, **profile)
        return await self.know(address)

    def ports(self, name: str) -> tuple[Mailbox, Directory, Outbox]:
        return self.embedded.accounts.open(self.users[name])

    def mailbox(self, name: str) -> Mailbox:
        return self.ports(name)[0]

    def directory(self, name: str) -> Directory:
        return self.ports(name)[1]

    def outbox(self, name: str) -> Outbox:
        return self.ports(name)[2]

    async def share(self, owner: str, folder: Folder, to: str, right: Right) -> None:
        await self.embedded.admin.set_right(self.users[owner].id, folder.id, self.users[to].id, right)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        async with self.database.write() as connection:
            if self.database.engine.dialect.name != "sqlite":
                await connection.execute(text("LOCK TABLE gw_folder IN EXCLUSIVE MODE"))
            yield

    async def close(self) -> None:
        await self.transactions.close()
        await self.database.close()


async def _on_postgresql(template: Path, folder: Path, server: Postgresql) -> World:
    return await EmbeddedWorld.make(template, folder, server=server)


@dataclass(frozen=True, slots=True, kw_only=True)
class Factory:
    """`make` is given the template, an empty folder, and the servers that are named by their fixtures. `lacks` has the
    reasons why a test, by name, says nothing of this groupware; it is skipped."""

    make: Callable[..., Awaitable[World]]
    servers: tuple[str, ...] = ()
    lacks: Mapping[str, str] = field(default_factory=dict)


FACTORIES: dict[str, Factory] = {
    "embedded": Factory(make=EmbeddedWorld.make),
    "embedded on PostgreSQL": Factory(make=_on_postgresql, servers=("postgresql_template",)),
}


# --- Things to store --------------------------------------------------------------------------------------------------


def letter(
    subject: str = "Hello", *, sender: str = "ben@example.com", to: str = "anna@example.com",
    text: str = "How are you?", message_id: str = "", headers: Iterable[str] = (),
) -> bytes:
    lines = [f"From: {sender}", f"To: {to}", f"Subject: {subject}", "Date: Sat, 21 Nov 2026 08:00:00 +0000"]
    lines += [f"Message-ID: <{message_id}>"] if message_id else []
    lines += [*headers, "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "", text, ""]
    return "\r\n".join(lines).encode()


def alternative(subject: str, html: str, text: str = "plain words") -> bytes:
    return (
        f"From: Ben <ben@example.com>\r\nTo: anna@example.com\r\nSubject: {subject}\r\n"
        f"Message-ID: <{subject}@example.com>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/alternative; boundary=bound\r\n\r\n"
        f"--bound\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        f"--bound\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n--bound--\r\n"
    ).encode()


def with_attachment(lines: bytes) -> bytes:
    """A text of "1" and an attachment of "2", which is given as it stands in the message."""
    return (
        b"From: ben@example.com\r\nTo: anna@example.com\r\nSubject: large\r\nMessage-ID: <large@example.com>\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=bound\r\n\r\n"
        b"--bound\r\nContent-Type: text/plain\r\n\r\nsee below\r\n"
        b"--bound\r\nContent-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n"
        b"Content-Disposition: attachment; filename=a.bin\r\n\r\n" + lines + b"\r\n--bound--\r\n"
    )


def card(name: str, address: str = "", *more: str, uid: str = "") -> bytes:
    """The UID is the name, unless another is given: one that stands in a collection keeps its UID."""
    first, _, last = name.partition(" ")
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"UID:{uid or name}", f"FN:{name}", f"N:{last};{first};;;"]
    lines += [f"EMAIL;TYPE=WORK:{address}"] if address else []
    return "\r\n".join([*lines, *more, "END:VCARD", ""]).encode()


def event(
    uid: str, start: datetime, hours: float = 1, *more: str, summary: str = "Meeting", method: str = ""
) -> bytes:
    end = start + timedelta(hours=hours)
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", *([f"METHOD:{method}"] if method else [])]
    lines += ["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20261101T000000Z", f"DTSTART:{start:%Y%m%dT%H%M%SZ}"]
    lines += [f"DTEND:{end:%Y%m%dT%H%M%SZ}", f"SUMMARY:{summary}", *more, "END:VEVENT", "END:VCALENDAR", ""]
    return "\r\n".join(lines).encode()


def invitation(ics: bytes, method: str, *, sender: str, to: str, message_id: str) -> bytes:
    head = (
        f"From: {sender}\r\nTo: {to}\r\nSubject: meeting\r\nMessage-ID: <{message_id}>\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/calendar; method={method}; charset=utf-8\r\n\r\n"
    )
    return head.encode() + ics
