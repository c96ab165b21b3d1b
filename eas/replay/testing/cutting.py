"""Which exchanges of a session are wanted: `3,7-12,40-`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eas.replay.format.model import Exchange, SessionError

_RANGE = re.compile(r"([0-9]{1,12})?(?:(-)([0-9]{1,12})?)?")


@dataclass(frozen=True, slots=True)
class Cut:
    """Numbers of exchanges, from and to, both included. None at all: everything."""

    ranges: tuple[tuple[int, float], ...] = ()

    @classmethod
    def of(cls, text: str) -> Cut:
        """Raises SessionError."""
        ranges = []
        for word in filter(None, (word.strip() for word in text.split(","))):
            found = _RANGE.fullmatch(word)
            first = int(found[1]) if found and found[1] else 0
            last = (int(found[3]) if found[3] else float("inf") if found[2] else first) if found else -1
            if found is None or last < first or word == "-":
                raise SessionError(f"{word!r} are no numbers of exchanges; say 3,7-12 or 40-")
            ranges.append((first, last))
        if text.strip() and not ranges:
            raise SessionError(f"{text!r} are no numbers of exchanges")
        return cls(tuple(ranges))

    def __contains__(self, number: int) -> bool:
        return not self.ranges or any(first <= number <= last for first, last in self.ranges)

    def of_session(self, exchanges: Iterable[Exchange]) -> Iterator[Exchange]:
        """Those that are wanted, and no further than needed."""
        last = max((last for _, last in self.ranges), default=float("inf"))
        for exchange in exchanges:
            if exchange.number in self:
                yield exchange
            elif exchange.number > last:
                return
