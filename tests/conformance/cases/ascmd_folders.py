"""[MS-ASCMD] FolderSync, FolderCreate, FolderDelete, FolderUpdate: malformed requests, then what each of them does."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab import BEFORE_14, FROM_14, Lab, Talker, case
from old_kit import local
from wire import Got, e

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Folders that a mailbox comes with, which nobody changes. 11 (journal) is not in every mailbox.
SPECIAL = ("2", "3", "4", "5", "6", "7", "8", "9")
RECIPIENTS = "19"


@dataclass(kw_only=True)
class Tree:
    """The folders as one device knows them: id -> the texts of its elements. `mine` were made by it, newest last."""

    talker: Talker
    key: str = "0"
    folders: dict[str, dict[str, str]] = field(default_factory=dict)
    mine: list[str] = field(default_factory=list)

    async def ask(self, command: str, *, key: str | None = "", **fields: str) -> Got:
        """With the present key, another one, or (None) without any."""
        stated = [] if key is None else [e("SyncKey", key or self.key)]
        inside = [e(name, value) for name, value in fields.items()]
        got = await self.talker.post(command, e(f"FolderHierarchy:{command}", *stated, *inside))
        assert got.http == 200, got.http
        return got

    async def refused(self, command: str, status: str, *, key: str | None = "", **fields: str) -> None:
        """The status alone: no key, no id, no changes."""
        got = await self.ask(command, key=key, **fields)
        assert got.root == e(f"FolderHierarchy:{command}", e("Status", status)), (command, fields, got.root)

    async def sync(self) -> list[tuple[str, dict[str, str]]]:
        """What a FolderSync tells: verb and texts of each change."""
        got = await self.ask("FolderSync")
        assert [local(part) for part in got.root.elements] == ["Status", "SyncKey", "Changes"]
        assert got.status == "1"
        self.key = got.text("SyncKey")
        count, *changes = got.all("Changes")[0].elements
        told = [(local(one), {local(part): part.text for part in one.elements}) for one in changes]
        assert (local(count), count.text) == ("Count", str(len(told)))
        for verb, texts in told:
            if verb == "Delete":
                del self.folders[texts["ServerId"]]
            else:
                self.folders[texts["ServerId"]] = texts
        return told

    async def create(self, name: str, type: str = "12", parent: str = "0") -> str:
        got = await self.ask("FolderCreate", ParentId=parent, DisplayName=name, Type=type)
        assert got.status == "1", got.root
        self._took(got, got.text("ServerId"))
        return self.mine[-1]

    def _took(self, got: Got, made: str = "") -> None:
        assert got.text("SyncKey") not in ("", "0", self.key), "each change has a key of its own"
        self.key = got.text("SyncKey")
        if made:
            self.mine.append(made)

    async def done(self, command: str, **fields: str) -> None:
        got = await self.ask(command, **fields)
        assert [local(part) for part in got.root.elements] == ["Status", "SyncKey"], got.root
        assert got.status == "1"
        self._took(got)

    def of(self, type: str) -> str:
        return next(id for id, texts in self.folders.items() if texts["Type"] == type)


@asynccontextmanager
async def tree(lab: Lab) -> AsyncIterator[Tree]:
    """A device that has its folders; what it makes is removed again."""
    one = Tree(talker=lab.talker())
    await one.sync()
    try:
        yield one
    finally:
        for id in reversed(one.mine):
            got = await one.ask("FolderDelete", ServerId=id)
            if got.status == "1":
                one.key = got.text("SyncKey")


# Malformed -----------------------------------------------------------------------------------------------------------


@case("MS-ASCMD", "R4086 R4568 R4123 R4570 R5785 R5786 R4040 R4068 R4096")
async def a_request_without_a_key_is_malformed(lab: Lab) -> None:
    async with tree(lab) as one:
        mine = await one.create(lab.unique())
        await one.refused("FolderSync", "10", key=None)
        await one.refused("FolderCreate", "10", key=None, ParentId="0", DisplayName=lab.unique(), Type="12")
        await one.refused("FolderUpdate", "10", key=None, ServerId=mine, ParentId="0", DisplayName=lab.unique())
        await one.refused("FolderDelete", "10", key=None, ServerId=mine)
        assert await one.sync() == [], "nothing was done"


@case("MS-ASCMD", "R4035 R4063 R3904 R3102")
async def an_incomplete_request_is_malformed(lab: Lab) -> None:
    """Also a Type that is no folder's, and a Status in a request."""
    async with tree(lab) as one:
        mine = await one.create(lab.unique())
        name = lab.unique()
        for given in (
            {"DisplayName": name, "Type": "12"}, {"ParentId": "0", "Type": "12"},
            {"ParentId": "0", "DisplayName": name}, {"ParentId": "0", "DisplayName": name, "Type": "mail"},
            {"ParentId": "0", "DisplayName": "", "Type": "12"},
        ):
            await one.refused("FolderCreate", "10", **given)
        whole = {"ServerId": mine, "ParentId": "0", "DisplayName": name}
        for missing in whole:
            await one.refused("FolderUpdate", "10", **{part: text for part, text in whole.items() if part != missing})
        await one.refused("FolderUpdate", "10", **whole, Status="1")
        await one.refused("FolderDelete", "10")
        assert await one.sync() == []


@case("MS-ASCMD", "R4573 R4581 R4032 R4060 R4120 R4083 R4570 R5785 R5786")
async def a_key_that_was_not_issued_is_refused(lab: Lab) -> None:
    async with tree(lab) as one:
        mine = await one.create(lab.unique())
        for key in ("1", "{E3A1}7", "x" * 64):
            await one.refused("FolderSync", "9", key=key)
            await one.refused("FolderCreate", "9", key=key, ParentId="0", DisplayName=lab.unique(), Type="12")
            await one.refused("FolderUpdate", "9", key=key, ServerId=mine, ParentId="0", DisplayName=lab.unique())
            await one.refused("FolderDelete", "9", key=key, ServerId=mine)
        assert await one.sync() == []


@case("MS-ASCMD", "R4035")
async def special_folders_are_not_created(lab: Lab) -> None:
    """Nor what is no type at all."""
    async with tree(lab) as one:
        for type in ("0", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "18", "20", "255"):
            await one.refused("FolderCreate", "10", ParentId="0", DisplayName=lab.unique(), Type=type)
        assert await one.sync() == []


# FolderSync ----------------------------------------------------------------------------------------------------------


@case("MS-ASCMD", "R113 R116 R119 R5775 R4074 R4578 R3625 R5885 R3916 R4665 R4666 R5860")
async def key_0_brings_every_folder_and_a_key(lab: Lab) -> None:
    """Folders, not what is in them; each with id, parent, name and type; parents are folders or the root."""
    one = Tree(talker=lab.talker())
    told = await one.sync()
    assert {verb for verb, _ in told} == {"Add"}
    for _, texts in told:
        assert set(texts) == {"ServerId", "ParentId", "DisplayName", "Type"}
        assert 1 <= int(texts["Type"]) <= 19
        assert 0 < len(texts["ServerId"]) <= 64
        assert texts["DisplayName"]
        assert texts["ParentId"] in ("0", *one.folders)
    assert set(SPECIAL) <= {texts["Type"] for _, texts in told}
    again = Tree(talker=one.talker)
    await again.sync()
    assert again.folders == one.folders, "ids stay"


@case("MS-ASCMD", "R4578")
async def nothing_new_brings_no_changes(lab: Lab) -> None:
    one = Tree(talker=lab.talker())
    await one.sync()
    assert await one.sync() == []


@case("MS-ASCMD", "R119", BEFORE_14)
async def what_a_version_does_not_know_is_not_listed(lab: Lab) -> None:
    """Notes and the recipient information cache came with 14.0."""
    one = Tree(talker=lab.talker())
    await one.sync()
    assert not {"10", "17", RECIPIENTS} & {texts["Type"] for texts in one.folders.values()}


@case("MS-ASCMD", "R79 R140 R139 R97 R5860 R5863 R3625 R3916 R4665")
async def one_device_hears_what_another_does(lab: Lab) -> None:
    """Add, Update and Delete as a second device of the user hears of them; the first is not told what it did itself."""
    other = Tree(talker=lab.talker())
    await other.sync()
    async with tree(lab) as one:
        name = lab.unique()
        mine, home = await one.create(name), await one.create(lab.unique())
        added = {texts["ServerId"]: texts for verb, texts in await other.sync() if verb == "Add"}
        assert added[mine] == {"ServerId": mine, "ParentId": "0", "DisplayName": name, "Type": "12"}
        renamed = lab.unique()
        await one.done("FolderUpdate", ServerId=mine, ParentId="0", DisplayName=renamed)
        assert await other.sync() == [
            ("Update", {"ServerId": mine, "ParentId": "0", "DisplayName": renamed, "Type": "12"})
        ]
        await one.done("FolderUpdate", ServerId=mine, ParentId=home, DisplayName=renamed)
        assert await other.sync() == [
            ("Update", {"ServerId": mine, "ParentId": home, "DisplayName": renamed, "Type": "12"})
        ]
        await one.done("FolderDelete", ServerId=mine)
        assert await other.sync() == [("Delete", {"ServerId": mine})]
        assert await one.sync() == []


@case("MS-ASCMD", "R5416")
async def names_are_one_of_a_kind_within_a_folder(lab: Lab) -> None:
    async with tree(lab) as one:
        home = await one.create(lab.unique())
        for number in range(10):
            await one.create(f"Part {number}", parent=home)
        fresh = Tree(talker=lab.talker())
        await fresh.sync()
        names = [texts["DisplayName"] for texts in fresh.folders.values() if texts["ParentId"] == home]
        assert len(names) == len(set(names)) == 10


# FolderCreate --------------------------------------------------------------------------------------------------------


@case("MS-ASCMD", "R79 R3903 R4569 R5872 R4011")
async def folders_of_each_class_are_created(lab: Lab) -> None:
    async with tree(lab) as one:
        for type in ("1", "12", "13", "14", "15"):
            name = lab.unique()
            got = await one.ask("FolderCreate", ParentId="0", DisplayName=name, Type=type)
            assert [local(part) for part in got.root.elements] == ["Status", "SyncKey", "ServerId"]
            assert (got.status, 0 < len(got.text("ServerId")) <= 64) == ("1", True)
            one._took(got, got.text("ServerId"))
            got = await one.ask("FolderCreate", ParentId=one.mine[-1], DisplayName=name, Type="12")
            if got.status == "3" and type in ("13", "14", "15"):
                continue  # mail, calendars and contacts may stand on servers of their own
            assert got.status == "1", got.root
            below = got.text("ServerId")
            one._took(got, below)
            fresh = Tree(talker=lab.talker())
            await fresh.sync()
            assert fresh.folders[below]["ParentId"] == one.mine[-2]
        assert await one.sync() == []


@case("MS-ASCMD", "R79 R3903", FROM_14)
async def folders_of_notes_are_created(lab: Lab) -> None:
    async with tree(lab) as one:
        id = await one.create(lab.unique(), type="17")
        fresh = Tree(talker=lab.talker())
        await fresh.sync()
        assert fresh.folders[id]["Type"] == "17"


@case("MS-ASCMD", "R4013 R4570 R3904")
async def a_name_is_taken_once(lab: Lab) -> None:
    async with tree(lab) as one:
        name = lab.unique()
        await one.create(name)
        await one.refused("FolderCreate", "2", ParentId="0", DisplayName=name, Type="12")
        assert await one.sync() == []


@case("MS-ASCMD", "R4019 R4570 R3904")
async def a_parent_must_be_there(lab: Lab) -> None:
    async with tree(lab) as one:
        gone = await one.create(lab.unique())
        await one.done("FolderDelete", ServerId=gone)
        for parent in (gone, lab.unique("no-folder")):
            await one.refused("FolderCreate", "5", ParentId=parent, DisplayName=lab.unique(), Type="12")


@case("MS-ASCMD", "R81 R5769 R4016 R100 R101 R141 R142 R143 R4104 R4103", FROM_14)
async def the_recipient_information_cache_is_not_touched(lab: Lab) -> None:
    async with tree(lab) as one:
        cache, mine = one.of(RECIPIENTS), await one.create(lab.unique())
        await one.refused("FolderCreate", "3", ParentId="0", DisplayName=lab.unique(), Type=RECIPIENTS)
        await one.refused("FolderCreate", "3", ParentId=cache, DisplayName=lab.unique(), Type="12")
        await one.refused("FolderDelete", "3", ServerId=cache)
        await one.refused("FolderUpdate", "3", ServerId=cache, ParentId="0", DisplayName=lab.unique())
        await one.refused("FolderUpdate", "3", ServerId=mine, ParentId=cache, DisplayName=lab.unique())
        assert await one.sync() == []


# FolderUpdate --------------------------------------------------------------------------------------------------------


@case("MS-ASCMD", "R139 R140 R5784 R4100")
async def a_folder_is_renamed_and_moved_in_one(lab: Lab) -> None:
    async with tree(lab) as one:
        home, mine, name = await one.create(lab.unique()), await one.create(lab.unique()), lab.unique()
        await one.done("FolderUpdate", ServerId=mine, ParentId=home, DisplayName=name)
        fresh = Tree(talker=lab.talker())
        await fresh.sync()
        assert fresh.folders[mine] == {"ServerId": mine, "ParentId": home, "DisplayName": name, "Type": "12"}
        one.mine = [mine, home][::-1]


@case("MS-ASCMD", "R4102 R5438 R4106 R4109 R4096 R5786")
async def updates_that_cannot_be(lab: Lab) -> None:
    async with tree(lab) as one:
        first, second = lab.unique(), lab.unique()
        await one.create(first)
        mine = await one.create(second)
        for type in SPECIAL:
            await one.refused("FolderUpdate", "2", ServerId=one.of(type), ParentId="0", DisplayName=lab.unique())
        await one.refused("FolderUpdate", "2", ServerId=mine, ParentId="0", DisplayName=first)
        await one.refused("FolderUpdate", "4", ServerId=lab.unique("none"), ParentId="0", DisplayName=lab.unique())
        await one.refused("FolderUpdate", "5", ServerId=mine, ParentId=lab.unique("none"), DisplayName=second)
        assert await one.sync() == []


# FolderDelete --------------------------------------------------------------------------------------------------------


@case("MS-ASCMD", "R97 R98 R99 R5783 R4045")
async def a_folder_is_deleted_with_those_below_it(lab: Lab) -> None:
    async with tree(lab) as one:
        mine = await one.create(lab.unique())
        below = await one.create(lab.unique(), parent=mine)
        await one.done("FolderDelete", ServerId=mine)
        fresh = Tree(talker=lab.talker())
        await fresh.sync()
        assert not {mine, below} & set(fresh.folders)
        assert await one.sync() == []


@case("MS-ASCMD", "R4047 R4049 R4040 R5785")
async def what_cannot_be_deleted(lab: Lab) -> None:
    async with tree(lab) as one:
        for type in SPECIAL:
            await one.refused("FolderDelete", "3", ServerId=one.of(type))
        gone = await one.create(lab.unique())
        await one.done("FolderDelete", ServerId=gone)
        for id in (gone, lab.unique("none")):
            await one.refused("FolderDelete", "4", ServerId=id)
        assert await one.sync() == []


# Lost answers --------------------------------------------------------------------------------------------------------


@case("MS-ASCMD", "R4569 R5783 R5784")
async def a_request_whose_answer_was_lost_is_answered_again(lab: Lab) -> None:
    """The same request with the same key has the same answer, and its effect once."""
    async with tree(lab) as one:
        name = lab.unique()
        made = {"ParentId": "0", "DisplayName": name, "Type": "12"}
        first, second = [await one.ask("FolderCreate", **made) for _ in range(2)]
        assert first.root == second.root
        one._took(first, first.text("ServerId"))
        moved = {"ServerId": one.mine[-1], "ParentId": "0", "DisplayName": lab.unique()}
        first, second = [await one.ask("FolderUpdate", **moved) for _ in range(2)]
        assert first.root == second.root
        one._took(first)
        first, second = [await one.ask("FolderDelete", ServerId=one.mine[-1]) for _ in range(2)]
        assert first.root == second.root
        one._took(first)
        assert await one.sync() == []
