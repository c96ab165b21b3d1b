"""Conversations on IMAP servers: found, moved as a whole, and what comes later. [MS-ASCON] R130, R213, R215"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mailhome import MailHome, mail_home
from sqlalchemy import select
from worlds import letter

from eas.backends.imap import conversations
from eas.backends.standards import registry
from eas.backends.standards.ports import Numbered
from eas.backends.standards.tables import MovedConversationRow
from eas.engine.errors import FolderGone, ItemGone, NotAllowed
from eas.engine.model import FolderType
from eas.engine.ports import Horizon, MailQuery
from eas.items.conversation import conversation_of
from eas.items.headers import parse

SERVERS = ("dovecot", "dovecot_plain", "cyrus")


def message(n: int, subject: str = "Plans", root: str = "root@x") -> bytes:
    """The first one of a thread, or one that answers it."""
    raw = letter(subject, message_id=root if n == 0 else f"m{n}.{root}")
    return raw if n == 0 else f"References: <{root}>\r\n".encode() + raw


def id_of(raw: bytes) -> bytes:
    return conversation_of(parse(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"), datetime.now(UTC)).id


PLANS = id_of(message(0))


@dataclass
class Talk:
    home: MailHome
    inbox: Numbered
    sent: Numbered
    target: Numbered

    async def count(self, at: Numbered) -> int:
        """As a device sees it."""
        return len((await self.home.source().feed(at).delta(None, Horizon())).touched)

    async def move(self, to: Numbered, always: bool = False, conversation: bytes = PLANS) -> int:
        await self.home.places()
        return await self.home.source().move_conversation(conversation, to, always, self.home.numbers)

    def arrive(self, *raw: bytes) -> None:
        self.home.append(self.inbox.place.locator, *raw)

    async def rules(self) -> int:
        found = await self.home.account.ground.read(
            lambda c: c.execute(select(MovedConversationRow.conversation)).all()
        )
        return len(found)


async def talk_on(server: Any, template: Path, folder: Path) -> AsyncIterator[Talk]:
    async with mail_home(server, template, folder) as home:
        place = await home.make("Plans")
        yield Talk(
            home, await home.at(FolderType.INBOX), await home.at(FolderType.SENT_ITEMS), await home.at(place.locator)
        )


@pytest.fixture(params=SERVERS)
async def talk(request: pytest.FixtureRequest, database_template: Path, tmp_path: Path) -> AsyncIterator[Talk]:
    async for made in talk_on(request.getfixturevalue(request.param), database_template, tmp_path):
        yield made


async def test_once_moved_what_comes_later_follows_until_it_is_moved_again(talk: Talk) -> None:
    talk.arrive(*[message(n) for n in range(3)], letter("Other", message_id="o@x"))
    talk.home.append(talk.sent.place.locator, message(7))
    assert await talk.move(talk.target, True) == 3
    assert [await talk.count(at) for at in (talk.inbox, talk.target, talk.sent)] == [1, 3, 1]
    assert await talk.move(talk.target, True) == 0
    talk.arrive(message(4), letter("Another", message_id="p@x"))
    assert [await talk.count(at) for at in (talk.inbox, talk.target)] == [2, 4]
    # Once looked at, what somebody puts back stays.
    assert [await talk.count(at) for at in (talk.inbox, talk.target)] == [2, 4]
    assert await talk.move(talk.inbox, True) == 4
    assert await talk.rules() == 0
    talk.arrive(message(5))
    assert [await talk.count(at) for at in (talk.inbox, talk.target)] == [7, 0]


async def test_moved_once_is_no_rule(talk: Talk) -> None:
    talk.arrive(message(0))
    assert await talk.move(talk.target) == 1
    assert await talk.rules() == 0
    talk.arrive(message(1))
    assert [await talk.count(at) for at in (talk.inbox, talk.target)] == [1, 1]


async def test_devices_hear_of_both_folders(talk: Talk) -> None:
    talk.arrive(message(0))
    feed = talk.home.source().feed(talk.inbox)
    before = (await feed.delta(None, Horizon())).token
    talk.home.world.bell.calls.clear()
    await talk.move(talk.target, True)
    rung = {collection for _, collections in talk.home.world.bell.calls for collection in collections}
    assert rung == {str(talk.inbox.number), str(talk.target.number)}
    delta = await talk.home.source().feed(talk.inbox).delta(before, Horizon())
    assert len(delta.gone) == 1 or (delta.complete and not delta.touched)


async def test_several_rules_and_what_came_while_nobody_looked(talk: Talk) -> None:
    other = await talk.home.at((await talk.home.make("Others")).locator)
    talk.arrive(message(0), message(0, root="second@x"))
    await talk.move(talk.target, True)
    talk.arrive(message(1))
    await talk.move(other, True, id_of(message(0, root="second@x")))
    talk.arrive(message(2), message(1, root="second@x"), message(3))
    assert [await talk.count(at) for at in (talk.inbox, talk.target, other)] == [0, 4, 2]


async def test_a_rule_goes_with_its_folder(talk: Talk) -> None:
    talk.arrive(message(0))
    await talk.move(talk.target, True)
    await talk.home.source().delete(talk.target.place)
    ground = talk.home.account.ground
    # Gone elsewhere, with the rule still there; then forgotten.
    await talk.home.places()
    talk.arrive(message(1))
    assert await talk.count(talk.inbox) == 1
    await ground.write(lambda tx: registry.forget(tx, talk.home.account.user.id, [talk.target.number]))
    assert await talk.rules() == 0


async def test_what_cannot_be_moved(talk: Talk) -> None:
    talk.arrive(message(0))
    with pytest.raises(ItemGone):
        await talk.move(talk.target, True, b"0123456789abcdef")
    place = talk.target.place
    await talk.home.source().delete(place)
    with pytest.raises((FolderGone, NotAllowed)):
        await talk.home.source().move_conversation(PLANS, talk.target, False, [talk.inbox])
    assert await talk.count(talk.inbox) == 1


async def test_a_conversation_is_found_in_all_folders(talk: Talk) -> None:
    talk.arrive(message(0), message(1), letter("Other", message_id="o@x"))
    talk.home.append(talk.sent.place.locator, message(2))
    await talk.home.places()
    source = talk.home.source()
    hits = await source.search(MailQuery(conversation=PLANS), talk.home.numbers)
    assert sorted(hit.collection for hit in hits) == sorted(
        [str(talk.inbox.number), str(talk.inbox.number), str(talk.sent.number)]
    )
    assert len(await source.search(MailQuery(conversation=PLANS, text="Plans"), [talk.inbox])) == 2
    assert await source.search(MailQuery(conversation=PLANS, text="else"), [talk.inbox]) == []
    assert await source.search(MailQuery(conversation=b"0" * 16), talk.home.numbers) == []


async def test_without_rules_nothing_is_asked(dovecot: Any, database_template: Path, tmp_path: Path) -> None:
    async for talk in talk_on(dovecot, database_template, tmp_path):
        talk.arrive(message(0))
        feed = talk.home.source().feed(talk.inbox)
        token = (await feed.delta(None, Horizon())).token
        await talk.home.pool.drop(talk.home.account)
        with dovecot.commands(talk.home.login) as lines:
            for _ in range(3):
                delta = await talk.home.source().feed(talk.inbox).delta(token, Horizon())
                assert delta.token == token
            await talk.home.pool.drop(talk.home.account)
        assert not [line for line in lines if "SEARCH" in line or "FETCH" in line]


async def test_what_was_looked_at_is_not_looked_at_again(
    dovecot: Any, database_template: Path, tmp_path: Path
) -> None:
    async for talk in talk_on(dovecot, database_template, tmp_path):
        talk.arrive(message(0), *[letter(str(n), message_id=f"x{n}@x") for n in range(5)])
        await talk.move(talk.target, True)
        await talk.home.pool.drop(talk.home.account)
        with dovecot.commands(talk.home.login) as lines:
            assert await talk.count(talk.inbox) == 5
            assert await talk.count(talk.inbox) == 5
            # The ids of conversations are kept: a search reads no header again.
            await talk.home.source().search(MailQuery(conversation=PLANS), [talk.inbox])
            await talk.home.pool.drop(talk.home.account)
        assert not [line for line in lines if "HEADER" in line]


async def test_two_that_look_at_once_move_nothing_twice(
    dovecot_plain: Any, database_template: Path, tmp_path: Path
) -> None:
    """Without MOVE a second mover would make second copies."""
    async for talk in talk_on(dovecot_plain, database_template, tmp_path):
        talk.arrive(message(0))
        await talk.move(talk.target, True)
        talk.arrive(*[message(n) for n in range(1, 9)])
        await asyncio.gather(*[talk.home.source().feed(talk.inbox).delta(None, Horizon()) for _ in range(4)])
        assert [await talk.count(at) for at in (talk.inbox, talk.target)] == [0, 9]


async def test_headers_are_read_of_so_many_at_a_time(
    dovecot: Any, database_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "MAX_READ", 4)
    async for talk in talk_on(dovecot, database_template, tmp_path):
        talk.arrive(*[message(n) for n in range(6)])
        assert await talk.move(talk.target) == 4
        assert await talk.move(talk.target) == 2
        assert await talk.count(talk.target) == 6
