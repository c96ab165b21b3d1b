"""Two sessions compared: exchanges aligned, then requests and answers as elements. Streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from eas.replay.format.model import Exchange

from .aligning import aligned
from .asking import command_of
from .compare import compare_answers, compare_requests
from .ids import Ids
from .outcome import Difference, Kind, Outcome
from .report import name_of
from .rules import Rules


def diff(expected: Iterable[Exchange], got: Iterable[Exchange], rules: Rules) -> Iterator[Outcome]:
    """An Outcome for each exchange of either session, in their order. Ids are bound as they are first seen together;
    times may lie apart by as much as the two beginnings."""
    rules = replace(rules, ids=rules.ids or Ids())
    begun = False
    for ours, theirs in aligned(expected, got):
        if ours is not None and theirs is not None:
            if not begun:
                begun, rules = True, replace(rules, shift=theirs.time - ours.time)
            yield _both(ours, theirs, rules)
        elif ours is not None:
            yield _only(ours, Kind.MISSING, f"{name_of(ours)} is only in the first session")
        elif theirs is not None:
            yield _only(theirs, Kind.EXTRA, f"{name_of(theirs)} is only in the second session")


def _both(ours: Exchange, theirs: Exchange, rules: Rules) -> Outcome:
    command = command_of(ours.request)
    asked = [
        replace(one, where=f"request/{one.where}", message=f"Request: {one.message}")
        for one in compare_requests(ours.request, theirs.request, rules, command)
    ]
    told = compare_answers(ours.answer, theirs.answer, rules, command)
    number = () if ours.number == theirs.number else (f"number {theirs.number} in the second session",)
    return Outcome(exchange=ours, sent=theirs.request, got=theirs.answer, differences=(*asked, *told),
                   seconds=theirs.answer.seconds, notes=number)


def _only(exchange: Exchange, kind: Kind, said: str) -> Outcome:
    name = name_of(exchange)
    expected, got = (name, "") if kind is Kind.MISSING else ("", name)
    return Outcome(exchange=exchange, differences=(Difference("", kind, expected, got, said),))
