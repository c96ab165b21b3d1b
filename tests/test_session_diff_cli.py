"""`eas session diff`, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eas.cli import app

ONE = """eas-session 1
client: Apple-iPhone14C2/2001.50

=== 1 2026-11-21T10:00:00.120Z
--> POST /Microsoft-Server-ActiveSync?Cmd=FolderSync&User=anna&DeviceId=A1&DeviceType=iPhone
body: wbxml
  <FolderSync xmlns="FolderHierarchy"><SyncKey>0</SyncKey></FolderSync>
<-- 200 0.034s
Content-Type: application/vnd.ms-sync.wbxml
body: wbxml
  <FolderSync xmlns="FolderHierarchy">
    <Status>1</Status>
    <SyncKey>1</SyncKey>
    <Changes>
      <Count>1</Count>
      <Add>
        <ServerId>5</ServerId>
        <ParentId>0</ParentId>
        <DisplayName>Inbox</DisplayName>
        <Type>2</Type>
      </Add>
    </Changes>
  </FolderSync>

=== 2 2026-11-21T10:00:01.000Z
--> OPTIONS /Microsoft-Server-ActiveSync
<-- 200 0.001s
MS-ASProtocolVersions: 14.1,16.1
"""
OTHER = ONE.replace(">5<", ">Ag12<").replace("14.1,16.1", "16.1, 14.1").replace("SyncKey>1<", "SyncKey>{a}9<")
WORSE = OTHER.replace("Inbox</", "Posteingang</").replace("16.1, 14.1", "14.1")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    found = []
    for name, text in (("one", ONE), ("other", OTHER), ("worse", WORSE), ("broken", ONE + "\nwhat?\n")):
        file = tmp_path / f"{name}.session"
        file.write_text(text)
        found.append(str(file))
    return found


def run(*words: str, **others: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["session", "diff", *words], **others)  # type: ignore[arg-type]
    return result.exit_code, result.output


def test_the_same(files: list[str]) -> None:
    assert run(files[0], files[1]) == (0, "2 exchanges: 2 the same\n")


def test_differences(files: list[str], tmp_path: Path) -> None:
    code, said = run(files[0], files[2], "--html", str(tmp_path / "r.html"), "--junit", str(tmp_path / "r.xml"))
    assert code == 1
    assert said == (
        "1 FolderSync\n"
        "  ~ Add of 'Inbox': DisplayName is 'Posteingang', not 'Inbox'\n"
        "2 OPTIONS\n"
        "  ~ Header MS-ASProtocolVersions is '14.1', not '14.1,16.1'\n"
        "2 exchanges: 0 the same, 2 with differences (2)\n"
    )
    assert "one.session and worse.session" in (tmp_path / "r.html").read_text()
    assert 'failures="2"' in (tmp_path / "r.xml").read_text()


def test_places_that_are_passed_over(files: list[str], tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nwhere = "Changes/Add/DisplayName"\nmanner = "any"\nwhy = "another language"\n')
    code, said = run(files[0], files[2], "--rules", str(rules), "--ignore", "MS-ASProtocolVersions")
    assert (code, said) == (0, "2 exchanges: 2 the same\n")


def test_json(files: list[str]) -> None:
    code, said = run(files[0], files[2], "--json")
    found = json.loads(said)
    assert code == 1
    assert found["totals"]["differing"] == 2
    assert found["exchanges"][0]["differences"][0]["where"] == "FolderSync/Changes/Add/DisplayName"
    assert json.loads(run(files[0], files[1], "--json")[1])["exchanges"] == []


def test_standard_input(files: list[str]) -> None:
    assert run(files[0], "-", input=OTHER) == (0, "2 exchanges: 2 the same\n")


def test_what_cannot_be_read(files: list[str], tmp_path: Path) -> None:
    assert run(files[0], str(tmp_path / "none"))[0] == 2
    code, said = run(files[0], files[3])
    assert code == 2
    assert said.startswith(f"eas: {files[3]}:30: ")
    assert run("-", "-")[0] == 2
    assert run(files[0], files[1], "--ignore", "//")[0] == 2
    code, said = run(files[0], files[1], "--html", files[1])
    assert (code, "is a session" in said) == (2, True)
    assert Path(files[1]).read_text() == OTHER
