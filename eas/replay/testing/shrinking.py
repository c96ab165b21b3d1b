"""The least of a session that still shows a difference: delta debugging (Zeller's ddmin), for whatever can be left out.

`fails` plays what is left from a fresh state and says whether the difference is still there. Nothing is known here of
what depends on what: an exchange that gave a later one its key is kept because without it the difference is gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from eas.protocol.wbxml import Element
from eas.replay.format.model import Body, Document, Exchange

T = TypeVar("T")
Fails = Callable[[Sequence[T]], Awaitable[bool]]
#: Told after each attempt: how many there were, and how much is left.
Progress = Callable[[int, int], None]

#: Elements that can be left out of a message, and it still says something: items, collections, queries.
UNITS = frozenset({
    "Add", "Change", "Delete", "SoftDelete", "Update", "Fetch", "Collection", "Folder", "Move", "Result", "Response",
    "Attachment", "Attendee", "Category", "Exception", "BodyPreference", "Request",
})


@dataclass(frozen=True, slots=True)
class Shrunk(Generic[T]):
    """`least` cannot do without any one of its parts, if `complete`; else the attempts were used up. `attempts` are
    those that were made."""

    least: tuple[T, ...]
    attempts: int
    complete: bool


def _silent(attempts: int, left: int) -> None:
    pass


async def shrink(parts: Sequence[T], fails: Fails[T], attempts: int, told: Progress = _silent) -> Shrunk[T]:
    """`parts` are known to fail. Leaves out halves, quarters, ... down to single parts, until none can be spared."""
    left, size, made, tried = tuple(parts), max(1, len(parts) // 2), 0, set[tuple[int, ...]]()
    numbers = tuple(range(len(left)))
    spared = True
    while left:
        if not spared:
            if size == 1:
                return Shrunk(left, made, True)
            size = max(1, size // 2)
        spared = False
        # From the end: what comes late depends on what comes early.
        end = len(left)
        while end > 0:
            begin = max(0, end - size)
            rest, which = left[:begin] + left[end:], numbers[:begin] + numbers[end:]
            if which not in tried:
                if made >= attempts:
                    return Shrunk(left, made, False)
                made += 1
                tried.add(which)
                if await fails(rest):
                    left, numbers, spared = rest, which, True
                told(made, len(left))
            end = begin
        size = min(size, max(1, len(left) // 2))
    return Shrunk(left, made, True)


# Inside of messages ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unit:
    """One element that can be left out: the number of its exchange, whether it is in the answer, and the way to it."""

    number: int
    answer: bool
    way: tuple[int, ...]


def units_of(exchanges: Sequence[Exchange]) -> list[Unit]:
    """The largest first: what lies inside of another unit comes behind it."""
    found = [
        Unit(exchange.number, answer, way)
        for exchange in exchanges
        for answer, body in ((False, exchange.request.body), (True, exchange.answer.body))
        if isinstance(body, Document)
        for way in _ways(body.root, ())
    ]
    return sorted(found, key=lambda unit: len(unit.way))


def _ways(element: Element, way: tuple[int, ...]) -> list[tuple[int, ...]]:
    found = []
    for number, child in enumerate(element.elements):
        if child.tag.rpartition(":")[2] in UNITS:
            found.append((*way, number))
        found += _ways(child, (*way, number))
    return found


def with_units(exchanges: Sequence[Exchange], kept: Sequence[Unit]) -> list[Exchange]:
    """The exchanges with those units alone. What is inside of one that is left out is left out with it."""
    by: dict[tuple[int, bool], set[tuple[int, ...]]] = {}
    for unit in kept:
        by.setdefault((unit.number, unit.answer), set()).add(unit.way)
    return [
        replace(
            one, request=replace(one.request, body=_body(one.request.body, by.get((one.number, False), set()))),
            answer=replace(one.answer, body=_body(one.answer.body, by.get((one.number, True), set()))),
        )
        for one in exchanges
    ]


def _body(body: Body, kept: set[tuple[int, ...]]) -> Body:
    if not isinstance(body, Document):
        return body
    root = _without(body.root, (), kept)
    return body if root == body.root else Document(root)


def _without(element: Element, way: tuple[int, ...], kept: set[tuple[int, ...]]) -> Element:
    if not element.elements:
        return element
    left = [
        _without(child, (*way, number), kept) for number, child in enumerate(element.elements)
        if child.tag.rpartition(":")[2] not in UNITS or (*way, number) in kept
    ]
    return Element(element.tag, tuple(_counted(child, len(left) - 1) for child in left))


def _counted(element: Element, others: int) -> Element:
    """The number of folders that come with it. [MS-ASCMD] Count"""
    return Element(element.tag, str(others)) if element.tag == "FolderHierarchy:Count" else element
