"""Putting a message into mailboxes here: once each, however often it comes.

What follows from a message that has arrived (answers to invitations entered, automatic replies sent) comes after its
commit and never undoes it. That it is owed for a message about a meeting is written down with the message: if the
process dies in between, the delivery that comes again goes on from there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from hashlib import sha256

import structlog
from sqlalchemy import delete, insert, select

from eas.engine.errors import BackendError, FolderGone, NoSpace, Unavailable
from eas.engine.model import FolderType
from eas.items import headers
from eas.items.native import ItemId, MailFlags

from . import items
from .codec import millis
from .conversations import redirected
from .feed import prepared_message
from .filtering import Destined, destined
from .groupware import Groupware, Writing
from .prepare import Prepared
from .tables import DeliveredRow, FolderRow

log = structlog.get_logger("eas.delivery")

#: Octets written in one transaction when many get the same message: others wait for it on SQLite.
_AT_ONCE = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A message that has come to somebody: into the inbox, where its conversation always goes, or where filters put it.
    `sender` is that of the envelope, "" for the null sender. `item` None: it came earlier, and what follows is still
    owed; or (`folder` 0) a filter has dropped it. `forward` are the addresses to which filters send it on."""

    user_id: str
    folder: int
    item: ItemId | None
    sender: str
    prepared: Prepared
    forward: tuple[str, ...] = ()

    @property
    def dropped(self) -> bool:
        return not self.folder


#: What follows from an arrival. What it raises is noted, and no more, but for Unavailable: then it is still owed.
Follow = Callable[[Arrived], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """By user: what went wrong. Whoever is not there has the message, now or from an earlier time."""

    failed: dict[str, BackendError] = field(default_factory=dict)
    arrived: list[Arrived] = field(default_factory=list)


#: So long after it was put there somebody is thought to be still forwarding a message; after that whoever did has died.
_UNDER_WAY = timedelta(seconds=60)
#: What tells messages apart beside their body; trace fields differ each time one comes, and Date where it was added.
_TELLING = (b"from", b"to", b"cc", b"subject")


def delivery_key(prepared: Prepared) -> str:
    """The same for each delivery of one message to one user. Another message under a Message-ID that was used before is
    not the same: it must not be dropped."""
    fields = headers.parse(prepared.header)
    names = _TELLING if prepared.message_id else (*_TELLING, b"date")
    told = ((prepared.message_id or "").encode(), *(fields.get(name, b"") for name in names))
    mark = sha256(b"\0".join(told))
    mark.update(memoryview(prepared.octets)[len(prepared.header):])
    return mark.hexdigest()


async def deliver(
    groupware: Groupware, sender: str, users: Collection[str], raw: bytes, follow: Sequence[Follow] = (),
    flags: MailFlags | None = None,
) -> Outcome:
    """Raises Unavailable; a repeat then goes on where it ended."""
    prepared = await prepared_message(raw, groupware.now())
    key = delivery_key(prepared)
    outcome = Outcome()
    waiting = list(users)
    size = max(1, _AT_ONCE // max(1, len(raw)))
    for at in range(0, len(waiting), size):
        batch = waiting[at : at + size]
        some = await groupware.write(
            partial(_batch, sender=sender, users=batch, key=key, prepared=prepared, flags=flags)
        )
        outcome.failed |= some.failed
        outcome.arrived += some.arrived
    for arrived in outcome.arrived:
        for step in follow:
            if (error := await _carefully(step, arrived)) is not None and arrived.forward:
                # Whoever brought the message brings it again: it is there already, but not sent on.
                outcome.failed[arrived.user_id] = error
    done = [one.user_id for one in outcome.arrived if _owes(one) and one.user_id not in outcome.failed]
    if done:
        await groupware.write(partial(_paid, users=done, key=key))
    return outcome


def _batch(
    tx: Writing, sender: str, users: Sequence[str], key: str, prepared: Prepared, flags: MailFlags | None
) -> Outcome:
    outcome = Outcome()
    inboxes = _inboxes(tx, users)
    into = {user_id: Destined(folders={inbox: flags}) for user_id, inbox in inboxes.items()}
    filtered = destined(tx, inboxes, prepared, flags)
    into |= filtered | {
        user_id: Destined(folders={folder: flags})
        for user_id, folder in redirected(tx, users, prepared.conversation).items() if user_id in inboxes
    }
    # In one order everywhere, so that two deliveries to the same people do not wait for each other. The inbox is locked
    # also where filters name other folders: they may have been changed since the same message came before.
    named = {folder for user_id, one in into.items() for folder in (inboxes[user_id], *one.folders)}
    for folder in sorted(named if filtered else {folder for one in into.values() for folder in one.folders}):
        items.lock(tx, folder)
    for user_id, destination in into.items():
        try:
            item = _deliver(tx, user_id, destination, key, prepared)
        except NoSpace as error:
            outcome.failed[user_id] = error
            continue
        owed = _noted_at(tx, user_id, _owed(key)) if item is None else None
        if owed is not None and destination.forward and owed > millis(tx.now - _UNDER_WAY):
            outcome.failed[user_id] = Unavailable("the same message is being forwarded")
        elif item is not None or owed is not None:
            outcome.arrived.append(Arrived(
                user_id=user_id, folder=next(iter(destination.folders), 0), item=item, sender=sender,
                prepared=prepared, forward=destination.forward,
            ))
    reached = outcome.failed.keys() | set(inboxes)
    outcome.failed |= {user_id: FolderGone("no inbox") for user_id in users if user_id not in reached}
    return outcome


def _inboxes(tx: Writing, users: Sequence[str]) -> dict[str, int]:
    rows = tx.connection.execute(
        select(FolderRow.owner, FolderRow.id)
        .where(FolderRow.owner.in_(users), FolderRow.type == int(FolderType.INBOX))
    )
    return dict(rows.all())


#: Of a message that a filter has dropped.
_NOTHING: ItemId = 0


def _deliver(tx: Writing, user_id: str, into: Destined, key: str, prepared: Prepared) -> ItemId | None:
    """None if it was delivered before. Raises NoSpace."""
    if _noted_at(tx, user_id, key) is not None:
        return None
    item = _NOTHING
    for folder, flags in into.folders.items():
        try:
            written = items.create(tx, folder, prepared, None, flags)
        except NoSpace:
            if not item:
                raise
            break  # of the copies one is there
        item = item or written.id
    for noted in (key, _owed(key)) if tells_of_meeting(prepared) or into.forward else (key,):
        tx.connection.execute(insert(DeliveredRow).values(user_id=user_id, key=noted, at=millis(tx.now)))
    return item


def tells_of_meeting(prepared: Prepared) -> bool:
    """Whether there may be something to enter into a calendar."""
    return prepared.structure is not None and b"text/calendar" in prepared.octets.lower()


def _owes(arrived: Arrived) -> bool:
    return bool(arrived.forward) or tells_of_meeting(arrived.prepared)


def _owed(key: str) -> str:
    """What stands beside a delivery as long as what follows from it has not been done."""
    return "owed" + key[:-4]


def _noted_at(tx: Writing, user_id: str, key: str) -> int | None:
    noted = select(DeliveredRow.at).where(DeliveredRow.user_id == user_id, DeliveredRow.key == key)
    return tx.connection.execute(noted).scalar_one_or_none()


def _paid(tx: Writing, users: Sequence[str], key: str) -> None:
    tx.connection.execute(
        delete(DeliveredRow).where(DeliveredRow.user_id.in_(users), DeliveredRow.key == _owed(key))
    )


async def _carefully(step: Follow, arrived: Arrived) -> Unavailable | None:
    """The message is there; whatever it does to what follows, that stays so. What may go better later is returned."""
    try:
        await step(arrived)
    except Exception as error:
        log.warning("what follows from a message failed", user=arrived.user_id, item=arrived.item, exc_info=error)
        return error if isinstance(error, Unavailable) else None
    return None
