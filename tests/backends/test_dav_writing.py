"""Writes to collections of real CalDAV and CardDAV servers: once each, however often they are asked for and wherever
they are cut off; conditional on what was read; in the words of the engine when they are refused.

`eas.engine.ports`; docs/design.md, "Sync state".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from davhome import Home
from worlds import NOW, card, event

from eas.backends.dav.model import LoginRefused, Refused, Unreachable
from eas.backends.dav.objects import same_meaning
from eas.engine.errors import FolderGone, ItemGone, NoSpace, NotAllowed, TooLarge, Unavailable, VersionConflict
from eas.engine.model import Right
from eas.engine.ports import Chosen, Horizon, Written
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


async def test_a_move_that_got_half_way_is_finished_by_the_next(home: Home) -> None:
    """Put at the destination, and not yet taken away here: by whatever way it is finished."""
    await home.another("Contacts", "other")
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen("a"))
    home.client.calls.clear()
    home.client.faults = {0: ("before", Refused(501)), 4: ("before", Unreachable("away"))}  # the DELETE
    with pytest.raises(Unavailable):
        await feed.move(made.id, home.id("other"), chosen("m"))
    assert (len(await home.files("Contacts")), len(await home.files("other"))) == (1, 1)
    home.client.faults = {}
    written = await feed.move(made.id, home.id("other"), chosen("m"))
    assert (len(await home.files("Contacts")), len(await home.files("other"))) == (0, 1)
    assert (await home.feed("other").delta(None, ALL)).touched == {written.id: written.version}


async def test_a_move_onto_something_else_moves_nothing(home: Home) -> None:
    await home.another("Contacts", "other")
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen("a"))
    home.put("other", "m.vcf", card("Somebody Else"))
    with pytest.raises(NotAllowed):
        await feed.move(made.id, home.id("other"), chosen("m"))
    assert made.id in (await feed.delta(None, ALL)).touched
    assert b"FN:Somebody Else" in home.get("other", "m.vcf")


async def test_what_the_other_side_moved_away_is_gone(home: Home) -> None:
    await home.another("Contacts", "other")
    feed = home.feed("Contacts")
    made = await feed.create(card("Ann"), chosen("a"))
    home.delete("Contacts", "a.vcf")
    with pytest.raises(ItemGone):
        await feed.move(made.id, home.id("other"), chosen("m"))
    assert not (await feed.delta(None, ALL)).touched


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


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_write_of_unknown_outcome_is_looked_at(home: Home, status: int) -> None:
    """Done after all; overtaken by another program; neither."""
    feed, fails = home.feed("Contacts"), Refused(status, "no")
    made = await feed.create(card("Old"), chosen("old"))
    home.client.faults = {len(home.client.calls): ("after", fails)}
    written = await feed.update(made.id, card("Old", "new@example.com"), made.version)
    assert written.id == made.id
    assert written.version != made.version
    assert (await feed.delta(None, ALL)).touched == {made.id: written.version}
    home.put("Contacts", "old.vcf", card("Old", "theirs@example.com"))
    home.client.faults = {len(home.client.calls): ("before", fails)}
    with pytest.raises(VersionConflict):
        await feed.update(made.id, card("Old", "ours@example.com"), written.version)
    home.client.faults = {}
    assert b"theirs@" in (await home.files("Contacts"))["old.vcf"]


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
