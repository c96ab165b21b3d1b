"""What elements of answers are like, as tables: where they stand, what they hold, how often. For structural rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from eas.protocol.wbxml import Element

Path = tuple[str, ...]

#: Of an element's content.
CONTAINER, TEXT, NUMBER, BYTE, EMPTY = "container", "text", "number", "byte", "empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`ids` are the requirements that the row asserts. `children` are local names, None for any. `most` is how often
    the element may stand in its parent, None for any number; `least` how often it must."""

    ids: str
    kind: str
    children: frozenset[str] | None = frozenset()
    least: int = 0
    most: int | None = 1


def check(root: Element, shapes: Mapping[Path, Shape], seen: set[Path]) -> None:
    """Every element of an answer against its row. `seen` takes the paths that occurred."""
    _check(root, (root.tag,), shapes, seen)


def _check(element: Element, path: Path, shapes: Mapping[Path, Shape], seen: set[Path]) -> None:
    shape = shapes.get(path)
    assert shape is not None, f"{'/'.join(path)} is not known"
    seen.add(path)
    text = element.text
    match shape.kind:
        case "empty":
            assert not text, path
            assert not element.elements, path
        case "number":
            assert text.lstrip("-").isdigit(), (path, text)
        case "byte":
            assert text.isdigit(), (path, text)
            assert int(text) <= 255, path
        case "text":
            assert not element.elements, path
            assert text, path
        case _:
            assert isinstance(element.content, tuple), path
    if shape.kind != CONTAINER:
        assert not element.elements, path
        return
    if shape.children is None:
        assert element.elements, path
        return
    counts = Counter(_local(child.tag) for child in element.elements)
    assert counts.keys() <= shape.children, (path, counts)
    for name in shape.children:
        row = shapes.get((*path, name))
        if row is not None:
            assert counts[name] >= row.least, (path, name, element)
            assert row.most is None or counts[name] <= row.most, (path, name)
    for child in element.elements:
        _check(child, (*path, _local(child.tag)), shapes, seen)


def statuses(element: Element) -> set[str]:
    """Every Status in an answer, wherever it stands, but for those of items' contents."""
    found = {child.text for child in element.elements if _local(child.tag) == "Status"}
    return found.union(*(statuses(child) for child in element.elements if _local(child.tag) != "ApplicationData"))


def _local(tag: str) -> str:
    return tag.partition(":")[2]


def ids_of(shapes: Mapping[Path, Shape]) -> str:
    return " ".join(shape.ids for shape in shapes.values())
