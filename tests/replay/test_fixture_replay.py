"""The library played anew: each session against a gateway whose mailbox is prepared from the session alone.

Nothing that is answered may differ but what stands in ALLOWED. What the session itself lacks is told, in so many words.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from families.gateway import DOMAIN, Gateway, Loop, empty_gateway, password
from families.ruling import Ruled, policies

from eas.app.preparing import behind
from eas.replay.comparing.compare import compare_answers
from eas.replay.comparing.ids import Ids
from eas.replay.comparing.may_differ import DEFAULT
from eas.replay.comparing.outcome import Outcome
from eas.replay.format.reading import open_session
from eas.replay.playing.binding import Binding
from eas.replay.playing.line import AsgiLine
from eas.replay.playing.play import Manner, play
from eas.replay.playing.targets import command_of
from eas.replay.preparing.prepare import prepared

LIBRARY = Path(__file__).parents[2] / "fixtures" / "sessions"
#: Recordings of programs that run here have a test of their own; no server is to answer as in those that are unwell.
FILES = [file for file in sorted(LIBRARY.rglob("*.session")) if file.parent.name not in ("captured", "unwell")]
ANNA = f"anna@{DOMAIN}"

#: Differences that are none, and why.
ALLOWED = {
    r"[Aa]utodiscover.*: body: the text is": "autodiscover tells the server's own address",
}
#: What may be said beside: of what the session does not have, and of what it is about.
SAID = {
    r"prepare: mail '.*': what is in '.*': filled to its size": "an attachment that was never fetched",
    r"prepare: mail '.*': the end of its body: filled": "a body that was never fetched whole",
    r"note: its answer was lost when it was recorded": "lost answers are lost again",
    r"note: folder AllMailboxes was never seen": "an id that stands for all folders",
    r"note: the wait": "waits are shortened",
}
#: Of so many sessions one is played in `make test`, unless EAS_SESSIONS is "all" (`make replays`).
STEP = 1 if os.environ.get("EAS_SESSIONS") == "all" else 6


@asynccontextmanager
async def hurried(gateway: Gateway, stage: Ruled) -> AsyncIterator[None]:
    """Nobody waits for long: a minute passes where a device has waited for a second, and for nothing that is due."""

    async def hurry() -> None:
        waited = 0
        while True:
            await asyncio.sleep(0.15)
            waited = waited + 1 if gateway.waiting and not stage.due else 0
            if waited > 4:
                gateway.clock.pass_(60)
                waited = 0

    hurrying = asyncio.create_task(hurry())
    try:
        yield
    finally:
        hurrying.cancel()
        with suppress(asyncio.CancelledError):
            await hurrying


async def replayed(file: Path, folder: Path) -> list[str]:
    """All that was said of it."""
    async with empty_gateway(folder, file.stem) as gateway:
        there = await behind(gateway.app, ANNA, password("anna"), gateway.app.bell.ring)
        assert there is not None
        binding, rules = Binding(), replace(DEFAULT, ids=Ids())
        line = AsgiLine(gateway.app.asgi, ANNA, password("anna"))
        async with prepared(there.mailbox, there.viewer, file, binding, clock=there.clock) as stage:
            with open_session(file) as session:
                ruled = Ruled(stage, gateway.app, policies(session.meta))
            manner = Manner(
                wait_seconds=1, stage=ruled, compare=lambda was, got, command: compare_answers(was, got, rules, command)
            )
            said = [f"prepare: {lack}" for lack in stage.lacks]
            with open_session(file) as session:
                async with hurried(gateway, ruled):
                    async for outcome in play(session.exchanges, line, manner, binding):
                        said += told(outcome)
        return said


def told(outcome: Outcome) -> Iterator[str]:
    exchange = outcome.exchange
    what = f"{exchange.number} {command_of(exchange.request.target) or exchange.request.path}"
    yield from (f"{what}: {one.message} at {one.where}" for one in outcome.differences)
    yield from (f"{what}: note: {note}" for note in outcome.notes)
    if outcome.skipped:
        yield f"{what}: skipped: {outcome.skipped}"


def beyond(said: list[str], *allowed: dict[str, str]) -> list[str]:
    """What none of the patterns lets pass."""
    patterns = [pattern for some in allowed for pattern in some]
    return [line for line in said if not any(re.search(pattern, line) for pattern in patterns)]


@pytest.mark.long
@pytest.mark.parametrize("file", FILES[::STEP], ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_the_gateway_answers_as_it_did(file: Path, tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=Loop) as runner:
        said = runner.run(replayed(file, tmp_path / "data"))
    assert not (others := beyond(said, ALLOWED, SAID)), "\n".join(others)
