"""What the simulated phone shows: tables for people, JSON for scripts. Nothing here talks to the server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from email.utils import parseaddr
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from eas.items.markup import text_of_html

from .device import DeviceState, Folder, Item, element_to_json
from .sync import Change, Report
from .words import COLUMNS, Here, cell, in_order, title

#: Rows of a folder that are shown without being asked for more.
ROWS = 20
#: Characters of a row's name that are shown before other columns.
NAME_WIDTH = 40
#: Characters of a value that are looked at: more is a picture.
MAX_SHOWN = 4000
#: Items that a report names in each folder.
NAMED = 8


class Screen:
    """Where things are shown. With `as_json` one JSON document a call goes to standard output, and nothing else."""

    def __init__(self, *, as_json: bool, here: Here) -> None:
        self.as_json = as_json
        self.here = here
        self.console = Console(highlight=False, stderr=as_json)

    def json(self, value: Any) -> None:
        json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")

    def say(self, text: str) -> None:
        """A line for people; to standard error where standard output is for scripts."""
        self.console.print(escape(text))

    def table(self, heading: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        table = Table(title=escape(heading), title_justify="left", show_edge=False, pad_edge=False)
        shown = [[escape(value) for value in row] for row in rows]
        # The first column names the row: it is shown whole if it can be, the others as far as there is room.
        width = min(max((len(row[0]) for row in shown), default=0), NAME_WIDTH)
        for number, column in enumerate(columns):
            table.add_column(column, overflow="ellipsis", no_wrap=True, min_width=None if number else width)
        for row in shown:
            table.add_row(*row)
        self.console.print(table)

    # -- what there is ---------------------------------------------------------------------------------------------

    def folders(self, state: DeviceState) -> None:
        if self.as_json:
            return self.json([folder_json(folder) for folder in state.folders.values()])
        rows = (
            (f.name, f.item_class, str(len(f.items)) if f.synchronised else "-", f.id) for f in state.folders.values()
        )
        return self.table("Folders", ("Folder", "Class", "Items", "Id"), rows)

    def folder(self, folder: Folder, rows: int = ROWS) -> None:
        items = in_order(folder)
        if self.as_json:
            return self.json([item_json(folder.item_class, item) for item in items])
        columns = COLUMNS[folder.item_class]

        def row(item: Item) -> tuple[str, ...]:
            values = (named(cell(item.text(*path), self.here)) for path in columns.values())
            return (item.server_id, title(folder.item_class, item), *values)

        shown = map(row, items[:rows])
        heading = f"{folder.name}: {len(items)} items" + (f", the first {rows}" if len(items) > rows else "")
        return self.table(heading, ("Id", "Title", *columns), shown)

    def item(self, item_class: str, item: Item) -> None:
        if self.as_json:
            return self.json(item_json(item_class, item))
        self.table(title(item_class, item), ("Element", "Value"), _lines(item.data.elements))
        return None

    # -- what happened ---------------------------------------------------------------------------------------------

    def report(self, state: DeviceState, report: Report, *, first: bool) -> None:
        if self.as_json:
            return self.json(report_json(state, report))
        rows = []
        for folder in state.folders.values():
            change = report.changes.get(folder.id)
            if not folder.synchronised or (change is None and not first):
                continue
            rows.append((folder.name, folder.item_class, str(len(folder.items)), *_numbers(change)))
        if rows:
            self.table("Synchronised", ("Folder", "Class", "Items", "New", "Changed", "Gone"), rows)
        if not first:
            self.changes(state, report)
        for failure in report.failures:
            self.say(f"not taken: {failure.kind} {failure.id}, Status {failure.status} ({failure.words})")
        self.say("nothing new" if report.quiet and not first else f"{report.requests} requests")
        return None

    def changes(self, state: DeviceState, report: Report) -> None:
        """Name what came, some of each folder."""
        for folder_id, change in report.changes.items():
            folder = state.folders.get(folder_id)
            if folder is None:
                continue
            named = [("+", n) for n in (*change.added, *change.returned)] + [("~", n) for n in change.changed]
            for sign, name in named[:NAMED]:
                if (item := folder.items.get(name)) is not None:
                    self.say(f"  {sign} {folder.name}: {line(folder.item_class, item)}")
            if len(named) > NAMED:
                self.say(f"    and {len(named) - NAMED} more in {folder.name}")
            for gone in (*change.deleted, *change.soft_deleted):
                self.say(f"  - {folder.name}: {gone}")


def named(address: str) -> str:
    """The name of an address as `"Name" <address>`, else the text itself."""
    name, _ = parseaddr(address) if "@" in address else ("", "")
    return name or address


def _numbers(change: Change | None) -> tuple[str, str, str]:
    """New, changed, gone."""
    if change is None:
        return ("0", "0", "0")
    new, gone = len(change.added) + len(change.returned), len(change.deleted) + len(change.soft_deleted)
    return str(new), str(len(change.changed)), str(gone)


def line(item_class: str, item: Item) -> str:
    who = item.text("Email:From")
    return f"{title(item_class, item)} ({named(who)})" if who else title(item_class, item)


def _lines(elements: Iterable[Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for element in elements:
        name = prefix + element.tag.partition(":")[2]
        if element.elements:
            yield from _lines(element.elements, f"{name}.")
        elif isinstance(element.content, bytes):
            yield name, f"{len(element.content)} octets"
        else:
            yield name, _readable(element.text)


def _readable(text: str) -> str:
    """On one line, HTML as text; long base64 by its size."""
    if text.lstrip()[:1] == "<":
        text = text_of_html(text)
    elif len(text) > 80 and " " not in text.strip() and "\n" not in text.strip():
        return f"{len(text)} characters"
    return " ".join(text[:MAX_SHOWN].split())


def folder_json(folder: Folder) -> Mapping[str, Any]:
    return {
        "id": folder.id, "name": folder.name, "parent": folder.parent, "type": int(folder.type),
        "class": folder.item_class, "items": len(folder.items),
    }


def item_json(item_class: str, item: Item) -> Mapping[str, Any]:
    return {
        "id": item.server_id, "class": item_class, "title": title(item_class, item),
        "data": [element_to_json(element) for element in item.data.elements],
    }


def report_json(state: DeviceState, report: Report) -> Mapping[str, Any]:
    return {
        "requests": report.requests,
        "folders": [
            {
                "id": folder.id, "name": folder.name, "class": folder.item_class, "items": len(folder.items),
                "added": [*change.added, *change.returned], "changed": change.changed,
                "deleted": [*change.deleted, *change.soft_deleted], "created": change.created, "taken": change.taken,
            }
            for folder_id, change in report.changes.items()
            if (folder := state.folders.get(folder_id)) is not None
        ],
        "failures": [{"id": f.id, "kind": f.kind.value, "status": int(f.status)} for f in report.failures],
    }
