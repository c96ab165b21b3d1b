"""Sets of item ids as ranges: a hundred thousand messages are a few hundred bytes.

Immutable. The text form is that of IMAP sequence sets, ascending: "1-500,502". An empty set is "".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

Pair = tuple[int, int]


def without(pairs: Iterable[Pair], cuts: Sequence[Pair]) -> Iterator[Pair]:
    """What of `pairs` is not in `cuts`; both sorted and disjoint."""
    at = 0
    for low, high in pairs:
        while at < len(cuts) and cuts[at][1] < low:
            at += 1
        look = at
        while look < len(cuts) and cuts[look][0] <= high:
            if cuts[look][0] > low:
                yield low, cuts[look][0] - 1
            low = cuts[look][1] + 1
            look += 1
        if low <= high:
            yield low, high


class RangeSet:
    """A set of positive ints as sorted, disjoint, non-adjacent closed ranges."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        """`pairs` in any order, overlapping or not."""
        starts: list[int] = []
        ends: list[int] = []
        for low, high in sorted(pairs):
            if ends and low <= ends[-1] + 1:
                ends[-1] = max(ends[-1], high)
            else:
                starts.append(low)
                ends.append(high)
        self._starts, self._ends = starts, ends

    @classmethod
    def of(cls, ids: Iterable[int]) -> RangeSet:
        made = cls()
        starts, ends = made._starts, made._ends
        for number in sorted(ids):
            if ends and number <= ends[-1] + 1:
                ends[-1] = number
            else:
                starts.append(number)
                ends.append(number)
        return made

    @classmethod
    def parse(cls, text: str) -> RangeSet:
        """The inverse of str(); the text must be one that str() made."""
        made = cls()
        for piece in text.split(",") if text else ():
            low, _, high = piece.partition("-")
            made._starts.append(int(low))
            made._ends.append(int(high or low))
        return made

    def __str__(self) -> str:
        return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in self.pairs())

    def __repr__(self) -> str:
        return f"RangeSet({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and self._starts == other._starts and self._ends == other._ends

    def __hash__(self) -> int:
        return hash((tuple(self._starts), tuple(self._ends)))

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __len__(self) -> int:
        return sum(self._ends) - sum(self._starts) + len(self._starts)

    @property
    def pieces(self) -> int:
        """How many ranges."""
        return len(self._starts)

    @property
    def first(self) -> int:
        """The lowest member of a set that is not empty."""
        return self._starts[0]

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._starts, number) - 1
        return at >= 0 and number <= self._ends[at]

    def __iter__(self) -> Iterator[int]:
        for low, high in self.pairs():
            yield from range(low, high + 1)

    def pairs(self) -> Iterator[Pair]:
        return zip(self._starts, self._ends, strict=True)

    def descending(self) -> Iterator[int]:
        """Newest first."""
        for low, high in zip(reversed(self._starts), reversed(self._ends), strict=True):
            yield from range(high, low - 1, -1)

    def upto(self, number: int) -> RangeSet:
        """The members that are not above `number`."""
        made = RangeSet()
        at = bisect_right(self._starts, number)
        made._starts, made._ends = self._starts[:at], self._ends[:at]
        if at and made._ends[-1] > number:
            made._ends[-1] = number
        return made

    def __or__(self, other: RangeSet) -> RangeSet:
        if not other:
            return self
        if not self:
            return other
        return RangeSet((*self.pairs(), *other.pairs()))

    def __sub__(self, other: RangeSet) -> RangeSet:
        if not self or not other:
            return self
        return RangeSet(without(self.pairs(), list(other.pairs())))
