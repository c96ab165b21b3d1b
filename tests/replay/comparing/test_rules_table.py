"""docs/sessions.md says what the rules say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_current() -> None:
    """If this fails: python tools/rules_table.py docs/sessions.md"""
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "rules_table.py"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert made.stdout in (ROOT / "docs" / "sessions.md").read_text("utf-8") + "\n"
