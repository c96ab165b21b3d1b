"""What is remembered of logins: the rules, and what the processes of a site know together. Times are in seconds.

Counted are *different* wrong passwords, by login and by address; see eas.server.throttle.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv6Network
from typing import Protocol

#: Different wrong passwords that are free: for a login (people mistype), for an address (offices share one).
FREE_BY_LOGIN, FREE_BY_ADDRESS = 10, 50
#: The first wait; each further wrong password doubles it, up to the longest.
FIRST_WAIT, LONGEST_WAIT = 2.0, 900.0
#: After so long wrong passwords are forgotten, and right ones.
FORGET_WRONG, FORGET_RIGHT = 3600.0, 12 * 3600.0
#: For so long a wrong password is refused without asking the backend again.
KNOWN_WRONG = 30.0


class TokenRefused(Exception):
    """A token that lets nobody in. `over`: it did once, so the device is to fetch a new one, and nobody is guessing."""

    def __init__(self, text: str, *, over: bool = False) -> None:
        super().__init__(text)
        self.over = over


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Whom a token names, as a login, and until when (epoch seconds) it lets them in."""

    login: str
    until: float


class NoEntrance(Exception):
    """Somebody has been recognised, but the groupware's servers take nothing but the password of the mailbox. The text
    names the servers."""


class Standing(Enum):
    """What is known of a login and a password before anybody is asked. OPEN: nothing, and it may be tried."""

    RIGHT = "right"
    WRONG = "wrong"
    WAIT = "wait"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Trial:
    """One login as it is tried. `seconds` to wait, for WAIT. `marks` are for the memory alone."""

    standing: Standing
    seconds: float = 0.0
    marks: tuple[str, ...] = field(default=(), repr=False)


class LoginMemory(Protocol):
    """What all processes of a site know of logins. It may be away, which is no reason to refuse anybody."""

    async def begin(self, login: str, password: str, address: str) -> Trial | None:
        """None if it is away. An OPEN one counts as wrong until `end`, so that many at once do not slip through."""
        ...

    def end(self, trial: Trial, right: bool | None) -> None:
        """None: nothing became known of the password, and it does not count."""
        ...

    def note(self, login: str, password: str, right: bool) -> None:
        """What was known to be right has proved to be so again, or not to be any longer."""
        ...


class Verdicts(Protocol):
    """What the servers of the groupware have said of credentials, to whichever process asked."""

    async def known(self, credentials: str) -> tuple[str, float] | None:
        """The id of the user whom they are right for, and for how long that counts; None if nothing is known."""
        ...

    async def put(self, credentials: str, user_id: str, seconds: float) -> None: ...

    def forget(self, user_id: str) -> None:
        """A server has refused what was right: whatever is known of this user ends, everywhere."""
        ...


def network_of(address: str) -> str:
    """What an address counts as: an IPv6 one with its /64, which is what one subscriber has."""
    if ":" not in address:
        return address
    try:
        return str(IPv6Network((address.partition("%")[0], 64), strict=False).network_address)
    except ValueError:
        return address
