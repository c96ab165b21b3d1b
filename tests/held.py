"""What a server in a process of its own is doing just now, asked of its figures: nobody has to sleep and hope."""

from __future__ import annotations

import asyncio

import httpx
from figures import Figures

from eas.push.bell import LocalBell

_TOKEN = "a token for whoever waits for waits"
#: For `Server.settings`, where `until` is to be used.
TOLD = {"EAS_METRICS__TOKEN": _TOKEN}
#: Seconds for what has to come; the machine may stand still for some of them.
PATIENCE = 60.0


async def until(url: str, sample: str, count: int, **labels: str) -> None:
    """Until a figure of the server at `url` is that. Raises TimeoutError."""
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as client, asyncio.timeout(PATIENCE):
        while await _figure(client, sample, **labels) != count:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)


async def until_held(url: str, count: int = 1) -> None:
    """Until so many Pings wait at the server, and would hear what happens."""
    await until(url, "eas_held_waits", count, command="Ping")


async def until_subscribed(bell: LocalBell, count: int = 1) -> None:
    """The same of a gateway in this process. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while bell.waiting != count:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def _figure(client: httpx.AsyncClient, sample: str, **labels: str) -> float:
    answer = await client.get("/metrics", headers={"Authorization": f"Bearer {_TOKEN}"})
    answer.raise_for_status()
    return Figures.parsed(answer.text).total(sample, **labels)
