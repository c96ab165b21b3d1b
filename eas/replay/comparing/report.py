"""The result of a run, told while it goes on, summed up at its end: `reporting` for text, JUnit XML and HTML at once.

A report is given outcomes one by one, and holds none of them: a session may have any number. JUnit and HTML have their
totals in front, so what follows them waits in a temporary file.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Protocol

from eas.replay.format.model import Exchange

from .asking import command_of
from .outcome import Kind, Outcome


@dataclass(frozen=True, slots=True)
class Subject:
    """What was done: a line such as `replay of a.session against https://...`, and what else a reader wants to know, by
    name."""

    title: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Totals:
    """Of a run so far. `seconds` are those of all answers together."""

    same: int = 0
    differing: int = 0
    skipped: int = 0
    seconds: float = 0.0
    #: Whether the run came to its end.
    complete: bool = True
    kinds: Counter[Kind] = field(default_factory=Counter)
    #: Command -> exchanges that differ.
    commands: Counter[str] = field(default_factory=Counter)

    @property
    def exchanges(self) -> int:
        return self.same + self.differing + self.skipped

    @property
    def differences(self) -> int:
        return self.kinds.total()

    def add(self, outcome: Outcome) -> None:
        self.seconds += outcome.seconds
        if outcome.differences:
            self.differing += 1
            self.kinds.update(one.kind for one in outcome.differences)
            self.commands[name_of(outcome.exchange)] += 1
        elif outcome.skipped:
            self.skipped += 1
        else:
            self.same += 1

    def line(self) -> str:
        """`12 exchanges: 10 the same, 1 with differences (3), 1 skipped`."""
        said = [f"{self.same} the same"]
        if self.differing:
            said.append(f"{self.differing} with differences ({self.differences})")
        if self.skipped:
            said.append(f"{self.skipped} skipped")
        end = "" if self.complete else "; then it broke off"
        return f"{self.exchanges} exchange{'' if self.exchanges == 1 else 's'}: {', '.join(said)}{end}"


class Report(Protocol):
    """One form of it."""

    def add(self, outcome: Outcome) -> None: ...

    def end(self, totals: Totals) -> None: ...


@dataclass(slots=True)
class Reports:
    """All forms of a run's report. Its totals are there at any time."""

    forms: Sequence[Report]
    totals: Totals = field(default_factory=Totals)

    def add(self, outcome: Outcome) -> None:
        self.totals.add(outcome)
        for form in self.forms:
            form.add(outcome)

    def end(self) -> None:
        for form in self.forms:
            form.end(self.totals)


@contextmanager
def reporting(
    subject: Subject, *, text: IO[str] | None = None, json: IO[str] | None = None, junit: Path | None = None,
    html: Path | None = None, verbose: bool = False, width: int | None = None,
) -> Iterator[Reports]:
    """Reports in those forms; files are written when it ends, also where it ends by an exception: then with what was
    seen so far. Raises OSError."""
    from .report_html import HtmlReport
    from .report_json import JsonReport
    from .report_junit import JunitReport
    from .report_text import TextReport

    with ExitStack() as stack:
        forms: list[Report] = []
        if text is not None:
            forms.append(TextReport(text, verbose=verbose, width=width))
        if json is not None:
            forms.append(JsonReport(json, verbose=verbose))
        if junit is not None:
            forms.append(JunitReport(subject, stack.enter_context(spooled(junit))))
        if html is not None:
            forms.append(HtmlReport(subject, stack.enter_context(spooled(html))))
        reports = Reports(forms)
        try:
            yield reports
        except BaseException:
            reports.totals.complete = False
            raise
        finally:
            reports.end()


@dataclass(slots=True)
class Spool:
    """A file whose beginning is known last."""

    file: IO[str]
    rest: IO[str]

    def put(self, text: str) -> None:
        self.rest.write(text)

    def close(self, begin: str, end: str) -> None:
        self.file.write(begin)
        self.rest.seek(0)
        shutil.copyfileobj(self.rest, self.file)
        self.file.write(end)


@contextmanager
def spooled(path: Path) -> Iterator[Spool]:
    with path.open("w", encoding="utf-8") as file, TemporaryFile("w+", encoding="utf-8") as rest:
        yield Spool(file, rest)


def name_of(exchange: Exchange) -> str:
    """`Sync`; `OPTIONS` or `GET /autodiscover` for what is no command."""
    request = exchange.request
    return command_of(request) or f"{request.method} {request.path}".removesuffix(" /Microsoft-Server-ActiveSync")
