"""`eas`: the gateway on the command line. Thin: what may be done stands in `eas.admin`, the joining in `eas.app`.

Exit codes: 0 done, 1 refused or not found, 2 called wrongly. With --json one document goes to standard output, and
everything else to standard error.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

#: Subcommand -> where it is. They are imported when they are called: a phone needs no server, and half a second counts
#: on a command line.
PLACES: Mapping[str, str] = {
    "serve": "eas.cli.serve:serve",
    "demo": "eas.cli.serve:demo",
    "user": "eas.cli.users:app",
    "group": "eas.cli.groups:app",
    "rights": "eas.cli.rights:app",
    "policy": "eas.cli.policies:app",
    "device": "eas.cli.devices:app",
    "health": "eas.cli.health:health",
    "top": "eas.cli.top:top",
    "wipe": "eas.cli.wipes:app",
    "audit": "eas.cli.audit:app",
    "staff": "eas.cli.staff:app",
    "deliver": "eas.cli.mail:deliver",
    "doubtful": "eas.cli.mail:doubtful",
    "access": "eas.cli.access:app",
    "backup": "eas.cli.backup:backup",
    "tidy": "eas.cli.tidy:tidy",
    "restore": "eas.cli.backup:restore",
    "import": "eas.cli.move_in:import_",
    "report": "eas.cli.reports:report",
    "doctor": "eas.cli.doctor:doctor",
    "phone": "eas.client.phone_cli:app",
    "session": "eas.cli.sessions:app",
}


class Subcommands(TyperGroup):
    """Those of `places`."""

    places: Mapping[str, str] = PLACES

    # The types are those of the click that typer carries inside it, or of click itself, by typer's version.
    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.places)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.places:
            return None
        module, _, name = self.places[cmd_name].partition(":")
        found = getattr(import_module(module), name)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(cmd_name)(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=Subcommands, help="An Exchange ActiveSync gateway.", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _nothing() -> None:
    """An Exchange ActiveSync gateway."""


def main() -> None:
    app()
