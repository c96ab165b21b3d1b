"""The clean-up of what nobody needs any more: once an hour in every server, and by `eas tidy`."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from eas.admin import audit
from eas.admin.own_deeds import expire_wipes
from eas.config import Settings
from eas.store import Keep, Tidied
from eas.store.audit_reading import AuditBook

if TYPE_CHECKING:
    from .building import App

log = structlog.get_logger("eas.app")

#: Seconds between two clean-ups, about: the processes of a site do not come all at once.
EVERY_SECONDS = 3600.0


def kept(settings: Settings) -> Keep:
    told = settings.keep
    return Keep(
        device_days=told.unused_device_days, state_days=told.unused_state_days, intent_days=told.intent_days,
        activity_days=told.activity_days,
    )


async def tidy(app: App, *, dry_run: bool = False) -> Tidied:
    """`dry_run` counts what would be removed of the state, and removes nothing."""
    if not dry_run:
        await app.embedded.tidy()
        await app.elsewhere.tidy()
        await expire_wipes(app.site)
        await audit.trim(app.site, app.settings.keep.audit_days)
        # In a log that is kept elsewhere, it shows later that nothing was cut off or written anew.
        log.info("audit log", head=str(await AuditBook(app.site.audit.run).head()))
        await app.recorded.expire(datetime.now(UTC) - timedelta(days=app.settings.keep.recordings_days))
        await app.site.staff.end_sessions(before=datetime.now(UTC) - timedelta(hours=app.settings.pages.session_hours))
    return await app.store.tidy(kept(app.settings), dry_run=dry_run)


async def keep_tidying(app: App) -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS * random.uniform(0.5, 1.5))
        try:
            tidied = await tidy(app)
            log.info("tidied", devices=tidied.devices, states=tidied.states, intents=tidied.intents, notes=tidied.notes)
        except Exception as error:
            log.error("tidying failed", exc_info=error)
