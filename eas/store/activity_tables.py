"""The tables of what devices did (eas.engine.activity). Nothing hangs on them: they are notes, written some minutes
after the fact, and a database that does not take them loses nothing else.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, PrimaryKeyConstraint, String, Table, Text

from eas.db import Base
from eas.engine.activity import COUNTERS, ITEM_COUNTERS

from .tables import Counted, Moment

#: The last events of a device, several to a row as they were written together: `packed` text, `size` of them, the last
#: one `at`.
device_event = Table(
    "device_event",
    Base.metadata,
    Column("number", Counted, primary_key=True),
    Column("user_id", String, nullable=False),
    Column("device_id", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("size", Integer, nullable=False),
    Column("events", Text, nullable=False),
    Index(None, "user_id", "device_id", "number"),
)

#: The last answer to a device, by `kind` (a command or a folder) and `name`: `eas.engine.activity.Answer`.
device_answer = Table(
    "device_answer",
    Base.metadata,
    Column("user_id", String, nullable=False),
    Column("device_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("ok_at", Moment),
    Column("http", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("fine", Boolean, nullable=False),
    Column("since", Moment, nullable=False),
    Column("times", Integer, nullable=False),
    Column("again", Integer, nullable=False),
    Column("starts", Integer, nullable=False),
    Column("day", String, nullable=False),
    Column("more", Boolean, nullable=False),
    PrimaryKeyConstraint("user_id", "device_id", "kind", "name"),
)

#: What a device did on one day (UTC), as counts.
device_day = Table(
    "device_day",
    Base.metadata,
    Column("user_id", String, nullable=False),
    Column("device_id", String, nullable=False),
    Column("day", String, nullable=False),
    Column("version", String, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in (*COUNTERS, *ITEM_COUNTERS.values())),
    PrimaryKeyConstraint("user_id", "device_id", "day"),
    Index(None, "day"),
)

#: Wrong passwords, by user and the device that stated them ("" where it is none of the user's): since when in a row.
login_failure = Table(
    "login_failure",
    Base.metadata,
    Column("user_id", String, nullable=False),
    Column("device_id", String, nullable=False),
    Column("since", Moment, nullable=False),
    Column("last", Moment, nullable=False),
    Column("times", Integer, nullable=False),
    PrimaryKeyConstraint("user_id", "device_id"),
)

#: What a node counted in one hour (UTC): a series by `name`, and within it `label`.
site_hour = Table(
    "site_hour",
    Base.metadata,
    Column("hour", String, nullable=False),
    Column("node", String, nullable=False),
    Column("name", String, nullable=False),
    Column("label", String, nullable=False),
    Column("value", Float, nullable=False),
    PrimaryKeyConstraint("hour", "node", "name", "label"),
)

#: What a node looked like a moment ago, where there are several: JSON of `eas.server.live.Live.look`.
site_live = Table(
    "site_live",
    Base.metadata,
    Column("node", String, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("data", Text, nullable=False),
)
