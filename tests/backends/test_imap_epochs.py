"""A mailbox under a new UIDVALIDITY: devices keep their ids, and no write goes astray."""

from __future__ import annotations

import imaplib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mailfeed import ALL, SERVERS, TEXT, changes, feed_of
from mailhome import MailHome, mail_home
from worlds import letter

from eas.engine.errors import ItemGone
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


def made_anew(home: MailHome, folder: str) -> None:
    """All messages in a mailbox of a new UIDVALIDITY, under other UIDs, as after a move to another server."""
    with home.server.imap(home.login, folder) as client:
        found = []
        for number in client.search(None, "ALL")[1][0].split():
            [(line, raw), *_] = client.fetch(number, "(INTERNALDATE FLAGS BODY.PEEK[])")[1]
            flags = " ".join(flag.decode() for flag in imaplib.ParseFlags(line) if flag != b"\\Recent")
            found.append((raw, f"({flags})", imaplib.Internaldate2tuple(line)))
        client.close()
        assert client.delete(f'"{folder}"')[0] == "OK"
        time.sleep(1.1)  # the new value is the time in some servers
        assert client.create(f'"{folder}"')[0] == "OK"
        client.append(f'"{folder}"', "", None, letter("first of all"))
        for raw, text, at in found[::-1]:
            assert at is not None
            assert client.append(f'"{folder}"', text, imaplib.Time2Internaldate(at), raw)[0] == "OK"


async def test_under_a_new_uidvalidity_devices_keep_their_ids(home: MailHome) -> None:
    place = await home.make("Work")
    home.append(place.locator, *(letter(str(n), message_id=f"{n}@x") for n in range(4)))
    with home.server.imap(home.login) as client:
        for _ in range(2):
            client.append(f'"{place.locator}"', "", '"21-Nov-2026 08:00:00 +0000"', letter("twin"))
    feed = await feed_of(home, place.locator)
    first = await feed.delta(None, ALL)
    ids = sorted(first.touched)
    due = FollowUp(status=2, subject="call")
    await feed.set_flags(ids[1], MailFlags(follow_up=due))
    handed = {mail.id: mail async for mail in feed.fetch(ids, TEXT) if isinstance(mail, Mail)}
    token = (await feed.delta(None, ALL)).token
    made_anew(home, place.locator)
    await home.pool.drop(home.account)

    now = await (await feed_of(home, place.locator)).delta(token, ALL)
    assert now.complete
    kept = ids[:4]
    assert {id: now.touched.get(id) for id in kept} == {id: handed[id].version for id in kept}
    new = now.touched.keys() - set(kept)
    assert len(new) == 3
    assert not new & set(ids)
    assert min(new) > max(ids)
    fresh = await feed_of(home, place.locator)
    loaded = {mail.id: mail async for mail in fresh.fetch(ids, TEXT) if isinstance(mail, Mail)}
    assert loaded.keys() == set(kept)
    assert all(loaded[id].header == handed[id].header and loaded[id].flags == handed[id].flags for id in kept)

    with pytest.raises(ItemGone):
        await fresh.delete(ids[4])
    await fresh.set_flags(ids[0], MailFlags(read=True))
    delta = await changes(fresh, now)
    assert dict(delta.touched) == {ids[0]: "r"}
    await fresh.delete(ids[2])
    assert set((await changes(fresh, delta)).gone) == {ids[2]}


async def test_no_write_goes_to_a_uid_of_another_epoch(dove: MailHome) -> None:
    place = await dove.make("Work")
    dove.append(place.locator, letter("one", message_id="1@x"))
    feed = await feed_of(dove, place.locator)
    [id] = (await feed.delta(None, ALL)).touched
    made_anew(dove, place.locator)  # it was never handed out, so that nobody knows it again
    await dove.pool.drop(dove.account)
    for write in (feed.delete(id), feed.set_flags(id, MailFlags(read=True))):
        with pytest.raises(ItemGone):
            await write
    assert set((await feed.delta(None, ALL)).touched.values()) == {"u"}
