"""Two devices of one user at the same drafts, over a line that loses requests and answers: hypothesis plays them.

At rest, whatever was lost on the way: a draft that some device was told to have sent has arrived once, and is a draft
no more; one that nobody sent has arrived nowhere and lies in Drafts or, deleted, in Deleted Items, once; it says what
the last change said that was not refused, and holds once each file that was attached by such a change. Both devices
hold what the store holds. [MS-ASEMAIL] Send; [MS-ASCMD] Status (Sync) 7, 8.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from boxes_kit import child_text, local
from effects_kit import Desk, Request, address, house, in_step
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mail_cases_kit import add_draft, attach, attachments, body, change_draft
from premises import ANNA
from test_interrupted import Scene
from wire import Got, e

from eas.engine.model import FolderType
from eas.engine.ports import Horizon
from eas.protocol.wbxml import Element

pytestmark = pytest.mark.long

DRAFTS, DELETED, SENT = FolderType.DRAFTS, FolderType.DELETED_ITEMS, FolderType.SENT_ITEMS
GOOD, CONFLICT, GONE = "1", "7", "8"
EXAMPLES = 20

#: What happens to the next request of a device.
FATES = ("fine", "fine", "fine", "request lost", "answer lost")
ACTIONS = ("add", "add", "edit", "edit", "attach", "send", "send new", "delete", "mark", "sync")
STEPS = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.integers(0, 1), st.integers(0, 7), st.sampled_from(FATES)),
    min_size=10, max_size=24,
)


@dataclass(kw_only=True)
class Letter:
    """`at`: when the newest change that was not refused came to the server."""

    subject: str
    text: str
    at: int
    files: Counter[str] = field(default_factory=Counter)
    sent: bool = False


@dataclass(kw_only=True)
class Asked:
    """One request that waits for its answer. `came`: when the server first had it, 0: not yet."""

    request: Request
    action: str
    letter: Letter | None
    text: str
    came: int = 0


@dataclass(kw_only=True)
class Player:
    desk: Desk
    open: Asked | None = None


class Play:
    def __init__(self, players: tuple[Player, Player], word: str) -> None:
        self.players, self.word = players, word
        self.letters: dict[str, Letter] = {}
        self.number = self.clock = 0

    async def step(self, action: str, who: int, which: int, fate: str) -> None:
        player = self.players[who]
        if player.open is None:
            player.open = self._planned(player.desk, action, which)
        await self._ask(player, fate)

    async def rest(self) -> None:
        for player in self.players * 2:
            if player.open is not None:
                await self._ask(player, "fine")
            await player.desk.pull(DRAFTS)

    # -- one request

    def _planned(self, desk: Desk, action: str, which: int) -> Asked:
        self.number += 1
        text = f"{self.word} text {self.number}."
        if action in ("add", "send new") and desk.version == "16.1":
            letter = Letter(subject=f"{self.word}-{self.number}", text=text, at=0)
            self.letters[letter.subject] = letter
            command = add_draft(
                f"n{self.number}", e("Email:To", address("ben")), e("Email:Subject", letter.subject), body(text),
                send=action == "send new",
            )
            return Asked(request=desk.sync(DRAFTS, command), action=action, letter=letter, text=text)
        held = sorted(desk.known(DRAFTS))
        if not held or action in ("sync", "add", "send new"):
            return Asked(request=desk.sync(DRAFTS), action="sync", letter=None, text="")
        id = held[which % len(held)]
        if desk.version != "16.1" and action != "delete":
            action = "mark"
        return Asked(
            request=desk.sync(DRAFTS, self._command(action, id, text)), action=action,
            letter=self.letters[_subject(desk.known(DRAFTS)[id])], text=text,
        )

    def _command(self, action: str, id: str, text: str) -> Element:
        match action:
            case "edit":
                return change_draft(id, body(text))
            case "attach":
                name = f"f{self.number}.txt"
                return change_draft(id, body(text), attachments(attach("a", name, b"Once.")))
            case "send":
                return change_draft(id, body(text), send=True)
            case "delete":
                return e("AirSync:Delete", e("ServerId", id))
        return change_draft(id, e("Email:Read", str(self.number % 2)))

    async def _ask(self, player: Player, fate: str) -> None:
        asked = player.open
        assert asked is not None
        if fate == "request lost":
            return
        self.clock += 1
        asked.came = asked.came or self.clock
        got = await player.desk.ask(asked.request)
        if fate == "answer lost":
            return
        player.open = None
        self._learn(asked, _status(got))
        player.desk.take(got, asked.request)
        if asked.action == "add":
            # What the device has of it is what it said, not the answer.
            for id, item in player.desk.known(DRAFTS).items():
                if local(item) == "Add" and not _subject(item, none=True):
                    assert asked.letter is not None
                    player.desk.known(DRAFTS)[id] = e("Add", e("Email:Subject", asked.letter.subject))

    def _learn(self, asked: Asked, status: str) -> None:
        """What an answer says has happened."""
        letter = asked.letter
        if letter is None:
            return
        assert status in (GOOD, CONFLICT, GONE), status
        if asked.action in ("send", "send new"):
            if status == GOOD:
                assert not letter.sent, "two were told to have sent it"
                letter.sent = True
        elif asked.action in ("add", "edit", "attach") and status == GOOD:
            if asked.came > letter.at:
                letter.text, letter.at = asked.text, asked.came
            if asked.action == "attach":
                letter.files[f"f{asked.text.split()[-1][:-1]}.txt"] += 1
        if asked.action in ("add", "send new"):
            assert status == GOOD

    # -- what must be true

    async def check(self, scene: Scene) -> None:
        places = {
            place: await _messages(scene, login, type, self.word)
            for place, login, type in (
                ("drafts", "anna", DRAFTS), ("deleted", "anna", DELETED), ("sent", "anna", SENT),
                ("arrived", "ben", FolderType.INBOX),
            )
        }
        for subject, letter in self.letters.items():
            there = {place: len(found.get(subject, [])) for place, found in places.items()}
            if letter.sent:
                assert there == {"drafts": 0, "deleted": 0, "sent": 1, "arrived": 1}, subject
                continue
            assert there["drafts"] + there["deleted"] == 1, (subject, there)
            assert there["sent"] == there["arrived"] == 0, (subject, there)
            (raw,) = [*places["drafts"].get(subject, []), *places["deleted"].get(subject, [])]
            assert letter.text.encode() in raw, (letter, raw)
            assert Counter({n: raw.count(f'filename="{n}"'.encode()) for n in letter.files}) == letter.files
            assert raw.count(b"filename=") == letter.files.total()
        for player in self.players:
            await in_step(player.desk, DRAFTS)


def _subject(item: Element, none: bool = False) -> str:
    found = [item.text] if item.tag == "Email:Subject" else []
    for child in item.elements if not found else ():
        if deeper := _subject(child, none=True):
            found.append(deeper)
    assert found or none, item
    return found[0] if found else ""


def _status(got: Got) -> str:
    """Of the one command; no answer to it is a success."""
    if not got.body:
        return GOOD
    assert got.text("Collections", "Collection", "Status") == GOOD, got.root
    answers = [one for found in got.all("Collections", "Collection", "Responses") for one in found.elements]
    return (child_text(answers[0], "Status") or GOOD) if answers else GOOD


async def _messages(scene: Scene, login: str, type: FolderType, word: str) -> dict[str, list[bytes]]:
    """Whole messages by subject."""
    feed = (await scene.premises.mailbox(login)).feed(await scene.premises.folder(login, type))
    found: dict[str, list[bytes]] = {}
    for id in sorted((await feed.delta(None, Horizon())).touched):
        raw = b"".join([piece async for piece in feed.part(id, "")])
        subject = next((line[9:].decode() for line in raw.split(b"\r\n") if line.startswith(b"Subject: ")), "")
        if subject.startswith(f"{word}-"):
            found.setdefault(subject, []).append(raw)
    return found


async def _played(scene: Scene, number: int, version: str, steps: list[Any]) -> None:
    desks = [
        await Desk(scene=scene, person=ANNA, device=f"DESK{number}x{who}", version=spoken).begin(DRAFTS)
        for who, spoken in enumerate(("16.1", version))
    ]
    # What earlier examples left would be played with, too.
    if left := list(desks[0].known(DRAFTS)):
        await desks[0].go(DRAFTS, *(e("AirSync:Delete", e("ServerId", id)) for id in left))
        await desks[1].pull(DRAFTS)
    play = Play((Player(desk=desks[0]), Player(desk=desks[1])), f"w{number}v")
    for step in steps:
        await play.step(*step)
    await play.rest()
    await play.check(scene)


@pytest.mark.parametrize("version", ["16.1", "14.1"])
def test_drafts_of_two_devices_over_a_line_that_loses(version: str, tmp_path: Path) -> None:
    number = 0
    with asyncio.Runner() as runner:
        opened = house(tmp_path)
        scene = runner.run(opened.__aenter__())

        @settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(STEPS)
        def play(steps: list[Any]) -> None:
            nonlocal number
            number += 1
            runner.run(_played(scene, number, version, steps))

        try:
            play()
        finally:
            runner.run(opened.__aexit__(None, None, None))
