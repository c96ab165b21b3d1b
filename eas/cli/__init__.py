"""`eas`: the gateway on the command line. Thin: what may be done stands in `eas.admin`, the joining in `eas.app`.

Exit codes: 0 done, 1 refused or not found, 2 called wrongly. With --json one document goes to standard output, and
everything else to standard error.
"""

from __future__ import annotations

import typer

from eas.client.phone_cli import app as phone

from . import devices, groups, mail, policies, rights, serve, users

app = typer.Typer(
    help="An Exchange ActiveSync gateway.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
app.command("serve")(serve.serve)
app.command("demo")(serve.demo)
app.add_typer(users.app, name="user")
app.add_typer(groups.app, name="group")
app.add_typer(rights.app, name="rights")
app.add_typer(policies.app, name="policy")
app.add_typer(devices.app, name="device")
app.command("deliver")(mail.deliver)
app.add_typer(phone, name="phone")


def main() -> None:
    app()
