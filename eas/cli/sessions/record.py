"""`eas session record`: have the running gateway write down what a device and it say to each other."""

from __future__ import annotations

import gzip
import io
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from eas.admin import recordings
from eas.admin.site import Site
from eas.cli.frame import AsJson, ConfigFile, DataFolder, act, put_json, put_list

from . import amounts

app = typer.Typer(
    no_args_is_help=True,
    help="Record what a device and the running gateway say to each other. What people wrote is masked unless "
    "--contents is given; passwords are never written.",
)

COLUMNS = ("number", "user", "device", "state", "why", "until", "exchanges", "size", "masked", "by", "note")

Number = Annotated[int, typer.Argument(metavar="ID", help="The number of a recording, as `list` has it.")]


@app.command()
def start(
    user: Annotated[str, typer.Argument(metavar="USER", help="A login or an address.")],
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="The id of a device; else all of the user's.")] = "",
    lasts: Annotated[str, typer.Option("--for", help="How long, as 30m, 2h or 3d; at most 72h.")] = "2h",
    max_size: Annotated[str, typer.Option("--max-size", help="It ends at this size on disk, as 50M.")] = "50M",
    contents: Annotated[bool, typer.Option("--contents", help="Mask nothing: all that people wrote.")] = False,
    note: Annotated[str, typer.Option("--note", help="What it is for; masked in the file like all else.")] = "",
    as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """Begin to record. Also a device that is yet to be set up can be named."""
    hours, size = amounts.seconds(lasts) / 3600, amounts.size(max_size)
    made = act(config, data, lambda site: recordings.start(
        site, user, device_id=device, hours=hours, max_bytes=size, contents=contents, note=note
    ))
    if as_json:
        return put_json(made)
    what = device or "all devices"
    typer.echo(f"recording {made['number']}: {what} of {made['user']}, until {_clock(made['until'])} or {max_size}")
    typer.echo("It begins within seconds, in all processes of the site; see it with: eas session record list")
    if not made["known"]:
        typer.echo(f"eas: {device} has never been here: it is recorded as soon as it comes", err=True)
    if contents:
        typer.echo(
            "eas: NOTHING IS MASKED: mails, names and numbers are written as they are. Who gets the file reads them.",
            err=True,
        )
    return None


@app.command("list")
def list_(
    user: Annotated[str, typer.Option("--user", help="Only of this user.")] = "",
    as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """Recordings that run or can be fetched, the newest first."""
    found = act(config, data, lambda site: recordings.recordings(site, who=user))
    if as_json:
        return put_json(found)
    return put_list([_row(one) for one in found], COLUMNS, False)


@app.command()
def stop(number: Number, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """End a recording. What was recorded stays until it is removed, or its days are over."""
    ended = act(config, data, lambda site: recordings.stop(site, number))
    if as_json:
        return put_json(ended)
    return typer.echo(f"recording {number} has ended; get it with: eas session record fetch {number}")


@app.command()
def fetch(
    number: Number,
    out: Annotated[str, typer.Option(
        "-o", "--output", metavar="FILE", help="Where to; packed if it ends in .gz. `-` is standard output."
    )] = "",
    config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """Get a recording as a session file; also while it runs."""
    said: list[str] = []

    async def get(site: Site) -> Path | str:
        found = await recordings.fetch(site, number)
        said.extend(found.elsewhere)
        target = out or found.name
        _write(found.pieces, target)
        return target

    target = act(config, data, get)
    if target != "-":
        typer.echo(f"{target}: {Path(target).stat().st_size / 1000:,.1f} kB")
    if said:
        typer.echo(f"eas: this is not all of it: there are parts on {', '.join(said)}; fetch them there", err=True)


@app.command()
def remove(number: Number, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Remove a recording with its files; one that runs ends."""
    act(config, data, lambda site: recordings.remove(site, number))
    if as_json:
        return put_json({"removed": number})
    return typer.echo(f"recording {number} is removed")


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    elsewhere = sorted({part["node"].partition("/")[0] for part in one["parts"] if not part["here"]})
    remark = f"{one['note']} (on {', '.join(elsewhere)})".strip() if elsewhere else one["note"]
    return {
        **one, "device": one["device"] or "all", "until": _clock(one["until"]), "masked": not one["contents"],
        "size": f"{one['bytes'] / 1000:,.1f} kB", "note": remark,
    }


def _clock(moment: str) -> str:
    return f"{moment[:10]} {moment[11:16]} UTC"


# The file ------------------------------------------------------------------------------------------------------------


def _write(pieces: Iterable[bytes], target: str) -> None:
    """Raises OSError. A file is for its owner alone, and there once it is whole."""
    if target == "-":
        _put(pieces, sys.stdout.buffer, packed=False)
        sys.stdout.buffer.flush()
        return
    path = Path(target)
    partial = path.with_name(f"{path.name}.part")
    partial.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            _put(pieces, file, packed=target.endswith(".gz"))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _put(pieces: Iterable[bytes], file: IO[bytes], *, packed: bool) -> None:
    if packed:
        for piece in pieces:
            file.write(piece)
        return
    with gzip.GzipFile(fileobj=io.BufferedReader(_Pieces(pieces))) as unpacked:
        while block := unpacked.read(1 << 16):
            file.write(block)


class _Pieces(io.RawIOBase):
    """An iterator of bytes as a file."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces, self._ahead = iter(pieces), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ahead:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._ahead = piece
        taken = self._ahead[: len(buffer)]
        buffer[: len(taken)], self._ahead = taken, self._ahead[len(taken) :]
        return len(taken)
