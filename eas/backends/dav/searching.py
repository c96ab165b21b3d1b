"""Searches in the collections of a server: in our rows, which have the text of each object.

A word is looked for in all of that text, whatever property a query names: an appointment has no sender, and yet what
somebody types is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, false, or_, select, true

from eas.backends.embedded.codec import millis, moment
from eas.backends.embedded.prepare import folded
from eas.backends.embedded.searching import MAX_WORD, MAX_WORDS
from eas.backends.standards.ports import Account, Hit, Numbered
from eas.backends.standards.tables import ObjectRow, PlaceRow
from eas.engine.ports import MailQuery
from eas.items import kql
from eas.items.kql import Candidate

from .index import Index, freshen
from .model import Collections

#: Seconds that our rows may be behind when somebody searches.
FRESH_SECONDS = 30.0
#: And that somebody waits for the server.
PATIENCE_SECONDS = 10.0


async def search(account: Account, client: Collections, query: MailQuery, within: Sequence[Numbered]) -> Sequence[Hit]:
    """All that matches in these places, newest first. A server that is away leaves what is known of it."""
    if query.conversation is not None or not within:
        return ()  # only mail has conversations
    indexes = [Index(account, client, at) for at in within]
    await freshen(indexes, older=FRESH_SECONDS, patience=PATIENCE_SECONDS)
    classes = {at.number: at.place.item_class for at in within}
    return await account.ground.read(lambda connection: _hits(connection, account.user.id, query, classes))


def _hits(connection: Connection, user_id: str, query: MailQuery, classes: dict[int, str]) -> list[Hit]:
    found = []
    for row in connection.execute(_statement(user_id, query, classes)):
        candidate = _candidate(classes[row.number], moment(row.received), row.search)
        if query.matching is None or kql.matches(query.matching, candidate):
            found.append(Hit(received=candidate.received, collection=str(row.number), id=row.id))
    return found


def _candidate(item_class: str, received: datetime, text: str) -> Candidate:
    return Candidate(item_class=item_class, received=received, within=lambda _: text)


def _statement(user_id: str, query: MailQuery, classes: dict[int, str]) -> Select[int, int, int, str]:
    conditions = [_contains(word) for word in folded(query.text).split()[:MAX_WORDS]]
    if query.since is not None:
        conditions.append(ObjectRow.received >= millis(query.since))
    if query.before is not None:
        conditions.append(ObjectRow.received < millis(query.before))
    if query.matching is not None:
        conditions.append(_possible(query.matching, classes))
    return (
        select(ObjectRow.number, ObjectRow.id, ObjectRow.received, ObjectRow.search)
        .join(PlaceRow, PlaceRow.number == ObjectRow.number)
        .where(
            ObjectRow.number.in_(list(classes)), PlaceRow.user_id == user_id, PlaceRow.present.is_(True),
            ObjectRow.version != "", *conditions,
        )
        .order_by(ObjectRow.received.desc(), ObjectRow.number, ObjectRow.id.desc())
    )


def _contains(text: str) -> ColumnElement[bool]:
    return ObjectRow.search.contains(folded(text)[:MAX_WORD], autoescape=True)


def _possible(node: kql.Node, classes: dict[int, str]) -> ColumnElement[bool]:
    """What holds for all that matches, and perhaps for more."""
    match node:
        case kql.Every(nodes):
            return and_(true(), *[_possible(one, classes) for one in nodes])
        case kql.Some(nodes):
            return or_(false(), *[_possible(one, classes) for one in nodes])
        case kql.Text(_, text):
            return _contains(text)
        case kql.Received(since, before):
            bounds = [ObjectRow.received >= millis(since)] if since else []
            return and_(true(), *bounds, *([ObjectRow.received < millis(before)] if before else []))
        case kql.Kind(item_class):
            return ObjectRow.number.in_([number for number, named in classes.items() if named == item_class])
        case _:
            return true()  # Not is looked at in what is found
