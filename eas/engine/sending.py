"""Sending a message once, however often the device asks for it.

A submission is written down before anything is sent, under the device's ClientId and the digest of what it sent (up to
12.1 there is no ClientId: the digest alone). A second request for the same waits for the first and learns that it was
done. After a crash the same Message-ID is submitted again, which the outbox takes once; the copy in Sent Items goes by
the Message-ID too, and the mark on the original is idempotent. So a device that invents a new ClientId for each try is
served as well, as long as its message says who it is.

[MS-ASCMD] ClientId (SendMail), Common Status Codes 118; docs/design.md "Effects outside our database".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from enum import Enum, auto
from hashlib import blake2b

import structlog

from eas.items.compose import Fault, Outgoing
from eas.items.native import ItemId, MailFlags
from eas.protocol.statuses import CommonStatus

from .errors import BackendError, FolderGone, ItemGone, NotAllowed, Refusal, Unavailable, VersionConflict
from .flags import change_flags
from .model import Folder, FolderType
from .ports import Chosen, Intent, Owner
from .session import Session

log = structlog.get_logger("eas.sending")

#: The name under which submissions are kept; no folder has it.
OUTBOX = "outbox"

#: What an intent says once its message is on its way.
SENT = "sent"


#: What a failure is called in an answer. [MS-ASCMD] Common Status Codes
STATUS_OF_REFUSAL: Mapping[Refusal, CommonStatus] = {
    Refusal.NO_RECIPIENT: CommonStatus.MESSAGE_HAS_NO_RECIPIENT,
    Refusal.UNKNOWN_RECIPIENT: CommonStatus.MESSAGE_RECIPIENT_UNRESOLVED,
    Refusal.SENDER: CommonStatus.ACCESS_DENIED,
    Refusal.TOO_LARGE: CommonStatus.ATTACHMENT_IS_TOO_LARGE,
    Refusal.REJECTED: CommonStatus.MAIL_SUBMISSION_FAILED,
    Refusal.UNREACHABLE: CommonStatus.MAIL_SUBMISSION_FAILED,
}

STATUS_OF_FAULT: Mapping[Fault, CommonStatus] = {
    Fault.NO_RECIPIENT: CommonStatus.MESSAGE_HAS_NO_RECIPIENT,
    Fault.INVALID_MIME: CommonStatus.INVALID_MIME,
}


class Sending(Enum):
    DONE = auto()
    BEFORE = auto()  # it had been sent already


async def send_once(
    session: Session, *, verb: str, client_id: str, content: bytes, save: bool,
    build: Callable[[str], Awaitable[Outgoing]], after: Callable[[], Awaitable[None]] | None = None,
) -> Sending:
    """Send what `build` makes of a Message-ID, save a copy if asked, then do `after`.

    `content` identifies the request. Raises what `build` and the outbox raise: nothing was sent then, and the same
    request may be tried again.
    """
    digest = blake2b(content, digest_size=16).hexdigest()
    owner = Owner(user_id=session.user.id, device_id=session.device.id, collection_id=OUTBOX)
    async with session.leases.hold([f"{session.user.id}/{session.device.id}/{OUTBOX}/{client_id or digest}"]):
        intent = await session.store.intend(owner, Intent(
            verb=verb, client_id=client_id, server_id="", digest=digest, chosen=Chosen(name=session.entropy.key()),
        ))
        if intent.result == SENT:
            return Sending.BEFORE
        domain = session.user.address.rpartition("@")[2] or "localhost"
        outgoing = await build(f"<{intent.chosen.name}@{domain}>")
        await session.outbox.submit(outgoing)
        if save:
            await keep_copy(session, outgoing)
        if after is not None:
            await after()
        await session.store.settle(owner, intent, SENT)
    return Sending.DONE


async def keep_copy(session: Session, outgoing: Outgoing) -> None:
    """The message is on its way: that its copy could not be kept (no space, say) must not make the device send it
    again for ever."""
    name = f"sent{outgoing.identity[:32]}"
    for folder in await session.mailbox.folders():
        if folder.type is FolderType.SENT_ITEMS:
            try:
                await session.mailbox.feed(folder).create(outgoing.own_copy, Chosen(name=name), MailFlags(read=True))
            except Unavailable:
                raise
            except BackendError as error:
                log.warning("no copy of a sent message was kept", reason=type(error).__name__, detail=str(error))
            return


async def mark_answered(session: Session, folder: Folder, id: ItemId, verb: int) -> None:
    """Note on the original that it was replied to (1, 2) or forwarded (3). Where that cannot be (it is gone meanwhile,
    or in a folder that the user may only read) it is no matter."""
    at = session.clock.now().replace(microsecond=0)
    try:
        await change_flags(
            session.mailbox.feed(folder), id, lambda flags: replace(flags, last_verb=verb, last_verb_time=at)
        )
    except (ItemGone, FolderGone, NotAllowed, VersionConflict) as error:
        log.info("an original was not marked as answered", reason=type(error).__name__)
