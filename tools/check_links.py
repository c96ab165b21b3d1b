"""Check that links between the Markdown files of the project lead somewhere. Usage: check_links.py FILE_OR_FOLDER..."""

from __future__ import annotations

import re
import sys
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def broken(page: Path) -> list[str]:
    """The links of a page to files that are not there; addresses elsewhere are not looked at."""
    found = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        for target in LINK.findall(line):
            path = target.partition("#")[0]
            if path and "://" not in target and not target.startswith("mailto:") and not (page.parent / path).exists():
                found.append(f"{page}:{number}: {target}")
    return found


def main(arguments: list[str]) -> int:
    pages = [page for name in arguments for page in (sorted(Path(name).rglob("*.md")) or [Path(name)])]
    troubles = [trouble for page in pages for trouble in broken(page)]
    print("\n".join(troubles) or f"{len(pages)} pages, all links lead somewhere")
    return bool(troubles)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
