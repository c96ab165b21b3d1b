"""What the requests of 16.x come to in everybody's mailboxes: a house with three people, devices, and a tally.

A tally counts lines; each says where something lies and, of a meeting, all that must have happened to it once: how
often it was restated, who is on its list, which occurrences are gone or stand apart. Only what carries a word of the
tally is counted, so that many runs share one house.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from boxes_kit import Told, child_text, local, told
from premises import ANNA, BEN, DOMAIN, Person
from test_interrupted import URL, Scene
from wire import Got, basic, e

from eas.engine.model import FolderType
from eas.engine.ports import Horizon
from eas.items.body import Wanted
from eas.items.native import Mail
from eas.protocol import http, wbxml
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

CLEO = Person(login="cleo", password="cleo-secret")
PEOPLE = {person.login: person for person in (ANNA, BEN, CLEO)}
ROUNDS = 30
_METHOD = re.compile(rb'(?im)^content-type:\s*text/calendar\b[^\r]*(?:\r\n[ \t][^\r]*)*?method="?([\w-]+)')


def address(login: str) -> str:
    return f"{login}@{DOMAIN}"


@dataclass(frozen=True, kw_only=True)
class Request:
    command: str
    body: Element


@dataclass(kw_only=True)
class Desk:
    """One device of a user; `folders` by type, `keys` and `has` (ServerIds) by folder."""

    scene: Scene
    person: Person
    device: str
    version: str = "16.1"
    folders: dict[FolderType, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    has: dict[str, dict[str, Element]] = field(default_factory=dict)

    async def begin(self, *types: FolderType) -> Desk:
        self.folders = {f.type: f.id for f in await self.scene.premises.folders(self.person.login)}
        for type in types:
            await self.pull(type)
        return self

    async def ask(self, request: Request) -> Got:
        headers = {
            "Authorization": basic(self.person.login, self.person.password), "MS-ASProtocolVersion": self.version,
            "Content-Type": http.WBXML, "User-Agent": "desk/1",
        }
        query = f"Cmd={request.command}&User={self.person.login}&DeviceId={self.device}&DeviceType=Desk"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.scene.app.asgi)) as client:
            response = await client.post(
                f"{URL}{http.PATH}?{query}", headers=headers, content=wbxml.encode(request.body)
            )
        got = Got(http=response.status_code, headers=response.headers, body=response.content)
        assert got.http == 200, got.http
        return got

    def sync(self, type: FolderType, *given: Element, more: tuple[Element, ...] = ()) -> Request:
        """Under the key that the device has."""
        id = self.folders[type]
        commands = (e("Commands", *given),) if given else ()
        asked = e("Collection", e("SyncKey", self.keys.get(id, "0")), e("CollectionId", id), *more, *commands)
        return Request(command="Sync", body=e("AirSync:Sync", e("Collections", asked)))

    def take(self, got: Got, request: Request) -> Told | None:
        """The answer of one collection, entered."""
        for one in told(got):
            assert one.status == "1", one.element
            id = one.text("CollectionId")
            deleted = [item for item in _commands(request) if local(item) == "Delete" and len(item.elements) == 1]
            if self.keys.get(id, "0") == "0":
                self.has[id] = {}
            held = self.has[id]
            self.keys[id] = one.text("SyncKey")
            for added in one.inside("Responses", "Add"):
                if server := child_text(added, "ServerId"):
                    held[server] = added
            for gone in deleted:
                held.pop(child_text(gone, "ServerId") or "", None)
            for server, said in one.said("Add", "Change").items():
                held[server] = said
            for server in one.said("Delete", "SoftDelete"):
                held.pop(server, None)
            return one
        return None

    async def go(self, type: FolderType, *given: Element) -> Told | None:
        request = self.sync(type, *given)
        return self.take(await self.ask(request), request)

    async def pull(self, type: FolderType) -> None:
        for _ in range(ROUNDS):
            begun = self.folders[type] in self.keys
            one = await self.go(type)
            if begun and (one is None or not (one.more or one.inside("Commands"))):
                return
        raise AssertionError("there is always more")

    def known(self, type: FolderType) -> dict[str, Element]:
        return self.has.get(self.folders[type], {})

    async def add(self, type: FolderType, command: Element) -> str:
        """The ServerId of what an Add made."""
        one = await self.go(type, command)
        assert one is not None
        (added,) = one.inside("Responses", "Add")
        assert child_text(added, "Status") == "1", added
        return child_text(added, "ServerId") or ""

    async def named(self, type: FolderType, word: str) -> str:
        """The ServerId of the one item in which a word stands."""
        await self.pull(type)
        (id,) = [id for id, item in self.known(type).items() if word in str(item)]
        return id


def _commands(request: Request) -> list[Element]:
    return [
        command for collections in request.body.elements for one in collections.elements
        for given in one.elements if given.tag == "AirSync:Commands" for command in given.elements
    ]


async def in_step(desk: Desk, type: FolderType) -> None:
    """The device holds what lies in the store, and nothing else."""
    await desk.pull(type)
    folder = await desk.scene.premises.folder(desk.person.login, type)
    feed = (await desk.scene.premises.mailbox(desk.person.login)).feed(folder)
    stored = {f"{folder.id}:{id}" for id in (await feed.delta(None, Horizon())).touched}
    assert set(desk.known(type)) == stored


async def tally(scene: Scene, word: str) -> Counter[str]:
    lines: Counter[str] = Counter()
    for login in PEOPLE:
        mailbox = await scene.premises.mailbox(login)
        for folder in await mailbox.folders():
            feed = mailbox.feed(folder)
            ids = sorted((await feed.delta(None, Horizon())).touched)
            async for item in feed.fetch(ids, Wanted()):
                octets = item.header if isinstance(item, Mail) else item.data
                if word.encode() not in octets:
                    continue
                if isinstance(item, Mail):
                    raw = b"".join([piece async for piece in feed.part(item.id, "")])
                    method = _METHOD.search(raw)
                    said = method[1].decode() if method else "mail"
                else:
                    said = meeting_line(item.data)
                lines[f"{login} {folder.type.name} {said}"] += 1
    return lines


def meeting_line(ics: bytes) -> str:
    """`sequence` of the series, `guests` on it, occurrences that are `gone` or stand `apart`."""
    text = re.sub(rb"\r?\n[ \t]", b"", ics)
    events = [part.partition(b"END:VEVENT")[0] for part in text.split(b"BEGIN:VEVENT")[1:]]
    apart = sum(b"\nRECURRENCE-ID" in event for event in events)
    main = next((event for event in events if b"\nRECURRENCE-ID" not in event), events[0])
    sequence = re.search(rb"\nSEQUENCE:(\d+)", main)
    gone = sum(line.count(b",") + 1 for line in re.findall(rb"\n(EXDATE[^\r\n]*)", main))
    guests = len(re.findall(rb"\nATTENDEE", main))
    out = [f"meeting s{int(sequence[1]) if sequence else 0}", f"g{guests}"]
    return " ".join(out + ([f"gone{gone}"] if gone else []) + ([f"apart{apart}"] if apart else []))


@asynccontextmanager
async def house(data: Path) -> AsyncIterator[Scene]:
    async with Scene.set(data, Version.V14_1) as scene:
        await scene.premises.add(CLEO)
        yield scene
