"""A run's result on a terminal: what differs, one difference under the other, and a last line with the totals."""

from __future__ import annotations

from typing import IO

from rich.console import Console
from rich.text import Text

from .naming import short
from .outcome import Difference, Kind, Outcome
from .report import Totals, name_of

#: How a kind is marked; the word says the same.
MARKS = {
    Kind.MISSING: ("-", "red"), Kind.EXTRA: ("+", "green"), Kind.CHANGED: ("~", "yellow"), Kind.ORDER: ("%", "yellow"),
    Kind.STATUS: ("!", "bold red"), Kind.BODY: ("!", "bold red"), Kind.HEADER: ("~", "yellow"),
    Kind.SILENCE: ("!", "bold red"),
}
#: Differences of one exchange that are told; a window of 512 mails that is missing is no news 512 times.
MOST = 20
#: Columns where the output is no terminal: lines are not broken.
ENDLESS = 10_000


class TextReport:
    """`verbose` tells exchanges that are the same, too, and where each difference stands."""

    def __init__(self, stream: IO[str], *, verbose: bool = False, width: int | None = None) -> None:
        self._console = Console(file=stream, highlight=False, width=width or (None if stream.isatty() else ENDLESS))
        self._verbose = verbose

    def add(self, outcome: Outcome) -> None:
        if outcome.differences:
            self._put(_head(outcome), "bold")
            for one in outcome.differences[:MOST]:
                self._difference(one)
            if (more := len(outcome.differences) - MOST) > 0:
                self._put(f"    ... and {more} more", "dim")
        elif outcome.skipped:
            self._put(f"{_head(outcome)}: skipped, {outcome.skipped}", "dim")
        elif self._verbose:
            self._put(f"{_head(outcome)}: the same", "dim")
        if outcome.differences or self._verbose:
            for note in outcome.notes:
                self._put(f"    ({note})", "dim")

    def _difference(self, one: Difference) -> None:
        mark, style = MARKS[one.kind]
        self._console.print(Text.assemble(("  " + mark, style), " ", _clean(one.message)), soft_wrap=False)
        if self._verbose:
            self._put(f"      at {one.where}", "dim")
            for word, value in (("expected", one.expected), ("got", one.got)):
                if value:
                    self._put(f"      {word}: {short(value, 300)}", "dim")

    def end(self, totals: Totals) -> None:
        if not totals.complete and not totals.exchanges:
            return  # what went wrong is told by whoever called
        style = "red" if totals.differing else "green" if totals.exchanges and not totals.skipped else "yellow"
        self._put(totals.line(), style)

    def _put(self, text: str, style: str) -> None:
        self._console.print(Text(_clean(text), style=style))


def _head(outcome: Outcome) -> str:
    return f"{outcome.exchange.number} {name_of(outcome.exchange)}"


def _clean(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
