"""A mailbox as a feed over real servers, with another mail program at work on the other side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from groupware.dovecot import Dovecot
from mailfeed import ALL, SERVERS, TEXT, Other, changes, chosen, feed_of, one, uid
from mailhome import MailHome, mail_home
from settling import until
from worlds import letter

from eas.backends.imap.feed import ImapFeed
from eas.backends.standards.ports import Numbered
from eas.engine.errors import FolderGone, ItemGone, NoSpace, NotAllowed, TooLarge, Unavailable, VersionConflict
from eas.engine.model import FolderType, Right
from eas.engine.ports import Horizon
from eas.items.native import FollowUp, Mail, MailFlags

pytestmark = pytest.mark.server


@pytest.fixture(params=SERVERS)
async def home(request: pytest.FixtureRequest, database_template: Path, tmp_path: Path) -> AsyncIterator[MailHome]:
    """On each kind of server in turn."""
    async with mail_home(request.getfixturevalue(request.param), database_template, tmp_path) as made:
        yield made


@pytest.fixture
async def dove(dovecot: Any, database_template: Path, tmp_path: Path) -> AsyncIterator[MailHome]:
    async with mail_home(dovecot, database_template, tmp_path) as made:
        yield made


# --- Changes from the other side --------------------------------------------------------------------------------------


async def test_what_another_program_does_is_told_once(home: MailHome) -> None:
    home.append("INBOX", *(letter(str(n), message_id=f"{n}@x") for n in range(6)))
    feed, other = await feed_of(home), Other(home)
    first = await feed.delta(None, ALL)
    assert first.complete
    ids = sorted(first.touched)
    assert len(ids) == 6

    other.do(f"STORE {uid(ids[1])} +FLAGS (\\Seen)")
    seen = await changes(feed, first)
    assert (dict(seen.touched), set(seen.gone), seen.complete) == ({ids[1]: "r"}, set(), False)

    other.do(f"STORE {uid(ids[2])} +FLAGS (\\Deleted)", "!EXPUNGE")
    gone = await changes(feed, seen)
    assert (dict(gone.touched), set(gone.gone)) == ({}, {ids[2]})

    home.append("INBOX", letter("new"))
    new = await changes(feed, gone)
    assert (len(new.touched), set(new.gone)) == (1, set())
    assert min(new.touched) > ids[-1]

    other.do(f"STORE {uid(ids[3])} +FLAGS (\\Deleted)", "!EXPUNGE", f"STORE {uid(ids[4])} +FLAGS (\\Flagged)")
    home.append("INBOX", letter("newer"))
    all_at_once = await changes(feed, new)
    # Without QRESYNC all that is not there is told as gone.
    assert {ids[3]} <= set(all_at_once.gone) <= {ids[2], ids[3]}
    assert len(all_at_once.touched) == 2
    assert all_at_once.touched[ids[4]].startswith("u.f")

    whole = await feed.delta(None, ALL)
    assert whole.token == all_at_once.token
    assert len(whole.touched) == 6


async def test_two_devices_hear_each_from_where_they_are(home: MailHome) -> None:
    feed, other = await feed_of(home), Other(home)
    home.append("INBOX", *(letter(str(n)) for n in range(3)))
    old = await feed.delta(None, ALL)
    ids = sorted(old.touched)
    other.do(f"STORE {uid(ids[0])} +FLAGS (\\Seen)")
    newer = await changes(feed, old)
    other.do(f"STORE {uid(ids[1])} +FLAGS (\\Seen)")
    assert dict((await changes(feed, newer)).touched) == {ids[1]: "r"}
    late = await feed.delta(old.token, ALL)
    assert {ids[0], ids[1]} <= late.touched.keys()
    assert late.complete or late.touched.keys() == {ids[0], ids[1]}


async def test_flags_are_read_as_they_are_now_over_any_connection(home: MailHome) -> None:
    """A connection that has the mailbox open hears of changes late."""
    home.append("INBOX", letter("a"))
    feed, other = await feed_of(home), Other(home)
    delta = await feed.delta(None, ALL)
    [id] = delta.touched
    for flag, version in (("\\Seen", "r"), ("$NotJunk", "r")):
        other.do(f"STORE {uid(id)} +FLAGS ({flag})")
        delta = await feed.delta(delta.token, ALL)
        assert (await one(await feed_of(home), id)).version == version
        look = await (await feed_of(home)).look([id], ALL)
        assert dict(look.versions) == {id: version}


async def test_keywords_of_others_change_no_version_and_stay(home: MailHome) -> None:
    home.append("INBOX", letter("a"))
    feed, other = await feed_of(home), Other(home)
    [(id, version)] = (await feed.delta(None, ALL)).touched.items()
    other.do(f"STORE {uid(id)} +FLAGS ($label1 $MailFlagBit0 NonJunk)")
    assert dict((await feed.look([id], ALL)).versions) == {id: version}
    await feed.set_flags(id, MailFlags(read=True, categories=("Red", "Ganz wichtig!")))
    await feed.set_flags(id, MailFlags())
    assert other.flags(uid(id)) == {"$label1", "$MailFlagBit0", "NonJunk"}


async def test_categories_and_answers_of_others_are_shown(home: MailHome) -> None:
    home.append("INBOX", letter("a"))
    feed = await feed_of(home)
    [id] = (await feed.delta(None, ALL)).touched
    Other(home).do(f"STORE {uid(id)} +FLAGS (Blue_Category \\Answered \\Flagged)")
    flags = (await one(feed, id)).flags
    assert flags == MailFlags(categories=("Blue Category",), last_verb=1, follow_up=FollowUp(status=2))


async def test_details_of_a_flag_stay_with_us_and_go_when_others_take_it_off(home: MailHome) -> None:
    home.append("INBOX", letter("a", message_id="a@x"))
    feed, other = await feed_of(home), Other(home)
    [id] = (await feed.delta(None, ALL)).touched
    due = datetime(2026, 12, 1, tzinfo=UTC)
    flags = MailFlags(follow_up=FollowUp(status=2, subject="call", start=due, due=due, utc_start=due, utc_due=due))
    before = await feed.delta(None, ALL)
    written = await feed.set_flags(id, flags)
    assert dict((await feed.delta(before.token, ALL)).touched) == {id: written.version}
    assert "\\Flagged" in other.flags(uid(id))
    assert (await one(feed, id)).flags == flags
    later = MailFlags(follow_up=FollowUp(status=2, subject="call again"))
    before = await feed.delta(None, ALL)
    written = await feed.set_flags(id, later, written.version)
    assert dict((await changes(feed, before)).touched) == {id: written.version}
    other.do(f"STORE {uid(id)} -FLAGS (\\Flagged)")
    assert (await one(feed, id)).flags == MailFlags()


async def test_the_note_of_a_message_is_found_again_when_another_program_moves_it(dove: MailHome) -> None:
    dove.append("INBOX", letter("a", message_id="a@x"), letter("b", message_id="b@x"))
    feed, trash = await feed_of(dove), await feed_of(dove, FolderType.DELETED_ITEMS)
    ids = sorted((await feed.delta(None, ALL)).touched)
    flags = MailFlags(follow_up=FollowUp(status=2, subject="call"), categories=("x" * 60,), last_verb=3)
    await feed.set_flags(ids[0], flags)
    token = (await trash.delta(None, ALL)).token
    Other(dove).do(f"MOVE {uid(ids[0])} Trash", f"MOVE {uid(ids[1])} Trash")
    found = await trash.delta(token, ALL)
    loaded = {mail.id: mail async for mail in trash.fetch(sorted(found.touched), None) if isinstance(mail, Mail)}
    assert {id: mail.version for id, mail in loaded.items()} == dict(found.touched)
    assert [loaded[id].flags for id in sorted(loaded)] == [flags, MailFlags()]


async def test_a_server_without_new_keywords_loses_nothing(dove: MailHome, monkeypatch: pytest.MonkeyPatch) -> None:
    from eas.backends.imap import stored

    monkeypatch.setattr(stored, "storable", lambda session: lambda keyword: False)
    dove.append("INBOX", letter("a"))
    feed = await feed_of(dove)
    [id] = (await feed.delta(None, ALL)).touched
    at = datetime(2026, 11, 20, tzinfo=UTC)
    flags = MailFlags(
        read=True, last_verb=3, last_verb_time=at, categories=("Blue", "grün"),
        follow_up=FollowUp(status=1, date_completed=at, complete_time=at),
    )
    before = await feed.delta(None, ALL)
    written = await feed.set_flags(id, flags)
    assert Other(dove).flags(uid(id)) == {"\\Seen"}
    assert (await one(feed, id)).flags == flags
    assert dict((await changes(feed, before)).touched) == {id: written.version}


async def test_a_conditional_write_sees_what_another_program_did(home: MailHome) -> None:
    home.append("INBOX", letter("a"))
    feed = await feed_of(home)
    [(id, version)] = (await feed.delta(None, ALL)).touched.items()
    Other(home).do(f"STORE {uid(id)} +FLAGS (\\Flagged)")
    await feed.delta(None, ALL)
    with pytest.raises(VersionConflict):
        await feed.set_flags(id, MailFlags(read=True), version)
    with pytest.raises(VersionConflict):
        await feed.delete(id, version)
    Other(home).do(f"STORE {uid(id)} +FLAGS (NonJunk)")
    now = (await one(feed, id)).version
    assert (await feed.set_flags(id, MailFlags(read=True), now)).version == "r"


async def test_a_deleted_mailbox_is_a_folder_that_is_gone(home: MailHome) -> None:
    place = await home.make("Away")
    feed = await feed_of(home, place.locator)
    before = await feed.delta(None, ALL)
    with home.server.imap(home.login) as client:
        assert client.delete(f'"{place.locator}"')[0] == "OK"
    await home.pool.drop(home.account)
    with pytest.raises(FolderGone):
        await feed.delta(before.token, ALL)
    with pytest.raises(FolderGone):
        await feed.create(letter("a"), chosen("a"))
    with pytest.raises(FolderGone):
        [mail async for mail in feed.fetch([1 << 32 | 1], None)]


# --- Writes -----------------------------------------------------------------------------------------------------------


def draft(text: str) -> bytes:
    return letter("draft", message_id="draft@x", text=text)


async def test_a_draft_that_is_written_anew_keeps_its_id(home: MailHome) -> None:
    feed = await feed_of(home, FolderType.DRAFTS)
    flags = MailFlags(read=True, draft=True)
    made = await feed.create(draft("one"), chosen("d"), flags)
    await feed.create(letter("later"), chosen("e"))
    token = await feed.delta(None, ALL)
    changed = await feed.update(made.id, draft("two"), made.version, flags)
    assert changed.id == made.id
    assert changed.version != made.version
    delta = await feed.delta(token.token, ALL)
    assert delta.complete or delta.touched.keys() == {made.id}
    assert delta.touched[made.id] == changed.version
    assert made.id not in delta.gone
    assert (await one(feed, made.id, TEXT)).sections["1"].startswith(b"two")
    with pytest.raises(VersionConflict):
        await feed.update(made.id, draft("three"), made.version, flags)
    same = await feed.update(made.id, draft("two"), None, flags)
    assert same.version == changed.version
    third = await feed.update(made.id, draft("three"), changed.version, flags)
    assert len((await feed.delta(None, ALL)).touched) == 2
    before = await feed.delta(None, ALL)
    await feed.delete(made.id, third.version)
    assert made.id in (await feed.delta(before.token, ALL)).gone
    with pytest.raises(ItemGone):
        await feed.update(made.id, draft("four"), None, flags)


async def test_only_drafts_are_written_anew(home: MailHome) -> None:
    feed = await feed_of(home)
    mail = await feed.create(letter("a"), chosen("a"))
    for flags in (None, MailFlags(), MailFlags(draft=True)):
        with pytest.raises(NotAllowed):
            await feed.update(mail.id, letter("b"), None, flags)


async def test_the_same_create_twice_and_at_once_makes_one(home: MailHome) -> None:
    feeds = [await feed_of(home) for _ in range(6)]
    made = await asyncio.gather(*[feed.create(letter("a"), chosen("a")) for feed in feeds])
    assert len({written.id for written in made}) == 1
    other = await feeds[0].create(letter("b"), chosen("a"))
    assert (other.id, other.same) == (made[0].id, False)
    again = await feeds[0].create(letter("a"), chosen("b"))
    assert again.id != made[0].id
    assert len((await feeds[0].delta(None, ALL)).touched) == 2


async def test_equal_messages_are_moved_each_once(home: MailHome) -> None:
    inbox, trash = await feed_of(home), await feed_of(home, FolderType.DELETED_ITEMS)
    at = await home.at(FolderType.DELETED_ITEMS)
    home.append("INBOX", *[letter("same")] * 4)
    ids = sorted((await inbox.delta(None, ALL)).touched)
    flags = MailFlags(read=True, follow_up=FollowUp(status=2, subject="call"))
    await inbox.set_flags(ids[0], flags)
    moved = await asyncio.gather(*[inbox.move(id, str(at.number), chosen(f"m{id}")) for id in ids])
    assert len({written.id for written in moved}) == 4
    assert {written.id: written.version for written in moved} == (await trash.delta(None, ALL)).touched
    assert not (await inbox.delta(None, ALL)).touched
    assert (await one(trash, moved[0].id)).flags == flags
    for id, written in zip(ids, moved, strict=True):
        assert (await inbox.move(id, str(at.number), chosen(f"m{id}"))).id == written.id


async def test_moving_within_a_folder_is_no_move(home: MailHome) -> None:
    feed, at = await feed_of(home), await home.at(FolderType.INBOX)
    mail = await feed.create(letter("a"), chosen("a"))
    assert await feed.move(mail.id, str(at.number), chosen("m")) == mail
    with pytest.raises(ItemGone):
        await feed.move(mail.id + 7, str(at.number), chosen("n"))


async def test_writes_ring(dove: MailHome) -> None:
    feed, at = await feed_of(dove), await dove.at(FolderType.INBOX)
    trash = await dove.at(FolderType.DELETED_ITEMS)
    calls = dove.world.bell.calls
    mail = await feed.create(letter("a"), chosen("a"))
    await feed.set_flags(mail.id, MailFlags(read=True))
    await feed.move(mail.id, str(trash.number), chosen("m"))
    rung = [number for user, numbers in calls for number in numbers if user == dove.account.user.id]
    assert rung.count(str(at.number)) >= 3
    assert str(trash.number) in rung


async def test_a_folder_to_read_only_is_not_written_to(dove: MailHome) -> None:
    dove.append("INBOX", letter("a"))
    inbox, trash = await dove.at(FolderType.INBOX), await dove.at(FolderType.DELETED_ITEMS)
    shared = Numbered(number=inbox.number, place=replace(inbox.place, right=Right.READ))
    feed = ImapFeed(dove.account, dove.pool, shared, dove.resolve)
    [(id, version)] = (await feed.delta(None, ALL)).touched.items()
    for write in (
        feed.create(letter("b"), chosen("b")), feed.set_flags(id, MailFlags(read=True)), feed.delete(id),
        feed.update(id, letter("b"), None, MailFlags(draft=True)), feed.move(id, str(trash.number), chosen("m")),
    ):
        with pytest.raises(NotAllowed):
            await write

    async def only_shared(_: str) -> Numbered:
        return Numbered(number=trash.number, place=replace(trash.place, right=Right.READ))

    with pytest.raises(NotAllowed):
        await ImapFeed(dove.account, dove.pool, inbox, only_shared).move(id, str(trash.number), chosen("m"))
    assert dict((await feed.delta(None, ALL)).touched) == {id: version}


async def test_a_full_mailbox_and_a_message_that_is_too_large(
    dovecot: Any, database_template: Path, tmp_path: Path
) -> None:
    login = dovecot.new_user(quota="20K")
    async with mail_home(dovecot, database_template, tmp_path, login=login) as home:
        feed = await feed_of(home)
        with pytest.raises(NoSpace):
            await feed.create(letter("a", text="x" * 40_000), chosen("a"))
        with pytest.raises(TooLarge):
            await feed.create(b"x" * (home.account.ground.limits.message + 1), chosen("b"))
        made = await feed.create(letter("a"), chosen("a"))
        assert (await feed.delta(None, ALL)).touched.keys() == {made.id}


async def test_a_server_that_was_restarted_is_asked_again(database_template: Path, tmp_path: Path) -> None:
    server = Dovecot()
    server.start()
    try:
        async with mail_home(server, database_template, tmp_path) as home:
            home.append("INBOX", letter("a"))
            feed = await feed_of(home)
            token = (await feed.delta(None, ALL)).token
            server.restart()
            assert not (await feed.delta(token, ALL)).touched
            server.kill()
            with pytest.raises(Unavailable):
                await feed.delta(token, ALL)
    finally:
        server.stop()


@pytest.mark.parametrize("edge", [None, datetime(2020, 1, 1, tzinfo=UTC)])
async def test_no_news_and_one_message_take_three_commands_at_most(dove: MailHome, edge: datetime | None) -> None:
    horizon = Horizon(edge=edge)
    dove.append("INBOX", *(letter(str(n)) for n in range(5)))
    await dove.pool.drop(dove.account)
    with dove.server.commands(dove.login):
        delta = await (await feed_of(dove)).delta(None, horizon)
        for number in range(4):
            before = len(dove.server.traffic(dove.login))
            feed = await feed_of(dove)
            assert not (await feed.delta(delta.token, horizon)).touched
            dove.server.deliver(dove.login, letter(f"new {number}"))
            delta = await feed.delta(delta.token, horizon)
            assert len(delta.touched) == 1
            await feed.look(delta.touched, horizon)
            assert len([mail async for mail in (await feed_of(dove)).fetch(list(delta.touched), TEXT)]) == 1
            await until(lambda since=before: len(dove.server.traffic(dove.login)) >= since + 2)
            await asyncio.sleep(0.1)
            told = dove.server.traffic(dove.login)[before:]
            mine = [line for line in told if not line.split(" ")[1].startswith(("LIST", "NAMESPACE"))]
            assert 2 <= len(mine) <= 4, mine  # the first of them was for no news
