"""What commands that compare have in common: rules, and forms of a report."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .faults import Fault

if TYPE_CHECKING:
    from eas.replay.comparing.report import Reports, Subject
    from eas.replay.comparing.rules import Rules

RulesFile = Annotated[
    Path | None, typer.Option("--rules", metavar="FILE", help="What may differ besides, TOML (docs/sessions.md).")
]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="PLACE", help="A tag or path that is passed over: email:Importance; several."),
]
Strict = Annotated[bool, typer.Option("--strict", help="The order of different elements counts, too.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Also what is the same, and where differences stand.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
Junit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="JUnit XML, for continuous integration.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="A report to read in a browser.")]


def rules_of(file: Path | None, ignore: list[str] | None, strict: bool = False) -> Rules:
    """The usual rules and one's own. Raises SessionError, OSError."""
    from eas.replay.comparing.may_differ import DEFAULT
    from eas.replay.comparing.rules_file import ignoring, read_rules

    rules = read_rules(DEFAULT, file) if file is not None else DEFAULT
    return replace(ignoring(rules, ignore or ()), strict=strict or rules.strict)


@dataclass(frozen=True, slots=True)
class Forms:
    """How the result is wanted."""

    as_json: bool = False
    junit: Path | None = None
    html: Path | None = None
    verbose: bool = False

    def spare(self, *files: str) -> None:
        """Raises Fault where a report would be written over what is read."""
        for report in (self.html, self.junit):
            if report is not None and report.exists() and any(Path(file).exists() and report.samefile(file)
                                                              for file in files):
                raise Fault(f"{report} is a session that is read here")

    @contextmanager
    def reporting(self, subject: Subject) -> Iterator[Reports]:
        from eas.replay.comparing.report import reporting

        with reporting(
            subject, text=None if self.as_json else sys.stdout, json=sys.stdout if self.as_json else None,
            junit=self.junit, html=self.html, verbose=self.verbose,
        ) as reports:
            yield reports
