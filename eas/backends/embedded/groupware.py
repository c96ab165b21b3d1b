"""What every part of the embedded groupware is given: the database, the clock, the bell, the limits.

A write is one transaction, written as a plain function (`eas.db.transactions`). What it touched is collected while it
runs, and rung when it is committed; it raises the counter of a folder before it writes items there, which also makes
writers of one folder wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, bindparam, select, update

from eas.db.failures import FAILURES, Failure, failure_of, reason
from eas.db.transactions import Transactions
from eas.engine.errors import FolderGone, NoSpace, Unavailable

from .tables import FolderRow, GroupMemberRow, RightRow, UserRow

R = TypeVar("R")

#: A row of whatever columns were selected.
AnyRow = Row[*tuple[Any, ...]]

#: Says that collections of a user may have changed; "0" is the hierarchy.
Ring = Callable[[str, Collection[str]], None]

HIERARCHY = "0"


def utc_now() -> datetime:
    return datetime.now(UTC)


def silent(user_id: str, collections: Collection[str]) -> None:
    """No bell: nobody waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Octets. A message is what providers take (Exchange Online 150 MB at most, usually 35); a record is what a
    calendar with its attachments inside may need."""

    message: int = 50 << 20
    record: int = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Groupware:
    """`domain` is meant where a login or an address has none."""

    transactions: Transactions
    domain: str = "localhost"
    ring: Ring = silent
    now: Callable[[], datetime] = utc_now
    limits: Limits = Limits()

    async def look(self, do: Callable[[Connection], R]) -> R:
        """One or two selects by a unique index."""
        with _storage():
            return await self.transactions.look(do)

    async def read(self, do: Callable[[Connection], R]) -> R:
        with _storage():
            return await self.transactions.read(do)

    async def write(self, do: Callable[[Writing], R]) -> R:
        """Commits at the end, then rings."""
        touched: dict[str, set[str]] = {}

        def work(connection: Connection) -> R:
            touched.clear()  # by a run that the database has undone
            return do(Writing(connection=connection, now=self.now(), touched=touched))

        with _storage():
            result = await self.transactions.write(work)
        for user_id, collections in touched.items():
            self.ring(user_id, frozenset(collections))
        return result


@contextmanager
def _storage() -> Iterator[None]:
    """The database's own failures in the words of the ports. A violated constraint stays what it is: ours."""
    try:
        yield
    except FAILURES as error:
        failure = failure_of(error)
        if failure is None:
            raise
        if failure is Failure.FULL:
            raise NoSpace("the disk is full") from error
        raise Unavailable(f"the database failed: {reason(error)}") from error


#: Made once: to put a statement together costs more than SQLite takes to run it.
_RAISE = (
    update(FolderRow).where(FolderRow.id == bindparam("folder"))
    .values(modseq=FolderRow.modseq + 1, next_item=FolderRow.next_item + bindparam("more"))
    .returning(FolderRow.modseq, FolderRow.next_item, FolderRow.owner, FolderRow.item_class)
)


@dataclass(slots=True, kw_only=True)
class Writing:
    """A transaction that writes. `touched` are the collections to ring for, by user. `watchers` are those who see a
    folder, looked up once: rights are not changed in one transaction with items."""

    connection: Connection
    now: datetime
    touched: dict[str, set[str]] = field(default_factory=dict)
    watchers: dict[int, set[str]] = field(default_factory=dict)

    def one_at_a_time(self, user_id: str) -> None:
        """Of all transactions that ask for it, one of a user until the commit: so that two do not both find nothing
        and insert. Asked for before anything else is locked; rows that only refer to the user do not wait."""
        statement = select(UserRow.id).where(UserRow.id == user_id).with_for_update(key_share=True)
        self.connection.execute(statement)

    def touch(self, user_id: str, collection: str) -> None:
        self.touched.setdefault(user_id, set()).add(collection)

    def raise_counter(self, folder_id: int, new_items: int = 0) -> Raised:
        """Count one change (and some new items) in a folder, and lock it. Raises FolderGone."""
        row = self.connection.execute(_RAISE, {"folder": folder_id, "more": new_items}).one_or_none()
        if row is None:
            raise FolderGone(str(folder_id))
        if folder_id not in self.watchers:
            self.watchers[folder_id] = {row.owner, *who_may_see(self.connection, [folder_id])}
        for user_id in self.watchers[folder_id]:
            self.touch(user_id, str(folder_id))
        return Raised(
            modseq=row.modseq, first_item=row.next_item - new_items, owner=row.owner, item_class=row.item_class
        )

    def raise_hierarchy(self, owner: str, folder_ids: Iterable[int] = ()) -> None:
        """Count a change of the folders that the owner, and those who share the named ones, see."""
        users = {owner, *who_may_see(self.connection, list(folder_ids))}
        self.raise_hierarchy_of(users)

    def raise_hierarchy_of(self, users: Collection[str]) -> None:
        # In one order everywhere, so that two writers cannot wait for each other.
        for user_id in sorted(users):
            statement = update(UserRow).where(UserRow.id == user_id).values(hierarchy=UserRow.hierarchy + 1)
            self.connection.execute(statement)
            self.touch(user_id, HIERARCHY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """A folder whose counter was raised: `modseq` is the new value, `first_item` the first of the ids reserved."""

    modseq: int
    first_item: int
    owner: str
    item_class: str


def who_may_see(connection: Connection, folder_ids: Collection[int]) -> set[str]:
    """The users other than the owners who have some right on one of the folders, by themselves or in a group."""
    if not folder_ids:
        return set()
    given = select(RightRow.principal).where(RightRow.folder_id.in_(folder_ids))
    principals = set(connection.execute(given).scalars())
    if not principals:
        return set()
    members = select(GroupMemberRow.user_id).where(
        GroupMemberRow.group_id.in_(principals), GroupMemberRow.user_id.is_not(None)
    )
    users = select(UserRow.id).where(UserRow.id.in_(principals))
    found = connection.execute(members.union(users))
    return {user_id for (user_id,) in found if user_id is not None}
