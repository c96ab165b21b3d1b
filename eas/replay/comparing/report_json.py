"""A run's result for programs: one JSON object, its exchanges written as they come."""

from __future__ import annotations

import json
from typing import IO, Any

from eas.replay.format.writing import moment

from .outcome import Outcome
from .report import Totals, name_of


class JsonReport:
    """`exchanges` lists what differs and what was skipped; all of them where `verbose`."""

    def __init__(self, stream: IO[str], *, verbose: bool = False) -> None:
        self._stream, self._verbose = stream, verbose
        self._listed = 0

    def add(self, outcome: Outcome) -> None:
        if outcome.same and not self._verbose:
            return
        self._put(_told(outcome))

    def _put(self, told: dict[str, Any]) -> None:
        self._stream.write(",\n" if self._listed else '{"exchanges": [\n')
        self._stream.write(json.dumps(told, ensure_ascii=False))
        self._listed += 1

    def end(self, totals: Totals) -> None:
        sums = {
            "exchanges": totals.exchanges, "same": totals.same, "differing": totals.differing,
            "skipped": totals.skipped, "complete": totals.complete, "differences": totals.differences,
            "seconds": round(totals.seconds, 3),
            "kinds": {kind.value: count for kind, count in sorted(totals.kinds.items())},
            "commands": dict(totals.commands.most_common()),
        }
        begin = "" if self._listed else '{"exchanges": ['
        self._stream.write(f"{begin}\n], \"totals\": {json.dumps(sums)}}}\n")


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "number": outcome.exchange.number, "time": moment(outcome.exchange.time), "name": name_of(outcome.exchange),
        "same": outcome.same, "skipped": outcome.skipped, "seconds": round(outcome.seconds, 3),
        "notes": list(outcome.notes),
        "differences": [
            {"where": one.where, "kind": one.kind.value, "expected": one.expected, "got": one.got,
             "message": one.message} for one in outcome.differences
        ],
    }
