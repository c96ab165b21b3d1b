"""The device's own commands of a Sync: Add, Change, Delete, Fetch, applied to the groupware.

Whatever is done is done once, however often the request comes: an Add has an intent, written down before the effect and
found again by its identity; a Change or Delete that was done before a crash is recognised by its result (conflict.DONE,
ItemGone). After a command, what the device is known to hold is what it said; where the server stored something else the
item is told apart and sent back later.

[MS-ASCMD] Add, Change, Delete, Fetch (Sync); Status (Sync); docs/design.md "Effects outside our database", "Echoes".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum, StrEnum
from hashlib import blake2b
from typing import Any

from eas.items import email
from eas.items.ghosting import kept_fields
from eas.items.native import ItemId, Mail, Record, Refused, Unreadable
from eas.protocol import schema, wbxml
from eas.protocol.wbxml import Element

from . import conflict, errors
from .classes import EMAIL, RECORDS, RecordClass
from .ids import parse_server_id, server_id
from .known import Known
from .model import Folder, FolderType, Right
from .options import CollectionOptions
from .ports import Chosen, Feed, Intent, Owner, Written
from .render import render_record, version_part
from .session import Session

#: What a device is said to hold of an item that it must hear of again: equal to no version that a backend gives.
UNLIKE = "? -"

#: A body comes back cut or in another type than it was sent in; that is no news to the device.
NOT_COMPARED = frozenset({"body"})

#: How often a conditional write is tried again when somebody else keeps changing the item.
ATTEMPTS = 4


class ItemStatus(IntEnum):
    """[MS-ASCMD] Status (Sync), of one item."""

    SUCCESS = 1
    SERVER_ERROR = 5
    CONVERSION = 6
    CONFLICT = 7
    NOT_FOUND = 8
    NO_SPACE = 9


class Done(StrEnum):
    """Verbs of the device's commands, as the answers name them."""

    ADD = "Add"
    CHANGE = "Change"
    DELETE = "Delete"
    FETCH = "Fetch"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCommand:
    """`named` is the ClientId of an Add, else the ServerId. `data` is None for Delete and Fetch."""

    verb: Done
    named: str
    data: Element | None = None
    item_class: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    verb: Done
    named: str
    status: ItemStatus
    server_id: str = ""


@dataclass(slots=True, kw_only=True)
class Applied:
    """What the commands came to. `known` are the changes to what the device holds; `altered` are items that the server
    stored otherwise than the device said, or kept against it; `later` are such of them that the device has just added:
    it learns their ids with this answer. `settled` are intents by id."""

    results: list[Result] = field(default_factory=list)
    known: dict[ItemId, str | None] = field(default_factory=dict)
    altered: set[ItemId] = field(default_factory=set)
    later: set[ItemId] = field(default_factory=set)
    settled: dict[int, str] = field(default_factory=dict)


STATUS_OF: dict[type[Exception], ItemStatus] = {
    Refused: ItemStatus.CONVERSION,
    Unreadable: ItemStatus.CONVERSION,
    schema.SchemaError: ItemStatus.CONVERSION,
    errors.ItemGone: ItemStatus.NOT_FOUND,
    errors.FolderGone: ItemStatus.NOT_FOUND,
    errors.VersionConflict: ItemStatus.CONFLICT,
    errors.NotAllowed: ItemStatus.CONVERSION,
    errors.TooLarge: ItemStatus.CONVERSION,
    errors.NoSpace: ItemStatus.NO_SPACE,
}


class Applier:
    """Applies the commands of one collection, in their order, on top of what the device holds."""

    def __init__(
        self, session: Session, folder: Folder, owner: Owner, known: Known, options: CollectionOptions,
        *, fresh: bool, deletes_as_moves: bool,
    ) -> None:
        """`fresh`: the device has just begun anew with key 0, so that it may name an item differently that it had sent
        before; such an Add is recognised by its content alone."""
        self.session, self.folder, self.owner, self.options = session, folder, owner, options
        self.known, self.fresh, self.deletes_as_moves = known, fresh, deletes_as_moves
        self.feed: Feed = session.mailbox.feed(folder)
        self.applied = Applied()
        self._intents: list[Intent] | None = None

    async def run(self, commands: Sequence[DeviceCommand]) -> Applied:
        """Raises Unavailable if the groupware fails; what was done until then is found again at the next try."""
        handlers = {Done.ADD: self._add, Done.CHANGE: self._change, Done.DELETE: self._delete, Done.FETCH: self._fetch}
        for command in commands:
            try:
                result = await handlers[command.verb](command)
            except tuple(STATUS_OF) as error:
                status = next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)
                result = Result(verb=command.verb, named=command.named, status=status)
                self._refused(command)
            self.applied.results.append(result)
        return self.applied

    def _id(self, text: str) -> ItemId | None:
        parsed = parse_server_id(text)
        return parsed[1] if parsed and parsed[0] == self.folder.id else None

    def _held(self, id: ItemId) -> str | None:
        return self.applied.known[id] if id in self.applied.known else self.known.version(id)

    def _refused(self, command: DeviceCommand) -> None:
        """The device's change was not kept: make sure that it hears what the item is like."""
        id = self._id(command.named) if command.verb in (Done.CHANGE, Done.DELETE) else None
        if id is not None and self._held(id) is not None:
            # What the device deleted comes to it as new, what it changed as changed.
            self.applied.known[id] = None if command.verb is Done.DELETE else UNLIKE
            self.applied.altered.add(id)

    # -- Add

    async def _add(self, command: DeviceCommand) -> Result:
        kind = RECORDS.get(self.folder.item_class)
        if kind is None or command.data is None or self.folder.type is FolderType.RECIPIENT_CACHE:
            raise Refused("items of this class are not added by devices")
        if self.folder.right < Right.EDIT:
            raise errors.NotAllowed
        intent = await self._intend(command)
        item: Any = schema.load(kind.message, command.data, self.session.version)
        given = schema.stated(kind.message, command.data, self.session.version)
        native = kind.to_native(
            item, given, None, frozenset(), self.session.viewer, self.session.version, uid=intent.chosen.name
        )
        if intent.result:
            record = await self._stored(int(intent.result))
        elif (existing := await self._same_uid(getattr(item, "uid", None))) is not None:
            await self._change_record(kind, existing, command.data)
            record = await self._stored(existing)
        else:
            named = Chosen(name=intent.chosen.name + kind.suffix, note=intent.chosen.note)
            record = await self._after(await self.feed.create(native, named), native)
        self._holds(kind, record, command.data, given, new=True)
        self.applied.settled[intent.id] = str(record.id)
        return Result(
            verb=Done.ADD, named=command.named, status=ItemStatus.SUCCESS,
            server_id=server_id(self.folder.id, record.id),
        )

    async def _same_uid(self, uid: str | None) -> ItemId | None:
        """An appointment that the device adds may be here already, from an invitation: then it is an update of that."""
        return await self.feed.by_uid(uid) if uid and self.folder.item_class == "Calendar" else None

    async def _after(self, written: Written, native: bytes) -> Record:
        if written.same:
            return Record(id=written.id, version=written.version, data=native)
        return await self._stored(written.id)

    async def _intend(self, command: DeviceCommand) -> Intent:
        assert command.data is not None
        content = blake2b(wbxml.encode(command.data), digest_size=16).hexdigest()
        if self.fresh:
            if self._intents is None:
                self._intents = list(await self.session.store.intents(self.owner))
            for intent in self._intents:
                if intent.verb == Done.ADD and intent.digest == content:
                    self._intents.remove(intent)
                    return intent
        chosen = Chosen(name=self.session.entropy.key(), note=await self.feed.mark())
        return await self.session.store.intend(
            self.owner,
            Intent(verb=Done.ADD, client_id=command.named, server_id="", digest=content, chosen=chosen),
        )

    async def _stored(self, id: ItemId) -> Record:
        async for record in self.feed.fetch([id], None):
            assert isinstance(record, Record)
            return record
        raise errors.ItemGone

    def _holds(self, kind: RecordClass, record: Record, data: Element, given: frozenset[str], *, new: bool) -> None:
        """Note what the device holds after its own write. If something that it said, or (of a new item) something that
        it did not say, is stored otherwise than it can know, the item is sent back later."""
        version = self.session.version
        stored = render_record(self.session, kind, record, self.options.wanted())
        said: Any = schema.load(kind.message, data, version)
        shown: Any = schema.load(kind.message, Element(data.tag, stored.content), version)
        names = {f.name for f in fields(kind.message)} - kind.silent if new else given
        if stored.reason or any(getattr(said, name) != getattr(shown, name) for name in names - NOT_COMPARED):
            self.applied.known[record.id] = UNLIKE
            (self.applied.later if new else self.applied.altered).add(record.id)
        else:
            self.applied.known[record.id] = stored.version

    # -- Change

    async def _change(self, command: DeviceCommand) -> Result:
        id = self._id(command.named)
        if id is None or command.data is None:
            return Result(verb=Done.CHANGE, named=command.named, status=ItemStatus.NOT_FOUND)
        if self.folder.right < Right.EDIT:
            raise errors.NotAllowed
        if self.folder.item_class == EMAIL:
            status = await self._change_mail(id, command.data)
        else:
            status = await self._change_record(RECORDS[self.folder.item_class], id, command.data)
        return Result(verb=Done.CHANGE, named=command.named, status=status)

    async def _change_mail(self, id: ItemId, data: Element) -> ItemStatus:
        version = self.session.version
        async for mail in self.feed.fetch([id], None):
            assert isinstance(mail, Mail)
            flags = email.parse_change(
                schema.load(email.Email, data, version), schema.stated(email.Email, data, version), mail.flags
            )
            written = await self.feed.set_flags(id, flags)
            self.applied.known[id] = written.version
            return ItemStatus.SUCCESS
        return ItemStatus.NOT_FOUND

    async def _change_record(self, kind: RecordClass, id: ItemId, data: Element) -> ItemStatus:
        version = self.session.version
        item: Any = schema.load(kind.message, data, version)
        given = schema.stated(kind.message, data, version)
        supported = self.options.supported if kind.ghosted else None
        kept = kept_fields(kind.message, supported, kind.always_kept, version)
        held = self._held(id)
        for _ in range(ATTEMPTS):
            stored = await self._stored(id)
            native = kind.to_native(
                item, given, stored.data, kept, self.session.viewer, version, uid=self.session.entropy.key()
            )
            verdict = conflict.decide(
                version_part(held) if held else None, stored.version, stored.data, native, self.options.client_wins
            )
            if verdict is conflict.Outcome.REFUSED:
                raise errors.VersionConflict
            if verdict is conflict.Outcome.WRITE:
                try:
                    stored = await self._after(await self.feed.update(id, native, stored.version), native)
                except errors.VersionConflict:
                    continue
            self._holds(kind, stored, data, given, new=False)
            return ItemStatus.SUCCESS
        raise errors.VersionConflict

    # -- Delete, Fetch

    async def _delete(self, command: DeviceCommand) -> Result:
        id = self._id(command.named)
        if id is None:
            return Result(verb=Done.DELETE, named=command.named, status=ItemStatus.NOT_FOUND)
        if self.folder.right < Right.EDIT:
            raise errors.NotAllowed
        try:
            await self._remove(id)
        except errors.ItemGone:
            if self._held(id) is None:
                return Result(verb=Done.DELETE, named=command.named, status=ItemStatus.NOT_FOUND)
        self.applied.known[id] = None
        return Result(verb=Done.DELETE, named=command.named, status=ItemStatus.SUCCESS)

    async def _remove(self, id: ItemId) -> None:
        """Mail goes to Deleted Items unless the device says otherwise or it lies there. [MS-ASCMD] DeletesAsMoves."""
        if self.deletes_as_moves and self.folder.item_class == EMAIL:
            if self.folder.type is not FolderType.DELETED_ITEMS:
                for other in await self.session.mailbox.folders():
                    if other.type is FolderType.DELETED_ITEMS:
                        await move_item(self.session, self.folder, id, other)
                        return
        await self.feed.delete(id)

    async def _fetch(self, command: DeviceCommand) -> Result:
        """Only says whether the item is there; the answer is rendered with the other items."""
        id = self._id(command.named)
        if id is not None and self.folder.item_class == EMAIL:
            async for _ in self.feed.fetch([id], None):
                return Result(
                    verb=Done.FETCH, named=command.named, status=ItemStatus.SUCCESS, server_id=command.named
                )
        return Result(verb=Done.FETCH, named=command.named, status=ItemStatus.NOT_FOUND)


async def move_item(session: Session, folder: Folder, id: ItemId, to: Folder) -> ItemId:
    """Move one item; after a crash, or when the same move is asked for again, the same destination id.

    Raises ItemGone, FolderGone, NotAllowed.
    """
    owner = Owner(user_id=session.user.id, device_id=session.device.id, collection_id=folder.id)
    named = server_id(folder.id, id)
    chosen = Chosen(name=session.entropy.key(), note=await session.mailbox.feed(to).mark())
    intent = await session.store.intend(
        owner, Intent(verb="Move", client_id="", server_id=named, digest=to.id, chosen=chosen)
    )
    if intent.result:
        return int(intent.result)
    written = await session.mailbox.feed(folder).move(id, to.id, intent.chosen)
    await session.store.settle(owner, intent, str(written.id))
    return written.id
