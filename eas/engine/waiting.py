"""Waiting for news: what Ping and a hanging Sync have in common.

Subscribe, then probe, then wait: a change between the probe and the wait is not missed. A ring only says where to look;
whether there is news is the engine's decision. While it waits a device holds a subscription and nothing else.

docs/design.md section 4.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import structlog

from .collection import has_news, open_folders
from .errors import CollectionGone, Contended, FolderGone, Unavailable
from .heartbeat import counts, grant, learn
from .hierarchy import ROOT, is_stale
from .model import CollectionId, Device
from .partnership import revise
from .session import Session

log = structlog.get_logger("eas.waiting")

#: What could not be looked at, its server being away, is looked at again after so long. The device waits on: if it were
#: answered it would come again at once.
AWAY_SECONDS = 10.0
#: So long after a token or a password has come to its end the wait of who came in with it is answered.
AFTER_SECONDS = 1.0


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
    waited = await _wait(session, collections, timeout_seconds)
    await _learn(session, waited)
    return waited


async def granted(session: Session, asked: int, unit: int = 1) -> tuple[int, int | None]:
    """For how many seconds a device is let wait that asked for `asked` times `unit` seconds; or, in that unit, what it
    may ask for at most, which it is to be told. Raises Contended, Unavailable."""
    family, bound = session.heartbeat, session.device.wait_bound
    limit = max(1, bound.seconds // unit) if bound is not None else 0
    found = grant(asked * unit, bound, session.clock.now(), tell=family.tell and limit < asked)
    if found.told is None:
        return min(found.seconds, family.longest or found.seconds), None
    told = found.told
    await revise(
        session.store, session.device,
        lambda device: replace(device, wait_bound=told) if device.wait_bound == bound else device, lasting=False,
    )
    log.info("a shorter heartbeat is asked for", seconds=found.seconds, asked=asked * unit)
    return found.seconds, limit


def longest(session: Session) -> int:
    """The longest heartbeat in seconds that the device may ask for."""
    most, bound = session.limits.heartbeat_max_seconds, session.device.wait_bound
    return min(most, bound.seconds) if bound is not None and counts(bound, session.clock.now()) else most


async def _wait(session: Session, collections: Collection[CollectionId], timeout_seconds: float) -> Waited:
    listening = session.bell.listen(session.user.id, session.device.id, (ROOT, *collections))
    deadline = session.clock.monotonic() + min(timeout_seconds, _admitted_for(session))
    look: frozenset[CollectionId] = frozenset((ROOT, *collections))
    begun = False
    try:
        await listening.armed()
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


def _admitted_for(session: Session) -> float:
    """For how many seconds the device is let in with what it came in with. The wait is answered just after that, as if
    its time were up: the next request is refused, so the device fetches a new token and waits with it. Were it answered
    before, the device would come again and again with the old one."""
    return max(0.0, session.user.until - session.clock.now().timestamp()) + AFTER_SECONDS


async def _learn(session: Session, waited: Waited) -> None:
    """Note what the wait has shown of the way to the device. One that a newer request ended has shown nothing."""
    cut = session.gone()
    if session.began is None or (waited.ended and not cut):
        return
    user, device, now = session.user.id, session.device.id, session.clock.now()
    lasted, before = session.clock.monotonic() - session.began, session.cuts.of(session.user.id, session.device.id)
    if not cut and not before and session.device.wait_bound is None:
        return

    def judged(found: Device) -> Device:
        low = session.limits.heartbeat_min_seconds
        after, bound = learn(before, found.wait_bound, lasted, cut=cut, low=low, now=now)
        session.cuts.put(user, device, after)
        return replace(found, wait_bound=bound)

    try:
        stored = await revise(session.store, session.device, judged, lasting=False)
    except (Contended, Unavailable) as error:
        log.info("what a wait has shown was not noted", reason=str(error))
        return
    bound = stored.wait_bound
    if bound != session.device.wait_bound:
        held = bound.seconds if bound is not None and counts(bound, now) else None
        log.info("what the way to a device holds has changed", seconds=held, lasted=round(lasted, 1), cut=cut)


async def _probe(session: Session, collections: Collection[CollectionId], hierarchy: bool) -> Waited:
    """What the device holds and how the folders stand is read for all collections at once."""
    asked = (ROOT, *collections) if hierarchy else collections
    held = await session.store.load_several(session.user.id, session.device.id, asked)
    if hierarchy and await is_stale(session, held.get(ROOT)):
        return Waited(hierarchy=True)
    try:
        folders = await open_folders(session, collections)
        if len(collections) > 1:
            await session.mailbox.foresee(collections)
        return Waited(changed=tuple([
            id for id in collections if await has_news(session, id, folders.get(id), held.get(id))
        ]))
    except (CollectionGone, FolderGone):
        return Waited(hierarchy=True)
