"""Requests that no well-behaved device sends: each gets the answer that the specification has for it, and the next
request is answered as if nothing had been.

Nothing that was wrong in a request, and nothing of the program, shows in an answer. [MS-ASCMD] Common Status Codes
R4811-R4817, R7461-R7463; [MS-ASHTTP] Status Line.
"""

from __future__ import annotations

import itertools
from base64 import b64encode
from random import Random
from typing import Any

import pytest
from house import House
from wire import Got, Wire, e

from eas.commands.all import COMMANDS
from eas.engine.model import FolderType
from eas.protocol import wbxml
from eas.protocol.version import COMMON_STATUS, Version
from eas.protocol.wbxml import Element

#: Commands whose body is WBXML in the given version, and their roots.
WITH_DOCUMENT = sorted(name for name, command in COMMANDS.items() if command.bare is None)
VERSIONS = tuple(version.text for version in Version)

#: Words of Python, of SQL and of paths, none of which may be in an answer.
TELLTALES = (b"Traceback", b'File "', b".py", b"sqlite", b"SELECT", b"Error(", b"eas.")

HEADER = bytes.fromhex("03016a00")


def harmless(got: Got) -> Got:
    """An answer that gives nothing away, and no fault of ours."""
    assert got.http not in (500, 502), got
    for word in TELLTALES:
        assert word not in got.body, got.body
        assert all(word.decode() not in value for value in got.headers.values()), got.headers
    return got


def status_for(command: str, version: str, common: int) -> tuple[int, str]:
    """HTTP status, and Status of the document, for a request that fails with a common status."""
    if Version.parse(version) not in COMMON_STATUS:
        return 400, ""
    return 200, str(common)


def told(got: Got) -> tuple[int, str]:
    """HTTP status, and the Status of the whole document ("" if that is HTTP's to say)."""
    if got.http != 200:
        return got.http, ""
    return 200, got.text(*(("Result", "Status") if got.root.tag.startswith("MeetingResponse") else ("Status",)))


def spoken(command: str) -> str:
    """A version in which the command exists: 14.1, or the nearest."""
    versions = [version for version in Version if version in COMMANDS[command].spoken]
    return min(versions, key=lambda version: (abs(version - Version.V14_1), version)).text


async def alive(wire: Wire) -> None:
    """The device goes on."""
    got = await wire.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
    assert told(got) == (200, "1")


def deep(levels: int) -> bytes:
    """Elements within elements."""
    return HEADER + b"\x45" + b"\x5c\x4f" * levels + b"\x01" * (2 * levels + 1)


def long_number(octets: int) -> bytes:
    """Opaque data whose length never ends."""
    return HEADER + bytes.fromhex("0015 45 50 c3") + b"\xff" * octets


#: No documents at all, whatever the command. R4815
NOT_WBXML = {
    "text": b"<?xml version='1.0'?><Sync/>",
    "noise": Random(7).randbytes(300),
    "header only": HEADER,
    "another version of WBXML": bytes.fromhex("04016a00 45 01"),
    "not UTF-8, by its header": bytes.fromhex("03010400 45 01"),
    "a page that does not exist": HEADER + bytes.fromhex("0063 45 01"),
    "a tag that does not exist": HEADER + bytes.fromhex("7f 01"),
    "an attribute": HEADER + bytes.fromhex("c5 05 01 01"),
    "an end too many": HEADER + bytes.fromhex("45 01 01"),
    "two roots": HEADER + bytes.fromhex("45 01 45 01"),
    "no end": HEADER + bytes.fromhex("45 5c 4f"),
    "text without its end": HEADER + bytes.fromhex("45 5c 4f 4b 03 41 41"),
    "a string table that is not there": bytes.fromhex("03016a7f 45 01"),
    "a reference beyond the string table": bytes.fromhex("03016a02 4100 45 4b 83 40 01 01"),
    "opaque data longer than the body": HEADER + bytes.fromhex("0015 45 50 c3 8f7f 41 01 01"),
    "a length without an end": long_number(40),
    "a length of 2^70": long_number(9) + b"\x7f\x01",
    "2,000 levels": deep(1000),
    "100,000 levels": deep(50_000),
    "text that is not UTF-8": HEADER + bytes.fromhex("45 5c 4f 4b 03 c328 00 01 01 01 01"),
    "an entity beyond Unicode": HEADER + bytes.fromhex("45 4b 02 c480 8000 01 01"),
    "a processing instruction": HEADER + bytes.fromhex("43 05 01"),
}


@pytest.mark.long
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NOT_WBXML)
async def test_what_is_no_wbxml_is_refused_as_such(house: House, name: str, version: str) -> None:
    wire = house.wire("anna", version=version)
    got = harmless(await wire.post("Sync", NOT_WBXML[name]))
    assert told(got) == status_for("Sync", version, 102), name
    await alive(wire)


@pytest.mark.parametrize("command", WITH_DOCUMENT)
async def test_every_command_refuses_what_is_no_wbxml(house: House, command: str) -> None:
    wire = house.wire("anna", version=spoken(command))
    got = harmless(await wire.post(command, HEADER + b"\x45\x03no end"))
    assert told(got) == status_for(command, wire.version, 102)


@pytest.mark.long
@pytest.mark.parametrize("version", VERSIONS)
async def test_every_truncation_of_a_request_is_refused(house: House, version: str) -> None:
    """Each of the first parts of a Sync that adds a contact; none of them adds it."""
    wire = house.wire("anna", version=version)
    contacts = house.folder_id("anna", FolderType.CONTACTS)
    whole = wbxml.encode(await _adding(wire, contacts))
    for length in range(1, len(whole)):
        got = harmless(await wire.post("Sync", whole[:length]))
        assert told(got) == status_for("Sync", version, 102), length
    assert not await house.contents("anna", FolderType.CONTACTS)
    got = harmless(await wire.post("Sync", whole))
    assert got.text("Collections", "Collection", "Responses", "Add", "Status") == "1"
    assert len(await house.contents("anna", FolderType.CONTACTS)) == 1


async def _adding(wire: Wire, contacts: str) -> Element:
    primed = await wire.post("Sync", _collection(contacts, "0"))
    data = e("ApplicationData", e("Contacts:LastName", "Ek"), e("Contacts:FirstName", "Mia"))
    add = e("Commands", e("Add", e("ClientId", "1"), data))
    return _collection(contacts, primed.text("Collections", "Collection", "SyncKey"), add)


def _collection(id: str, key: str, *more: Element) -> Element:
    return e("AirSync:Sync", e("Collections", e("Collection", e("SyncKey", key), e("CollectionId", id), *more)))


async def test_damaged_requests_never_fail_in_us(house: House) -> None:
    """A good request with some octets changed is refused, or understood as something else; it is never our fault."""
    random = Random(20260301)
    wire = house.wire("anna")
    whole = wbxml.encode(await _adding(wire, house.folder_id("anna", FolderType.CONTACTS)))
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(random.randint(1, 4)):
            damaged[random.randrange(4, len(damaged))] = random.randrange(256)
        got = harmless(await wire.post("Sync", bytes(damaged)))
        assert got.http == 200
    await alive(wire)


async def test_noise_never_fails_in_us(house: House) -> None:
    random = Random(20260302)
    wire = house.wire("anna")
    for command in itertools.islice(itertools.cycle(WITH_DOCUMENT), 200):
        wire.version = spoken(command)
        body = HEADER + bytes(random.choice(b"\x00\x01\x03\x45\x4b\x5c\x4fA\xc3") for _ in range(random.randint(1, 60)))
        refused = status_for(command, wire.version, 102)[0]
        assert harmless(await wire.post(command, body)).http in (200, refused), (command, body)


#: Well-formed, and not what the command allows: the status of each command, or 103 for those that have none. R4817
MALFORMED = {
    "Sync": "4", "Ping": "4", "FolderSync": "10", "FolderCreate": "10", "FolderUpdate": "10", "FolderDelete": "10",
    "ItemOperations": "2", "Provision": "2", "Settings": "2", "ResolveRecipients": "5", "ValidateCert": "2",
    "GetItemEstimate": "103", "MoveItems": "103", "SendMail": "103", "SmartReply": "103", "SmartForward": "103",
    "MeetingResponse": "103", "Search": "103", "Find": "2", "Notify": "",
}


def test_the_table_of_malformed_requests_is_complete() -> None:
    assert set(MALFORMED) == set(WITH_DOCUMENT)


@pytest.mark.parametrize("command", MALFORMED)
async def test_the_document_of_another_command_is_refused(house: House, command: str) -> None:
    other = "AirSync:Sync" if command != "Sync" else "Ping:Ping"
    got = harmless(await house.wire("anna", version=spoken(command)).post(command, e(other)))
    assert told(got) == ((200, MALFORMED[command]) if MALFORMED[command] else (400, ""))


@pytest.mark.parametrize("command", [name for name in MALFORMED if COMMANDS[name].when_empty is None])
async def test_a_body_is_needed(house: House, command: str) -> None:
    """R4811"""
    got = harmless(await house.wire("anna", version=spoken(command)).post(command))
    assert told(got) == status_for(command, spoken(command), 101)


@pytest.mark.parametrize("kind", ["text/html", "application/json", "multipart/form-data"])
async def test_a_body_of_another_type_is_refused(house: House, kind: str) -> None:
    """R4811"""
    body = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))
    got = harmless(await house.wire("anna").post("FolderSync", body, content_type=kind))
    assert told(got) == (200, "101")


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (e("AirSync:Sync", e("Collections", e("Collection", e("SyncKey", "0")))), "4"),
        (e("AirSync:Sync", e("Collections", e("Collection", e("CollectionId", "5")))), "4"),
        (e("AirSync:Sync", e("WindowSize", "many")), "4"),
        (e("FolderHierarchy:FolderSync"), "10"),
        (e("FolderHierarchy:FolderCreate", e("SyncKey", "1"), e("ParentId", "0"), e("DisplayName", "x"),
           e("Type", "x")), "10"),
        (e("Ping:Ping", e("HeartbeatInterval", "soon")), "4"),
        (e("Move:MoveItems"), "103"),
        (e("GetItemEstimate:GetItemEstimate"), "103"),
        (e("MeetingResponse:MeetingResponse"), "103"),
    ],
    ids=lambda value: value.tag if isinstance(value, Element) else str(value),
)
async def test_what_is_missing_or_of_another_kind_is_refused(house: House, document: Element, status: str) -> None:
    command = document.tag.partition(":")[2]
    got = harmless(await house.wire("anna").post(command, document))
    assert told(got) == (200, status)


# -- commands, versions, classes


async def test_unknown_commands_are_refused(house: House) -> None:
    """[MS-ASHTTP] Status Line: 501 where there is no document to say it in."""
    assert harmless(await house.wire("anna").post("MakeCoffee", e("AirSync:Sync"))).http == 501


async def test_an_unknown_code_of_a_command_is_refused(house: House) -> None:
    query = bytes((141, 200, 0x07, 0x04, 4)) + b"WIRE" + bytes((0, 5)) + b"Phone"
    got = harmless(await house.wire("anna").post("", e("AirSync:Sync"), query=b64encode(query).decode()))
    assert got.http in (400, 501)


@pytest.mark.parametrize("query", ["", "%", "&&&", "Cmd", "Cmd=Sync", "=" * 3000, "Cmd=Sync&DeviceId=" + "A" * 5000,
                                   "AAAA", "jQ==", "%00%ff%fe", "Cmd=Sync&Cmd=Ping&DeviceId=a&DeviceType=b"])
async def test_queries_that_make_no_sense_are_refused(house: House, query: str) -> None:
    got = harmless(await house.wire("anna").post("", e("FolderHierarchy:FolderSync"), query=query))
    assert got.http in (200, 400, 501)
    assert got.http != 200 or got.status not in ("", "1")


@pytest.mark.parametrize(
    ("version", "http"), [("1.0", 505), ("2.0", 505), ("9.9", 400), ("fourteen", 400), ("-1", 400)]
)
async def test_unknown_versions_are_refused(house: House, version: str, http: int) -> None:
    """[MS-ASCMD] R4897, R7560"""
    got = harmless(await house.wire("anna", version=version).post("FolderSync", e("FolderHierarchy:FolderSync")))
    assert got.http == http


async def test_a_command_of_other_versions_is_refused(house: House) -> None:
    """GetAttachment ends with 12.1, Find begins with 16.1; R4897"""
    got = harmless(await house.wire("anna").post("GetAttachment", AttachmentName="1:1:1"))
    assert told(got) in ((200, "138"), (400, ""), (501, ""))
    assert told(harmless(await house.wire("anna").post("Find", e("Find:Find")))) in ((200, "138"), (400, ""))


@pytest.mark.parametrize("item_class", ["Journal", "Email\x00", "IPM.Note", "Ω" * 500])
async def test_unknown_classes_are_refused(house: House, item_class: str) -> None:
    inbox = house.folder_id("anna", FolderType.INBOX)
    wire = house.wire("anna")
    estimate = e("GetItemEstimate:GetItemEstimate", e("Collections", e(
        "Collection", e("AirSync:SyncKey", "0"), e("CollectionId", inbox),
        e("AirSync:Options", e("Class", item_class)),
    )))
    data = e("ApplicationData", e("Email:Subject", "x"))
    add = e("Commands", e("Add", e("Class", item_class), e("ClientId", "1"), data))
    key = (await wire.post("Sync", _collection(inbox, "0"))).text("Collections", "Collection", "SyncKey")
    for command, document in (("GetItemEstimate", estimate), ("Sync", _collection(inbox, key, add))):
        assert harmless(await wire.post(command, document)).http == 200
    assert not await house.contents("anna", FolderType.INBOX)


@pytest.mark.parametrize("type", ["0", "2", "10", "11", "16", "18", "19", "99", "-1", "4294967297"])
async def test_folders_of_unknown_types_are_not_made(house: House, type: str) -> None:
    """[MS-ASCMD] Type (FolderCreate); the recipient information cache, a type that is known, by R81"""
    wire = house.wire("anna")
    key = (await wire.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))).text("SyncKey")
    names = (e("SyncKey", key), e("ParentId", "0"), e("DisplayName", "New"), e("Type", type))
    got = harmless(await wire.post("FolderCreate", e("FolderHierarchy:FolderCreate", *names)))
    assert told(got) == (200, "3" if type == "19" else "10")
    assert "New" not in [folder.name for folder in await house.folders("anna")]


#: What is no key of anything, or can be none.
NO_KEYS = ("1", "-1", "00", "a" * 5000, "{0}1", "'; DROP TABLE sync_state; --", "½")


@pytest.mark.parametrize("key", NO_KEYS)
async def test_keys_that_were_never_issued_are_refused(house: House, key: str) -> None:
    """[MS-ASCMD] Status (Sync) 3, Status (FolderSync) 9, Status (GetItemEstimate) 4"""
    wire, inbox = house.wire("anna"), house.folder_id("anna", FolderType.INBOX)
    await wire.post("Sync", _collection(inbox, "0"))
    await wire.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
    got = harmless(await wire.post("Sync", _collection(inbox, key)))
    assert got.text("Collections", "Collection", "Status") == "3"
    got = harmless(await wire.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", key))))
    assert told(got) == (200, "9")
    asked = e("Collection", e("AirSync:SyncKey", key), e("CollectionId", inbox))
    got = harmless(await wire.post("GetItemEstimate", e("GetItemEstimate:GetItemEstimate", e("Collections", asked))))
    assert got.text("Response", "Status") == "4"


# -- who asks


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Basic !!!!", "Bearer abc", "Basic " + b64encode(b"anna").decode(),
     "Basic " + b64encode(b":").decode(), "Basic " + b64encode(b"anna:" + b"x" * 5000).decode(),
     "Basic " + b64encode(b"\xff\xfe:\xff").decode(), "Basic " + b64encode(b"nobody:anna-secret").decode(),
     "Basic " + b64encode(b"anna:wrong").decode(), "Basic " + b64encode(b"anna:").decode()],
)
async def test_wrong_credentials_are_refused_and_challenged(house: House, authorization: str) -> None:
    """[MS-ASHTTP] Status Line 401"""
    wire = house.wire("anna", headers={"Authorization": authorization})
    got = harmless(await wire.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0"))))
    assert got.http == 401
    assert got.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize(("version", "answer"), [
    (version.text, (200, "126") if version in COMMON_STATUS else (403, "")) for version in Version
])
async def test_a_user_without_activesync_is_told_so(house: House, version: str, answer: tuple[int, str]) -> None:
    """[MS-ASCMD] R4869"""
    await house.set("anna", activesync=False)
    got = harmless(await house.wire("anna", version=version).post(
        "FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0"))
    ))
    assert told(got) == answer


async def test_a_disabled_user_does_not_get_in(house: House) -> None:
    """Not with a password that was good a moment ago either."""
    wire = house.wire("anna")
    await alive(wire)
    await house.set("anna", enabled=False)
    got = harmless(await wire.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0"))))
    assert got.http in (401, 403)


# -- too much


async def test_a_body_beyond_the_limit_is_refused(house: House) -> None:
    """Before it is read where its length is stated, and as soon as it shows where it is not."""
    wire = house.wire("anna")
    big = b"\x00" * (house.limits.max_body_bytes + 1)
    assert harmless(await wire.post("Sync", big)).http == 413
    await alive(wire)


async def test_too_many_of_anything_are_refused(house: House) -> None:
    """[MS-ASCMD] Limiting Size of Command Requests; Status (Sync) 15"""
    wire, limits = house.wire("anna"), house.limits
    inbox = house.folder_id("anna", FolderType.INBOX)
    ids = map(str, range(limits.max_collections + 1))
    collections = [e("Collection", e("SyncKey", "0"), e("CollectionId", id)) for id in ids]
    got = harmless(await wire.post("Sync", e("AirSync:Sync", e("Collections", *collections))))
    assert told(got) == (200, "15")
    folders = [e("Folder", e("Id", str(n)), e("Class", "Email")) for n in range(limits.max_ping_folders + 1)]
    got = harmless(await wire.post("Ping", e("Ping:Ping", e("HeartbeatInterval", "60"), e("Folders", *folders))))
    assert told(got) == (200, "6")
    key = (await wire.post("Sync", _collection(inbox, "0"))).text("Collections", "Collection", "SyncKey")
    deletes = [e("Delete", e("ServerId", f"{inbox}:{n + 1}")) for n in range(limits.max_commands + 1)]
    got = harmless(await wire.post("Sync", _collection(inbox, key, e("Commands", *deletes))))
    assert "4" in (got.status if got.find("Status") else got.text("Collections", "Collection", "Status"))
    moves = [e("Move", e("SrcMsgId", f"{inbox}:{n}"), e("SrcFldId", inbox), e("DstFldId", "9")) for n in range(1001)]
    assert told(harmless(await wire.post("MoveItems", e("Move:MoveItems", *moves)))) == (200, "103")
    await alive(wire)


@pytest.mark.parametrize("number", ["-1", "0", "99999999999999999999", "1e9", "٣", " 5 ", "0x10"])
async def test_numbers_of_all_kinds_are_bounded_or_refused(house: House, number: str) -> None:
    wire, inbox = house.wire("anna"), house.folder_id("anna", FolderType.INBOX)
    folder = e("Folder", e("Id", "0"), e("Class", "Email"))
    documents: list[tuple[str, Any]] = [
        ("Sync", _collection(inbox, "0", e("WindowSize", number))),
        ("Sync", _collection(inbox, "0", e("Options", e("FilterType", number)))),
        ("Sync", _collection(inbox, "0", e("Options", e("AirSyncBase:BodyPreference", e("Type", number))))),
        ("Sync", e("AirSync:Sync", e("Wait", number))),
        ("Ping", e("Ping:Ping", e("HeartbeatInterval", number), e("Folders", folder))),
    ]
    for command, document in documents:
        assert harmless(await wire.post(command, document)).http == 200


def test_offered_versions_are_those_of_the_tests() -> None:
    assert tuple(Version.parse(text) for text in VERSIONS) == House.versions
