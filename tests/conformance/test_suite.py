"""The conformance suite against a server in memory: every case in every version in which it applies."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from lab import Case, Inapplicable, Lab, Login, load_cases
from library_kit import furnish

from eas import app as composition
from eas.config import load
from eas.protocol.version import Version

DOMAIN = "example.com"
HOST = "http://mail.example.com"
DOCUMENTS = "\\\\documents\\library"
#: What the address list has of the other user. A colleague of the same company has no picture.
ENTRY: dict[str, Any] = {
    "title": "Cook", "company": "Example", "office": "B 2", "phone": "+49 30 1234", "home_phone": "+49 30 5678",
    "mobile_phone": "+49 170 9012", "picture": b"\xff\xd8\xff" + b"photo" * 100,
}


def login(name: str) -> Login:
    return Login(user=f"{name}@{DOMAIN}", password=f"{name}-secret", address=f"{name}@{DOMAIN}")


@asynccontextmanager
async def server(office: Path, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A line to a server of its own, which has all that a case may ask for."""
    shutil.copytree(office, folder / "data")
    library = folder / "library"
    library.mkdir()
    furnish(library)
    settings = {"data": folder / "data", "domain": DOMAIN, "documents.shares": [f"library={library}"]}
    async with (
        composition.build(load(overrides=settings, environment={})) as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url=HOST) as line,
    ):
        await app.embedded.admin.change_user(f"ben@{DOMAIN}", **ENTRY)
        await app.embedded.admin.change_user(f"anna@{DOMAIN}", company=ENTRY["company"])
        line.headers.clear()
        yield line


@dataclass(kw_only=True)
class Servers:
    """One server for the cases of one file in one version: as with a server elsewhere they share the mailboxes, but
    what a first sync brings to each new device does not grow with all that came before."""

    office: Path
    folders: pytest.TempPathFactory
    of: tuple[str, Version] | None = None
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    line: httpx.AsyncClient | None = None

    async def client(self, area: str, version: Version) -> httpx.AsyncClient:
        if self.line is None or self.of != (area, version):
            await self.stack.aclose()
            opened = server(self.office, self.folders.mktemp("conformance"))
            self.line, self.of = await self.stack.enter_async_context(opened), (area, version)
        return self.line


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(
    office: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Servers]:
    kept = Servers(office=office[0], folders=tmp_path_factory)
    async with kept.stack:
        yield kept


def in_order() -> list[tuple[Case, Version]]:
    """By file and version."""
    runs = [(case, version) for case in load_cases() for version in Version if version in case.spoken]
    return sorted(runs, key=lambda run: (area(run[0]), run[1]))


def area(case: Case) -> str:
    return case.name.partition(".")[0]


@pytest.mark.long
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("case", "version"),
    [pytest.param(case, version, id=f"{case.name}-{version.text}") for case, version in in_order()],
)
async def test_conforms(case: Case, version: Version, servers: Servers) -> None:
    client = await servers.client(area(case), version)
    try:
        await case.run(
            Lab(client=client, version=version, me=login("anna"), other=login("ben"), documents=DOCUMENTS)
        )
    except Inapplicable as reason:
        pytest.fail(f"this server has what the case asks for: {reason}")
