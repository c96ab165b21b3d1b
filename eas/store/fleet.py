"""All partnerships at once, as far as lists and counts need them: narrow rows, read in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from .tables import device


class FleetRow(NamedTuple):
    """Of `eas.engine.model.Device`, with the names that it has there; `storm`, `wait_bound` and `admission` as they
    are stored."""

    user_id: str
    id: str
    type: str
    agent: str
    version: str
    first_seen: datetime | None
    last_seen: datetime | None
    information: Mapping[str, str]
    policy_key: str
    admission: Mapping[str, Any] | None
    wipe: str
    storm: Mapping[str, Any] | None
    wait_bound: Mapping[str, Any] | None
    wipe_at: datetime | None


_ALL = select(*(device.c[name] for name in FleetRow._fields))


def fleet(connection: Connection, user_id: str | None = None) -> Sequence[FleetRow]:
    """All, or those of a user; in no order."""
    asked = _ALL if user_id is None else _ALL.where(device.c.user_id == user_id)
    return [FleetRow._make(row) for row in connection.execute(asked)]
