"""The suite as somebody would run it against a server of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from lab import ALL, Case, Lab
from runner import Outcome, table
from serving import Server

from eas.protocol.version import Version

ROOT = Path(__file__).resolve().parents[2]


async def nothing(lab: Lab) -> None:
    """A case is not run here."""


def outcome(document: str, version: Version, trouble: str | None, *numbers: str) -> Outcome:
    ids = frozenset((document, number) for number in numbers)
    case = Case(name=f"{document}.case", document=document, ids=ids, spoken=ALL, run=nothing)
    return Outcome(case=case, version=version, trouble=trouble)


def test_the_table_counts_what_applies() -> None:
    """A requirement holds only if every case that names it passed."""
    lines = table([
        outcome("MS-ASCMD", Version.V14_1, "", "1", "2"),
        outcome("MS-ASCMD", Version.V14_1, "no", "2"),
        outcome("MS-ASCMD", Version.V16_1, "", "3"),
        outcome("MS-ASHTTP", Version.V14_1, None, "1"),
    ])
    assert [line.split() for line in lines] == [
        ["14.1", "16.1", "requirements"], ["MS-ASCMD", "1/2", "1/1", "2/3"], ["MS-ASHTTP", "-", "-", "0/0"],
    ]


@pytest.mark.server
def test_it_runs_against_a_server(tmp_path: Path) -> None:
    with Server(data=tmp_path / "data", arguments=("--demo",)) as server:
        done = subprocess.run(
            [
                sys.executable, "-m", "tests.conformance", server.url, "--user", "anna", "--password", "demo",
                "--address", "anna@example.com", "--other-user", "ben", "--other-password", "demo",
                "--versions", "12.1,16.1", "--only", "ascmd_folders.",
            ],
            cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MS-ASCMD" in done.stdout
    assert " 0 failed" in done.stdout
