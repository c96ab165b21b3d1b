"""How our rows of a collection follow the server: what is decided, what is believed, what it costs.

docs/design.md, "The change feed".
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from davhome import Home, Scripted, journal, todo
from hypothesis import given, settings
from hypothesis import strategies as st
from settling import until
from sqlalchemy import delete, insert, select
from worlds import NOW, EmbeddedWorld, card, event

from eas.backends.dav import objects, rows
from eas.backends.dav.cache import Contents, Turn
from eas.backends.dav.feed import DavFeed
from eas.backends.dav.index import Index
from eas.backends.dav.rows import At, Known, Overtaken, Plan, Read, Standing, plan
from eas.backends.standards.ports import Account, Numbered, Place
from eas.backends.standards.tables import ObjectRow, PlaceRow
from eas.backends.standards.tenant import Tenant
from eas.engine.errors import FolderGone, Unavailable
from eas.engine.model import FolderType, Secret
from eas.engine.ports import Chosen, Horizon
from eas.items.native import Record

ALL = Horizon()


# --- Deciding ---------------------------------------------------------------------------------------------------------


def known(id: int, name: str, etag: str, modseq: int = 1, version: str = "v") -> Known:
    return Known(id=id, name=name, etag=etag, version=version, modseq=modseq)


def found(name: str, etag: str, version: str = "n") -> Read:
    return Read(name=name, etag=etag, version=version)


A, B = known(1, "a", "1"), known(2, "b", "1")


@pytest.mark.parametrize(("read", "gone", "made"), [
    ([], [], Plan()),
    ([found("a", "1")], [], Plan()),
    ([found("a", 'W/1')], [], Plan()),
    ([found("a", "2")], [], Plan(updates=((A, found("a", "2")),))),
    ([found("c", "1")], [], Plan(inserts=(found("c", "1"),))),
    ([], ["b", "unknown"], Plan(burials=(B,))),
    ([found("a", "2", "")], [], Plan(burials=(A,), inserts=(found("a", "2", ""),))),
    ([found("a", "", "v")], [], Plan()),
    ([found("a", "", "other")], [], Plan(updates=((A, found("a", "", "other")),))),
])
def test_what_was_read_is_applied(read: list[Read], gone: list[str], made: Plan) -> None:
    assert plan({"a": A, "b": B}, read, gone, since=1, buried=False) == made


@pytest.mark.parametrize(("read", "gone"), [([found("a", "2")], []), ([], ["a"])])
def test_what_was_written_since_the_refresh_began_is_left_alone(read: list[Read], gone: list[str]) -> None:
    made = plan({"a": replace(A, modseq=5)}, read, gone, since=4, buried=False)
    assert made.left
    assert made.empty
    assert not plan({"a": replace(A, modseq=5)}, [found("a", "1")], [], since=4, buried=False).left


def test_what_is_not_known_may_have_been_deleted_since() -> None:
    made = plan({}, [found("a", "1")], [], since=1, buried=True)
    assert (made.left, made.empty) == (True, True)


@given(
    st.dictionaries(st.sampled_from("abcde"), st.tuples(st.sampled_from("123"), st.integers(1, 6)), max_size=5),
    st.dictionaries(st.sampled_from("abcde"), st.sampled_from("123"), max_size=5),
    st.sets(st.sampled_from("abcde")), st.integers(1, 6), st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_a_plan_leads_to_what_was_read_or_says_that_it_does_not(
    held: dict[str, tuple[str, int]], read: dict[str, str], gone: set[str], since: int, buried: bool
) -> None:
    gone -= read.keys()
    ours = {name: known(n, name, etag, modseq) for n, (name, (etag, modseq)) in enumerate(held.items())}
    made = plan(ours, [found(n, e) for n, e in read.items()], gone, since=since, buried=buried)
    after = {name: one.etag for name, one in ours.items()}
    for old in made.burials:
        assert ours[old.name].modseq <= since
        del after[old.name]
    for old, new in made.updates:
        assert old.modseq <= since
        after[old.name] = new.etag
    for new in made.inserts:
        assert new.name not in after
        after[new.name] = new.etag
    if not made.left:
        assert after == {n: e for n, e in after.items() if n not in gone} | read


# --- Objects ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "item_class", "main", "belongs"), [
    (event("a", NOW), "Calendar", True, True),
    (event("a", NOW), "Tasks", False, False),
    (todo("a", "x"), "Tasks", False, True),
    (todo("a", "x"), "Calendar", True, False),
    (journal("a", "x", NOW), "Notes", False, True),
    (b"BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nEND:VTIMEZONE\nbegin:vevent\n", "Calendar", True, True),
    (b"BEGIN:VCALENDAR\r\nBEGIN:VAVAILABILITY\r\n", "Calendar", True, False),
    (b"BEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\n", "Calendar", True, False),
    (b"garbage", "Calendar", True, True),
    (b"garbage", "Tasks", False, False),
    (b"", "Calendar", True, True),
    (b"garbage", "Contacts", True, True),
])
def test_an_object_belongs_by_its_component(data: bytes, item_class: str, main: bool, belongs: bool) -> None:
    assert objects.belongs(data, item_class, main) is belongs


@pytest.mark.parametrize(("one", "two", "same"), [
    (card("Ann"), card("Ann"), True),
    (card("Ann"), card("Ann").replace(b"\r\n", b"\n"), True),
    (card("Ann", "a@b.c"), card("Ann", "a@b.c").replace(b"TYPE=WORK", b"type=work"), True),
    (card("Ann", "a@b.c", "NOTE:x"), card("Ann", "", "NOTE:x", "EMAIL;TYPE=WORK:a@b.c", "REV:20261121T000000Z"), True),
    (card("Ann", "a@b.c"), card("Ann", "b@b.c"), False),
    (card("Ann", "", "X-A:1"), card("Ann"), False),
    (card("Ann", "", "NOTE:" + "long " * 40), card("Ann", "", "NOTE:" + "long " * 20 + "\r\n " + "long " * 20), True),
    (event("a", NOW), event("a", NOW, 1, "PRIORITY:1"), False),
    (event("a", NOW), event("a", NOW).replace(b"DTSTAMP:2026", b"DTSTAMP:2025"), True),
    (event("a", NOW, 1, "BEGIN:VALARM", "TRIGGER:-PT5M", "END:VALARM"), event("a", NOW), False),
    (b"garbage", b"garbage", True),
    (b"garbage", card("Ann"), False),
])
def test_objects_that_say_the_same(one: bytes, two: bytes, same: bool) -> None:
    assert objects.same_meaning(one, two) is same
    assert objects.same_meaning(two, one) is same


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_nothing_that_a_server_stores_breaks_what_we_derive(data: bytes) -> None:
    for item_class in objects.COMPONENT:
        objects.belongs(data, item_class, True)
        objects.with_uid(data, item_class, "u")
    objects.uid_of(data)
    objects.stamped(data)
    assert objects.same_meaning(data, data)
    objects.version_of("", data)


@pytest.mark.parametrize("href", ["/a/b/", "/a%40b/c/", "https://h/a/"])
def test_names_are_those_of_the_last_segment(href: str) -> None:
    assert objects.name_in(href, f"{href}1%202.ics") == "1%202.ics"
    assert objects.href_of(href, "1%202.ics") == f"{href}1%202.ics"
    assert objects.name_in(href, "/elsewhere/deep/down/1.ics") == "/elsewhere/deep/down/1.ics"
    assert objects.href_of(href, "/elsewhere/deep/down/1.ics") == "/elsewhere/deep/down/1.ics"


# --- Memory -----------------------------------------------------------------------------------------------------------


def test_contents_are_bounded_in_octets_and_entries() -> None:
    kept = Contents(octets=3000, entries=4)
    for n in range(6):
        kept.put("u", f"/{n}", "e", b"x" * 100)
    assert len(kept) == 4
    assert kept.get("u", "/1", "e") is None
    assert kept.get("u", "/2", "e") is not None
    kept.put("u", "/9", "e", b"x" * 100)
    assert kept.get("u", "/2", "e") is not None  # used lately
    assert kept.get("u", "/3", "e") is None
    kept.put("u", "/big", "e", b"x" * 2500)
    assert len(kept) == 1
    kept.put("u", "/bigger", "e", b"x" * 5000)
    assert kept.get("u", "/bigger", "e") is None
    assert kept.size <= 3000


def test_contents_are_those_of_one_user_and_one_state() -> None:
    kept = Contents()
    kept.put("anna", "/a", '"1"', b"x")
    assert kept.get("ben", "/a", '"1"') is None
    assert kept.get("anna", "/a", '"2"') is None
    assert kept.get("anna", "/a", 'W/"1"') == b"x"
    kept.put("anna", "/b", "", b"x")
    assert kept.get("anna", "/b", "") is None


async def test_who_comes_while_one_reads_shares_the_next_reading() -> None:
    turn, begun, going = Turn(), list[int](), asyncio.Event()

    async def do() -> None:
        begun.append(1)
        await going.wait()

    async def come() -> None:
        await turn.take(do)

    first = asyncio.create_task(come())
    await until(lambda: begun)
    others = [asyncio.create_task(come()) for _ in range(5)]
    await asyncio.sleep(0)
    going.set()
    await asyncio.gather(first, *others)
    assert len(begun) == 2
    await come()
    assert len(begun) == 3


async def test_a_reading_that_was_given_up_is_done_by_the_next() -> None:
    turn, begun, going = Turn(), list[int](), asyncio.Event()

    async def do() -> None:
        begun.append(1)
        await going.wait()

    tasks = [asyncio.create_task(turn.take(do)) for _ in range(3)]
    await until(lambda: begun)
    tasks[0].cancel()
    going.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(begun) == 2


async def test_a_failure_is_that_of_all_who_waited_for_it() -> None:
    turn, begun = Turn(), list[int]()

    async def fail() -> None:
        begun.append(1)
        await asyncio.sleep(0.01)
        raise Unavailable("away")

    results = await asyncio.gather(*[turn.take(fail) for _ in range(4)], return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results)
    assert len(begun) == 1
    with pytest.raises(Unavailable):
        await turn.take(fail)
    assert len(begun) == 2


# --- A server that says what no real one says on demand ---------------------------------------------------------------


@pytest.fixture
async def account(embedded: EmbeddedWorld) -> Account:
    return Account(
        user=embedded.users["anna"], tenant=Tenant(name="t"), login="anna@example.com", secret=Secret("x"),
        ground=embedded.embedded.groupware,
    )


async def numbered(account: Account, locator: str = "/c/", item_class: str = "Contacts") -> Numbered:
    values = {"user_id": account.user.id, "source": "dav", "locator": locator}
    number = await account.ground.write(
        lambda tx: tx.connection.execute(insert(PlaceRow).values(**values).returning(PlaceRow.number)).scalar_one()
    )
    type = FolderType.CONTACTS if item_class == "Contacts" else FolderType.CALENDAR
    place = Place(locator=locator, parent="", name="", type=type, item_class=item_class)
    return Numbered(number=number, place=place)


async def nowhere(id: str) -> None:
    return None


def feed_of(account: Account, server: Any, at: Numbered) -> DavFeed:
    return DavFeed(account, server, at, nowhere)


def filled(count: int) -> Scripted:
    return Scripted(objects={f"/c/{n}.vcf": ("1", card(f"Ann {n}")) for n in range(count)})


async def test_a_listing_that_lacks_much_is_read_again_before_it_is_believed(account: Account) -> None:
    server, at = filled(50), await numbered(account)
    feed = feed_of(account, server, at)
    before = await feed.delta(None, ALL)
    server.token, server.listing = 2, {}
    server.calls.clear()
    assert not (await feed.delta(before.token, ALL)).gone
    assert server.calls.count("changes") == 2
    server.token, server.objects = 3, dict(list(server.objects.items())[:10])
    assert len((await feed.delta(before.token, ALL)).gone) == 40


async def test_a_listing_that_lacks_little_is_believed(account: Account) -> None:
    server, at = filled(50), await numbered(account)
    feed = feed_of(account, server, at)
    before = await feed.delta(None, ALL)
    server.token, server.objects = 2, dict(list(server.objects.items())[:30])
    server.calls.clear()
    assert len((await feed.delta(before.token, ALL)).gone) == 20
    assert server.calls == ["state", "changes"]


async def test_a_server_with_neither_token_nor_ctag_is_listed_each_time(account: Account) -> None:
    server, at = filled(3), await numbered(account)
    server.states = False
    feed = feed_of(account, server, at)
    token = (await feed.delta(None, ALL)).token
    server.calls.clear()
    assert (await feed.delta(token, ALL)).token == token
    assert server.calls == ["state", "changes"]


async def test_a_token_of_this_very_second_does_not_count_yet(account: Account, embedded: EmbeddedWorld) -> None:
    server, at = filled(3), await numbered(account)
    server.token = int(embedded.clock.at.timestamp())
    feed = feed_of(account, server, at)
    before = await feed.delta(None, ALL)
    server.objects["/c/late.vcf"] = ("1", card("Late"))  # in the same second
    assert len((await feed.delta(before.token, ALL)).touched) == 1
    embedded.clock.later(seconds=30)
    after = await feed.delta(None, ALL)
    server.calls.clear()
    assert (await feed.delta(after.token, ALL)).token == after.token
    assert server.calls == ["state"]


async def test_without_etags_the_content_tells(account: Account) -> None:
    server, at = Scripted(objects={"/c/a.vcf": ("", card("Ann"))}), await numbered(account)
    feed = feed_of(account, server, at)
    before = await feed.delta(None, ALL)
    server.token = 2
    assert (await feed.delta(before.token, ALL)).token == before.token
    server.token, server.objects = 3, {"/c/a.vcf": ("", card("Ann", "a@b.c"))}
    [(id, version)] = (await feed.delta(before.token, ALL)).touched.items()
    [item] = [item async for item in feed.fetch([id], None)]
    assert isinstance(item, Record)
    assert (item.version, item.data) == (version, card("Ann", "a@b.c"))


async def test_what_cannot_be_parsed_is_an_item_for_ever(account: Account) -> None:
    """It is shown degraded, rather than not at all."""
    odd = {"/c/1.ics": ("1", b"garbage"), "/c/2.ics": ("1", b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nRRULE:x"),
           "/c/3.ics": ("1", b"")}
    server, at = Scripted(objects=odd), await numbered(account, item_class="Calendar")
    feed = feed_of(account, server, at)
    delta = await feed.delta(None, Horizon(edge=NOW + timedelta(days=9999)))
    assert len(delta.touched) == 3
    assert len([item async for item in feed.fetch(list(delta.touched), None)]) == 3


async def test_a_listing_that_breaks_off_goes_on_where_it_was(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eas.backends.dav.index.PORTION", 10)
    server, at = filled(50), await numbered(account)
    feed, read = feed_of(account, server, at), server.multiget
    asked: list[int] = []

    async def broken(href: str, hrefs: list[str], *, kind: str) -> Any:
        asked.append(len(hrefs))
        if len(asked) == 4:
            raise Unavailable("away")
        return await read(href, hrefs, kind=kind)

    monkeypatch.setattr(server, "multiget", broken)
    with pytest.raises(Unavailable):
        await feed.delta(None, ALL)
    assert len((await feed.delta(None, ALL)).touched) == 50
    assert asked == [10] * 6


async def test_an_object_that_becomes_one_of_another_kind_is_gone_here(account: Account) -> None:
    server = Scripted(objects={"/c/1.ics": ("1", event("a", NOW))})
    events = feed_of(account, server, await numbered(account, "/c/", "Calendar"))
    at = await numbered(account, "/c/#VTODO", "Tasks")
    tasks = feed_of(account, server, at)
    first, none = await events.delta(None, ALL), await tasks.delta(None, ALL)
    assert (len(first.touched), len(none.touched)) == (1, 0)
    server.token, server.objects = 2, {"/c/1.ics": ("2", todo("a", "x"))}
    assert list((await events.delta(first.token, ALL)).gone) == list(first.touched)
    then = await tasks.delta(none.token, ALL)
    assert len(then.touched) == 1
    server.token, server.objects = 3, {"/c/1.ics": ("3", event("a", NOW))}
    assert list((await tasks.delta(then.token, ALL)).gone) == list(then.touched)


async def test_deletions_that_are_forgotten_make_older_tokens_void(account: Account, embedded: EmbeddedWorld) -> None:
    server, at = filled(3), await numbered(account)
    feed = feed_of(account, server, at)
    old = await feed.delta(None, ALL)
    server.token, server.objects = 2, dict(list(server.objects.items())[:2])
    newer = await feed.delta(old.token, ALL)
    assert (newer.complete, len(newer.gone)) == (False, 1)
    await account.ground.write(rows.forget_gone)
    assert not (await feed.delta(old.token, ALL)).complete
    embedded.clock.later(days=4000)
    await account.ground.write(rows.forget_gone)
    assert (await feed.delta(old.token, ALL)).complete
    assert not (await feed.delta(newer.token, ALL)).complete


async def test_only_one_of_two_refreshes_says_how_far_the_rows_have_come(account: Account) -> None:
    at = await numbered(account)
    mine = At(at.number, account.user.id)
    began = await account.ground.read(partial(rows.standing, at=mine))
    assert began == Standing(counter=1, floor=0)
    read = [found("a", "1")]

    def settle(began: Standing, read: list[Read], state: str) -> Any:
        return account.ground.write(
            partial(rows.settle, at=mine, began=began, found=read, gone=(), then=(state, "sync:" + state))
        )

    assert await settle(began, read, "1")
    with pytest.raises(Overtaken):
        await settle(began, [found("a", "0")], "0")
    now = await account.ground.read(partial(rows.standing, at=mine))
    assert (now.state, now.token) == ("1", "sync:1")
    assert (await account.ground.read(partial(rows.all_known, at=mine)))["a"].etag == "1"


async def test_a_refresh_does_not_undo_a_write_that_came_between(account: Account) -> None:
    at = await numbered(account)
    mine = At(at.number, account.user.id)
    began = await account.ground.read(partial(rows.standing, at=mine))
    first = await account.ground.write(partial(rows.put, at=mine, new=found("a", "2")))
    settle = partial(rows.settle, at=mine, began=began)
    assert not await account.ground.write(partial(settle, found=[found("a", "1")], gone=(), then=("s", "t")))
    assert not await account.ground.write(partial(settle, found=[], gone=["a"], then=("s", "t")))
    held = await account.ground.read(partial(rows.all_known, at=mine))
    assert (held["a"].id, held["a"].etag) == (first, "2")
    assert not (await account.ground.read(partial(rows.standing, at=mine))).token
    await account.ground.write(partial(rows.bury, at=mine, known=held["a"]))
    assert not await account.ground.write(partial(settle, found=[found("a", "2")], gone=(), then=("s", "t")))
    assert not await account.ground.read(partial(rows.all_known, at=mine))


async def test_a_write_does_not_undo_what_a_refresh_has_seen_later(account: Account) -> None:
    at = await numbered(account)
    mine = At(at.number, account.user.id)
    await account.ground.write(partial(rows.put, at=mine, new=found("a", "1", "v1")))
    await account.ground.write(partial(rows.put, at=mine, new=found("a", "3", "v3"), was=("1",)))
    await account.ground.write(partial(rows.put, at=mine, new=found("a", "2", "v2"), was=("1",)))
    assert (await account.ground.read(partial(rows.all_known, at=mine)))["a"].etag == "3"
    assert await account.ground.write(partial(rows.put, at=mine, new=found("b", "2"), make=False)) == 0


# --- Real servers -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["radicale", "xandikos", "cyrus"])
async def home(request: pytest.FixtureRequest, database_template: Path, tmp_path: Path) -> AsyncIterator[Home]:
    made = await Home.make(request.getfixturevalue(request.param), database_template, tmp_path)
    yield made
    await made.close()


@pytest.fixture
async def at_radicale(radicale: Any, database_template: Path, tmp_path: Path) -> AsyncIterator[Home]:
    made = await Home.make(radicale, database_template, tmp_path)
    yield made
    await made.close()


@pytest.mark.server
async def test_a_collection_of_several_kinds_is_a_place_for_each(at_radicale: Home) -> None:
    home = at_radicale
    path = f"/{home.login}/mixed/"
    home.server.make_calendar(path, home.login, "Mixed", "VEVENT", "VTODO", "VJOURNAL")
    for mark, item_class in (("", "Calendar"), ("#VTODO", "Tasks"), ("#VJOURNAL", "Notes")):
        await home.number(f"mixed {item_class}", path + mark, item_class)
    for n in range(3):
        home.put("mixed Calendar", f"e{n}.ics", event(f"e{n}", NOW))
    home.put("mixed Calendar", "t.ics", todo("t", "task"))
    home.put("mixed Calendar", "j.ics", journal("j", "note", NOW))
    counts = {}
    for item_class in ("Calendar", "Tasks", "Notes"):
        delta = await home.feed(f"mixed {item_class}").delta(None, ALL)
        counts[item_class] = len(delta.touched)
    assert counts == {"Calendar": 3, "Tasks": 1, "Notes": 1}
    tasks = home.feed("mixed Tasks")
    token = (await tasks.delta(None, ALL)).token
    await home.feed("mixed Calendar").create(event("new", NOW), Chosen(name="new"))
    assert not (await tasks.delta(token, ALL)).touched
    made = await tasks.create(todo("new task", "x"), Chosen(name="task"))
    assert (await tasks.delta(token, ALL)).touched == {made.id: made.version}


def _forget_tokens(radicale: Path) -> None:
    for cache in radicale.rglob("sync-token"):
        shutil.rmtree(cache)


@pytest.mark.server
async def test_a_sync_token_that_the_server_has_forgotten_costs_a_listing_and_nothing_else(at_radicale: Home) -> None:
    home = at_radicale
    for n in range(5):
        home.put("Contacts", f"c{n}.vcf", card(f"Ann {n}"))
    feed = home.feed("Contacts")
    before = await feed.delta(None, ALL)
    _forget_tokens(home.server.path)  # type: ignore[attr-defined]
    home.delete("Contacts", "c0.vcf")
    home.put("Contacts", "c1.vcf", card("Ann 1", "new@example.com"))
    home.client.calls.clear()
    delta = await feed.delta(before.token, ALL)
    assert (delta.complete, len(delta.touched), len(delta.gone)) == (False, 1, 1)
    assert home.client.calls == ["state", "changes", "multiget"]


@pytest.mark.server
async def test_a_database_put_back_to_an_older_state_is_repaired(home: Home) -> None:
    """Our rows know less than the devices: their tokens are from the future, and ids that they know will be given to
    others."""
    home.put("Contacts", "a.vcf", card("Ann"))
    feed = home.feed("Contacts")
    await feed.delta(None, ALL)
    number = home.places["Contacts"].number
    backup = await home.account.ground.read(
        lambda c: c.execute(select(PlaceRow.__table__).where(PlaceRow.number == number)).one()._mapping
    )
    ben = await feed.create(card("Ben"), Chosen(name="b"))
    later = await feed.delta(None, ALL)
    await home.account.ground.write(lambda tx: [
        tx.connection.execute(delete(ObjectRow).where(ObjectRow.number == number, ObjectRow.id == 2)),
        tx.connection.execute(PlaceRow.__table__.update().where(PlaceRow.number == number).values(**backup)),
    ])
    home.delete("Contacts", "b.vcf")
    home.put("Contacts", "c.vcf", card("Carla"))
    home.world.clock.later(minutes=5)
    after = await feed.delta(later.token, ALL)
    assert after.touched.keys() >= {ben.id}
    assert after.touched[ben.id] != ben.version
    assert len((await feed.delta(None, ALL)).touched) == 2


@pytest.mark.server
async def test_a_first_listing_costs_few_requests_and_a_change_three(home: Home) -> None:
    """The windows that follow cost none but the probe, as the contents are there."""
    for n in range(30):
        home.put("Contacts", f"c{n}.vcf", card(f"Ann {n}"))
    feed = home.feed("Contacts")
    listing = await feed.delta(None, ALL)
    ids = list(listing.touched)
    for at in range(0, 30, 10):
        assert len([item async for item in feed.fetch(ids[at : at + 10], None)]) == 10
    assert home.client.calls == ["state", "changes", "multiget"]
    home.put("Contacts", "c3.vcf", card("Ann 3", "new@example.com"))
    home.client.calls.clear()
    delta = await feed.delta(listing.token, ALL)
    assert len([item async for item in feed.fetch(list(delta.touched), None)]) == 1
    assert home.client.calls == ["state", "changes", "multiget"]
    home.client.calls.clear()
    assert (await feed.delta(delta.token, ALL)).token == delta.token
    assert home.client.calls == ["state"]


@pytest.mark.server
async def test_an_index_of_an_unknown_place_is_folder_gone(home: Home) -> None:
    at = replace(home.places["Contacts"], number=987654)
    with pytest.raises(FolderGone):
        await Index(home.account, home.client, at).refresh()
