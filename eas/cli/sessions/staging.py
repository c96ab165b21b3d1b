"""The mailbox of a session that is played with --prepare: opened by the settings, filled, and kept up as it goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import typer

from eas.app.preparing import behind_server
from eas.cli.frame import settings_of
from eas.db.migrations import MigrationError
from eas.engine.errors import BackendError
from eas.replay.playing.binding import Binding
from eas.replay.playing.play import Stage
from eas.replay.preparing.prepare import prepared

from .faults import Fault
from .playing import Settled

#: What could not be prepared is told so many times; the rest is counted.
TOLD = 20


@asynccontextmanager
async def staged(wanted: Settled) -> AsyncIterator[Stage]:
    """Raises Fault, SessionError, OSError."""
    asked = wanted.asked
    settings = settings_of(asked.config, asked.data)
    binding = Binding(who=wanted.manner.who, by=wanted.manner.shift)
    try:
        async with behind_server(settings, asked.user, asked.password) as found:
            if found is None:
                raise Fault(f"{asked.user} cannot log in on the store that is to be prepared")
            async with prepared(
                found.mailbox, found.viewer, asked.file, binding, clock=found.clock, force=asked.force
            ) as stage:
                _tell(stage.items, stage.lacks)
                yield stage
    except (BackendError, MigrationError) as error:
        raise Fault(f"the mailbox cannot be prepared: {error or type(error).__name__}") from None


def _tell(items: int, lacks: list[str]) -> None:
    typer.echo(f"prepared: {items} items", err=True)
    for lack in lacks[:TOLD]:
        typer.echo(f"  not as recorded: {lack}", err=True)
    if len(lacks) > TOLD:
        typer.echo(f"  and {len(lacks) - TOLD} more", err=True)
