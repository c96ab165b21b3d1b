"""A data folder with users and what is in their mailboxes, entered by the back door: no device, no server.

The store is opened as an admin's command opens it, beside a running server or without one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from eas.backends.embedded.accounts import load_user
from eas.backends.embedded.admin import Account
from eas.backends.embedded.backend import Embedded, open_embedded
from eas.config import load
from eas.db import Database
from eas.db.migrations import migrate
from eas.db.transactions import transactions
from eas.engine.model import Folder, FolderType, Right, User
from eas.engine.ports import Horizon, Mailbox
from eas.items.body import Wanted
from eas.items.native import Mail
from eas.server import control

DOMAIN = "example.test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a mailbox, by login and password."""

    login: str
    password: str

    @property
    def address(self) -> str:
        return f"{self.login}@{DOMAIN}"


ANNA = Person(login="anna", password="anna-secret")
BEN = Person(login="ben", password="ben-secret")


@dataclass(slots=True, kw_only=True)
class Premises:
    """`data` is the folder of `embedded`, which stays open as long as the context."""

    data: Path
    embedded: Embedded
    database: Database

    @classmethod
    @asynccontextmanager
    async def opened(cls, data: Path, database_url: str = "") -> AsyncIterator[Premises]:
        """`data` exists; without a URL, the database is in it."""
        settings = load(overrides={"data": data, "domain": DOMAIN, "database": database_url}, environment={})
        database = Database(settings.database_url)
        shared = transactions(database)
        try:
            await migrate(database)
            yield cls(data=data, embedded=open_embedded(shared, domain=DOMAIN), database=database)
        finally:
            await shared.close()
            await database.close()

    async def add(self, person: Person) -> Account:
        return await self.embedded.admin.add_user(person.address, person.password, name=person.login.title())

    async def user(self, login: str) -> User:
        account = await self.embedded.admin.user(login)
        found = await self.embedded.groupware.read(lambda connection: load_user(connection, account.id))
        assert found is not None
        return found

    async def mailbox(self, login: str) -> Mailbox:
        return self.embedded.accounts.open(await self.user(login))[0]

    async def folders(self, login: str) -> list[Folder]:
        return list(await (await self.mailbox(login)).folders())

    async def folder(self, login: str, type: FolderType) -> Folder:
        return next(folder for folder in await self.folders(login) if folder.type is type)

    async def deliver(self, login: str, message: bytes) -> None:
        """As a mail server delivers; a running server is told to look."""
        user = await self.user(login)
        (failure,) = await self.embedded.office.take("sender@elsewhere.test", [user.address], message)
        if failure is not None:
            raise failure
        self.ring(user, (await self.folder(login, FolderType.INBOX)).id)

    def ring(self, user: User, folder: str) -> None:
        control.tell(self.data / control.SOCKET, {"do": "ring", "user": user.id, "collections": [folder]})

    async def share(self, owner: str, type: FolderType, reader: str, right: Right) -> None:
        folder = await self.folder(owner, type)
        await self.embedded.admin.set_right(owner, folder.id, reader, right)

    async def contents(self, login: str, type: FolderType) -> list[str]:
        """What lies in a folder, oldest first: whole records, headers of messages with their flags."""
        return await contents(await self.mailbox(login), await self.folder(login, type))

    async def everything(self, login: str) -> dict[str, list[str]]:
        """By folder, with its place and name."""
        mailbox = await self.mailbox(login)
        return {
            f"{folder.id} in {folder.parent}: {folder.name}": await contents(mailbox, folder)
            for folder in await mailbox.folders()
        }


async def contents(mailbox: Mailbox, folder: Folder) -> list[str]:
    feed = mailbox.feed(folder)
    ids = sorted((await feed.delta(None, Horizon())).touched)
    found = []
    async for item in feed.fetch(ids, Wanted()):
        octets = item.header if isinstance(item, Mail) else item.data
        flags = f"{item.flags}\n" if isinstance(item, Mail) else ""
        found.append(flags + octets.decode("utf-8", "replace"))
    return found
