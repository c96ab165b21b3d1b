"""`eas audit`: who did what; whether the log of it is whole; a copy of it."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from eas.admin import audit
from eas.admin.sheet import cell
from eas.admin.site import Site

from .frame import AsJson, ConfigFile, DataFolder, act, leave, put_json, put_list

app = typer.Typer(help="The audit log: list, verify, export.", no_args_is_help=True)

Who = Annotated[str, typer.Option("--who", help="Done by (a part of the name).")]
User = Annotated[str, typer.Option("--user", help="Done to this user (a part of the login).")]
Device = Annotated[str, typer.Option("--device", help="Done to this device (a part of the id).")]
What = Annotated[str, typer.Option("--action", help='An action, or the beginning of some ("wipe").')]
Since = Annotated[str, typer.Option("--since", help="From this day or moment on, as 2026-03-02 (UTC).")]
Until = Annotated[str, typer.Option("--until", help="Up to this day (and with it), or before this moment.")]


@app.command("list")
def list_(
    who: Who = "", user: User = "", device: Device = "", action: What = "", since: Since = "", until: Until = "",
    other: Annotated[bool, typer.Option("--other", help="Only what was refused or failed.")] = False,
    most: Annotated[int, typer.Option("--most", help="So many entries.")] = 100,
    skip: Annotated[int, typer.Option("--skip", help="But not the newest so many.")] = 0,
    as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """The newest entries first."""
    found = act(config, data, lambda site: audit.entries(
        site, actor=who, user=user, device=device, action=action, since=since, until=until,
        outcome="other" if other else "", skip=skip, most=most,
    ))
    if as_json:
        return put_json(found)
    rows = [{**entry, "details": audit.details_in_words(entry["details"])} for entry in found["entries"]]
    put_list(rows, ("number", "at", "actor", "face", "action", "user", "device", "outcome", "details"), False)
    return None


@app.command()
def verify(
    noted: Annotated[str, typer.Option("--head", help="A head as this command told it, noted elsewhere.")] = "",
    as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """Whether the log is as it was written; with code 1 if it is not, and the first entry that is wrong. Note the head
    that it tells elsewhere: whoever owns the database could write the whole log anew."""
    found = act(config, data, lambda site: audit.verify(site, noted=noted))
    if as_json:
        put_json(found)
    if not found["whole"]:
        raise leave(f"the audit log is broken at entry {found['broken']}: {found['problem']}")
    if not as_json:
        typer.echo(_in_words(found))


def _in_words(found: dict[str, Any]) -> str:
    words = f"whole: {found['rows']} entries"
    if found["removed_through"]:
        words += f"; those up to {found['removed_through']} were removed, as keep.audit_days says"
    if found["unchecked"]:
        words += f"; not compared: {found['unchecked']}"
    return f"{words}\nhead: {found['head'] or 'none yet'}"


@app.command()
def export(
    who: Who = "", user: User = "", device: Device = "", action: What = "", since: Since = "", until: Until = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV for spreadsheets.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, an object a line; so it is written anyway.")] = False,
    to: Annotated[Path | None, typer.Option("--to", help="Into this file instead of standard output.")] = None,
    config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """The entries, oldest first. With their hashes, so that the copy shows later what the log was."""
    if as_csv and as_json:
        raise leave("either --csv or --json", 2)

    async def write(site: Site) -> int:
        batches = await audit.export(
            site, since=since, until=until, actor=who, user=user, device=device, action=action
        )
        with _opened(to) as out:
            return await _written(batches, out, as_csv)

    count = act(config, data, write)
    typer.echo(f"{count} entries", err=True)


class _opened:
    """A file that only its owner may read, or standard output, which stays open."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._file = path, sys.stdout

    def __enter__(self) -> TextIO:
        if self._path is not None:
            self._path.touch(mode=0o600)
            self._file = self._path.open("w", encoding="utf-8", newline="")
        return self._file

    def __exit__(self, *exc: object) -> None:
        if self._path is not None:
            self._file.close()


async def _written(batches: Any, out: TextIO, as_csv: bool) -> int:
    count, writer = 0, csv.writer(out)
    if as_csv:
        writer.writerow(audit.COLUMNS)
    async for batch in batches:
        count += len(batch)
        for entry in batch:
            if as_csv:
                row = {**entry, "details": json.dumps(entry["details"], ensure_ascii=False)}
                writer.writerow([cell(row[name]) for name in audit.COLUMNS])
            else:
                out.write(json.dumps(entry, ensure_ascii=False) + "\n")
    return count
