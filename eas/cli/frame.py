"""What all subcommands share: their common options, an open store, faults in one line, and output."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from eas import app, config
from eas.admin.acting import Caller, Face, Role
from eas.admin.errors import ActionError
from eas.admin.site import Rings, Site
from eas.app.backups import BackupError
from eas.config import ConfigError, Settings
from eas.db.migrations import MigrationError
from eas.engine.errors import BackendError
from eas.server import control

T = TypeVar("T")

ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings, TOML.")]
DataFolder = Annotated[Path | None, typer.Option("--data", help="The folder of the store and all state.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]

Action = Callable[[Site], Awaitable[T]]


class Fault(Exception):
    """Something to say before leaving; `code` is the exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def settings_of(file: Path | None, data: Path | None, **overrides: Any) -> Settings:
    """Leaves with code 2 for settings that cannot be used."""
    try:
        return config.load(file, {"data": str(data) if data else None, **overrides})
    except ConfigError as error:
        raise leave(str(error), 2) from None


def leave(message: str, code: int = 1) -> typer.Exit:
    """Say why to standard error; the exception is to be raised."""
    for line in message.splitlines():
        typer.echo(f"eas: {line}", err=True)
    return typer.Exit(code)


def act(file: Path | None, data: Path | None, action: Action[T]) -> T:
    """Do something with the store in the data folder; what can go wrong becomes a line and an exit code."""
    settings = settings_of(file, data)

    async def run() -> T:
        rings, herald = Rings(), app.Herald(settings)
        async with app.build(settings, rings) as parts:
            site = site_of(parts, rings, herald)
            done = await action(site)
            await site.notices.settle()
            site.ring_all()
        if not await herald.say():
            typer.echo("eas: Redis is away: phones that wait hear of this when they ask again", err=True)
        return done

    return carefully(lambda: asyncio.run(run()))


def site_of(parts: app.App, rings: Rings, herald: app.Herald) -> Site:
    """A server on this machine tells those on others itself."""
    socket = parts.settings.data / control.SOCKET
    return replace(
        parts.site, rings=rings, tell=lambda said: control.tell(socket, said) or herald.note(said), caller=caller(),
        ask=lambda said: control.ask(socket, said),
    )


def caller() -> Caller:
    """Who may run this on the data folder may do everything."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # nobody has given the number a name
        name = str(os.getuid())
    return Caller(name=name, role=Role.ADMIN, face=Face.CLI)


def carefully(work: Callable[[], T]) -> T:
    try:
        return work()
    except Fault as error:
        raise leave(str(error), error.code) from None
    except (ActionError, BackupError, BackendError, MigrationError, ConfigError, control.Rejected) as error:
        raise leave(str(error) or type(error).__name__) from None
    except OSError as error:
        raise leave(str(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


# Output -------------------------------------------------------------------------------------------------------------


def put_json(value: Any) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")


def put_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on a terminal; else lines of tab-separated values, for cut and awk."""
    console = Console(highlight=False)
    shown = [["" if value is None else str(value) for value in row] for row in rows]
    if not console.is_terminal:
        for row in shown:
            typer.echo("\t".join(row))
        return
    table = Table(show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column)
    for row in shown:
        table.add_row(*map(escape, row))
    console.print(table)


def put_list(values: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """Some of the fields of each value as a table, all of them as JSON."""
    if as_json:
        put_json(values)
    else:
        put_table([c.replace("_", " ") for c in columns], ([_shown(value.get(c)) for c in columns] for value in values))


def put_one(value: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        put_json(value)
    else:
        put_table(("field", "value"), ((name, _shown(member)) for name, member in value.items() if _shown(member)))


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={member}" for name, member in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def done(message: str, as_json: bool = False, **said: Any) -> None:
    """A line for people, or an object for scripts."""
    if as_json:
        put_json({"done": message, **said})
    else:
        typer.echo(message)


def read_password(given: str | None, from_stdin: bool) -> str:
    """From the option, one line of standard input, or a prompt; with code 2 where there is none."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif given is not None:
        password = given
    elif sys.stdin.isatty():
        password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    else:
        raise leave("a password is needed: --password-stdin", 2)
    if not password:
        raise leave("the password is empty", 2)
    return password
