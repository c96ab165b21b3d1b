"""Times and sizes as people write them on a command line: 90s, 30m, 2h, 1d; 500K, 50M, 2G."""

from __future__ import annotations

import re

import typer

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "K": 1000, "M": 1000_000, "G": 1000_000_000}

_TIME = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd])")
_SIZE = re.compile(r"([0-9]{1,12})([KMG]?)B?", re.IGNORECASE)


def seconds(text: str) -> float:
    """Raises typer.BadParameter."""
    found = _TIME.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise typer.BadParameter(f"{text!r} is no time; write 90s, 30m, 2h or 1d")
    return float(found[1]) * _SECONDS[found[2]]


def size(text: str) -> int:
    """Raises typer.BadParameter."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or not int(found[1]):
        raise typer.BadParameter(f"{text!r} is no size; write 500K, 50M or 2G")
    return int(found[1]) * _BYTES[found[2].upper()]
