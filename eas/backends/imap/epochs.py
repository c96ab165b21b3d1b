"""A new UIDVALIDITY: every UID means another message now, or none. RFC 3501 2.3.1.1.

The messages that were handed out are looked for among those that are there, by what both have in common (`prints`), and
keep the ids that devices know: nothing is sent again. What matches more than once, on either side, gets a new id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select, update

from eas.backends.embedded.groupware import Groupware, Writing
from eas.backends.standards.tables import AliasRow, PlaceRow, PutRow
from eas.items.native import ItemId

from . import prints, rows
from .model import Fetched, Selected, Session, Spans
from .prints import Print
from .rows import State

#: All UIDs that can be.
EVERY: Spans = ((1, 0xFFFF_FFFF),)


def matched(before: Mapping[ItemId, bytes], now: Mapping[int, bytes]) -> dict[ItemId, int]:
    """Id -> UID of the messages whose mark occurs once on either side. Pure."""
    here, there = Counter(before.values()), Counter(now.values())
    uid_of = {mark: uid for uid, mark in now.items() if there[mark] == 1}
    return {id: uid_of[mark] for id, mark in before.items() if here[mark] == 1 and mark in uid_of}


async def begin(
    ground: Groupware, user_id: str, number: int, session: Session, selected: Selected
) -> State:
    """The state of the new epoch; of the one that another has begun meanwhile."""
    found = [] if not selected.messages else await printed(session, EVERY)

    def work(tx: Writing) -> State:
        state = rows.lock(tx, user_id, number)
        if state.validity == selected.uid_validity:
            return state
        _renew(tx, user_id, number, state, selected.uid_validity, found)
        return rows.state(tx.connection, user_id, number)

    return await ground.write(work)


async def printed(session: Session, spans: Spans) -> list[Print]:
    """Of those of the messages that are there."""
    found = [print_of(one) async for one in session.fetch(spans, prints.FETCHED)]
    return [one for one in found if one is not None]


def print_of(fetched: Fetched) -> Print | None:
    """None for what a server told of a message by itself, which is less."""
    if fetched.internal_date is None or fetched.size is None:
        return None
    header = next(iter(fetched.sections.values()), b"")
    return prints.print_of(fetched.uid, header, fetched.size, fetched.internal_date)


def _renew(
    tx: Writing, user_id: str, number: int, state: State, validity: int, found: list[Print]
) -> None:
    counter = rows.raise_counter(tx, user_id, number)
    ids, contents = _ids(tx.connection, number, state)
    before = {ids.get(uid, state.natural(uid)): one.mark
              for uid, one in prints.load(tx.connection, number, state.epoch).items()}
    kept = matched(before, {one.uid: one.mark for one in found})
    epoch = state.epoch + 1
    tx.connection.execute(delete(AliasRow).where(AliasRow.number == number))
    if kept:
        tx.connection.execute(insert(AliasRow), [
            {"number": number, "id": id, "epoch": epoch, "uid": uid, "modseq": counter, "content": contents.get(id, 0)}
            for id, uid in kept.items()
        ])
    prints.drop(tx.connection, number, state.epoch)
    prints.keep(tx.connection, number, epoch, found)
    # What is still to be removed was so under the old UIDs.
    tx.connection.execute(update(PutRow).where(PutRow.number == number).values(old=0))
    tx.connection.execute(
        update(PlaceRow).where(PlaceRow.number == number).values(epoch=epoch, validity=validity)
    )


def _ids(connection: Connection, number: int, state: State) -> tuple[dict[int, ItemId], dict[ItemId, int]]:
    """UID -> id of the messages with other ids than their own, and id -> content."""
    found = connection.execute(
        select(AliasRow.uid, AliasRow.id, AliasRow.content)
        .where(AliasRow.number == number, AliasRow.epoch == state.epoch)
    ).all()
    return {row.uid: row.id for row in found if row.uid}, {row.id: row.content for row in found}
