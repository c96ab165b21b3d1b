"""The client's commands against the real server in memory, on the demo office, in each version where it matters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest
from groupware.fixtures import ON_POSTGRESQL
from typer.testing import CliRunner

from eas import app, config
from eas.app import App
from eas.cli import app as commands
from eas.client import mail, services
from eas.client.account import autodiscover, autodiscover_json
from eas.client.connection import Connection, Credentials, Fate, Identity
from eas.client.device import ZERO, DeviceState, Item
from eas.client.errors import HttpFailure, LostAnswer, Refusal
from eas.client.phone import Phone
from eas.client.sync import Report
from eas.commands.ping import Status as PingStatus
from eas.engine.model import FolderType
from eas.items.email import Email
from eas.protocol.version import Version

#: Takes more than a few seconds.
pytestmark = pytest.mark.long

OFFERED = tuple(Version)
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

Open = Callable[..., Awaitable[Phone]]


@pytest.fixture(scope="module")
def settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of a server with the demo office in it, as environment variables."""
    folder = tmp_path_factory.mktemp("office") / "data"
    told = {"EAS_DATA": str(folder)}
    if ON_POSTGRESQL:
        told["EAS_DATABASE"] = request.getfixturevalue("postgresql").new_database(name="office")
    made = CliRunner().invoke(commands, ["demo", "--data", str(folder)], env=told)
    assert made.exit_code == 0, made.output
    return told


@pytest.fixture
async def office(settings: dict[str, str]) -> AsyncIterator[App]:
    async with app.build(config.load(None, {}, settings)) as parts:
        yield parts


@asynccontextmanager
async def phone(office: App, user: str, version: Version = Version.V14_1, device: str = "") -> AsyncIterator[Phone]:
    """Set up, and in step where there is something for the tests."""
    state = DeviceState.new(device)
    connection = Connection(
        "https://mail.example.test", Credentials(user=user, password="demo"), Identity(device_id=state.device_id),
        transport=httpx.ASGITransport(app=office.asgi),
    )
    async with connection:
        made = Phone(state, connection)
        await made.set_up(version)
        await made.sync([made.state.folder(kind) for kind in (FolderType.INBOX, FolderType.SENT_ITEMS)])
        yield made


async def step(phone: Phone) -> Report:
    """Synchronise what was begun."""
    return await phone.sync([folder for folder in phone.folders() if folder.sync_key != ZERO])


def found(phone: Phone, folder: FolderType | str, subject: str) -> Item:
    """The newest item of that subject."""
    items = [i for i in phone.state.folder(folder).items.values() if i.text("Email:Subject") == subject]
    assert items, subject
    return max(items, key=lambda item: int(item.server_id.rpartition(":")[2]))


def letter(to: str, subject: str, text: str) -> bytes:
    return mail.compose("anna@example.test", [to], subject, text, date=NOW)


async def test_autodiscover_finds_the_server(office: App) -> None:
    """[MS-ASCMD] Autodiscover."""
    transport = httpx.ASGITransport(app=office.asgi)
    anna = Credentials(user="anna@example.test", password="demo")
    there = await autodiscover("anna@example.test", anna, transport=transport)
    assert there.url.lower().endswith("/microsoft-server-activesync")
    assert (there.address, there.name) == ("anna@example.test", "Anna Bergström")
    url = await autodiscover_json("https://example.test", "anna@example.test", transport=transport)
    assert url.lower().endswith("/microsoft-server-activesync")


def body_of(item: Item, version: Version) -> str:
    """Of a message, where the version has it."""
    return item.text("Email:Body") if version is Version.V2_5 else item.text("AirSyncBase:Body", "AirSyncBase:Data")


@pytest.mark.parametrize("version", OFFERED)
async def test_mail_is_sent_replied_to_and_forwarded(office: App, version: Version) -> None:
    subject = f"Chisels {version.text}"
    async with phone(office, "anna", version) as anna, phone(office, "ben", version) as ben:
        await mail.send(anna, letter("ben@example.test", subject, "Which ones?"))
        await step(ben)
        inbox = ben.state.folder(FolderType.INBOX)
        item = found(ben, inbox.id, subject)
        answer = mail.compose("ben@example.test", ["anna@example.test"], f"Re: {subject}", "The long ones.", date=NOW)
        await mail.reply(ben, inbox, item.server_id, answer)
        passed_on = mail.compose("ben@example.test", ["carla@example.test"], f"Fwd: {subject}", "See below.", date=NOW)
        await mail.forward(ben, inbox, item.server_id, passed_on)
        await step(anna)
        body = body_of(found(anna, FolderType.INBOX, f"Re: {subject}"), version)
        assert "The long ones." in body
        assert "Which ones?" in body
        assert found(anna, FolderType.SENT_ITEMS, subject).text("Email:Read") == "1"
    async with phone(office, "carla", version) as carla:
        body = body_of(found(carla, FolderType.INBOX, f"Fwd: {subject}"), version)
        assert "See below." in body
        assert "Which ones?" in body


async def test_mail_whose_answer_was_lost_is_sent_once(office: App) -> None:
    """[MS-ASCMD] ClientId: Status 118 says that it was sent before."""
    async with phone(office, "anna") as anna:
        mime, client_id = letter("ben@example.test", "Only once", "x"), anna.state.client_id()
        anna.connection.fate = lambda command: Fate.ANSWER_LOST
        with pytest.raises(LostAnswer):
            await mail.send(anna, mime, client_id=client_id)
        anna.connection.fate = lambda command: Fate.ANSWERED
        with pytest.raises(Refusal) as raised:
            await mail.send(anna, mime, client_id=client_id)
        assert raised.value.status == 118
    async with phone(office, "ben") as ben:
        inbox = ben.state.folder(FolderType.INBOX)
        assert sum(item.text("Email:Subject") == "Only once" for item in inbox.items.values()) == 1


@pytest.mark.parametrize("version", OFFERED)
async def test_attachments_come_in_every_way_and_are_the_same(office: App, version: Version) -> None:
    """GetAttachment, ItemOperations with base64, and as a multipart answer."""
    async with phone(office, "ben", version) as ben:
        item = found(ben, FolderType.INBOX, "Re: Monday round")
        message = item.read(Email, version)
        references = {a.display_name: a.file_reference for a in message.attachments}
        references |= {a.display_name: a.name for a in message.old_attachments}
        reference = references["minutes.pdf"]
        once = await mail.fetch_attachment(ben, reference)
        again = await mail.fetch_attachment(ben, reference, multipart=version is not Version.V2_5)
        assert once.startswith(b"%PDF-1.4")
        assert once == again
        with pytest.raises((Refusal, HttpFailure)):
            await mail.fetch_attachment(ben, f"{reference}9999")


async def test_cut_body_is_fetched_whole_and_mime_is_the_message(office: App) -> None:
    async with phone(office, "anna") as anna:
        await mail.send(anna, letter("anna@example.test", "Long", "All work and no play.\n" * 4000))
        await step(anna)
        inbox = anna.state.folder(FolderType.INBOX)
        item = found(anna, inbox.id, "Long")
        assert item.text("AirSyncBase:Body", "AirSyncBase:Truncated") == "1"
        properties = await mail.fetch_item(anna, inbox, item.server_id)
        whole = Item(server_id=item.server_id, data=properties)
        assert whole.text("AirSyncBase:Body", "AirSyncBase:Data").count("All work") == 4000
        raw = await mail.fetch_item(anna, inbox, item.server_id, mime=True)
        assert "Subject: Long" in Item(server_id="", data=raw).text("AirSyncBase:Body", "AirSyncBase:Data")
        anna.fetch(inbox, item.server_id)
        report = await anna.sync([inbox])
        assert report.changes[inbox.id].fetched == [item.server_id]


async def test_invitation_is_accepted_into_the_calendar(office: App) -> None:
    async with phone(office, "carla") as carla:
        inbox, calendar = carla.state.folder(FolderType.INBOX), carla.state.folder(FolderType.CALENDAR)
        invitation = found(carla, inbox.id, "Oils and waxes: what do we offer?")
        made = await mail.respond(carla, inbox, invitation.server_id, mail.Reply.ACCEPT)
        await carla.sync([inbox, calendar])
        assert made in calendar.items
        assert calendar.items[made].text("Calendar:Subject") == "Oils and waxes: what do we offer?"
        with pytest.raises(Refusal):
            await mail.respond(carla, inbox, "no such item", mail.Reply.ACCEPT)


async def test_folders_are_made_renamed_filled_emptied_and_removed(office: App) -> None:
    async with phone(office, "ben") as ben:
        key = ben.state.folder_key
        folder = await ben.create_folder("Ideas")
        inside = await ben.create_folder("Old ones", parent=folder.id)
        await ben.rename_folder(folder, "Good ideas")
        assert ben.state.folder_key != key
        assert (await ben.folder_sync()).count == 0
        with pytest.raises(Refusal) as raised:
            await ben.create_folder("Good ideas")
        assert raised.value.status == 2
        sent = ben.state.folder(FolderType.SENT_ITEMS)
        await ben.sync([folder])
        name = next(iter(sent.items))
        moved = await ben.move(sent, [name], folder)
        report = await step(ben)
        assert list(folder.items) == [moved[name]]
        assert name not in sent.items
        assert report.failures == []
        await mail.empty_folder(ben, folder, subfolders=True)
        await ben.folder_sync()
        assert inside.id not in ben.state.folders
        await ben.sync([folder])
        assert folder.items == {}
        await ben.delete_folder(folder)
        assert (await ben.folder_sync()).count == 0


@pytest.mark.parametrize("version", OFFERED)
async def test_people_are_found_with_what_the_version_tells(office: App, version: Version) -> None:
    async with phone(office, "anna", version) as anna:
        (ben,) = await services.search_people(anna, "ben", pictures=True)
        assert (ben.address, ben.phone, ben.title) == ("ben@example.test", "+49 30 23125 104", "Sales and Customers")
        assert (ben.picture is not None) == (version >= Version.V14_1)
        assert len(await services.search_people(anna, "nordhang")) == 8
        assert await services.search_people(anna, "nobody at all") == []
        if version is Version.V2_5:  # it has neither Settings nor searches of mail
            return
        hits, total = await services.search_mailbox(anna, "electrician")
        assert [(hit.item.text("Email:Subject"), hit.collection_id) for hit in hits] == [
            ("Re: Extraction in hall 2", anna.state.folder(FolderType.SENT_ITEMS).id)
        ]
        assert total == 1
        assert (await services.addresses(anna))[0].endswith("@example.test")


async def test_out_of_office_note_is_kept_and_switched_off(office: App) -> None:
    async with phone(office, "ben") as ben:
        assert (await services.out_of_office(ben)).state == 0
        await services.set_out_of_office(ben, "Back on Monday.")
        kept = await services.out_of_office(ben)
        assert kept.state == 1
        assert {reply.reply for reply in kept.messages if reply.enabled} == {"Back on Monday."}
        await services.set_out_of_office(ben, None)
        assert (await services.out_of_office(ben)).state == 0


async def test_estimate_is_what_the_sync_then_brings(office: App) -> None:
    async with phone(office, "anna") as anna:
        inbox = anna.state.folder(FolderType.INBOX)
        assert await anna.estimate(inbox) == 0
        await mail.send(anna, letter("anna@example.test", "One more", "x"))
        assert await anna.estimate(inbox) == 1
        ready = await anna.ping([inbox], heartbeat=60)
        assert (ready.status, ready.folders) == (PingStatus.CHANGES, (inbox.id,))
        assert len((await anna.sync([inbox])).changes[inbox.id].added) == 1


async def test_flags_of_a_mail_go_from_one_phone_to_another(office: App) -> None:
    async with phone(office, "anna") as one, phone(office, "anna") as two:
        inbox = one.state.folder(FolderType.INBOX)
        name = found(one, inbox.id, "Re: Extraction in hall 2").server_id
        one.mark(inbox, name, read=False, flagged=True, categories=("Office", "Later"))
        report = await one.sync([inbox])
        assert report.changes[inbox.id].taken == [name]
        report = await step(two)
        assert report.changes[inbox.id].changed == [name]
        item = two.state.folders[inbox.id].items[name]
        assert item.text("Email:Read") == "0"
        assert item.text("Email:Flag", "Email:Status") == "2"
        categories = item.data.child("Email:Categories")
        assert categories is not None
        assert [element.text for element in categories.elements] == ["Office", "Later"]
