"""Secrets of the site: made once, the same for all processes."""

from __future__ import annotations

import asyncio

from eas.db.transactions import Transactions
from eas.store import SqlStateStore


async def test_a_secret_is_made_once(run: Transactions) -> None:
    first, second = SqlStateStore(run), SqlStateStore(run)
    made = await asyncio.gather(*(store.site_secret("a") for store in (first, second) for _ in range(5)))
    assert len(set(made)) == 1
    assert len(made[0]) == 32
    assert await first.site_secret("b") != made[0]
    assert await second.site_secret("a") == made[0]
