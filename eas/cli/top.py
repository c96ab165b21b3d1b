"""`eas top`: who waits, who is at it, and how much there is to do, as it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from eas import app
from eas.admin import activity
from eas.admin.site import Rings, Site

from .frame import AsJson, ConfigFile, DataFolder, act, carefully, put_json, settings_of, site_of


def top(
    every: Annotated[float, typer.Option("--every", min=0.5, help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and leave.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Phones that wait and requests under way, of a running server or of all of a site. Ends with Ctrl-C."""
    console = Console(highlight=False)
    if as_json or once or not console.is_terminal:
        found = act(config, data, activity.live)
        put_json(found) if as_json else console.print(picture(found, 1000))
        return
    settings = settings_of(config, data)

    async def run() -> None:
        async with app.build(settings) as parts:
            await _keep_looking(site_of(parts, Rings(), app.Herald(settings)), console, every)

    carefully(lambda: asyncio.run(run()))


async def _keep_looking(site: Site, console: Console, every: float) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as shown:
        while True:
            shown.update(picture(await activity.live(site), console.size.height - 6), refresh=True)
            await asyncio.sleep(every)


def picture(found: Mapping[str, Any], lines: int) -> Group:
    """As much of it as has room."""
    second = found["second"]
    head = Text(
        f"{found['waiting']} wait, {found['working']} at work; a second: {second['requests']:.1f} requests, "
        f"{second['pushes']:.1f} pushes, {second['errors']:.1f} errors, {second['bytes'] / 1000:.1f} kB; "
        f"{len(found['nodes'])} process{'' if len(found['nodes']) == 1 else 'es'}"
    )
    table = Table(show_edge=False, pad_edge=False, expand=True)
    for name in ("user", "device", "command", "version", "does", "for", "folders", "node"):
        table.add_column(name, no_wrap=True)
    for one in found["present"][:max(1, lines)]:
        table.add_row(
            Text(one["user"]), Text(one["device"]), one["command"], one["version"],
            "waits" if one["waits"] else "works", span(one["seconds"]), str(one["folders"] or ""), Text(one["node"]),
        )
    nobody = "" if found["nodes"] else "No server tells of itself: none runs, or on another machine."
    return Group(head, Text(nobody), table)


def span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{seconds:.1f} s" if seconds < 60 else f"{minutes} min {rest:02} s"
