"""Messages that users send over the submission server of their tenant: taken once, as far as SMTP allows.

Before the content leaves it is written down that it does, and after the server's answer that it is done. Where that
answer was lost nobody can tell whether it was sent: if the same message comes again and does not stand in the Sent
folder it is sent again under its Message-ID, and the possible double is written down for the admin.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection, delete, insert, select, update

from eas.backends.embedded import recipients
from eas.backends.embedded.codec import compact, millis, moment
from eas.backends.embedded.groupware import Writing
from eas.backends.embedded.prepare import folded
from eas.backends.embedded.submissions import Claim, Claims, Stage, note_stage
from eas.backends.standards.ports import Account
from eas.backends.standards.tables import KeptRow
from eas.backends.standards.tenant import SmtpServer
from eas.engine.errors import Refusal, Unavailable, Undeliverable
from eas.engine.model import Secret
from eas.items.compose import Outgoing

from .submission import Failed, Letter, Login, deliver

log = structlog.get_logger("eas.outbox")

#: Pauses between tries to note that a message was sent.
_NOTE_SECONDS = (0.2, 1.0, 3.0)
#: Names of `KeptRow` under which possible doubles stand, one a message.
DOUBLE = "double:"
#: Of one user; the oldest go.
_MAX_DOUBLES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PossibleDouble:
    """A message that may have been sent more than once: its Message-ID and subject ("" for unknown), and when it last
    went out. `restored`: it was under way in the moment of a backup that was put back, so that it is not known whether
    it went out at all; it is not sent again."""

    user_id: str
    message_id: str
    subject: str
    at: datetime
    restored: bool = False


class SmtpOutbox:
    """`sent` says whether a message of this id (with its angle brackets) stands in the user's Sent folder."""

    def __init__(self, account: Account, sent: Callable[[str], Awaitable[bool]]) -> None:
        self._account, self._sent = account, sent
        self._claims = Claims(account.ground)

    async def submit(self, outgoing: Outgoing) -> None:
        """Raises Undeliverable, Unavailable; the same message may then be submitted again."""
        account = self._account
        server = account.tenant.smtp
        if server is None:
            raise Undeliverable(Refusal.UNREACHABLE, "no submission server is set up")
        self._examine(outgoing)
        async with self._claims.claimed(account.user.id, outgoing) as claim:
            if claim is None:
                return
            if claim.stage is Stage.MIDWAY and await self._sent(outgoing.message_id):
                log.info("a message whose answer was lost stands in Sent", message_id=outgoing.message_id)
            else:
                await self._hand_over(server, outgoing, claim)
            await self._note_done(claim)
            await self._remember_recipients(outgoing)

    def _examine(self, outgoing: Outgoing) -> None:
        account = self._account
        if folded(outgoing.sender) not in {folded(address) for address in account.user.addresses}:
            raise Undeliverable(Refusal.SENDER, outgoing.sender)
        if not outgoing.recipients:
            raise Undeliverable(Refusal.NO_RECIPIENT)
        if len(outgoing.mime) > account.ground.limits.message:
            raise Undeliverable(Refusal.TOO_LARGE, f"{len(outgoing.mime)} octets")

    async def _hand_over(self, server: SmtpServer, outgoing: Outgoing, claim: Claim) -> None:
        letter = Letter(sender=outgoing.sender, recipients=outgoing.recipients, mime=outgoing.mime)
        ground = self._account.ground

        async def underway() -> None:
            """Committed before the content leaves."""
            doubled = claim.stage is Stage.MIDWAY
            await ground.write(lambda tx: _going(tx, claim, outgoing if doubled else None))
            if doubled:
                log.warning(
                    "a message may have been sent twice", user=claim.user_id, message_id=outgoing.message_id,
                    host=server.host,
                )

        try:
            await deliver(
                server, self._login(server), letter, attempts=max(1, server.attempts), underway=underway,
                hostname=_hostname(ground.domain),
            )
        except Failed as error:
            if not error.uncertain and claim.stage is Stage.OPEN:
                await self._claims.advance(claim, Stage.OPEN)
            event = "a message may have been sent" if error.uncertain else "a message was not sent"
            log.warning(
                event, user=claim.user_id, message_id=outgoing.message_id, host=server.host, step=error.step.value,
                reason=str(error.verdict),
            )
            raise error.verdict from error

    async def _note_done(self, claim: Claim) -> None:
        """What the server has taken must not go out again because our database is busy. Raises Unavailable if it stays
        so."""
        for seconds in _NOTE_SECONDS:
            try:
                await self._claims.advance(claim, Stage.DONE)
                return
            except Unavailable as error:
                log.warning("that a message was sent could not be noted yet", user=claim.user_id, reason=str(error))
                await asyncio.sleep(seconds)
        await self._claims.advance(claim, Stage.DONE)

    def _login(self, server: SmtpServer) -> Login | None:
        if server.anonymous:
            return None
        if server.login:
            return Login(name=server.login, secret=Secret(value=server.password))
        return Login(name=self._account.login, secret=self._account.secret)

    async def _remember_recipients(self, outgoing: Outgoing) -> None:
        """The message has gone out; whatever becomes of this, that stays so."""
        user_id = self._account.user.id
        try:
            written_to = recipients.named_recipients(outgoing)
            await self._account.ground.write(lambda tx: recipients.note(tx, user_id, written_to))
        except Exception as error:
            log.warning("whom a user writes to could not be remembered", user=user_id, exc_info=error)


_HOSTNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*\Z")


def _hostname(domain: str) -> str:
    return domain if _HOSTNAME.match(domain) else "localhost"


def _going(tx: Writing, claim: Claim, doubled: Outgoing | None) -> None:
    note_stage(tx, claim, Stage.MIDWAY)
    if doubled is None:
        return
    name = DOUBLE + claim.key[:32]
    row = (KeptRow.user_id == claim.user_id, KeptRow.name == name)
    value = compact({"message_id": doubled.message_id, "subject": doubled.subject})
    if tx.connection.execute(update(KeptRow).where(*row).values(value=value, at=millis(tx.now))).rowcount == 0:
        tx.connection.execute(
            insert(KeptRow).values(user_id=claim.user_id, name=name, value=value, at=millis(tx.now))
        )
    own = (KeptRow.user_id == claim.user_id, KeptRow.name.startswith(DOUBLE))
    newest = select(KeptRow.name).where(*own).order_by(KeptRow.at.desc(), KeptRow.name)
    for old in list(tx.connection.execute(newest.offset(_MAX_DOUBLES)).scalars()):
        tx.connection.execute(delete(KeptRow).where(KeptRow.user_id == claim.user_id, KeptRow.name == old))


def note_unknown(connection: Connection, user_id: str, key: str, message_id: str, subject: str, at: int) -> None:
    """A message of which a backup does not know whether it went out. `key` tells it from others of the user; `at` in
    epoch milliseconds."""
    name = DOUBLE + key[:32]
    row = (KeptRow.user_id == user_id, KeptRow.name == name)
    value = compact({"message_id": message_id, "subject": subject, "restored": True})
    connection.execute(delete(KeptRow).where(*row))
    connection.execute(insert(KeptRow).values(user_id=user_id, name=name, value=value, at=at))


def possible_doubles(connection: Connection) -> list[PossibleDouble]:
    """Those of all users that have been written down, newest first."""
    found = connection.execute(
        select(KeptRow.user_id, KeptRow.value, KeptRow.at)
        .where(KeptRow.name.startswith(DOUBLE)).order_by(KeptRow.at.desc())
    )
    doubles = []
    for user_id, value, at in found:
        told = json.loads(value)
        doubles.append(PossibleDouble(
            user_id=user_id, message_id=told["message_id"], subject=told["subject"], at=moment(at),
            restored=told.get("restored", False),
        ))
    return doubles
