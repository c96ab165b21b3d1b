"""Writes over IMAP that are cut off at every step, before it and after it, and come again: each takes place once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from mailhome import MailHome, mail_home
from worlds import letter

from eas.backends.embedded.groupware import Groupware
from eas.backends.imap.feed import ImapFeed
from eas.backends.imap.model import Lost
from eas.engine.errors import Unavailable
from eas.engine.model import FolderType
from eas.engine.ports import Chosen, Horizon
from eas.items.body import BodyPreference, BodyType, Wanted
from eas.items.native import FollowUp, Mail, MailFlags

pytestmark = pytest.mark.server

ALL = Horizon()
TEXT = Wanted(preferences=(BodyPreference(type=BodyType.TEXT),))
#: More steps than any write has.
MANY = 40
_COMMANDS = frozenset((
    "status", "select", "noop", "store", "search", "append", "copy", "move", "expunge", "fetch", "stream",
))


class Died(Exception):
    """The process has."""


@dataclass
class Fate:
    """Strikes at the step of this number; `after`: when it has been done."""

    at: int
    after: bool
    steps: int = 0
    done: list[str] = field(default_factory=list)

    def begins(self, name: str) -> None:
        self.steps += 1
        self.done.append(name)
        if self.steps == self.at and not self.after:
            raise Died(name)

    def ends(self, name: str) -> None:
        if self.steps == self.at and self.after:
            raise Died(name)


class FatedSession:
    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner, self._fate = inner, fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name in ("fetch", "stream"):
            return lambda *args, **more: self._stream(name, found(*args, **more))
        if name in _COMMANDS:
            return lambda *args, **more: self._do(name, found(*args, **more))
        return found

    async def _do(self, name: str, answer: Awaitable[Any]) -> Any:
        try:
            self._fate.begins(name)
        except Died:
            answer.close()  # type: ignore[attr-defined]
            raise
        result = await answer
        self._fate.ends(name)
        return result

    async def _stream(self, name: str, answers: AsyncIterator[Any]) -> AsyncIterator[Any]:
        self._fate.begins(name)
        async for one in answers:
            yield one
        self._fate.ends(name)


class FatedPool:
    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner, self._fate = inner, fate

    @asynccontextmanager
    async def use(self, account: Any, mailbox: str = "") -> AsyncIterator[Any]:
        async with self._inner.use(account, mailbox) as session:
            try:
                yield FatedSession(session, self._fate)
            except Died as error:
                session.connection.wire.abort()
                raise Lost("cut off") from error


@dataclass
class FatedTransactions:
    inner: Any
    fate: Fate

    async def look(self, do: Any) -> Any:
        return await self.inner.look(do)

    async def read(self, do: Any) -> Any:
        return await self.inner.read(do)

    async def write(self, do: Any, *, lasting: bool = True) -> Any:
        self.fate.begins("write")
        result = await self.inner.write(do, lasting=lasting)
        self.fate.ends("write")
        return result


@pytest.fixture(params=("dovecot", "dovecot_plain"))
async def home(request: pytest.FixtureRequest, database_template: Path, tmp_path: Path) -> AsyncIterator[MailHome]:
    async with mail_home(request.getfixturevalue(request.param), database_template, tmp_path) as made:
        yield made


Write = Callable[[ImapFeed], Awaitable[Any]]


async def cut_off(home: MailHome, which: FolderType, write: Write, fate: Fate) -> bool:
    """Whether the write came to its end before fate struck."""
    ground = home.account.ground
    fated: Groupware = replace(ground, transactions=FatedTransactions(ground.transactions, fate))
    account = replace(home.account, ground=fated)
    feed = ImapFeed(account, FatedPool(home.pool, fate), await home.at(which), home.resolve)
    try:
        await write(feed)
    except (Died, Unavailable):
        return False
    return True


async def feed_of(home: MailHome, which: FolderType) -> ImapFeed:
    return ImapFeed(home.account, home.pool, await home.at(which), home.resolve)


async def texts(feed: ImapFeed) -> dict[int, tuple[bytes, MailFlags]]:
    ids = sorted((await feed.delta(None, ALL)).touched)
    return {
        mail.id: (mail.sections["1"].strip(), mail.flags)
        async for mail in feed.fetch(ids, TEXT) if isinstance(mail, Mail)
    }


@pytest.mark.parametrize("after", [False, True])
async def test_a_create_that_was_cut_off_and_comes_again(home: MailHome, after: bool) -> None:
    flags = MailFlags(read=True, categories=("Red",), follow_up=FollowUp(status=2, subject="call"))
    feed = await feed_of(home, FolderType.INBOX)
    for step in range(1, MANY):
        # Equal ones, of which each is one of its own.
        async def write(feed: ImapFeed, step: int = step) -> Any:
            return await feed.create(letter("same", text="x"), Chosen(name=f"{after} {step}"), flags)

        ended = await cut_off(home, FolderType.INBOX, write, Fate(step, after))
        written = await write(feed)
        assert (await write(feed)) == written
        there = await texts(feed)
        assert len(there) == step
        assert there[written.id] == (b"x", flags)
        if ended:
            return
    raise AssertionError("never came to an end")


@pytest.mark.parametrize("after", [False, True])
async def test_a_move_that_was_cut_off_and_comes_again(home: MailHome, after: bool) -> None:
    inbox, trash = await feed_of(home, FolderType.INBOX), await feed_of(home, FolderType.DELETED_ITEMS)
    to = await home.at(FolderType.DELETED_ITEMS)
    flags = MailFlags(read=True, follow_up=FollowUp(status=2, subject="call"))
    for step in range(1, MANY):
        mail = await inbox.create(letter("same", text="x"), Chosen(name=f"{after} {step}"), flags)
        note = await trash.mark() if step % 2 else ""

        async def write(feed: ImapFeed, id: int = mail.id, step: int = step, note: str = note) -> Any:
            return await feed.move(id, str(to.number), Chosen(name=f"move {after} {step}", note=note))

        ended = await cut_off(home, FolderType.INBOX, write, Fate(step, after))
        written = await write(inbox)
        assert (await write(inbox)).id == written.id
        assert await texts(inbox) == {}
        there = await texts(trash)
        assert len(there) == step
        assert there[written.id] == (b"x", flags)
        if ended:
            return
    raise AssertionError("never came to an end")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("comes_again", [True, False])
async def test_a_draft_that_was_cut_off_while_it_was_written_anew(
    home: MailHome, after: bool, comes_again: bool
) -> None:
    """Also if nobody comes again for it: then it is the old one or the new one, and soon only that."""
    feed = await feed_of(home, FolderType.DRAFTS)
    flags = MailFlags(read=True, draft=True, categories=("Red",))
    for step in range(1, MANY):
        made = await feed.create(letter("d", message_id="d@x", text="old"), Chosen(name=f"{step}"), flags)
        before = await feed.delta(None, ALL)

        async def write(feed: ImapFeed, id: int = made.id) -> Any:
            return await feed.update(id, letter("d", message_id="d@x", text="new"), None, flags)

        ended = await cut_off(home, FolderType.DRAFTS, write, Fate(step, after))
        if comes_again:
            await write(feed)
        else:
            home.world.clock.later(minutes=5)
            before_that = await feed.delta(before.token, ALL)
            assert made.id not in before_that.gone
        there = await texts(feed)
        told = {text for text, _ in there.values()}
        assert list(there) == [made.id], (step, there)
        assert there[made.id][1] == flags
        assert told == {b"new"} or (not comes_again and told == {b"old"})
        delta = await feed.delta(before.token, ALL)
        assert made.id not in delta.gone
        if told == {b"new"}:
            assert made.id in delta.touched
        await feed.delete(made.id)
        if ended:
            return
    raise AssertionError("never came to an end")
