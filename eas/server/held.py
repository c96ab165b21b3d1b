"""Waits that end when the client goes away: the bell of one request.

A phone that loses its line leaves a Ping behind. Nobody cancels the handler, which might be in the middle of something;
its wait ends as if a newer one had taken over, it finishes at once, and its answer goes nowhere. The connection is
watched only while a handler waits, so that other requests do not pay for it. What is held, for how long and why no
longer, is counted here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from time import monotonic

from starlette.types import Receive

from eas import measures
from eas.engine.model import CollectionId
from eas.engine.ports import Bell, Listening

from .note import Note
from .turns import Turn


class HeldBell:
    """The bell as one request sees it. `note` and `turn` are that request's."""

    def __init__(self, bell: Bell, receive: Receive, note: Note, turn: Turn) -> None:
        self._bell = bell
        self._receive = receive
        self._note = note
        self._turn = turn

    def ring(self, user_id: str, collections: Collection[CollectionId], by_device: str = "") -> None:
        self._bell.ring(user_id, collections, by_device)

    def listen(self, user_id: str, device_id: str, collections: Collection[CollectionId]) -> Listening:
        self._note.watched = len(collections) - 1  # beside the folders there is the list of them
        listening = self._bell.listen(user_id, device_id, collections)
        return HeldListening(listening, self._receive, self._note, self._turn)

    def end(self, user_id: str, device_id: str) -> None:
        self._bell.end(user_id, device_id)


class HeldListening:
    """A subscription that is closed when the client goes; closing it ends its wait."""

    __slots__ = ("_began", "_heard", "_listening", "_note", "_receive", "_turn", "_watcher")

    def __init__(self, listening: Listening, receive: Receive, note: Note, turn: Turn) -> None:
        self._listening = listening
        self._receive = receive
        self._note = note
        self._turn = turn
        self._watcher: asyncio.Task[None] | None = None
        #: When the first wait began, 0 before it; and whether the last one has heard something.
        self._began = 0.0
        self._heard = False

    async def armed(self) -> None:
        await self._listening.armed()

    async def wait(self, timeout_seconds: float) -> frozenset[CollectionId]:
        began = monotonic()
        if self._watcher is None:
            self._began = self._note.held_since = began
            self._watcher = asyncio.create_task(_disconnected(self._receive))
            self._watcher.add_done_callback(self._gone)
        command = self._note.command
        self._turn.end()
        measures.HELD_WAITS[command] += 1
        measures.REQUESTS_IN_FLIGHT[()] -= 1
        try:
            rung = await self._listening.wait(timeout_seconds)
        finally:
            measures.HELD_WAITS[command] -= 1
            measures.REQUESTS_IN_FLIGHT[()] += 1
            self._note.waited += monotonic() - began
        await self._turn.go_on()
        self._heard = bool(rung) and not self.ended
        # Were it no news, the next wait would say so.
        self._note.rung_at = self._listening.rung_at if self._heard else 0.0
        return rung

    def _gone(self, watcher: asyncio.Task[None]) -> None:
        if not watcher.cancelled() and watcher.exception() is None:
            if not self._listening.ended:  # else it went because, or while, a newer request took over
                self._note.gone = True
            self._listening.close()

    @property
    def replaced(self) -> bool:
        return self._listening.replaced

    @property
    def rung_at(self) -> float:
        return self._listening.rung_at

    @property
    def _is_gone(self) -> bool:
        return self._watcher is not None and self._watcher.done()

    @property
    def ended(self) -> bool:
        return self._is_gone or self._listening.ended

    def close(self) -> None:
        if self._began:
            self._count()
        if self._watcher is not None:
            self._watcher.cancel()
        self._listening.close()

    def _count(self) -> None:
        """Once, when nobody waits here any longer."""
        command, began = self._note.command, self._began
        self._began = self._note.held_since = 0.0
        self._note.how = self._reason()
        measures.WAITS[command, self._note.how].inc()
        measures.WAIT_SECONDS[command].observe(monotonic() - began)

    def _reason(self) -> str:
        if self._is_gone:
            return "gone"
        if self._listening.ended:
            return "replaced" if self._listening.replaced else "stop"
        return "news" if self._heard else "time"


async def held_back(receive: Receive, seconds: float, note: Note) -> bool:
    """Wait before anything is done. False if the client has gone meanwhile."""
    began = monotonic()
    measures.REQUESTS_IN_FLIGHT[()] -= 1
    try:
        await asyncio.wait_for(_disconnected(receive), seconds)
    except TimeoutError:
        return True
    finally:
        measures.REQUESTS_IN_FLIGHT[()] += 1
        note.waited += monotonic() - began
    note.gone = True
    return False


async def _disconnected(receive: Receive) -> None:
    """Returns when the client has gone. The body has been read: anything else that comes is passed over."""
    while (await receive())["type"] != "http.disconnect":
        pass
