"""Roll-outs of policies, brought further in time: the steps that have one, a pause where too many devices fail, the end
of policies that were given to a device for a while. One process of a site looks at a time.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from eas.admin.acting import SERVER
from eas.admin.policy_fleet import fleet_of, tell_expired
from eas.admin.policy_rolls import advance

if TYPE_CHECKING:
    from .building import App

log = structlog.get_logger("eas.app")

#: Seconds between two looks of a process, about.
EVERY_SECONDS = 30.0
#: Seconds within which no two processes of a site look at all devices.
ALONE_SECONDS = 25.0


async def stage(app: App, since: datetime) -> list[str]:
    """What was done, in words. `since`: when this process did it last."""
    book = await app.store.policing.book()
    site = replace(app.site, caller=SERVER)
    now = datetime.now(UTC)
    if any(one.until is not None and since < one.until <= now for one in book.devices.values()):
        tell_expired(site, await fleet_of(site), since)
    if not book.rolls or not await app.store.policing.claim(ALONE_SECONDS):
        return []
    return await advance(site, app.settings.policies.fail_percent)


async def keep_staging(app: App) -> None:
    since = datetime.now(UTC)
    while True:
        await asyncio.sleep(EVERY_SECONDS * random.uniform(0.8, 1.2))
        began = datetime.now(UTC)
        try:
            for said in await stage(app, since):
                log.info("policy roll-out", said=said)
        except Exception as error:
            log.error("policy roll-outs were not looked after", exc_info=error)
        since = began
