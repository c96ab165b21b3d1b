"""Sessions of eas.client, recorded at one gateway, played at another whose mailbox is made from the session alone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playing_kit import ANNA, BEN, DOMAIN, Gateway, Tape, all_same, replayed, this_second

from eas.client import mail, services
from eas.client.words import Here, new_item
from eas.engine.model import FolderType
from eas.protocol.version import Version

NOW = datetime.now(UTC).replace(microsecond=0)
HERE = Here(ZoneInfo("Europe/Berlin"))
#: Of attachments whose content the session does not have.
FILLED = "filled to its size"
VERSIONS = [
    pytest.param(version, marks=[] if version is Version.V16_1 else [pytest.mark.long],
                 id=version.text) for version in Version
]


async def deliver(gateway: Gateway, *subjects: str) -> None:
    """Received within the second that Date says: of a mail that has no MIME a session knows only when it came."""
    date = this_second()
    for number, subject in enumerate(subjects):
        await gateway.deliver(letter(subject, date), at=date + timedelta(milliseconds=number))


def letter(
    subject: str, date: datetime, name: str = "plan.txt", *, sender: str = "Carla <carla@elsewhere.example>"
) -> bytes:
    return mail.compose(sender, [f"{ANNA}@{DOMAIN}"], subject, f"About {subject}.\nWith two lines.\n",
                        date=date,
                        attachments=[(name, "application/pdf", b"%PDF first this, then that\n" * 20)])


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_day_with_a_phone(version: Version, tmp_path: Path) -> None:
    """Mail, folders, attachments, records: everything that a phone does in a day, with no difference afterwards."""
    tape = Tape()
    async with Gateway.opened(tmp_path / "recorded") as gateway:
        await deliver(gateway, "one", "two", "three")
        async with gateway.phone(version, device="OTHER") as other:
            await other.set_up(version)
            await other.sync()
            other.add(other.state.folder(FolderType.CONTACTS),
                      new_item("Contacts", ["first=Dora", "last=Dorn", "mail=dora@elsewhere.example"], HERE))
            other.add(other.state.folder(FolderType.CALENDAR),
                      new_item("Calendar", ["subject=Lunch", f"start={NOW + timedelta(days=1):%Y-%m-%dT%H:00}",
                                            "where=Roof", "text=Bring bread."], HERE))
            other.add(other.state.folder(FolderType.TASKS), new_item("Tasks", ["subject=Water the plants"], HERE))
            await other.sync()
        async with gateway.phone(version, tape=tape) as phone:
            await phone.set_up(version)
            await phone.sync()
            inbox = phone.state.folder(FolderType.INBOX)
            by_subject = {item.text("Email:Subject"): id for id, item in inbox.items.items()}
            made = await phone.create_folder("Projects")
            await phone.sync()
            if version > Version.V2_5:
                (attached,) = inbox.items[by_subject["one"]].data.child("AirSyncBase:Attachments").elements
                reference = attached.child("AirSyncBase:FileReference").text
                assert await mail.fetch_attachment(phone, reference)
                await mail.fetch_attachment(phone, reference, multipart=True)
                await mail.fetch_item(phone, inbox, by_subject["two"])
            await mail.reply(phone, inbox, by_subject["one"], mail.compose(
                f"{ANNA}@{DOMAIN}", [f"{BEN}@{DOMAIN}"], "Re: one", "Yes.\n", date=NOW))
            await mail.forward(phone, inbox, by_subject["two"], mail.compose(
                f"{ANNA}@{DOMAIN}", [f"{ANNA}@{DOMAIN}"], "Fwd: two", "To myself.\n", date=NOW))
            await phone.sync()
            phone.mark(inbox, by_subject["one"], read=True)
            phone.delete(inbox, by_subject["three"])
            await phone.sync()
            await phone.move(inbox, [by_subject["one"]], made)
            await phone.sync()
            await services.search_people(phone, "ben")
            contacts = phone.state.folder(FolderType.CONTACTS)
            (dora,) = contacts.items
            phone.edit(contacts, dora, job_title="Painter")
            phone.add(contacts, new_item("Contacts", ["first=Emil", "last=Ernst"], HERE))
            await phone.sync()
            if version > Version.V2_5:
                await services.out_of_office(phone)
                await services.search_mailbox(phone, "two")
            if version >= Version.V16_1:
                await services.find_messages(phone, "two", search_id="5b6a0e1c-0d32-4d0b-9b5c-3f3e0c0f9d10")
            await phone.rename_folder(made, "Plans")
            await phone.delete_folder(made)
            await phone.folder_sync()
    outcomes, lacks = await replayed(tape, tmp_path)
    all_same(outcomes)
    assert all(FILLED in lack for lack in lacks), lacks


@pytest.mark.long
@pytest.mark.parametrize("version", VERSIONS)
async def test_mail_that_came_while_the_phone_waited(version: Version, tmp_path: Path) -> None:
    tape = Tape()
    async with Gateway.opened(tmp_path / "recorded") as gateway, gateway.phone(version, tape=tape) as phone:
        await phone.set_up(version)
        await phone.sync()
        inbox = phone.state.folder(FolderType.INBOX)
        waiting = asyncio.create_task(phone.ping([inbox], 60))
        await asyncio.sleep(3.2)
        await deliver(gateway, "news")
        assert (await waiting).folders == (inbox.id,)
        await phone.sync([inbox])
        (id,) = inbox.items
        phone.mark(inbox, id, read=True)
        await phone.sync([inbox])
    outcomes, _ = await replayed(tape, tmp_path)
    all_same(outcomes, FILLED)
    (ping,) = [outcome for outcome in outcomes if "Cmd=Ping" in outcome.exchange.request.target]
    assert ping.seconds < 30
