"""`eas device`: who has which phone; wipe, block, let in again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from eas.admin import actions
from eas.admin.site import Site

from .frame import AsJson, ConfigFile, DataFolder, act, done, put_list, put_one

app = typer.Typer(help="Devices: list, show, remove, wipe, block, allow.", no_args_is_help=True)

UserName = Annotated[str, typer.Argument(metavar="USER", help="A login or an address.")]
DeviceName = Annotated[str, typer.Argument(metavar="DEVICE", help="The id of a device.")]


@app.command("list")
def list_(
    user: Annotated[str, typer.Argument(metavar="[USER]", help="Only this user's.")] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """All devices, or those of one user."""
    found = act(config, data, lambda site: actions.devices(site, user))
    put_list(found, ("user", "device", "type", "model", "version", "last_seen", "access", "wipe"), as_json)


@app.command()
def show(
    user: UserName, device: DeviceName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """Everything that is known of a device."""
    put_one(act(config, data, lambda site: actions.device(site, user, device)), as_json)


@app.command()
def remove(
    user: UserName, device: DeviceName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """Forget a device; if it comes back, it begins anew."""
    _do(actions.remove_device, "removed", user, device, as_json, config, data)


@app.command()
def wipe(
    user: UserName, device: DeviceName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """Have a device erase itself at its next request."""
    _do(actions.wipe_device, "wipe requested", user, device, as_json, config, data)


@app.command("cancel-wipe")
def cancel_wipe(
    user: UserName, device: DeviceName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """Take back a wipe that has not been carried out."""
    _do(actions.cancel_wipe, "wipe cancelled", user, device, as_json, config, data)


@app.command()
def block(
    user: UserName, device: DeviceName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """Let a device in no more."""
    _do(actions.block_device, "blocked", user, device, as_json, config, data)


@app.command()
def allow(
    user: UserName, device: DeviceName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """Let a blocked device in again."""
    _do(actions.allow_device, "allowed", user, device, as_json, config, data)


def _do(
    action: Callable[[Site, str, str], Awaitable[None]],
    word: str,
    user: str,
    device: str,
    as_json: bool,
    config: Any,
    data: Any,
) -> None:
    act(config, data, lambda site: action(site, user, device))
    done(f"{device} of {user}: {word}", as_json, user=user, device=device)
