"""A phone of the demo office that Z-Push has served until now: it goes on by itself, and has everything once."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from eas import app, config
from eas.cli import app as commands
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState, Folder, Item
from eas.client.phone import Phone
from eas.engine.model import FolderType
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

pytestmark = pytest.mark.long

SAMPLES = Path(__file__).parents[2] / "fixtures/move-in"


def phone_of(office: app.App, device: str) -> Phone:
    line = Connection(
        "https://mail.example.test", Credentials(user="anna", password="demo"),
        Identity(device_id=device, device_type="iPhone"), version=Version.V14_1,
        transport=httpx.ASGITransport(app=office.asgi),
    )
    return Phone(DeviceState(device_id=device, user="anna", version=Version.V14_1), line)


def held(phone: Phone) -> dict[str, int]:
    return {folder.name: len(folder.items) for folder in phone.state.folders.values() if folder.synchronised}


def as_left_by_another_server(phone: Phone) -> None:
    """Keys, folders and items in the manner of that server."""
    phone.state.folder_key = "{5b2c7f0e-1111-4222-8333-944455556666}7"
    phone.state.policy_key = phone.connection.policy_key = 2841006337
    inbox = Folder(id="U1a2b3", parent="0", name="Inbox", type=FolderType.INBOX, sync_key="{0f0e0d0c-1111}12")
    for n in range(40):
        inbox.items[f"U1a2b3:{n}"] = Item(server_id=f"U1a2b3:{n}", data=Element("AirSync:ApplicationData"))
    phone.state.folders[inbox.id] = inbox


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Of the demo office, moved in from Z-Push."""
    for words in (("demo",), ("import", "zpush", str(SAMPLES / "zpush-files"))):
        done = CliRunner().invoke(commands, [*words, "--data", str(tmp_path)])
        assert done.exit_code == 0, done.output
    return tmp_path


async def test_a_phone_with_the_folders_and_keys_of_z_push(data: Path) -> None:
    async with app.build(config.load(None, {"data": str(data)}, {})) as office:
        new, moved = phone_of(office, "NEW1"), phone_of(office, "ApplDMPQ70YGG5FH")
        async with new.connection, moved.connection:
            await new.set_up(Version.V14_1)
            await new.sync()
            as_left_by_another_server(moved)
            # Its first request is a Sync of a folder that nobody here knows.
            old = moved.state.folder("U1a2b3")
            report = await moved.sync([old])
            assert old.id not in moved.state.folders or report.of(old.id).added == []
            await moved.folder_sync()
            for _ in range(2):
                await moved.sync()
            assert held(moved) == held(new)
            assert sum(held(moved).values()) > 100
        anna = await office.store.devices((await office.embedded.admin.user("anna")).id)
        assert {one.id for one in anna} == {"NEW1", "ApplDMPQ70YGG5FH"}
        assert next(str(one.first_seen) for one in anna if one.id != "NEW1") == "2025-02-03 07:12:00+00:00"
