"""The contract of Feed and Mailbox, as tests that every backend has to pass; `world` is made by each factory in turn.

`eas.engine.ports`; docs/design.md, "The change feed".
"""

from __future__ import annotations

import asyncio
import base64
import tracemalloc
from datetime import timedelta

import pytest
from worlds import NOW, World, alternative, card, event, feed_of, folder_of, letter, with_attachment

from eas.engine.errors import (
    FolderExists,
    FolderGone,
    ItemGone,
    NotAllowed,
    VersionConflict,
)
from eas.engine.model import Folder, FolderType, Right
from eas.engine.ports import Chosen, Horizon
from eas.items.body import BodyPreference, BodyType, Wanted
from eas.items.native import FollowUp, Mail, MailFlags, Record

ALL = Horizon()
TEXT = Wanted(preferences=(BodyPreference(type=BodyType.TEXT, truncation_size=1000),))
HTML = Wanted(preferences=(BodyPreference(type=BodyType.HTML),))


def chosen(name: str) -> Chosen:
    return Chosen(name=name)


# --- Change feed ------------------------------------------------------------------------------------------------------


async def test_a_first_delta_is_the_whole_listing(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    first = await feed.create(letter("1"), chosen("a"))
    second = await feed.create(letter("2"), chosen("b"))
    delta = await feed.delta(None, ALL)
    assert delta.complete
    assert delta.touched == {first.id: first.version, second.id: second.version}
    assert first.id < second.id


async def test_an_empty_folder_has_a_token_too(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    delta = await feed.delta(None, ALL)
    assert delta.complete
    assert not delta.touched
    assert delta.token


async def test_nothing_new_is_nothing_and_the_same_token(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    await feed.create(letter(), chosen("a"))
    token = (await feed.delta(None, ALL)).token
    delta = await feed.delta(token, ALL)
    assert (delta.token, dict(delta.touched), list(delta.gone), delta.complete) == (token, {}, [], False)


async def test_a_new_message_is_touched(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    before = await feed.delta(None, ALL)
    written = await feed.create(letter(), chosen("a"))
    delta = await feed.delta(before.token, ALL)
    assert not delta.complete
    assert delta.touched == {written.id: written.version}
    assert delta.token != before.token


async def test_a_flag_is_touched_and_names_another_version(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    mail = await feed.create(letter(), chosen("a"))
    before = await feed.delta(None, ALL)
    written = await feed.set_flags(mail.id, MailFlags(read=True))
    assert written.version != mail.version
    assert (await feed.delta(before.token, ALL)).touched == {mail.id: written.version}


async def test_equal_flags_are_equal_versions(world: World) -> None:
    """So that few different ones occur in a folder."""
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    one, two = [await feed.create(letter(name), chosen(name)) for name in "ab"]
    assert one.version == two.version
    flags = MailFlags(read=True, categories=("Blue",), follow_up=FollowUp(status=2, subject="x", due=NOW))
    assert (await feed.set_flags(one.id, flags)).version == (await feed.set_flags(two.id, flags)).version


async def test_setting_the_same_flags_is_no_change(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    mail = await feed.create(letter(), chosen("a"), MailFlags(read=True))
    token = (await feed.delta(None, ALL)).token
    assert (await feed.set_flags(mail.id, MailFlags(read=True))).version == mail.version
    assert (await feed.delta(token, ALL)).token == token


async def test_flags_come_back_as_they_were_set(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    mail = await feed.create(letter(), chosen("a"))
    flags = MailFlags(
        read=True, last_verb=3, last_verb_time=NOW, categories=("Blau", "grün"), draft=True,
        follow_up=FollowUp(
            status=2, subject="answer", flag_type="Follow up", due=NOW + timedelta(days=1), utc_due=NOW,
            reminder_set=False, reminder_time=NOW, ordinal_date=NOW, sub_ordinal_date="5555555",
        ),
    )
    await feed.set_flags(mail.id, flags)
    assert [item.flags async for item in feed.fetch([mail.id], None) if isinstance(item, Mail)] == [flags]


async def test_a_deleted_item_is_gone(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    mail = await feed.create(letter(), chosen("a"))
    before = await feed.delta(None, ALL)
    await feed.delete(mail.id)
    delta = await feed.delta(before.token, ALL)
    assert list(delta.gone) == [mail.id]
    assert not delta.touched
    with pytest.raises(ItemGone):
        await feed.delete(mail.id)


async def test_what_came_and_went_in_between_is_not_touched(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    before = await feed.delta(None, ALL)
    mail = await feed.create(letter(), chosen("a"))
    await feed.delete(mail.id)
    assert not (await feed.delta(before.token, ALL)).touched


async def test_ids_are_never_used_again(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    seen = set()
    for n in range(4):
        mail = await feed.create(letter(), chosen(f"a{n}"))
        assert mail.id not in seen
        seen.add(mail.id)
        await feed.delete(mail.id)


@pytest.mark.parametrize("token", ["999999999", "-1", "nonsense", "", "9" * 40, "١"])
async def test_a_token_that_was_never_issued_gives_the_whole_listing(world: World, token: str) -> None:
    """One from the future comes after a database was put back from a backup."""
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    mail = await feed.create(letter(), chosen("a"))
    delta = await feed.delta(token, ALL)
    assert delta.complete
    assert delta.touched == {mail.id: mail.version}


async def test_an_updated_record_is_touched(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.CONTACTS)
    made = await feed.create(card("Ann Lee"), chosen("a.vcf"))
    before = await feed.delta(None, ALL)
    written = await feed.update(made.id, card("Ann Li", uid="Ann Lee"), made.version)
    assert written.version != made.version
    assert (await feed.delta(before.token, ALL)).touched == {made.id: written.version}
    [item] = [item async for item in feed.fetch([made.id], None)]
    assert isinstance(item, Record)
    assert item.data == card("Ann Li", uid="Ann Lee")


async def test_writing_the_same_record_again_is_no_change(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.CONTACTS)
    made = await feed.create(card("Ann Lee"), chosen("a.vcf"))
    token = (await feed.delta(None, ALL)).token
    assert (await feed.update(made.id, card("Ann Lee"), None)).version == made.version
    assert (await feed.delta(token, ALL)).token == token


# --- Horizon ----------------------------------------------------------------------------------------------------------


async def test_what_is_over_is_outside_the_horizon(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.CALENDAR)
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


async def test_what_passes_the_moving_edge_is_told(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.CALENDAR)
    days = {}
    for ago in (40, 20, 10):
        written = await feed.create(event(f"e{ago}", NOW - timedelta(days=ago)), chosen(f"e{ago}.ics"))
        days[ago] = written.id
    await feed.create(event("series", NOW - timedelta(days=400), 1, "RRULE:FREQ=DAILY"), chosen("s.ics"))
    crossed = await feed.crossed(NOW - timedelta(days=30), NOW - timedelta(days=15))
    assert set(crossed) == {days[20]}


async def test_mail_reaches_as_far_as_it_was_received(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    mail = await feed.create(letter(), chosen("a"))
    assert mail.id in (await feed.delta(None, Horizon(edge=NOW - timedelta(days=1)))).touched
    assert mail.id not in (await feed.delta(None, Horizon(edge=NOW + timedelta(days=3650)))).touched


async def test_an_open_task_is_within_every_horizon(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.TASKS)
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VTODO", "UID:t", "SUMMARY:do it"]
    lines += ["END:VTODO", "END:VCALENDAR", ""]
    task = await feed.create("\r\n".join(lines).encode(), chosen("t.ics"))
    lines[5:5] = ["STATUS:COMPLETED", "COMPLETED:20260101T000000Z"]
    done = await feed.create("\r\n".join(lines).replace("UID:t", "UID:d").encode(), chosen("d.ics"))
    edge = Horizon(edge=NOW.replace(year=9998))
    assert (await feed.delta(None, edge)).touched.keys() == {task.id}
    assert (await feed.look([task.id, done.id], edge)).outside == {done.id}


# --- Fetching ---------------------------------------------------------------------------------------------------------


async def test_items_come_in_the_order_asked_for_without_those_that_are_gone(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    ids = [(await feed.create(letter(str(n)), chosen(str(n)))).id for n in range(5)]
    await feed.delete(ids[1])
    wanted = [ids[3], ids[1], ids[0], 10**9, ids[4]]
    assert [item.id async for item in feed.fetch(wanted, TEXT)] == [ids[3], ids[0], ids[4]]
    assert [item.id async for item in feed.fetch(wanted, None)] == [ids[3], ids[0], ids[4]]


async def test_only_the_wanted_section_is_loaded(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    raw = alternative("two", "<b>rich</b>")
    mail = await feed.create(raw, chosen("a"))
    [item] = [item async for item in feed.fetch([mail.id], HTML)]
    assert isinstance(item, Mail)
    assert item.sections == {"2": b"<b>rich</b>"}
    assert item.header == raw[: raw.index(b"\r\n\r\n") + 4]
    assert item.size == len(raw)
    assert item.structure is not None
    assert [child.type for child in item.structure.children] == ["text/plain", "text/html"]


async def test_flags_alone_load_no_sections(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    mail = await feed.create(letter(), chosen("a"), MailFlags(read=True))
    [item] = [item async for item in feed.fetch([mail.id], None)]
    assert isinstance(item, Mail)
    assert item.flags == MailFlags(read=True)
    assert not item.sections


async def test_a_text_is_loaded_as_far_as_wanted(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    text = "".join(f"{n:07d}\r\n" for n in range(30_000))
    raw = letter("long", text=text)
    mail = await feed.create(raw, chosen("a"))
    [item] = [item async for item in feed.fetch([mail.id], TEXT)]
    assert isinstance(item, Mail)
    loaded = item.sections["1"]
    assert 1000 <= len(loaded) < 20_000
    assert raw.partition(b"\r\n\r\n")[2].startswith(loaded)


async def test_parts_come_in_pieces_and_whole(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    octets = base64.encodebytes(bytes(n % 251 for n in range(200_000))).replace(b"\n", b"\r\n")
    raw = with_attachment(octets)
    mail = await feed.create(raw, chosen("a"))
    assert b"".join([piece async for piece in feed.part(mail.id, "2")]) == octets
    assert b"".join([piece async for piece in feed.part(mail.id, "")]) == raw
    for id, section in ((mail.id, "7"), (mail.id + 99, ""), (mail.id, "2.1")):
        with pytest.raises(ItemGone):
            [piece async for piece in feed.part(id, section)]


async def test_a_large_attachment_streams_in_bounded_memory(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    size = 24 << 20
    mail = await feed.create(with_attachment(b"abcdef\r\n" * (size // 8)), chosen("a"))
    got = 0
    tracemalloc.start()
    try:
        async for piece in feed.part(mail.id, "2"):
            got += len(piece)
        [item] = [item async for item in feed.fetch([mail.id], TEXT)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert got == size
    assert isinstance(item, Mail)
    assert item.sections["1"] == b"see below"
    assert peak < 6 << 20


async def test_a_message_that_cannot_be_parsed_is_stored_all_the_same(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    raw = b"X-Long: " + b"a" * (2 << 20) + b"\r\n\r\nbody\r\n"
    mail = await feed.create(raw, chosen("a"))
    [item] = [item async for item in feed.fetch([mail.id], TEXT)]
    assert isinstance(item, Mail)
    assert item.structure is None
    assert b"".join([piece async for piece in feed.part(mail.id, "")]) == raw


# --- Writes -----------------------------------------------------------------------------------------------------------


async def test_the_same_create_twice_makes_one_item(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.CONTACTS)
    first = await feed.create(card("Ann"), chosen("a.vcf"))
    again = await feed.create(card("Ann"), chosen("a.vcf"))
    assert again == first
    other = await feed.create(card("Somebody else"), chosen("a.vcf"))
    assert (other.id, other.same) == (first.id, False)
    assert len((await feed.delta(None, ALL)).touched) == 1


async def test_the_same_create_many_times_at_once_makes_one_item(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.CONTACTS)
    made = await asyncio.gather(*[feed.create(card("Ann"), chosen("a.vcf")) for _ in range(8)])
    assert len({written.id for written in made}) == 1
    assert len((await feed.delta(None, ALL)).touched) == 1


async def test_a_write_on_an_older_version_is_a_conflict(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.CONTACTS)
    made = await feed.create(card("Ann"), chosen("a.vcf"))
    newer = await feed.update(made.id, card("Anna", uid="Ann"), made.version)
    with pytest.raises(VersionConflict):
        await feed.update(made.id, card("Hanna", uid="Ann"), made.version)
    with pytest.raises(VersionConflict):
        await feed.delete(made.id, made.version)
    await feed.delete(made.id, newer.version)


async def test_flags_on_an_older_version_are_a_conflict(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    mail = await feed.create(letter(), chosen("a"))
    await feed.set_flags(mail.id, MailFlags(read=True), mail.version)
    with pytest.raises(VersionConflict):
        await feed.set_flags(mail.id, MailFlags(draft=True), mail.version)


async def test_of_two_conditional_writes_at_once_one_wins(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.CONTACTS)
    made = await feed.create(card("Ann"), chosen("a.vcf"))
    results = await asyncio.gather(
        *[feed.update(made.id, card(f"Ann {n}", uid="Ann"), made.version) for n in range(6)], return_exceptions=True
    )
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert sum(isinstance(result, VersionConflict) for result in results) == 5


async def test_writes_on_what_is_not_there_raise_item_gone(world: World) -> None:
    mails = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    cards = await feed_of(world.mailbox("anna"), FolderType.CONTACTS)
    other = await folder_of(world.mailbox("anna"), FolderType.DELETED_ITEMS)
    with pytest.raises(ItemGone):
        await mails.set_flags(77, MailFlags())
    with pytest.raises(ItemGone):
        await cards.update(77, card("Ann"), None)
    with pytest.raises(ItemGone):
        await mails.delete(77)
    with pytest.raises(ItemGone):
        await mails.move(77, other.id, chosen("m"))


async def test_a_moved_message_is_gone_here_and_new_there(world: World) -> None:
    mailbox = world.mailbox("anna")
    inbox, trash = await feed_of(mailbox, FolderType.INBOX), await folder_of(mailbox, FolderType.DELETED_ITEMS)
    mail = await inbox.create(letter("moved"), chosen("a"), MailFlags(read=True, categories=("Red",)))
    before, before_there = await inbox.delta(None, ALL), await mailbox.feed(trash).delta(None, ALL)
    written = await inbox.move(mail.id, trash.id, chosen("m"))
    assert list((await inbox.delta(before.token, ALL)).gone) == [mail.id]
    there = await mailbox.feed(trash).delta(before_there.token, ALL)
    assert there.touched == {written.id: written.version}
    [item] = [item async for item in mailbox.feed(trash).fetch([written.id], TEXT)]
    assert isinstance(item, Mail)
    assert item.flags == MailFlags(read=True, categories=("Red",))
    assert b"Subject: moved" in item.header


async def test_the_same_move_twice_says_where_the_item_is(world: World) -> None:
    mailbox = world.mailbox("anna")
    inbox, trash = await feed_of(mailbox, FolderType.INBOX), await folder_of(mailbox, FolderType.DELETED_ITEMS)
    mail = await inbox.create(letter(), chosen("a"))
    first = await inbox.move(mail.id, trash.id, chosen("m"))
    assert (await inbox.move(mail.id, trash.id, chosen("m"))).id == first.id
    with pytest.raises(ItemGone):
        await inbox.move(mail.id, trash.id, chosen("another"))


async def test_moves_in_opposite_directions_at_once(world: World) -> None:
    """Two folders are locked: in one order, or the two wait for each other for ever."""
    mailbox = world.mailbox("anna")
    inbox, trash = await folder_of(mailbox, FolderType.INBOX), await folder_of(mailbox, FolderType.DELETED_ITEMS)
    one, two = mailbox.feed(inbox), mailbox.feed(trash)
    here = [(await one.create(letter(), chosen(f"a{n}"))).id for n in range(6)]
    there = [(await two.create(letter(), chosen(f"b{n}"))).id for n in range(6)]
    moves = [one.move(id, trash.id, chosen(f"m{id}")) for id in here]
    moves += [two.move(id, inbox.id, chosen(f"n{id}")) for id in there]
    await asyncio.wait_for(asyncio.gather(*moves), 120)
    assert len((await one.delta(None, ALL)).touched) == len((await two.delta(None, ALL)).touched) == 6


async def test_mail_is_not_moved_among_contacts(world: World) -> None:
    mailbox = world.mailbox("anna")
    inbox, contacts = await feed_of(mailbox, FolderType.INBOX), await folder_of(mailbox, FolderType.CONTACTS)
    mail = await inbox.create(letter(), chosen("a"))
    with pytest.raises(NotAllowed):
        await inbox.move(mail.id, contacts.id, chosen("m"))
    assert mail.id in (await inbox.delta(None, ALL)).touched


async def test_a_move_to_nowhere_is_folder_gone(world: World) -> None:
    inbox = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    mail = await inbox.create(letter(), chosen("a"))
    for nowhere in ("987654", "0", "", "x", "-1", "0x1", "1" * 30):
        with pytest.raises(FolderGone):
            await inbox.move(mail.id, nowhere, chosen("m"))


@pytest.mark.parametrize(
    ("right", "error"), [(None, FolderGone), (Right.FREE_BUSY, FolderGone), (Right.READ, NotAllowed)]
)
async def test_nothing_is_moved_into_others_folders_without_the_right(
    world: World, right: Right | None, error: type[Exception]
) -> None:
    inbox = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    theirs = await folder_of(world.mailbox("ben"), FolderType.INBOX)
    mail = await inbox.create(letter(), chosen("a"))
    if right is not None:
        await world.share("ben", theirs, "anna", right)
    with pytest.raises(error):
        await inbox.move(mail.id, theirs.id, chosen("m"))
    assert mail.id in (await inbox.delta(None, ALL)).touched
    assert not (await world.mailbox("ben").feed(theirs).delta(None, ALL)).touched
    await world.share("ben", theirs, "anna", Right.EDIT)
    written = await inbox.move(mail.id, theirs.id, chosen("m"))
    assert (await world.mailbox("ben").feed(theirs).delta(None, ALL)).touched == {written.id: written.version}


async def test_many_writers_at_once_lose_nothing(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    token = (await feed.delta(None, ALL)).token
    made = await asyncio.gather(*[feed.create(letter(str(n)), chosen(str(n))) for n in range(30)])
    assert len({written.id for written in made}) == 30
    assert (await feed.delta(token, ALL)).touched.keys() == {written.id for written in made}


async def test_every_delta_while_others_write_adds_up(world: World) -> None:
    """Whoever reads on from each token, while items are written, has heard of all of them in the end."""
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    token, heard = (await feed.delta(None, ALL)).token, set[int]()

    async def write(n: int) -> int:
        return (await feed.create(letter(str(n)), chosen(str(n)))).id

    async def read() -> None:
        nonlocal token
        while not writing.done():
            delta = await feed.delta(token, ALL)
            token = delta.token
            heard.update(delta.touched)
            await asyncio.sleep(0)

    writing = asyncio.gather(*[write(n) for n in range(25)])
    await read()
    heard.update((await feed.delta(token, ALL)).touched)
    assert heard == set(await writing)


async def test_a_locked_store_is_waited_for(world: World) -> None:
    """Reading goes on meanwhile."""
    feed = await feed_of(world.mailbox("anna"), FolderType.INBOX)
    async with world.locked():
        waiting = asyncio.create_task(feed.create(letter(), chosen("a")))
        await asyncio.sleep(0.1)
        assert not (await feed.delta(None, ALL)).touched
        assert not waiting.done()
    written = await waiting
    assert (await feed.delta(None, ALL)).touched == {written.id: written.version}


async def test_an_appointment_is_found_by_its_uid(world: World) -> None:
    feed = await feed_of(world.mailbox("anna"), FolderType.CALENDAR)
    made = await feed.create(event("uid-1@example.com", NOW), chosen("a.ics"))
    assert await feed.by_uid("uid-1@example.com") == made.id
    assert await feed.by_uid("uid-2@example.com") is None
    other = await feed_of(world.mailbox("ben"), FolderType.CALENDAR)
    assert await other.by_uid("uid-1@example.com") is None


# --- Folders ----------------------------------------------------------------------------------------------------------


async def test_a_user_begins_with_the_usual_folders(world: World) -> None:
    folders = await world.mailbox("anna").folders()
    types = [folder.type for folder in folders]
    for type in (
        FolderType.INBOX, FolderType.DRAFTS, FolderType.DELETED_ITEMS, FolderType.SENT_ITEMS, FolderType.OUTBOX,
        FolderType.CALENDAR, FolderType.CONTACTS, FolderType.TASKS, FolderType.NOTES,
    ):
        assert types.count(type) == 1
    assert all(folder.parent == "0" for folder in folders)
    assert all(len(folder.id) <= 40 and not folder.id.startswith("0") for folder in folders)


async def test_folder_ids_are_the_users_own(world: World) -> None:
    anna = {folder.id for folder in await world.mailbox("anna").folders()}
    ben = {folder.id for folder in await world.mailbox("ben").folders()}
    assert not anna & ben
    for id in ben:
        assert await world.mailbox("anna").folder(id) is None


@pytest.mark.parametrize("id", ["", "0", "-1", "01", "nonsense", "9" * 18, "9" * 60, "1 ", "١"])
async def test_what_is_no_folder_id_is_no_folder(world: World, id: str) -> None:
    assert await world.mailbox("anna").folder(id) is None


async def test_folders_looked_up_together_are_those_looked_up_alone(world: World) -> None:
    anna, ben = world.mailbox("anna"), world.mailbox("ben")
    own = [folder.id for folder in await anna.folders()]
    foreign = [folder.id for folder in await ben.folders()]
    asked = [*own, *foreign, "", "0", "nonsense", "9" * 18]
    found = await anna.some(asked)
    assert found.keys() == set(own)
    assert [found.get(id) for id in asked] == [await anna.folder(id) for id in asked]
    assert dict(await anna.some([])) == {}


async def test_what_is_written_after_folders_were_looked_up_together_is_seen(world: World) -> None:
    """By whoever wrote it at once, by others when they ask for the second time at the latest."""
    feed, calendar = [await feed_of(world.mailbox("anna"), type) for type in (FolderType.INBOX, FolderType.CALENDAR)]
    since, undisturbed = (await feed.delta(None, ALL)).token, (await calendar.delta(None, ALL)).token
    mailbox = world.mailbox("anna")
    both = [await folder_of(mailbox, type) for type in (FolderType.INBOX, FolderType.CALENDAR)]
    found = await mailbox.some([folder.id for folder in both])
    ours, theirs = [mailbox.feed(found[folder.id]) for folder in both]
    assert (await theirs.delta(undisturbed, ALL)).token == undisturbed
    first = await ours.create(letter("1"), chosen("a"))
    assert (await ours.delta(since, ALL)).touched[first.id] == first.version
    since = (await ours.delta(since, ALL)).token
    ours = mailbox.feed((await mailbox.some([both[0].id]))[both[0].id])
    second = await feed.create(letter("2"), chosen("b"))
    await ours.delta(since, ALL)
    assert (await ours.delta(since, ALL)).touched[second.id] == second.version


async def test_the_same_folder_create_twice_makes_one(world: World) -> None:
    mailbox = world.mailbox("anna")
    token = await mailbox.hierarchy_token()
    first = await mailbox.create_folder("0", "Projects", FolderType.USER_MAIL, chosen("f"))
    assert await mailbox.hierarchy_token() != token
    token = await mailbox.hierarchy_token()
    assert await mailbox.create_folder("0", "Projects", FolderType.USER_MAIL, chosen("f")) == first
    assert await mailbox.hierarchy_token() == token
    assert await mailbox.folder(first.id) == first
    assert first.item_class == "Email"


async def test_names_are_unique_among_siblings_without_regard_to_case(world: World) -> None:
    mailbox = world.mailbox("anna")
    folder = await mailbox.create_folder("0", "Straße", FolderType.USER_MAIL, chosen("a"))
    for name in ("Straße", "STRASSE", "strasse", "inbox"):
        with pytest.raises(FolderExists):
            await mailbox.create_folder("0", name, FolderType.USER_CALENDAR, chosen(name))
    await mailbox.create_folder(folder.id, "Straße", FolderType.USER_MAIL, chosen("below"))
    other = await mailbox.create_folder("0", "Other", FolderType.USER_MAIL, chosen("b"))
    with pytest.raises(FolderExists):
        await mailbox.update_folder(other.id, "0", "straSSe")
    await mailbox.update_folder(other.id, "0", "OTHER")
    renamed = await mailbox.folder(other.id)
    assert renamed is not None
    assert renamed.name == "OTHER"


async def test_a_folder_of_that_name_made_twice_at_once_is_made_once(world: World) -> None:
    mailbox = world.mailbox("anna")
    results = await asyncio.gather(
        *[mailbox.create_folder("0", "Same", FolderType.USER_MAIL, chosen(str(n))) for n in range(5)],
        return_exceptions=True,
    )
    assert sum(isinstance(result, FolderExists) for result in results) == 4
    assert sum(isinstance(result, Folder) for result in results) == 1
    assert [folder.name for folder in await mailbox.folders()].count("Same") == 1


async def test_the_usual_folders_stay(world: World) -> None:
    mailbox = world.mailbox("anna")
    inbox = await folder_of(mailbox, FolderType.INBOX)
    with pytest.raises(NotAllowed):
        await mailbox.delete_folder(inbox.id)
    with pytest.raises(NotAllowed):
        await mailbox.update_folder(inbox.id, "0", "Mine")
    with pytest.raises(NotAllowed):
        await mailbox.create_folder("0", "Second inbox", FolderType.INBOX, chosen("f"))


async def test_a_folder_is_not_put_into_itself(world: World) -> None:
    mailbox = world.mailbox("anna")
    above = await mailbox.create_folder("0", "A", FolderType.USER_MAIL, chosen("a"))
    below = await mailbox.create_folder(above.id, "B", FolderType.USER_MAIL, chosen("b"))
    for parent in (above.id, below.id):
        with pytest.raises(NotAllowed):
            await mailbox.update_folder(above.id, parent, "A")


async def test_folders_that_are_not_there_are_gone(world: World) -> None:
    mailbox, theirs = world.mailbox("anna"), await folder_of(world.mailbox("ben"), FolderType.INBOX)
    for id in ("987654", theirs.id):
        with pytest.raises(FolderGone):
            await mailbox.delete_folder(id)
        with pytest.raises(FolderGone):
            await mailbox.update_folder(id, "0", "X")
        with pytest.raises(FolderGone):
            await mailbox.create_folder(id, "X", FolderType.USER_MAIL, chosen("x"))
        with pytest.raises(FolderGone):
            await mailbox.empty_folder(id, True)


async def test_a_deleted_folder_takes_what_is_in_it(world: World) -> None:
    mailbox = world.mailbox("anna")
    above = await mailbox.create_folder("0", "A", FolderType.USER_MAIL, chosen("a"))
    below = await mailbox.create_folder(above.id, "B", FolderType.USER_MAIL, chosen("b"))
    feed = mailbox.feed(below)
    mail = await feed.create(letter(), chosen("m"))
    token = await mailbox.hierarchy_token()
    await mailbox.delete_folder(above.id)
    assert await mailbox.hierarchy_token() != token
    assert await mailbox.folder(above.id) is None
    assert await mailbox.folder(below.id) is None
    with pytest.raises(FolderGone):
        await feed.delta(None, ALL)
    with pytest.raises(FolderGone):
        await feed.delete(mail.id)
    again = await mailbox.create_folder("0", "A", FolderType.USER_MAIL, chosen("again"))
    assert again.id not in (above.id, below.id)


async def test_an_emptied_folder_stays_and_its_items_are_gone(world: World) -> None:
    mailbox = world.mailbox("anna")
    trash = await folder_of(mailbox, FolderType.DELETED_ITEMS)
    below = await mailbox.create_folder(trash.id, "Below", FolderType.USER_MAIL, chosen("b"))
    kept = await mailbox.feed(below).create(letter(), chosen("k"))
    ids = {(await mailbox.feed(trash).create(letter(), chosen(str(n)))).id for n in range(3)}
    before = await mailbox.feed(trash).delta(None, ALL)
    await mailbox.empty_folder(trash.id, subfolders=False)
    assert set((await mailbox.feed(trash).delta(before.token, ALL)).gone) == ids
    assert kept.id in (await mailbox.feed(below).delta(None, ALL)).touched
    await mailbox.empty_folder(trash.id, subfolders=True)
    assert await mailbox.folder(below.id) is None
    assert await mailbox.folder(trash.id) == trash


# --- Rights -----------------------------------------------------------------------------------------------------------


async def test_a_shared_folder_appears_under_its_own_id_with_its_owners_name(world: World) -> None:
    anna, ben = world.mailbox("anna"), world.mailbox("ben")
    calendar = await folder_of(anna, FolderType.CALENDAR)
    token = await ben.hierarchy_token()
    await world.share("anna", calendar, "ben", Right.READ)
    assert await ben.hierarchy_token() != token
    shared = await ben.folder(calendar.id)
    assert shared is not None
    assert shared in await ben.folders()
    assert await ben.some([calendar.id]) == {calendar.id: shared}
    assert "Anna" in shared.name
    assert (shared.type, shared.parent, shared.right) == (FolderType.USER_CALENDAR, "0", Right.READ)
    assert await world.mailbox("carla").folder(calendar.id) is None


@pytest.mark.parametrize("right", [Right.NONE, Right.FREE_BUSY])
async def test_less_than_reading_shows_no_folder(world: World, right: Right) -> None:
    anna, ben = world.mailbox("anna"), world.mailbox("ben")
    calendar = await folder_of(anna, FolderType.CALENDAR)
    await world.share("anna", calendar, "ben", right)
    assert await ben.folder(calendar.id) is None
    assert not await ben.some([calendar.id])
    with pytest.raises(FolderGone):
        await ben.feed(calendar).delta(None, ALL)
    with pytest.raises(FolderGone):
        await ben.feed(calendar).create(event("x", NOW), chosen("x"))


async def test_a_reader_reads_and_does_not_write(world: World) -> None:
    anna, ben = world.mailbox("anna"), world.mailbox("ben")
    inbox = await folder_of(anna, FolderType.INBOX)
    mail = await anna.feed(inbox).create(letter(), chosen("a"))
    await world.share("anna", inbox, "ben", Right.READ)
    shared = await ben.folder(inbox.id)
    assert shared is not None
    feed, own = ben.feed(shared), await folder_of(ben, FolderType.INBOX)
    assert (await feed.delta(None, ALL)).touched == {mail.id: mail.version}
    assert [item.id async for item in feed.fetch([mail.id], TEXT)] == [mail.id]
    for write in (
        feed.create(letter(), chosen("b")), feed.set_flags(mail.id, MailFlags(read=True)), feed.delete(mail.id),
        feed.move(mail.id, own.id, chosen("m")), ben.empty_folder(inbox.id, False), ben.delete_folder(inbox.id),
        ben.update_folder(inbox.id, "0", "Mine"),
    ):
        with pytest.raises(NotAllowed):
            await write
    assert (await feed.delta(None, ALL)).touched == {mail.id: mail.version}


async def test_an_editor_writes_and_the_owner_sees_it(world: World) -> None:
    anna, ben = world.mailbox("anna"), world.mailbox("ben")
    calendar = await folder_of(anna, FolderType.CALENDAR)
    await world.share("anna", calendar, "ben", Right.EDIT)
    shared = await ben.folder(calendar.id)
    assert shared is not None
    before = await anna.feed(calendar).delta(None, ALL)
    made = await ben.feed(shared).create(event("x", NOW), chosen("x.ics"))
    assert (await anna.feed(calendar).delta(before.token, ALL)).touched == {made.id: made.version}


async def test_a_right_that_was_taken_back_ends_what_is_open(world: World) -> None:
    anna, ben = world.mailbox("anna"), world.mailbox("ben")
    calendar = await folder_of(anna, FolderType.CALENDAR)
    await world.share("anna", calendar, "ben", Right.EDIT)
    shared = await ben.folder(calendar.id)
    assert shared is not None
    feed = ben.feed(shared)
    token = (await feed.delta(None, ALL)).token
    await world.share("anna", calendar, "ben", Right.NONE)
    with pytest.raises(FolderGone):
        await feed.delta(token, ALL)
    with pytest.raises(FolderGone):
        await feed.create(event("x", NOW), chosen("x"))


async def test_a_folder_object_of_somebody_else_opens_nothing(world: World) -> None:
    """Whatever a caller hands in, it is looked up in the user's own scope again."""
    inbox = await folder_of(world.mailbox("anna"), FolderType.INBOX)
    mail = await world.mailbox("anna").feed(inbox).create(letter("secret"), chosen("a"))
    feed = world.mailbox("ben").feed(inbox)
    for read in (feed.delta(None, ALL), feed.delta("1", ALL), feed.look([mail.id], ALL), feed.crossed(NOW, NOW)):
        with pytest.raises(FolderGone):
            await read
    with pytest.raises(FolderGone):
        [item async for item in feed.fetch([mail.id], TEXT)]
    with pytest.raises(FolderGone):
        [piece async for piece in feed.part(mail.id, "")]
