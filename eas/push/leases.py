"""Leases of one process: locks by name.

They keep two requests of a device from computing the same thing twice. Nothing relies on them: truth is the
compare-and-swap of the state store. `Leases` of eas.engine.ports.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic

from eas import measures


class LocalLeases:
    """A lock exists while somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @property
    def names(self) -> frozenset[str]:
        """Those that are held, or waited for, now."""
        return frozenset(self._locks)

    @asynccontextmanager
    async def hold(self, names: Collection[str]) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            # In one order for all, so that no two wait for each other.
            for name in sorted(set(names)):
                await held.enter_async_context(self._one(name))
            yield

    @asynccontextmanager
    async def _one(self, name: str) -> AsyncIterator[None]:
        lock, users = self._locks.get(name) or (asyncio.Lock(), 0)
        self._locks[name] = lock, users + 1
        held, began = lock.locked(), monotonic()
        try:
            async with lock:
                if held:
                    measures.LEASE_SECONDS["here"].observe(monotonic() - began)
                yield
        finally:
            users = self._locks[name][1] - 1
            if users:
                self._locks[name] = lock, users
            else:
                del self._locks[name]
