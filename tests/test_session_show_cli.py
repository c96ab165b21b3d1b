"""`eas session show` as its user runs it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from session_kit import Script, a_day, keep, taped
from typer.testing import CliRunner, Result

from eas.cli import app as commands
from eas.client.phone import Phone

EAS = Path(sys.executable).with_name("eas")
FOLDERS = """<FolderSync xmlns="FolderHierarchy"><Status>1</Status><SyncKey>1</SyncKey><Changes><Count>2</Count>
<Add><ServerId>5</ServerId><ParentId>0</ParentId><DisplayName>Inbox</DisplayName><Type>2</Type></Add>
<Add><ServerId>6</ServerId><ParentId>0</ParentId><DisplayName>Team</DisplayName><Type>12</Type></Add></Changes></FolderSync>"""
MAIL = """<Add><ServerId>5:1</ServerId><ApplicationData><email:Subject>Lunch</email:Subject><email:Read>0</email:Read>
<airsyncbase:Body><airsyncbase:Type>1</airsyncbase:Type><airsyncbase:Data>{}</airsyncbase:Data></airsyncbase:Body>
</ApplicationData></Add>"""


def run(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(commands, ["session", "show", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def file(tmp_path: Path) -> str:
    script = Script()
    script.say("FolderSync", '<FolderSync xmlns="FolderHierarchy"><SyncKey>0</SyncKey></FolderSync>', FOLDERS)
    script.sync("0", "1").sync("1", "2", down=MAIL.format("x" * 500), folder="5").sync("7", folder="6", status="3")
    script.ping(480).say("Search", http_status=503).say("Settings", http_status=None, why="the client went away")
    return str(keep(tmp_path / "a.session", script.exchanges, device="PHONE1", note="by hand"))


def test_a_line_for_each_exchange(file: str) -> None:
    assert run(file, "--no-bodies").output.splitlines() == [
        "device: PHONE1",
        "note: by hand",
        "",
        "    1 12:00:05.000            FolderSync       200   100 ms    13 B    77 B  from nothing, 2 Adds",
        "    2 12:00:10.100    +5.1 s  Sync             200   100 ms    20 B    25 B  Inbox from nothing",
        "    3 12:00:15.200    +5.1 s  Sync             200   100 ms    20 B   567 B  Inbox key 1 to 2 gets 1 Add",
        "    4 12:00:20.300    +5.1 s  Sync             200   100 ms    20 B    25 B  Team key 7",
        "      ! Status 3 in Team: The phone named a state that the server does not know; it fetches the folder anew "
        "from the beginning.",
        "    5 12:00:25.400    +5.1 s  Ping             200    480 s    33 B    13 B  Inbox, waits up to 480 s",
        "    6 12:08:30.400    +485 s  Search           503   100 ms     0 B     0 B",
        "      ! HTTP 503: The phone was told to come back later: what is behind the gateway is away, or the phone "
        "asks the same too often, or too many wrong passwords came.",
        "    7 12:08:35.500    +5.1 s  Settings        none   100 ms     0 B     0 B",
        "      ! no answer: the client went away",
    ]


@pytest.mark.parametrize(("words", "numbers"), [
    (["--command", "ping,Search"], [5, 6]),
    (["--folder", "team"], [4]),
    (["--folder", "5"], [2, 3, 5]),
    (["--status", "3"], [4]),
    (["--status", "503"], [6]),
    (["--status", "none"], [7]),
    (["--status", "!1"], [4, 6, 7]),
    (["--from", "3", "--to", "4"], [3, 4]),
    (["--from", "12:08"], [6, 7]),
    (["--to", "2026-11-21T12:00:11Z"], [1, 2]),
    (["--command", "Sync", "--status", "!3"], [2, 3]),
])
def test_what_is_asked_for_alone(file: str, words: list[str], numbers: list[int]) -> None:
    lines = run(file, "--json", *words).output.splitlines()
    assert [json.loads(line)["number"] for line in lines] == numbers


def test_messages(file: str) -> None:
    output = run(file, "--command", "Sync", "--from", "3", "--to", "3").output
    assert "<email:Subject>Lunch</email:Subject>" in output
    assert "xxx... " in output
    assert "x" * 200 not in output
    assert "User-Agent" not in output
    assert "x" * 500 in run(file, "--bodies", "full").output
    assert "User-Agent: Apple-iPhone" in run(file, "--headers").output
    assert "<--" not in run(file, "--only", "requests").output
    assert "-->" not in run(file, "--only", "answers", "--headers").output
    assert "<email:Read>0</email:Read>   # no" in run(file, "--decoded").output


def test_json(file: str) -> None:
    found = [json.loads(line) for line in run(file, "--json").output.splitlines()]
    assert found[2]["folders"] == [{
        "id": "5", "name": "Inbox", "key": "1", "next_key": "2", "status": "1", "sends": {}, "gets": {"Add": 1},
        "more": False,
    }]
    assert found[4]["wait"] == 480
    assert [one["status"] for one in found[3]["statuses"]] == ["3"]
    assert found[6]["http"] is None


async def test_a_recorded_session(phone: Callable[..., Phone], tmp_path: Path) -> None:
    made = phone()
    tape = taped(made)
    await a_day(made)
    file = keep(tmp_path / "day.session.gz", tape.exchanges)
    output = run(str(file), "--no-bodies").output
    assert len(output.splitlines()) == len(tape.exchanges)  # a line each, and nothing that was not well
    assert "Inbox gets 2 Adds" in output
    assert "Contacts sends 1 Add" in output


@pytest.mark.parametrize(("text", "said"), [
    ("", "a.session:1: "), ("eas-session 9\n", "newer"), ("eas-session 1\n\n=== 1 x\n", "a.session:3: 'x' is no time"),
])
def test_files_that_cannot_be_read(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.session").write_text(text)
    assert said in run(str(tmp_path / "a.session"), code=2).stderr
    assert "No such file" in run(str(tmp_path / "none"), code=2).stderr


@pytest.mark.parametrize("words", [["--status", "bad"], ["--from", "yesterday"], ["--only", "both"], ["--bodies", "x"]])
def test_wrong_calls(file: str, words: list[str]) -> None:
    run(file, *words, code=2)


def on_a_terminal(*words: str, **environment: str) -> bytes:
    """What a terminal of 80 columns gets."""
    main, other = pty.openpty()
    process = subprocess.Popen(
        [EAS, "session", "show", *words], stdout=other, stderr=other, stdin=other,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **environment},
    )
    os.close(other)
    said = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not piece:
            break
        said += piece
    os.close(main)
    assert process.wait(60) == 0
    return said


def test_colour_on_a_terminal_alone(file: str, tmp_path: Path) -> None:
    assert b"\x1b[" in on_a_terminal(file)
    assert b"\x1b[" not in on_a_terminal(file, NO_COLOR="1")
    assert "\x1b[" not in run(file).output
    evil: Any = Script().say("Search", http_status=None, why="x\x1b[31mred")
    assert b"31mred" not in on_a_terminal(str(keep(tmp_path / "e.session", evil.exchanges)), NO_COLOR="1").replace(
        b"\xef\xbf\xbd[31mred", b"")


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    script = Script()
    for _ in range(2_000):
        script.ping()
    file = keep(tmp_path / "long.session", script.exchanges)
    shell = f"{EAS} session show {file} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"    1 12:00:05")


def test_what_went_wrong(file: str) -> None:
    output = run(file, "--no-bodies", "--explain", code=1).output
    assert "      * key-refused: Team: key 7 is refused (Status 3)\n" in output
    summary = output[output.index("What went wrong: 3 findings, most serious first."):]
    assert "\nkey-refused (something does not work), exchange 4\n  seen: Team: key 7 is refused (Status 3)." in summary
    assert summary.index("key-refused") < summary.index("server-busy") < summary.index("unanswered")
    only = run(file, "--command", "Ping", "--explain", "--no-bodies", code=1).output
    assert "FolderSync" not in only.split("What went wrong")[0]
    assert "key-refused" in only
    lines = [json.loads(line) for line in run(file, "--explain", "--json", code=1).output.splitlines()]
    assert [sign["name"] for sign in lines[3]["findings"]] == ["key-refused"]
    assert [(one["name"], one["exchanges"]) for one in lines[-1]["findings"]] == [
        ("key-refused", [4]), ("server-busy", [6]), ("unanswered", [7]),
    ]
    assert lines[-1]["well"] is False


def test_a_session_that_is_well(tmp_path: Path) -> None:
    script = Script().sync("0", "1").sync("1", "2").ping(480)
    output = run(str(keep(tmp_path / "w.session", script.exchanges)), "--explain").output
    assert output.endswith("The session is well.\n")
