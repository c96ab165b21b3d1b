"""`eas device`: who has which phone; wipe, block, let in again; what is done otherwise for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from eas.admin import actions, health, wiping
from eas.admin.site import Site

from . import mending
from .frame import AsJson, ConfigFile, DataFolder, act, done, put_list, put_one
from .mending import DeviceName, UserName

app = typer.Typer(help="Devices: list, show, remove, wipe, block, allow, quirk.", no_args_is_help=True)

for _name, _command in mending.COMMANDS.items():
    app.command(_name)(_command)


@app.command("list")
def list_(
    user: Annotated[str, typer.Argument(metavar="[USER]", help="Only this user's.")] = "",
    storms: Annotated[
        bool, typer.Option("--storms", help="Only those that repeat requests without effect too fast, with what.")
    ] = False,
    condition: Annotated[
        str, typer.Option("--condition", metavar="NAME", help="Only those with this condition (docs/health.md).")
    ] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """All devices, or those of one user."""
    if condition:
        mending.put_afflicted(act(config, data, lambda site: health.afflicted(site, condition)), user, as_json)
        return
    found = act(config, data, lambda site: actions.devices(site, user, storms=storms))
    put_list(found, ("user", "device", "type", "model", "version", "last_seen", "access", "wipe", "note"), as_json)


@app.command()
def show(
    user: UserName, device: DeviceName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """Everything that is known of a device."""
    found = act(config, data, lambda site: mending.shown(site, user, device))
    put_one(found if as_json else found | {"storm": None}, as_json)


@app.command()
def remove(
    user: UserName, device: DeviceName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """Forget a device; if it comes back, it begins anew, and a wipe that it has not carried out still awaits it."""
    _do(actions.remove_device, "removed", user, device, as_json, config, data)


@app.command()
def wipe(
    user: UserName,
    device: DeviceName,
    account_only: Annotated[bool, typer.Option("--account-only", help="Only what it has of this account.")] = False,
    note: Annotated[str, typer.Option("--note", help="Why; it stands in the mails and with the wipe.")] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Have a device erase itself at its next request."""
    order = act(
        config, data, lambda site: wiping.wipe_device(site, user, device, account_only=account_only, note=note)
    )
    word = "wipe of the account requested" if account_only else "wipe requested"
    if order["state"] == "waiting":
        word = f"{word}; it waits for somebody else: eas wipe approve {user} {device}"
    done(f"{device} of {user}: {word}", as_json, **order)


@app.command("cancel-wipe")
def cancel_wipe(
    user: UserName, device: DeviceName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """Take back a wipe that has not been carried out."""
    _do(wiping.cancel_wipe, "wipe cancelled", user, device, as_json, config, data)


@app.command()
def readmit(
    user: UserName, device: DeviceName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """Let a device that was wiped set up the account again."""
    _do(wiping.readmit_device, "allowed again", user, device, as_json, config, data)


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


@app.command("recovery-password")
def recovery_password(
    user: UserName, device: DeviceName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """The password with which a locked device can be opened, if it has left one."""
    found = act(config, data, lambda site: actions.recovery_password(site, user, device))
    done(found, as_json, user=user, device=device)


class Switch(StrEnum):
    ON = "on"
    OFF = "off"
    AUTO = "auto"


SWITCHED = {Switch.ON: True, Switch.OFF: False, Switch.AUTO: None}


@app.command()
def quirk(
    user: UserName,
    device: DeviceName,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As docs/quirks.md has it.")],
    switch: Annotated[Switch, typer.Argument(help="`auto`: as the table says for devices of this kind.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Do otherwise for one device, or do not."""
    act(config, data, lambda site: actions.set_quirk(site, user, device, name, SWITCHED[switch]))
    done(f"{device} of {user}: {name} {switch.value}", as_json, user=user, device=device, quirk=name, switch=switch)


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
