"""FolderSync, FolderCreate, FolderUpdate and FolderDelete over the whole server. [MS-ASCMD]; malformed comes first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from mail_kit import DOMAIN, Mailroom
from sync_kit import box, cases, collection, local, request, told, vcard
from wire import Got, Wire, e

from eas.engine.model import FolderType, Right
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

Wires = Callable[..., Wire]

EVERY = pytest.mark.parametrize("version", [version.text for version in Version])
#: Versions that know no notes and no recipient information cache.
OLD = ("2.5", "12.0", "12.1")
HIDDEN = (FolderType.NOTES, FolderType.USER_NOTES, FolderType.RECIPIENT_CACHE)
COMMANDS = ("FolderSync", "FolderCreate", "FolderUpdate", "FolderDelete")

#: An answer: status, whether it has a key.
Outcome = tuple[str, bool]


def said(command: str, key: str | None, **fields: str) -> Element:
    inside = [] if key is None else [e("SyncKey", key)]
    return e(f"FolderHierarchy:{command}", *inside, *(e(name, text) for name, text in fields.items()))


@dataclass(kw_only=True)
class Tree:
    """The folders as a device knows them: id -> (parent, name, type)."""

    wire: Wire
    key: str = "0"
    folders: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    last: str = ""

    async def ask(self, command: str, *, key: str | None = None, **fields: str) -> Got:
        got = await self.wire.post(command, said(command, key or self.key, **fields))
        assert got.http == 200
        return got

    async def go(self) -> list[tuple[str, str]]:
        """FolderSync; what has changed, as (verb, id)."""
        got = await self.ask("FolderSync")
        assert got.status == "1", got.root
        changes = got.find("Changes")
        assert changes is not None
        news = [
            (local(one), one.child("FolderHierarchy:ServerId").text)  # type: ignore[union-attr]
            for one in changes.elements if local(one) != "Count"
        ]
        assert got.text("Changes", "Count") == str(len(news))
        for one in changes.elements[1:]:
            texts = {local(child): child.text for child in one.elements}
            if local(one) == "Delete":
                del self.folders[texts["ServerId"]]
            else:
                assert (texts["ServerId"] in self.folders) == (local(one) == "Update")
                assert texts["ParentId"] in ("0", *self.folders), "a child comes after its parent"
                self.folders[texts["ServerId"]] = (texts["ParentId"], texts["DisplayName"], texts["Type"])
        self.last, self.key = self.key, got.text("SyncKey")
        return news

    async def begin(self) -> Tree:
        await self.go()
        return self

    async def create(self, name: str, *, parent: str = "0", type: str = "12", key: str | None = None) -> Got:
        return await self.ask("FolderCreate", key=key, ParentId=parent, DisplayName=name, Type=type)

    async def created(self, name: str, **more: str) -> str:
        got = await self.create(name, **more)
        assert got.status == "1", got.root
        self.last, self.key = self.key, got.text("SyncKey")
        id = got.text("ServerId")
        self.folders[id] = (more.get("parent", "0"), name, more.get("type", "12"))
        return id

    async def rename(self, id: str, name: str, *, parent: str = "0", key: str | None = None) -> Got:
        return await self.ask("FolderUpdate", key=key, ServerId=id, ParentId=parent, DisplayName=name)

    async def delete(self, id: str, *, key: str | None = None) -> Got:
        return await self.ask("FolderDelete", key=key, ServerId=id)

    def of(self, type: FolderType) -> str:
        return next(id for id, (_, _, shown) in self.folders.items() if shown == str(int(type)))


def outcome(got: Got) -> Outcome:
    return got.status, got.find("SyncKey") is not None


@pytest.fixture
async def tree(wire: Wires) -> Tree:
    return await Tree(wire=wire()).begin()


async def present(room: Mailroom) -> set[tuple[str, str, str]]:
    """What the groupware has: (parent, name, type)."""
    return {(f.parent, f.name, str(int(f.type))) for f in await (await room.mailbox("anna")).folders()}


# Malformed -----------------------------------------------------------------------------------------------------------


@EVERY
@cases(("command", "fields"), [
    ("FolderSync", {}),
    ("FolderCreate", {"ParentId": "0", "DisplayName": "A", "Type": "12"}),
    ("FolderUpdate", {"ServerId": "1", "ParentId": "0", "DisplayName": "A"}),
    ("FolderDelete", {"ServerId": "1"}),
])
async def test_no_key_is_a_malformed_request(
    wire: Wires, version: str, command: str, fields: dict[str, str]
) -> None:
    """R4085, R4086, R4034, R4035, R4122, R4123, R4062, R4063"""
    got = await wire(version=version).post(command, said(command, None, **fields))
    assert outcome(got) == ("10", False)


@EVERY
@cases(("command", "fields"), [
    ("FolderCreate", {"DisplayName": "A", "Type": "12"}), ("FolderCreate", {"ParentId": "0", "Type": "12"}),
    ("FolderCreate", {"ParentId": "0", "DisplayName": "A"}),
    ("FolderCreate", {"ParentId": "0", "DisplayName": "A", "Type": "mail"}),
    ("FolderCreate", {"ParentId": "0", "DisplayName": "", "Type": "12"}),
    ("FolderCreate", {"ParentId": "0", "DisplayName": " ", "Type": "12"}),
    ("FolderCreate", {"ParentId": "0", "DisplayName": "x" * 257, "Type": "12"}),
    ("FolderUpdate", {"ParentId": "0", "DisplayName": "A"}), ("FolderUpdate", {"ServerId": "1", "DisplayName": "A"}),
    ("FolderUpdate", {"ServerId": "1", "ParentId": "0"}),
    ("FolderUpdate", {"ServerId": "1", "ParentId": "0", "DisplayName": ""}),
    ("FolderUpdate", {"ServerId": "1", "ParentId": "0", "DisplayName": "x" * 257}),
    ("FolderUpdate", {"ServerId": "1", "ParentId": "0", "DisplayName": "A", "Status": "1"}),  # R3102
    ("FolderDelete", {}),
])
async def test_incomplete_requests(wire: Wires, version: str, command: str, fields: dict[str, str]) -> None:
    """R4034, R4035, R4122, R4123, R4062, R4063"""
    tree = await Tree(wire=wire(version=version)).begin()
    assert outcome(await tree.ask(command, **fields)) == ("10", False)


@EVERY
@cases("key", ["1", "{guid}1", "x" * 64])
async def test_keys_that_were_never_issued(wire: Wires, room: Mailroom, version: str, key: str) -> None:
    """R4082, R4083, R4031, R4032, R4119, R4120, R4059, R4060"""
    tree = await Tree(wire=wire(version=version)).begin()
    mine = await tree.created(f"Mine {key}")
    before = await present(room)
    assert outcome(await tree.ask("FolderSync", key=key)) == ("9", False)
    assert outcome(await tree.create("A", key=key)) == ("9", False)
    assert outcome(await tree.rename(mine, "A", key=key)) == ("9", False)
    assert outcome(await tree.delete(mine, key=key)) == ("9", False)
    assert await present(room) == before


@EVERY
async def test_folders_are_not_edited_before_they_are_known(wire: Wires, version: str) -> None:
    tree = Tree(wire=wire(version=version))
    assert outcome(await tree.create("A")) == ("9", False)


# FolderSync ----------------------------------------------------------------------------------------------------------


@EVERY
async def test_key_0_gives_all_folders(wire: Wires, room: Mailroom, version: str) -> None:
    """R4073, R4074, R1716"""
    got = await wire(version=version).post("FolderSync", said("FolderSync", "0"))
    assert [local(child) for child in got.root.elements] == ["Status", "SyncKey", "Changes"]
    tree = await Tree(wire=wire(version=version)).begin()
    expected = await present(room)
    if version in OLD:
        expected = {folder for folder in expected if int(folder[2]) not in HIDDEN}
    assert set(tree.folders.values()) == expected


@EVERY
async def test_nothing_has_changed(wire: Wires, version: str) -> None:
    tree = await Tree(wire=wire(version=version)).begin()
    key = tree.key
    assert await tree.go() == []
    assert tree.key == key


async def test_changes_by_others(tree: Tree, room: Mailroom) -> None:
    admin = room.world.admin
    mine = await admin.add_folder(f"anna@{DOMAIN}", "Projects", FolderType.USER_MAIL)
    below = await admin.add_folder(f"anna@{DOMAIN}", "2026", FolderType.USER_MAIL, mine.id)
    assert await tree.go() == [("Add", mine.id), ("Add", below.id)]
    await (await room.mailbox("anna")).update_folder(below.id, "0", "Old")
    assert await tree.go() == [("Update", below.id)]
    assert tree.folders[below.id] == ("0", "Old", "12")
    await admin.remove_folder(f"anna@{DOMAIN}", mine.id)
    assert await tree.go() == [("Delete", mine.id)]
    assert set(tree.folders.values()) == await present(room)


async def test_a_lost_answer_is_given_again(tree: Tree, room: Mailroom) -> None:
    await room.world.admin.add_folder(f"anna@{DOMAIN}", "Projects", FolderType.USER_MAIL)
    assert (await tree.ask("FolderSync")).body == (await tree.ask("FolderSync")).body
    assert len(await tree.go()) == 1
    assert await tree.go() == []


async def test_what_changes_between_a_lost_answer_and_its_repeat_comes_after(tree: Tree, room: Mailroom) -> None:
    first = await room.world.admin.add_folder(f"anna@{DOMAIN}", "One", FolderType.USER_MAIL)
    await tree.ask("FolderSync")  # lost
    second = await room.world.admin.add_folder(f"anna@{DOMAIN}", "Two", FolderType.USER_MAIL)
    assert await tree.go() == [("Add", first.id)]
    assert await tree.go() == [("Add", second.id)]


async def test_ids_stay_over_key_0(tree: Tree, wire: Wires) -> None:
    again = await Tree(wire=tree.wire).begin()
    other = await Tree(wire=wire(device="OTHER")).begin()
    assert again.folders == other.folders == tree.folders


async def test_a_shared_folder_comes_and_goes(tree: Tree, room: Mailroom) -> None:
    folder = await room.folder("ben", FolderType.CALENDAR)
    await room.world.admin.set_right(f"ben@{DOMAIN}", folder.id, f"anna@{DOMAIN}", Right.READ)
    assert await tree.go() == [("Add", folder.id)]
    assert tree.folders[folder.id][2] == str(int(FolderType.USER_CALENDAR))
    await room.world.admin.set_right(f"ben@{DOMAIN}", folder.id, f"anna@{DOMAIN}", None)
    assert await tree.go() == [("Delete", folder.id)]


# FolderCreate --------------------------------------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize("type", ["1", "12", "13", "14", "15", "17"])
async def test_folders_of_the_users_own(wire: Wires, room: Mailroom, version: str, type: str) -> None:
    """R4010, R4011. The next FolderSync does not report it."""
    tree = await Tree(wire=wire(version=version)).begin()
    if version in OLD and type == "17":
        assert outcome(await tree.create("Mine", type=type)) == ("10", False)
        return
    got = await tree.create("Mine", type=type)
    assert [local(child) for child in got.root.elements] == ["Status", "SyncKey", "ServerId"]
    tree.key = got.text("SyncKey")
    shown = "1" if type == "1" else type
    assert ("0", "Mine", shown) in await present(room) or ("0", "Mine", "12") in await present(room)
    assert await tree.go() == []
    item_class = {"13": "Calendar", "14": "Contacts", "15": "Tasks"}.get(type, "Email") if version in OLD else ""
    first = request(collection(got.text("ServerId"), "0", item_class=item_class))
    (answer,) = told(await tree.wire.post("Sync", first))
    assert answer.status == "1"


@EVERY
@cases("type", ["0", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "18", "20", "-1"])
async def test_special_folders_are_not_created(wire: Wires, room: Mailroom, version: str, type: str) -> None:
    """R4034, R4035"""
    tree = await Tree(wire=wire(version=version)).begin()
    before = await present(room)
    assert outcome(await tree.create("Mine", type=type)) == ("10", False)
    assert await present(room) == before


@EVERY
async def test_a_recipient_information_cache_is_not_created(wire: Wires, version: str) -> None:
    """R81; before 14.0 it is no type at all."""
    tree = await Tree(wire=wire(version=version)).begin()
    assert outcome(await tree.create("Mine", type="19")) == ("10" if version in OLD else "3", False)


@EVERY
async def test_names_are_taken_once_in_a_folder(wire: Wires, version: str) -> None:
    """R4012, R4013"""
    tree = await Tree(wire=wire(version=version)).begin()
    mine = await tree.created("Mine")
    assert outcome(await tree.create("Mine")) == ("2", False)
    await tree.created("Mine", parent=mine)
    assert await tree.go() == []


@EVERY
@cases("parent", ["999", "nonsense", ""])
async def test_parents_that_are_not_there(wire: Wires, version: str, parent: str) -> None:
    """R4018, R4019"""
    tree = await Tree(wire=wire(version=version)).begin()
    assert outcome(await tree.create("Mine", parent=parent)) == ("5", False)


async def test_a_repeated_create_makes_one_folder(tree: Tree, room: Mailroom) -> None:
    first, second = await tree.create("Mine"), await tree.create("Mine")
    assert first.body == second.body
    assert len([folder for folder in await present(room) if folder[1] == "Mine"]) == 1
    tree.key = first.text("SyncKey")
    assert await tree.go() == []


async def test_a_create_whose_answer_is_lost_is_reported_by_foldersync(tree: Tree) -> None:
    lost = await tree.create("Mine")
    assert await tree.go() == [("Add", lost.text("ServerId"))]
    assert await tree.go() == []


async def test_a_create_is_found_again_after_a_crash(tree: Tree, room: Mailroom, monkeypatch: Any) -> None:
    """The folder was made, but its state not stored."""
    from eas.engine.errors import Unavailable

    store, commit, calls = room.world.store, room.world.store.commit, []

    async def fails_once(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 1:
            raise Unavailable("the disk is away")
        return await commit(*given)

    monkeypatch.setattr(store, "commit", fails_once)
    assert (await tree.create("Mine")).status not in ("1", "2")
    await tree.created("Mine")
    assert len([folder for folder in await present(room) if folder[1] == "Mine"]) == 1
    assert await tree.go() == []


async def test_a_folder_may_be_made_again_after_it_was_deleted(tree: Tree) -> None:
    first = await tree.created("Mine")
    tree.key = (await tree.delete(first)).text("SyncKey")
    del tree.folders[first]
    second = await tree.created("Mine")
    assert first != second
    assert await tree.go() == []


# FolderUpdate --------------------------------------------------------------------------------------------------------


@EVERY
async def test_renamed_and_moved(wire: Wires, room: Mailroom, version: str) -> None:
    """R4099, R4100. The next FolderSync does not report it."""
    tree = await Tree(wire=wire(version=version)).begin()
    parent, child = await tree.created("Parent"), await tree.created("Child")
    got = await tree.rename(child, "Kid", parent=parent)
    assert [local(one) for one in got.root.elements] == ["Status", "SyncKey"]
    tree.key = got.text("SyncKey")
    assert (parent, "Kid", "12") in await present(room)
    assert await tree.go() == []


@EVERY
async def test_special_folders_are_not_changed(wire: Wires, room: Mailroom, version: str) -> None:
    """R4101, R4102"""
    tree = await Tree(wire=wire(version=version)).begin()
    before = await present(room)
    special = [id for id, (_, _, type) in tree.folders.items() if int(type) in range(2, 12)]
    assert len(special) >= 8
    for id in special:
        assert outcome(await tree.rename(id, "Mine")) == ("2", False)
    assert await present(room) == before


@EVERY
async def test_updates_that_cannot_be(wire: Wires, version: str) -> None:
    """R5438, R4105, R4106, R4108, R4109"""
    tree = await Tree(wire=wire(version=version)).begin()
    one, two = await tree.created("One"), await tree.created("Two")
    assert outcome(await tree.rename(two, "One")) == ("2", False)
    assert outcome(await tree.rename("999", "Three")) == ("4", False)
    assert outcome(await tree.rename(two, "Two", parent="999")) == ("5", False)
    assert outcome(await tree.rename(one, "One", parent=one))[1] is False
    assert await tree.go() == []


async def test_a_repeated_update(tree: Tree) -> None:
    id = await tree.created("One")
    first, second = await tree.rename(id, "Two"), await tree.rename(id, "Two")
    assert first.body == second.body
    tree.key = first.text("SyncKey")
    assert await tree.go() == []


async def test_an_update_is_found_again_after_a_crash(tree: Tree, room: Mailroom, monkeypatch: Any) -> None:
    from eas.engine.errors import Unavailable

    id = await tree.created("One")
    store, commit, calls = room.world.store, room.world.store.commit, []

    async def fails_once(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 1:
            raise Unavailable("the disk is away")
        return await commit(*given)

    monkeypatch.setattr(store, "commit", fails_once)
    assert (await tree.rename(id, "Two")).status not in ("1", "2")
    assert outcome(await tree.rename(id, "Two")) == ("1", True)


# FolderDelete --------------------------------------------------------------------------------------------------------


@EVERY
async def test_a_folder_goes_with_all_that_is_in_it(wire: Wires, room: Mailroom, version: str) -> None:
    """R4044, R4045"""
    tree = await Tree(wire=wire(version=version)).begin()
    parent = await tree.created("Parent", type="14")
    child = await tree.created("Child", parent=parent, type="14")
    contacts = await box(tree.wire, room, FolderType.CONTACTS)
    contacts.id = child
    await contacts.begin()
    got = await tree.delete(parent)
    assert [local(one) for one in got.root.elements] == ["Status", "SyncKey"]
    tree.key = got.text("SyncKey")
    del tree.folders[parent], tree.folders[child]
    assert await tree.go() == []
    assert set(tree.folders) == {
        folder.id for folder in await (await room.mailbox("anna")).folders()
        if version not in OLD or folder.type not in HIDDEN
    }
    (answer,) = told(await contacts.ask())
    assert answer.status == "12"


@EVERY
async def test_special_folders_are_not_deleted(wire: Wires, room: Mailroom, version: str) -> None:
    """R4046, R4047"""
    tree = await Tree(wire=wire(version=version)).begin()
    before = await present(room)
    special = [id for id, (_, _, type) in tree.folders.items() if int(type) in range(2, 12)]
    for id in special:
        assert outcome(await tree.delete(id)) == ("3", False)
    assert await present(room) == before


@EVERY
@cases("id", ["999", "nonsense", "", "0"])
async def test_folders_that_are_not_there(wire: Wires, version: str, id: str) -> None:
    """R4048, R4049"""
    tree = await Tree(wire=wire(version=version)).begin()
    assert outcome(await tree.delete(id)) == ("4", False)


async def test_a_repeated_delete(tree: Tree) -> None:
    id = await tree.created("One")
    first, second = await tree.delete(id), await tree.delete(id)
    assert first.body == second.body
    assert first.status == "1"


async def test_folders_of_others_are_not_touched(tree: Tree, room: Mailroom) -> None:
    mine = await tree.created("Mine")
    foreign = await room.world.admin.add_folder(f"ben@{DOMAIN}", "Secret", FolderType.USER_CONTACTS)
    assert outcome(await tree.delete(foreign.id)) == ("4", False)
    assert outcome(await tree.rename(foreign.id, "Known")) == ("4", False)
    assert outcome(await tree.rename(mine, "Mine", parent=foreign.id)) == ("5", False)
    assert outcome(await tree.create("Mine", parent=foreign.id)) == ("5", False)
    await room.world.admin.set_right(f"ben@{DOMAIN}", foreign.id, f"anna@{DOMAIN}", Right.EDIT)
    await tree.go()
    assert outcome(await tree.delete(foreign.id))[1] is False
    assert any(info.folder.id == foreign.id for info in await room.world.admin.folders(f"ben@{DOMAIN}"))


# A machine of its own is not needed: the keys are those of collections. What is particular are several at once.


async def test_several_edits_with_one_key(tree: Tree) -> None:
    """Two programs, say: both are done, and FolderSync makes up for what either does not know."""
    one, two = await tree.create("One"), await tree.create("Two")
    assert (one.status, two.status) == ("1", "1")
    tree.key = one.text("SyncKey")
    tree.folders[one.text("ServerId")] = ("0", "One", "12")
    assert await tree.go() == [("Add", two.text("ServerId"))]


async def test_items_of_a_folder_that_was_just_made(tree: Tree, room: Mailroom) -> None:
    id = await tree.created("Mine", type="14")
    contacts = await box(tree.wire, room, FolderType.CONTACTS)
    contacts.id = id
    await contacts.begin()
    mailbox = await room.mailbox("anna")
    folder = await mailbox.folder(id)
    assert folder is not None
    from eas.engine.ports import Chosen

    written = await mailbox.feed(folder).create(vcard("Joe"), Chosen(name="joe"))
    assert (await contacts.sure()).said == [("Add", f"{id}:{written.id}")]
