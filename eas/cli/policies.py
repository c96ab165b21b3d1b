"""`eas policy`: what devices have to comply with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eas.admin import actions

from .frame import AsJson, ConfigFile, DataFolder, act, done, put_list, put_one

app = typer.Typer(help="Policies: list, show, set, clear, remove.", no_args_is_help=True)

Whose = Annotated[str, typer.Argument(metavar="USER|GROUP", help="A user, a group, or `default` for everybody else.")]


@app.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """All policies, and who has them."""
    put_list(act(config, data, actions.policies), ("name", "enforced", "settings", "assigned"), as_json)


@app.command()
def show(whose: Whose, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """The policy of that name, else the one that this user or group gets."""
    put_one(act(config, data, lambda site: actions.policy(site, whose)), as_json)


@app.command("set")
def set_(
    whose: Whose,
    file: Annotated[Path, typer.Argument(help="JSON or TOML.", dir_okay=False)],
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Give somebody the policy in a file. Devices fetch it with their next request."""
    name = act(config, data, lambda site: actions.set_policy(site, whose, file))
    done(f"{whose} has the policy {name}", as_json, whose=whose, policy=name)


@app.command()
def clear(whose: Whose, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Take a user's or group's own policy away; the next one counts."""
    act(config, data, lambda site: actions.clear_policy(site, whose))
    done(f"{whose} has no policy of its own", as_json, whose=whose)


@app.command()
def remove(
    name: Annotated[str, typer.Argument()], as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """Remove a policy, from all who have it."""
    act(config, data, lambda site: actions.remove_policy(site, name))
    done(f"policy {name} removed", as_json, policy=name)
