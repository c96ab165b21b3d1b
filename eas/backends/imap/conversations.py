"""Conversations on a server that knows none: which messages belong to one, and moving them as a whole, now or for ever.

The id of a message's conversation is kept with its fingerprint (`prints`); of messages that have none yet a few header
fields are read, once. What was moved "always" is a rule: later messages of that conversation are taken out of the inbox
when they are first seen there. [MS-ASCON] MoveAlways R130, Always Moving a Conversation R215.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence

import structlog
from sqlalchemy import Connection, delete, insert, select, update

from eas.backends.embedded.groupware import Writing
from eas.backends.standards.ports import Account, Numbered
from eas.backends.standards.tables import KeptRow, MovedConversationRow
from eas.engine.errors import BackendError, ItemGone, Unavailable
from eas.engine.model import CollectionId, FolderType

from . import prints, spans
from .model import Pool, Session, Spans
from .prints import Print
from .reach import Reach
from .rows import State

log = structlog.get_logger("eas.imap")

Resolve = Callable[[CollectionId], Awaitable[Numbered | None]]

#: Messages of one mailbox whose headers are read for one request, the newest: some seconds of a server's work. What was
#: read is kept, so the next request gets further.
MAX_READ = 20_000
#: Under this name it is kept how far the inbox was looked through: [UIDVALIDITY, the next UID].
_LOOKED = "redirected"


# --- Which messages ---------------------------------------------------------------------------------------------------


async def members(reach: Reach, session: Session, state: State, conversation: bytes) -> Spans:
    """The messages of a conversation in the selected mailbox."""
    ground, number = reach.account.ground, reach.number
    kept = await ground.read(lambda c: prints.load(c, number, state.epoch))
    there = await session.search(["ALL"])
    lacking = spans.without(there, spans.of(kept))
    read = await _read(session, newest(lacking, MAX_READ))
    if read:
        await ground.write(lambda tx: prints.keep(tx.connection, number, state.epoch, read))
    found = spans.of(one.uid for one in (*kept.values(), *read) if one.conversation == conversation)
    return spans.common(found, there)


async def _read(session: Session, lacking: Spans) -> list[Print]:
    if not lacking:
        return []
    return [
        prints.print_of(one.uid, b"".join(one.sections.values()), one.size or 0, one.internal_date)
        async for one in session.fetch(lacking, prints.FETCHED) if one.internal_date is not None
    ]


def newest(found: Spans, most: int) -> Spans:
    """Those with the highest UIDs, so many at most."""
    left: list[tuple[int, int]] = []
    for first, last in reversed(found):
        if most <= 0:
            break
        first = max(first, last - most + 1)
        most -= last - first + 1
        left.append((first, last))
    return tuple(reversed(left))


# --- Moving them ------------------------------------------------------------------------------------------------------


async def move(
    account: Account, pool: Pool, conversation: bytes, to: Numbered, always: bool, within: Sequence[Numbered]
) -> int:
    """How many were not there yet. Messages among what was sent stay, and so does what others share. Raises ItemGone
    (no such conversation), FolderGone, NotAllowed, NoSpace, Unavailable.

    What was moved before a failure has been moved: the same again does the rest."""
    own = [at for at in within if at.place.own]
    inbox = next((at for at in own if at.place.type is FolderType.INBOX), None)
    # Before it is looked through: what comes later is looked at by `redirect`.
    looked = await _present_end(Reach(account=account, pool=pool, at=inbox)) if always and inbox is not None else None
    found: dict[int, Spans] = {}
    for at in own:
        reach = Reach(account=account, pool=pool, at=at)
        async with reach.selected() as (session, state):
            if talk := await members(reach, session, state, conversation):
                found[at.number] = talk
    if not found:
        raise ItemGone(conversation.hex())
    moved = 0
    for at in own:
        if at.number in found and at.number != to.number and at.place.type is not FolderType.SENT_ITEMS:
            moved += await _move_some(Reach(account=account, pool=pool, at=at), found[at.number], to)
    ruled = always and to.place.type is not FolderType.INBOX
    await account.ground.write(
        lambda tx: _set_rule(tx, account.user.id, conversation, to.number if ruled else None, looked)
    )
    return moved


async def _move_some(reach: Reach, which: Spans, to: Numbered) -> int:
    """Those that are still there; how many."""
    async with reach.selected() as (session, _):
        left = await session.search(["UID", spans.text(which)])
        if left:
            await session.move(left, to.place.locator)
    if left:
        there = Reach(account=reach.account, pool=reach.pool, at=to)
        for changed in (reach, there):
            changed.heard()
        reach.account.ground.ring(reach.user_id, {str(reach.number), str(to.number)})
    return spans.count(left)


async def _present_end(reach: Reach) -> tuple[int, int]:
    """UIDVALIDITY, and a UID that all messages of the mailbox are below."""
    async with reach.selected() as (session, _):
        there = await session.search(["UID", "*"])
        assert session.selected is not None
        last = there[-1][1] if there else 0
        return session.selected.uid_validity, max(last + 1, session.selected.uid_next)


def _set_rule(
    tx: Writing, user_id: str, conversation: bytes, number: int | None, looked: tuple[int, int] | None
) -> None:
    """In the place of any other. The first rule says where looking begins; before, nothing was looked at."""
    tx.one_at_a_time(user_id)
    first = not _rules(tx.connection, user_id)
    tx.connection.execute(
        delete(MovedConversationRow).where(
            MovedConversationRow.user_id == user_id, MovedConversationRow.conversation == conversation.hex()
        )
    )
    if number is None:
        return
    tx.connection.execute(
        insert(MovedConversationRow).values(user_id=user_id, conversation=conversation.hex(), number=number)
    )
    if first and looked is not None:
        key = {"user_id": user_id, "name": _LOOKED}
        tx.connection.execute(delete(KeptRow).filter_by(**key))
        tx.connection.execute(insert(KeptRow).values(**key, value=json.dumps(looked), at=0))


# --- What comes later -------------------------------------------------------------------------------------------------


async def redirect(inbox: Reach, resolve: Resolve) -> int:
    """Move what has newly come of conversations that were moved for ever; how many. Where there is nothing new it costs
    a SEARCH.

    How far it was looked is written down first: of two that look at once, or after a crash, nothing is moved twice; at
    worst a message stays in the inbox."""
    ground = inbox.account.ground
    rules = await ground.look(lambda c: _rules(c, inbox.user_id))
    if not rules:
        return 0
    async with inbox.selected(fresh=False) as (session, _):
        await inbox.sync(session)  # what has come a moment ago, too: the listing that follows sees it
        new = await _claimed(inbox, session)
        come = await _read(session, new)
    moved = 0
    for number in sorted({rules[one.conversation] for one in come if one.conversation in rules}):
        to = await resolve(str(number))
        if to is None:
            continue
        chosen = spans.of(one.uid for one in come if rules.get(one.conversation) == number)
        try:
            moved += await _move_some(inbox, chosen, to)
        except Unavailable:
            raise
        except BackendError as error:
            log.warning("a conversation stays in the inbox", user=inbox.user_id, folder=number, reason=str(error))
    return moved


def _rules(connection: Connection, user_id: str) -> dict[bytes, int]:
    """Conversation -> number of the folder."""
    found = connection.execute(
        select(MovedConversationRow.conversation, MovedConversationRow.number)
        .where(MovedConversationRow.user_id == user_id)
    )
    return {bytes.fromhex(row.conversation): row.number for row in found}


async def _claimed(inbox: Reach, session: Session) -> Spans:
    """The messages that nobody has looked at yet, from now on ours to look at."""
    key = {"user_id": inbox.user_id, "name": _LOOKED}
    statement = select(KeptRow.value).filter_by(**key)
    before = await inbox.account.ground.look(lambda c: c.execute(statement).scalar_one_or_none())
    assert session.selected is not None
    validity = session.selected.uid_validity
    known = json.loads(before) if before else [0, 0]
    # Under another UIDVALIDITY nobody knows what is new.
    since = known[1] if known[0] == validity else session.selected.uid_next
    new = spans.common(await session.search(["UID", f"{since}:*"]), ((since, 0xFFFF_FFFF),))
    after = json.dumps([validity, new[-1][1] + 1 if new else since])
    if after == before:
        return ()

    def claim(tx: Writing) -> bool:
        tx.one_at_a_time(inbox.user_id)
        if tx.connection.execute(statement).scalar_one_or_none() != before:
            return False
        if before is None:
            tx.connection.execute(insert(KeptRow).values(**key, value=after, at=0))
            return True
        tx.connection.execute(update(KeptRow).filter_by(**key).values(value=after))
        return True

    return newest(new, MAX_READ) if await inbox.account.ground.write(claim) else ()

