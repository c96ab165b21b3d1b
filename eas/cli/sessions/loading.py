"""`eas session replay --devices`: a load test with a session. What it does stands in `eas.replay.playing.load`."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from dataclasses import replace

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from eas.replay.format.model import Exchange
from eas.replay.format.reading import open_session
from eas.replay.playing.line import HttpLine, Line, client, trusted
from eas.replay.playing.load import Figures, load, shared
from eas.replay.playing.play import Manner
from eas.replay.playing.targets import device_of

from .amounts import seconds
from .faults import Fault
from .playing import DIFFERENT, SAME, Settled, comparing

#: What stands for the number of a device in --user and --device.
NUMBER = "{n}"
#: Times a second that the progress is drawn anew.
DRAWN = 4


def load_test(wanted: Settled, devices: int, lasting: str, compare: bool) -> int:
    """The exit code: 1 where something went wrong. Raises Fault, SessionError, OSError, typer.BadParameter."""
    if wanted.asked.prepare:
        raise Fault("a load test does not prepare mailboxes: play the session once with --prepare before")
    span = seconds(lasting)
    figures = Figures()
    with open_session(wanted.asked.file) as session:
        exchanges, cut = shared(session.exchanges)
    if cut:
        typer.echo(f"eas: each device plays the first {len(exchanges)} exchanges", err=True)
    broken_off = False
    try:
        asyncio.run(_load(wanted, exchanges, devices, span, compare, figures))
    except KeyboardInterrupt:
        broken_off = True
    _tell(figures, wanted.asked.forms.as_json, broken_off)
    if broken_off:
        return 130
    return DIFFERENT if figures.errors or figures.differing or not figures.sent else SAME


async def _load(
    wanted: Settled, exchanges: list[Exchange], devices: int, span: float, compare: bool, figures: Figures,
) -> None:
    asked = wanted.asked
    tls = trusted(not asked.insecure, asked.ca, asked.certificate, asked.key)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(client(0, tls))

        def equipped(number: int) -> tuple[Line, Manner]:
            user = asked.user.replace(NUMBER, str(number))
            device = _device(asked.device or device_of(wanted.first.request.target)[1] or "LOAD", number)
            who = replace(
                wanted.manner.who, user=user, device=device,
                address=user if "@" in user else asked.address.replace(NUMBER, str(number)),
            )
            return HttpLine(asked.to, user, asked.password, session=session), replace(wanted.manner, who=who)

        work = asyncio.create_task(load(
            exchanges, equipped, devices, span, figures, (lambda: comparing(wanted.rules)) if compare else None
        ))
        try:
            await _progress(figures, work, span)
            await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


def _device(of: str, number: int) -> str:
    """A DeviceId for each, of at most 32 characters. [MS-ASHTTP] DeviceId R98."""
    if NUMBER in of:
        return of.replace(NUMBER, str(number))
    mark = f"N{number}"
    return of[: 32 - len(mark)] + mark


async def _progress(figures: Figures, work: asyncio.Task[None], span: float) -> None:
    if not sys.stderr.isatty():
        await asyncio.wait((work,))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=span)
        while not work.done():
            await asyncio.wait((work,), timeout=1 / DRAWN)
            said = f"{figures.sent} requests, {figures.rate:.0f}/s, {figures.errors.total()} errors"
            bar.update(task, completed=min(span, figures.lasted), description=said)


# Telling -------------------------------------------------------------------------------------------------------------


def _tell(figures: Figures, as_json: bool, broken_off: bool) -> None:
    if as_json:
        json.dump(figures.told(), sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    if broken_off:
        typer.echo("broken off; until then:")
    typer.echo(
        f"{figures.devices} devices, {figures.lasted:.1f} s: {figures.sent} requests, {figures.rate:.1f} a second, "
        f"{figures.rounds} whole sessions"
    )
    _table(figures)
    for what, count in figures.errors.most_common():
        typer.echo(f"error: {count} times {what}")
    if figures.compared:
        typer.echo(f"differing: {figures.differing} of {figures.sent} answers")
    if figures.skipped:
        typer.echo(f"skipped: {figures.skipped}")


def _table(figures: Figures) -> None:
    rows = figures.rows()
    console = Console(highlight=False)
    if not console.is_terminal:
        for name, row in rows:
            typer.echo(f"{name}\t" + "\t".join(f"{key}={value:g}" for key, value in row.items()))
        return
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("command")
    for column in ("answers", "p50 ms", "p95 ms", "p99 ms", "max ms"):
        table.add_column(column, justify="right")
    for name, row in rows:
        table.add_row(name, *(f"{value:g}" for value in row.values()))
    console.print(table)
