"""The IMAP client against real servers: rich, poor, and in between. Each test says what is so on all of them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from groupware.mail import MailServer
from imap_kit import FLAVOURS, entered, fetched
from settling import until

from eas.backends.imap.model import Bad, No, Resync
from eas.backends.imap.session import ImapSession

pytestmark = pytest.mark.server

PLAIN = b"From: a@example.com\r\nSubject: one\r\n\r\nHello\r\n"
GREEN = "From: a@example.com\r\nSubject: =?utf-8?q?gr=C3=BCn?=\r\nContent-Type: text/plain; charset=utf-8\r\n" \
        "Content-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n".encode()  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Home:
    server: MailServer
    login: str
    session: ImapSession
    #: What stands before the names of folders.
    prefix: str

    @property
    def name(self) -> str:
        return type(self.server).__name__


@pytest.fixture(params=FLAVOURS)
async def home(request: pytest.FixtureRequest) -> AsyncIterator[Home]:
    server: Any = request.getfixturevalue(request.param)
    login, _ = server.new_user()
    async with entered(server, login) as session:
        prefix = (await session.namespaces())["personal"][0][0]
        yield Home(server=server, login=login, session=session, prefix=prefix)


async def filled(home: Home, count: int = 3) -> ImapSession:
    for _ in range(count):
        await home.session.append("INBOX", PLAIN)
    await home.session.select("INBOX")
    return home.session


# --- Mailboxes


async def test_folders_are_made_renamed_and_deleted_with_their_subscriptions(home: Home) -> None:
    session, name, new = home.session, f"{home.prefix}Grüße & Co", f"{home.prefix}Ж~日本"
    delimiter = (await session.namespaces())["personal"][0][1]
    await session.create(name)
    await session.create(f"{name}{delimiter}below")
    listed = {one.name: one for one in await session.list()}
    assert {"INBOX", name, f"{name}{delimiter}below"} <= listed.keys()
    assert listed[name].delimiter == delimiter
    assert "\\subscribed" in listed[name].attributes
    with pytest.raises(No):
        await session.create(name)
    await session.select(name)
    await session.rename(name, new)
    assert session.selected is None
    names = {one.name for one in await session.list(subscribed=True)}
    assert {new, f"{new}{delimiter}below"} <= names
    assert name not in names
    await session.delete(f"{new}{delimiter}below")
    await session.select(new)
    await session.delete(new)
    assert new not in {one.name for one in await session.list()}
    with pytest.raises(No):
        await session.select(new)
    assert session.selected is None


async def test_a_folder_without_a_subscription_is_listed_only_among_all(home: Home) -> None:
    name = f"{home.prefix}quiet"
    await home.session.create(name)
    await home.session.subscribe(name, False)
    assert name in {one.name for one in await home.session.list()}
    assert name not in {one.name for one in await home.session.list(subscribed=True)}


async def test_special_uses_are_lower_case(dovecot: Any) -> None:
    login, _ = dovecot.new_user()
    async with entered(dovecot, login) as session:
        assert {"\\drafts", "\\sent", "\\trash", "\\junk"} <= {
            attribute for one in await session.list() for attribute in one.attributes
        }


async def test_a_folder_for_a_special_use(cyrus: Any) -> None:
    login, _ = cyrus.new_user()
    async with entered(cyrus, login) as session:
        name = (await session.namespaces())["personal"][0][0] + "Archiv"
        await session.create(name, use="\\Archive")
        assert [one.name for one in await session.list() if "\\archive" in one.attributes] == [name]


async def test_what_others_share_is_listed_with_its_rights(cyrus: Any) -> None:
    login, _ = cyrus.new_user()
    friend, _ = cyrus.new_user()
    with cyrus.imap(friend) as other:
        other.create("shared")
        assert other.setacl("shared", login, "lrs")[0] == "OK"
    async with entered(cyrus, login) as session:
        [(prefix, delimiter)] = (await session.namespaces())["other"]
        names = [one.name for one in await session.list() if one.name.startswith(prefix) and "shared" in one.name]
        assert len(names) == 1
        assert set("lrs") <= set(await session.rights(names[0]))
        assert not set("iktxea") & set(await session.rights(names[0]))
        assert (await session.select(names[0])).permanent == {"\\Seen"}
        assert delimiter


async def test_status_of_one_and_of_several(home: Home) -> None:
    session, prefix = home.session, home.prefix
    names = [f"{prefix}a", f"{prefix}Grün", f"{prefix}100%", "INBOX"]
    for name in names[:3]:
        try:
            await session.create(name)
        except No:  # Cyrus takes no "%"
            names.remove(name)
    await session.append(f"{prefix}Grün", PLAIN)
    one = await session.status(f"{prefix}Grün")
    assert (one.messages, one.uid_next, one.unseen) == (1, 2, 1)
    assert one.uid_validity
    assert bool(one.highest_modseq) == session.can_condstore
    found = await session.statuses([*names, f"{prefix}none"])
    assert found.keys() == set(names)
    assert found[f"{prefix}Grün"] == one
    assert (await session.statuses(names[:1])).keys() == set(names[:1])
    with pytest.raises(No):
        await session.status(f"{prefix}none")


async def test_rights(home: Home) -> None:
    rights = await home.session.rights("INBOX")
    assert ("l" in rights) == home.session.offers("ACL")


async def test_unselect_expunges_nothing(home: Home) -> None:
    session = await filled(home)
    await session.store(((2, 2),), "+FLAGS", ["\\Deleted"])
    await session.unselect()
    assert session.selected is None
    assert (await session.select("INBOX")).messages == 3


# --- Selecting


async def test_select_tells_what_there_is(home: Home) -> None:
    session = await filled(home, 2)
    selected = await session.select("INBOX")
    assert (selected.name, selected.messages, selected.uid_next) == ("INBOX", 2, 3)
    assert selected.uid_validity
    assert selected.new_keywords
    assert not selected.read_only
    assert bool(selected.highest_modseq) == session.can_condstore
    assert (await session.select("INBOX", read_only=True)).read_only


async def test_what_the_server_tells_by_the_way_keeps_the_selected_mailbox_up(home: Home) -> None:
    session = await filled(home)
    with home.server.imap(home.login, "INBOX") as other:
        other.append("INBOX", "", None, PLAIN)
        other.store("2", "+FLAGS", "\\Deleted")
        other.expunge()

    async def told() -> bool:
        await session.noop()
        return bool(session.expunged or (
            session.selected and session.selected.messages == 3 and session.can_resync
        ))

    await until(told)
    assert session.selected is not None
    assert session.selected.messages == 3
    if session.can_resync:
        assert session.take_vanished() == ((2, 2),)
        assert not session.expunged
    else:
        assert session.expunged
    assert session.take_vanished() == ()
    await session.select("INBOX")
    assert not session.expunged


async def test_resync_tells_what_changed_and_vanished(home: Home) -> None:
    session = await filled(home, 5)
    before = await session.select("INBOX")
    with home.server.imap(home.login, "INBOX") as other:
        other.store("1", "+FLAGS", "\\Flagged")
        other.store("2:3", "+FLAGS", "\\Deleted")
        other.expunge()
        other.append("INBOX", "", None, PLAIN)
    again = await session.select("INBOX", Resync(uid_validity=before.uid_validity, modseq=before.highest_modseq))
    assert again.messages == 4
    assert again.resynced == session.can_resync
    if session.can_resync:
        assert again.vanished == ((2, 3),)
        assert {one.uid: "\\Flagged" in (one.flags or ()) for one in again.changed} == {1: True, 6: False}
        stale = await session.select("INBOX", Resync(uid_validity=before.uid_validity + 1, modseq=1))
        assert not stale.resynced
        assert (stale.changed, stale.vanished) == ((), ())


async def test_changes_since_with_what_vanished(home: Home) -> None:
    session = await filled(home, 5)
    assert session.selected is not None
    modseq = session.selected.highest_modseq
    with home.server.imap(home.login, "INBOX") as other:
        other.store("4", "+FLAGS", "$Later")
        other.store("1:2", "+FLAGS", "\\Deleted")
        other.expunge()
    if not session.can_condstore:
        with pytest.raises(Bad):
            await fetched(session, "FLAGS", changed_since=1)
        return
    await session.noop()
    session.take_vanished()
    found = await fetched(session, "FLAGS", changed_since=modseq, vanished=session.can_resync)
    assert [(one.uid, "$Later" in (one.flags or ())) for one in found] == [(4, True)]
    assert found[0].modseq > modseq
    assert session.take_vanished() == (((1, 2),) if session.can_resync else ())


# --- Fetching


async def test_all_items_of_a_message(home: Home) -> None:
    received = datetime(2020, 2, 29, 23, 59, 58, tzinfo=timezone(timedelta(hours=-5)))
    await home.session.append("INBOX", GREEN, ["\\Seen", "$Forwarded"], received)
    await home.session.select("INBOX")
    [one] = await fetched(
        home.session, "FLAGS", "INTERNALDATE", "RFC822.SIZE", "BODYSTRUCTURE", "BODY.PEEK[HEADER]", "BODY.PEEK[1]<0.3>",
        "BODY.PEEK[]", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]",
    )  # fmt: skip
    assert one.uid == 1
    assert {"\\Seen", "$Forwarded"} <= (one.flags or set())
    assert one.internal_date == received
    assert one.internal_date is not None
    assert one.internal_date.tzinfo is UTC
    assert one.size == len(GREEN)
    assert one.structure is not None
    assert (one.structure.type, one.structure.params["charset"].lower()) == ("text/plain", "utf-8")
    head, _, body = GREEN.partition(b"\r\n\r\n")
    assert one.sections == {
        "": GREEN, "HEADER": head + b"\r\n\r\n", "1": body[:3],
        "HEADER.FIELDS (SUBJECT)": b"Subject: =?utf-8?q?gr=C3=BCn?=\r\n\r\n",
    }  # fmt: skip


async def test_nothing_is_nothing(home: Home) -> None:
    """Empty mailboxes, sets of what is not there, and no set at all."""
    session = home.session
    await session.select("INBOX")
    assert await fetched(session, "FLAGS") == []
    assert await session.search(["ALL"]) == ()
    assert [piece async for piece in session.stream(1, "")] == []
    assert (await session.store(((7, 9),), "+FLAGS", ["\\Seen"])).fetched == ()
    assert await fetched(session, "FLAGS", spans=()) == []
    assert (await session.copy((), "INBOX")).uids == {}
    await session.expunge(())


async def test_a_set_that_is_longer_than_a_line(home: Home) -> None:
    session = await filled(home)
    scattered = tuple((uid, uid) for uid in range(1, 10_000, 2))
    assert [one.uid for one in await fetched(session, "FLAGS", spans=scattered)] == [1, 3]
    stored = await session.store(scattered, "+FLAGS", ["\\Flagged"])
    assert [one.uid for one in stored.fetched] == [1, 3]


async def test_fetching_can_be_left_half_way(home: Home) -> None:
    session = await filled(home, 30)
    for _ in range(2):
        async for one in session.fetch(((1, 30),), ["BODY.PEEK[]"]):
            assert one.sections[""] == PLAIN
            if one.uid == 3:
                break
        assert len(await fetched(session, "FLAGS")) == 30
    assert session.clean


async def test_two_commands_at_a_time_are_refused(home: Home) -> None:
    session = await filled(home, 3)
    async with aclosing(session.fetch(((1, 3),), ["BODY.PEEK[]"])) as messages:
        async for _ in messages:
            # Only while the answer has not been read to its end, which a small one may have been.
            if session.connection.busy:
                with pytest.raises(Bad):
                    await session.noop()
    await session.noop()


async def test_streaming_whole_and_decoded(home: Home) -> None:
    content = bytes(range(256)) * 2000
    encoded = base64.encodebytes(content).replace(b"\n", b"\r\n")
    raw = (
        b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfoo=\r\n"
        b"bar\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded
        + b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"Gr=C3=BC=\r\n=C3=9Fe\r\n--b--\r\n"
    )
    session = home.session
    await session.append("INBOX", raw)
    await session.select("INBOX")

    async def whole(section: str, binary: bool = False) -> bytes:
        return b"".join([piece async for piece in session.stream(1, section, binary=binary)])

    assert await whole("") == raw
    assert await whole("2") in (encoded, encoded[:-2])
    assert await whole("2", binary=True) == content
    assert (await whole("3", binary=True)).strip() == "Grüße".encode()
    assert await whole("7") == b""


async def test_a_stream_can_be_left_half_way(home: Home) -> None:
    session = home.session
    await session.append("INBOX", b"Subject: x\r\n\r\n" + b"x" * 998 * 1 + b"\r\n" + (b"y" * 70 + b"\r\n") * 8000)
    await session.select("INBOX")
    async with aclosing(session.stream(1, "")) as pieces:
        async for _ in pieces:
            break
    assert len(await fetched(session, "FLAGS")) == 1


# --- Flags


async def test_flags_are_set_and_taken_off(home: Home) -> None:
    session = await filled(home)
    await session.store(((1, 2),), "+FLAGS", ["\\Seen", "$Forwarded", "Grün".encode("punycode").decode()])
    await session.store(((2, 2),), "-FLAGS", ["\\Seen"])
    stored = await session.store(((3, 3),), "FLAGS", ["\\Answered"])
    assert [(one.uid, (one.flags or frozenset()) - {"\\Recent"}) for one in stored.fetched] == [(3, {"\\Answered"})]
    flags = {one.uid: (one.flags or frozenset()) - {"\\Recent"} for one in await fetched(session, "FLAGS")}
    assert flags == {
        1: {"\\Seen", "$Forwarded", "Grn-ioa"}, 2: {"$Forwarded", "Grn-ioa"}, 3: {"\\Answered"},
    }  # fmt: skip
    for wrong in ("two words", "a(b", 'x"y', "", "a\r\nb"):
        with pytest.raises(Bad):
            await session.store(((1, 1),), "+FLAGS", [wrong])


async def test_flags_are_not_set_on_what_has_changed_meanwhile(home: Home) -> None:
    session = await filled(home)
    if not session.can_condstore:
        with pytest.raises(Bad):
            await session.store(((1, 1),), "+FLAGS", ["\\Seen"], unchanged_since=1)
        return
    assert session.selected is not None
    modseq = session.selected.highest_modseq
    with home.server.imap(home.login, "INBOX") as other:
        other.store("2", "+FLAGS", "\\Flagged")
    stored = await session.store(((1, 3),), "+FLAGS", ["\\Seen"], unchanged_since=modseq)
    assert stored.modified == ((2, 2),)
    assert {1, 3} <= {one.uid for one in stored.fetched}
    assert all(one.modseq > modseq for one in stored.fetched if one.uid != 2)
    flags = {one.uid: "\\Seen" in (one.flags or ()) for one in await fetched(session, "FLAGS")}
    assert flags == {1: True, 2: False, 3: True}


# --- Searching


async def test_search(home: Home) -> None:
    session = home.session
    for raw in (PLAIN, GREEN, PLAIN, PLAIN):
        await session.append("INBOX", raw)
    await session.select("INBOX")
    await session.store(((3, 3),), "+FLAGS", ["\\Seen"])
    assert await session.search(["UNSEEN"]) == ((1, 2), (4, 4))
    assert await session.search(["SUBJECT", "grün".encode()], charset="UTF-8") == ((2, 2),)
    assert await session.search(["OR", "SUBJECT", b'a"\\b', "HEADER", "Subject", b"one"]) == ((1, 1), (3, 4))
    assert await session.search(["DELETED"]) == ()
    with pytest.raises((No, Bad)):
        await session.search(["SUBJECT", b"x\xff"], charset="X-NONE")
    with pytest.raises(Bad):
        await session.search(["SUBJECT x\r\nA9 LOGOUT"])


# --- Putting and moving


async def test_appended_messages_are_found_where_the_server_says(home: Home) -> None:
    session = home.session
    placed = await session.append("INBOX", PLAIN * 2000, ["\\Seen"])
    assert placed.uids == ({0: 1} if session.offers("UIDPLUS") else {})
    selected = await session.select("INBOX")
    assert placed.uid_validity in (selected.uid_validity, 0)
    with pytest.raises(No) as refused:
        await session.append(f"{home.prefix}none", PLAIN)
    assert refused.value.code == "TRYCREATE"
    assert session.clean


async def test_messages_are_copied_and_moved(home: Home) -> None:
    session, there = await filled(home, 4), f"{home.prefix}there"
    await session.create(there)
    copied = await session.copy(((2, 3),), there)
    moved = await session.move(((1, 1), (4, 4)), there)
    if session.offers("UIDPLUS"):
        assert copied.uids == {2: 1, 3: 2}
        assert moved.uids == {1: 3, 4: 4}
    assert [one.uid for one in await fetched(session, "FLAGS")] == [2, 3]
    selected = await session.select(there)
    assert selected.messages == 4
    assert copied.uid_validity in (selected.uid_validity, 0)
    assert all("\\Deleted" not in (one.flags or ()) for one in await fetched(session, "FLAGS"))
    with pytest.raises(No) as refused:
        await session.move(((1, 1),), f"{home.prefix}none")
    assert refused.value.code == "TRYCREATE"


async def test_expunging_spares_what_others_have_marked(home: Home) -> None:
    session = await filled(home, 5)
    await session.store(((1, 2),), "+FLAGS", ["\\Deleted"])
    await session.expunge(((2, 2), (4, 5)))
    flags = {one.uid: (one.flags or frozenset()) - {"\\Recent"} for one in await fetched(session, "FLAGS")}
    assert flags == {1: {"\\Deleted"}, 3: frozenset()}
    assert session.selected is not None
    assert session.selected.messages == 2
    if session.can_resync:
        assert session.take_vanished() == ((2, 2), (4, 5))


# --- Waiting


async def test_idle_names_the_selected_mailbox(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eas.backends.imap.session._NOOP_SECONDS", 0.1)
    session = await filled(home)
    heard: list[frozenset[str]] = []

    async def deliver() -> None:
        await asyncio.sleep(0.2)
        await asyncio.to_thread(home.server.append, home.login, "INBOX", PLAIN)

    task = asyncio.create_task(deliver())
    async with aclosing(session.idle(60)) as news:
        async for names in news:
            heard.append(names)
            break
    await task
    assert heard == [{"INBOX"}]
    await session.noop()
    assert session.selected is not None
    assert session.selected.messages == 4
    assert session.clean


async def test_idle_comes_to_its_end(home: Home) -> None:
    session = await filled(home, 1)
    assert [names async for names in session.idle(0.2)] == []
    await session.noop()


async def test_notify_names_all_mailboxes_with_news(dovecot: Any) -> None:
    login, _ = dovecot.new_user()
    async with entered(dovecot, login) as session:
        await session.create("there")
        assert await session.notify()
        assert not session.clean

        async def deliver() -> None:
            await asyncio.sleep(0.1)
            await asyncio.to_thread(dovecot.append, login, "there", PLAIN)

        task = asyncio.create_task(deliver())
        async with aclosing(session.idle(60)) as news:
            async for names in news:
                # Of the inbox, that it was just made.
                assert names <= {"there", "INBOX"}
                if "there" in names:
                    break
            else:
                raise AssertionError("never told")
        await task


async def test_notify_names_mailboxes_that_are_made_renamed_and_deleted(dovecot: Any) -> None:
    login, _ = dovecot.new_user()
    async with entered(dovecot, login) as session, entered(dovecot, login) as other:
        await other.status("INBOX")
        assert await session.notify()

        told = list[str]()

        async def work() -> None:
            # One by one: what comes and goes within half a second is not told.
            await asyncio.sleep(0.1)
            await other.create("one")
            await until(lambda: "one" in told)
            await other.rename("one", "two")
            await until(lambda: "two" in told)
            await other.delete("two")

        task = asyncio.create_task(work())
        async with aclosing(session.idle(180)) as news:
            async for names in news:
                told += names
                if told.count("two") == 2:
                    break
        await task


async def test_no_notify_where_it_is_not_offered(dovecot_plain: Any) -> None:
    login, _ = dovecot_plain.new_user()
    async with entered(dovecot_plain, login) as session:
        assert not await session.notify()
        assert session.clean
