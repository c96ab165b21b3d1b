"""One user's folders, and searches in them. Whatever id comes in is looked up within what the user may see."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from eas.engine.errors import FolderGone, NotAllowed
from eas.engine.model import CollectionId, Folder, FolderType, OutOfOffice, Right, User
from eas.engine.ports import Chosen, Feed, Filters, Found, MailQuery, Token
from eas.items.native import ItemId

from . import conversations, folders
from .access import all_seen, seen, seen_own, shared_with, some_own
from .codec import dump_out_of_office, load_out_of_office
from .feed import EmbeddedFeed
from .filtering import EmbeddedFilters
from .groupware import Groupware, Writing
from .searching import found, received
from .tables import UserRow

_HIERARCHY = select(UserRow.hierarchy).where(UserRow.id == bindparam("user"))


class EmbeddedMailbox:
    def __init__(self, groupware: Groupware, user: User) -> None:
        self._groupware, self._user = groupware, user
        #: Where folders stood that were looked up together, until their feeds are taken.
        self._stood: dict[CollectionId, Token] = {}

    async def hierarchy_token(self, *, fresh: bool = False) -> Token:
        user = {"user": self._user.id}
        return str(await self._groupware.look(lambda c: c.execute(_HIERARCHY, user).scalar_one_or_none()) or 0)

    async def folders(self) -> Sequence[Folder]:
        return await self._groupware.read(lambda c: [one.folder for one in all_seen(c, self._user.id)])

    async def folder(self, id: CollectionId) -> Folder | None:
        own = await self._groupware.look(lambda c: seen_own(c, self._user.id, id))
        if own is not None:
            return own.folder
        shared = await self._groupware.read(lambda c: seen(c, self._user.id, id))
        return shared.folder if shared is not None else None

    async def some(self, ids: Collection[CollectionId]) -> Mapping[CollectionId, Folder]:
        """By one row each of the user's own; those of others take one more select for all."""
        own = await self._groupware.look(lambda c: some_own(c, self._user.id, ids))
        self._stood = {id: str(counter) for id, (_, counter) in own.items()}
        found = {id: folder for id, (folder, _) in own.items()}
        left = {id for id in ids if id not in found}
        if left:
            shared = await self._groupware.read(lambda c: shared_with(c, self._user.id))
            found |= {one.folder.id: one.folder for one in shared if one.folder.id in left}
        return found

    async def create_folder(self, parent: CollectionId, name: str, type: FolderType, chosen: Chosen) -> Folder:
        return await self._groupware.write(
            lambda tx: folders.create(tx, self._user.id, parent, name, type, chosen.name)
        )

    async def update_folder(self, id: CollectionId, parent: CollectionId, name: str) -> None:
        await self._groupware.write(lambda tx: folders.change(tx, self._user.id, id, parent, name))

    async def delete_folder(self, id: CollectionId) -> None:
        await self._groupware.write(lambda tx: folders.remove(tx, self._user.id, id))

    async def empty_folder(self, id: CollectionId, subfolders: bool) -> None:
        def work(tx: Writing) -> None:
            emptied = seen(tx.connection, self._user.id, id)
            if emptied is None:
                raise FolderGone(id)
            if emptied.folder.right < Right.EDIT:
                raise NotAllowed(f"folder {id}")
            folders.empty(tx, emptied, subfolders)

        await self._groupware.write(work)

    async def move_conversation(self, conversation: bytes, to: CollectionId, always: bool) -> int:
        return await self._groupware.write(lambda tx: conversations.move(tx, self._user.id, conversation, to, always))

    def feed(self, folder: Folder) -> Feed:
        return EmbeddedFeed(self._groupware, self._user.id, folder, self._stood.pop(folder.id, None))

    async def foresee(self, ids: Collection[CollectionId]) -> None:
        """`some` has done it."""

    async def search(self, query: MailQuery, start: int, count: int) -> Found:
        rows = await self._groupware.read(lambda c: found(c, all_seen(c, self._user.id), query))
        hits = tuple((str(folder), id) for folder, id in rows[start : start + count])
        return Found(hits=hits, total=len(rows))

    async def hits(
        self, query: MailQuery, collections: Sequence[CollectionId], limit: int
    ) -> list[tuple[datetime, CollectionId, ItemId]]:
        """What a search finds in some folders, with the time by which it is put in order."""
        def work(connection: Connection) -> list[tuple[datetime, CollectionId, ItemId]]:
            folders = [one for one in all_seen(connection, self._user.id) if one.folder.id in collections]
            rows = found(connection, folders, replace(query, collections=(), deep=False))[:limit]
            return [(at, str(folder), id) for at, folder, id in received(connection, rows)]

        return await self._groupware.read(work)

    async def out_of_office(self) -> OutOfOffice:
        statement = select(UserRow.out_of_office).where(UserRow.id == self._user.id)
        stored = await self._groupware.read(lambda c: c.execute(statement).scalar_one_or_none())
        return load_out_of_office(stored or "")

    async def set_out_of_office(self, value: OutOfOffice) -> None:
        statement = update(UserRow).where(UserRow.id == self._user.id)
        await self._groupware.write(
            lambda tx: tx.connection.execute(statement.values(out_of_office=dump_out_of_office(value)))
        )

    async def filters(self) -> Filters:
        return EmbeddedFilters(self._groupware, self._user)
