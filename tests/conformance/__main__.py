"""`python -m tests.conformance URL ...` from the project's root; see `runner`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The tests import each other as pytest lays them out: by the names of their files.
sys.path[:0] = [str(HERE.parent), str(HERE)]

from runner import main  # noqa: E402 - found by the line above

sys.exit(main(sys.argv[1:]))
