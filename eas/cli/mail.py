"""`eas deliver`: put a message into somebody's inbox, as a mail server would; `eas doubtful`: what may have gone out
twice, or not at all."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from eas.admin import actions, elsewhere

from .frame import AsJson, ConfigFile, DataFolder, act, done, leave, put_list


def deliver(
    user: Annotated[str, typer.Argument(metavar="USER", help="A login, an address or a group.")],
    file: Annotated[Path, typer.Argument(metavar="FILE.eml", help="The message; - for standard input.")],
    sender: Annotated[str, typer.Option("--from", help="The sender on the envelope.")] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Deliver a message. A running server tells the phones at once."""
    try:
        message = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise leave(f"{file}: {error.strerror}") from None
    rung = act(config, data, lambda site: actions.deliver(site, user, message, sender))
    done(f"delivered to {user}", as_json, user=user, server_told=rung)


def doubtful(as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Messages that may have gone out twice: the answer of the mail server to the first try was lost. And those that
    were under way when a backup was made that was put back: they are not sent again."""
    put_list(act(config, data, elsewhere.doubtful), ("at", "user", "subject", "message_id", "doubt"), as_json)
