"""One user's devices of 14.1 and 16.1 change the same item, neither knowing of the other: who wins is as the device
asked, the other one is told, and no device shows what is not stored. [MS-ASCMD] Conflict; Status (Sync) 7.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from boxes_kit import child_text
from calendar_kit import c
from effects import CALENDAR, DRAFTS, MONDAY
from effects_kit import Desk, house, in_step, tally
from mail_cases_kit import add_draft, body, change_draft
from premises import ANNA, BEN
from wire import Got, e

from eas.engine.model import FolderType
from eas.protocol.wbxml import Element

OLD, NEW = "14.1", "16.1"
SERVER_WINS, CLIENT_WINS = "1", "0"
START, END = f"{MONDAY:%Y%m%dT%H%M%SZ}", f"{MONDAY.replace(hour=11):%Y%m%dT%H%M%SZ}"


async def _change(desk: Desk, type: FolderType, id: str, conflict: str, *fields: Element) -> str:
    """The status of a Change."""
    options = e("Options", e("Conflict", conflict))
    given = e("AirSync:Change", e("ServerId", id), e("ApplicationData", *fields))
    request = desk.sync(type, given, more=(options,))
    got: Got = await desk.ask(request)
    desk.take(got, request)
    found = got.all("Collections", "Collection", "Responses", "Change", "Status") if got.body else []
    return found[0].text if found else "1"


async def _stored(desk: Desk, type: FolderType) -> str:
    (whole,) = [one for one in await desk.scene.premises.contents("anna", type) if "story" in one]
    return whole


def _appointment(version: str) -> Element:
    own = (c("UID", "story-1"), c("DtStamp", START)) if version == OLD else ()
    return e("AirSync:Add", e("ClientId", "c1"), e(
        "ApplicationData", *own, c("StartTime", START), c("EndTime", END), c("Subject", "story"), c("AllDayEvent", "0"),
    ))


@pytest.mark.parametrize("conflict", [SERVER_WINS, CLIENT_WINS])
@pytest.mark.parametrize("first", [OLD, NEW])
async def test_an_appointment_that_two_versions_change(first: str, conflict: str, tmp_path: Path) -> None:
    async with house(tmp_path) as scene:
        one, two = [
            await Desk(scene=scene, person=ANNA, device=f"DESK{n}", version=version).begin(CALENDAR)
            for n, version in enumerate((first, NEW if first == OLD else OLD))
        ]
        id = await one.add(CALENDAR, _appointment(first))
        await two.pull(CALENDAR)
        assert id in two.known(CALENDAR)
        times = (c("StartTime", START), c("EndTime", END))
        assert await _change(one, CALENDAR, id, conflict, c("Subject", "story of one"), *times) == "1"
        status = await _change(two, CALENDAR, id, conflict, c("Subject", "story of two"), *times)
        assert status == ("7" if conflict == SERVER_WINS else "1")
        winner = "story of one" if conflict == SERVER_WINS else "story of two"
        assert winner in await _stored(one, CALENDAR)
        for desk in (one, two):
            await in_step(desk, CALENDAR)
        loser, shown = (two, two.known(CALENDAR)) if conflict == SERVER_WINS else (one, one.known(CALENDAR))
        assert winner in str(shown[id]), f"{loser.version} was not told"


@pytest.mark.parametrize("conflict", [SERVER_WINS, CLIENT_WINS])
async def test_a_draft_that_two_devices_change(conflict: str, tmp_path: Path) -> None:
    """A third device, of 14.1, sees what there is. Sending what another has changed meanwhile is a conflict, too: what
    goes out is what one of them wrote, once."""
    async with house(tmp_path) as scene:
        one, two, old = [
            await Desk(scene=scene, person=ANNA, device=f"DESK{n}", version=version).begin(DRAFTS)
            for n, version in enumerate((NEW, NEW, OLD))
        ]
        fields = (e("Email:To", "ben@example.test"), e("Email:Subject", "story"), body("begun"))
        id = await one.add(DRAFTS, add_draft("n", *fields))
        for desk in (two, old):
            await desk.pull(DRAFTS)
        assert await _change(old, DRAFTS, id, conflict, e("Email:Read", "0")) == "1"
        assert await _change(one, DRAFTS, id, conflict, e("Email:Subject", "story of one")) == "1"
        request = two.sync(
            DRAFTS, change_draft(id, e("Email:Subject", "story of two"), send=True),
            more=(e("Options", e("Conflict", conflict)),),
        )
        got = await two.ask(request)
        two.take(got, request)
        assert child_text(got.all("Collections", "Collection")[0], "Status") == "1"
        found = await tally(scene, "story")
        if conflict == SERVER_WINS:
            assert [f.text for f in got.all("Collections", "Collection", "Responses", "Change", "Status")] == ["7"]
            assert found == {"anna DRAFTS mail": 1}
            assert "story of one" in await _stored(one, DRAFTS)
        else:
            assert found == {"anna SENT_ITEMS mail": 1, "ben INBOX mail": 1}
            assert "story of two" in (await scene.premises.contents(BEN.login, FolderType.INBOX))[0]
        for desk in (one, two, old):
            await in_step(desk, DRAFTS)
