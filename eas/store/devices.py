"""Partnerships. Functions of a connection inside a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, case, delete, func, insert, or_, select, update

from eas.engine.model import Access, Admission, Device, Level, Storm, Suspension, WaitBound, Wipe

from .tables import access_default, device, policy_book

#: By the names of the value's own fields, which are the columns'.
_COLUMNS = {f.name: device.c[f.name] for f in fields(Device) if f.name in device.c}
#: Read along, so that the process knows for nothing whether the policies and access rules that it has in memory are
#: those of now.
_POLICIES = select(policy_book.c.revision).where(policy_book.c.id == 1).scalar_subquery()
_RULES = select(access_default.c.revision).where(access_default.c.number == 1).scalar_subquery()
_THIS = (device.c.user_id == bindparam("user"), device.c.id == bindparam("device"))

_ONE: Select[Any] = select(
    *_COLUMNS.values(), func.coalesce(_POLICIES, 0).label("policy_revision"), func.coalesce(_RULES, 0).label("rules")
).where(*_THIS)
_ALL = select(*_COLUMNS.values()).order_by(device.c.user_id, device.c.id)
_OF_USER = _ALL.where(device.c.user_id == bindparam("user"))
_ADD = insert(device)
_REMOVE = delete(device).where(*_THIS)

#: What `seen` writes is not undone by a change that was computed from an earlier state of it.
_NOT_OLDER = or_(device.c.last_seen.is_(None), device.c.last_seen <= bindparam("new_last_seen"))
_OBSERVED = ("agent", "version", "last_seen")
_KEPT = ("user_id", "id", "row", *_OBSERVED)
_SAVE = (
    update(device)
    .where(*_THIS, device.c.row == bindparam("expected"))
    .values(row=device.c.row + 1)
    .values({name: bindparam(f"new_{name}") for name in _COLUMNS if name not in _KEPT})
    .values({name: case((_NOT_OLDER, bindparam(f"new_{name}")), else_=device.c[name]) for name in _OBSERVED})
)
_SEEN = (
    update(device)
    .where(*_THIS, _NOT_OLDER)
    .values({name: bindparam(f"new_{name}") for name in _OBSERVED})
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request that was noted: with which agent, in which protocol version, when."""

    agent: str
    version: str
    at: datetime


def one(connection: Connection, user_id: str, device_id: str) -> Device | None:
    row = connection.execute(_ONE, {"user": user_id, "device": device_id}).one_or_none()
    return None if row is None else _device(row)


def everyone(connection: Connection, user_id: str | None) -> Sequence[Device]:
    """By user and id; of one user, or all."""
    rows = connection.execute(_ALL) if user_id is None else connection.execute(_OF_USER, {"user": user_id})
    return [_device(row) for row in rows]


def add(connection: Connection, new: Device) -> Device:
    """Raises IntegrityError if there is one of that name."""
    connection.execute(_ADD, {**row_of(new), "row": 1})
    return replace(new, row=1)


def save(connection: Connection, changed: Device) -> bool:
    values = {f"new_{name}": value for name, value in row_of(changed).items() if name not in ("user_id", "id", "row")}
    values.update(user=changed.user_id, device=changed.id, expected=changed.row)
    return connection.execute(_SAVE, values).rowcount == 1


def see(connection: Connection, noted: Iterable[tuple[tuple[str, str], Seen]]) -> None:
    values = [
        {"user": user, "device": id, "new_agent": seen.agent, "new_version": seen.version, "new_last_seen": seen.at}
        for (user, id), seen in noted
    ]
    if values:
        connection.execute(_SEEN, values)


def remove(connection: Connection, user_id: str, device_id: str) -> bool:
    return connection.execute(_REMOVE, {"user": user_id, "device": device_id}).rowcount == 1


def row_of(value: Device) -> dict[str, Any]:
    """As the columns have it."""
    values = {name: getattr(value, name) for name in _COLUMNS}
    values.update(
        information=dict(value.information), quirks=dict(value.quirks), wipe=value.wipe.value,
        access=value.access.value, left_out=list(value.left_out),
        ping_folders=[list(folder) for folder in value.ping_folders],
        wait_bound=_plain(value.wait_bound), storm=_plain(value.storm),
        suspended=_plain(value.suspended), admission=_plain(value.admission),
    )
    return values


def _device(row: Row[*tuple[Any, ...]]) -> Device:
    values = dict(row._mapping)
    values.update(
        wipe=Wipe(row.wipe), access=Access(row.access),
        ping_folders=tuple([(id, item_class) for id, item_class in row.ping_folders]),
        remembered_sync=bytes(row.remembered_sync), left_out=tuple(row.left_out),
        wait_bound=bound_of(row.wait_bound), storm=storm_of(row.storm),
        suspended=Suspension(**_timed(row.suspended)) if row.suspended else None,
        admission=_admission(row.admission) if row.admission else None,
    )
    return Device(**values)


#: The members of values kept as JSON that are moments.
_MOMENTS = ("at", "since", "last", "until", "quarantined")


def bound_of(stored: Mapping[str, Any] | None) -> WaitBound | None:
    return WaitBound(**_timed(stored)) if stored else None


def storm_of(stored: Mapping[str, Any] | None) -> Storm | None:
    return Storm(**_timed(stored)) if stored else None


def _admission(stored: dict[str, Any]) -> Admission:
    return Admission(**{**_timed(stored), "level": Level(stored["level"])})


def _plain(value: WaitBound | Storm | Suspension | Admission | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {name: v.isoformat() if isinstance(v, datetime) else v for name, v in asdict(value).items()}


def _timed(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: datetime.fromisoformat(v) if v and name in _MOMENTS else v for name, v in stored.items()}
