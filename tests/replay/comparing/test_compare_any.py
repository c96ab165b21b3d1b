"""For all documents: nothing differs from itself, what was changed is found, and order counts where it is said to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from time import process_time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from test_compare import folders, mail, sync

from eas.protocol.codepages import TOKEN_OF
from eas.protocol.wbxml import Element
from eas.replay.comparing.compare import differences
from eas.replay.comparing.ids import Ids
from eas.replay.comparing.may_differ import DEFAULT
from eas.replay.comparing.rules import MEANS, Manner, Path

TAGS = sorted(TOKEN_OF)
USUAL = ["AirSync:Add", "AirSync:ServerId", "AirSync:ApplicationData", "Email:Subject", "Email:To",
         "Email:DateReceived", "AirSyncBase:Data", "AirSyncBase:Preview", "AirSync:Commands", "AirSync:Status",
         "Search:Result"]
WORDS = st.one_of(st.sampled_from(["", "0", "1", "5:1", "5:2", "a@example.com, b@example.com", "From: x\nTo: y\n\nz"]),
                  st.text(max_size=8))

trees = st.recursive(
    st.builds(Element, st.sampled_from(USUAL) | st.sampled_from(TAGS), st.one_of(WORDS, st.binary(max_size=4))),
    lambda inner: st.builds(Element, st.sampled_from(USUAL) | st.sampled_from(TAGS),
                            st.lists(inner, min_size=1, max_size=5).map(tuple)),
    max_leaves=25,
)


@given(trees)
def test_nothing_differs_from_itself(tree: Element) -> None:
    assert differences(tree, tree) == []
    assert differences(tree, tree, replace(DEFAULT, strict=True)) == []


Way = tuple[int, ...]


def ways(element: Element, path: Path, way: Way = ()) -> Iterator[tuple[Way, Path]]:
    """To all elements in which the rules let nothing pass, but other order."""
    manner = DEFAULT.manner(path)
    if manner not in (Manner.SAME, Manner.UNORDERED):
        return
    yield way, path
    for number, child in enumerate(element.elements):
        yield from ways(child, (*path, child.tag), (*way, number))


def changed(element: Element, way: Way, how: str) -> Element:
    if way:
        number, *rest = way
        inside = list(element.elements)
        if not rest and how == "removed":
            del inside[number]
        elif not rest and how == "twice":
            inside.insert(number, inside[number])
        else:
            inside[number] = changed(inside[number], tuple(rest), how)
        return Element(element.tag, tuple(inside))
    if how == "added":
        return Element(element.tag, (*element.elements, Element("Email:Status", "odd")))
    return Element(element.tag, f"{element.text} changed")


@given(trees, st.data(), st.sampled_from(["value", "added", "removed", "twice"]))
def test_any_change_is_found(tree: Element, data: st.DataObject, how: str) -> None:
    places = [(way, path) for way, path in ways(tree, (tree.tag,)) if way or how not in ("removed", "twice")]
    assume(places)
    way, _ = data.draw(st.sampled_from(places))
    other = changed(tree, way, how)
    assert differences(tree, other)
    assert differences(other, tree)


@given(st.permutations(range(6)), st.permutations(["Inbox", "Sent", "Drafts", "Trash"]))
def test_siblings_without_order(order: list[int], names: list[str]) -> None:
    ids = Ids()
    rules = replace(DEFAULT, ids=ids)
    first = sync("".join(mail(number, f"No. {number % 4}") for number in range(6)))
    then = sync("".join(mail(10 + number, f"No. {number % 4}") for number in order))
    assert differences(first, then, rules) == []
    bound = {number: int(str(ids.actual("item", f"5:{number}", "5"))[2:]) - 10 for number in range(6)}
    assert all(number % 4 == other % 4 for number, other in bound.items())
    assert differences(folders("Inbox", "Sent", "Drafts", "Trash"), folders(*names, start=70)) == []


@pytest.mark.parametrize("seen", ["the same", "others", "changed a bit"])
def test_large_windows_take_no_long(seen: str) -> None:
    """512 mails to 512 mails, in the opposite order: 262,144 pairs must not be looked at one by one."""
    text = "x" * 2_000
    first = sync("".join(mail(n, f"No. {n}", f"<email:Body>{text}{n}</email:Body>") for n in range(512)))
    subject = "Other" if seen == "others" else "No."
    flag = "<email:Importance>1</email:Importance>" if seen == "changed a bit" else ""
    end = "Other" if seen == "others" else ""
    then = sync("".join(mail(n + 900, f"{subject} {n}", f"{flag}<email:Body>{text}{n}{end}</email:Body>")
                        for n in reversed(range(512))))
    begin = process_time()
    found = differences(first, then)
    assert process_time() - begin < 5
    assert len(found) == {"the same": 0, "others": 1024, "changed a bit": 512}[seen]


def test_all_manners_are_described() -> None:
    assert set(MEANS) == set(Manner)
    assert all(rule.why for rule in DEFAULT.table)
