"""docs/health.md says what the table says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_health_page_is_current() -> None:
    """If this fails: python tools/health_page.py docs/health.md"""
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "health_page.py"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert made.stdout == (ROOT / "docs" / "health.md").read_text(encoding="utf-8")
