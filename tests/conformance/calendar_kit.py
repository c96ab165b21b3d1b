"""Calendars of devices, for the cases of [MS-ASCAL] and [MS-ASDTYPE]: what one writes, another reads."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lab import Inapplicable, Lab, Login, Talker
from wire import Got, e, sync

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

CALENDAR = 8

#: What was left out of ApplicationData on purpose.
Field = Element


def c(name: str, *content: Any) -> Element:
    """An element of the Calendar page."""
    return e(f"Calendar:{name}", *content)


def compact(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def day(offset: int = 0, hour: int = 10) -> datetime:
    """A whole hour, some days after the first Monday that is at least a month ahead: what is made there is in nobody's
    way, and in no filter's either."""
    ahead = datetime.now(UTC).replace(hour=hour, minute=0, second=0, microsecond=0) + timedelta(days=30)
    return ahead + timedelta(days=(7 - ahead.weekday()) % 7 + offset)


def zone(bias: int = 0) -> str:
    """A time zone without changes. [MS-ASDTYPE] TimeZone"""
    return base64.b64encode(struct.pack("<i168x", bias)).decode()


@dataclass(kw_only=True)
class Book:
    """The calendar of one user on one device, kept in step."""

    talker: Talker
    id: str
    key: str = "0"

    @classmethod
    async def opened(
        cls, lab: Lab, login: Login | None = None, *, supported: Element | None = None, read: bool = True
    ) -> Book:
        """`supported` goes with key 0; `read`: take all that is there."""
        talker = lab.talker(login)
        book = cls(talker=talker, id=await talker.folder(CALENDAR))
        await book._ask(*((supported,) if supported is not None else ()))
        if read:
            await book.read()
        return book

    async def _ask(self, *more: Any) -> Got:
        body = sync(self.key, self.id, *more)
        if self.talker.version < Version.V14_0:
            collection = body.elements[0].elements[0]
            first = (Element("AirSync:Class", "Calendar"), *collection.elements)
            body = e("AirSync:Sync", e("Collections", Element("AirSync:Collection", first)))
        got = await self.talker.post("Sync", body)
        if got.body and (found := got.find("Collections", "Collection", "SyncKey")) is not None:
            assert got.text("Collections", "Collection", "Status") == "1", got.root
            self.key = found.text
        return got

    async def read(self, *more: Any) -> dict[str, Element]:
        """All Adds and Changes that are waiting: ServerId -> ApplicationData."""
        found: dict[str, Element] = {}
        for _ in range(40):
            got = await self._ask(e("WindowSize", "100"), *more)
            if not got.body:
                return found
            for verb in ("Add", "Change"):
                for one in got.all("Collections", "Collection", "Commands", verb):
                    data = one.child("AirSync:ApplicationData")
                    server = one.child("AirSync:ServerId")
                    assert data is not None
                    assert server is not None
                    found[server.text] = data
            if got.find("Collections", "Collection", "MoreAvailable") is None:
                return found
        raise AssertionError("the calendar does not end")

    async def send(self, *commands: Element) -> Got:
        return await self._ask(e("GetChanges", "0"), e("Commands", *commands))

    async def add(self, *fields: Element, client: str = "c1") -> str:
        """The ServerId of a new item."""
        got = await self.send(added(*fields, client=client))
        if _texts(got, "Add", "Status") != ["1"] and any(_of_another_calendar(field) for field in fields):
            raise Inapplicable("the server keeps no recurrences by other calendars than the Gregorian (RFC 7529)")
        assert _texts(got, "Add", "Status") == ["1"], got.root
        return _texts(got, "Add", "ServerId")[0]

    async def refused(self, *fields: Element) -> str:
        """The status of an Add that is to fail; nothing is stored then."""
        got = await self.send(added(*fields))
        (status,) = _texts(got, "Add", "Status")
        assert status != "1", got.root
        assert not _texts(got, "Add", "ServerId")
        return status

    async def change(self, server: str, *fields: Element, instance: str = "") -> Got:
        return await self.send(changed(server, *fields, instance=instance))

    async def delete(self, server: str, *, instance: str = "") -> Got:
        named = (e("AirSyncBase:InstanceId", instance),) if instance else ()
        return await self.send(e("AirSync:Delete", e("ServerId", server), *named))


def _of_another_calendar(field: Element) -> bool:
    kinds = [one.text for one in field.elements if one.tag == "Calendar:CalendarType"]
    return any(kind not in ("0", "1") for kind in kinds)


def added(*fields: Element, client: str = "c1") -> Element:
    return e("AirSync:Add", e("ClientId", client), Element("AirSync:ApplicationData", fields))


def changed(server: str, *fields: Element, instance: str = "") -> Element:
    named = (e("AirSyncBase:InstanceId", instance),) if instance else ()
    return e("AirSync:Change", e("ServerId", server), *named, Element("AirSync:ApplicationData", fields))


def _texts(got: Got, verb: str, name: str) -> list[str]:
    return [found.text for found in got.all("Collections", "Collection", "Responses", verb, name)]


def status_of(got: Got, verb: str) -> str:
    """The status of the one command of this verb; a Change or Delete without an answer succeeded."""
    found = _texts(got, verb, "Status") if got.body else []
    return found[0] if found else "1"


async def stored(lab: Lab, server: str, login: Login | None = None) -> Element:
    """What another device of the user is shown of an item."""
    book = await Book.opened(lab, login, read=False)
    return (await book.read())[server]


async def kept(lab: Lab, *fields: Element) -> Element:
    """What becomes of an item with these fields: added by one device, read by another."""
    book = await Book.opened(lab, read=False)
    server = await book.add(*fields)
    shown = await stored(lab, server)
    await book.delete(server)
    return shown


def text(item: Element, *path: str) -> str:
    """The text at the end of a path of local names; fails if it is not there."""
    found = inner(item, *path)
    assert found, f"no {'/'.join(path)} in {item}"
    return found[0].text


def inner(item: Element, *path: str) -> list[Element]:
    at = [item]
    for name in path:
        at = [child for parent in at for child in parent.elements if child.tag.partition(":")[2] == name]
    return at


def names(item: Element) -> list[str]:
    return [child.tag.partition(":")[2] for child in item.elements]


def timed(lab: Lab, start: datetime, *fields: Element, hours: int = 1) -> tuple[Element, ...]:
    """Fields of an appointment as every version wants them."""
    return (
        c("Timezone", zone()), c("AllDayEvent", "0"), c("StartTime", compact(start)),
        c("EndTime", compact(start + timedelta(hours=hours))), c("Subject", lab.unique()), *fields,
    )


def weekly(*fields: Element, count: int = 5) -> Element:
    return c(
        "Recurrence", c("Type", "1"), c("Interval", "1"), c("Occurrences", str(count)), c("DayOfWeek", "2"), *fields
    )
