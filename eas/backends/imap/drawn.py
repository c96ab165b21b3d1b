"""Mail that is wanted for its conversation's sake: older than what a device asked for, but of a conversation with mail
in the same folder that is not. [MS-ASCMD] ConversationMode (Sync) R2107, R2110, R2112.

IMAP knows no conversations: those of all messages of the mailbox are learned once, with their prints, and kept.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from . import days, epochs, prints, spans
from .model import Session
from .reach import Reach
from .rows import State


async def siblings(
    reach: Reach, session: Session, state: State, edge: datetime, *, touched: Collection[int] = (),
    asked: Collection[int] = (),
) -> set[int]:
    """UIDs outside the edge that are drawn in: those of the conversations of the messages `touched` (within it), and
    those among `asked` that are of the conversation of any message within it."""
    if not touched and not asked:
        return set()
    if not reach.is_selected(session):
        await reach.select(session)
    of = await conversations(reach, session, state)
    within = set(spans.numbers(await days.beyond(session, edge)))
    here = {of[uid] for uid in touched if uid in of}
    anywhere = {of[uid] for uid in within if uid in of}
    found = {uid for uid, one in of.items() if uid not in within and one in here}
    return found | {uid for uid in asked if uid not in within and of.get(uid) in anywhere}


async def conversations(reach: Reach, session: Session, state: State) -> dict[int, bytes]:
    """UID -> id of the conversation, of all messages that are there."""
    ground, number = reach.account.ground, reach.number
    present = await session.search(["ALL"])
    known = await ground.read(lambda c: prints.load(c, number, state.epoch))
    unknown = spans.without(present, spans.of(known))
    if unknown:
        found = await epochs.printed(session, unknown)
        await reach.keep_prints(state.epoch, found)
        known |= {one.uid: one for one in found}
    return {uid: known[uid].conversation for uid in spans.numbers(present) if uid in known}
