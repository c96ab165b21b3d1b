"""`eas staff`: who may administer on the pages and through the API."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from eas.admin import staff
from eas.admin.acting import Role

from .frame import AsJson, ConfigFile, DataFolder, act, done, put_list, read_password

app = typer.Typer(help="Who may administer: list, add, role, password, remove; tokens.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name of staff, or the login of a mailbox.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="The password is a line of standard input.")]


class StaffRole(StrEnum):
    ADMIN = "admin"
    HELPDESK = "helpdesk"
    AUDITOR = "auditor"


Which = Annotated[StaffRole, typer.Option(help="What they may do.")]


@app.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Who may administer."""
    put_list(act(config, data, staff.members), ("name", "role", "password", "created"), as_json)


@app.command()
def add(
    name: Name,
    role: Which = StaffRole.ADMIN,
    mailbox: Annotated[bool, typer.Option("--mailbox", help="NAME is a mailbox; its password is meant.")] = False,
    password_stdin: FromStdin = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Let somebody administer, with a password of their own or (--mailbox) that of their mailbox."""
    password = "" if mailbox else read_password(None, password_stdin)
    act(config, data, lambda site: staff.add(site, name, Role(role), password))
    done(f"{name} may administer as {role.value}, at /admin", as_json, name=name, role=role.value)


@app.command()
def role(
    name: Name,
    role: Annotated[StaffRole, typer.Argument(help="What they may do.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Give somebody another role."""
    act(config, data, lambda site: staff.set_role(site, name, Role(role)))
    done(f"{name} is {role.value} now", as_json, name=name, role=role.value)


@app.command()
def password(
    name: Name,
    password_stdin: FromStdin = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Set the password of somebody of the staff."""
    new = read_password(None, password_stdin)
    act(config, data, lambda site: staff.set_password(site, name, new))
    done(f"{name} has a new password", as_json, name=name)


@app.command()
def remove(name: Name, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Let somebody administer no more; tokens and open logins end."""
    act(config, data, lambda site: staff.remove(site, name))
    done(f"{name} may no longer administer", as_json, name=name)


@app.command()
def token(
    name: Name,
    label: Annotated[str, typer.Argument(metavar="LABEL", help="What it is for.")],
    days: Annotated[int, typer.Option(min=0, help="How long it is valid; 0: for ever.")] = 0,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Make a token with which a program uses the API as NAME; it is shown this once."""
    made = act(config, data, lambda site: staff.add_token(site, name, label, days))
    done(made["token"], as_json, **made)


@app.command()
def tokens(as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """The tokens of the API."""
    put_list(act(config, data, staff.tokens), ("id", "staff", "label", "created", "used", "until"), as_json)


@app.command()
def revoke(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `eas staff tokens` shows it.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """End a token."""
    act(config, data, lambda site: staff.remove_token(site, id))
    done(f"token {id} is no longer valid", as_json, id=id)
