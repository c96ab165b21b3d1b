"""`eas session replay` as its user has it: a session file, a real server, exit codes and what is said."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from serving import EAS, Server, free_port

from eas.client import mail
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.phone import Phone
from eas.client.words import Here
from eas.engine.model import FolderType
from eas.protocol.version import Version

pytestmark = pytest.mark.server

ADDRESS, PASSWORD = "anna@example.com", "a-long-secret"
HERE = Here(ZoneInfo("Europe/Berlin"))


def eas(*arguments: object, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EAS_")}
    return subprocess.run(
        [str(EAS), *map(str, arguments)], capture_output=True, text=True, timeout=120,
        env=environment | {"EAS_PASSWORD": password, "COLUMNS": "100"}, check=False,
    )


def served(folder: Path, *names: str) -> Server:
    """A server with these users, all with one password."""
    for name in names:
        made = subprocess.run(
            [str(EAS), "user", "add", f"{name}@example.com", "--name", name.title(), "--password-stdin",
             "--data", str(folder)],
            input=f"{PASSWORD}\n", text=True, capture_output=True, check=False,
            env={**os.environ, "EAS_DOMAIN": "example.com"},
        )
        assert made.returncode == 0, made.stderr
    return Server(data=folder, settings={"EAS_DOMAIN": "example.com"})


async def a_morning(url: str) -> None:
    identity, credentials = Identity(device_id="PHONE1"), Credentials(user=ADDRESS, password=PASSWORD)
    async with Connection(url, credentials, identity, version=Version.V16_1) as connection:
        phone = Phone(DeviceState.new("PHONE1"), connection)
        await phone.set_up(Version.V16_1)
        await phone.sync()
        inbox = phone.state.folder(FolderType.INBOX)
        (id,) = inbox.items
        phone.mark(inbox, id, read=True)
        await phone.sync()
        await mail.reply(phone, inbox, id, mail.compose(
            ADDRESS, ["ben@example.com"], "Re: Lunch", "Yes.\n", date=HERE.instant("2026-11-21T10:00")))
        await phone.sync()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recorded by the proxy between a phone and a server."""
    folder = tmp_path_factory.mktemp("recorded")
    file, port = folder / "morning.session", free_port()
    with served(folder / "data", "anna", "ben") as server:
        (folder / "lunch.eml").write_bytes(mail.compose(
            "carla@elsewhere.example", [ADDRESS], "Lunch", "At one?\n", date=HERE.instant("2026-11-21T09:00")))
        assert eas("deliver", ADDRESS, folder / "lunch.eml", "--data", folder / "data").returncode == 0
        proxy = subprocess.Popen(
            [str(EAS), "session", "proxy", "--to", server.url, "--listen", f"127.0.0.1:{port}", "--plain", "--contents",
             "--output", str(file)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )
        try:
            until(port)
            asyncio.run(a_morning(f"http://127.0.0.1:{port}"))
        finally:
            proxy.terminate()
            proxy.wait(60)
    return file


def until(port: int) -> None:
    """Somebody listens there."""
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("nobody listens")


def test_a_session_is_played_on_a_fresh_server(session: Path, tmp_path: Path) -> None:
    with served(tmp_path / "data", "zoe", "anna", "ben") as server:
        to = ("--to", server.url, "--user", ADDRESS, "--fast")
        wrong = eas("session", "replay", session, *to, password="another")
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert "does not take anna@example.com" in wrong.stderr
        # Of a mail that is not there in MIME a session knows when it came, and a reply quotes when it was sent.
        quoted = ("--ignore", "airsyncbase:Data", "--ignore", "airsyncbase:Preview")
        files = ("--save", tmp_path / "new.session", "--junit", tmp_path / "junit.xml", "--html", tmp_path / "r.html")
        prepare = ("--prepare", "--data", tmp_path / "data", "--shift-dates", "none")
        prepared = eas("session", "replay", session, *to, *quoted, *prepare, *files)
        assert prepared.returncode == 0, prepared.stdout + prepared.stderr
        assert prepared.stderr == "prepared: 1 items\n"
        assert prepared.stdout.endswith(" the same\n")
        assert ElementTree.parse(tmp_path / "junit.xml").getroot().get("failures") == "0"
        assert "<html" in (tmp_path / "r.html").read_text()
        again = eas("session", "replay", session, *to, "--prepare", "--data", tmp_path / "data")
        assert again.returncode == 2
        assert "the mailbox is not empty: there is something in 'Inbox' (--force fills it)" in again.stderr
        differing = eas("session", "replay", tmp_path / "new.session", *to, "--stop-at-first")
        assert differing.returncode == 1, differing.stdout
        assert "was not expected" in differing.stdout
        gone = server.url
    nobody = eas("session", "replay", session, "--to", gone, "--user", ADDRESS)
    assert nobody.returncode == 2
    assert gone in nobody.stderr


def test_a_load_test_tells_its_figures(session: Path, tmp_path: Path) -> None:
    with served(tmp_path / "data", "load1", "load2", "load3", "ben") as server:
        found = eas("session", "replay", session, "--to", server.url, "--user", "load{n}@example.com", "--fast",
                    "--devices", "3", "--for", "8s", "--json")
    told = json.loads(found.stdout)
    assert (told["devices"], told["errors"]) == (3, {}), told
    assert 8.0 <= told["seconds"] < 60.0
    assert told["commands"]["Sync"]["p50"] > 0


def test_calls_that_make_no_sense(session: Path, tmp_path: Path) -> None:
    for arguments, said in (
        (("--prepare",), "--prepare needs --data or --config"), (("--waits", "long"), "long"),
        (("--shift-dates", "soon"), "'soon' is none of now, none, +7d, -12h"), (("--version", "17.0"), "17.0"),
        (("--wait", "x"), "no time"),
    ):
        found = eas("session", "replay", session, "--to", "http://127.0.0.1:9", "--user", "x", *arguments)
        assert (found.returncode, found.stdout) == (2, ""), found
        assert said in found.stderr
    (tmp_path / "empty.session").write_text("eas-session 1\n")
    empty = eas("session", "replay", tmp_path / "empty.session", "--to", "http://127.0.0.1:9", "--user", "x")
    assert (empty.returncode, empty.stderr) == (2, f"eas: {tmp_path / 'empty.session'} has no exchange\n")
