"""Locks by name within one process. A lock exists only while somebody holds it or waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager


class LocalLeases:
    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def hold(self, names: Collection[str]) -> AsyncIterator[None]:
        """Sorted, so that two requests for the same collections in different orders do not wait for each other."""
        taken: list[str] = []
        try:
            for name in sorted(set(names)):
                lock = self._locks.setdefault(name, asyncio.Lock())
                self._users[name] = self._users.get(name, 0) + 1
                try:
                    await lock.acquire()
                except BaseException:
                    self._leave(name)
                    raise
                taken.append(name)
            yield
        finally:
            for name in reversed(taken):
                self._locks[name].release()
                self._leave(name)

    def _leave(self, name: str) -> None:
        self._users[name] -= 1
        if not self._users[name]:
            del self._users[name], self._locks[name]

    def __len__(self) -> int:
        return len(self._locks)
