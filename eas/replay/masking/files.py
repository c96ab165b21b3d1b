"""Names of files: what they end with stays."""

from __future__ import annotations

import re
from collections.abc import Callable

#: `.tar.gz`, `.docx`: up to five letters or digits, at most one in front of it.
_EXTENSION = re.compile(r"(?i)(?:\.tar)?\.[a-z][a-z0-9]{0,4}\Z|\.(?:7z|mp3|mp4|3gp)\Z")


def file_name(name: str, change: Callable[[str], str]) -> str:
    found = _EXTENSION.search(name)
    at = found.start() if found and found.start() else len(name)
    return change(name[:at]) + name[at:]
