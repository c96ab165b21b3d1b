"""GetHierarchy: the folders of mail, up to 12.1. [MS-ASCMD] GetHierarchy R6024-R6051."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mail_kit import Mailroom
from wire import Got, Wire

from eas.engine.errors import Unavailable
from eas.engine.model import FolderType
from eas.engine.ports import Chosen

Wires = Callable[..., Wire]
OLD = ("2.5", "12.0", "12.1")


def listed(got: Got) -> dict[str, tuple[str, str, str]]:
    """Name -> (ServerId, ParentId, Type), in the order of the answer."""
    assert (got.http, got.root.tag) == (200, "FolderHierarchy:Folders")
    found = {}
    for folder in got.root.elements:
        assert [child.tag for child in folder.elements] == [
            f"FolderHierarchy:{name}" for name in ("DisplayName", "ServerId", "Type", "ParentId")
        ]
        name, id, type, parent = (child.text for child in folder.elements)
        found[name] = (id, parent, type)
    return found


@pytest.mark.parametrize("version", OLD)
async def test_folders_of_mail_and_no_others(wire: Wires, room: Mailroom, version: str) -> None:
    """R6025, R6026; the types are 1 to 6 (R7388), of what the user made 1."""
    mailbox = await room.mailbox("anna")
    inbox = (await room.folder("anna", FolderType.INBOX)).id
    mine = await mailbox.create_folder("0", "Projects", FolderType.USER_MAIL, Chosen(name="p"))
    below = await mailbox.create_folder(mine.id, "Old", FolderType.USER_MAIL, Chosen(name="o"))
    await mailbox.create_folder("0", "Team", FolderType.USER_CALENDAR, Chosen(name="t"))
    device = wire(version=version)
    found = listed(await device.post("GetHierarchy"))
    assert found["Projects"] == (mine.id, "0", "1")
    assert found["Old"] == (below.id, mine.id, "1")
    assert (inbox, "0", "2") in found.values()
    assert {type for _, _, type in found.values()} == {"1", "2", "3", "4", "5", "6"}
    assert {"Team", "Calendar", "Contacts", "Tasks", "Notes"}.isdisjoint(found)
    mails = {folder.id for folder in await mailbox.folders() if folder.item_class == "Email"}
    assert {id for id, _, _ in found.values()} == mails


async def test_a_parent_that_is_no_folder_of_mail_is_not_named(wire: Wires, room: Mailroom) -> None:
    mailbox = await room.mailbox("anna")
    calendar = await room.folder("anna", FolderType.CALENDAR)
    lost = await mailbox.create_folder(calendar.id, "Invitations", FolderType.USER_MAIL, Chosen(name="i"))
    assert listed(await wire(version="2.5").post("GetHierarchy"))["Invitations"] == (lost.id, "0", "1")


async def test_it_leaves_no_trace_in_the_hierarchy_of_foldersync(wire: Wires, room: Mailroom) -> None:
    device = wire(version="12.1")
    first, again = [(await device.post("GetHierarchy")).body for _ in range(2)]
    assert first == again


async def test_a_body_does_no_harm(wire: Wires) -> None:
    assert listed(await wire(version="2.5").post("GetHierarchy", b"\x03\x01\x6a\x00\x3f"))


async def test_the_folders_of_others_are_not_listed(wire: Wires, room: Mailroom) -> None:
    bens = {folder.id for folder in await (await room.mailbox("ben")).folders()}
    assert bens.isdisjoint(id for id, _, _ in listed(await wire(version="2.5").post("GetHierarchy")).values())


async def test_a_failure_is_an_http_status(wire: Wires, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """R6033, and R7551 where it is worth trying again."""
    from eas.backends.embedded.mailbox import EmbeddedMailbox

    for error, http in ((ZeroDivisionError(), 500), (Unavailable(), 503)):
        async def fail(self: Any, error: Exception = error) -> Any:
            raise error

        monkeypatch.setattr(EmbeddedMailbox, "folders", fail)
        assert (await wire(version="12.0").post("GetHierarchy")).http == http


@pytest.mark.parametrize("version", ["14.0", "14.1", "16.0", "16.1"])
async def test_later_versions_do_not_have_it(wire: Wires, version: str) -> None:
    """R6049-R6051: HTTP 400 in the place of 138, since those versions have no Folders element to say it in."""
    assert (await wire(version=version).post("GetHierarchy")).http == 400
