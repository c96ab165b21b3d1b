"""Folders of the embedded groupware beside those of servers: their ids begin with an "e", so that no two are alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from eas.engine.errors import FolderGone, NotAllowed
from eas.engine.model import CollectionId, Folder
from eas.engine.ports import Chosen, Delta, Feed, Horizon, ItemVersion, Look, Token, Written
from eas.items.body import Wanted
from eas.items.native import Item, ItemId, MailFlags

MARK = "e"
_ROOT = "0"


def outer(folder: Folder) -> Folder:
    """As devices know it."""
    parent = folder.parent if folder.parent == _ROOT else MARK + folder.parent
    return replace(folder, id=MARK + folder.id, parent=parent)


def inner(folder: Folder) -> Folder:
    """As the embedded groupware knows it."""
    parent = folder.parent if folder.parent == _ROOT else folder.parent.removeprefix(MARK)
    return replace(folder, id=folder.id.removeprefix(MARK), parent=parent)


class KeptFeed:
    """An embedded feed, but for the ids of destinations."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def delta(self, since: Token | None, horizon: Horizon) -> Delta:
        return await self._feed.delta(since, horizon)

    async def look(self, ids: Collection[ItemId], horizon: Horizon) -> Look:
        return await self._feed.look(ids, horizon)

    async def crossed(self, old: datetime, new: datetime) -> Collection[ItemId]:
        return await self._feed.crossed(old, new)

    def fetch(self, ids: Sequence[ItemId], wanted: Wanted | None) -> AsyncIterator[Item]:
        return self._feed.fetch(ids, wanted)

    def part(self, id: ItemId, section: str) -> AsyncIterator[bytes]:
        return self._feed.part(id, section)

    async def by_uid(self, uid: str) -> ItemId | None:
        return await self._feed.by_uid(uid)

    async def mark(self) -> str:
        return await self._feed.mark()

    async def create(self, content: bytes, chosen: Chosen, flags: MailFlags | None = None) -> Written:
        return await self._feed.create(content, chosen, flags)

    async def update(
        self, id: ItemId, content: bytes, if_version: ItemVersion | None, flags: MailFlags | None = None
    ) -> Written:
        return await self._feed.update(id, content, if_version, flags)

    async def set_flags(self, id: ItemId, flags: MailFlags, if_version: ItemVersion | None = None) -> Written:
        return await self._feed.set_flags(id, flags, if_version)

    async def delete(self, id: ItemId, if_version: ItemVersion | None = None) -> None:
        await self._feed.delete(id, if_version)

    async def move(self, id: ItemId, to: CollectionId, chosen: Chosen) -> Written:
        if not to.startswith(MARK):
            if to.isascii() and to.isdigit() and to[0] != "0":
                raise NotAllowed(f"folder {to} is on another server")
            raise FolderGone(to)
        return await self._feed.move(id, to.removeprefix(MARK), chosen)
