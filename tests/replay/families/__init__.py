"""The library of sessions, made: each family of devices is a file that says how it talks, and stories that it plays
against a real gateway. `python -m families FOLDER` writes them (`make sessions`)."""

from __future__ import annotations

from .story import Story

__all__ = ["Story", "stories"]


def stories() -> tuple[Story, ...]:
    from . import ios, windows_mobile

    return (*ios.STORIES, *windows_mobile.STORIES)
