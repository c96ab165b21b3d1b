"""A difference that is to stay while a session is made smaller; and whether it is still that one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from eas.replay.comparing.outcome import Difference, Kind, Outcome

_BRACKETS = re.compile(r"\[[^\]]*\]")
#: Numbers of what was left out: they follow.
_COUNTS = ("/Count", "/Estimate", "/Total", "/Range")


@dataclass(frozen=True, slots=True)
class Target:
    """`where` without what depends on other exchanges: names of folders, places among siblings. `values` are those of
    statuses, since another status is another fault."""

    number: int
    kind: Kind
    where: str
    values: tuple[str, str] = ("", "")

    @classmethod
    def of(cls, number: int, difference: Difference) -> Target:
        values = (difference.expected, difference.got) if difference.kind is Kind.STATUS else ("", "")
        return cls(number, difference.kind, _BRACKETS.sub("", difference.where), values)

    def still_in(self, before: Iterable[Outcome], after: Iterable[Outcome]) -> bool:
        """Whether it is there, and nothing else went wrong that did not before: a request whose key was left out fails
        too, but for that reason. Neither may an exchange be played otherwise than before."""
        now = seen(after)
        return self in now and now <= seen(before) and _ways(after) <= _ways(before)


def seen(outcomes: Iterable[Outcome]) -> set[Target]:
    found = {Target.of(outcome.exchange.number, one) for outcome in outcomes for one in outcome.differences}
    return {one for one in found if not one.where.endswith(_COUNTS)}


def _ways(outcomes: Iterable[Outcome]) -> set[tuple[int, str]]:
    """What was skipped or sent otherwise, by exchange."""
    return {(one.exchange.number, said) for one in outcomes for said in (*one.notes, one.skipped) if said}
