"""Searches in calendars, task lists, notes and address books: in the words of our own rows, which follow the server."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select, true

from eas.backends.embedded.codec import millis, moment
from eas.backends.embedded.prepare import folded
from eas.backends.embedded.searching import MAX_WORD, MAX_WORDS
from eas.backends.standards.ports import Account, Hit, Numbered
from eas.backends.standards.tables import ObjectRow
from eas.engine.errors import FolderGone
from eas.engine.model import Right
from eas.engine.ports import MailQuery
from eas.items import kql

from .index import Index
from .model import Collections

#: Seconds: a search may be that late. Each folder that is older is asked for news first.
LATE_SECONDS = 60.0


async def search(
    account: Account, client: Collections, query: MailQuery, within: Sequence[Numbered]
) -> Sequence[Hit]:
    """Raises Unavailable."""
    if query.conversation is not None:  # mail alone has them
        return ()
    hits = list[Hit]()
    for at in within:
        if at.place.right >= Right.READ:
            try:
                await Index(account, client, at).refresh_if_older(LATE_SECONDS)
            except FolderGone:
                continue
            hits += await account.ground.read(partial(_found, at=at, query=query))
    return hits


def _found(connection: Connection, at: Numbered, query: MailQuery) -> list[Hit]:
    """Records have one text, whatever property is asked for, as in the embedded groupware."""
    item_class = at.place.item_class
    conditions = [ObjectRow.number == at.number, ObjectRow.version != ""]
    conditions += [_contains(word) for word in folded(query.text).split()[:MAX_WORDS]]
    if query.since is not None:
        conditions.append(ObjectRow.received >= millis(query.since))
    if query.before is not None:
        conditions.append(ObjectRow.received < millis(query.before))
    if query.matching is not None:
        conditions.append(_possible(query.matching, item_class))
    rows = connection.execute(select(ObjectRow.id, ObjectRow.received, ObjectRow.search).where(*conditions))
    hits = [(Hit(received=moment(row.received), collection=str(at.number), id=row.id), row.search) for row in rows]
    if query.matching is None:
        return [hit for hit, _ in hits]
    return [hit for hit, text in hits if kql.matches(query.matching, _candidate(item_class, hit, text))]


def _candidate(item_class: str, hit: Hit, text: str) -> kql.Candidate:
    return kql.Candidate(item_class=item_class, received=hit.received, within=lambda property: text)


def _contains(text: str) -> ColumnElement[bool]:
    return ObjectRow.search.contains(folded(text)[:MAX_WORD], autoescape=True)


def _possible(node: kql.Node, item_class: str) -> ColumnElement[bool]:
    """What holds for all that matches, and perhaps for more: what matches is looked at again."""
    match node:
        case kql.Every(nodes):
            return and_(true(), *(_possible(one, item_class) for one in nodes))
        case kql.Some(nodes):
            return or_(false(), *(_possible(one, item_class) for one in nodes))
        case kql.Text(_, text):
            return _contains(text)
        case kql.Kind(wanted):
            return true() if wanted == item_class else false()
        case _:
            return true()
