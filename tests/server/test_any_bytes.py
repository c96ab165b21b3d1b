"""Whatever a logged-in client sends, the answer is never that the server failed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from wire import Wire, e, sync

from eas.engine.model import FolderType
from eas.protocol import wbxml

#: Takes more than a few seconds.
pytestmark = pytest.mark.long

#: Requests that are made of the samples, each with something changed. A fixed seed: the same ones every time.
COUNT, SEED = 600, 20261120


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
            "Request", e("UserResponse", "1"), e("CollectionId", collection), e("RequestId", "1:1"))),
    }  # fmt: skip


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
    app = getattr(world.app.asgi, "unchecked", world.app.asgi)
    chance = random.Random(SEED)
    asked = samples(await world.folder(FolderType.INBOX))
    devices = [wire(app=app, version=version, device=f"WIRE{version[-3:-2]}") for version in ("12.1", "14.0", "14.1")]
    for number in range(COUNT):
        command = chance.choice(list(asked))
        device = chance.choice(devices)
        body = changed(asked[command], chance)
        got = await device.post(command, body)
        shown = f"{number}: {command} in {device.version}: {body!r}"
        assert got.http < 500, shown
        if got.http == 200 and got.body:
            assert "110" not in [node.text for node in got.root.elements], shown


async def test_no_query_makes_the_server_fail(wire: Callable[..., Wire]) -> None:
    chance = random.Random(SEED)
    device = wire()
    for _ in range(300):
        query = bytearray(device.query("FolderSync").encode())
        for _ in range(chance.randrange(1, 6)):
            query[chance.randrange(len(query))] = chance.randrange(33, 127)
        got = await device.post("FolderSync", b"", query=query.decode().replace("#", "%23"))
        assert got.http in (200, 400, 501), query
