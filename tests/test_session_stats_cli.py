"""`eas session stats` as its user runs it, and the arithmetic below it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from session_kit import Script, keep
from typer.testing import CliRunner, Result

from eas.cli import app as commands
from eas.replay.showing.stats import Times

ADD = """<Add><ServerId>5:{}</ServerId><ApplicationData><email:Subject>Lunch</email:Subject></ApplicationData></Add>"""
FOLDERS = """<FolderSync xmlns="FolderHierarchy"><Status>1</Status><SyncKey>1</SyncKey><Changes>
<Add><ServerId>5</ServerId><ParentId>0</ParentId><DisplayName>Inbox</DisplayName><Type>2</Type></Add>
</Changes></FolderSync>"""


def run(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(commands, ["session", "stats", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result


def session(path: Path, device: str = "A1") -> str:
    script = Script(device=device)
    script.say("FolderSync", '<FolderSync xmlns="FolderHierarchy"><SyncKey>0</SyncKey></FolderSync>', FOLDERS)
    script.sync("0", "1").sync("1", "2", down=ADD.format(1) + ADD.format(2), took=2.0)
    script.sync("2", "3", up="<Delete><ServerId>5:1</ServerId></Delete>").sync("9", status="3")
    script.ping(600, "2", took=400).ping(600, took=600, after=0.5).ping(600, "", http_status=None, took=60, after=0.5)
    script.ping(30, "5", took=0.1, after=0.5)
    script.sync("3", root="<Wait>5</Wait>", took=300).say("Sync", took=100)  # an empty one is the same again
    script.say("Search", http_status=503)
    return str(keep(path, script.exchanges))


def test_what_is_counted(tmp_path: Path) -> None:
    found = json.loads(run(session(tmp_path / "a.session"), "--json").stdout)
    assert (found["requests"], found["devices"]) == (12, 1)
    assert found["commands"]["Sync"]["count"] == 6
    assert found["commands"]["Sync"]["statuses"] == {"ok": 5, "Status 3": 1}
    assert found["commands"]["Sync"]["answered"] == 4  # waits take as long as they take
    assert found["commands"]["Sync"]["max"] == 2.0
    assert found["commands"]["Ping"]["statuses"] == {"ok": 2, "none": 1, "Status 5": 1}
    assert found["commands"]["Search"]["statuses"] == {"HTTP 503": 1}
    assert found["waits"] == {
        "count": 6, "change": 1, "time": 3, "refused": 1, "lost": 1, "seconds": 1460.1, "asked": 2430,
    }
    assert {(one["class"], one["way"], one["what"]): one["count"] for one in found["items"]} == {
        ("Email", "down", "Add"): 2, ("Email", "up", "Delete"): 1,
    }
    (inbox,) = found["folders"]
    assert (inbox["name"], inbox["requests"], inbox["up"], inbox["down"]) == ("Inbox", 5, {"Delete": 1}, {"Add": 2})
    # It wakes up once to begin, by each answer that comes after a while, and not for what follows at once.
    assert found["wakes"] == 1 + 4


def test_a_table_of_several_files(tmp_path: Path) -> None:
    files = [session(tmp_path / "a.session", "A1"), session(tmp_path / "b.session.gz", "A2")]
    lines = run(*files).output.splitlines()
    assert lines[0].startswith("24 requests of 2 devices in ")
    assert lines[1] == "12 waits, 243 s each of 405 s asked for: 2 ended by news, 6 by the time, 2 lost, 2 refused"
    assert any(line.split()[:3] == ["Sync", "12", "188"] or line.startswith("Sync ") for line in lines)
    assert any(line.startswith("Inbox of A2") for line in lines)


def test_faults(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("no session")
    assert "bad:1: " in run(str(tmp_path / "bad"), code=2).stderr
    run(code=2)
    empty = keep(tmp_path / "empty.session", [])
    assert run(str(empty)).output.startswith("0 requests of 0 devices in 0 ms")


@pytest.mark.parametrize("seed", range(5))
def test_percentiles(seed: int) -> None:
    """To 12 percent of what sorting says, never above the longest."""
    chance, times = random.Random(seed), Times()
    samples = sorted(chance.lognormvariate(-2, 2) for _ in range(2_000))
    for sample in samples:
        times.add(sample)
    for part in (0.01, 0.5, 0.95, 1.0):
        exact = samples[max(0, round(part * len(samples)) - 1)]
        assert exact * 0.999 <= max(times.percentile(part), 0.001) <= max(exact, 0.001) * 1.125
    assert times.percentile(1.0) == samples[-1]
