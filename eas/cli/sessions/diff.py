"""`eas session diff`: two sessions compared by what was said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .comparing import AsJson, Forms, Html, Ignore, Junit, RulesFile, Strict, Verbose, rules_of
from .faults import carefully

if TYPE_CHECKING:
    from eas.replay.comparing.report import Subject
    from eas.replay.format.model import Meta


def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="A session file; - is standard input.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    rules: RulesFile = None,
    ignore: Ignore = None,
    strict: Strict = False,
    html: Html = None,
    junit: Junit = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Compare two sessions: exchanges side by side, requests and answers as elements, whatever ids and keys they have.

    Exit code 1 when they differ.
    """
    if first == second == "-":
        raise typer.BadParameter("only one of the two can come from standard input")
    same = carefully(lambda: _diff(first, second, rules, ignore, strict, Forms(as_json, junit, html, verbose)))
    raise typer.Exit(0 if same else 1)


def _diff(first: str, second: str, file: Path | None, ignore: list[str] | None, strict: bool, forms: Forms) -> bool:
    from eas.replay.comparing.diff import diff as compared
    from eas.replay.format.reading import open_session

    rules = rules_of(file, ignore, strict)
    forms.spare(first, second)
    with open_session(first) as one, open_session(second) as other, \
            forms.reporting(_subject(first, second, one.meta, other.meta)) as reports:
        for outcome in compared(one.exchanges, other.exchanges, rules):
            reports.add(outcome)
        return not reports.totals.differing


def _subject(first: str, second: str, one: Meta, other: Meta) -> Subject:
    from eas.replay.comparing.report import Subject
    from eas.replay.format.model import CLIENT, PROTOCOL, SERVER

    facts = [(name, " / ".join(dict.fromkeys(filter(None, (one.get(name), other.get(name))))))
             for name in (CLIENT, SERVER, PROTOCOL)]
    names = [Path(first).name, Path(second).name]
    if names[0] == names[1]:
        names = [first, second]
    return Subject(" and ".join(names), tuple(fact for fact in facts if fact[1]))
