"""Guessing by many connections at once, on a server of its own: each way in is slowed down, its owner is not."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from groupware.glewlwyd import AUDIENCE, Glewlwyd
from serving import EAS, Server
from wire import basic

from eas.engine.logins import FREE_BY_ADDRESS, FREE_BY_LOGIN
from eas.protocol import http
from eas.store import device_passwords

pytestmark = [pytest.mark.server, pytest.mark.long]

#: Guesses of one run, and connections that make them.
GUESSES, GUESSERS = 400, 16


@pytest.fixture(scope="module")
def gateway(glewlwyd: Glewlwyd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("guessing") / "data"
    for name in ("anna", "ben"):
        _eas(data, "user", "add", f"{name}@example.com", "--password", f"{name}-secret")
    settings = {
        "EAS_DOMAIN": "example.com", "EAS_OIDC__ISSUER": glewlwyd.issuer, "EAS_OIDC__AUDIENCES": AUDIENCE,
        "EAS_TRUSTED_PROXIES": "127.0.0.1",
    }
    with Server(data=data, settings=settings) as server:
        yield server


def _eas(data: Path, *words: str) -> str:
    return subprocess.run(
        [str(EAS), *words, "--data", str(data)], check=True, capture_output=True, text=True, timeout=60
    ).stdout


async def guess(server: Server, made: Callable[[int], str], address: str) -> Counter[int]:
    """How often each status was answered."""
    left, found = iter(range(GUESSES)), Counter[int]()

    async def guesser(client: httpx.AsyncClient) -> None:
        for number in left:
            headers = {"Authorization": made(number), "X-Forwarded-For": address}
            found[(await client.options(http.PATH, headers=headers)).status_code] += 1

    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        await asyncio.gather(*[guesser(client) for _ in range(GUESSERS)])
    return found


async def status(server: Server, authorization: str, address: str) -> int:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        headers = {"Authorization": authorization, "X-Forwarded-For": address}
        return (await client.options(http.PATH, headers=headers)).status_code


async def test_device_passwords(gateway: Server) -> None:
    told = json.loads(_eas(gateway.data, "user", "device-password", "add", "anna", "phone", "--json"))
    mine = basic("anna", told["password"])
    assert await status(gateway, mine, "192.0.2.1") == 200
    found = await guess(gateway, lambda n: basic("anna", device_passwords.made()), "192.0.2.9")
    assert found.keys() == {401, 503}
    assert FREE_BY_LOGIN <= found[401] <= FREE_BY_LOGIN + 10  # the pauses let a few more in while it runs
    assert await status(gateway, mine, "192.0.2.1") == 200
    assert await status(gateway, basic("ben", "ben-secret"), "192.0.2.1") == 200
    # Revoked from another process, it is over with the next request.
    _eas(gateway.data, "user", "device-password", "revoke", "anna", str(told["id"]))
    assert await status(gateway, mine, "192.0.2.1") == 401


async def test_tokens(gateway: Server, glewlwyd: Glewlwyd) -> None:
    password = glewlwyd.new_user("ben@example.com")
    mine = f"Bearer {glewlwyd.tokens('ben@example.com', password)['access_token']}"
    assert await status(gateway, mine, "192.0.2.2") == 200
    found = await guess(gateway, lambda n: f"Bearer guess.number.{n}", "192.0.2.2")
    assert found.keys() == {401, 503}
    assert FREE_BY_ADDRESS <= found[401] <= FREE_BY_ADDRESS + 10
    assert await status(gateway, mine, "192.0.2.2") == 200
