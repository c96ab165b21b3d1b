"""Which pages there are, for those who look at all of them: measurements, tests and pictures."""

from __future__ import annotations

from importlib import import_module

from .areas import MODULES
from .sessions import Area
from .visits import Page


def listed(area: Area) -> list[Page]:
    """All of an area, in the order of the menu."""
    return [page for name in MODULES[area] for page in import_module(f"{__package__}.{name}").PAGES]


def plain_paths(area: Area) -> list[str]:
    """Those that are asked for without more by who is logged in, and are pages: no files, no pieces of pages."""
    return [
        page.path for page in listed(area)
        if "GET" in page.methods and page.permission is not None
        and "{" not in page.path and "." not in page.path and not page.path.endswith("/now")
    ]
