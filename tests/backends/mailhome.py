"""A user's mail on a real IMAP server, as a source with its own rows: what the tests of `imap.source` begin with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from worlds import EmbeddedWorld

from eas.backends.imap.pool import ImapPool
from eas.backends.imap.source import ImapSource
from eas.backends.standards import registry
from eas.backends.standards.ports import Account, Numbered, Place
from eas.backends.standards.tenant import ImapServer, Provider, Tenant
from eas.engine.model import CollectionId, FolderType, Secret
from eas.engine.ports import Chosen, Feed


@dataclass
class MailHome:
    """`server` is one of the fixtures of tests/groupware."""

    server: Any
    world: EmbeddedWorld
    account: Account
    pool: ImapPool
    numbers: list[Numbered] = field(default_factory=list)

    @property
    def login(self) -> str:
        return self.account.login

    def source(self) -> ImapSource:
        return ImapSource(self.account, self.pool, self.resolve)

    async def resolve(self, id: CollectionId) -> Numbered | None:
        return next((one for one in self.numbers if str(one.number) == id), None)

    async def places(self) -> dict[str, Place]:
        """By locator; numbered by the way."""
        found = await self.source().places()
        self.numbers = await registry.numbered(self.account.ground, self.account.user.id, "imap", found)
        return {place.locator: place for place in found}

    async def at(self, which: str | FolderType) -> Numbered:
        """By locator, or by type."""
        await self.places()
        return next(one for one in self.numbers if which in (one.place.locator, one.place.type))

    async def feed(self, which: str | FolderType) -> Feed:
        return self.source().feed(await self.at(which))

    async def make(self, name: str, parent: Place | None = None) -> Place:
        return await make(self.source(), name, parent)

    def tree(self) -> set[str]:
        """The mailboxes, as another client sees them."""
        with self.server.imap(self.login) as client:
            lines = client.list()[1]
        return {line.decode().rpartition(' "')[2].strip('"') if line.endswith(b'"') else line.decode().split()[-1]
                for line in lines if line}

    def append(self, folder: str, *messages: bytes, flags: str = "") -> None:
        for one in messages:
            self.server.append(self.login, folder, one, flags)


async def make(source: ImapSource, name: str, parent: Place | None = None, *, again: bool = False) -> Place:
    await source.places()
    locator = source.planned(parent, name, FolderType.USER_MAIL, Chosen(name=name))
    return await source.create(parent, name, FolderType.USER_MAIL, locator, again=again)


def _make_folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)


@asynccontextmanager
async def mail_home(
    server: Any, template: Path, folder: Path, *, login: tuple[str, str] | None = None, user: str = "anna",
    notes: Provider = Provider.EMBEDDED, **said: Any,
) -> AsyncIterator[MailHome]:
    """`said` are fields of `ImapServer`."""
    _make_folder(folder)
    world = await EmbeddedWorld.make(template, folder)
    name, password = login or server.new_user()
    imap = ImapServer(host=server.host, port=server.imaps_port, ca_file=server.ca_file, **said)
    account = Account(
        user=replace(world.users[user], secret=Secret(password)), login=name, secret=Secret(password),
        tenant=Tenant(name="tests", imap=imap, notes=notes), ground=world.embedded.groupware,
    )
    pool = ImapPool()
    try:
        yield MailHome(server, world, account, pool)
    finally:
        await pool.close()
        await world.close()


def named(places: Sequence[Place] | dict[str, Place]) -> dict[str, tuple[str, FolderType]]:
    """Name -> parent and type."""
    found = places.values() if isinstance(places, dict) else places
    return {place.name: (place.parent, place.type) for place in found}
