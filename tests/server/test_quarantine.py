"""A phone in quarantine over the whole server: what it is shown, and what happens when somebody decides. In all
versions; the decision itself is tested in tests/engine/test_access.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standing_clock import StandingClock
from wire import Wire, e, sync

from eas.app.admitting import rules_of
from eas.client.connection import Connection
from eas.client.errors import ClientError, Forbidden, Refusal
from eas.client.mail import compose, send
from eas.client.phone import Phone
from eas.client.services import search_people
from eas.engine.access import Characteristic, Rule
from eas.engine.model import Access, Device, FolderType, Level, Wipe
from eas.items import contacts
from eas.protocol.version import Version
from eas.push.clock import SystemClock
from eas.server.brake import Brake, Report
from eas.server.pacing import Pacer
from eas.store.audit import entries

VERSIONS = (Version.V2_5, Version.V12_1, Version.V14_1, Version.V16_1)
EVERY = pytest.mark.parametrize("version", VERSIONS)
#: Seconds for what has to come at once; the machine may be busy.
SOON = 30.0
NOTICE = "Your phone is waiting to be approved"

Phones = Callable[..., Phone]


def letter(number: int) -> bytes:
    return (
        f"From: Ben <ben@example.com>\r\nTo: anna@example.com\r\nSubject: Letter {number}\r\n"
        f"Message-ID: <{number}@x>\r\nDate: Tue, 3 Mar 2026 09:00:00 +0000\r\n\r\nHello {number}\r\n"
    ).encode()


async def deliver(world: Any, *numbers: int) -> None:
    for number in numbers:
        (problem,) = await world.app.embedded.office.take("ben@example.com", ["anna@example.com"], letter(number))
        assert problem is None


async def decide(world: Any, access: Access, device: str = "PHONE1") -> None:
    """As an admin does: written down, then its wait is ended."""
    await world.store.set_access(world.ids["anna"], device, access)
    world.app.bell.end(world.ids["anna"], device)


async def stored(world: Any) -> Device:
    found = await world.device(device="PHONE1")
    assert isinstance(found, Device)
    return found


def subjects(phone: Phone) -> list[str]:
    return sorted(item.text("Email:Subject") for item in phone.state.folder(FolderType.INBOX).items.values())


def waiting(world: Any) -> bool:
    return bool(world.app.bell.waits(world.ids["anna"]))


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(int(SOON / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise TimeoutError


@pytest.fixture
async def quarantine(world: Any) -> None:
    await world.app.site.access.set_default(Level.QUARANTINE)
    await deliver(world, 1, 2, 3)


@EVERY
@pytest.mark.usefixtures("quarantine")
async def test_a_phone_in_quarantine_sees_its_folders_and_one_notice(
    phone: Phones, world: Any, version: Version
) -> None:
    made = phone(version=version)
    await made.set_up(version)
    await made.sync()
    assert subjects(made) == [NOTICE]
    assert {f.type for f in made.folders()} >= {FolderType.INBOX, FolderType.CALENDAR, FolderType.CONTACTS}
    assert not any(f.items for f in made.folders() if f.type is not FolderType.INBOX)
    assert (await made.sync()).quiet
    noted = (await stored(world)).admission
    assert noted is not None
    assert (noted.level, noted.by, noted.told) == (Level.QUARANTINE, "default", True)


@EVERY
@pytest.mark.usefixtures("quarantine")
async def test_nothing_is_sent_nobody_is_found_no_folder_is_made(
    phone: Phones, world: Any, version: Version
) -> None:
    made = phone(version=version)
    await made.set_up(version)
    await made.sync()
    mail = compose(sender="anna@example.com", to=["ben@example.com"], subject="Out", text="?", date=datetime.now(UTC))
    with pytest.raises(ClientError):
        await send(made, mail)
    if version >= Version.V12_1:
        assert await search_people(made, "Ben") == []
        with pytest.raises(ClientError):
            await made.create_folder("Secrets")
    inbox = made.state.folder(FolderType.INBOX)
    made.mark(inbox, next(iter(inbox.items)), read=True)
    await made.sync([inbox])
    assert subjects(made) == [NOTICE]


@EVERY
@pytest.mark.usefixtures("quarantine")
async def test_a_phone_that_is_approved_during_its_ping_gets_everything_once(
    phone: Phones, world: Any, version: Version
) -> None:
    made = phone(version=version)
    await made.set_up(version)
    await made.sync()
    contacts_folder = made.state.folder(FolderType.CONTACTS)
    made.add(contacts_folder, contacts.Contact(first_name="Dora", file_as="Dora"))
    await made.sync([contacts_folder])
    assert len(contacts_folder.items) == 1
    ping = asyncio.create_task(made.ping(heartbeat=600))
    await until(lambda: waiting(world))
    await decide(world, Access.ALLOWED)
    async with asyncio.timeout(SOON):
        await ping
        again = await made.ping(heartbeat=600)
    assert made.state.folder(FolderType.INBOX).id in again.folders
    report = await made.sync()
    assert subjects(made) == ["Letter 1", "Letter 2", "Letter 3"]
    inbox = report.of(made.state.folder(FolderType.INBOX).id)
    assert (len(inbox.added), len(inbox.deleted), inbox.returned) == (3, 1, [])
    assert len(contacts_folder.items) == 1
    assert not report.of(contacts_folder.id).added
    await deliver(world, 4)
    await made.sync()
    assert len(subjects(made)) == 4
    assert (await made.sync()).quiet


@EVERY
async def test_a_phone_that_was_let_in_before_keeps_what_it_has(phone: Phones, world: Any, version: Version) -> None:
    await deliver(world, 1, 2)
    made = phone(version=version)
    await made.set_up(version)
    await made.sync()
    await decide(world, Access.QUARANTINED)
    await deliver(world, 3)
    report = await made.sync()
    assert subjects(made) == ["Letter 1", "Letter 2", NOTICE]
    assert not any(change.deleted or change.soft_deleted for change in report.changes.values())
    inbox = made.state.folder(FolderType.INBOX)
    made.delete(inbox, next(id for id, item in inbox.items.items() if item.text("Email:Subject") == "Letter 1"))
    await made.sync([inbox])
    await decide(world, Access.NONE)
    await made.sync()
    assert subjects(made) == ["Letter 1", "Letter 2", "Letter 3"]
    assert (await made.sync()).quiet


@pytest.mark.parametrize("version", [v for v in VERSIONS if v >= Version.V12_1])
async def test_a_block_ends_a_hanging_sync_at_once(phone: Phones, world: Any, version: Version) -> None:
    made = phone(version=version)
    await made.set_up(version)
    await made.sync()
    hanging = asyncio.create_task(made.round([made.state.folder(FolderType.INBOX)], wait=10))
    await until(lambda: waiting(world))
    await decide(world, Access.BLOCKED)
    async with asyncio.timeout(SOON):
        await hanging
    with pytest.raises((Refusal, Forbidden), match="129" if version >= Version.V14_0 else "device"):
        await made.sync()
    await decide(world, Access.ALLOWED)
    await made.sync()


async def test_a_block_that_has_an_end_is_over_then(
    world: Any, wire: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, device = StandingClock(monkeypatch), wire()
    asked = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))
    await device.post("FolderSync", asked)
    end = clock.now() + timedelta(seconds=60)
    await world.store.set_access(world.ids["anna"], "WIRE1", Access.BLOCKED, until=end)
    clock.pass_(59.9)
    assert (await device.post("FolderSync", asked)).status == "129"
    clock.pass_(0.1)
    assert (await device.post("FolderSync", asked)).status == "1"


async def test_a_wait_ends_with_the_permission_that_let_it_in(
    phone: Phones, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StandingClock(monkeypatch)
    await world.app.site.access.set_default(Level.BLOCK)
    made = phone()
    with pytest.raises(Refusal):
        await made.folder_sync()
    await world.store.set_access(
        world.ids["anna"], "PHONE1", Access.ALLOWED, until=clock.now() + timedelta(seconds=1)
    )
    await made.set_up()
    await made.sync()
    async with asyncio.timeout(SOON):
        await made.ping(heartbeat=600)
    clock.pass_(1)
    with pytest.raises(Refusal, match="129"):
        await made.ping(heartbeat=600)


async def test_a_rule_counts_with_the_next_request_and_its_end_does(world: Any, wire: Callable[..., Wire]) -> None:
    device, asked = wire(agent="Bad/1.0"), e("FolderHierarchy:FolderSync", e("SyncKey", "0"))
    assert (await device.post("FolderSync", asked)).status == "1"
    match = {Characteristic.AGENT: "bad/*", Characteristic.USER: "anna"}
    id = await world.app.site.access.add_rule(Rule(id=0, level=Level.BLOCK, match=match))
    assert (await device.post("FolderSync", asked)).status == "129"
    assert (await wire(agent="Bad/1.0", user="ben", password="ben-secret").post("FolderSync", asked)).status == "1"
    found = await world.device()
    assert (found.admission.by, found.admission.level) == (f"rule {id}", Level.BLOCK)
    await world.app.site.access.remove_rule(id)
    assert (await device.post("FolderSync", asked)).status == "1"


async def test_a_wipe_reaches_a_blocked_phone(world: Any, wire: Callable[..., Wire]) -> None:
    device, asked = wire(), e("FolderHierarchy:FolderSync", e("SyncKey", "0"))
    await device.post("FolderSync", asked)
    await world.store.set_access(world.ids["anna"], "WIRE1", Access.BLOCKED)
    await world.store.request_wipe(world.ids["anna"], "WIRE1")
    assert (await device.post("FolderSync", asked)).status == "140"
    assert (await world.device()).wipe is Wipe.REQUESTED


async def test_a_new_phone_shows_nothing_until_it_has_said_what_it_is(phone: Phones, world: Any) -> None:
    """Default block, one model allowed: the phone says its model with Provision, after the first FolderSync."""
    await world.app.site.access.set_default(Level.BLOCK)
    await world.app.site.access.add_rule(Rule(id=0, level=Level.ALLOW, match={Characteristic.MODEL: "simulated*"}))
    await deliver(world, 1)
    made = phone()
    await made.folder_sync()
    await made.sync()
    assert subjects(made) == []
    noted = (await stored(world)).admission
    assert noted is not None
    assert noted.level is Level.DISCOVERY
    ping = asyncio.create_task(made.ping(heartbeat=600))
    await until(lambda: waiting(world))
    other: Connection = world.connection()
    telling = Phone(made.state, other)
    await telling.tell_device_information()
    async with asyncio.timeout(SOON):
        await ping
    await made.sync()
    assert subjects(made) == ["Letter 1"]


async def test_the_list_of_a_user_lets_in_those_that_are_on_it(world: Any, wire: Callable[..., Wire]) -> None:
    asked = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))
    old = wire()
    assert (await old.post("FolderSync", asked)).status == "1"
    await world.app.site.access.set_list(world.ids["anna"], ["wire2"])
    assert (await old.post("FolderSync", asked)).status == "129"
    assert (await wire(device="WIRE2").post("FolderSync", asked)).status == "1"
    assert (await wire(device="WIRE3").post("FolderSync", asked)).status == "129"
    await world.app.site.access.set_list(world.ids["anna"], [])
    assert (await old.post("FolderSync", asked)).status == "1"


@pytest.fixture
def world_settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"access.tell_users": False, **getattr(request, "param", {})}


@pytest.mark.parametrize("world_settings", [
    {"access.storm_requests": 3, "notices.admins": ["ben@example.com"]}
], indirect=True)
async def test_a_storm_keeps_a_phone_out_until_it_is_let_in(world: Any, wire: Callable[..., Wire]) -> None:
    device, asked = wire(), e("FolderHierarchy:FolderSync", e("SyncKey", "0"))
    await device.post("FolderSync", asked)
    rules = rules_of(world.app.settings, world.app.site, world.admin.groups_of)
    pacer = Pacer(Brake(2), world.store, SystemClock(), rules)
    await pacer._note(Report(world.ids["anna"], "WIRE1", "Sync", 2, False))
    assert (await world.device()).suspended is None
    await pacer._note(Report(world.ids["anna"], "WIRE1", "Sync", 1, True))
    got = await device.post("Sync", sync("0", "1"))
    assert (got.http, got.headers["x-ms-asthrottle"]) == (503, "RecentCommands")
    assert int(got.headers["retry-after"]) > 0
    async with world.app.database.read() as connection:
        (entry,) = await connection.run_sync(lambda c: [one for one in entries(c) if "suspended" in one.action])
    assert (entry.actor, entry.face, entry.about_user, entry.about_device) == ("server", "server", "anna", "WIRE1")
    assert "Sync 3 times" in entry.details["why"]
    await world.app.site.notices.settle()
    await world.store.set_access(world.ids["anna"], "WIRE1", Access.NONE)
    assert (await device.post("FolderSync", asked)).status == "1"
    boss = wire(user="ben", password="ben-secret", device="BOSS")
    assert (await boss.post("FolderSync", asked)).status == "1"
