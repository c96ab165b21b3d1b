"""A session of eas.client, recorded at one gateway and played against another one whose ids are others."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

import pytest
from playing_kit import ANNA, BEN, DOMAIN, Gateway, Tape, played, told

from eas.client import mail
from eas.engine.model import FolderType
from eas.engine.ports import Horizon
from eas.items.body import Wanted
from eas.items.native import Mail
from eas.protocol.version import Version
from eas.replay.playing.play import Manner

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def letter(subject: str) -> bytes:
    return mail.compose("Carla <carla@elsewhere.example>", [f"{ANNA}@{DOMAIN}"], subject, f"About {subject}.\n",
                        date=NOON, attachments=[("plan.txt", "text/plain", b"first this, then that\n")])


#: Quick: what differs most. Base64 queries are there from 12.1 on.
QUICK = {(Version.V2_5, False), (Version.V16_1, True)}


@pytest.mark.parametrize(("version", "encoded"), [
    pytest.param(version, encoded, marks=[] if (version, encoded) in QUICK else [pytest.mark.long],
                 id=f"{version.text}{' base64' if encoded else ''}")
    for version in Version for encoded in ((False, True) if version >= Version.V12_1 else (False,))
])
async def test_ids_are_bound(version: Version, encoded: bool, tmp_path: Path) -> None:
    tape = Tape()
    async with Gateway.opened(tmp_path / "one") as gateway:
        for subject in ("one", "two"):
            await gateway.deliver(letter(subject))
        async with gateway.phone(version, tape=tape, encoded=encoded) as phone:
            await phone.set_up(version)
            made = await phone.create_folder("Projects")
            await phone.sync()
            inbox = phone.state.folder(FolderType.INBOX)
            first = next(id for id, item in inbox.items.items() if item.text("Email:Subject") == "one")
            phone.mark(inbox, first, read=True)
            await phone.sync([inbox])
            await mail.reply(phone, inbox, first, mail.compose(
                f"{ANNA}@{DOMAIN}", [f"{BEN}@{DOMAIN}"], "Re: one", "Yes.\n", date=NOON))
            await phone.move(inbox, [first], made)
            await phone.sync()
            await phone.rename_folder(made, "Plans")
            await phone.folder_sync()

    async with Gateway.opened(tmp_path / "two", "zoe", ANNA, BEN) as gateway:
        for subject in ("two", "zero", "one"):
            await gateway.deliver(letter(subject))
        outcomes = await played(tape.exchanges, gateway, Manner())
        assert [outcome.got.status for outcome in outcomes if outcome.got] == [200] * len(tape.exchanges)
        (extra,) = told(outcomes)
        assert "Add of 'zero' was not expected" in extra
        (plans,) = [one for one in await (await gateway.mailbox()).folders() if one.name == "Plans"]
        assert await subjects(gateway, plans.id) == [b"one"]
        assert await subjects(gateway, (await gateway.folder(FolderType.INBOX)).id) == [b"two", b"zero"]
        assert await subjects(gateway, (await gateway.folder(FolderType.INBOX, BEN)).id, BEN) == [b"Re: one"]


async def subjects(gateway: Gateway, folder: str, name: str = ANNA) -> list[bytes]:
    mailbox = await gateway.mailbox(name)
    found = await mailbox.folder(folder)
    assert found is not None
    feed = mailbox.feed(found)
    ids = sorted((await feed.delta(None, Horizon())).touched)
    return sorted([
        message_from_bytes(item.header)["Subject"].encode() async for item in feed.fetch(ids, Wanted())
        if isinstance(item, Mail)
    ])
