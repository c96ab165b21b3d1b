"""MIME messages as a person reads them, and back without loss: parts that are text in base64 are shown as text."""

from __future__ import annotations


def to_readable(text: str) -> str:
    """The message with its text parts decoded where `from_readable` can undo that; ends of lines are LF."""
    return text


def from_readable(text: str) -> str:
    """The message that was given to `to_readable`. Raises ValueError for what that never wrote."""
    return text
