"""Waiting for news: what Ping and a hanging Sync have in common.

Subscribe, then probe, then wait: a change between the probe and the wait is not missed. A ring only says where to look;
whether there is news is the engine's decision. While it waits a device holds a subscription and nothing else.

docs/design.md section 4.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from .collection import has_news
from .errors import CollectionGone, FolderGone, Unavailable
from .hierarchy import ROOT, is_stale
from .model import CollectionId
from .session import Session

#: What could not be looked at, its server being away, is looked at again after so long. The device waits on: if it were
#: answered it would come again at once.
AWAY_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """`changed`: the collections with news. `hierarchy`: the folders have changed. `ended`: a newer request of the
    device took over, or the server stops. All empty: the time is up."""

    changed: tuple[CollectionId, ...] = ()
    hierarchy: bool = False
    ended: bool = False


async def wait_for_news(
    session: Session, collections: Collection[CollectionId], timeout_seconds: float
) -> Waited:
    """Raises Unavailable if it cannot be told how things stand at first; later that is waited for as well."""
    listening = session.bell.listen(session.user.id, session.device.id, (ROOT, *collections))
    deadline = session.clock.monotonic() + timeout_seconds
    look: frozenset[CollectionId] = frozenset((ROOT, *collections))
    begun = False
    try:
        while True:
            try:
                found, look = await _probe(session, [id for id in collections if id in look], ROOT in look), frozenset()
                begun = True
            except Unavailable:
                if not begun:
                    raise
                found = Waited()
            left = deadline - session.clock.monotonic()
            if found.changed or found.hierarchy or left <= 0:
                return found
            look |= await listening.wait(min(left, AWAY_SECONDS) if look else left)
            if listening.ended:
                return Waited(ended=True)
            if not look:
                return Waited()
    finally:
        listening.close()


async def _probe(session: Session, collections: Collection[CollectionId], hierarchy: bool) -> Waited:
    if hierarchy and await is_stale(session):
        return Waited(hierarchy=True)
    try:
        if len(collections) > 1:
            await session.mailbox.foresee(collections)
        return Waited(changed=tuple([id for id in collections if await has_news(session, id)]))
    except (CollectionGone, FolderGone):
        return Waited(hierarchy=True)
