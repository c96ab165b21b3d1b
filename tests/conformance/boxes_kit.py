"""A collection that one device keeps in step, asked and heard element by element, for the cases on Sync and its kin."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lab import Lab, Login, Talker
from wire import Got, e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

#: Folder types. [MS-ASCMD] Type (FolderSync)
INBOX, DELETED_ITEMS, TASKS, CALENDAR, CONTACTS, NOTES, RECIPIENTS = 2, 4, 7, 8, 9, 10, 19
CLASS_OF = {
    INBOX: "Email", DELETED_ITEMS: "Email", TASKS: "Tasks", CALENDAR: "Calendar", CONTACTS: "Contacts",
    NOTES: "Notes", RECIPIENTS: "Contacts",
}
#: How often a device asks on while there is more, and how long mail may take.
ROUNDS = 50
MAIL_SECONDS = 60.0


def local(element: Element) -> str:
    return element.tag.partition(":")[2]


def child_text(element: Element, name: str) -> str | None:
    """The text of the first child of a local name; None if there is none."""
    return next((child.text for child in element.elements if local(child) == name), None)


def options(*inside: Element) -> Element:
    return e("AirSync:Options", *inside)


def filtered(value: int) -> Element:
    return options(e("FilterType", str(value)))


def commands(*given: Element) -> Element:
    return e("AirSync:Commands", *given)


def data(*given: Element) -> Element:
    return Element("AirSync:ApplicationData", given)


def add(client_id: str, content: Element, item_class: str = "") -> Element:
    kind = (e("Class", item_class),) if item_class else ()
    return e("AirSync:Add", *kind, e("ClientId", client_id), content)


def change(server_id: str, content: Element) -> Element:
    return e("AirSync:Change", e("ServerId", server_id), content)


def delete(server_id: str) -> Element:
    return e("AirSync:Delete", e("ServerId", server_id))


def fetch(server_id: str) -> Element:
    return e("AirSync:Fetch", e("ServerId", server_id))


def contact(**fields: str) -> Element:
    return data(*(Element(f"Contacts:{tag}", text) for tag, text in fields.items()))


def task(subject: str, *, complete: bool = False) -> Element:
    done = (e("Tasks:DateCompleted", "2020-01-02T00:00:00.000Z"),) if complete else ()
    return data(e("Tasks:Subject", subject), e("Tasks:Complete", "1" if complete else "0"), *done)


def event(subject: str, start: datetime, uid: str, *, version: Version, recurs: bool = False) -> Element:
    """An hour long appointment; `recurs` weekly without end."""
    def compact(moment: datetime) -> str:
        return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"

    old = version < Version.V16_0
    named = (e("Calendar:UID", uid), e("Calendar:DtStamp", compact(start))) if old else ()
    rule = (e("Calendar:Recurrence", e("Type", "0"), e("Interval", "1")),) if recurs else ()
    return data(
        *named, e("Calendar:StartTime", compact(start)), e("Calendar:EndTime", compact(start + timedelta(hours=1))),
        e("Calendar:Subject", subject), e("Calendar:AllDayEvent", "0"), *rule,
    )


@dataclass(frozen=True)
class Told:
    """What an answer says of one collection."""

    element: Element

    def text(self, name: str) -> str:
        found = child_text(self.element, name)
        assert found is not None, f"no {name} in {self.element}"
        return found

    @property
    def status(self) -> str:
        return self.text("Status")

    @property
    def names(self) -> list[str]:
        return [local(child) for child in self.element.elements]

    @property
    def more(self) -> bool:
        return "MoreAvailable" in self.names

    def inside(self, name: str, *verbs: str) -> list[Element]:
        """The children of Commands or Responses, of some verbs if any are named."""
        return [
            one for found in self.element.elements if local(found) == name for one in found.elements
            if not verbs or local(one) in verbs
        ]

    def said(self, *verbs: str) -> dict[str, Element]:
        """The commands to the device by ServerId."""
        return {child_text(one, "ServerId") or "": one for one in self.inside("Commands", *verbs)}

    def statuses(self, verb: str) -> list[str]:
        return [child_text(one, "Status") or "" for one in self.inside("Responses", verb)]


def told(got: Got) -> list[Told]:
    assert got.http == 200, got.http
    return [Told(found) for found in got.all("Collections", "Collection")] if got.body else []


@dataclass(kw_only=True)
class Box:
    """`has` are the ApplicationData by ServerId, as the device last heard of them. `answers` are all documents."""

    talker: Talker
    id: str
    type: int
    key: str = "0"
    has: dict[str, Element] = field(default_factory=dict)
    answers: list[Element] = field(default_factory=list)

    def collection(self, *more: Any, key: str | None = None) -> Element:
        old = self.talker.version <= Version.V12_1
        kind = (e("Class", CLASS_OF.get(self.type, "Email")),) if old else ()
        return e(
            "AirSync:Collection", *kind, e("SyncKey", self.key if key is None else key), e("CollectionId", self.id),
            *more,
        )

    async def ask(self, *more: Any, key: str | None = None, last: tuple[Any, ...] = ()) -> Got:
        """`more` stands in the collection, `last` behind the Collections. The key is not taken."""
        got = await self.talker.post(
            "Sync", e("AirSync:Sync", e("Collections", self.collection(*more, key=key)), *last)
        )
        if got.http == 200 and got.body:
            self.answers.append(got.root)
        return got

    async def go(self, *more: Any, last: tuple[Any, ...] = (), key: str | None = None) -> Told | None:
        """Ask and take the answer; None for one that has nothing for this collection."""
        answers = told(await self.ask(*more, key=key, last=last))
        if not answers:
            return None
        (answer,) = answers
        assert answer.status == "1", answer.element
        self.key = answer.text("SyncKey")
        for id, one in answer.said("Add", "Change").items():
            content = next(child for child in one.elements if local(child) == "ApplicationData")
            self.has[id] = content if local(one) == "Add" else self.has.get(id, content)
        for id in answer.said("Delete", "SoftDelete"):
            self.has.pop(id, None)
        return answer

    async def sure(self, *more: Any, last: tuple[Any, ...] = ()) -> Told:
        answer = await self.go(*more, last=last)
        assert answer is not None, "nothing was said"
        return answer

    async def begin(self, *first: Any) -> Box:
        """Key 0 with what is given, then all that is there."""
        await self.sure(*first)
        return await self.pull()

    async def pull(self, *more: Any) -> Box:
        for _ in range(ROUNDS):
            answer = await self.go(*more)
            if answer is None or not answer.more:
                return self
        raise AssertionError("there is always more")

    async def add(self, content: Element) -> str:
        """Add one item; its ServerId."""
        answer = await self.sure(commands(add(f"c{len(self.has)}{len(self.answers)}", content)))
        assert answer.statuses("Add") == ["1"], answer.element
        (one,) = answer.inside("Responses", "Add")
        id = child_text(one, "ServerId")
        assert id, answer.element
        self.has[id] = content
        return id

    def with_text(self, text: str) -> list[str]:
        """The ServerIds of the items in which a text stands."""
        return [id for id, content in self.has.items() if text in str(content)]


async def box(lab: Lab, type: int, talker: Talker | None = None, login: Login | None = None) -> Box:
    talker = talker or lab.talker(login)
    return Box(talker=talker, id=await talker.folder(type), type=type)


async def second(lab: Lab, other: Box) -> Box:
    """The same collection on another device of the user, with all that is in it."""
    return await (await box(lab, other.type, login=other.talker.login)).begin()


async def send(lab: Lab, sender: Login, to: str, subject: str, text: str = "Hello.", more: str = "") -> None:
    """A plain message, as devices of the version send them. `more` are whole header lines."""
    mime = (
        f"From: <{sender.address}>\r\nTo: {to}\r\n{more}Subject: {subject}\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()
    await send_mime(lab, sender, mime, subject)


async def send_mime(lab: Lab, sender: Login, mime: bytes, client_id: str) -> None:
    talker = lab.talker(sender)
    if lab.version <= Version.V12_1:
        got = await talker.post("SendMail", mime, content_type="message/rfc822")
    else:
        got = await talker.post(
            "SendMail", e("ComposeMail:SendMail", e("ClientId", client_id[-40:]), e("Mime", mime))
        )
    assert got.http == 200, got.http
    assert not got.body, got.root


async def received(lab: Lab, subject: str, inbox: Box) -> str:
    """The ServerId of a message that is on its way into an inbox that has begun."""
    async with asyncio.timeout(MAIL_SECONDS):
        while True:
            await inbox.pull()
            if ids := inbox.with_text(subject):
                return ids[0]
            await asyncio.sleep(0.2)


async def letter(lab: Lab, text: str = "Hello.", more: str = "", *first: Any) -> tuple[Box, str, str]:
    """A message in my inbox: the inbox on a new device, the ServerId, the subject."""
    subject = lab.unique("letter")
    await send(lab, lab.other, lab.me.address, subject, text, more)
    inbox = await (await box(lab, INBOX)).begin(*first)
    return inbox, await received(lab, subject, inbox), subject


def properties(content: Element) -> dict[str, str]:
    return {local(one): one.text for one in content.elements if not one.elements}
