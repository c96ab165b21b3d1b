"""[MS-ASCON] Conversations that are moved, ignored and found, and the parts of their messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

from lab import FROM_14, FROM_14_1, Lab, Talker, case
from search_kit import (
    CALENDAR,
    DELETED,
    INBOX,
    SENT,
    STORE,
    Drawer,
    composed,
    drawer,
    found,
    mail_to_me,
    mailbox,
    properties,
    send,
    text_of,
    words,
)
from wire import Got, e

from eas.protocol import http
from eas.protocol.wbxml import Element


def moving(conversation: bytes, folder: str, *options: Element) -> Element:
    return e("Move", e("ConversationId", conversation), e("DstFldId", folder),
             *((e("Options", *options),) if options else ()))


async def operate(talker: Talker, *operations: Element) -> Got:
    got = await talker.post("ItemOperations", e("ItemOperations:ItemOperations", *operations))
    assert got.http == 200
    return got


ALWAYS = e("MoveAlways")


async def converse(lab: Lab, subject: str, count: int = 1, root: str = "") -> str:
    """Some messages of one conversation to me; the id of the first one."""
    root = root or f"<{token_hex(8)}@conformance.invalid>"
    for n in range(count):
        headers = {"Message-ID": root} if n == 0 and count > 1 else {"References": root, "In-Reply-To": root}
        await mail_to_me(lab, subject, f"Message {n} of it.", headers=headers)
    return root


def conversation_of(data: Element) -> bytes:
    found = data.child("Email2:ConversationId")
    assert found is not None
    assert isinstance(found.content, bytes)
    return found.content


async def create(talker: Talker, name: str) -> str:
    await talker.folder(INBOX)
    made = await talker.post("FolderCreate", e(
        "FolderHierarchy:FolderCreate", e("SyncKey", talker.folder_key), e("ParentId", "0"), e("DisplayName", name),
        e("Type", "12"),
    ))
    assert made.status == "1", made.root
    talker.folder_key = made.text("SyncKey")
    return made.text("ServerId")


async def drop(talker: Talker, folder: str) -> None:
    gone = await talker.post("FolderDelete", e(
        "FolderHierarchy:FolderDelete", e("SyncKey", talker.folder_key), e("ServerId", folder)
    ))
    assert gone.status == "1"


@case("MS-ASCON", "R144 R146 R262 R317 R338 MS-ASCMD:R3475 MS-ASCMD:R4170 MS-ASCMD:R4171 MS-ASCMD:R4173", FROM_14)
async def what_cannot_be_moved(lab: Lab) -> None:
    subject = lab.unique()
    await mail_to_me(lab, subject)
    inbox = await drawer(lab)
    (_, data), = (await inbox.holding(subject)).items()
    known, talker = conversation_of(data), inbox.talker
    rows = [
        (moving(known, inbox.collection), "155"),
        (moving(known, "nowhere", ALWAYS), "6"),
        (moving(known, await talker.folder(CALENDAR), ALWAYS), "156"),
        (moving(known, await talker.folder(19), ALWAYS), "105"),
        (moving(token_hex(8).encode(), await talker.folder(DELETED), ALWAYS), "6"),
    ]
    for operation, status in rows:
        got = await operate(talker, operation)
        assert got.status == "1"
        assert got.text("Response", "Move", "Status") == status, operation
    for malformed in (
        e("Move"), e("Move", e("ConversationId", known)), e("Move", e("DstFldId", inbox.collection)),
        moving(known, inbox.collection, e("DeleteSubFolders")),
    ):
        assert (await operate(talker, malformed)).status == "2", malformed
    assert await inbox.holding(subject)


@case(
    "MS-ASCON",
    "R5 R7 R68 R69 R70 R118 R126 R130 R139 R142 R143 R166 R172 R213 R214 R215 R216 R327 R501 R502 R503 R5033 "
    "MS-ASCMD:R201 MS-ASCMD:R3465",
    FROM_14,
)
async def a_conversation_is_moved_for_ever(lab: Lab) -> None:
    subject, talker = lab.unique(), lab.talker()
    root = await converse(lab, subject, 3)
    inbox, sent = await drawer(lab), await drawer(lab, SENT)
    known = conversation_of(next(iter((await inbox.holding(subject, 3)).values())))
    # One's own answer belongs to it, too, and stays where it is.
    await send(lab.talker(), composed(
        subject, "Mine.", to=lab.other.address, headers={"References": root, "In-Reply-To": root}
    ))
    (mine, data), = (await sent.holding(subject)).items()
    assert conversation_of(data) == known
    target = await create(talker, lab.unique("conversations"))
    got = await operate(talker, moving(known, target, ALWAYS))
    assert got.text("Response", "Move", "Status") == "1"
    answered = got.find("Response", "Move", "ConversationId")
    assert answered is not None
    assert answered.content == known  # opaque
    (move,) = got.all("Response", "Move")
    assert sorted(child.tag for child in move.elements) == ["ItemOperations:ConversationId", "ItemOperations:Status"]
    assert got.headers["content-type"] == http.WBXML
    box = Drawer(talker=lab.talker(), collection=target)
    assert len(await box.holding(subject, 3)) == 3
    await inbox.pull()
    assert not [data for data in inbox.items.values() if text_of(data, "Email:Subject") == subject]
    await sent.pull()
    assert mine in sent.items
    # What comes later goes there by itself; other conversations do not.
    await converse(lab, subject, root=root)
    other = lab.unique()
    await mail_to_me(lab, other)
    await inbox.holding(other)  # where mail is on another server, it goes there once somebody looks at the inbox
    assert len(await box.holding(subject, 4)) == 4
    await inbox.pull()
    assert not [data for data in inbox.items.values() if text_of(data, "Email:Subject") == subject]
    # Ignored: to Deleted Items, from wherever it is; then back for good.
    deleted = await drawer(lab, DELETED)
    assert (await operate(talker, moving(known, deleted.collection, ALWAYS))).text("Response", "Move", "Status") == "1"
    assert len(await deleted.holding(subject, 4)) == 4
    await converse(lab, subject, root=root)
    await inbox.pull()
    assert len(await deleted.holding(subject, 5)) == 5
    await operate(talker, moving(known, target, ALWAYS), moving(known, inbox.collection, ALWAYS))
    assert len(await inbox.holding(subject, 5)) == 5
    await converse(lab, subject, root=root)
    assert len(await inbox.holding(subject, 6)) == 6
    await drop(talker, target)


@case("MS-ASCON", "R176 R220 R221", FROM_14)
async def a_conversation_is_found_in_all_folders(lab: Lab) -> None:
    subject, talker = lab.unique(), lab.talker()
    root = await converse(lab, subject, 2)
    inbox = await drawer(lab)
    messages = await inbox.holding(subject, 2)
    known = conversation_of(next(iter(messages.values())))
    await send(lab.talker(), composed(
        subject, "Mine.", to=lab.other.address, headers={"References": root, "In-Reply-To": root}
    ))
    move = e("Move", e("SrcMsgId", next(iter(messages))), e("SrcFldId", inbox.collection),
             e("DstFldId", await talker.folder(DELETED)))
    assert (await talker.post("MoveItems", e("Move:MoveItems", move))).text("Response", "Status") == "3"
    results = await found(talker, mailbox(e("ConversationId", known)), 3)
    assert len(results) == 3
    assert {text_of(one, "AirSync:CollectionId") for one in results} == {
        inbox.collection, await talker.folder(DELETED), await talker.folder(SENT)
    }
    assert {conversation_of(properties(one)) for one in results} == {known}
    got = await talker.post("Search", mailbox(e("ConversationId", token_hex(8).encode())))
    assert got.find(*STORE, "Result", "Properties") is None


def index_of(data: Element) -> bytes:
    found = data.child("Email2:ConversationIndex")
    assert found is not None
    assert isinstance(found.content, bytes)  # opaque
    return found.content


def moment_of(header: bytes) -> datetime:
    """Bits 55 to 16 of a FILETIME, big endian; those above them are 1 from 1829 to 2057."""
    ticks = 1 << 56 | int.from_bytes(header, "big") << 16
    return datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)


@case(
    "MS-ASCON",
    "R76 R81 R86 R87 R88 R90 R91 R92 R93 R95 R97 R259 R304 R305 R306 R307 R308 R309 R400 R77 MS-ASDTYPE:R97",
    FROM_14,
)
async def answers_and_forwards_lengthen_the_index(lab: Lab) -> None:
    subject = lab.unique()
    await mail_to_me(lab, subject)
    mine = await drawer(lab)
    (id, data), = (await mine.holding(subject)).items()
    known, first = conversation_of(data), index_of(data)
    assert len(first) == 5
    received = datetime.fromisoformat(text_of(data, "Email:DateReceived"))
    assert abs(moment_of(first) - received) < timedelta(minutes=5)
    theirs = await drawer(lab, INBOX, lab.other)

    async def answer(box: Drawer, id: str, command: str, to: str) -> None:
        raw = composed(f"Re: {subject}", "More of it.", to=to)
        source = e("Source", e("FolderId", box.collection), e("ItemId", id))
        sent = await box.talker.post(command, e(
            f"ComposeMail:{command}", e("ClientId", token_hex(8)), source, e("Mime", raw)
        ))
        assert (sent.http, sent.body) == (200, b""), sent

    await answer(mine, id, "SmartReply", lab.other.address)
    (id, data), = (await theirs.holding(f"Re: {subject}")).items()
    second = index_of(data)
    assert conversation_of(data) == known
    await answer(theirs, id, "SmartForward", lab.me.address)
    (_, data), = (await mine.holding(f"Re: {subject}")).items()
    third = index_of(data)
    assert conversation_of(data) == known
    assert (len(second), len(third)) == (10, 15)
    assert second[:5] == third[:5] == first
    assert third[5:10] == second[5:]
    # A level: one bit for the unit, then how long after the first time it was; here less than an hour.
    for level in (third[5:10], third[10:]):
        delay = int.from_bytes(level[:4], "big")
        assert not delay >> 31
        assert timedelta(microseconds=((delay & 0x7FFF_FFFF) << 18) // 10) < timedelta(hours=1)


@case("MS-ASCON", "R192 R194 R195 R196 R77", FROM_14)
async def a_sent_message_has_a_conversation(lab: Lab) -> None:
    subject = lab.unique()
    await mail_to_me(lab, subject)
    for box in (await drawer(lab), await drawer(lab, SENT, lab.other)):
        (_, data), = (await box.holding(subject)).items()
        assert len(conversation_of(data)) == 16
        index = data.child("Email2:ConversationIndex")
        assert index is not None
        assert isinstance(index.content, bytes)
        assert len(index.content) == 5


# Parts of messages ----------------------------------------------------------------------------------------------------


def part_preference(type: int = 2, size: int | None = None) -> Element:
    more = () if size is None else (e("TruncationSize", str(size)),)
    return e("AirSyncBase:BodyPartPreference", e("Type", str(type)), *more)


BODY = e("AirSyncBase:BodyPreference", e("Type", "1"))


def bodies(shown: Element) -> set[str]:
    return {child.tag for child in shown.elements if child.tag in ("AirSyncBase:Body", "AirSyncBase:BodyPart")}


WANTED: tuple[tuple[tuple[Element, ...], set[str]], ...] = (
    ((), {"AirSyncBase:Body"}),
    ((BODY,), {"AirSyncBase:Body"}),
    ((part_preference(),), {"AirSyncBase:BodyPart"}),
    ((BODY, part_preference()), {"AirSyncBase:Body", "AirSyncBase:BodyPart"}),
)


@case("MS-ASCON", "R39 R46 R47 R236 R239 R240 R241 R243 R245 R246 R247 R248 R340 R504 R505", FROM_14_1)
async def parts_of_messages_by_item_operations(lab: Lab) -> None:
    subject = lab.unique()
    await mail_to_me(lab, subject, "Words that are long enough to be cut.", html="<p>Words that are long enough.</p>")
    inbox = await drawer(lab)
    (id, _), = (await inbox.holding(subject)).items()

    async def fetched(*options: Any) -> Got:
        return await operate(inbox.talker, e(
            "Fetch", e("Store", "Mailbox"), e("AirSync:CollectionId", inbox.collection), e("AirSync:ServerId", id),
            *((e("Options", *options),) if options else ()),
        ))

    for options, expected in WANTED:
        shown = (await fetched(*options)).all("Response", "Fetch", "Properties")[0]
        assert bodies(shown) == expected, options
    _check_cut((await fetched(part_preference(size=10))).all("Response", "Fetch", "Properties")[0])
    assert (await fetched(part_preference(type=1))).status == "164"


@case("MS-ASCON", "R40 R46 R47 R235 R239 R240 R241 R243 R245 R246 R247 R248 R339", FROM_14_1)
async def parts_of_messages_by_search(lab: Lab) -> None:
    subject, talker = lab.unique(), lab.talker()
    await mail_to_me(lab, subject, "Words that are long enough to be cut.", html="<p>Words that are long enough.</p>")
    (result,) = await found(talker, mailbox(words(subject)))
    known = e("ConversationId", conversation_of(properties(result)))
    for options, expected in WANTED:
        (result,) = await found(talker, mailbox(known, options=options))
        assert bodies(properties(result)) == expected, options
    (result,) = await found(talker, mailbox(known, options=(part_preference(size=10),)))
    _check_cut(properties(result))
    assert (await talker.post("Search", mailbox(known, options=(part_preference(type=1),)))).status == "164"
    got = await talker.post("Search", mailbox(words(subject), options=(part_preference(),)))
    assert got.text(*STORE, "Status") == "2"


def _check_cut(shown: Element) -> None:
    part = shown.child("AirSyncBase:BodyPart")
    assert part is not None
    assert isinstance(part.content, tuple)
    assert {child.tag for child in part.elements} <= {
        f"AirSyncBase:{name}" for name in ("Status", "Type", "EstimatedDataSize", "Truncated", "Data", "Preview")
    }
    assert (text_of(part, "AirSyncBase:Status"), text_of(part, "AirSyncBase:Type")) == ("1", "2")
    assert text_of(part, "AirSyncBase:Truncated") == "1"
    assert int(text_of(part, "AirSyncBase:EstimatedDataSize")) > 10
    assert len(text_of(part, "AirSyncBase:Data").encode()) <= 10


# Conversations in a folder --------------------------------------------------------------------------------------------


@case(
    "MS-ASCON",
    "R157 R158 R162 R170 R199 R200 R201 R203 R204 R206 R207 R208 R209 R217 R218 R284 R324 R325 R326 R337",
    FROM_14,
)
async def what_is_done_to_each_message_of_a_conversation(lab: Lab) -> None:
    """Reading, flagging, moving and deleting a conversation is done to its messages in the folder, one by one."""
    subject, talker = lab.unique(), lab.talker()
    root = await converse(lab, subject, 3)
    inbox = await drawer(lab)
    ids = sorted(await inbox.holding(subject, 3), key=lambda id: text_of(inbox.items[id], "Email:DateReceived"))

    async def seen(tag: str) -> dict[str, str]:
        fresh = Drawer(talker=lab.talker(), collection=inbox.collection)
        found = await fresh.holding(subject, len(ids))
        if tag == "Email:Flag":
            return {id: text_of(data.child(tag) or Element(tag), "Email:Status") for id, data in found.items()}
        return {id: text_of(data, tag) for id, data in found.items()}

    async def change(some: list[str], *data: Element) -> None:
        commands = [
            e("Change", e("ServerId", id), Element("AirSync:ApplicationData", data)) for id in some
        ]
        await inbox.sync(*commands)

    for value in ("1", "0"):
        await change(ids, e("Email:Read", value))
        assert await seen("Email:Read") == dict.fromkeys(ids, value)
    await change(ids[-1:], e("Email:Flag", e("Status", "2"), e("FlagType", "Flag for follow up")))
    assert await seen("Email:Flag") == {**dict.fromkeys(ids, ""), ids[-1]: "2"}
    complete = e(
        "Email:Flag", e("Status", "1"), e("CompleteTime", "2026-03-01T10:00:00.000Z"),
        e("Tasks:DateCompleted", "2026-03-01T10:00:00.000Z"),
    )
    await change(ids[-1:], complete)
    assert await seen("Email:Flag") == {**dict.fromkeys(ids, ""), ids[-1]: "1"}
    await change(ids, Element("Email:Flag"))
    assert await seen("Email:Flag") == dict.fromkeys(ids, "")
    target = await create(talker, lab.unique("conversations"))
    moves = [e("Move", e("SrcMsgId", id), e("SrcFldId", inbox.collection), e("DstFldId", target)) for id in ids[:2]]
    moved = await talker.post("MoveItems", e("Move:MoveItems", *moves))
    assert [one.text for one in moved.all("Response", "Status")] == ["3", "3"]
    assert len(await Drawer(talker=lab.talker(), collection=target).holding(subject, 2)) == 2
    await inbox.sync(e("Delete", e("ServerId", ids[2])))
    assert len(await (await drawer(lab, DELETED)).holding(subject)) == 1
    # Neither holds for what comes later.
    await converse(lab, subject, root=root)
    await inbox.holding(subject)
    await drop(talker, target)
