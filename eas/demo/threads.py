"""What people at Nordhang Joinery write to each other, read from threads.toml. `mailing` makes messages of it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message of a thread. `days` before today, `at` office time. `to` and `cc` are keys of `people.ADDRESS_OF`.

    `html` is the inside of a body; beside it stands `text` as the alternative. `attached` and `inline` are names of
    `mailing.FILES`. `unread` and `flagged` are of all recipients; `filed` is the folder where they keep it. `receipt`
    asks for a read receipt.
    """

    author: str
    to: tuple[str, ...]
    days: int
    at: str
    text: str
    cc: tuple[str, ...] = ()
    html: str = ""
    charset: str = "utf-8"
    attached: tuple[str, ...] = ()
    inline: str = ""
    unread: bool = False
    flagged: bool = False
    important: bool = False
    categories: tuple[str, ...] = ()
    filed: str = ""
    receipt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    subject: str
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A short message among colleagues, of no particular day."""

    author: str
    to: tuple[str, ...]
    subject: str
    text: str


def threads() -> tuple[Thread, ...]:
    return tuple(
        Thread(subject=raw["subject"], said=tuple(Said(**_tuples(said)) for said in raw["said"]))
        for raw in _tables()["thread"]
    )


def chatter() -> tuple[Chat, ...]:
    return tuple(Chat(**_tuples(raw)) for raw in _tables()["chatter"])


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(files("eas.demo").joinpath("threads.toml").read_text(encoding="utf-8"))


def _tuples(raw: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()}
