"""A device whose key is newer than the state: an older backup was put back, and what happened since is forgotten.

The device goes on. What it holds is what the state says, but for what may have happened in the lost time; its key tells
how far that reached (`keys.Hint`). Each item is one of three:

    sure      nothing was told of it in the lost time: known as the state has it
    unlike    a message of another server that is there, and must be with the device, with flags that may differ: it is
              told its flags
    doubted   may be with the device or not: deleted there, and if it exists sent as new with a later key. A deletion
              of what a device does not have means nothing to it

So nothing rests on what a device makes of an Add of what it has, or of a Change of what it has not. The result is a
generation under the key that was unknown, and the request is judged again: what it asks, its commands and its
repetitions then go the usual way.

It is not done, and the device begins anew (StaleKey), where it would not be better off: it began anew in the lost time
itself, or was listed with another filter, or too much is in doubt. docs/decisions/023-restored-state.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from eas.items.native import ItemId

from .classes import EMAIL
from .errors import StaleKey
from .flags import content_mark
from .keys import ALL_TOLD, Head, Held, Hint, LostTime, hint_of
from .known import Answers, Known, Pending, dump_generation, load_generation
from .model import Folder
from .options import bounds_of, load_options
from .ports import Delta, Horizon, Owner, Step
from .render import doubted, unlike, version_part
from .session import Session

log = structlog.get_logger("eas.repair")

#: More items in doubt, and to begin anew costs the device less.
MOST_DOUBTED = 1000

#: The parent of what was made up: no key is spelled so.
MADE_UP = "?"


@dataclass(frozen=True, slots=True)
class Generation:
    """What a device may hold."""

    head: Head
    known: Known
    pending: Pending
    answers: Answers


async def repair(session: Session, folder: Folder, owner: Owner, held: Held, key: str) -> None:
    """Make a generation of `key`, which the state does not know; whether it is there now is seen by judging again.

    Raises StaleKey where the key is none of the lost time, or the device had better begin anew.
    """
    hint, lost = lost_key(held, key)
    heads = ancestors(held, lost, hint.line)
    before = [await loaded(session, owner, head) for head in heads]
    if not before:
        raise StaleKey
    base = before[0]
    options = load_options(base.head.options)
    edge = options.edge(folder.item_class, session.clock.now(), bounds_of(session.policy))
    if options.conversations and edge is not None:
        raise StaleKey  # a message may have come and gone for the sake of another
    feed = session.mailbox.feed(folder)
    delta = await feed.delta(base.head.token if lost.elsewhere else None, Horizon(edge=edge, most=options.max_items))
    known = presumed(before, delta, hint, lost.first, mail_elsewhere=lost.elsewhere and folder.item_class == EMAIL)
    head = replace(
        base.head, key=key, parent=MADE_UP, request="", token=delta.token, pending=True, answers=False, doubt="",
        listing=0, cursor=0, top=hint.top,
    )
    pending = Pending().with_news((*known.changed, *base.pending.newest(), *delta.touched, *delta.outside), ())
    step = Step(
        held=replace(held, proven=head, issued=held.heads, named=key),
        generations={key: dump_generation(known, pending, Answers())},
    )
    if await session.store.commit(owner, held.row, step):
        log.info("a device is newer than the state", collection=folder.id, looked_at=len(pending))


def lost_key(held: Held, key: str) -> tuple[Hint, LostTime]:
    """What a key of the lost time says. Raises StaleKey for others."""
    hint, lost = hint_of(key), held.lost
    if hint is None or lost is None or not lost.after < hint.at <= lost.before:
        raise StaleKey
    return hint, lost


def ancestors(held: Held, lost: LostTime, line: str) -> list[Head]:
    """The generations of the backup that a line may have gone on from, oldest first."""
    found = []
    for head in held.heads:
        hint = hint_of(head.key)
        if head.line == line and (hint is None or hint.at <= lost.after):
            found.append(head)
    return found


def presumed(
    before: Sequence[Generation], delta: Delta, hint: Hint, first: ItemId, *, mail_elsewhere: bool
) -> Known:
    """What the device is taken to hold. `before` may each be where it went on from; `delta` is what has happened since
    the first of them was told, or all there is (complete) if that cannot be known; ids from `first` on are of the lost
    time, or later. Pure. Raises StaleKey."""
    follows = mail_elsewhere and not delta.complete
    changes: dict[ItemId, str] = {}
    for id in _suspects(before, delta, hint, first):
        versions = [g.known.version(id) for g in before]
        if id > hint.top and not any(versions):
            continue  # newer than all that the device was told
        held = all(versions) or (hint.more == ALL_TOLD and id <= hint.top)
        if follows and held and _is_there(delta.touched, id):
            # A message that has its id from its server is never another one, and has not been away.
            changes[id] = unlike("?")
        else:
            version = next((v for v in versions if v), "")
            changes[id] = doubted(version_part(version) or "?")
    if sum(version.endswith(doubted("")) for version in changes.values()) > MOST_DOUBTED:
        raise StaleKey
    return before[0].known.edited(changes)


def _suspects(before: Sequence[Generation], delta: Delta, hint: Hint, first: ItemId) -> set[ItemId]:
    """What the device may hold otherwise than the first generation says. Raises StaleKey if there is too much."""
    low = max(first, 1 + max(g.head.top or _highest(g.known) for g in before))
    pending = before[0].pending
    if hint.top - low >= MOST_DOUBTED or len(pending) > MOST_DOUBTED:
        raise StaleKey
    found = {*delta.touched, *delta.outside, *delta.gone, *range(low, hint.top + 1)}
    if delta.complete:
        found.update(*(g.known.ids() for g in before))
    return found.union(_differing(before), pending.newest(), pending.gone)


def _is_there(touched: Mapping[ItemId, str], id: ItemId) -> bool:
    """A draft may stand there under another id than it had."""
    return id in touched and not content_mark(touched[id])


def _differing(before: Sequence[Generation]) -> set[ItemId]:
    """Where it matters which of them the device went on from."""
    ids = {id for g in before for id in g.known.changed} if _one_base(before) else {
        id for g in before for id in g.known.ids()
    }
    return {id for id in ids if len({g.known.version(id) for g in before}) > 1}


def _one_base(before: Sequence[Generation]) -> bool:
    return all(g.head.base == before[0].head.base for g in before)


def _highest(known: Known) -> ItemId:
    return max((high for _, high in known.ids().pairs()), default=0)


async def loaded(session: Session, owner: Owner, head: Head) -> Generation:
    body = await session.store.body(owner, head.key, head.base, head.listing)
    return Generation(head, *load_generation(body.base, body.listing, head.cursor, body.generation))
