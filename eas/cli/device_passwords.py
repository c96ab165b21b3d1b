"""`eas user device-password`: passwords for one device each."""

from __future__ import annotations

from typing import Annotated

import typer

from eas.admin import passwords

from .frame import AsJson, ConfigFile, DataFolder, act, done, put_json, put_list

app = typer.Typer(
    help="Passwords for one device each, in place of the mailbox's: add, list, revoke.", no_args_is_help=True
)

UserName = Annotated[str, typer.Argument(metavar="USER", help="A login or an address.")]


@app.command()
def add(
    user: UserName,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What for, as \"Anna's phone\".")],
    days: Annotated[int, typer.Option(min=0, help="Over after so many days; 0: never.")] = 0,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Make one, and show it this once. The first device that uses it is the only one that may."""
    made = act(config, data, lambda site: passwords.add_device_password(site, user, name, days=days))
    if as_json:
        put_json(made)
        return
    typer.echo(made["password"])
    said = f"number {made['id']}, for {name}: type it as the password on the device; it is not shown again"
    typer.echo(said, err=True)


@app.command("list")
def list_(
    user: Annotated[str, typer.Argument(metavar="[USER]", help="Only this user's.")] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Which there are, and which devices use them."""
    found = act(config, data, lambda site: passwords.device_passwords(site, user))
    put_list(found, ("user", "id", "name", "device", "created", "last_used", "expires"), as_json)


@app.command()
def revoke(
    user: UserName,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="As `list` shows it; 0 with --all.")] = 0,
    all_: Annotated[bool, typer.Option("--all", help="All of the user.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """End one, at once: the device asks for another."""
    if all_:
        count = act(config, data, lambda site: passwords.revoke_device_passwords(site, user))
        done(f"{count} device passwords of {user} revoked", as_json, user=user, count=count)
        return
    act(config, data, lambda site: passwords.revoke_device_password(site, user, number))
    done(f"device password {number} of {user} revoked", as_json, user=user, id=number)
