"""A user's mail on an IMAP server, as a source of folders. The work is done in `tree` (folders), `feed` (messages),
`searching` and `conversations`; here it is put together, and IMAP's errors become those of the engine.

An object is made for each request and holds nothing; connections are the pool's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from eas.backends.standards.ports import Account, Hit, Numbered, Place
from eas.engine.errors import BackendError, FolderGone, NotAllowed, Unavailable
from eas.engine.model import CollectionId, FolderType
from eas.engine.ports import Chosen, Feed, MailQuery

from . import conversations, folders, rows, searching, tree
from .errors import translated
from .feed import ImapFeed
from .inbox import InboxFeed
from .level import LevelFeed
from .model import Pool, Session, Status
from .reach import twice
from .rows import State

Resolve = Callable[[CollectionId], Awaitable[Numbered | None]]


class ImapSource:
    """`places`, of this object or of another one with the same pool, comes before `planned`."""

    name = "imap"

    def __init__(self, account: Account, pool: Pool, resolve: Resolve) -> None:
        self._account, self._pool, self._resolve = account, pool, resolve
        self._foreseen: dict[int, tuple[State, Status]] = {}

    @asynccontextmanager
    async def _session(self, otherwise: type[BackendError], mailbox: str = "") -> AsyncIterator[Session]:
        with translated(otherwise):
            async with self._pool.use(self._account, mailbox) as session:
                yield session

    # -- folders

    async def places(self) -> Sequence[Place]:
        async with self._session(NotAllowed) as session:
            return await tree.places(self._account, self._pool, session)

    def makes(self, type: FolderType) -> bool:
        return type in (FolderType.USER_MAIL, FolderType.GENERIC)

    def planned(self, parent: Place | None, name: str, type: FolderType, chosen: Chosen) -> str:
        return folders.locator_of(tree.known_layout(self._account, self._pool), parent, name)

    async def create(
        self, parent: Place | None, name: str, type: FolderType, locator: str, *, again: bool
    ) -> Place:
        async with self._session(NotAllowed) as session:
            return await tree.create(self._account, self._pool, session, parent, name, locator, again=again)

    async def rename(self, place: Place, parent: Place | None, name: str) -> Sequence[tuple[str, str]]:
        async with self._session(NotAllowed) as session:
            return await tree.rename(self._account, self._pool, session, place, parent, name)

    async def delete(self, place: Place) -> None:
        async with self._session(NotAllowed) as session:
            await tree.delete(self._account, self._pool, session, place)

    async def empty(self, place: Place) -> None:
        """Just those messages that were there when it began."""
        await tree.empty(self._account, self._pool, place)

    # -- messages

    def feed(self, at: Numbered) -> Feed:
        if folders.is_level(at.place):
            return LevelFeed(at.place.name)
        make = InboxFeed if at.place.type is FolderType.INBOX else ImapFeed
        feed = make(self._account, self._pool, at, self._resolve)
        feed.foreseen = self._foreseen.pop(at.number, None)
        return feed

    async def foresee(self, at: Sequence[Numbered]) -> None:
        """By one LIST-STATUS and one select; where there is none, or no MODSEQ in it, nothing is saved."""
        mailboxes = _mailboxes(at)

        async def work() -> Mapping[str, Status]:
            async with self._session(Unavailable) as session:
                if not session.can_condstore or "LIST-STATUS" not in session.capabilities:
                    return {}
                return await session.statuses([one.place.locator for one in mailboxes])

        self._foreseen = {}
        told = await twice(work)
        numbers = {one.number: told[one.place.locator] for one in mailboxes if one.place.locator in told}
        if numbers:
            user_id = self._account.user.id
            stand = await self._account.ground.look(lambda c: rows.states(c, user_id, numbers))
            self._foreseen = {number: (state, numbers[number]) for number, state in stand.items()}

    async def search(self, query: MailQuery, within: Sequence[Numbered]) -> Sequence[Hit]:
        return await searching.search(self._account, self._pool, query, _mailboxes(within))

    async def move_conversation(
        self, conversation: bytes, to: Numbered, always: bool, within: Sequence[Numbered]
    ) -> int:
        if not to.place.own:
            raise FolderGone(str(to.number))
        tree.check_writable(to.place)
        return await conversations.move(self._account, self._pool, conversation, to, always, _mailboxes(within))

    async def probe(self, at: Sequence[Numbered]) -> Mapping[int, str]:
        return await probed(self._account, self._pool, _mailboxes(at))

    async def close(self) -> None:
        await self._pool.drop(self._account)


def _mailboxes(places: Sequence[Numbered]) -> list[Numbered]:
    return [one for one in places if not folders.is_level(one.place)]


async def probed(account: Account, pool: Pool, at: Sequence[Numbered]) -> Mapping[int, str]:
    """What STATUS says of mailboxes, by number. Raises Unavailable."""
    async def work() -> Mapping[str, Status]:
        with translated():
            async with pool.use(account) as session:
                return await session.statuses(sorted(one.place.locator for one in at))

    found = await twice(work)
    return {one.number: str(found.get(one.place.locator)) for one in at}
