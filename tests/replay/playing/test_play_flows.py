"""What does not go as smoothly: answers that were lost, policies that were not recorded, redirects,
    things not there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playing_kit import ANNA, BEN, DOMAIN, Gateway, Tape, all_same, comparing, played, replayed
from wire import e, sync

from eas.client import mail
from eas.client.mail import Reply
from eas.client.words import Here, new_item
from eas.engine.model import FolderType, Policy
from eas.protocol.version import Version
from eas.protocol.wbxml import decode
from eas.replay.format.model import Answer, Document, Exchange, Request
from eas.replay.playing.line import PATIENCE_SECONDS, Received
from eas.replay.playing.play import CAUSED_SECONDS, Manner, play
from eas.replay.playing.waits import Waits

BERLIN = Here(ZoneInfo("Europe/Berlin"))


async def recorded(gateway: Gateway, version: Version = Version.V14_1, *, contact: str = "Emil") -> Tape:
    """A phone is set up, and adds a contact."""
    tape = Tape()
    async with gateway.phone(version, tape=tape) as phone:
        await phone.set_up(version)
        await phone.sync()
        contacts = phone.state.folder(FolderType.CONTACTS)
        phone.add(contacts, new_item("Contacts", [f"first={contact}"], BERLIN))
        await phone.sync([contacts])
    return tape


def is_add(exchange: Exchange) -> bool:
    body = exchange.request.body
    return isinstance(body, Document) and "ClientId" in repr(body.root)


async def test_a_lost_answer_is_thrown_away_and_the_request_repeated(tmp_path: Path) -> None:
    """The contact is there once, and the device goes on with the key that it had."""
    async with Gateway.opened(tmp_path / "one") as gateway:
        tape = await recorded(gateway)
    (at,) = [number for number, one in enumerate(tape.exchanges) if is_add(one)]
    lost = replace(tape.exchanges[at], answer=Answer(status=None, seconds=0.1, why="the client went away"))
    later = [replace(one, number=one.number + 1) for one in tape.exchanges[at:]]
    async with Gateway.opened(tmp_path / "two", "zoe", ANNA) as gateway:
        outcomes = await played([*tape.exchanges[:at], lost, *later], gateway, Manner())
        all_same(outcomes, "thrown away")
        feed = (await gateway.mailbox()).feed(await gateway.folder(FolderType.CONTACTS))
        from eas.engine.ports import Horizon

        assert len((await feed.delta(None, Horizon())).touched) == 1
    assert any("thrown away" in note for outcome in outcomes for note in outcome.notes)


@pytest.mark.parametrize("version", [Version.V12_0, Version.V14_1, Version.V16_1])
async def test_provisioning_that_was_not_recorded_is_told_and_done(version: Version, tmp_path: Path) -> None:
    async with Gateway.opened(tmp_path / "one") as gateway:
        tape = await recorded(gateway, version)
    without = [one for one in tape.exchanges if "Cmd=Provision" not in one.request.target]
    async with Gateway.opened(tmp_path / "two", ANNA) as gateway:
        await gateway.parts.store.save_policy(
            Policy(name="default", settings={"DevicePasswordEnabled": "1"}, enforced=True))
        outcomes = await played(without, gateway, Manner())
    (first, *others) = [outcome for outcome in outcomes if outcome.differences]
    assert any("provisioning here: done" in note for note in first.notes)
    assert first.got is not None
    assert first.got.status == 200
    assert not others


class Elsewhere:
    """A server that sends devices to another place first."""

    def __init__(self, line: Any) -> None:
        self.line, self.at = line, ""

    async def send(
        self, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes, *,
        patience: float = PATIENCE_SECONDS,
    ) -> Received:
        if not self.at:
            return Received(status=451, headers=(("X-MS-Location", "https://other.example.com/x"),))
        found: Received = await self.line.send(method, target, headers, body, patience=patience)
        return found

    def moved(self, location: str) -> bool:
        self.at = location
        return True


async def test_a_redirect_is_followed_and_said(tmp_path: Path) -> None:
    async with Gateway.opened(tmp_path / "one") as gateway:
        tape = await recorded(gateway)
        line = Elsewhere(gateway.line())
        outcomes = [one async for one in play(tape.exchanges, line, Manner(compare=comparing()))]
    assert line.at == "https://other.example.com/x"
    assert outcomes[0].notes == ("the server has sent us on to https://other.example.com/x",)
    assert outcomes[-1].got is not None
    assert outcomes[-1].got.status == 200


async def test_what_depends_on_a_missing_item_is_skipped_with_the_reason(tmp_path: Path) -> None:
    tape = Tape()
    async with Gateway.opened(tmp_path / "one") as gateway:
        await gateway.deliver(mail.compose("carla@elsewhere.example", [f"{ANNA}@{DOMAIN}"], "Lunch", "x",
            date=BERLIN.instant("2026-11-21")))
        async with gateway.phone(Version.V14_1, tape=tape) as phone:
            await phone.set_up(Version.V14_1)
            await phone.sync()
            inbox = phone.state.folder(FolderType.INBOX)
            (id,) = inbox.items
            phone.mark(inbox, id, read=True)
            await phone.sync([inbox])
            await phone.move(inbox, [id], phone.state.folder(FolderType.DELETED_ITEMS))
            await phone.sync()
    async with Gateway.opened(tmp_path / "two", "zoe", ANNA) as gateway:
        outcomes = await played(tape.exchanges, gateway, Manner())
    said = [(outcome.skipped, *outcome.notes) for outcome in outcomes if outcome.skipped or outcome.notes]
    assert said[0] == ("", "Change: the item 'lunch' is not there: left out")
    assert said[1][0] == "Move: the item 'lunch' is not there"
    assert all(outcome.got.status == 200 for outcome in outcomes if outcome.got)


@pytest.mark.parametrize("version", [Version.V14_1, Version.V16_1])
async def test_an_answer_to_an_invitation(version: Version, tmp_path: Path) -> None:
    """The invitation is made of what the phone was told; it is answered, and goes into the calendar."""
    tape = Tape()
    async with Gateway.opened(tmp_path / "one") as gateway:
        async with gateway.phone(Version.V16_1, BEN, device="BENS") as host:
            await host.set_up(Version.V16_1)
            await host.sync()
            calendar = host.state.folder(FolderType.CALENDAR)
            event = new_item("Calendar", ["subject=Plans", "start=2026-12-01T10:00"], BERLIN)
            from eas.items.calendar import Attendee

            host.add(calendar, replace(event, meeting_status=1, attendees=(Attendee(email=f"{ANNA}@{DOMAIN}",
                name="Anna"),)))
            await host.sync()
        async with gateway.phone(version, tape=tape) as phone:
            await phone.set_up(version)
            await phone.sync()
            inbox = phone.state.folder(FolderType.INBOX)
            (request,) = inbox.items
            await mail.respond(phone, inbox, request, Reply.ACCEPT)
            await phone.sync()
    outcomes, _ = await replayed(tape, tmp_path)
    (answered,) = [one for one in outcomes if "Cmd=MeetingResponse" in one.exchange.request.target]
    assert not answered.differences, answered
    assert not answered.skipped


def wait(number: int, seconds: float, answer: Any, request: Any) -> Exchange:
    from datetime import UTC, datetime

    return Exchange(
        number=number, time=datetime(2026, 11, 21, 12, number, tzinfo=UTC),
        request=Request(method="POST", target="/Microsoft-Server-ActiveSync?Cmd=Ping&User=a&DeviceId=D&DeviceType=T",
                        headers=(("MS-ASProtocolVersion", "14.1"), ("Content-Type", "application/vnd.ms-sync.wbxml")),
                        body=Document(request)),
        answer=Answer(status=200, seconds=seconds, body=Document(answer)),
    )


class Noting:
    """Answers every Ping with "nothing new", and keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def send(
        self, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes, *, patience: float = 1.0
    ) -> Received:
        from eas.protocol.wbxml import encode

        self.asked.append(decode(body))
        return Received(status=200, headers=(("Content-Type", "application/vnd.ms-sync.wbxml"),),
                        body=encode(e("Ping:Ping", e("Status", "1"))))

    def moved(self, location: str) -> bool:
        return False


PING = e("Ping:Ping", e("HeartbeatInterval", "480"))
EXPIRED, NEWS = e("Ping:Ping", e("Status", "1")), e("Ping:Ping", e("Status", "2"), e("Folders", e("Folder", "1")))


@pytest.mark.parametrize(("waits", "answer", "sent", "skipped"), [
    (Waits.SHORT, EXPIRED, "60", ""), (Waits.KEPT, EXPIRED, "480", ""), (Waits.NONE, EXPIRED, "", "a wait"),
    (Waits.SHORT, NEWS, "", "the change that ended this wait is not made to happen"),
])
async def test_waits(waits: Waits, answer: Any, sent: str, skipped: str) -> None:
    line = Noting()
    (outcome,) = [one async for one in play([wait(1, 300.0, answer, PING)], line, Manner(waits=waits))]
    assert outcome.skipped == skipped
    assert [one.child("Ping:HeartbeatInterval").text for one in line.asked] == ([sent] if sent else [])


class Happening:
    """A stage on which something happens during each wait."""

    def causes(self, number: int) -> bool:
        return True

    async def before(self, number: int) -> tuple[str, ...]:
        return ()

    async def during(self, number: int) -> tuple[str, ...]:
        return ()


@pytest.mark.parametrize(("answer", "sent"), [(EXPIRED, "1"), (NEWS, f"{CAUSED_SECONDS:.0f}")])
async def test_a_slow_server_has_time_to_tell_of_what_happens(answer: Any, sent: str) -> None:
    line, manner = Noting(), Manner(wait_seconds=1, stage=Happening())
    (_,) = [one async for one in play([wait(1, 300.0, answer, PING)], line, manner)]
    assert [one.child("Ping:HeartbeatInterval").text for one in line.asked] == [sent]


async def test_a_held_sync_without_its_change_is_sent_without_its_wait() -> None:
    held = sync("0", "1")
    request = replace(wait(1, 300.0, e("AirSync:Sync", e("Collections", e("Collection"))), held))
    request = replace(request, request=replace(
        request.request, target=request.request.target.replace("Ping", "Sync"),
        body=Document(e("AirSync:Sync", *held.elements, e("HeartbeatInterval", "900")))))
    line = Noting()
    (outcome,) = [one async for one in play([request], line, Manner())]
    assert line.asked == [held]
    assert outcome.notes[0] == "sent without its wait: the change that ended it is not made to happen"
