"""`eas backup` and `eas restore`: a site as one file, and back."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer
from rich.console import Console

from eas.app import backups
from eas.app.backups import BackupError, Contents

from .frame import AsJson, ConfigFile, DataFolder, carefully, done, leave, put_json, put_one, settings_of

STANDARD = "-"

BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The backup; - for standard output or input.")]


def backup(
    file: BackupFile,
    check: Annotated[bool, typer.Option("--check", help="Read the file whole, and say what is in it.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Write all that the gateway knows into one file, while it runs or not. Keep that file as you keep the database: it
    has everybody's mails in it."""
    if check:
        _put(carefully(lambda: _checked(file)), as_json)
        return
    settings = settings_of(config, data)
    if str(file) == STANDARD and sys.stdout.isatty():
        raise leave("a backup is not written to a terminal", 2)

    def work() -> Contents:
        with _written(file) as out, _progress() as told:
            return asyncio.run(backups.back_up(settings, out, beside=backups.beside(settings, config), told=told))

    made = carefully(work)
    if str(file) == STANDARD:
        return
    found = made.as_json()
    done(f"{found['rows']} rows of {len(found['tables'])} tables in {file}", as_json, file=str(file), **found)


def restore(
    file: BackupFile,
    replace: Annotated[bool, typer.Option("--replace", help="Remove what is in the database.")] = False,
    moved: Annotated[
        bool, typer.Option("--moved", help="Nothing has happened since: no server has run after the backup was made.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Put a backup into the database that the settings name, of whichever kind. No server may work on it."""
    settings = settings_of(config, data)
    if replace and not yes:
        typer.confirm("Remove all that is in the database now?", abort=True, err=True)

    def work() -> Contents:
        if str(file) != STANDARD:
            _checked(file)  # rather than find out in the middle
        with _read(file) as source, _progress() as told:
            return asyncio.run(backups.restore(settings, source, replace=replace, moved=moved, told=told))

    found = carefully(work).as_json()
    done(f"{found['rows']} rows of {len(found['tables'])} tables restored, as of {found['at']}", as_json, **found)


def _checked(file: Path) -> Contents:
    with _read(file) as source:
        return backups.examine(source)


def _put(contents: Contents, as_json: bool) -> None:
    found = contents.as_json()
    (put_json if as_json else lambda value: put_one(value, False))(found)


@contextmanager
def _read(file: Path) -> Iterator[IO[bytes]]:
    """Raises BackupError, with the file's name."""
    try:
        if str(file) == STANDARD:
            yield sys.stdin.buffer
        else:
            with file.open("rb") as opened:
                yield opened
    except BackupError as error:
        raise BackupError(f"{file}: {error}" if str(file) != STANDARD else str(error)) from error


@contextmanager
def _written(file: Path) -> Iterator[IO[bytes]]:
    """Under its name only once it is whole, and on the disk. For the owner's eyes."""
    if str(file) == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        beside.rename(file)
    finally:
        beside.unlink(missing_ok=True)
    folder = os.open(file.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _progress() -> Iterator[Callable[[str, int], None]]:
    """On a terminal, which table is at work."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda table, rows: None
        return
    with console.status("beginning") as status:
        def told(table: str, rows: int) -> None:
            status.update(f"{table}: {rows:,} rows")

        yield told
