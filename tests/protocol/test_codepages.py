"""The code pages against facts from other places: counts, well-known tokens, and the tables of the specification.

Set EAS_SPEC to a folder with `wbxml-code-pages.json` (page, namespace, and for each token its name and versions, as
transcribed from [MS-ASWBXML]) to compare every tag.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from eas.protocol.codepages import LEGACY, OPAQUE, PAGES, SPOKEN, TAG_OF, TOKEN_OF, UNVERIFIED
from eas.protocol.version import Spoken, Version

SPEC = os.environ.get("EAS_SPEC")

# Tokens that stand in bytes of real traffic or where other implementations are known to be wrong.
WELL_KNOWN = {
    "AirSync:Sync": (0, 0x05),
    "AirSync:HeartbeatInterval": (0, 0x29),
    "Contacts:LastName": (1, 0x29),
    "Email:ResponseRequested": (2, 0x26),
    "Email:DisallowNewTimeProposal": (2, 0x3F),
    "Calendar:ClientUid": (4, 0x3C),
    "Move:DstMsgId": (5, 0x0C),
    "FolderHierarchy:FolderSync": (7, 0x16),
    "MeetingResponse:SendResponse": (8, 0x12),
    "Tasks:UtcDueDate": (9, 0x0D),
    "ResolveRecipients:Data": (10, 0x1C),
    "Ping:MaxFolders": (13, 0x0D),
    "Provision:EASProvisionDoc": (14, 0x0D),
    "Provision:Hash": (14, 0x3A),
    "Search:MaxPictures": (15, 0x23),
    "AirSyncBase:BodyPartPreference": (17, 0x19),
    "AirSyncBase:InstanceId": (17, 0x2D),
    "Settings:RightsManagementInformation": (18, 0x2B),
    "DocumentLibrary:LastModifiedDate": (19, 0x09),
    "ItemOperations:MoveAlways": (20, 0x19),
    "ComposeMail:Mime": (21, 0x10),
    "ComposeMail:Email": (21, 0x18),
    "Email2:Send": (22, 0x17),
    "RightsManagement:EditAllowed": (24, 0x09),
    "RightsManagement:TemplateID": (24, 0x14),
    "Find:Picture": (25, 0x22),
}

VERSIONS = {
    "AirSync:Sync": Spoken(),
    "AirSync:Truncation": Spoken(until=Version.V2_5),
    "AirSync:Wait": Spoken(since=Version.V12_1),
    "Email:Location": Spoken(until=Version.V14_1),
    "GetItemEstimate:Class": Spoken(until=Version.V12_1),
    "Calendar:FirstDayOfWeek": Spoken(since=Version.V14_1),
    "MeetingResponse:ProposedStartTime": Spoken(since=Version.V16_1),
    "Provision:DocumentBrowseEnabled": Spoken(since=Version.V12_0, until=Version.V12_0),
    "Provision:MaxDevicePasswordFailedAttempts": Spoken(since=Version.V12_0),
    "AirSyncBase:Location": Spoken(since=Version.V16_0),
}


def test_all_pages_and_tags_are_there() -> None:
    assert list(PAGES) == list(range(26))
    assert (len(TOKEN_OF), len(LEGACY), len(UNVERIFIED)) == (656, 58, 12)


#: [MS-ASWBXML] Code Pages R10 R11 R12 R13 R14 R15 R16 R17 R18 R19 R20 R21 R22
#: [MS-ASWBXML] R23 R24 R25 R26 R27 R28 R29 R30 R31 R32 R33 R34 R3400
NAMESPACES = [
    "AirSync", "Contacts", "Email", "AirNotify", "Calendar", "Move", "GetItemEstimate", "FolderHierarchy",
    "MeetingResponse", "Tasks", "ResolveRecipients", "ValidateCert", "Contacts2", "Ping", "Provision", "Search",
    "GAL", "AirSyncBase", "Settings", "DocumentLibrary", "ItemOperations", "ComposeMail", "Email2", "Notes",
    "RightsManagement", "Find",
]


def test_the_pages_have_the_numbers_of_the_specification() -> None:
    """[MS-ASWBXML] R8"""
    assert [PAGES[page].split()[0] for page in range(26)] == NAMESPACES
    assert {(page, tag.partition(":")[0]) for (page, _), tag in TAG_OF.items()} == set(enumerate(NAMESPACES))


def test_what_took_the_place_of_a_tag() -> None:
    """[MS-ASWBXML] R821 R822 R824 R825: one tag ends where the other begins."""
    for old in ("Email:Location", "Calendar:Location", "Email:GlobalObjId"):
        assert SPOKEN[old].until is Version.V14_1
    assert SPOKEN["AirSyncBase:Location"].since is Version.V16_0
    assert SPOKEN["GetItemEstimate:Class"].until is Version.V12_1
    assert Version.V16_1 in SPOKEN["Calendar:UID"]
    assert Version.V14_0 in SPOKEN["AirSync:Class"]


def test_tags_and_tokens_are_one_to_one() -> None:
    assert {code: tag for tag, code in TOKEN_OF.items()} == TAG_OF
    assert len(TAG_OF) == len(TOKEN_OF)


def test_tokens_fit_into_six_bits_above_the_global_tokens() -> None:
    """WBXML gives the tags of a page 0x05 to 0x3F."""
    assert {token for _, token in TAG_OF} <= set(range(0x05, 0x40))


@pytest.mark.parametrize("tag", WELL_KNOWN)
def test_well_known_token(tag: str) -> None:
    assert TOKEN_OF[tag] == WELL_KNOWN[tag]


@pytest.mark.parametrize("tag", VERSIONS)
def test_versions_of_a_tag(tag: str) -> None:
    assert SPOKEN[tag] == VERSIONS[tag]


def test_every_tag_has_versions_unless_it_is_unverified() -> None:
    assert SPOKEN.keys() == TOKEN_OF.keys() - UNVERIFIED
    assert all(spoken.since <= spoken.until for spoken in SPOKEN.values())


def test_legacy_tags_ended_before_the_present_versions() -> None:
    assert all(SPOKEN[tag].until <= Version.V12_1 for tag in LEGACY)


def test_the_eight_byte_arrays_are_opaque() -> None:
    """[MS-ASDTYPE] R98: byte arrays are opaque data."""
    assert SPOKEN.keys() >= OPAQUE
    assert len(OPAQUE) == 8
    names = {tag.partition(":")[2] for tag in OPAQUE}
    assert names == {"Content", "Mime", "ConversationId", "ConversationIndex", "Data"}


def _transcribed() -> list[tuple[str, dict[str, Any], int, int]]:
    assert SPEC is not None
    pages = json.loads((Path(SPEC) / "wbxml-code-pages.json").read_text(encoding="utf-8"))["pages"]
    return [
        (f"{page['namespace']}:{fact['name']}", fact, page["page"], int(token, 16))
        for page in pages
        for token, fact in page["tags"].items()
    ]


@pytest.mark.skipif(SPEC is None, reason="EAS_SPEC names no folder with the tables of the specification")
def test_tables_of_the_specification_say_the_same() -> None:
    transcribed = _transcribed()
    assert {tag: (page, token) for tag, _, page, token in transcribed} == TOKEN_OF
    assert {
        tag: Spoken(Version.parse(fact["min"]), Version.parse(fact["max"]))
        for tag, fact, _, _ in transcribed
        if "min" in fact
    } == SPOKEN
    for kind, tags in {"legacy": LEGACY, "unverified": UNVERIFIED}.items():
        assert {tag for tag, fact, _, _ in transcribed if fact.get("status") == kind} == tags
    assert {tag for tag, fact, _, _ in transcribed if fact.get("opaque")} == OPAQUE


def test_tokens_of_the_document_library() -> None:
    """[MS-ASWBXML] Code Page 19: DocumentLibrary R554 R555 R556 R557 R558 R559 R560 R561"""
    names = (
        "LinkId", "DisplayName", "IsFolder", "CreationDate", "LastModifiedDate", "IsHidden", "ContentLength",
        "ContentType",
    )
    assert {name: TOKEN_OF[f"DocumentLibrary:{name}"] for name in names} == {
        name: (19, token) for token, name in enumerate(names, 0x05)
    }
