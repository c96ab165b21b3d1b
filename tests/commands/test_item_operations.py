"""ItemOperations: fetching items and attachments, emptying folders. [MS-ASCMD] ItemOperations."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest
from mail_kit import (
    BOTTOMLESS,
    DEEP,
    DRAWING,
    PLAN,
    RICH,
    VERSIONS,
    Mailroom,
    letter,
)
from wire import Got, Wire, e

from eas.engine.model import FolderType, Policy, Right
from eas.protocol import http
from eas.protocol.wbxml import Element

Wires = Callable[..., Wire]

CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nN:Doe;Jo;;;\r\nFN:Jo Doe\r\nEND:VCARD\r\n"
NOTE = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VJOURNAL\r\nUID:n\r\nDTSTAMP:20260302T100000Z\r\n"
    b"SUMMARY:Shopping\r\nDESCRIPTION:Milk\r\nEND:VJOURNAL\r\nEND:VCALENDAR\r\n"
)


def fetch(*parts: Any, store: str | None = "Mailbox", options: tuple[Any, ...] | None = None) -> Element:
    named = [] if store is None else [e("ItemOperations:Store", store)]
    said = [] if options is None else [Element("ItemOperations:Options", options)]
    return Element("ItemOperations:Fetch", (*named, *parts, *said))


def by_id(item: str, collection: str | None = None) -> tuple[Element, ...]:
    collection = item.partition(":")[0] if collection is None else collection
    return e("AirSync:CollectionId", collection), e("AirSync:ServerId", item)


def by_long(item: str) -> tuple[Element, ...]:
    return (e("Search:LongId", item),)


def file(reference: str) -> tuple[Element, ...]:
    return (e("AirSyncBase:FileReference", reference),)


def preference(type: int, size: int | None = None, *more: Element, tag: str = "BodyPreference") -> Element:
    sized = [] if size is None else [e("AirSyncBase:TruncationSize", str(size))]
    return Element(f"AirSyncBase:{tag}", (e("AirSyncBase:Type", str(type)), *sized, *more))


def emptying(collection: str, *options: Element) -> Element:
    said = (Element("ItemOperations:Options", options),) if options else ()
    return Element("ItemOperations:EmptyFolderContents", (e("AirSync:CollectionId", collection), *said))


DEEPLY = Element("ItemOperations:DeleteSubFolders")


async def operate(device: Wire, *operations: Element, multipart: bool = False) -> Got:
    headers = {"MS-ASAcceptMultiPart": "T"} if multipart else {}
    return await device.post("ItemOperations", Element("ItemOperations:ItemOperations", operations), headers=headers)


def statuses(got: Got) -> list[str]:
    """Of each operation, in the order of the answer."""
    return [found.text for one in got.all("Response")[:1] for operation in one.elements for found in operation.elements
            if found.tag == "ItemOperations:Status"]


def properties(got: Got, number: int = 0) -> dict[str, Element]:
    """Of the nth item, by tag."""
    found = got.all("Response", "Fetch")[number].child("ItemOperations:Properties")
    assert found is not None, got.root
    return {child.tag: child for child in found.elements}


def body(got: Got, number: int = 0, tag: str = "Body") -> dict[str, str]:
    """The children of the nth item's body by local name."""
    return {c.tag.partition(":")[2]: c.text for c in properties(got, number)[f"AirSyncBase:{tag}"].elements}


def data(got: Got, number: int = 0) -> bytes:
    """What was fetched inline."""
    return b64decode(properties(got, number)["ItemOperations:Data"].text, validate=True)


async def references(device: Wire, item: str) -> dict[str, str]:
    """FileReference by display name, of all attachments of a message."""
    found = properties(await operate(device, fetch(*by_id(item)))).get("AirSyncBase:Attachments")
    named = {}
    for attachment in found.elements if found is not None else ():
        texts = {c.tag.partition(":")[2]: c.text for c in attachment.elements}
        named[texts["DisplayName"]] = texts["FileReference"]
    return named


# What is refused ----------------------------------------------------------------------------------------------------


MISFITS: tuple[tuple[tuple[Element, ...], str], ...] = (
    ((), "2"),
    ((fetch(*by_id("1:1"), store=None),), "2"),
    ((emptying("1", e("ItemOperations:Range", "0-1")),), "2"),  # R3547
    ((fetch(*by_id("1:1"), options=(DEEPLY,)),), "2"),  # R3547
    ((fetch(*by_id("1:1"), options=(Element("AirSyncBase:BodyPreference"),)),), "2"),  # [MS-ASAIRS] R346
    ((fetch(*by_id("1:1"), options=(preference(9),)),), "2"),  # [MS-ASAIRS] R346
    ((fetch(*by_id("1:1"), options=(preference(1, -1),)),), "2"),
    ((Element("ItemOperations:EmptyFolderContents"),), "2"),
    (tuple(fetch(*by_id("1:1")) for _ in range(101)), "11"),
)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_request_that_does_not_fit(wire: Wires, version: str) -> None:
    """R7238; "Limiting Size of Command Requests" (11). Nothing is answered beside the status, in any version."""
    for operations, status in MISFITS:
        got = await operate(wire(version=version), *operations)
        assert (got.http, got.status, len(got.root.elements)) == (200, status, 1), operations[:1]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_body_that_is_none(wire: Wires, version: str) -> None:
    device = wire(version=version)
    for body_, status in ((b"\x03\x01\x6a\x00\x00\x14\x45", "102"), (b"", "101")):
        got = await device.post("ItemOperations", body_)
        assert (got.http if version == "12.1" else got.status) == (400 if version == "12.1" else status)


ASTRAY: tuple[tuple[Element, str], ...] = (
    (fetch(*by_id("1:1"), store="Attic"), "9"),  # R4161
    (fetch(*by_id("1:1"), store=""), "9"),
    (fetch(e("DocumentLibrary:LinkId", "\\\\files\\plan.txt"), store="DocumentLibrary"), "5"),  # R4157
    (fetch(e("DocumentLibrary:LinkId", "\\\\files\\plan.txt")), "2"),
    (fetch(), "2"),
    (fetch(e("AirSync:CollectionId", "1")), "2"),
    (fetch(*by_id("1:1"), *by_long("1:1")), "2"),
    (fetch(*by_id("99:1")), "6"),
    (fetch(*by_id("no id", "1")), "6"),
    (fetch(*by_id("1" * 80, "2" * 80)), "6"),
    (fetch(*by_long("99:1")), "6"),
    (fetch(*by_long("x" * 300)), "6"),
    (fetch(*by_long("")), "6"),
    (fetch(*file("")), "15"),  # [MS-ASAIRS] R214
    (fetch(*file("99:1:1")), "15"),  # R4166
    (fetch(*file("no reference")), "15"),
    (fetch(*file("1:1:99999999999999999999")), "15"),
    (fetch(*file("1:1:1"), options=(preference(1),)), "2"),  # R3573
    (fetch(*file("1:1:1"), options=(Element("ItemOperations:Schema"),)), "2"),  # R3878
    (emptying("99"), "6"),
    (emptying("no id"), "6"),
    (emptying(""), "6"),
    (emptying("9" * 80), "6"),
)


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_operation_that_leads_nowhere(wire: Wires, room: Mailroom, version: str) -> None:
    """R194: each operation has its status, here after one that is well."""
    well = emptying((await room.folder("anna", FolderType.DRAFTS)).id)
    for operation, status in ASTRAY:
        got = await operate(wire(version=version), well, operation)
        assert (got.http, got.status) == (200, "1")
        assert statuses(got) == ["1", status], operation
        assert got.find("Response", "Fetch", "Properties") is None


OPTIONS: tuple[tuple[tuple[Element, ...], str], ...] = (
    ((e("AirSync:MIMESupport", "3"),), "2"),
    ((e("AirSync:MIMETruncation", "9"),), "2"),
    ((preference(1), preference(1)), "2"),
    ((), "1"),
    ((e("AirSync:MIMESupport", "0"), e("AirSync:MIMETruncation", "8"), preference(1), preference(2)), "1"),
)


@pytest.mark.parametrize("version", VERSIONS)
async def test_options_out_of_their_range(wire: Wires, room: Mailroom, version: str) -> None:
    """R4154; an empty Options element is none."""
    mine = await room.deliver("anna", RICH)
    got = await operate(wire(version=version), *(fetch(*by_id(mine), options=options) for options, _ in OPTIONS))
    assert statuses(got) == [status for _, status in OPTIONS]


@pytest.mark.parametrize(("version", "status"), [("12.1", "1"), ("14.0", "1"), ("14.1", "164")])
async def test_a_body_part_is_html(wire: Wires, room: Mailroom, version: str, status: str) -> None:
    """R5412; older versions do not know the element."""
    mine = await room.deliver("anna", RICH)
    part = preference(1, tag="BodyPartPreference")
    assert (await operate(wire(version=version), fetch(*by_id(mine), options=(part,)))).status == status


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_belongs_to_others_does_not_exist(wire: Wires, room: Mailroom, version: str) -> None:
    """R4158, R4166: neither items nor attachments nor folders of another user, until he shares them."""
    bens = await room.deliver("ben", RICH)
    folder = bens.partition(":")[0]
    mine = await room.deliver("anna", letter())
    reference = (await references(wire(user="ben", password="ben-secret"), bens))["plan.txt"]
    device = wire(version=version)
    got = await operate(
        device, fetch(*by_id(bens)), fetch(*by_long(bens)), fetch(*by_id(bens, mine.partition(":")[0])),
        fetch(*file(reference)), emptying(folder, DEEPLY),
    )
    assert statuses(got) == ["6", "6", "6", "6", "15"]  # EmptyFolderContents stands first in an answer
    assert await room.ids("ben") == [bens]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_shared_folder_is_read_as_far_as_it_is_shared(
    wire: Wires, room: Mailroom, world: Any, version: str
) -> None:
    bens = await room.deliver("ben", RICH)
    folder = bens.partition(":")[0]
    reference = (await references(wire(user="ben", password="ben-secret"), bens))["plan.txt"]
    await world.admin.set_right("ben@example.com", folder, "anna@example.com", Right.READ)
    got = await operate(wire(version=version), fetch(*by_id(bens)), fetch(*file(reference)), emptying(folder))
    assert statuses(got) == ["5", "1", "1"]
    assert data(got, 1) == PLAN
    assert await room.ids("ben") == [bens]


# Items --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("by", ["ids", "server id alone", "long id"])
async def test_an_item_by_its_id(wire: Wires, room: Mailroom, version: str, by: str) -> None:
    """R4153, R913; [MS-ASEMAIL] R61, R64. The ids that were named are in the answer; a body is plain text unless
    something else is preferred, and whole."""
    mine = await room.deliver("anna", RICH)
    named = {"ids": by_id(mine), "server id alone": by_id(mine)[1:], "long id": by_long(mine)}[by]
    got = await operate(wire(version=version), fetch(*named))
    (fetched,) = got.all("Response", "Fetch")
    assert [(c.tag, c.text) for c in fetched.elements[:-1]] == [
        ("ItemOperations:Status", "1"), *((c.tag, c.text) for c in named), ("AirSync:Class", "Email"),
    ]
    shown = properties(got)
    assert shown["Email:Subject"].text == "The plans"
    assert body(got)["Type"] == "1"
    assert body(got)["Data"].strip() == "See the drawing:"
    assert "Truncated" not in body(got)
    assert len(shown["AirSyncBase:Attachments"].elements) == 3
    assert ("Email2:ConversationId" in shown) is (version != "12.1")


@pytest.mark.parametrize("version", VERSIONS)
async def test_items_of_other_classes(wire: Wires, room: Mailroom, version: str) -> None:
    """R913, R6274: notes exist from 14.0 on, R6275 the others in all."""
    card = await room.put("anna", FolderType.CONTACTS, CARD)
    note = await room.put("anna", FolderType.NOTES, NOTE)
    got = await operate(wire(version=version), fetch(*by_id(card)), fetch(*by_id(note)))
    assert statuses(got) == ["1", "6" if version == "12.1" else "1"]
    assert properties(got)["Contacts:LastName"].text == "Doe"
    assert got.text("Response", "Fetch", "Class") == "Contacts"
    if version != "12.1":
        assert properties(got, 1)["Notes:Subject"].text == "Shopping"
        assert body(got, 1)["Data"] == "Milk"


#: Options -> Type, what is in Data, Truncated.
BODIES: tuple[tuple[tuple[Element, ...], str, str | None, str | None], ...] = (
    ((preference(2),), "2", "<b>drawing</b>", None),
    ((preference(1, 7),), "1", "See the", "1"),
    ((preference(2, 10),), "2", None, "1"),
    ((preference(1, 0),), "1", None, "1"),
    # AllOrNone: what does not fit is left for the next type.
    ((preference(2, 10, e("AirSyncBase:AllOrNone", "1")), preference(1)), "1", "See the drawing:", None),
    ((e("AirSync:MIMESupport", "2"), preference(4)), "4", "Subject: The plans", None),
    ((e("AirSync:MIMESupport", "2"), preference(4, 20)), "4", "From: Carla <carla@e", "1"),
    ((e("AirSync:MIMESupport", "1"), preference(2), preference(4)), "2", "<b>drawing</b>", None),
    ((e("AirSync:MIMESupport", "0"), preference(1), preference(4)), "1", "See the drawing:", None),
)


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_body_that_is_preferred(wire: Wires, room: Mailroom, version: str) -> None:
    """R3360, R3363, R3366-R3368: MIME for all messages, for signed ones only, for none; cut where it is asked."""
    mine = await room.deliver("anna", RICH)
    got = await operate(wire(version=version), *(fetch(*by_id(mine), options=row[0]) for row in BODIES))
    for number, (options, kind, text, truncated) in enumerate(BODIES):
        found = body(got, number)
        assert (found["Type"], found.get("Truncated")) == (kind, truncated), options
        assert int(found["EstimatedDataSize"]) > 0
        if text is not None:
            assert text in found["Data"]
        limit = next((int(c.text) for p in options for c in p.elements if c.tag.endswith(":TruncationSize")), None)
        if truncated and limit is not None:
            assert len(found.get("Data", "").encode()) <= limit
            assert limit != 7 or found["Data"] == text


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("support", "kind"), [("0", "1"), ("1", "4"), ("2", "4")])
async def test_a_signed_message_is_fetched_whole(
    wire: Wires, room: Mailroom, version: str, support: str, kind: str
) -> None:
    """R3360, R3366, R3368: as it is, so that the device can verify it."""
    signed = letter("Sealed", to="anna@example.com").replace(
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n",
        b"Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=s\r\n\r\n"
        b"--s\r\nContent-Type: text/plain\r\n\r\n",
    ) + b"--s\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nAAAA\r\n--s--\r\n"
    mine = await room.deliver("anna", signed)
    options = (e("AirSync:MIMESupport", support), preference(1), preference(4))
    found = body(await operate(wire(version=version), fetch(*by_id(mine), options=options)))
    assert found["Type"] == kind
    if kind == "4":
        assert found["Data"].encode() == (await room.messages("anna"))[0]


@pytest.mark.parametrize(
    ("agent", "kind"), [("Apple-iPhone11C2/1607.77", "4"), ("Apple-iPhone8C1/1507.77", "2"), ("Android/9", "2")]
)
async def test_ios_gets_what_is_signed_as_mime(wire: Wires, room: Mailroom, agent: str, kind: str) -> None:
    """quirks.SIGNED_AS_MIME: it asks for HTML, and MIMESupport 1."""
    signed = letter("Sealed", to="anna@example.com").replace(
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n",
        b"Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=s\r\n\r\n"
        b"--s\r\nContent-Type: text/plain\r\n\r\n",
    ) + b"--s\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nAAAA\r\n--s--\r\n"
    options = (e("AirSync:MIMESupport", "1"), preference(2))
    device = wire(agent=agent)
    for raw, wanted in ((signed, kind), (letter("Plain", to="anna@example.com"), "2")):
        mine = await room.deliver("anna", raw)
        assert body(await operate(device, fetch(*by_id(mine), options=options)))["Type"] == wanted


@pytest.mark.parametrize("version", VERSIONS)
async def test_schema_restricts_what_is_told(wire: Wires, room: Mailroom, version: str) -> None:
    """R3879; [MS-ASEMAIL] R63. Firefox OS asks for the body alone."""
    mine = await room.deliver("anna", RICH)
    device = wire(version=version)
    for tags in (("AirSyncBase:Body",), ("Email:Subject", "Email:Read", "Tasks:Complete")):
        schema = Element("ItemOperations:Schema", tuple(map(Element, tags)))
        got = await operate(device, fetch(*by_id(mine), options=(schema, preference(2))))
        assert statuses(got) == ["1"]
        assert set(properties(got)) == set(tags) - {"Tasks:Complete"}


async def test_a_body_part_stands_beside_the_body(wire: Wires, room: Mailroom) -> None:
    mine = await room.deliver("anna", RICH)
    options = (preference(1), preference(2, tag="BodyPartPreference"))
    got = await operate(wire(), fetch(*by_id(mine), options=options))
    assert body(got)["Type"] == "1"
    part = body(got, tag="BodyPart")
    assert (part["Status"], part["Type"]) == ("1", "2")
    assert "<b>drawing</b>" in part["Data"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_message_that_cannot_be_read_comes_degraded(wire: Wires, room: Mailroom, version: str) -> None:
    """With its headers, a notice, and itself as a file."""
    mine = await room.deliver("anna", BOTTOMLESS)
    device = wire(version=version)
    got = await operate(device, fetch(*by_id(mine)))
    assert properties(got)["Email:Subject"].text == "Matryoshka"
    (named,) = (await references(device, mine)).items()
    assert named[0].endswith(".eml")
    found = await operate(device, fetch(*file(named[1])))
    assert properties(found)["AirSyncBase:ContentType"].text == "message/rfc822"
    assert data(found) == (await room.messages("anna"))[0]


# Attachments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("name", "kind", "content"),
    [("plan.txt", "text/plain", PLAN), ("drawing.png", "image/png", DRAWING), ("Enclosed.eml", "message/rfc822", None)],
)
async def test_an_attachment(
    wire: Wires, room: Mailroom, version: str, name: str, kind: str, content: bytes | None
) -> None:
    """R2130, R3716: whole, in base64, with its type; pictures in the text and enclosed messages too. Without Range, as
    none was asked for."""
    mine = await room.deliver("anna", RICH)
    device = wire(version=version)
    found = await references(device, mine)
    name = name if name in found else "message.eml"
    got = await operate(device, fetch(*file(found[name])))
    (fetched,) = got.all("Response", "Fetch")
    assert [c.tag for c in fetched.elements] == [
        "ItemOperations:Status", "AirSyncBase:FileReference", "ItemOperations:Properties",
    ]
    assert set(properties(got)) == {"AirSyncBase:ContentType", "ItemOperations:Data"}
    assert properties(got)["AirSyncBase:ContentType"].text == kind
    if content is not None:
        assert data(got) == content
    else:
        assert data(got).startswith(b"From: Ben <ben@example.com>\r\n")
        assert b"AAEC/w==" in data(got)


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_attachment_of_an_enclosed_message(wire: Wires, room: Mailroom, version: str) -> None:
    """Its reference is not shown, but it is a part of the message as any other."""
    mine = await room.deliver("anna", RICH)
    device = wire(version=version)
    enclosed = next(text for name, text in (await references(device, mine)).items() if name.endswith(".eml"))
    assert data(await operate(device, fetch(*file(f"{enclosed}.2")))) == DEEP


#: Asked for, given, content; None where it is none.
RANGES: tuple[tuple[str, str | None, bytes | None], ...] = (
    ("0-3", "0-3", PLAN[:4]),
    ("4-9", "4-9", PLAN[4:10]),
    ("15-15", "15-15", PLAN[15:]),
    ("0-15", "0-15", PLAN),
    ("10-999999999", "10-15", PLAN[10:]),
    ("16-20", None, None),
    ("999999999-999999999", None, None),
    ("5-4", None, None),
    ("-5", None, None),
    ("5-", None, None),
    ("a-b", None, None),
    ("", None, None),
    ("1-2,4-5", None, None),
    ("٠-٣", None, None),
)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_range_of_an_attachment(wire: Wires, room: Mailroom, version: str) -> None:
    """R3715: what the server says is what there is; R4160 (8) for what is none, or begins behind the end."""
    mine = await room.deliver("anna", RICH)
    device = wire(version=version)
    reference = (await references(device, mine))["plan.txt"]
    asked = (fetch(*file(reference), options=(e("ItemOperations:Range", row[0]),)) for row in RANGES)
    got = await operate(device, *asked)
    assert statuses(got) == ["8" if given is None else "1" for _, given, _ in RANGES]
    for number, (_, given, content) in enumerate(RANGES):
        if given is not None:
            assert properties(got, number)["ItemOperations:Range"].text == given
            assert properties(got, number)["ItemOperations:Total"].text == str(len(PLAN))
            assert data(got, number) == content


#: Transfer encoding, encoded octets, content; None where that is anybody's guess.
ENCODINGS: tuple[tuple[str, bytes, bytes | None], ...] = (
    ("base64", b"", b""),
    ("base64", b"!!not=base64", None),
    ("quoted-printable", b"a=3Db=\r\nc", b"a=bc"),
    ("8bit", b"\x80\xff", b"\x80\xff"),
    ("x-uuencode", b"begin 644 f\r\n#0V%T\r\n`\r\nend", b"Cat"),
    ("x-unheard-of", b"as it is", b"as it is"),
)


@pytest.mark.parametrize("version", VERSIONS)
async def test_attachments_in_any_encoding(wire: Wires, room: Mailroom, version: str) -> None:
    device = wire(version=version)
    for encoding, encoded, content in ENCODINGS:
        raw = (
            b"From: ben@example.com\r\nSubject: f\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b\r\n"
            b"Content-Type: odd type/\xff; name=f.bin\r\nContent-Disposition: attachment; filename=f.bin\r\n"
            b"Content-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n" + encoded + b"\r\n--b--\r\n"
        )
        reference = (await references(device, await room.deliver("anna", raw)))["f.bin"]
        some = fetch(*file(reference), options=(e("ItemOperations:Range", "0-9"),))
        got = await operate(device, fetch(*file(reference)), some)
        assert statuses(got) == ["1", "1"], encoding
        if content is not None:
            assert data(got) == data(got, 1) == content


# Several parts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_multipart_answer(wire: Wires, room: Mailroom, version: str) -> None:
    """R236, R5505, R5506, R5517, R5518, R3633, R6937: the document is part 0, and everything binary a part as it is;
    one that failed has none."""
    mine = await room.deliver("anna", RICH)
    device = wire(version=version)
    found = await references(device, mine)
    got = await operate(
        device, fetch(*file(found["plan.txt"])), fetch(*by_id("99:1")), fetch(*by_id(mine), options=(preference(2),)),
        fetch(*file(found["drawing.png"]), options=(e("ItemOperations:Range", "1-3"),)), multipart=True,
    )
    assert got.headers["content-type"] == "application/vnd.ms-sync.multipart"
    parts = http.parts_of(got.body)
    assert int.from_bytes(got.body[:4], "little") == len(parts) == 4
    assert statuses(got) == ["1", "6", "1", "1"]
    assert properties(got)["ItemOperations:Part"].text == "1"
    assert "ItemOperations:Data" not in properties(got)
    assert parts[1] == PLAN
    item = {c.tag: c.text for c in properties(got, 2)["AirSyncBase:Body"].elements}
    assert item["ItemOperations:Part"] == "2"
    assert "AirSyncBase:Data" not in item
    assert b"<b>drawing</b>" in parts[2]
    assert properties(got, 3)["ItemOperations:Range"].text == "1-3"
    assert parts[3] == b"PNG"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_multipart_answer_without_data_has_the_document_alone(wire: Wires, version: str) -> None:
    got = await operate(wire(version=version), fetch(*file("")), multipart=True)
    assert len(http.parts_of(got.body)) == 1
    assert statuses(got) == ["15"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_inline_is_the_usual_way(wire: Wires, room: Mailroom, version: str) -> None:
    """R234, R5503"""
    mine = await room.deliver("anna", RICH)
    device = wire(version=version)
    got = await operate(device, fetch(*file((await references(device, mine))["plan.txt"])))
    assert got.headers["content-type"] == http.WBXML


# What the policy keeps back -----------------------------------------------------------------------------------------


KEPT_BACK = (
    ({"AttachmentsEnabled": "0"}, "16"),
    ({"AttachmentsEnabled": "1"}, "1"),
    ({"MaxAttachmentSize": "15"}, "11"),
    ({"MaxAttachmentSize": "1"}, "11"),
    ({"MaxAttachmentSize": "0"}, "11"),
    ({"MaxAttachmentSize": "16"}, "1"),
    ({"MaxAttachmentSize": ""}, "1"),
)


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_policy_decides_on_attachments(wire: Wires, room: Mailroom, world: Any, version: str) -> None:
    """R4167 (16), R4163 (11); [MS-ASPROV] R206, R207, MaxAttachmentSize. The size is that of the content, and
    a range of what is too large is kept back as well."""
    mine = await room.deliver("anna", RICH)
    device = wire(version=version)
    reference = (await references(device, mine))["plan.txt"]
    part = fetch(*file(reference), options=(e("ItemOperations:Range", "0-1"),))
    for settings, status in KEPT_BACK:
        await world.store.save_policy(Policy(name="default", settings=settings))
        assert statuses(await operate(device, fetch(*file(reference)), part)) == [status, status], settings


# Emptying -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("deep", [True, False])
async def test_a_folder_is_emptied(
    wire: Wires, phone: Any, room: Mailroom, world: Any, version: str, deep: bool
) -> None:
    """R199, R2243, R2244: the folders below go only if asked. Other devices hear of it."""
    other = phone("anna", "OTHER")
    await other.set_up()
    trash = other.state.folder(FolderType.DELETED_ITEMS)
    below = await other.create_folder("Below", parent=trash.id)
    mailbox = await room.mailbox("anna")
    for folder in (trash.id, below.id):
        mine = await room.deliver("anna", letter(f"Into {folder}"))
        moved = await other.move(
            other.state.folder(FolderType.INBOX), [mine], other.state.folders[folder]
        )
        assert moved
    await other.sync()
    got = await operate(wire(version=version), emptying(trash.id, *([DEEPLY] if deep else [])))
    assert statuses(got) == ["1"]
    assert got.text("Response", "EmptyFolderContents", "CollectionId") == trash.id
    assert await room.ids("anna", FolderType.DELETED_ITEMS) == []
    there = {folder.id for folder in await mailbox.folders()}
    assert (below.id in there) is not deep
    await other.folder_sync()
    report = await other.sync()
    assert len(report.changes[trash.id].deleted) == 1
    assert trash.items == {}
    assert (below.id in other.state.folders) is not deep
    if not deep:
        assert len(other.state.folders[below.id].items) == 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_operations_are_done_in_their_order(wire: Wires, room: Mailroom, version: str) -> None:
    """R193, R2952: what is fetched after the folder was emptied is not there any more."""
    mine = await room.deliver("anna", letter())
    device, inbox = wire(version=version), mine.partition(":")[0]
    got = await operate(device, fetch(*by_id(mine)), emptying(inbox), fetch(*by_id(mine)), emptying(inbox))
    assert statuses(got) == ["1", "1", "1", "6"]  # the answers stand by kind, as the schema has it


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_hundred_operations_are_not_too_many(wire: Wires, room: Mailroom, version: str) -> None:
    mine = await room.deliver("anna", letter())
    got = await operate(wire(version=version), *(fetch(*by_id(mine)) for _ in range(100)))
    assert statuses(got) == ["1"] * 100
