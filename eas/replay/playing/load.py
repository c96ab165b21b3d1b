"""A session played by many devices at once, for a while: how fast the server answers, and what goes wrong.

Each device has a binding of its own and begins the session anew when it has come to its end. Answers are not compared
unless that is asked for; latencies are kept as numbers, by command.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from eas.replay.comparing.outcome import Outcome
from eas.replay.format.model import Exchange

from .binding import Binding
from .learning import document_of, text
from .line import Line
from .play import Compare, Manner, play
from .targets import command_of
from .waits import is_wait

#: Exchanges of the session that each device plays; all devices share them, in memory.
MOST = 5_000
#: Within so many seconds all devices have started, if a quarter of the test is not less.
STARTED_SECONDS = 10.0
#: Percentiles that are told.
PERCENTILES = (50, 95, 99)
#: Common statuses stand above those of commands: the request as a whole was refused. [MS-ASCMD] Common Status Codes.
COMMON = 101
#: Seconds until a device that could not reach the server tries anew.
AGAIN_SECONDS = 0.5


@dataclass(slots=True)
class Figures:
    """Of a test so far. Waits (Ping, hanging Sync) are held by the server: they are told apart."""

    devices: int = 0
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    sent: int = 0
    rounds: int = 0
    skipped: int = 0
    differing: int = 0
    compared: bool = False
    seconds: dict[str, array[float]] = field(default_factory=lambda: defaultdict(lambda: array("d")))
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        command = command_of(outcome.exchange.request.target) or outcome.exchange.request.method
        if outcome.sent is None:
            self.skipped += 1
            return
        self.sent += 1
        if outcome.differences:
            self.differing += 1
        if what := _wrong(outcome):
            self.errors[f"{command}: {what}"] += 1
        if outcome.got is not None and outcome.got.status is not None:
            self.seconds[f"{command} (wait)" if is_wait(outcome.sent) else command].append(outcome.seconds)

    @property
    def lasted(self) -> float:
        return (self.ended or time.monotonic()) - self.began

    @property
    def rate(self) -> float:
        return self.sent / self.lasted if self.lasted > 0 else 0.0

    def told(self) -> dict[str, object]:
        """For JSON: times in milliseconds."""
        return {
            "devices": self.devices, "seconds": round(self.lasted, 1), "requests": self.sent,
            "requests_per_second": round(self.rate, 1), "rounds": self.rounds, "skipped": self.skipped,
            "errors": dict(self.errors.most_common()),
            **({"differing": self.differing, "difference_rate": round(self.differing / max(1, self.sent), 4)}
               if self.compared else {}),
            "commands": dict(self.rows()),
        }

    def rows(self) -> list[tuple[str, dict[str, float]]]:
        """Each command, the most frequent first, with the number of its answers and their times in milliseconds."""
        by_count = sorted(self.seconds.items(), key=lambda one: -len(one[1]))
        return [(name, _row(values)) for name, values in by_count]


def _row(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    told = {f"p{at}": round(ordered[min(len(ordered) - 1, len(ordered) * at // 100)] * 1000, 1) for at in PERCENTILES}
    return {"count": len(ordered), **told, "max": round(ordered[-1] * 1000, 1)}


def _wrong(outcome: Outcome) -> str:
    """What went wrong with a request, "" for nothing. Errors that were recorded are none."""
    got, was = outcome.got, outcome.exchange.answer
    if got is None or got.status is None:
        return "" if was.status is None else "no answer"
    if got.status != was.status and got.status >= 300:
        return f"HTTP {got.status}"
    root = document_of(got.body)
    status = text(root, f"{root.tag.partition(':')[0]}:Status") if root is not None else ""
    if status.isascii() and status.isdigit() and int(status) >= COMMON:
        return f"Status {status}"
    return ""


#: Number of the device (from 1) -> its line and its manner.
Equipped = Callable[[int], tuple[Line, Manner]]


async def load(
    exchanges: Sequence[Exchange], equipped: Equipped, devices: int, lasting: float, figures: Figures,
    compare: Callable[[], Compare] | None = None,
) -> None:
    """Plays for so many seconds; `figures` are there at any time, also when it is broken off."""
    figures.devices, figures.compared = devices, compare is not None
    figures.began = time.monotonic()
    between = min(STARTED_SECONDS, lasting / 4) / max(1, devices)
    running = [
        asyncio.create_task(_device(exchanges, *equipped(number), number * between, figures, compare))
        for number in range(1, devices + 1)
    ]
    try:
        await asyncio.wait(running, timeout=lasting, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        figures.ended = time.monotonic()
        for task in running:
            task.cancel()
        ended = await asyncio.gather(*running, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error


async def _device(
    exchanges: Sequence[Exchange], line: Line, manner: Manner, after: float, figures: Figures,
    compare: Callable[[], Compare] | None,
) -> None:
    await asyncio.sleep(after)
    while True:
        how = replace(manner, compare=compare()) if compare is not None else manner
        binding = Binding(who=manner.who, by=manner.shift)
        async with aclosing(play(exchanges, line, how, binding)) as outcomes:
            async for outcome in outcomes:
                figures.add(outcome)
                if outcome.got is None and outcome.sent is not None:
                    await asyncio.sleep(AGAIN_SECONDS)
        figures.rounds += 1
        await asyncio.sleep(0)


def shared(exchanges: Iterable[Exchange], most: int = MOST) -> tuple[list[Exchange], bool]:
    """What all devices play, and whether that is only the beginning of the session."""
    found: list[Exchange] = []
    for exchange in exchanges:
        if len(found) == most:
            return found, True
        found.append(exchange)
    return found, False
