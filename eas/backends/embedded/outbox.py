"""Messages that users send: taken once by Message-ID, delivered here, the rest handed to the smarthost.

Whatever can be known to fail is looked at before anything is sent: the sender, the size, recipients here, their quotas.
The smarthost comes first, as it may refuse; then the mailboxes here, which cannot but for the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import structlog
from sqlalchemy import Connection, func, select

from eas.engine.errors import BackendError, Refusal, Undeliverable
from eas.engine.model import User
from eas.items.compose import Outgoing

from . import recipients
from .addresses import Reached, reach
from .delivery import Follow, Outcome, deliver
from .groupware import Groupware
from .prepare import folded
from .submissions import Claims, Stage
from .tables import ContentRow, UserRow

log = structlog.get_logger("eas.outbox")

#: Recipients of one message, groups expanded. Exchange Online has 1,000.
MAX_RECIPIENTS = 5000


class Relay(Protocol):
    async def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> None:
        """To all of them or none. Raises Undeliverable."""
        ...


class PostOffice:
    """Where messages come in, from users here and from mail servers. `relay` None: there is no way out."""

    def __init__(self, groupware: Groupware, relay: Relay | None = None, follow: Sequence[Follow] = ()) -> None:
        self._groupware, self._relay, self._claims = groupware, relay, Claims(groupware)
        self.follow: list[Follow] = list(follow)

    # -- from users

    async def submit(self, user: User, outgoing: Outgoing) -> None:
        """Raises Undeliverable, Unavailable; the same message may then be submitted again."""
        # A large one may lie in a file; what is stored here is handled as a whole.
        outgoing = replace(outgoing, mime=bytes(outgoing.mime))
        async with self._claims.claimed(user.id, outgoing) as claim:
            if claim is None:
                return
            reached = await self._examine(user, outgoing)
            if reached.elsewhere and claim.stage is Stage.OPEN:
                if self._relay is None:
                    raise Undeliverable(Refusal.UNKNOWN_RECIPIENT, "no way to " + ", ".join(reached.elsewhere))
                await self._claims.advance(claim, Stage.OPEN)  # whether it is still ours
                await self._relay.send(outgoing.sender, list(reached.elsewhere), outgoing.mime)
                await self._claims.advance(claim, Stage.MIDWAY)
            outcome = await deliver(
                self._groupware, outgoing.sender, list(reached.users), outgoing.mime, self.follow
            )
            for user_id, error in outcome.failed.items():
                # Only what changed since it was examined; most have it, and the sender's device must not repeat it.
                log.error("a message could not be delivered", recipient=user_id, reason=str(error))
            await self._claims.advance(claim, Stage.DONE)
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

    async def resume(self) -> None:
        """See `Claims.resume`."""
        await self._claims.resume()

    # -- from mail servers, and from here

    async def knows(self, address: str) -> bool:
        """Whether somebody here has an address. Raises Unavailable."""
        reached = await self._groupware.read(lambda c: reach(c, [address], self._groupware.domain))
        return not reached.unknown and address not in reached.elsewhere and bool(reached.users or reached.elsewhere)

    async def is_elsewhere(self, address: str) -> bool:
        """Whether mail to an address leaves: it is of another domain, or its mailbox is on another server. Raises
        Unavailable."""
        reached = await self._groupware.read(lambda c: reach(c, [address], self._groupware.domain))
        return address in reached.elsewhere

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

    async def send_on(self, sender: str, recipients: list[str], raw: bytes) -> None:
        """A message that somebody here forwards. Those elsewhere come first, as they may be refused. Raises
        Undeliverable, Unavailable."""
        reached = await self._groupware.read(lambda c: reach(c, recipients, self._groupware.domain))
        if reached.elsewhere:
            if self._relay is None:
                raise Undeliverable(Refusal.UNKNOWN_RECIPIENT, "no way to " + ", ".join(reached.elsewhere))
            await self._relay.send(sender, list(reached.elsewhere), raw)
        if reached.users:
            await deliver(self._groupware, sender, list(reached.users), raw, self.follow)

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
