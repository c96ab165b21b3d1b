"""Sessions for tests: recorded between a client and a server in memory, and written by hand in few words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from eas.client import mail, services
from eas.client.phone import Phone
from eas.engine.model import FolderType
from eas.items.contacts import Contact
from eas.protocol import http
from eas.protocol.version import Version
from eas.protocol.wbxml import encode
from eas.replay.format.capture import exchange_of
from eas.replay.format.document import from_text
from eas.replay.format.model import Exchange, Meta
from eas.replay.format.writing import exchange_text, head_text, writer

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MAIL = b"From: anna@example.com\r\nTo: anna@example.com\r\nSubject: Lunch\r\n\r\nAt one?\r\n"


class Tape(httpx.AsyncBaseTransport):
    """Between a client and the server: what goes over the line becomes exchanges."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.exchanges: list[Exchange] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked, begun, started = await request.aread(), datetime.now(UTC), time.perf_counter()
        answer = await self._inner.handle_async_request(request)
        told = b"".join([piece async for piece in answer.stream])  # type: ignore[union-attr]
        self.exchanges.append(exchange_of(
            number=len(self.exchanges) + 1, time=begun, method=request.method, target=request.url.raw_path.decode(),
            headers=list(request.headers.items()), body=asked, status=answer.status_code,
            seconds=time.perf_counter() - started, answer_headers=list(answer.headers.items()), answer=told,
        ))
        return httpx.Response(answer.status_code, headers=answer.headers, content=told, request=request)


def taped(phone: Phone) -> Tape:
    """From here on, what the phone says is on the tape."""
    client = phone.connection.client
    tape = Tape(client._transport)
    client._transport = tape
    return tape


async def a_day(phone: Phone, version: Version | None = None) -> None:
    """What a healthy phone does: set-up, first fetch, a mail to itself, changes, a contact, a search, a wait."""
    await phone.set_up(version)
    await phone.sync()
    inbox, archive = phone.state.folder(FolderType.INBOX), await phone.create_folder("Archive")
    await mail.send(phone, MAIL)
    await mail.send(phone, MAIL.replace(b"Lunch", b"Dinner"))
    await phone.sync()
    first, second = list(inbox.items)
    phone.mark(inbox, first, read=True)
    contacts = phone.state.folder(FolderType.CONTACTS)
    phone.add(contacts, Contact(first_name="Ben", last_name="Berger"))
    await phone.sync()
    await phone.move(inbox, [second], archive)
    await phone.sync()
    await mail.reply(phone, inbox, first, MAIL.replace(b"Lunch", b"Re: Lunch"))
    phone.delete(inbox, first)
    await phone.sync()
    await services.search_people(phone, "berger")
    if phone.version >= Version.V12_0:
        await services.out_of_office(phone)
    waiting = asyncio.create_task(phone.ping([inbox], 60))
    await asyncio.sleep(0.2)
    await mail.send(phone, MAIL.replace(b"Lunch", b"Supper"))
    await waiting
    await phone.sync()


def keep(file: Path, exchanges: Iterable[Exchange], **head: str) -> Path:
    with writer(file) as sink:
        sink.head(Meta(tuple((name.replace("_", " "), value) for name, value in head.items())))
        for exchange in exchanges:
            sink.add(exchange)
    return file


def text_of(exchanges: Iterable[Exchange]) -> str:
    return head_text(Meta()) + "".join(map(exchange_text, exchanges))


# By hand -------------------------------------------------------------------------------------------------------------


@dataclass
class Script:
    """Exchanges of one device, one after another; `at` is the time in seconds after noon."""

    version: str = "14.1"
    agent: str = "Apple-iPhone14C2/2001.50"
    device: str = "PHONE1"
    at: float = 0.0
    exchanges: list[Exchange] = field(default_factory=list)

    def say(
        self, command: str, asked: str | bytes = "", told: str | bytes = "", *, http_status: int | None = 200,
        took: float = 0.1, after: float = 5.0, version: str | None = None, headers: Iterable[tuple[str, str]] = (),
        answer_headers: Iterable[tuple[str, str]] = (), why: str = "",
    ) -> Script:
        """Documents as the XML of session files. `after` seconds pass before the request."""
        self.at += after
        stated = self.version if version is None else version
        told_bytes = _bytes(told)
        self.exchanges.append(exchange_of(
            number=len(self.exchanges) + 1, time=NOON + timedelta(seconds=self.at),
            method="OPTIONS" if command == "OPTIONS" else "POST",
            target="/Microsoft-Server-ActiveSync" + ("" if command == "OPTIONS" else
            f"?Cmd={command}&User=anna&DeviceId={self.device}&DeviceType=iPhone"),
            headers=[
                *([("MS-ASProtocolVersion", stated)] if stated else []), ("User-Agent", self.agent),
                ("Content-Type", http.WBXML), *headers,
            ],
            body=_bytes(asked), status=http_status, seconds=took,
            answer_headers=[*([("Content-Type", http.WBXML)] if told_bytes else []), *answer_headers],
            answer=told_bytes, why=why,
        ))
        self.at += took
        return self

    def sync(
        self, key: str, next_key: str = "", *, up: str = "", down: str = "", responses: str = "", status: str = "1",
        folder: str = "5", root: str = "", **others: Any,
    ) -> Script:
        """One folder. `root` stands behind the collections of the request."""
        commands = f"<Commands>{up}</Commands>" if up else ""
        asked = f'<Sync xmlns="AirSync"><Collections><Collection><SyncKey>{key}</SyncKey><CollectionId>{folder}' \
            f"</CollectionId>{commands}</Collection></Collections>{root}</Sync>"
        given = f"<Commands>{down}</Commands>" if down else ""
        given += f"<Responses>{responses}</Responses>" if responses else ""
        told = f'<Sync xmlns="AirSync"><Collections><Collection><SyncKey>{next_key or key}</SyncKey>' \
            f"<CollectionId>{folder}</CollectionId><Status>{status}</Status>{given}</Collection></Collections></Sync>"
        empty = others.get("http_status", 200) != 200 or not (next_key or status != "1")
        return self.say("Sync", asked, "" if empty else told, **others)

    def ping(
        self, heartbeat: int = 480, status: str = "1", *, more: str = "", folder: str = "5", **others: Any
    ) -> Script:
        asked = f'<Ping xmlns="Ping"><HeartbeatInterval>{heartbeat}</HeartbeatInterval><Folders><Folder>' \
            f"<Id>{folder}</Id><Class>Email</Class></Folder></Folders></Ping>"
        told = f'<Ping xmlns="Ping"><Status>{status}</Status>{more}</Ping>' if status else ""
        return self.say("Ping", asked, told, **{"took": float(heartbeat), **others})


def _bytes(document: str | bytes) -> bytes:
    return encode(from_text(document)) if isinstance(document, str) and document else document or b""
