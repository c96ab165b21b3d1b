"""A partnership as another server keeps it, and what could not be read of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from eas.engine.model import Wipe
from eas.protocol.version import Version

#: Characters of any text that is taken over; device types and agents of real phones are far shorter.
MAX_TEXT = 1024
#: The range of a policy key: 32 bits without a sign, 0 says that there is none. [MS-ASHTTP] Policy Key
_MAX_KEY = 0xFFFFFFFF
#: Moments before it (unset fields) and after it are taken for none.
_FIRST_SECOND, _LAST_SECOND = 946_684_800, 4_102_444_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What another server keeps of one device of one user; what it does not keep is left as it is here. `names` are the
    forms of the user's name, the most telling first; `escaped` says that it is the end of a table's name. `notes` say
    what is there and was not taken over."""

    names: tuple[str, ...]
    device: str
    type: str = ""
    agent: str = ""
    version: str = ""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    policy_key: str = ""
    wipe: Wipe = Wipe.NONE
    wipe_at: datetime | None = None
    wipe_account_only: bool = False
    blocked: bool = False
    information: Mapping[str, str] = field(default_factory=dict)
    escaped: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All of one state, and what in it could not be read, a line each."""

    found: Sequence[Found]
    faults: Sequence[str] = ()


def text_of(value: object) -> str:
    """A text of PHP or of a database (octets, maybe in a character set of long ago), a number as text, else ""."""
    if isinstance(value, bytes):
        shown = value[: MAX_TEXT * 4].decode("utf-8", "replace")
    elif isinstance(value, str):
        shown = value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        shown = str(value)
    else:
        return ""
    return "".join(character for character in shown if character.isprintable()).strip()[:MAX_TEXT]


def number_of(value: object) -> int | None:
    """A whole number, also as text; None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return value
    text = text_of(value)
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) < 20 else None


def moment_of(value: object) -> datetime | None:
    """Seconds since 1970 as a moment; None for 0 and for what is no time of a phone."""
    seconds = number_of(value)
    if seconds is None or not _FIRST_SECOND <= seconds <= _LAST_SECOND:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def key_of(value: object) -> str:
    """A policy key, "" for none."""
    key = number_of(value)
    return str(key) if key is not None and 0 < key <= _MAX_KEY else ""


def version_of(value: object) -> str:
    """A version of the protocol that there is, else ""."""
    text = text_of(value)
    return text if any(version.text == text for version in Version) else ""


def earliest(*moments: datetime | None) -> datetime | None:
    return min((one for one in moments if one is not None), default=None)


def latest(*moments: datetime | None) -> datetime | None:
    return max((one for one in moments if one is not None), default=None)
