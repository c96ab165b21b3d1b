"""Several real gateways over one PostgreSQL, and devices whose every request goes to another one than the last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
from premises import DOMAIN, Person, Premises
from serving import Server

from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.phone import Phone
from eas.engine.model import FolderType
from eas.protocol.version import Version
from eas.server import control

from .gateway import toml
from .redis import RedisServer

#: Seconds that a node may take to answer; waits of the tests are shorter.
ANSWER_SECONDS = 120.0


class InTurn(httpx.AsyncBaseTransport):
    """Every request of a device goes to the next node; a new device begins where nobody was last."""

    def __init__(self, nodes: list[str]) -> None:
        self._nodes = [httpx.URL(node) for node in nodes]
        self._last: dict[str, int] = {}
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        device = request.url.params.get("DeviceId", "")
        at = (self._last.get(device, self._last.get("", 0)) + 1) % len(self._nodes)
        self._last[device] = self._last[""] = at
        node = self._nodes[at]
        request.url = request.url.copy_with(scheme=node.scheme, host=node.host, port=node.port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass(kw_only=True)
class Nodes:
    """`servers` run, over one database. `premises` is its back door."""

    servers: list[Server]
    premises: Premises
    url: str
    open: list[Connection] = field(default_factory=list)

    @property
    def urls(self) -> list[str]:
        return [server.url for server in self.servers]

    def line(self) -> httpx.AsyncClient:
        """For requests that are said element by element, in turn to all nodes."""
        client = httpx.AsyncClient(transport=InTurn(self.urls), base_url=self.urls[0], timeout=ANSWER_SECONDS)
        client.headers.clear()
        return client

    @property
    def said(self) -> str:
        """The logs of all."""
        return "\n".join(server.said(100_000) for server in self.servers)

    async def person(self, name: str = "anna") -> Person:
        """Somebody new in the embedded groupware."""
        made = Person(login=f"{name}{token_hex(4)}", password=f"{name}-secret")
        await self.premises.add(made)
        return made

    async def deliver(self, person: Person, message: bytes) -> None:
        """As a mail server delivers; every node is told to look, as Redis would."""
        user = await self.premises.user(person.login)
        (failure,) = await self.premises.embedded.office.take("sender@elsewhere.test", [user.address], message)
        assert failure is None, failure
        inbox = (await self.premises.folder(person.login, FolderType.INBOX)).id
        for server in self.servers:
            control.tell(server.data / control.SOCKET, {"do": "ring", "user": user.id, "collections": [inbox]})

    def phone(
        self, user: str, password: str, *, at: int | None = None, device: str = "", version: Version = Version.V16_1
    ) -> Phone:
        """A device that is not set up yet, at one node, or (None) at all in turn."""
        device = device or f"phone{token_hex(6)}"
        url = self.urls[at or 0]
        line = Connection(
            url, Credentials(user=user, password=password), Identity(device_id=device), version=version,
            transport=InTurn(self.urls) if at is None else None,
        )
        self.open.append(line)
        return Phone(DeviceState(url=url, user=user, device_id=device), line)


@asynccontextmanager
async def nodes(
    folder: Path, url: str, *, redis: RedisServer | None = None, count: int = 2,
    settings: Mapping[str, Any] | None = None,
) -> AsyncIterator[Nodes]:
    """In a folder, over the database at `url`. `settings` are a settings file's. Without Redis they hear nothing of
    each other."""
    file = folder / "gateway.toml"
    shared = {} if redis is None else {"redis": {"url": redis.url, "prefix": redis.new_prefix()}}
    file.write_text(toml({"domain": DOMAIN, **(settings or {}), "database": url, **shared}))
    servers = [Server(data=folder / f"data{number}", arguments=("--config", str(file))) for number in range(count)]
    async with Premises.opened(folder, url) as premises:
        made = Nodes(servers=servers, premises=premises, url=url)
        try:
            with ThreadPoolExecutor(count) as starting:
                list(starting.map(Server.start, servers))
            yield made
        finally:
            for line in made.open:
                await line.close()
            for server in servers:
                server.stop()
