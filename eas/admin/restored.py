"""After a backup was put back: the database knows less than the phones do, and is made ready for that.

Called once, when all rows are in, before any server runs on them. Phones then go on where they can be repaired
(eas.engine.repair), and nothing new gets an id or a number that something else had in the lost time.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from eas.backends.embedded import restored as embedded
from eas.backends.standards import restored as standards
from eas.backends.standards.kept import MARK
from eas.db.transactions import Transactions
from eas.engine.hierarchy import ROOT
from eas.engine.keys import LostTime
from eas.engine.model import CollectionId
from eas.store import restored as store


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """How many states of collections were marked, and how many devices have to name again what they wait for."""

    states: int
    devices: int


async def after_restore(run: Transactions) -> Restored:
    """In one transaction. To do it twice does no harm. The tables must have the shape of this version already."""
    return await run.write(prepare)


def prepare(connection: Connection) -> Restored:
    """The same, inside a transaction that writes."""
    folder, place = embedded.raise_ids(connection), standards.raise_ids(connection)
    members = standards.members(connection)

    def marked(user_id: str, collection: CollectionId) -> LostTime:
        if user_id not in members:
            return LostTime(after=0, before=0, first=folder)
        elsewhere = not collection.startswith(MARK)
        if collection != ROOT:
            return LostTime(after=0, before=0, elsewhere=elsewhere)
        return LostTime(after=0, before=0, elsewhere=True, first=place, first_kept=folder, prefix=MARK)

    return Restored(states=store.mark(connection, marked), devices=store.forget_requests(connection))
