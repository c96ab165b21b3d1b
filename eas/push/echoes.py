"""Rings shortly after Redis was away. Who waits where does not all stand there again yet, so they are said to every
node, at each beat until it does: a node that comes back a beat later hears them as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from time import monotonic

from eas.engine.model import CollectionId

from .calls import Letters
from .link import Link

#: How such a ring begins, for a node where somebody waits for it.
ECHO = "echo"


class Echoes:
    """`link.sure` says when there is no need for them any more."""

    def __init__(self, link: Link) -> None:
        self._link = link
        #: By user: what was rung, and when the first of it was seen (monotonic).
        self._rings: dict[str, tuple[set[CollectionId], float]] = {}

    def keep(self, rings: Mapping[str, Collection[CollectionId]], seen_at: Mapping[str, float]) -> None:
        """What has just been rung at those of whom it is known that they wait."""
        if self._link.sure:
            return
        now = monotonic()
        for user_id, collections in rings.items():
            heard, at = self._rings.get(user_id, (set[CollectionId](), seen_at.get(user_id, now)))
            self._rings[user_id] = heard.union(collections), at

    def letters(self) -> Letters:
        """At a beat."""
        now = monotonic()
        said = [
            (ECHO, user_id, sorted(collections), round(now - at, 4))
            for user_id, (collections, at) in self._rings.items()
        ]
        if self._link.sure:
            self._rings.clear()
        others = self._link.live - {self._link.node}
        return {node: list(said) for node in others} if said else {}
