"""What `eas session replay` does with its options: reads, prepares, plays, reports. The command stands in `replay`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from eas.protocol.version import Version
from eas.replay.comparing.compare import compare_answers
from eas.replay.comparing.ids import Ids
from eas.replay.comparing.outcome import Outcome
from eas.replay.comparing.report import Reports, Subject
from eas.replay.comparing.rules import Rules
from eas.replay.format.model import USER, Exchange, Meta
from eas.replay.format.reading import open_session
from eas.replay.format.writing import Writer, writer
from eas.replay.playing.line import HttpLine
from eas.replay.playing.moments import distance
from eas.replay.playing.play import Compare, Manner, Stage, in_order, play, who_of
from eas.replay.playing.waits import Waits

from .amounts import seconds
from .comparing import Forms, rules_of
from .faults import Fault

SAME, DIFFERENT = 0, 1
FORMS = Forms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Playing:
    """The options of the command, as they were typed."""

    file: Path
    to: str
    user: str
    password: str
    address: str = ""
    device: str = ""
    version: str = ""
    prepare: bool = False
    force: bool = False
    waits: str = "short"
    wait: str = "60s"
    fast: bool = False
    shift: str | None = None
    rules: Path | None = None
    ignore: tuple[str, ...] = ()
    strict: bool = False
    forms: Forms = FORMS
    save: Path | None = None
    stop: bool = False
    insecure: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    data: Path | None = None
    config: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Options that were found to be good; `first` is the exchange that began first, `meta` the head of the file."""

    asked: Playing
    meta: Meta
    first: Exchange
    manner: Manner
    rules: Rules


def settled(asked: Playing) -> Settled:
    """Raises Fault, SessionError, OSError."""
    if asked.prepare and not (asked.data or asked.config):
        raise Fault("--prepare needs --data or --config: the mailbox is filled from behind, not over the protocol")
    meta, first = _first(asked.file)
    now = datetime.now(UTC)
    try:
        waits = Waits(asked.waits)
        version = Version.parse(asked.version).text if asked.version else ""
        by = distance(asked.shift or ("now" if asked.prepare else "none"), first.time, now)
    except ValueError as error:
        raise Fault(str(error)) from None
    who = who_of(first, asked.user, asked.address, asked.device, meta.get(USER))
    # Mail that is sent while a session is played is received now; other dates have been moved by then.
    rules = replace(rules_of(asked.rules, list(asked.ignore), asked.strict), shift=now - first.time - by)
    manner = Manner(who=who, shift=by, version=version, waits=waits, wait_seconds=seconds(asked.wait), fast=asked.fast)
    return Settled(asked=asked, meta=meta, first=first, manner=manner, rules=rules)


def _first(file: Path) -> tuple[Meta, Exchange]:
    if str(file) == "-":
        raise Fault("a session is read from a file here, not from standard input")
    with open_session(file) as session:
        found = next((one for one, _ in in_order(session.exchanges)), None)
        if found is None:
            raise Fault(f"{file} has no exchange")
        return session.meta, found


def comparing(rules: Rules) -> Compare:
    """With ids that are bound over a whole session."""
    kept = replace(rules, ids=Ids(settled=True))
    return lambda expected, got, command: compare_answers(expected, got, kept, command)


def line_of(asked: Playing, user: str = "") -> HttpLine:
    return HttpLine(
        asked.to, user or asked.user, asked.password, verify=not asked.insecure, ca=asked.ca,
        certificate=asked.certificate, key=asked.key,
    )


# Playing -------------------------------------------------------------------------------------------------------------


def play_once(wanted: Settled) -> int:
    """The exit code. Raises Fault, SessionError, OSError."""
    asked = wanted.asked
    asked.forms.spare(str(asked.file))
    subject = Subject(f"replay of {asked.file.name} against {asked.to}", (
        ("User", asked.user), ("Recorded", f"{wanted.first.time:%Y-%m-%d %H:%M}Z"),
        ("Dates moved by", str(wanted.manner.shift) if wanted.manner.shift else "nothing"),
    ))
    with ExitStack() as stack:
        told = stack.enter_context(asked.forms.reporting(subject))
        saving = stack.enter_context(writer(asked.save)) if asked.save else None
        if saving is not None:
            saving.head(wanted.meta.with_({"server": asked.to, "user": asked.user}).noting("played back"))
        asyncio.run(_play(wanted, told, saving))
    return DIFFERENT if told.totals.differing or not told.totals.same else SAME


async def _play(wanted: Settled, told: Reports, saving: Writer | None) -> None:
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(_stage(wanted))
        manner = replace(wanted.manner, compare=comparing(wanted.rules), stage=stage)
        line = await stack.enter_async_context(line_of(wanted.asked))
        session = stack.enter_context(open_session(wanted.asked.file))
        reached = False
        outcomes = await stack.enter_async_context(aclosing(play(session.exchanges, line, manner)))
        async for outcome in outcomes:
            if _shut_out(outcome):
                raise Fault(f"{wanted.asked.to} does not take {wanted.asked.user} with this password (HTTP 401)")
            reached = reached or (outcome.got is not None and outcome.got.status is not None)
            if not reached and outcome.sent is not None and outcome.exchange.answer.status is not None:
                raise Fault(f"{wanted.asked.to}: {_why(outcome)}")
            told.add(outcome)
            if saving is not None and outcome.sent is not None:
                saving.add(as_played(outcome, wanted.manner.shift))
            if outcome.differences and wanted.asked.stop:
                break


def _shut_out(outcome: Outcome) -> bool:
    return outcome.got is not None and outcome.got.status == 401 != outcome.exchange.answer.status


def _why(outcome: Outcome) -> str:
    return next((one.message for one in outcome.differences), "no answer")


def as_played(outcome: Outcome, by: timedelta) -> Exchange:
    """What was sent and what came, at the time at which the recorded one would be now."""
    assert outcome.sent is not None
    got = outcome.got or replace(outcome.exchange.answer, status=None, headers=(), body=None, why="no answer")
    return replace(
        outcome.exchange, time=outcome.exchange.time + by, request=outcome.sent, answer=got, comments=outcome.notes
    )


@asynccontextmanager
async def _stage(wanted: Settled) -> AsyncIterator[Stage | None]:
    if not wanted.asked.prepare:
        yield None
        return
    from .staging import staged

    async with staged(wanted) as stage:
        yield stage

