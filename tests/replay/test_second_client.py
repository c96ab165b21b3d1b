"""A client of another origin does all it can through the proxy, and the recording has what it said."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from small_office import PASSWORD, eas_phone_day, office, pyactivesync_day, recorded

from eas.replay.format.model import Document
from eas.replay.format.reading import open_session
from eas.replay.playing.targets import command_of

pytestmark = [pytest.mark.server, pytest.mark.long]

#: What pyactivesync is seen to do, by command; the rest of a day is by the client's choice.
COMMANDS = {
    "Provision", "FolderSync", "Sync", "GetItemEstimate", "ItemOperations", "SendMail", "FolderCreate", "FolderUpdate",
    "FolderDelete", "MoveItems", "Search", "Find", "ResolveRecipients", "Settings", "Ping",
}


def test_pyactivesync(tmp_path: Path) -> None:
    file = tmp_path / "day.session"
    with office(tmp_path) as server, recorded(server, file, "--contents") as proxy:
        pyactivesync_day(proxy)
    with open_session(file) as session:
        exchanges = list(session.exchanges)
        assert session.meta.get("client").startswith("python-requests/")
        assert session.meta.get("device") == "pyactivesync01"
    seen = Counter(command_of(one.request.target) for one in exchanges)
    assert seen.keys() == COMMANDS
    for one in exchanges:
        assert one.answer.status == 200
        assert isinstance(one.request.body, Document)
    assert PASSWORD not in file.read_text()


def test_eas_phone(tmp_path: Path) -> None:
    file = tmp_path / "day.session"
    with office(tmp_path) as server, recorded(server, file, "--contents") as proxy:
        eas_phone_day(proxy, tmp_path / "state.json")
    with open_session(file) as session:
        seen = Counter(command_of(one.request.target) for one in session.exchanges)
    assert {"Provision", "FolderSync", "Sync", "SendMail", "Search", "MoveItems"} <= seen.keys()
