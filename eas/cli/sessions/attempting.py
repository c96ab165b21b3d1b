"""Shrinking a session that shows a difference: attempts, each from a fresh state, and their progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import typer
from rich.console import Console

from eas.app.rehearsing import rehearse
from eas.replay.comparing.outcome import Outcome
from eas.replay.comparing.rules import Rules
from eas.replay.format.model import USER, Exchange, Meta
from eas.replay.format.writing import writer
from eas.replay.playing.line import HttpLine
from eas.replay.playing.play import Manner, play, who_of
from eas.replay.testing.shrinking import Unit, shrink, units_of, with_units
from eas.replay.testing.target import Target

from .faults import Fault
from .playing import comparing


@dataclass(frozen=True, slots=True)
class Server:
    """Where attempts go, in place of a gateway in this process."""

    url: str
    user: str
    password: str
    insecure: bool


@dataclass(frozen=True, slots=True)
class Attempts:
    """`folder` is for what attempts on the gateway in this process need."""

    meta: Meta
    rules: Rules
    server: Server | None
    folder: Path

    async def play(self, exchanges: Sequence[Exchange]) -> list[Outcome]:
        """Raises Fault, SessionError, OSError."""
        if not exchanges:
            return []
        if self.server is not None:
            return await self._against(self.server, exchanges)
        file, templates = self.folder / "attempt.session", self.folder / "templates"
        templates.mkdir(exist_ok=True)
        with writer(file) as out:
            out.head(self.meta)
            for exchange in exchanges:
                out.add(exchange)
        return [outcome async for outcome in rehearse(file, self.rules, templates)]

    async def _against(self, server: Server, exchanges: Sequence[Exchange]) -> list[Outcome]:
        """As a device that the server has never seen: the state of the one before is not its own."""
        who = who_of(exchanges[0], server.user, "", f"shrink{token_hex(8)}", self.meta.get(USER))
        manner = Manner(who=who, compare=comparing(self.rules), wait_seconds=1)
        async with HttpLine(server.url, server.user, server.password, verify=not server.insecure) as line:
            outcomes = [one async for one in play(exchanges, line, manner)]
        if all(one.got is None or one.got.status is None for one in outcomes if one.sent is not None):
            raise Fault(f"{server.url} does not answer")
        if all(one.got is not None and one.got.status == 401 for one in outcomes if one.sent is not None):
            raise Fault(f"{server.user} cannot log in on {server.url}")
        return outcomes


@dataclass(frozen=True, slots=True)
class Smaller:
    exchanges: list[Exchange]
    attempts: int
    complete: bool
    message: str


async def smaller(attempts: Attempts, exchanges: Sequence[Exchange], at: int | None, most: int) -> Smaller:
    """The least of the exchanges that still shows the first difference (of exchange `at`), then the least of their
    items. Raises Fault."""
    with _progress() as told:
        before = await attempts.play(exchanges)
        target, message = _target(before, at)
        typer.echo(f"to keep: {target.number}: {message}")

        async def fails(left: Sequence[Exchange]) -> bool:
            return target.still_in(before, await attempts.play(left))

        # What comes after the difference has nothing to do with it.
        number = next(number for number, one in enumerate(exchanges) if one.number == target.number)
        whole = list(exchanges) if not await fails(exchanges[: number + 1]) else list(exchanges[: number + 1])
        least = await shrink(whole, fails, most - 1, told("exchanges"))
        left, spent = list(least.least), least.attempts + 1

        async def fails_with(kept: Sequence[Unit]) -> bool:
            return await fails(with_units(left, kept))

        inside = await shrink(units_of(left), fails_with, most - spent, told("items"))
        return Smaller(with_units(left, inside.least), spent + inside.attempts, least.complete and inside.complete,
                       message)


def _target(outcomes: Sequence[Outcome], at: int | None) -> tuple[Target, str]:
    """The difference that is to stay, and what it is in words. Raises Fault."""
    for outcome in sorted(outcomes, key=lambda one: one.exchange.number):
        if outcome.differences and at in (None, outcome.exchange.number):
            first = outcome.differences[0]
            return Target.of(outcome.exchange.number, first), first.message
    raise Fault("there is no difference to keep" + ("" if at is None else f" in exchange {at}"))


Told = Callable[[str], Callable[[int, int], None]]


@contextmanager
def _progress() -> Iterator[Told]:
    """On a terminal one line that changes."""
    console = Console(stderr=True)
    with console.status("playing") as status:
        yield lambda what: lambda made, left: status.update(f"attempt {made}: {left} {what} left")
