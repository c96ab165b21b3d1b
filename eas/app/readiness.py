"""Whether this process can answer requests just now, for health checks.

Without the database it cannot, and when it is about to stop it should not be sent any. What may be missing for a while
without anybody being turned away is told only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from eas.db import Database
from eas.db.migrations import newest, revision_of
from eas.server.ports import Readiness

log = structlog.get_logger("eas.app")

#: Seconds that the database may take; a check that is not answered says less than one that is.
PATIENCE_SECONDS = 3.0


@dataclass(slots=True)
class Ready:
    """`others` say how parts are that are not needed for being ready, by name. `needed` is the revision of the tables
    that this program was made for: a newer one that another node has brought only adds to them, so this one goes on
    until it is replaced, too."""

    database: Database
    stopping: bool = False
    others: dict[str, Callable[[], str]] = field(default_factory=dict)
    needed: str = field(default_factory=newest)
    found: str = ""

    async def can_answer(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await revision_of(self.database)
        except Exception as error:  # whatever it is, the server is not ready
            log.warning("not ready", reason=str(error) or type(error).__name__)
            return False
        if found != self.needed and found != self.found:
            log.warning("a newer version has changed the database: update this node too", here=self.needed, there=found)
        self.found = found
        return True

    async def report(self) -> Readiness:
        reached = await self.can_answer()
        database = "away" if not reached else "ok" if self.found == self.needed else "newer"
        parts = {"database": database, **{name: ask() for name, ask in self.others.items()}}
        return Readiness(ready=reached and not self.stopping, stopping=self.stopping, parts=parts)
