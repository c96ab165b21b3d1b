"""Two elements, walked side by side by the rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from eas.protocol.wbxml import Element

from .ids import Ids
from .manners import NORMAL, Value, same
from .matching import pairs
from .mime import is_message, message_differences
from .naming import INSIDE, SHOWN, apart, called, folder_of, local, short, shown, step, title_of
from .outcome import Difference, Kind
from .rules import Manner, Path, Rules

#: Parents of what a status of an item belongs to, in a Sync.
_ITEMS = frozenset({"AirSync:Add", "AirSync:Change", "AirSync:Delete", "AirSync:Fetch"})
#: [MS-ASAIRS] Type (Body)
_MIME = "4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the walk stands: full tags for the rules, the path for people (with a slash behind it), the folder (its id
    in the first session) and the item that all inside belongs to."""

    path: Path = ()
    where: str = ""
    folder: str = ""
    item: str = ""
    #: Type of the body that all inside belongs to, "" outside of any.
    body: str = ""


@dataclass(frozen=True, slots=True)
class Elements:
    rules: Rules
    ids: Ids
    command: str
    #: Namespace of the root: its tags are written without prefix.
    space: str = ""

    def roots(self, expected: Element, got: Element, place: Place | None = None) -> Iterator[Difference]:
        place = place or Place()
        if expected.tag != got.tag:
            said = f"The document is a {local(got.tag)}, not a {local(expected.tag)}"
            where = f"{place.where}{local(expected.tag)}"
            yield Difference(where, Kind.BODY, shown(expected), shown(got), said)
            return
        walk = replace(self, space=expected.tag.partition(":")[0])
        yield from walk.compare(expected, got, walk._inside(place, expected, None))

    def compare(self, expected: Element, got: Element, place: Place) -> Iterator[Difference]:
        """Two elements of the same tag, which stand at `place`."""
        manner = self.rules.manner(place.path)
        self._learn(expected)
        if manner is Manner.IGNORE or (manner is Manner.ANY and expected.content and got.content):
            return
        if expected.elements and got.elements:
            yield from self._children(expected, got, place)
        elif expected.elements or got.elements:
            one, other = ("elements" if element.elements else "text" if element.content else "nothing"
                          for element in (expected, got))
            yield self._changed(expected, got, place, f"has {other} inside, not {one}")
        elif expected.content != got.content or manner is Manner.ID:
            yield from self._values(expected, got, place, manner)

    def _learn(self, element: Element) -> None:
        """Names of folders."""
        name, key = element.child("FolderHierarchy:DisplayName"), element.child("FolderHierarchy:ServerId")
        if name is not None and key is not None:
            self.ids.names[key.text] = name.text

    # Children --------------------------------------------------------------------------------------------------------

    def _children(self, expected: Element, got: Element, place: Place) -> Iterator[Difference]:
        type = expected.child("AirSyncBase:Type")
        place = replace(place, folder=folder_of(expected) or place.folder, body=type.text if type else "")
        ours, theirs = _by_tag(expected), _by_tag(got)
        for tag in (*ours, *(tag for tag in theirs if tag not in ours)):
            yield from self._siblings(tag, ours.get(tag, []), theirs.get(tag, []), place)
        if self.rules.strict:
            yield from self._order(list(ours), list(theirs), place)

    def _siblings(self, tag: str, ours: list[Element], theirs: list[Element], place: Place) -> Iterator[Difference]:
        path = (*place.path, tag)
        manner = self.rules.manner(path)
        if manner is Manner.IGNORE:
            return
        ordered = manner is not Manner.UNORDERED
        if ordered and len(ours) == len(theirs) == 1:
            yield from self.compare(ours[0], theirs[0], self._inside(place, ours[0], None))
            return
        numbered = max(len(ours), len(theirs)) > 1
        found = pairs(ours, theirs, path, self.rules, self.ids, place.folder)
        for before, after in found:
            number = (before if before is not None else after or 0) + 1 if numbered else None
            if before is None and after is not None:
                yield self._extra(theirs[after], self._inside(place, theirs[after], number))
            elif before is not None and after is None:
                yield self._missing(ours[before], self._inside(place, ours[before], number))
            elif before is not None and after is not None:
                yield from self.compare(ours[before], theirs[after], self._inside(place, ours[before], number))
        there = [after for before, after in found if before is not None and after is not None]
        if ordered and there != sorted(there):
            order = [", ".join(short(title_of(element) or element.text or called(element, self.ids), 30)
                               for element in elements) for elements in (ours, theirs)]
            where = f"{place.where}{step(ours[0], self.space, self.ids, None)}"
            said = f"{_begin(place)}{local(tag)} elements come in another order"
            yield Difference(where, Kind.ORDER, order[0][:SHOWN], order[1][:SHOWN], said)

    def _order(self, ours: list[str], theirs: list[str], place: Place) -> Iterator[Difference]:
        one = [tag for tag in ours if tag in theirs]
        other = [tag for tag in theirs if tag in ours]
        if one != other:
            first = next(number for number, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1])
            said = f"{_begin(place)}{local(other[first])} stands before {local(one[first])}"
            where = place.where.rstrip("/")
            yield Difference(where, Kind.ORDER, ", ".join(map(local, one)), ", ".join(map(local, other)), said)

    # One element -----------------------------------------------------------------------------------------------------

    def _values(self, expected: Element, got: Element, place: Place, manner: Manner) -> Iterator[Difference]:
        one, other = _value(expected), _value(got)
        if manner is Manner.ID:
            rule = self.rules.rule(place.path)
            yield from self._ids(expected, got, place, rule.kind if rule else "")
        elif manner is Manner.MIME:
            yield from self._message(expected, got, place)
        elif not same(one, other, manner, self.rules):
            yield self._changed(expected, got, place, "")

    def _ids(self, expected: Element, got: Element, place: Place, kind: str) -> Iterator[Difference]:
        one, other = expected.text, got.text
        if not one or not other or "0" in (one, other):  # 0 is the root of all folders
            if one != other:
                yield self._changed(expected, got, place, "")
            return
        before = self.ids.actual(kind, one, place.folder)
        if not self.ids.same(kind, one, other, place.folder):
            was = f"; it was {before!r} before" if before not in (None, other) else "; that was another one's before"
            yield self._changed(expected, got, place, f"is {short(other)!r}{was}")

    def _message(self, expected: Element, got: Element, place: Place) -> Iterator[Difference]:
        one, other = _value(expected), _value(got)
        if NORMAL[Manner.LINES](one) == NORMAL[Manner.LINES](other):
            return
        ours, theirs = (value.encode() if isinstance(value, str) else value for value in (one, other))
        if place.body not in ("", _MIME) or not (is_message(ours) and is_message(theirs)):
            yield self._changed(expected, got, place, "")
            return
        for where, before, after in message_differences(ours, theirs, self.rules):
            mine, yours = apart(before, after)
            said = f"{_begin(place)}{where.removeprefix('mime/')} is {yours!r}, not {mine!r}"
            yield Difference(f"{place.where}{where}", Kind.CHANGED, before[:SHOWN], after[:SHOWN], said)

    def _changed(self, expected: Element, got: Element, place: Place, how: str) -> Difference:
        name = local(expected.tag)
        status = name == "Status"
        said = how or _is(expected, got)
        explained = self._explained(got.text, place) if status and not how else ""
        kind = Kind.STATUS if status else Kind.CHANGED
        return Difference(
            place.where.rstrip("/"), kind, shown(expected), shown(got), f"{_begin(place)}{name} {said}{explained}")

    def _missing(self, element: Element, place: Place) -> Difference:
        return Difference(place.where.rstrip("/"), Kind.MISSING, shown(element), "",
                          f"{self._what(element, place)} is missing")

    def _extra(self, element: Element, place: Place) -> Difference:
        return Difference(place.where.rstrip("/"), Kind.EXTRA, "", shown(element),
                          f"{self._what(element, place)} was not expected")

    def _what(self, element: Element, place: Place) -> str:
        """What `_inside` has called the item is the element itself, where it is one."""
        name = called(element, self.ids)
        if place.item == name or place.item.endswith(f": {name}"):
            return place.item
        value = f" {_spoken(element)}" if element.content and not element.elements else ""
        return f"{_begin(place)}{name}{value}"

    def _explained(self, status: str, place: Place) -> str:
        from eas.admin.words import ITEM, explain

        item = len(place.path) > 1 and place.path[-2] in _ITEMS
        words = explain(ITEM if item else self.command, status).means
        return f" ({words.rstrip('.')})" if status.isdecimal() else ""

    def _inside(self, place: Place, element: Element, number: int | None) -> Place:
        name, item = called(element, self.ids), place.item
        if name != local(element.tag):  # an item is what has a name of its own
            item = f"{item}: {name}" if item and INSIDE.intersection(place.path) else name
        return Place(
            path=(*place.path, element.tag),
            where=f"{place.where}{step(element, self.space, self.ids, number)}/",
            folder=place.folder, item=item, body=place.body,
        )


def _by_tag(element: Element) -> dict[str, list[Element]]:
    found: dict[str, list[Element]] = {}
    for child in element.elements:
        found.setdefault(child.tag, []).append(child)
    return found


def _begin(place: Place) -> str:
    return f"{place.item}: " if place.item else ""


def _value(element: Element) -> Value:
    return element.content if isinstance(element.content, str | bytes) else ""


def _is(expected: Element, got: Element) -> str:
    if isinstance(expected.content, str) and isinstance(got.content, str):
        ours, theirs = apart(expected.content, got.content)
        return f"is {theirs!r}, not {ours!r}"
    return f"is {_spoken(got)}, not {_spoken(expected)}"


def _spoken(element: Element) -> str:
    if isinstance(element.content, bytes):
        return f"{len(element.content)} opaque bytes"
    return repr(short(element.content)) if isinstance(element.content, str) else "empty"
