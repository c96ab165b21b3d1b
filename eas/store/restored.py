"""What becomes of the state when a backup was put back: it is older than what devices hold, and is marked as such.

Functions of a connection inside a transaction, while no server runs; eas.engine.repair says what the marks are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from eas.engine.keys import Held, LostTime, hint_of, millis
from eas.engine.model import CollectionId

from .states import dump_heads, load_heads
from .tables import device, sync_state

#: What is lost of these collections (or hierarchies), by user and id, in the same order; but for when it was lost.
Marked = Callable[[Sequence[tuple[str, CollectionId]]], Iterable[LostTime]]

_AT_ONCE = 1000
_STATES = (
    select(sync_state.c.number, sync_state.c.user_id, sync_state.c.collection_id, sync_state.c.row, sync_state.c.heads)
    .where(sync_state.c.number > bindparam("after")).order_by(sync_state.c.number).limit(_AT_ONCE)
)
_MARK = (
    update(sync_state).where(sync_state.c.number == bindparam("of"))
    .values(row=bindparam("new_row"), heads=bindparam("new_heads"))
)


def mark(connection: Connection, marked: Marked, at: datetime) -> int:
    """Mark all states as put back at this moment; how many. One that was marked before, and whose device has not come
    since, stays repairable."""
    count = last = 0
    while rows := connection.execute(_STATES, {"after": last}).all():
        values = []
        every = marked([(row.user_id, row.collection_id) for row in rows])
        for (number, _, _, row, heads), lost in zip(rows, every, strict=True):
            held = load_heads(heads, row)
            lost = replace(lost, after=_made(held), before=millis(at))
            if (old := held.lost) is not None:
                lost = replace(
                    lost, after=old.after, elsewhere=old.elsewhere and lost.elsewhere,
                    first=min(old.first, lost.first), first_kept=min(old.first_kept, lost.first_kept),
                )
            values.append({"of": number, "new_row": row + 1, "new_heads": dump_heads(replace(held, lost=lost))})
            last = number
        connection.execute(_MARK, values)
        count += len(values)
    return count


def _made(held: Held) -> int:
    """When the last of its keys was made."""
    return max([hint.at for head in held.heads if (hint := hint_of(head.key))], default=0)


def forget_requests(connection: Connection) -> int:
    """Drop what devices may refer to without naming it: their last Sync request and their Ping, of which they have made
    newer ones since. They are asked to name all. How many."""
    kept = device.c.remembered_sync != b""
    waits = device.c.ping_heartbeat != 0
    statement = update(device).where(kept | waits).values(
        remembered_sync=b"", ping_folders=[], ping_heartbeat=0, row=device.c.row + 1
    )
    return connection.execute(statement).rowcount
