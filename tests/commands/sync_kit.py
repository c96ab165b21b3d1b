"""One collection on one device, said and heard element by element."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from mail_kit import DOMAIN, Mailroom
from wire import Got, Wire, e

from eas.backends.embedded import items, prepare
from eas.backends.embedded.access import folder_number
from eas.engine.model import FolderType
from eas.protocol.wbxml import Element

VERSIONS = ("12.1", "14.0", "14.1", "16.0", "16.1")
#: Those without empty requests and answers, without waits.
OLD_VERSIONS = ("2.5", "12.0")


def collection(id: str, key: str, *more: Any, item_class: str = "") -> Element:
    first = (e("Class", item_class),) if item_class else ()
    return e("AirSync:Collection", *first, e("SyncKey", key), e("CollectionId", id), *more)


def request(*collections: Element, more: tuple[Any, ...] = ()) -> Element:
    inside = (e("Collections", *collections),) if collections else ()
    return e("AirSync:Sync", *inside, *more)


def commands(*given: Element) -> Element:
    return e("AirSync:Commands", *given)


def data(**fields: str) -> Element:
    """ApplicationData of a contact."""
    return e("AirSync:ApplicationData", *(Element(f"Contacts:{tag}", text) for tag, text in fields.items()))


def add(client_id: str, content: Element) -> Element:
    return e("AirSync:Add", e("ClientId", client_id), content)


def change(server_id: str, content: Element) -> Element:
    return e("AirSync:Change", e("ServerId", server_id), content)


def mail(*given: Element) -> Element:
    """ApplicationData of a message's Change."""
    return e("AirSync:ApplicationData", *given)


def delete(server_id: str) -> Element:
    return e("AirSync:Delete", e("ServerId", server_id))


def fetch(server_id: str) -> Element:
    return e("AirSync:Fetch", e("ServerId", server_id))


def vcard(name: str, *lines: str, uid: str = "") -> bytes:
    return "\r\n".join((
        "BEGIN:VCARD", "VERSION:3.0", f"UID:{uid or name}", f"FN:{name}", f"N:;{name};;;", *lines, "END:VCARD", "",
    )).encode()


#: Seconds that an answer may take which has nothing to wait for.
SOON = 30.0


async def waiting(room: Mailroom, count: int = 1) -> None:
    """Until so many requests wait."""
    async with asyncio.timeout(SOON):
        while room.world.app.bell.waiting < count:  # noqa: ASYNC110 - the bell tells nobody who listens
            await asyncio.sleep(0.005)


def cases(names: str | tuple[str, ...], table: Iterable[Any], ids: Any = None) -> Callable[[Any], Any]:
    """As parametrize, but in one test and one world: for requests that change nothing. `ids` are for the reader."""
    parameters = (names,) if isinstance(names, str) else names
    rows = [(row,) if isinstance(names, str) else row for row in table]

    def wrap(test: Any) -> Any:
        @wraps(test)
        async def every(**given: Any) -> None:
            for row in rows:
                try:
                    await test(**given, **dict(zip(parameters, row, strict=True)))
                except AssertionError as error:
                    raise AssertionError(f"{dict(zip(parameters, row, strict=True))}: {error}") from error

        signature = inspect.signature(test)
        kept = [one for name, one in signature.parameters.items() if name not in parameters]
        every.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
        return every

    return wrap


def local(element: Element) -> str:
    return element.tag.partition(":")[2]


@dataclass(frozen=True)
class Told:
    """What an answer says of one collection. `said` are (verb, ServerId) in order."""

    element: Element

    def text(self, name: str) -> str:
        found = self.element.child(f"AirSync:{name}")
        assert found is not None, f"no {name} in {self.element}"
        return found.text

    @property
    def status(self) -> str:
        return self.text("Status")

    @property
    def more(self) -> bool:
        return self.element.child("AirSync:MoreAvailable") is not None

    @property
    def order(self) -> list[str]:
        return [local(child) for child in self.element.elements]

    def _inside(self, name: str) -> tuple[Element, ...]:
        found = self.element.child(f"AirSync:{name}")
        return () if found is None else found.elements

    @property
    def commands(self) -> tuple[Element, ...]:
        return self._inside("Commands")

    @property
    def responses(self) -> tuple[Element, ...]:
        return self._inside("Responses")

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(local(c), c.child("AirSync:ServerId").text) for c in self.commands]  # type: ignore[union-attr]

    def data(self, server_id: str) -> Element:
        """The ApplicationData of an Add or Change."""
        for given in (*self.commands, *self.responses):
            id, content = given.child("AirSync:ServerId"), given.child("AirSync:ApplicationData")
            if id is not None and content is not None and id.text == server_id:
                return content
        raise AssertionError(f"nothing is said of {server_id} in {self.element}")

    def answered(self, verb: str) -> list[dict[str, str]]:
        """The texts of the Responses of one verb."""
        return [{local(c): c.text for c in r.elements if not c.elements} for r in self.responses if local(r) == verb]


def told(got: Got) -> list[Told]:
    assert got.http == 200
    return [] if not got.body else [Told(found) for found in got.all("Collections", "Collection")]


@dataclass(kw_only=True)
class Box:
    """A collection that a device keeps in step. `options` go with each request but the first."""

    wire: Wire
    id: str
    key: str = "0"
    options: tuple[Any, ...] = ()
    history: list[str] = field(default_factory=list)

    async def ask(self, *more: Any, key: str | None = None, last: tuple[Any, ...] = ()) -> Got:
        """`last` stands behind the Collections."""
        return await self.wire.post(
            "Sync", request(collection(self.id, self.key if key is None else key, *more), more=last)
        )

    async def go(self, *more: Any, last: tuple[Any, ...] = ()) -> Told | None:
        """Ask, and take the answer with its key; None for an empty answer."""
        answers = told(await self.ask(*more, last=last))
        if not answers:
            return None
        (answer,) = answers
        assert answer.status == "1", answer.element
        self.history.append(self.key)
        self.key = answer.text("SyncKey")
        return answer

    async def sure(self, *more: Any, last: tuple[Any, ...] = ()) -> Told:
        answer = await self.go(*more, last=last)
        assert answer is not None, "nothing was said"
        return answer

    async def begin(self, *more: Any) -> Box:
        """Key 0, and then all that is there. `more` goes with both, as options do."""
        await self.sure(*more)
        while (answer := await self.go()) is not None and answer.more:
            pass
        return self


async def box(wire: Wire, room: Mailroom, type: FolderType, login: str = "anna") -> Box:
    return Box(wire=wire, id=(await room.folder(login, type)).id)


async def many_contacts(room: Mailroom, count: int, login: str = "anna") -> str:
    """So many contacts at once; the folder's id."""
    folder = await room.folder(login, FolderType.CONTACTS)
    number = folder_number(folder.id)
    assert number is not None
    prepared = [prepare.record("Contacts", vcard(f"Contact {n}")) for n in range(count)]

    def work(tx: Any) -> None:
        for n, one in enumerate(prepared):
            items.create(tx, number, one, f"many-{n}")

    await room.world.app.embedded.groupware.write(work)
    return folder.id


__all__ = [
    "DOMAIN", "OLD_VERSIONS", "SOON", "VERSIONS", "Box", "Told", "add", "box", "cases", "change", "collection",
    "commands", "data", "delete", "fetch", "local", "mail", "many_contacts", "request", "told", "vcard", "waiting",
]
