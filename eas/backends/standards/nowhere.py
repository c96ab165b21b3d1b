"""The feed of a folder that the user has not: everything says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import NoReturn

from eas.engine.errors import FolderGone
from eas.engine.model import CollectionId
from eas.engine.ports import Chosen, Delta, Horizon, ItemVersion, Look, Token, Written
from eas.items.body import Wanted
from eas.items.native import Item, ItemId, MailFlags


class Nowhere:
    def __init__(self, id: CollectionId) -> None:
        self._id = id

    def _gone(self) -> NoReturn:
        raise FolderGone(self._id)

    async def delta(self, since: Token | None, horizon: Horizon) -> Delta:
        self._gone()

    async def look(self, ids: Collection[ItemId], horizon: Horizon) -> Look:
        self._gone()

    async def crossed(self, old: datetime, new: datetime) -> Collection[ItemId]:
        self._gone()

    def fetch(self, ids: Sequence[ItemId], wanted: Wanted | None) -> AsyncIterator[Item]:
        self._gone()

    def part(self, id: ItemId, section: str) -> AsyncIterator[bytes]:
        self._gone()

    async def by_uid(self, uid: str) -> ItemId | None:
        self._gone()

    async def mark(self) -> str:
        self._gone()

    async def create(self, content: bytes, chosen: Chosen, flags: MailFlags | None = None) -> Written:
        self._gone()

    async def update(
        self, id: ItemId, content: bytes, if_version: ItemVersion | None, flags: MailFlags | None = None
    ) -> Written:
        self._gone()

    async def set_flags(self, id: ItemId, flags: MailFlags, if_version: ItemVersion | None = None) -> Written:
        self._gone()

    async def delete(self, id: ItemId, if_version: ItemVersion | None = None) -> None:
        self._gone()

    async def move(self, id: ItemId, to: CollectionId, chosen: Chosen) -> Written:
        self._gone()
