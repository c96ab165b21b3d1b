"""Notes in a mailbox of their own, as Apple's Notes and others keep them over IMAP: a source with one folder, and its
feed. What a message says as a note is in `notemail`; ids, deltas and writes that take place once are those of mail.

A note that is edited is a new message behind the same id. Its version is its UID, and what tells the categories apart.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b

from eas.backends.standards.ports import Account, Hit, Numbered, Place
from eas.engine.errors import BackendError, ItemGone, NotAllowed, TooLarge, VersionConflict
from eas.engine.model import CollectionId, FolderType
from eas.engine.ports import Chosen, Delta, Feed, Horizon, ItemVersion, Look, MailQuery, Token, Written
from eas.items import headers, kql
from eas.items.body import Wanted
from eas.items.kql import Node, Property
from eas.items.native import Item, ItemId, Mail, MailFlags, Record, Unreadable

from . import criteria, folders, notemail, puts, rows, searching, stored, tree
from .errors import translated
from .feed import ImapFeed
from .model import No, Pool, Session
from .reach import Reach
from .source import probed
from .writing import MailWriter

Resolve = Callable[[CollectionId], Awaitable[Numbered | None]]

#: A note never ends.
_ALWAYS = Horizon()
_UID_FIELDS = f"BODY.PEEK[HEADER.FIELDS ({notemail.UID_FIELD.upper()})]"
#: What of a message's version tells its categories apart (`eas.engine.ports.ItemVersion`).
_CATEGORIES = re.compile(r"\.c[0-9a-f]+")


class NotesSource:
    name = "notes"

    def __init__(self, account: Account, pool: Pool, resolve: Resolve) -> None:
        self._account, self._pool, self._resolve = account, pool, resolve

    @asynccontextmanager
    async def _session(self, otherwise: type[BackendError]) -> AsyncIterator[Session]:
        with translated(otherwise):
            async with self._pool.use(self._account) as session:
                yield session

    async def places(self) -> Sequence[Place]:
        """The one; it is made if it is missing."""
        async with self._session(NotAllowed) as session:
            seen = await tree.look(self._account, self._pool, session)
            wanted = tree.notes_mailbox(self._account, seen.layout)
            name = _present(seen, wanted)
            if name is None:
                try:
                    await session.create(wanted)
                except No as error:
                    if error.code != "ALREADYEXISTS":
                        raise
                name = wanted
        leaf = name.rpartition(seen.layout.delimiter)[2] if seen.layout.delimiter else name
        return [Place(locator=name, parent="", name=leaf, type=FolderType.NOTES, item_class="Notes")]

    def makes(self, type: FolderType) -> bool:
        return False

    def planned(self, parent: Place | None, name: str, type: FolderType, chosen: Chosen) -> str:
        raise NotAllowed("there is one folder of notes")

    async def create(
        self, parent: Place | None, name: str, type: FolderType, locator: str, *, again: bool
    ) -> Place:
        raise NotAllowed("there is one folder of notes")

    async def rename(self, place: Place, parent: Place | None, name: str) -> Sequence[tuple[str, str]]:
        raise NotAllowed("the folder of notes stays")

    async def delete(self, place: Place) -> None:
        raise NotAllowed("the folder of notes stays")

    async def empty(self, place: Place) -> None:
        await tree.empty(self._account, self._pool, place)

    def feed(self, at: Numbered) -> Feed:
        return NotesFeed(self._account, self._pool, at, self._resolve)

    async def foresee(self, at: Sequence[Numbered]) -> None:
        """There is nothing to be saved."""

    async def search(self, query: MailQuery, within: Sequence[Numbered]) -> Sequence[Hit]:
        if query.conversation is not None:
            return []
        node = of_notes(criteria.node_of(query))
        return await searching.search_node(self._account, self._pool, node, None, within)

    async def probe(self, at: Sequence[Numbered]) -> Mapping[int, str]:
        return await probed(self._account, self._pool, at)

    async def close(self) -> None:
        await self._pool.drop(self._account)


def _present(seen: tree.Tree, wanted: str) -> str | None:
    own = [one.name for one in folders.own_mailboxes(seen.layout, seen.listed) if folders.is_mailbox(one)]
    if wanted in own:
        return wanted
    return next((name for name in own if name.casefold() == wanted.casefold()), None)


def of_notes(node: Node) -> Node:
    """A query as it stands for notes, which have one text, are read, and have nothing attached (`kql.Candidate`)."""
    match node:
        case kql.Every(nodes):
            return kql.Every(tuple(map(of_notes, nodes)))
        case kql.Some(nodes):
            return kql.Some(tuple(map(of_notes, nodes)))
        case kql.Not(inner):
            return kql.Not(of_notes(inner))
        case kql.Text(Property.CATEGORY, _) | kql.Received():
            return node
        case kql.Text(_, text):
            return kql.Some((
                kql.Text(Property.SUBJECT, text), kql.Text(Property.BODY, text), kql.Text(Property.CATEGORY, text)
            ))
        case kql.Kind(item_class):
            return _always(item_class == "Notes")
        case kql.IsRead(value):
            return _always(value)
        case kql.Importance(level):
            return _always(level == 1)
        case kql.HasAttachment(value) | kql.IsFlagged(value):
            return _always(not value)


def _always(value: bool) -> Node:
    return kql.Every(()) if value else kql.Some(())


class NoteWriter(MailWriter):
    async def replace(
        self, id: ItemId, content: bytes, uid: int, if_version: ItemVersion, flags: MailFlags
    ) -> Written:
        """Another message behind the id, in place of the one of `uid`. Raises ItemGone, VersionConflict ..."""
        reach = self._reach
        async with reach.lock(f"item {id}"), reach.selected() as (session, state):
            held = await stored.hold(reach, session, state, id)
            if (held.uid, held.version) != (uid, if_version):
                raise VersionConflict(str(id))
            written = await self._replace(session, state, held, content, flags)
        self._changed(reach)
        return written


class NotesFeed:
    """Implements `engine.ports.Feed` for notes."""

    def __init__(self, account: Account, pool: Pool, at: Numbered, resolve: Resolve) -> None:
        self._reach = Reach(account=account, pool=pool, at=at)
        self._mail = ImapFeed(account, pool, at, resolve)
        self._writer = NoteWriter(self._reach, resolve)
        self._account, self._ground = account, account.ground

    # -- what has changed

    async def delta(self, since: Token | None, horizon: Horizon) -> Delta:
        heard = await self._mail.delta(since, _ALWAYS)
        return replace(heard, touched=await self._versions(heard.touched))

    async def look(self, ids: Collection[ItemId], horizon: Horizon) -> Look:
        return Look(versions=await self._versions((await self._mail.look(ids, _ALWAYS)).versions))

    async def crossed(self, old: datetime, new: datetime) -> Collection[ItemId]:
        return ()

    async def _versions(self, of_mail: Mapping[ItemId, ItemVersion]) -> dict[ItemId, ItemVersion]:
        if not of_mail:
            return {}
        state = await self._reach.state()
        names = await self._ground.read(lambda c: rows.names(c, self._reach.number, state, ids=list(of_mail)))
        return {id: _version(names.uid(id), version) for id, version in of_mail.items()}

    # -- the notes

    async def fetch(self, ids: Sequence[ItemId], wanted: Wanted | None) -> AsyncIterator[Item]:
        mails = [one async for one in self._mail.fetch(ids, self._whole) if isinstance(one, Mail)]
        versions = await self._versions({mail.id: mail.version for mail in mails})
        for mail in mails:
            try:
                data = notemail.journal(mail)
            except Unreadable:
                data = notemail.unreadable(mail)
            yield Record(id=mail.id, version=versions[mail.id], data=data)

    @property
    def _whole(self) -> Wanted:
        return notemail.wanted(self._ground.limits.record)

    async def part(self, id: ItemId, section: str) -> AsyncIterator[bytes]:
        async for record in self.fetch([id], None):
            assert isinstance(record, Record)
            yield record.data
            return
        raise ItemGone(str(id))

    async def by_uid(self, uid: str) -> ItemId | None:
        found: list[int] = []
        async with self._reach.selected() as (session, state):
            alike = await session.search(["HEADER", notemail.UID_FIELD, uid.encode("utf-8", "replace")])
            async for one in session.fetch(alike, (_UID_FIELDS,)):
                if notemail.uid_of(headers.parse(b"".join(one.sections.values())), 0) == uid:
                    found.append(one.uid)
        names = await self._ground.read(lambda c: rows.names(c, self._reach.number, state, uids=found))
        return next((id for number in sorted(found) if (id := names.id(number)) is not None), None)

    # -- writes

    async def mark(self) -> str:
        return await self._mail.mark()

    async def create(self, content: bytes, chosen: Chosen, flags: MailFlags | None = None) -> Written:
        self._check_size(content)
        user = self._account.user
        try:
            note = notemail.said(content)
            made = notemail.message(
                content, self._ground.now(), message_id=self._message_id(chosen.name),
                sender=headers.Address(user.name, user.address),
            )
        except Unreadable as error:
            raise NotAllowed(f"no note: {error}") from error
        written = await self._mail.create(made, chosen, MailFlags(read=True, categories=note.categories))
        return await self._told(written, note)

    async def update(
        self, id: ItemId, content: bytes, if_version: ItemVersion | None, flags: MailFlags | None = None
    ) -> Written:
        self._check_size(content)
        self._reach.require_edit()
        async with self._reach.lock(f"note {id}"):
            await self._finish(id)
            mail, version = await self._present(id)
            uid = _uid(version)
            try:
                note = notemail.said(content)
                before = notemail.said(notemail.journal(mail))
            except Unreadable as error:
                raise NotAllowed(f"the note cannot be read: {error}") from error
            if before.content == note.content and set(before.categories) == set(note.categories):
                return Written(id=id, version=version)  # also if it was this very write that was cut off
            if if_version is not None and version != if_version:
                raise VersionConflict(str(id))
            after = replace(mail.flags, categories=tuple(sorted(note.categories)))
            if before.content == note.content:
                return await self._told(await self._mail.set_flags(id, after, mail.version), note)
            made = await self._edited(mail, note, uid)
            return await self._told(await self._writer.replace(id, made, uid, mail.version, after), note)

    async def _edited(self, mail: Mail, note: notemail.Said, uid: int) -> bytes:
        """The message with the note in it: the same each time this edit is tried, but for its date."""
        raw = b"".join([piece async for piece in self._mail.part(mail.id, "")])
        known_by = notemail.uid_of(headers.parse(mail.header), mail.id)
        message_id = self._message_id(f"{known_by} {uid} {note.content!r}")
        try:
            return notemail.edited(raw, note, self._ground.now(), message_id=message_id, uid=known_by)
        except Unreadable as error:
            raise NotAllowed(f"the note cannot be changed: {error}") from error

    async def _finish(self, id: ItemId) -> None:
        """An edit of this note that was cut off."""
        if not (await self._reach.state()).open:
            return
        async with self._reach.selected() as (session, _):
            await puts.finish_of(self._reach, session, id)

    async def _present(self, id: ItemId) -> tuple[Mail, ItemVersion]:
        """Raises ItemGone."""
        async for mail in self._mail.fetch([id], self._whole):
            if isinstance(mail, Mail):
                return mail, (await self._versions({id: mail.version}))[id]
        raise ItemGone(str(id))

    async def _told(self, written: Written, note: notemail.Said) -> Written:
        """As the note says it. Text stays what it is; of a list of categories the order does not."""
        versions = await self._versions({written.id: written.version})
        return Written(id=written.id, version=versions[written.id], same=written.same)

    async def set_flags(self, id: ItemId, flags: MailFlags, if_version: ItemVersion | None = None) -> Written:
        raise NotAllowed("a note has no flags")

    async def delete(self, id: ItemId, if_version: ItemVersion | None = None) -> None:
        if if_version is None:
            return await self._mail.delete(id)
        versions = (await self._mail.look([id], _ALWAYS)).versions
        if id not in versions:
            raise ItemGone(str(id))
        if (await self._versions(versions))[id] != if_version:
            raise VersionConflict(str(id))
        return await self._mail.delete(id, versions[id])

    async def move(self, id: ItemId, to: CollectionId, chosen: Chosen) -> Written:
        written = await self._mail.move(id, to, chosen)
        return replace(written, version=(await self._versions({written.id: written.version}))[written.id])

    def _check_size(self, content: bytes) -> None:
        if len(content) > self._ground.limits.record:
            raise TooLarge(f"{len(content)} octets")

    def _message_id(self, text: str) -> str:
        named = blake2b(f"{self._account.user.id} {text}".encode("utf-8", "replace"), digest_size=16).hexdigest()
        return f"<{named}.note@{self._account.domain or 'localhost'}>"


def _version(uid: int | None, of_mail: ItemVersion) -> ItemVersion:
    found = _CATEGORIES.search(of_mail)
    return f"n{uid or 0}{found[0] if found else ''}"


def _uid(version: ItemVersion) -> int:
    return int(version[1:].partition(".")[0])
