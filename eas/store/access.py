"""Access rules, what holds without one, the lists of devices, and how many devices somebody may have.

Functions of a connection inside a transaction, and the store of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, delete, insert, select, update

from eas.db.transactions import Transactions
from eas.engine.access import Book, Characteristic, Rule
from eas.engine.model import Level
from eas.engine.policybook import Assignee

from .reaching import reachable
from .tables import access_default, access_limit, access_list, access_rule, device

_ONLY = 1


def book(connection: Connection) -> Book:
    head = connection.execute(select(access_default.c.revision, access_default.c.level)).one_or_none()
    rules = [
        Rule(
            id=row.id, level=Level(row.level), priority=row.priority, note=row.note,
            match={Characteristic(name): pattern for name, pattern in row.conditions.items()},
        )
        for row in connection.execute(select(access_rule))
    ]
    if head is None:
        return Book(rules=tuple(rules))
    return Book(rules=tuple(rules), default=Level(head.level), revision=head.revision)


def _raise(connection: Connection, level: Level | None = None) -> None:
    """Another revision; with `level`, another default. First of all, so that changes come one after another."""
    values = {"revision": access_default.c.revision + 1, **({} if level is None else {"level": level.value})}
    if not connection.execute(update(access_default).values(values)).rowcount:
        connection.execute(insert(access_default).values(
            number=_ONLY, revision=1, level=(level or Level.ALLOW).value
        ))


def set_default(connection: Connection, level: Level) -> None:
    _raise(connection, level)


def add_rule(connection: Connection, rule: Rule) -> int:
    """Under a new id."""
    _raise(connection)
    key = connection.execute(insert(access_rule).values(**_values(rule))).inserted_primary_key
    assert key is not None
    return int(key[0])


def save_rule(connection: Connection, rule: Rule) -> bool:
    _raise(connection)
    return connection.execute(
        update(access_rule).where(access_rule.c.id == rule.id).values(**_values(rule))
    ).rowcount == 1


def remove_rule(connection: Connection, id: int) -> bool:
    _raise(connection)
    return connection.execute(delete(access_rule).where(access_rule.c.id == id)).rowcount == 1


def _values(rule: Rule) -> Mapping[str, object]:
    match = {name.value: pattern for name, pattern in rule.match.items()}
    return {"priority": rule.priority, "level": rule.level.value, "conditions": match, "note": rule.note}


# Lists of devices -----------------------------------------------------------------------------------------------------


def lists(connection: Connection, user_id: str | None = None) -> Mapping[str, Sequence[str]]:
    """The device ids by user, of those who have a list."""
    statement = select(access_list).order_by(access_list.c.user_id, access_list.c.device_id)
    if user_id is not None:
        statement = statement.where(access_list.c.user_id == user_id)
    found: dict[str, list[str]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.user_id, []).append(row.device_id)
    return found


def set_list(connection: Connection, user_id: str, device_ids: Collection[str]) -> None:
    """No ids: no list any more. The devices that there are learn of it."""
    connection.execute(delete(access_list).where(access_list.c.user_id == user_id))
    wanted = sorted({id.casefold(): id for id in device_ids}.values())
    if wanted:
        connection.execute(insert(access_list), [{"user_id": user_id, "device_id": id} for id in wanted])
    known = connection.execute(select(device.c.id).where(device.c.user_id == user_id)).scalars().all()
    for id in known:
        here = (device.c.user_id == user_id, device.c.id == id)
        listed = is_listed(id, wanted)
        connection.execute(update(device).where(*here).values(listed=listed, row=device.c.row + 1))


def is_listed(device_id: str, wanted: Collection[str]) -> bool | None:
    """None where there is no list."""
    return device_id.casefold() in {id.casefold() for id in wanted} if wanted else None


# Numbers of devices ---------------------------------------------------------------------------------------------------


def limits(connection: Connection) -> Mapping[tuple[Assignee, str], int]:
    return {(Assignee(row.assignee), row.subject): row.most for row in connection.execute(select(access_limit))}


def limit_of(connection: Connection, user_id: str, groups: Sequence[str]) -> int | None:
    """The user's own, else the largest of the user's groups' (0 is any number); None where nothing is said."""
    found = limits(connection)
    if (Assignee.USER, user_id) in found:
        return found[Assignee.USER, user_id]
    of_groups = [found[key] for name in groups if (key := (Assignee.GROUP, name)) in found]
    return (0 if 0 in of_groups else max(of_groups)) if of_groups else None


def set_limit(connection: Connection, assignee: Assignee, subject: str, most: int | None) -> None:
    """None takes it back."""
    here = (access_limit.c.assignee == assignee.value, access_limit.c.subject == subject)
    connection.execute(delete(access_limit).where(*here))
    if most is not None:
        connection.execute(insert(access_limit).values(assignee=assignee.value, subject=subject, most=most))


def waiting(connection: Connection) -> Sequence[tuple[str, str]]:
    """The devices (user, id) in quarantine, also those of which nobody decided in time."""
    began = device.c.admission["quarantined"].as_string()
    rows = connection.execute(select(device.c.user_id, device.c.id).where(began.is_not(None)))
    return [(row.user_id, row.id) for row in rows]


# The store ------------------------------------------------------------------------------------------------------------


class AccessStore:
    """Everything raises Unavailable."""

    def __init__(self, run: Transactions) -> None:
        self._run = run

    async def book(self) -> Book:
        with reachable():
            return await self._run.read(book)

    async def set_default(self, level: Level) -> None:
        with reachable():
            await self._run.write(lambda c: set_default(c, level))

    async def add_rule(self, rule: Rule) -> int:
        with reachable():
            return await self._run.write(lambda c: add_rule(c, rule))

    async def save_rule(self, rule: Rule) -> bool:
        """False if there is none of that id."""
        with reachable():
            return await self._run.write(lambda c: save_rule(c, rule))

    async def remove_rule(self, id: int) -> bool:
        with reachable():
            return await self._run.write(lambda c: remove_rule(c, id))

    async def lists(self, user_id: str | None = None) -> Mapping[str, Sequence[str]]:
        with reachable():
            return await self._run.read(lambda c: lists(c, user_id))

    async def listed(self, user_id: str, device_id: str) -> bool | None:
        return is_listed(device_id, (await self.lists(user_id)).get(user_id, ()))

    async def set_list(self, user_id: str, device_ids: Collection[str]) -> None:
        with reachable():
            await self._run.write(lambda c: set_list(c, user_id, device_ids))

    async def limits(self) -> Mapping[tuple[Assignee, str], int]:
        with reachable():
            return await self._run.read(limits)

    async def limit_of(self, user_id: str, groups: Sequence[str]) -> int | None:
        with reachable():
            return await self._run.read(lambda c: limit_of(c, user_id, groups))

    async def set_limit(self, assignee: Assignee, subject: str, most: int | None) -> None:
        with reachable():
            await self._run.write(lambda c: set_limit(c, assignee, subject, most))

    async def waiting(self) -> Sequence[tuple[str, str]]:
        with reachable():
            return await self._run.read(waiting)
