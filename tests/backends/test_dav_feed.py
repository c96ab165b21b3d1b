"""The contract of feeds (test_conformance) over the collections of real CalDAV and CardDAV servers, and what is theirs
alone: changes from the other side, writes that were cut off, other processes.

`eas.engine.ports`; docs/design.md, "The change feed".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from davhome import Home, todo
from worlds import NOW, card, event

from eas.backends.dav.client import DavClients
from eas.backends.dav.feed import DavFeed
from eas.backends.dav.objects import same_meaning
from eas.engine.errors import FolderGone, ItemGone, Unavailable, VersionConflict
from eas.engine.ports import Chosen, Delta, Horizon
from eas.items.native import Record

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


# --- A server that fails ----------------------------------------------------------------------------------------------


async def test_a_server_that_hangs_makes_all_wait_once(home: Home) -> None:
    """Ten devices that ask at once wait for one time-out, not for ten."""

    held: set[asyncio.StreamWriter] = set()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.add(writer)
        await reader.read(1 << 16)
        await asyncio.Event().wait()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert home.account.tenant.dav is not None
    dav = replace(home.account.tenant.dav, url=f"http://127.0.0.1:{port}/", timeout_seconds=0.5)
    account = replace(home.account, tenant=replace(home.account.tenant, dav=dav))
    clients = DavClients()
    feeds = [
        DavFeed(account, clients.of(account), home.places["Contacts"], home.resolve) for _ in range(10)
    ]
    results = await asyncio.gather(*[feed.delta(None, ALL) for feed in feeds], return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results)
    assert len(held) <= 2
    with pytest.raises(Unavailable):
        await feeds[0].create(card("Ann"), chosen("a"))
    await clients.close()
    for writer in held:
        writer.transport.abort()
    server.close()
