"""One user's folders, and searches in them. Whatever id comes in is looked up within what the user may see."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, bindparam, select, update

from eas.engine.errors import FolderGone, NotAllowed
from eas.engine.model import CollectionId, Folder, FolderType, OutOfOffice, Right, User
from eas.engine.ports import Chosen, Feed, Found, MailQuery, Token

from . import folders
from .access import Seen, all_seen, seen, seen_own
from .codec import dump_out_of_office, load_out_of_office, millis
from .feed import EmbeddedFeed
from .groupware import Groupware, Writing
from .prepare import folded
from .tables import ContentRow, ItemRow, UserRow

#: Words of a search that are looked for, and characters of each: more is no search of a person.
MAX_WORDS = 20
MAX_WORD = 100


_HIERARCHY = select(UserRow.hierarchy).where(UserRow.id == bindparam("user"))


class EmbeddedMailbox:
    def __init__(self, groupware: Groupware, user: User) -> None:
        self._groupware, self._user = groupware, user

    async def hierarchy_token(self) -> Token:
        user = {"user": self._user.id}
        return str(await self._groupware.look(lambda c: c.execute(_HIERARCHY, user).scalar_one_or_none()) or 0)

    async def folders(self) -> Sequence[Folder]:
        return await self._groupware.read(lambda c: [found.folder for found in all_seen(c, self._user.id)])

    async def folder(self, id: CollectionId) -> Folder | None:
        own = await self._groupware.look(lambda c: seen_own(c, self._user.id, id))
        if own is not None:
            return own.folder
        found = await self._groupware.read(lambda c: seen(c, self._user.id, id))
        return found.folder if found is not None else None

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
            found = seen(tx.connection, self._user.id, id)
            if found is None:
                raise FolderGone(id)
            if found.folder.right < Right.EDIT:
                raise NotAllowed(f"folder {id}")
            folders.empty(tx, found, subfolders)

        await self._groupware.write(work)

    def feed(self, folder: Folder) -> Feed:
        return EmbeddedFeed(self._groupware, self._user.id, folder)

    async def search(self, query: MailQuery, start: int, count: int) -> Found:
        rows = await self._groupware.read(lambda c: self._hits(c, query))
        hits = tuple((str(folder), id) for folder, id in rows[start : start + count])
        return Found(hits=hits, total=len(rows))

    def _hits(self, connection: Connection, query: MailQuery) -> Sequence[tuple[int, int]]:
        """All of them: the text is looked through once, and the page that is wanted is cut out of the result."""
        numbers = _searched(all_seen(connection, self._user.id), query)
        if not numbers:
            return ()
        statement = (
            select(ItemRow.folder_id, ItemRow.id)
            .join(ContentRow, ContentRow.id == ItemRow.content_id)
            .where(ItemRow.folder_id.in_(numbers), *_conditions(query))
            .order_by(ItemRow.received.desc(), ItemRow.folder_id, ItemRow.id.desc())
        )
        return connection.execute(statement).all()

    async def out_of_office(self) -> OutOfOffice:
        statement = select(UserRow.out_of_office).where(UserRow.id == self._user.id)
        stored = await self._groupware.read(lambda c: c.execute(statement).scalar_one_or_none())
        return load_out_of_office(stored or "")

    async def set_out_of_office(self, value: OutOfOffice) -> None:
        statement = update(UserRow).where(UserRow.id == self._user.id)
        await self._groupware.write(
            lambda tx: tx.connection.execute(statement.values(out_of_office=dump_out_of_office(value)))
        )


def _searched(all_folders: Sequence[Seen], query: MailQuery) -> list[int]:
    """The folders to look into."""
    wanted = set(query.collections)
    if query.deep and wanted:
        children: dict[CollectionId, list[CollectionId]] = {}
        for found in all_folders:
            children.setdefault(found.folder.parent, []).append(found.folder.id)
        pending = list(wanted)
        while pending:
            for child in children.get(pending.pop(), ()):
                if child not in wanted:
                    wanted.add(child)
                    pending.append(child)
    return [
        found.number for found in all_folders
        if (not query.collections or found.folder.id in wanted)
        and (not query.classes or found.folder.item_class in query.classes)
    ]


def _conditions(query: MailQuery) -> list[ColumnElement[bool]]:
    words = [word[:MAX_WORD] for word in folded(query.text).split()[:MAX_WORDS]]
    conditions = [ContentRow.search.contains(word, autoescape=True) for word in words]
    if query.conversation is not None:
        conditions.append(ContentRow.conversation == query.conversation.hex())
    if query.since is not None:
        conditions.append(ItemRow.received >= millis(query.since))
    if query.before is not None:
        conditions.append(ItemRow.received < millis(query.before))
    return conditions
