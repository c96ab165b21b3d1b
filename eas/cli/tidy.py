"""`eas tidy`: the clean-up that a server does by itself once an hour, now."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from eas import app
from eas.app.tidying import tidy as tidy_up
from eas.store import Tidied

from .frame import AsJson, ConfigFile, DataFolder, carefully, done, settings_of


def tidy(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be removed.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Remove what nobody needs any more, as the settings under `keep` say."""
    settings = settings_of(config, data)

    async def run() -> Tidied:
        async with app.build(settings) as parts:
            return await tidy_up(parts, dry_run=dry_run)

    found = carefully(lambda: asyncio.run(run()))
    word = "to be removed" if dry_run else "removed"
    told = (
        f"{word}: {found.devices} devices, {found.states} states of folders, {found.intents} notes of effects, "
        f"{found.notes} notes of what devices did"
    )
    done(told, as_json, **asdict(found))
