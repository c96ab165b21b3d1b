"""What is chosen for a device beside its filter: conversations, a policy's limits, text messages; a quirk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from mail_kit import Mailroom, letter
from sqlalchemy import update
from sync_kit import Box, add, box, change, commands, delete, fetch, mail, told
from wire import Wire, e

from eas.backends.embedded.feed import EmbeddedFeed
from eas.backends.embedded.tables import ItemRow
from eas.engine.errors import NoSpace
from eas.engine.model import FolderType, Policy
from eas.protocol.wbxml import Element
from eas.push.clock import SystemClock

Wires = Callable[..., Wire]
FROM_14 = pytest.mark.parametrize("version", ["14.0", "14.1", "16.0", "16.1"])


def options(*given: Any) -> Element:
    return e("AirSync:Options", *given)


def filtered(value: int, *more: Any) -> Element:
    return options(e("FilterType", str(value)), *more)


MODE, NO_MODE = e("AirSync:ConversationMode", "1"), e("AirSync:ConversationMode", "0")


async def aged(room: Mailroom, days: int, root: str, *, first: bool = False) -> str:
    """A message of a conversation that arrived so many days ago; its ServerId."""
    named = f"Message-ID: <{root}@x>\r\n" if first else f"In-Reply-To: <{root}@x>\r\nReferences: <{root}@x>\r\n"
    id = await room.deliver("anna", letter(f"{root} {days}", f"Text of {days}.", more=named))
    folder, _, item = id.partition(":")
    earlier = int(timedelta(days=days).total_seconds() * 1000)

    def work(tx: Any) -> None:
        tx.raise_counter(int(folder))
        tx.connection.execute(
            update(ItemRow).where(ItemRow.folder_id == int(folder), ItemRow.id == int(item))
            .values(until=ItemRow.until - earlier, received=ItemRow.received - earlier)
        )

    await room.world.app.embedded.groupware.write(work)
    return id


async def _thread(room: Mailroom, root: str, *days: int) -> dict[int, str]:
    return {day: await aged(room, day, root, first=number == 0) for number, day in enumerate(days)}


async def whole(one: Box, *more: Any) -> list[tuple[str, str]]:
    """Everything that there is to be said."""
    said: list[tuple[str, str]] = []
    while (answer := await one.go(*more)) is not None:
        said += answer.said
        if not answer.more:
            break
    return said


# Conversations -------------------------------------------------------------------------------------------------------


@FROM_14
async def test_old_mail_comes_with_its_conversation(wire: Wires, room: Mailroom, version: str) -> None:
    """[MS-ASCMD] R2107, R2109, R2110, R2111, R2112, R5876; [MS-ASCON] R330"""
    thread, other = await _thread(room, "talk", 40, 20, 0), await _thread(room, "past", 40, 20)
    inbox = await box(wire(version=version), room, FolderType.INBOX)
    await inbox.sure(MODE, filtered(3))
    assert sorted(await whole(inbox)) == sorted(("Add", id) for id in thread.values())
    assert sorted(await whole(inbox, NO_MODE)) == sorted(("SoftDelete", thread[day]) for day in (40, 20))
    assert sorted(await whole(inbox, MODE)) == sorted(("Add", thread[day]) for day in (40, 20))
    answered = await aged(room, 0, "past")
    assert sorted(await whole(inbox)) == sorted(("Add", id) for id in (answered, *other.values()))
    assert await inbox.go() is None


async def test_the_estimate_counts_them(wire: Wires, room: Mailroom) -> None:
    """[MS-ASCMD] R2096, R2097, R2098; [MS-ASCON] R332, R211, R261, R343, R116"""
    await _thread(room, "talk", 40, 20, 0)
    inbox = await box(wire(), room, FolderType.INBOX)
    await inbox.sure()
    for mode, count in (("1", "3"), ("0", "1"), ("", "3")):
        got = await inbox.wire.post("GetItemEstimate", e("GetItemEstimate:GetItemEstimate", e("Collections", e(
            "Collection", e("AirSync:SyncKey", inbox.key), e("CollectionId", inbox.id),
            e("AirSync:ConversationMode", mode), filtered(3),
        ))))
        assert got.text("Response", "Collection", "Estimate") == count


@FROM_14
async def test_of_old_mail_only_the_preview_comes(wire: Wires, room: Mailroom, version: str) -> None:
    """[MS-ASCMD] R2108. And so it is in an answer that is given again."""
    thread = await _thread(room, "talk", 40, 0)
    inbox = await box(wire(version=version), room, FolderType.INBOX)
    wanted = filtered(3, e("AirSyncBase:BodyPreference", e("Type", "2"), e("Preview", "50")))
    await inbox.sure(MODE, wanted)
    key = inbox.key
    for _ in range(2):
        (answer,) = told(await inbox.ask(key=key))
        for day, id in thread.items():
            body = answer.data(id).child("AirSyncBase:Body")
            assert body is not None
            found = {child.tag.partition(":")[2]: child.text for child in body.elements}
            assert found["Preview"] == f"Text of {day}."
            assert ("Data" in found) == (day == 0)
            assert ("Truncated" in found) == (day == 40)


async def test_days_go_by_and_a_conversation_leaves_as_a_whole(
    wire: Wires, room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[MS-ASCON] R223, R228: also one whose newest message was deleted, though not before a day ends."""
    thread, other = await _thread(room, "talk", 20, 6), await _thread(room, "past", 20, 0)
    inbox = await box(wire(), room, FolderType.INBOX)
    await inbox.sure(MODE, filtered(3))
    assert len(await whole(inbox)) == 4
    await inbox.go(e("AirSync:DeletesAsMoves", "0"), commands(delete(other[0])))
    assert await whole(inbox) == []
    later = SystemClock().now() + timedelta(days=3)
    monkeypatch.setattr(SystemClock, "now", lambda self: later)
    left = (*thread.values(), other[20])
    assert sorted(await whole(inbox)) == sorted(("SoftDelete", id) for id in left)
    assert await inbox.go() is None


async def test_old_mail_has_its_body_part(wire: Wires, room: Mailroom) -> None:
    """[MS-ASCON] R242"""
    thread = await _thread(room, "talk", 40, 0)
    inbox = await box(wire(), room, FolderType.INBOX)
    await inbox.sure(MODE, filtered(3, e("AirSyncBase:BodyPartPreference", e("Type", "2"))))
    answer = await inbox.sure()
    for day, id in thread.items():
        part = answer.data(id).child("AirSyncBase:BodyPart")
        assert part is not None
        assert f"Text of {day}." in str(part)
        assert answer.data(id).child("AirSyncBase:Body") is None


async def test_what_happens_to_old_mail_is_told(wire: Wires, room: Mailroom) -> None:
    """A flag of a message that is there only for its conversation, and its end."""
    thread = await _thread(room, "talk", 40, 0)
    one = await (await box(wire(), room, FolderType.INBOX)).begin(MODE, filtered(3))
    other = await (await box(wire(device="OTHER"), room, FolderType.INBOX)).begin()
    await other.go(commands(change(thread[40], mail(e("Email:Read", "1")))))
    assert (await one.sure()).said == [("Change", thread[40])]
    await other.go(commands(delete(thread[40])))
    assert (await one.sure()).said == [("Delete", thread[40])]


# Policies ------------------------------------------------------------------------------------------------------------


async def _policy(world: Any, **settings: str) -> None:
    await world.store.save_policy(replace(Policy(), settings=settings))


async def test_a_policy_bounds_the_age_of_mail(wire: Wires, room: Mailroom, world: Any) -> None:
    """[MS-ASPROV] MaxEmailAgeFilter R256-R263. A change of the policy holds for what a device has already."""
    thread = await _thread(room, "talk", 40, 20, 0)
    inbox = await (await box(wire(), room, FolderType.INBOX)).begin()
    await _policy(world, MaxEmailAgeFilter="3")
    assert sorted(await whole(inbox)) == sorted(("SoftDelete", thread[day]) for day in (40, 20))
    assert await whole(inbox, filtered(5)) == []
    assert await whole(inbox, filtered(1)) == []
    await _policy(world, MaxEmailAgeFilter="5")
    assert await whole(inbox, filtered(0)) == [("Add", thread[20])]
    await _policy(world)
    assert await whole(inbox) == [("Add", thread[40])]


@pytest.mark.parametrize(("type", "setting"), [
    ("1", "MaxEmailBodyTruncationSize"), ("2", "MaxEmailHTMLBodyTruncationSize"),
])
async def test_a_policy_bounds_bodies_of_mail(
    wire: Wires, room: Mailroom, world: Any, type: str, setting: str
) -> None:
    """[MS-ASPROV] R264-R275, in KB; 0 leaves the headers."""
    id = await room.deliver("anna", letter("Long", "x" * 5000))
    for allowed, size in (("1", 1024), ("0", 0), ("-1", 5000)):
        await _policy(world, **{setting: allowed})
        inbox = await box(wire(device=f"D{allowed.strip('-')}X{size}"), room, FolderType.INBOX)
        wanted = options(e("AirSyncBase:BodyPreference", e("Type", type), e("TruncationSize", "100000")))
        await inbox.sure(wanted)
        body = (await inbox.sure()).data(id).child("AirSyncBase:Body")
        assert body is not None
        data = body.child("AirSyncBase:Data")
        length = 0 if data is None else len(data.text)
        assert length <= size if size < 5000 else length >= size
        # Nor does what fetches it whole get more.
        preference = e("AirSyncBase:BodyPreference", e("Type", type))
        for fetched in (
            (await inbox.ask(commands(fetch(id)))).find("Collections", "Collection", "Responses", "Fetch"),
            (await inbox.wire.post("ItemOperations", e("ItemOperations:ItemOperations", e(
                "Fetch", e("Store", "Mailbox"), e("AirSync:CollectionId", inbox.id), e("AirSync:ServerId", id),
                e("Options", preference),
            )))).find("Response", "Fetch"),
        ):
            assert (str(fetched).count("x") >= 5000) == (allowed == "-1")


# Text messages -------------------------------------------------------------------------------------------------------


def text_message(client_id: str) -> Element:
    content = mail(e("Email:From", "+4917"), e("Email:To", "+4918"), e("Email:Read", "1"))
    return e("AirSync:Add", e("Class", "SMS"), e("ClientId", client_id), content)


@FROM_14
async def test_text_messages_are_taken_and_not_kept(wire: Wires, room: Mailroom, version: str) -> None:
    """[MS-ASCMD] R6298. Asked for or not; nothing is refused that would be sent for ever."""
    inbox = await (await box(wire(version=version), room, FolderType.INBOX)).begin()
    before = inbox.key
    answer = await inbox.sure(commands(text_message("s1"), text_message("s2")))
    ids = [one["ServerId"] for one in answer.answered("Add")]
    assert [one["Status"] for one in answer.answered("Add")] == ["1", "1"]
    assert len(set(ids)) == 2
    assert all(len(id) <= 64 for id in ids)
    (again,) = told(await inbox.ask(commands(text_message("s1"), text_message("s2")), key=before))
    assert [one["ServerId"] for one in again.answered("Add")] == ids  # a lost answer
    answer = await inbox.sure(commands(change(ids[0], mail(e("Email:Read", "0"))), delete(ids[1]), fetch(ids[0])))
    assert answer.answered("Change") == answer.answered("Delete") == []
    assert [one["Status"] for one in answer.answered("Fetch")] == ["8"]
    assert await room.mails("anna") == []


async def test_text_messages_do_not_keep_others_from_their_place(wire: Wires, room: Mailroom) -> None:
    id = await room.deliver("anna", letter())
    inbox = await (await box(wire(), room, FolderType.INBOX)).begin()
    answer = await inbox.sure(commands(fetch(id), text_message("s1"), fetch("9:9")))
    assert [response.tag for response in answer.responses] == ["AirSync:Fetch", "AirSync:Add", "AirSync:Fetch"]
    assert [one["Status"] for one in answer.answered("Fetch")] == ["1", "8"]


async def test_elsewhere_there_are_no_text_messages(wire: Wires, room: Mailroom) -> None:
    old = await (await box(wire(version="12.1"), room, FolderType.INBOX)).begin()
    assert [one["Status"] for one in (await old.sure(commands(text_message("s")))).answered("Add")] == ["6"]
    contacts = await (await box(wire(), room, FolderType.CONTACTS)).begin()
    (answer,) = told(await contacts.ask(commands(text_message("s"))))
    assert answer.answered("Add")[0].get("ServerId", "").startswith(f"{contacts.id}:sms") is False


# Several commands on one item ----------------------------------------------------------------------------------------


@FROM_14
async def test_two_commands_on_one_item_are_both_done(wire: Wires, room: Mailroom, version: str) -> None:
    """Exchange has been seen to answer the second with Status 16; to do it costs no device a second request."""
    id = await room.deliver("anna", letter())
    inbox = await (await box(wire(version=version), room, FolderType.INBOX)).begin()
    flag = e("Email:Flag", e("Status", "2"), e("FlagType", "for Follow Up"))
    answer = await inbox.sure(commands(change(id, mail(e("Email:Read", "1"))), change(id, mail(flag))))
    assert answer.answered("Change") == []
    (found,) = await room.mails("anna")
    assert found.flags.read
    assert found.flags.follow_up is not None
    assert await inbox.go() is None


# Quirks --------------------------------------------------------------------------------------------------------------


async def test_get_changes_with_key_0_is_passed_over_for_those_who_send_it(wire: Wires, room: Mailroom) -> None:
    """quirks.GET_CHANGES_WITH_KEY_0; by the book Status 4 (R3128)."""
    id = (await room.folder("anna", FolderType.CONTACTS)).id
    for agent, status in (("go-activesync/0.1", "1"), ("other/1", "4")):
        one = Box(wire=wire(agent=agent, device=agent[:2].upper()), id=id)
        (answer,) = told(await one.ask(e("GetChanges", "1")))
        assert answer.status == status




# Statuses that come from behind --------------------------------------------------------------------------------------


async def test_a_full_mailbox_refuses_the_item(wire: Wires, room: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """[MS-ASCMD] R4450"""
    async def full(*_: Any, **__: Any) -> None:
        raise NoSpace("quota")

    contacts = await (await box(wire(), room, FolderType.CONTACTS)).begin()
    monkeypatch.setattr(EmbeddedFeed, "create", full)
    content = e("AirSync:ApplicationData", e("Contacts:LastName", "Overflow"))
    answer = await contacts.sure(commands(add("c1", content)))
    assert answer.answered("Add") == [{"ClientId": "c1", "Status": "9"}]


async def test_what_others_keep_moving_is_tried_again_later(
    wire: Wires, room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[MS-ASCMD] R4467: Status 16, with the key that the device has."""
    contacts = await (await box(wire(), room, FolderType.CONTACTS)).begin()

    async def lost(*_: Any) -> bool:
        return False

    monkeypatch.setattr(room.world.store, "commit", lost)
    content = e("AirSync:ApplicationData", e("Contacts:LastName", "Later"))
    (answer,) = told(await contacts.ask(commands(add("c1", content))))
    assert (answer.status, answer.text("SyncKey")) == ("16", contacts.key)


@pytest.mark.parametrize("version", ["14.1", "16.0", "16.1"])
async def test_support_of_rights_management_is_accepted(wire: Wires, room: Mailroom, version: str) -> None:
    """It adds nothing here; what is no boolean is malformed."""
    id = await room.deliver("anna", letter())
    inbox = await box(wire(version=version), room, FolderType.INBOX)
    for value in ("1", "0"):
        await inbox.go(options(e("RightsManagement:RightsManagementSupport", value)))
    assert id in await room.ids("anna")
    got = await inbox.ask(options(e("RightsManagement:RightsManagementSupport", "perhaps")))
    assert got.status == "4"
