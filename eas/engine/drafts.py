"""Drafts of 16.0 and later: Add and Change of a Sync in a folder of mail, and Send, which mails the draft once.

A draft is saved before it is sent, under the Message-ID that it has had since it was begun: a crash at any point leads
to the same message, which the outbox takes once, and the draft goes only when its message is on its way. What a command
attaches is marked with the name of its intent, so that a repeat finds it there.

[MS-ASEMAIL] Sync Command Request R1489-R14900, Send R1384-R1389; [MS-ASCMD] Common Status Codes 183 R7472;
docs/design.md "Effects outside our database".
"""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from eas.items import conversation, draft, email, headers, mime
from eas.items.compose import ComposeError, Outgoing, prepare
from eas.items.enclosed import Attach
from eas.items.native import ItemId, Mail, MailFlags, Refused
from eas.protocol import schema, wbxml
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import DRAFTS, Version
from eas.protocol.wbxml import Element

from . import conflict
from .errors import ItemGone, NotAllowed, Undeliverable, VersionConflict
from .flags import content_mark
from .model import Folder, FolderType, Right
from .ports import Chosen, Intent
from .render import unlike
from .sending import SENT, STATUS_OF_FAULT, STATUS_OF_REFUSAL, keep_copy

if TYPE_CHECKING:
    from .apply import Applier, DeviceCommand

#: How often a conditional write is tried again when somebody else keeps changing the draft.
ATTEMPTS = 4
#: Intents of a Change: of one that attaches, and of one that sends.
ATTACH, SEND = "Attach", "Send"
SUCCESS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """`status` as a Result has it. `id` None: there is no draft (any more). `content` is what the answer tells."""

    status: int = SUCCESS
    id: ItemId | None = None
    content: tuple[Element, ...] = ()


def concerns(folder: Folder, version: Version) -> bool:
    """Whether what a device adds here is a draft."""
    return folder.type is FolderType.DRAFTS and version in DRAFTS


async def add(applier: Applier, command: DeviceCommand) -> Saved:
    """Save a new draft, or send it at once. Raises what an Add raises."""
    if command.data is None:
        raise Refused("a draft without ApplicationData")
    if applier.folder.right < Right.EDIT:
        raise NotAllowed
    item, given = _said(applier, command.data)
    draft.check(item, given)
    intent = await applier.intend(command)
    if intent.result == SENT:
        applier.applied.settled[intent.id] = SENT
        return Saved()
    session, name = applier.session, intent.chosen.name
    made = applier.converted(
        lambda: draft.compose(item, given, session.viewer, message_id=_message_id(applier, name), mark=name)
    )
    if command.send:
        return await _send(applier, command, intent, made.mime)
    flags = _flags(item, given, MailFlags(read=True))
    written = await applier.feed.create(made.mime, Chosen(name=name, note=intent.chosen.note), flags)
    _holds(applier, written.id, written.version, current=written.same)
    applier.applied.added.add(written.id)
    applier.applied.settled[intent.id] = str(written.id)
    content = (*_conversation(applier, made.mime), *_attached(applier, written.id, made))
    return Saved(id=written.id, content=content)


async def change(applier: Applier, command: DeviceCommand, id: ItemId) -> Saved | None:
    """Change a draft, and send it if asked. None for what is no draft, and where only what any message has is changed.
    Raises what a Change raises."""
    assert command.data is not None
    item, given = _said(applier, command.data)
    if applier.session.version not in DRAFTS or (given <= email.STATES and not command.send):
        return None
    attaches = any(isinstance(one, Attach) for one in item.attachments)
    intent = await _intend(applier, command, SEND if command.send else ATTACH) if attaches or command.send else None
    async with AsyncExitStack() as held:
        if command.send:
            # Two devices of the user may send one draft at the same time.
            await held.enter_async_context(
                applier.session.leases.hold([f"{applier.session.user.id}/draft/{command.named}"])
            )
        if intent is not None and intent.result == SENT:
            await _remove(applier, id)
            applier.applied.settled[intent.id] = SENT
            return Saved()
        if not await _is_draft(applier, id):
            if command.send:
                raise Refused("only drafts are sent")
            return None
        made = await _changed(applier, id, item, given, intent.chosen.name if intent else "")
        if command.send and intent is not None:
            return await _send(applier, command, intent, made.mime, id)
    if intent is not None:
        applier.applied.settled[intent.id] = str(id)
    return Saved(id=id, content=_attached(applier, id, made))


def _said(applier: Applier, data: Element) -> tuple[email.Email, frozenset[str]]:
    version = applier.session.version
    return schema.load(email.Email, data, version), schema.stated(email.Email, data, version)


async def _intend(applier: Applier, command: DeviceCommand, verb: str) -> Intent:
    assert command.data is not None
    digest = blake2b(wbxml.encode(command.data), digest_size=16).hexdigest()
    intent = Intent(
        verb=verb, client_id="", server_id=command.named, digest=digest,
        chosen=Chosen(name=applier.session.entropy.key()),
    )
    return await applier.session.store.intend(applier.owner, intent, proven=applier.proven)


def _message_id(applier: Applier, name: str) -> str:
    return f"<{name}@{applier.session.user.address.rpartition('@')[2] or 'localhost'}>"


def _flags(item: email.Email, given: frozenset[str], flags: MailFlags) -> MailFlags:
    """Raises Refused."""
    return replace(email.parse_change(item, given & email.STATES, flags), draft=True)


async def _is_draft(applier: Applier, id: ItemId) -> bool:
    """Raises ItemGone."""
    return (await _load(applier, id)).flags.draft


async def _load(applier: Applier, id: ItemId) -> Mail:
    async for mail in applier.feed.fetch([id], None):
        assert isinstance(mail, Mail)
        return mail
    raise ItemGone(str(id))


async def _changed(
    applier: Applier, id: ItemId, item: email.Email, given: frozenset[str], mark: str
) -> draft.Drafted:
    """Save the draft as the device says. Raises ItemGone, VersionConflict, Refused, Unreadable and what a write
    raises."""
    draft.check(item, given)
    held = applier.held(id)
    for _ in range(ATTEMPTS):
        mail = await _load(applier, id)
        raw = b"".join([piece async for piece in applier.feed.part(id, "")])
        made = applier.converted(lambda raw=raw: draft.change(raw, item, given, mark=mark))  # type: ignore[misc]
        seen, stored = content_mark(held or "?~?"), content_mark(mail.version)
        verdict = conflict.decide(seen, stored, raw, made.mime, applier.options.client_wins)
        if verdict is conflict.Outcome.REFUSED:
            raise VersionConflict(str(id))
        try:
            written = await applier.feed.update(id, made.mime, mail.version, _flags(item, given, mail.flags))
        except VersionConflict:
            continue
        _holds(applier, id, written.version, current=held == mail.version)
        return made
    raise VersionConflict(str(id))


def _holds(applier: Applier, id: ItemId, version: str, *, current: bool) -> None:
    """Note what the device holds; what it does not know it is told."""
    applier.applied.known[id] = version if current else unlike("?")
    if not current:
        applier.applied.altered.add(id)


def _conversation(applier: Applier, raw: bytes) -> tuple[Element, ...]:
    """[MS-ASEMAIL] ConversationId R1184, R11850; ConversationIndex R1190, R11910."""
    fields = headers.parse(raw[: mime.header_end(raw)])
    known = conversation.conversation_of(fields, applier.session.clock.now())
    told = email.Email(conversation_id=known.id, conversation_index=known.index)
    return schema.content(told, applier.session.version)


def _attached(applier: Applier, id: ItemId, made: draft.Drafted) -> tuple[Element, ...]:
    """[MS-ASAIRS] ClientId R1336, FileReference (Attachment) R1368, R1001000."""
    return applier.attached(id, [(client_id, draft.reference(part)) for client_id, part in made.added])


async def _send(
    applier: Applier, command: DeviceCommand, intent: Intent, raw: bytes, id: ItemId | None = None
) -> Saved:
    session = applier.session
    try:
        outgoing = _outgoing(applier, raw, intent)
        if outgoing is None:
            raise _Invalid
        await session.outbox.submit(outgoing)
    except (_Invalid, ComposeError, Undeliverable) as error:
        applier.refused(command)
        return Saved(status=_status(error))
    await keep_copy(session, outgoing)
    await session.store.settle(applier.owner, intent, SENT)
    applier.applied.settled[intent.id] = SENT
    if id is not None:
        await _remove(applier, id)
    return Saved()


class _Invalid(Exception):
    """A recipient is no SMTP address, or there is none."""


def _outgoing(applier: Applier, raw: bytes, intent: Intent) -> Outgoing | None:
    """None if a recipient is no address. Raises ComposeError."""
    if draft.unfit_addresses(raw):
        return None
    message_id = _message_id(applier, intent.chosen.name)
    return prepare(draft.without_date(raw), applier.session.viewer, message_id=message_id)


def _status(error: Exception) -> int:
    if isinstance(error, Undeliverable):
        status = STATUS_OF_REFUSAL[error.reason]
    elif isinstance(error, ComposeError):
        status = STATUS_OF_FAULT[error.kind]
    else:
        status = CommonStatus.INVALID_RECIPIENTS
    # Of a draft without recipients the versions that have drafts say more.
    return CommonStatus.INVALID_RECIPIENTS if status is CommonStatus.MESSAGE_HAS_NO_RECIPIENT else status


async def _remove(applier: Applier, id: ItemId) -> None:
    """The draft has become a message. The device that sent it is told of its end, as the others are."""
    with suppress(ItemGone):
        await applier.feed.delete(id)
    applier.applied.altered.add(id)

