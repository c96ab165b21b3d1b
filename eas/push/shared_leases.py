"""Leases of a site of several processes: the lock of this process first, then a key in Redis.

A key lives for some seconds and is renewed at each beat of the link while its holder works; it is let go of without
waiting. Who does not get it in a while works all the same, as does everybody while Redis is away: nothing relies on a
lease, truth is the compare-and-swap of the state store. A holder that slept for longer than its key lived, and wakes,
finds there that it is too late.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from eas import measures

from .leases import LocalLeases
from .link import Link
from .redis import Away

#: So long a key lives without being renewed: some beats of the link.
LEASE_SECONDS = 10.0
#: So long somebody else's work is waited for.
WAIT_SECONDS = 5.0
#: Between two tries: the first, and the longest.
RETRY_SECONDS = (0.01, 0.2)

#: All or none, so that no two wait for each other.
TAKE = """
for _, key in ipairs(KEYS) do
  local holder = redis.call('GET', key)
  if holder and holder ~= ARGV[1] then return 0 end
end
for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
return 1
"""

RENEW = """
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('PEXPIRE', key, ARGV[2]) end
end
"""

LET_GO = """
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
"""


class SharedLeases:
    """`conflicts`: how often another process had one; `given_up`: how often it was not waited for any longer."""

    def __init__(self, link: Link, rng: random.Random | None = None) -> None:
        self.conflicts, self.given_up = 0, 0
        self.lease_seconds, self.wait_seconds = LEASE_SECONDS, WAIT_SECONDS
        self._link, self._random = link, rng or random.Random()
        self._local = LocalLeases()
        #: By token: the keys, and since when.
        self._held: dict[str, tuple[list[str], float]] = {}
        link.beat.append(self._renew)

    @property
    def names(self) -> frozenset[str]:
        """Those that are held, or waited for, in this process now."""
        return self._local.names

    @asynccontextmanager
    async def hold(self, names: Collection[str]) -> AsyncIterator[None]:
        async with self._local.hold(names):
            tokens: list[str] = []
            try:
                for keys in self._together(names):
                    if token := await self._take(keys):
                        tokens.append(token)
                yield
            finally:
                for token in tokens:
                    keys, _ = self._held.pop(token)
                    self._link.run_later(LET_GO, keys, token)

    def _together(self, names: Collection[str]) -> list[list[str]]:
        """The keys of each user, who comes first in a name, since they are on one server; in one order for all."""
        by_user: dict[str, list[str]] = {}
        for name in sorted(set(names)):
            user, slash, rest = name.partition("/")
            by_user.setdefault(user, []).append(self._link.key("lease", user, slash + rest))
        return list(by_user.values())

    async def _take(self, keys: list[str]) -> str:
        """A token; "" if these keys are not held."""
        token, loop = f"{self._link.node} {secrets.token_hex(8)}", asyncio.get_running_loop()
        began, (pause, longest) = loop.time(), RETRY_SECONDS
        try:
            while not await self._link.run(TAKE, keys, token, self._milliseconds):
                if pause == RETRY_SECONDS[0]:
                    self.conflicts += 1
                if loop.time() - began > self.wait_seconds:
                    self.given_up += 1
                    measures.LEASES_GIVEN_UP[()].inc()
                    return ""
                await asyncio.sleep(pause * (0.5 + self._random.random()))
                pause = min(2 * pause, longest)
        except Away:
            return ""
        except asyncio.CancelledError:
            self._link.run_later(LET_GO, keys, token)
            raise
        if pause > RETRY_SECONDS[0]:
            measures.LEASE_SECONDS["elsewhere"].observe(loop.time() - began)
        self._held[token] = keys, loop.time()
        return token

    @property
    def _milliseconds(self) -> int:
        return int(self.lease_seconds * 1000)

    def _renew(self) -> None:
        """Most are let go of before they are ever renewed."""
        now = asyncio.get_running_loop().time()
        for token, (keys, since) in self._held.items():
            if now - since > 1.0:
                self._link.run_later(RENEW, keys, token, self._milliseconds)
