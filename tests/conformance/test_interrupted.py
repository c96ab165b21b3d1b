"""Requests that change something, cut off at every single write: nothing is lost, nothing is doubled.

What `test_kills` does at random points of a real process is done here at all points that matter, in this process: at
each write to the database the server dies, either just before the write is done or just after, when nobody learns it.
Everything that it would still have done does not happen. A new server is built on the same data, and the device sends
the same request again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import httpx
import pytest
from deeds import DEEDS, Deed, FolderDelete, FolderUpdate, MoveItems, SendMail, SyncCommands, World
from ledger import differences, in_store, on_phone
from premises import ANNA, BEN, Person, Premises
from testbed import message

from eas.app import App, building
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.errors import LostAnswer
from eas.client.phone import Phone
from eas.config import load
from eas.db.transactions import Transactions, transactions
from eas.protocol.version import Version

#: Takes more than a few seconds.
pytestmark = pytest.mark.long

R = TypeVar("R")

URL = "http://mail.example.test"
MESSAGES = 6


class Death(BaseException):
    """No part of the program is meant to catch it, as none survives SIGKILL."""


class When(StrEnum):
    BEFORE = "before"
    AFTER = "after"


@dataclass(slots=True, kw_only=True)
class Mortal:
    """Transactions that end at the write of a number, 0 for never. `writes` counts them."""

    inner: Transactions
    fatal: int = 0
    when: When = When.BEFORE
    writes: int = 0
    dead: bool = False

    async def look(self, do: Callable[[Any], R]) -> R:
        self._live()
        return await self.inner.look(do)

    async def read(self, do: Callable[[Any], R]) -> R:
        self._live()
        return await self.inner.read(do)

    async def write(self, do: Callable[[Any], R], *, lasting: bool = True) -> R:
        self._live()
        self.writes += 1
        if self.writes == self.fatal and self.when is When.BEFORE:
            self._die()
        result = await self.inner.write(do, lasting=lasting)
        if self.writes == self.fatal:
            self._die()
        return result

    async def close(self) -> None:
        await self.inner.close()

    def _live(self) -> None:
        if self.dead:
            raise Death

    def _die(self) -> None:
        self.dead = True
        raise Death


@dataclass(kw_only=True)
class Scene:
    """A server in this process that can die, and a device that talks to whichever lives."""

    data: Path
    premises: Premises
    world: World
    app: App
    mortal: Mortal
    stack: AsyncExitStack

    @classmethod
    @asynccontextmanager
    async def set(cls, data: Path, version: Version) -> AsyncIterator[Scene]:
        async with Premises.opened(data) as premises, AsyncExitStack() as stack:
            for person in (ANNA, BEN):
                await premises.add(person)
            for number in range(MESSAGES):
                await premises.deliver(ANNA.login, message(f"Message {number}"))
            app, mortal = await _start(data)
            connection = Connection(
                URL, Credentials(user=ANNA.login, password=ANNA.password), Identity(device_id="PHONE1"),
                version=version, transport=httpx.ASGITransport(app.asgi),
            )
            stack.push_async_callback(connection.close)
            phone = Phone(DeviceState.new("PHONE1"), connection)
            await phone.set_up(version)
            await phone.create_folder("Shelf")
            await phone.sync()
            world = World(
                phone=phone, random=Random(f"interrupted {version.text}"), address=ANNA.address, other=BEN.address,
                expected=on_phone(phone), of_other=await _stored(premises, BEN),
            )
            scene = cls(data=data, premises=premises, world=world, app=app, mortal=mortal, stack=stack)
            try:
                yield scene
            finally:
                await scene.app.close()

    async def restart(self) -> None:
        """A new server on the same data."""
        self.mortal.dead = False
        self.mortal.fatal = 0
        await self.app.close()
        self.app, self.mortal = await _start(self.data)
        await self.world.phone.connection.client.aclose()
        self.world.phone.connection.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app.asgi))

    async def after(self) -> None:
        """The device comes to rest; everything is as it must be, on it and in the store."""
        phone = self.world.phone
        await phone.folder_sync()
        await phone.sync()
        shown = on_phone(phone)
        assert not (found := differences(self.world.expected, shown)), found
        stored = {name: lines for name, lines in (await _stored(self.premises, ANNA)).items() if name in shown or lines}
        assert not (found := differences(self.world.expected, stored)), found
        assert not (found := differences(self.world.of_other, await _stored(self.premises, BEN))), found


async def _start(data: Path) -> tuple[App, Mortal]:
    made: list[Mortal] = []

    def mortal(database: Any) -> Mortal:
        made.append(Mortal(inner=transactions(database)))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "transactions", mortal)
        app = building.build(load(overrides={"data": data, "domain": "example.test"}, environment={}))
    await app.start(doors=False)
    await app.embedded.office.resume()
    return app, made[0]


async def _stored(premises: Premises, person: Person) -> Any:
    return await in_store(await premises.mailbox(person.login), await premises.user(person.login))


async def _undisturbed(deed: Deed, scene: Scene) -> int:
    """How many writes the request takes."""
    deed.plan(scene.world)
    before = scene.mortal.writes
    await deed.ask(scene.world)
    writes = scene.mortal.writes - before
    await scene.after()
    return writes


async def _cut_off(deed: Deed, scene: Scene, at: int, when: When) -> None:
    deed.plan(scene.world)
    scene.mortal.fatal, scene.mortal.when = scene.mortal.writes + at, when
    try:
        await deed.ask(scene.world)
    except (Death, LostAnswer):
        pass
    else:
        pytest.fail(f"there was no write {at} to die at")
    await scene.restart()
    await deed.again(scene.world)
    await scene.after()


@pytest.mark.long
@pytest.mark.parametrize("version", [Version.V12_1, Version.V14_1], ids=lambda version: version.text)
@pytest.mark.parametrize("kind", list(dict.fromkeys(DEEDS)), ids=lambda kind: kind.__name__)
async def test_a_request_that_is_cut_off_at_any_write_is_done_once(
    kind: type[Deed], version: Version, tmp_path: Path
) -> None:
    async with Scene.set(tmp_path, version) as scene:
        if kind in (FolderUpdate, FolderDelete):
            for _ in range(12):
                await scene.world.phone.create_folder(scene.world.name("Folder"))
            scene.world.expected = on_phone(scene.world.phone)
        writes = await _undisturbed(kind(), scene)
        assert writes > (5 if kind in (SyncCommands, SendMail) else 3 if kind is MoveItems else 1)
        for at in range(1, writes + 1):
            for when in When:
                await _cut_off(kind(), scene, at, when)
