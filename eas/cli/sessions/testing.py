"""What `eas session test` does with its options."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
import typer

from eas.app.rehearsing import rehearse
from eas.replay.comparing.may_differ import DEFAULT
from eas.replay.comparing.outcome import Outcome
from eas.replay.comparing.rules_file import ignoring
from eas.replay.format.model import MASKED, Exchange, Meta
from eas.replay.format.reading import open_session
from eas.replay.format.writing import writer
from eas.replay.testing.cases import Case, Known
from eas.replay.testing.cutting import Cut

from .attempting import Attempts, Server, smaller
from .faults import Fault

#: Exchanges that are shrunk: they are held, and each attempt plays them.
MOST = 2000
#: Of what does not come out as it should, so much is told.
TOLD = 20

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")

@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The options, as they were typed."""

    file: str
    exchanges: str
    first: int | None
    last: int | None
    name: str
    folder: Path
    ignored: tuple[str, ...]
    known: bool
    shrink: bool
    at: int | None
    attempts: int
    server: Server | None
    contents: bool
    force: bool


def password_of(from_stdin: bool) -> str:
    """Raises Fault."""
    if from_stdin:
        found = sys.stdin.readline().rstrip("\r\n")
    elif not (found := os.environ.get("EAS_PASSWORD", "")) and sys.stdin.isatty():
        found = str(typer.prompt("Password", hide_input=True, err=True))
    if not found:
        raise Fault("a password is needed: --password-stdin, or EAS_PASSWORD")
    return found


def make_test(wanted: Wanted) -> bool:
    """Whether the case comes out as it should. Raises Fault, SessionError, OSError."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    target = _target(wanted)
    with TemporaryDirectory(prefix="eas-case-") as place:
        made = Path(place) / target.name
        count = _cut(wanted, made)
        if wanted.shrink:
            asyncio.run(_shrunk(wanted, made))
        holds = asyncio.run(_judged(wanted, made))
        _take(made, target)
    what = "" if wanted.shrink else f" with {count} exchange{'' if count == 1 else 's'}"
    typer.echo(f"{target}{what}: {'comes out as it should' if holds else 'does not come out as it should yet'}")
    return holds


def _target(wanted: Wanted) -> Path:
    name = wanted.name or Path(wanted.file).name.removesuffix(".gz").removesuffix(".session")
    if not _NAME.fullmatch(name):
        raise Fault(f"{name!r} is no name for a case: letters, digits, . _ and - (--name)")
    if not wanted.folder.is_dir():
        raise Fault(f"there is no folder {wanted.folder}: name the one where cases are kept with --to-folder")
    target = wanted.folder / f"{name}.session"
    if target.exists() and not wanted.force:
        raise Fault(f"{target} is there already: --name another one, or --force")
    return target


def _cut(wanted: Wanted, made: Path) -> int:
    """Writes the exchanges that are wanted; how many. Raises Fault, SessionError, OSError."""
    if wanted.exchanges and (wanted.first is not None or wanted.last is not None):
        raise Fault("either --exchanges, or --from and --until")
    first, last = wanted.first or 0, "" if wanted.last is None else wanted.last
    cut = Cut.of(wanted.exchanges or f"{first}-{last}")
    case = Case(ignored=wanted.ignored)
    case.rules(DEFAULT)
    count = 0
    with open_session(wanted.file) as session:
        if not session.meta.get(MASKED) and not wanted.contents:
            raise Fault(f"{wanted.file} is not masked, and may hold what people wrote: `eas session mask` takes that "
                        "out (--contents takes it as it is)")
        with writer(made) as out:
            out.head(case.head(session.meta))
            for exchange in cut.of_session(session.exchanges):
                out.add(exchange)
                count += 1
    if not count:
        raise Fault("there is no such exchange in it")
    return count


def _take(made: Path, target: Path) -> None:
    target.write_bytes(made.read_bytes())


async def _judged(wanted: Wanted, made: Path) -> bool:
    rules = ignoring(DEFAULT, wanted.ignored)
    outcomes = [one async for one in rehearse(made, rules)]
    with open_session(made) as session:
        case = Case.of(session.meta)
    if wanted.known:
        case = Case(_known(outcomes), wanted.ignored)
        _rewrite(made, case)
        for one in case.known:
            typer.echo(f"known: {one}")
    said = case.verdict(outcomes)
    for line in said[:TOLD]:
        typer.echo(f"  {line}")
    if len(said) > TOLD:
        typer.echo(f"  ... and {len(said) - TOLD} more")
    return not said


def _known(outcomes: Iterable[Outcome]) -> tuple[Known, ...]:
    return tuple(sorted(Known.of(one.exchange.number, each) for one in outcomes for each in one.differences))


def _rewrite(made: Path, case: Case) -> None:
    with open_session(made) as session:
        meta, exchanges = session.meta, list(session.exchanges)
    _write(made, case.head(meta), exchanges)


def _write(made: Path, meta: Meta, exchanges: Iterable[Exchange]) -> None:
    with writer(made) as out:
        out.head(meta)
        for exchange in exchanges:
            out.add(exchange)


async def _shrunk(wanted: Wanted, made: Path) -> None:
    """The file with the least that still shows the difference. Raises Fault."""
    with open_session(made) as session:
        meta, exchanges = session.meta, list(islice(session.exchanges, MOST + 1))
    if len(exchanges) > MOST:
        raise Fault(f"more than {MOST} exchanges are not shrunk: choose some, with --exchanges, or --from and --until")
    attempts = Attempts(meta, ignoring(DEFAULT, wanted.ignored), wanted.server, made.parent)
    found = await smaller(attempts, exchanges, wanted.at, wanted.attempts)
    typer.echo(f"from {len(exchanges)} exchanges to {len(found.exchanges)}, in {found.attempts} attempts"
               + ("" if found.complete else "; more attempts may leave out more (--attempts)"))
    _write(made, meta.noting(f"shrunk from {len(exchanges)} exchanges: {found.message}"), found.exchanges)
