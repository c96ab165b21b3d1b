"""Occurrences and meetings from 16.0, whatever dies on the way: stored once, told once.

[MS-ASCAL] R2113, [MS-ASCMD] R6238 R6420; docs/design.md "Effects outside our database"."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from line_kit import NOON, Crash, Watched, World, run

from eas.engine.apply import DeviceCommand, Done, ItemStatus
from eas.engine.collection import CollectionAnswer, CollectionRequest, synchronise
from eas.engine.ids import server_id
from eas.engine.model import FolderType
from eas.engine.options import CollectionOptions
from eas.engine.ports import Chosen, Horizon, Owner
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

GUEST = "guest@elsewhere.test"
START = NOON + timedelta(days=7)


def e(tag: str, *content: Any) -> Element:
    one = content[0] if len(content) == 1 and isinstance(content[0], str) else tuple(content)
    return Element(tag if ":" in tag else f"Calendar:{tag}", one)


def at(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


class Post:
    """An outbox that takes a message once, by its Message-ID."""

    def __init__(self) -> None:
        self.taken: dict[str, Any] = {}

    async def submit(self, outgoing: Any) -> None:
        self.taken.setdefault(outgoing.message_id, outgoing)

    @property
    def methods(self) -> list[str]:
        found = []
        for outgoing in self.taken.values():
            plain = outgoing.mime.replace(b'"', b"").lower()
            found.append(next(m for m in ("REQUEST", "CANCEL", "REPLY") if f"method={m}".lower().encode() in plain))
        return sorted(found)


class Calendar:
    """A device's calendar, at 16.1."""

    def __init__(self) -> None:
        self.world = World(version=Version.V16_1)
        self.post = Post()
        self.session = replace(self.world.session, outbox=Watched(self.post, self.world.fate))  # type: ignore[arg-type]
        self.id, self.key, self.asked = self.world.folder(FolderType.CALENDAR), "0", 0
        folder = run(self.world.mailbox.folder(self.id))
        assert folder is not None
        self.feed = self.world.mailbox.feed(folder)
        self.ask()
        self.ask()

    def request(self, *commands: DeviceCommand, **more: Any) -> CollectionRequest:
        self.asked += 1
        return CollectionRequest(
            collection_id=self.id, key=self.key, digest=str(self.asked), commands=commands, **more
        )

    def ask(self, *commands: DeviceCommand, **more: Any) -> CollectionAnswer:
        return self.again(self.request(*commands, **more))

    def again(self, request: CollectionRequest) -> CollectionAnswer:
        answer = run(synchronise(self.session, request))
        self.key = answer.key
        return answer

    def add(self, *fields: Element) -> int:
        answer = self.ask(adding(*fields))
        ((result, _),) = answer.results
        assert result.status == ItemStatus.SUCCESS
        return int(result.server_id.partition(":")[2])

    def stored(self) -> list[bytes]:
        async def read() -> list[bytes]:
            ids = (await self.feed.look(range(1, 50), Horizon())).versions
            return [item.data async for item in self.feed.fetch(sorted(ids), None)]  # type: ignore[union-attr]

        return run(read())

    def change(self, id: int, *fields: Element, instance: datetime | None = None) -> DeviceCommand:
        return DeviceCommand(
            verb=Done.CHANGE, named=server_id(self.id, id), data=Element("AirSync:ApplicationData", fields),
            instance=at(instance) if instance else None,
        )

    def delete(self, id: int, instance: datetime | None = None) -> DeviceCommand:
        return DeviceCommand(
            verb=Done.DELETE, named=server_id(self.id, id), instance=at(instance) if instance else None
        )


def adding(*fields: Element, client: str = "c1") -> DeviceCommand:
    return DeviceCommand(verb=Done.ADD, named=client, data=Element("AirSync:ApplicationData", fields))


SERIES = (
    e("StartTime", at(START)), e("EndTime", at(START + timedelta(hours=1))), e("Subject", "Talk"),
    e("Recurrence", e("Type", "0"), e("Interval", "1"), e("Occurrences", "5")),
)  # fmt: skip
MEETING = (
    *SERIES, e("MeetingStatus", "1"), e("Attendees", e("Attendee", e("Email", GUEST), e("Name", "Guest"))),
)
SECOND = START + timedelta(days=1)

#: What is done to a meeting, and what its attendee hears of it.
DEEDS: dict[str, tuple[Any, list[str]]] = {
    "add": (lambda calendar, id: adding(*MEETING, client="c2"), ["REQUEST"]),
    "move": (
        lambda calendar, id: calendar.change(
            id, e("StartTime", at(START + timedelta(hours=1))), e("EndTime", at(START + timedelta(hours=2)))
        ),
        ["REQUEST"],
    ),
    "delete": (lambda calendar, id: calendar.delete(id), ["CANCEL"]),
    "move one": (
        lambda calendar, id: calendar.change(
            id, e("StartTime", at(SECOND + timedelta(hours=2))), e("EndTime", at(SECOND + timedelta(hours=3))),
            instance=SECOND,
        ),
        ["REQUEST"],
    ),
    "delete one": (lambda calendar, id: calendar.delete(id, SECOND), ["CANCEL"]),
}


def without_times(data: list[bytes]) -> list[list[bytes]]:
    """What is stored, but for when it was."""
    volatile = (b"DTSTAMP", b"LAST-MODIFIED", b"CREATED", b"UID")
    return sorted([line for line in one.split(b"\r\n") if not line.startswith(volatile)] for one in data)


def done(deed: str, crash: int = 0) -> tuple[list[list[bytes]], list[str], int]:
    """What is stored and what was sent after one deed, the process having died at the look number `crash`."""
    calendar = Calendar()
    try:
        id = calendar.add(*MEETING)
        calendar.post.taken.clear()
        request = calendar.request(DEEDS[deed][0](calendar, id))
        if crash:
            def die() -> None:
                raise Crash

            calendar.world.fate.arm(crash, die)
            try:
                calendar.again(request)
            except Crash:
                calendar.again(request)
            calendar.world.fate.disarm()
        else:
            calendar.world.fate.steps = 0
            calendar.again(request)
        steps = calendar.world.fate.steps
        return without_times(calendar.stored()), calendar.post.methods, steps
    finally:
        calendar.world.close()


@pytest.mark.long
@pytest.mark.parametrize("deed", DEEDS)
def test_a_meeting_is_changed_once_and_told_once_whenever_the_process_dies(deed: str) -> None:
    stored, told, steps = done(deed)
    assert told == DEEDS[deed][1]
    assert steps > 4
    for crash in range(1, steps + 1):
        assert done(deed, crash)[:2] == (stored, told), crash


def test_a_lost_answer_is_given_again_with_its_instance() -> None:
    calendar = Calendar()
    id = calendar.add(*SERIES)
    request = calendar.request(calendar.change(id, e("Subject", "x"), instance=SECOND))
    first, again = run(synchronise(calendar.session, request)), run(synchronise(calendar.session, request))
    assert first.results == again.results
    ((result, _),) = first.results
    assert (result.status, result.instance) == (ItemStatus.SUCCESS, at(SECOND))
    assert calendar.stored()[0].count(b"RECURRENCE-ID") == 1
    calendar.world.close()


def test_a_changed_occurrence_is_no_news_to_the_device_that_changed_it() -> None:
    calendar = Calendar()
    id = calendar.add(*SERIES)
    calendar.ask()
    answer = calendar.ask(
        calendar.change(id, e("Subject", "x"), e("StartTime", at(SECOND + timedelta(hours=1))),
                        e("EndTime", at(SECOND + timedelta(hours=2))), instance=SECOND),
    )
    assert not answer.said
    assert not calendar.ask().said
    calendar.ask(calendar.delete(id, START + timedelta(days=2)))
    assert not calendar.ask().said
    calendar.world.close()


@pytest.mark.parametrize("deletes", [False, True])
def test_an_occurrence_that_somebody_else_changed_meanwhile_is_a_conflict(deletes: bool) -> None:
    """Status 7, and the device gets what the server has; with Conflict 0 the device wins."""
    for wins in (False, True):
        calendar = Calendar()
        id = calendar.add(*SERIES)
        calendar.ask(options=CollectionOptions(client_wins=wins))
        data = calendar.stored()[0].replace(b"SUMMARY:Talk", b"SUMMARY:Walk")
        run(calendar.feed.update(id, data, None))
        command = calendar.delete(id, SECOND) if deletes else calendar.change(id, e("Subject", "x"), instance=SECOND)
        answer = calendar.ask(command)
        ((result, _),) = answer.results
        assert result.status == (ItemStatus.SUCCESS if wins else ItemStatus.CONFLICT)
        touched = b"EXDATE" in calendar.stored()[0] or b"RECURRENCE-ID" in calendar.stored()[0]
        assert touched is wins
        assert [said.id for said in (*answer.said, *calendar.ask().said)] == [id]
        calendar.world.close()


def test_the_former_state_is_kept_without_attachments() -> None:
    """What is written down before a meeting changes does not grow with what is attached to it."""
    calendar = Calendar()
    attached = Element("AirSyncBase:Attachments", (Element("AirSyncBase:Add", (
        Element("AirSyncBase:ClientId", "a"), Element("AirSyncBase:Method", "1"),
        Element("AirSyncBase:Content", bytes(range(256)) * 400), Element("AirSyncBase:DisplayName", "x.bin"),
    )),))
    id = calendar.add(*MEETING, attached)
    calendar.ask(calendar.delete(id))
    (intent,) = [i for i in run(calendar.world.store.intents(_owner(calendar))) if i.server_id]
    assert len(intent.chosen.note) < 4000
    calendar.world.close()


def _owner(calendar: Calendar) -> Any:
    return Owner(user_id=calendar.session.user.id, device_id="PHONE1", collection_id=calendar.id)



ODD = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:odd\r\nDTSTAMP:20260101T000000Z\r\n"
    b"DTSTART:20260105T100000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=MONTHLY;BYDAY=1MO,3MO\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def test_a_stretch_of_a_series_rolls_on_without_anybody_touching_it() -> None:
    """docs/decisions/008: the device hears of the years that have come into sight; and only then."""
    calendar = Calendar()
    written = run(calendar.feed.create(ODD, Chosen(name="odd.ics")))
    plain = run(calendar.feed.create(ODD.replace(b"odd", b"plain").replace(b"1MO,3MO", b"1MO"), Chosen(name="p.ics")))
    assert {said.id for said in calendar.ask().said} == {written.id, plain.id}
    for days in (1, 40, 100):
        calendar.world.clock.go_on(timedelta(days=days))
        assert not calendar.ask().said, days
    calendar.world.clock.go_on(timedelta(days=200))
    assert [said.id for said in calendar.ask().said] == [written.id]
    assert not calendar.ask().said
    calendar.world.close()
