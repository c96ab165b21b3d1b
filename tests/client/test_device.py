"""What a device keeps, and how it changes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.client.device import (
    APPLICATION_DATA,
    DeviceState,
    Folder,
    Item,
    Kind,
    Pending,
    StateFileError,
    element_from_json,
    element_to_json,
    merged,
    sendable,
)
from eas.engine.model import FolderType
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

TAGS = st.sampled_from(["Email:Subject", "Contacts:Picture", "AirSyncBase:Body", "Email:Flag"])
ELEMENTS = st.recursive(
    st.builds(Element, TAGS, st.text(max_size=8) | st.binary(max_size=8)),
    lambda inner: st.builds(Element, TAGS, st.lists(inner, max_size=3).map(tuple)),
    max_leaves=8,
)


@settings(max_examples=60)
@given(ELEMENTS)
def test_elements_survive_json(element: Element) -> None:
    assert element_from_json(json.loads(json.dumps(element_to_json(element)))) == element


def sample() -> DeviceState:
    state = DeviceState.new()
    state.version, state.policy_key, state.folder_key, state.user = Version.V14_1, 77, "k", "anna"
    folder = Folder(id="5", parent="0", name="Inbox", type=FolderType.INBOX, sync_key="abc", more=True)
    folder.items["5:1"] = Item(server_id="5:1", data=Element(APPLICATION_DATA, (Element("Email:Subject", "Größe"),)))
    folder.pending.append(Pending(kind=Kind.DELETE, server_id="5:1"))
    state.folders["5"] = folder
    state.unanswered = Element("AirSync:Sync", (Element("AirSync:WindowSize", "3"),))
    return state


def test_state_survives_the_file_which_only_its_owner_may_read(tmp_path: Path) -> None:
    state, path = sample(), tmp_path / "phone.json"
    first = state.client_id()
    state.save(path)
    again = DeviceState.load(path)
    assert again == state
    assert again.client_id().partition("-")[2] != first.partition("-")[2]
    assert path.stat().st_mode & 0o077 == 0
    assert [p.name for p in tmp_path.iterdir()] == ["phone.json"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 99}', '{"format": 1}', "\x00"])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "phone.json"
    path.write_text(content)
    with pytest.raises(StateFileError):
        DeviceState.load(path)


def test_folder_is_found_by_id_type_and_name() -> None:
    state = sample()
    folder = state.folders["5"]
    assert state.folder("5") is state.folder(FolderType.INBOX) is state.folder("inbox") is folder
    with pytest.raises(KeyError):
        state.folder("Nowhere")


def test_mail_keeps_what_a_change_does_not_name_and_a_contact_does_not() -> None:
    """[MS-ASCMD] Change (Sync): missing means deleted, but for mail and for Body, Picture and their like."""
    mail = Element(APPLICATION_DATA, (Element("Email:Subject", "x"), Element("Email:Read", "0")))
    change = Element(APPLICATION_DATA, (Element("Email:Read", "1"),))
    assert {e.tag: e.text for e in merged("Email", mail, change).elements} == {"Email:Subject": "x", "Email:Read": "1"}
    contact = Element(
        APPLICATION_DATA,
        (Element("Contacts:JobTitle", "x"), Element("Contacts:Picture", "p"), Element("Contacts:FirstName", "a")),
    )
    change = Element(APPLICATION_DATA, (Element("Contacts:FirstName", "b"),))
    left = {e.tag: e.text for e in merged("Contacts", contact, change).elements}
    assert left == {"Contacts:FirstName": "b", "Contacts:Picture": "p"}


def test_cut_body_is_not_sent_back() -> None:
    def body(*more: Element) -> Element:
        said = (Element("AirSyncBase:Type", "1"), Element("AirSyncBase:Data", "abc"))
        return Element("AirSyncBase:Body", (*said, *more))

    size = Element("AirSyncBase:EstimatedDataSize", "3")
    (kept,) = sendable([body(size), Element("AirSyncBase:NativeBodyType", "1"), Element("Calendar:Exceptions")])
    assert [e.tag for e in kept.elements] == ["AirSyncBase:Type", "AirSyncBase:Data"]
    assert sendable([body(size, Element("AirSyncBase:Truncated", "1"))]) == ()
