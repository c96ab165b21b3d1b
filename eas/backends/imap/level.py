"""The feed of a level of the hierarchy that is no mailbox: nothing is in it, and nothing can be put there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import NoReturn

from eas.engine.errors import ItemGone, NotAllowed
from eas.engine.model import CollectionId
from eas.engine.ports import Chosen, Delta, Horizon, ItemVersion, Look, Token, Written
from eas.items.body import Wanted
from eas.items.native import Item, ItemId, MailFlags

_TOKEN = "level"


class LevelFeed:
    def __init__(self, name: str) -> None:
        self._name = name

    def _refuse(self) -> NoReturn:
        raise NotAllowed(f"{self._name} takes no messages")

    async def delta(self, since: Token | None, horizon: Horizon) -> Delta:
        return Delta(token=_TOKEN, complete=since != _TOKEN)

    async def look(self, ids: Collection[ItemId], horizon: Horizon) -> Look:
        return Look(versions={})

    async def crossed(self, old: datetime, new: datetime) -> Collection[ItemId]:
        return ()

    async def fetch(self, ids: Sequence[ItemId], wanted: Wanted | None) -> AsyncIterator[Item]:
        for item in list[Item]():
            yield item

    async def part(self, id: ItemId, section: str) -> AsyncIterator[bytes]:
        for piece in list[bytes]():
            yield piece
        raise ItemGone(str(id))

    async def by_uid(self, uid: str) -> ItemId | None:
        return None

    async def mark(self) -> str:
        return ""

    async def create(self, content: bytes, chosen: Chosen, flags: MailFlags | None = None) -> Written:
        self._refuse()

    async def update(
        self, id: ItemId, content: bytes, if_version: ItemVersion | None, flags: MailFlags | None = None
    ) -> Written:
        raise ItemGone(str(id))

    async def set_flags(self, id: ItemId, flags: MailFlags, if_version: ItemVersion | None = None) -> Written:
        raise ItemGone(str(id))

    async def delete(self, id: ItemId, if_version: ItemVersion | None = None) -> None:
        raise ItemGone(str(id))

    async def move(self, id: ItemId, to: CollectionId, chosen: Chosen) -> Written:
        raise ItemGone(str(id))
