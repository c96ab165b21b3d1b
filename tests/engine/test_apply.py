"""What a device changes while somebody else changes the same: neither is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from line_kit import World, run

from eas.engine.apply import DeviceCommand, Done, ItemStatus
from eas.engine.collection import CollectionAnswer, CollectionRequest, synchronise
from eas.engine.ids import server_id
from eas.engine.model import FolderType
from eas.engine.options import CollectionOptions
from eas.engine.ports import Chosen
from eas.items.native import FollowUp, MailFlags
from eas.protocol.wbxml import Element

#: Looks at ports in one request, more than enough.
STEPS = range(1, 40)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


class Box:
    def __init__(self, world: World, type: FolderType) -> None:
        self.world, self.id, self.key, self.asked = world, world.folder(type), "0", 0
        folder = run(world.mailbox.folder(self.id))
        assert folder is not None
        self.feed = world.mailbox.feed(folder)

    def ask(self, *commands: DeviceCommand, **more: Any) -> CollectionAnswer:
        self.asked += 1
        answer = run(synchronise(self.world.session, CollectionRequest(
            collection_id=self.id, key=self.key, digest=str(self.asked), commands=commands, **more
        )))
        self.key = answer.key
        return answer

    def begin(self, **more: Any) -> None:
        self.ask(**more)
        self.ask()

    def change(self, id: int, **said: str) -> DeviceCommand:
        data = Element("AirSync:ApplicationData", tuple(Element(tag.replace("_", ":"), t) for tag, t in said.items()))
        return DeviceCommand(verb=Done.CHANGE, named=server_id(self.id, id), data=data)

    def delete(self, id: int) -> DeviceCommand:
        return DeviceCommand(verb=Done.DELETE, named=server_id(self.id, id))

    def one(self, id: int) -> Any:
        async def read() -> Any:
            async for item in self.feed.fetch([id], None):
                return item
            return None

        return run(read())


def card(name: str, *lines: str) -> bytes:
    return "\r\n".join((
        "BEGIN:VCARD", "VERSION:3.0", "UID:x", f"FN:{name}", f"N:;{name};;;", *lines, "END:VCARD", ""
    )).encode()


@pytest.mark.parametrize("at", STEPS)
def test_a_flag_that_is_set_in_the_middle_of_a_request_stays(world: World, at: int) -> None:
    """Whenever it is set, it is stored in the end, and the device hears of it."""
    inbox = Box(world, FolderType.INBOX)
    id = run(inbox.feed.create(b"Subject: x\r\n\r\nHello\r\n", Chosen(name="x"))).id
    inbox.begin()

    def flag() -> None:
        run(inbox.feed.set_flags(id, replace(inbox.one(id).flags, follow_up=FollowUp(status=2, flag_type="Todo"))))

    world.fate.arm(at, flag)
    said = [one.id for one in inbox.ask(inbox.change(id, Email_Read="1")).said]
    if world.fate.do is not None:
        world.fate.disarm()
        flag()
    said += [one.id for one in inbox.ask().said]
    flags = inbox.one(id).flags
    assert flags.read
    assert flags.follow_up is not None
    assert said == [id]


@pytest.mark.parametrize("client_wins", [True, False])
@pytest.mark.parametrize("at", STEPS)
def test_a_field_that_is_changed_in_the_middle_of_a_request_stays(
    world: World, at: int, client_wins: bool
) -> None:
    """The device says nothing of the telephone, and by its Supported that means that it stays."""
    contacts = Box(world, FolderType.CONTACTS)
    id = run(contacts.feed.create(card("Joe", "TEL;TYPE=CELL:1"), Chosen(name="x"))).id
    contacts.begin(options=CollectionOptions(client_wins=client_wins), supported=())

    def call() -> None:
        run(contacts.feed.update(id, contacts.one(id).data.replace(b"CELL:1", b"CELL:2"), None))

    world.fate.arm(at, call)
    answer = contacts.ask(contacts.change(id, Contacts_FirstName="Joseph"))
    if world.fate.do is not None:
        world.fate.disarm()
        call()
    said = [one.id for one in (*answer.said, *contacts.ask().said)]
    stored = contacts.one(id).data
    assert b"CELL:2" in stored
    refused = answer.results[0][0].status is ItemStatus.CONFLICT
    assert (b"Joseph" in stored) is not refused
    assert not (refused and client_wins)
    assert said == [id]


def test_a_change_of_what_the_server_has_altered_is_no_conflict(world: World) -> None:
    """The device has not heard yet what became of its Add, and changes it once more."""
    contacts = Box(world, FolderType.CONTACTS)
    contacts.begin()
    data = contacts.change(1, Contacts_FirstName="Joe", Contacts_MobilePhoneNumber="1\r\n2").data
    added = contacts.ask(DeviceCommand(verb=Done.ADD, named="c1", data=data))
    assert added.more
    id = int(added.results[0][0].server_id.partition(":")[2])
    again = contacts.ask(contacts.change(id, Contacts_FirstName="Joseph", Contacts_MobilePhoneNumber="1\r\n2"))
    assert again.results[0][0].status is ItemStatus.SUCCESS
    assert b"Joseph" in contacts.one(id).data


def test_a_crash_between_a_change_and_its_commit_makes_no_conflict(world: World) -> None:
    contacts = Box(world, FolderType.CONTACTS)
    id = run(contacts.feed.create(card("Joe"), Chosen(name="x"))).id
    contacts.begin()
    key = contacts.key

    class Died(BaseException):
        pass

    def die() -> None:
        raise Died

    died = 0
    for at in STEPS:
        contacts.key = key
        world.fate.arm(at, die)
        try:
            answer = contacts.ask(contacts.change(id, Contacts_FirstName="Joseph"))
        except Died:
            died += 1
            world.clock.go_on(timedelta(seconds=1))
            continue
        finally:
            world.fate.disarm()
        assert answer.results[0][0].status is ItemStatus.SUCCESS
    assert died > 5
    assert b"Joseph" in contacts.one(id).data


def test_a_deletion_is_found_done_after_a_crash(world: World) -> None:
    contacts = Box(world, FolderType.CONTACTS)
    id = run(contacts.feed.create(card("Joe"), Chosen(name="x"))).id
    contacts.begin()
    run(contacts.feed.delete(id))
    answer = contacts.ask(contacts.delete(id))
    assert answer.results[0][0].status is ItemStatus.SUCCESS
    assert answer.said == ()


def test_a_task_that_is_completed_leaves_the_filter_of_open_ones(world: World) -> None:
    """FilterType 8."""
    tasks = Box(world, FolderType.TASKS)

    def task(*lines: str) -> bytes:
        return "\r\n".join((
            "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VTODO", "UID:x", "DTSTAMP:20260101T000000Z",
            "SUMMARY:Buy milk", *lines, "END:VTODO", "END:VCALENDAR", "",
        )).encode()

    id = run(tasks.feed.create(task(), Chosen(name="x"))).id
    tasks.begin(options=CollectionOptions(filter_type=8))
    done = task("STATUS:COMPLETED", "COMPLETED:20260102T000000Z", "PERCENT-COMPLETE:100")
    run(tasks.feed.update(id, done, None))
    assert [(one.verb.value, one.id) for one in tasks.ask().said] == [("SoftDelete", id)]
    run(tasks.feed.update(id, task(), None))
    assert [(one.verb.value, one.id) for one in tasks.ask().said] == [("Add", id)]


def test_a_flag_that_is_set_already_is_no_news(world: World) -> None:
    """Equal flags are no write, and no news."""
    inbox = Box(world, FolderType.INBOX)
    id = run(inbox.feed.create(b"Subject: x\r\n\r\nHello\r\n", Chosen(name="x"), MailFlags(read=True))).id
    inbox.begin()
    assert inbox.ask(inbox.change(id, Email_Read="1")).said == ()
    assert inbox.ask().said == ()
