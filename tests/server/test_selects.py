"""How often requests ask the database: as often for many collections as for one. On a server the database is asked over
a network, and each question costs more than its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, event

from eas.client.phone import Phone
from eas.commands.ping import Status
from eas.engine.model import FolderType
from eas.protocol.version import Version

#: Who it is; the device; what it holds of the collections; the folders, and where they stand.
SYNC = 4
#: The folders at first; then what is held of them with the hierarchy, its counter, and the folders again.
PING = 6


@pytest.fixture(autouse=True)
def asked() -> Iterator[list[str]]:
    """The selects, from before the server is built."""
    heard: list[str] = []

    def hear(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            heard.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    yield heard
    event.remove(Engine, "before_cursor_execute", hear)


@pytest.fixture
async def owner(phone: Callable[..., Phone], asked: list[str], world: Any) -> Phone:
    """In step with the server, with more than ten folders."""
    made = phone(version=Version.V16_1)
    await made.set_up()
    for number in range(3):
        await made.create_folder(f"Folder {number}")
    for _ in range(3):
        await made.sync()
    assert len(made.state.folders) > 10
    return made


async def counted(asked: list[str], do: Callable[[], Awaitable[object]]) -> list[str]:
    del asked[:]
    await do()
    return list(asked)


async def test_a_sync_without_news_asks_as_often_for_many_collections_as_for_one(
    owner: Phone, asked: list[str]
) -> None:
    inbox = owner.state.folder(FolderType.INBOX)
    one = await counted(asked, lambda: owner.sync([inbox]))
    many = await counted(asked, owner.sync)
    assert (len(one), len(many)) == (SYNC, SYNC), "\n".join(one + many)


async def test_a_ping_asks_as_often_for_many_collections_as_for_one(
    owner: Phone, asked: list[str], world: Any
) -> None:
    async def looked(folders: Any) -> None:
        """A wait that is ended by another request: it has looked once."""
        waits = asyncio.create_task(owner.ping(folders, 60))
        async with asyncio.timeout(20):
            while not world.app.bell.waiting:  # noqa: ASYNC110 - the bell tells nobody who listens
                await asyncio.sleep(0.01)
            world.app.bell.end(world.ids["anna"], "PHONE1")
            assert (await waits).status is Status.EXPIRED

    for folders in ([owner.state.folder(FolderType.INBOX)], None):
        await looked(folders)  # what is to be remembered of the Ping is
        found = await counted(asked, partial(looked, folders))
        assert len(found) == PING, "\n".join(found)
