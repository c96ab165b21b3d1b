"""Messages over IMAP by date and by parts: what is within a horizon, and what is loaded of it."""

from __future__ import annotations

import imaplib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mailfeed import ALL, SERVERS, TEXT, Other, changes, feed_of, one, uid
from mailhome import MailHome, mail_home
from worlds import alternative, letter

from eas.backends.imap.loading import PREFIX
from eas.engine.errors import ItemGone
from eas.engine.ports import Horizon
from eas.items.body import BodyPreference, BodyType, Wanted
from eas.items.native import Mail

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


# --- By date ----------------------------------------------------------------------------------------------------------


def append_at(home: MailHome, at: datetime, subject: str, headers: tuple[str, ...] = ()) -> None:
    with home.server.imap(home.login) as client:
        date = imaplib.Time2Internaldate(at)
        raw = letter(subject, message_id=f"{subject}@x", headers=headers)
        assert client.append("INBOX", "", date, raw)[0] == "OK"


async def test_the_horizon_is_exact_to_the_second(home: MailHome) -> None:
    edge = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)
    ages = {"old": -40 * 86400, "before": -1, "at": 0, "after": 1, "day": 86400, "new": 9 * 86400}
    for name, seconds in ages.items():
        append_at(home, edge + timedelta(seconds=seconds), name)
    feed, horizon = await feed_of(home), Horizon(edge=edge)
    ids = dict(zip(ages, sorted((await feed.delta(None, ALL)).touched), strict=True))
    within = {ids["after"], ids["day"], ids["new"]}
    first = await feed.delta(None, horizon)
    assert first.touched.keys() == within
    look = await (await feed_of(home)).look([*ids.values(), 12345], horizon)
    assert look.versions.keys() == within
    assert look.outside == set(ids.values()) - within
    crossed = await feed.crossed(edge - timedelta(days=1), edge + timedelta(seconds=1))
    assert set(crossed) == {ids["before"], ids["at"], ids["after"]}
    assert set(await feed.crossed(edge + timedelta(days=1), edge + timedelta(days=9))) == {ids["new"]}

    Other(home).do("STORE 1:* +FLAGS (\\Seen)")
    delta = await changes(feed, first, horizon)
    assert dict(delta.touched) == dict.fromkeys(within, "r")
    assert delta.complete or set(delta.outside) == set(ids.values()) - within


async def test_conversations_draw_older_mail_in(dove: MailHome) -> None:
    edge = datetime(2026, 11, 10, tzinfo=UTC)
    append_at(dove, edge - timedelta(days=9), "root")
    append_at(dove, edge - timedelta(days=8), "alone")
    append_at(dove, edge + timedelta(days=1), "answer", ("References: <root@x>",))
    feed, horizon = await feed_of(dove), Horizon(edge=edge, conversations=True)
    root, alone, answer = sorted((await feed.delta(None, ALL)).touched)
    first = await feed.delta(None, horizon)
    assert first.touched.keys() == {root, answer}
    for looking in (feed, await feed_of(dove)):
        look = await looking.look([root, alone, answer], horizon)
        assert (look.versions.keys(), look.outside, look.drawn) == ({root, answer}, {alone}, {root})
    append_at(dove, edge + timedelta(days=2), "late", ("References: <alone@x>",))
    delta = await changes(feed, first, horizon)
    late = max(delta.touched)
    assert delta.touched.keys() == {alone, late}
    Other(dove).do(f"STORE {uid(root)} +FLAGS (\\Seen)")
    again = await changes(feed, delta, horizon)
    assert dict(again.touched) == {root: "r"}


# --- Loading ----------------------------------------------------------------------------------------------------------


def large(text_size: int, header: int = 0, order: str = "text first") -> bytes:
    """Text "1" and an attachment "2" of 200,000 octets, or the other way round."""
    text = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + b"wort " * (text_size // 5) + b"\r\n"
    attachment = (
        b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + b"QUJDREVGR0hJSktM" * 12_500 + b"\r\n"
    )
    parts = (text, attachment) if order == "text first" else (attachment, text)
    more = b"".join(b"X-%d: %s\r\n" % (n, b"a" * 900) for n in range(header // 900))
    return (
        b"From: a@example.com\r\nSubject: large\r\nMessage-ID: <l@x>\r\n" + more
        + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=bound\r\n\r\n"
        + b"".join(b"--bound\r\n" + part for part in parts) + b"--bound--\r\n"
    )


@pytest.mark.parametrize(("raw", "section", "fetches"), [
    (large(2000), "1", 1), (large(2000, order="text last"), "2", 2), (large(100_000), "1", 1),
    (large(2000, header=2 * PREFIX), "1", 2),
])
async def test_of_a_large_message_only_the_text_is_loaded(
    dove: MailHome, raw: bytes, section: str, fetches: int
) -> None:
    dove.append("INBOX", raw)
    feed = await feed_of(dove)
    await dove.pool.drop(dove.account)
    with dove.server.commands(dove.login) as commands:
        [id] = (await feed.delta(None, ALL)).touched
        mail = await one(feed, id, TEXT)
        await dove.pool.drop(dove.account)
        await dove.pool.close()
    assert mail.sections.keys() == {section}
    assert mail.sections[section].startswith(b"wort wort")
    assert mail.header == raw[: raw.index(b"\r\n\r\n") + 4]
    assert mail.size == len(raw)
    assert mail.structure is not None
    assert [part.type for part in mail.structure.children] in (
        ["text/plain", "application/pdf"], ["application/pdf", "text/plain"]
    )
    told = [line for line in commands if "BODY.PEEK[" in line]
    assert len(told) == fetches, commands
    assert not any("BODY.PEEK[]>" in line or "BODY.PEEK[])" in line for line in told)


async def test_a_whole_message_is_loaded_when_it_is_wanted(home: MailHome) -> None:
    raws = [large(2000), alternative("b", "<p>small</p>")]
    home.append("INBOX", *raws)
    feed = await feed_of(home)
    ids = sorted((await feed.delta(None, ALL)).touched)
    mime = Wanted(preferences=(BodyPreference(type=BodyType.MIME),), mime_support=2)
    loaded = [mail async for mail in feed.fetch(ids[::-1], mime)]
    assert [mail.sections[""] for mail in loaded if isinstance(mail, Mail)] == raws[::-1]


async def test_small_and_large_messages_come_alike(home: MailHome) -> None:
    """The same tree and sections, whoever has parsed the message."""
    home.append("INBOX", large(2000))
    feed = await feed_of(home)
    [id] = (await feed.delta(None, ALL)).touched
    from eas.items import mimescan

    mine, theirs = mimescan.structure(large(2000)), (await one(feed, id, TEXT)).structure
    assert theirs is not None
    for ours, told in zip(mine.children, theirs.children, strict=True):
        assert (ours.section, ours.type, ours.size, ours.encoding, ours.filename) == (
            told.section, told.type, told.size, told.encoding, told.filename
        )


@pytest.mark.parametrize("section", ["7", "1.1", "0", "HEADER", "1]<0.1> FLAGS", "x" * 5000, "1.MIME", "TEXT", "3.2.1"])
async def test_a_part_that_is_none_is_gone(home: MailHome, section: str) -> None:
    home.append("INBOX", large(100))
    feed = await feed_of(home)
    [id] = (await feed.delta(None, ALL)).touched
    with pytest.raises(ItemGone):
        [piece async for piece in feed.part(id, section)]


async def test_a_part_streams_in_pieces(home: MailHome, monkeypatch: pytest.MonkeyPatch) -> None:
    from eas.backends.imap import feed as module

    monkeypatch.setattr(module, "PIECE", 7000)
    raw = large(50_000)
    home.append("INBOX", raw)
    feed = await feed_of(home)
    [id] = (await feed.delta(None, ALL)).touched
    assert b"".join([piece async for piece in feed.part(id, "")]) == raw
    pieces = [piece async for piece in feed.part(id, "2")]
    assert b"".join(pieces) == b"QUJDREVGR0hJSktM" * 12_500
    assert max(map(len, pieces)) <= 7000
