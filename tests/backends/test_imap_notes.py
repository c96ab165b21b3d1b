"""Notes over IMAP: messages as notes and notes as messages, by us and by Apple's programs at the same time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mailhome import MailHome, mail_home

from eas.backends.imap import notemail
from eas.backends.imap.folders import INBOX
from eas.backends.imap.notes import NotesSource, of_notes
from eas.backends.standards import registry
from eas.backends.standards.ports import Numbered
from eas.backends.standards.tenant import Provider
from eas.engine.errors import FolderGone, ItemGone, NotAllowed, VersionConflict
from eas.engine.model import FolderType
from eas.engine.ports import Chosen, Feed, Horizon, MailQuery
from eas.items import headers, kql, mime, notes
from eas.items.body import Body, BodyPreference, BodyType, Wanted
from eas.items.contentline import parse
from eas.items.native import Mail, MailFlags, Record, Unreadable, Viewer
from eas.protocol.version import Version

SERVERS = ("dovecot", "dovecot_plain", "cyrus")
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
VIEWER = Viewer(addresses=("anna@example.com",), name="Anna", zone="UTC", now=NOW)
ALL = frozenset({"subject", "body", "categories"})

APPLE = (
    b"Subject: Shopping\r\nFrom: Anna <anna@example.com>\r\nX-Uniform-Type-Identifier: com.apple.mail-note\r\n"
    b"X-Universally-Unique-Identifier: 5D1C3F4A-0001-4000-8000-00805F9B34FB\r\n"
    b"X-Mail-Created-Date: Fri, 20 Nov 2026 10:00:00 +0100\r\nX-Apple-Notes-Thing: kept\r\n"
    b"Date: Sat, 21 Nov 2026 09:30:00 +0100\r\nMessage-Id: <apple-1@example.com>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
    b"<html><body><div>Shopping</div><div>Milk &amp; bread</div></body></html>\r\n"
)
PICTURE = (
    b"Subject: Holiday\r\nMessage-Id: <apple-2@example.com>\r\nMIME-Version: 1.0\r\n"
    b"X-Universally-Unique-Identifier: WITH-PICTURE\r\n"
    b"Content-Type: multipart/related; boundary=\"xx\"; type=\"text/html\"\r\n\r\nprologue\r\n--xx\r\n"
    b"Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n"
    b"X-Part: kept\r\n\r\n<p>Gr=FC=DFe<img src=\"cid:p\"></p>\r\n--xx\r\n"
    b"Content-Type: image/png\r\nContent-ID: <p>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--xx--\r\n"
)


def note(subject: str, text: str = "", *, html: str | None = None, categories: Sequence[str] = (), uid: str = "u-1",
         base: bytes | None = None) -> bytes:
    body = Body(type=BodyType.HTML, data=html) if html is not None else Body(type=BodyType.TEXT, data=text)
    item = notes.Note(subject=subject, body=body, categories=tuple(categories), message_class=notes.STICKY_NOTE)
    return notes.to_native(item, ALL, base, frozenset({"message_class"}), VIEWER, Version.V16_1, uid)


def shown(data: bytes, type: BodyType = BodyType.TEXT) -> notes.Note:
    return notes.from_native(data, Wanted(preferences=(BodyPreference(type=type),)), VIEWER, Version.V16_1)


def text(data: bytes) -> str:
    body = shown(data).body
    assert body is not None
    return body.data or ""


def as_mail(raw: bytes, id: int = 7) -> Mail:
    root = mime.structure(raw)
    wanted = mime.sections_wanted(root, notemail.wanted(1 << 20))
    parts = {part.section: part for part in mime.walk(root)}
    return Mail(
        id=id, version="r", flags=MailFlags(read=True, categories=("Home",)), received=NOW, size=len(raw),
        header=raw[: mime.header_end(raw)], structure=root,
        sections={section: mime.cut_from(raw, parts[section]) for section in wanted},
    )


# --- Messages and notes -----------------------------------------------------------------------------------------------


def test_a_message_of_apples_is_a_note() -> None:
    data = notemail.journal(as_mail(APPLE))
    found = shown(data)
    assert (found.subject, found.categories, found.message_class) == ("Shopping", ("Home",), "IPM.StickyNote")
    assert text(data) == "Shopping\nMilk & bread"
    assert found.last_modified == datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
    journal = parse(data).components("VJOURNAL")[0]
    uid, created = journal.first("UID"), journal.first("CREATED")
    assert uid is not None
    assert uid.value == "5D1C3F4A-0001-4000-8000-00805F9B34FB"
    assert created is not None
    assert created.value == "20261120T090000Z"


def test_a_new_note_is_a_message_as_apple_writes_it() -> None:
    raw = notemail.message(
        note("Einkaufen für Jörg", html="<p>Milch</p>", categories=("Home",)), NOW, message_id="<m@x>",
        sender=headers.Address("Jörg", "joerg@example.com"),
    )
    fields = headers.parse(raw[: mime.header_end(raw)])
    assert raw[: mime.header_end(raw)].isascii()
    assert headers.text(fields[b"subject"]) == "Einkaufen für Jörg"
    assert fields[b"x-uniform-type-identifier"] == b"com.apple.mail-note"
    assert fields[b"x-universally-unique-identifier"] == b"u-1"
    assert fields[b"message-id"] == b"<m@x>"
    assert fields[b"content-type"].startswith(b"text/html")
    assert "<p>Milch</p>" in str(shown(notemail.journal(as_mail(raw)), BodyType.HTML).body)


def test_an_edit_leaves_what_is_not_edited() -> None:
    before = notemail.journal(as_mail(APPLE))
    after = notemail.said(note("Shopping!", "Only milk\nand “tea”", base=before))
    raw = notemail.edited(APPLE, after, NOW, message_id="<new@x>", uid="ignored")
    fields = headers.parse(raw[: mime.header_end(raw)])
    assert fields[b"x-apple-notes-thing"] == b"kept"
    assert fields[b"x-universally-unique-identifier"] == b"5D1C3F4A-0001-4000-8000-00805F9B34FB"
    assert fields[b"x-mail-created-date"].startswith(b"Fri, 20 Nov 2026")
    assert (fields[b"message-id"], fields[b"subject"]) == (b"<new@x>", b"Shopping!")
    assert raw.lower().count(b"\nmessage-id:") == 1
    found = notemail.journal(as_mail(raw))
    assert text(found) == "Only milk\nand “tea”"
    assert shown(found).last_modified == NOW


def test_pictures_stay_in_a_note_that_is_edited() -> None:
    before = notemail.journal(as_mail(PICTURE))
    assert text(before) == "Grüße"
    html = '<p>Grüße aus Łódź<img src="cid:p"></p>'
    raw = notemail.edited(PICTURE, notemail.said(note("Holiday", html=html)), NOW, message_id="<n@x>", uid="")
    root = mime.structure(raw)
    assert [part.type for part in root.children] == ["text/html", "image/png"]
    assert mime.cut_from(raw, root.children[1]).strip() == b"iVBORw0KGgo="
    assert b"X-Part: kept" in raw
    assert b"prologue" in raw
    assert raw.endswith(b"--xx--\r\n")
    assert notemail.said(notemail.journal(as_mail(raw))).html == html


def test_both_forms_of_a_text_are_replaced() -> None:
    raw = (
        b"Subject: a\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: text/plain\r\n\r\nold\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>old</p>\r\n--b--\r\n"
    )
    changed = notemail.edited(raw, notemail.said(note("a", html="<p>new</p>")), NOW, message_id="<n@x>", uid="u")
    assert b"old" not in changed
    assert changed.count(b"new") == 2
    assert [part.type for part in mime.structure(changed).children] == ["text/plain", "text/html"]


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: x\r\nContent-Type: image/png\r\n\r\nxx",
        b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: image/png\r\n\r\nxx\r\n--b--\r\n",
    ],
)
def test_what_has_no_text_is_not_edited(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        notemail.edited(raw, notemail.Said(text="x"), NOW, message_id="<n@x>", uid="u")


_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff") | st.just("\n"),
                max_size=80)


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Zs"), exclude_characters="\ufffe\uffff"),
               max_size=60), _TEXT, st.booleans())
def test_what_a_note_says_survives_being_a_message(subject: str, body: str, rich: bool) -> None:
    said = notemail.Said(subject=subject, text=body, html=f"<p>{body}</p>" if rich else None)
    raw = notemail.edited(APPLE, said, NOW, message_id="<n@x>", uid="u")
    found = notemail.said(notemail.journal(as_mail(raw)))
    assert (found.subject, found.html) == (subject, said.html)
    if not rich:
        assert found.text == body


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_whatever_stands_in_the_mailbox_is_shown_or_unreadable(raw: bytes) -> None:
    try:
        mail = as_mail(raw)
    except Unreadable:
        return
    try:
        parse(notemail.journal(mail))
        notemail.edited(raw, notemail.Said(text="x"), NOW, message_id="<n@x>", uid="u")
    except Unreadable:
        assert notes.degraded(notemail.unreadable(mail), "why").subject


def test_a_query_asks_of_notes_what_they_can_tell() -> None:
    record = kql.Candidate(item_class="Notes", received=NOW, within=lambda property: "shopping list home")
    for query in ("shopping", "from:shopping", "read:true", "read:false", "kind:note", "kind:mail", "importance:high",
                  "importance:normal", "hasattachment:true", "hasattachment:false", "isflagged:true", "-milk",
                  "milk OR kind:note", "received:today", "received<2020-01-01"):
        node = kql.parse(query, NOW, UTC)
        assert node is not None
        assert kql.matches(of_notes(node), record) == kql.matches(node, record), query


# --- On servers -------------------------------------------------------------------------------------------------------


@dataclass
class Notebook:
    home: MailHome
    at: Numbered

    @property
    def source(self) -> NotesSource:
        return NotesSource(self.home.account, self.home.pool, self.resolve)

    async def resolve(self, id: str) -> Numbered | None:
        return self.at if id == str(self.at.number) else None

    @property
    def feed(self) -> Feed:
        return self.source.feed(self.at)

    async def read(self, id: int) -> Record:
        found = [record async for record in self.feed.fetch([id], None)]
        assert len(found) == 1
        assert isinstance(found[0], Record)
        return found[0]

    async def listed(self) -> dict[int, str]:
        return dict((await self.feed.delta(None, Horizon())).touched)


@pytest.fixture(params=SERVERS)
async def notebook(
    request: pytest.FixtureRequest, database_template: Path, tmp_path: Path
) -> AsyncIterator[Notebook]:
    server: Any = request.getfixturevalue(request.param)
    async with mail_home(server, database_template, tmp_path, notes=Provider.IMAP) as home:
        source = NotesSource(home.account, home.pool, home.resolve)
        places = await source.places()
        assert places == await source.places()
        numbers = await registry.numbered(home.account.ground, home.account.user.id, "notes", places)
        yield Notebook(home, numbers[0])


async def test_there_is_one_folder_of_notes_and_it_is_none_of_mail(notebook: Notebook) -> None:
    place = notebook.at.place
    assert (place.name, place.type, place.item_class) == ("Notes", FolderType.NOTES, "Notes")
    assert place.locator not in await notebook.home.places()
    source = notebook.source
    assert not source.makes(FolderType.USER_NOTES)
    with pytest.raises(NotAllowed):
        await source.delete(place)
    with pytest.raises(NotAllowed):
        await source.rename(place, None, "x")


async def test_a_note_is_made_once_and_read_as_it_was_written(notebook: Notebook) -> None:
    data = note("Shopping", "Milk\nBread", categories=("Home", "Über uns"))
    chosen = Chosen(name="c1", note=await notebook.feed.mark())
    written = await notebook.feed.create(data, chosen)
    assert written.same
    assert (await notebook.feed.create(data, chosen)).id == written.id
    record = await notebook.read(written.id)
    found = shown(record.data)
    assert (found.subject, found.categories) == ("Shopping", ("Home", "Über uns"))
    assert text(record.data) == "Milk\nBread"
    assert await notebook.listed() == {written.id: written.version} == {record.id: record.version}
    assert await notebook.feed.by_uid("u-1") == written.id
    assert await notebook.feed.by_uid("u-2") is None
    assert b"".join([piece async for piece in notebook.feed.part(written.id, "")]) == record.data


async def test_an_edited_note_keeps_its_id_and_what_we_do_not_know(notebook: Notebook) -> None:
    notebook.home.append(notebook.at.place.locator, APPLE)
    (id, version), = (await notebook.listed()).items()
    record = await notebook.read(id)
    token = (await notebook.feed.delta(None, Horizon())).token
    changed = note("Shopping", "Tea", categories=("Home",), base=record.data)
    written = await notebook.feed.update(id, changed, version)
    assert (written.id, written.same) == (id, True)
    assert written.version != version
    with pytest.raises(VersionConflict):
        await notebook.feed.update(id, note("Other", "x", base=record.data), version)
    # The same again is done already, whatever version it was meant for.
    assert (await notebook.feed.update(id, changed, version)).version == written.version
    delta = await notebook.feed.delta(token, Horizon())
    assert dict(delta.touched) == {id: written.version}
    assert text((await notebook.read(id)).data) == "Tea"
    with notebook.home.server.imap(notebook.home.login, notebook.at.place.locator) as client:
        assert len(client.search(None, "ALL")[1][0].split()) == 1
        raw = client.fetch("1", "(BODY.PEEK[])")[1][0][1]
    assert b"X-Apple-Notes-Thing: kept" in raw


async def test_categories_alone_leave_the_message(notebook: Notebook) -> None:
    written = await notebook.feed.create(note("a", "text"), Chosen(name="c"))
    record = await notebook.read(written.id)
    after = await notebook.feed.update(
        written.id, note("a", "text", categories=("Work",), base=record.data), written.version
    )
    assert after.version.partition(".")[0] == written.version.partition(".")[0]
    assert after.version != written.version
    assert shown((await notebook.read(written.id)).data).categories == ("Work",)


async def test_what_others_do_is_seen(notebook: Notebook) -> None:
    written = await notebook.feed.create(note("a", "text"), Chosen(name="c"))
    token = (await notebook.feed.delta(None, Horizon())).token
    assert (await notebook.feed.delta(token, Horizon())).token == token
    notebook.home.append(notebook.at.place.locator, APPLE)
    with notebook.home.server.imap(notebook.home.login, notebook.at.place.locator) as client:
        client.store("1", "+FLAGS", "\\Deleted")
        client.expunge()
    delta = await notebook.feed.delta(token, Horizon())
    assert len(delta.touched) == 1
    assert written.id in delta.gone or (delta.complete and written.id not in delta.touched)
    look = await notebook.feed.look([written.id, *delta.touched], Horizon())
    assert dict(look.versions) == dict(delta.touched)


async def test_a_deleted_note_is_gone(notebook: Notebook) -> None:
    written = await notebook.feed.create(note("a", "text"), Chosen(name="c"))
    with pytest.raises(VersionConflict):
        await notebook.feed.delete(written.id, "n99")
    await notebook.feed.delete(written.id, written.version)
    assert await notebook.listed() == {}
    for attempt in (
        notebook.feed.delete(written.id), notebook.feed.delete(written.id, written.version),
        notebook.feed.update(written.id, note("b"), None),
    ):
        with pytest.raises(ItemGone):
            await attempt
    with pytest.raises((NotAllowed, FolderGone)):
        await notebook.feed.move(written.id, "999", Chosen(name="m"))
    with pytest.raises(NotAllowed):
        await notebook.feed.set_flags(written.id, MailFlags())


async def test_notes_are_found(notebook: Notebook) -> None:
    ids = [
        (await notebook.feed.create(note(subject, body, categories=categories, uid=subject), Chosen(name=subject))).id
        for subject, body, categories in (
            ("Shopping", "milk and bread", ("Home",)), ("Milk", "tea", ()), ("Work", "nothing", ("Milky",)),
        )
    ]
    source = notebook.source

    async def found(**query: Any) -> set[int]:
        return {hit.id for hit in await source.search(MailQuery(**query), [notebook.at])}

    now = datetime.now(UTC)
    assert await found(text="milk") == set(ids)
    assert await found(text="tea") == {ids[1]}
    assert await found(text="milk bread") == {ids[0]}
    assert await found(matching=kql.parse("category:home", now, UTC)) == {ids[0]}
    assert await found(matching=kql.parse("kind:note -milk", now, UTC)) == set()
    assert await found(matching=kql.parse("kind:mail", now, UTC)) == set()
    assert await found(since=NOW - timedelta(days=5)) == set(ids)
    assert await found(conversation=b"0" * 16) == set()


async def test_the_folder_is_emptied(notebook: Notebook) -> None:
    await notebook.feed.create(note("a"), Chosen(name="a"))
    before = await notebook.source.probe([notebook.at])
    await notebook.source.empty(notebook.at.place)
    assert await notebook.listed() == {}
    assert await notebook.source.probe([notebook.at]) != before
    assert INBOX in await notebook.home.places()
