"""Passwords: argon2 hashes, and verdicts remembered for minutes under a keyed digest.

A hash takes tens of milliseconds of one core and 19 MiB; it is computed in a thread, and few at a time. What is
remembered is the HMAC of what was asked, under a key that lives in this process alone; the password is nowhere.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

#: 19 MiB, two passes, one lane: OWASP's choice for small machines.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

#: How long a verdict counts. A changed password works at once (its hash is part of what is asked); a disabled user
#: does not get in whatever is remembered, since that is looked at each time.
REMEMBER_SECONDS = 300.0

#: Verdicts kept: 32 octets each.
MAX_REMEMBERED = 20_000

#: Hashes at a time: more would only share the cores, and hold 19 MiB each.
AT_ONCE = 4


def hash_password(password: str) -> str:
    """Takes tens of milliseconds: not for the event loop."""
    return _HASHER.hash(password)


@cache
def nobody() -> str:
    """Verified against where there is no such user, so that the answer takes as long."""
    return hash_password(secrets.token_hex(16))


class Passwords:
    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._key = secrets.token_bytes(32)
        self._good: OrderedDict[bytes, float] = OrderedDict()
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Whether it is the password of a hash; None or "" (there is no such user, or no password) never is, but takes
        as long."""
        known = hashed or ""
        # Length first, so that no other pair of hash and password runs together to the same octets.
        asked = f"{len(known)} {known}{password}".encode("utf-8", "surrogatepass")
        mark = hmac.digest(self._key, asked, "sha256")
        if self._remembered(mark):
            return True
        async with self._at_once:
            good = await asyncio.to_thread(_matches, known, password)
        if good:
            self._good[mark] = self._monotonic() + REMEMBER_SECONDS
            while len(self._good) > MAX_REMEMBERED:
                self._good.popitem(last=False)
        return good

    def _remembered(self, mark: bytes) -> bool:
        until = self._good.get(mark)
        if until is None:
            return False
        if self._monotonic() >= until:
            del self._good[mark]
            return False
        return True


def _matches(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed or nobody(), password.encode("utf-8", "surrogatepass")) and bool(hashed)
    except (VerificationError, InvalidHashError):
        return False
