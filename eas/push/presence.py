"""Who waits where, and who watches: in Redis, one hash a user.

A field for each device that waits, `d` and its id: the node that holds the wait, the wait's number there, and what it
waits for. One field more, `watch`: the node that watches the user's mailboxes for all devices. It counts while that
node lives (`.link`), so that nobody renews anything for a user. The hash outlives the longest wait, and is gone then.

All of one user lies on one server, also in a cluster. Every method raises Away, if not told otherwise.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from eas.engine.model import CollectionId

from .link import Link

#: A wait says who holds it (node and number) before what it is for; so a script can tell whose it is.
_OF = """
local function of(value) return string.match(value, '^(%S+) (%d+) ') end
"""

ENTER = """
local before = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local watch = redis.call('HGET', KEYS[1], 'watch')
if not watch and ARGV[5] == '1' then
  redis.call('HSET', KEYS[1], 'watch', ARGV[4])
  watch = ARGV[4]
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {before or '', watch or ''}
"""

LEAVE = """
local value = redis.call('HGET', KEYS[1], ARGV[1])
if value and string.sub(value, 1, string.len(ARGV[2])) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
"""

NODES = _OF + """
local nodes, seen = {}, {}
for _, value in ipairs(redis.call('HVALS', KEYS[1])) do
  local node = of(value)
  if node and not seen[node] then seen[node] = true; table.insert(nodes, node) end
end
return nodes
"""

CLAIM = """
local watch = redis.call('HGET', KEYS[1], 'watch')
if not watch or watch == ARGV[2] then
  redis.call('HSET', KEYS[1], 'watch', ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  watch = ARGV[1]
end
return watch
"""

RELEASE = """
if redis.call('HGET', KEYS[1], 'watch') == ARGV[1] then redis.call('HDEL', KEYS[1], 'watch') end
""" + NODES

#: Of a node that listens no more, or that says that it does not know these waits.
PURGE = _OF + """
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i + 1] == ARGV[1] or of(all[i + 1]) == ARGV[1] then redis.call('HDEL', KEYS[1], all[i]) end
end
"""


@dataclass(frozen=True, slots=True)
class Wait:
    node: str
    number: int
    collections: tuple[CollectionId, ...] = ()


class Presence:
    def __init__(self, link: Link, longest_wait_seconds: float) -> None:
        """An entry lives for two minutes more than the longest wait."""
        self._link = link
        self._lifetime = int((longest_wait_seconds + 120) * 1000)

    def key(self, user_id: str) -> str:
        return self._link.key("waits", user_id)

    async def enter(
        self, user_id: str, device_id: str, wait: Wait, *, watches: bool
    ) -> tuple[Wait | None, str]:
        """Write a wait down; if it `watches`, its node is to watch the user unless another one does. Gives the wait of
        this device that stood there, and the node that watches ("": none)."""
        value = f"{wait.node} {wait.number} {json.dumps(wait.collections, separators=(',', ':'))}"
        before, watch = await self._link.run(
            ENTER, [self.key(user_id)], f"d{device_id}", value, self._lifetime, wait.node, int(watches)
        )
        return _wait(before), watch

    def leave(self, user_id: str, device_id: str, wait: Wait) -> None:
        """Unless a newer one has taken its place. Not waited for."""
        self._link.run_later(LEAVE, [self.key(user_id)], f"d{device_id}", f"{wait.node} {wait.number} ")

    async def nodes(self, user_id: str) -> list[str]:
        """Where devices of the user wait."""
        found: list[str] = await self._link.run(NODES, [self.key(user_id)])
        return found

    async def waits(self, user_id: str) -> list[Wait]:
        values = await self._link.ask(self.key(user_id), "HVALS", self.key(user_id))
        return [wait for value in values if (wait := _wait(value)) is not None]

    async def wait_of(self, user_id: str, device_id: str) -> Wait | None:
        return _wait(await self._link.ask(self.key(user_id), "HGET", self.key(user_id), f"d{device_id}"))

    async def claim(self, user_id: str, dead: str) -> str:
        """Watch the user, if nobody does or this dead node does; who watches then."""
        found: str = await self._link.run(CLAIM, [self.key(user_id)], self._link.node, dead, self._lifetime)
        return found

    async def release(self, user_id: str) -> list[str]:
        """Watch no more; where devices of the user wait."""
        found: list[str] = await self._link.run(RELEASE, [self.key(user_id)], self._link.node)
        return found

    def purge(self, user_id: str, node: str) -> None:
        """All that is said of a node. Not waited for."""
        self._link.run_later(PURGE, [self.key(user_id)], node)


def _wait(value: str | None) -> Wait | None:
    """None for what is no wait: the name of the node that watches, nothing, or another release's."""
    node, _, rest = (value or "").partition(" ")
    number, _, collections = rest.partition(" ")
    if not number.isdigit():
        return None
    try:
        return Wait(node, int(number), tuple(str(id) for id in json.loads(collections)))
    except (ValueError, TypeError):
        return None
