"""`eas wipe`: wipes that were asked for, and the second person who agrees to them. To ask is `eas device wipe`."""

from __future__ import annotations

from typing import Annotated

import typer

from eas.admin import wiping

from .frame import AsJson, ConfigFile, DataFolder, act, done, put_list
from .mending import DeviceName, UserName

app = typer.Typer(help="Remote wipes: list, approve, decline.", no_args_is_help=True)

COLUMNS = ("number", "user", "device", "account_only", "state", "asked_by", "asked", "decided_by", "sent", "ended")

Number = Annotated[int, typer.Option("--number", help="Only if it is this one that waits.")]


@app.command("list")
def list_(
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that want a second person.")] = False,
    open_: Annotated[bool, typer.Option("--open", help="Only those that are not over.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Wipes, newest first: who asked for them, who agreed, how they went."""
    put_list(act(config, data, lambda site: wiping.wipes(site, waiting=waiting, open=open_)), COLUMNS, as_json)


@app.command()
def approve(
    user: UserName, device: DeviceName, number: Number = 0, as_json: AsJson = False, config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Agree to a wipe that somebody else has asked for."""
    order = act(config, data, lambda site: wiping.approve_wipe(site, user, device, number=number))
    done(f"{device} of {user}: wipe approved", as_json, **order)


@app.command()
def decline(
    user: UserName, device: DeviceName, number: Number = 0, as_json: AsJson = False, config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Say no to a wipe that waits for a second person."""
    order = act(config, data, lambda site: wiping.decline_wipe(site, user, device, number=number))
    done(f"{device} of {user}: wipe declined", as_json, **order)
