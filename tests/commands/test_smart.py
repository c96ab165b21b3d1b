"""SmartReply and SmartForward. [MS-ASCMD] SmartForward, SmartReply, Source, ReplaceMime, InstanceId."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from mail_kit import (
    BOTTOMLESS,
    BROKEN,
    DRAWING,
    PLAN,
    RICH,
    VERSIONS,
    WBXML_VERSIONS,
    Mailroom,
    invitation,
    is_sent,
    letter,
    said,
    send,
)
from wire import Got, Wire, e

from eas.engine.errors import Unavailable
from eas.engine.model import FolderType
from eas.engine.ports import Chosen
from eas.protocol.wbxml import Element

Wires = Callable[..., Wire]
COMMANDS = ("SmartReply", "SmartForward")

SERIES = "RRULE:FREQ=DAILY;COUNT=5\r\n"
CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nN:Doe;Jo;;;\r\nFN:Jo Doe\r\nEND:VCARD\r\n"

APPOINTMENT = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:daily\r\nDTSTAMP:20260302T100000Z\r\n"
    b"DTSTART:20270302T100000Z\r\nDTEND:20270302T110000Z\r\nSUMMARY:Daily round\r\nRRULE:FREQ=DAILY;COUNT=5\r\n"
    b"END:VEVENT\r\nEND:VCALENDAR\r\n"
)
SINGLE = APPOINTMENT.replace(b"RRULE:FREQ=DAILY;COUNT=5\r\n", b"")


def source(item: str = "", folder: str = "", long: str = "", instance: str | None = None) -> Any:
    named = [("FolderId", folder), ("ItemId", item), ("LongId", long)]
    parts = [e(tag, text) for tag, text in named if text]
    return e("Source", *parts, *([e("InstanceId", instance)] if instance is not None else []))


async def smart(
    device: Wire, command: str, item: str = "", mime: bytes | None = None, *more: Any, folder: str | None = None,
    long: str = "", instance: str | None = None, **others: Any,
) -> Got:
    """The source by ItemId with the folder that it names, unless another is stated."""
    folder = item.partition(":")[0] if folder is None else folder
    query = {"CollectionId": folder, "ItemId": item, "LongId": long, "Occurrence": instance or ""}
    written = source(item, folder, long, instance)
    mime = letter("Re: it", "My words.") if mime is None else mime
    return await send(device, command, mime, written, *more, **others, **query)


def opened(raw: bytes) -> Any:
    return message_from_bytes(raw, policy=default)


def texts(raw: bytes) -> tuple[str, str]:
    """The plain and the HTML text."""
    message = opened(raw)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    return (plain.get_content() if plain else ""), (html.get_content() if html else "")


def attached(raw: bytes) -> dict[str, str]:
    """Name -> type of all that is a file, inline or not."""
    return {part.get_filename(): part.get_content_type() for part in opened(raw).walk() if part.get_filename()}


# What is refused ----------------------------------------------------------------------------------------------------


MISFITS: tuple[tuple[tuple[Element, ...], str], ...] = (
    ((), "103"),
    ((e("ClientId", "c1"), e("Mime", letter())), "103"),
    ((e("ClientId", "c1"), source("1:1", "1")), "103"),
    ((e("ClientId", ""), source("1:1", "1"), e("Mime", letter())), "103"),
    ((e("ClientId", "c1"), e("Source"), e("Mime", letter())), "106"),
    ((e("ClientId", "c1"), source(folder="1"), e("Mime", letter())), "105"),
    ((e("ClientId", "c1"), source("1:1", "1", long="1:1"), e("Mime", letter())), "105"),
    ((e("ClientId", "c1"), source("1:1", long="1:1"), e("Mime", letter())), "105"),
    ((e("ClientId", "c1"), source(long="1:1", instance="2027-03-02T10:00:00.000Z"), e("Mime", letter())), "105"),
    ((e("ClientId", "c1"), source("no id", "1"), e("Mime", letter())), "106"),
    ((e("ClientId", "c1"), source("1" * 65, "1"), e("Mime", letter())), "106"),
    ((e("ClientId", "c1"), source("1:1", "1", instance="tomorrow"), e("Mime", letter())), "104"),
    ((e("ClientId", "c1"), source("1:1", "1", instance="20270302T100000Z"), e("Mime", letter())), "104"),
    ((e("ClientId", "c1"), source("1:1", "1", instance="2027-02-30T10:00:00.000Z"), e("Mime", letter())), "104"),
    ((e("ClientId", "c1"), source("999:1", "999"), e("Mime", letter())), "150"),
    ((e("ClientId", "c1"), source("1:999", "1"), e("Mime", letter())), "150"),
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("version", WBXML_VERSIONS)
async def test_a_request_that_names_nothing_is_refused(
    wire: Wires, room: Mailroom, command: str, version: str
) -> None:
    """R541, R578 (104), R4821 (105), R4823 (106), R4930 (150)."""
    for parts, status in MISFITS:
        got = await wire(version=version).post(command, e(f"ComposeMail:{command}", *parts))
        assert (got.http, got.status) == (200, status), parts
    assert await room.messages("ben") == []


#: Status, and what takes its place before 14.0.
NOT_FOUND, BAD = ("150", "HTTP 500"), ("107", "HTTP 400")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("version", VERSIONS)
async def test_what_cannot_be_found_or_sent(wire: Wires, room: Mailroom, command: str, version: str) -> None:
    """R4930 (150), R724 (166), R4826 (107), R4853 (119), R4921 (147); another user's message does not exist."""
    device = wire(version=version)
    mine, gone = [await room.deliver("anna", letter(subject)) for subject in ("Hello", "Gone")]
    await (await room.feed("anna", FolderType.INBOX)).delete(int(gone.partition(":")[2]))
    foreign = await room.deliver("carla", letter("Secret", to="carla@example.com"))
    card = await room.put("anna", FolderType.CONTACTS, CARD)
    sent, inbox = (await room.folder("anna", FolderType.SENT_ITEMS)).id, mine.partition(":")[0]
    nowhere = letter("Re: Hello").replace(b"To: Ben <ben@example.com>\r\n", b"")
    rows: list[tuple[dict[str, Any], tuple[str, str]]] = [
        ({"item": foreign}, NOT_FOUND),
        ({"item": foreign, "folder": inbox}, NOT_FOUND),
        ({"item": "", "folder": "", "long": foreign}, NOT_FOUND),
        ({"item": gone}, NOT_FOUND),
        ({"item": mine, "folder": sent}, NOT_FOUND),
        ({"item": card}, ("147", "HTTP 400")),
        ({"item": mine, "mime": BROKEN}, BAD),
        ({"item": mine, "mime": nowhere}, ("119", "HTTP 500")),
        ({"item": mine, "mime": letter("Re: Hello", to="nobody@example.com")}, ("116", "HTTP 500")),
    ]
    for words, status in rows:
        assert said(await smart(device, command, **words)) == status[version == "12.1"], words
    if version == "14.1":
        assert said(await smart(device, command, mine, None, e("AccountId", "other"))) == "166"
    assert await room.messages("ben") == []
    assert [mail.flags.last_verb for mail in await room.mails("anna")] == [0]


# What is sent -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("by", ["item", "item alone", "long id"])
async def test_a_reply_quotes_the_original(wire: Wires, room: Mailroom, version: str, by: str) -> None:
    """R569, R580, R605, R5776. A ServerId is as good as a LongId."""
    mine = await room.deliver("anna", RICH)
    words = {"item": {"item": mine}, "item alone": {"item": mine, "folder": ""}, "long id": {"long": mine}}[by]
    assert is_sent(await smart(wire(version=version), "SmartReply", **words, save=True))
    (got,) = await room.messages("ben")
    plain, html = texts(got)
    assert plain.index("My words.") < plain.index('From: "Carla"') < plain.index("> See the drawing")
    assert html.index("My words.") < html.index("<b>drawing</b>")
    # R584 is the device's; what the server adds is UTF-8, too.
    assert {part.get_content_charset() for part in opened(got).walk() if part.get_content_maintype() == "text"} == {
        "utf-8"
    }
    assert attached(got) == {"drawing.png": "image/png"}, "a picture that the quoted text shows, and no more"
    assert opened(got)["In-Reply-To"] == "<plans@example.com>"
    assert await room.messages("anna", FolderType.SENT_ITEMS) == [got]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("by", ["item", "long id"])
async def test_a_forward_has_all_that_is_attached(wire: Wires, room: Mailroom, version: str, by: str) -> None:
    """R532, R568, R545; R4407"""
    mine = await room.deliver("anna", RICH)
    words = {"item": mine} if by == "item" else {"long": mine}
    assert is_sent(await smart(wire(version=version), "SmartForward", **words))
    (got,) = await room.messages("ben")
    plain, _ = texts(got)
    assert plain.index("My words.") < plain.index("See the drawing")
    assert "> See" not in plain
    parts = {part.get_filename(): part for part in opened(got).walk() if part.get_filename()}
    assert parts["plan.txt"].get_payload(decode=True) == PLAN
    assert parts["drawing.png"].get_payload(decode=True) == DRAWING
    assert parts["Enclosed.eml" if "Enclosed.eml" in parts else "message.eml"].get_content_type() == "message/rfc822"
    assert b"AAEC/w==" in got


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("version", WBXML_VERSIONS)
async def test_with_replace_mime_nothing_is_added(wire: Wires, room: Mailroom, command: str, version: str) -> None:
    """R3775: what the device says is all that is sent. The original is marked all the same."""
    mine = await room.deliver("anna", RICH)
    assert is_sent(await smart(wire(version=version), command, mine, None, e("ReplaceMime")))
    (got,) = await room.messages("ben")
    assert got.endswith(b"\r\n\r\nMy words.\r\n")
    assert b"drawing" not in got
    (mail,) = await room.mails("anna")
    assert mail.flags.last_verb == (2 if command == "SmartReply" else 3)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("command", "to", "verb"),
    [
        ("SmartReply", "carla@example.com", 1),
        ("SmartReply", "carla@example.com, ben@example.com", 2),
        ("SmartReply", "Anna@example.com, carla@example.com", 1),
        ("SmartForward", "ben@example.com", 3),
    ],
)
async def test_the_original_shows_what_was_done(
    wire: Wires, room: Mailroom, version: str, command: str, to: str, verb: int
) -> None:
    """[MS-ASEMAIL] R510, R516-R518, R520; it stays unread."""
    mine = await room.deliver("anna", RICH)
    before = (await room.mails("anna"))[0]
    assert is_sent(await smart(wire(version=version), command, mine, letter("Re: The plans", to=to)))
    mail = (await room.mails("anna"))[0]
    assert (mail.flags.last_verb, mail.flags.read) == (verb, False)
    assert mail.flags.last_verb_time is not None
    assert mail.version != before.version


@pytest.mark.parametrize("version", ["14.0", "14.1"])
async def test_other_devices_hear_what_was_done(wire: Wires, phone: Any, room: Mailroom, version: str) -> None:
    """[MS-ASEMAIL] R510, R519: as a small Change."""
    mine = await room.deliver("anna", RICH)
    other = phone("anna", "OTHER")
    await other.set_up()
    await other.sync()
    assert is_sent(await smart(wire(version=version), "SmartForward", mine))
    report = await other.sync()
    inbox = other.state.folder(FolderType.INBOX)
    assert report.changes[inbox.id].changed == [mine]
    assert inbox.items[mine].text("Email2:LastVerbExecuted") == "3"
    assert inbox.items[mine].text("Email2:LastVerbExecutionTime").endswith(".000Z")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("version", VERSIONS)
async def test_a_message_that_cannot_be_read_is_passed_on_whole(
    wire: Wires, room: Mailroom, command: str, version: str
) -> None:
    mine = await room.deliver("anna", BOTTOMLESS)
    assert is_sent(await smart(wire(version=version), command, mine))
    (got,) = await room.messages("ben")
    assert texts(got)[0].startswith("My words.")
    if command == "SmartForward":
        (file,) = opened(got).iter_attachments()
        assert (file.get_filename(), file.get_content_type()) == ("Matryoshka.eml", "application/octet-stream")
        assert file.get_content() == BOTTOMLESS


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_forwarded_copy_does_not_tell_who_was_blind_copied(wire: Wires, room: Mailroom, version: str) -> None:
    """An own message that is signed goes as an attachment, whole but for its Bcc."""
    signed = letter("Sealed", more="Bcc: carla@example.com\r\n").replace(
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n",
        b"Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=s\r\n\r\n"
        b"--s\r\nContent-Type: text/plain\r\n\r\n",
    ) + b"--s\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nAAAA\r\n--s--\r\n"
    feed = await room.feed("anna", FolderType.SENT_ITEMS)
    await feed.create(signed, Chosen(name="sealed"))
    (mine,) = await room.ids("anna", FolderType.SENT_ITEMS)
    assert is_sent(await smart(wire(version=version), "SmartForward", mine))
    (got,) = await room.messages("ben")
    assert b"multipart/signed" in got
    assert b"carla" not in got
    assert b"Today at noon?" in got


# Appointments and their occurrences ---------------------------------------------------------------------------------


#: Series, InstanceId, status, and what takes its place before 14.0.
OCCURRENCES: tuple[tuple[bool, str | None, str, str], ...] = (
    (True, None, "sent", "sent"),
    (True, "2027-03-03T10:00:00.000Z", "sent", "sent"),
    (True, "2027-03-03T10:00:00Z", "sent", "sent"),
    (True, "2027-03-03T11:00:00.000Z", "150", "HTTP 500"),
    (True, "2027-03-20T10:00:00.000Z", "150", "HTTP 500"),
    (False, None, "sent", "sent"),
    (False, "2027-03-02T10:00:00.000Z", "146", "HTTP 500"),
    (True, "2027-03-03", "104", "HTTP 400"),
)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("where", ["calendar", "mail"])
async def test_an_occurrence_is_one_of_a_series(wire: Wires, room: Mailroom, version: str, where: str) -> None:
    """R538, R575; R5834, R5420: without an InstanceId the whole series. R541 (104), R4919 (146), R4930 (150). Up to
    12.1 the parameter is Occurrence."""
    device, sent = wire(version=version), 0
    if where == "calendar":
        calendar = FolderType.CALENDAR
        named = {True: await room.put("anna", calendar, APPOINTMENT), False: await room.put("anna", calendar, SINGLE)}
    else:
        series, single = invitation("series", lines=SERIES), invitation("single")
        named = {True: await room.deliver("anna", series), False: await room.deliver("anna", single)}
    for number, (repeats, instance, status, old) in enumerate(OCCURRENCES):
        mime, client_id = letter(f"Fwd {number}", "My words."), f"c{number}"
        got = await smart(device, "SmartForward", named[repeats], mime, instance=instance, client_id=client_id)
        assert said(got) == (old if version == "12.1" else status), (repeats, instance)
        sent += status == "sent"
        found = await room.messages("ben")
        assert len(found) == sent
        if status == "sent":
            assert "text/calendar" in {part.get_content_type() for part in opened(found[-1]).walk()}
            told = "2027-03-03 10:00 UTC" in texts(found[-1])[0]
            assert told is (instance is not None and where == "calendar")


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_ordinary_message_has_no_occurrences(wire: Wires, room: Mailroom, version: str) -> None:
    """R4919"""
    mine = await room.deliver("anna", RICH)
    got = await smart(wire(version=version), "SmartReply", mine, instance="2027-03-03T10:00:00.000Z")
    assert said(got) == ("HTTP 500" if version == "12.1" else "146")
    assert await room.messages("ben") == []


# Once ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("version", VERSIONS)
async def test_the_same_again_is_not_sent_again_even_if_the_original_is_gone(
    wire: Wires, room: Mailroom, command: str, version: str
) -> None:
    """R953: the answer was lost, and meanwhile somebody deleted the original."""
    mine = await room.deliver("anna", RICH)
    device, again = wire(version=version), "sent" if version == "12.1" else "118"
    answers = await asyncio.gather(*(smart(device, command, mine, save=True) for _ in range(2)))
    assert sorted(map(said, answers)) == sorted(["sent", again])
    await (await room.feed("anna", FolderType.INBOX)).delete(int(mine.partition(":")[2]))
    assert said(await smart(device, command, mine, save=True)) == again
    assert len(await room.messages("ben")) == 1
    assert len(await room.messages("anna", FolderType.SENT_ITEMS)) == 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_same_words_to_two_messages_are_two_replies(wire: Wires, room: Mailroom, version: str) -> None:
    """"Yes." to each of them."""
    device = wire(version=version)
    for subject in ("One", "Two"):
        mine = await room.deliver("anna", letter(subject, to="anna@example.com", sender="ben@example.com"))
        assert is_sent(await smart(device, "SmartReply", mine))
    assert len(await room.messages("ben")) == 2
    assert [mail.flags.last_verb for mail in await room.mails("anna")] == [1, 1]


@pytest.mark.parametrize("version", VERSIONS)
async def test_after_a_crash_the_original_is_marked(
    wire: Wires, room: Mailroom, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """The process dies after the reply has left, before the original was marked."""
    mine = await room.deliver("anna", RICH)
    kind: Any = type(await room.feed("anna", FolderType.INBOX))
    good = kind.set_flags

    async def dies(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(kind, "set_flags", good)
        raise Unavailable("the process died here")

    monkeypatch.setattr(kind, "set_flags", dies)
    device = wire(version=version)
    assert not is_sent(await smart(device, "SmartForward", mine, save=True))
    assert is_sent(await smart(device, "SmartForward", mine, save=True))
    assert [mail.flags.last_verb for mail in await room.mails("anna")] == [3]
    assert len(await room.messages("ben")) == 1
    assert len(await room.messages("anna", FolderType.SENT_ITEMS)) == 1
