"""The indexes of all address lists that are in use, by scope: made when first asked for, renewed in the background
while the old one still serves, and dropped when they have not been asked for longest.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field

import structlog

from eas.engine.errors import Unavailable

from .people_index import PeopleIndex

log = structlog.get_logger("eas.gal")

#: Scopes kept: a provider's customers that are at work at the same time. Octets of all indexes together.
MAX_SCOPES, MAX_BYTES = 256, 256 << 20
#: Indexes that are made at the same time: each needs a connection and a good part of a core.
MAX_BUILDING = 2
#: Seconds for which nothing new is tried after a failure.
AILING_SECONDS = 15.0
#: An index that cannot be renewed serves for so many times the seconds that it counts as fresh.
STALE_TIMES = 12

#: Makes an index; None where there are too many entries. Raises Unavailable.
Build = Callable[[], Awaitable[PeopleIndex | None]]


@dataclass(slots=True)
class Scope:
    """`index` None: there is none yet, or there are too many entries (`oversized`). `memo` is the builder's: what the
    next index is made with out of this one."""

    index: PeopleIndex | None = None
    memo: object = None
    oversized: bool = False
    made: float = 0.0
    failed: float | None = None
    building: asyncio.Task[None] | None = None

    async def ready(self) -> PeopleIndex:
        """The index, when it has been made. Raises Unavailable."""
        if self.index is None and self.building is not None:
            await asyncio.wait({self.building})
        if self.index is None:
            raise Unavailable("the address list cannot be read")
        return self.index


@dataclass(slots=True)
class Scopes:
    """Used in one event loop."""

    monotonic: Callable[[], float]
    max_scopes: int = MAX_SCOPES
    max_bytes: int = MAX_BYTES
    _kept: OrderedDict[Hashable, Scope] = field(default_factory=OrderedDict)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_BUILDING))

    def get(self, key: Hashable, build: Build, fresh_seconds: float) -> Scope:
        """The scope as it is, at once. What is missing or old is being made when this returns."""
        scope = self._kept.get(key)
        if scope is None:
            scope = self._kept[key] = Scope()
            self._shrink(key)
        self._kept.move_to_end(key)
        now = self.monotonic()
        known = scope.index is not None or scope.oversized
        if known and now >= scope.made + fresh_seconds * STALE_TIMES:
            scope.index, scope.oversized, known = None, False, False
        ailing = scope.failed is not None and now < scope.failed + AILING_SECONDS
        if scope.building is None and not ailing and (not known or now >= scope.made + fresh_seconds):
            scope.building = asyncio.create_task(self._make(key, scope, build))
        return scope

    def kept(self, key: Hashable) -> Scope | None:
        """The scope as it is, if there is one."""
        return self._kept.get(key)

    async def _make(self, key: Hashable, scope: Scope, build: Build) -> None:
        try:
            async with self._turns:
                began = self.monotonic()
                index = await build()
        except Unavailable as error:
            scope.failed = self.monotonic()
            log.warning("the address list cannot be read", scope=str(key)[:200], reason=str(error))
            return
        except Exception:  # runs in the background: nobody else would hear of it
            scope.failed = self.monotonic()
            log.exception("the address list cannot be read", scope=str(key)[:200])
            return
        finally:
            scope.building = None
        scope.index, scope.oversized, scope.made, scope.failed = index, index is None, began, None
        self._shrink(key)

    def _shrink(self, present: Hashable) -> None:
        """Those asked for longest ago go; the present one stays however large it is."""
        size = sum(scope.index.size for scope in self._kept.values() if scope.index is not None)
        for key in list(self._kept):
            if len(self._kept) <= self.max_scopes and size <= self.max_bytes:
                return
            scope = self._kept[key]
            if key != present and scope.building is None:
                size -= scope.index.size if scope.index is not None else 0
                del self._kept[key]

    async def close(self) -> None:
        building = [scope.building for scope in self._kept.values() if scope.building is not None]
        for task in building:
            task.cancel()
        await asyncio.gather(*building, return_exceptions=True)
        self._kept.clear()
