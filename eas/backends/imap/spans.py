"""Arithmetic with sets of UIDs as spans: sorted, disjoint, not touching pairs of first and last. RFC 3501, Formal
Syntax, sequence-set.

Every function here takes spans in that form and gives them so, except where it says that they may come in any order.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from eas.engine import ranges

from .model import Spans

#: RFC 7162 has MODSEQs of 63 bits, RFC 9051 UIDs of 32; what has more digits than these is no number.
MAX_DIGITS = 19


def of(numbers: Iterable[int]) -> Spans:
    """Of numbers in any order, perhaps repeated."""
    found: list[tuple[int, int]] = []
    first = last = 0
    begun = False
    for number in sorted(numbers):
        if begun and number <= last + 1:
            last = number
            continue
        if begun:
            found.append((first, last))
        first = last = number
        begun = True
    if begun:
        found.append((first, last))
    return tuple(found)


def joined(spans: Iterable[tuple[int, int]]) -> Spans:
    """Of spans in any order that may overlap."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            if last > found[-1][1]:
                found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return tuple(found)


def union(*spans: Spans) -> Spans:
    return joined(span for some in spans for span in some)


def without(spans: Spans, others: Spans) -> Spans:
    """What of `spans` is not in `others`."""
    return tuple(ranges.without(spans, others))


def common(spans: Spans, others: Spans) -> Spans:
    found: list[tuple[int, int]] = []
    one = two = 0
    while one < len(spans) and two < len(others):
        first, last = max(spans[one][0], others[two][0]), min(spans[one][1], others[two][1])
        if first <= last:
            found.append((first, last))
        if spans[one][1] < others[two][1]:
            one += 1
        else:
            two += 1
    return tuple(found)


def holds(spans: Spans, number: int) -> bool:
    at = bisect_right(spans, number, key=_first) - 1
    return at >= 0 and number <= spans[at][1]


def _first(span: tuple[int, int]) -> int:
    return span[0]


def count(spans: Spans) -> int:
    return sum(last - first + 1 for first, last in spans)


def numbers(spans: Spans) -> Iterator[int]:
    for first, last in spans:
        yield from range(first, last + 1)


def parse(text: bytes | str) -> Spans:
    """`3,7:5,9` -> ((3, 3), (5, 7), (9, 9)). An empty set is none. Raises ValueError, also for "*"."""
    return joined(as_listed(text))


def as_listed(text: bytes | str) -> list[tuple[int, int]]:
    """In the order of the text, each span the right way round. Raises ValueError."""
    plain = text if isinstance(text, str) else text.decode("ascii")
    if not plain:
        return []
    found = []
    for item in plain.split(","):
        first, colon, last = item.partition(":")
        one = _number(first)
        two = _number(last) if colon else one
        found.append((one, two) if one <= two else (two, one))
    return found


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > MAX_DIGITS:
        raise ValueError(f"not a message number: {text[:30]!r}")
    return int(text)


def text(spans: Spans) -> str:
    """`3,5:7`; "" for an empty set, which no command takes."""
    return ",".join([str(first) if first == last else f"{first}:{last}" for first, last in spans])


def batches(spans: Spans, room: int) -> Iterator[Spans]:
    """Parts whose texts are at most `room` octets long (room for one span at least is taken for granted)."""
    batch: list[tuple[int, int]] = []
    used = 0
    for first, last in spans:
        length = len(str(first)) + (len(str(last)) + 1 if first != last else 0) + 1
        if batch and used + length > room:
            yield tuple(batch)
            batch, used = [], 0
        batch.append((first, last))
        used += length
    if batch:
        yield tuple(batch)
