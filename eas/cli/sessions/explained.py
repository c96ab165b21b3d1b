"""What went wrong in a session, at the end of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from eas.replay.explain import Finding, Weight

from .showing import Piece

_STYLE = {Weight.BROKEN: "bold red", Weight.HURTS: "bold yellow", Weight.ODD: "bold"}
#: What the weights are called.
WORDS = {Weight.BROKEN: "nothing works", Weight.HURTS: "something does not work", Weight.ODD: "odd"}


def summary(found: Sequence[Finding]) -> Iterator[list[Piece]]:
    """Most serious first."""
    if not found:
        yield [("The session is well.", "bold green")]
        return
    yield [(f"What went wrong: {len(found)} finding{'s' if len(found) > 1 else ''}, most serious first.", "bold")]
    several = len({one.device for one in found}) > 1
    for one in found:
        yield []
        yield [
            (one.name, _STYLE[one.about.weight]), (f" ({WORDS[one.about.weight]}), {_where(one)}", "dim"),
            (f", device {one.device}" if several and one.device else "", ""),
        ]
        yield [("  seen: ", "dim"), (f"{one.said}.", "")]
        yield [("  means: ", "dim"), (one.about.means, "")]
        yield [("  do: ", "dim"), (one.about.todo, "")]


def _where(one: Finding) -> str:
    """The exchanges; of many the first and the last."""
    numbers = sorted(one.numbers)
    if len(numbers) == 1:
        return f"exchange {numbers[0]}"
    shown = ", ".join(map(str, numbers[:-1]))
    more = " ..." if one.count > len(numbers) else " and"
    return f"exchanges {shown}{more} {numbers[-1]}"


def as_data(one: Finding) -> dict[str, Any]:
    return {
        "name": one.name, "weight": one.about.weight.name.lower(), "device": one.device, "folder": one.folder,
        "count": one.count, "exchanges": sorted(one.numbers), "said": one.said, "means": one.about.means,
        "do": one.about.todo,
    }
