"""`eas session`: sessions of devices, recorded, read, masked, imported, played back and compared. docs/sessions.md.

One file per subcommand; what they do stands in `eas.replay`. Exit codes: 0 done, 1 a difference or a finding, 2 called
wrongly, or a file that cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping

import typer

from eas.cli import Subcommands

#: As `eas.cli.PLACES`.
PLACES: Mapping[str, str] = {
    "record": "eas.cli.sessions.record:app",
    "proxy": "eas.cli.sessions.proxy:proxy",
    "import": "eas.cli.sessions.import_:import_",
    "show": "eas.cli.sessions.show:show",
    "stats": "eas.cli.sessions.stats:stats",
    "mask": "eas.cli.sessions.mask:mask",
    "diff": "eas.cli.sessions.diff:diff",
    "replay": "eas.cli.sessions.replay:replay",
    "test": "eas.cli.sessions.as_test:as_test",
}


class SessionCommands(Subcommands):
    places = PLACES


app = typer.Typer(
    cls=SessionCommands, no_args_is_help=True, help="Record, read, mask, import, replay and compare device sessions.",
)


@app.callback()
def _nothing() -> None:
    """Record, read, mask, import, replay and compare device sessions."""
