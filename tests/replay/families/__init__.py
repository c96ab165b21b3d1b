"""The library of sessions, made: each family of devices is a file that says how it talks, and stories that it plays
against a real gateway. `python -m families FOLDER` writes them (`make sessions`)."""

from __future__ import annotations

from importlib import import_module

from .story import Story

__all__ = ["FAMILIES", "Story", "stories"]

#: Files of this package, in the order in which they are told of.
FAMILIES = (
    "ios", "android", "samsung", "nine", "outlook", "windows_mobile", "windows_phone", "nokia", "blackberry", "tbsync",
)


def stories() -> tuple[Story, ...]:
    return tuple(story for name in FAMILIES for story in import_module(f"{__name__}.{name}").STORIES)
