"""The summary of the month, mailed on its first day by one process of the site."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from eas.admin import reports
from eas.admin.acting import SERVER
from eas.admin.site import Site

log = structlog.get_logger("eas.app")

ERRAND = "report.monthly"
#: Seconds between two looks at the calendar, about.
EVERY_SECONDS = 3600.0
#: Days at the beginning of a month on which the summary of the last one is news: no server may have run on the first.
DAYS = 7


async def mail_if_due(site: Site, to: Sequence[str], now: datetime) -> bool:
    """Whether this process has mailed it. What reached nobody is tried again with the next look."""
    period = f"{now.astimezone(UTC):%Y-%m}"
    if not to or now.astimezone(UTC).day > DAYS or not await site.store.errands.take(ERRAND, period):
        return False
    handed: list[str] = []
    try:
        handed = await reports.mail_monthly(replace(site, caller=SERVER), to=list(to))
    finally:
        if not handed:
            await site.store.errands.give_back(ERRAND, period)
    log.info("the summary of the month", sent=len(handed), of=len(to))
    return bool(handed)


async def keep_mailing(site: Site, to: Sequence[str]) -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS * random.uniform(0.5, 1.5))
        try:
            await mail_if_due(site, to, datetime.now(UTC))
        except Exception as error:
            log.error("the summary of the month was not mailed", exc_info=error)
