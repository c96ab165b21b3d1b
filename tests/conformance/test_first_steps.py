"""What the README promises, with real processes: `eas serve --demo`, and phones that talk to it over HTTP."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from serving import Server
from typer.testing import CliRunner

from eas import app, config
from eas.cli import app as commands
from eas.engine.model import FolderType
from eas.engine.ports import Horizon
from eas.items.native import Record
from eas.protocol.version import NOTES, Version

pytestmark = pytest.mark.server

EAS = Path(sys.executable).with_name("eas")
#: Seconds that a call of the command line may take on a machine with other work.
PATIENCE = 120.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(data=tmp_path_factory.mktemp("first") / "data", arguments=("--demo",)) as running:
        yield running


def eas(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([EAS, *words], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


@dataclass
class Handset:
    """`eas phone` of one user, with its state file."""

    server: Server
    user: str
    state: Path

    @property
    def words(self) -> list[str]:
        return [
            "phone", self.server.url, "--user", self.user, "--password", "demo", "--state", str(self.state),
            "--zone", "Europe/Berlin",
        ]

    def __call__(self, *words: str) -> str:
        """As on the command line, but in this process: starting Python takes longer than what the phone does."""
        done = CliRunner().invoke(commands, [*self.words, *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self("--json", *words))

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen([EAS, *self.words, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def anna(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Handset:
    return Handset(server, "anna", tmp_path_factory.mktemp("anna") / "phone.json")


@pytest.fixture(scope="module")
def ben(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Handset:
    return Handset(server, "ben", tmp_path_factory.mktemp("ben") / "phone.json")


def changes(report: Any) -> dict[str, tuple[int, int, int]]:
    """Added, changed, deleted by folder, where there is something."""
    counts = {f["name"]: (len(f["added"]), len(f["changed"]), len(f["deleted"])) for f in report["folders"]}
    return {name: count for name, count in counts.items() if any(count)}


def test_server_says_who_can_log_in(server: Server) -> None:
    assert "log in as anna, ben or carla (at example.test), password demo" in server.said()
    assert f"listening on {server.url}" in server.said()


def test_first_run_sets_up_and_brings_every_class_and_the_second_brings_nothing(anna: Handset) -> None:
    first = json.loads(eas(*anna.words, "--json").stdout)
    by_class: dict[str, int] = {}
    for folder in first["folders"]:
        by_class[folder["class"]] = by_class.get(folder["class"], 0) + folder["items"]
    assert by_class["Email"] > 60
    assert all(by_class[name] > 1 for name in ("Calendar", "Contacts", "Tasks", "Notes"))
    second = anna.json()
    assert changes(second) == {}
    assert second["requests"] == 1
    assert anna() == "nothing new\n"


def test_mail_from_one_to_another_arrives_by_ping(anna: Handset, ben: Handset) -> None:
    ben.json()
    waiting = ben.start("ping", "--once", "--heartbeat", "120")
    try:
        assert waiting.stdout is not None
        assert "waiting" in _until(waiting, "waiting")
        anna("send", "--to", "ben@example.test", "--subject", "Grüße aus dem Büro", "--text", "Ist die Tür da?")
        said, trouble = waiting.communicate(timeout=PATIENCE)
    finally:
        waiting.kill()
    assert waiting.returncode == 0, trouble
    assert "+ Inbox: Grüße aus dem Büro (Anna Bergström)" in said
    # A second run brings only what changed: her own copy.
    assert changes(anna.json()) == {"Sent Items": (1, 0, 0)}
    assert changes(ben.json()) == {}


def _until(process: subprocess.Popen[str], word: str) -> str:
    """What the process says up to a word."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if word in line:
            break
    return said


def test_edited_contact_keeps_what_eas_has_no_element_for(server: Server, anna: Handset) -> None:
    anna.json()
    before = card(server, "Carvalho")
    anna("change", "Contacts", "Carvalho", "job_title=Proprietor")
    after = card(server, "Carvalho")
    unknown = [line for line in before.splitlines() if line.startswith(("X-", "item1.", "PHOTO", "UID"))]
    assert len(unknown) >= 4
    gone = [line for line in before.splitlines() if line not in after.splitlines()]
    come = [line for line in after.splitlines() if line not in before.splitlines()]
    assert [line for line in gone if line in unknown] == []
    assert "TITLE:Proprietor" in come
    assert "TITLE:Owner" in gone
    shown = anna.json("show", "Contacts", "Carvalho")
    assert ["Contacts:JobTitle", "Proprietor"] in shown["data"]
    assert changes(anna.json()) == {}


def card(server: Server, name: str) -> str:
    """The vCard in Anna's contacts in which a name stands, unfolded, as it is stored."""

    async def load() -> str:
        async with app.build(config.load(None, {"data": str(server.data)}, {})) as parts:
            user = await parts.embedded.accounts.verify("anna", "demo")
            assert user is not None
            mailbox, _, _ = parts.embedded.accounts.open(user)
            (folder,) = [f for f in await mailbox.folders() if f.type is FolderType.CONTACTS]
            feed = mailbox.feed(folder)
            listing = await feed.delta(None, Horizon())
            async for item in feed.fetch(sorted(listing.touched), None):
                assert isinstance(item, Record)
                if name in item.data.decode():
                    return item.data.decode().replace("\r\n ", "").replace("\r\n", "\n")
        raise AssertionError(f"no card of {name}")

    return asyncio.run(load())


def test_second_run_brings_only_what_changed(server: Server, anna: Handset, tmp_path: Path) -> None:
    anna.json()
    letter = tmp_path / "letter.eml"
    letter.write_text("From: ines@cafe-hafenblick.example\nSubject: Delivered\nMessage-ID: <first-steps@x>\n\nHere.\n")
    said = json.loads(eas("deliver", "anna", str(letter), "--data", str(server.data), "--json").stdout)
    assert said["server_told"] is True
    report = anna.json()
    assert changes(report) == {"Inbox": (1, 0, 0)}
    assert report["requests"] == 1
    anna("change", "Inbox", "Delivered", "read=yes", "flag=yes", "categories=Office")
    anna("delete", "Inbox", "Delivered")
    assert changes(anna.json()) == {"Deleted Items": (1, 0, 0)}


def test_appointments_tasks_and_notes_are_added_changed_and_deleted(anna: Handset) -> None:
    anna("add", "event", "subject=Glue test", "start=2026-11-23T12:30", "where=Hall 1")
    anna("add", "task", "subject=Sharpen chisels", "due=2026-11-30")
    anna("add", "note", "title=Chisels", "text=25 degrees")
    anna("change", "Calendar", "Glue test", "where=Hall 2", "reminder=15")
    anna("change", "Tasks", "Sharpen chisels", "done=yes")
    assert changes(anna.json()) == {}
    data = {tag: rest for tag, *rest in anna.json("show", "Calendar", "Glue test")["data"]}
    assert data["AirSyncBase:Location"] == [[["AirSyncBase:DisplayName", "Hall 2"]]]
    assert data["Calendar:StartTime"] == ["20261123T113000Z"]
    assert data["Calendar:Reminder"] == ["15"]
    for folder, title in (("Calendar", "Glue test"), ("Tasks", "Sharpen chisels"), ("Notes", "Chisels")):
        anna("delete", folder, title)
    assert changes(anna.json()) == {}


def test_search_finds_mail_and_people(anna: Handset) -> None:
    assert any("archive" in hit["title"].casefold() for hit in anna.json("search", "archive"))
    assert [entry["address"] for entry in anna.json("search", "--people", "carla")] == ["carla@example.test"]


@pytest.mark.parametrize("version", Version)
def test_every_offered_version_syncs_also_with_short_queries(
    server: Server, tmp_path: Path, version: Version
) -> None:
    """The short form begins with 12.1."""
    handset = Handset(server, "carla", tmp_path / "phone.json")
    short = ("--base64",) if version >= Version.V12_1 else ()
    report = handset.json("--version", version.text, *short)
    items = {folder["class"]: folder["items"] for folder in report["folders"]}
    assert ("Notes" in items) == (version in NOTES)
    assert items["Contacts"] == 10
    assert changes(handset.json()) == {}


def test_wrong_password_and_wrong_version_are_said(server: Server, tmp_path: Path) -> None:
    state = str(tmp_path / "phone.json")
    wrong = eas("phone", server.url, "--user", "anna", "--password", "x", "--state", state, check=False)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "does not take this name and password" in wrong.stderr
    handset = Handset(server, "anna", tmp_path / "other.json")
    assert eas(*handset.words, "--version", "13.0", check=False).returncode == 2


def test_wiped_phone_forgets_everything_at_once(server: Server, tmp_path: Path) -> None:
    handset = Handset(server, "carla", tmp_path / "phone.json")
    handset.json()
    device = json.loads(handset.state.read_text())["device_id"]
    waiting = handset.start("ping", "--heartbeat", "300")
    try:
        _until(waiting, "waiting")
        eas("device", "wipe", "carla", device, "--data", str(server.data))
        _, trouble = waiting.communicate(timeout=PATIENCE)
    finally:
        waiting.kill()
    assert waiting.returncode == 1
    assert "wiped" in trouble
    assert json.loads(handset.state.read_text())["folders"] == []
    shown = json.loads(eas("device", "show", "carla", device, "--data", str(server.data), "--json").stdout)
    assert shown["wipe"] == "done"
