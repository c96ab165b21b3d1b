"""`eas user`: the people of the embedded groupware."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from eas.admin import actions, people

from .device_passwords import app as device_passwords
from .frame import AsJson, ConfigFile, DataFolder, act, done, put_list, put_one, read_password

app = typer.Typer(help="Users: add, list, show, set, passwd, rename, remove.", no_args_is_help=True)
app.add_typer(device_passwords, name="device-password")


class Switch(StrEnum):
    ON = "on"
    OFF = "off"


UserName = Annotated[str, typer.Argument(metavar="USER", help="A login or an address.")]
Text = Annotated[str | None, typer.Option()]
OnOff = Annotated[Switch | None, typer.Option(metavar="on|off")]
Password = Annotated[str | None, typer.Option(help="Better: --password-stdin, or the prompt.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Picture = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="A photograph for the address list, JPEG or PNG.")
]
Certificates = Annotated[
    list[Path] | None,
    typer.Option("--certificate", exists=True, dir_okay=False, help="For encrypted mail, PEM or DER; repeatable."),
]
Aliases = Annotated[list[str] | None, typer.Option("--alias", help="Another address; repeatable.")]


@app.command()
def add(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The primary address; before the @ is the login.")],
    password: Password = None,
    password_stdin: FromStdin = False,
    name: Text = None,
    first_name: Text = None,
    last_name: Text = None,
    title: Text = None,
    company: Text = None,
    department: Text = None,
    office: Text = None,
    phone: Text = None,
    home_phone: Text = None,
    mobile_phone: Text = None,
    zone: Annotated[str | None, typer.Option(help="Time zone, as Europe/Berlin.")] = None,
    alias: Aliases = None,
    picture: Picture = None,
    certificate: Certificates = None,
    quota: Annotated[int | None, typer.Option(min=0, help="Bytes; 0 for none.")] = None,
    activesync: OnOff = None,
    hidden: OnOff = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Add a user."""
    profile = _stated(
        name=name, first_name=first_name, last_name=last_name, title=title, company=company, department=department,
        office=office, phone=phone, home_phone=home_phone, mobile_phone=mobile_phone, zone=zone, quota=quota,
        activesync=_flag(activesync), hidden=_flag(hidden),
    )
    secret = read_password(password, password_stdin)
    user = act(config, data, lambda site: actions.add_user(
        site, address, secret, profile, aliases=alias or (), picture=picture, certificates=certificate or ()
    ))
    done(f"user {user} added", as_json, user=user)


@app.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """All users."""
    put_list(act(config, data, actions.users), ("login", "address", "name", "title", "backend", "activesync"), as_json)


@app.command()
def show(user: UserName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """A user's profile."""
    put_one(act(config, data, lambda site: actions.user(site, user)), as_json)


@app.command("set")
def set_(
    user: UserName,
    name: Text = None,
    first_name: Text = None,
    last_name: Text = None,
    title: Text = None,
    company: Text = None,
    department: Text = None,
    office: Text = None,
    phone: Text = None,
    home_phone: Text = None,
    mobile_phone: Text = None,
    zone: Annotated[str | None, typer.Option(help="Time zone, as Europe/Berlin.")] = None,
    alias: Aliases = None,
    remove_alias: Annotated[list[str] | None, typer.Option(help="Repeatable.")] = None,
    picture: Picture = None,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="Take the photograph away.")] = False,
    certificate: Certificates = None,
    no_certificates: Annotated[bool, typer.Option("--no-certificates", help="Take all certificates away.")] = False,
    quota: Annotated[int | None, typer.Option(min=0, help="Bytes; 0 for none.")] = None,
    activesync: OnOff = None,
    enabled: OnOff = None,
    hidden: OnOff = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Change a user: what is given, and nothing else; an empty text clears a field."""
    profile = _stated(
        name=name, first_name=first_name, last_name=last_name, title=title, company=company, department=department,
        office=office, phone=phone, home_phone=home_phone, mobile_phone=mobile_phone, zone=zone, quota=quota,
        activesync=_flag(activesync), enabled=_flag(enabled), hidden=_flag(hidden),
    )
    act(config, data, lambda site: actions.set_user(
        site, user, profile, add_aliases=alias or (), remove_aliases=remove_alias or (), picture=picture,
        no_picture=no_picture, certificates=certificate or (), no_certificates=no_certificates,
    ))
    done(f"user {user} changed", as_json, user=user)


@app.command()
def passwd(
    user: UserName,
    password: Password = None,
    password_stdin: FromStdin = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Give a user another password."""
    secret = read_password(password, password_stdin)
    act(config, data, lambda site: actions.set_password(site, user, secret))
    done(f"password of {user} changed", as_json, user=user)


@app.command()
def rename(
    user: UserName,
    new: Annotated[str, typer.Argument(metavar="NEW", help="A login, or an address: then both are changed.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Give a user another login and address; the old address becomes an alias. Phones go on."""
    found = act(config, data, lambda site: people.rename_user(site, user, new))
    done(f"user {user} is {found['login']} ({found['address']}) now", as_json, user=user, **found)


@app.command()
def move(
    user: UserName,
    backend: Annotated[str, typer.Option(metavar="NAME", help="A backend of the settings, or embedded.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Let a user's groupware be on another backend from now on; mails and records stay where they are."""
    found = act(config, data, lambda site: people.move_user(site, user, backend))
    hint = "; give a password with eas user passwd" if backend == people.OWN else ""
    done(f"user {user} is of {backend} now, not of {found['before']}{hint}", as_json, user=user, **found)


@app.command()
def remove(
    user: UserName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Remove a user, with all mail, calendars, contacts and devices, and everything else that is known."""
    if not yes and not dry_run:
        typer.confirm(f"Remove {user} with everything?", abort=True, err=True)
    rows = act(config, data, lambda site: people.remove_user(site, user, dry_run=dry_run))
    word = "would be removed" if dry_run else "removed"
    done(f"user {user} {word}: {sum(rows.values())} rows of {len(rows)} tables", as_json, user=user, rows=rows)


def _stated(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _flag(switch: Switch | None) -> bool | None:
    return None if switch is None else switch is Switch.ON
