"""How a mailbox on other servers is looked at while a device of its owner waits.

Mail: one connection of the pool, told of every mailbox by NOTIFY where the server offers it, else by IDLE of the inbox,
with a poll over the others. DAV: a poll that backs off while nothing happens. What is found is only a hint: whether it
is news to a device the engine decides.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass

import structlog

from eas.backends.imap.errors import translated
from eas.backends.imap.model import Pool, Session
from eas.engine.errors import BackendError
from eas.engine.model import CollectionId, FolderType

from .hierarchy import Snapshot
from .mailbox import CombinedMailbox
from .ports import Account, Source

log = structlog.get_logger("eas.watch")

Ring = Callable[[Collection[CollectionId]], None]

#: One IDLE. RFC 2177 has servers end it after 30 minutes; what lies in between may drop silent connections sooner.
IDLE_SECONDS = 9 * 60.0
#: Between two polls of a source: at first, and when nothing has happened for long.
POLL_SECONDS = {"imap": (20.0, 60.0), "dav": (20.0, 120.0), "notes": (60.0, 240.0)}
#: Where the server tells of every mailbox, the poll is only there for what it forgets.
SAFETY_SECONDS = (240.0, 600.0)
#: Between two looks at the folders themselves.
HIERARCHY_SECONDS = 120.0
#: The share by which each pause is longer or shorter, so that not all users are looked at together.
JITTER = 0.2

ROOT = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """`pool` None: there is no IMAP."""

    account: Account
    mailbox: CombinedMailbox
    sources: tuple[Source, ...]
    pool: Pool | None

    async def run(self, ring: Ring) -> None:
        """Raises BackendError when a server is away."""
        snapshot = await self.mailbox.snapshot()
        ring({ROOT, *snapshot.standing})
        told = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                for source in self.sources:
                    tasks.create_task(self._poll(source, ring, told))
                tasks.create_task(self._hierarchy(snapshot.token, ring))
                if self.pool is not None and any(source.name == "imap" for source in self.sources):
                    tasks.create_task(self._listen(self.pool, ring, told))
        except BaseExceptionGroup as group:
            failed, others = group.split(BackendError)
            if others is not None or failed is None:
                raise
            raise _first(failed) from group

    async def _poll(self, source: Source, ring: Ring, told: asyncio.Event) -> None:
        """A server that is away is asked again later; the others are not disturbed by it."""
        shortest, longest = POLL_SECONDS.get(source.name, POLL_SECONDS["dav"])
        pause, before = shortest, ""
        while True:
            at = (await self.mailbox.snapshot()).numbered(source.name)
            try:
                now = await source.probe(at)
            except BackendError as error:
                log.info("a poll failed", source=source.name, user=self.account.user.id, reason=str(error))
                now = before
            if before and now != before:
                ring({str(one.number) for one in at})
                pause = shortest
            before = now
            if told.is_set() and source.name == "imap":
                shortest, longest = SAFETY_SECONDS
                pause = max(pause, shortest)
            await asyncio.sleep(_jittered(pause))
            pause = min(pause * 1.5, longest)

    async def _hierarchy(self, token: str, ring: Ring) -> None:
        while True:
            await asyncio.sleep(_jittered(HIERARCHY_SECONDS))
            now = (await self.mailbox.snapshot(fresh=True)).token
            if now != token:
                token = now
                ring({ROOT})

    async def _listen(self, pool: Pool, ring: Ring, told: asyncio.Event) -> None:
        while True:
            with translated():
                async with pool.use(self.account) as session:
                    await self._told(session, ring, told)

    async def _told(self, session: Session, ring: Ring, told: asyncio.Event) -> None:
        """Until the connection ends; a connection that listens is not lent to anybody else."""
        inbox = _inbox(await self.mailbox.snapshot())
        if await session.notify():
            told.set()
        elif inbox:
            await session.select(inbox)
        while True:
            async for names in session.idle(IDLE_SECONDS):
                snapshot = await self.mailbox.snapshot()
                ring({str(one.number) for one in snapshot.numbered("imap") if one.place.locator in names})
            # Where the server says nothing of the other mailboxes, IDLE is ended and begun again.
            await session.noop()


def _first(group: BaseExceptionGroup[BackendError]) -> BackendError:
    one = group.exceptions[0]
    return _first(one) if isinstance(one, BaseExceptionGroup) else one


def _inbox(snapshot: Snapshot) -> str:
    inboxes = [one.place.locator for one in snapshot.numbered("imap") if one.place.type is FolderType.INBOX]
    return inboxes[0] if inboxes else ""


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)
