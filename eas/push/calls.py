"""What one node says to others: look there, end that wait. Who waits where is asked of Redis first (`.presence`)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from time import monotonic

from eas.engine.model import CollectionId

from .link import Link, Message
from .presence import Presence, Wait
from .redis import Away

#: Messages that are said at once: some ten thousand octets.
TOGETHER = 300

#: What is to be said, by node.
Letters = dict[str, list[Message]]


class Calls:
    """What cannot be said is given back, to be said when Redis is there again."""

    def __init__(self, link: Link, presence: Presence) -> None:
        self._link, self._presence = link, presence

    async def ring(
        self, rings: Mapping[str, Collection[CollectionId]], seen_at: Mapping[str, float]
    ) -> dict[str, Collection[CollectionId]]:
        """By user, on all other nodes where devices of theirs wait. What is said of the time is how long ago it was:
        the clocks of two nodes may differ."""
        users = list(rings)
        found = await asyncio.gather(*(self._nodes(user) for user in users))
        unsaid = {user: rings[user] for user, nodes in zip(users, found, strict=True) if nodes is None}
        letters: Letters = {}
        now = monotonic()
        for user, nodes in zip(users, found, strict=True):
            age = round(now - seen_at.get(user, now), 4)
            for node in nodes or ():
                if node != self._link.node:
                    letters.setdefault(node, []).append(("ring", user, sorted(rings[user]), age))
        for _, user, collections, _ in await self.send(letters):
            unsaid[user] = collections
        return unsaid

    async def end(self, devices: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """The waits of these (user, device), wherever else they are."""
        names = list(devices)
        found = await asyncio.gather(*(self._wait_of(*name) for name in names), return_exceptions=True)
        letters: Letters = {}
        unsaid: set[tuple[str, str]] = set()
        for name, wait in zip(names, found, strict=True):
            if isinstance(wait, Wait) and wait.node != self._link.node:
                letters.setdefault(wait.node, []).append(("end", *name, wait.number))
            elif isinstance(wait, Away):
                unsaid.add(name)
            elif isinstance(wait, BaseException):
                raise wait
        return unsaid | {(user, device) for _, user, device, _ in await self.send(letters)}

    async def send(self, letters: Mapping[str, Sequence[Message]]) -> list[Message]:
        """What could not be said. What Redis knows of a node that listens no more is removed."""
        parts = [(node, part) for node, messages in letters.items() for part in _parts(messages)]
        said = await asyncio.gather(*(self._say(node, part) for node, part in parts))
        return [message for one in said for message in one]

    async def _say(self, node: str, messages: Sequence[Message]) -> Sequence[Message]:
        try:
            heard = await self._link.tell(node, messages)
        except Away:
            return messages
        if not heard:
            for user in {message[1] for message in messages if len(message) > 1}:
                self._presence.purge(user, node)
        return ()

    async def _nodes(self, user_id: str) -> list[str] | None:
        try:
            return await self._presence.nodes(user_id)
        except Away:
            return None

    async def _wait_of(self, user_id: str, device_id: str) -> Wait | None:
        return await self._presence.wait_of(user_id, device_id)


def _parts(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    for at in range(0, len(messages), TOGETHER):
        yield messages[at : at + TOGETHER]
