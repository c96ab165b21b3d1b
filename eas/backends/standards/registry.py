"""Numbers for folders on other servers: short, never used again, the same for all devices of a user.

A place is known by its locator. One that was renamed elsewhere keeps its number if something about it stayed (its
mark); one that is gone keeps its row, since a server may hide a folder for a while, and comes back under its number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from eas.backends.embedded.groupware import Groupware, Writing
from eas.backends.embedded.tables import UserRow

from .ports import Numbered, Place
from .tables import PlaceRow


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    locator: str
    mark: str
    present: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be written so that the rows say what the server says. `renamed` are number -> new locator."""

    new: tuple[Place, ...] = ()
    renamed: tuple[tuple[int, Place], ...] = ()
    back: tuple[tuple[int, Place], ...] = ()
    gone: tuple[int, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.new or self.renamed or self.back or self.gone)


def plan(rows: Sequence[Row], places: Sequence[Place]) -> Plan:
    """Pure."""
    by_locator = {row.locator: row for row in rows}
    there = {place.locator for place in places}
    lost = {row.mark: row for row in rows if row.mark and row.present and row.locator not in there}
    marks = [place.mark for place in places]
    new, renamed, back = list[Place](), list[tuple[int, Place]](), list[tuple[int, Place]]()
    for place in places:
        row = by_locator.get(place.locator)
        if row is not None:
            if not row.present or row.mark != place.mark:
                back.append((row.number, place))
        elif place.mark in lost and marks.count(place.mark) == 1:
            renamed.append((lost.pop(place.mark).number, place))
        else:
            new.append(place)
    moved = {number for number, _ in renamed}
    gone = tuple(row.number for row in rows if row.present and row.locator not in there and row.number not in moved)
    return Plan(new=tuple(new), renamed=tuple(renamed), back=tuple(back), gone=gone)


def revision(connection: Connection, user_id: str) -> int:
    """`engine.model.User.revision`, as it is now: every writer here that changes what a user is shown raises it."""
    found = connection.execute(select(UserRow.hierarchy).where(UserRow.id == user_id)).scalar_one_or_none()
    return found or 0


async def numbered(ground: Groupware, user_id: str, source: str, places: Sequence[Place]) -> list[Numbered]:
    """The places with their numbers, in the same order; nothing is written while nothing has changed."""
    rows = await ground.read(lambda c: _rows(c, user_id, source))
    if not plan(rows, places).empty:
        rows = await ground.write(lambda tx: _follow(tx, user_id, source, places))
    number_of = {row.locator: row.number for row in rows}
    return [Numbered(number=number_of[place.locator], place=place) for place in places]


def _follow(tx: Writing, user_id: str, source: str, places: Sequence[Place]) -> list[Row]:
    # Read again: somebody else may have written meanwhile.
    tx.one_at_a_time(user_id)
    rows = _rows(tx.connection, user_id, source, lock=True)
    todo = plan(rows, places)
    if not todo.empty:
        tx.raise_hierarchy_of([user_id])
    for number in todo.gone:
        _set(tx, number, present=False)
    for number, place in (*todo.renamed, *todo.back):
        _set(tx, number, locator=place.locator, mark=place.mark, present=True)
    for place in todo.new:
        _insert(tx, user_id, source, place.locator, place.mark, present=True)
    return _rows(tx.connection, user_id, source)


def _rows(connection: Connection, user_id: str, source: str, *, lock: bool = False) -> list[Row]:
    statement = select(PlaceRow.number, PlaceRow.locator, PlaceRow.mark, PlaceRow.present).where(
        PlaceRow.user_id == user_id, PlaceRow.source == source
    )
    # Locked in one order everywhere, as in `dav.rows.moved`.
    found = connection.execute(
        statement.order_by(PlaceRow.number).with_for_update(key_share=True) if lock else statement
    )
    return [Row(row.number, row.locator, row.mark, row.present) for row in found]


def _set(tx: Writing, number: int, **values: object) -> None:
    tx.connection.execute(update(PlaceRow).where(PlaceRow.number == number).values(**values))


def _insert(
    tx: Writing, user_id: str, source: str, locator: str, mark: str, *, present: bool, chosen: str | None = None
) -> int:
    statement = insert(PlaceRow).returning(PlaceRow.number)
    values = {
        "user_id": user_id, "source": source, "locator": locator, "mark": mark, "present": present, "chosen": chosen,
    }
    number: int = tx.connection.execute(statement, values).scalar_one()
    return number


# --- Folders that we make, rename and delete --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begun:
    """A folder that was chosen to be made; `done`: it has been."""

    number: int
    source: str
    locator: str
    done: bool


def begun(connection: Connection, user_id: str, chosen: str) -> Begun | None:
    row = connection.execute(
        select(PlaceRow.number, PlaceRow.source, PlaceRow.locator, PlaceRow.present)
        .where(PlaceRow.user_id == user_id, PlaceRow.chosen == chosen)
    ).one_or_none()
    return None if row is None else Begun(row.number, row.source, row.locator, row.present)


def begin(tx: Writing, user_id: str, source: str, locator: str, chosen: str) -> Begun:
    """Write down that it will be made. A row of a folder that was there before is not the new one's: what devices know
    of that one must not become this one."""
    tx.one_at_a_time(user_id)
    tx.connection.execute(
        delete(PlaceRow).where(
            PlaceRow.user_id == user_id, PlaceRow.source == source, PlaceRow.locator == locator,
            PlaceRow.present.is_(False), PlaceRow.chosen.is_distinct_from(chosen),
        )
    )
    there = begun(tx.connection, user_id, chosen)
    if there is not None:
        return there
    return Begun(_insert(tx, user_id, source, locator, "", present=False, chosen=chosen), source, locator, False)


def made(tx: Writing, user_id: str, begun: Begun, chosen: str, place: Place) -> int:
    """Its number. Another process that was about to make one of the same name may have put its row in the place of
    ours: the folder is ours, since the server has made it for us."""
    tx.raise_hierarchy_of([user_id])
    values = {"locator": place.locator, "mark": place.mark, "present": True, "chosen": chosen}
    here = (PlaceRow.user_id == user_id, PlaceRow.source == begun.source)
    for row in (PlaceRow.number == begun.number, PlaceRow.locator == place.locator):
        found = tx.connection.execute(
            update(PlaceRow).where(*here, row).values(**values).returning(PlaceRow.number)
        ).scalar_one_or_none()
        if found is not None:
            return found
    return _insert(tx, user_id, begun.source, place.locator, place.mark, present=True, chosen=chosen)


def give_up(tx: Writing, number: int) -> None:
    """It could not be made."""
    tx.connection.execute(delete(PlaceRow).where(PlaceRow.number == number, PlaceRow.present.is_(False)))


def renamed(tx: Writing, user_id: str, source: str, locators: Sequence[tuple[str, str]]) -> None:
    """Old locator -> new one. Rows of folders that once had the new names make way."""
    tx.raise_hierarchy_of([user_id])
    rows = {row.locator: row for row in _rows(tx.connection, user_id, source, lock=True)}
    moving = {rows[old].number: new for old, new in locators if old in rows}
    for new in moving.values():
        if new in rows and rows[new].number not in moving:
            tx.connection.execute(delete(PlaceRow).where(PlaceRow.number == rows[new].number))
    for number in moving:  # by way of names that nobody has, as A -> B and B -> C may come together
        _set(tx, number, locator=f"\x01{number}")
    for number, new in moving.items():
        _set(tx, number, locator=new)


def forget(tx: Writing, user_id: str, numbers: Sequence[int]) -> None:
    """Folders that were deleted by us, with all rows of theirs."""
    tx.raise_hierarchy_of([user_id])
    tx.connection.execute(delete(PlaceRow).where(PlaceRow.number.in_(numbers)))
