"""Writes to a collection, each conditional on the ETag that was read, and done once however often it is asked for.

The object's name is chosen before the first attempt; so after a crash, or when an answer was lost, it is found there,
and an object that says what was to be said counts as done. A UID that stands under another name already becomes an
update of that object. What we have written is in our rows at once, so that it is no news to who wrote it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, select

from eas.backends.embedded.access import folder_number, seen_own
from eas.backends.standards.tables import PlaceRow
from eas.engine.errors import FolderGone, ItemGone, NotAllowed, TooLarge, Unavailable, VersionConflict
from eas.engine.model import CollectionId
from eas.engine.ports import Chosen, ItemVersion, Written
from eas.items.native import ItemId

from . import rows
from .errors import GONE, refused
from .index import Index, Resolve
from .model import Object, Refused
from .objects import name_in, object_name, same_meaning, tag, uid_of, with_uid
from .rows import Known

R = TypeVar("R")

#: How often a write is tried while others change the same object.
ATTEMPTS = 4
#: Seconds to wait, one after the other, while the server says that something is locked.
_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8)
#: How servers answer to a UID that they have under another name: 409 and 403 (RFC 4791 5.3.2.1), 400, or 412.
_MAYBE_UID = frozenset((400, 403, 409, 412))
#: And to a PUT where the object, or its whole collection, is gone.
_MAYBE_GONE = frozenset((403, 404, 409, 410, 412))
#: After these nobody knows whether a PUT was done: the object is looked at. Xandikos says 500 where another writer came
#: between its look at the condition and its store.
_UNKNOWN = frozenset((500, 502, 503, 504))
#: How they answer to a MOVE that they do not do: then it is a PUT and a DELETE.
_NO_MOVE = frozenset((400, 403, 405, 415, 501, 502))


@dataclass(frozen=True, slots=True)
class Writer:
    index: Index
    resolve: Resolve

    # -- create

    async def create(self, content: bytes, chosen: Chosen) -> Written:
        index = self.index
        self._check(content)
        name = object_name(chosen.name, index.item_class)
        content = with_uid(content, index.item_class, chosen.name)
        for _ in range(ATTEMPTS):
            try:
                etag = await self._put(index.href(name), content, None)
            except Refused as error:
                if error.status not in _MAYBE_UID:
                    raise
                if (stored := await self._stored(name)) is not None:
                    return await self._there(name, stored, content)
                if (written := await self._over(content)) is not None:
                    return written
                if error.status != 412:
                    raise
                continue
            return await self._wrote(name, content, etag)
        raise Unavailable("others make and delete this very object")

    async def _there(self, name: str, stored: Object, content: bytes) -> Written:
        """An object is there already; ours, if it says the same."""
        new = await self.index.read_one(name, stored.etag, stored.data)
        id = await self.index.ground.write(partial(rows.put, at=self.index.at, new=new))
        return Written(id=id, version=new.version, same=same_meaning(stored.data, content))

    async def _over(self, content: bytes) -> Written | None:
        """An update of the object that has the same UID; None if there is none in this collection."""
        index, uid = self.index, uid_of(content)
        for _ in range(ATTEMPTS):
            hrefs = await index.client.query_uid(index.collection, uid, kind=index.kind) if uid else ()
            if not hrefs:
                return None
            stored = next(iter(await index.client.multiget(index.collection, hrefs[:1], kind=index.kind)), None)
            if stored is None:
                continue
            name = name_in(index.collection, stored.href)
            if same_meaning(stored.data, content):
                return await self._there(name, stored, content)
            try:
                etag = await self._put(stored.href, content, stored.etag)
            except Refused as error:
                if error.status != 412:
                    raise
                continue
            known = (await index.ground.read(partial(rows.known_by_name, at=index.at, names=[name]))).get(name)
            return await self._wrote(name, content, etag, was=(stored.etag, known.etag if known else ""))
        return None

    # -- update

    async def update(self, id: ItemId, content: bytes, if_version: ItemVersion | None) -> Written:
        index = self.index
        self._check(content)
        known = await self._known(id, if_version)
        if if_version is not None and known.version != if_version:
            stored = await self._stored(known.name)
            if stored is not None and same_meaning(stored.data, content):
                return await self._there(known.name, stored, content)
            raise VersionConflict(str(id))
        if index.kept(known.name, known.etag) == content:
            return Written(id=id, version=known.version)
        async with index.shared.writing(index.at.number, known.name):
            return await self._exchange(known, content, conditional=if_version is not None)

    async def _exchange(self, known: Known, content: bytes, *, conditional: bool) -> Written:
        etag = known.etag
        for _ in range(ATTEMPTS):
            try:
                new = await self._put(self.index.href(known.name), content, etag)
            except Refused as error:
                if error.status not in _MAYBE_GONE and error.status not in _UNKNOWN:
                    raise
                stored = await self._stored(known.name)
                if stored is None:
                    await self._bury(known)
                    raise ItemGone(str(known.id)) from error
                as_read = tag(stored.etag) == tag(etag)
                if error.status != 412 and (as_read or error.status not in _UNKNOWN):
                    raise
                if same_meaning(stored.data, content):
                    return await self._wrote(known.name, stored.data, stored.etag, was=(known.etag,), id=known.id)
                if conditional and not as_read:
                    raise VersionConflict(str(known.id)) from error
                # Some servers keep to no condition of the very ETag that they tell.
                etag = "" if as_read else stored.etag
                continue
            return await self._wrote(known.name, content, new, was=(known.etag, etag), id=known.id)
        raise VersionConflict(str(known.id))

    async def _wrote(
        self, name: str, content: bytes, etag: str, *, was: tuple[str, ...] = (), id: ItemId = 0
    ) -> Written:
        """After a PUT. A server that tells no ETag may have changed what it stored, and some tell one all the same."""
        data, same = content, True
        if not etag or not self.index.shared.trusts(self.index.at.number):
            stored = await self._stored(name)
            if stored is None:
                raise ItemGone(name)
            if tag(stored.etag) == tag(etag):
                self.index.shared.stored(self.index.at.number, stored.data == content)
            etag, data, same = stored.etag, stored.data, same_meaning(stored.data, content)
        new = await self.index.read_one(name, etag, data)
        number = await self.index.ground.write(partial(rows.put, at=self.index.at, new=new, was=was, make=not id))
        return Written(id=number or id, version=new.version, same=same)

    # -- delete

    async def delete(self, id: ItemId, if_version: ItemVersion | None) -> None:
        index = self.index
        index.require_writable()
        known = await self._known(id, if_version)
        if if_version is not None and known.version != if_version:
            raise VersionConflict(str(id))
        try:
            await self._remove(known, known.etag if if_version is not None else "")
        except Refused as error:
            if error.status not in GONE:
                raise
            await self._bury(known)
            raise ItemGone(str(id)) from error
        await self._bury(known)

    async def _remove(self, known: Known, etag: str) -> None:
        """Raises Refused 404 if it is gone, VersionConflict."""
        index = self.index
        try:
            await _patiently(lambda: index.client.delete(index.href(known.name), etag=etag))
        except Refused as error:
            if error.status != 412:
                raise
            stored = await self._stored(known.name)
            if stored is None:
                raise Refused(404) from error
            if tag(stored.etag) != tag(etag):
                raise VersionConflict(str(known.id)) from error
            await _patiently(lambda: index.client.delete(index.href(known.name)))

    # -- move

    async def move(self, id: ItemId, to: CollectionId, chosen: Chosen) -> Written:
        here = self.index
        there = await self._destination(to)
        here.require_writable()
        there.require_writable()
        known = (await here.ground.read(partial(rows.known_by_id, at=here.at, ids=[id]))).get(id)
        if there.at.number == here.at.number:
            if known is None:
                raise ItemGone(str(id))
            return Written(id=id, version=known.version)
        if there.item_class != here.item_class:
            raise NotAllowed(f"folder {to} is for other items")
        name = object_name(chosen.name, there.item_class)
        arrived = Writer(there, self.resolve)
        if known is None:
            stored = await arrived._stored(name)
            if stored is None:
                raise ItemGone(str(id))
            return await arrived._there(name, stored, stored.data)
        if there.collection.rstrip("/") != here.collection.rstrip("/"):
            await self._carry(known, arrived, name)
        stored = await arrived._stored(name)
        if stored is None:
            raise ItemGone(str(id))
        new = await there.read_one(name, stored.etag, stored.data)
        number = await here.ground.write(partial(rows.moved, at=here.at, known=known, to=there.at, new=new))
        return Written(id=number, version=new.version)

    async def _destination(self, to: CollectionId) -> Index:
        """Raises FolderGone, and NotAllowed for what is the user's but on another server."""
        found = await self.resolve(to)
        if found is not None:
            return Index(self.index.account, self.index.client, found)
        if await self.index.ground.read(lambda connection: _is_other(connection, self.index.at.user_id, to)):
            raise NotAllowed(f"folder {to} is on another server")
        raise FolderGone(to)

    async def _carry(self, known: Known, there: Writer, name: str) -> None:
        """The object stands at the destination and not here, whatever of that was done before. Raises ItemGone."""
        here, target = self.index, there.index.href(name)
        try:
            await _patiently(lambda: here.client.move(here.href(known.name), target))
            return
        except Refused as error:
            if error.status not in _NO_MOVE and error.status not in (404, 409, 410, 412):
                raise
            failed = error
        source, arrived = await self._stored(known.name), await there._stored(name)
        if source is None:
            if arrived is None:
                await self._bury(known)
                raise ItemGone(str(known.id)) from failed
            return
        if arrived is None:
            if failed.status not in _NO_MOVE:
                raise refused(failed) from failed
            await there._put(target, source.data, None)
        elif uid_of(arrived.data) != uid_of(source.data):
            raise NotAllowed("something else stands at the destination") from failed
        try:
            await _patiently(lambda: here.client.delete(here.href(known.name), etag=source.etag))
        except Refused as error:
            if error.status not in GONE:
                raise

    # -- what all of them need

    def _check(self, content: bytes) -> None:
        """Raises NotAllowed, TooLarge."""
        self.index.require_writable()
        if len(content) > self.index.ground.limits.record:
            raise TooLarge(f"{len(content)} octets")

    async def _known(self, id: ItemId, if_version: ItemVersion | None) -> Known:
        """Read anew from the server if our rows do not have this version: what was fetched may be later than they are.
        Raises ItemGone."""
        find = partial(rows.known_by_id, at=self.index.at, ids=[id])
        known = (await self.index.ground.read(find)).get(id)
        if known is not None and if_version is not None and known.version != if_version:
            await self.index.refresh()
            known = (await self.index.ground.read(find)).get(id)
        if known is None:
            raise ItemGone(str(id))
        return known

    async def _put(self, href: str, content: bytes, etag: str | None) -> str:
        return await _patiently(lambda: self.index.client.put(href, content, kind=self.index.kind, etag=etag))

    async def _stored(self, name: str) -> Object | None:
        """As it is on the server now."""
        try:
            return await self.index.client.get(self.index.href(name))
        except Refused as error:
            if error.status in GONE:
                return None
            raise

    async def _bury(self, known: Known) -> None:
        await self.index.ground.write(partial(rows.bury, at=self.index.at, known=known))


async def _patiently(do: Callable[[], Awaitable[R]]) -> R:
    """Some servers have one writer at a time, and send the others away with 423 (Xandikos)."""
    for wait in _WAITS:
        try:
            return await do()
        except Refused as error:
            if error.status != 423:
                raise
        await asyncio.sleep(wait)
    return await do()


def _is_other(connection: Connection, user_id: str, id: CollectionId) -> bool:
    """Whether it is a folder of this user, wherever."""
    number = folder_number(id.removeprefix("e"))
    if number is None:
        return False
    if id.startswith("e"):
        return seen_own(connection, user_id, str(number)) is not None
    statement = select(PlaceRow.number).where(
        PlaceRow.number == number, PlaceRow.user_id == user_id, PlaceRow.present.is_(True)
    )
    return connection.execute(statement).one_or_none() is not None
