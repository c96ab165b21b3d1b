"""What servers choose, learned from pairs of answers and put into the next request: tables, element by element."""

from __future__ import annotations

from datetime import timedelta

import pytest
from wire import e, sync

from eas.protocol import query as queries
from eas.protocol.query import Query
from eas.protocol.version import Version
from eas.protocol.wbxml import Element
from eas.replay.format.model import Document, Request, Text
from eas.replay.playing.binding import Binding, Who
from eas.replay.playing.learning import learn
from eas.replay.playing.rewriting import Rewritten, live_request
from eas.replay.playing.roles import Kind

PATH = "/Microsoft-Server-ActiveSync"


def folders(prefix: str, key: str, *, inbox: str = "Inbox") -> Element:
    def add(id: str, parent: str, name: str, type: str) -> Element:
        return e("Add", e("ServerId", prefix + id), e("ParentId", (parent and prefix + parent) or "0"),
                 e("DisplayName", name), e("Type", type))

    return e("FolderHierarchy:FolderSync", e("Status", "1"), e("SyncKey", key), e(
        "Changes", e("Count", "4"), add("1", "", inbox, "2"), add("2", "", "Projects", "12"),
        add("3", "2", "Old", "12"), add("4", "1", "Old", "12"),
    ))


def mails(collection: str, key: str, *items: tuple[str, str], more: bool = False, prefix: str = "") -> Element:
    def add(id: str, subject: str) -> Element:
        return e("Add", e("ServerId", id), e(
            "ApplicationData", e("Email:Subject", subject), e("Email:From", "Carla <carla@example.org>"),
            e("AirSyncBase:Attachments", e("Attachment", e("DisplayName", "a.txt"), e("FileReference",
                f"{prefix}{id}:f"))),
            e("Email2:ConversationId", f"{prefix}{id}".encode()),
        ))

    flag = (e("MoreAvailable"),) if more else ()
    return e("AirSync:Sync", e("Collections", e(
        "Collection", e("SyncKey", key), e("CollectionId", collection), e("Status", "1"), *flag,
        e("Commands", *(add(*item) for item in items)),
    )))


def bound() -> Binding:
    """The folders are known, and two mails of the inbox; `r` is recorded, `L` is live."""
    binding = Binding()
    learn(binding, e("FolderHierarchy:FolderSync", e("SyncKey", "0")), folders("r", "rk1"),
          folders("L", "Lk1", inbox="Posteingang"))
    learn(binding, sync("0", "r1"), mails("r1", "rs1"), mails("L1", "Ls1"))
    learn(binding, sync("rs1", "r1"), mails("r1", "rs2", ("r1:1", "one"), ("r1:2", "two"), ("r1:3", "gone"),
        prefix="r"),
          mails("L1", "Ls2", ("L1:9", "two"), ("L1:8", "other"), ("L1:7", "one"), prefix="L"))
    return binding


def told(binding: Binding, root: Element, target: str = f"{PATH}?Cmd=Sync") -> Rewritten:
    return live_request(Request(method="POST", target=target, body=Document(root)), binding)


def live(binding: Binding, root: Element) -> Element:
    made = told(binding, root)
    assert made.request is not None, made
    assert isinstance(made.request.body, Document)
    assert not made.notes
    return made.request.body.root


CASES = {
    "keys and ids of Sync": (
        sync("rs2", "r1", e("Commands", e("Change", e("ServerId", "r1:1")), e("Fetch", e("ServerId", "r1:2")))),
        sync("Ls2", "L1", e("Commands", e("Change", e("ServerId", "L1:7")), e("Fetch", e("ServerId", "L1:9")))),
    ),
    "a key goes back by one": (sync("rs1", "r1"), sync("Ls1", "L1")),
    "zero is zero": (sync("0", "r2"), sync("0", "L2")),
    "folders by place": (
        e("FolderHierarchy:FolderUpdate", e("SyncKey", "rk1"), e("ServerId", "r4"), e("ParentId", "r2"),
            e("DisplayName", "x")),
        e("FolderHierarchy:FolderUpdate", e("SyncKey", "Lk1"), e("ServerId", "L4"), e("ParentId", "L2"),
            e("DisplayName", "x")),
    ),
    "Ping": (
        e("Ping:Ping", e("Folders", e("Folder", e("Id", "r1"), e("Class", "Email")))),
        e("Ping:Ping", e("Folders", e("Folder", e("Id", "L1"), e("Class", "Email")))),
    ),
    "MoveItems": (
        e("Move:MoveItems", e("Move", e("SrcMsgId", "r1:1"), e("SrcFldId", "r1"), e("DstFldId", "r3"))),
        e("Move:MoveItems", e("Move", e("SrcMsgId", "L1:7"), e("SrcFldId", "L1"), e("DstFldId", "L3"))),
    ),
    "SmartReply": (
        e("ComposeMail:SmartReply", e("Source", e("FolderId", "r1"), e("ItemId", "r1:2"))),
        e("ComposeMail:SmartReply", e("Source", e("FolderId", "L1"), e("ItemId", "L1:9"))),
    ),
    "MeetingResponse": (
        e("MeetingResponse:MeetingResponse", e("Request", e("UserResponse", "1"), e("CollectionId", "r1"),
            e("RequestId", "r1:1"))),
        e("MeetingResponse:MeetingResponse", e("Request", e("UserResponse", "1"), e("CollectionId", "L1"),
            e("RequestId", "L1:7"))),
    ),
    "attachments": (
        e("ItemOperations:ItemOperations", e("Fetch", e("Store", "Mailbox"), e("AirSyncBase:FileReference",
            "rr1:1:f"))),
        e("ItemOperations:ItemOperations", e("Fetch", e("Store", "Mailbox"), e("AirSyncBase:FileReference",
            "LL1:7:f"))),
    ),
    "conversations": (
        e("ItemOperations:ItemOperations", e("Move", e("ConversationId", b"rr1:1"), e("DstFldId", "r2"))),
        e("ItemOperations:ItemOperations", e("Move", e("ConversationId", b"LL1:7"), e("DstFldId", "L2"))),
    ),
    "GetItemEstimate": (
        e("GetItemEstimate:GetItemEstimate", e("Collections", e("Collection", e("AirSync:SyncKey", "rs2"),
            e("CollectionId", "r1")))),
        e("GetItemEstimate:GetItemEstimate", e("Collections", e("Collection", e("AirSync:SyncKey", "Ls2"),
            e("CollectionId", "L1")))),
    ),
}


@pytest.mark.parametrize(("recorded", "expected"), CASES.values(), ids=CASES.keys())
def test_requests_speak_of_what_is_there(recorded: Element, expected: Element) -> None:
    assert live(bound(), recorded) == expected


def test_what_is_missing_is_left_out_alone() -> None:
    made = told(bound(), sync("rs2", "r1", e("Commands", e("Delete", e("ServerId", "r1:3")), e("Delete",
        e("ServerId", "r1:1")))))
    assert made.request is not None
    assert made.request.body == Document(sync("Ls2", "L1", e("Commands", e("Delete", e("ServerId", "L1:7")))))
    assert made.notes == ("Delete: the item 'gone' is not there: left out",)


def test_a_move_of_what_is_missing_is_skipped() -> None:
    made = told(bound(), e("Move:MoveItems", e("Move", e("SrcMsgId", "r1:3"), e("SrcFldId", "r1"), e("DstFldId",
        "r3"))))
    assert made.request is None
    assert "'gone' is not there" in made.skipped


def test_what_was_never_seen_is_sent_and_said() -> None:
    made = told(bound(), sync("rs2", "r1", e("Commands", e("Delete", e("ServerId", "r1:99")))))
    assert made.request is not None
    assert made.notes == ("item r1:99 was never seen: sent as recorded",)


def test_a_key_stays_where_one_side_has_nothing_new() -> None:
    binding = bound()
    learn(binding, sync("rs2", "r1"), mails("r1", "rs3", ("r1:4", "four")), None)  # the live answer was empty
    assert live(binding, sync("rs3", "r1")) == sync("Ls2", "L1")
    learn(binding, sync("rs3", "r1"), None, mails("L1", "Ls3", ("L1:20", "four")))  # and now the recorded one
    assert live(binding, sync("rs3", "r1", e("Commands", e("Delete", e("ServerId", "r1:4"))))) == sync(
        "Ls3", "L1", e("Commands", e("Delete", e("ServerId", "L1:20"))))


def test_moved_and_added_items_are_known_by_what_the_device_called_them() -> None:
    binding = bound()
    move = e("Move:MoveItems", e("Move", e("SrcMsgId", "r1:1"), e("SrcFldId", "r1"), e("DstFldId", "r2")))
    learn(binding, move, e("Move:MoveItems", e("Response", e("SrcMsgId", "r1:1"), e("Status", "3"), e("DstMsgId",
        "r2:1"))),
          e("Move:MoveItems", e("Response", e("SrcMsgId", "L1:7"), e("Status", "3"), e("DstMsgId", "L2:5"))))

    def added(collection: str, key: str, id: str) -> Element:
        return e("AirSync:Sync", e("Collections", e("Collection", e("SyncKey", key), e("CollectionId", collection), e(
            "Responses", e("Add", e("ClientId", "c1"), e("ServerId", id), e("Status", "1"))))))

    learn(binding, sync("rx", "r3"), added("r3", "ry", "r3:1"), added("L3", "Ly", "L3:44"))
    assert live(binding, sync("ry", "r3", e("Commands", e("Change", e("ServerId", "r3:1"))))) == sync(
        "Ly", "L3", e("Commands", e("Change", e("ServerId", "L3:44"))))
    assert live(binding, e("ComposeMail:SmartReply", e("Source", e("FolderId", "r2"), e("ItemId", "r2:1")))) == e(
        "ComposeMail:SmartReply", e("Source", e("FolderId", "L2"), e("ItemId", "L2:5")))


def test_ids_that_are_unique_in_their_folder_alone() -> None:
    binding = bound()
    for folder, ours, theirs in (("r2", "1", "31"), ("r3", "1", "32")):
        there = folder.replace("r", "L")
        learn(binding, sync("k", folder), mails(folder, "k1", (ours, f"in {folder}")), mails(there, "K1", (theirs,
            f"in {folder}")))
    for folder, id in (("r2", "31"), ("r3", "32")):
        made = live(binding, sync("k1", folder, e("Commands", e("Delete", e("ServerId", "1")))))
        assert made == sync("K1", folder.replace("r", "L"), e("Commands", e("Delete", e("ServerId", id))))


def test_queries_of_both_forms() -> None:
    binding = bound()
    binding.put(Kind.POLICY, "111", "222")
    who = Who(user="ben", device="OTHER")
    binding.who = who
    rest = "SaveInSent=T&PolicyKey="
    plain = f"{PATH}?Cmd=SmartReply&User=anna&DeviceId=DEV&DeviceType=T&CollectionId=r1&ItemId=r1%3A1&{rest}111"
    made = live_request(Request(method="POST", target=plain, headers=(("X-MS-PolicyKey", "111"),)), binding)
    assert made.request is not None
    assert made.request.target == (
        f"{PATH}?Cmd=SmartReply&User=ben&DeviceId=OTHER&DeviceType=T&CollectionId=L1&ItemId=L1%3A7&{rest}222")
    assert made.request.headers == (("X-MS-PolicyKey", "222"),)
    asked = Query(command="GetAttachment", device_id="DEV", device_type="T", user="anna", version=Version.V12_1,
                  policy_key=111, attachment_name="rr1:1:f")
    made = live_request(Request(method="POST", target=f"{PATH}?{queries.encode_base64(asked)}"), binding)
    assert made.request is not None
    found = queries.parse(made.request.query)
    assert (found.user, found.device_id, found.policy_key, found.attachment_name) == ("ben", "OTHER", 222, "LL1:7:f")
    assert found.encoded


def test_dates_and_the_own_address_are_moved() -> None:
    binding = Binding(who=Who(recorded_address="anna@example.com", address="ben@example.org"), by=timedelta(days=7))
    mime = (b"From: Anna <Anna@example.com>\r\nDate: Sat, 21 Nov 2026 10:00:00 +0100\r\nTo: carla@example.net\r\n\r\n"
            b"BEGIN:VCALENDAR\r\nDTSTART;TZID=Berlin:20261121T090000\r\nEND:VCALENDAR\r\n")
    made = live_request(Request(method="POST", target=f"{PATH}?Cmd=SendMail", body=Text("mime", mime)), binding)
    assert made.request is not None
    assert made.request.body == Text("mime", mime.replace(b"Anna@example.com", b"ben@example.org")
                                     .replace(b"Sat, 21 Nov", b"Sat, 28 Nov").replace(b"20261121", b"20261128"))
    contact = sync("0", "1", e("Calendar:StartTime", "20261121T090000Z"), e("Contacts:Birthday",
        "1980-01-02T00:00:00.000Z"),
                   e("Email:DateReceived", "2026-12-30T23:59:59.999Z"))
    moved = sync("0", "1", e("Calendar:StartTime", "20261128T090000Z"), e("Contacts:Birthday",
        "1980-01-02T00:00:00.000Z"),
                 e("Email:DateReceived", "2027-01-06T23:59:59.999Z"))
    made = told(binding, contact)
    assert made.request is not None
    assert made.request.body == Document(moved)


def test_what_base64_cannot_say_goes_in_plain_form() -> None:
    """A field of a base64 query has at most 255 bytes, and other servers have longer references."""
    binding = Binding()
    binding.put(Kind.FILE, "short", "x" * 300)
    binding.put(Kind.POLICY, "111", "222")
    asked = Query(command="GetAttachment", device_id="DEV", device_type="T", version=Version.V12_1, policy_key=111,
                  attachment_name="short")
    made = live_request(Request(method="POST", target=f"{PATH}?{queries.encode_base64(asked)}"), binding)
    assert made.request is not None
    found = queries.complete(
        queries.parse(made.request.query), {name.lower(): value for name, value in made.request.headers})
    assert (found.attachment_name, found.version, found.policy_key) == ("x" * 300, Version.V12_1, 222)
