"""Mending what a device holds, asked for by an admin; under whatever keys are in play, and seen by a held wait at once.

`begin_anew`: the device's key is not known any more. At its next request it is told so (Status 3, of the list of
folders 9), drops what it has and begins with key 0, as it does by itself when its state was lost: nothing comes twice.
What it has sent and not heard the end of is found again by its intents, which stay.

`look_again`: the device goes on with its key. All is listed anew and compared with what it is known to hold, and only
what differs is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .errors import Contended
from .keys import Head, Held, LostTime
from .ports import Owner, StateStore, Step

#: How often it is tried when requests of the device move the state meanwhile.
ATTEMPTS = 6
#: The parent of what was made up: no key is spelled so.
MADE_UP = "?"


async def begin_anew(store: StateStore, owner: Owner, key: str) -> bool:
    """False if the device holds nothing of it. `key` is a new one, which nobody is told. Raises Contended."""
    # A state of which some time is lost is news to whoever waits, until a key is named that is known; of this one
    # nothing is known, and there is nothing from which it could be repaired.
    head, nothing = Head(key=key, parent=MADE_UP, pending=True), LostTime(after=0, before=0)
    return await _change(store, owner, lambda held: Held(row=held.row, issued=(head,), lost=nothing))


async def look_again(store: StateStore, owner: Owner) -> bool:
    """False if the device holds nothing of it. Raises Contended."""

    def anew(head: Head) -> Head:
        return replace(head, token="", doubt="")

    return await _change(store, owner, lambda held: replace(
        held, proven=anew(held.proven) if held.proven else None, issued=tuple(map(anew, held.issued))
    ))


async def _change(store: StateStore, owner: Owner, change: Callable[[Held], Held]) -> bool:
    for _ in range(ATTEMPTS):
        held = await store.load(owner)
        if held is None or not held.heads:
            return False
        if await store.commit(owner, held.row, Step(held=change(held))):
            return True
    raise Contended(f"collection {owner.collection_id}")
