"""One collection, step by step: days that go by, listings that cannot be believed, keys beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from line_kit import World, run

from eas.backends.embedded.feed import EmbeddedFeed
from eas.engine.collection import CollectionAnswer, CollectionRequest, estimate, has_news, open_folders, synchronise
from eas.engine.errors import StaleKey
from eas.engine.model import FolderType
from eas.engine.options import CollectionOptions
from eas.engine.ports import Chosen, Delta

THREE_DAYS = CollectionOptions(filter_type=2)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


class Box:
    """One folder on one device."""

    def __init__(self, world: World, type: FolderType) -> None:
        self.world, self.id, self.key, self.asked = world, world.folder(type), "0", 0
        folder = run(world.mailbox.folder(self.id))
        assert folder is not None
        self.feed = world.mailbox.feed(folder)

    def put(self, name: str) -> int:
        card = f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{name}\r\nFN:{name}\r\nN:;{name};;;\r\nEND:VCARD\r\n".encode()
        return run(self.feed.create(card, Chosen(name=name))).id

    def deliver(self, name: str) -> int:
        raw = f"From: a@example.com\r\nTo: anna@example.com\r\nSubject: {name}\r\n\r\nHello\r\n".encode()
        return run(self.feed.create(raw, Chosen(name=name))).id

    def request(self, **more: Any) -> CollectionRequest:
        self.asked += 1
        return CollectionRequest(collection_id=self.id, key=self.key, digest=str(self.asked), **more)

    def ask(self, **more: Any) -> CollectionAnswer:
        answer = run(synchronise(self.world.session, self.request(**more)))
        self.key = answer.key
        return answer

    def said(self, **more: Any) -> list[tuple[str, int]]:
        return [(said.verb.value, said.id) for said in self.ask(**more).said]

    def has_news(self) -> bool:
        return run(has_news(self.world.session, self.id))

    def counted(self) -> int:
        return run(estimate(self.world.session, self.id, self.key, None))


@pytest.fixture
def inbox(world: World) -> Box:
    return Box(world, FolderType.INBOX)


@pytest.fixture
def contacts(world: World) -> Box:
    return Box(world, FolderType.CONTACTS)


# The daily edge ------------------------------------------------------------------------------------------------------


def test_mail_leaves_at_midnight_when_its_days_are_over(inbox: Box) -> None:
    """R2987, R3062, R3064, R3967: three days and the one that had begun, so that no zone loses an hour."""
    old = inbox.deliver("old")
    inbox.ask(options=THREE_DAYS)
    assert inbox.said() == [("Add", old)]
    inbox.world.clock.go_on(timedelta(days=3, hours=11, minutes=59))
    assert not inbox.has_news()
    assert inbox.said() == []
    inbox.world.clock.go_on(timedelta(hours=12, minutes=2))
    assert inbox.counted() == 1
    assert inbox.has_news()
    assert inbox.said() == [("SoftDelete", old)]
    assert (inbox.said(), inbox.has_news(), inbox.counted()) == ([], False, 0)
    assert old in run(inbox.feed.delta(None, _everything())).touched  # the groupware keeps it


def _everything() -> Any:
    from eas.engine.ports import Horizon

    return Horizon()


def test_what_has_left_is_not_heard_of_again(inbox: Box) -> None:
    from eas.items.native import MailFlags

    old = inbox.deliver("old")
    inbox.ask(options=THREE_DAYS)
    inbox.ask()
    inbox.world.clock.go_on(timedelta(days=5))
    assert inbox.said() == [("SoftDelete", old)]
    run(inbox.feed.set_flags(old, MailFlags(read=True)))
    assert (inbox.has_news(), inbox.said()) == (False, [])
    run(inbox.feed.delete(old))
    assert (inbox.has_news(), inbox.said()) == (False, [])


def test_what_waits_in_a_window_may_leave_before_its_turn(inbox: Box) -> None:
    ids = [inbox.deliver(f"mail {n}") for n in range(3)]
    inbox.ask(options=THREE_DAYS)
    assert inbox.said(window=1) == [("Add", ids[2])]
    inbox.world.clock.go_on(timedelta(days=5))
    assert inbox.said() == [("SoftDelete", ids[2])]
    assert inbox.said() == []


# Listings that cannot be believed ------------------------------------------------------------------------------------


def _lost(box: Box, count: int, of: int) -> list[int]:
    """Items that vanish without a trace in the feed: the ids."""
    ids = [box.put(f"c{n}") for n in range(of)]
    box.ask()
    box.ask(window=512)
    for id in ids[:count]:
        run(box.feed.delete(id))
    box.world.forget_tombstones()
    return ids[:count]


def test_a_listing_that_lacks_most_items_is_believed_after_a_minute(contacts: Box) -> None:
    lost = _lost(contacts, 25, 30)
    for _ in range(3):
        assert contacts.said() == []
        assert not contacts.has_news()
        contacts.world.clock.go_on(timedelta(seconds=19))
    contacts.world.clock.go_on(timedelta(seconds=19))
    assert contacts.has_news()
    assert sorted(contacts.said()) == [("Delete", id) for id in lost]
    assert contacts.said() == []


@pytest.mark.parametrize(("count", "of"), [(20, 25), (25, 60)])
def test_smaller_losses_are_believed_at_once(contacts: Box, count: int, of: int) -> None:
    lost = _lost(contacts, count, of)
    assert sorted(contacts.said()) == [("Delete", id) for id in lost]


def test_what_comes_back_within_the_minute_was_never_gone(contacts: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A groupware that answers half a listing must not empty a phone."""
    _lost(contacts, 0, 30)
    delta = EmbeddedFeed.delta

    async def half(feed: Any, since: Any, horizon: Any) -> Delta:
        whole = await delta(feed, None, horizon)
        return replace(whole, touched={}, complete=True)

    monkeypatch.setattr(EmbeddedFeed, "delta", half)
    for _ in range(2):
        assert contacts.said() == []
        contacts.world.clock.go_on(timedelta(seconds=20))
    monkeypatch.setattr(EmbeddedFeed, "delta", delta)
    contacts.world.clock.go_on(timedelta(seconds=60))
    assert contacts.said() == []
    fresh = contacts.put("fresh")
    assert contacts.said() == [("Add", fresh)]


def test_a_doubt_does_not_hold_up_what_was_waiting(contacts: Box) -> None:
    """And it is not forgotten over the windows in between."""
    ids = [contacts.put(f"c{n}") for n in range(40)]
    contacts.ask()
    contacts.ask(window=30)
    for id in ids[10:]:
        run(contacts.feed.delete(id))
    contacts.world.forget_tombstones()
    contacts.world.clock.go_on(timedelta(seconds=1))
    assert len(contacts.said(window=5)) == 5
    contacts.world.clock.go_on(timedelta(seconds=40))
    assert len(contacts.said(window=5)) == 5
    contacts.world.clock.go_on(timedelta(seconds=21))
    assert sorted(contacts.said()) == [("Delete", id) for id in ids[10:]]


def test_another_filter_is_no_loss(inbox: Box) -> None:
    ids = [inbox.deliver(f"mail {n}") for n in range(30)]
    inbox.ask()
    inbox.ask()
    inbox.world.clock.go_on(timedelta(days=10))
    assert sorted(inbox.said(options=THREE_DAYS)) == [("SoftDelete", id) for id in ids]


# Keys ----------------------------------------------------------------------------------------------------------------


def test_more_late_copies_than_are_kept_end_the_oldest_only(contacts: Box) -> None:
    from eas.engine.keys import MAX_ISSUED

    contacts.ask()
    contacts.put("Joe")
    proven, keys = contacts.key, []
    for _ in range(MAX_ISSUED + 2):
        contacts.key = proven
        keys.append(contacts.ask().key)
    for key in keys[:2]:
        contacts.key = key
        with pytest.raises(StaleKey):
            contacts.ask()
    contacts.key = keys[-1]
    contacts.ask()


def test_nothing_new_is_one_look(contacts: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the body of the state nor any item is read, and nothing is written."""
    contacts.put("Joe")
    contacts.ask()
    contacts.ask()
    called: list[str] = []
    fate = contacts.world.fate
    monkeypatch.setattr(type(fate), "step", lambda self, name: called.append(name))
    assert contacts.said() == []
    assert called[::2] == ["folder", "load", "delta"]


# What was read for several collections at once -----------------------------------------------------------------------


def _read(box: Box) -> dict[str, Any]:
    """As a Sync or a Ping reads it."""
    session = box.world.session
    held = run(session.store.load_several(session.user.id, session.device.id, [box.id]))
    return {"folder": run(open_folders(session, [box.id]))[box.id], "held": held[box.id]}


def test_what_was_read_at_once_is_answered_as_what_is_read_alone(inbox: Box) -> None:
    inbox.ask()
    inbox.ask()
    read = _read(inbox)
    assert not run(has_news(inbox.world.session, inbox.id, **read))
    mail = inbox.deliver("mail")
    read = _read(inbox)
    assert run(has_news(inbox.world.session, inbox.id, **read))
    read = _read(inbox)
    answer = run(synchronise(inbox.world.session, inbox.request(), **read))
    assert [said.id for said in answer.said] == [mail]


def test_a_state_that_has_moved_since_is_judged_again(inbox: Box) -> None:
    """Two copies of a request at once: whoever loses the swap gives the other's answer."""
    inbox.ask()
    inbox.deliver("mail")
    request, read = inbox.request(), _read(inbox)
    first = run(synchronise(inbox.world.session, request))
    second = run(synchronise(inbox.world.session, request, **read))
    assert (second.key, second.said) == (first.key, first.said)
    assert second.again


def test_an_answer_is_not_repeated_from_a_state_that_has_moved(inbox: Box) -> None:
    """What it was made of may be gone: it would be empty, and the device never hear of what was in it."""
    inbox.ask()
    inbox.deliver("mail")
    request = inbox.request()
    inbox.key = run(synchronise(inbox.world.session, request)).key
    read = _read(inbox)
    for name in ("two", "three"):
        inbox.deliver(name)
        inbox.ask()
    with pytest.raises(StaleKey):
        run(synchronise(inbox.world.session, request, **read))
