"""[MS-ASCMD] How messages are written, and rows of the folder hierarchy that every device goes by."""

from __future__ import annotations

from lab import ALL, FROM_12_1, FROM_14, Lab, Talker, case
from records_kit import CONTACTS, inline, shelf
from wire import Got, e

from eas.protocol import wbxml
from eas.protocol.wbxml import Element

#: Version 1.3, no public identifier, UTF-8, no string table.
HEAD = b"\x03\x01\x6a\x00"
SWITCH_PAGE = 0x00
GENERIC_MAIL = "12"


async def hierarchy(device: Talker, key: str) -> Got:
    return await device.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", key)))


async def create(device: Talker, key: str, name: str) -> Got:
    return await device.post("FolderCreate", e(
        "FolderHierarchy:FolderCreate", e("SyncKey", key), e("ParentId", "0"), e("DisplayName", name),
        e("Type", GENERIC_MAIL),
    ))


async def delete(device: Talker, key: str, server_id: str) -> Got:
    return await device.post(
        "FolderDelete", e("FolderHierarchy:FolderDelete", e("SyncKey", key), e("ServerId", server_id))
    )


def ids(got: Got, verb: str = "Add") -> dict[str, str]:
    """ServerId by DisplayName (for Delete: by ServerId)."""
    found = {}
    for one in got.all("Changes", verb):
        parts = {child.tag.partition(":")[2]: child.text for child in one.elements}
        found[parts.get("DisplayName", parts["ServerId"])] = parts["ServerId"]
    return found


def strings(body: bytes, root: Element) -> bool:
    """Whether every text of a document stands in its octets as an inline string."""
    if isinstance(root.content, tuple):
        return all(strings(body, child) for child in root.content)
    return isinstance(root.content, bytes) or inline(root.content) in body


@case("MS-ASCMD", "R7 MS-ASWBXML:R6 MS-ASWBXML:R1 MS-ASWBXML:R655 MS-ASWBXML:R801 MS-ASWBXML:R804 "
      "MS-ASDTYPE:R8 MS-ASDTYPE:R9 MS-ASDTYPE:R87 MS-ASDTYPE:R88 MS-ASDTYPE:R90 MS-ASDTYPE:R91 MS-ASDTYPE:R123 "
      "MS-ASDTYPE:R125", ALL)
async def answers_are_wbxml_with_inline_strings(lab: Lab) -> None:
    device = lab.talker()
    first = await hierarchy(device, "0")
    one = await shelf(lab, CONTACTS)
    name = lab.unique("ä€")
    status, id = await one.add(Element("Contacts:LastName", name), Element("Contacts2:NickName", name))
    assert status == "1"
    two = await shelf(lab, CONTACTS)
    await two.pull()
    assert two.last is not None
    for got in (first, two.last):
        assert got.headers["content-type"] == "application/vnd.ms-sync.wbxml"
        assert got.body.startswith(HEAD)
        assert strings(got.body, wbxml.decode(got.body))
    assert bytes([SWITCH_PAGE, 7]) in first.body[:6]
    assert bytes([SWITCH_PAGE, 12]) in two.last.body
    assert all(0 <= int(kind.text) <= 255 for kind in first.all("Changes", "Add", "Type"))
    assert inline(name) in two.last.body
    await one.delete(id)


@case("MS-ASCMD", "R6004 R6005 R6006 R6007 R6007100601 R6008 R6009 R6010 R6011 R6011100601 R5860", FROM_12_1)
async def folders_are_made_and_deleted(lab: Lab) -> None:
    mine, other = lab.talker(), lab.talker()
    seen = await hierarchy(other, "0")
    key = (await hierarchy(mine, "0")).text("SyncKey")
    name = lab.unique("folder")
    made = await create(mine, key, name)
    assert made.status == "1", made.root
    told = await hierarchy(other, seen.text("SyncKey"))
    assert ids(told) == {name: made.text("ServerId")}
    gone = await delete(mine, made.text("SyncKey"), made.text("ServerId"))
    assert gone.status == "1", gone.root
    assert list(ids(await hierarchy(other, told.text("SyncKey")), "Delete")) == [made.text("ServerId")]


@case("MS-ASCMD", "R2120 R5008 R5012 R5020 R5024", ALL)
async def the_hierarchy_is_told_once_and_then_what_changed(lab: Lab) -> None:
    """Nobody else may change the hierarchy of this user meanwhile."""
    mine, other = lab.talker(), lab.talker()
    first = await hierarchy(mine, "0")
    assert first.status == "1"
    assert first.text("SyncKey") != "0"
    assert int(first.text("Changes", "Count")) == len(first.all("Changes", "Add")) > 0
    again = await hierarchy(mine, first.text("SyncKey"))
    assert again.status == "1"
    assert again.text("SyncKey")
    assert (again.text("Changes", "Count"), len(again.all("Changes")[0].elements)) == ("0", 1)
    key = (await hierarchy(other, "0")).text("SyncKey")
    name = lab.unique("folder")
    made = await create(other, key, name)
    told = await hierarchy(mine, again.text("SyncKey"))
    assert ids(told) == {name: made.text("ServerId")}
    assert told.text("Changes", "Count") == "1"
    assert (await delete(other, made.text("SyncKey"), made.text("ServerId"))).status == "1"
    anew = await hierarchy(mine, "0")
    assert ids(anew) == ids(first), "ids do not change"


@case("MS-ASCMD", "R3448 R2053", FROM_14)
async def more_is_an_empty_tag_and_commands_are_never_empty(lab: Lab) -> None:
    one = await shelf(lab, CONTACTS)
    added = [(await one.add(Element("Contacts:LastName", lab.unique())))[1] for _ in range(3)]
    two = await shelf(lab, CONTACTS)
    for _ in range(100):
        got = await two.talker.post("Sync", e("AirSync:Sync", e("Collections", e(
            "Collection", e("SyncKey", two.key), e("CollectionId", two.collection), e("WindowSize", "1"),
        ))))
        if not got.body:
            break
        two.key = got.text("Collections", "Collection", "SyncKey")
        for commands in got.all("Collections", "Collection", "Commands"):
            assert commands.elements
        more = got.find("Collections", "Collection", "MoreAvailable")
        if more is None:
            break
        assert more.content == ()
    await one.delete(*added)
