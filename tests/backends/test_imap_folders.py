"""A user's folders on real IMAP servers: shown, made, renamed and deleted, by us and by others meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from groupware.cyrus import Cyrus
from groupware.fixtures import run
from mailhome import MailHome, mail_home, make
from worlds import letter

from eas.backends.imap.folders import is_level
from eas.backends.standards.tenant import Provider
from eas.engine.errors import FolderExists, FolderGone, NotAllowed
from eas.engine.model import FolderType, Right
from eas.engine.ports import Chosen

SERVERS = ("dovecot", "dovecot_plain", "cyrus")


@pytest.fixture(params=SERVERS)
async def home(request: pytest.FixtureRequest, database_template: Path, tmp_path: Path) -> AsyncIterator[MailHome]:
    async with mail_home(request.getfixturevalue(request.param), database_template, tmp_path) as made:
        yield made


async def test_a_new_user_has_the_usual_folders_each_once(home: MailHome) -> None:
    first = await home.places()
    types = [place.type for place in first.values() if place.type is not FolderType.USER_MAIL]
    assert sorted(types) == [FolderType.INBOX, FolderType.DRAFTS, FolderType.DELETED_ITEMS, FolderType.SENT_ITEMS]
    assert all(place.parent == "" and place.own for place in first.values())
    assert first["INBOX"].name == "Inbox"
    assert await home.places() == first
    # What was made for the user is there for other programs, and subscribed.
    with home.server.imap(home.login) as client:
        subscribed = b"\n".join(line for line in client.lsub()[1] if line)
    for place in first.values():
        if place.type in (FolderType.DRAFTS, FolderType.SENT_ITEMS, FolderType.DELETED_ITEMS):
            assert place.locator.encode() in subscribed


async def test_folders_are_made_below_each_other(home: MailHome) -> None:
    source = home.source()
    work = await home.make("Work")
    plans = await home.make("Grüße & Pläne", work)
    found = await home.places()
    assert found[work.locator] == work
    assert found[plans.locator] == plans
    assert (work.parent, work.name, plans.parent, plans.name) == ("", "Work", work.locator, "Grüße & Pläne")
    for name, parent, error in (
        ("Work", None, FolderExists), ("WORK", None, FolderExists), ("grüße & pläne", work, FolderExists),
        ("INBOX", None, FolderExists), ("inbox", None, FolderExists),
        ("", None, NotAllowed), ("a\x01", None, NotAllowed), ("n" * 257, None, NotAllowed),
    ):
        with pytest.raises(error):
            await make(source, name, parent)
    delimiter = plans.locator[len(work.locator)]
    with pytest.raises(NotAllowed):
        await make(source, f"a{delimiter}b")


async def test_what_was_begun_is_finished(home: MailHome) -> None:
    source = home.source()
    first = await make(source, "Work")
    with pytest.raises(FolderExists):
        await make(source, "Work")
    assert await make(source, "Work", again=True) == first
    assert await make(source, "Other", again=True) == (await home.places())[first.locator.replace("Work", "Other")]


async def test_below_a_folder_that_is_gone_nothing_is_made(home: MailHome) -> None:
    source = home.source()
    work = await home.make("Work")
    await source.delete(work)
    with pytest.raises(FolderGone):
        await source.create(work, "x", FolderType.USER_MAIL, f"{work.locator}/x", again=False)
    with pytest.raises(FolderGone):
        await source.delete(work)
    with pytest.raises(FolderGone):
        await source.rename(work, None, "other")
    with pytest.raises(FolderGone):
        await source.empty(work)


async def test_a_renamed_folder_takes_what_is_below_and_its_subscriptions(home: MailHome) -> None:
    source = home.source()
    work = await home.make("Work")
    year = await home.make("2026", work)
    deep = await home.make("Deep", year)
    home.append(deep.locator, letter("kept"))
    other = await home.make("Other")
    changed = dict(await source.rename(work, other, "Arbeit"))
    found = await home.places()
    assert set(changed) == {work.locator, year.locator, deep.locator}
    assert [found[changed[place.locator]].name for place in (work, year, deep)] == ["Arbeit", "2026", "Deep"]
    assert found[changed[work.locator]].parent == other.locator
    assert found[changed[deep.locator]].parent == changed[year.locator]
    assert work.locator not in found
    with home.server.imap(home.login, changed[deep.locator]) as client:
        assert client.search(None, "SUBJECT", "kept")[1] == [b"1"]
    with home.server.imap(home.login) as client:
        subscribed = [line for line in client.lsub()[1] if line]
    assert any(line.rstrip(b'"').endswith(changed[deep.locator].encode()) for line in subscribed)
    assert not any(line.rstrip(b'"').endswith(work.locator.encode() + b'"') for line in subscribed)


async def test_what_a_folder_cannot_be_renamed_to(home: MailHome) -> None:
    source = home.source()
    work = await home.make("Work")
    below = await home.make("Below", work)
    await home.make("Other")
    found = await home.places()
    for parent, name, error in (
        (None, "other", FolderExists), (None, "Inbox", FolderExists), (work, "Work", NotAllowed),
        (below, "x", NotAllowed), (None, "", NotAllowed),
    ):
        with pytest.raises(error):
            await source.rename(work, parent, name)
    for place in found.values():
        if place.type is not FolderType.USER_MAIL:
            with pytest.raises(NotAllowed):
                await source.rename(place, None, "Mine")
            with pytest.raises(NotAllowed):
                await source.delete(place)
    assert await source.rename(work, None, " Work ") == []
    changed = dict(await source.rename(work, None, "WORK"))
    assert (await home.places())[changed[below.locator]].name == "Below"


async def test_a_deleted_folder_goes_with_all_below(home: MailHome) -> None:
    source = home.source()
    work = await home.make("Work")
    year = await home.make("2026", work)
    await home.make("Deep", year)
    await home.make("Workshop")
    home.append(year.locator, letter("gone"))
    await source.delete(work)
    names = [place.name for place in (await home.places()).values()]
    assert "Workshop" in names
    assert not {"Work", "2026", "Deep"} & set(names)
    with home.server.imap(home.login) as client:
        assert b"Deep" not in b"\n".join(line for line in client.lsub()[1] if line)


async def test_a_folder_is_emptied_of_what_was_in_it(home: MailHome) -> None:
    work = await home.make("Work")
    below = await home.make("Below", work)
    home.append(work.locator, *[letter(str(n)) for n in range(5)], flags="\\Seen")
    home.append(below.locator, letter("stays"))
    await home.source().empty(work)
    await home.source().empty(work)
    for place, count in ((work, b"0"), (below, b"1")):
        with home.server.imap(home.login) as client:
            assert client.select(f'"{place.locator}"')[1] == [count]


async def test_what_another_client_does_to_folders_is_seen(home: MailHome) -> None:
    work = await home.make("Work")
    numbers = {one.place.locator: one.number for one in (await home.at(work.locator), await home.at("INBOX"))}
    stem = work.locator.removesuffix("Work")
    with home.server.imap(home.login) as client:
        client.create(f"{stem}New")
        client.rename(work.locator, f"{stem}Renamed")
    found = await home.places()
    assert {"New", "Renamed"} <= {place.name for place in found.values()}
    assert work.locator not in found
    with home.server.imap(home.login) as client:
        client.delete(f"{stem}Renamed")
    assert f"{stem}Renamed" not in await home.places()
    assert (await home.at("INBOX")).number == numbers["INBOX"]


async def test_a_level_without_a_mailbox_is_an_empty_folder(home: MailHome) -> None:
    """Where the server keeps such levels."""
    await home.places()
    source = home.source()
    outer = source.planned(None, "Outer", FolderType.USER_MAIL, Chosen(name="o"))
    delimiter = "." if "." in (await home.make("X", await home.make("Y"))).locator else "/"
    with home.server.imap(home.login) as client:
        client.create(f"{outer}{delimiter}Inner")
        client.delete(outer)
    found = await home.places()
    assert found[outer].name == "Outer"
    assert found[f"{outer}{delimiter}Inner"].parent == outer
    if is_level(found[outer]):
        assert found[outer].right is Right.READ
        with pytest.raises(NotAllowed):
            await source.empty(found[outer])
        changed = dict(await source.rename(found[outer], None, "Moved"))
        found = await home.places()
        assert found[changed[f"{outer}{delimiter}Inner"]].name == "Inner"
        outer = changed[outer]
    await source.delete(found[outer])
    assert not [name for name in await home.places() if name.startswith(outer)]


async def test_a_probe_differs_when_something_has_changed(home: MailHome) -> None:
    work = await home.make("Work")
    await home.places()
    source = home.source()
    before = await source.probe(home.numbers)
    assert await source.probe(home.numbers) == before
    assert await source.probe(home.numbers[::-1]) == before
    home.append(work.locator, letter("new"))
    after = await source.probe(home.numbers)
    assert after != before
    with home.server.imap(home.login, work.locator) as client:
        client.store("1", "+FLAGS", "\\Seen")
    assert await source.probe(home.numbers) != after


async def test_only_what_is_subscribed(request: pytest.FixtureRequest, database_template: Path, tmp_path: Path) -> None:
    for name in SERVERS:
        server = request.getfixturevalue(name)
        async with mail_home(server, database_template, tmp_path / name, subscribed_only=True) as home:
            work = await home.make("Work")
            assert work.locator in await home.places()
            with server.imap(home.login) as client:
                client.unsubscribe(work.locator)
                client.unsubscribe((await home.at(FolderType.DRAFTS)).place.locator)
            found = await home.places()
            assert work.locator not in found
            assert FolderType.DRAFTS in [place.type for place in found.values()]
            with server.imap(home.login) as client:
                client.subscribe(work.locator)
            assert work.locator in await home.places()


async def test_the_settings_name_folders_and_the_notes(
    dovecot_plain: Any, database_template: Path, tmp_path: Path
) -> None:
    said = {"sent": "Versandt", "trash": "INBOX.Müll", "junk": "Werbung", "notes": "Zettel"}
    async with mail_home(
        dovecot_plain, database_template, tmp_path, folders=said, notes=Provider.IMAP
    ) as home:
        with dovecot_plain.imap(home.login) as client:
            client.create("INBOX.Zettel")
        found = await home.places()
        assert found["INBOX.Versandt"].type is FolderType.SENT_ITEMS
        assert found["INBOX.Müll"].type is FolderType.DELETED_ITEMS
        assert found["INBOX.Werbung"].type is FolderType.USER_MAIL
        assert "INBOX.Zettel" not in found


async def test_folders_are_made_for_their_use_where_the_server_takes_it(
    cyrus: Any, database_template: Path, tmp_path: Path
) -> None:
    async with mail_home(cyrus, database_template, tmp_path) as home:
        await home.places()
        with cyrus.imap(home.login) as client:
            client._simple_command("LIST", "(SPECIAL-USE)", '""', '"*"')
            marked = b"\n".join(line for line in client.response("LIST")[1] if line).lower()
        assert all(use in marked for use in (b"\\drafts", b"\\sent", b"\\trash"))


async def test_a_folder_that_was_renamed_elsewhere_keeps_its_number(
    cyrus: Any, database_template: Path, tmp_path: Path
) -> None:
    """Where mailboxes have ids (RFC 8474)."""
    async with mail_home(cyrus, database_template, tmp_path) as home:
        work = await home.make("Work")
        number = (await home.at(work.locator)).number
        assert work.mark
        with cyrus.imap(home.login) as client:
            client.rename(work.locator, work.locator.replace("Work", "Renamed"))
        await home.places()
        assert (await home.at(work.locator.replace("Work", "Renamed"))).number == number


@pytest.fixture(scope="module")
def old_cyrus() -> Iterator[Cyrus]:
    """Folders below INBOX, with "." between levels."""
    yield from run(lambda: Cyrus(alternative=False))


@pytest.mark.server
async def test_cyrus_as_it_used_to_be(old_cyrus: Cyrus, database_template: Path, tmp_path: Path) -> None:
    ben, anna = old_cyrus.new_user("ben"), old_cyrus.new_user("anna")
    async with (
        mail_home(old_cyrus, database_template, tmp_path / "ben", login=ben, user="ben") as bens,
        mail_home(old_cyrus, database_template, tmp_path / "anna", login=anna) as annas,
    ):
        plans = await bens.make("Plans 2026")
        assert plans.locator == "INBOX.Plans 2026"
        with pytest.raises(NotAllowed):
            await bens.make("a.b")
        deep = await bens.make("Deep", plans)
        assert (deep.locator, deep.parent) == ("INBOX.Plans 2026.Deep", plans.locator)
        inside = await bens.make("Inside", (await bens.places())["INBOX"])
        assert (inside.locator, inside.parent) == ("INBOX.Inside", "")
        source = bens.source()
        changed = dict(await source.rename(plans, inside, "Pläne"))
        assert set(changed.values()) == {"INBOX.Inside.Pläne", "INBOX.Inside.Pläne.Deep"}
        with old_cyrus.imap(ben[0]) as client:
            client.setacl('"INBOX.Inside"', anna[0], "lrs")
        found = await annas.places()
        (shared,) = [place for place in found.values() if not place.own]
        assert shared.name.startswith("Inside (ben")
        assert (shared.parent, shared.right) == ("", Right.READ)
        types = {place.type: place.name for place in found.values() if place.own}
        assert types[FolderType.SENT_ITEMS] == "Sent"
        await source.delete((await bens.places())["INBOX.Inside"])
        assert not [name for name in await bens.places() if "Inside" in name]


async def test_a_second_look_is_one_command(dovecot: Any, database_template: Path, tmp_path: Path) -> None:
    async with mail_home(dovecot, database_template, tmp_path) as home:
        await home.places()
        await home.pool.drop(home.account)
        with dovecot.commands(home.login) as lines:
            await home.places()
            await home.places()
            await home.pool.drop(home.account)
        assert len([line for line in lines if "LIST" in line]) == 2
        assert not [line for line in lines if any(word in line for word in ("STATUS", "EXAMINE", "CREATE"))]


async def test_folders_of_others(cyrus: Any, database_template: Path, tmp_path: Path) -> None:
    ben, anna = cyrus.new_user("ben"), cyrus.new_user("anna")
    async with (
        mail_home(cyrus, database_template, tmp_path / "ben", login=ben, user="ben") as bens,
        mail_home(cyrus, database_template, tmp_path / "anna", login=anna) as annas,
    ):
        plans, seen, hidden = [await bens.make(name) for name in ("Plans", "Seen", "Hidden")]
        with cyrus.imap(ben[0]) as client:
            client.setacl(plans.locator, anna[0], "lrswite")
            client.setacl(seen.locator, anna[0], "lrs")
            client.setacl(hidden.locator, anna[0], "l")
        found = {place.name: place for place in (await annas.places()).values() if not place.own}
        assert [name.partition(" (ben")[0] for name in sorted(found)] == ["Plans", "Seen"]
        by_name = {name.partition(" ")[0]: place for name, place in found.items()}
        assert (by_name["Plans"].right, by_name["Seen"].right) == (Right.EDIT, Right.READ)
        assert all(place.parent == "" and place.type is FolderType.USER_MAIL for place in found.values())
        source = annas.source()
        with pytest.raises(NotAllowed):
            await source.empty(by_name["Seen"])
        for place in by_name.values():
            with pytest.raises(NotAllowed):
                await source.delete(place)
            with pytest.raises(NotAllowed):
                await source.rename(place, None, "mine")
