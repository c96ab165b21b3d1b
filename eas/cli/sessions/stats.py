"""`eas session stats`: sessions in numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from eas.replay.showing.stats import Stats

#: Folders that are shown, those first in which most happened.
FOLDERS = 20


def stats(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Session files; - is standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
) -> None:
    """Count what is in sessions: requests, bytes, times to an answer, waits, wake-ups, items and folders."""
    from .faults import carefully

    carefully(lambda: _stats(files, as_json))


def _stats(files: Iterable[str], as_json: bool) -> None:
    import json
    import sys

    from eas.replay.format.reading import open_session
    from eas.replay.showing.seen import seen
    from eas.replay.showing.stats import Stats, as_data

    found = Stats()
    for file in files:
        with open_session(file) as session:
            for exchange in session.exchanges:
                found.see(seen(exchange, session.meta))
    if as_json:
        json.dump(as_data(found), sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
    else:
        _show(found)
    sys.stdout.flush()


def _show(found: Stats) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=160)
    for line in _head(found):
        console.print(escape(line), soft_wrap=True)
    for columns, rows in _tables(found):
        if not rows:
            continue
        console.print()
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for number, column in enumerate(columns):
            table.add_column(column, justify="left" if column in LEFT or not number else "right")
        for row in rows:
            table.add_row(*(escape(cell if cell.isprintable() else repr(cell)) for cell in row))
        console.print(table)


#: Columns of text; the others are numbers.
LEFT = frozenset({"answers"})
Rows = Sequence[Sequence[str]]


def _head(found: Stats) -> Iterator[str]:
    from eas.replay.showing.waiting import Ended

    from .showing import span

    requests = sum(of.count for of in found.commands.values())
    hours = found.seconds / 3600
    yield (
        f"{requests} request{'s' if requests != 1 else ''} of {found.devices} "
        f"device{'s' if found.devices != 1 else ''} in {span(found.seconds)}"
    )
    count = found.ended.total()
    if count:
        ended = found.ended
        yield (
            f"{count} wait{'s' if count > 1 else ''}, {span(found.held / count)} each of "
            f"{span(found.asked / count)} asked for: {ended[Ended.CHANGE]} ended by news, "
            f"{ended[Ended.TIME]} by the time, {ended[Ended.LOST]} lost, {ended[Ended.REFUSED]} refused"
        )
    a_hour = f", {found.wakes / hours:.1f} an hour" if hours >= 0.1 else ""
    yield f"{found.wakes} wake-up{'s' if found.wakes != 1 else ''}{a_hour}"


def _tables(found: Stats) -> Iterator[tuple[Sequence[str], Rows]]:
    from .showing import size, span

    yield ("command", "count", "in", "out", "p50", "p95", "max", "answers"), [
        (
            command, str(of.count), size(of.bytes_in), size(of.bytes_out),
            *((span(of.times.percentile(0.5)), span(of.times.percentile(0.95)), span(of.times.most))
              if of.times.count else ("", "", "")),
            ", ".join(f"{count} {status}" for status, count in of.statuses.most_common()),
        )
        for command, of in sorted(found.commands.items(), key=lambda one: -one[1].count)
    ]
    kinds = sorted({kind for kind, _, _ in found.items})
    done = sorted({(way, what) for _, way, what in found.items})
    yield ("items", *(f"{what} {way}" for way, what in done)), [
        (kind, *(str(found.items[kind, way, what] or "") for way, what in done)) for kind in kinds
    ]
    busiest = sorted(found.folders.items(), key=lambda one: -(one[1].up.total() + one[1].down.total()))
    several = found.devices > 1
    yield ("folder", "requests", "up", "down"), [
        (f"{found.name(place)}{f' of {place[0]}' if several else ''}", str(of.requests), str(of.up.total() or ""),
         str(of.down.total() or ""))
        for place, of in busiest[:FOLDERS]
    ] + ([(f"{len(busiest) - FOLDERS} more", "", "", "")] if len(busiest) > FOLDERS else [])
