"""Requests as bytes and elements, for tests that say exactly what goes over the line; see also eas.client."""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from eas.protocol import http, wbxml
from eas.protocol.wbxml import Element

HOST = "http://mail.example.com"


def e(tag: str, *content: Any) -> Element:
    """An element: children, or one text or bytes. Names without a namespace have that of the element around them."""
    if len(content) == 1 and isinstance(content[0], str | bytes):
        return Element(tag, content[0])
    namespace, colon, _ = tag.partition(":")
    return Element(tag, tuple(_named(child, namespace) for child in content) if colon else content)


def _named(child: Element, namespace: str) -> Element:
    if ":" in child.tag:
        return child
    content = child.content
    if isinstance(content, tuple):
        content = tuple(_named(inner, namespace) for inner in content)
    return Element(f"{namespace}:{child.tag}", content)


def sync(key: str, collection: str, *more: Any) -> Element:
    """A Sync of one collection."""
    return e("AirSync:Sync", e("Collections", e("Collection", e("SyncKey", key), e("CollectionId", collection), *more)))


def basic(user: str, password: str, charset: str = "utf-8") -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode(charset)).decode()


@dataclass(frozen=True, kw_only=True)
class Got:
    http: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def root(self) -> Element:
        """The document; of a multipart answer part 0."""
        kind = self.headers["content-type"]
        return wbxml.decode(http.parts_of(self.body)[0] if kind == http.MULTIPART else self.body)

    def text(self, *path: str) -> str:
        """The text of the first element at the end of a path of local names below the root."""
        found = self.find(*path)
        assert found is not None, f"no {'/'.join(path)} in {self.root}"
        return found.text

    def find(self, *path: str) -> Element | None:
        return next(iter(self.all(*path)), None)

    def all(self, *path: str) -> list[Element]:
        at = [self.root]
        for name in path:
            at = [child for parent in at for child in parent.elements if child.tag.partition(":")[2] == name]
        return at

    @property
    def status(self) -> str:
        return self.text("Status")


@dataclass(kw_only=True)
class Wire:
    """One device of one user. Its attributes go into the next requests; "" leaves a header or a parameter out."""

    app: Any
    user: str = "anna"
    password: str = "anna-secret"
    device: str = "WIRE1"
    type: str = "TestPhone"
    version: str = "14.1"
    key: str = ""
    agent: str = "wire/1"
    headers: dict[str, str] = field(default_factory=dict)

    async def post(
        self,
        command: str,
        body: Element | bytes | None = None,
        *,
        query: str | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        **parameters: str,
    ) -> Got:
        data = wbxml.encode(body) if isinstance(body, Element) else body or b""
        stated = {
            "Authorization": basic(self.user, self.password),
            "MS-ASProtocolVersion": self.version,
            "X-MS-PolicyKey": self.key,
            "User-Agent": self.agent,
            "Content-Type": http.WBXML if content_type is None and data else content_type or "",
            **self.headers,
            **(headers or {}),
        }
        return await self.ask("POST", f"{http.PATH}?{self.query(command, **parameters) if query is None else query}",
                              stated, data)

    def query(self, command: str, **parameters: str) -> str:
        stated = {"Cmd": command, "User": self.user, "DeviceId": self.device, "DeviceType": self.type, **parameters}
        return "&".join(f"{name}={quote(value)}" for name, value in stated.items() if value)

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Got:
        stated = {"Authorization": basic(self.user, self.password)} if headers is None else headers
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=HOST) as client:
            client.headers.clear()
            response = await client.request(
                method, path, headers={name: value for name, value in stated.items() if value}, content=body
            )
        return Got(http=response.status_code, headers=response.headers, body=response.content)


def unzipped(body: bytes) -> bytes:
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
