"""A gateway in this process whose clock and keys are made up, with Anna's mailbox in it: the same requests get the same
answers each time, and an hour of waiting takes no time.

All of it is the real thing but for two ports: `Clock` tells the time of the session, `Entropy` counts its keys.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from eas import app as composition
from eas.app.building import build
from eas.backends.embedded import admin, items, passwords, prepare
from eas.backends.embedded.codec import millis
from eas.backends.embedded.groupware import Writing
from eas.config import Settings, load
from eas.engine.model import FolderType
from eas.items.native import MailFlags

from .letters import MAIL, MORNING, RECORDS

#: Seconds of a wait that is refused as too short: none, so that waits can be played anew shortened.
SHORTEST = 1
DOMAIN, HOST = "example.com", "mail.example.com"
PEOPLE = {"anna": ("Anna", "Arnold"), "ben": ("Ben", "Berger")}


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time can be put forward: what waits for it wakes up at once."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


class Clock:
    """`Clock` of eas.engine.ports: the time of the session, which passes when it is told to."""

    def __init__(self, now: datetime = MORNING) -> None:
        self._now, self._passed = now, 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._passed

    def pass_(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._passed += seconds
        loop = asyncio.get_running_loop()
        if isinstance(loop, Loop):
            loop.ahead += seconds


class Counted:
    """`Entropy` of eas.engine.ports: keys that look like any others and are the same each time. `name` is a session's,
    so that no two sessions have a key in common."""

    def __init__(self, name: str) -> None:
        self._name, self._count = name, 0

    def _next(self) -> str:
        self._count += 1
        return sha256(f"{self._name} {self._count}".encode()).hexdigest()

    def key(self) -> str:
        return self._next()[:32]

    def number(self) -> str:
        return str(int(self._next()[:8], 16) or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    app: composition.App
    clock: Clock

    @property
    def waiting(self) -> int:
        return self.app.bell.waiting

    async def deliver(self, message: bytes, sender: str = "cleo@example.org", to: str = f"anna@{DOMAIN}") -> None:
        """As a mail server does."""
        (failure,) = await self.app.embedded.office.take(sender, [to], message)
        if failure is not None:
            raise failure


@contextmanager
def _counted_names() -> Iterator[None]:
    """Accounts get the same ids each time: names of what devices make come from them."""
    drawn, entropy = admin.token_hex, Counted("accounts")
    admin.token_hex = lambda octets: entropy.key()[: 2 * octets]
    try:
        yield
    finally:
        admin.token_hex = drawn


async def template(folder: Path) -> None:
    """A data folder with the people and all that Anna has, to be copied for each session."""
    async with build(_settings(folder), clock=Clock(), entropy=Counted("template")) as app:
        await add_people(app)
        await fill(app)


def _settings(folder: Path) -> Settings:
    limits = {"free_repeats": 0, "heartbeat_min_seconds": SHORTEST}
    return load(overrides={"data": folder, "domain": DOMAIN, "limits": limits}, environment={})


async def add_people(app: composition.App) -> None:
    with _counted_names():
        for login, (first, last) in PEOPLE.items():
            await app.embedded.admin.add_user(
                f"{login}@{DOMAIN}", password(login), name=f"{first} {last}", first_name=first, last_name=last,
                alias=login, zone="Europe/Berlin",
            )


def password(login: str) -> str:
    return f"{login}-secret"


async def fill(app: composition.App) -> None:
    """What Anna has."""
    anna = f"anna@{DOMAIN}"
    await app.embedded.admin.add_folder(anna, "Projects", FolderType.USER_MAIL)
    infos = await app.embedded.admin.folders(anna)
    numbers: dict[FolderType | str, int] = {info.folder.type: int(info.folder.id) for info in infos}
    numbers |= {info.folder.name: int(info.folder.id) for info in infos}
    classes = {int(info.folder.id): info.folder.item_class for info in infos}

    def work(tx: Writing) -> None:
        for mail in MAIL:
            made = prepare.message(mail.raw, mail.received)
            items.create(tx, numbers[mail.folder], made, None, MailFlags(read=mail.read), millis(mail.received))
        for type, data in RECORDS:
            number = numbers[type]
            items.create(tx, number, prepare.record(classes[number], data), None)

    await app.embedded.groupware.write(work)


@asynccontextmanager
async def empty_gateway(folder: Path, name: str) -> AsyncIterator[Gateway]:
    """With the people, whose mailboxes are empty."""
    clock = Clock()
    async with build(_settings(folder), clock=clock, entropy=Counted(name)) as app:
        await add_people(app)
        yield Gateway(app=app, clock=clock)


@asynccontextmanager
async def open_gateway(made: Path, folder: Path, name: str) -> AsyncIterator[Gateway]:
    """`made` is a template, `folder` where its copy goes, `name` that of the session."""
    shutil.copytree(made, folder)
    clock = Clock()
    async with build(_settings(folder), clock=clock, entropy=Counted(name)) as app:
        yield Gateway(app=app, clock=clock)


def cheap_passwords() -> None:
    """The passwords of made-up people guard nothing, and a real hash takes a tenth of a second at each login."""
    from argon2 import PasswordHasher

    passwords._HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
