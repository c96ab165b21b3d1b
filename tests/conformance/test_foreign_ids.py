"""Ids of another user: whatever anna says with ben's ids, she neither sees nor changes anything of his.

Every id that a client can send is tried in every command that takes it: ServerId, CollectionId, FileReference, LongId,
ConversationId, SyncKey, PolicyKey. The answer is the one for an id that does not exist, so that not even that can be
learned. docs/design.md, promise 8.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from house import House
from wire import Got, Wire, e

from eas.engine.model import FolderType, Right
from eas.protocol import wbxml
from eas.protocol.wbxml import Element

#: In every item of ben's, and in nothing else.
SECRET = "Zitronenfalter"

MESSAGE = f"""\
From: Carla <carla@example.com>\r
To: Ben <ben@example.com>\r
Subject: {SECRET}\r
Date: Mon, 2 Mar 2026 09:00:00 +0000\r
Message-ID: <secret@example.com>\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
The word is {SECRET}.\r
--b\r
Content-Type: text/plain; name=secret.txt\r
Content-Disposition: attachment; filename=secret.txt\r
\r
{SECRET} again\r
--b--\r
""".encode()

INVITATION = f"""\
From: Carla <carla@example.com>\r
To: Ben <ben@example.com>\r
Subject: {SECRET} meeting\r
Date: Mon, 2 Mar 2026 10:00:00 +0000\r
Message-ID: <invitation@example.com>\r
MIME-Version: 1.0\r
Content-Type: text/calendar; method=REQUEST; charset=utf-8\r
\r
BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//test//EN\r
METHOD:REQUEST\r
BEGIN:VEVENT\r
UID:invitation-1\r
DTSTAMP:20260302T100000Z\r
DTSTART:20270302T100000Z\r
DTEND:20270302T110000Z\r
SUMMARY:{SECRET} meeting\r
ORGANIZER:mailto:carla@example.com\r
ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ben@example.com\r
END:VEVENT\r
END:VCALENDAR\r
""".encode()

CARD = f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:card-1\r\nN:{SECRET};Ben;;;\r\nFN:Ben {SECRET}\r\nEND:VCARD\r\n".encode()


@dataclass(frozen=True, kw_only=True)
class Ids:
    """What ben's devices know, and anna has come to know."""

    inbox: str
    contacts: str
    folder: str
    mail: str
    invitation: str
    card: str
    attachment: str
    conversation: bytes
    key: str
    hierarchy_key: str


@dataclass(kw_only=True)
class Case:
    house: House
    anna: Wire
    ids: Ids
    inbox: str
    contacts: str
    key: str
    contacts_key: str
    hierarchy_key: str


def collection(id: str, key: str, *more: Element) -> Element:
    return e("AirSync:Sync", e("Collections", e("Collection", e("SyncKey", key), e("CollectionId", id), *more)))


async def sync_key(wire: Wire, id: str) -> str:
    return (await wire.post("Sync", collection(id, "0"))).text("Collections", "Collection", "SyncKey")


async def hierarchy_key(wire: Wire) -> str:
    return (await wire.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))).text("SyncKey")


@pytest.fixture
async def case(house: House) -> AsyncIterator[Case]:
    """Ben has mail, an invitation, a contact and a folder; his phone knows them. Anna's phone is set up, too. The test
    is followed by a look at ben's mailbox: it is as it was."""
    for message in (MESSAGE, INVITATION):
        await house.deliver("ben", message)
    await house.store("ben", FolderType.CONTACTS, CARD)
    ben, anna = house.wire("ben", device="BEN1"), house.wire("anna")
    ids = await _ids_of_ben(house, ben)
    before = await house.everything("ben")
    contacts = house.folder_id("anna", FolderType.CONTACTS)
    inbox = house.folder_id("anna", FolderType.INBOX)
    yield Case(
        house=house, anna=anna, ids=ids, inbox=inbox, contacts=contacts, key=await sync_key(anna, inbox),
        contacts_key=await sync_key(anna, contacts), hierarchy_key=await hierarchy_key(anna),
    )
    assert await house.everything("ben") == before


async def _ids_of_ben(house: House, ben: Wire) -> Ids:
    folders = await hierarchy_key(ben)
    names = (e("SyncKey", folders), e("ParentId", "0"), e("DisplayName", "Ben's own"), e("Type", "12"))
    made = await ben.post("FolderCreate", e("FolderHierarchy:FolderCreate", *names))
    inbox, contacts = house.folder_id("ben", FolderType.INBOX), house.folder_id("ben", FolderType.CONTACTS)
    mails = await ben.post("Sync", collection(inbox, await sync_key(ben, inbox)))
    cards = await ben.post("Sync", collection(contacts, await sync_key(ben, contacts)))
    adds = {add.elements[0].text: add for add in mails.all("Collections", "Collection", "Commands", "Add")}
    invitation = next(id for id, add in adds.items() if "meeting" in str(add))
    mail = next(id for id in adds if id != invitation)
    data = adds[mail].elements[1]
    attachment = next(child for child in _all(data) if child.tag == "AirSyncBase:FileReference").text
    conversation = next(child for child in _all(data) if child.tag == "Email2:ConversationId").content
    assert isinstance(conversation, bytes)
    assert SECRET in str(data)
    return Ids(
        inbox=inbox, contacts=contacts, folder=made.text("ServerId"), mail=mail, invitation=invitation,
        card=cards.text("Collections", "Collection", "Commands", "Add", "ServerId"), attachment=attachment,
        conversation=conversation, key=mails.text("Collections", "Collection", "SyncKey"),
        hierarchy_key=made.text("SyncKey"),
    )


def _all(element: Element) -> list[Element]:
    return [element, *(inner for child in element.elements for inner in _all(child))]


def nothing_seen(got: Got) -> Got:
    """The word stands in no answer, in whatever coding."""
    assert SECRET.encode() not in got.body
    if got.headers.get("content-type", "").startswith("application/vnd.ms-sync") and got.body:
        assert SECRET not in str(got.root)
    return got


def operation(*content: Element) -> Element:
    return e("ItemOperations:ItemOperations", e("Fetch", e("Store", "Mailbox"), *content))


def smart(command: str, *source: Element) -> Element:
    mime = b"From: anna@example.com\r\nTo: anna@example.com\r\nSubject: x\r\n\r\ny\r\n"
    return e(f"ComposeMail:{command}", e("ClientId", command), e("Source", *source), e("Mime", mime))


def search(*query: Element) -> Element:
    wanted = e("Query", e("And", e("AirSync:Class", "Email"), *query, e("FreeText", SECRET)))
    return e("Search:Search", e("Store", e("Name", "Mailbox"), wanted, e("Options", e("Range", "0-9"))))


def meeting(*content: Element) -> Element:
    return e("MeetingResponse:MeetingResponse", e("Request", e("UserResponse", "1"), *content))


#: What anna asks with ben's ids, and what she is told: (command, document, where the status stands, the statuses that
#: an id of nothing has).
Asked = tuple[str, Element, tuple[str, ...], set[str]]
ONE = ("Collections", "Collection")

ASKED: dict[str, Callable[[Case], Asked]] = {
    "Sync of his inbox, new": lambda c: ("Sync", collection(c.ids.inbox, "0"), (*ONE, "Status"), {"12"}),
    "Sync of his inbox, with his key": lambda c: ("Sync", collection(c.ids.inbox, c.ids.key), (*ONE, "Status"), {"12"}),
    "Sync of her inbox, with his key": lambda c: ("Sync", collection(c.inbox, c.ids.key), (*ONE, "Status"), {"3"}),
    "Sync Fetch of his mail": lambda c: (
        "Sync", collection(c.inbox, c.key, e("Commands", e("Fetch", e("ServerId", c.ids.mail)))),
        (*ONE, "Responses", "Fetch", "Status"), {"8"},
    ),
    "Sync Fetch of his mail, by her folder": lambda c: (
        "Sync", collection(c.inbox, c.key, e("Commands", e("Fetch", e("ServerId", _moved(c.ids.mail, c.inbox))))),
        (*ONE, "Responses", "Fetch", "Status"), {"8"},
    ),
    "Sync Change of his mail": lambda c: (
        "Sync",
        collection(c.inbox, c.key, e("Commands", e("Change", e("ServerId", c.ids.mail),
                                                   e("ApplicationData", e("Email:Read", "1"))))),
        (*ONE, "Responses", "Change", "Status"), {"8"},
    ),
    "Sync Change of his contact": lambda c: (
        "Sync",
        collection(c.contacts, c.contacts_key, e("Commands", e("Change", e("ServerId", c.ids.card),
                                                               e("ApplicationData", e("Contacts:LastName", "Mine"))))),
        (*ONE, "Responses", "Change", "Status"), {"8"},
    ),
    "Sync Delete of his mail": lambda c: (
        "Sync", collection(c.inbox, c.key, e("Commands", e("Delete", e("ServerId", c.ids.mail)))),
        (*ONE, "Responses", "Delete", "Status"), {"8"},
    ),
    "Sync Add into his contacts": lambda c: (
        "Sync",
        collection(c.ids.contacts, "0", e("Commands", e("Add", e("ClientId", "1"),
                                                        e("ApplicationData", e("Contacts:LastName", "Mine"))))),
        (*ONE, "Status"), {"12", "4"},
    ),
    "GetItemEstimate of his inbox": lambda c: (
        "GetItemEstimate",
        e("GetItemEstimate:GetItemEstimate",
          e("Collections", e("Collection", e("AirSync:SyncKey", c.ids.key), e("CollectionId", c.ids.inbox)))),
        ("Response", "Status"), {"2"},
    ),
    "Ping of his inbox": lambda c: (
        "Ping",
        e("Ping:Ping", e("HeartbeatInterval", "60"),
          e("Folders", e("Folder", e("Id", c.ids.inbox), e("Class", "Email")))),
        ("Status",), {"7"},
    ),
    "MoveItems of his mail from his inbox": lambda c: _move(c, c.ids.mail, c.ids.inbox, _shelf(c), {"1"}),
    "MoveItems of his mail as hers": lambda c: _move(c, _moved(c.ids.mail, c.inbox), c.inbox, _shelf(c), {"1"}),
    "MoveItems of his mail by a false source": lambda c: _move(c, c.ids.mail, c.inbox, _shelf(c), {"1"}),
    "MoveItems into his folder": lambda c: _move(c, f"{c.inbox}:1", c.inbox, c.ids.folder, {"2"}),
    "Fetch of his mail": lambda c: (
        "ItemOperations", operation(e("AirSync:CollectionId", c.ids.inbox), e("AirSync:ServerId", c.ids.mail)),
        ("Response", "Fetch", "Status"), {"6"},
    ),
    "Fetch of his mail by her folder": lambda c: (
        "ItemOperations", operation(e("AirSync:CollectionId", c.inbox), e("AirSync:ServerId", c.ids.mail)),
        ("Response", "Fetch", "Status"), {"6"},
    ),
    "Fetch by LongId": lambda c: (
        "ItemOperations", operation(e("Search:LongId", c.ids.mail)), ("Response", "Fetch", "Status"), {"6"},
    ),
    "Fetch of his attachment": lambda c: (
        "ItemOperations", operation(e("AirSyncBase:FileReference", c.ids.attachment)), ("Response", "Fetch", "Status"),
        {"15"},
    ),
    "EmptyFolderContents of his inbox": lambda c: (
        "ItemOperations",
        e("ItemOperations:ItemOperations", e("EmptyFolderContents", e("AirSync:CollectionId", c.ids.inbox))),
        ("Response", "EmptyFolderContents", "Status"), {"6"},
    ),
    "SmartReply to his mail": lambda c: (
        "SmartReply", smart("SmartReply", e("FolderId", c.ids.inbox), e("ItemId", c.ids.mail)), ("Status",), {"150"},
    ),
    "SmartForward of his mail": lambda c: (
        "SmartForward", smart("SmartForward", e("FolderId", c.ids.inbox), e("ItemId", c.ids.mail)), ("Status",),
        {"150"},
    ),
    "SmartForward by LongId": lambda c: (
        "SmartForward", smart("SmartForward", e("LongId", c.ids.mail)), ("Status",), {"150"},
    ),
    "MeetingResponse to his invitation": lambda c: (
        "MeetingResponse", meeting(e("CollectionId", c.ids.inbox), e("RequestId", c.ids.invitation)),
        ("Result", "Status"), {"2"},
    ),
    "MeetingResponse by LongId": lambda c: (
        "MeetingResponse", meeting(e("Search:LongId", c.ids.invitation)), ("Result", "Status"), {"2"},
    ),
    "Search in his inbox": lambda c: (
        "Search", search(e("AirSync:CollectionId", c.ids.inbox)), ("Response", "Store", "Status"), {"1", "11"},
    ),
    "Search everywhere": lambda c: ("Search", search(), ("Response", "Store", "Status"), {"1"}),
    "Search in his conversation": lambda c: (
        "Search", search(e("ConversationId", c.ids.conversation)), ("Response", "Store", "Status"), {"1"},
    ),
    "FolderUpdate of his folder": lambda c: (
        "FolderUpdate",
        e("FolderHierarchy:FolderUpdate", e("SyncKey", c.hierarchy_key), e("ServerId", c.ids.folder),
          e("ParentId", "0"), e("DisplayName", "Mine")),
        ("Status",), {"4"},
    ),
    "FolderDelete of his folder": lambda c: (
        "FolderDelete",
        e("FolderHierarchy:FolderDelete", e("SyncKey", c.hierarchy_key), e("ServerId", c.ids.folder)),
        ("Status",), {"4"},
    ),
    "FolderCreate in his folder": lambda c: (
        "FolderCreate",
        e("FolderHierarchy:FolderCreate", e("SyncKey", c.hierarchy_key), e("ParentId", c.ids.folder),
          e("DisplayName", "Mine"), e("Type", "12")),
        ("Status",), {"5"},
    ),
    "FolderSync with his key": lambda c: (
        "FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", c.ids.hierarchy_key)), ("Status",), {"9"},
    ),
}


def _moved(server_id: str, folder: str) -> str:
    """The id with another folder's before it."""
    return f"{folder}:{server_id.partition(':')[2]}"


def _shelf(case: Case) -> str:
    return case.house.folder_id("anna", FolderType.DELETED_ITEMS)


def _move(case: Case, item: str, source: str, target: str, statuses: set[str]) -> Asked:
    move = e("Move", e("SrcMsgId", item), e("SrcFldId", source), e("DstFldId", target))
    return "MoveItems", e("Move:MoveItems", move), ("Response", "Status"), statuses


@pytest.mark.long
@pytest.mark.parametrize("name", ASKED)
async def test_ids_of_another_user_are_ids_of_nothing(case: Case, name: str) -> None:
    command, document, where, statuses = ASKED[name](case)
    got = nothing_seen(await case.anna.post(command, document))
    assert got.http == 200
    found = {status.text for status in got.all(*where)}
    assert found
    assert found <= statuses, got.root
    assert not await case.house.contents("anna", FolderType.INBOX)
    assert not await case.house.contents("anna", FolderType.CONTACTS)
    assert not await case.house.contents("anna", FolderType.DELETED_ITEMS)


@pytest.mark.long
@pytest.mark.parametrize("name", ASKED)
async def test_the_same_of_ben_himself_is_not_refused_as_foreign(house: House, name: str) -> None:
    """The requests above are good ones: from ben's own device the id is known, whatever else may be wrong then."""
    for message in (MESSAGE, INVITATION):
        await house.deliver("ben", message)
    await house.store("ben", FolderType.CONTACTS, CARD)
    ben = house.wire("ben", device="BEN1")
    ids = await _ids_of_ben(house, ben)
    own = Case(
        house=house, anna=ben, ids=ids, inbox=ids.inbox, contacts=ids.contacts, key=ids.key,
        contacts_key=await sync_key(ben, ids.contacts), hierarchy_key=ids.hierarchy_key,
    )
    if name.startswith(("Ping", "Search")) or "into his" in name:
        pytest.skip("answered alike, or only after a while")
    command, document, where, statuses = ASKED[name](own)
    got = await ben.post(command, document)
    assert got.http == 200
    if got.body and "false" not in name and "by her folder" not in name and "with his key" not in name:
        assert {status.text for status in got.all(*where)} - statuses or not got.all(*where), got.root


async def test_attachments_of_another_user_are_not_there(case: Case) -> None:
    """12.1 has GetAttachment. [MS-ASCMD] GetAttachment: HTTP 500 for what does not exist."""
    wire = case.house.wire("anna", version="12.1")
    foreign = nothing_seen(await wire.post("GetAttachment", AttachmentName=case.ids.attachment))
    absent = nothing_seen(await wire.post("GetAttachment", AttachmentName=f"{case.inbox}:999:2"))
    assert foreign.http == absent.http == 500
    own = await case.house.wire("ben", device="BEN1", version="12.1").post(
        "GetAttachment", AttachmentName=case.ids.attachment
    )
    assert SECRET.encode() in own.body


async def test_old_smart_commands_name_their_source_in_the_query(case: Case) -> None:
    wire = case.house.wire("anna", version="12.1")
    mime = b"From: anna@example.com\r\nTo: anna@example.com\r\nSubject: x\r\n\r\ny\r\n"
    for command in ("SmartReply", "SmartForward"):
        got = nothing_seen(await wire.post(
            command, mime, content_type="message/rfc822", CollectionId=case.ids.inbox, ItemId=case.ids.mail
        ))
        assert got.http in (404, 500)
    assert not await case.house.contents("anna", FolderType.INBOX)


async def test_the_policy_key_of_another_device_counts_for_nothing(case: Case) -> None:
    """With an enforced policy: ben's key does not let anna in."""
    await case.house.enforce_policy()
    ben = case.house.wire("ben", device="BEN1")
    ben.key = await _provision(ben)
    assert (await ben.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))).status == "1"
    anna = case.house.wire("anna", key=ben.key)
    got = nothing_seen(await anna.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0"))))
    assert got.status in ("142", "144")


async def _provision(wire: Wire) -> str:
    kind = e("Provision:PolicyType", "MS-EAS-Provisioning-WBXML")
    about = e("Settings:DeviceInformation", e("Set", e("Model", "Wire")))
    first = await wire.post("Provision", e("Provision:Provision", about, e("Policies", e("Policy", kind))))
    key = first.text("Policies", "Policy", "PolicyKey")
    told = e("Policy", kind, e("Provision:PolicyKey", key), e("Provision:Status", "1"))
    wire.key = key
    return (await wire.post("Provision", e("Provision:Provision", e("Policies", told)))).text(
        "Policies", "Policy", "PolicyKey"
    )


async def test_a_device_id_of_another_user_is_another_device(case: Case) -> None:
    """The same DeviceId under another login shares nothing: not the keys, not the remembered request, not the Ping."""
    anna = case.house.wire("anna", device="BEN1")
    assert nothing_seen(await anna.post("Sync")).status == "13"
    assert nothing_seen(await anna.post("Ping")).status == "3"
    assert (await anna.post("Sync", collection(case.ids.inbox, case.ids.key))).text(*ONE, "Status") == "12"


async def test_a_shared_folder_gives_what_was_given_and_no_more(case: Case) -> None:
    """With the right to read: anna sees the contact, and does not change it; she still does not see the inbox."""
    await case.house.share("ben", FolderType.CONTACTS, "anna", Right.READ)
    anna, ids = case.anna, case.ids
    got = await anna.post("Sync", collection(ids.contacts, await sync_key(anna, ids.contacts)))
    assert SECRET in str(got.root)
    key = got.text(*ONE, "SyncKey")
    change = e("Commands", e("Change", e("ServerId", ids.card), e("ApplicationData", e("Contacts:LastName", "Mine"))),
               e("Delete", e("ServerId", ids.card)))
    refused = await anna.post("Sync", collection(ids.contacts, key, change))
    assert {status.text for status in refused.all(*ONE, "Responses", "Change", "Status")} <= {"6", "8"}
    assert {status.text for status in refused.all(*ONE, "Responses", "Delete", "Status")} <= {"6", "8"}
    hidden = nothing_seen(await anna.post("Sync", collection(ids.inbox, "0")))
    assert hidden.text(*ONE, "Status") == "12"


def test_the_word_is_found_where_it_is() -> None:
    """`nothing_seen` can fail."""
    body = wbxml.encode(e("Email:Subject", f"a {SECRET}"))
    with pytest.raises(AssertionError):
        nothing_seen(Got(http=200, headers={}, body=body))
