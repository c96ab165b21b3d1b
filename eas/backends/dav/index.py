"""A collection as our rows follow it: what has changed on the server is read, and only that.

One cheap probe says whether anything has. If so, the changes are asked for (sync-collection, or a listing), and of
those whose ETag is not ours the contents, for what listings and searches need of them; they stay in the cache, as a
device will ask for them next. A collection of thousands is taken over in portions: when the line breaks, the next
refresh goes on from there. The rows say how far they have come last of all, and by compare-and-set.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

from eas.backends.embedded.codec import millis
from eas.backends.embedded.prepare import Prepared, record
from eas.backends.standards.ports import Account, Numbered
from eas.engine.errors import BackendError, FolderGone, NotAllowed
from eas.engine.model import Right

from . import rows
from .cache import shared
from .errors import translated
from .model import Collections, Object
from .objects import KIND, belongs, collection_of, href_of, name_in, version_of
from .rows import At, Overtaken, Read, Standing

#: Objects whose contents are asked for, prepared and stored together: one request of the client's, and a transaction of
#: some ten milliseconds.
PORTION = 250
#: How often a refresh begins again because another one, or a write, came between.
ATTEMPTS = 4
#: A listing without so many of the objects that were there, and more than half, is read again before it is believed.
DOUBTFUL = 20
#: A token that is a moment in seconds counts only once it is so old: the rest of that second, and clocks that differ.
UNSETTLED_SECONDS = 10.0
_SECONDS = re.compile(r'(?:ctag|token|sync):"?(\d{10})"?')
#: Octets of contents that are prepared in the event loop; more go to a thread.
_AT_ONCE = 16 << 10

#: The numbered place of an id within the same source; None for others, and for unknown ones.
Resolve = Callable[[str], Awaitable[Numbered | None]]


class Index:
    def __init__(self, account: Account, client: Collections, at: Numbered) -> None:
        self.account, self.client, self.place = account, client, at.place
        self.ground = account.ground
        self.at = At(at.number, account.user.id)
        self.collection, self._main = collection_of(at.place)
        self.item_class = at.place.item_class
        self.kind = KIND[self.item_class]
        self.shared = shared(account)

    def href(self, name: str) -> str:
        return href_of(self.collection, name)

    # -- following the server

    async def standing(self) -> Standing:
        """Raises FolderGone."""
        return await self.ground.look(partial(rows.standing, at=self.at))

    async def refresh(self) -> None:
        """The rows are those of the server, as it was when this was called or later; if others write all the time, as
        it was a little before. Raises FolderGone, Unavailable."""
        with translated():
            await self.shared.turn(self.at.number).take(self._follow)

    async def refresh_if_older(self, seconds: float) -> None:
        """For what may be a little late: searches and the directory."""
        if not self.shared.followed_within(self.at.number, seconds):
            await self.refresh()

    async def _follow(self) -> None:
        with translated():
            for _ in range(ATTEMPTS):
                try:
                    if await self._once():
                        self.shared.follows(self.at.number)
                        return
                except Overtaken:
                    continue

    async def _once(self) -> bool:
        began = await self.standing()
        state = await self.client.state(self.collection)
        if state and state == began.state:
            return True
        # What is no sync-token has been compared just now, and is no use for more.
        since = began.token if began.token.startswith("sync:") else ""
        changes = await self.client.changes(self.collection, since, kind=self.kind)
        told = {name_in(self.collection, href): etag for href, etag in changes.changed.items()}
        if changes.complete:
            known = await self.ground.read(partial(rows.all_known, at=self.at))
            gone = await self._believed(known.keys() - told.keys(), len(known))
        else:
            gone = {name_in(self.collection, href) for href in changes.gone}
            known = await self.ground.read(partial(rows.known_by_name, at=self.at, names=told))
        news = [name for name, etag in told.items() if name not in known or not known[name].stands_at(etag)]
        then: tuple[str, str] | None = (state, changes.token)
        if self._of_this_moment(state) or self._of_this_moment(changes.token):
            then = None  # something more may happen in this second: it is asked for again
        good = True
        for portion in list(rows.batches(news, PORTION)) or [[]]:
            found = await self.load(portion)
            last = not portion or portion[-1] == news[-1]
            good = await self.ground.write(partial(
                rows.settle, at=self.at, began=began, found=found, gone=gone if last else (),
                then=then if last and good else None,
            )) and good
        return good

    def _of_this_moment(self, token: str) -> bool:
        """Some servers count their changes in seconds (SOGo)."""
        found = _SECONDS.fullmatch(token)
        return found is not None and int(found[1]) > self.ground.now().timestamp() - UNSETTLED_SECONDS

    async def _believed(self, gone: Collection[str], known: int) -> Collection[str]:
        """Of what a listing lacks, what the next one lacks, too, if it is much."""
        if len(gone) <= DOUBTFUL or 2 * len(gone) <= known:
            return gone
        again = await self.client.changes(self.collection, "", kind=self.kind)
        return set(gone) - {name_in(self.collection, href) for href in again.changed}

    # -- contents

    async def load(self, names: Sequence[str]) -> list[Read]:
        """Those of the objects that are there, read from the server; their contents go into the cache."""
        if not names:
            return []
        objects = await self.client.multiget(self.collection, [self.href(name) for name in names], kind=self.kind)
        return await self.read({name_in(self.collection, one.href): one for one in objects})

    async def read(self, objects: Mapping[str, Object]) -> list[Read]:
        """By name. Their contents go into the cache."""
        for name, one in objects.items():
            self.keep(name, one.etag, one.data)
        if sum(len(one.data) for one in objects.values()) <= _AT_ONCE:
            return list(self._prepared(objects.items()))
        return await asyncio.to_thread(lambda: list(self._prepared(objects.items())))

    async def read_one(self, name: str, etag: str, data: bytes) -> Read:
        return (await self.read({name: Object(href=self.href(name), etag=etag, data=data)}))[0]

    def _prepared(self, objects: Iterable[tuple[str, Object]]) -> Iterable[Read]:
        now = millis(self.ground.now())
        for name, one in objects:
            prepared: Prepared | None = None
            if belongs(one.data, self.item_class, self._main):
                prepared = record(self.item_class, one.data)
            yield rows.read(name, one.etag, version_of(one.etag, one.data), prepared, now)

    def kept(self, name: str, etag: str) -> bytes | None:
        """From the cache."""
        return self.shared.contents.get(self.at.user_id, self.href(name), etag)

    def keep(self, name: str, etag: str, data: bytes) -> None:
        self.shared.contents.put(self.at.user_id, self.href(name), etag, data)

    # -- rights

    def require_readable(self) -> None:
        if self.place.right < Right.READ:
            raise FolderGone(str(self.at.number))

    def require_writable(self) -> None:
        self.require_readable()
        if self.place.right < Right.EDIT:
            raise NotAllowed(f"folder {self.at.number} is read-only")


async def freshen(indexes: Iterable[Index], *, older: float, patience: float) -> None:
    """Bring rows that are older than so many seconds up to the server's state, as far as that goes within `patience`
    (seconds): whoever types a name waits for no server that hangs, and what was known stands in the rows."""
    try:
        async with asyncio.timeout(patience):
            for index in indexes:
                try:
                    await index.refresh_if_older(older)
                except FolderGone:
                    continue
    except (BackendError, TimeoutError):
        return
