"""[MS-ASCMD] Ping. A wait that runs out takes a minute at least, so that none does here."""

from __future__ import annotations

import asyncio
from typing import Any

from boxes_kit import CONTACTS, INBOX, TASKS, Box, add, box, commands, contact, delete, letter, received, send
from lab import FROM_12_1, Lab, Talker, case
from shapes_kit import BYTE, CONTAINER, NUMBER, TEXT, Shape, check, ids_of
from wire import Got, e

from eas.protocol.wbxml import Element

PING = "Ping:Ping"
CLASSES = {INBOX: "Email", CONTACTS: "Contacts", TASKS: "Tasks"}
SHORTEST, LONGEST = 60, 3540
#: Seconds for an answer that has nothing to wait for.
SOON = 60.0

SHAPES = {
    (PING,): Shape(
        ids="R3676 R2388 R2389 R2390 R2391", kind=CONTAINER,
        children=frozenset(("HeartbeatInterval", "Folders", "MaxFolders", "Status")),
    ),
    (PING, "Status"): Shape(ids="R4227 R2739 R2740 R2741 R2742 R4231", kind=BYTE, least=1),
    (PING, "HeartbeatInterval"): Shape(ids="R1780 R1781 R1782 R1783", kind=NUMBER),
    (PING, "Folders"): Shape(ids="R1707 R1708 R1709 R1710", kind=CONTAINER, children=frozenset(("Folder",))),
    (PING, "Folders", "Folder"): Shape(ids="R3082 R1675 R1676 R1677 R1678", kind=TEXT, least=1, most=None),
}


def ping(*boxes: Box, heartbeat: int | None = LONGEST) -> Element:
    folders = [e("Folder", e("Id", one.id), e("Class", CLASSES[one.type])) for one in boxes]
    interval = () if heartbeat is None else (e("HeartbeatInterval", str(heartbeat)),)
    return e(PING, *interval, *((e("Folders", *folders),) if folders else ()))


async def soon(talker: Talker, body: Any) -> Got:
    async with asyncio.timeout(SOON):
        return await talker.post("Ping", body)


@case("MS-ASCMD", "R4240 R4241 R4228")
async def without_folders_and_interval_something_is_missing(lab: Lab) -> None:
    for body in (None, e(PING), e(PING, e("HeartbeatInterval", "600"))):
        assert (await soon(lab.talker(), body)).status == "3", body
    contacts = await (await box(lab, CONTACTS)).begin()
    assert (await soon(contacts.talker, ping(contacts, heartbeat=None))).status == "3"


@case("MS-ASCMD", "R4244 R6699")
async def what_cannot_be_read_is_said_so(lab: Lab) -> None:
    contacts = await (await box(lab, CONTACTS)).begin()
    folder = e("Folder", e("Id", contacts.id), e("Class", "Contacts"))
    for body in (
        e(PING, e("HeartbeatInterval", "soon"), e("Folders", folder)),
        e(PING, e("HeartbeatInterval", "600"), e("Folders", e("Folder", e("Class", "Contacts")))),
        e(PING, e("HeartbeatInterval", "600"), e("Folders", e("Folder", e("Id", contacts.id)))),
        e(PING, e("HeartbeatInterval", "600"), e("Folders", folder, folder)),  # R6699
    ):
        assert (await soon(contacts.talker, body)).status == "4", body


@case("MS-ASCMD", "R5690 R5691 R4249 R5837")
async def the_interval_has_bounds(lab: Lab) -> None:
    contacts = await (await box(lab, CONTACTS)).begin()
    for asked, bound in ((1, SHORTEST), (59, SHORTEST), (3541, LONGEST), (86400, LONGEST)):
        got = await soon(contacts.talker, ping(contacts, heartbeat=asked))
        assert (got.status, got.text("HeartbeatInterval")) == ("5", str(bound)), asked
        assert got.find("Folders") is None


@case("MS-ASCMD", "R4257 R4258")
async def a_folder_that_is_not_there_needs_another_look(lab: Lab) -> None:
    talker = lab.talker()
    await talker.folder(CONTACTS)
    assert (await soon(talker, ping(Box(talker=talker, id="no-such-folder", type=CONTACTS)))).status == "7"


@case("MS-ASCMD", "R306 R4235 R4236 R335 R5836 " + ids_of(SHAPES))
async def changes_end_a_wait(lab: Lab) -> None:
    contacts = await (await box(lab, CONTACTS)).begin()
    tasks = await (await box(lab, TASKS, contacts.talker)).begin()
    waiting = asyncio.create_task(soon(contacts.talker, ping(contacts, tasks)))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    one = await (await box(lab, CONTACTS)).begin()
    id = await one.add(contact(LastName=lab.unique()))
    answers = [await waiting]
    answers.append(await soon(contacts.talker, None))  # R335: as before, and the news is still there
    answers.append(await soon(contacts.talker, ping(contacts, heartbeat=None)))  # R5836
    for got in answers:
        assert got.status == "2"
        assert [found.text for found in got.all("Folders", "Folder")] == [contacts.id]
    answers.append(await soon(contacts.talker, ping(contacts, heartbeat=10)))
    seen: set[tuple[str, ...]] = set()
    for got in answers:
        check(got.root, SHAPES, seen)
    assert seen == SHAPES.keys()
    await one.go(commands(delete(id)))


@case("MS-ASCMD", "R306", FROM_12_1)
async def mail_ends_a_wait(lab: Lab) -> None:
    inbox, message, _ = await letter(lab)
    waiting = asyncio.create_task(soon(inbox.talker, ping(inbox)))
    await asyncio.sleep(0.5)
    subject = lab.unique()
    await send(lab, lab.other, lab.me.address, subject)
    got = await waiting
    assert (got.status, [found.text for found in got.all("Folders", "Folder")]) == ("2", [inbox.id])
    new = await received(lab, subject, inbox)
    await inbox.go(commands(delete(message), delete(new)))


@case("MS-ASCMD", "R749", FROM_12_1)
async def a_hanging_sync_ends_with_what_was_added(lab: Lab) -> None:
    contacts = await (await box(lab, CONTACTS)).begin()
    waiting = asyncio.create_task(contacts.ask(last=(e("AirSync:Wait", "5"),)))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    one = await (await box(lab, CONTACTS)).begin()
    name = lab.unique()
    answer = await one.sure(commands(add("w", contact(LastName=name))))
    assert answer.statuses("Add") == ["1"]
    async with asyncio.timeout(SOON):
        got = await waiting
    assert name in str(got.root)
    await one.pull()
    await one.go(commands(*map(delete, one.with_text(name))))
