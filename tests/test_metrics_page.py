"""docs/metrics.md names every figure that there is, with its kind and labels, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from eas import measures

PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(eas_\w+)` \| (\w+) \| (.*?) ?\| (.+) \|$", re.MULTILINE)
KINDS = {measures.Counts: "counter", measures.Times: "histogram", measures.Levels: "gauge"}

Row = tuple[str, tuple[str, ...]]


def declared() -> dict[str, Row]:
    """By the name that a rule or a graph would use, without the endings of a histogram: kind and labels."""
    found = {}
    for one in vars(measures).values():
        if kind := KINDS.get(type(one)):
            found[one.name + ("_total" if kind == "counter" else "")] = kind, tuple(one.labels)
    return found


def test_every_figure_is_on_the_page_and_no_other() -> None:
    rows = ROW.findall(PAGE.read_text())
    assert {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in rows} == declared()


def test_values_that_are_known_are_on_the_page() -> None:
    text = {name: meaning for name, _, _, meaning in ROW.findall(PAGE.read_text())}
    for one in vars(measures).values():
        if type(one) in KINDS:
            row = text[one.name + ("_total" if type(one) is measures.Counts else "")]
            for label, values in one.labels.items():
                missing = [value for value in values if label not in SHARED and f"`{value}`" not in row]
                assert not missing, (one.name, label, missing)


#: Labels whose values are told once for all, at `eas_held_waits`.
SHARED = frozenset(("command",))
