"""Rolling upgrades: phones wait and synchronise all the time while nodes, or workers, are replaced. None of them sees
anything but 200, and no connection is cut under a request.

A few rounds as a sample; EAS_ROLLS says how many, for a longer run (`make rolls`).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from bench.load import BarePhone, sync_document, sync_key
from groupware.fronts import Haproxy
from groupware.postgresql import Postgresql
from groupware.redis import RedisServer
from server.test_stopping import INBOX, ping
from serving import EAS, Server

pytestmark = [pytest.mark.server, pytest.mark.long]

ROUNDS = int(os.environ.get("EAS_ROLLS", "1"))
#: Phones that only wait, and that synchronise as well.
WAITING, BUSY = 8, 4
PATIENCE = 60.0


@dataclass
class Fleet:
    """Phones and what they saw."""

    port: int
    answers: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    stopped: bool = False

    async def set_up(self, number: int) -> tuple[BarePhone, str, str]:
        phone = BarePhone(port=self.port, user="anna@example.com", password="anna-secret", device=f"ROLL{number}")
        await phone.provision()
        inbox = (await phone.folders())[INBOX]
        return phone, inbox, await phone.catch_up(inbox, await phone.prime(inbox))

    async def run(self, number: int, phone: BarePhone, inbox: str, key: str) -> None:
        """As a phone does: wait, synchronise, wait. A new connection only where the last answer closed the old one."""
        try:
            while not self.stopped:
                if number >= WAITING:
                    answer = await self._ask(phone, "Sync", sync_document(key, inbox))
                    key = sync_key(answer.body) if answer.body else key
                    await asyncio.sleep(random.uniform(0.1, 0.4))
                else:
                    await self._ask(phone, "Ping", ping(inbox))
        except asyncio.CancelledError:
            pass
        except Exception as error:
            self.faults.append(f"phone {number}: {type(error).__name__} {error}")
        finally:
            phone.close()

    async def _ask(self, phone: BarePhone, command: str, body: bytes) -> Any:
        answer = await phone.post(command, body)
        self.answers[command] += 1
        if phone.closing:
            phone.close()
        return answer


@asynccontextmanager
async def fleet(port: int) -> AsyncIterator[Fleet]:
    made = Fleet(port)
    phones = [await made.set_up(number) for number in range(WAITING + BUSY)]
    tasks = [asyncio.create_task(made.run(number, *phone)) for number, phone in enumerate(phones)]
    try:
        yield made
    finally:
        made.stopped = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)


async def until(done: Callable[[], Any], what: Callable[[], str]) -> None:
    for _ in range(int(PATIENCE / 0.05)):
        if done():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(what())


async def held_waits(server: Server) -> float:
    async with httpx.AsyncClient(timeout=PATIENCE) as monitor:
        told = (await monitor.get(f"{server.url}/metrics")).text
    return sum(float(line.split()[1]) for line in told.splitlines() if line.startswith("eas_held_waits"))


def shared(redis_server: RedisServer, **more: str) -> dict[str, str]:
    return {
        "EAS_REDIS__URL": redis_server.url, "EAS_DOMAIN": "example.com",
        "EAS_REDIS__PREFIX": redis_server.new_prefix(), "EAS_TRUSTED_PROXIES": "127.0.0.1", **more,
    }


def add_anna(data: Path, settings: dict[str, str]) -> None:
    subprocess.run(
        [EAS, "user", "add", "anna@example.com", "--password-stdin", "--data", data], input=b"anna-secret\n",
        check=True, env={**os.environ, **settings}, capture_output=True,
    )


async def test_nodes_behind_haproxy_are_restarted_one_after_the_other(
    tmp_path: Path, postgresql: Postgresql, redis_server: RedisServer
) -> None:
    settings = shared(
        redis_server, EAS_DATABASE=postgresql.new_database(), EAS_STOP__DRAIN_SECONDS="10",
        EAS_STOP__RELEASE_SECONDS="2",
    )
    await asyncio.to_thread(add_anna, tmp_path / "node0", settings)
    nodes = [Server(data=tmp_path / f"node{number}", settings=settings) for number in range(2)]
    front = Haproxy(nodes=[node.port for node in nodes], plain=True)
    try:
        await asyncio.gather(*(asyncio.to_thread(node.start) for node in nodes))
        await asyncio.to_thread(front.start)
        async with fleet(front.port) as phones:
            for _ in range(ROUNDS):
                for node in nodes:
                    before = phones.answers.copy()
                    await asyncio.to_thread(node.terminate)
                    await asyncio.to_thread(node.start)
                    # As an admin or an orchestrator does: on to the next when HAProxy has seen this one.
                    await until(lambda node=node: front.seen()[node.port] == "UP", lambda: str(front.seen()))
                    assert not phones.faults
                    assert phones.answers["Sync"] > before["Sync"]
            # All who waited at a node were answered by it.
            await until(lambda: phones.answers["Ping"] >= WAITING * ROUNDS, lambda: str(phones.answers))
        assert not phones.faults
        print(dict(phones.answers))
    finally:
        await asyncio.to_thread(front.stop)
        for node in nodes:
            await asyncio.to_thread(node.stop)


async def test_workers_are_replaced_on_sighup(tmp_path: Path, redis_server: RedisServer) -> None:
    """On SQLite, which all share. The phones talk to the workers themselves, with nothing between."""
    settings = shared(redis_server, EAS_STOP__RELEASE_SECONDS="1")
    await asyncio.to_thread(add_anna, tmp_path / "node", settings)
    server = Server(data=tmp_path / "node", arguments=("--workers", "2"), settings=settings)
    try:
        await asyncio.to_thread(server.start)
        await until(lambda: "listening on" in server.said(10**6), server.said)
        async with fleet(server.port) as phones:
            for number in range(1, ROUNDS + 1):
                os.kill(server.pid, signal.SIGHUP)
                await until(
                    lambda number=number: server.said(10**7).count("all workers are replaced") == number, server.said
                )
                assert not phones.faults
            await until(lambda: phones.answers["Ping"] >= WAITING * ROUNDS, lambda: str(phones.answers))
            # Told by whichever worker, for all of them; what those held who have gone is not counted any more.
            for _ in range(int(PATIENCE)):
                if (held := await held_waits(server)) == WAITING:
                    break
                await asyncio.sleep(1)
            assert held == WAITING
        assert not phones.faults
        print(dict(phones.answers))
    finally:
        await asyncio.to_thread(server.stop)
