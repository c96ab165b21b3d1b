"""Messages that users send are taken once: who is at it, and how far it came, by user and `Outgoing.identity`.

One holder at a time, who says now and then that it lives; when it dies another one takes up where it stood. One that
was only asleep finds that out before anything leaves. Of a database that several machines share the clock counts, not
theirs, which may jump.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum
from secrets import token_hex

import structlog
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    cast,
    delete,
    extract,
    func,
    insert,
    literal,
    select,
    update,
)

from eas.engine.errors import BackendError, Refusal, Unavailable, Undeliverable
from eas.items.compose import Outgoing

from .codec import millis
from .groupware import Groupware, Writing
from .tables import SubmittedRow

log = structlog.get_logger("eas.outbox")

#: A submission whose holder has not been heard of for so long has died; the next one takes it up.
STALE_SECONDS = 30.0
#: How often a holder says that it lives, and one who waits looks.
RENEW_SECONDS = 8.0
_LOOK_SECONDS = 0.2
#: Characters of a Message-ID and a subject that are kept for people.
MAX_TOLD = 255
#: How long one waits for another's submission of the same message.
WAIT_SECONDS = 60.0


class Stage(IntEnum):
    """How far a submission came. `MIDWAY`: a mail server has it, or may have it; what is left to do is the outbox's
    affair."""

    OPEN = 0
    MIDWAY = 1
    DONE = 2


@dataclass(frozen=True, slots=True)
class Claim:
    """`stage` is how far an earlier holder came."""

    user_id: str
    key: str
    holder: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class Claims:
    groupware: Groupware

    @asynccontextmanager
    async def claimed(self, user_id: str, outgoing: Outgoing) -> AsyncIterator[Claim | None]:
        """Hold a submission while it goes on; None if it was done before. On any error it is free again.

        Raises Undeliverable if somebody else is at it for too long."""
        claim = await self._claim(user_id, outgoing)
        if claim.stage is Stage.DONE:
            yield None
            return
        alive = asyncio.create_task(self._renew(claim))
        try:
            yield claim
        except BaseException:
            await self._release(claim)
            raise
        finally:
            alive.cancel()

    async def advance(self, claim: Claim, stage: Stage) -> None:
        """Raises Unavailable if somebody has taken it up who thought us dead."""
        await self.groupware.write(lambda tx: note_stage(tx, claim, stage))

    async def resume(self) -> None:
        """Free what a process that has died was sending, so that a device which asks again need not wait until it
        counts as dead. For a process that knows that it is the only one on this store."""
        stale = int(STALE_SECONDS * 1000)
        open_ones = update(SubmittedRow).where(SubmittedRow.done != Stage.DONE)
        await self.groupware.write(lambda tx: tx.connection.execute(open_ones.values(at=_clock(tx) - stale)))

    async def _claim(self, user_id: str, outgoing: Outgoing) -> Claim:
        holder = token_hex(16)
        for _ in range(int(WAIT_SECONDS / _LOOK_SECONDS)):
            claim = await self.groupware.write(lambda tx: _take(tx, user_id, outgoing, holder))
            if claim is not None:
                return claim
            await asyncio.sleep(_LOOK_SECONDS)
        raise Undeliverable(Refusal.UNREACHABLE, "the same message is being sent")

    async def _renew(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await self.groupware.write(lambda tx: _set(tx, claim, at=_clock(tx)))
            except BackendError as error:
                log.warning("a submission could not be renewed", reason=str(error))

    async def _release(self, claim: Claim) -> None:
        """Not waiting for it to grow stale. How far it came stays known."""
        try:
            await self.groupware.write(lambda tx: _set(tx, claim, at=literal(0)))
        except BackendError as error:
            log.warning("a submission stays locked for a while", reason=str(error))


def count_open(connection: Connection) -> int:
    """Those that were begun and not finished, by whoever is at it or was."""
    open_ones = select(func.count()).select_from(SubmittedRow).where(SubmittedRow.done != Stage.DONE)
    return int(connection.execute(open_ones).scalar_one())


def note_stage(tx: Writing, claim: Claim, stage: Stage) -> None:
    """Raises Unavailable if the claim is another's by now; then nothing is to be sent."""
    if not _set(tx, claim, at=_clock(tx), done=literal(int(stage))):
        raise Unavailable("another process has taken up the same message")


def forget_submissions(tx: Writing, before: int) -> None:
    """`before` in epoch milliseconds."""
    tx.connection.execute(delete(SubmittedRow).where(SubmittedRow.at < before))


def _take(tx: Writing, user_id: str, outgoing: Outgoing, holder: str) -> Claim | None:
    """None while somebody else holds it."""
    tx.one_at_a_time(user_id)
    key = outgoing.identity
    age = (_clock(tx) - SubmittedRow.at).label("age")
    row = tx.connection.execute(
        select(SubmittedRow.done, age)
        .where(SubmittedRow.user_id == user_id, SubmittedRow.key == key)
    ).one_or_none()
    if row is None:
        tx.connection.execute(insert(SubmittedRow).values(
            user_id=user_id, key=key, holder=holder, at=_clock(tx), done=Stage.OPEN,
            message_id=_told(outgoing.message_id), subject=_told(outgoing.subject),
        ))
        return Claim(user_id, key, holder, Stage.OPEN)
    if row.done == Stage.DONE:
        return Claim(user_id, key, holder, Stage.DONE)
    if row.age < STALE_SECONDS * 1000:
        return None
    tx.connection.execute(
        update(SubmittedRow).where(SubmittedRow.user_id == user_id, SubmittedRow.key == key)
        .values(holder=holder, at=_clock(tx))
    )
    return Claim(user_id, key, holder, Stage(row.done))


def _told(text: str) -> str:
    """What every database takes."""
    return text[:MAX_TOLD].replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _clock(tx: Writing) -> ColumnElement[int]:
    """Epoch milliseconds."""
    if tx.connection.dialect.name == "postgresql":
        return cast(extract("epoch", func.clock_timestamp()) * 1000, BigInteger)
    return literal(millis(tx.now), BigInteger)


def _set(tx: Writing, claim: Claim, **values: ColumnElement[int]) -> bool:
    """Whether it is still held."""
    done = tx.connection.execute(
        update(SubmittedRow)
        .where(SubmittedRow.user_id == claim.user_id, SubmittedRow.key == claim.key,
               SubmittedRow.holder == claim.holder)
        .values(**values)
    )
    return bool(done.rowcount)
