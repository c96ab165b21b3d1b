"""Sending some items again to a device that holds them, under whatever keys are in play.

For items that had arrived degraded, when the program can do better; and for an admin who wants one item repeated. The
device is taken not to hold them: they come as an Add, which a device treats as a Change of an item that it has
([MS-ASCMD] Add (Sync)).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from eas.items.native import ItemId

from .errors import Contended
from .keys import Head, Held
from .known import dump_generation, load_generation
from .ports import Owner, StateStore, Step

#: How often it is tried when requests of the device move the state meanwhile.
ATTEMPTS = 6


async def send_again(store: StateStore, owner: Owner, ids: Collection[ItemId]) -> bool:
    """True if the device will get them; False if it does not synchronise the collection. Raises Contended."""
    for _ in range(ATTEMPTS):
        held = await store.load(owner)
        if held is None or not held.heads:
            return False
        generations = {head.key: await _with(store, owner, head, ids) for head in held.heads}
        if await store.commit(owner, held.row, Step(held=_pending(held), generations=generations)):
            return True
    raise Contended(f"collection {owner.collection_id}")


async def after_upgrade(store: StateStore, release: str) -> int:
    """Send again what went out degraded because another release of the program could not convert it; how many items.

    What this one cannot convert either is listed anew when it goes out."""
    waiting: dict[Owner, list[ItemId]] = {}
    for found in await store.degraded():
        if found.release != release:
            waiting.setdefault(found.owner, []).append(found.id)
    for owner, ids in waiting.items():
        await send_again(store, owner, ids)
        await store.drop_degraded(owner, ids)
    return sum(map(len, waiting.values()))


async def _with(store: StateStore, owner: Owner, head: Head, ids: Collection[ItemId]) -> bytes:
    body = await store.body(owner, head.key, head.base, head.listing)
    known, pending, answers = load_generation(body.base, body.listing, head.cursor, body.generation)
    known = known.edited(dict.fromkeys(id for id in ids if known.version(id) is not None))
    return dump_generation(known, pending.with_news(ids, ()), answers)


def _pending(held: Held) -> Held:
    def waits(head: Head) -> Head:
        return replace(head, pending=True)

    return replace(
        held, proven=waits(held.proven) if held.proven else None, issued=tuple(map(waits, held.issued))
    )
