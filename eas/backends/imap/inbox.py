"""The feed of the inbox: what belongs elsewhere is taken out of it before anybody hears of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from eas.backends.standards.ports import Account, Numbered
from eas.engine.model import CollectionId

from .conversations import redirect
from .feed import ImapFeed
from .model import Pool
from .reach import Reach
from .rows import State


class InboxFeed(ImapFeed):
    def __init__(
        self, account: Account, pool: Pool, at: Numbered, resolve: Callable[[CollectionId], Awaitable[Numbered | None]]
    ) -> None:
        super().__init__(account, pool, at, resolve)
        self._inbox, self._others = Reach(account=account, pool=pool, at=at), resolve

    async def _state(self) -> State:
        state = await super()._state()
        if not state.ruled:
            return state
        await redirect(self._inbox, self._others)
        return await super()._state()
