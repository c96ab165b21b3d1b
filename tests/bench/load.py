"""What the measurements share: phones that cost next to nothing, and how results are told.

A measured server is a process of its own on a core of its own (`serving`); the load comes from this process, on another
core where there is one. So the phones here are bare: one connection each, requests as bytes made beforehand, answers
looked at only as far as the next request needs it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from gzip import decompress as gunzip
from pathlib import Path
from statistics import quantiles

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from eas.protocol import http, wbxml
from eas.protocol.query import Query, plain
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

#: Seconds without an answer after which a measurement is given up.
PATIENCE_SECONDS = 120.0

#: In WBXML: the tag SyncKey (page 0, with content) and the start of its inline text.
_SYNC_KEY = bytes((0x4B, 0x03))
#: MoreAvailable, empty; looked for before the first command, where nothing else has this octet.
_MORE_AVAILABLE = bytes((0x14,))
#: SyncKey, CollectionId, Status and MoreAvailable of the only collection stand within so many octets.
_HEAD = 160


def e(tag: str, *children: Element | str) -> Element:
    """An element with children, or with a text."""
    if len(children) == 1 and isinstance(children[0], str):
        return Element(tag, children[0])
    return Element(tag, tuple(child for child in children if isinstance(child, Element)))


def sync_document(key: str, collection: str, *more: Element) -> bytes:
    """A Sync of one collection; `more` are what stands behind CollectionId."""
    inner = e("AirSync:Collection", e("AirSync:SyncKey", key), e("AirSync:CollectionId", collection), *more)
    return wbxml.encode(e("AirSync:Sync", e("AirSync:Collections", inner)))


def html_options(truncation: int = 4096) -> Element:
    size = e("AirSyncBase:TruncationSize", str(truncation))
    return e("AirSync:Options", e("AirSyncBase:BodyPreference", e("AirSyncBase:Type", "2"), size))


def sync_key(answer: bytes) -> str:
    """The first SyncKey of an answer."""
    at = answer.index(_SYNC_KEY) + len(_SYNC_KEY)
    return answer[at : answer.index(0, at)].decode()


def more_available(answer: bytes) -> bool:
    """Whether the only collection of a Sync answer has MoreAvailable."""
    head = answer[:_HEAD]
    at = head.index(_SYNC_KEY)
    for _ in range(3):  # over the texts of SyncKey, CollectionId and Status, and what ends them
        at = head.index(0, head.index(b"\x03", at)) + 1
    return head[at + 1 : at + 2] == _MORE_AVAILABLE


@dataclass(slots=True)
class Answer:
    """`body` as it came, which may be compressed."""

    status: int
    body: bytes


def unzipped(body: bytes) -> bytes:
    return gunzip(body) if body[:2] == b"\x1f\x8b" else body


class Failed(Exception):
    """An answer that a measurement cannot go on from."""


@dataclass(slots=True, kw_only=True)
class BarePhone:
    """One device on one connection that is kept. `prepare` before `post`."""

    port: int
    user: str
    password: str
    device: str
    version: Version = Version.V14_1
    policy_key: int | None = None
    gzip: bool = False
    #: Whether the last answer said that it is the last one on this connection.
    closing: bool = False
    #: An address of this machine to connect from, where the ports of one would run out.
    source: str = ""
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None
    _fixed: dict[str, bytes] = field(default_factory=dict)

    async def connect(self) -> None:
        local = (self.source, 0) if self.source else None
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self.port, limit=1 << 20, local_addr=local
        )

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._reader = self._writer = None

    def _head(self, command: str) -> bytes:
        """All of a request's head but its length; made once for a command."""
        known = self._fixed.get(command)
        if known is None:
            query = Query(
                command=command, device_id=self.device, device_type="Bench", user=self.user, version=self.version,
                policy_key=self.policy_key,
            )
            stated = {
                "Host": f"127.0.0.1:{self.port}",
                "Authorization": "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode(),
                "User-Agent": "bench/1", "Content-Type": http.WBXML, **http.request_headers(query),
                **({"Accept-Encoding": "gzip"} if self.gzip else {}),
            }
            lines = "".join(f"{name}: {value}\r\n" for name, value in stated.items())
            known = f"POST {http.PATH}?{plain(query)} HTTP/1.1\r\n{lines}Content-Length: ".encode()
            self._fixed[command] = known
        return known

    def request(self, command: str, body: bytes = b"") -> bytes:
        """As it goes over the line."""
        return b"%s%d\r\n\r\n%s" % (self._head(command), len(body), body)

    def send(self, command: str, body: bytes = b"") -> None:
        assert self._writer is not None
        self._writer.write(self.request(command, body))

    async def receive(self) -> Answer:
        assert self._reader is not None
        head = await self._reader.readuntil(b"\r\n\r\n")
        self.closing = b"\r\nconnection: close\r\n" in head.lower()
        length = _length(head)
        body = await self._reader.readexactly(length) if length else b""
        return Answer(int(head[9:12]), body)

    async def post(self, command: str, body: bytes = b"") -> Answer:
        """Raises Failed for anything but 200."""
        return await asyncio.wait_for(self.exchange(command, body), PATIENCE_SECONDS)

    async def exchange(self, command: str, body: bytes = b"") -> Answer:
        """As `post`, for as long as it takes."""
        if self._writer is None:
            await self.connect()
        self.send(command, body)
        answer = await self.receive()
        if self.closing:
            self.close()
        if answer.status != 200:
            raise Failed(f"{command}: HTTP {answer.status} {answer.body[:200]!r}")
        return answer

    # -- what a phone does before it is measured

    async def provision(self) -> None:
        """Both phases."""
        asked = e("Provision:Policy", e("Provision:PolicyType", "MS-EAS-Provisioning-WBXML"))
        self._set_key(0)
        about = e("Settings:DeviceInformation", e("Settings:Set", e("Settings:Model", "Bench")))
        document = e("Provision:Provision", about, e("Provision:Policies", asked))
        first = await self.post("Provision", wbxml.encode(document))
        key = _text(wbxml.decode(first.body), "Provision:Policies", "Provision:Policy", "Provision:PolicyKey")
        self._set_key(int(key))
        told = e(
            "Provision:Policy", e("Provision:PolicyType", "MS-EAS-Provisioning-WBXML"), e("Provision:PolicyKey", key),
            e("Provision:Status", "1"),
        )
        second = await self.post("Provision", wbxml.encode(e("Provision:Provision", e("Provision:Policies", told))))
        key = _text(wbxml.decode(second.body), "Provision:Policies", "Provision:Policy", "Provision:PolicyKey")
        self._set_key(int(key))

    def _set_key(self, key: int) -> None:
        self.policy_key = key
        self._fixed.clear()

    async def folders(self) -> dict[int, str]:
        """The id of (one) folder of each type."""
        body = wbxml.encode(e("FolderHierarchy:FolderSync", e("FolderHierarchy:SyncKey", "0")))
        root = wbxml.decode((await self.post("FolderSync", body)).body)
        changes = root.child("FolderHierarchy:Changes")
        assert changes is not None
        return {
            int(_text(added, "FolderHierarchy:Type")): _text(added, "FolderHierarchy:ServerId")
            for added in changes.elements
            if added.tag == "FolderHierarchy:Add"
        }

    async def prime(self, collection: str, *options: Element) -> str:
        """Sync with key 0; the key after it."""
        return sync_key((await self.post("Sync", sync_document("0", collection, *options))).body)

    async def catch_up(self, collection: str, key: str, window: int = 512) -> str:
        """Take everything that is there; the key after it."""
        more = True
        while more:
            answer = await self.post("Sync", sync_document(key, collection, e("AirSync:WindowSize", str(window))))
            if not answer.body:
                return key
            key, more = sync_key(answer.body), more_available(answer.body)
        return key


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    return int(lower[at + 17 : lower.index(b"\r\n", at + 2)]) if at >= 0 else 0


def _text(element: Element, *path: str) -> str:
    for tag in path:
        inner = element.child(tag)
        if inner is None:
            raise Failed(f"no {tag} in {element}")
        element = inner
    return element.text


# -- telling


def machine() -> str:
    """What else the machine is doing, without which a time means little."""
    one, five, fifteen = os.getloadavg()
    return f"machine: {os.cpu_count()} cores, load {one:.2f} {five:.2f} {fifteen:.2f}"


def at(values: Sequence[float], percent: int) -> float:
    """A percentile."""
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


def verdict(name: str, value: str, target: str, kept: bool) -> str:
    return f"{'ok  ' if kept else 'MISS'} {name}: {value} (target {target})"


def table(rows: Iterable[Sequence[object]]) -> str:
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in texts)
