"""Writes on one mailbox: each takes place once, whatever breaks off and comes again. See `puts`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy import Connection, select

from eas.backends.embedded.access import folder_number, seen_own
from eas.backends.embedded.groupware import Writing
from eas.backends.standards.ports import Numbered
from eas.backends.standards.tables import PlaceRow
from eas.engine.errors import FolderGone, ItemGone, NotAllowed, TooLarge, VersionConflict
from eas.engine.model import CollectionId, Right
from eas.engine.ports import Chosen, ItemVersion, Written
from eas.items.native import ItemId, MailFlags

from . import flags as flagged
from . import puts, rows, stored
from .errors import translated
from .flags import NOTHING
from .model import No, Placed, Session
from .puts import Sought
from .reach import Reach
from .rows import Put, State
from .stored import Held

Resolve = Callable[[CollectionId], Awaitable[Numbered | None]]

#: Refusals of an APPEND that keywords have nothing to do with.
_OF_MESSAGE = frozenset(("OVERQUOTA", "TOOBIG", "TRYCREATE", "NONEXISTENT", "NOPERM", "UNAVAILABLE", "LIMIT"))


class MailWriter:
    def __init__(self, reach: Reach, resolve: Resolve) -> None:
        self._reach, self._resolve = reach, resolve
        self._ground = reach.account.ground

    # -- new messages

    async def create(self, content: bytes, chosen: Chosen, flags: MailFlags | None) -> Written:
        reach = self._reach
        reach.require_edit()
        self._check_size(content)
        name = rows.put_name(chosen.name)
        async with reach.lock(name):
            put = await self._put(reach, name)
            if put is not None and put.id:
                return await self._answered(put, puts.content_digest(content), flags or NOTHING)
            async with reach.session() as session, puts.claiming(reach, session, again=put is not None):
                written = await self._append(session, name, put, content, chosen.note, flags or NOTHING)
        self._changed(reach)
        return written

    async def _append(
        self, session: Session, name: str, put: Put | None, content: bytes, note: str, flags: MailFlags
    ) -> Written:
        reach = self._reach
        uid: int | None = None
        ours = False
        if put is not None:
            sought = Sought.load(put.sought)
            uid, state = await puts.find_again(reach, session, sought)
        else:
            before = puts.marked(note) or puts.marked(await puts.mark(reach, session)) or (0, 1)
            sought = Sought(
                validity=before[0], uid_next=before[1], message=puts.message_digest(content), size=len(content),
                content=puts.content_digest(content),
            )
            await puts.begin(reach, name, sought)
        if uid is None:
            placed = await self._appended(session, content, flags)
            uid, state = await puts.uid_of(reach, session, placed, 0, sought)
            ours = True
        id = state.natural(uid)
        written = await self._flagged(session, state, id, flags)
        first = await puts.settle(reach, name, id)
        if first == id:
            return written
        if ours:
            await self._take_back(session, uid)
        return Written(id=first, version=written.version)

    async def _take_back(self, session: Session, uid: int) -> None:
        """A message of ours that another node has put there as well."""
        await self._select(session)
        await session.expunge(((uid, uid),))

    async def _appended(self, session: Session, content: bytes, flags: MailFlags) -> Placed:
        reach = self._reach
        add, _ = stored.appended(flags, lambda keyword: True)
        now = self._ground.now()
        try:
            return await reach.existing(session, session.append(reach.mailbox, content, add, now))
        except No as error:
            system = [flag for flag in add if flag.startswith("\\")]
            if error.code in _OF_MESSAGE or len(system) == len(add):
                raise
        return await session.append(reach.mailbox, content, system, now)

    async def _flagged(self, session: Session, state: State, id: ItemId, flags: MailFlags) -> Written:
        """See to it that a new message has its flags, where a server may have left out some."""
        add, note = stored.appended(flags, lambda keyword: True)
        if note == NOTHING and all(flag.startswith("\\") for flag in add):
            return Written(id=id, version=flagged.version(flags))
        await self._select(session)
        return await stored.set_flags(self._reach, session, state, id, flags, None)

    async def _answered(self, put: Put, content: str, flags: MailFlags) -> Written:
        """To a name that was answered before."""
        async with self._reach.selected() as (session, state):
            try:
                version = (await stored.hold(self._reach, session, state, put.id)).version
            except ItemGone:
                version = flagged.version(flags)
        return Written(id=put.id, version=version, same=Sought.load(put.sought).content == content)

    # -- drafts

    async def update(
        self, id: ItemId, content: bytes, if_version: ItemVersion | None, flags: MailFlags | None
    ) -> Written:
        reach = self._reach
        reach.require_edit()
        if flags is None:
            raise NotAllowed("a message does not change")
        self._check_size(content)
        async with reach.lock(f"item {id}"), reach.selected() as (session, state):
            held = await stored.hold(reach, session, state, id)
            if not flags.draft or not held.seen.draft:
                raise NotAllowed("only drafts change")
            if if_version is not None and held.version != if_version:
                raise VersionConflict(str(id))
            if await self._holds(session, held, content):
                written = await stored.set_flags(reach, session, state, id, flags, if_version)
            else:
                written = await self._replace(session, state, held, content, flags)
        self._changed(reach)
        return written

    async def _holds(self, session: Session, held: Held, content: bytes) -> bool:
        if held.size != len(content):
            return False
        octets = b"".join([piece async for piece in session.stream(held.uid, "")])
        return puts.content_digest(octets) == puts.content_digest(content)

    async def _replace(
        self, session: Session, state: State, held: Held, content: bytes, flags: MailFlags
    ) -> Written:
        """The new one beside the old, the id to the new one, the old one away."""
        reach = self._reach
        stored.require_writable(session)
        digest = puts.content_digest(content)
        name = rows.put_name(f"draft {held.id} {held.content} {digest}")
        put = await self._put(reach, name)
        _, note = stored.appended(flags, stored.storable(session))
        uid: int | None = None
        ours = False
        if put is not None:
            sought = Sought.load(put.sought)
            uid, state = await puts.find_again(reach, session, sought)
        else:
            selected = session.selected
            sought = Sought(
                validity=state.validity, uid_next=selected.uid_next if selected is not None else 1, content=digest,
                message=puts.message_digest(content), size=len(content), id=held.id, note=rows.note_text(note),
            )
            await puts.begin(reach, name, sought, held.uid)
        if uid is None:
            placed = await self._appended(session, content, flags)
            uid, state = await puts.uid_of(reach, session, placed, 0, sought)
            ours = True
        found = uid

        def work(tx: Writing) -> bool:
            return puts.replaced(tx, reach, name, state, found, sought, held.uid, message=sought.message)

        if not await self._ground.write(work) and ours:
            await self._take_back(session, found)
        await self._select(session)
        await puts.remove_old(reach, session, name, held.uid)
        state = await reach.state()
        return await stored.set_flags(reach, session, state, held.id, flags, None)

    # -- flags, removal

    async def set_flags(self, id: ItemId, flags: MailFlags, if_version: ItemVersion | None) -> Written:
        reach = self._reach
        reach.require_edit()
        async with reach.lock(f"item {id}"), reach.selected() as (session, state):
            written = await stored.set_flags(reach, session, state, id, flags, if_version)
        self._changed(reach)
        return written

    async def delete(self, id: ItemId, if_version: ItemVersion | None) -> None:
        reach = self._reach
        reach.require_edit()
        async with reach.lock(f"item {id}"), reach.selected() as (session, state):
            held = await stored.hold(reach, session, state, id)
            if if_version is not None and held.version != if_version:
                raise VersionConflict(str(id))
            stored.require_writable(session)
            with translated(NotAllowed):
                await session.expunge(((held.uid, held.uid),))
            if held.note != NOTHING:
                await self._ground.write(lambda tx: rows.drop_note(tx, reach.number, id))
        self._changed(reach)

    # -- moves

    async def move(self, id: ItemId, to: CollectionId, chosen: Chosen) -> Written:
        reach = self._reach
        there = await self._destination(to)
        if there.number == reach.number:
            async with reach.selected() as (session, state):
                return Written(id=id, version=(await stored.hold(reach, session, state, id)).version)
        reach.require_edit()
        if there.place.right < Right.EDIT:
            raise NotAllowed(f"folder {there.number} is not to be changed")
        beyond = Reach(account=reach.account, pool=reach.pool, at=there)
        name = rows.put_name(chosen.name)
        async with beyond.lock(name):
            put = await self._put(beyond, name)
            if put is not None and put.id:
                written = await MailWriter(beyond, self._resolve)._there(put.id)
            else:
                async with reach.lock(f"item {id}"):
                    written = await self._move(id, beyond, name, put, chosen.note)
        self._changed(reach)
        self._changed(beyond)
        return written

    async def _there(self, id: ItemId) -> Written:
        """What was moved here before."""
        async with self._reach.selected() as (session, state):
            try:
                return Written(id=id, version=(await stored.hold(self._reach, session, state, id)).version)
            except ItemGone:
                return Written(id=id, version=flagged.version(NOTHING))

    async def _move(self, id: ItemId, beyond: Reach, name: str, put: Put | None, note: str) -> Written:
        reach = self._reach
        async with reach.selected() as (session, state), puts.claiming(beyond, session, again=put is not None):
            stored.require_writable(session)
            held = await self._source(session, state, id, again=put is not None)
            if put is not None:
                sought = Sought.load(put.sought)
            else:
                assert held is not None
                before = puts.marked(note) or puts.marked(await puts.mark(beyond, session)) or (0, 1)
                sought = Sought(
                    validity=before[0], uid_next=before[1], message=held.message, size=held.size, id=id,
                    note=rows.note_text(held.note),
                )
                await puts.begin(beyond, name, sought)
            uid = await self._find_there(session, beyond, sought) if put is not None else None
            if uid is None and held is None:
                there = await self._moved_meanwhile(id, beyond, name)
            else:
                if uid is None:
                    assert held is not None
                    uid = await self._moved(session, held, beyond, sought)
                elif held is not None:
                    # A copy was made, and the original not removed yet.
                    await reach.select(session)
                    await session.expunge(((held.uid, held.uid),))
                there = await self._arrived(beyond, name, uid, sought)
        if held is None:
            return await MailWriter(beyond, self._resolve)._there(there)
        return Written(id=there, version=flagged.version(held.seen))

    async def _moved_meanwhile(self, id: ItemId, beyond: Reach, name: str) -> ItemId:
        """By another node. Raises ItemGone."""
        put = await self._put(beyond, name)
        if put is None or not put.id:
            raise ItemGone(str(id))
        return put.id

    async def _source(self, session: Session, state: State, id: ItemId, *, again: bool) -> Held | None:
        """None if it is gone, which it may be where the move was begun before. Raises ItemGone."""
        try:
            return await stored.hold(self._reach, session, state, id)
        except ItemGone:
            if not again:
                raise
            return None

    async def _moved(self, session: Session, held: Held, beyond: Reach, sought: Sought) -> int:
        """The UID there."""
        if not self._reach.is_selected(session):
            await self._reach.select(session)
        placed = await beyond.existing(session, session.move(((held.uid, held.uid),), beyond.mailbox))
        uid = placed.uids.get(held.uid)
        there = await beyond.state()
        if uid is not None and not there.validity:
            there = await self._ground.write(
                lambda tx: rows.first_seen(tx, beyond.user_id, beyond.number, placed.uid_validity)
            )
        if uid is None or placed.uid_validity != there.validity:
            uid = await self._find_there(session, beyond, sought)
        if uid is None:
            raise ItemGone(str(held.id))
        return uid

    async def _find_there(self, session: Session, beyond: Reach, sought: Sought) -> int | None:
        """On the same connection: whoever holds one never waits for another."""
        await beyond.select(session)
        there = await beyond.known(session, await beyond.state())
        return await puts.find(beyond, session, there, sought)

    async def _arrived(self, beyond: Reach, name: str, uid: int, sought: Sought) -> ItemId:
        """What is kept of a message follows it."""
        state = await beyond.state()
        id = state.natural(uid)

        def work(tx: Writing) -> None:
            if sought.note:
                counter = rows.raise_counter(tx, beyond.user_id, beyond.number)
                note = rows.note_of(sought.note)
                rows.set_note(tx, beyond.user_id, beyond.number, id, note, sought.message, counter)
                rows.drop_note(tx, self._reach.number, sought.id)
            rows.settle_put(tx.connection, beyond.number, name, id)

        await self._ground.write(work)
        return id

    async def _destination(self, to: CollectionId) -> Numbered:
        """Raises FolderGone, NotAllowed for a folder of other items."""
        there = await self._resolve(to)
        if there is not None:
            return there
        if await self._ground.read(lambda c: _exists(c, self._reach.user_id, to)):
            raise NotAllowed(f"folder {to} is for other items")
        raise FolderGone(to)

    # --

    async def _put(self, reach: Reach, name: str) -> Put | None:
        return await self._ground.look(lambda c: rows.put(c, reach.number, name))

    async def _select(self, session: Session) -> None:
        if self._reach.is_selected(session):
            await self._reach.sync(session)
        else:
            await self._reach.select(session)

    def _check_size(self, content: bytes) -> None:
        if len(content) > self._ground.limits.message:
            raise TooLarge(f"{len(content)} octets")

    def _changed(self, reach: Reach) -> None:
        reach.heard()
        reach.ring()


def _exists(connection: Connection, user_id: str, id: CollectionId) -> bool:
    """Whether this is a folder of the user, of whatever source."""
    if id.startswith("e"):
        number = folder_number(id[1:])
        return number is not None and seen_own(connection, user_id, id[1:]) is not None
    number = folder_number(id)
    if number is None:
        return False
    statement = select(PlaceRow.number).where(
        PlaceRow.number == number, PlaceRow.user_id == user_id, PlaceRow.present.is_(True)
    )
    return connection.execute(statement).one_or_none() is not None
