"""The tables of "What may differ" in docs/sessions.md, made of eas.replay. Usage: rules_table.py [FILE]"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from eas.replay.comparing.may_differ import DEFAULT
from eas.replay.comparing.rules import MEANS, Rule

BEGIN, END = "<!-- rules: tools/rules_table.py -->", "<!-- /rules -->"


def tables() -> str:
    return "\n".join([BEGIN, *_manners(), "", *_rules(), END])


def _manners() -> Iterator[str]:
    yield "| Manner | What it lets pass |"
    yield "|---|---|"
    for manner, means in MEANS.items():
        yield f"| `{manner.value}` | {means} |"


def _rules() -> Iterator[str]:
    yield "| Place | Manner | Why |"
    yield "|---|---|---|"
    for (manner, why, kind), rules in groupby(DEFAULT.table, _said):
        places = ", ".join(f"`{rule.where}`" for rule in rules)
        yield f"| {places} | `{manner}`{f' ({kind})' if kind else ''} | {why} |"


def _said(rule: Rule) -> tuple[str, str, str]:
    return rule.manner.value, rule.why, rule.kind


def put(page: str) -> str:
    """The page with the tables of today."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{tables()}{after}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        file = Path(sys.argv[1])
        file.write_text(put(file.read_text("utf-8")), "utf-8")
    else:
        print(tables())
