"""A backup of the gateway is put back while phones and servers went on: the phone goes on, too, and ends with what is
there. Through the whole gateway, on a database file, with mail on Dovecot and contacts on Radicale.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from behind import HOST, Behind, Gateway
from lab import Login
from test_behind import set_of

from eas import app as composition
from eas.admin.restored import after_restore
from eas.client.connection import Connection, Credentials, Fate, Identity
from eas.client.device import ZERO, DeviceState, Folder, Item
from eas.client.errors import LostAnswer
from eas.client.phone import Phone
from eas.client.sync import Report
from eas.commands import folder_sync as hierarchy
from eas.commands._sync_messages import Status
from eas.config import load
from eas.db import Database
from eas.db.transactions import transactions
from eas.engine.model import FolderType
from eas.items.contacts import Contact
from eas.protocol.version import Version

pytestmark = pytest.mark.server

CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{0}\r\nFN:{0}\r\nN:{0};;;;\r\nTEL;TYPE=CELL:{1}\r\nEND:VCARD\r\n"


class Going(Phone):
    """A phone whose server comes and goes. `refused` are statuses and keys that would make it begin anew."""

    refused: list[str]

    @classmethod
    def at(cls, gateway: Gateway, login: Login, before: Phone | None = None) -> Going:
        """With the state of `before`, as it was."""
        state = DeviceState(url=HOST, user=login.user, device_id="PHONE1") if before is None else before.state
        line = Connection(
            HOST, Credentials(user=login.user, password=login.password), Identity(device_id="PHONE1"),
            policy_key=before.connection.policy_key if before else None,
            transport=httpx.ASGITransport(gateway.app.asgi),
        )
        gateway.open.append(line)
        phone = cls(state, line)
        phone.refused = []
        phone.on_round = phone.note
        return phone

    def note(self, report: Report) -> None:
        # A folder that was made in the lost time has another number now, of which FolderSync tells.
        fine = (Status.SUCCESS, Status.HIERARCHY_CHANGED)
        self.refused += [f"Sync {status}" for status in report.statuses.values() if status not in fine]

    async def _folder_sync(self, key: str) -> hierarchy.Response:
        if key == ZERO:
            self.refused.append("FolderSync")
        return await super()._folder_sync(key)

    async def news(self) -> None:
        await self.folder_sync()
        await self.sync()

    async def unheard(self) -> None:
        """It asks, the server does it, and the answer is lost."""
        self.connection.fate = lambda command: Fate.ANSWER_LOST
        with pytest.raises(LostAnswer):
            await self.sync()

    def of(self, type: FolderType) -> Folder:
        return next(folder for folder in self.folders() if folder.type is type)

    def item(self, type: FolderType, text: str) -> str:
        """The ServerId of the one that has this text."""
        return next(id for id, item in self.of(type).items.items() if text in told(item))

    def shown(self) -> dict[str, list[str]]:
        """By folder, what its user sees."""
        return {folder.name: sorted(map(told, folder.items.values())) for folder in self.folders()}


def told(item: Item) -> str:
    seen = ("Email:Subject", "Email:Read", "Contacts:LastName", "Contacts:MobilePhoneNumber")
    return " ".join(e.text for e in item.data.elements if e.tag in seen)


def letter(subject: str) -> bytes:
    return (
        f"From: Carla <carla@elsewhere.example>\r\nTo: anna@example.com\r\nSubject: {subject}\r\n"
        f"Message-ID: <{subject.replace(' ', '-')}@elsewhere.example>\r\n"
        "Date: Sat, 21 Nov 2026 08:00:00 +0000\r\n\r\nWords.\r\n"
    ).encode()


@dataclass(kw_only=True)
class Story:
    """Anna, the servers of hers, and the data of a gateway that is started again and again."""

    behind: Behind
    data: Path
    login: Login

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[Gateway]:
        settings = load(overrides=self.behind.settings(self.data), environment={})
        async with composition.build(settings) as app:
            opened = Gateway(behind=self.behind, app=app)
            try:
                yield opened
            finally:
                await opened.close()

    def deliver(self, *subjects: str) -> None:
        for subject in subjects:
            self.behind.mail.deliver(self.login.user, letter(subject))

    def put(self, name: str, number: str) -> None:
        path = f"{self.behind.home(self.login.user, 'contacts')}{name}.vcf"
        self.behind.dav_side().put(path, self.login.user, CARD.format(name, number))

    def marks(self, subject: str, change: str, flags: str) -> None:
        """Another mail program does."""
        with self.behind.mail.imap(self.login.user, "INBOX") as client:
            (found,) = client.search(None, "SUBJECT", f'"{subject}"')[1]
            client.store(found.decode(), change, flags)
            client.expunge()

    def back_up(self, to: Path) -> None:
        copied(self.data / "eas.db", to)

    async def put_back(self, backup: Path) -> None:
        for rest in self.data.glob("eas.db*"):
            rest.unlink()
        copied(backup, self.data / "eas.db")
        database = Database(f"sqlite+aiosqlite:///{self.data}/eas.db")
        run = transactions(database)
        await after_restore(run)
        await run.close()
        await database.close()


def copied(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


@pytest.fixture
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Story:
    behind = set_of("dovecot+radicale", request.getfixturevalue)
    (tmp_path / "data").mkdir()
    return Story(behind=behind, data=tmp_path / "data", login=behind.person("anna"))


async def test_a_phone_goes_on_after_an_older_backup_of_the_gateway_was_put_back(story: Story, tmp_path: Path) -> None:
    """Mail and contacts stand on servers of their own, which were not put back."""
    story.deliver("stays", "is read", "is thrown away")
    for name in ("Kept", "Edited", "Removed"):
        story.put(name, "+1")
    async with story.gateway() as gateway:
        phone = Going.at(gateway, story.login)
        await phone.set_up(Version.V14_1)
        await phone.sync()
        story.back_up(tmp_path / "backup.db")
        # What the backup knows nothing of: the other side does something, the phone does something, and hears of all.
        story.deliver("came and stayed", "came and went")
        story.put("Edited", "+2")
        story.put("Came", "+3")
        story.marks("thrown away", "+FLAGS", r"(\Deleted)")
        await phone.create_folder("Shelf")
        phone.mark(phone.of(FolderType.INBOX), phone.item(FolderType.INBOX, "is read"), read=True)
        phone.add(phone.of(FolderType.CONTACTS), Contact(last_name="Mine"))
        phone.delete(phone.of(FolderType.CONTACTS), phone.item(FolderType.CONTACTS, "Removed"))
        await phone.sync()
        await phone.news()
        story.marks("came and went", "+FLAGS", r"(\Deleted)")
        # The answer to this one the phone never gets: it asks again when the older state is back.
        phone.add(phone.of(FolderType.CONTACTS), Contact(last_name="Unheard"))
        await phone.unheard()
        held = phone.shown()
    assert held["Inbox"] == ["came and stayed 0", "came and went 0", "is read 1", "stays 0"]
    await story.put_back(tmp_path / "backup.db")
    async with story.gateway() as gateway:
        phone = Going.at(gateway, story.login, phone)
        whole = {id for id, item in phone.of(FolderType.INBOX).items.items() if "went" not in told(item)}
        assert len(whole) == 3
        await phone.sync()
        await phone.news()
        assert phone.refused == []
        other = gateway.phone(story.login, "OTHER", Version.V14_1)
        await other.set_up(Version.V14_1)
        await other.sync()
        assert phone.shown() == {f.name: sorted(map(told, f.items.values())) for f in other.folders()}
        shown = phone.shown()
        assert shown["Inbox"] == ["came and stayed 0", "is read 1", "stays 0"]
        names = ["Came", "Edited", "Kept", "Mine", "Unheard"]
        assert sorted(line.split()[-1] for line in shown[phone.of(FolderType.CONTACTS).name]) == names
        assert "Shelf" in shown
        # The messages have their ids from the server, and none of them came again.
        assert whole == phone.of(FolderType.INBOX).items.keys()
        # From here on it is a phone like any other.
        story.deliver("afterwards")
        await phone.sync()
        assert "afterwards 0" in phone.shown()["Inbox"]
        assert phone.refused == []
