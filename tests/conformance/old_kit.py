"""A device that keeps its collections in step, element by element, in any version: for cases that follow one for long.

What differs with the versions stands here: the class in the collection up to 12.1, messages as bodies of requests up to
12.1, bodies and attachments by their old elements in 2.5.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab import BEFORE_14, Lab, Login, Talker
from wire import Got, e

from eas.protocol import query as queries
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

#: Folder types. [MS-ASCMD] Type (FolderSync)
INBOX, DELETED, SENT, TASKS, CALENDAR, CONTACTS, NOTES, MAIL = 2, 4, 5, 7, 8, 9, 10, 12
CLASS_OF = {INBOX: "Email", DELETED: "Email", SENT: "Email", TASKS: "Tasks", CALENDAR: "Calendar", CONTACTS: "Contacts"}

#: Nobody's password. Always the same one, so that a server which slows down whoever tries many does not mind.
WRONG = "not-the-password-of-anybody"

#: Seconds that a message may take to arrive, and between two looks at the folder.
ARRIVES_IN, LOOK_EVERY = 30.0, 0.2


def local(element: Element) -> str:
    return element.tag.partition(":")[2]


def child(element: Element | None, name: str) -> Element | None:
    """The first child with a local name."""
    return next((one for one in (element.elements if element else ()) if local(one) == name), None)


def text(element: Element | None, *path: str) -> str | None:
    """The text at the end of a path of local names; None where there is no such element."""
    for name in path:
        element = child(element, name)
    return None if element is None else element.text


def mime(
    subject: str, words: str = "Some words.", *, to: str, sender: str, html: str = "", attachment: bytes | None = None,
) -> bytes:
    """A message as a device writes it: text, with HTML beside it, with a file `notes.txt`."""
    head = f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
    body = f"Content-Type: text/plain; charset=utf-8\r\n\r\n{words}\r\n"
    if html:
        body = (
            f"Content-Type: multipart/alternative; boundary=alt\r\n\r\n--alt\r\n{body}"
            f"--alt\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n--alt--\r\n"
        )
    if attachment is not None:
        body = (
            f"Content-Type: multipart/mixed; boundary=mix\r\n\r\n--mix\r\n{body}"
            "--mix\r\nContent-Type: text/plain; name=notes.txt\r\n"
            "Content-Disposition: attachment; filename=notes.txt\r\n\r\n" + attachment.decode() + "\r\n--mix--\r\n"
        )
    return (head + body).encode()


@dataclass(kw_only=True)
class Kept:
    """One collection on a device: its key, and the ApplicationData of what the server has told of each item."""

    device: Device
    id: str
    item_class: str
    key: str = "0"
    items: dict[str, Element] = field(default_factory=dict)

    def request(self, *more: Element, key: str | None = None) -> Element:
        named = [e("Class", self.item_class)] if self.device.version in BEFORE_14 else []
        inside = [*named, e("SyncKey", self.key if key is None else key), e("CollectionId", self.id), *more]
        return e("AirSync:Sync", e("Collections", e("Collection", *inside)))

    async def sync(self, *more: Element) -> Element | None:
        """One Sync, with its changes and its key taken; the Collection of the answer, None for an empty answer."""
        got = await self.device.talker.post("Sync", self.request(*more))
        assert got.http == 200, (got.http, got.body)
        if not got.body:
            return None
        found = got.find("Collections", "Collection")
        assert found is not None, got.root
        assert text(found, "Status") == "1", found
        self.key = text(found, "SyncKey") or ""
        commands = child(found, "Commands")
        for one in commands.elements if commands else ():
            self._take(one)
        return found

    def _take(self, one: Element) -> None:
        id, data = text(one, "ServerId"), child(one, "ApplicationData")
        assert id is not None, one
        if data is not None:
            self.items[id] = data
        else:
            self.items.pop(id, None)

    async def begin(self, *more: Element) -> Kept:
        """Key 0, then all that there is. `more` are the options."""
        first = await self.sync()
        assert first is not None
        assert child(first, "Commands") is None, "the first answer has nothing but a key"
        await self.catch_up(*more)
        return self

    async def catch_up(self, *more: Element) -> None:
        while (found := await self.sync(*more)) is not None and child(found, "MoreAvailable") is not None:
            more = ()

    async def send(self, *commands: Element) -> list[Element]:
        """Commands, and what is answered to them one by one."""
        found = await self.sync(e("GetChanges", "0"), e("Commands", *commands))
        responses = child(found, "Responses")
        return list(responses.elements) if responses else []

    async def add(self, *data: Element) -> str:
        """A new item; its ServerId."""
        (answer,) = await self.send(e("AirSync:Add", e("ClientId", "1"), e("ApplicationData", *data)))
        assert text(answer, "Status") == "1", answer
        id = text(answer, "ServerId")
        assert id is not None
        return id

    async def change(self, id: str, *data: Element) -> None:
        assert await self.send(e("AirSync:Change", e("ServerId", id), e("ApplicationData", *data))) == []

    async def arrived(self, subject: str, *options: Element) -> str:
        """The ServerId of the message with this subject, as soon as it is there."""
        async with asyncio.timeout(ARRIVES_IN):
            while True:
                await self.catch_up(*options)
                for id, data in self.items.items():
                    if subject in (text(data, "Subject") or ""):
                        return id
                await asyncio.sleep(LOOK_EVERY)


@dataclass(kw_only=True)
class Device:
    """A talker that has heard of its folders."""

    talker: Talker
    sent: int = 0

    @classmethod
    async def of(cls, talker: Talker) -> Device:
        await talker.folder(INBOX)
        return cls(talker=talker)

    @property
    def version(self) -> Version:
        return self.talker.version

    @property
    def address(self) -> str:
        return self.talker.login.address

    async def kept(self, type: int, *options: Element) -> Kept:
        """The first folder of a type, in step."""
        id = await self.talker.folder(type)
        return await Kept(device=self, id=id, item_class=CLASS_OF[type]).begin(*options)

    async def mail(
        self, message: bytes, command: str = "SendMail", *, save: bool = False, folder: str = "", item: str = "",
        long_id: str = "", instance: str = "",
    ) -> Got:
        """SendMail and its like, in the form of the version."""
        if self.version in BEFORE_14:
            named = {"CollectionId": folder, "ItemId": item, "LongId": long_id, "Occurrence": instance}
            return await self.talker.post(
                command, message, content_type="message/rfc822", SaveInSent="T" if save else "", **named
            )
        named = {"FolderId": folder, "ItemId": item, "LongId": long_id, "InstanceId": instance}
        parts = [e(name, value) for name, value in named.items() if value]
        source = [e("Source", *parts)] if parts else []
        self.sent += 1
        kept = [e("SaveInSentItems")] if save else []
        return await self.talker.post(
            command, e(f"ComposeMail:{command}", e("ClientId", f"sent-{self.sent}"), *source, *kept, e("Mime", message))
        )

    async def folders(self) -> list[dict[str, str]]:
        """All folders, as a device that starts anew hears of them."""
        got = await self.talker.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
        assert got.status == "1"
        return [{local(part): part.text for part in add.elements} for add in got.all("Changes", "Add")]


async def device(lab: Lab, **values: Any) -> Device:
    return await Device.of(lab.talker(**values))


class Coded(Talker):
    """A talker that says everything in the base64 form of the query, and nothing of it in headers. From 12.1."""

    async def post(
        self, command: str, body: Element | bytes | None = None, *, content_type: str = "", query: str | None = None,
        headers: Mapping[str, str] | None = None, **parameters: str,
    ) -> Got:
        named = {queries.FIELD_OF_PARAMETER[name]: text for name, text in parameters.items() if name in _NAMED and text}
        said = queries.Query(
            command=command, device_id=self.device, device_type=self.type, user=self.login.user, version=self.version,
            policy_key=int(self.key) if self.key else None, save_in_sent=parameters.get("SaveInSent") == "T",
            accept_multipart=parameters.get("AcceptMultiPart") == "T", **named,
        )
        unsaid = {"MS-ASProtocolVersion": "", "X-MS-PolicyKey": "", **(headers or {})}
        token = queries.encode_base64(said)
        return await super().post(command, body, content_type=content_type, query=query or token, headers=unsaid)


_NAMED = queries.FIELD_OF_PARAMETER.keys()


def coded(lab: Lab, login: Login | None = None) -> Coded:
    """A new device that speaks so."""
    plain = lab.talker(login)
    return Coded(client=plain.client, login=plain.login, version=plain.version, device=plain.device)


def shown(element: Element) -> list[str]:
    """The tags of the children, in order."""
    return [one.tag for one in element.elements]
