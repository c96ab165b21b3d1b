"""`eas session import`: what other programs record of devices, as a session. docs/sessions.md, Importing."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .faults import Fault, carefully

if TYPE_CHECKING:
    from eas.replay.format.model import Exchange, Meta
    from eas.replay.importing.joining import Import

#: Devices that are listed at the end.
LISTED = 10


def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files, packed (.gz) or not; - is standard input."),
    ],
    format: Annotated[  # what users call it
        str, typer.Option(
            "--format", metavar="FORMAT",
            help="har, mitmproxy, pcap, zpush, exchange, sogo or horde; without it the contents tell.",
        ),
    ] = "",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="The session; .gz packs it. - is standard output."),
    ] = Path("-"),
    contents: Annotated[
        bool, typer.Option("--contents", help="Keep names and texts as they are; they are masked otherwise."),
    ] = False,
    device: Annotated[str, typer.Option("--device", metavar="ID", help="Of this device alone.")] = "",
    user: Annotated[str, typer.Option("--user", metavar="NAME", help="Of this user alone.")] = "",
) -> None:
    """Make a session of what another program has recorded: a HAR, a capture, a proxy's or another server's log."""
    carefully(lambda: _import(files, format, output, contents, device, user))


def _import(files: list[Path], format: str, output: Path, contents: bool, device: str, user: str) -> None:
    from eas.replay.format.writing import writer
    from eas.replay.importing.formats import NAMES
    from eas.replay.importing.joining import Import, with_head
    from eas.replay.importing.tally import Note

    if format and format not in NAMES:
        raise Fault(f"no format is called {format!r}; there are {', '.join(NAMES)}")
    if any(file.exists() and output.exists() and file.samefile(output) for file in files):
        raise Fault(f"{output} is one of the files to import")
    run = Import(files, format, device, user)
    meta, exchanges = with_head(run)
    if not run.tally.imported:
        what = "of that device or user" if Note.UNWANTED in run.tally.counts else "of ActiveSync"
        raise Fault("\n".join([f"nothing to import: no exchange {what} in there", *run.tally.sentences()]), 1)
    mask_meta, mask = _masks(contents)
    with writer(output) as session:
        session.head(mask_meta(meta))
        for exchange in exchanges:
            session.add(mask(exchange))
    _summary(run, contents)


def _masks(contents: bool) -> tuple[Callable[[Meta], Meta], Callable[[Exchange], Exchange]]:
    """A key that nobody knows: pseudonyms of two imports have nothing in common."""
    if contents:
        return (lambda meta: meta), (lambda exchange: exchange)
    from eas.replay.importing.masks import Mask

    mask = Mask(secrets.token_bytes(32))
    return mask.meta, mask.exchange


def _summary(run: Import, contents: bool) -> None:
    """To standard error: what came of it."""
    count = run.tally.imported
    kept = "with names and contents" if contents else "masked"
    titles = " and ".join(one.title for one in run.formats)
    said = [f"{count} exchange{'s' * (count != 1)} imported from {titles}, {kept}"]
    named = {device: times for device, times in run.devices.items() if device}
    if len(named) > 1:
        most = sorted(named, key=lambda device: -named[device])[:LISTED]
        listed = ", ".join(f"{device} ({named[device]})" for device in most)
        more = f" and {len(named) - LISTED} others" if len(named) > LISTED else ""
        said.append(f"{len(named)} devices: {listed}{more}; --device takes one of them")
    said += run.tally.sentences()
    said += dict.fromkeys(note for one in run.formats for note in one.lacks)
    for line in said:
        typer.echo(line, err=True)
