"""Waits that end when the client goes away: the bell of one request.

A phone that loses its line leaves a Ping behind. Nobody cancels the handler, which might be in the middle of something;
its wait ends as if a newer one had taken over, it finishes at once, and its answer goes nowhere. The connection is
watched only while a handler waits, so that other requests do not pay for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from starlette.types import Receive

from eas.engine.model import CollectionId
from eas.engine.ports import Bell, Listening


class HeldBell:
    """The bell as one request sees it."""

    def __init__(self, bell: Bell, receive: Receive) -> None:
        self._bell = bell
        self._receive = receive

    def ring(self, user_id: str, collections: Collection[CollectionId], by_device: str = "") -> None:
        self._bell.ring(user_id, collections, by_device)

    def listen(self, user_id: str, device_id: str, collections: Collection[CollectionId]) -> Listening:
        return HeldListening(self._bell.listen(user_id, device_id, collections), self._receive)

    def end(self, user_id: str, device_id: str) -> None:
        self._bell.end(user_id, device_id)


class HeldListening:
    """A subscription that is closed when the client goes; closing it ends its wait."""

    def __init__(self, listening: Listening, receive: Receive) -> None:
        self._listening = listening
        self._receive = receive
        self._watcher: asyncio.Task[None] | None = None

    async def wait(self, timeout_seconds: float) -> frozenset[CollectionId]:
        if self._watcher is None:
            self._watcher = asyncio.create_task(_disconnected(self._receive))
            self._watcher.add_done_callback(self._gone)
        return await self._listening.wait(timeout_seconds)

    def _gone(self, watcher: asyncio.Task[None]) -> None:
        if not watcher.cancelled() and watcher.exception() is None:
            self._listening.close()

    @property
    def ended(self) -> bool:
        gone = self._watcher is not None and self._watcher.done()
        return gone or self._listening.ended

    def close(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        self._listening.close()


async def _disconnected(receive: Receive) -> None:
    """Returns when the client has gone. The body has been read: anything else that comes is passed over."""
    while (await receive())["type"] != "http.disconnect":
        pass
