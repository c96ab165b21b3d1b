"""Recordings in one process: what is to be recorded is asked of the database every other second, how far it is told
there, and what is over ended. So every process of a site knows within seconds, with Redis or without, and no request
asks."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path

import structlog

from eas.engine.errors import BackendError
from eas.push.bell import LocalBell
from eas.replay.recording.reels import Reels
from eas.replay.recording.shelf import Shelf
from eas.store.recordings import Recording, RecordingStore

log = structlog.get_logger("eas.recording")

#: The folder in the data folder.
FOLDER = "recordings"
#: Seconds between two looks.
EVERY_SECONDS = 2.0
#: Looks between two sweeps, where there are files.
SWEEP_EVERY = 30


class Recorded:
    """`reels` are this process's, for the wrapper around the server."""

    def __init__(self, data: Path, store: RecordingStore, bell: LocalBell, *, node: str, release: str) -> None:
        self.store, self.shelf = store, Shelf(data / FOLDER)
        self.reels = Reels(data / FOLDER, node, f"recorded, eas-gateway {release}")
        self._bell = bell
        self._news = asyncio.Event()
        self._away = False

    async def keep(self) -> None:
        loop, looks = asyncio.get_running_loop(), 0
        self.reels.on_news = lambda: _tell(loop, self._news)
        while True:
            try:
                await self.look()
                if looks % SWEEP_EVERY == 0:
                    await self.sweep()
                looks, self._away = looks + 1, False
            except BackendError as error:
                if not self._away:
                    log.warning("recordings cannot be looked at", reason=str(error))
                self._away = True
            except Exception as error:  # whatever it is, the server goes on, and so do recordings
                log.error("looking at recordings failed", exc_info=error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._news.wait()
            self._news.clear()

    async def look(self) -> None:
        """Raises Unavailable."""
        await self._told()
        found, now = await self.store.running(), datetime.now(UTC)
        if any(one.until <= now for one in found):
            await self.store.end_overdue(now)
        for new in self.reels.follow(found):
            log.info("recording", recording=new.id, user=new.address, device=new.device_id, contents=new.contents)
            self._call(new)

    def _call(self, new: Recording) -> None:
        """A phone that waits here asks anew, so that what it waits for is in the recording."""
        if self._bell.waits(new.user_id) and new.device_id:
            self._bell.end(new.user_id, new.device_id)

    async def _told(self) -> None:
        """How far it is, and what has ended here by itself."""
        progress = self.reels.progress()
        if progress:
            await self.store.note(progress)
            self.reels.told([part for parts in progress.values() for part in parts])
        for id, why in list(self.reels.over.items()):
            await self.store.end(id, datetime.now(UTC), why)

    async def sweep(self) -> None:
        """Files of recordings that are no more. Raises Unavailable, OSError."""
        if await asyncio.to_thread(self.shelf.has_any):
            known = await self.store.ids()
            await asyncio.to_thread(self.shelf.sweep, known)

    async def expire(self, before: datetime) -> None:
        """Those that ended before, with their files here. Raises Unavailable."""
        await self.store.end_overdue(datetime.now(UTC))
        if count := await self.store.expire(before):
            log.info("recordings expired", recordings=count)
        await self.sweep()

    async def close(self) -> None:
        """What is under way is written; no process goes without having told how far it came, if it can."""
        self.reels.finish()
        await asyncio.to_thread(self.reels.close)
        with contextlib.suppress(BackendError):
            await self._told()


def _tell(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(event.set)
