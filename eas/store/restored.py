"""What becomes of the state when a backup was put back: it is older than what devices hold, and is marked as such.

Functions of a connection inside a transaction, while no server runs; eas.engine.repair says what the marks are for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection, bindparam, select, update

from eas.engine.keys import LostTime
from eas.engine.model import CollectionId

from .states import dump_heads, load_heads
from .tables import device, sync_state

#: How far the version of a state is raised: more than a collection had commits in the lost time. What is issued from
#: now on is told by its number from what was issued then.
ROWS = 1 << 24

#: What is lost of a collection (or of the hierarchy) of this user, its bounds aside.
Marked = Callable[[str, CollectionId], LostTime]

_AT_ONCE = 1000
_STATES = (
    select(sync_state.c.number, sync_state.c.user_id, sync_state.c.collection_id, sync_state.c.row, sync_state.c.heads)
    .where(sync_state.c.number > bindparam("after")).order_by(sync_state.c.number).limit(_AT_ONCE)
)
_MARK = (
    update(sync_state).where(sync_state.c.number == bindparam("of"))
    .values(row=bindparam("new_row"), heads=bindparam("new_heads"))
)


def mark(connection: Connection, marked: Marked) -> int:
    """Mark all states; how many. One that was marked before, and whose device has not come since, stays repairable."""
    count = last = 0
    while rows := connection.execute(_STATES, {"after": last}).all():
        values = []
        for number, user_id, collection_id, row, heads in rows:
            held, new_row = load_heads(heads, row), row + ROWS
            lost = replace(marked(user_id, collection_id), after=row, before=new_row + 1)
            if (old := held.lost) is not None:
                lost = replace(
                    lost, after=old.after, elsewhere=old.elsewhere and lost.elsewhere,
                    first=min(old.first, lost.first), first_kept=min(old.first_kept, lost.first_kept),
                )
            values.append({"of": number, "new_row": new_row, "new_heads": dump_heads(replace(held, lost=lost))})
            last = number
        connection.execute(_MARK, values)
        count += len(values)
    return count


def forget_requests(connection: Connection) -> int:
    """Drop what devices may refer to without naming it: their last Sync request and their Ping, of which they have made
    newer ones since. They are asked to name all. How many."""
    kept = device.c.remembered_sync != b""
    waits = device.c.ping_heartbeat != 0
    statement = update(device).where(kept | waits).values(
        remembered_sync=b"", ping_folders=[], ping_heartbeat=0, row=device.c.row + 1
    )
    return connection.execute(statement).rowcount
