"""What the cases of the conformance suite are written with: declared cases, and devices that speak element by element.

A case is an async function of a `Lab`; `@case` says which requirements it checks, and in which versions it runs. The
same cases run in the tests (a server in memory) and against any server (`python -m tests.conformance URL ...`), so a
case may assume nothing but two mailboxes, and makes all that it needs itself, under names of its own.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from wire import Got, basic, e

from eas.protocol import http, wbxml
from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

ALL = Spoken()
BEFORE_14 = Spoken(until=Version.V12_1)
FROM_12 = Spoken(since=Version.V12_0)
FROM_12_1 = Spoken(since=Version.V12_1)
FROM_14 = Spoken(since=Version.V14_0)
FROM_14_1 = Spoken(since=Version.V14_1)
BEFORE_16 = Spoken(until=Version.V14_1)
FROM_14_BEFORE_16 = Spoken(since=Version.V14_0, until=Version.V14_1)
FROM_16 = Spoken(since=Version.V16_0)
FROM_16_1 = Spoken(since=Version.V16_1)

#: As ids are written: of the document that the case names, or with another document before them.
_ID = re.compile(r"(?:(MS-[A-Z]+):)?R(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`ids` are pairs of document and number of the requirements that this case checks; `spoken` the versions."""

    name: str
    document: str
    ids: frozenset[tuple[str, str]]
    spoken: Spoken
    run: Callable[[Lab], Awaitable[None]]


CASES: list[Case] = []


class Inapplicable(Exception):
    """The server does not offer what the case is about (a version, a command): neither passed nor failed."""


def requirements(document: str, text: str) -> frozenset[tuple[str, str]]:
    """"R4133 R4135 MS-ASHTTP:R12" as pairs of document and number."""
    found = frozenset((other or document, number) for other, number in _ID.findall(text))
    assert found, f"no requirement in {text!r}"
    return found


def case(
    document: str, ids: str, spoken: Spoken = ALL
) -> Callable[[Callable[[Lab], Awaitable[None]]], Callable[[Lab], Awaitable[None]]]:
    """Declare a case: `@case("MS-ASCMD", "R4133 R4135", FROM_14)`. The name of the function says the fact."""

    def register(run: Callable[[Lab], Awaitable[None]]) -> Callable[[Lab], Awaitable[None]]:
        area = run.__module__.rpartition(".")[2]
        name = f"{area}.{run.__name__}"
        assert all(other.name != name for other in CASES), f"two cases are called {name}"
        CASES.append(
            Case(name=name, document=document, ids=requirements(document, ids), spoken=spoken, run=run)
        )
        return run

    return register


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user of the server under test, and the address under which mail reaches them."""

    user: str
    password: str
    address: str


@dataclass(kw_only=True)
class Talker:
    """One device. What its attributes say goes into each request; "" leaves a header or a parameter out."""

    client: httpx.AsyncClient
    login: Login
    version: Version
    device: str
    type: str = "Conformance"
    key: str = ""
    agent: str = "conformance/1"
    headers: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    folder_key: str = "0"

    async def post(
        self, command: str, body: Element | bytes | None = None, *, content_type: str = "", query: str | None = None,
        headers: Mapping[str, str] | None = None, **parameters: str,
    ) -> Got:
        """One request. `query` in the place of the usual one; `parameters` beside it."""
        data = wbxml.encode(body) if isinstance(body, Element) else body or b""
        stated = {
            "Authorization": basic(self.login.user, self.login.password),
            "MS-ASProtocolVersion": self.version.text, "X-MS-PolicyKey": self.key, "User-Agent": self.agent,
            "Content-Type": content_type or (http.WBXML if data else ""), **self.headers, **(headers or {}),
        }
        if query is None:
            usual = {"Cmd": command, "User": self.login.user, "DeviceId": self.device, "DeviceType": self.type}
            query = str(httpx.QueryParams({n: v for n, v in {**usual, **parameters}.items() if v}))
        return await self.ask("POST", f"{http.PATH}?{query}", stated, data)

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Got:
        stated = {name: value for name, value in headers.items() if value}
        response = await self.client.request(method, path, headers=stated, content=body)
        return Got(http=response.status_code, headers=response.headers, body=response.content)

    async def folder(self, type: int) -> str:
        """The ServerId of the first folder of a type ([MS-ASCMD] Type (FolderSync)). Raises Inapplicable."""
        if not self.folders:
            got = await self.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
            assert got.status == "1", got.root
            self.folder_key = got.text("SyncKey")
            for add in got.all("Changes", "Add"):
                parts = {child.tag.partition(":")[2]: child.text for child in add.elements}
                self.folders.setdefault(parts["Type"], parts["ServerId"])
        if str(type) not in self.folders:
            raise Inapplicable(f"no folder of type {type}")
        return self.folders[str(type)]


@dataclass(kw_only=True)
class Lab:
    """A server under test in one version. `me` and `other` are two users with mailboxes. `documents` is the link of a
    folder that `me` may read, with the content that `library_kit` names; "" for none."""

    client: httpx.AsyncClient
    version: Version
    me: Login
    other: Login
    documents: str = ""
    talkers: int = 0

    def talker(self, login: Login | None = None, **values: Any) -> Talker:
        """A new device of a user, `me` if none is named."""
        self.talkers += 1
        return Talker(**{
            "client": self.client, "login": login or self.me, "version": self.version,
            "device": f"CONF{secrets.token_hex(6).upper()}", **values,
        })

    def unique(self, word: str = "conformance") -> str:
        """A text that nobody else uses, for subjects and names."""
        return f"{word}-{secrets.token_hex(6)}"


def load_cases() -> list[Case]:
    """Every case of `cases/`, in the order of their files."""
    import importlib
    from pathlib import Path

    for path in sorted((Path(__file__).parent / "cases").glob("*.py")):
        importlib.import_module(f"cases.{path.stem}")
    return CASES
