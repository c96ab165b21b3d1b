"""A device that says what its family says, and what it keeps of the answers: keys, folders, items. What passes is
written down as exchanges of a session."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import httpx

from eas.engine.model import FolderType
from eas.protocol import http, wbxml
from eas.protocol.query import Query, encode_base64
from eas.protocol.wbxml import Element
from eas.replay.format.capture import exchange_of, unpacked
from eas.replay.format.document import from_text
from eas.replay.format.model import Exchange, Meta
from eas.replay.format.writing import moment

from .gateway import HOST, Gateway
from .letters import MORNING
from .manner import Manner
from .ruling import field_of, rule

PASSWORD = "anna-secret"
#: Seconds from one request to the next where nothing else is said, and those that an answer takes, with so much more
#: for each octet: a slow line.
PAUSE, ANSWER, OCTET = 0.8, 0.045, 0.000004
#: Seconds in which every answer is there, if the story has let enough time pass.
LONGEST = 60.0
#: How long it takes for a mail to come while a device waits, in seconds.
NEWS = 140.0

CLASS_OF = {
    FolderType.CONTACTS: "Contacts", FolderType.CALENDAR: "Calendar", FolderType.TASKS: "Tasks",
    FolderType.NOTES: "Notes",
}


class Surprise(AssertionError):
    """An answer that the device of the story did not expect."""


@dataclass(slots=True)
class Got:
    """`raw` is what travelled, `body` the same unpacked."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> bytes:
        return unpacked(self.raw, self.headers.get("content-encoding", ""))

    @property
    def root(self) -> Element:
        if not self.body:
            raise Surprise("an empty answer")
        data = http.parts_of(self.body)[0] if self.headers.get("content-type") == http.MULTIPART else self.body
        return wbxml.decode(data)

    def all(self, tag: str) -> list[Element]:
        return [element for element in walk(self.root) if element.tag == tag]

    def text(self, tag: str) -> str:
        found = self.all(tag)
        if not found:
            raise Surprise(f"no {tag} in {self.root}")
        return found[0].text


def walk(element: Element) -> Iterator[Element]:
    yield element
    for child in element.elements:
        yield from walk(child)


def texts(element: Element) -> dict[str, str]:
    """The first text of each tag inside, at any depth."""
    found: dict[str, str] = {}
    for inner in walk(element):
        if isinstance(inner.content, str):
            found.setdefault(inner.tag, inner.content)
    return found


@dataclass(slots=True)
class Folder:
    """`items`: what the device holds, by ServerId, as `texts`."""

    id: str
    type: FolderType
    name: str
    key: str = "0"
    items: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def item_class(self) -> str:
        return CLASS_OF.get(self.type, "Email")


class Device:
    """`exchanges` is what was said so far."""

    def __init__(self, manner: Manner, gateway: Gateway) -> None:
        self.manner, self.gateway = manner, gateway
        self.exchanges: list[Exchange] = []
        self.folders: dict[str, Folder] = {}
        self.folder_key, self.policy = "0", "0"
        self.version = manner.version
        self._comments: list[str] = []
        self._policies: list[tuple[str, str]] = []
        self._counted = 0

    # -- the line

    def say(self, *comments: str) -> None:
        """Comments that stand before the next exchange."""
        self._comments += comments

    def pass_(self, seconds: float = 0.0, minutes: float = 0.0) -> None:
        self.gateway.clock.pass_(seconds + 60 * minutes)

    async def rule(self, policy: Mapping[str, Any]) -> None:
        """The server has this policy from here on."""
        await rule(self.gateway.app, policy)
        self._policies.append(field_of(len(self.exchanges) + 1, policy))

    def count(self) -> int:
        """For names of the device's own: ClientIds, Message-IDs."""
        self._counted += 1
        return self._counted

    async def options(self, path: str = http.PATH) -> Got:
        return await self._send("OPTIONS", path, self._headers(self.manner.asking, "OPTIONS", ""), b"")

    async def post(
        self, command: str, said: str | bytes = "", *, content_type: str = "", lost: str = "",
        during: Callable[[], Awaitable[float]] | None = None, **parameters: str,
    ) -> Got:
        """`said`: XML of a document, or octets. `lost`: the answer does not arrive, for this reason. `during` is done
        while the server has the request, and says how many seconds passed."""
        body = said if isinstance(said, bytes) else wbxml.encode(from_text(said)) if said else b""
        kind = content_type or (self.manner.content_type if body else "")
        target = f"{http.PATH}?{self._query(command, parameters)}"
        headers = self._headers(self.manner.headers, command, kind)
        return await self._send("POST", target, headers, body, lost=lost, during=during)

    async def post_xml(self, path: str, text: str) -> Got:
        """Autodiscover, as all of them do it."""
        headers = self._headers(self.manner.autodiscovering, "", "text/xml; charset=utf-8")
        return await self._send("POST", path, headers, text.replace("\n", "\r\n").encode())

    def _query(self, command: str, parameters: dict[str, str]) -> str:
        m = self.manner
        if not m.base64:
            stated = {"Cmd": command, "User": m.user, "DeviceId": m.device_id, "DeviceType": m.device_type}
            said = (f"{name}={quote(value, safe='@:')}" for name, value in {**stated, **parameters}.items())
            return "&".join(said) + m.more_query
        fields = {"CollectionId": "collection_id", "ItemId": "item_id", "AttachmentName": "attachment_name"}
        return encode_base64(Query(
            command=command, device_id=m.device_id, device_type=m.device_type, version=self.version,
            policy_key=int(self.policy), locale=1033, save_in_sent=parameters.get("SaveInSent") == "T",
            **{fields[name]: value for name, value in parameters.items() if name in fields},  # type: ignore[arg-type]
        ))

    def _headers(self, wanted: tuple[tuple[str, str], ...], command: str, kind: str) -> list[tuple[str, str]]:
        plain = not self.manner.base64
        values = {
            "host": HOST, "authorization": "Basic " + b64encode(f"{self.manner.user}:{PASSWORD}".encode()).decode(),
            "version": self.version.text if plain else "", "type": kind,
            "agent": "" if command in self.manner.unnamed else self.manner.agent,
            "policy": self.policy if plain and not (self.manner.no_policy_key and self.policy == "0") else "",
        }
        made = [(name, value.format(**values)) for name, value in wanted]
        return [(name, value) for name, value in made if value]

    async def _send(
        self, method: str, target: str, headers: list[tuple[str, str]], body: bytes, *, lost: str = "",
        during: Callable[[], Awaitable[float]] | None = None,
    ) -> Got:
        clock = self.gateway.clock
        began = clock.now()
        asking = asyncio.ensure_future(self._ask(method, target, headers, body))
        seconds = await self._meanwhile(asking, during) if during is not None else 0.0
        answer = await asyncio.wait_for(asking, LONGEST)
        seconds += ANSWER + OCTET * (len(body) + len(answer.raw))
        self.exchanges.append(exchange_of(
            number=len(self.exchanges) + 1, time=began, method=method, target=target, headers=headers, body=body,
            status=None if lost else answer.status, seconds=30.0 if lost else round(seconds, 3),
            answer_headers=[] if lost else list(answer.headers.items()), answer=b"" if lost else answer.raw, why=lost,
        ))
        self.exchanges[-1] = _with(self.exchanges[-1], tuple(self._comments))
        self._comments = []
        clock.pass_(30.0 if lost else PAUSE)
        return answer

    async def _ask(self, method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> Got:
        transport = httpx.ASGITransport(self.gateway.app.asgi)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
            client.headers.clear()
            request = client.build_request(method, target, headers=headers, content=body)
            response = await client.send(request, stream=True)
            raw = b"".join([chunk async for chunk in response.aiter_raw()])
            return Got(response.status_code, dict(response.headers), raw)

    async def _meanwhile(self, asking: asyncio.Future[Got], during: Callable[[], Awaitable[float]]) -> float:
        """Until the gateway has the device waiting; an answer that comes without a wait is one, too."""
        for _ in range(6000):
            if self.gateway.waiting or asking.done():
                break
            await asyncio.sleep(0.005)
        return await during()

    # -- what it holds

    def of(self, type: FolderType, name: str = "") -> Folder:
        return next(f for f in self.folders.values() if f.type is type and (not name or f.name == name))

    def item(self, folder: Folder, words: str) -> str:
        """The ServerId of what has these words in its subject or name."""
        shown = ("Email:Subject", "Calendar:Subject", "Contacts:FileAs", "Contacts:LastName", "Tasks:Subject",
                 "Notes:Subject")
        for id, known in folder.items.items():
            if any(words in known.get(tag, "") for tag in shown):
                return id
        raise Surprise(f"{words!r} is not in {folder.name}")

    def meta(self, story: str, notes: tuple[str, ...], expected: tuple[str, ...]) -> Meta:
        m = self.manner
        fields = [
            ("device", m.device_id), ("device type", m.device_type), ("user", m.user), ("client", m.agent),
            ("server", "eas"), ("protocol", m.version.text), ("started", moment(MORNING)), ("origin", m.origin),
            ("masked", "made up"), ("note", story), *(("note", note) for note in (*m.notes, *notes)),
            *self._policies, *(("finding", name) for name in expected),
        ]
        return Meta(tuple((name, value) for name, value in fields if value))


def _with(exchange: Exchange, comments: tuple[str, ...]) -> Exchange:
    return replace(exchange, comments=comments)
