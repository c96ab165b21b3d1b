"""[MS-ASCMD] ItemOperations: Fetch and EmptyFolderContents. Conversations are in ascon_conversations, documents in
asdoc_library."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from boxes_kit import box
from lab import FROM_12, FROM_14, FROM_14_1, Lab, Talker, case
from search_kit import INBOX, Drawer, drawer, found, mail_to_me, mailbox, send, signed, text_of, words
from wire import Got, e

from eas.protocol import http
from eas.protocol.wbxml import Element

FILE = bytes(range(256)) * 4


def fetch(*parts: Any, store: str = "Mailbox", options: tuple[Any, ...] = ()) -> Element:
    return e("Fetch", e("Store", store), *parts, *((e("Options", *options),) if options else ()))


def by_id(collection: str, id: str) -> tuple[Element, Element]:
    return e("AirSync:CollectionId", collection), e("AirSync:ServerId", id)


def attached(reference: str) -> Element:
    return e("AirSyncBase:FileReference", reference)


def preference(type: int, *more: Element) -> Element:
    return e("AirSyncBase:BodyPreference", e("Type", str(type)), *more)


def emptying(collection: str, *options: Element) -> Element:
    return e("EmptyFolderContents", e("AirSync:CollectionId", collection),
             *((e("Options", *options),) if options else ()))


async def operate(talker: Talker, *operations: Element, **values: Any) -> Got:
    got = await talker.post("ItemOperations", e("ItemOperations:ItemOperations", *operations), **values)
    assert got.http == 200
    return got


def shown(got: Got, number: int = 0) -> Element:
    found = got.all("Response", "Fetch")[number].child("ItemOperations:Properties")
    assert found is not None, got.root
    return found


async def arrived(lab: Lab, subject: str, **values: Any) -> tuple[Drawer, str]:
    await mail_to_me(lab, subject, **values)
    inbox = await drawer(lab)
    (id, _), = (await inbox.holding(subject)).items()
    return inbox, id


def reference_of(data: Element) -> str:
    attachments = data.child("AirSyncBase:Attachments")
    assert attachments is not None
    return text_of(attachments.elements[0], "AirSyncBase:FileReference")


@case("MS-ASCMD", "R7238 R4151 R194", FROM_12)
async def a_request_that_does_not_fit(lab: Lab) -> None:
    talker = lab.talker()
    folder = await talker.folder(INBOX)
    rows: list[tuple[Element, ...]] = [
        (), (e("Fetch"),), (e("Fetch", *by_id(folder, "1")),), (e("EmptyFolderContents"),),
        (fetch(*by_id(folder, "1"), options=(e("DeleteSubFolders"),)),),
        (emptying(folder, e("Range", "0-1")),),
        (emptying(folder, e("MoveAlways")),),
        (fetch(*by_id(folder, "1"), options=(e("MoveAlways"),)),),
    ]
    for operations in rows:
        got = await operate(talker, *operations)
        assert got.status == "2", operations
        assert got.find("Response") is None


@case("MS-ASCMD", "R765 R3547 R4151 R4153 R4154 R4158 R4160 R4161 R4166 R194 R7239 R3711", FROM_12)
async def operations_that_fail_by_themselves(lab: Lab) -> None:
    subject = lab.unique()
    inbox, id = await arrived(lab, subject, files={"plan.bin": FILE})
    file = reference_of(inbox.items[id])
    item = by_id(inbox.collection, id)
    rows: list[tuple[Element, str]] = [
        (fetch(*item, store="Attic"), "9"),
        (fetch(), "2"),
        (fetch(e("AirSync:CollectionId", inbox.collection)), "2"),
        (fetch(attached(file), attached(file)), "2"),
        (fetch(attached(file), options=(preference(1),)), "2"),
        (fetch(*item, options=(preference(1), preference(1))), "2"),
        (fetch(*item, options=(e("AirSync:MIMESupport", "9"),)), "2"),
        (fetch(*by_id(inbox.collection, "nowhere")), "6"),
        (fetch(*by_id("nowhere", id)), "6"),
        (fetch(e("Search:LongId", "nowhere")), "6"),
        (fetch(attached("")), "15"),
        (fetch(attached("nowhere")), "15"),
        (fetch(attached(file + "9")), "15"),
        (fetch(attached(file), options=(e("Range", "5-1"),)), "8"),
        (fetch(attached(file), options=(e("Range", "x"),)), "8"),
        (fetch(attached(file), options=(e("Range", f"{len(FILE)}-{len(FILE) + 9}"),)), "8"),
        (emptying("nowhere"), "6"),
    ]
    for operation, status in rows:
        got = await operate(inbox.talker, fetch(*item), operation)
        assert got.status == "1", operation
        answered = [text_of(one, "ItemOperations:Status") for one in got.all("Response")[0].elements]
        # Answers stand by kind, those of EmptyFolderContents before those of Fetch.
        assert sorted(answered) == sorted(["1", status]), operation
        failed = [one for one in got.all("Response")[0].elements if text_of(one, "ItemOperations:Status") == status]
        assert failed[-1].child("ItemOperations:Properties") is None or status == "1"


@case("MS-ASCMD", "R4163", FROM_12)
async def a_hundred_operations_at_most(lab: Lab) -> None:
    talker = lab.talker()
    one = fetch(*by_id(await talker.folder(INBOX), "nowhere"))
    assert len((await operate(talker, *[one] * 100)).all("Response", "Fetch")) == 100
    assert (await operate(talker, *[one] * 101)).status == "11"


@case("MS-ASCMD", "R193 R194 R913 R1379 R2952 R4153 R6269 R6275", FROM_12)
async def items_in_the_order_asked_for(lab: Lab) -> None:
    word = lab.unique()
    await mail_to_me(lab, f"{word} first")
    await mail_to_me(lab, f"{word} second")
    inbox = await drawer(lab)
    ids = list(await inbox.holding(word, 2))
    results = await found(lab.talker(), mailbox(words(word)), 2)
    long_ids = {text_of(r.child("Search:Properties") or r, "Email:Subject"): text_of(r, "Search:LongId")
                for r in results}
    got = await operate(
        inbox.talker, *[fetch(*by_id(inbox.collection, id)) for id in ids],
        fetch(e("Search:LongId", long_ids[f"{word} second"])), fetch(e("Search:LongId", long_ids[f"{word} first"])),
    )
    fetched = got.all("Response", "Fetch")
    assert [text_of(one, "ItemOperations:Status") for one in fetched] == ["1"] * 4
    assert [text_of(one, "AirSync:ServerId") for one in fetched] == [*ids, "", ""]
    assert [text_of(one, "AirSync:CollectionId") for one in fetched] == [inbox.collection] * 2 + [""] * 2
    assert [text_of(one, "Search:LongId") for one in fetched[2:]] == [
        long_ids[f"{word} second"], long_ids[f"{word} first"]
    ]
    assert [text_of(one, "AirSync:Class") for one in fetched] == ["Email"] * 4
    told = [text_of(shown(got, n), "Email:Subject") for n in range(4)]
    assert sorted(told[:2]) == [f"{word} first", f"{word} second"]
    assert told[2:] == [f"{word} second", f"{word} first"]
    assert told[:2] == [text_of(inbox.items[id], "Email:Subject") for id in ids]


@case("MS-ASCMD", "R3716 R2301 R5503 R2130 R5422 R5423", FROM_12)
async def an_attachment_in_the_answer(lab: Lab) -> None:
    inbox, id = await arrived(lab, lab.unique(), files={"plan.bin": FILE})
    file = reference_of(inbox.items[id])
    whole = await operate(inbox.talker, fetch(attached(file)))
    assert text_of(whole.all("Response", "Fetch")[0], "AirSyncBase:FileReference") == file
    properties = shown(whole)
    assert b64decode(text_of(properties, "ItemOperations:Data")) == FILE
    assert text_of(properties, "AirSyncBase:ContentType") == "application/octet-stream"
    assert properties.child("ItemOperations:Range") is None
    for span, expected in (("0-9", FILE[:10]), ("10-10", FILE[10:11]), ("1000-9999", FILE[1000:])):
        part = shown(await operate(inbox.talker, fetch(attached(file), options=(e("Range", span),))))
        first = int(span.partition("-")[0])
        assert text_of(part, "ItemOperations:Range") == f"{first}-{first + len(expected) - 1}"
        assert text_of(part, "ItemOperations:Total") == str(len(FILE))
        assert b64decode(text_of(part, "ItemOperations:Data")) == expected


@case("MS-ASCMD", "R2302 R3716", FROM_12)
async def an_attachment_and_a_body_beside_the_answer(lab: Lab) -> None:
    inbox, id = await arrived(lab, lab.unique(), text="Beside.", files={"plan.bin": FILE})
    file = reference_of(inbox.items[id])
    got = await operate(
        inbox.talker, fetch(attached(file)), fetch(*by_id(inbox.collection, id), options=(preference(1),)),
        headers={"MS-ASAcceptMultiPart": "T"},
    )
    assert got.headers["content-type"] == http.MULTIPART
    parts = http.parts_of(got.body)[1:]
    assert len(parts) == 2
    assert shown(got).child("ItemOperations:Data") is None
    assert parts[int(text_of(shown(got), "ItemOperations:Part")) - 1] == FILE
    body = shown(got, 1).child("AirSyncBase:Body")
    assert body is not None
    assert body.child("AirSyncBase:Data") is None
    assert parts[int(text_of(body, "ItemOperations:Part")) - 1].strip() == b"Beside."


@case("MS-ASCMD", "R3360 R3363 R3364 R3365 R3366 R3367 R3368", FROM_12)
async def a_signed_message_comes_whole(lab: Lab) -> None:
    subject = lab.unique()
    raw = signed(subject, lab.me.address)
    await send(lab.talker(lab.other), raw)
    inbox = await drawer(lab)
    (id, _), = (await inbox.holding(subject)).items()
    item = by_id(inbox.collection, id)
    for support, type in (("0", "1"), ("1", "4"), ("2", "4")):
        options = (e("AirSync:MIMESupport", support), preference(4), preference(1))
        body = shown(await operate(inbox.talker, fetch(*item, options=options))).child("AirSyncBase:Body")
        assert body is not None
        assert text_of(body, "AirSyncBase:Type") == type, support
        if type == "4":
            data = text_of(body, "AirSyncBase:Data")
            assert raw.partition(b"\r\n\r\n")[2].decode() in data
            assert int(text_of(body, "AirSyncBase:EstimatedDataSize")) == len(data)
    plain, id = await arrived(lab, lab.unique())
    for support, type in (("1", "1"), ("2", "4")):
        options = (e("AirSync:MIMESupport", support), preference(4), preference(1))
        body = shown(await operate(plain.talker, fetch(*by_id(plain.collection, id), options=options))).child(
            "AirSyncBase:Body"
        )
        assert body is not None
        assert text_of(body, "AirSyncBase:Type") == type, support


@case("MS-ASCMD", "R4153", FROM_14_1)
async def protection_that_is_not_there_need_not_be_removed(lab: Lab) -> None:
    subject = lab.unique()
    inbox, id = await arrived(lab, subject)
    got = await operate(
        inbox.talker, fetch(
            *by_id(inbox.collection, id), Element("RightsManagement:RemoveRightsManagementProtection"),
            options=(e("RightsManagement:RightsManagementSupport", "1"),),
        ),
    )
    assert text_of(got.all("Response", "Fetch")[0], "ItemOperations:Status") == "1"
    assert text_of(shown(got), "Email:Subject") == subject


@case("MS-ASCMD", "R199 R2167 R2243 R2244", FROM_12)
async def a_folder_is_emptied(lab: Lab) -> None:
    talker = lab.talker()
    await talker.folder(INBOX)

    async def create(parent: str, name: str) -> str:
        made = await talker.post("FolderCreate", e(
            "FolderHierarchy:FolderCreate", e("SyncKey", talker.folder_key), e("ParentId", parent),
            e("DisplayName", name), e("Type", "12"),
        ))
        assert made.status == "1", made.root
        talker.folder_key = made.text("SyncKey")
        return made.text("ServerId")

    async def children(above: str) -> set[str]:
        listed = await lab.talker().post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
        return {
            text_of(one, "FolderHierarchy:ServerId") for one in listed.all("Changes", "Add")
            if text_of(one, "FolderHierarchy:ParentId") == above
        }

    above = await create("0", lab.unique("above"))
    below = await create(above, "Below")
    word = lab.unique()
    inbox, id = await arrived(lab, word)
    move = e("Move", e("SrcMsgId", id), e("SrcFldId", inbox.collection), e("DstFldId", above))
    assert (await talker.post("MoveItems", e("Move:MoveItems", move))).text("Response", "Status") == "3"
    got = await operate(talker, emptying(above))
    assert got.text("Response", "EmptyFolderContents", "Status") == "1"
    assert got.text("Response", "EmptyFolderContents", "CollectionId") == above
    assert await Drawer(talker=lab.talker(), collection=above).pull() == {}
    assert await children(above) == {below}
    got = await operate(talker, emptying(above, e("DeleteSubFolders")))
    assert got.text("Response", "EmptyFolderContents", "Status") == "1"
    assert await children(above) == set()
    key = (await lab.talker().post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))).text("SyncKey")
    del key
    again = lab.talker()
    await again.folder(INBOX)
    gone = await again.post("FolderDelete", e(
        "FolderHierarchy:FolderDelete", e("SyncKey", again.folder_key), e("ServerId", above)
    ))
    assert gone.status == "1"


@case("MS-ASCMD", "R196", FROM_14)
async def the_recipient_cache_is_left_alone(lab: Lab) -> None:
    """Of an entry that is there: whoever was written to last."""
    await mail_to_me(lab, lab.unique())
    cache = await (await box(lab, 19, login=lab.other)).begin()
    assert cache.has
    got = await operate(cache.talker, emptying(cache.id))
    assert got.text("Response", "EmptyFolderContents", "Status") != "1"
    got = await operate(cache.talker, fetch(*by_id(cache.id, next(iter(cache.has)))))
    assert text_of(got.all("Response", "Fetch")[0], "ItemOperations:Status") != "1"
