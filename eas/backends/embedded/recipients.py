"""Whom a user writes to, as entries of the recipient information cache. [MS-ASCNTC] Refreshing the Recipient
Information Cache.

An entry is an item named by its address, so that one message more changes one item. In the place of a date it has its
rank, by which the best ones are found without reading any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from sqlalchemy import func, select

from eas.items import headers, recipients
from eas.items.compose import Outgoing
from eas.items.mime import header_end
from eas.items.native import Unreadable

from . import items, prepare
from .folders import recipient_cache
from .groupware import Writing
from .prepare import Prepared, folded
from .tables import ContentRow, ItemRow

#: Entries of one user: what a device offers while one types, and few enough to be listed at once.
MAX_ENTRIES = 200
#: Recipients of one message that count: who writes to more has a list, not acquaintances.
MAX_COUNTED = 50


@dataclass(frozen=True, slots=True)
class Named:
    address: str
    name: str


def named_recipients(outgoing: Outgoing) -> list[Named]:
    """Those of the envelope, with the names that the message has for them."""
    fields = headers.parse(outgoing.mime[: header_end(outgoing.mime)] + outgoing.bcc)
    names = {
        folded(found.address): found.name
        for field in (b"bcc", b"cc", b"to") for found in headers.addresses(fields.get(field, b"")) if found.name
    }
    return [Named(address, names.get(folded(address), "")) for address in outgoing.recipients[:MAX_COUNTED]]


def note(tx: Writing, owner: str, written_to: Sequence[Named]) -> None:
    """Count one message to each of them. Raises NoSpace, FolderGone."""
    if not written_to:
        return
    folder = recipient_cache(tx, owner)
    items.lock(tx, folder)
    for one in written_to:
        _count(tx, folder, one)
    _trim(tx, folder)


def _count(tx: Writing, folder: int, one: Named) -> None:
    key = sha256(folded(one.address).encode()).hexdigest()
    row = tx.connection.execute(
        select(ItemRow.id, ContentRow.data).join(ContentRow, ContentRow.id == ItemRow.content_id)
        .where(ItemRow.folder_id == folder, ItemRow.name == key)
    ).one_or_none()
    try:
        before = recipients.read(row.data or b"") if row is not None else None
    except Unreadable:
        before = None
    entry = recipients.written_to(before, one.address, one.name, tx.now)
    prepared = _prepared(entry, key)
    if row is None:
        items.create(tx, folder, prepared, key)
    else:
        items.update_record(tx, folder, row.id, prepared, None)


def _prepared(entry: recipients.Recipient, key: str) -> Prepared:
    """Neither found by the directory, which shows people, nor by searches, which show what the user keeps."""
    record = prepare.record("Contacts", recipients.to_native(entry, key[:32]))
    return replace(record, until=entry.rank, entries=(), terms=frozenset(), search="")


def _trim(tx: Writing, folder: int) -> None:
    count = tx.connection.execute(
        select(func.count()).select_from(ItemRow).where(ItemRow.folder_id == folder)
    ).scalar_one()
    lowest = (
        select(ItemRow.id).where(ItemRow.folder_id == folder).order_by(ItemRow.until, ItemRow.id)
        .limit(max(0, count - MAX_ENTRIES))
    )
    for id in list(tx.connection.execute(lowest).scalars()) if count > MAX_ENTRIES else ():
        items.delete_item(tx, folder, id, None)
