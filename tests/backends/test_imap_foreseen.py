"""Many folders that are asked for news one after the other are looked at by one command, as they are then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mailfeed import ALL, SERVERS
from mailhome import MailHome, mail_home
from sqlalchemy import Connection
from worlds import letter

from eas.backends.imap import rows
from eas.backends.imap.source import ImapSource
from eas.engine.errors import FolderGone

pytestmark = pytest.mark.server

NAMES = ("One", "Two", "Three", "Four")


@pytest.fixture(params=SERVERS)
async def home(request: pytest.FixtureRequest, database_template: Path, tmp_path: Path) -> AsyncIterator[MailHome]:
    async with mail_home(request.getfixturevalue(request.param), database_template, tmp_path) as made:
        yield made


async def begun(home: MailHome) -> tuple[ImapSource, dict[str, str]]:
    """A source, and how far each of the folders has been read."""
    places = {name: await home.make(name) for name in NAMES}
    await home.places()
    source, read = home.source(), {}
    for name, place in places.items():
        home.append(place.locator, letter(name))
        first = await source.feed(await home.at(place.locator)).delta(None, ALL)
        assert len(first.touched) == 1
        read[place.locator] = first.token
    return source, read


async def test_what_was_foreseen_is_what_a_delta_would_say(home: MailHome) -> None:
    source, read = await begun(home)
    at = [await home.at(locator) for locator in read]
    await source.foresee(at)
    for one in at:
        assert not (await source.feed(one).delta(read[one.place.locator], ALL)).touched
    changed = at[1].place.locator
    home.append(changed, letter("news"))
    # Nothing of what was foreseen before is left.
    assert len((await source.feed(at[1]).delta(read[changed], ALL)).touched) == 1
    await source.foresee(at)
    for one in at:
        delta = await source.feed(one).delta(read[one.place.locator], ALL)
        assert bool(delta.touched) == (one.place.locator == changed)


async def test_what_was_foreseen_is_not_looked_up_again(home: MailHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is asked once for all folders, and again only for those with news."""
    source, read = await begun(home)
    at = [await home.at(locator) for locator in read]
    async with home.pool.use(home.account) as session:
        foresees = session.can_condstore and "LIST-STATUS" in session.capabilities
    home.append(at[0].place.locator, letter("news"))
    state, asked = rows.state, list[int]()

    def counted(connection: Connection, user_id: str, number: int) -> rows.State:
        asked.append(number)
        return state(connection, user_id, number)

    monkeypatch.setattr(rows, "state", counted)
    await source.foresee(at)
    for one in at:
        await source.feed(one).delta(read[one.place.locator], ALL)
    assert set(asked) == {one.number for one in (at[:1] if foresees else at)}


async def test_of_a_mailbox_that_is_open_nothing_old_is_foreseen(home: MailHome) -> None:
    source, read = await begun(home)
    at = [await home.at(locator) for locator in read]
    locator = at[2].place.locator
    async with home.pool.use(home.account, locator) as session:
        await session.select(locator)
    home.append(locator, letter("news"))
    with home.server.imap(home.login, locator) as client:
        client.store("1", "+FLAGS", "\\Seen")
    await source.foresee(at)
    assert len((await source.feed(at[2]).delta(read[locator], ALL)).touched) == 2


async def test_a_mailbox_that_is_gone_is_not_foreseen(home: MailHome) -> None:
    source, read = await begun(home)
    at = [await home.at(locator) for locator in read]
    locator = at[3].place.locator
    with home.server.imap(home.login) as client:
        client.delete(locator)
    await source.foresee(at)
    with pytest.raises(FolderGone):
        await source.feed(at[3]).delta(read[locator], ALL)
    assert not (await source.feed(at[0]).delta(read[at[0].place.locator], ALL)).touched
