"""`eas rights`: who may do what with whose folders."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from eas.admin import actions
from eas.engine.model import Right

from .frame import AsJson, ConfigFile, DataFolder, act, done, put_list

app = typer.Typer(help="Rights on folders: list, grant, revoke.", no_args_is_help=True)


class RightName(StrEnum):
    """The rights that can be given, each including those before it; `none` forbids what colleagues usually may."""

    NONE = "none"
    FREE_BUSY = "free-busy"
    READ = "read"
    EDIT = "edit"
    DELEGATE = "delegate"


Owner = Annotated[str, typer.Argument(metavar="OWNER", help="Whose folder.")]
FolderName = Annotated[str, typer.Argument(metavar="FOLDER", help="Its name, its path with slashes, or its id.")]
Grantee = Annotated[str, typer.Argument(metavar="USER|GROUP", help="Who.")]


@app.command("list")
def list_(owner: Owner, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """The rights that others have on a user's folders."""
    put_list(act(config, data, lambda site: actions.rights(site, owner)), ("folder", "grantee", "right"), as_json)


@app.command()
def grant(
    owner: Owner,
    folder: FolderName,
    grantee: Grantee,
    right: Annotated[RightName, typer.Argument(metavar="RIGHT", help="none, free-busy, read, edit or delegate")],
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Give somebody a right on a folder, in place of the one that they had."""
    level = Right[right.name]
    act(config, data, lambda site: actions.grant(site, owner, folder, grantee, level))
    done(f"{grantee}: {right.value} on {folder} of {owner}", as_json, owner=owner, folder=folder, grantee=grantee)


@app.command()
def revoke(
    owner: Owner,
    folder: FolderName,
    grantee: Grantee,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Take a right back."""
    act(config, data, lambda site: actions.grant(site, owner, folder, grantee, None))
    done(f"{grantee}: nothing on {folder} of {owner}", as_json, owner=owner, folder=folder, grantee=grantee)
