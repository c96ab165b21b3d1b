"""Which folders a user sees, and what the user may do there.

Every id that comes from outside is looked up here, within one user's scope: an unknown folder and one that the user may
not read are the same, nothing. A shared folder has the owner's id for it and the owner's name in its name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, bindparam, func, or_, select

from eas.engine.errors import FolderGone, NotAllowed
from eas.engine.model import CollectionId, Folder, FolderType, Right

from .groupware import AnyRow
from .tables import FolderRow, GroupMemberRow, RightRow, UserRow

#: The class of the items in a folder of a type, for those that hold items.
CLASS_OF_TYPE = {
    FolderType.GENERIC: "Email",
    FolderType.INBOX: "Email",
    FolderType.DRAFTS: "Email",
    FolderType.DELETED_ITEMS: "Email",
    FolderType.SENT_ITEMS: "Email",
    FolderType.OUTBOX: "Email",
    FolderType.USER_MAIL: "Email",
    FolderType.CALENDAR: "Calendar",
    FolderType.USER_CALENDAR: "Calendar",
    FolderType.CONTACTS: "Contacts",
    FolderType.USER_CONTACTS: "Contacts",
    FolderType.TASKS: "Tasks",
    FolderType.USER_TASKS: "Tasks",
    FolderType.NOTES: "Notes",
    FolderType.USER_NOTES: "Notes",
    FolderType.RECIPIENT_CACHE: "Contacts",
}

#: Folders that only the server writes: what devices may do with them is read.
SERVER_FOLDERS = frozenset({FolderType.RECIPIENT_CACHE})

#: What a folder is to those with whom it is shared: a phone has one inbox and one calendar of its own.
SHARED_TYPE = {
    "Email": FolderType.USER_MAIL,
    "Calendar": FolderType.USER_CALENDAR,
    "Contacts": FolderType.USER_CONTACTS,
    "Tasks": FolderType.USER_TASKS,
    "Notes": FolderType.USER_NOTES,
}

#: What users make, rename and delete themselves.
USER_TYPES = frozenset({FolderType.GENERIC, *SHARED_TYPE.values()})

ROOT = "0"

_COLUMNS = (FolderRow.id, FolderRow.owner, FolderRow.parent, FolderRow.name, FolderRow.type, FolderRow.item_class)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A folder as somebody sees it, with what only the groupware knows of it."""

    folder: Folder
    number: int
    owner: str
    own: bool


def folder_number(id: CollectionId) -> int | None:
    """The row id of a collection id; None for what cannot be one. No leading zeros: some devices lose them."""
    return int(id) if id.isascii() and id.isdigit() and id[0] != "0" and len(id) <= 18 else None


def _is_principal(user_id: str) -> ColumnElement[bool]:
    groups = select(GroupMemberRow.group_id).where(GroupMemberRow.user_id == user_id)
    return or_(RightRow.principal == user_id, RightRow.principal.in_(groups))


def all_seen(connection: Connection, user_id: str) -> list[Seen]:
    """The user's own folders, and those of others that the user may read, by id."""
    own = connection.execute(select(*_COLUMNS).where(FolderRow.owner == user_id).order_by(FolderRow.id))
    return [_own(row) for row in own] + shared_with(connection, user_id)


def shared_with(connection: Connection, user_id: str) -> list[Seen]:
    """The folders of others that the user may read, by id."""
    shared = (
        select(*_COLUMNS, UserRow.name.label("owner_name"), UserRow.address, func.max(RightRow.right).label("right"))
        .join(RightRow, RightRow.folder_id == FolderRow.id)
        .join(UserRow, UserRow.id == FolderRow.owner)
        .where(_is_principal(user_id), FolderRow.owner != user_id)
        .group_by(*_COLUMNS, UserRow.name, UserRow.address)
        .having(func.max(RightRow.right) >= int(Right.READ))
        .order_by(FolderRow.id)
    )
    return _placed([_shared(row) for row in connection.execute(shared)])


_OWN = select(*_COLUMNS).where(FolderRow.id == bindparam("number"), FolderRow.owner == bindparam("user"))
_SOME_OWN = select(*_COLUMNS, FolderRow.modseq).where(
    FolderRow.id.in_(bindparam("numbers", expanding=True)), FolderRow.owner == bindparam("user")
)


def seen_own(connection: Connection, user_id: str, id: CollectionId) -> Seen | None:
    """One of the user's own folders, by one row."""
    number = folder_number(id)
    if number is None:
        return None
    row = connection.execute(_OWN, {"number": number, "user": user_id}).one_or_none()
    return None if row is None else _own(row)


def some_own(
    connection: Connection, user_id: str, ids: Collection[CollectionId]
) -> dict[CollectionId, tuple[Folder, int]]:
    """Those of them that are the user's own, each with its change counter."""
    numbers = [number for id in ids if (number := folder_number(id)) is not None]
    if not numbers:
        return {}
    rows = connection.execute(_SOME_OWN, {"numbers": numbers, "user": user_id})
    return {str(row.id): (_own(row).folder, row.modseq) for row in rows}


def seen(connection: Connection, user_id: str, id: CollectionId) -> Seen | None:
    """One folder; None for an unknown one, and for one that the user may not read."""
    own = seen_own(connection, user_id, id)
    return own or next((other for other in shared_with(connection, user_id) if other.folder.id == id), None)


def right_on(connection: Connection, user_id: str, number: int) -> Right:
    """Raises FolderGone if the folder does not exist. The owner has every right, but on what only the server writes."""
    row = connection.execute(select(FolderRow.owner, FolderRow.type).where(FolderRow.id == number)).one_or_none()
    if row is None:
        raise FolderGone(str(number))
    right = Right.DELEGATE if row.owner == user_id else shared_right(connection, user_id, number)[0]
    return min(right, Right.READ) if row.type in SERVER_FOLDERS else right


def shared_right(connection: Connection, user_id: str, number: int) -> tuple[Right, bool]:
    """What the user was given on a folder of somebody else, and whether anything was (NONE may be)."""
    given = select(func.max(RightRow.right)).where(RightRow.folder_id == number, _is_principal(user_id))
    right = connection.execute(given).scalar_one_or_none()
    return Right(right or 0), right is not None


def require(connection: Connection, user_id: str, number: int, right: Right) -> None:
    """Raises FolderGone where the user may not even read, NotAllowed where reading is all."""
    has = right_on(connection, user_id, number)
    if has < Right.READ:
        raise FolderGone(str(number))
    if has < right:
        raise NotAllowed(f"folder {number}")


def _own(row: AnyRow) -> Seen:
    folder = Folder(
        id=str(row.id), parent=str(row.parent), name=row.name, type=FolderType(row.type), item_class=row.item_class,
        right=Right.READ if row.type in SERVER_FOLDERS else Right.EDIT,
    )
    return Seen(folder=folder, number=row.id, owner=row.owner, own=True)


def _shared(row: AnyRow) -> Seen:
    folder = Folder(
        id=str(row.id), parent=str(row.parent), name=f"{row.name} ({row.owner_name or row.address})",
        type=SHARED_TYPE[row.item_class], item_class=row.item_class, right=Right(row.right),
        own=False,
    )
    return Seen(folder=folder, number=row.id, owner=row.owner, own=False)


def _placed(others: Sequence[Seen]) -> list[Seen]:
    """Shared folders stand at the root unless their parent is shared too; equal names there get the id behind them."""
    there = {other.folder.id for other in others}
    taken: set[tuple[str, str]] = set()
    placed = []
    for other in others:
        folder = other.folder
        if folder.parent not in there:
            folder = replace(folder, parent=ROOT)
        if (folder.parent, folder.name.casefold()) in taken:
            folder = replace(folder, name=f"{folder.name} {folder.id}")
        taken.add((folder.parent, folder.name.casefold()))
        placed.append(replace(other, folder=folder))
    return placed
