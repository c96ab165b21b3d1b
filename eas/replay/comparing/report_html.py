"""A run's result as one HTML file that asks nobody for anything: to be kept, mailed, and attached to a fault."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from itertools import islice

from jinja2 import Environment, PackageLoader, StrictUndefined

from eas.replay.format.lines import written
from eas.replay.format.model import Answer

from .outcome import Outcome
from .report import Spool, Subject, Totals, name_of

#: Exchanges that are listed, and differences of each: a browser must still open the file.
MOST_SAME, MOST_DIFFERING, MOST_DIFFERENCES = 5000, 2000, 100
#: Lines of a whole answer, and characters of a value in which changes are marked.
MOST_LINES, MOST_MARKED = 400, 2000
#: Characters of a line.
MOST_COLUMNS = 400


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("eas.replay.comparing", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a value; `other` where the other side has something else there."""

    text: str
    other: bool


class HtmlReport:
    def __init__(self, subject: Subject, spool: Spool) -> None:
        self._subject, self._spool = subject, spool
        self._same = self._differing = 0

    def add(self, outcome: Outcome) -> None:
        if outcome.differences:
            self._differing += 1
            if self._differing > MOST_DIFFERING:
                return
        else:
            self._same += 1
            if self._same > MOST_SAME:
                return
        self._spool.put(_environment().get_template("exchange.html").render(
            outcome=outcome, name=name_of(outcome.exchange),
            differences=[(one, *marked(one.expected, one.got)) for one in outcome.differences[:MOST_DIFFERENCES]],
            more=max(0, len(outcome.differences) - MOST_DIFFERENCES),
            expected=_lines(outcome.exchange.answer) if outcome.differences else [],
            got=_lines(outcome.got) if outcome.differences else [],
        ))

    def end(self, totals: Totals) -> None:
        left = max(0, self._same - MOST_SAME), max(0, self._differing - MOST_DIFFERING)
        begin = _environment().get_template("begin.html").render(subject=self._subject, totals=totals)
        end = _environment().get_template("end.html").render(left_same=left[0], left_differing=left[1])
        self._spool.close(begin, end + "\n")


def marked(expected: str, got: str) -> tuple[list[Piece], list[Piece]]:
    """Both values in pieces. Long ones are not marked: finding what changed would take too long."""
    if not expected or not got or max(len(expected), len(got)) > MOST_MARKED:
        return [Piece(expected, False)], [Piece(got, False)]
    ours, theirs = [], []
    for what, a, b, c, d in SequenceMatcher(None, expected, got, autojunk=False).get_opcodes():
        ours.append(Piece(expected[a:b], what != "equal"))
        theirs.append(Piece(got[c:d], what != "equal"))
    return _filled(ours), _filled(theirs)


def _filled(pieces: Iterable[Piece]) -> list[Piece]:
    return [piece for piece in pieces if piece.text]


def _lines(answer: Answer | None) -> list[str]:
    """The answer as session files have it, cut."""
    if answer is None or answer.status is None:
        return ["no answer" + (f": {answer.why}" if answer and answer.why else "")]
    lines = [f"HTTP {answer.status}", *(f"{name}: {value}" for name, value in answer.headers), *written(answer.body)]
    cut = [line if len(line) <= MOST_COLUMNS else f"{line[:MOST_COLUMNS]}..." for line in islice(lines, MOST_LINES)]
    return cut if len(lines) <= MOST_LINES else [*cut, f"... and {len(lines) - MOST_LINES} more lines"]
