"""A window is closed while there is time to send it: devices that hear nothing give up, and ask the same again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from line_kit import World, run

from eas.engine.collection import CollectionAnswer, CollectionRequest, synchronise
from eas.engine.model import Device, FolderType
from eas.engine.ports import Chosen
from eas.engine.quirks import PATIENCE, patience_of
from eas.engine.session import Session


class Slow:
    """A clock on which ten seconds go by whenever somebody looks at it."""

    def __init__(self, real: object) -> None:
        self.real, self.seconds = real, 0.0

    def now(self) -> object:
        return self.real.now()  # type: ignore[attr-defined]

    def monotonic(self) -> float:
        self.seconds += 10
        return self.seconds


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def stored(world: World, count: int) -> tuple[str, list[int]]:
    id = world.folder(FolderType.CONTACTS)
    feed = world.mailbox.feed(run(world.mailbox.folder(id)))
    ids = []
    for n in range(count):
        card = f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{n}\r\nFN:{n}\r\nN:;{n};;;\r\nEND:VCARD\r\n".encode()
        ids.append(run(feed.create(card, Chosen(name=str(n)))).id)
    return id, ids


def windows(session: Session, collection: str) -> list[list[int]]:
    """What each Sync brings until nothing is left."""
    key, found = "0", []
    for asked in range(20):
        request = CollectionRequest(collection_id=collection, key=key, digest=str(asked))
        answer: CollectionAnswer = run(synchronise(session, request))
        key = answer.key
        if asked:
            found.append([said.id for said in answer.said])
        if asked and not answer.more:
            return found
    raise AssertionError("no end")


def test_a_slow_folder_comes_in_small_windows_and_whole(world: World) -> None:
    collection, ids = stored(world, 5)
    slow = replace(world.session, clock=Slow(world.clock), patience_seconds=90)  # type: ignore[arg-type]
    found = windows(slow, collection)
    assert len(found) > 1
    assert sorted(id for window in found for id in window) == ids
    assert all(found)


def test_one_item_goes_out_however_slow(world: World) -> None:
    collection, _ = stored(world, 3)
    slow = replace(world.session, clock=Slow(world.clock), patience_seconds=1)  # type: ignore[arg-type]
    assert [len(window) for window in windows(slow, collection)] == [1, 1, 1]


def test_a_quick_folder_comes_in_one_window(world: World) -> None:
    collection, ids = stored(world, 5)
    assert [sorted(window) for window in windows(world.session, collection)] == [ids]


@pytest.mark.parametrize(
    ("agent", "seconds"),
    [
        ("Android-Mail/2026.06.01", 30), ("Android/9-EAS-2.0", 30), ("SAMSUNG-SM-G900F/101.60", 90),
        ("Apple-iPhone15C2/2107.1", 240), ("Outlook/16.0", 240), ("", 240),
    ],
)
def test_families_differ(agent: str, seconds: int) -> None:
    assert patience_of(Device(user_id="1", id="D", type="t", agent=agent)) == seconds


def test_every_device_has_a_row() -> None:
    last = PATIENCE[-1]
    assert not last.agent
    assert not last.type
    assert all(row.evidence for row in PATIENCE)
