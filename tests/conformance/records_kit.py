"""One folder of contacts, tasks or notes as one device keeps it, element by element, for the cases on these classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lab import Inapplicable, Lab, Login, Talker
from wire import Got, e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

#: Folder types of the user's own folders. [MS-ASCMD] Type (FolderSync)
CONTACTS, TASKS, NOTES = 9, 7, 10
CLASS_OF = {CONTACTS: "Contacts", TASKS: "Tasks", NOTES: "Notes"}
#: How often a device asks on while there is more.
ROUNDS = 50


@dataclass(kw_only=True)
class Shelf:
    """`items` are the ApplicationData by ServerId as the device last heard of them; `last` is the last answer."""

    talker: Talker
    collection: str
    item_class: str
    key: str = "0"
    items: dict[str, Element] = field(default_factory=dict)
    #: Children of Options.
    options: tuple[Element, ...] = ()
    last: Got | None = None
    counted: int = 0

    async def sync(self, *commands: Element, status: str = "1", changes: bool = True) -> Got:
        """One Sync with these commands; its news go into `items`."""
        old, version = self.key != "0", self.talker.version
        parts = [e("Class", self.item_class)] if version <= Version.V12_1 else []
        parts += [e("SyncKey", self.key), e("CollectionId", self.collection)]
        parts += [e("GetChanges", "1" if changes else "0"), e("WindowSize", "512")] if old else []
        parts += [e("Options", *self.options)] if old and self.options else []
        parts += [e("Commands", *commands)] if commands else []
        got = await self.talker.post("Sync", e("AirSync:Sync", e("Collections", e("Collection", *parts))))
        self.last = got
        assert got.http == 200, got.http
        if got.body:
            found = got.find("Status") or got.find("Collections", "Collection", "Status")
            assert found is not None
            assert found.text == status, got.root
            if status == "1":
                self._take(got)
        return got

    def _take(self, got: Got) -> None:
        self.key = got.text("Collections", "Collection", "SyncKey")
        commands = ("Collections", "Collection", "Commands")
        for verb in ("Add", "Change"):
            for one in got.all(*commands, verb):
                self.items[child(one, "AirSync:ServerId").text] = child(one, "AirSync:ApplicationData")
        for verb in ("Delete", "SoftDelete"):
            for one in got.all(*commands, verb):
                self.items.pop(child(one, "AirSync:ServerId").text, None)

    async def pull(self) -> dict[str, Element]:
        for _ in range(ROUNDS):
            got = await self.sync()
            if not got.body or got.find("Collections", "Collection", "MoreAvailable") is None:
                return self.items
        raise AssertionError("there is always more")

    async def add(self, *data: Element) -> tuple[str, str]:
        """Status and ServerId ("" if it was refused)."""
        self.counted += 1
        named = f"{self.talker.device}{self.counted}"
        kind = [e("Class", self.item_class)] if self.talker.version == Version.V2_5 else []
        got = await self.sync(
            e("AirSync:Add", *kind, e("ClientId", named), Element("AirSync:ApplicationData", data)), changes=False
        )
        for one in got.all("Collections", "Collection", "Responses", "Add"):
            if text(one, "AirSync:ClientId") == named:
                return text(one, "AirSync:Status"), text(one, "AirSync:ServerId")
        raise AssertionError(f"no answer to the Add in {got.root}")

    async def change(self, server_id: str, *data: Element) -> str:
        """The status; one that succeeds need not be answered."""
        got = await self.sync(
            e("AirSync:Change", e("ServerId", server_id), Element("AirSync:ApplicationData", data)), changes=False
        )
        for one in got.all("Collections", "Collection", "Responses", "Change") if got.body else ():
            if text(one, "AirSync:ServerId") == server_id:
                return text(one, "AirSync:Status")
        return "1"

    async def delete(self, *server_ids: str) -> None:
        await self.sync(*(e("AirSync:Delete", e("ServerId", one)) for one in server_ids), changes=False)
        for one in server_ids:
            self.items.pop(one, None)


async def shelf(
    lab: Lab, type: int, *, login: Login | None = None, supported: tuple[str, ...] | None = None,
    preference: tuple[Element, ...] | None = None, status: str = "1",
) -> Shelf:
    """A new device that has started the folder. `supported` are tags; () for an empty element. `preference` are the
    children of BodyPreference, plain text if None."""
    talker = lab.talker(login)
    options: tuple[Element, ...] = ()
    if lab.version >= Version.V12_0:
        asked = (e("AirSyncBase:Type", "1"),) if preference is None else preference
        options = (Element("AirSyncBase:BodyPreference", asked),)
    one = Shelf(
        talker=talker, collection=await talker.folder(type), item_class=CLASS_OF[type], options=options
    )
    kind = [e("Class", one.item_class)] if lab.version <= Version.V12_1 else []
    named = [] if supported is None else [e("AirSync:Supported", *(Element(tag, ()) for tag in supported))]
    got = await talker.post("Sync", e("AirSync:Sync", e("Collections", e(
        "Collection", *kind, e("SyncKey", "0"), e("CollectionId", one.collection), *named
    ))))
    found = got.find("Status") or got.find("Collections", "Collection", "Status")
    assert found is not None, got.root
    assert found.text == status, got.root
    one.last = got
    if status == "1":
        one.key = got.text("Collections", "Collection", "SyncKey")
    return one


async def travelled(lab: Lab, type: int, *data: Element, **values: Any) -> tuple[Shelf, str, Element]:
    """Add an item on one device, and read it on another: that one's shelf, the ServerId and the ApplicationData."""
    one, two = await shelf(lab, type), await shelf(lab, type, **values)
    status, id = await one.add(*data)
    parts = [part for field in data for part in field.elements if part.tag.endswith(":CalendarType")]
    if status != "1" and any(part.text not in ("0", "1") for part in parts):
        raise Inapplicable("the server keeps no recurrences by other calendars than the Gregorian (RFC 7529)")
    assert status == "1", status
    assert id
    items = await two.pull()
    return two, id, items[id]


def child(of: Element, tag: str) -> Element:
    found = next((one for one in of.elements if one.tag == tag), None)
    assert found is not None, f"no {tag} in {of}"
    return found


def text(of: Element, *path: str) -> str:
    """The text at the end of a path of tags; "" if there is none."""
    for tag in path:
        found = next((one for one in of.elements if one.tag == tag), None)
        if found is None:
            return ""
        of = found
    return of.text


def tags(of: Element) -> list[str]:
    return [one.tag for one in of.elements]


def texts(of: Element, container: str, each: str) -> list[str]:
    return [inner.text for one in of.elements if one.tag == container for inner in one.elements if inner.tag == each]


def inline(text: str) -> bytes:
    """A text as an inline string of WBXML."""
    return b"\x03" + text.encode() + b"\x00"


def body(version: Version, said: str, namespace: str, kind: str = "1") -> Element:
    """The body element of a class, as the version has it."""
    if version == Version.V2_5:
        return Element(f"{namespace}:Body", said)
    return e("AirSyncBase:Body", e("Type", kind), e("Data", said))


def body_text(version: Version, data: Element, namespace: str) -> str:
    if version == Version.V2_5:
        return text(data, f"{namespace}:Body")
    return text(data, "AirSyncBase:Body", "AirSyncBase:Data")
