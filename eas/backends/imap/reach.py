"""How the parts of a mail feed get at their mailbox: a connection on which it is selected, up to date, and under the
UIDVALIDITY that our rows speak of.

What a connection says of a selected mailbox may be older than what another one has said (RFC 3501 5.2). So it is noted
when each was last brought up to date, and when something was last heard or written of the mailbox over any.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from sqlalchemy.exc import IntegrityError

from eas.backends.standards.ports import Account, Numbered
from eas.engine.errors import FolderGone, NotAllowed, Unavailable
from eas.engine.model import Right

from . import epochs, prints, rows
from .errors import translated
from .model import ImapError, Lost, No, Pool, Selected, Session
from .prints import Print
from .rows import State

R = TypeVar("R")

#: A view older than this is brought up to date before flags are read from it: another node may have changed them.
VIEW_SECONDS = 2.0
#: Mailboxes whose last news are remembered; of others VIEW_SECONDS holds.
_REMEMBERED = 20_000


@dataclass(slots=True)
class Views:
    """Of one pool. Moments are those of `time.monotonic`."""

    synced: WeakKeyDictionary[Session, tuple[str, float]] = field(default_factory=WeakKeyDictionary)
    heard: OrderedDict[tuple[str, int], float] = field(default_factory=OrderedDict)

    def note_synced(self, session: Session, mailbox: str, began: float) -> None:
        self.synced[session] = (mailbox, began)

    def note_heard(self, user_id: str, number: int, session: Session | None = None) -> None:
        """Something was learned (over a connection that was brought up to date for it), or written: views from before
        are old."""
        _, at = self.synced.get(session, ("", 0.0)) if session is not None else ("", 0.0)
        self.heard[user_id, number] = at or time.monotonic()
        self.heard.move_to_end((user_id, number))
        if len(self.heard) > _REMEMBERED:
            self.heard.popitem(last=False)

    def is_fresh(self, session: Session, mailbox: str, user_id: str, number: int) -> bool:
        name, at = self.synced.get(session, ("", 0.0))
        return (
            name == mailbox and time.monotonic() - at < VIEW_SECONDS and at >= self.heard.get((user_id, number), 0.0)
        )


_VIEWS: WeakKeyDictionary[Pool, Views] = WeakKeyDictionary()
_LOCKS: WeakValueDictionary[tuple[str, int, str], asyncio.Lock] = WeakValueDictionary()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    account: Account
    pool: Pool
    at: Numbered

    @property
    def mailbox(self) -> str:
        return self.at.place.locator

    @property
    def number(self) -> int:
        return self.at.number

    @property
    def user_id(self) -> str:
        return self.account.user.id

    @property
    def views(self) -> Views:
        views = _VIEWS.get(self.pool)
        if views is None:
            views = _VIEWS[self.pool] = Views()
        return views

    def require_edit(self) -> None:
        """Raises NotAllowed."""
        if self.at.place.right < Right.EDIT:
            raise NotAllowed(f"folder {self.number} is not to be changed")

    def lock(self, name: str) -> asyncio.Lock:
        """One at a time in this process, for the same name."""
        key = (self.user_id, self.number, name)
        lock = _LOCKS.get(key)
        if lock is None:
            lock = _LOCKS[key] = asyncio.Lock()
        return lock

    async def state(self) -> State:
        """Raises FolderGone."""
        return await self.account.ground.look(lambda c: rows.state(c, self.user_id, self.number))

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A connection; which mailbox is selected is open. What goes wrong inside is translated."""
        with translated():
            async with self.pool.use(self.account, self.mailbox) as session:
                yield session

    @asynccontextmanager
    async def selected(self, *, fresh: bool = True) -> AsyncIterator[tuple[Session, State]]:
        """The mailbox is selected. `fresh` False: as it is on the connection, for what never changes."""
        state = await self.state()
        async with self.session() as session:
            if not self.is_selected(session):
                await self.select(session)
            elif fresh and not self.views.is_fresh(session, self.mailbox, self.user_id, self.number):
                await self.sync(session)
            yield session, await self.known(session, state)

    def is_selected(self, session: Session) -> bool:
        return session.selected is not None and session.selected.name == self.mailbox

    async def select(self, session: Session, do: Callable[[], Awaitable[Selected]] | None = None) -> Selected:
        """Raises FolderGone."""
        began = time.monotonic()
        selected = await self.existing(session, do() if do is not None else session.select(self.mailbox))
        self.views.note_synced(session, self.mailbox, began)
        return selected

    async def sync(self, session: Session) -> None:
        """Bring the selected mailbox up to date."""
        began = time.monotonic()
        await session.noop()
        if self.is_selected(session):
            self.views.note_synced(session, self.mailbox, began)
        else:
            await self.select(session)

    async def existing(self, session: Session, answer: Awaitable[R]) -> R:
        """An answer about the mailbox; FolderGone if it is not there, also where the server gives no code."""
        try:
            return await answer
        except No as error:
            if not error.code and all(listed.name != self.mailbox for listed in await session.list()):
                raise FolderGone(self.mailbox) from error
            raise

    async def known(self, session: Session, state: State) -> State:
        """The state under the UIDVALIDITY of the selected mailbox: a new one begins a new epoch."""
        selected = session.selected
        if selected is None:
            raise Unavailable("the mailbox was closed")
        if selected.uid_validity == state.validity:
            return state
        if not state.validity:
            return await self.account.ground.write(
                lambda tx: rows.first_seen(tx, self.user_id, self.number, selected.uid_validity)
            )
        async with self.lock("epoch"):
            state = await self.state()
            if state.validity == selected.uid_validity:
                return state
            return await epochs.begin(self.account.ground, self.user_id, self.number, session, selected)

    async def keep_prints(self, epoch: int, found: Sequence[Print]) -> None:
        """To wait for the disk is not worth it, nor to try again where another node has just written the same row: at
        worst a message is sent again under a new UIDVALIDITY."""
        with suppress(IntegrityError):
            await self.account.ground.transactions.write(
                lambda c: prints.keep(c, self.number, epoch, found), lasting=False
            )

    def heard(self, session: Session | None = None) -> None:
        """`session`: over which something was learned; None: something was written."""
        self.views.note_heard(self.user_id, self.number, session if session and self.is_selected(session) else None)

    def ring(self) -> None:
        self.account.ground.ring(self.user_id, frozenset((str(self.number),)))


async def twice(do: Callable[[], Awaitable[R]]) -> R:
    """Something that only reads: again over another connection if the first was lost."""
    try:
        return await do()
    except Unavailable as error:
        if not isinstance(error.__cause__, Lost):
            raise
    return await do()


__all__ = ["ImapError", "Reach", "Views", "twice"]
