"""After a backup was put back: the database knows less than the phones do, and is made ready for that.

Called once, when all rows are in, before any server runs on them. Phones then go on where they can be repaired
(eas.engine.repair), and nothing new gets an id or a number that something else had in the lost time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

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


async def after_restore(run: Transactions, at: datetime | None = None) -> Restored:
    """In one transaction, as of now (`at`). To do it twice does no harm. The tables must have the shape of this version
    already."""
    return await run.write(lambda connection: prepare(connection, at))


def prepare(connection: Connection, at: datetime | None = None) -> Restored:
    """The same, inside a transaction that writes."""
    at = at or datetime.now(UTC)
    folder, place = embedded.raise_folders(connection, at), standards.raise_places(connection, at)
    members = standards.members(connection)

    def marked(collections: Sequence[tuple[str, CollectionId]]) -> Iterator[LostTime]:
        elsewhere = [user in members and not id.startswith(MARK) for user, id in collections]
        numbers = [int(id.removeprefix(MARK)) if id.removeprefix(MARK).isdecimal() else 0 for _, id in collections]
        items = embedded.next_items(connection, numbers)
        objects = standards.next_items(connection, numbers)
        for (user, id), away, number in zip(collections, elsewhere, numbers, strict=True):
            if id != ROOT:
                yield LostTime(after=0, before=0, elsewhere=away, first=(objects if away else items).get(number, 0))
            elif user in members:
                yield LostTime(after=0, before=0, elsewhere=True, first=place, first_kept=folder, prefix=MARK)
            else:
                yield LostTime(after=0, before=0, first=folder)

    states = store.mark(connection, marked, at)
    embedded.raise_items(connection, at)
    standards.raise_items(connection, at)
    return Restored(states=states, devices=store.forget_requests(connection))
