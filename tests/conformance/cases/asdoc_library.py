"""[MS-ASDOC] Documents: found by their links, and fetched. What the library holds is in library_kit."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import datetime

from lab import FROM_12, Lab, case
from library_kit import INNER, PLAN, asking, fetching, link_to
from search_kit import STORE, properties, text_of
from wire import Got, e

from eas.protocol import http
from eas.protocol.wbxml import Element

ELEMENTS = ("LinkId", "DisplayName", "IsFolder", "CreationDate", "LastModifiedDate", "IsHidden", "ContentLength",
            "ContentType")


async def search(lab: Lab, request: Element) -> Got:
    got = await lab.talker().post("Search", request)
    assert (got.http, got.status) == (200, "1"), got
    return got


def documents(got: Got) -> dict[str, dict[str, str]]:
    """The properties of each result by its name."""
    found = [
        {child.tag.partition(":")[2]: child.text for child in properties(result).elements}
        for result in got.all(*STORE, "Result")
    ]
    return {one["DisplayName"]: one for one in found}


async def fetch(lab: Lab, request: Element, multipart: bool = False) -> Got:
    headers = {"MS-ASAcceptMultiPart": "T"} if multipart else {}
    got = await lab.talker().post("ItemOperations", request, headers=headers)
    assert (got.http, got.status) == (200, "1"), got
    return got


def status(got: Got) -> str:
    return got.text("Response", "Fetch", "Status")


@case("MS-ASDOC", "R85 MS-ASCMD:R4329 MS-ASCMD:R4336 MS-ASCMD:R4342 MS-ASCMD:R4364 MS-ASCMD:R3734", FROM_12)
async def what_cannot_be_searched(lab: Lab) -> None:
    there = link_to(lab)
    rows = [
        (asking(None), "2"), (e("Search:Search", e("Store", e("Name", "DocumentLibrary"), e("Query"))), "2"),
        (asking(there, e("Range", "x")), "2"), (asking(there, e("Range", "5-1")), "2"),
        (asking(there, e("Range", "0-1000")), "12"), (asking(there, e("Range", "50-60")), "12"),
        (asking(there, e("UserName", "x" * 101)), "2"), (asking(there, e("Password", "x" * 257)), "2"),
        (asking("no link"), "4"), (asking(link_to(lab, "..", "..", "etc")), "4"),
        (asking(link_to(lab, "nothing.txt")), "6"), (asking(link_to(lab, "plan.txt", "below")), "6"),
        (asking("\\\\nobody.invalid\\share"), "13"), (asking("http://nobody.invalid/"), "13"),
        (asking("file:///etc/passwd"), "4"), (asking("gopher://nobody.invalid/1"), "4"),
        (asking("https://me:secret@nobody.invalid/"), "4"),
    ]
    for request, expected in rows:
        got = await search(lab, request)
        assert got.text(*STORE, "Status") == expected, request
        assert got.find(*STORE, "Result") is None


@case(
    "MS-ASDOC",
    "R29 R31 R33 R35 R36 R38 R39 R41 R42 R44 R45 R46 R47 R48 R50 R51 R52 R53 R54 R56 R111 R112 R114 R118 R119 "
    "MS-ASCMD:R3853 MS-ASCMD:R3855 MS-ASCMD:R3846",
    FROM_12,
)
async def a_folder_and_what_lies_in_it(lab: Lab) -> None:
    there = link_to(lab)
    for value in (True, False):  # some clients put the link into the property itself
        got = await search(lab, asking(there, value=value))
        assert got.text(*STORE, "Status") == "1"
        found = documents(got)
        first, *_ = got.all(*STORE, "Result")
        assert text_of(properties(first), "DocumentLibrary:LinkId") == there
        root = found.pop(text_of(properties(first), "DocumentLibrary:DisplayName"))
        assert (root["IsFolder"], root["IsHidden"]) == ("1", "0")
        assert {name: (one["IsFolder"], one["IsHidden"]) for name, one in found.items()} == {
            "plan.txt": ("0", "0"), "empty.txt": ("0", "0"), ".secret.txt": ("0", "1"), "sub": ("1", "0"),
            ".attic": ("1", "1"),
        }
        assert got.text(*STORE, "Total") == "6"
        assert got.text(*STORE, "Range") == "0-5"
    for one in (root, *found.values()):
        assert set(one) == set(ELEMENTS)
        for date in ("CreationDate", "LastModifiedDate"):
            assert one[date].endswith("Z")
            assert datetime.fromisoformat(one[date]).year > 1999
        assert one["ContentLength"].isdigit()
    assert found["plan.txt"]["ContentLength"] == str(len(PLAN))
    assert found["plan.txt"]["ContentType"] == "text/plain"
    assert found["plan.txt"]["LinkId"] == link_to(lab, "plan.txt")


@case("MS-ASDOC", "R111 R112 MS-ASCMD:R3858 MS-ASCMD:R3725 MS-ASCMD:R7571", FROM_12)
async def one_document_and_pages_of_a_folder(lab: Lab) -> None:
    got = await search(lab, asking(link_to(lab, "plan.txt")))
    assert list(documents(got)) == ["plan.txt"]
    assert (got.text(*STORE, "Range"), got.text(*STORE, "Total")) == ("0-0", "1")
    assert list(documents(await search(lab, asking(link_to(lab, "sub"))))) == ["sub", "inner.txt"]
    everything = list(documents(await search(lab, asking(link_to(lab)))))
    paged: list[str] = []
    for span in ("0-1", "2-3", "4-9"):
        got = await search(lab, asking(link_to(lab), e("Range", span)))
        assert got.text(*STORE, "Total") == "6"
        paged += documents(got)
    assert paged == everything
    equal = e("EqualTo", Element("DocumentLibrary:LinkId"), e("Value", link_to(lab, "plan.txt")))
    twice = e("Search:Search", e("Store", e("Name", "DocumentLibrary"), e("Query", equal, equal)))
    assert list(documents(await search(lab, twice))) == ["plan.txt"]


@case(
    "MS-ASDOC",
    "MS-ASCMD:R4154 MS-ASCMD:R4156 MS-ASCMD:R4157 MS-ASCMD:R4158 MS-ASCMD:R7239 MS-ASCMD:R4160 MS-ASCMD:R4162",
    FROM_12,
)
async def what_cannot_be_fetched(lab: Lab) -> None:
    plan = link_to(lab, "plan.txt")
    rows = [
        (fetching(None), "2"), (fetching(plan, e("UserName", "x" * 101)), "2"), (fetching("no link"), "4"),
        (fetching("file:///etc/passwd"), "4"), (fetching(link_to(lab, "..", "plan.txt")), "4"),
        (fetching("\\\\nobody.invalid\\share\\plan.txt"), "5"), (fetching("http://nobody.invalid/plan.txt"), "5"),
        (fetching(link_to(lab, "nothing.txt")), "6"), (fetching(link_to(lab, "sub")), "6"),
        (fetching(plan, e("Range", "9-1")), "8"), (fetching(plan, e("Range", "x")), "8"),
        (fetching(plan, e("Range", f"{len(PLAN)}-{len(PLAN) + 9}")), "8"),
        (fetching(link_to(lab, "empty.txt")), "10"),
    ]
    for request, expected in rows:
        got = await fetch(lab, request)
        assert status(got) == expected, request
        assert got.find("Response", "Fetch", "Properties") is None


@case(
    "MS-ASDOC",
    "R69 R76 R77 R98 R101 R102 R103 R104 R105 R106 R107 R120 R124 MS-ASCMD:R3716 MS-ASCMD:R5886 MS-ASCMD:R5919 "
    "MS-ASCMD:R2301 MS-ASCMD:R2302",
    FROM_12,
)
async def documents_are_fetched(lab: Lab) -> None:
    plan = link_to(lab, "plan.txt")
    rows: list[tuple[tuple[Element, ...], bytes, str | None]] = [
        ((), PLAN, None),
        ((e("Range", "0-9"),), PLAN[:10], "0-9"),
        ((e("Range", "100-9999"),), PLAN[100:], f"100-{len(PLAN) - 1}"),
        ((e("UserName", "somebody"), e("Password", "x" * 256)), PLAN, None),
    ]
    for options, expected, span in rows:
        for multipart in (False, True):
            got = await fetch(lab, fetching(plan, *options), multipart)
            assert status(got) == "1"
            (fetched,) = got.all("Response", "Fetch")
            assert text_of(fetched, "DocumentLibrary:LinkId") == plan
            shown = fetched.child("ItemOperations:Properties")
            assert shown is not None
            assert not [child for child in shown.elements if child.tag.startswith("DocumentLibrary:")]
            if multipart:
                assert got.headers["content-type"] == http.MULTIPART
                assert shown.child("ItemOperations:Data") is None
                data = http.parts_of(got.body)[int(text_of(shown, "ItemOperations:Part"))]
            else:
                assert got.headers["content-type"] == http.WBXML
                data = b64decode(text_of(shown, "ItemOperations:Data"), validate=True)
            assert data == expected
            told = shown.child("ItemOperations:Range")
            assert (told.text if told is not None else None) == span
            assert (text_of(shown, "ItemOperations:Total") == str(len(PLAN))) == (span is not None)
            assert datetime.fromisoformat(text_of(shown, "ItemOperations:Version")).year > 1999
    two = e("ItemOperations:ItemOperations", *[
        e("Fetch", e("Store", "DocumentLibrary"), e("DocumentLibrary:LinkId", link))
        for link in (link_to(lab, "sub", "inner.txt"), link_to(lab, "nothing.txt"), plan)
    ])
    got = await fetch(lab, two)
    assert [text_of(one, "ItemOperations:Status") for one in got.all("Response", "Fetch")] == ["1", "6", "1"]
    assert [b64decode(one.text) for one in got.all("Response", "Fetch", "Properties", "Data")] == [INNER, PLAN]


#: [MS-ASWBXML] Code Page 19: DocumentLibrary.
TOKENS = {"LinkId": 0x05, "DisplayName": 0x06, "IsFolder": 0x07, "CreationDate": 0x08, "LastModifiedDate": 0x09,
          "IsHidden": 0x0A, "ContentLength": 0x0B, "ContentType": 0x0C}
PAGE, STRING = b"\x00\x13", 0x03


@case(
    "MS-ASDOC",
    "R4 R5 R110 R114 MS-ASDTYPE:R12 MS-ASDTYPE:R15 MS-ASDTYPE:R16 MS-ASDTYPE:R20 MS-ASDTYPE:R87 MS-ASDTYPE:R88 "
    "MS-ASDTYPE:R91 MS-ASDTYPE:R123 MS-ASWBXML:R29 MS-ASWBXML:R554 MS-ASWBXML:R555 MS-ASWBXML:R556 MS-ASWBXML:R557 "
    "MS-ASWBXML:R558 MS-ASWBXML:R559 MS-ASWBXML:R560 MS-ASWBXML:R561",
    FROM_12,
)
async def documents_octet_by_octet(lab: Lab) -> None:
    got = await search(lab, asking(link_to(lab, "plan.txt")))
    assert got.headers["content-type"] == http.WBXML
    (found,) = documents(got).values()
    assert PAGE in got.body
    inside = got.body.partition(PAGE)[2]
    for name, token in TOKENS.items():
        assert bytes((token | 0x40, STRING)) + found[name].encode() + b"\0" in inside, name
    for name in ("CreationDate", "LastModifiedDate"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found[name])
    for name in ("IsFolder", "IsHidden"):
        assert 0 <= int(found[name]) <= 255
