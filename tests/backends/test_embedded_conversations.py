"""Conversations that are moved as a whole, and what comes of them later. [MS-ASCON] R130, R213, R215"""

from __future__ import annotations

import pytest
from worlds import EmbeddedWorld, folder_of, letter

from eas.engine.errors import FolderGone, ItemGone, NotAllowed
from eas.engine.model import Folder, FolderType, Right
from eas.engine.ports import Chosen, Horizon
from eas.items.conversation import conversation_of
from eas.items.headers import parse


def message(n: int, subject: str = "Plans", root: str = "root@x") -> bytes:
    """The first one of a thread, or one that answers it."""
    raw = letter(subject, message_id=root if n == 0 else f"m{n}@x")
    return raw if n == 0 else f"References: <{root}>\r\n".encode() + raw


def id_of(raw: bytes, world: EmbeddedWorld) -> bytes:
    return conversation_of(parse(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"), world.clock.now()).id


async def held(world: EmbeddedWorld, folder: Folder, name: str = "anna") -> int:
    return len((await world.mailbox(name).feed(folder).delta(None, Horizon())).touched)


async def arrive(world: EmbeddedWorld, raw: bytes, to: str = "anna@example.com") -> None:
    assert await world.embedded.office.take("eve@elsewhere.example", [to], raw) == [None]


async def test_once_moved_what_comes_later_follows_until_it_is_moved_again(embedded: EmbeddedWorld) -> None:
    mailbox = embedded.mailbox("anna")
    inbox = await folder_of(mailbox, FolderType.INBOX)
    sent = await folder_of(mailbox, FolderType.SENT_ITEMS)
    target = await mailbox.create_folder("0", "Plans", FolderType.USER_MAIL, Chosen(name="p"))
    for n in range(3):
        await arrive(embedded, message(n))
    await arrive(embedded, letter("Other", message_id="o@x"))
    await mailbox.feed(sent).create(message(7), Chosen(name="sent"))
    known = id_of(message(0), embedded)
    assert await mailbox.move_conversation(known, target.id, True) == 3
    assert (await held(embedded, inbox), await held(embedded, target), await held(embedded, sent)) == (1, 3, 1)
    assert await mailbox.move_conversation(known, target.id, True) == 0
    await arrive(embedded, message(4))
    assert (await held(embedded, inbox), await held(embedded, target)) == (1, 4)
    # Once only, as everywhere.
    await arrive(embedded, message(4))
    assert await held(embedded, target) == 4
    # Another user's mail is not touched by it.
    await arrive(embedded, message(5), "ben@example.com")
    assert await held(embedded, await folder_of(embedded.mailbox("ben"), FolderType.INBOX), "ben") == 1
    assert await mailbox.move_conversation(known, inbox.id, True) == 4
    await arrive(embedded, message(6))
    assert (await held(embedded, inbox), await held(embedded, target)) == (6, 0)


async def test_devices_hear_of_both_folders(embedded: EmbeddedWorld) -> None:
    mailbox = embedded.mailbox("anna")
    inbox = await folder_of(mailbox, FolderType.INBOX)
    deleted = await folder_of(mailbox, FolderType.DELETED_ITEMS)
    await arrive(embedded, message(0))
    before = (await mailbox.feed(inbox).delta(None, Horizon())).token
    embedded.bell.calls.clear()
    await mailbox.move_conversation(id_of(message(0), embedded), deleted.id, True)
    assert [collections for _, collections in embedded.bell.calls] == [{inbox.id, deleted.id}]
    assert len((await mailbox.feed(inbox).delta(before, Horizon())).gone) == 1


async def test_a_rule_goes_with_its_folder(embedded: EmbeddedWorld) -> None:
    mailbox = embedded.mailbox("anna")
    inbox = await folder_of(mailbox, FolderType.INBOX)
    target = await mailbox.create_folder("0", "Plans", FolderType.USER_MAIL, Chosen(name="p"))
    await arrive(embedded, message(0))
    await mailbox.move_conversation(id_of(message(0), embedded), target.id, True)
    await mailbox.delete_folder(target.id)
    await arrive(embedded, message(1))
    assert await held(embedded, inbox) == 1


async def test_what_cannot_be_moved(embedded: EmbeddedWorld) -> None:
    anna, ben = embedded.mailbox("anna"), embedded.mailbox("ben")
    inbox = await folder_of(anna, FolderType.INBOX)
    await arrive(embedded, message(0))
    known = id_of(message(0), embedded)
    shared = await folder_of(ben, FolderType.INBOX)
    await embedded.share("ben", shared, "anna", Right.DELEGATE)
    for conversation, to, error in (
        (b"0123456789abcdef", inbox.id, ItemGone), (known, "99999", FolderGone), (known, "x", FolderGone),
        (known, shared.id, FolderGone), (known, (await folder_of(anna, FolderType.CALENDAR)).id, NotAllowed),
    ):
        with pytest.raises(error):
            await anna.move_conversation(conversation, to, True)
    # What belongs to somebody else is no conversation of one's own.
    with pytest.raises(ItemGone):
        await ben.move_conversation(known, shared.id, True)
    assert await held(embedded, inbox) == 1
