"""Items that are moved, and what a device is then taken to hold of them.

Most devices take the Add that the next Sync of the destination brings. Those with Quirk.HOLDS_WHAT_IT_MOVED have the
item under the id that MoveItems answered, and show it twice after an Add: for them it is written into the state of the
destination as if the Add had been sent. Then it is looked at like any other item: what differs from what the device had
goes out as a Change, and what is gone, moved on or outside the filter as a Delete or SoftDelete.

[MS-ASCMD] MoveItems; docs/decisions/041-what-outlook-moved.md
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace

import structlog

from eas.items.native import ItemId

from .ids import server_id
from .keys import ZERO
from .known import dump_generation
from .model import CollectionId, Folder
from .ports import Chosen, Intent, Owner, Step
from .quirks import Quirk
from .render import DOUBTED, digest_part, unlike, version_part
from .repair import Generation, loaded
from .session import Session

log = structlog.get_logger("eas.moves")

#: How often it is tried again when a Sync of the destination moves the state meanwhile.
ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class Moved:
    """`id` is that in the destination. `again`: the move had been done for an earlier request."""

    id: ItemId
    again: bool


async def move_item(session: Session, folder: Folder, id: ItemId, to: Folder) -> Moved:
    """Move one item; after a crash, or when the same move is asked for again, the same destination id.

    Raises ItemGone, FolderGone, NotAllowed, NoSpace.
    """
    owner, named = _owner(session, folder.id), server_id(folder.id, id)
    chosen = Chosen(name=session.entropy.key(), note=await session.mailbox.feed(to).mark())
    intent = await session.store.intend(
        owner, Intent(verb="Move", client_id="", server_id=named, digest=to.id, chosen=chosen)
    )
    if intent.result:
        return Moved(int(intent.result), again=True)
    written = await session.mailbox.feed(folder).move(id, to.id, intent.chosen)
    await session.store.settle(owner, intent, str(written.id))
    return Moved(written.id, again=False)


@dataclass(frozen=True, slots=True)
class Brought:
    """An item that a device moved. `version`: what it had of it, as in `Known`. Not `sure`: the destination may have
    told it of the item before it heard of the move, and then it has passed that over."""

    version: str
    sure: bool


class Moves:
    """The moves of one request of a device, which hears the new ids with the answer."""

    def __init__(self, session: Session) -> None:
        self._session, self._notes = session, Quirk.HOLDS_WHAT_IT_MOVED in session.quirks
        self._before: dict[CollectionId, list[Generation]] = {}
        self._brought: dict[CollectionId, dict[ItemId, Brought]] = {}

    def hold(self, destinations: Collection[CollectionId]) -> AbstractAsyncContextManager[None]:
        """Keeps a Sync of these from coming between the moves and what is noted of them, as far as leases reach: the
        moves themselves wake one that waits for news."""
        if not self._notes:
            return nullcontext()
        return self._session.leases.hold([lease_of(self._session, id) for id in destinations])

    async def move(self, folder: Folder, id: ItemId, to: Folder) -> ItemId:
        """Raises as `move_item`."""
        if not self._notes:
            return (await move_item(self._session, folder, id, to)).id
        if folder.id not in self._before:
            self._before[folder.id] = await _generations(self._session, _owner(self._session, folder.id))
        version = had(self._before[folder.id], id)
        moved = await move_item(self._session, folder, id, to)
        brought = Brought(version, sure=not moved.again)
        self._brought.setdefault(to.id, {}).setdefault(moved.id, brought)
        return moved.id

    async def note(self) -> None:
        """To be done before the answer goes. Raises Unavailable: then the device asks again, and it is done then."""
        for destination, items in self._brought.items():
            await _take_as_held(self._session, _owner(self._session, destination), items)


def had(generations: Sequence[Generation], id: ItemId) -> str:
    """What a device had of an item that it names, as in `Known`, whichever generation it holds. Where that makes a
    difference, or none knows the item, it is to hear of it again. Pure."""
    versions = [version for g in generations if (version := g.known.version(id)) is not None]
    if len(set(versions)) == 1 and digest_part(versions[0]) != DOUBTED:
        return versions[0]
    return heard_again(versions[-1] if versions else "")


def heard_again(version: str) -> str:
    return unlike(version_part(version) or "?")


def taken(generation: Generation, items: Mapping[ItemId, Brought]) -> Generation:
    """The generation with the items as held, and to be looked at. Pure.

    What it has still to look at comes with that: a device that asks for a move again may have begun the folder anew
    since. What it knows already it knows, but for a device that may have passed it over."""
    known, pending, new = generation.known, generation.pending, dict[ItemId, str]()
    for id, brought in items.items():
        version = known.version(id)
        if version is not None and not brought.sure:
            new[id] = heard_again(version)
        elif version is None and id not in pending:
            new[id] = brought.version if brought.sure else heard_again(brought.version)
    if not new:
        return generation
    head = generation.head
    return replace(
        generation, head=replace(head, pending=True, top=max(head.top, *new) if head.top or head.parent == ZERO else 0),
        known=known.edited(new), pending=pending.with_news(new, ()),
    )


async def _take_as_held(session: Session, owner: Owner, items: Mapping[ItemId, Brought]) -> None:
    """In every generation that the device may go on from. An answer to key 0 that was not used yet is none of these: a
    folder that is begun brings all there is. One that was used stays the device's key while the folder is empty."""
    for _ in range(ATTEMPTS):
        held = await session.store.load(owner)
        if held is None:
            return
        changed = dict[str, Generation]()
        for head in held.heads:
            if head.parent == ZERO and not head.token and not head.top:
                continue
            before = await loaded(session, owner, head)
            if (after := taken(before, items)) is not before:
                changed[head.key] = after
        if not changed:
            return
        heads = {head.key: head for head in held.heads} | {key: after.head for key, after in changed.items()}
        step = Step(
            held=replace(
                held, proven=heads[held.proven.key] if held.proven else None,
                issued=tuple(heads[head.key] for head in held.issued),
            ),
            generations={key: dump_generation(g.known, g.pending, g.answers) for key, g in changed.items()},
        )
        if await session.store.commit(owner, held.row, step):
            return
    log.info("what a device moved comes to it as new", collection=owner.collection_id, items=len(items))


async def _generations(session: Session, owner: Owner) -> list[Generation]:
    held = await session.store.load(owner)
    return [await loaded(session, owner, head) for head in (held.heads if held is not None else ())]


def _owner(session: Session, collection_id: CollectionId) -> Owner:
    return Owner(user_id=session.user.id, device_id=session.device.id, collection_id=collection_id)


def lease_of(session: Session, collection_id: CollectionId) -> str:
    """Under what name a device's work on a collection is leased."""
    return f"{session.user.id}/{session.device.id}/{collection_id}"
