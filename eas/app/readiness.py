"""Whether this process can answer requests just now, for health checks.

Without the database it cannot, and when it is about to stop it should not be sent any. What may be missing for a while
without anybody being turned away is told only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from sqlalchemy import text

from eas.db import Database
from eas.server.ports import Readiness

log = structlog.get_logger("eas.app")

#: Seconds that the database may take; a check that is not answered says less than one that is.
PATIENCE_SECONDS = 3.0


@dataclass(slots=True)
class Ready:
    """`others` say how parts are that are not needed for being ready, by name."""

    database: Database
    stopping: bool = False
    others: dict[str, Callable[[], str]] = field(default_factory=dict)

    async def can_answer(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self.database.read() as connection:
                await connection.execute(text("SELECT 1"))
        except Exception as error:  # whatever it is, the server is not ready
            log.warning("not ready", reason=str(error) or type(error).__name__)
            return False
        return True

    async def report(self) -> Readiness:
        reached = await self.can_answer()
        parts = {"database": "ok" if reached else "away", **{name: ask() for name, ask in self.others.items()}}
        return Readiness(ready=reached and not self.stopping, stopping=self.stopping, parts=parts)
