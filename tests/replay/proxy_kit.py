"""A proxy in this process, in front of a server that says what a test wants, or in front of a real one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from eas.replay.format.model import Exchange, Meta
from eas.replay.format.reading import open_session
from eas.replay.format.writing import writer
from eas.replay.masking.secrets import without_passwords
from eas.replay.proxy.forwarding import Forwarder, Places, runner, session
from eas.replay.proxy.recording import Recording
from eas.replay.proxy.rewriting import server_at

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: The path of commands.
EAS = "/Microsoft-Server-ActiveSync"
TARGET = f"{EAS}?Cmd=Ping&User=anna&DeviceId=A1&DeviceType=SP"


@dataclass(frozen=True)
class Got:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


async def ask(method: str, url: str, data: object = None, headers: Mapping[str, str] | None = None) -> Got:
    """As a client that changes nothing: no decompression, no redirects followed, the address as it is written."""
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(
            method, URL(url, encoded=True), data=data, headers=headers, allow_redirects=False,
        ) as answer,
    ):
        return Got(answer.status, answer.headers, await answer.read())


@asynccontextmanager
async def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that answers so; its origin."""
    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", answer)
    server = web.AppRunner(app, access_log=None, auto_decompress=False, handler_cancellation=True, shutdown_timeout=0.1)
    await server.setup()
    try:
        await web.TCPSite(server, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.addresses[0][1]}"
    finally:
        await server.cleanup()


@dataclass
class Proxied:
    """`url` is the proxy's; what it recorded is read when it has ended."""

    url: str
    file: Path
    lines: list[tuple[Exchange, int, int]] = field(default_factory=list)
    written: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def exchanges(self) -> list[Exchange]:
        with open_session(self.file) as found:
            return list(found.exchanges)

    @property
    def meta(self) -> Meta:
        with open_session(self.file) as found:
            return found.meta

    @property
    def one(self) -> Exchange:
        (found,) = self.exchanges
        return found

    async def ask(self, method: str, path: str, data: object = None) -> Got:
        return await ask(method, self.url + path, data)

    async def post(self, path: str = "", data: object = b"") -> Got:
        return await self.ask("POST", path or TARGET, data)


@asynccontextmanager
async def in_front(answer: Answer, folder: Path, **how: Any) -> AsyncIterator[Proxied]:
    """A proxy in front of a server that answers so."""
    async with serving(answer) as url, proxied(url, folder, **how) as made:
        yield made


@asynccontextmanager
async def proxied(
    to: str, folder: Path, *, trust: ssl.SSLContext | bool = True, max_size: int = 10**9,
    keep: Callable[[Exchange], Exchange] = without_passwords,
) -> AsyncIterator[Proxied]:
    file = folder / "x.session"
    made = Proxied("", file)
    loop = asyncio.get_running_loop()

    def told(*said: Any) -> None:
        made.lines.append(said)
        loop.call_soon_threadsafe(made.written.set)

    with writer(file) as out:
        recording = Recording(
            out, keep=keep, keep_meta=lambda meta: meta, max_size=max_size,
            told=told,
        )
        async with session(trust) as upstream:
            forwarder = Forwarder(Places(server_at(to)), upstream, recording, "http", "localhost")
            server = runner(forwarder)
            await server.setup()
            await web.TCPSite(server, "127.0.0.1", 0).start()
            made.url = f"http://127.0.0.1:{server.addresses[0][1]}"
            writing = asyncio.create_task(recording.run())
            try:
                yield made
            finally:
                forwarder.stopping = True
                await server.cleanup()
                await recording.finish(writing)
    recording.close(file)
