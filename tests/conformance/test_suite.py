"""The conformance suite against a server in memory: every case in every version in which it applies."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(office: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    """One server for all cases, as it is with a server elsewhere."""
    data = tmp_path_factory.mktemp("conformance") / "data"
    shutil.copytree(office[0], data)
    library = data.with_name("library")
    library.mkdir()
    furnish(library)
    settings = {"data": data, "domain": DOMAIN, "documents.shares": [f"library={library}"]}
    async with (
        composition.build(load(overrides=settings, environment={})) as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url=HOST) as line,
    ):
        await app.embedded.admin.change_user(f"ben@{DOMAIN}", **ENTRY)
        await app.embedded.admin.change_user(f"anna@{DOMAIN}", company=ENTRY["company"])
        line.headers.clear()
        yield line


@pytest.mark.long
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("case", "version"),
    [
        pytest.param(case, version, id=f"{case.name}-{version.text}")
        for case in load_cases() for version in Version if version in case.spoken
    ],
)
async def test_conforms(case: Case, version: Version, client: httpx.AsyncClient) -> None:
    try:
        await case.run(
            Lab(client=client, version=version, me=login("anna"), other=login("ben"), documents=DOCUMENTS)
        )
    except Inapplicable as reason:
        pytest.fail(f"this server has what the case asks for: {reason}")
