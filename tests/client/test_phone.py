"""A whole device against a server that is played by the test: windows, lost answers, refused keys, provisioning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from eas.client.connection import Connection, Credentials, Fate, Identity
from eas.client.device import APPLICATION_DATA, DeviceState, Folder, Item
from eas.client.errors import BadAnswer, LostAnswer, Refusal
from eas.client.phone import Phone, Wiped
from eas.commands import _sync_messages as messages
from eas.commands import folder_sync, provision
from eas.engine.apply import ItemStatus
from eas.engine.model import FolderType
from eas.items.contacts import Contact
from eas.protocol import http, query
from eas.protocol.schema import dump, load
from eas.protocol.version import Version
from eas.protocol.wbxml import Element, decode, encode

V = Version.V14_1
Play = Callable[[messages.Request], messages.Response | None]


def phone_with(serve: Callable[[httpx.Request], httpx.Response], path: Path | None = None) -> Phone:
    state = DeviceState.new("phone1")
    state.folders["7"] = Folder(id="7", parent="0", name="Contacts", type=FolderType.CONTACTS)
    connection = Connection(
        "https://mail.example.test", Credentials(user="anna", password="demo"), Identity(device_id="phone1"),
        transport=httpx.MockTransport(serve),
    )
    return Phone(state, connection, state_path=path)


def wbxml(root: Element) -> httpx.Response:
    return httpx.Response(200, content=encode(root), headers={"Content-Type": http.WBXML})


def syncing(play: Play, path: Path | None = None) -> Phone:
    """A phone whose Syncs are answered by `play`."""

    def serve(request: httpx.Request) -> httpx.Response:
        answer = play(load(messages.Request, decode(request.content), V))
        return httpx.Response(200) if answer is None else wbxml(dump("AirSync:Sync", answer, V))

    return phone_with(serve, path)


def contact(name: str) -> Element:
    return Element(APPLICATION_DATA, (Element("Contacts:FirstName", name),))


def answer(key: str, **said: object) -> messages.Response:
    status = messages.Status.SUCCESS
    collection = messages.CollectionResponse(sync_key=key, collection_id="7", status=status, **said)  # type: ignore[arg-type]
    return messages.Response(collections=(collection,))


async def test_windows_are_fetched_until_there_is_no_more() -> None:
    """[MS-ASCMD] MoreAvailable."""
    windows = {
        "0": answer("k0"),
        "k0": answer("k1", more_available=True, commands=(messages.Item(server_id="7:1", data=contact("a")),)),
        "k1": answer("k2", more_available=True),  # a window may be empty
        "k2": answer("k3", commands=(messages.Item(server_id="7:2", data=contact("b")),)),
    }
    phone = syncing(lambda request: windows[request.collections[0].sync_key])
    report = await phone.sync()
    folder = phone.state.folders["7"]
    assert sorted(folder.items) == ["7:1", "7:2"]
    assert (folder.sync_key, folder.more, report.requests) == ("k3", False, 4)
    assert report.changes["7"].added == ["7:1", "7:2"]


async def test_server_changes_and_deletions_are_taken_over() -> None:
    steps = iter((
        answer("k1", commands=(
            messages.Item(server_id="7:1", data=contact("a")), messages.Item(server_id="7:2", data=contact("b")),
            messages.Item(server_id="7:3", data=contact("c")),
        )),
        answer("k2", commands=(
            messages.Changed(server_id="7:1", data=contact("A")), messages.Deleted(server_id="7:2"),
            messages.SoftDeleted(server_id="7:3"), messages.Item(server_id="7:1", data=contact("AA")),
        )),
        None,
    ))
    phone = syncing(lambda request: next(steps))
    folder = phone.state.folders["7"]
    folder.sync_key = "k0"
    await phone.sync()
    report = await phone.sync()
    change = report.changes["7"]
    assert (change.changed, change.deleted, change.soft_deleted) == (["7:1"], ["7:2"], ["7:3"])
    assert change.returned == ["7:1"]
    assert {name: item.text("Contacts:FirstName") for name, item in folder.items.items()} == {"7:1": "AA"}
    assert (await phone.sync()).quiet


async def test_lost_answer_is_asked_for_again_word_for_word(tmp_path: Path) -> None:
    seen: list[messages.Request] = []

    def play(request: messages.Request) -> messages.Response:
        seen.append(request)
        added = tuple(
            messages.Added(client_id=c.client_id, server_id="7:9", status=ItemStatus.SUCCESS)
            for c in request.collections[0].commands
            if isinstance(c, messages.AddCommand)
        )
        return answer("k1" if request.collections[0].sync_key == "k0" else "k2", responses=added)

    path = tmp_path / "phone.json"
    phone = syncing(play, path)
    folder = phone.state.folders["7"]
    folder.sync_key = "k0"
    phone.add(folder, Contact(first_name="Mia"))
    phone.connection.fate = lambda command: Fate.ANSWER_LOST
    with pytest.raises(LostAnswer):
        await phone.sync()

    # The phone dies, comes back from its file, and has another contact by now.
    state = DeviceState.load(path)
    again = syncing(play, path)
    again.state = state
    again.add(state.folders["7"], Contact(first_name="Tom"))
    await again.sync()
    assert seen[1] == seen[0]
    assert [c.sync_key for request in seen for c in request.collections] == ["k0", "k0", "k1"]
    assert [len(request.collections[0].commands) for request in seen] == [1, 1, 1]
    assert state.folders["7"].pending == []
    assert state.unanswered is None


async def test_own_changes_are_confirmed_by_silence_and_failures_are_reported() -> None:
    """[MS-ASCMD] Responses: what is not named there succeeded."""
    no = ItemStatus.NOT_FOUND

    def play(request: messages.Request) -> messages.Response:
        return answer("k1", responses=(messages.AnsweredChange(server_id="7:2", status=no),))

    phone = syncing(play)
    folder = phone.state.folders["7"]
    folder.sync_key = "k0"
    for name in ("7:1", "7:2", "7:3"):
        folder.items[name] = phone_item(name)
    phone.edit(folder, "7:1", job_title="Owner")
    phone.edit(folder, "7:2", job_title="Owner")
    phone.delete(folder, "7:3")
    assert folder.current("7:1").text("Contacts:JobTitle") == "Owner"
    report = await phone.sync()
    assert [(f.id, f.status) for f in report.failures] == [("7:2", no)]
    assert report.changes["7"].taken == ["7:1", "7:3"]
    assert folder.items["7:1"].text("Contacts:JobTitle") == "Owner"
    assert folder.items["7:1"].text("Contacts:FirstName") == "x"
    assert folder.items["7:2"].text("Contacts:JobTitle") == ""
    assert "7:3" not in folder.items


def phone_item(name: str) -> Item:
    return Item(server_id=name, data=contact("x"))


async def test_refused_key_begins_the_collection_anew_and_what_waits_is_sent() -> None:
    """[MS-ASCMD] Status (Sync) 3."""
    refused = messages.CollectionResponse(
        sync_key="0", collection_id="7", status=messages.Status.INVALID_SYNC_KEY
    )

    def play(request: messages.Request) -> messages.Response:
        collection = request.collections[0]
        if collection.sync_key == "old":
            return messages.Response(collections=(refused,))
        if collection.sync_key == "0":
            assert collection.commands == ()
            return answer("n0")
        added = tuple(
            messages.Added(client_id=c.client_id, server_id="7:4", status=ItemStatus.SUCCESS)
            for c in collection.commands
            if isinstance(c, messages.AddCommand)
        )
        return answer("n1", responses=added)

    phone = syncing(play)
    folder = phone.state.folders["7"]
    folder.sync_key = "old"
    folder.items["7:1"] = phone_item("7:1")
    phone.add(folder, Contact(first_name="Mia"))
    report = await phone.sync()
    assert report.changes["7"].reset
    assert sorted(folder.items) == ["7:4"]
    assert folder.sync_key == "n1"


async def test_server_that_does_not_get_on_is_not_asked_for_ever() -> None:
    phone = syncing(lambda request: answer("k0", more_available=True))
    phone.state.folders["7"].sync_key = "k0"
    with pytest.raises(BadAnswer, match="does not get on in Contacts"):
        await phone.sync()


@pytest.mark.parametrize("status", [messages.Status.PROTOCOL_ERROR, messages.Status.INCOMPLETE_REQUEST])
async def test_refused_request_is_an_error_and_not_repeated(status: messages.Status) -> None:
    phone = syncing(lambda request: messages.Response(status=status))
    with pytest.raises(Refusal) as raised:
        await phone.sync()
    assert raised.value.status == status
    assert phone.state.unanswered is None


async def test_several_folders_go_in_one_request_and_stop_one_by_one() -> None:
    asked: list[list[str]] = []

    def play(request: messages.Request) -> messages.Response:
        asked.append([c.collection_id for c in request.collections])
        return messages.Response(collections=tuple(
            messages.CollectionResponse(
                sync_key=f"{c.sync_key}+", collection_id=c.collection_id, status=messages.Status.SUCCESS,
                more_available=True if c.collection_id == "8" and c.sync_key == "0+" else None,
            )
            for c in request.collections
        ))

    phone = syncing(play)
    phone.state.folders["8"] = Folder(id="8", parent="0", name="Calendar", type=FolderType.CALENDAR)
    phone.state.folders["9"] = Folder(id="9", parent="0", name="Outbox", type=FolderType.OUTBOX)
    await phone.sync()
    assert asked == [["7", "8"], ["7", "8"], ["8"]]


class Provisioning:
    """A server that lets nobody in without its policy key."""

    def __init__(self, wipe: bool = False) -> None:
        self.asked: list[tuple[str, int | None]] = []
        self.wipe = wipe
        self.wiped = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = query.complete(query.parse(request.url.query), headers)
        self.asked.append((asked.command, asked.policy_key))
        if asked.command == "Provision":
            answer = self.provision(load(provision.Request, decode(request.content), V))
            return wbxml(dump("Provision:Provision", answer, V))
        if asked.policy_key != 222 or self.wipe:
            status = "140" if self.wipe else "142"
            return wbxml(Element("FolderHierarchy:FolderSync", (Element("FolderHierarchy:Status", status),)))
        folders = folder_sync.Response(
            status=folder_sync.Status.SUCCESS, sync_key="f1", changes=folder_sync.Changes(count=1, added=(
                folder_sync.FolderEntry(server_id="5", parent_id="0", name="Inbox", type=2),)),
        )
        return wbxml(dump("FolderHierarchy:FolderSync", folders, V))

    def provision(self, request: provision.Request) -> provision.Response:
        if request.remote_wipe is not None:
            self.wiped = request.remote_wipe.status == 1
            return provision.Response(status=provision.Status.SUCCESS)
        if self.wipe:
            return provision.Response(status=provision.Status.SUCCESS, remote_wipe=True)
        key = "222" if request.policies[0].acknowledges else "111"
        given = provision.GivenPolicy(
            policy_type=provision.WBXML_POLICY, status=provision.PolicyStatus.SUCCESS, policy_key=key
        )
        return provision.Response(status=provision.Status.SUCCESS, policies=(given,))


async def test_provisioning_is_done_in_both_phases_when_the_server_wants_it() -> None:
    """[MS-ASPROV]: the temporary key acknowledges, the final one goes with everything after."""
    server = Provisioning()
    phone = phone_with(server)
    await phone.folder_sync()
    assert server.asked == [("FolderSync", None), ("Provision", 0), ("Provision", 111), ("FolderSync", 222)]
    assert phone.state.policy_key == 222
    assert phone.state.folder(FolderType.INBOX).id == "5"


async def test_remote_wipe_is_carried_out_and_reported() -> None:
    """[MS-ASPROV] RemoteWipe."""
    server = Provisioning(wipe=True)
    phone = phone_with(server)
    with pytest.raises(Wiped):
        await phone.folder_sync()
    assert server.wiped
    assert phone.state.wiped
    assert phone.state.folders == {}
    assert phone.state.policy_key is None
