"""`eas group`: distribution lists, which bear rights and policies too."""

from __future__ import annotations

from typing import Annotated

import typer

from eas.admin import actions

from .frame import AsJson, ConfigFile, DataFolder, act, done, put_list, put_one

app = typer.Typer(help="Groups: add, list, show, set, remove.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(metavar="GROUP", help="The address of a group.")]
Name = Annotated[str | None, typer.Option(help="As it stands in the address list.")]
Hidden = Annotated[bool | None, typer.Option("--hidden/--shown", help="Whether the address list leaves it out.")]


@app.command()
def add(
    address: Address,
    name: Name = None,
    member: Annotated[list[str] | None, typer.Option(help="A user, or an address elsewhere; repeatable.")] = None,
    hidden: Hidden = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Add a group."""
    act(config, data, lambda site: actions.add_group(site, address, name or "", member or (), bool(hidden)))
    done(f"group {address} added", as_json, group=address)


@app.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """All groups."""
    put_list(act(config, data, actions.groups), ("address", "name", "members"), as_json)


@app.command()
def show(address: Address, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """A group and its members."""
    put_one(act(config, data, lambda site: actions.group(site, address)), as_json)


@app.command("set")
def set_(
    address: Address,
    add_member: Annotated[list[str] | None, typer.Option(help="Repeatable.")] = None,
    remove_member: Annotated[list[str] | None, typer.Option(help="Repeatable.")] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Change who is in a group."""
    act(config, data, lambda site: actions.set_group(
        site, address, add=add_member or (), remove=remove_member or ()
    ))
    done(f"group {address} changed", as_json, group=address)


@app.command()
def remove(address: Address, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Remove a group; its members stay."""
    act(config, data, lambda site: actions.remove_group(site, address))
    done(f"group {address} removed", as_json, group=address)
