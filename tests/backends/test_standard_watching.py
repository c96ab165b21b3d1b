"""What a watch rings, when it asks whom, and what it does when a server refuses: over sources and a connection that do
as they are told, in a time of their own. Real servers are watched in tests/conformance/test_groupware_push.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from settling import leaping, until

from eas.backends.dav.errors import translated as dav_translated
from eas.backends.dav.model import LoginRefused as DavLoginRefused
from eas.backends.embedded.groupware import Groupware
from eas.backends.imap.errors import translated
from eas.backends.imap.model import LoginRefused, Lost
from eas.backends.standards import watching
from eas.backends.standards.hierarchy import Snapshot, Standing
from eas.backends.standards.ports import Account, Numbered, Place
from eas.backends.standards.tenant import Tenant
from eas.backends.standards.watching import Watching
from eas.engine.errors import Unavailable
from eas.engine.model import Folder, FolderType, Secret, User

#: Of the tests' polls; pauses are up to a fifth longer or shorter.
UNIT = 0.05


def standing(number: int, locator: str, type: FolderType, source: str, *, own: bool = True) -> Standing:
    place = Place(locator=locator, parent="", name=locator, type=type, item_class="Email", own=own)
    folder = Folder(id=str(number), parent="0", name=locator, type=type, item_class="Email")
    return Standing(folder, source, Numbered(number=number, place=place))


INBOX = standing(1, "INBOX", FolderType.INBOX, "imap")
WORK = standing(2, "Work", FolderType.USER_MAIL, "imap")
SHARED = standing(3, "Shared", FolderType.USER_MAIL, "imap", own=False)
CALENDAR = standing(4, "/calendar/", FolderType.CALENDAR, "dav")


@dataclass
class Shown:
    """A mailbox whose folders are what stands in `folders`."""

    folders: list[Standing]
    looks: int = 0

    async def snapshot(self, *, fresh: bool = False) -> Snapshot:
        self.looks += fresh
        standing = {one.folder.id: one for one in self.folders}
        return Snapshot(" ".join(standing), standing, 0)


@dataclass
class Asked:
    """A source that says of a folder what `states` has. `asked` are the numbers, probe by probe."""

    name: str
    states: dict[int, str] = field(default_factory=dict)
    asked: list[set[int]] = field(default_factory=list)
    failure: Exception | None = None

    async def probe(self, at: Sequence[Numbered]) -> Mapping[int, str]:
        self.asked.append({one.number for one in at})
        with translated(), dav_translated():
            if self.failure is not None:
                raise self.failure
        return {one.number: self.states.get(one.number, "") for one in at}


@dataclass
class Told:
    """A connection. Whoever puts names into `news` tells them; an exception ends it."""

    notifies: bool
    news: asyncio.Queue[frozenset[str] | Exception] = field(default_factory=asyncio.Queue)
    selected: list[str] = field(default_factory=list)

    async def notify(self) -> bool:
        return self.notifies

    async def select(self, name: str) -> None:
        self.selected.append(name)

    async def idle(self, seconds: float) -> AsyncGenerator[frozenset[str], None]:
        while True:
            told = await self.news.get()
            if isinstance(told, Exception):
                raise told
            yield told


@dataclass
class Lines:
    """A pool: `session` None has none to spare."""

    session: Told | None
    taken: int = 0
    held: int = 0
    failure: Exception | None = None

    @asynccontextmanager
    async def listen(self, account: Account) -> AsyncIterator[Told | None]:
        self.taken += 1
        if self.failure is not None:
            raise self.failure
        self.held += 1
        try:
            yield self.session
        finally:
            self.held -= 1


class Watched:
    """A watch that runs. `wanted` is what somebody waits for, `rung` what was rung."""

    def __init__(
        self, folders: list[Standing], sources: Sequence[Asked], pool: Lines | None, unit: float = UNIT, *,
        hooks: bool = False,
    ) -> None:
        self.shown, self.sources, self.pool = Shown(folders), sources, pool
        self.wanted = {one.folder.id for one in folders}
        self.rung: list[str] = []
        self.missed: list[str] = []
        account = Account(
            user=User(id="anna", login="anna", address="a@example.com", addresses=(), name=""),
            tenant=Tenant(name="t", poll_seconds=unit, hooks=hooks), login="anna", secret=Secret("s"),
            ground=cast(Groupware, None),
        )
        self.watch = Watching(
            account=account, mailbox=cast(Any, self.shown), sources=cast(Any, tuple(sources)), pool=cast(Any, pool),
            missed=self.missed.append,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.watch.run(self.rung.extend, lambda: self.wanted))
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Unavailable):
                await task
            assert self.pool is None or not self.pool.held

    async def rings(self, *ids: str) -> None:
        """These are rung, and nothing else but the root; then all is forgotten."""
        await until(lambda: set(ids) <= set(self.rung))
        await asyncio.sleep(0.01)
        assert set(self.rung) - {"0"} == set(ids)
        self.rung.clear()


@leaping
async def test_what_a_poll_sees_for_the_first_time_is_rung_and_later_only_what_differs() -> None:
    dav = Asked("dav", {4: "a"})
    watched = Watched([CALENDAR], [dav], None)
    async with watched.running():
        await watched.rings("4")
        await until(lambda: len(dav.asked) >= 3)
        assert watched.rung == []
        dav.states[4] = "b"
        await watched.rings("4")


@leaping
async def test_only_what_somebody_waits_for_is_polled() -> None:
    mail, dav = Asked("imap", {1: "a", 2: "a"}), Asked("dav")
    watched = Watched([INBOX, WORK, CALENDAR], [mail, dav], None)
    watched.wanted = {"2"}
    async with watched.running():
        await watched.rings("2")
        await until(lambda: len(mail.asked) >= 2)
        assert {frozenset(asked) for asked in mail.asked} == {frozenset({2})}
        assert dav.asked == []
        # What happened to it before it was waited for may be news to whoever waits now.
        watched.wanted |= {"1"}
        await watched.rings("1")
        watched.wanted.clear()
        mail.states[1] = "b"
        asked = len(mail.asked)
        await asyncio.sleep(4 * UNIT)
        assert len(mail.asked) <= asked + 1
        watched.wanted |= {"1"}
        await watched.rings("1")


@leaping
async def test_polls_come_less_often_while_nothing_happens_and_at_once_again_then() -> None:
    dav = Asked("dav", {4: "a"})
    watched = Watched([CALENDAR], [dav], None)
    async with watched.running():
        await asyncio.sleep(20 * UNIT)
        assert 3 <= len(dav.asked) <= 9
        dav.states[4] = "b"
        await until(lambda: watched.rung.count("4") == 2)
        asked = len(dav.asked)
        await asyncio.sleep(10 * UNIT)
        assert len(dav.asked) >= asked + 3


@leaping
async def test_a_source_that_is_away_is_asked_again_and_disturbs_no_other() -> None:
    mail, dav = Asked("imap", {1: "a"}), Asked("dav", {4: "a"})
    dav.failure = Lost("away")
    watched = Watched([INBOX, CALENDAR], [mail, dav], None)
    async with watched.running() as task:
        await watched.rings("1")
        mail.states[1] = "b"
        await watched.rings("1")
        assert not task.done()
        dav.failure = None
        await watched.rings("4")


@leaping
async def test_mailboxes_that_are_told_of_are_hardly_polled_but_those_of_others_are() -> None:
    mail, pool = Asked("imap", {1: "a"}), Lines(Told(notifies=True))
    assert pool.session is not None
    watched = Watched([INBOX, WORK, SHARED], [mail], pool)
    watched.wanted = {"1", "2"}
    async with watched.running():
        await watched.rings("1", "2")
        await asyncio.sleep(6 * UNIT)
        assert len(mail.asked) == 1
        assert pool.session.selected == []
        pool.session.news.put_nowait(frozenset({"Work"}))
        await watched.rings("2")
    mail.asked.clear()
    watched.wanted = {"1", "3"}
    async with watched.running():
        await asyncio.sleep(6 * UNIT)
        assert len(mail.asked) >= 3


@leaping
async def test_mailboxes_that_are_no_folders_yet_have_the_folders_looked_at_once() -> None:
    pool = Lines(Told(notifies=True))
    assert pool.session is not None
    watched = Watched([INBOX], [Asked("imap")], pool, unit=60)
    async with watched.running():
        await watched.rings("1")
        looks = watched.shown.looks
        pool.session.news.put_nowait(frozenset({"Hidden"}))
        await until(lambda: watched.shown.looks == looks + 1)
        for _ in range(5):
            pool.session.news.put_nowait(frozenset({"Hidden"}))
        await until(pool.session.news.empty)
        assert watched.shown.looks == looks + 1
        assert watched.rung == []
        watched.shown.folders.append(WORK)
        pool.session.news.put_nowait(frozenset({"Work"}))
        await watched.rings("2")


@leaping
async def test_a_connection_that_ends_is_made_anew_and_what_happened_meanwhile_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "LISTEN_SECONDS", (0.02, 0.1))
    mail, pool = Asked("imap", {1: "a", 2: "a"}), Lines(Told(notifies=True))
    assert pool.session is not None
    watched = Watched([INBOX, WORK], [mail], pool)
    async with watched.running() as task:
        await watched.rings("1", "2")
        mail.states[2] = "b"
        pool.session.news.put_nowait(Lost("the server says good-bye"))
        await watched.rings("2")
        await until(lambda: pool.taken == 2)
        assert not task.done()


@leaping
async def test_idle_is_for_the_inbox_and_polls_for_the_others() -> None:
    mail, pool = Asked("imap", {1: "a", 2: "a"}), Lines(Told(notifies=False))
    assert pool.session is not None
    watched = Watched([INBOX, WORK], [mail], pool)
    async with watched.running():
        await watched.rings("1", "2")
        assert pool.session.selected == ["INBOX"]
        pool.session.news.put_nowait(frozenset({"INBOX"}))
        await watched.rings("1")
        mail.states[2] = "b"
        await watched.rings("2")


@leaping
async def test_without_a_connection_to_spare_everything_is_polled() -> None:
    mail, pool = Asked("imap", {1: "a"}), Lines(None)
    watched = Watched([INBOX], [mail], pool)
    async with watched.running():
        await watched.rings("1")
        mail.states[1] = "b"
        await watched.rings("1")
        assert pool.taken == 1


@pytest.mark.parametrize("by", ["listening", "polling"])
@leaping
async def test_a_login_refused_by_the_mail_server_ends_the_watch(by: str) -> None:
    mail, pool = Asked("imap"), Lines(None)
    if by == "listening":
        pool.failure = LoginRefused("expired")
    else:
        mail.failure = LoginRefused("expired")
    async with Watched([INBOX, CALENDAR], [mail, Asked("dav")], pool).running() as task:
        with pytest.raises(Unavailable):
            await asyncio.wait_for(asyncio.shield(task), 2)
    assert pool.taken == 1


@leaping
async def test_a_login_refused_by_the_calendar_leaves_mail_alone_and_is_not_tried_again_soon() -> None:
    mail, dav, pool = Asked("imap", {1: "a"}), Asked("dav"), Lines(Told(notifies=False))
    dav.failure = DavLoginRefused(401, "who?")
    watched = Watched([INBOX, CALENDAR], [mail, dav], pool)
    async with watched.running() as task:
        await watched.rings("1")
        await asyncio.sleep(8 * UNIT)
        mail.states[1] = "b"
        await watched.rings("1")
        assert len(dav.asked) == 1
        assert not task.done()


@leaping
async def test_folders_that_come_and_go_are_found_by_looking_now_and_then() -> None:
    watched = Watched([CALENDAR], [Asked("dav")], None)
    async with watched.running():
        await watched.rings("4")
        watched.shown.folders.append(INBOX)
        await until(lambda: "0" in watched.rung)


# --- Hooks ------------------------------------------------------------------------------------------------------------


@leaping
async def test_where_the_server_calls_a_hook_mail_is_looked_at_once_and_then_now_and_then(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calendars are polled as ever, and so are mailboxes of others, of which no hook tells under this user's name."""
    monkeypatch.setattr(watching, "SAFETY", (8, 8))
    mail, dav = Asked("imap", {1: "a", 2: "a"}), Asked("dav", {4: "a"})
    watched = Watched([INBOX, WORK, CALENDAR], [mail, dav], None, hooks=True)
    async with watched.running():
        await watched.rings("1", "2", "4")
        mail.states[2] = "b"
        await asyncio.sleep(4 * UNIT)
        assert (len(mail.asked), watched.rung, watched.missed) == (1, [], [])
        assert len(dav.asked) >= 2
        assert watched.shown.looks == 0
        await watched.rings("2")
        assert watched.missed == ["t"]
        dav.states[4] = "b"
        await watched.rings("4")
        assert watched.missed == ["t"]
        await until(lambda: watched.shown.looks)


@leaping
async def test_shared_mailboxes_are_polled_as_usual_besides_a_hook() -> None:
    mail = Asked("imap", {3: "a"})
    watched = Watched([SHARED], [mail], None, hooks=True)
    async with watched.running():
        await watched.rings("3")
        mail.states[3] = "b"
        await watched.rings("3")


@leaping
async def test_a_calendar_server_that_refuses_leaves_mail_alone_where_hooks_are(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    mail, dav = Asked("imap", {1: "a"}), Asked("dav")
    dav.failure = DavLoginRefused("no")
    watched = Watched([INBOX, CALENDAR], [mail, dav], None, hooks=True)
    async with watched.running() as task:
        await watched.rings("1")
        await asyncio.sleep(4 * UNIT)
        assert not task.done()
        assert len(dav.asked) == 1
