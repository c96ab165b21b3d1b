"""docs/protocol.md says of each command what the registry says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eas.commands.all import COMMANDS
from eas.protocol.version import Version

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "protocol.md"
#: What stands in the table and is no command of the registry.
BESIDE = {"OPTIONS", "Autodiscover"}


def table() -> dict[str, dict[str, str]]:
    """The first table: by the first cell of a row, its cells by the heads of the columns."""
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")
    ]
    head, _, *body = rows[:next(n for n, row in enumerate(rows[2:], 2) if set(row[0]) <= {"-"}) - 1]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in body}


def test_every_command_has_its_row() -> None:
    assert set(table()) - BESIDE == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_version_without_the_command_has_a_dash(name: str) -> None:
    cells = table()[name]
    for version in Version:
        assert (cells[version.text] == "-") == (version not in COMMANDS[name].spoken), version.text
        assert cells[version.text] in ("yes", "partial", "-")
        assert cells[version.text] != "partial" or cells["note"], "what is missing stands in a note"


@pytest.mark.skipif(not os.environ.get("EAS_SPEC"), reason="EAS_SPEC names no tables")
def test_the_counts_of_requirements_are_current(tmp_path: Path) -> None:
    """`make requirements` writes them."""
    copy = tmp_path / "protocol.md"
    copy.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "spec_index.py", "--page", copy], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert copy.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")
