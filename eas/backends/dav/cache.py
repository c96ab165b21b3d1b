"""What is shared by all feeds over one database: contents recently read, and refreshes that are under way.

What the index has just read is what the next window shows, and what a device shows is what it edits. Nothing here is
needed: everything can be read again.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from eas.backends.standards.ports import Account
from eas.db.transactions import Transactions
from eas.engine.errors import BackendError

from .objects import tag

#: A few first Syncs at a time, of a thousand items of some kilobytes each.
MAX_OCTETS = 32 << 20
MAX_ENTRIES = 20_000
#: A single object of more than that is read again rather than pushing hundreds out.
MAX_OBJECT = 2 << 20
#: What an entry costs beside its octets, about.
_ENTRY_OCTETS = 300
#: Places of which something is remembered.
_MAX_PLACES = 20_000
#: A server that writes in its own manner may meet it by chance.
TRUSTED_AFTER = 3
_NEVER = -(1 << 40)

R = TypeVar("R")
_Key = tuple[str, str, str]


class Contents:
    """The octets of objects by user, href and ETag, the least recently used ones dropped first."""

    def __init__(self, octets: int = MAX_OCTETS, entries: int = MAX_ENTRIES) -> None:
        self._octets, self._entries = octets, entries
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, user_id: str, href: str, etag: str) -> bytes | None:
        key = (user_id, href, tag(etag))
        data = self._kept.get(key)
        if data is not None:
            self._kept.move_to_end(key)
        return data

    def put(self, user_id: str, href: str, etag: str, data: bytes) -> None:
        if not etag or len(data) > min(MAX_OBJECT, self._octets):
            return
        key = (user_id, href, tag(etag))
        self._drop(key)
        self._kept[key] = data
        self.size += len(data) + _ENTRY_OCTETS
        while self._kept and (self.size > self._octets or len(self._kept) > self._entries):
            self._drop(next(iter(self._kept)))

    def _drop(self, key: _Key) -> None:
        data = self._kept.pop(key, None)
        if data is not None:
            self.size -= len(data) + _ENTRY_OCTETS


class Turn:
    """Refreshes of one place, one after the other: those who come while one runs share the next one, and a failure.

    So ten devices that wait for a server which hangs wait for it once, and a listing is read once for all."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._begun = self._ended = 0
        self._failure: BackendError | None = None
        self._good = False

    async def take(self, do: Callable[[], Awaitable[None]]) -> None:
        """Do it, unless somebody has done it who began after this was called."""
        came, waits = self._begun, self._begun > self._ended
        async with self._lock:
            if self._failure is not None and (self._ended > came or waits):
                raise type(self._failure)(*self._failure.args)
            if self._good and self._ended > came:
                return
            self._begun += 1
            self._failure, self._good = None, False
            try:
                await do()
                self._good = True
            except BackendError as error:
                self._failure = error
                raise
            finally:
                self._ended = self._begun


@dataclass(slots=True)
class Shared:
    """`followed` says when (monotonic) the rows of a place were last known to be those of the server; `faithful` how
    often an object in it was found stored octet by octet as it had been sent, negative if ever otherwise."""

    contents: Contents = field(default_factory=Contents)
    turns: WeakValueDictionary[int, Turn] = field(default_factory=WeakValueDictionary)
    writes: WeakValueDictionary[tuple[int, str], asyncio.Lock] = field(default_factory=WeakValueDictionary)
    followed: OrderedDict[int, float] = field(default_factory=OrderedDict)
    faithful: OrderedDict[int, int] = field(default_factory=OrderedDict)

    def turn(self, number: int) -> Turn:
        return self.turns.setdefault(number, Turn())

    def writing(self, number: int, name: str) -> asyncio.Lock:
        """Held while an object of the place is written: there are servers that two of our own writes at one moment find
        between looking at the condition and storing (Xandikos), so that both are told that they did it."""
        return self.writes.setdefault((number, name), asyncio.Lock())

    def follows(self, number: int) -> None:
        _remember(self.followed, number, time.monotonic())

    def followed_within(self, number: int, seconds: float) -> bool:
        return time.monotonic() - self.followed.get(number, float("-inf")) < seconds


    def trusts(self, number: int) -> bool:
        """Whether an ETag in the answer to a PUT says that what was sent is what is stored. RFC 4791 5.3.4 wants it so,
        but Radicale tells one and yet writes every object in its own manner."""
        return self.faithful.get(number, 0) >= TRUSTED_AFTER

    def stored(self, number: int, as_sent: bool) -> None:
        _remember(self.faithful, number, self.faithful.get(number, 0) + 1 if as_sent else _NEVER)


def _remember(kept: OrderedDict[int, R], number: int, value: R) -> None:
    kept[number] = value
    kept.move_to_end(number)
    while len(kept) > _MAX_PLACES:
        kept.popitem(last=False)


#: By database: a process has one, tests have many.
_SHARED: WeakKeyDictionary[Transactions, Shared] = WeakKeyDictionary()


def shared(account: Account) -> Shared:
    return _SHARED.setdefault(account.ground.transactions, Shared())
