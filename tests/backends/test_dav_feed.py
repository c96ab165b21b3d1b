"""The contract of feeds (test_conformance) over the collections of real CalDAV and CardDAV servers, and what is theirs
alone: changes from the other side, writes that were cut off, other processes.

`eas.engine.ports`; docs/design.md, "The change feed".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from davhome import Home, todo
from worlds import NOW, card, event

from eas.backends.dav.client import DavClients
from eas.backends.dav.feed import DavFeed
from eas.backends.dav.model import LoginRefused, Refused
from eas.backends.dav.objects import same_meaning
from eas.engine.errors import FolderGone, ItemGone, NoSpace, NotAllowed, TooLarge, Unavailable, VersionConflict
from eas.engine.model import Right
from eas.engine.ports import Chosen, Delta, Horizon, Written
from eas.items.native import MailFlags, Record

pytestmark = pytest.mark.server

ALL = Horizon()


def chosen(name: str) -> Chosen:
    return Chosen(name=name)


@pytest.fixture(params=["radicale", "xandikos", "cyrus"])
async def home(request: pytest.FixtureRequest, database_template: Path, tmp_path: Path) -> AsyncIterator[Home]:
    made = await Home.make(request.getfixturevalue(request.param), database_template, tmp_path)
    yield made
    await made.close()


async def datas(home: Home, name: str, *ids: int) -> list[bytes]:
    return [item.data async for item in home.feed(name).fetch(ids, None) if isinstance(item, Record)]


# --- Change feed ------------------------------------------------------------------------------------------------------


async def test_a_first_delta_is_the_whole_collection(home: Home) -> None:
    feed = home.feed("Contacts")
    first = await feed.create(card("Ann Lee"), chosen("a"))
    second = await feed.create(card("Ben Orr"), chosen("b"))
    delta = await feed.delta(None, ALL)
    assert delta.complete
    assert delta.touched == {first.id: first.version, second.id: second.version}
    assert first.id < second.id


async def test_what_stood_there_before_is_listed(home: Home) -> None:
    for n in range(3):
        home.put("Calendar", f"e{n}.ics", event(f"e{n}@example.com", NOW + timedelta(days=n)))
    feed = home.feed("Calendar")
    delta = await feed.delta(None, ALL)
    assert len(delta.touched) == 3
    assert [item.version async for item in feed.fetch(list(delta.touched), None)] == list(delta.touched.values())


async def test_an_empty_collection_has_a_token_too(home: Home) -> None:
    delta = await home.feed("Contacts").delta(None, ALL)
    assert (delta.complete, dict(delta.touched)) == (True, {})
    assert delta.token


async def test_nothing_new_is_nothing_the_same_token_and_one_request(home: Home) -> None:
    feed = home.feed("Contacts")
    await feed.create(card("Ann"), chosen("a"))
    token = (await feed.delta(None, ALL)).token
    home.client.calls.clear()
    delta = await feed.delta(token, ALL)
    assert (delta.token, dict(delta.touched), list(delta.gone), delta.complete) == (token, {}, [], False)
    assert home.client.calls == ["state"]


async def test_our_own_write_is_no_news_when_the_server_tells_of_it(home: Home) -> None:
    feed = home.feed("Contacts")
    await feed.delta(None, ALL)
    await feed.create(card("Ann"), chosen("a"))
    token = (await feed.delta(None, ALL)).token
    for _ in range(2):
        assert await feed.delta(token, ALL) == Delta(token=token)


async def test_a_new_record_is_touched(home: Home) -> None:
    feed = home.feed("Contacts")
    before = await feed.delta(None, ALL)
    written = await feed.create(card("Ann"), chosen("a"))
    delta = await feed.delta(before.token, ALL)
    assert not delta.complete
    assert delta.touched == {written.id: written.version}
    assert delta.token != before.token


async def test_a_deleted_record_is_gone(home: Home) -> None:
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen("a"))
    before = await feed.delta(None, ALL)
    await feed.delete(made.id)
    delta = await feed.delta(before.token, ALL)
    assert (list(delta.gone), dict(delta.touched)) == ([made.id], {})
    with pytest.raises(ItemGone):
        await feed.delete(made.id)
    assert not await home.files("Contacts")


async def test_what_came_and_went_in_between_is_not_touched(home: Home) -> None:
    feed = home.feed("Contacts")
    before = await feed.delta(None, ALL)
    made = await feed.create(card("Ann"), chosen("a"))
    await feed.delete(made.id)
    assert not (await feed.delta(before.token, ALL)).touched


async def test_ids_are_never_used_again(home: Home) -> None:
    feed = home.feed("Contacts")
    seen = set()
    for _ in range(3):
        made = await feed.create(card("Ann"), chosen("a"))  # even under the same name
        assert made.id not in seen
        seen.add(made.id)
        await feed.delete(made.id)


@pytest.mark.parametrize("token", ["999999999", "-1", "nonsense", "", "9" * 40, "١"])
async def test_a_token_that_was_never_issued_gives_the_whole_listing(home: Home, token: str) -> None:
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen("a"))
    delta = await feed.delta(token, ALL)
    assert delta.complete
    assert delta.touched == {made.id: made.version}


async def test_an_updated_record_is_touched(home: Home) -> None:
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann Lee"), chosen("a.vcf"))
    before = await feed.delta(None, ALL)
    written = await feed.update(made.id, card("Ann Li").replace(b"UID:Ann Li", b"UID:Ann Lee"), made.version)
    assert written.version != made.version
    assert (await feed.delta(before.token, ALL)).touched == {made.id: written.version}
    [data] = await datas(home, "Contacts", made.id)
    assert b"FN:Ann Li" in data


async def test_writing_the_same_record_again_is_no_change(home: Home) -> None:
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann Lee"), chosen("a.vcf"))
    token = (await feed.delta(None, ALL)).token
    assert (await feed.update(made.id, card("Ann Lee"), None)).version == made.version
    assert (await feed.delta(token, ALL)).token == token


# --- Horizon ----------------------------------------------------------------------------------------------------------


async def test_what_is_over_is_outside_the_horizon(home: Home) -> None:
    feed = home.feed("Calendar")
    before = await feed.delta(None, ALL)
    past = await feed.create(event("past", NOW - timedelta(days=30)), chosen("past.ics"))
    future = await feed.create(event("future", NOW + timedelta(days=1)), chosen("future.ics"))
    endless = await feed.create(
        event("endless", NOW - timedelta(days=400), 1, "RRULE:FREQ=WEEKLY"), chosen("endless.ics")
    )
    horizon = Horizon(edge=NOW - timedelta(days=14))
    assert (await feed.delta(None, horizon)).touched.keys() == {future.id, endless.id}
    delta = await feed.delta(before.token, horizon)
    assert delta.touched.keys() == {future.id, endless.id}
    assert list(delta.outside) == [past.id]
    look = await feed.look([past.id, future.id, 12345], horizon)
    assert look.versions == {future.id: future.version}
    assert look.outside == {past.id}


async def test_what_passes_the_moving_edge_is_told(home: Home) -> None:
    feed = home.feed("Calendar")
    days = {}
    for ago in (40, 20, 10):
        written = await feed.create(event(f"e{ago}", NOW - timedelta(days=ago)), chosen(f"e{ago}.ics"))
        days[ago] = written.id
    await feed.create(event("series", NOW - timedelta(days=400), 1, "RRULE:FREQ=DAILY"), chosen("s.ics"))
    assert set(await feed.crossed(NOW - timedelta(days=30), NOW - timedelta(days=15))) == {days[20]}


async def test_an_open_task_is_within_every_horizon(home: Home) -> None:
    feed = home.feed("Tasks")
    task = await feed.create(todo("t", "do it"), chosen("t.ics"))
    done = await feed.create(todo("d", "did it", "STATUS:COMPLETED", "COMPLETED:20260101T000000Z"), chosen("d.ics"))
    edge = Horizon(edge=NOW.replace(year=9998))
    assert (await feed.delta(None, edge)).touched.keys() == {task.id}
    assert (await feed.look([task.id, done.id], edge)).outside == {done.id}


# --- Fetching ---------------------------------------------------------------------------------------------------------


async def test_items_come_in_the_order_asked_for_without_those_that_are_gone(home: Home) -> None:
    feed = home.feed("Contacts")
    ids = [(await feed.create(card(f"Ann {n}"), chosen(str(n)))).id for n in range(5)]
    await feed.delete(ids[1])
    wanted = [ids[3], ids[1], ids[0], 10**9, ids[4]]
    assert [item.id async for item in feed.fetch(wanted, None)] == [ids[3], ids[0], ids[4]]


async def test_what_the_index_has_read_is_not_read_again(home: Home) -> None:
    for n in range(120):
        home.put("Contacts", f"c{n}.vcf", card(f"Ann {n}"))
    feed = home.feed("Contacts")
    ids = list((await feed.delta(None, ALL)).touched)
    assert len([item async for item in feed.fetch(ids, None)]) == 120
    assert home.client.calls == ["state", "changes", "multiget"]


async def test_what_was_deleted_meanwhile_is_left_out_and_soon_gone(home: Home) -> None:
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen("a"))
    before = await feed.delta(None, ALL)
    home.delete("Contacts", "a.vcf")
    home.another_process()
    assert [item async for item in home.feed("Contacts").fetch([made.id], None)] == []
    assert list((await feed.delta(before.token, ALL)).gone) == [made.id]


async def test_what_was_changed_meanwhile_comes_with_its_own_version(home: Home) -> None:
    """And a write on that version is no conflict, though our rows do not have it yet."""
    made = await home.feed("Contacts").create(card("Ann"), chosen("a"))
    home.put("Contacts", "a.vcf", card("Ann", "ann@example.com"))
    home.another_process()
    feed = home.feed("Contacts")
    [item] = [item async for item in feed.fetch([made.id], None)]
    assert isinstance(item, Record)
    assert item.version != made.version
    assert b"ann@example.com" in item.data
    with pytest.raises(VersionConflict):
        await feed.update(made.id, card("Ann", "late@example.com"), made.version)
    await feed.update(made.id, card("Ann", "anna@example.com"), item.version)
    assert b"anna@example.com" in home.get("Contacts", "a.vcf")


async def test_a_record_is_one_part(home: Home) -> None:
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen("a"))
    assert same_meaning(b"".join([piece async for piece in feed.part(made.id, "")]), card("Ann"))
    for id, section in ((made.id, "1"), (made.id + 99, "")):
        with pytest.raises(ItemGone):
            [piece async for piece in feed.part(id, section)]


async def test_an_appointment_is_found_by_its_uid(home: Home) -> None:
    feed = home.feed("Calendar")
    made = await feed.create(event("uid-1@example.com", NOW), chosen("a.ics"))
    assert await feed.by_uid("uid-1@example.com") == made.id
    assert await feed.by_uid("uid-2@example.com") is None
    home.put("Calendar", "other.ics", event("uid-2@example.com", NOW))
    assert await feed.by_uid("uid-2@example.com") is not None
    assert await home.feed("Contacts").by_uid("uid-1@example.com") is None


# --- Writes -----------------------------------------------------------------------------------------------------------


async def test_the_same_create_twice_makes_one_item(home: Home) -> None:
    feed = home.feed("Contacts")
    first = await feed.create(card("Ann"), chosen("a.vcf"))
    assert await feed.create(card("Ann"), chosen("a.vcf")) == first
    other = await feed.create(card("Somebody else"), chosen("a.vcf"))
    assert (other.id, other.same) == (first.id, False)
    assert len((await feed.delta(None, ALL)).touched) == 1


async def test_the_same_create_many_times_at_once_makes_one_item(home: Home) -> None:
    feed = home.feed("Contacts")
    made = await asyncio.gather(*[feed.create(card("Ann"), chosen("a.vcf")) for _ in range(8)])
    assert len({written.id for written in made}) == 1
    assert len((await feed.delta(None, ALL)).touched) == 1


@pytest.mark.parametrize("name", ["with blank", "a/b", "..", "ä", "%41", "x" * 300, "", "a?b#c"])
async def test_any_chosen_name_makes_an_object(home: Home, name: str) -> None:
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen(name))
    assert (await feed.delta(None, ALL)).touched == {made.id: made.version}
    assert len(await home.files("Contacts")) == 1
    assert await feed.create(card("Ann"), chosen(name)) == made


async def test_a_write_on_an_older_version_is_a_conflict(home: Home) -> None:
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen("a.vcf"))
    newer = await feed.update(made.id, card("Ann", "a@example.com"), made.version)
    with pytest.raises(VersionConflict):
        await feed.update(made.id, card("Ann", "b@example.com"), made.version)
    with pytest.raises(VersionConflict):
        await feed.delete(made.id, made.version)
    await feed.delete(made.id, newer.version)


async def test_of_two_conditional_writes_at_once_one_wins(home: Home) -> None:
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen("a.vcf"))
    results = await asyncio.gather(
        *[feed.update(made.id, card("Ann", f"{n}@example.com"), made.version) for n in range(6)],
        return_exceptions=True,
    )
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    # Xandikos answers some of them with 500, as its writers get into each other's way.
    assert sum(isinstance(result, VersionConflict | Unavailable) for result in results) == 5, results


async def test_writes_on_what_is_not_there_raise_item_gone(home: Home) -> None:
    feed = home.feed("Contacts")
    await home.another("Contacts", "other")
    with pytest.raises(ItemGone):
        await feed.update(77, card("Ann"), None)
    with pytest.raises(ItemGone):
        await feed.delete(77)
    with pytest.raises(ItemGone):
        await feed.move(77, home.id("other"), chosen("m"))
    with pytest.raises(NotAllowed):
        await feed.set_flags(77, MailFlags())


async def test_what_is_written_over_the_other_side_is_a_conflict(home: Home) -> None:
    """412: our rows have not heard of the change yet."""
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen("a"))
    home.put("Contacts", "a.vcf", card("Ann", "theirs@example.com"))
    with pytest.raises(VersionConflict):
        await feed.update(made.id, card("Ann", "ours@example.com"), made.version)
    with pytest.raises(VersionConflict):
        await feed.delete(made.id, made.version)
    assert b"theirs@example.com" in home.get("Contacts", "a.vcf")
    await feed.update(made.id, card("Ann", "ours@example.com"), None)
    assert b"ours@example.com" in home.get("Contacts", "a.vcf")
    home.put("Contacts", "a.vcf", card("Ann", "again@example.com"))
    await feed.delete(made.id)
    assert not await home.files("Contacts")


async def test_a_write_that_says_what_is_stored_already_is_done(home: Home) -> None:
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen("a"))
    home.put("Contacts", "a.vcf", card("Ann", "new@example.com"))
    written = await feed.update(made.id, card("Ann", "new@example.com"), made.version)
    assert written.same
    assert (await feed.delta(None, ALL)).touched == {made.id: written.version}


async def test_a_uid_that_is_there_already_becomes_an_update(home: Home) -> None:
    home.put("Calendar", "theirs.ics", event("uid-1", NOW, summary="Theirs"))
    feed = home.feed("Calendar")
    [id] = (await feed.delta(None, ALL)).touched
    written = await feed.create(event("uid-1", NOW, summary="Ours"), chosen("ours"))
    assert written.id == id
    [(name, data)] = (await home.files("Calendar")).items()
    assert name == "theirs.ics"
    assert b"SUMMARY:Ours" in data
    assert (await feed.delta(None, ALL)).touched == {id: written.version}


async def test_a_card_without_a_uid_gets_one(home: Home) -> None:
    feed = home.feed("Contacts")
    await feed.create(card("Ann").replace(b"UID:Ann\r\n", b""), chosen("a"))
    [data] = (await home.files("Contacts")).values()
    assert b"UID:a" in data


UNKNOWN = ("X-SPOUSE-PET;X-KIND=cat:Tom", "item1.URL:https://example.com/", "item1.X-ABLabel:page")


async def test_what_nobody_knows_survives(home: Home) -> None:
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann", "a@example.com", *UNKNOWN), chosen("a"))
    [data] = await datas(home, "Contacts", made.id)
    edited = data.replace(b"a@example.com", b"b@example.com")
    await feed.update(made.id, edited, made.version)
    stored = home.get("Contacts", "a.vcf")
    assert b"X-SPOUSE-PET;X-KIND=cat:Tom" in stored
    assert b"b@example.com" in stored
    assert same_meaning(stored, card("Ann", "b@example.com", *UNKNOWN))


async def test_what_a_reader_may_not_write_is_refused(home: Home) -> None:
    made = await home.feed("Contacts").create(card("Ann"), chosen("a"))
    await home.another("Contacts", "other")
    feed = home.feed("Contacts", right=Right.READ)
    assert (await feed.delta(None, ALL)).touched == {made.id: made.version}
    for write in (
        feed.create(card("Ben"), chosen("b")), feed.update(made.id, card("Ben"), None), feed.delete(made.id),
        feed.move(made.id, home.id("other"), chosen("m")),
    ):
        with pytest.raises(NotAllowed):
            await write
    with pytest.raises(FolderGone):
        await home.feed("Contacts", right=Right.FREE_BUSY).delta(None, ALL)


# --- Moves ------------------------------------------------------------------------------------------------------------


async def test_a_moved_record_is_gone_here_and_new_there(home: Home) -> None:
    await home.another("Contacts", "other")
    here, there = home.feed("Contacts"), home.feed("other")
    made = await here.create(card("Ann"), chosen("a"))
    before, before_there = await here.delta(None, ALL), await there.delta(None, ALL)
    written = await here.move(made.id, home.id("other"), chosen("m"))
    assert list((await here.delta(before.token, ALL)).gone) == [made.id]
    assert (await there.delta(before_there.token, ALL)).touched == {written.id: written.version}
    [data] = await datas(home, "other", written.id)
    assert same_meaning(data, card("Ann"))
    assert not await home.files("Contacts")


async def test_the_same_move_twice_says_where_the_item_is(home: Home) -> None:
    await home.another("Contacts", "other")
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen("a"))
    first = await feed.move(made.id, home.id("other"), chosen("m"))
    assert (await feed.move(made.id, home.id("other"), chosen("m"))).id == first.id
    with pytest.raises(ItemGone):
        await feed.move(made.id, home.id("other"), chosen("another"))
    assert (await home.feed("other").move(first.id, home.id("other"), chosen("x"))).id == first.id


async def test_moves_in_opposite_directions_at_once(home: Home) -> None:
    await home.another("Contacts", "other")
    one, two = home.feed("Contacts"), home.feed("other")
    here = [(await one.create(card(f"A{n}"), chosen(f"a{n}"))).id for n in range(5)]
    there = [(await two.create(card(f"B{n}"), chosen(f"b{n}"))).id for n in range(5)]
    moves = [one.move(id, home.id("other"), chosen(f"m{id}")) for id in here]
    moves += [two.move(id, home.id("Contacts"), chosen(f"n{id}")) for id in there]
    await asyncio.wait_for(asyncio.gather(*moves), 60)
    assert len((await one.delta(None, ALL)).touched) == len((await two.delta(None, ALL)).touched) == 5


async def test_a_contact_is_not_moved_among_appointments(home: Home) -> None:
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen("a"))
    with pytest.raises(NotAllowed):
        await feed.move(made.id, home.id("Calendar"), chosen("m"))
    assert made.id in (await feed.delta(None, ALL)).touched


async def test_a_move_to_nowhere_is_folder_gone_and_to_another_server_not_allowed(home: Home) -> None:
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen("a"))
    for nowhere in ("987654", "0", "", "x", "-1", "0x1", "1" * 30, "e987654", "e"):
        with pytest.raises(FolderGone):
            await feed.move(made.id, nowhere, chosen("m"))
    inbox = (await home.world.mailbox("anna").folders())[0]
    number = (await home.number("elsewhere", "INBOX", "Contacts")).number
    del home.places["elsewhere"]
    for other in (f"e{inbox.id}", str(number)):
        with pytest.raises(NotAllowed):
            await feed.move(made.id, other, chosen("m"))


async def test_a_move_that_the_server_does_not_do_is_a_put_and_a_delete(home: Home) -> None:
    await home.another("Contacts", "other")
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen("a"))
    home.client.calls.clear()
    home.client.faults[0] = ("before", Refused(501))
    written = await feed.move(made.id, home.id("other"), chosen("m"))
    assert not await home.files("Contacts")
    assert same_meaning((await home.files("other"))["m.vcf"], card("Ann"))
    assert (await home.feed("other").delta(None, ALL)).touched == {written.id: written.version}


# --- Writers at once --------------------------------------------------------------------------------------------------


async def test_many_writers_at_once_lose_nothing(home: Home) -> None:
    feed = home.feed("Contacts")
    token = (await feed.delta(None, ALL)).token
    made = await asyncio.gather(*[feed.create(card(f"Ann {n}"), chosen(str(n))) for n in range(20)])
    assert len({written.id for written in made}) == 20
    assert (await feed.delta(token, ALL)).touched.keys() == {written.id for written in made}


async def test_every_delta_while_others_write_adds_up(home: Home) -> None:
    """Ours and those of the other side, and none under two ids."""
    feed = home.feed("Contacts")
    token, heard, gone = (await feed.delta(None, ALL)).token, set[int](), set[int]()

    async def write(n: int) -> None:
        made = await feed.create(card(f"Ann {n}"), chosen(f"o{n}"))
        if n % 3 == 0:
            await feed.delete(made.id)

    def put() -> None:
        for n in range(12):
            home.put("Contacts", f"t{n}.vcf", card(f"Ben {n}"))

    async def read() -> None:
        nonlocal token
        while not writing.done():
            delta = await feed.delta(token, ALL)
            token = delta.token
            heard.update(delta.touched)
            gone.update(delta.gone)

    writing = asyncio.gather(*[write(n) for n in range(15)], asyncio.to_thread(put))
    await read()
    delta = await feed.delta(token, ALL)
    heard.update(delta.touched)
    gone.update(delta.gone)
    listing = await feed.delta(None, ALL)
    assert heard - gone == set(listing.touched)
    assert len(listing.touched) == len(await home.files("Contacts")) == 22


async def test_two_processes_refresh_at_once(home: Home) -> None:
    """Each with clients and memories of its own, over one database: one id for each object."""
    for n in range(40):
        home.put("Contacts", f"c{n}.vcf", card(f"Ann {n}"))
    others = [DavClients() for _ in range(3)]
    feeds = []
    for clients in others:
        home.another_process()
        feeds.append(DavFeed(home.account, clients.of(home.account), home.places["Contacts"], home.resolve))
    deltas = await asyncio.gather(*[feed.delta(None, ALL) for feed in feeds])
    home.put("Contacts", "c0.vcf", card("Ann 0", "new@example.com"))
    home.delete("Contacts", "c1.vcf")
    later = await asyncio.gather(*[feed.delta(deltas[0].token, ALL) for feed in feeds])
    final = await feeds[0].delta(None, ALL)
    for clients in others:
        await clients.close()
    assert len(final.touched) == 39
    assert all(len(delta.touched) == 40 for delta in deltas)
    assert all((len(delta.touched), len(delta.gone)) == (1, 1) for delta in later)


# --- The other side ---------------------------------------------------------------------------------------------------


async def test_what_the_other_side_does_is_seen(home: Home) -> None:
    await home.another("Calendar", "second")
    feed, second = home.feed("Calendar"), home.feed("second")
    home.put("Calendar", "a.ics", event("a", NOW, summary="One"))
    first = await feed.delta(None, ALL)
    [id] = first.touched
    empty = await second.delta(None, ALL)

    home.put("Calendar", "a.ics", event("a", NOW, summary="Two"))
    home.client.calls.clear()
    changed = await feed.delta(first.token, ALL)
    assert changed.touched.keys() == {id}
    assert changed.touched[id] != first.touched[id]
    [data] = await datas(home, "Calendar", id)
    assert b"SUMMARY:Two" in data
    assert home.client.calls == ["state", "changes", "multiget"]

    target = home.server.url.rstrip("/") + home.path("second", "b.ics")
    answer = home.server.request("MOVE", home.path("Calendar", "a.ics"), home.login, Destination=target)
    assert answer.status in (201, 204), answer
    assert list((await feed.delta(changed.token, ALL)).gone) == [id]
    [moved] = (await second.delta(empty.token, ALL)).touched
    before = await second.delta(None, ALL)
    home.delete("second", "b.ics")
    assert list((await second.delta(before.token, ALL)).gone) == [moved]


async def test_a_collection_that_is_deleted_is_folder_gone(home: Home) -> None:
    await home.another("Calendar", "second")
    feed = home.feed("second")
    made = await feed.create(event("a", NOW), chosen("a"))
    token = (await feed.delta(None, ALL)).token
    home.delete("second")
    with pytest.raises(FolderGone):
        await feed.delta(token, ALL)
    with pytest.raises(FolderGone):
        await feed.create(event("b", NOW), chosen("b"))
    with pytest.raises((FolderGone, ItemGone)):
        await feed.update(made.id, event("a", NOW, summary="x"), None)
    await home.forget("second")
    for read in (feed.delta(None, ALL), feed.look([made.id], ALL), feed.crossed(NOW, NOW)):
        with pytest.raises(FolderGone):
            await read
    with pytest.raises(FolderGone):
        [item async for item in feed.fetch([made.id], None)]


async def test_a_place_of_somebody_else_opens_nothing(home: Home, database_template: Path, tmp_path: Path) -> None:
    """Whatever number a caller hands in, the rows are looked up within what is the user's own."""
    made = await home.feed("Contacts").create(card("Ann"), chosen("a"))
    account = replace(home.account, user=home.world.users["ben"])
    feed = DavFeed(account, home.client, home.places["Contacts"], home.resolve)
    for read in (feed.delta(None, ALL), feed.look([made.id], ALL), feed.crossed(NOW, NOW)):
        with pytest.raises(FolderGone):
            await read
    with pytest.raises(FolderGone):
        [item async for item in feed.fetch([made.id], None)]
    for write in (feed.update(made.id, card("Ben"), None), feed.delete(made.id)):
        with pytest.raises((FolderGone, ItemGone)):
            await write


# --- Cut off ----------------------------------------------------------------------------------------------------------

Act = Callable[[Home, int], Coroutine[Any, Any, Written | None]]


async def _create(home: Home, id: int) -> Written:
    return await home.feed("Contacts").create(card("New", "new@example.com"), chosen("new"))


async def _update(home: Home, id: int) -> Written:
    [item] = [item async for item in home.feed("Contacts").fetch([id], None)]
    return await home.feed("Contacts").update(id, card("Old", "new@example.com"), item.version)


async def _update_as_first_read(home: Home, id: int) -> Written:
    version = (await home.feed("Contacts").look([id], ALL)).versions[id]
    return await home.feed("Contacts").update(id, card("Old", "new@example.com"), version)


async def _delete(home: Home, id: int) -> None:
    await home.feed("Contacts").delete(id)


async def _move(home: Home, id: int) -> Written:
    return await home.feed("Contacts").move(id, home.id("other"), chosen("new"))


class Died(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("act", [_create, _update, _update_as_first_read, _delete, _move])
async def test_a_write_that_was_cut_off_anywhere_is_done_once_when_it_comes_again(
    home: Home, act: Act, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every request to the server and at every write to the database, before it and after it."""
    await home.another("Contacts", "other")
    for cut in range(12):
        for name in ("Contacts", "other"):
            for file in await home.files(name):
                home.delete(name, file)
        made = await home.feed("Contacts").create(card("Old"), chosen(f"old{cut}"))
        cutter = Cutter(home, cut, when)
        try:
            with monkeypatch.context() as patch:
                cutter.arm(patch)
                await act(home, made.id)
        except (Died, Unavailable):
            pass
        done = not cutter.fired
        try:
            await act(home, made.id)
        except ItemGone:
            assert act is _delete
        listing = await home.feed("Contacts").delta(None, ALL)
        files = {name: await home.files(name) for name in ("Contacts", "other")}
        _expect(act, files, len(listing.touched), len((await home.feed("other").delta(None, ALL)).touched))
        if done:
            return
    raise AssertionError("more steps than were cut")


def _expect(act: Act, files: dict[str, dict[str, bytes]], here: int, there: int) -> None:
    contents = {name: sorted(held.values()) for name, held in files.items()}
    assert (here, there) == (len(contents["Contacts"]), len(contents["other"]))
    wanted = {
        _create: (2, 0), _update: (1, 0), _update_as_first_read: (1, 0), _delete: (0, 0), _move: (0, 1),
    }[act]  # type: ignore[index]
    assert (here, there) == wanted
    if act in (_create, _update, _update_as_first_read):
        assert sum(b"new@example.com" in data for data in contents["Contacts"]) == 1


class Cutter:
    """Lets the n-th step die."""

    def __init__(self, home: Home, at: int, when: str) -> None:
        self.home, self.left, self.when, self.fired = home, at, when, False

    def arm(self, patch: pytest.MonkeyPatch) -> None:
        real_client, transactions = self.home.client.client, self.home.account.ground.transactions
        real_write = transactions.write
        cutter = self

        class Client:
            def __getattr__(self, name: str) -> Any:
                return cutter.cutting(getattr(real_client, name))

        patch.setattr(self.home.client, "client", Client())
        patch.setattr(transactions, "write", self.cutting(real_write))

    def cutting(self, real: Any) -> Any:
        async def call(*args: Any, **named: Any) -> Any:
            now = self.left == 0
            self.left -= 1
            if now:
                self.fired = True
                if self.when == "before":
                    raise Died
            result = await real(*args, **named)
            if now:
                raise Died
            return result

        return call


@pytest.mark.parametrize(("status", "condition", "error"), [
    (400, "", NotAllowed), (401, "", Unavailable), (403, "", NotAllowed), (403, "max-resource-size", TooLarge),
    (403, "quota-not-exceeded", NoSpace), (409, "", FolderGone), (413, "", TooLarge), (415, "", NotAllowed),
    (423, "", Unavailable), (429, "", Unavailable), (500, "", Unavailable), (503, "", Unavailable),
    (507, "", NoSpace),
])
async def test_what_a_server_refuses_is_said_in_the_words_of_the_engine(
    home: Home, status: int, condition: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eas.backends.dav.writing._WAITS", ())
    feed = home.feed("Contacts")
    made = await feed.create(card("Old"), chosen("old"))
    refusal = LoginRefused(401) if status == 401 else Refused(status, "no", condition)
    for write in (
        feed.create(card("New"), chosen("new")), feed.update(made.id, card("Old", "new@example.com"), made.version),
    ):
        home.client.faults = {len(home.client.calls): ("before", refusal)}
        with pytest.raises(error):
            await write
    home.client.faults = {}
    assert list(await home.files("Contacts")) == ["old.vcf"]
    assert (await feed.delta(None, ALL)).touched == {made.id: made.version}


async def test_too_large_is_refused_before_it_is_sent(home: Home) -> None:
    limit = home.account.ground.limits.record
    home.client.calls.clear()
    with pytest.raises(TooLarge):
        await home.feed("Contacts").create(card("Ann", "", "NOTE:" + "x" * limit), chosen("a"))
    assert home.client.calls == []


async def test_what_the_server_made_of_an_object_is_what_the_version_is_of(home: Home) -> None:
    """Radicale writes objects in its own manner, whatever ETag it tells."""
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann", "a@example.com", "NICKNAME:x"), chosen("a"))
    shown = await datas(home, "Contacts", made.id)
    home.another_process()
    [item] = [item async for item in home.feed("Contacts").fetch([made.id], None)]
    assert isinstance(item, Record)
    assert (item.version, [item.data]) == (made.version, shown)


# --- A server that fails ----------------------------------------------------------------------------------------------


async def test_a_server_that_hangs_makes_all_wait_once(home: Home) -> None:
    """Ten devices that ask at once wait for one time-out, not for ten."""

    held: set[asyncio.StreamWriter] = set()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.add(writer)
        await reader.read(1 << 16)
        await asyncio.sleep(30)

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert home.account.tenant.dav is not None
    dav = replace(home.account.tenant.dav, url=f"http://127.0.0.1:{port}/", timeout_seconds=0.5)
    account = replace(home.account, tenant=replace(home.account.tenant, dav=dav))
    clients = DavClients()
    feeds = [
        DavFeed(account, clients.of(account), home.places["Contacts"], home.resolve) for _ in range(10)
    ]
    async with asyncio.timeout(3):
        results = await asyncio.gather(*[feed.delta(None, ALL) for feed in feeds], return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results)
    with pytest.raises(Unavailable):
        await feeds[0].create(card("Ann"), chosen("a"))
    await clients.close()
    for writer in held:
        writer.transport.abort()
    server.close()
