"""Putting a message into mailboxes here: once each, however often it comes.

What follows from a message that has arrived (answers to invitations entered, automatic replies sent) comes after its
commit and never undoes it. That it is owed for a message about a meeting is written down with the message: if the
process dies in between, the delivery that comes again goes on from there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

import structlog
from sqlalchemy import delete, insert, select

from eas.engine.errors import BackendError, FolderGone, NoSpace
from eas.engine.model import FolderType
from eas.items import headers
from eas.items.native import ItemId, MailFlags

from . import items
from .codec import millis
from .conversations import redirected
from .feed import prepared_message
from .groupware import Groupware, Writing
from .prepare import Prepared
from .tables import DeliveredRow, FolderRow

log = structlog.get_logger("eas.delivery")

#: Octets written in one transaction when many get the same message: others wait for it on SQLite.
_AT_ONCE = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A message that has come to somebody: into the inbox, or where its conversation always goes. `sender` is that of
    the envelope, "" for the null sender. `item` None: it came earlier, and what follows is still owed."""

    user_id: str
    folder: int
    item: ItemId | None
    sender: str
    prepared: Prepared


#: What follows from an arrival.
Follow = Callable[[Arrived], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """By user: what went wrong. Whoever is not there has the message, now or from an earlier time."""

    failed: dict[str, BackendError] = field(default_factory=dict)
    arrived: list[Arrived] = field(default_factory=list)


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
            await _carefully(step, arrived)
    if outcome.arrived and tells_of_meeting(prepared):
        done = [arrived.user_id for arrived in outcome.arrived]
        await groupware.write(partial(_paid, users=done, key=key))
    return outcome


def _batch(
    tx: Writing, sender: str, users: Sequence[str], key: str, prepared: Prepared, flags: MailFlags | None
) -> Outcome:
    outcome = Outcome()
    inboxes = _inboxes(tx, users)
    into = inboxes | {
        user_id: folder for user_id, folder in redirected(tx, users, prepared.conversation).items()
        if user_id in inboxes
    }
    # In one order everywhere, so that two deliveries to the same people do not wait for each other.
    for user_id, folder in sorted(into.items(), key=lambda pair: pair[1]):
        try:
            item = _deliver(tx, user_id, folder, key, prepared, flags)
        except NoSpace as error:
            outcome.failed[user_id] = error
            continue
        if item is not None or _is_noted(tx, user_id, _owed(key)):
            outcome.arrived.append(
                Arrived(user_id=user_id, folder=folder, item=item, sender=sender, prepared=prepared)
            )
    reached = outcome.failed.keys() | set(inboxes)
    outcome.failed |= {user_id: FolderGone("no inbox") for user_id in users if user_id not in reached}
    return outcome


def _inboxes(tx: Writing, users: Sequence[str]) -> dict[str, int]:
    rows = tx.connection.execute(
        select(FolderRow.owner, FolderRow.id)
        .where(FolderRow.owner.in_(users), FolderRow.type == int(FolderType.INBOX))
    )
    return dict(rows.all())


def _deliver(
    tx: Writing, user_id: str, folder: int, key: str, prepared: Prepared, flags: MailFlags | None
) -> ItemId | None:
    """None if it was delivered before. Raises NoSpace."""
    items.lock(tx, folder)
    if _is_noted(tx, user_id, key):
        return None
    written = items.create(tx, folder, prepared, None, flags)
    for noted in (key, _owed(key)) if tells_of_meeting(prepared) else (key,):
        tx.connection.execute(insert(DeliveredRow).values(user_id=user_id, key=noted, at=millis(tx.now)))
    return written.id


def tells_of_meeting(prepared: Prepared) -> bool:
    """Whether there may be something to enter into a calendar."""
    return prepared.structure is not None and b"text/calendar" in prepared.octets.lower()


def _owed(key: str) -> str:
    """What stands beside a delivery as long as what follows from it has not been done."""
    return "owed" + key[:-4]


def _is_noted(tx: Writing, user_id: str, key: str) -> bool:
    noted = select(DeliveredRow.at).where(DeliveredRow.user_id == user_id, DeliveredRow.key == key)
    return tx.connection.execute(noted).first() is not None


def _paid(tx: Writing, users: Sequence[str], key: str) -> None:
    tx.connection.execute(
        delete(DeliveredRow).where(DeliveredRow.user_id.in_(users), DeliveredRow.key == _owed(key))
    )


async def _carefully(step: Follow, arrived: Arrived) -> None:
    """The message is there; whatever it does to what follows, that stays so."""
    try:
        await step(arrived)
    except Exception as error:
        log.warning("what follows from a message failed", user=arrived.user_id, item=arrived.item, exc_info=error)
