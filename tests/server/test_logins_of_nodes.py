"""Two nodes on one database and one Redis, as a phone and a guesser see them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from groupware.dovecot import Dovecot
from groupware.gateway import backend
from groupware.redis import RedisServer
from groupware.smtp import Sink
from wire import Got, Wire, e

from eas import app as composition
from eas.config import load
from eas.engine.logins import FREE_BY_LOGIN
from eas.push import logins

pytestmark = pytest.mark.server

FOLDERS = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is not a slow Redis."""
    monkeypatch.setattr(logins, "PATIENCE_SECONDS", 60.0)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """One that may be killed."""
    server = RedisServer()
    try:
        yield server.start()
    finally:
        server.stop()


@asynccontextmanager
async def site(data: Path, redis: RedisServer, **more: Any) -> AsyncIterator[list[composition.App]]:
    settings = {"data": data, "domain": "example.com", "redis.url": redis.url, **more}
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(composition.build(load(overrides=settings, environment={})))
            for _ in range(2)
        ]


@pytest.fixture
async def two(
    office: tuple[Path, dict[str, str]], tmp_path: Path, redis: RedisServer
) -> AsyncIterator[list[composition.App]]:
    shutil.copytree(office[0], tmp_path / "data")
    async with site(tmp_path / "data", redis) as apps:
        yield apps


async def ask(app: composition.App, password: str, login: str = "anna") -> Got:
    return await Wire(app=app.asgi, user=login, password=password).post("FolderSync", FOLDERS)


async def guess(app: composition.App, count: int, word: str) -> list[int]:
    return [(await ask(app, f"{word} {number}")).http for number in range(count)]


async def test_who_guesses_at_one_node_waits_at_the_other(two: list[composition.App]) -> None:
    a, b = two
    assert await guess(a, FREE_BY_LOGIN // 2, "at a") == [401] * (FREE_BY_LOGIN // 2)
    assert await guess(b, FREE_BY_LOGIN - FREE_BY_LOGIN // 2, "at b") == [401] * (FREE_BY_LOGIN - FREE_BY_LOGIN // 2)
    for app in two:
        got = await ask(app, "yet another")
        assert (got.http, got.headers["retry-after"]) == (503, "2")
    assert (await ask(a, "ben-secret", "ben")).http == 200


async def test_who_was_right_at_one_node_comes_in_at_the_other(two: list[composition.App]) -> None:
    a, b = two
    assert (await ask(a, "anna-secret")).http == 200
    assert (await guess(a, FREE_BY_LOGIN + 3, "guess"))[-1] == 503
    assert (await ask(b, "anna-secret")).http == 200


async def test_a_request_like_the_one_before_asks_redis_nothing(
    two: list[composition.App], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    assert (await ask(two[0], "anna-secret")).http == 200
    assert (await ask(two[0], "anna-secret")).http == 200
    link = two[0].sharing.link
    assert link is not None
    monkeypatch.setattr(link, "run", lambda *words: asked.append(words))
    monkeypatch.setattr(link, "run_later", lambda *words: asked.append(words))
    for _ in range(5):
        assert (await ask(two[0], "anna-secret")).http == 200
    assert not [words for words in asked if ":login:" in str(words)]


async def test_redis_killed_in_between_refuses_nobody_who_is_right(
    two: list[composition.App], redis: RedisServer
) -> None:
    a, b = two
    assert (await ask(a, "anna-secret")).http == 200
    redis.kill()
    for app in two:
        assert (await ask(app, "anna-secret")).http == 200
        assert (await ask(app, "ben-secret", "ben")).http == 200
    # Each node goes by what it knows itself.
    assert (await guess(a, FREE_BY_LOGIN + 1, "guess"))[-1] == 503
    assert (await ask(b, "guess")).http == 401
    assert (await ask(a, "anna-secret")).http == 200
    redis.start()
    for app in two:
        async with asyncio.timeout(60):
            while not (app.sharing.link and app.sharing.link.connected):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert (await ask(b, "anna-secret")).http == 200
    assert (await guess(a, FREE_BY_LOGIN + 1, "again"))[-1] == 503
    assert (await ask(b, "and again")).http == 503
    redis.flush()
    assert (await ask(b, "anna-secret")).http == 200
    assert (await ask(a, "anna-secret")).http == 200


async def test_a_slow_redis_refuses_nobody(
    two: list[composition.App], redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "PATIENCE_SECONDS", 0.2)
    redis.pause()
    try:
        assert (await ask(two[0], "anna-secret")).http == 200
        assert (await ask(two[1], "ben-secret", "ben")).http == 200
    finally:
        redis.resume()


async def test_the_servers_of_the_groupware_are_asked_once_and_their_no_counts_everywhere(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path, redis: RedisServer
) -> None:
    login, password = dovecot.new_user()
    async with site(tmp_path / "data", redis, backends={"office": backend(dovecot, mail_sink)}) as apps:
        a, b = (app.elsewhere.accounts for app in apps)
        assert a is not None
        assert b is not None
        user = await a.verify(login, password)
        assert user is not None
        dovecot.set_password(login, "another")
        there = await b.verify(login, password)
        assert there is not None, "what the server has told the other node"
        assert there.id == user.id
        link = apps[0].sharing.link
        assert link is not None
        async with asyncio.timeout(60):
            while len(link.live) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        a.forget(user.id)
        async with asyncio.timeout(60):
            while b.welcome(user.id) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await b.verify(login, password) is None
        assert await a.verify(login, password) is None
        assert await b.verify(login, "another") is not None
        # Redis forgets, and nobody notices.
        redis.restart()
        assert await b.verify(login, "another") is not None
        assert await a.verify(login, "another") is not None
