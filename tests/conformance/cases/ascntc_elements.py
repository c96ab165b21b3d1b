"""[MS-ASCNTC] Every element of a contact from device to device; what a Change leaves out; limits and bad values."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode

from lab import ALL, FROM_12, FROM_12_1, FROM_14, Lab, case
from records_kit import CONTACTS, Shelf, body, body_text, child, inline, shelf, tags, text, texts, travelled
from wire import e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

DASHED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")

#: Elements that are texts: the tag, the requirements on what it says and on its type, and that on ghosting.
TEXTS = (
    ("Contacts2:AccountName", "R97 R99", "R100"),
    ("Contacts:AssistantName", "R112 R114", "R115"),
    ("Contacts:AssistantPhoneNumber", "R117 R119", "R120"),
    ("Contacts:BusinessAddressCity", "R130 R132", "R133"),
    ("Contacts:BusinessAddressCountry", "R135 R137", "R138"),
    ("Contacts:BusinessAddressPostalCode", "R140 R142", "R700"),
    ("Contacts:BusinessAddressState", "R143 R145", "R146"),
    ("Contacts:BusinessAddressStreet", "R148 R150", "R151"),
    ("Contacts:BusinessFaxNumber", "R153 R155", "R156"),
    ("Contacts:BusinessPhoneNumber", "R158 R160", "R161"),
    ("Contacts:Business2PhoneNumber", "R163 R165", "R166"),
    ("Contacts:CarPhoneNumber", "R168 R170", "R171"),
    ("Contacts2:CompanyMainPhone", "R195 R197", "R198"),
    ("Contacts:CompanyName", "R200 R202", "R203"),
    ("Contacts2:CustomerId", "R205 R207", "R208"),
    ("Contacts:Department", "R209 R211", "R212"),
    ("Contacts:Email1Address", "R214 R216", "R217"),
    ("Contacts:Email2Address", "R221 R223", "R224"),
    ("Contacts:Email3Address", "R226 R228", "R229"),
    ("Contacts:FileAs", "R231 R233", "R234"),
    ("Contacts:FirstName", "R238 R240", "R241"),
    ("Contacts2:GovernmentId", "R243 R245", "R246"),
    ("Contacts:HomeAddressCity", "R248 R250", "R251"),
    ("Contacts:HomeAddressCountry", "R253 R255", "R256"),
    ("Contacts:HomeAddressPostalCode", "R258 R260", "R261"),
    ("Contacts:HomeAddressState", "R263 R265", "R266"),
    ("Contacts:HomeAddressStreet", "R268 R270", "R271"),
    ("Contacts:HomeFaxNumber", "R273 R275", "R276"),
    ("Contacts:HomePhoneNumber", "R278 R280", "R281"),
    ("Contacts:Home2PhoneNumber", "R283 R285", "R286"),
    ("Contacts2:IMAddress", "R288 R290", "R291"),
    ("Contacts2:IMAddress2", "R293 R295", "R296"),
    ("Contacts2:IMAddress3", "R298 R300", "R301"),
    ("Contacts:JobTitle", "R303 R305", "R306"),
    ("Contacts:LastName", "R308 R310", "R311"),
    ("Contacts2:ManagerName", "R313 R315", "R316"),
    ("Contacts:MiddleName", "R318 R320", "R321"),
    ("Contacts2:MMS", "R323 R325", "R326"),
    ("Contacts:MobilePhoneNumber", "R328 R330", "R331"),
    ("Contacts2:NickName", "R333 R335", "R336"),
    ("Contacts:OfficeLocation", "R338 R340", "R341"),
    ("Contacts:OtherAddressCity", "R343 R345", "R346"),
    ("Contacts:OtherAddressCountry", "R348 R350", "R351"),
    ("Contacts:OtherAddressPostalCode", "R353 R355", "R356"),
    ("Contacts:OtherAddressState", "R358 R360", "R361"),
    ("Contacts:OtherAddressStreet", "R363 R365", "R366"),
    ("Contacts:PagerNumber", "R368 R370", "R371"),
    ("Contacts:RadioPhoneNumber", "R385 R387", "R388"),
    ("Contacts:Spouse", "R390 R392", "R393"),
    ("Contacts:Suffix", "R395 R397", "R398"),
    ("Contacts:Title", "R400 R402", "R403"),
    ("Contacts:WebPage", "R405 R407", "R408"),
    ("Contacts:YomiCompanyName", "R417 R419", "R420"),
    ("Contacts:YomiFirstName", "R422 R424", "R425"),
    ("Contacts:YomiLastName", "R427 R429", "R430"),
)
#: Elements that are days, likewise.
DAYS = (
    ("Contacts:Anniversary", "R107 R109", "R110"),
    ("Contacts:Birthday", "R122 R124", "R125"),
)
LISTS = (("Contacts:Categories", "Contacts:Category", "R177"), ("Contacts:Children", "Contacts:Child", "R188"))
SAID = " ".join(ids for _, ids, _ in (*TEXTS, *DAYS))
GHOSTED = " ".join(ids for *_, ids in (*TEXTS, *DAYS, *LISTS))
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256))


def sample(lab: Lab, tag: str) -> str:
    """A value that no other element has, beyond ASCII where the element is free text."""
    name, unique = tag.partition(":")[2], lab.unique("x")
    if name.startswith(("Email", "IMAddress")):
        return f"{name.lower()}.{unique}@example.net"
    if "Phone" in name or "Fax" in name or name == "PagerNumber":
        return f"+49 30 {int(unique[-8:], 16)}"
    return f"http://example.net/{unique}" if name == "WebPage" else f"{name} {unique} äß€"


def full(lab: Lab) -> tuple[dict[str, str], tuple[Element, ...]]:
    """The texts by tag, and a contact with every element but the body."""
    said = {tag: sample(lab, tag) for tag, *_ in TEXTS}
    days = {"Contacts:Anniversary": "2001-02-03T00:00:00.000Z", "Contacts:Birthday": "1980-12-31T00:00:00.000Z"}
    data = [Element(tag, value) for tag, value in {**said, **days}.items()]
    data += [e(container, *(Element(each, f"{each[9:]} {n} ü") for n in range(3))) for container, each, _ in LISTS]
    data.append(Element("Contacts:Picture", b64encode(JPEG).decode()))
    return {**said, **days}, tuple(data)


def named(lab: Lab) -> tuple[Element, ...]:
    name = lab.unique()
    return Element("Contacts:LastName", name), Element("Contacts:FileAs", name)


@case("MS-ASCNTC", SAID + " R2 R436 R470 R471 R473 R492 R493 MS-ASCMD:R748 MS-ASCMD:R749 MS-ASWBXML:R11 MS-ASWBXML:R22 "
      "MS-ASDTYPE:R88 MS-ASDTYPE:R90 MS-ASDTYPE:R91 MS-ASDTYPE:R20")
async def every_element_travels_to_another_device(lab: Lab) -> None:
    said, data = full(lab)
    two, id, item = await travelled(lab, CONTACTS, *data)
    assert two.last is not None
    assert two.last.headers["content-type"] == "application/vnd.ms-sync.wbxml"
    assert b"\x00\x01" in two.last.body, "code page 1"
    assert b"\x00\x0c" in two.last.body, "code page 12"
    for tag, value in said.items():
        assert text(item, tag) == value, tag
        assert inline(value) in two.last.body, tag
    await two.delete(id)


@case("MS-ASCNTC", "R173 R1030 R181 R507 R517 R184 R10040 R192 R509 MS-ASDTYPE:R8 MS-ASDTYPE:R9")
async def lists_travel_to_another_device(lab: Lab) -> None:
    _, data = full(lab)
    two, id, item = await travelled(lab, CONTACTS, *data)
    for container, each, _ in LISTS:
        found = child(item, container)
        assert {one.tag for one in found.elements} == {each}
        assert [one.text for one in found.elements] == [f"{each[9:]} {n} ü" for n in range(3)]
    await two.delete(id)


@case("MS-ASCNTC", "R373 R379 R506")
async def a_picture_travels_as_base64(lab: Lab) -> None:
    two, id, item = await travelled(lab, CONTACTS, *named(lab), Element("Contacts:Picture", b64encode(JPEG).decode()))
    assert b64decode(text(item, "Contacts:Picture"), validate=True) == JPEG
    await two.delete(id)


@case("MS-ASDTYPE", "R12 R15 R16")
async def days_are_times_in_utc(lab: Lab) -> None:
    two, id, item = await travelled(
        lab, CONTACTS, *named(lab), Element("Contacts:Birthday", "1980-12-31T00:00:00.000Z")
    )
    assert DASHED.fullmatch(text(item, "Contacts:Birthday"))
    await two.delete(id)


@case("MS-ASCNTC", "R494")
async def every_element_can_be_changed(lab: Lab) -> None:
    _, before = full(lab)
    two, id, _ = await travelled(lab, CONTACTS, *before)
    three = await shelf(lab, CONTACTS)
    await three.pull()
    said, after = full(lab)
    assert await two.change(id, *after) == "1"
    got = await three.sync()
    assert id in [text(one, "AirSync:ServerId") for one in got.all("Collections", "Collection", "Commands", "Change")]
    for tag, value in said.items():
        assert text(three.items[id], tag) == value, tag
    await two.delete(id)


@case("MS-ASCNTC", GHOSTED + " R499 MS-ASCMD:R5909 MS-ASCMD:R5911")
async def with_an_empty_supported_a_change_keeps_what_it_leaves_out(lab: Lab) -> None:
    said, data = full(lab)
    two, id, _ = await travelled(lab, CONTACTS, *data, supported=())
    three = await shelf(lab, CONTACTS)
    assert await two.change(id, Element("Contacts:JobTitle", "changed")) == "1"
    item = (await three.pull())[id]
    for tag, value in {**said, "Contacts:JobTitle": "changed"}.items():
        assert text(item, tag) == value, tag
    for container, each, _ in LISTS:
        assert len(texts(item, container, each)) == 3
    await two.delete(id)


@case("MS-ASCMD", "R5907 R5908 R5912 R5911")
async def what_supported_lists_is_deleted_when_it_is_left_out(lab: Lab) -> None:
    said, data = full(lab)
    listed = ("Contacts:JobTitle", "Contacts:HomePhoneNumber", "Contacts2:NickName", "Contacts:Children")
    two, id, _ = await travelled(lab, CONTACTS, *data, supported=listed)
    three = await shelf(lab, CONTACTS)
    assert await two.change(id, Element("Contacts:Department", "changed")) == "1"
    item = (await three.pull())[id]
    assert not set(listed) & set(tags(item))
    for tag, value in {**said, "Contacts:Department": "changed"}.items():
        assert tag in listed or text(item, tag) == value, tag
    assert len(texts(item, "Contacts:Categories", "Contacts:Category")) == 3
    await two.delete(id)


@case("MS-ASCMD", "R5906 R5912 R878 R879 R881 MS-ASCNTC:R461")
async def without_supported_a_change_deletes_what_it_leaves_out(lab: Lab) -> None:
    """All but the notes and the picture."""
    said, data = full(lab)
    two, id, _ = await travelled(lab, CONTACTS, *data, body(lab.version, "notes", "Contacts"))
    three = await shelf(lab, CONTACTS)
    left = {tag: value for tag, value in said.items() if tag in ("Contacts:LastName", "Contacts:FileAs")}
    assert await two.change(id, *(Element(tag, value) for tag, value in left.items())) == "1"
    item = (await three.pull())[id]
    assert not (set(said) - set(left)) & set(tags(item))
    assert not {container for container, *_ in LISTS} & set(tags(item))
    assert {tag: text(item, tag) for tag in left} == left
    assert body_text(lab.version, item, "Contacts").strip() == "notes"
    assert b64decode(text(item, "Contacts:Picture")) == JPEG
    await two.delete(id)


@case("MS-ASCMD", "R5911")
async def an_empty_element_removes_what_is_stored_and_nothing_else(lab: Lab) -> None:
    said, data = full(lab)
    two, id, _ = await travelled(lab, CONTACTS, *data, supported=())
    three = await shelf(lab, CONTACTS)
    emptied = ("Contacts:JobTitle", "Contacts:Birthday", "Contacts:Categories", "Contacts:Children", "Contacts2:MMS")
    assert await two.change(id, *(Element(tag, ()) for tag in emptied)) == "1"
    item = (await three.pull())[id]
    assert not set(emptied) & set(tags(item))
    assert {tag: text(item, tag) for tag in said if tag not in emptied} == {
        tag: value for tag, value in said.items() if tag not in emptied
    }
    await two.delete(id)


# Limits and bad values -----------------------------------------------------------------------------------------------


async def refused(lab: Lab, *data: Element) -> None:
    """An Add and a Change with that get Status 6, and nothing of it is stored."""
    one, two = await shelf(lab, CONTACTS, supported=()), await shelf(lab, CONTACTS)
    name = lab.unique()
    status, _ = await one.add(Element("Contacts:LastName", name), *data)
    assert status == "6"
    assert name not in [text(item, "Contacts:LastName") for item in (await two.pull()).values()]
    status, id = await one.add(Element("Contacts:LastName", name))
    assert status == "1"
    assert await one.change(id, Element("Contacts:JobTitle", "lost"), *data) == "6"
    item = (await two.pull())[id]
    assert (text(item, "Contacts:LastName"), "Contacts:JobTitle" in tags(item)) == (name, False)
    await one.delete(id)


@case("MS-ASCNTC", "R384 R381 R1021")
async def a_picture_beyond_48_kb_of_base64_is_refused(lab: Lab) -> None:
    await refused(lab, Element("Contacts:Picture", b64encode(JPEG[:4] * (36 * 256) + b"more").decode()))


@case("MS-ASCNTC", "R381 R1021")
async def a_picture_of_36_kb_is_taken(lab: Lab) -> None:
    picture = JPEG[:4] * (36 * 256)
    two, id, item = await travelled(
        lab, CONTACTS, *named(lab), Element("Contacts:Picture", b64encode(picture).decode())
    )
    assert b64decode(text(item, "Contacts:Picture")) == picture
    await two.delete(id)


@case("MS-ASCNTC", "R379 R109 R124")
async def what_is_no_value_of_its_type_is_refused(lab: Lab) -> None:
    await refused(lab, Element("Contacts:Picture", "not base64!"))
    await refused(lab, Element("Contacts:Birthday", "tomorrow"))
    await refused(lab, Element("Contacts:Anniversary", "2001-02-30T00:00:00.000Z"))


@case("MS-ASCNTC", "R183 R194")
async def there_are_up_to_300_categories_and_children(lab: Lab) -> None:
    many = [
        e(container, *(Element(each, f"{n} of many") for n in range(300))) for container, each, _ in LISTS
    ]
    two, id, item = await travelled(lab, CONTACTS, *named(lab), *many)
    for container, each, _ in LISTS:
        assert sorted(texts(item, container, each)) == sorted(f"{n} of many" for n in range(300))
    await two.delete(id)
    for container, each, _ in LISTS:
        await refused(lab, e(container, *(Element(each, f"{n} of many") for n in range(301))))


@case("MS-ASCNTC", "R415", FROM_14)
async def a_rank_is_not_told_of_a_contact(lab: Lab) -> None:
    two, id, item = await travelled(lab, CONTACTS, *named(lab), Element("Contacts:WeightedRank", "3"))
    assert "Contacts:WeightedRank" not in tags(item)
    assert "Contacts:Alias" not in tags(item)
    await two.delete(id)


# Notes of a contact --------------------------------------------------------------------------------------------------


@case("MS-ASCNTC", "R1120 R127", ALL)
async def notes_travel_to_another_device(lab: Lab) -> None:
    said = lab.unique("notes äß€")
    two, id, item = await travelled(lab, CONTACTS, *named(lab), body(lab.version, said, "Contacts"))
    assert body_text(lab.version, item, "Contacts") == said
    assert lab.version == Version.V2_5 or child(item, "AirSyncBase:Body").elements
    await two.delete(id)


@case("MS-ASCNTC", "R512 R460", FROM_12)
async def notes_are_cut_as_the_device_asks(lab: Lab) -> None:
    said = "0123456789" * 20
    cut, id, item = await travelled(
        lab, CONTACTS, *named(lab), body(lab.version, said, "Contacts"),
        preference=(Element("AirSyncBase:Type", "1"), Element("AirSyncBase:TruncationSize", "20")),
    )
    found = child(item, "AirSyncBase:Body")
    assert (text(found, "AirSyncBase:Data"), text(found, "AirSyncBase:Truncated")) == (said[:20], "1")
    assert text(found, "AirSyncBase:EstimatedDataSize") == "200"
    cut.options = (e("AirSyncBase:BodyPreference", e("Type", "1")),)
    assert await cut.change(id, *named(lab)) == "1"
    other: Shelf = await shelf(lab, CONTACTS)
    await other.pull()
    assert await other.change(id, *named(lab)) == "1"
    item = (await cut.pull())[id]
    assert body_text(lab.version, item, "Contacts") == said
    await cut.delete(id)


# Other commands ------------------------------------------------------------------------------------------------------


@case("MS-ASCNTC", "R477 R483 R486", FROM_12)
async def a_contact_is_fetched_by_itself(lab: Lab) -> None:
    said, data = full(lab)
    two, id, _ = await travelled(lab, CONTACTS, *data)
    got = await two.talker.post("ItemOperations", e("ItemOperations:ItemOperations", e(
        "Fetch", e("Store", "Mailbox"), e("AirSync:CollectionId", two.collection), e("AirSync:ServerId", id)
    )))
    (found,) = got.all("Response", "Fetch", "Properties")
    assert {tag: text(found, tag) for tag in said} == said
    await two.delete(id)


@case("MS-ASCNTC", "R485", FROM_12)
async def a_schema_names_what_is_fetched_of_a_contact(lab: Lab) -> None:
    said, data = full(lab)
    two, id, _ = await travelled(lab, CONTACTS, *data)
    wanted = ("Contacts:LastName", "Contacts:Categories", "Contacts2:NickName")
    got = await two.talker.post("ItemOperations", e("ItemOperations:ItemOperations", e(
        "Fetch", e("Store", "Mailbox"), e("AirSync:CollectionId", two.collection), e("AirSync:ServerId", id),
        e("Options", e("Schema", *(Element(tag, ()) for tag in wanted))),
    )))
    (found,) = got.all("Response", "Fetch", "Properties")
    assert set(tags(found)) == set(wanted)
    assert text(found, "Contacts:LastName") == said["Contacts:LastName"]
    await two.delete(id)


@case("MS-ASCNTC", "R475 R488 R490", FROM_12_1)
async def a_contact_is_found_in_the_mailbox(lab: Lab) -> None:
    name = lab.unique("wanted").replace("-", "")
    two, id, _ = await travelled(lab, CONTACTS, Element("Contacts:LastName", name), Element("Contacts:FileAs", name))
    got = await two.talker.post("Search", e("Search:Search", e(
        "Store", e("Name", "Mailbox"),
        e("Query", e("And", e("AirSync:Class", "Contacts"), e("AirSync:CollectionId", two.collection),
                     e("FreeText", name))),
        e("Options", e("Range", "0-9"), e("RebuildResults")),
    )))
    (found,) = got.all("Response", "Store", "Result", "Properties")
    assert text(found, "Contacts:LastName") == name
    await two.delete(id)
