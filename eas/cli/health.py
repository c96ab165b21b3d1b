"""`eas health`: how the fleet is, for people and, by exit code and one line, for monitoring."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from eas.admin import health as fleet

from .frame import AsJson, ConfigFile, DataFolder, act, put_json, put_table

#: What a monitoring plug-in exits with when it cannot tell.
UNKNOWN = 3


def health(
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="NAME", help="A condition that does not count; several.")
    ] = None,
    line: Annotated[bool, typer.Option("--line", help="One line, as monitoring wants it.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """What is amiss in the fleet. Exit code 0: nothing, 1: warnings, 2: critical, 3: it cannot be told."""
    try:
        found = act(config, data, lambda site: fleet.health(site, tuple(ignore or ())))
    except typer.Exit as error:
        typer.echo("EAS UNKNOWN: the state cannot be read")
        raise typer.Exit(UNKNOWN) from error
    except Exception as error:
        typer.echo(f"EAS UNKNOWN: {type(error).__name__}")
        raise typer.Exit(UNKNOWN) from error
    if as_json:
        put_json(found)
    elif line or not sys.stdout.isatty():
        typer.echo(found["line"])
    else:
        Console(highlight=False).print(f"{found['word']}: {found['healthy']} of {found['devices']} devices are well")
        rows = ((one["severity"], one["count"], one["name"], one["means"], one["todo"]) for one in found["conditions"])
        put_table(("severity", "devices", "condition", "what it means", "what to do"), rows)
    raise typer.Exit(found["code"])
