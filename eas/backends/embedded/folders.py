"""Writes on folders, each within a transaction that its caller began; by their owner alone.

[MS-ASCMD] FolderCreate, FolderUpdate, FolderDelete. Names are unique among siblings without regard to case.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from eas.engine.errors import FolderExists, FolderGone, NotAllowed
from eas.engine.model import CollectionId, Folder, FolderType
from eas.items.markup import clean

from . import items
from .access import CLASS_OF_TYPE, ROOT, USER_TYPES, Seen, seen
from .groupware import Writing
from .tables import ContentRow, FolderRow, ItemRow

#: What a new user has: name and type, in the order in which phones show them.
SPECIAL = (
    ("Inbox", FolderType.INBOX),
    ("Drafts", FolderType.DRAFTS),
    ("Sent Items", FolderType.SENT_ITEMS),
    ("Outbox", FolderType.OUTBOX),
    ("Deleted Items", FolderType.DELETED_ITEMS),
    # No type of its own in ActiveSync: clients know it by its name.
    ("Junk Email", FolderType.USER_MAIL),
    ("Calendar", FolderType.CALENDAR),
    ("Contacts", FolderType.CONTACTS),
    ("Tasks", FolderType.TASKS),
    ("Notes", FolderType.NOTES),
    ("Recipient Information Cache", FolderType.RECIPIENT_CACHE),
)

#: Characters of a folder's name. [MS-ASCMD] DisplayName (FolderCreate) has at most 256.
MAX_NAME = 256
#: Characters of `FolderRow.name_key`.
MAX_KEY = 512
#: Folders of one user, and how deep they may be nested: beyond this only a program run wild.
MAX_FOLDERS = 2000
MAX_DEPTH = 32


def create_special(tx: Writing, owner: str) -> None:
    for name, type in SPECIAL:
        _insert(tx, owner, 0, name, type, None)


def ensure(tx: Writing, owner: str, types: frozenset[FolderType]) -> None:
    """Those of the special folders whose types are asked for, as far as they are missing."""
    rows = tx.connection.execute(select(FolderRow.type, FolderRow.name_key).where(FolderRow.owner == owner))
    there = {(FolderType(row.type), row.name_key) for row in rows}
    once = {type for type, _ in there} - USER_TYPES
    made = [
        (name, type) for name, type in SPECIAL
        if type in types and type not in once and (type, key(name)) not in there
    ]
    for name, type in made:
        _insert(tx, owner, 0, name, type, None)
    if made:
        tx.raise_hierarchy(owner)


def recipient_cache(tx: Writing, owner: str) -> int:
    """The number of a user's recipient information cache; made now for those who are from before there was one."""
    _lock(tx, owner)
    there = select(FolderRow.id).where(FolderRow.owner == owner, FolderRow.type == int(FolderType.RECIPIENT_CACHE))
    found = tx.connection.execute(there).scalar_one_or_none()
    if found is not None:
        return found
    name, type = SPECIAL[-1]
    tx.raise_hierarchy(owner)
    return _insert(tx, owner, 0, name, type, None)


def create(
    tx: Writing, owner: str, parent: CollectionId, name: str, type: FolderType, chosen: str | None
) -> Folder:
    """Idempotent by the chosen name. Raises FolderExists, FolderGone (the parent), NotAllowed."""
    if type not in USER_TYPES:
        raise NotAllowed(f"folders of type {type} are not made")
    _lock(tx, owner)
    if chosen is not None:
        statement = select(FolderRow.id).where(FolderRow.owner == owner, FolderRow.chosen == chosen)
        there = tx.connection.execute(statement).scalar_one_or_none()
        if there is not None:
            found = seen(tx.connection, owner, str(there))
            assert found is not None
            return found.folder
    number = _parent(tx, owner, parent)
    tree = _tree(tx.connection, owner)
    if len(tree) >= MAX_FOLDERS or len(_path(tree, number)) >= MAX_DEPTH:
        raise NotAllowed("too many folders")
    name = _name(name)
    _check_free(tx, owner, number, name, but=0)
    id = _insert(tx, owner, number, name, type, chosen)
    tx.raise_hierarchy(owner)
    return Folder(id=str(id), parent=str(number), name=name, type=type, item_class=CLASS_OF_TYPE[type])


def change(tx: Writing, user_id: str, id: CollectionId, parent: CollectionId, name: str) -> None:
    """Rename, or put elsewhere. Raises FolderGone, FolderExists, NotAllowed."""
    _lock(tx, user_id)
    folder = _own(tx, user_id, id)
    number = _parent(tx, user_id, parent)
    tree = _tree(tx.connection, user_id)
    above = _path(tree, number)
    if folder.number in above or len(above) >= MAX_DEPTH:
        raise NotAllowed("a folder cannot be put into itself")
    name = _name(name)
    _check_free(tx, user_id, number, name, but=folder.number)
    tx.connection.execute(
        update(FolderRow).where(FolderRow.id == folder.number).values(parent=number, name=name, name_key=key(name))
    )
    tx.raise_hierarchy(user_id, [folder.number])


def remove(tx: Writing, user_id: str, id: CollectionId) -> None:
    """With all that is in it. Raises FolderGone, NotAllowed."""
    _lock(tx, user_id)
    folder = _own(tx, user_id, id)
    _remove(tx, user_id, [folder.number, *_below(_tree(tx.connection, user_id), folder.number)])


def empty(tx: Writing, folder: Seen, subfolders: bool) -> None:
    """All items, and if asked the folders below. Raises FolderGone, NotAllowed (folders of somebody else)."""
    if subfolders:
        _lock(tx, folder.owner)
        below = _below(_tree(tx.connection, folder.owner), folder.number)
        if below and not folder.own:
            raise NotAllowed("folders of somebody else are not deleted")
        if below:
            _remove(tx, folder.owner, below)
    items.delete_all(tx, folder.number)


def delete_item_contents(connection: Connection, folders: list[int]) -> None:
    contents = select(ItemRow.content_id).where(ItemRow.folder_id.in_(folders))
    connection.execute(delete(ContentRow).where(ContentRow.id.in_(contents)))


def _remove(tx: Writing, owner: str, numbers: list[int]) -> None:
    # Those who share one are told while it can still be seen who they are.
    tx.raise_hierarchy(owner, numbers)
    for number in numbers:
        tx.raise_counter(number)
    delete_item_contents(tx.connection, numbers)
    tx.connection.execute(delete(FolderRow).where(FolderRow.id.in_(numbers)))


def _insert(
    tx: Writing, owner: str, parent: int, name: str, type: FolderType, chosen: str | None
) -> int:
    statement = insert(FolderRow).returning(FolderRow.id)
    values = {
        "owner": owner, "parent": parent, "name": name, "name_key": key(name), "type": int(type),
        "item_class": CLASS_OF_TYPE[type], "chosen": chosen, "modseq": 1, "next_item": 1, "floor": 0,
    }
    id: int = tx.connection.execute(statement, values).scalar_one()
    return id


def key(name: str) -> str:
    """Equal for names that differ in case alone. Folding may make three characters of one."""
    return name.casefold()[:MAX_KEY]


def _name(name: str) -> str:
    name = clean(name).strip()
    if not name or len(name) > MAX_NAME:
        raise NotAllowed("a folder's name has 1 to 256 characters")
    return name


def _lock(tx: Writing, owner: str) -> None:
    """One writer at a time changes the folders of a user."""
    tx.one_at_a_time(owner)


def _own(tx: Writing, user_id: str, id: CollectionId) -> Seen:
    """A folder that the user may rename or delete. Raises FolderGone, NotAllowed."""
    found = seen(tx.connection, user_id, id)
    if found is None:
        raise FolderGone(id)
    if not found.own or found.folder.type not in USER_TYPES:
        raise NotAllowed(f"folder {id}")
    return found


def _parent(tx: Writing, user_id: str, id: CollectionId) -> int:
    """Raises FolderGone, NotAllowed under a folder of somebody else."""
    if id == ROOT:
        return 0
    found = seen(tx.connection, user_id, id)
    if found is None:
        raise FolderGone(id)
    if not found.own:
        raise NotAllowed(f"folder {id} belongs to somebody else")
    return found.number


def _check_free(tx: Writing, owner: str, parent: int, name: str, but: int) -> None:
    statement = select(FolderRow.id).where(
        FolderRow.owner == owner, FolderRow.parent == parent, FolderRow.name_key == key(name), FolderRow.id != but
    )
    if tx.connection.execute(statement).first() is not None:
        raise FolderExists(name)


def _tree(connection: Connection, owner: str) -> dict[int, int]:
    """Folder -> parent."""
    rows = connection.execute(select(FolderRow.id, FolderRow.parent).where(FolderRow.owner == owner))
    return dict(rows.all())


def _path(tree: dict[int, int], number: int) -> list[int]:
    """A folder and all above it; [] for the root."""
    path = []
    while number and number not in path:
        path.append(number)
        number = tree.get(number, 0)
    return path


def _below(tree: dict[int, int], number: int) -> list[int]:
    """All folders below one, at any depth."""
    return [other for other in tree if other != number and number in _path(tree, other)]
