"""Which requirements of the specifications the tests cite, and which they leave.

Usage: spec_index.py [--spec FOLDER] [--left DOCUMENT [TITLE]] [--page FILE]

The tables (one CSV a document: id, section, description, level, scope, verification) are not part of the project;
FOLDER, or EAS_SPEC, has them in `requirements/`. A requirement is in scope if it is normative, of the server or of both
sides, can be tested, and does not repeat a schema (types, parents, counts: every answer in the tests is validated
against the schemas instead). Citations are those of the conformance cases (`@case`), and `[MS-ASxxx] ... R123` in the
other tests. Rows on which version has which element are checked as a table (tests/conformance/test_version_facts.py)
and counted apart. --page writes the table into a Markdown page, between the marks that it has for it. Exits with 1 if
something is cited that does not exist.
"""

from __future__ import annotations

import argparse
import ast
import csv
import os
import re
import sys
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: Rows that say what a schema says as well.
SCHEMA = re.compile(
    r"the data type is|data type of|the number allowed is|the parent element is|has no child|has no parent"
    r"|the child elements? (is|are)|MUST have no child|is an? (required|optional)( child)? element"
)
#: Rows on versions: which has an element.
VERSIONS = re.compile(r"[Pp]rotocol version [\d.]+ (supports|does not supports?) this|supports protocol versions")
TITLE = re.compile(r"^\[In ([^\]]+)\]")

CITED = re.compile(r"(?:\b(MS-[A-Z]{2,}):)?\bR(\d{1,12})\b|\[(MS-[A-Z]{2,})\]")

Id = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    document: str
    number: str
    title: str
    description: str
    kind: str  # "behaviour", "schema", "version", or "" for what is out of scope


def requirements(folder: Path) -> dict[Id, Requirement]:
    found = {}
    for path in sorted(folder.glob("MS-*.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                owner, _, number = row["id"].rpartition("R")
                if owner:  # a row of another document, repeated here
                    continue
                title = TITLE.match(row["description"])
                found[path.stem, number] = Requirement(
                    document=path.stem, number=number, title=title[1] if title else "",
                    description=row["description"], kind=_kind(row),
                )
    return found


def _kind(row: Mapping[str, str]) -> str:
    tested = row["level"] == "N" and row["scope"] in ("Server", "Both") and row["verification"] != "Non-testable"
    if not tested:
        return ""
    if VERSIONS.search(row["description"]):
        return "version"
    return "schema" if SCHEMA.search(row["description"]) else "behaviour"


def citations(tests: Path) -> Iterator[tuple[Path, Id]]:
    """What the conformance cases declare, and what the other tests name."""
    cases = tests / "conformance" / "cases"
    sys.path[:0] = [str(tests), str(tests / "conformance")]
    from lab import load_cases

    for case in load_cases():
        for id in case.ids:
            yield cases / f"{case.name.partition('.')[0]}.py", id
    for path in sorted(tests.rglob("*.py")):
        if cases not in path.parents:
            for id in _named(path.read_text(encoding="utf-8")):
                yield path, id


def _named(text: str) -> Iterator[Id]:
    """A document that is named counts to the end of its line; elsewhere ids are those of the document that the file
    names first in its own docstring, [MS-ASCMD] where it names none."""
    first = re.search(r"\[(MS-[A-Z]{2,})\]", ast.get_docstring(ast.parse(text)) or "")
    usual = first[1] if first else "MS-ASCMD"
    for line in text.splitlines():
        document = usual
        for explicit, number, named in CITED.findall(line):
            if number:
                yield explicit or document, number
            else:
                document = named


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", type=Path, default=os.environ.get("EAS_SPEC"), help="folder of the specifications")
    parser.add_argument("--left", nargs="+", metavar=("DOCUMENT", "TITLE"), help="what no test cites")
    parser.add_argument("--page", type=Path, help="the page that the table is written into")
    given = parser.parse_args(arguments)
    if given.spec is None:
        parser.error("--spec or EAS_SPEC must name the folder of the specifications")
    known = requirements(Path(given.spec) / "requirements")
    where = defaultdict(set)
    for path, id in citations(ROOT / "tests"):
        where[id].add(path)
    if given.left:
        _print_left(known, where.keys(), given.left[0], " ".join(given.left[1:]))
        return 0
    documents = {id[0] for id in known}
    unknown = sorted(id for id in where if id[0] in documents and id not in known)
    for document, number in unknown:
        paths = ", ".join(str(path.relative_to(ROOT)) for path in sorted(where[document, number]))
        print(f"no such requirement: {document} R{number} in {paths}")
    rows = counts(known, set(where))
    for row in rows:
        print(row.text())
    if given.page is not None:
        page = with_table(given.page.read_text(encoding="utf-8"), rows, left_over(known, set(where)))
        given.page.write_text(page, encoding="utf-8")
    return bool(unknown)


def _print_left(known: Mapping[Id, Requirement], cited: object, document: str, title: str) -> None:
    for id, requirement in known.items():
        fits = id[0] == document and title.lower() in requirement.title.lower()
        if fits and requirement.kind == "behaviour" and id not in cited:  # type: ignore[operator]
            print(f"R{id[1]}  {requirement.description}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One document, or all: requirements in scope, those cited, rows on versions, and rows that repeat schemas."""

    document: str
    total: int
    cited: int
    versions: int
    schema: int

    def text(self) -> str:
        return (
            f"{self.document:10}  {self.cited:4} of {self.total:4} cited ({self.cited / self.total:4.0%}), "
            f"{self.versions:4} on versions, {self.schema:4} repeat schemas"
        )

    def markdown(self) -> str:
        share = f"{self.cited / self.total:.0%}"
        return f"| {self.document} | {self.total} | {self.cited} | {share} | {self.versions} | {self.schema} |"


def counts(known: Mapping[Id, Requirement], cited: set[Id]) -> list[Row]:
    by_kind = Counter((r.document, r.kind) for r in known.values())
    done = Counter(r.document for id, r in known.items() if r.kind == "behaviour" and id in cited)
    rows = [
        Row(
            document=document, total=by_kind[document, "behaviour"], cited=done[document],
            versions=by_kind[document, "version"], schema=by_kind[document, "schema"],
        )
        for document in sorted({r.document for r in known.values() if r.kind == "behaviour"})
    ]
    names = ("total", "cited", "versions", "schema")
    return [*rows, Row(document="all", **{name: sum(getattr(row, name) for row in rows) for name in names})]


BEGIN, END = "<!-- requirements: written by tools/spec_index.py -->", "<!-- end of requirements -->"
HEAD = "| document | in scope | cited by tests | | on versions | repeat schemas |\n|---|---|---|---|---|---|"


def left_over(known: Mapping[Id, Requirement], cited: set[Id]) -> list[str]:
    """For each document the ids in scope that no test cites, in lines of a page."""
    lines = []
    by_document: dict[str, list[str]] = defaultdict(list)
    for id, requirement in known.items():
        if requirement.kind == "behaviour" and id not in cited:
            by_document[id[0]].append(f"R{id[1]}")
    for document, ids in sorted(by_document.items()):
        text = textwrap.fill(f"[{document}] {' '.join(ids)}", 118, break_on_hyphens=False, subsequent_indent="  ")
        lines.append(f"- {text}")
    return lines


def with_table(page: str, rows: Sequence[Row], left: Sequence[str]) -> str:
    """The page with the table and what is left between its marks. Raises ValueError if it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the page has no place for the table")
    table = (HEAD, *(row.markdown() for row in rows))
    return "\n".join((before + BEGIN, *table, "", "In scope and not cited:", "", *left, END + after))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
