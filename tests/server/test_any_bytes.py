"""Whatever a logged-in client sends, the answer is never that the server failed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from conformance.xsd import unchecked
from wire import Wire, e, sync

from eas.engine.model import FolderType
from eas.protocol import wbxml
from eas.protocol.version import Version

#: Takes more than a few seconds.
pytestmark = pytest.mark.long

#: Requests that are made of the samples, each with something changed. A fixed seed: the same ones every time.
COUNT, ITEMS, SEED = 700, 12, 20261120


def samples(collection: str) -> dict[str, Any]:
    """A request for each command, with much in it."""
    return {
        "FolderSync": e("FolderHierarchy:FolderSync", e("SyncKey", "0")),
        "FolderCreate": e(
            "FolderHierarchy:FolderCreate", e("SyncKey", "0"), e("ParentId", "0"), e("DisplayName", "x"),
            e("Type", "12"),
        ),
        "FolderUpdate": e(
            "FolderHierarchy:FolderUpdate", e("SyncKey", "0"), e("ServerId", collection), e("ParentId", "0"),
            e("DisplayName", "x"),
        ),
        "FolderDelete": e("FolderHierarchy:FolderDelete", e("SyncKey", "0"), e("ServerId", "77")),
        "Sync": sync(
            "0", collection, e("DeletesAsMoves"), e("WindowSize", "10"),
            e("Options", e("FilterType", "2"), e(
                "AirSyncBase:BodyPreference", e("Type", "1"), e("TruncationSize", "9"))),
        ),
        "GetItemEstimate": e("GetItemEstimate:GetItemEstimate", e("Collections", e(
            "Collection", e("AirSync:SyncKey", "0"), e("CollectionId", collection),
            e("AirSync:Options", e("AirSync:FilterType", "0"))))),
        "MoveItems": e("Move:MoveItems", e(
            "Move", e("SrcMsgId", f"{collection}:1"), e("SrcFldId", collection), e("DstFldId", "2"))),
        "Ping": e("Ping:Ping", e("HeartbeatInterval", "60"), e("Folders", e(
            "Folder", e("Id", "x"), e("Class", "Email")))),
        "ItemOperations": e("ItemOperations:ItemOperations", e(
            "Fetch", e("Store", "Mailbox"), e("AirSync:CollectionId", collection), e("AirSync:ServerId", "1:1"))),
        "Provision": e(
            "Provision:Provision", e("Settings:DeviceInformation", e("Set", e("Model", "x"))),
            e("Policies", e(
                "Policy", e("PolicyType", "MS-EAS-Provisioning-WBXML"), e("PolicyKey", "1"), e("Status", "1"))),
        ),
        "Settings": e(
            "Settings:Settings", e("UserInformation", e("Get")),
            e("Oof", e("Set", e("OofState", "2"), e("StartTime", "2026-01-01T00:00:00.000Z"),
                       e("EndTime", "2026-01-02T00:00:00.000Z"),
                       e("OofMessage", e("AppliesToInternal"), e("Enabled", "1"), e("ReplyMessage", "x"), e(
                           "BodyType", "Text")))),
        ),
        "Search": e("Search:Search", e(
            "Store", e("Name", "Mailbox"),
            e("Query", e("And", e("AirSync:Class", "Email"), e("FreeText", "x"), e("GreaterThan", e(
                "Email:DateReceived"), e("Value", "2026-01-01T00:00:00.000Z")))),
            e("Options", e("Range", "0-9"), e("DeepTraversal")))),
        "ResolveRecipients": e(
            "ResolveRecipients:ResolveRecipients", e("To", "anna"), e("Options", e("CertificateRetrieval", "2"), e(
                "Availability", e("StartTime", "2026-01-01T00:00:00.000Z"), e("EndTime", "2026-01-02T00:00:00.000Z")))),
        "ValidateCert": e("ValidateCert:ValidateCert", e("Certificates", e("Certificate", "MIIB")), e("CheckCRL", "1")),
        "MeetingResponse": e("MeetingResponse:MeetingResponse", e(
            "Request", e("UserResponse", "1"), e("CollectionId", collection), e("RequestId", "1:1"), e(
                "SendResponse", e("AirSyncBase:Body", e("Type", "1"), e("Data", "x"))))),
        "SendMail": e("ComposeMail:SendMail", e("ClientId", "c"), e("SaveInSentItems"), e("Mime", LETTER)),
        "SmartReply": e("ComposeMail:SmartReply", e("ClientId", "c"), e(
            "Source", e("FolderId", collection), e("ItemId", f"{collection}:1")), e("ReplaceMime"), e("Mime", LETTER)),
        "SmartForward": e("ComposeMail:SmartForward", e("ClientId", "c"), e(
            "Source", e("LongId", f"{collection}:1"), e("InstanceId", "2026-01-01T00:00:00.000Z")), e("Mime", LETTER)),
        "Find": e("Find:Find", e("SearchId", "5a7f5d46-8b45-4b0c-9a6d-3f2ef7d3d1a0"), e(
            "ExecuteSearch", e("MailBoxSearchCriterion", e(
                "Query", e("AirSync:Class", "Email"), e("AirSync:CollectionId", collection), e("FreeText", "from:x")),
                e("Options", e("Range", "0-9"), e("DeepTraversal"))))),
        "Notify": e("AirNotify:Notify", e("DeviceInfo", e("Enable", "1"))),
    }  # fmt: skip


LETTER = b"From: anna@example.com\r\nTo: ben@example.com\r\nSubject: x\r\n\r\nx\r\n"
#: Classes and their items as devices write them: what a Sync with commands may bring.
WRITTEN = {
    FolderType.CONTACTS: (e("Contacts:FirstName", "x"), e("Contacts:Body", "x"), e("Contacts:CompressedRTF", "x"),
                          e("AirSyncBase:Body", e("Type", "1"), e("Data", "x"))),
    FolderType.CALENDAR: (e("Calendar:Subject", "x"), e("Calendar:StartTime", "20260101T000000Z"),
                          e("Calendar:EndTime", "20260101T010000Z"), e("Calendar:Body", "x"),
                          e("Calendar:CompressedRTF", "x"), e("Calendar:Recurrence", e("Type", "1"), e(
                              "DayOfWeek", "2"))),
    FolderType.TASKS: (e("Tasks:Subject", "x"), e("Tasks:Complete", "0"), e("Tasks:CompressedRTF", "x")),
    FolderType.INBOX: (e("Email:Read", "1"), e("Email:Flag", e("Status", "2"))),
}


def written(collection: str, type: FolderType, key: str) -> Any:
    """A Sync with an Add, a Change and a Delete."""
    data = e("AirSync:ApplicationData", *WRITTEN[type])
    return sync(key, collection, e("GetChanges", "0"), e("Commands", e("Add", e("ClientId", "c"), data), e(
        "Change", e("ServerId", f"{collection}:1"), data), e("Delete", e("ServerId", f"{collection}:2"))))


TEXTS = (
    "", "0", "-1", "99999999999", "x" * 300, "ä\U0001f600", "1:1", "2026-13-45T99:00:00.000Z",
    "0001-01-01T00:00:00.000Z",
)


def changed(root: Any, chance: random.Random) -> bytes:
    """The document with an element left out, doubled, emptied or given another text; or with some octets changed."""
    kind = chance.randrange(5)
    if kind == 4:
        raw = bytearray(wbxml.encode(root))
        for _ in range(chance.randrange(1, 4)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        return bytes(raw)
    return wbxml.encode(_changed(root, kind, chance))


def _changed(element: Any, kind: int, chance: random.Random) -> Any:
    children = list(element.elements)
    if not children:
        return wbxml.Element(element.tag, chance.choice(TEXTS)) if kind >= 2 else element
    at = chance.randrange(len(children))
    if kind in (0, 1) and chance.random() < 0.5:
        children[at : at + 1] = [] if kind == 0 else [children[at]] * 2
    else:
        children[at] = _changed(children[at], kind, chance)
    return wbxml.Element(element.tag, tuple(children))


async def test_no_request_makes_the_server_fail(wire: Callable[..., Wire], world: Any) -> None:
    """Neither HTTP 500 nor Status 110, which stand for faults of ours. Answers may repeat ids that are nonsense: they
    are not held against the schemas."""
    app = unchecked(world.app.asgi)
    chance = random.Random(SEED)
    asked = samples(await world.folder(FolderType.INBOX))
    devices = [wire(app=app, version=version.text, device=f"WIRE{version}") for version in Version]
    for number in range(COUNT):
        command = chance.choice(list(asked))
        device = chance.choice(devices)
        body = changed(asked[command], chance)
        got = await device.post(command, body)
        shown = f"{number}: {command} in {device.version}: {body!r}"
        assert got.http < 500, shown
        if got.http == 200 and got.body:
            assert "110" not in [node.text for node in got.root.elements], shown


async def test_no_item_makes_the_server_fail(wire: Callable[..., Wire], world: Any) -> None:
    """As above, with what devices write, under a key that is good."""
    app = unchecked(world.app.asgi)
    chance = random.Random(SEED)
    for version in Version:
        device = wire(app=app, version=version.text, device=f"WIRE{version}")
        for type in WRITTEN:
            id = await world.folder(type)
            first = await device.post("Sync", sync("0", id))
            key = first.text("Collections", "Collection", "SyncKey")
            for number in range(ITEMS):
                body = changed(written(id, type, key), chance)
                got = await device.post("Sync", body)
                shown = f"{number}: {type} in {version}: {body!r}"
                assert got.http < 500, shown
                if got.http == 200 and got.body:
                    assert "110" not in [node.text for node in got.root.elements], shown


@pytest.mark.parametrize("version", ["2.5", "12.0", "12.1"])
async def test_no_message_makes_the_server_fail(wire: Callable[..., Wire], world: Any, version: str) -> None:
    """Bodies that are messages, with whatever in them and in the parameters beside."""
    app = unchecked(world.app.asgi)
    chance, device = random.Random(SEED), wire(app=app, version=version)
    for number in range(ITEMS):
        message = bytearray(LETTER)
        for _ in range(chance.randrange(4)):
            message[chance.randrange(len(message))] = chance.randrange(256)
        command = chance.choice(("SendMail", "SmartReply", "SmartForward"))
        parameters = {name: chance.choice(TEXTS) for name in ("CollectionId", "ItemId", "LongId", "Occurrence")}
        with structlog.testing.capture_logs() as lines:
            await device.post(command, bytes(message), content_type="message/rfc822", **parameters)
        # Its HTTP status may be 500, which stands for more than faults there.
        shown = f"{number}: {command} {parameters} {message!r}"
        assert [line for line in lines if line["log_level"] == "error"] == [], shown


async def test_no_query_makes_the_server_fail(wire: Callable[..., Wire]) -> None:
    chance = random.Random(SEED)
    device = wire()
    for _ in range(300):
        query = bytearray(device.query("FolderSync").encode())
        for _ in range(chance.randrange(1, 6)):
            query[chance.randrange(len(query))] = chance.randrange(33, 127)
        got = await device.post("FolderSync", b"", query=query.decode().replace("#", "%23"))
        assert got.http in (200, 400, 501), query
