"""A session under pseudonyms can still be played: ids, keys and names fit together in requests and answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playing_kit import ANNA, BEN, DOMAIN, Gateway, Tape, all_same, replayed, this_second

from eas.client import mail, services
from eas.engine.model import FolderType
from eas.protocol.version import Version
from eas.replay.format.model import Meta
from eas.replay.format.writing import exchange_text
from eas.replay.masking.masker import Masker

pytestmark = pytest.mark.long


def letter(subject: str, date: datetime) -> bytes:
    return mail.compose("Carla <carla@elsewhere.example>", [f"{ANNA}@{DOMAIN}"], subject,
                        f"About {subject}, Zeppelin.\n", date=date)


@pytest.mark.parametrize("version", [Version.V14_1, Version.V16_1], ids=lambda version: version.text)
async def test_a_masked_day_is_played(version: Version, tmp_path: Path) -> None:
    tape = Tape()
    async with Gateway.opened(tmp_path / "recorded") as gateway:
        date = this_second()
        for number, subject in enumerate(("offer", "stairs")):
            await gateway.deliver(letter(subject, date), at=date + timedelta(milliseconds=number))
        async with gateway.phone(version, tape=tape) as phone:
            await phone.set_up(version)
            await phone.sync()
            inbox = phone.state.folder(FolderType.INBOX)
            first, second = list(inbox.items)
            archive = await phone.create_folder("Project Zeppelin")
            await mail.reply(phone, inbox, first, mail.compose(
                f"{ANNA}@{DOMAIN}", [f"{BEN}@{DOMAIN}"], "Re: offer", "Yes.\n", date=datetime.now(UTC)))
            await phone.sync()
            await phone.move(inbox, [second], archive)
            await phone.sync()
            await services.search_people(phone, "ben")
    masker = Masker(b"the key of this test", keep=["dates"])  # else what the server dates itself differs
    tape.exchanges[:] = [masker.exchange(one) for one in tape.exchanges]
    assert "Zeppelin" not in "".join(map(exchange_text, tape.exchanges))
    anna, ben = (masker.meta(Meta((("user", name),))).get("user") for name in (ANNA, BEN))
    outcomes, lacks = await replayed(tape, tmp_path, user=anna, people=[ben])
    assert lacks == []
    all_same(outcomes)
