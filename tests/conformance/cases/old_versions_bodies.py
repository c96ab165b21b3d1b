"""What stands in a message, a contact, an appointment and a task of each version: the elements that came and went."""

from __future__ import annotations

from lab import BEFORE_14, FROM_12, FROM_14, FROM_16, Lab, case
from old_kit import CALENDAR, CONTACTS, INBOX, TASKS, Device, Kept, child, device, mime, shown, text
from wire import e

from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

ONLY_2_5 = Spoken(until=Version.V2_5)

HTML = "<html><body><p>Some <b>rich</b> words.</p></body></html>"
#: Of 2.5 alone.
OLD_MAIL = {"Email:Body", "Email:BodySize", "Email:BodyTruncated"}
OLD_MIME = {"Email:MIMEData", "Email:MIMESize", "Email:MIMETruncated"}
#: Of 12.0 and later, of 14.0 and later, of 16.0 and later.
NEW_12 = {"Email:Flag", "Email:ContentClass", "AirSyncBase:Body", "AirSyncBase:NativeBodyType"}
NEW_14 = {"Email:Categories", "Email2:ConversationId", "Email2:ConversationIndex"}
NEW_16 = {"Email2:IsDraft"}


async def _mail(lab: Lab, one: Device, message: bytes | None, subject: str, *options: Element) -> Element:
    """A message to oneself as it is shown with such options."""
    message = message or mime(subject, "Some rich words.", to=one.address, sender=one.address, html=HTML)
    assert (await one.mail(message)).http == 200
    inbox = await one.kept(INBOX, *options)
    return inbox.items[await inbox.arrived(subject)]


async def _page_of_mail(lab: Lab) -> set[str]:
    one = await device(lab)
    return set(shown(await _mail(lab, one, None, lab.unique())))


@case("MS-ASWBXML", "R171 R173 R452 R464", ONLY_2_5)
async def a_message_of_2_5_has_the_old_elements_and_no_new_ones(lab: Lab) -> None:
    found = await _page_of_mail(lab)
    assert found >= OLD_MAIL
    assert not found & (NEW_12 | NEW_14 | NEW_16)
    assert {tag.partition(":")[0] for tag in found} == {"Email"}


@case("MS-ASWBXML", "R171 R173 R452 R464", FROM_12)
async def from_12_0_a_message_has_flag_class_and_body(lab: Lab) -> None:
    found = await _page_of_mail(lab)
    assert found >= NEW_12
    assert not found & (OLD_MAIL | OLD_MIME)


@case("MS-ASWBXML", "R140 R610 R611", BEFORE_14)
async def before_14_a_message_has_no_conversation_and_no_categories(lab: Lab) -> None:
    assert not await _page_of_mail(lab) & (NEW_14 | NEW_16)


@case("MS-ASWBXML", "R140 R610 R611", FROM_14)
async def from_14_a_message_has_categories_and_a_conversation(lab: Lab) -> None:
    found = await _page_of_mail(lab)
    assert found >= NEW_14
    assert (found >= NEW_16) == (lab.version in FROM_16)


@case("MS-ASWBXML", "R452", ONLY_2_5)
async def mime_stands_in_elements_of_its_own_in_2_5(lab: Lab) -> None:
    """Whole, cut, and only where it is asked for; then there is no Body."""
    for truncation, cut in (("8", False), ("1", True)):
        one, subject = await device(lab), lab.unique()
        message = mime(subject, "words " * 1500, to=one.address, sender=one.address)
        options = e("Options", e("MIMESupport", "2"), e("MIMETruncation", truncation))
        data = await _mail(lab, one, message, subject, options)
        found = text(data, "MIMEData") or ""
        assert not OLD_MAIL & set(shown(data))
        assert text(data, "MIMETruncated") == ("1" if cut else "0")
        assert int(text(data, "MIMESize") or 0) >= len(message) - 2
        assert f"Subject: {subject}" in found
        assert (len(found) <= 4096) == cut
    one, subject = await device(lab), lab.unique()
    data = await _mail(lab, one, None, subject, e("Options", e("MIMESupport", "0")))
    assert not OLD_MIME & set(shown(data))


@case("MS-ASWBXML", "R452", ONLY_2_5)
async def a_body_of_2_5_is_plain_text(lab: Lab) -> None:
    """Of a message that is HTML alone, too; cut by Truncation, with the size of the whole."""
    one, subject = await device(lab), lab.unique()
    html = (
        f"From: {one.address}\r\nTo: {one.address}\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/html; charset=utf-8\r\n\r\n<html><body>" + "<p>Some <b>rich</b> words.</p>" * 100
        + "</body></html>\r\n"
    ).encode()
    data = await _mail(lab, one, html, subject)
    body = text(data, "Body") or ""
    assert "<" not in body
    assert body.split()[:3] == ["Some", "rich", "words."]
    assert (text(data, "BodyTruncated"), int(text(data, "BodySize") or 0)) == ("0", len(body.encode()))
    cut = await Kept(
        device=await device(lab), id=await one.talker.folder(INBOX), item_class="Email"
    ).begin(e("Options", e("Truncation", "1")))
    data = cut.items[await cut.arrived(subject)]
    assert text(data, "BodyTruncated") == "1"
    assert 0 < len(text(data, "Body") or "") <= 512 < int(text(data, "BodySize") or 0)


#: Folder -> namespace, a subject's element, what else an item of it must have, and the elements of its notes in 2.5.
RECORDS = {
    CONTACTS: ("Contacts", "LastName", (), {"Contacts:Body", "Contacts:BodySize", "Contacts:BodyTruncated"}),
    TASKS: ("Tasks", "Subject", (("Complete", "0"),), {"Tasks:Body", "Tasks:BodySize", "Tasks:BodyTruncated"}),
    CALENDAR: (
        "Calendar", "Subject", (("StartTime", "20300304T090000Z"), ("EndTime", "20300304T100000Z")),
        {"Calendar:Body", "Calendar:BodyTruncated"},
    ),
}


def _data(namespace: str, title: str, name: str, rest: tuple[tuple[str, str], ...], body: Element) -> list[Element]:
    return [body, e(f"{namespace}:{title}", name), *(e(f"{namespace}:{part}", value) for part, value in rest)]


@case("MS-ASWBXML", "R452", ONLY_2_5)
async def notes_of_2_5_are_what_later_devices_see(lab: Lab) -> None:
    """And the other way round; what a device of 2.5 sends back as it was shown changes nothing."""
    for type, (namespace, title, rest, elements) in RECORDS.items():
        name = lab.unique(namespace)
        old = await (await device(lab)).kept(type)
        id = await old.add(*_data(namespace, title, name, rest, e(f"{namespace}:Body", "By an old device.")))
        later = await Device.of(lab.talker(version=Version.V14_1))
        new = await later.kept(type, e("Options", e("AirSyncBase:BodyPreference", e("Type", "1"))))
        assert (text(new.items[id], "Body", "Data") or "").strip() == "By an old device."
        await new.change(id, *_data(namespace, title, name, rest, e(
            "AirSyncBase:Body", e("Type", "1"), e("Data", "By a newer one."))))
        await old.catch_up()
        seen = old.items[id]
        assert elements <= set(shown(seen)), shown(seen)
        assert not {tag for tag in shown(seen) if tag.startswith("AirSyncBase:")}
        assert (text(seen, "Body") or "").strip() == "By a newer one."
        await old.change(id, *_data(namespace, title, name, rest, e(f"{namespace}:Body", text(seen, "Body") or "")))
        again = await later.kept(type, e("Options", e("AirSyncBase:BodyPreference", e("Type", "1"))))
        assert (text(again.items[id], "Body", "Data") or "").strip() == "By a newer one."
        await old.send(e("AirSync:Delete", e("ServerId", id)))


@case("MS-ASWBXML", "R452 R464", FROM_12)
async def notes_have_a_body_from_12_0(lab: Lab) -> None:
    for type, (namespace, title, rest, elements) in RECORDS.items():
        name = lab.unique(namespace)
        one = await (await device(lab)).kept(type)
        id = await one.add(*_data(namespace, title, name, rest, e(
            "AirSyncBase:Body", e("Type", "1"), e("Data", "In a body."))))
        other = await (await device(lab)).kept(type, e("Options", e("AirSyncBase:BodyPreference", e("Type", "1"))))
        seen = other.items[id]
        assert not elements & set(shown(seen))
        body = child(seen, "Body")
        assert body is not None
        assert body.tag == "AirSyncBase:Body"
        assert (text(body, "Type"), (text(body, "Data") or "").strip()) == ("1", "In a body.")
        await one.send(e("AirSync:Delete", e("ServerId", id)))
