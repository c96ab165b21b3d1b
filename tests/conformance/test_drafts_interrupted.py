"""Drafts that are added, changed and sent while the server dies at every single write: each is there, and sent, once.

As `test_interrupted`, for commands that only 16.0 and later have. [MS-ASEMAIL] Sync Command Request, Send.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from boxes_kit import child_text, commands, told
from mail_cases_kit import add_draft, attach, attachments, body, change_draft, under
from premises import ANNA, BEN
from test_interrupted import URL, Death, Scene, When
from wire import Got, basic, e

from eas.engine.model import FolderType
from eas.engine.ports import Horizon
from eas.protocol import http, wbxml
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

pytestmark = pytest.mark.long

ADDRESS = e("Email:To", BEN.address)
FILE = attachments(attach("a", "a.txt", b"Once."))


@dataclass(kw_only=True)
class Desk:
    """One device that knows the Drafts folder alone."""

    scene: Scene
    folder: str
    key: str = "0"

    async def post(self, *more: Element, key: str) -> Got:
        document = e("AirSync:Sync", e("Collections", e(
            "Collection", e("SyncKey", key), e("CollectionId", self.folder), *more,
        )))
        headers = {
            "Authorization": basic(ANNA.login, ANNA.password), "MS-ASProtocolVersion": "16.1",
            "Content-Type": http.WBXML, "User-Agent": "desk/1",
        }
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.scene.app.asgi)) as client:
            response = await client.post(
                f"{URL}{http.PATH}?Cmd=Sync&User={ANNA.login}&DeviceId=DESK1&DeviceType=Desk",
                headers=headers, content=wbxml.encode(document),
            )
        return Got(http=response.status_code, headers=response.headers, body=response.content)

    async def go(self, *more: Element) -> Element:
        (answer,) = told(await self.post(*more, key=self.key))
        assert answer.status == "1", answer.element
        self.key = answer.text("SyncKey")
        return answer.element

    async def draft(self, subject: str) -> str:
        answer = await self.go(commands(add_draft("d", ADDRESS, e("Email:Subject", subject), body("First."))))
        (added,) = under(answer, "Responses", "Add")
        return child_text(added, "ServerId") or ""


def new(subject: str, id: str) -> Element:
    return commands(add_draft("n", ADDRESS, e("Email:Subject", subject), body("New."), FILE))


def changed(subject: str, id: str) -> Element:
    return commands(change_draft(id, e("Email:Subject", subject), body("Second."), FILE))


def sent(subject: str, id: str) -> Element:
    return commands(change_draft(id, e("Email:Subject", subject), body("Second."), FILE, send=True))


def sent_at_once(subject: str, id: str) -> Element:
    return commands(add_draft("n", ADDRESS, e("Email:Subject", subject), body("New."), FILE, send=True))


#: What is asked, whether about a draft that is there, and how many drafts and messages it comes to.
DEEDS: dict[str, tuple[Callable[[str, str], Element], bool, int, int]] = {
    "add": (new, False, 1, 0), "change": (changed, True, 1, 0), "send": (sent, True, 0, 1),
    "send at once": (sent_at_once, False, 0, 1),
}


async def _messages(scene: Scene, login: str, type: FolderType, subject: str) -> list[bytes]:
    mailbox = await scene.premises.mailbox(login)
    (folder,) = [folder for folder in await mailbox.folders() if folder.type is type]
    feed = mailbox.feed(folder)
    found = []
    for id in sorted((await feed.delta(None, Horizon())).touched):
        raw = b"".join([piece async for piece in feed.part(id, "")])
        if f"Subject: {subject}\r\n".encode() in raw:
            found.append(raw)
    return found


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_draft_is_there_and_sent_once_whenever_the_server_dies(deed: str, tmp_path: Path) -> None:
    make, needs, drafts, messages = DEEDS[deed]
    async with Scene.set(tmp_path, Version.V14_1) as scene:
        (folder,) = [f for f in scene.world.phone.folders() if f.type is FolderType.DRAFTS]
        desk = Desk(scene=scene, folder=folder.id)
        await desk.go()
        fatal, when, number = 0, When.AFTER, 0
        while True:
            number += 1
            subject = f"Draft {number}"
            id = await desk.draft(f"Begun {number}") if needs else ""
            asked = make(subject, id)
            scene.mortal.fatal = scene.mortal.writes + fatal if fatal else 0
            scene.mortal.when = when
            before, died = scene.mortal.writes, False
            try:
                await desk.go(asked)
            except Death:
                died = True
                await scene.restart()
                await desk.go(asked)
            scene.mortal.fatal = 0
            if scene.mortal.dead:  # something beside the request was cut off
                await scene.restart()
            elif fatal and not died:
                break
            if not fatal:
                assert scene.mortal.writes - before > 1
            at_rest = await _messages(scene, ANNA.login, FolderType.DRAFTS, subject)
            assert len(at_rest) == drafts, (fatal, when)
            assert not await _messages(scene, ANNA.login, FolderType.DRAFTS, f"Begun {number}")
            arrived = await _messages(scene, BEN.login, FolderType.INBOX, subject)
            assert len(arrived) == messages, (fatal, when)
            assert len(await _messages(scene, ANNA.login, FolderType.SENT_ITEMS, subject)) == messages
            assert all(raw.count(b'filename="a.txt"') == 1 for raw in (*at_rest, *arrived))
            when = When.AFTER if when is When.BEFORE else When.BEFORE
            fatal += when is When.BEFORE
        assert fatal > 2
