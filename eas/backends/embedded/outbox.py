"""Messages that users send: taken once by Message-ID, delivered here, the rest handed to the smarthost.

Whatever can be known to fail is looked at before anything is sent: the sender, the size, recipients here, their quotas.
The smarthost comes first, as it may refuse; then the mailboxes here, which cannot but for the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import Protocol

import structlog
from sqlalchemy import Connection, delete, func, insert, select, update

from eas.engine.errors import BackendError, Refusal, Undeliverable
from eas.engine.model import User
from eas.items.compose import Outgoing

from . import recipients
from .addresses import Reached, reach
from .codec import millis
from .delivery import Follow, Outcome, deliver
from .groupware import Groupware, Writing
from .prepare import folded
from .tables import ContentRow, SubmittedRow, UserRow

log = structlog.get_logger("eas.outbox")

#: A submission whose holder has not been heard of for so long has died; the next one takes it up.
STALE_SECONDS = 30.0
#: How often a holder says that it lives, and one who waits looks.
RENEW_SECONDS = 8.0
_LOOK_SECONDS = 0.2
#: How long one waits for another's submission of the same message.
WAIT_SECONDS = 60.0

#: Recipients of one message, groups expanded. Exchange Online has 1,000.
MAX_RECIPIENTS = 5000

_OPEN, _RELAYED, _DONE = 0, 1, 2


class Relay(Protocol):
    async def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> None:
        """To all of them or none. Raises Undeliverable."""
        ...


@dataclass(frozen=True, slots=True)
class _Claim:
    """`stage` is how far an earlier holder came."""

    key: str
    holder: str
    stage: int


class PostOffice:
    """Where messages come in, from users here and from mail servers. `relay` None: there is no way out."""

    def __init__(self, groupware: Groupware, relay: Relay | None = None, follow: Sequence[Follow] = ()) -> None:
        self._groupware, self._relay = groupware, relay
        self.follow: list[Follow] = list(follow)

    # -- from users

    async def submit(self, user: User, outgoing: Outgoing) -> None:
        """Raises Undeliverable, Unavailable; the same message may then be submitted again."""
        async with self._claimed(user, outgoing.identity) as claim:
            if claim is None:
                return
            reached = await self._examine(user, outgoing)
            if reached.elsewhere and claim.stage < _RELAYED:
                if self._relay is None:
                    raise Undeliverable(Refusal.UNKNOWN_RECIPIENT, "no way to " + ", ".join(reached.elsewhere))
                await self._relay.send(outgoing.sender, list(reached.elsewhere), outgoing.mime)
                await self._advance(user, claim, _RELAYED)
            outcome = await deliver(
                self._groupware, outgoing.sender, list(reached.users), outgoing.mime, self.follow
            )
            for user_id, error in outcome.failed.items():
                # Only what changed since it was examined; most have it, and the sender's device must not repeat it.
                log.error("a message could not be delivered", recipient=user_id, reason=str(error))
            await self._advance(user, claim, _DONE)
            await self._remember_recipients(user, outgoing)

    async def _remember_recipients(self, user: User, outgoing: Outgoing) -> None:
        """The message has gone out; whatever becomes of this, that stays so."""
        try:
            written_to = recipients.named_recipients(outgoing)
            await self._groupware.write(lambda tx: recipients.note(tx, user.id, written_to))
        except Exception as error:
            log.warning("whom a user writes to could not be remembered", user=user.id, exc_info=error)

    async def _examine(self, user: User, outgoing: Outgoing) -> Reached:
        if folded(outgoing.sender) not in {folded(address) for address in user.addresses}:
            raise Undeliverable(Refusal.SENDER, outgoing.sender)
        if not outgoing.recipients:
            raise Undeliverable(Refusal.NO_RECIPIENT)
        if len(outgoing.mime) > self._groupware.limits.message:
            raise Undeliverable(Refusal.TOO_LARGE, f"{len(outgoing.mime)} octets")
        reached = await self._groupware.read(lambda c: reach(c, outgoing.recipients, self._groupware.domain))
        if reached.unknown:
            raise Undeliverable(Refusal.UNKNOWN_RECIPIENT, ", ".join(reached.unknown))
        if not reached.users and not reached.elsewhere:
            raise Undeliverable(Refusal.NO_RECIPIENT, "nobody is in these groups")
        if len(reached.users) + len(reached.elsewhere) > MAX_RECIPIENTS:
            raise Undeliverable(Refusal.REJECTED, f"more than {MAX_RECIPIENTS} recipients")
        full = await self._groupware.read(lambda c: _full(c, list(reached.users), len(outgoing.mime)))
        if full:
            raise Undeliverable(Refusal.REJECTED, "full mailbox: " + ", ".join(full))
        return reached

    @asynccontextmanager
    async def _claimed(self, user: User, key: str) -> AsyncIterator[_Claim | None]:
        """Hold a submission while it goes on; None if it was done before. On any error it is free again."""
        claim = await self._claim(user, key)
        if claim.stage == _DONE:
            yield None
            return
        alive = asyncio.create_task(self._renew(user, claim))
        try:
            yield claim
        except BaseException:
            await self._release(user, claim)
            raise
        finally:
            alive.cancel()

    async def _claim(self, user: User, key: str) -> _Claim:
        """Raises Undeliverable if somebody else is at it for too long."""
        holder = token_hex(16)
        for _ in range(int(WAIT_SECONDS / _LOOK_SECONDS)):
            claim = await self._groupware.write(lambda tx: _take(tx, user.id, key, holder))
            if claim is not None:
                return claim
            await asyncio.sleep(_LOOK_SECONDS)
        raise Undeliverable(Refusal.UNREACHABLE, "the same message is being sent")

    async def _renew(self, user: User, claim: _Claim) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await self._groupware.write(lambda tx: _set(tx, user.id, claim, at=millis(tx.now)))
            except BackendError as error:
                log.warning("a submission could not be renewed", reason=str(error))

    async def _advance(self, user: User, claim: _Claim, stage: int) -> None:
        await self._groupware.write(lambda tx: _set(tx, user.id, claim, at=millis(tx.now), done=stage))

    async def _release(self, user: User, claim: _Claim) -> None:
        """Not waiting for it to grow stale. How far it came stays known."""
        try:
            await self._groupware.write(lambda tx: _set(tx, user.id, claim, at=0))
        except BackendError as error:
            log.warning("a submission stays locked for a while", reason=str(error))

    async def resume(self) -> None:
        """Free what a process that has died was sending, so that a device which asks again need not wait until it
        counts as dead. For a process that knows that it is the only one on this store."""
        stale = int(STALE_SECONDS * 1000)
        open_ones = update(SubmittedRow).where(SubmittedRow.done != _DONE)
        await self._groupware.write(lambda tx: tx.connection.execute(open_ones.values(at=millis(tx.now) - stale)))

    # -- from mail servers, and from here

    async def knows(self, address: str) -> bool:
        """Whether somebody here has an address. Raises Unavailable."""
        reached = await self._groupware.read(lambda c: reach(c, [address], self._groupware.domain))
        return not reached.unknown and address not in reached.elsewhere and bool(reached.users or reached.elsewhere)

    async def take(self, sender: str, recipients: Sequence[str], raw: bytes) -> list[BackendError | None]:
        """Deliver a message that came from elsewhere; what went wrong for each recipient."""
        try:
            found = await self._groupware.read(
                lambda c: [reach(c, [recipient], self._groupware.domain) for recipient in recipients]
            )
            users = dict.fromkeys(user_id for reached in found for user_id in reached.users)
            outcome = await deliver(self._groupware, sender, list(users), raw, self.follow)
        except BackendError as error:
            return [error for _ in recipients]
        return [
            await self._verdict(sender, recipient, reached, outcome, raw)
            for recipient, reached in zip(recipients, found, strict=True)
        ]

    async def _verdict(
        self, sender: str, recipient: str, reached: Reached, outcome: Outcome, raw: bytes
    ) -> BackendError | None:
        # Somebody elsewhere who was named as such: a server that hands mail to us may not relay through us.
        if recipient in reached.elsewhere or not (reached.users or reached.elsewhere):
            return Undeliverable(Refusal.UNKNOWN_RECIPIENT)
        if reached.elsewhere and self._relay is not None:
            try:
                await self._relay.send(sender, list(reached.elsewhere), raw)
            except Undeliverable as error:
                log.warning("members of a group were not reached", reason=str(error))
        return next((outcome.failed[user_id] for user_id in reached.users if user_id in outcome.failed), None)

    async def send_reply(self, sender: str, recipient: str, raw: bytes) -> None:
        """An automatic message, to wherever the recipient is. Raises Undeliverable, Unavailable."""
        reached = await self._groupware.read(lambda c: reach(c, [recipient], self._groupware.domain))
        if reached.users:
            await deliver(self._groupware, sender, list(reached.users), raw)
        elif reached.elsewhere and self._relay is not None:
            await self._relay.send(sender, list(reached.elsewhere), raw)


class EmbeddedOutbox:
    """The post office, for one user."""

    def __init__(self, office: PostOffice, user: User) -> None:
        self._office, self._user = office, user

    async def submit(self, outgoing: Outgoing) -> None:
        await self._office.submit(self._user, outgoing)


def _take(tx: Writing, user_id: str, key: str, holder: str) -> _Claim | None:
    """None while somebody else holds it."""
    # One claim of a user at a time, so that two do not both find nothing and insert.
    tx.connection.execute(select(UserRow.id).where(UserRow.id == user_id).with_for_update())
    now = millis(tx.now)
    row = tx.connection.execute(
        select(SubmittedRow.done, SubmittedRow.at)
        .where(SubmittedRow.user_id == user_id, SubmittedRow.key == key)
    ).one_or_none()
    if row is None:
        values = {"user_id": user_id, "key": key, "holder": holder, "at": now, "done": _OPEN}
        tx.connection.execute(insert(SubmittedRow).values(**values))
        return _Claim(key, holder, _OPEN)
    if row.done == _DONE:
        return _Claim(key, holder, _DONE)
    if now - row.at < STALE_SECONDS * 1000:
        return None
    tx.connection.execute(
        update(SubmittedRow).where(SubmittedRow.user_id == user_id, SubmittedRow.key == key)
        .values(holder=holder, at=now)
    )
    return _Claim(key, holder, row.done)


def _set(tx: Writing, user_id: str, claim: _Claim, **values: int) -> None:
    tx.connection.execute(
        update(SubmittedRow)
        .where(SubmittedRow.user_id == user_id, SubmittedRow.key == claim.key, SubmittedRow.holder == claim.holder)
        .values(**values)
    )


def forget_submissions(tx: Writing, before: int) -> None:
    """`before` in epoch milliseconds."""
    tx.connection.execute(delete(SubmittedRow).where(SubmittedRow.at < before))


def _full(connection: Connection, users: Sequence[str], more: int) -> list[str]:
    """The addresses of those whose quota would be passed."""
    limited = connection.execute(
        select(UserRow.id, UserRow.address, UserRow.quota).where(UserRow.id.in_(users), UserRow.quota > 0)
    ).all()
    full = []
    for user_id, address, quota in limited:
        used = connection.execute(select(func.sum(ContentRow.size)).where(ContentRow.user_id == user_id)).scalar_one()
        if int(used or 0) + more > quota:
            full.append(address)
    return full
