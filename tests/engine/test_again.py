"""Items that arrived degraded come again, whole, once the program can do better."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from line_kit import World, run

from eas.engine import classes
from eas.engine.again import after_upgrade, send_again
from eas.engine.collection import CollectionAnswer, CollectionRequest, has_news, synchronise
from eas.engine.model import FolderType
from eas.engine.ports import Chosen, Owner
from eas.items.native import Unreadable


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


class Contacts:
    """A device's contacts."""

    def __init__(self, world: World) -> None:
        self.world, self.id, self.key, self.asked = world, world.folder(FolderType.CONTACTS), "0", 0
        folder = run(world.mailbox.folder(self.id))
        assert folder is not None
        self.feed = world.mailbox.feed(folder)
        self.owner = Owner(user_id=world.user.id, device_id="PHONE1", collection_id=self.id)

    def put(self, name: str) -> int:
        card = f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{name}\r\nFN:{name}\r\nN:;{name};;;\r\nEND:VCARD\r\n".encode()
        return run(self.feed.create(card, Chosen(name=name))).id

    def ask(self) -> CollectionAnswer:
        self.asked += 1
        request = CollectionRequest(collection_id=self.id, key=self.key, digest=str(self.asked))
        answer = run(synchronise(self.world.session, request))
        self.key = answer.key
        return answer

    def said(self) -> list[tuple[str, int]]:
        return [(said.verb.value, said.id) for said in self.ask().said]

    def degraded(self) -> dict[int, str]:
        return {found.id: found.reason for found in run(self.world.store.degraded())}


@pytest.fixture
def contacts(world: World) -> Contacts:
    return Contacts(world)


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> set[bytes]:
    """Contacts of these names cannot be read."""
    kind, names = classes.RECORDS["Contacts"], set[bytes]()

    def from_native(raw: bytes, *given: Any) -> Any:
        if any(name in raw for name in names):
            raise Unreadable("it is poisoned")
        return kind.from_native(raw, *given)

    monkeypatch.setitem(classes.RECORDS, "Contacts", replace(kind, from_native=from_native))  # type: ignore[arg-type]
    return names


def test_what_goes_out_degraded_is_listed(contacts: Contacts, poison: set[bytes]) -> None:
    poison.add(b"Bad")
    good, bad = contacts.put("Good"), contacts.put("Bad")
    contacts.ask()
    assert contacts.said() == [("Add", bad), ("Add", good)]
    assert contacts.degraded() == {bad: "it is poisoned"}


def test_what_goes_out_whole_is_listed_no_more(contacts: Contacts, poison: set[bytes]) -> None:
    poison.add(b"Bad")
    bad = contacts.put("Bad")
    contacts.ask()
    contacts.ask()
    card = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:Bad\r\nFN:Better\r\nN:;Better;;;\r\nEND:VCARD\r\n"
    poison.clear()
    run(contacts.feed.update(bad, card, None))
    assert contacts.said() == [("Change", bad)]
    assert contacts.degraded() == {}


def test_what_goes_is_listed_no_more(contacts: Contacts, poison: set[bytes]) -> None:
    poison.add(b"Bad")
    bad = contacts.put("Bad")
    contacts.ask()
    contacts.ask()
    run(contacts.feed.delete(bad))
    assert contacts.said() == [("Delete", bad)]
    assert contacts.degraded() == {}


def test_after_an_upgrade_it_comes_whole(contacts: Contacts, poison: set[bytes]) -> None:
    poison.add(b"Bad")
    good, bad = contacts.put("Good"), contacts.put("Bad")
    contacts.ask()
    contacts.ask()
    assert run(after_upgrade(contacts.world.store, "")) == 0  # the same release
    assert contacts.said() == []
    poison.clear()
    assert run(after_upgrade(contacts.world.store, "2.0")) == 1
    assert run(has_news(contacts.world.session, contacts.id))
    assert contacts.said() == [("Add", bad)]
    assert contacts.degraded() == {}
    assert contacts.said() == []
    assert good != bad


def test_what_the_new_release_cannot_convert_either_is_listed_anew(contacts: Contacts, poison: set[bytes]) -> None:
    poison.add(b"Bad")
    bad = contacts.put("Bad")
    contacts.ask()
    contacts.ask()
    assert run(after_upgrade(contacts.world.store, "2.0")) == 1
    assert contacts.said() == [("Add", bad)]
    assert contacts.degraded() == {bad: "it is poisoned"}


def test_under_every_key_in_play(contacts: Contacts, poison: set[bytes]) -> None:
    """The answer to the last request may be lost, and the device goes on from either."""
    poison.add(b"Bad")
    bad = contacts.put("Bad")
    contacts.ask()
    contacts.ask()
    before = contacts.key
    other = contacts.put("Other")
    contacts.ask()  # lost, perhaps
    poison.clear()
    assert run(send_again(contacts.world.store, contacts.owner, [bad]))
    after, contacts.key = contacts.key, before
    assert sorted(contacts.said()) == [("Add", bad), ("Add", other)]
    contacts.key = after
    assert contacts.said() == [("Add", bad)]


def test_a_folder_that_is_not_synchronised(contacts: Contacts) -> None:
    assert not run(send_again(contacts.world.store, contacts.owner, [1]))
