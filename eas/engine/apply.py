"""The device's own commands of a Sync: Add, Change, Delete, Fetch, applied to the groupware.

Whatever is done is done once, however often the request comes: an Add has an intent, written down before the effect and
found again by its identity; a Change or Delete that was done before a crash is recognised by its result (conflict.DONE,
ItemGone). After a command, what the device is known to hold is what it said; where the server stored something else the
item is told apart and sent back later.

[MS-ASCMD] Add, Change, Delete, Fetch (Sync); Status (Sync); docs/design.md "Effects outside our database", "Echoes".
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from enum import IntEnum, StrEnum
from functools import partial
from hashlib import blake2b
from typing import Any, TypeVar

import structlog

from eas.items import calendar, email, enclosed, old_bodies
from eas.items.ghosting import kept_fields
from eas.items.native import ItemId, MailFlags, Record, Refused, Unreadable
from eas.protocol import schema, wbxml
from eas.protocol.version import SERVER_OWNS_MEETINGS
from eas.protocol.wbxml import Element

from . import conflict, drafts, errors, instances, notices
from .classes import EMAIL, RECORDS, RecordClass
from .flags import change_flags
from .ids import file_reference, parse_server_id, server_id
from .known import Known, StoredResult
from .meeting_effects import Command, MeetingEffects, former
from .model import Folder, FolderType, Right
from .moves import move_item
from .options import CollectionOptions
from .ports import Chosen, Feed, Intent, Owner, Written
from .render import DOUBTED, UNLIKE, Rendered, digest_part, render_record, unlike, version_part
from .session import Session

T = TypeVar("T")

log = structlog.get_logger("eas.apply")

#: A body comes back cut or in another type than it was sent in; that is no news to the device. What is attached is sent
#: as content and comes back as references, which the answer tells (from 16.0, as the UID).
NOT_COMPARED = frozenset({"body", "body_size", "body_truncated", "attachments", "client_uid"})

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
    """`named` is the ClientId of an Add, else the ServerId. `data` is None for Delete and Fetch. From 16.0 `instance`
    names one occurrence of a series as it was stated, and `send` asks to send a draft."""

    verb: Done
    named: str
    data: Element | None = None
    item_class: str | None = None
    instance: str | None = None
    send: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`status` is an ItemStatus or a common status. `instance` is that of the command. `content` is what the server
    made of the item and the device cannot know (from 16.0: the FileReferences of what it attached, a UID), as children
    of ApplicationData; with it, a Change is answered although it succeeded."""

    verb: Done
    named: str
    status: int
    server_id: str = ""
    instance: str | None = None
    content: tuple[Element, ...] = ()

    def dump(self) -> StoredResult:
        """As it is kept with the generation that reports it."""
        told = (self.verb, self.named, self.server_id, int(self.status))
        if self.instance is None and not self.content:
            return told
        content = wbxml.encode(Element("AirSync:ApplicationData", self.content)) if self.content else b""
        return (*told, self.instance, b64encode(content).decode())

    @classmethod
    def load(cls, stored: StoredResult) -> Result:
        verb, named, server, status, *rest = stored
        instance, content = rest or (None, "")
        return cls(
            verb=Done(str(verb)), named=str(named), server_id=str(server), status=int(status or 0),
            instance=None if instance is None else str(instance),
            content=wbxml.decode(b64decode(str(content))).elements if content else (),
        )


@dataclass(slots=True, kw_only=True)
class Applied:
    """What the commands came to. `known` are the changes to what the device holds; `altered` are items that the server
    stored otherwise than the device said, or kept against it. `added` are those that the device has just added: it
    learns their ids with this answer, so that it can be told of them only later. `settled` are intents by id."""

    results: list[Result] = field(default_factory=list)
    known: dict[ItemId, str | None] = field(default_factory=dict)
    altered: set[ItemId] = field(default_factory=set)
    added: set[ItemId] = field(default_factory=set)
    settled: dict[int, str] = field(default_factory=dict)


STATUS_OF: dict[type[Exception], ItemStatus] = {
    Refused: ItemStatus.CONVERSION,
    Unreadable: ItemStatus.CONVERSION,
    schema.SchemaError: ItemStatus.CONVERSION,
    calendar.NoOccurrence: ItemStatus.NOT_FOUND,
    errors.ItemGone: ItemStatus.NOT_FOUND,
    errors.VersionConflict: ItemStatus.CONFLICT,
    errors.NotAllowed: ItemStatus.CONVERSION,
    errors.TooLarge: ItemStatus.CONVERSION,
    errors.NoSpace: ItemStatus.NO_SPACE,
}


class Applier:
    """Applies the commands of one collection, in their order, on top of what the device holds."""

    def __init__(
        self, session: Session, folder: Folder, owner: Owner, known: Known, options: CollectionOptions,
        *, key: str, fresh: bool, deletes_as_moves: bool, proven: str = "",
    ) -> None:
        """`fresh`: the device has just begun anew with key 0, so that it may name an item differently that it had sent
        before; such an Add is recognised by its content alone. `proven`: the key whose answer the device has shown to
        have ("" for none). What was done under that key is done; the same command now is another one. `key` is that of
        the request."""
        self.session, self.folder, self.owner, self.options = session, folder, owner, options
        self.known, self.fresh, self.deletes_as_moves = known, fresh, deletes_as_moves
        self.feed: Feed = session.mailbox.feed(folder)
        self.key, self.proven = key, proven
        self.effects = MeetingEffects(
            session, owner, calendar=folder.item_class == instances.CALENDAR, scheduled=folder.schedules, proven=proven
        )
        self.applied = Applied()
        self._intents: list[Intent] | None = None

    async def run(self, commands: Sequence[DeviceCommand]) -> Applied:
        """Raises Unavailable if the groupware fails, FolderGone if the folder has just been deleted; what was done
        until then is found again at the next try."""
        handlers = {Done.ADD: self._add, Done.CHANGE: self._change, Done.DELETE: self._delete, Done.FETCH: self._fetch}
        for command in commands:
            try:
                result = await handlers[command.verb](self._spelled(command))
            except tuple(STATUS_OF) as error:
                status = next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)
                result = Result(verb=command.verb, named=command.named, status=status, instance=command.instance)
                self.refused(command)
                if isinstance(error, errors.NotAllowed) and self.folder.item_class != EMAIL:
                    named = self._id(command.named) if command.verb is not Done.ADD else None
                    await notices.say_not_kept(self.session, self.folder, command.named, command.data, named)
            self.applied.results.append(result)
        return self.applied

    def _spelled(self, command: DeviceCommand) -> DeviceCommand:
        """With notes as the later versions have them. Raises Refused."""
        if command.data is None or self.session.version not in old_bodies.OLD_BODIES:
            return command
        return replace(command, data=old_bodies.plain(command.data))

    def _id(self, text: str) -> ItemId | None:
        parsed = parse_server_id(text)
        return parsed[1] if parsed and parsed[0] == self.folder.id else None

    def held(self, id: ItemId) -> str | None:
        return self.applied.known[id] if id in self.applied.known else self.known.version(id)

    def refused(self, command: DeviceCommand) -> None:
        """The device's change was not kept: make sure that it hears what the item is like."""
        id = self._id(command.named) if command.verb in (Done.CHANGE, Done.DELETE) else None
        held = None if id is None else self.held(id)
        if id is not None and held is not None:
            # What the device deleted comes to it as new, what it changed as changed.
            gone = command.verb is Done.DELETE and not instances.concerns(self, command)
            self.applied.known[id] = None if gone else unlike(version_part(held) or "?")
            self.applied.altered.add(id)

    def converted(self, convert: Callable[[], T]) -> T:
        """Raises Refused and Unreadable. Whatever an item does to the mapping, the other commands go on."""
        try:
            return convert()
        except (Refused, Unreadable):
            raise
        except Exception as error:
            log.error("what a device sent could not be converted", folder=self.folder.id, exc_info=error)
            raise Refused(f"conversion failed ({type(error).__name__})") from error

    # -- Add

    async def _add(self, command: DeviceCommand) -> Result:
        if drafts.concerns(self.folder, self.session.version):
            saved = await drafts.add(self, command)
            return Result(
                verb=Done.ADD, named=command.named, status=saved.status, content=saved.content,
                server_id=server_id(self.folder.id, saved.id) if saved.id is not None else "",
            )
        kind = RECORDS.get(self.folder.item_class)
        if kind is None or command.data is None or self.folder.type is FolderType.RECIPIENT_CACHE:
            raise Refused("items of this class are not added by devices")
        if self.folder.right < Right.EDIT:
            raise errors.NotAllowed
        data = command.data
        item: Any = schema.load(kind.message, data, self.session.version)
        given = schema.stated(kind.message, data, self.session.version)
        intent = await self.intend(command)
        native = self.converted(lambda: kind.to_native(
            item, given, None, frozenset(), self.session.viewer, self.session.version, uid=intent.chosen.name
        ))
        told = _identity(command)
        notice, before = await self.effects.begin(told, None, native), None
        record = await self._added_before(intent)
        if record is None and (existing := await self._same_uid(item)) is not None:
            before = (await self._stored(existing)).data
            await self._write_change(kind, existing, command, client_wins=True)
            record, notice = await self._stored(existing), None
        if record is None:
            named = Chosen(name=intent.chosen.name + kind.suffix, note=intent.chosen.note)
            record = await self._after(await self.feed.create(native, named), native)
        self.applied.settled.update(await self.effects.finish(notice, before, record.data))
        current = self._looks_like(kind, record, native)
        self._holds(
            kind, record, lambda shown: self._as_said(kind, data, shown.content, given, True), current=current
        )
        self.applied.added.add(record.id)
        self.applied.settled[intent.id] = str(record.id)
        return Result(
            verb=Done.ADD, named=command.named, status=ItemStatus.SUCCESS,
            server_id=server_id(self.folder.id, record.id), content=self._told_of_new(kind, record, item),
        )

    def _told_of_new(self, kind: RecordClass, record: Record, item: Any) -> tuple[Element, ...]:
        """From 16.0: the UID that the server gave ([MS-ASCAL] R2223), and the references of what was attached."""
        version = self.session.version
        if kind.name != instances.CALENDAR or version not in SERVER_OWNS_MEETINGS:
            return ()
        shown = render_record(self.session, kind, record, self.options.wanted(), self.folder.id)
        uid = tuple(e for e in shown.content if e.tag == "Calendar:UID")
        return (*uid, *self.attached(record.id, enclosed.added(item.attachments)))

    def attached(self, id: ItemId, added: Sequence[tuple[str, str]]) -> tuple[Element, ...]:
        """The references of what a command attached, (ClientId, section). [MS-ASAIRS] R1082, R1336"""
        told = tuple(
            enclosed.Attached(client_id=client_id, file_reference=file_reference(self.folder.id, id, section))
            for client_id, section in added
        )
        return schema.content(enclosed.Told(attachments=told), self.session.version) if told else ()

    async def _added_before(self, intent: Intent) -> Record | None:
        """What this very command has added, if it was done before; None also if somebody deleted it since: then the
        device, which sends it still, gets it back."""
        try:
            return await self._stored(int(intent.result)) if intent.result else None
        except errors.ItemGone:
            return None

    async def _same_uid(self, item: Any) -> ItemId | None:
        """An appointment that the device adds may be here already, from an invitation or because it was added before:
        then it is an update of that."""
        if not isinstance(item, calendar.Appointment):
            return None
        uid = calendar.stated_uid(item, self.session.viewer, self.session.version)
        return await self.feed.by_uid(uid) if uid else None

    async def _after(self, written: Written, native: bytes) -> Record:
        if written.same:
            return Record(id=written.id, version=written.version, data=native)
        return await self._stored(written.id)

    async def intend(self, command: DeviceCommand) -> Intent:
        assert command.data is not None
        content = blake2b(wbxml.encode(command.data), digest_size=16).hexdigest()
        if self.fresh:
            if self._intents is None:
                self._intents = list(await self.session.store.intents(self.owner))
            for intent in self._intents:
                if intent.verb == Done.ADD and intent.digest == content:
                    self._intents.remove(intent)
                    return intent
        chosen = Chosen(name=self._name(command, content), note=await self.feed.mark())
        return await self.session.store.intend(
            self.owner,
            Intent(verb=Done.ADD, client_id=command.named, server_id="", digest=content, chosen=chosen),
            proven=self.proven,
        )

    def _name(self, command: DeviceCommand, content: str) -> str:
        """Nobody can guess it, since nobody can guess the key; and the same request would choose it again. So what it
        made is found on a server even if the intent was lost, when an older backup was put back."""
        said = "\n".join((*astuple(self.owner), self.key, command.named, content))
        return blake2b(said.encode(), digest_size=16).hexdigest()

    async def _stored(self, id: ItemId) -> Record:
        async for record in self.feed.fetch([id], None):
            assert isinstance(record, Record)
            return record
        raise errors.ItemGone

    def _holds(
        self, kind: RecordClass, record: Record, agrees: Callable[[Rendered], bool], *, current: bool
    ) -> None:
        """Note what the device holds after its own write. If it does not agree with what the device said, or (of a new
        item) something that it did not say is stored otherwise than it can know, the item is sent back; and so it is if
        the device was not `current`: what somebody else changed is in it, too."""
        stored = render_record(self.session, kind, record, self.options.wanted(), self.folder.id)
        if current and not stored.reason and agrees(stored):
            self.applied.known[record.id] = stored.version
        else:
            self.applied.known[record.id] = unlike(record.version)
            self.applied.altered.add(record.id)

    def _looks_like(self, kind: RecordClass, record: Record, native: bytes) -> bool:
        """Whether what is stored is, to this device, what it meant to store."""
        if record.data == native:
            return True
        wanted, collection = self.options.wanted(), self.folder.id
        meant = render_record(self.session, kind, replace(record, data=native), wanted, collection)
        return meant.version == render_record(self.session, kind, record, wanted, collection).version

    def _as_said(
        self, kind: RecordClass, data: Element, content: tuple[Element, ...], given: frozenset[str], new: bool
    ) -> bool:
        version = self.session.version
        said: Any = schema.load(kind.message, data, version)
        shown: Any = schema.load(kind.message, Element(data.tag, content), version)
        names = {f.name for f in fields(kind.message)} - kind.silent if new else given
        return all(getattr(said, name) == getattr(shown, name) for name in names - NOT_COMPARED)

    # -- Change

    async def _change(self, command: DeviceCommand) -> Result:
        id = self._id(command.named)
        if id is None or command.data is None:
            return Result(verb=Done.CHANGE, named=command.named, status=ItemStatus.NOT_FOUND)
        if self.folder.right < Right.EDIT:
            raise errors.NotAllowed
        content: tuple[Element, ...] = ()
        if self.folder.item_class == EMAIL:
            if (saved := await drafts.change(self, command, id)) is not None:
                return Result(
                    verb=Done.CHANGE, named=command.named, status=saved.status, content=saved.content
                )
            await self._change_mail(id, command.data)
        elif instances.concerns(self, command):
            content = await instances.change(self, command, id)
        else:
            content = await self._change_record(RECORDS[self.folder.item_class], id, command)
        return Result(
            verb=Done.CHANGE, named=command.named, status=ItemStatus.SUCCESS, instance=command.instance, content=content
        )

    async def _change_mail(self, id: ItemId, data: Element) -> None:
        version = self.session.version
        item, given = schema.load(email.Email, data, version), schema.stated(email.Email, data, version)

        def change(flags: MailFlags) -> MailFlags:
            return email.parse_change(item, given, flags)

        before, written = await change_flags(self.feed, id, change)
        if self.held(id) == before:
            self.applied.known[id] = written.version
        else:
            # Somebody else changed other flags, which the device is to hear of.
            self.applied.known[id] = unlike("?")
            self.applied.altered.add(id)

    async def _change_record(self, kind: RecordClass, id: ItemId, command: DeviceCommand) -> tuple[Element, ...]:
        await self._write_change(kind, id, command, client_wins=self.options.client_wins)
        if kind.name != instances.CALENDAR or command.data is None:
            return ()
        sent: calendar.Appointment = schema.load(calendar.Appointment, command.data, self.session.version)
        return self.attached(id, enclosed.added(sent.attachments))

    async def _write_change(
        self, kind: RecordClass, id: ItemId, command: DeviceCommand, *, client_wins: bool
    ) -> None:
        """Raises ItemGone, VersionConflict, Refused, Unreadable and what a write raises."""
        version, data = self.session.version, command.data
        assert data is not None
        item: Any = schema.load(kind.message, data, version)
        given = schema.stated(kind.message, data, version)
        supported = self.options.supported if kind.ghosted else None
        if kind.all_ghosted is not None and version in kind.all_ghosted:
            supported = ()
        kept = kept_fields(kind.message, supported, kind.always_kept, version)
        await self.rewrite(
            kind, id, command, lambda stored: self._convert_change(kind, item, given, stored, kept),
            lambda shown: self._as_said(kind, data, shown.content, given, False), client_wins=client_wins,
        )

    async def rewrite(
        self, kind: RecordClass, id: ItemId, command: DeviceCommand, convert: Callable[[Record], bytes],
        agrees: Callable[[Rendered], bool], *, client_wins: bool,
    ) -> None:
        """Replace what is stored by what `convert` makes of it, unless somebody else's change stands against that; and
        tell those whom a meeting concerns. `agrees`: whether the device knows how the result looks. Raises ItemGone,
        VersionConflict, Refused, Unreadable and what a write raises."""
        told = _identity(command)
        for _ in range(ATTEMPTS):
            stored = await self._stored(id)
            native = self.effects.restated(stored.data, self.converted(partial(convert, stored)))
            seen, current = self._seen(kind, stored)
            verdict = conflict.decide(seen, stored.version, stored.data, native, client_wins)
            if verdict is conflict.Outcome.REFUSED:
                raise errors.VersionConflict
            if verdict is conflict.Outcome.WRITE:
                notice, before = await self.effects.begin(told, stored.data, native), stored.data
                try:
                    stored = await self._after(await self.feed.update(id, native, stored.version), native)
                except errors.VersionConflict:
                    continue
                current = current and self._looks_like(kind, stored, native)
                self.applied.settled.update(await self.effects.finish(notice, before, stored.data))
            elif (notice := await self.effects.begun(told, stored.data)) is not None:
                self.applied.settled.update(await self.effects.finish(notice, former(notice), stored.data))
            return self._holds(kind, stored, agrees, current=current)
        raise errors.VersionConflict

    def _convert_change(
        self, kind: RecordClass, item: Any, given: frozenset[str], stored: Record, kept: frozenset[str]
    ) -> bytes:
        if self.session.version in old_bodies.OLD_BODIES and item.body is not None:
            shown = kind.from_native(stored.data, self.options.wanted(), self.session.viewer, self.session.version)
            if old_bodies.is_what_was_cut(item.body, shown.body):
                given -= {"body"}
        return kind.to_native(
            item, given, stored.data, kept, self.session.viewer, self.session.version, uid=self.session.entropy.key()
        )

    def _seen(self, kind: RecordClass, stored: Record) -> tuple[str | None, bool]:
        """The version that the device's form descends from (None: it has none), and whether it knows all that is
        stored.

        What was changed in nothing that it sees was no change."""
        held = self.held(stored.id)
        if held is None:
            return None, False
        if version_part(held) == stored.version:
            return stored.version, digest_part(held) not in (UNLIKE, DOUBTED)
        shown = render_record(self.session, kind, stored, self.options.wanted(), self.folder.id)
        same = digest_part(held) == digest_part(shown.version)
        return (stored.version if same else version_part(held)), same

    # -- Delete, Fetch

    async def _delete(self, command: DeviceCommand) -> Result:
        id = self._id(command.named)
        if id is None:
            return Result(verb=Done.DELETE, named=command.named, status=ItemStatus.NOT_FOUND)
        if self.folder.right < Right.EDIT:
            raise errors.NotAllowed
        if instances.concerns(self, command):
            await instances.delete(self, command, id)
            return Result(
                verb=Done.DELETE, named=command.named, status=ItemStatus.SUCCESS, instance=command.instance
            )
        try:
            await self._remove_told(id, command)
        except errors.ItemGone:
            if self.held(id) is None:
                return Result(verb=Done.DELETE, named=command.named, status=ItemStatus.NOT_FOUND)
        self.applied.known[id] = None
        return Result(verb=Done.DELETE, named=command.named, status=ItemStatus.SUCCESS)

    async def _remove_told(self, id: ItemId, command: DeviceCommand) -> None:
        """Remove an item; those whom a meeting concerns are told, also if it is gone since an earlier try."""
        if not self.effects.active:
            await self._remove(id)
            return
        told = _identity(command)
        try:
            before: bytes | None = (await self._stored(id)).data
        except errors.ItemGone:
            notice = await self.effects.begun(told, None)
            if notice is not None:
                self.applied.settled.update(await self.effects.finish(notice, former(notice), None))
            raise
        notice = await self.effects.begin(told, before, None)
        await self._remove(id)
        self.applied.settled.update(await self.effects.finish(notice, before, None))

    async def _remove(self, id: ItemId) -> None:
        """Mail goes to Deleted Items unless the device says otherwise or it lies there. [MS-ASCMD] DeletesAsMoves."""
        moves = self.deletes_as_moves and self.folder.item_class == EMAIL
        if moves and self.folder.type is not FolderType.DELETED_ITEMS:
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


def _identity(command: DeviceCommand) -> Command:
    adds = command.verb is Done.ADD
    return Command(
        verb=command.verb, client_id=command.named if adds else "", server_id="" if adds else command.named,
        instance=command.instance or "", data=command.data,
    )
