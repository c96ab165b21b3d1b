"""Writing and reading what devices did. Functions of a connection inside a transaction; times are aware in UTC."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    and_,
    bindparam,
    case,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from eas.engine.activity import COMMAND, COUNTERS, ITEM_COUNTERS, KEPT_EVENTS, Answer, Batch, Event, packed, unpacked

from .activity_tables import device_answer, device_day, device_event, login_failure, site_hour, site_live
from .tables import device

NUMBERS = (*COUNTERS, *ITEM_COUNTERS.values())
#: Rows of a device that are written in one go beyond which older ones are cut off at once; else the clean-up does it.
CUT_FROM = 50

_INSERT: Mapping[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Wrong passwords in a row. `login` is what was stated, until it is known whose it is."""

    device_id: str
    since: float
    last: float
    count: int


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


_ADD_EVENTS = insert(device_event)

# Writing --------------------------------------------------------------------------------------------------------------


def put_devices(connection: Connection, found: Sequence[tuple[str, str, Sequence[Event], Batch]]) -> None:
    """What some devices did, each at most once in a call."""
    connection.execute(_ADD_EVENTS, [
        {
            "user_id": user, "device_id": id, "at": moment(events[-1].at), "size": len(events[-KEPT_EVENTS:]),
            "events": packed(events[-KEPT_EVENTS:]),
        }
        for user, id, events, _ in found
    ])
    # In one order everywhere, so that two nodes do not wait for each other in a circle.
    answers = [
        _answer(user, id, kind, name, answer)
        for user, id, _, batch in found for (kind, name), answer in batch.answers.items()
    ]
    connection.execute(_put_answers(connection.dialect.name), sorted(answers, key=_key_of_answer))
    days = [
        {"user_id": user, "device_id": id, "day": day, "version": batch.version, **dict.fromkeys(NUMBERS, 0), **counts}
        for user, id, _, batch in found for day, counts in batch.days.items()
    ]
    days.sort(key=lambda row: (row["user_id"], row["device_id"]))
    connection.execute(_put_days(connection.dialect.name), days)
    for user, id, events, _ in found:
        if len(events) >= CUT_FROM:
            cut(connection, user, id)


def _key_of_answer(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["user_id"], row["device_id"], row["kind"], row["name"]


def _answer(user: str, id: str, kind: str, name: str, answer: Answer) -> dict[str, Any]:
    return {
        "user_id": user, "device_id": id, "kind": kind, "name": name, "at": moment(answer.at),
        "ok_at": None if answer.ok_at is None else moment(answer.ok_at), "http": answer.http,
        "status": answer.status, "fine": answer.fine, "since": moment(answer.since), "times": answer.count,
        "again": answer.again, "starts": answer.starts, "day": answer.day, "more": answer.more,
        "is_whole": answer.whole, "is_kept": answer.kept,
    }


@cache
def _put_answers(dialect: str) -> Any:
    table, names = device_answer, [column.name for column in device_answer.columns]
    made = _INSERT[dialect](table).values({name: bindparam(name) for name in names})
    new, old = made.excluded, table.c
    same = and_(bindparam("is_whole", type_=old.fine.type), old.http == new.http, old.status == new.status)
    kept = bindparam("is_kept", type_=old.fine.type)
    return made.on_conflict_do_update(
        index_elements=["user_id", "device_id", "kind", "name"],
        set_={
            **{name: new[name] for name in ("at", "http", "status", "fine", "more", "day")},
            "ok_at": func.coalesce(new.ok_at, old.ok_at),
            "since": case((same, old.since), else_=new.since),
            "times": new.times + case((same, old.times), else_=0),
            "again": new.again + case((kept, old.again), else_=0),
            "starts": new.starts + case((old.day == new.day, old.starts), else_=0),
        },
        where=old.at <= new.at,
    )


@cache
def _put_days(dialect: str) -> Any:
    made = _INSERT[dialect](device_day)
    return made.on_conflict_do_update(
        index_elements=["user_id", "device_id", "day"],
        set_={
            "version": case((made.excluded.version == "", device_day.c.version), else_=made.excluded.version),
            **{name: device_day.c[name] + made.excluded[name] for name in NUMBERS},
        },
    )


def put_hours(connection: Connection, node: str, found: Mapping[tuple[str, str, str], float]) -> None:
    """Added to what is there, by (hour, name, label)."""
    if not found:
        return
    made = _INSERT[connection.dialect.name](site_hour)
    statement = made.on_conflict_do_update(
        index_elements=["hour", "node", "name", "label"], set_={"value": site_hour.c.value + made.excluded.value}
    )
    connection.execute(statement, [
        {"hour": hour, "node": node, "name": name, "label": label, "value": value}
        for (hour, name, label), value in sorted(found.items())
    ])


def put_failures(connection: Connection, found: Mapping[str, Sequence[Failure]]) -> None:
    """By user id. A device that is none of the user's counts as ""; a row begins anew once the device was let in."""
    for user, failures in sorted(found.items()):
        heard = {
            row.id: row.last_seen for row in connection.execute(
                select(device.c.id, device.c.last_seen).where(
                    device.c.user_id == user, device.c.id.in_([failure.device_id for failure in failures])
                )
            )
        }
        for failure in failures:
            _put_failure(connection, user, failure, heard)


def _put_failure(connection: Connection, user: str, failure: Failure, heard: Mapping[str, datetime | None]) -> None:
    id = failure.device_id if failure.device_id in heard else ""
    made = _INSERT[connection.dialect.name](login_failure).values(
        user_id=user, device_id=id, since=moment(failure.since), last=moment(failure.last), times=failure.count
    )
    seen = heard.get(id)
    row = login_failure.c
    over: ColumnElement[bool] = row.last < seen if seen is not None else false()
    connection.execute(made.on_conflict_do_update(index_elements=["user_id", "device_id"], set_={
        "since": case((over, made.excluded.since), else_=row.since), "last": made.excluded.last,
        "times": made.excluded.times + case((over, 0), else_=row.times),
    }))


def put_live(connection: Connection, node: str, data: str, at: datetime) -> None:
    made = _INSERT[connection.dialect.name](site_live).values(node=node, data=data, at=at)
    connection.execute(made.on_conflict_do_update(
        index_elements=["node"], set_={"data": made.excluded.data, "at": made.excluded.at}
    ))


def forget_live(connection: Connection, node: str) -> None:
    connection.execute(delete(site_live).where(site_live.c.node == node))


def cut(connection: Connection, user_id: str, device_id: str) -> None:
    """Leave the rows with the last events, `KEPT_EVENTS` or a few more."""
    rows = connection.execute(
        select(device_event.c.number, device_event.c.size).where(*_of(device_event, user_id, device_id))
        .order_by(device_event.c.number.desc())
    )
    total = 0
    for row in rows:
        if total >= KEPT_EVENTS:
            older = device_event.c.number <= row.number
            connection.execute(delete(device_event).where(*_of(device_event, user_id, device_id), older))
            return
        total += row.size


def forget(connection: Connection, user_id: str, device_id: str) -> None:
    for table in (device_event, device_answer, device_day, login_failure):
        connection.execute(delete(table).where(*_of(table, user_id, device_id)))


def _of(table: Table, user_id: str, device_id: str) -> tuple[ColumnElement[bool], ...]:
    return table.c.user_id == user_id, table.c.device_id == device_id


# Reading --------------------------------------------------------------------------------------------------------------


def events(connection: Connection, user_id: str, device_id: str, most: int = KEPT_EVENTS) -> list[Event]:
    """The newest first."""
    rows = connection.execute(
        select(device_event.c.events).where(*_of(device_event, user_id, device_id))
        .order_by(device_event.c.number.desc()).limit(most)
    )
    found: list[Event] = []
    for row in rows:
        found.extend(reversed(unpacked(row.events)))
        if len(found) >= most:
            break
    # Several nodes write at different times what they have noted.
    return sorted(found, key=lambda event: event.at, reverse=True)[:most]


def answers(connection: Connection, user_id: str, device_id: str) -> list[dict[str, Any]]:
    """Rows of `device_answer`, by kind and name."""
    statement = select(device_answer).where(*_of(device_answer, user_id, device_id)).order_by("kind", "name")
    return [dict(row._mapping) for row in connection.execute(statement)]


def days(connection: Connection, user_id: str, device_id: str, since: str) -> list[dict[str, Any]]:
    """Rows of `device_day` from a day on, the newest first."""
    statement = (
        select(device_day).where(*_of(device_day, user_id, device_id), device_day.c.day >= since)
        .order_by(device_day.c.day.desc())
    )
    return [dict(row._mapping) for row in connection.execute(statement)]


def amiss(
    connection: Connection, today: str, repeats: int, starts: int, user_id: str | None = None
) -> list[dict[str, Any]]:
    """Of all devices, or those of a user, the last answers that are not fine, or tell of repeated keys, of folders
    begun anew today, or of a folder that is not fetched whole."""
    table = device_answer.c
    bad = or_(
        table.fine == false(), table.more == true(), table.again >= repeats,
        and_(table.starts >= starts, table.day == today),
    )
    statement = select(device_answer).where(bad, *_whose(device_answer, user_id))
    return [dict(row._mapping) for row in connection.execute(statement)]


def _whose(table: Table, user_id: str | None) -> tuple[ColumnElement[bool], ...]:
    return () if user_id is None else (table.c.user_id == user_id,)


def synced(connection: Connection, user_id: str | None = None) -> set[tuple[str, str]]:
    """The devices that were ever answered a Sync well, as far back as is kept."""
    table = device_answer.c
    asked = and_(table.kind == COMMAND, table.name == "Sync", table.ok_at.is_not(None))
    statement = select(table.user_id, table.device_id).where(asked, *_whose(device_answer, user_id))
    found = connection.execute(statement)
    return {(row.user_id, row.device_id) for row in found}


def last_good(connection: Connection, owners: Sequence[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
    """When each of some devices was last answered a Sync well."""
    table = device_answer.c
    found: dict[tuple[str, str], datetime] = {}
    for first in range(0, len(owners), 300):
        asked = tuple_(table.user_id, table.device_id).in_(owners[first:first + 300])
        statement = select(table.user_id, table.device_id, table.ok_at).where(
            asked, table.kind == COMMAND, table.name == "Sync", table.ok_at.is_not(None)
        )
        found.update({(row.user_id, row.device_id): row.ok_at for row in connection.execute(statement)})
    return found


#: What is summed over days to judge devices.
JUDGED = ("requests", "waits", "waits_held", "waits_cut")


def totals(connection: Connection, since: str, user_id: str | None = None) -> dict[tuple[str, str], Any]:
    """The counts (`JUDGED`) of days from `since` on together, by (user id, device id)."""
    table = device_day.c
    statement = select(
        table.user_id, table.device_id, *(func.sum(table[name]).label(name) for name in JUDGED)
    ).where(table.day >= since, *_whose(device_day, user_id)).group_by(table.user_id, table.device_id)
    return {(row.user_id, row.device_id): row for row in connection.execute(statement)}


def failures(connection: Connection, user_id: str | None = None) -> list[dict[str, Any]]:
    statement = select(login_failure)
    if user_id is not None:
        statement = statement.where(login_failure.c.user_id == user_id)
    return [dict(row._mapping) for row in connection.execute(statement)]


def hours(connection: Connection, since: str) -> list[tuple[str, str, str, float]]:
    """(hour, name, label, value) from an hour on, of all nodes together."""
    table = site_hour.c
    statement = (
        select(table.hour, table.name, table.label, func.sum(table.value).label("value"))
        .where(table.hour >= since).group_by(table.hour, table.name, table.label)
        .order_by(table.hour, table.name, table.label)
    )
    return [(row.hour, row.name, row.label, float(row.value)) for row in connection.execute(statement)]


def seen_by_day(connection: Connection, since: str, until: str = "") -> list[tuple[str, str, str, str, int]]:
    """(day, version, device type, agent, number of devices) from a day on, to the one before `until`."""
    statement = (
        select(device_day.c.day, device_day.c.version, device.c.type, device.c.agent, func.count().label("seen"))
        .join(device, and_(device.c.user_id == device_day.c.user_id, device.c.id == device_day.c.device_id))
        .where(device_day.c.day >= since, device_day.c.day < until if until else true())
        .group_by(device_day.c.day, device_day.c.version, device.c.type, device.c.agent)
    )
    return [(row.day, row.version, row.type, row.agent, row.seen) for row in connection.execute(statement)]


def live(connection: Connection, since: datetime) -> list[tuple[str, datetime, str]]:
    """(node, when, data) of those that have told since then."""
    statement = select(site_live).where(site_live.c.at >= since).order_by(site_live.c.node)
    return [(row.node, row.at, row.data) for row in connection.execute(statement)]


# Clean-up -------------------------------------------------------------------------------------------------------------


def surplus() -> Any:
    """The numbers of rows of events that are older than the last ones of their device."""
    newer = func.sum(device_event.c.size).over(
        partition_by=(device_event.c.user_id, device_event.c.device_id), order_by=device_event.c.number.desc()
    ) - device_event.c.size
    counted = select(device_event.c.number, newer.label("newer")).subquery()
    return select(counted.c.number).where(counted.c.newer >= literal(KEPT_EVENTS))


def orphans(table: Table) -> Any:
    """The owners of rows whose device is no more. Wrong passwords of a user stay ("")."""
    here = and_(device.c.user_id == table.c.user_id, device.c.id == table.c.device_id)
    return (
        select(table.c.user_id, table.c.device_id).distinct().outerjoin(device, here)
        .where(device.c.id.is_(None), table.c.device_id != "")
    )


def remove_rows(table: Table, connection: Connection, found: Sequence[Row[Any]]) -> None:
    """Those whose columns have the values of one of the rows."""
    names = list(found[0]._fields)
    keys = [tuple(row) for row in found]
    if len(names) == 1:
        connection.execute(delete(table).where(table.c[names[0]].in_([key[0] for key in keys])))
    else:
        connection.execute(delete(table).where(tuple_(*(table.c[name] for name in names)).in_(keys)))
