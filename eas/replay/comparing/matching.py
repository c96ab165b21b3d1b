"""Items of one list and those of another: which is which. Linear for what has not changed, bounded for the rest."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence

from eas.protocol.wbxml import Element

from .ids import Ids
from .manners import normal
from .naming import INSIDE, label_of, role_of
from .rules import Manner, Path, Rules

#: Pairs that are looked at one by one when nothing tells which is which: 50 changed items of each side.
MAX_GUESSES = 2500
#: More than this much of its leaves an item must share with another to be the same one, changed.
ALIKE = 0.5

Pair = tuple[int | None, int | None]
_Key = Callable[[Element], Hashable]


def content(element: Element, path: Path, rules: Rules) -> Hashable:
    """Equal for elements that the rules may let pass as the same. `path` is that of the element itself."""
    manner = rules.manner(path)
    if manner is Manner.IGNORE:
        return None
    if element.elements:
        if manner is Manner.ANY:
            return element.tag
        inside = Counter(content(child, (*path, child.tag), rules) for child in element.elements)
        inside.pop(None, None)
        return element.tag, frozenset(inside.items())
    return element.tag, normal(element.content if isinstance(element.content, str | bytes) else "", manner)


def pairs(
    expected: Sequence[Element], got: Sequence[Element], path: Path, rules: Rules, ids: Ids, folder: str,
) -> list[Pair]:
    """Pairs of positions, in the order of `expected`, then what is only in `got`. `path` is that of the elements.

    By id where it is bound, then by all of the content, by what can be the same, by name, by likeness.
    """
    found = _Found(expected, got)

    def bound(element: Element) -> Hashable:
        known = own_id(element, path, rules)
        return ids.actual(*known, folder) if known else None

    def free(element: Element) -> Hashable:
        known = own_id(element, path, rules)
        return None if known and ids.recorded(*known, folder) is not None else element

    def plain_id(element: Element) -> Hashable:
        known = own_id(element, path, rules)
        return known[1] if known else None

    def same_content(element: Element) -> Hashable:
        return content(element, path, rules)

    found.by(bound, plain_id)
    found.by(free, free)
    found.by(same_content, same_content)
    found.by(label_of, label_of)
    found.by(role_of, role_of)
    found.by_likeness(lambda element: leaves(element, path, rules))
    return found.all()


def own_id(element: Element, path: Path, rules: Rules) -> tuple[str, str] | None:
    """Kind and id of the first child that is an id."""
    for child in element.elements:
        rule = rules.rule((*path, child.tag))
        if rule is not None and rule.manner is Manner.ID and child.text:
            return rule.kind, child.text
    return None


def leaves(element: Element, path: Path, rules: Rules) -> Counter[Hashable]:
    """All values inside with their places; values that servers choose count for nothing."""
    found: Counter[Hashable] = Counter()
    for child in element.elements:
        inside = (*path, child.tag)
        if child.elements:
            found += leaves(child, inside, rules)
        elif isinstance(child.content, str | bytes):
            value = normal(child.content, rules.manner(inside))
            if value is not None and not isinstance(value, bool):
                found[(child.tag, value)] += 1
    return found


class _Found:
    def __init__(self, expected: Sequence[Element], got: Sequence[Element]) -> None:
        self._expected, self._got = expected, got
        self._pairs: dict[int, int] = {}
        self._left = list(range(len(expected)))
        self._right = list(range(len(got)))

    def by(self, left: _Key, right: _Key) -> None:
        """Those with the same key, in order; None is no key."""
        if not self._left or not self._right:
            return
        waiting: dict[Hashable, deque[int]] = {}
        for number in self._right:
            if (key := right(self._got[number])) is not None:
                waiting.setdefault(key, deque()).append(number)
        for number in self._left:
            key = left(self._expected[number])
            if key is not None and waiting.get(key):
                self._pairs[number] = waiting[key].popleft()
        self._keep()

    def by_likeness(self, values: Callable[[Element], Counter[Hashable]]) -> None:
        """What is left: items by what they have in common, anything else that has content in order."""
        if len(self._left) * len(self._right) > MAX_GUESSES:
            return
        theirs = {number: values(self._got[number]) for number in self._right}
        for number in self._left:
            ours = values(self._expected[number])
            best = max(theirs, key=lambda other: _alike(ours, theirs[other]), default=None)
            if best is None or not self._expected[number].elements:
                continue
            if _alike(ours, theirs[best]) > ALIKE or not _is_item(self._expected[number]):
                self._pairs[number] = best
                del theirs[best]
        self._keep()

    def _keep(self) -> None:
        taken = set(self._pairs.values())
        self._left = [number for number in self._left if number not in self._pairs]
        self._right = [number for number in self._right if number not in taken]

    def all(self) -> list[Pair]:
        paired: list[Pair] = [(number, self._pairs.get(number)) for number in range(len(self._expected))]
        return paired + [(None, number) for number in self._right]


def _is_item(element: Element) -> bool:
    return any(child.tag in INSIDE for child in element.elements) or label_of(element) is not None


def _alike(one: Counter[Hashable], other: Counter[Hashable]) -> float:
    most = max(one.total(), other.total())
    return (one & other).total() / most if most else 0.0
