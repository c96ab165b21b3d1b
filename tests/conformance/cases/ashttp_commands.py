"""[MS-ASHTTP] Command Codes, Command Parameters, Command-Specific URI Parameters, MS-ASAcceptMultiPart.

Every command is asked for in both forms of the query, and does what its row says.
"""

from __future__ import annotations

from lab import BEFORE_14, FROM_12, FROM_12_1, Lab, Talker, case
from old_kit import CALENDAR, CONTACTS, INBOX, MAIL, SENT, Device, coded, device, local, mime, text
from wire import Got, e

from eas.protocol import http
from eas.protocol.version import Spoken, Version

FROM_12_BEFORE_14 = Spoken(since=Version.V12_0, until=Version.V12_1)

SERIES = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//conformance//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
    "DTSTAMP:20300101T000000Z\r\nDTSTART:20300304T090000Z\r\nDTEND:20300304T100000Z\r\nSUMMARY:{uid}\r\n"
    "RRULE:FREQ=DAILY;COUNT=5\r\nORGANIZER:mailto:{organizer}\r\nATTENDEE;RSVP=TRUE:mailto:{attendee}\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)


async def _devices(lab: Lab) -> list[Device]:
    """One that asks in plain text, and from 12.1 on one that asks in base64."""
    talkers: list[Talker] = [lab.talker()]
    if lab.version in FROM_12_1:
        talkers.append(coded(lab))
    return [await Device.of(talker) for talker in talkers]


async def _tree(talker: Talker, command: str, key: str, **fields: str) -> Got:
    inside = [e(name, value) for name, value in fields.items()]
    return await talker.post(command, e(f"FolderHierarchy:{command}", e("SyncKey", key), *inside))


@case("MS-ASHTTP", "R491 R428 R493 R429 R430 R496 R68 R431")
async def folders_are_made_moved_renamed_deleted_and_listed(lab: Lab) -> None:
    for one in await _devices(lab):
        listed = await _tree(one.talker, "FolderSync", "0")
        assert {local(part) for add in listed.all("Changes", "Add") for part in add.elements} == {
            "ServerId", "ParentId", "DisplayName", "Type",
        }, "folders, and nothing of what is in them"
        key, made = listed.text("SyncKey"), {}
        for kind in ("12", "13", "14"):
            got = await _tree(
                one.talker, "FolderCreate", key, ParentId="0", DisplayName=lab.unique("Folder"), Type=kind
            )
            assert got.status == "1", (kind, got.root)
            key, made[kind] = got.text("SyncKey"), got.text("ServerId")
        below = await _tree(one.talker, "FolderCreate", key, ParentId="0", DisplayName=lab.unique("Below"), Type="12")
        name = lab.unique("Renamed")
        moved = await _tree(
            one.talker, "FolderUpdate", below.text("SyncKey"), ServerId=below.text("ServerId"), ParentId=made["12"],
            DisplayName=name,
        )
        assert moved.status == "1", moved.root
        seen = {folder["ServerId"]: folder for folder in await one.folders()}
        assert {id: seen[id]["Type"] for id in made.values()} == {id: kind for kind, id in made.items()}
        assert seen[below.text("ServerId")] == {
            "ServerId": below.text("ServerId"), "ParentId": made["12"], "DisplayName": name, "Type": "12",
        }
        key = (await _tree(one.talker, "FolderSync", "0")).text("SyncKey")
        for id in made.values():
            got = await _tree(one.talker, "FolderDelete", key, ServerId=id)
            assert got.status == "1", got.root
            key = got.text("SyncKey")
        left = {folder["ServerId"] for folder in await one.folders()}
        assert left.isdisjoint({*made.values(), below.text("ServerId")})


@case("MS-ASHTTP", "R499 R500 R504")
async def items_are_moved_and_counted_and_watched(lab: Lab) -> None:
    for one in await _devices(lab):
        key = (await _tree(one.talker, "FolderSync", "0")).text("SyncKey")
        made = await _tree(
            one.talker, "FolderCreate", key, ParentId="0", DisplayName=lab.unique("Folder"), Type=str(MAIL)
        )
        folder, key = made.text("ServerId"), made.text("SyncKey")
        inbox, subject = await one.kept(INBOX), lab.unique()
        assert (await one.mail(mime(subject, to=one.address, sender=one.address))).http == 200
        got = await one.talker.post("Ping", e("Ping:Ping", e("HeartbeatInterval", "60"), e(
            "Folders", e("Folder", e("Id", inbox.id), e("Class", "Email")))))
        assert (got.status, [element.text for element in got.all("Folders", "Folder")]) == ("2", [inbox.id])
        assert await _estimate(one, inbox.id, inbox.key) >= 1
        id = await inbox.arrived(subject)
        assert await _estimate(one, inbox.id, inbox.key) == 0
        got = await one.talker.post("MoveItems", e("Move:MoveItems", e(
            "Move", e("SrcMsgId", id), e("SrcFldId", inbox.id), e("DstFldId", folder))))
        assert got.text("Response", "Status") == "3", got.root
        await inbox.catch_up()
        assert id not in inbox.items
        assert (await _tree(one.talker, "FolderDelete", key, ServerId=folder)).status == "1"


async def _estimate(one: Device, id: str, key: str) -> int:
    asked = [e("AirSync:SyncKey", key), e("CollectionId", id)]
    if one.version in BEFORE_14:
        asked = [e("Class", "Email"), e("CollectionId", id), e("AirSync:FilterType", "0"), e("AirSync:SyncKey", key)]
    got = await one.talker.post(
        "GetItemEstimate", e("GetItemEstimate:GetItemEstimate", e("Collections", e("Collection", *asked)))
    )
    assert got.text("Response", "Status") == "1", got.root
    return int(got.text("Response", "Collection", "Estimate"))


@case("MS-ASHTTP", "R507")
async def recipients_are_resolved(lab: Lab) -> None:
    for one in await _devices(lab):
        got = await one.talker.post(
            "ResolveRecipients", e("ResolveRecipients:ResolveRecipients", e("To", lab.other.address))
        )
        assert (got.status, got.text("Response", "Status")) == ("1", "1"), got.root
        assert got.text("Response", "Recipient", "EmailAddress").lower() == lab.other.address.lower()


@case("MS-ASHTTP", "R432 R433 R501")
async def invitations_are_accepted_tentatively_and_not(lab: Lab) -> None:
    """What is accepted, tentatively or not, is in the calendar then; what is declined is not."""
    organizer = await device(lab, login=lab.other)
    for one in await _devices(lab):
        inbox = await one.kept(INBOX)
        for answer in ("1", "2", "3"):
            uid = lab.unique("Meeting")
            invitation = _invitation(uid, organizer, one, SERIES.replace("RRULE:FREQ=DAILY;COUNT=5\r\n", ""))
            assert (await organizer.mail(invitation)).http == 200
            id = await inbox.arrived(uid)
            got = await one.talker.post("MeetingResponse", e("MeetingResponse:MeetingResponse", e(
                "Request", e("UserResponse", answer), e("CollectionId", inbox.id), e("RequestId", id))))
            assert (got.text("Result", "Status"), got.text("Result", "RequestId")) == ("1", id), got.root
            calendar = await one.kept(CALENDAR)
            subjects = {key: text(data, "Subject") for key, data in calendar.items.items()}
            if answer == "3":
                assert got.find("Result", "CalendarId") is None
                assert uid not in subjects.values()
            else:
                assert subjects[got.text("Result", "CalendarId")] == uid


# Parameters ----------------------------------------------------------------------------------------------------------


async def _count(one: Device, subject: str) -> int:
    """How many messages of this subject are in Sent Items."""
    sent = await one.kept(SENT)
    return [text(data, "Subject") for data in sent.items.values()].count(subject)


@case(
    "MS-ASHTTP",
    "R484 R488 R489 R88 R532 R533 R486 R92 R93 R524 R525 R120 R530 R531 R121 R437 R122 R116 R526 R517 R435 R117 R527 "
    "R511 R436",
    BEFORE_14,
)
async def messages_are_sent_answered_and_passed_on_and_kept_if_asked(lab: Lab) -> None:
    """SaveInSent T, F and unsaid, as a parameter and (12.1) as a flag; CollectionId and ItemId name the original."""
    for one in await _devices(lab):
        original = lab.unique("Original")
        assert (await one.mail(mime(original, "First words.", to=one.address, sender=one.address))).http == 200
        inbox = await one.kept(INBOX)
        id = await inbox.arrived(original)
        for command in ("SendMail", "SmartReply", "SmartForward"):
            named = {} if command == "SendMail" else {"CollectionId": inbox.id, "ItemId": id}
            for saved in ("T", "F", ""):
                subject = lab.unique(command)
                got = await one.talker.post(
                    command, mime(subject, "Next words.", to=one.address, sender=one.address), content_type=http.MIME,
                    SaveInSent=saved, **named,
                )
                assert (got.http, got.body) == (200, b""), (command, saved)
                data = inbox.items[await inbox.arrived(subject)]
                words = text(data, "Body") or text(data, "Body", "Data") or ""
                assert "Next words." in words
                assert ("First words." in words) == (command != "SendMail"), command
                assert await _count(one, subject) == (saved == "T"), (command, saved)


@case("MS-ASHTTP", "R118 R528 R512", FROM_12_BEFORE_14)
async def an_original_may_be_named_by_a_search_result(lab: Lab) -> None:
    for one in await _devices(lab):
        original = lab.unique("Found")
        assert (await one.mail(mime(original, "First words.", to=one.address, sender=one.address))).http == 200
        inbox = await one.kept(INBOX)
        await inbox.arrived(original)
        got = await one.talker.post("Search", e("Search:Search", e(
            "Store", e("Name", "Mailbox"), e("Query", e(
                "And", e("AirSync:Class", "Email"), e("AirSync:CollectionId", inbox.id), e("FreeText", original)))),
        ))
        long_id = got.text("Response", "Store", "Result", "LongId")
        for command in ("SmartReply", "SmartForward"):
            subject = lab.unique(command)
            answer = mime(subject, "Next words.", to=one.address, sender=one.address)
            got = await one.mail(answer, command, long_id=long_id)
            assert (got.http, got.body) == (200, b""), command
            data = inbox.items[await inbox.arrived(subject)]
            assert "First words." in (text(data, "Body", "Data") or "")


def _invitation(uid: str, organizer: Device, attendee: Device, calendar: str) -> bytes:
    return ((
        f"From: {organizer.address}\r\nTo: {attendee.address}\r\nSubject: {uid}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n"
    ) + calendar.format(uid=uid, organizer=organizer.address, attendee=attendee.address)).encode()


@case("MS-ASHTTP", "R119 R529 R513", BEFORE_14)
async def an_occurrence_may_be_named(lab: Lab) -> None:
    """Of a series that was invited to; of what is no series there is none."""
    organizer = await device(lab, login=lab.other)
    for one in await _devices(lab):
        uid, plain = lab.unique("Series"), lab.unique("Plain")
        assert (await organizer.mail(_invitation(uid, organizer, one, SERIES))).http == 200
        assert (await organizer.mail(mime(plain, to=one.address, sender=organizer.address))).http == 200
        inbox = await one.kept(INBOX)
        series, message = await inbox.arrived(uid), await inbox.arrived(plain)
        for command in ("SmartReply", "SmartForward"):
            subject = lab.unique(command)
            answer = mime(subject, to=one.address, sender=one.address)
            day = "2030-03-05T09:00:00.000Z"
            got = await one.mail(answer, command, folder=inbox.id, item=message, instance=day)
            assert got.http >= 400, "a message without a series has no occurrences"
            got = await one.mail(answer, command, folder=inbox.id, item=series, instance="not a day")
            assert got.http >= 400
            got = await one.mail(answer, command, folder=inbox.id, item=series, instance=day)
            assert (got.http, got.body) == (200, b""), command
            assert await inbox.arrived(subject)


@case("MS-ASHTTP", "R154 R155 R440 R534 R486 R94 R95", FROM_12)
async def parts_follow_the_document_where_that_is_asked_for(lab: Lab) -> None:
    """By the header T beside a plain query, not by F or without it; by a flag of the base64 query."""
    one = await device(lab)
    subject = lab.unique()
    assert (await one.mail(mime(subject, "In parts.", to=one.address, sender=one.address))).http == 200
    inbox = await one.kept(INBOX)
    asked = e("ItemOperations:ItemOperations", e(
        "Fetch", e("Store", "Mailbox"), e("AirSync:CollectionId", inbox.id),
        e("AirSync:ServerId", await inbox.arrived(subject)),
        e("Options", e("AirSyncBase:BodyPreference", e("Type", "1"))),
    ))
    for value, multipart in (("T", True), ("F", False), ("", False)):
        got = await one.talker.post("ItemOperations", asked, headers={"MS-ASAcceptMultiPart": value})
        _check_parts(got, multipart)
    if lab.version in FROM_12_1:
        for value, multipart in (("T", True), ("F", False)):
            _check_parts(await coded(lab).post("ItemOperations", asked, AcceptMultiPart=value), multipart)


def _check_parts(got: Got, multipart: bool) -> None:
    body = ("Response", "Fetch", "Properties", "Body")
    assert got.text("Response", "Fetch", "Status") == "1", got.root
    if not multipart:
        assert got.headers["content-type"] == "application/vnd.ms-sync.wbxml"
        assert "In parts." in got.text(*body, "Data")
        return
    assert got.headers["content-type"] == "application/vnd.ms-sync.multipart"
    assert got.find(*body, "Data") is None
    assert b"In parts." in http.parts_of(got.body)[int(got.text(*body, "Part"))]


@case("MS-ASHTTP", "R486", FROM_12_1)
async def the_base64_form_says_the_same_as_the_plain_one(lab: Lab) -> None:
    """The same device, id and type, in both forms: what it holds is the same."""
    plain, other = lab.talker(), coded(lab)
    other.device = plain.device
    book = await Device(talker=plain).kept(CONTACTS)
    book.device = Device(talker=other)
    found = await book.sync()
    assert found is None, "nothing new for a device that has it all"
