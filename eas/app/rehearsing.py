"""A session played against a fresh gateway in this process: nothing of it was there before, and nothing stays.

The gateway is the real one on its embedded groupware, in a folder of its own. Two things are made up: its clock begins
when the session did, so that nothing of it is too old, and waits end after a second. The mailbox is prepared as the
session assumes it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from eas.backends.embedded.admin import Invalid
from eas.config import Settings, load
from eas.replay.comparing.compare import compare_answers
from eas.replay.comparing.ids import Ids
from eas.replay.comparing.outcome import Difference, Outcome
from eas.replay.comparing.rules import Rules
from eas.replay.format.model import USER, Answer, SessionError
from eas.replay.format.reading import open_session
from eas.replay.playing.binding import Binding
from eas.replay.playing.line import AsgiLine
from eas.replay.playing.play import Manner, in_order, play, who_of
from eas.replay.playing.waits import Waits
from eas.replay.preparing.prepare import prepared
from eas.replay.testing.cast import Cast, cast

from .building import App, build
from .preparing import behind

#: Guards a mailbox that is gone in a second.
_PASSWORD = "as-the-session-had-it"
#: Seconds that a wait lasts.
WAIT_SECONDS = 1.0


@dataclass(slots=True)
class SessionClock:
    """`Clock` of eas.engine.ports, which begins when the session did."""

    began: datetime
    _start: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        return self.began + timedelta(seconds=time.monotonic() - self._start)

    def monotonic(self) -> float:
        return time.monotonic()


async def rehearse(file: Path, rules: Rules, templates: Path | None = None) -> AsyncIterator[Outcome]:
    """The outcomes, as exchanges end. `templates` is an empty folder to keep what many rehearsals begin with, where
    they have the same cast. Raises SessionError, OSError."""
    with open_session(file) as session:
        first = next((one for one, _ in in_order(session.exchanges)), None)
    if first is None:
        raise SessionError("there is no exchange in it", file=str(file))
    with open_session(file) as session:
        who = cast(session.meta, session.exchanges)
    clock = SessionClock(first.time.astimezone(UTC))
    async with _gateway(clock, who, templates) as app:
        async for outcome in _played(app, clock, file, who, rules):
            yield outcome


@asynccontextmanager
async def _gateway(clock: SessionClock, who: Cast, templates: Path | None) -> AsyncIterator[App]:
    with TemporaryDirectory(prefix="eas-session-") as place:
        data = Path(place) / "data"
        template = templates / sha256(repr(who).encode()).hexdigest() if templates is not None else None
        if template is None or not template.exists():
            data.mkdir()
            async with build(_settings(data, who), clock=clock) as app:
                await _people(app, who)
            if template is not None:
                shutil.copytree(data, template)
        else:
            shutil.copytree(template, data)
        async with build(_settings(data, who), clock=clock) as app:
            yield app


def _settings(data: Path, who: Cast) -> Settings:
    return load(environment={}, overrides={
        "data": data, "domain": who.domain, "limits.heartbeat_min_seconds": 1, "limits.free_repeats": 0,
    })


async def _people(app: App, who: Cast) -> None:
    for one in (who.user, *who.others):
        first, _, last = one.name.rpartition(" ")
        try:
            await app.embedded.admin.add_user(
                one.address, _PASSWORD, zone=who.zone, name=one.name, first_name=first, last_name=last)
        except Invalid:
            continue  # what looked like an address is none


async def _played(
    app: App, clock: SessionClock, file: Path, who: Cast, rules: Rules,
) -> AsyncIterator[Outcome]:
    with open_session(file) as session:
        first = next(one for one, _ in in_order(session.exchanges))
        whose = who_of(first, who.user.address, who.user.address, "", session.meta.get(USER))
    binding = Binding(who=whose)
    kept = replace(rules, ids=Ids())

    def compare(expected: Answer, got: Answer, command: str) -> Iterable[Difference]:
        return compare_answers(expected, got, kept, command)

    found = await behind(app, who.user.address, _PASSWORD, app.bell.ring)
    if found is None:
        raise SessionError(f"{who.user.address} cannot log in on the gateway that was made for them")
    behind_clock = found.clock

    def received(at: datetime | None) -> None:
        behind_clock(at or clock.now())

    received(None)
    viewer = replace(found.viewer, now=clock.now())
    async with prepared(found.mailbox, viewer, file, binding, clock=received) as stage:
        line = AsgiLine(app.asgi, who.user.address, _PASSWORD)
        manner = Manner(who=whose, waits=Waits.SHORT, wait_seconds=WAIT_SECONDS, compare=compare, stage=stage)
        with open_session(file) as session:
            async for outcome in play(session.exchanges, line, manner, binding):
                yield outcome


__all__ = ["SessionClock", "rehearse"]
