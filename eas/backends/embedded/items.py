"""Writes on items, each within a transaction that its caller began. Rights have been looked at.

Every write raises the counter of its folder first. That locks the folder's row, so that what is read after it (is there
an item of this name? is the version still that one?) holds until the commit, on every database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, delete, insert, literal, select, update

from eas.engine.errors import FolderGone, ItemGone, NotAllowed, VersionConflict
from eas.engine.ports import ItemVersion, Written
from eas.items.native import ItemId, MailFlags

from .codec import dump_flags, load_flags, mail_version, millis, record_version
from .content import insert_content, replace_content
from .groupware import Raised, Writing
from .prepare import Prepared
from .tables import ContactRow, ContactTermRow, ContentRow, FolderRow, ItemRow, TombstoneRow


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    id: ItemId
    version: str
    until: int
    received: int
    flags: str
    content_id: int
    digest: str


_INSERT = insert(ItemRow)


def create(
    tx: Writing, folder: int, prepared: Prepared, name: str | None, flags: MailFlags | None = None,
    received: int | None = None,
) -> Written:
    """Store a new item; if one of this name is there already, that one. Raises FolderGone, NoSpace.

    `received` in epoch milliseconds, None for now.
    """
    held = lock(tx, folder)
    there = _find(tx, folder, ItemRow.name == name) if name is not None else None
    if there is not None:
        return Written(id=there.id, version=there.version, same=there.digest == prepared.digest)
    if held.mail != prepared.mail:
        raise NotAllowed(f"folder {folder} is for other items")
    raised = tx.raise_counter(folder, new_items=1)
    content_id = insert_content(tx.connection, raised.owner, prepared)
    text = dump_flags(flags) if flags is not None else ""
    version = mail_version(text, prepared.digest) if prepared.mail else record_version(prepared.digest)
    now = millis(tx.now) if received is None else received
    tx.connection.execute(_INSERT, {
        "folder_id": folder, "id": raised.first_item, "modseq": raised.modseq, "version": version,
        "until": prepared.until, "received": now, "name": name, "flags": text, "content_id": content_id,
    })
    return Written(id=raised.first_item, version=version)


def update_record(
    tx: Writing, folder: int, id: ItemId, prepared: Prepared, if_version: ItemVersion | None
) -> Written:
    """Raises ItemGone, VersionConflict, FolderGone, NoSpace. Equal octets change nothing."""
    held = lock(tx, folder)
    stored = _of_id(tx, folder, id)
    if if_version is not None and stored.version != if_version:
        raise VersionConflict(str(id))
    if stored.digest == prepared.digest:
        return Written(id=id, version=stored.version)
    raised = tx.raise_counter(folder)
    replace_content(tx.connection, held.owner, stored.content_id, prepared)
    version = record_version(prepared.digest)
    _change(tx, folder, id, modseq=raised.modseq, version=version, until=prepared.until)
    return Written(id=id, version=version)


def update_draft(
    tx: Writing, folder: int, id: ItemId, prepared: Prepared, flags: MailFlags, if_version: ItemVersion | None
) -> Written:
    """Replace a draft with its flags, as of now. Raises ItemGone, VersionConflict, FolderGone, NoSpace, NotAllowed for
    what is no draft. The same again changes nothing."""
    held = lock(tx, folder)
    stored = _of_id(tx, folder, id)
    if not held.mail or not flags.draft or not (stored.flags and load_flags(stored.flags).draft):
        raise NotAllowed("only drafts change")
    if if_version is not None and stored.version != if_version:
        raise VersionConflict(str(id))
    text = dump_flags(flags)
    if stored.digest == prepared.digest and text == stored.flags:
        return Written(id=id, version=stored.version)
    raised = tx.raise_counter(folder)
    version = mail_version(text, prepared.digest)
    values = {"modseq": raised.modseq, "version": version, "flags": text}
    if stored.digest != prepared.digest:
        replace_content(tx.connection, held.owner, stored.content_id, prepared)
        values |= {"until": prepared.until, "received": millis(tx.now)}
    _change(tx, folder, id, **values)
    return Written(id=id, version=version)


def set_flags(tx: Writing, folder: int, id: ItemId, flags: MailFlags, if_version: ItemVersion | None) -> Written:
    """Raises ItemGone, VersionConflict, FolderGone, NotAllowed for what is no mail. Equal flags change nothing."""
    if not lock(tx, folder).mail:
        raise NotAllowed("only mail has flags")
    stored = _of_id(tx, folder, id)
    if if_version is not None and stored.version != if_version:
        raise VersionConflict(str(id))
    text = dump_flags(flags)
    if text == stored.flags:
        return Written(id=id, version=stored.version)
    raised = tx.raise_counter(folder)
    version = mail_version(text, stored.digest)
    _change(tx, folder, id, modseq=raised.modseq, version=version, flags=text)
    return Written(id=id, version=version)


def delete_item(tx: Writing, folder: int, id: ItemId, if_version: ItemVersion | None) -> None:
    """Raises ItemGone, VersionConflict, FolderGone."""
    lock(tx, folder)
    stored = _of_id(tx, folder, id)
    if if_version is not None and stored.version != if_version:
        raise VersionConflict(str(id))
    raised = tx.raise_counter(folder)
    _bury(tx, folder, id, raised)
    tx.connection.execute(delete(ContentRow).where(ContentRow.id == stored.content_id))


def delete_all(tx: Writing, folder: int) -> None:
    """Raises FolderGone."""
    raised = tx.raise_counter(folder)
    # The type is said: a number alone would be taken for one of 32 bits by PostgreSQL.
    stamp = (literal(raised.modseq, BigInteger), literal(millis(tx.now), BigInteger))
    buried = select(ItemRow.folder_id, ItemRow.id, *stamp).where(ItemRow.folder_id == folder)
    tx.connection.execute(insert(TombstoneRow).from_select(["folder_id", "id", "modseq", "at"], buried))
    contents = select(ItemRow.content_id).where(ItemRow.folder_id == folder)
    tx.connection.execute(delete(ContentRow).where(ContentRow.id.in_(contents)))


def move(tx: Writing, folder: int, id: ItemId, to: int, name: str) -> Written:
    """A new item at the destination, a tombstone at the source, in one. Raises ItemGone, FolderGone, NotAllowed."""
    if folder == to:
        lock(tx, folder)
        stored = _of_id(tx, folder, id)
        return Written(id=id, version=stored.version)
    # In one order everywhere, so that two moves in opposite directions do not wait for each other.
    held = {number: lock(tx, number) for number in sorted((folder, to))}
    there = _find(tx, to, ItemRow.name == name)
    if there is not None:
        return Written(id=there.id, version=there.version)
    stored = _of_id(tx, folder, id)
    if held[folder].item_class != held[to].item_class:
        raise NotAllowed(f"folder {to} is for other items")
    source = tx.raise_counter(folder)
    target = tx.raise_counter(to, new_items=1)
    _bury(tx, folder, id, source)
    tx.connection.execute(_INSERT, {
        "folder_id": to, "id": target.first_item, "modseq": target.modseq, "version": stored.version,
        "until": stored.until, "received": stored.received, "name": name, "flags": stored.flags,
        "content_id": stored.content_id,
    })
    if source.owner != target.owner:
        _give(tx, stored.content_id, target.owner)
    return Written(id=target.first_item, version=stored.version)


@dataclass(frozen=True, slots=True)
class Held:
    owner: str
    item_class: str

    @property
    def mail(self) -> bool:
        return self.item_class == "Email"


_LOCK = (
    select(FolderRow.owner, FolderRow.item_class).where(FolderRow.id == bindparam("folder")).with_for_update()
)


def lock(tx: Writing, folder: int) -> Held:
    """Keep other writers out of a folder until the commit, without counting a change yet. Raises FolderGone.

    SQLite knows no FOR UPDATE and needs none: it has one writer at a time, from the beginning of the transaction.
    """
    row = tx.connection.execute(_LOCK, {"folder": folder}).one_or_none()
    if row is None:
        raise FolderGone(str(folder))
    return Held(row.owner, row.item_class)


def _find(tx: Writing, folder: int, which: ColumnElement[bool]) -> _Stored | None:
    statement = (
        select(
            ItemRow.id, ItemRow.version, ItemRow.until, ItemRow.received, ItemRow.flags, ItemRow.content_id,
            ContentRow.digest,
        )
        .join(ContentRow, ContentRow.id == ItemRow.content_id)
        .where(ItemRow.folder_id == folder, which)
    )
    row = tx.connection.execute(statement).one_or_none()
    return None if row is None else _Stored(**row._mapping)


def _of_id(tx: Writing, folder: int, id: ItemId) -> _Stored:
    stored = _find(tx, folder, ItemRow.id == id)
    if stored is None:
        raise ItemGone(f"{folder}:{id}")
    return stored


def _change(tx: Writing, folder: int, id: ItemId, **values: Any) -> None:
    statement = update(ItemRow).where(ItemRow.folder_id == folder, ItemRow.id == id)
    tx.connection.execute(statement.values(**values))


def _bury(tx: Writing, folder: int, id: ItemId, raised: Raised) -> None:
    """The item leaves the folder; its content stays."""
    tx.connection.execute(delete(ItemRow).where(ItemRow.folder_id == folder, ItemRow.id == id))
    tombstone = insert(TombstoneRow).values(folder_id=folder, id=id, modseq=raised.modseq, at=millis(tx.now))
    tx.connection.execute(tombstone)


def _give(tx: Writing, content_id: int, owner: str) -> None:
    """What lies in somebody's folder is found by that one's searches and counts for that one's quota."""
    for statement in (
        update(ContentRow).where(ContentRow.id == content_id),
        update(ContactRow).where(ContactRow.content_id == content_id),
        update(ContactTermRow).where(ContactTermRow.content_id == content_id),
    ):
        tx.connection.execute(statement.values(user_id=owner))
