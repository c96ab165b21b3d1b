"""Searches in one user's folders: what the database can tell is asked there, the rest is looked at in what it finds.

A word is looked for in an item's search text (`prepare`), which has subject and addresses as well as the body. "From"
and its like narrow that down to what may match, and the header of each candidate decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, Connection, Select, and_, false, literal, null, or_, select, true

from eas.engine.ports import MailQuery
from eas.items import email, headers, kql, mime
from eas.items.kql import Candidate, Property

from .access import SERVER_FOLDERS, Seen
from .codec import load_flags, load_structure, millis, moment
from .content import BATCH
from .groupware import AnyRow
from .prepare import folded, searched_addresses, searched_header, searched_text
from .tables import ContentRow, FolderRow, ItemRow

#: Words of a search that are looked for, and characters of each: more is no search of a person.
MAX_WORDS = 20
MAX_WORD = 100

#: The follow-up flag of a message that is flagged. [MS-ASEMAIL] Status.
_FLAGGED = 2


def found(connection: Connection, all_folders: Sequence[Seen], query: MailQuery) -> Sequence[tuple[int, int]]:
    """(folder, item) of all that matches, newest first."""
    numbers = searched(all_folders, query)
    if not numbers:
        return ()
    return _found(connection, statement_for(all_folders, numbers, query), query)


def received(connection: Connection, hits: Sequence[tuple[int, int]]) -> list[tuple[datetime, int, int]]:
    """When each of some items came, in their order."""
    at: dict[tuple[int, int], int] = {}
    by_folder: dict[int, list[int]] = {}
    for folder, id in hits:
        by_folder.setdefault(folder, []).append(id)
    for folder, ids in by_folder.items():
        for first in range(0, len(ids), BATCH):
            rows = connection.execute(
                select(ItemRow.id, ItemRow.received)
                .where(ItemRow.folder_id == folder, ItemRow.id.in_(ids[first : first + BATCH]))
            )
            at |= {(folder, row.id): row.received for row in rows}
    return [(moment(at[hit]), *hit) for hit in hits]


def statement_for(all_folders: Sequence[Seen], numbers: Sequence[int], query: MailQuery) -> Select[int, int]:
    """What the database can tell. A conversation is found by its index, which begins with the owner of a content."""
    statement = (
        select(ItemRow.folder_id, ItemRow.id)
        .join(ContentRow, ContentRow.id == ItemRow.content_id)
        .where(ItemRow.folder_id.in_(numbers), *_conditions(query))
        .order_by(ItemRow.received.desc(), ItemRow.folder_id, ItemRow.id.desc())
    )
    if query.conversation is not None:
        owners = {seen.owner for seen in all_folders if seen.number in set(numbers)}
        statement = statement.where(ContentRow.user_id.in_(sorted(owners)))
    if query.matching is not None:
        statement = statement.join(FolderRow, FolderRow.id == ItemRow.folder_id).where(_possible(query.matching))
    return statement


def _found(
    connection: Connection, statement: Select[int, int], query: MailQuery
) -> Sequence[tuple[int, int]]:
    hits = connection.execute(statement).all()
    if query.matching is None or _exact(query.matching):
        return hits
    matching = _matching(connection, hits, query.matching)
    return [hit for hit in hits if hit in matching]


def searched(all_folders: Sequence[Seen], query: MailQuery) -> list[int]:
    """The folders to look into."""
    wanted = set(query.collections)
    if query.deep and wanted:
        children: dict[str, list[str]] = {}
        for seen in all_folders:
            children.setdefault(seen.folder.parent, []).append(seen.folder.id)
        pending = list(wanted)
        while pending:
            for child in children.get(pending.pop(), ()):
                if child not in wanted:
                    wanted.add(child)
                    pending.append(child)
    return [
        seen.number for seen in all_folders
        if seen.folder.type not in SERVER_FOLDERS
        and (not query.collections or seen.folder.id in wanted)
        and (not query.classes or seen.folder.item_class in query.classes)
    ]


def _conditions(query: MailQuery) -> list[ColumnElement[bool]]:
    words = folded(query.text).split()[:MAX_WORDS]
    conditions = [_contains(word) for word in words]
    if query.conversation is not None:
        conditions.append(ContentRow.conversation == query.conversation.hex())
    if query.since is not None:
        conditions.append(ItemRow.received >= millis(query.since))
    if query.before is not None:
        conditions.append(ItemRow.received < millis(query.before))
    return conditions


def _contains(text: str) -> ColumnElement[bool]:
    return ContentRow.search.contains(folded(text)[:MAX_WORD], autoescape=True)


# --- Queries in parts -------------------------------------------------------------------------------------------------


def _exact(node: kql.Node) -> bool:
    """Whether `_possible` already says all."""
    match node:
        case kql.Every(nodes) | kql.Some(nodes):
            return all(_exact(one) for one in nodes)
        case kql.Not(inner):
            return _exact(inner)
        case kql.Text(property, text):
            return property is Property.ANYWHERE and len(text) <= MAX_WORD
        case _:
            return isinstance(node, kql.Received | kql.Kind)


def _possible(node: kql.Node) -> ColumnElement[bool]:
    """What holds for all that matches, and perhaps for more."""
    match node:
        case kql.Every(nodes):
            return and_(true(), *map(_possible, nodes))
        case kql.Some(nodes):
            return or_(false(), *map(_possible, nodes))
        case kql.Not(inner):
            return ~_possible(inner) if _exact(inner) else true()
        case kql.Text(Property.CATEGORY, _):
            return true()  # stands in the flags
        case kql.Text(_, text):
            # A list of recipients or a body may be cut in the search text, but what is looked at then is that text.
            return _contains(text)
        case kql.Received(since, before):
            bounds = [ItemRow.received >= millis(since)] if since else []
            return and_(true(), *bounds, *([ItemRow.received < millis(before)] if before else []))
        case kql.Kind(item_class):
            return FolderRow.item_class == item_class
        case _:
            return true()


_NOTHING_INSIDE = (literal(b"").label("header"), null().label("structure"))


def _looks_inside(node: kql.Node) -> bool:
    """Whether header and structure are needed: without them a whole mailbox is looked through quickly."""
    match node:
        case kql.Every(nodes) | kql.Some(nodes):
            return any(map(_looks_inside, nodes))
        case kql.Not(inner):
            return _looks_inside(inner)
        case kql.Text(property, _):
            return property not in (Property.ANYWHERE, Property.CATEGORY)
        case _:
            return isinstance(node, kql.HasAttachment | kql.Importance)


def _matching(
    connection: Connection, hits: Sequence[tuple[int, int]], node: kql.Node
) -> set[tuple[int, int]]:
    by_folder: dict[int, list[int]] = {}
    for folder, id in hits:
        by_folder.setdefault(folder, []).append(id)
    left = set[tuple[int, int]]()
    inside = (ContentRow.header, ContentRow.structure) if _looks_inside(node) else _NOTHING_INSIDE
    for folder, ids in by_folder.items():
        for at in range(0, len(ids), BATCH):
            statement = (
                select(
                    ItemRow.folder_id, ItemRow.id, ItemRow.received, ItemRow.flags, FolderRow.item_class,
                    ContentRow.search, *inside,
                )
                .join(ContentRow, ContentRow.id == ItemRow.content_id)
                .join(FolderRow, FolderRow.id == ItemRow.folder_id)
                .where(ItemRow.folder_id == folder, ItemRow.id.in_(ids[at : at + BATCH]))
            )
            for row in connection.execute(statement):
                if kql.matches(node, _candidate(row)):
                    left.add((row.folder_id, row.id))
    return left


def _candidate(row: AnyRow) -> Candidate:
    received = moment(row.received)
    if row.item_class != "Email":
        return Candidate(item_class=row.item_class, received=received, within=lambda property: str(row.search))
    flags, fields = load_flags(row.flags), headers.parse(row.header)
    attached = mime.attachments(load_structure(row.structure)) if row.structure else []
    names = [one.part.filename for one in attached if one.part.filename]

    @cache
    def within(property: Property) -> str:
        if property is Property.SUBJECT:
            return searched_text(headers.text(fields.get(b"subject", b"")))
        if property is Property.BODY:
            return str(row.search)[len(searched_header(fields)):]
        if property is Property.ATTACHMENT:
            return searched_text(" ".join(names))
        if property is Property.CATEGORY:
            return searched_text(" ".join(flags.categories))
        return searched_addresses(fields, _FIELDS[property]) if property in _FIELDS else str(row.search)

    return Candidate(
        item_class="Email", received=received, within=within, read=flags.read,
        has_attachment=any(not one.inline for one in attached),
        flagged=flags.follow_up is not None and flags.follow_up.status == _FLAGGED,
        importance=email.importance(fields),
    )


_TO = (b"to", b"cc", b"bcc")
_FIELDS: Mapping[Property, tuple[bytes, ...]] = {
    Property.FROM: (b"from", b"sender"), Property.TO: (b"to",), Property.CC: (b"cc",), Property.BCC: (b"bcc",),
    Property.RECIPIENTS: _TO, Property.PARTICIPANTS: (b"from", b"sender", *_TO),
}
