"""Whether the audit log is as it was written: the chain of its hashes, from the first row that is kept to the head.

What is older than is kept has been removed (`AuditLog.trim`), and the row that says so seals what came before: with the
number and the hash of the last row that went. Changing, taking out, adding or swapping rows breaks the chain where it
was done. Whoever owns the database can write the whole log anew: against that helps only a head that was noted
elsewhere. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .audit import START, chained

#: The entry that seals what was removed; its details have `through` and `hash`.
TRIMMED = "audit.trim"
_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Mark:
    """A row by its number and hash. As text "17:ab12..."."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


NOTHING = Mark(0, START)


def mark_of(text: str) -> Mark:
    """Raises ValueError for what is none."""
    found = _HEAD.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"no head of an audit log: {text[:80]!r}")
    return Mark(int(found[1]), found[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`broken` is the number of the first row that is not as it was written, 0 if all are; `problem` says what is wrong
    with it. `rows` were looked at; `sealed` is the number up to which rows were removed as the settings say; `head` the
    last row, to be noted elsewhere. `unchecked`: why a noted head could not be compared, "" if it was, or there is
    none."""

    rows: int
    head: Mark
    sealed: int = 0
    broken: int = 0
    problem: str = ""
    unchecked: str = ""


class Check:
    """Takes the rows in the order of their numbers, as they stand in the database, the moment as text. `seal` is what
    the newest row of the kind TRIMMED says."""

    def __init__(self, seal: Mark = NOTHING, noted: Mark | None = None) -> None:
        self._seal, self._noted = seal, noted
        self._last = seal
        self._rows = 0
        self._broken, self._problem = 0, ""
        if noted is not None and noted.number == seal.number and noted.number and noted.hash != seal.hash:
            self._fail(noted.number, "it is another row than the one that was noted")

    def row(self, number: int, row: Mapping[str, Any], made: str) -> bool:
        """`row` without its hash, which is `made`. False once something is wrong: the rest need not be read."""
        if self._broken:
            return False
        self._rows += 1
        expected = self._last.number + 1
        if number > expected:
            missing = "it is" if number == expected + 1 else f"rows {expected} to {number - 1} are"
            self._fail(expected, f"{missing} missing")
        elif number < expected:
            self._fail(number, "it should have been removed" if number <= self._seal.number else "it is there twice")
        elif chained(self._last.hash, row) != made:
            self._fail(number, "it was changed, or what stands before it was")
        elif self._noted is not None and self._noted.number == number and self._noted.hash != made:
            self._fail(number, "it is another row than the one that was noted")
        self._last = Mark(number, made)
        return not self._broken

    def end(self, head: Mark | None) -> Verdict:
        """`head` is what the database says is the last row; None if it says nothing."""
        if not self._broken:
            self._look_at_end(head or NOTHING)
        return Verdict(
            rows=self._rows, head=self._last, sealed=self._seal.number, broken=self._broken, problem=self._problem,
            unchecked=self._unchecked(),
        )

    def _look_at_end(self, head: Mark) -> None:
        last, noted = self._last, self._noted
        if head.number > last.number:
            self._fail(last.number + 1, f"the log was cut off: it once had {head.number} rows")
        elif head.number < last.number:
            self._fail(head.number + 1, "it stands behind the last row that was written")
        elif head.hash != last.hash:
            self._fail(max(1, last.number), "it is not the last row that was written")
        elif noted is not None and noted.number > last.number:
            self._fail(last.number + 1, f"the log was cut off: row {noted.number} was noted")

    def _unchecked(self) -> str:
        noted = self._noted
        if noted is None or self._broken or noted.number >= self._seal.number:
            return ""
        return f"row {noted.number}, which was noted, is older than what is kept"

    def _fail(self, number: int, problem: str) -> None:
        if not self._broken:
            self._broken, self._problem = number, problem
