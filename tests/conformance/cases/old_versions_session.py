"""Whole sessions of old devices: what a Windows Mobile 5 (2.5) and a Nokia (12.0) did on the day they were set up.

Where no requirement is named by a sentence of a case, the sentence is that of the older specification, of which there
is no numbered text: Class in collections, old body elements, answers that are never empty.
"""

from __future__ import annotations

from lab import Lab, case
from old_kit import (
    CALENDAR,
    CONTACTS,
    DELETED,
    INBOX,
    MAIL,
    NOTES,
    SENT,
    TASKS,
    Device,
    child,
    device,
    mime,
    shown,
    text,
)
from wire import basic, e

from eas.protocol import http
from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

ONLY_2_5 = Spoken(until=Version.V2_5)
ONLY_12_0 = Spoken(since=Version.V12_0, until=Version.V12_0)
UP_TO_12_0 = Spoken(until=Version.V12_0)

#: What Windows Mobile 5 calls itself.
POCKET_PC = {"type": "PocketPC", "agent": "MSFT-PPC/5.1.2301", "key": "0"}


async def _provision(lab: Lab, one: Device, policy_type: str) -> None:
    """Both phases; the device has its key then."""
    asked = e("Provision:Provision", e("Policies", e("Policy", e("PolicyType", policy_type))))
    got = await one.talker.post("Provision", asked)
    assert got.status == "1", got.root
    assert got.text("Policies", "Policy", "PolicyType") == policy_type
    if got.text("Policies", "Policy", "Status") == "2":
        return  # there is no policy for this user
    data = got.find("Policies", "Policy", "Data")
    assert data is not None
    if policy_type == "MS-WAP-Provisioning-XML":
        assert data.text.startswith("<wap-provisioningdoc>"), data.text
    else:
        assert data.elements[0].tag == "Provision:EASProvisionDoc"
    one.talker.key = got.text("Policies", "Policy", "PolicyKey")
    got = await one.talker.post("Provision", e("Provision:Provision", e("Policies", e(
        "Policy", e("PolicyType", policy_type), e("PolicyKey", one.talker.key), e("Status", "1")))))
    assert (got.status, got.text("Policies", "Policy", "Status")) == ("1", "1")
    one.talker.key = got.text("Policies", "Policy", "PolicyKey")


async def _set_up(lab: Lab, policy_type: str) -> Device:
    """OPTIONS, Provision, FolderSync."""
    talker = lab.talker(**POCKET_PC)
    got = await talker.ask("OPTIONS", http.PATH, {"Authorization": basic(lab.me.user, lab.me.password)})
    assert lab.version.text in got.headers["ms-asprotocolversions"].split(",")
    one = Device(talker=talker)
    await _provision(lab, one, policy_type)
    types = {folder["Type"] for folder in await one.folders()}
    assert {str(kind) for kind in (INBOX, DELETED, SENT, TASKS, CALENDAR, CONTACTS)} <= types
    assert not types & {str(NOTES), "17", "19"}, "a device that knows no notes and no recipient cache is shown none"
    return one


def _old(*fields: tuple[str, str]) -> list[Element]:
    return [Element(tag, value) for tag, value in fields]


@case("MS-ASCMD", "R6024 R6026 R157 R79 R285 R98", ONLY_2_5)
async def a_windows_mobile_5_is_set_up_and_used(lab: Lab) -> None:
    one = await _set_up(lab, "MS-WAP-Provisioning-XML")
    await _contacts_of_2_5(lab, one)
    await _calendar_of_2_5(lab, one)
    await _tasks_of_2_5(lab, one)
    await _mail_day(lab, one)


@case("MS-ASCMD", "R6024 R6026 R157 R79 R285 R98", ONLY_12_0)
async def a_nokia_of_12_0_is_set_up_and_used(lab: Lab) -> None:
    one = await _set_up(lab, "MS-EAS-Provisioning-WBXML")
    await _mail_day(lab, one)


async def _contacts_of_2_5(lab: Lab, one: Device) -> None:
    """Body, BodySize and BodyTruncated are elements of the class itself; a cut one is said to be cut."""
    name, words = lab.unique("Contact"), "Likes long walks.\r\nAnd more."
    book = await one.kept(CONTACTS)
    await book.add(*_old(("Contacts:LastName", name), ("Contacts:Body", words)))
    other = await (await device(lab)).kept(CONTACTS)
    (id,) = [id for id, data in other.items.items() if text(data, "LastName") == name]
    seen = other.items[id]
    assert "AirSyncBase:Body" not in shown(seen)
    assert (text(seen, "Body") or "").split() == words.split()
    assert int(text(seen, "BodySize") or 0) >= len("Likes long walks.And more.")
    assert text(seen, "BodyTruncated") in (None, "0")
    await book.catch_up()
    await book.send(e("AirSync:Delete", e("ServerId", id)))
    await other.catch_up()
    assert id not in other.items


async def _calendar_of_2_5(lab: Lab, one: Device) -> None:
    subject, words = lab.unique("Appointment"), "Bring the slides."
    book = await one.kept(CALENDAR)
    await book.add(*_old(
        ("Calendar:Body", words), ("Calendar:Subject", subject), ("Calendar:StartTime", "20300304T090000Z"),
        ("Calendar:EndTime", "20300304T100000Z"), ("Calendar:DtStamp", "20300101T000000Z"), ("Calendar:UID", subject),
    ))
    other = await (await device(lab)).kept(CALENDAR)
    (id,) = [id for id, data in other.items.items() if text(data, "Subject") == subject]
    assert (text(other.items[id], "Body") or "").strip() == words
    assert not {"AirSyncBase:Body", "AirSyncBase:NativeBodyType"} & set(shown(other.items[id]))
    assert text(other.items[id], "AttendeeStatus") is None


async def _tasks_of_2_5(lab: Lab, one: Device) -> None:
    subject, words = lab.unique("Task"), "By Friday."
    book = await one.kept(TASKS)
    rest = (("Tasks:Subject", subject), ("Tasks:Complete", "0"))
    id = await book.add(*_old(("Tasks:Body", words), *rest))
    await book.catch_up()
    await book.change(id, *_old(("Tasks:Body", f"{words} Or Monday."), *rest))
    other = await (await device(lab)).kept(TASKS)
    assert (text(other.items[id], "Body") or "").strip() == f"{words} Or Monday."
    assert "AirSyncBase:Body" not in shown(other.items[id])


async def _mail_day(lab: Lab, one: Device) -> None:
    """A message with a file to oneself, kept in Sent Items; its file; an answer to it and a copy of it; moved; Ping."""
    subject, content = lab.unique("Plans"), b"0123456789abcdef"
    inbox = await one.kept(INBOX)
    await _estimated(one, inbox.id, inbox.key, "0")
    message = mime(subject, to=one.address, sender=one.address, attachment=content)
    got = await one.mail(message, save=True)
    assert (got.http, got.body) == (200, b"")
    id = await inbox.arrived(subject)
    sent = await one.kept(SENT)
    assert [text(data, "Subject") for data in sent.items.values()].count(subject) == 1
    await _attachment(one, inbox.items[id], content)

    for command, verb in (("SmartReply", "Re"), ("SmartForward", "Fw")):
        answer = mime(f"{verb}: {subject}", "My words.", to=one.address, sender=one.address)
        got = await one.mail(answer, command, folder=inbox.id, item=id)
        assert (got.http, got.body) == (200, b""), command
        back = await inbox.arrived(f"{verb}: {subject}")
        assert "My words." in _body(inbox.items[back])
        assert "Some words." in _body(inbox.items[back]), "the original is added by the server"
        assert (child(inbox.items[back], "Attachments") is not None) == (command == "SmartForward")

    await inbox.change(id, e("Email:Read", "1"))
    await _moved(lab, one, inbox.id, id)
    await inbox.catch_up()
    assert id not in inbox.items
    await _pinged(lab, one, inbox.id)


def _body(data: Element) -> str:
    return text(data, "Body") or text(data, "Body", "Data") or ""


async def _estimated(one: Device, id: str, key: str, expected: str) -> None:
    got = await one.talker.post("GetItemEstimate", e("GetItemEstimate:GetItemEstimate", e("Collections", e(
        "Collection", e("Class", "Email"), e("CollectionId", id), e("AirSync:FilterType", "0"),
        e("AirSync:SyncKey", key)))))
    assert got.text("Response", "Status") == "1", got.root
    assert got.text("Response", "Collection", "Class") == "Email"
    assert got.text("Response", "Collection", "Estimate") == expected


async def _attachment(one: Device, data: Element, content: bytes) -> None:
    """Named by AttName in 2.5, by FileReference since; fetched by GetAttachment in both."""
    listed = child(data, "Attachments")
    assert listed is not None, data
    (only,) = listed.elements
    names = {
        Version.V2_5: ("Email:Attachments", "AttName", "AttSize", "AttMethod"),
        Version.V12_0: ("AirSyncBase:Attachments", "FileReference", "EstimatedDataSize", "Method"),
    }
    container, reference, size, method = names[one.version]
    assert listed.tag == container
    assert (text(only, "DisplayName"), text(only, method)) == ("notes.txt", "1")
    assert int(text(only, size) or 0) >= len(content)
    got = await one.talker.post("GetAttachment", AttachmentName=text(only, reference) or "")
    assert (got.http, got.body.strip(), got.headers["content-type"]) == (200, content, "text/plain")


async def _moved(lab: Lab, one: Device, inbox: str, id: str) -> None:
    """A folder of one's own, found by GetHierarchy; a message into it; the folder deleted."""
    name = lab.unique("Folder")
    key = (await one.talker.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))).text("SyncKey")
    made = await one.talker.post("FolderCreate", e(
        "FolderHierarchy:FolderCreate", e("SyncKey", key), e("ParentId", "0"), e("DisplayName", name),
        e("Type", str(MAIL))))
    assert made.status == "1", made.root
    folder, key = made.text("ServerId"), made.text("SyncKey")
    got = await one.talker.post("GetHierarchy")
    listed = {text(one, "ServerId"): (text(one, "DisplayName"), text(one, "Type")) for one in got.root.elements}
    assert listed[folder] == (name, "1")
    assert listed[inbox][1] == "2"
    assert not {"7", "8", "9", "10"} & {kind for _, kind in listed.values()}

    move = e("Move", e("SrcMsgId", id), e("SrcFldId", inbox), e("DstFldId", folder))
    got = await one.talker.post("MoveItems", e("Move:MoveItems", move))
    assert (got.text("Response", "Status"), got.text("Response", "SrcMsgId")) == ("3", id)
    got = await one.talker.post("FolderDelete", e(
        "FolderHierarchy:FolderDelete", e("SyncKey", key), e("ServerId", folder)))
    assert got.status == "1"


async def _pinged(lab: Lab, one: Device, inbox: str) -> None:
    """A message that arrives ends the wait, or is there before it begins."""
    subject = lab.unique("Ping")
    assert (await one.mail(mime(subject, to=one.address, sender=one.address))).http == 200
    got = await one.talker.post("Ping", e("Ping:Ping", e("HeartbeatInterval", "60"), e(
        "Folders", e("Folder", e("Id", inbox), e("Class", "Email")))))
    assert (got.status, got.text("Folders", "Folder")) == ("2", inbox)


@case("MS-ASCMD", "R6319", UP_TO_12_0)
async def every_sync_has_an_answer_in_full(lab: Lab) -> None:
    """An empty answer came with 12.1: before, the collections stand in it, with class, key and status, news or none."""
    one = await device(lab)
    for type, name in ((INBOX, "Email"), (CONTACTS, "Contacts"), (CALENDAR, "Calendar"), (TASKS, "Tasks")):
        kept = await one.kept(type)
        key = kept.key
        found = await kept.sync()
        assert found is not None, name
        assert shown(found)[0] == "AirSync:Class"
        assert (text(found, "Class"), text(found, "CollectionId"), text(found, "Status")) == (name, kept.id, "1")
        assert text(found, "SyncKey") == key


@case("MS-ASHTTP", "R432", UP_TO_12_0)
async def an_invitation_is_answered(lab: Lab) -> None:
    """Accepted from the Inbox: the appointment is in the calendar, the request is gone."""
    one, organizer = await device(lab), await device(lab, login=lab.other)
    inbox = await one.kept(INBOX)
    subject = lab.unique("Meeting")
    invitation = (
        f"From: {organizer.address}\r\nTo: {one.address}\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\nBEGIN:VCALENDAR\r\nVERSION:2.0\r\n"
        f"PRODID:-//conformance//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:{subject}\r\nDTSTAMP:20300101T000000Z\r\n"
        f"DTSTART:20300305T090000Z\r\nDTEND:20300305T100000Z\r\nSUMMARY:{subject}\r\n"
        f"ORGANIZER:mailto:{organizer.address}\r\nATTENDEE;RSVP=TRUE:mailto:{one.address}\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()
    assert (await organizer.mail(invitation)).http == 200
    id = await inbox.arrived(subject)
    request = child(inbox.items[id], "MeetingRequest")
    assert request is not None, inbox.items[id]
    assert text(request, "Organizer") is not None
    assert text(request, "GlobalObjId") is not None
    got = await one.talker.post("MeetingResponse", e("MeetingResponse:MeetingResponse", e(
        "Request", e("UserResponse", "1"), e("CollectionId", inbox.id), e("RequestId", id))))
    assert (got.text("Result", "Status"), got.text("Result", "RequestId")) == ("1", id)
    calendar = await one.kept(CALENDAR)
    assert text(calendar.items[got.text("Result", "CalendarId")], "Subject") == subject
    await inbox.catch_up()
    assert id not in inbox.items
