"""docs/quirks.md says what the tables say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "quirks.md"


def test_the_page_is_current() -> None:
    """If this fails: python tools/quirks_page.py docs/quirks.md"""
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "quirks_page.py"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert made.stdout == PAGE.read_text(encoding="utf-8")


def test_what_is_done_for_every_device_is_shown_by_a_test() -> None:
    named = re.findall(r'test="(tests/[\w/]+\.py)::(test_\w+)"', (ROOT / "tools" / "quirks_page.py").read_text("utf-8"))
    assert len(named) > 10
    for file, test in named:
        assert re.search(rf"def {test}\(", (ROOT / file).read_text("utf-8")), f"{file}::{test}"
