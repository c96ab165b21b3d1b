"""What devices did: gathered in memory, written in batches, off the way of any request; and read again.

`note` appends to a list and returns. What a device did is written when its oldest note is some minutes old, all of it
together (one row of events, one of the day, one for each command and folder), so that a phone costs rows by the clock
and not by its requests; sooner where something went wrong, or where somebody looks (`flush`). A database that does not
take it is tried again; what has no room in memory meanwhile is dropped and counted. Each process writes its own part.
"""

from __future__ import annotations

import asyncio
import json
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection

from eas import measures
from eas.db.failures import FAILURES, failure_of, reason
from eas.db.transactions import Transactions
from eas.engine.activity import KEPT_EVENTS, Batch, Event, batch_of, day_of, hour_of
from eas.engine.errors import Unavailable

from . import activity_rows as rows
from .activity_rows import Failure

log = structlog.get_logger("eas.activity")

#: Seconds between two looks at what is due.
TICK_SECONDS = 5.0
#: Notes of a device that wait to be written at most for so long, and of one with which something went wrong.
WRITE_SECONDS, TROUBLED_SECONDS = 300.0, 15.0
#: A device with so many notes is due; beyond the second number its notes are dropped.
MANY, MOST_OF_DEVICE = 100, 600
#: Notes of all devices that may wait, some 400 bytes each, and logins with wrong passwords.
MOST_WAITING, MOST_LOGINS = 50_000, 500
#: Devices that are written in one transaction, so that no phone waits for long.
TOGETHER = 100
#: Seconds between two times that the counts of the hour are written.
MINUTE = 60.0
#: Seconds between two times that a process tells how it looks, where there are several.
LIVE_SECONDS = 10.0
#: How old that may be to be shown.
LIVE_SHOWN = timedelta(seconds=45)
#: How long the counts of days that are over are kept in memory.
OVER_SECONDS = 3600.0

R = TypeVar("R")
Key = tuple[str, str]
#: The id of the user that a login names, "" for nobody's.
WhoseLogin = Callable[[str], Awaitable[str]]


@dataclass(slots=True)
class _Waiting:
    """Notes of a device. `since` is when the first came, `due` when they are to be written; epoch seconds."""

    due: float
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Over:
    """What was counted of days that are over, from `since` to the one before `until`; `at` in epoch seconds."""

    at: float
    since: str
    until: str
    found: list[tuple[str, str, str, str, int]]


class ActivityStore:
    """`Activity` of eas.server.ports, and what is asked of it later. Begin it in a server (`start`), close it before
    the transactions."""

    def __init__(
        self, run: Transactions, *, node: str = "", whose: WhoseLogin | None = None,
        write_seconds: float = WRITE_SECONDS, now: Callable[[], float] = time.time,
    ) -> None:
        self._run, self._node, self._whose, self._now = run, node, whose, now
        self._write_seconds = write_seconds
        self._waiting: dict[Key, _Waiting] = {}
        self._count = self.dropped = 0
        self._hours: dict[tuple[str, str, str], float] = defaultdict(float)
        self._failures: dict[tuple[str, str], Failure] = {}
        self._task: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._over: _Over | None = None

    # -- being told, by the server

    def note(self, user_id: str, device_id: str, event: Event) -> None:
        hour = hour_of(event.at)
        self._hours[hour, "requests", event.command] += 1
        fine = event.fine
        if not fine:
            self._hours[hour, "errors", f"{event.command} {event.http} {event.status}".rstrip()] += 1
        if event.how:
            self._hours[hour, "waits", event.how] += 1
            self._hours[hour, "waited_seconds", event.how] += event.waited
        if not (user_id and device_id):
            return
        waiting = self._waiting.get((user_id, device_id))
        if waiting is None:
            waiting = self._waiting[user_id, device_id] = _Waiting(due=event.at + self._write_seconds)
        if self._count >= MOST_WAITING or len(waiting.events) >= MOST_OF_DEVICE:
            self.dropped += 1
            measures.ACTIVITY_DROPPED[()].inc()
            return
        waiting.events.append(event)
        self._count += 1
        if len(waiting.events) >= MANY:
            waiting.due = 0.0
        elif not fine:
            waiting.due = min(waiting.due, event.at + TROUBLED_SECONDS)

    def pushed(self, seconds: float, at: float) -> None:
        bound = bisect_left(measures.PUSHED, seconds)
        label = str(measures.PUSHED[bound]) if bound < len(measures.PUSHED) else "inf"
        self._hours[hour_of(at), "push", label] += 1

    def refused(self, login: str, device_id: str, at: float) -> None:
        self._hours[hour_of(at), "errors", "password"] += 1
        key = (login, device_id)
        before = self._failures.get(key)
        if before is not None:
            self._failures[key] = replace(before, last=at, count=before.count + 1)
        elif len(self._failures) < MOST_LOGINS:
            self._failures[key] = Failure(device_id=device_id, since=at, last=at, count=1)
        else:
            self.dropped += 1
            measures.ACTIVITY_DROPPED[()].inc()

    # -- writing

    def start(self, look: Callable[[], Mapping[str, Any]], *, tell: bool) -> None:
        """From now on write what is due. `look` says how this process looks; `tell`: there are others, who want to
        know."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_writing(look, tell))

    async def _keep_writing(self, look: Callable[[], Mapping[str, Any]], tell: bool) -> None:
        told = counted = 0.0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = self._now()
            try:
                await self.flush(now)
                if now - counted >= MINUTE:
                    counted = now
                    self._hours[hour_of(now), "held", ""] += look()["waiting"]
                    self._hours[hour_of(now), "held_looks", ""] += 1
                    await self._write_hours()
                if tell and now - told >= LIVE_SECONDS:
                    await self._tell(look())
                    told = now
            except Unavailable as error:
                log.warning("what devices did waits to be written", reason=str(error), notes=self._count)
            except Exception as error:
                log.error("what devices did cannot be written", exc_info=error)

    async def flush(self, due: float | None = None, only: Key | None = None) -> None:
        """Write what is due by then; None: all. `only` that of one device. Raises Unavailable, and keeps it then."""
        async with self._writing:
            keys = [
                key for key, waiting in self._waiting.items()
                if (due is None or waiting.due <= due) and only in (None, key)
            ]
            for first in range(0, len(keys), TOGETHER):
                await self._write_devices(keys[first:first + TOGETHER])
            if only is None:
                await self._write_failures()
            if due is None and only is None:
                await self._write_hours()

    async def _write_devices(self, keys: Sequence[Key]) -> None:
        taken = {key: self._waiting.pop(key) for key in keys}

        def work(connection: Connection) -> None:
            found: list[tuple[str, str, Sequence[Event], Batch]] = [
                (user, id, waiting.events, batch_of(waiting.events))
                for (user, id), waiting in taken.items() if waiting.events
            ]
            if found:
                rows.put_devices(connection, found)

        try:
            await self._write(work)
        except (Unavailable, asyncio.CancelledError):
            for key, waiting in taken.items():
                later = self._waiting.setdefault(key, _Waiting(due=waiting.due))
                later.events[:0] = waiting.events
                later.due = self._now() + TROUBLED_SECONDS
            raise
        except BaseException:
            self._count -= sum(len(waiting.events) for waiting in taken.values())
            raise
        self._count -= sum(len(waiting.events) for waiting in taken.values())

    async def _write_hours(self) -> None:
        taken, self._hours = self._hours, defaultdict(float)
        try:
            await self._write(lambda c: rows.put_hours(c, self._node, taken))
        except Unavailable:
            for key, value in taken.items():
                self._hours[key] += value
            raise

    async def _write_failures(self) -> None:
        if not self._failures:
            return
        taken, self._failures = self._failures, {}
        found: dict[str, list[Failure]] = defaultdict(list)
        for (login, _), failure in taken.items():
            user_id = await self._whose(login) if self._whose is not None else login
            if user_id:
                found[user_id].append(failure)
        try:
            await self._write(lambda c: rows.put_failures(c, found))
        except Unavailable:
            self._failures = {**taken, **self._failures}
            raise

    async def _tell(self, look: Mapping[str, Any]) -> None:
        data = json.dumps(look, separators=(",", ":"))
        await self._write(lambda c: rows.put_live(c, self._node, data, datetime.now(UTC)))

    async def _write(self, work: Callable[[Connection], None]) -> None:
        try:
            await self._run.write(work, lasting=False)
        except FAILURES as error:
            if failure_of(error) is None:
                raise
            raise Unavailable(f"database: {reason(error)}") from error

    async def close(self) -> None:
        """Writes what there is, if the database takes it."""
        told = self._task is not None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        try:
            await self.flush()
            if told:
                await self._write(lambda c: rows.forget_live(c, self._node))
        except Unavailable as error:
            log.warning("what devices did is not written", reason=str(error), notes=self._count)

    async def forget(self, user_id: str, device_id: str) -> None:
        """All of a device."""
        if (waiting := self._waiting.pop((user_id, device_id), None)) is not None:
            self._count -= len(waiting.events)
        await self._write(lambda c: rows.forget(c, user_id, device_id))

    # -- reading; what this process has not written yet is there, too

    async def events(self, user_id: str, device_id: str, most: int = KEPT_EVENTS) -> list[Event]:
        """The newest first."""
        await self.flush(only=(user_id, device_id))
        return await self._read(lambda c: rows.events(c, user_id, device_id, most))

    async def answers(self, user_id: str, device_id: str) -> list[dict[str, Any]]:
        """Rows of `device_answer`."""
        await self.flush(only=(user_id, device_id))
        return await self._read(lambda c: rows.answers(c, user_id, device_id))

    async def days(self, user_id: str, device_id: str, count: int) -> list[dict[str, Any]]:
        """Rows of `device_day`, of the last so many days on which it asked, the newest first."""
        await self.flush(only=(user_id, device_id))
        since = day_of(self._now() - (count - 1) * 86400)
        return await self._read(lambda c: rows.days(c, user_id, device_id, since))

    async def hours(self, count: int) -> list[tuple[str, str, str, float]]:
        """(hour, name, label, value) of the last so many hours, of all nodes."""
        await self._write_hours()
        return await self._read(lambda c: rows.hours(c, hour_of(self._now() - count * 3600)))

    async def seen_by_day(self, count: int) -> list[tuple[str, str, str, str, int]]:
        """(day, version, device type, agent, devices) of the last so many days. What is over is counted once an hour: a
        device that was removed meanwhile is in it."""
        now = self._now()
        since, open_day = day_of(now - count * 86400), day_of(now - 86400)
        kept = self._over
        if kept is None or kept.since > since or kept.until != open_day or now - kept.at > OVER_SECONDS:
            found = await self._read(lambda c: rows.seen_by_day(c, since, open_day))
            kept = self._over = _Over(at=now, since=since, until=open_day, found=found)
        newer = await self._read(lambda c: rows.seen_by_day(c, open_day))
        return [*(row for row in kept.found if row[0] >= since), *newer]

    async def looks(self) -> list[dict[str, Any]]:
        """How the processes of a site look, as each has told last (eas.server.live)."""
        found = await self._read(lambda c: rows.live(c, datetime.now(UTC) - LIVE_SHOWN))
        return [{**json.loads(data), "at": at.isoformat()} for _, at, data in found]

    async def read(self, work: Callable[[Connection], R]) -> R:
        """For questions over all devices (eas.admin.health)."""
        return await self._read(work)

    async def _read(self, work: Callable[[Connection], R]) -> R:
        try:
            return await self._run.read(work)
        except FAILURES as error:
            if failure_of(error) is None:
                raise
            raise Unavailable(f"database: {reason(error)}") from error

    @property
    def waiting(self) -> int:
        """Notes that are not written yet."""
        return self._count
