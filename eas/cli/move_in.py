"""`eas import`: takes over the partnerships of another server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eas.admin import move_in
from eas.admin.move_in import Product

from .frame import AsJson, ConfigFile, DataFolder, act, put_json, put_list


def import_(
    product: Annotated[Product, typer.Argument(help="Whose state it is.")],
    states: Annotated[list[Path], typer.Argument(
        metavar="STATE...", exists=True,
        help="A dump (SQL as text) or a file of SQLite; of Z-Push also its folder of states.",
    )],
    allow: Annotated[
        bool, typer.Option("--allow", help="Let them in by name, whatever the access rules say; blocked ones aside.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Take over the phones that another server knows, so that the list of devices is full from the start."""
    told = act(
        config, data, lambda site: move_in.import_devices(site, product, states, allow=allow, dry_run=dry_run)
    )
    if as_json:
        put_json(told)
    else:
        _say(told)


def _say(told: dict[str, Any]) -> None:
    put_list(told["added"], ("user", "device", "type", "model", "version", "last_seen", "access", "wipe"), False)
    put_list(told["skipped"], ("user", "device", "reason"), False) if told["skipped"] else None
    for one in told["notes"]:
        typer.echo(f"{one['user']} {one['device']}: {one['note']}", err=True)
    for fault in told["faults"]:
        typer.echo(f"not read: {fault}", err=True)
    word = "would be taken over" if told["dry_run"] else "taken over"
    typer.echo(f"{len(told['added'])} {word}, {len(told['skipped'])} skipped", err=True)
    for count, reason in move_in.reasons(told["skipped"]):
        typer.echo(f"  {count}: {reason}", err=True)
    wipes = sum(one["wipe"] in ("requested", "sent") for one in told["added"])
    if wipes:
        typer.echo(f"{wipes} of them are to be wiped at their next request (eas device cancel-wipe)", err=True)
