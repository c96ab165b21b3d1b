"""A session file as a regression test: its head says what is to come of playing it.

    expects: same
    expects: 7 status Sync/Collections/Collection[Inbox]/Status      (a known difference: number, kind, place; several)
    ignores: email:Preview                                           (a place that is passed over; several)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eas.replay.comparing.outcome import Difference, Kind, Outcome
from eas.replay.comparing.rules import Rules
from eas.replay.comparing.rules_file import ignoring
from eas.replay.format.model import Meta, SessionError

EXPECTS, IGNORES = "expects", "ignores"
SAME = "same"

_KNOWN = re.compile(rf"([0-9]{{1,12}}) ({'|'.join(Kind)})(?: (.+))?")
_NUMBERS = re.compile(r"\[[0-9]+\]")


@dataclass(frozen=True, slots=True, order=True)
class Known:
    """One difference, as the head of a case names it. The places of siblings do not count: they follow the rest."""

    number: int
    kind: str
    where: str

    @classmethod
    def of(cls, number: int, difference: Difference) -> Known:
        return cls(number, difference.kind.value, _NUMBERS.sub("", difference.where))

    @classmethod
    def read(cls, text: str) -> Known:
        """Raises SessionError."""
        found = _KNOWN.fullmatch(text.strip())
        if found is None:
            raise SessionError(f"{EXPECTS}: {text!r} is neither `same` nor a difference such as `7 status Sync/Status`")
        return cls(int(found[1]), found[2], _NUMBERS.sub("", found[3] or ""))

    def __str__(self) -> str:
        return f"{self.number} {self.kind} {self.where}".rstrip()


@dataclass(frozen=True, slots=True)
class Case:
    """What a head says: the differences that are known, none for a session that is to come out the same."""

    known: tuple[Known, ...] = ()
    ignored: tuple[str, ...] = ()

    @classmethod
    def of(cls, meta: Meta) -> Case:
        """Raises SessionError, also for a head that says nothing: that session is no case."""
        expects = meta.all(EXPECTS)
        if not expects or (SAME in expects and len(expects) > 1):
            raise SessionError(f"the head of a case says `{EXPECTS}: same`, or names the differences that are known")
        known = () if expects == (SAME,) else tuple(sorted(map(Known.read, expects)))
        return cls(known, meta.all(IGNORES))

    def head(self, meta: Meta) -> Meta:
        """The head of a session with this in it."""
        expects: Mapping[str, Iterable[str]] = {
            EXPECTS: map(str, self.known) if self.known else (SAME,), IGNORES: self.ignored,
        }
        bare = meta.with_({EXPECTS: "", IGNORES: ""})
        return Meta((*bare.fields, *((name, value) for name, values in expects.items() for value in values)))

    def rules(self, rules: Rules) -> Rules:
        """Raises SessionError."""
        return ignoring(rules, self.ignored)

    def verdict(self, outcomes: Iterable[Outcome]) -> list[str]:
        """What is not as the head says, in words; nothing for a case that holds. An exchange that could not be played
        is not as expected either."""
        seen: Counter[Known] = Counter()
        said: list[str] = []
        left = Counter(self.known)
        for outcome in outcomes:
            if outcome.skipped:
                said.append(f"{outcome.exchange.number}: not played: {outcome.skipped}")
            for difference in outcome.differences:
                known = Known.of(outcome.exchange.number, difference)
                seen[known] += 1
                if seen[known] > left[known]:
                    said.append(f"{known.number}: {difference.message} ({difference.where})")
        gone = left - seen
        return said + [f"{known.number}: does not differ any more, take it out of the head: {known}" for known in gone]
