"""`eas session replay`: plays a session against a server and tells what is not as it was recorded. docs/sessions.md."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .comparing import AsJson, Forms, Html, Ignore, Junit, RulesFile, Strict, Verbose
from .faults import carefully

DIFFERENT, CANNOT = 1, 2

Where = Annotated[Path, typer.Argument(metavar="FILE", help="A session.")]
To = Annotated[str, typer.Option("--to", metavar="URL", help="The server: https://mail.example.com.")]
User = Annotated[str, typer.Option("--user", help="Who logs in; with --devices, {n} is the number of the device.")]


def replay(
    file: Where,
    to: To,
    user: User,
    password: Annotated[str | None, typer.Option("--password", envvar="EAS_PASSWORD", help="Better by the environment "
                                                 "or --password-stdin.", show_envvar=True)] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="One line of standard input.")] = False,
    address: Annotated[str, typer.Option("--address", help="The user's mail address, if the login is none.")] = "",
    device: Annotated[str, typer.Option("--device", metavar="ID", help="DeviceId instead of the recorded one.")] = "",
    version: Annotated[str, typer.Option("--version", help="Protocol version instead of the recorded one: 14.1.")] = "",
    prepare: Annotated[bool, typer.Option("--prepare", help="Fill the mailbox with what the session assumes, and let "
                                          "happen what happened. Needs --data or --config.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also fill a mailbox that has content.")] = False,
    waits: Annotated[str, typer.Option("--waits", metavar="short|kept|none", help="How long a Ping waits.")] = "short",
    wait: Annotated[str, typer.Option("--wait", metavar="TIME", help="A short wait: the server's least.")] = "60s",
    fast: Annotated[bool, typer.Option("--fast", help="Without the pauses of the recording.")] = False,
    shift: Annotated[str | None, typer.Option(
        "--shift-dates", metavar="now|none|+7d", help="Move the session's dates: `now` by whole days up to today. "
        "Default: now with --prepare, else none.")] = None,
    rules: RulesFile = None,
    ignore: Ignore = None,
    strict: Strict = False,
    html: Html = None,
    junit: Junit = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
    save: Annotated[Path | None, typer.Option("--save", metavar="NEW", help="Write what was sent and came.")] = None,
    stop: Annotated[bool, typer.Option("--stop-at-first", help="End at the first difference.")] = False,
    devices: Annotated[int, typer.Option("--devices", min=0, help="A load test with so many devices.")] = 0,
    lasting: Annotated[str, typer.Option("--for", metavar="TIME", help="How long the load test lasts.")] = "60s",
    compare: Annotated[bool, typer.Option("--compare", help="Compare answers in a load test, too.")] = False,
    insecure: Annotated[bool, typer.Option("--insecure", help="Take any certificate.")] = False,
    ca: Annotated[Path | None, typer.Option("--ca", metavar="FILE", help="Certificates to trust.")] = None,
    certificate: Annotated[Path | None, typer.Option("--cert", metavar="FILE", help="Device certificate.")] = None,
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", help="Its key.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The folder of the store, for --prepare.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Settings, TOML, for --prepare.")] = None,
) -> None:
    """Play a session against any ActiveSync server, and compare what it answers.

    Ids, keys and dates are put into the server's own words. Exit code 0: all is as recorded, 1: there are differences,
    2: it cannot be played.
    """
    from .playing import Playing, settled

    wanted = Playing(
        file=file, to=to, user=user, password=_password(password, password_stdin), address=address, device=device,
        version=version, prepare=prepare, force=force, waits=waits, wait=wait, fast=fast, shift=shift,
        rules=rules, ignore=tuple(ignore or ()), strict=strict, save=save, stop=stop,
        forms=Forms(as_json, junit, html, verbose), insecure=insecure, ca=ca,
        certificate=certificate, key=key, data=data, config=config,
    )
    if devices:
        from .loading import load_test

        raise typer.Exit(carefully(lambda: load_test(settled(wanted), devices, lasting, compare)))
    from .playing import play_once

    raise typer.Exit(carefully(lambda: play_once(settled(wanted))))


def _password(given: str | None, from_stdin: bool) -> str:
    if from_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    elif given is None and sys.stdin.isatty():
        given = str(typer.prompt("Password", hide_input=True, err=True))
    if not given:
        typer.echo("eas: a password is needed: --password-stdin, or EAS_PASSWORD", err=True)
        raise typer.Exit(CANNOT)
    return given
