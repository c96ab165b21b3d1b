"""All that a phone fetches from the demo office at first, plain and masked, is made anew from the session alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playing_kit import PASSWORD, Gateway, Recording, Tape, all_same, comparing, kept

from eas import app
from eas.admin import demo
from eas.app.preparing import behind
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.phone import Phone
from eas.config import load
from eas.demo import model
from eas.protocol.version import Version
from eas.replay.format.model import Meta
from eas.replay.format.reading import open_session
from eas.replay.format.writing import exchange_text
from eas.replay.masking.masker import Masker
from eas.replay.playing.binding import Binding
from eas.replay.playing.line import AsgiLine
from eas.replay.playing.play import Manner, play, who_of
from eas.replay.preparing.prepare import prepared

pytestmark = pytest.mark.long
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
LOGIN, NAME, ZONE = f"anna@{model.DOMAIN}", "Anna Bergström", "Europe/Berlin"
ATTACHMENTS = "filled to its size"


async def first_sync(folder: Path, version: Version) -> Tape:
    (folder / "office").mkdir()
    settings = load(overrides={"data": folder / "office", "domain": model.DOMAIN}, environment={})
    tape = Tape()
    async with app.build(settings) as parts:
        await demo.fill(parts.site, folder / "office", NOW)
        credentials = Credentials(user="anna", password=model.PASSWORD)
        transport = Recording(httpx.ASGITransport(parts.asgi), tape)
        async with Connection(
            "http://localhost", credentials, Identity(device_id="PHONE1"), version=version, transport=transport,
        ) as connection:
            phone = Phone(DeviceState.new("PHONE1"), connection)
            await phone.set_up(version)
            for _ in range(3):
                await phone.sync()
    return tape


async def again(tape: Tape, folder: Path, login: str, name: str) -> list[str]:
    """Played on another gateway without a difference; what could not be made but for attachments, which are filled."""
    file = kept(tape, folder / "recorded.session")
    async with Gateway.opened(folder / "fresh", "zoe") as gateway:
        await gateway.parts.embedded.admin.add_user(login, PASSWORD, name=name, zone=ZONE)
        who = who_of(tape.exchanges[0], login)
        found = await behind(gateway.parts, login, PASSWORD, gateway.parts.bell.ring)
        assert found is not None
        async with prepared(found.mailbox, found.viewer, file, Binding(who=who), clock=found.clock) as stage:
            manner = Manner(who=who, stage=stage, compare=comparing())
            with open_session(file) as session:
                line = AsgiLine(gateway.parts.asgi, login, PASSWORD)
                all_same([outcome async for outcome in play(session.exchanges, line, manner)])
            return [lack for lack in stage.lacks if ATTACHMENTS not in lack]


@pytest.mark.parametrize("version", [Version.V12_1, Version.V14_1, Version.V16_1], ids=lambda version: version.text)
async def test_as_it_is(version: Version, tmp_path: Path) -> None:
    tape = await first_sync(tmp_path, version)
    assert sum(map(len, map(exchange_text, tape.exchanges))) > 100_000
    assert await again(tape, tmp_path, LOGIN, NAME) == []


async def test_masked(tmp_path: Path) -> None:
    tape = await first_sync(tmp_path, Version.V16_1)
    masker = Masker(b"the key of this test")
    tape.exchanges[:] = [masker.exchange(one) for one in tape.exchanges]
    meta = masker.meta(Meta((("user", LOGIN), ("note", NAME))))
    assert await again(tape, tmp_path, meta.get("user"), meta.get("note")) == []


async def test_another_account(tmp_path: Path) -> None:
    """It is said, with what would mend it."""
    tape = await first_sync(tmp_path, Version.V16_1)
    file = kept(tape, tmp_path / "recorded.session")
    async with Gateway.opened(tmp_path / "fresh", "zoe") as gateway:
        await gateway.parts.embedded.admin.add_user(LOGIN, PASSWORD)
        found = await behind(gateway.parts, LOGIN, PASSWORD, gateway.parts.bell.ring)
        assert found is not None
        who = who_of(tape.exchanges[0], LOGIN)
        async with prepared(found.mailbox, found.viewer, file, Binding(who=who), clock=found.clock) as stage:
            said = [lack for lack in stage.lacks if ATTACHMENTS not in lack]
    assert said == [
        f"the account is called {LOGIN!r}, in the session {NAME!r} (eas user set --name)",
        "the account's time zone is UTC, in the session one of UTC+1 in December (eas user set --zone)",
    ]
