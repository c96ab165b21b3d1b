"""The tables of the state store.

One request of a device reads one row of `device` and one of `sync_state`; both are kept small, bodies lie apart.
Nothing refers to a user: users live in the groupware. Rows that have no meaning without a state go with it (CASCADE).
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

from eas.db import Base

#: A 64-bit number that the database counts up; SQLite does that for the type INTEGER alone.
Counted = BigInteger().with_variant(Integer(), "sqlite")


class Moment(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite keeps no zone: there it is left away and put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


#: A partnership, `eas.engine.model.Device`.
device = Table(
    "device",
    Base.metadata,
    Column("number", Counted, primary_key=True),
    Column("user_id", String, nullable=False),
    Column("id", String, nullable=False),
    Column("type", String, nullable=False),
    Column("row", Integer, nullable=False),
    Column("agent", String, nullable=False),
    Column("version", String, nullable=False),
    Column("first_seen", Moment),
    Column("last_seen", Moment),
    Column("information", JSON, nullable=False),
    Column("policy_key", String, nullable=False),
    Column("policy_digest", String, nullable=False),
    Column("offered_key", String, nullable=False),
    Column("offered_digest", String, nullable=False),
    Column("recovery_password", String, nullable=False),
    Column("wipe", String, nullable=False),
    Column("wipe_at", Moment),
    Column("wipe_account_only", Boolean, nullable=False, server_default=false()),
    Column("access", String, nullable=False),
    Column("ping_folders", JSON, nullable=False),
    Column("ping_heartbeat", Integer, nullable=False),
    Column("remembered_sync", LargeBinary, nullable=False),
    Column("quirks", JSON, nullable=False, server_default="{}"),
    Column("wait_bound", JSON(none_as_null=True)),
    Column("storm", JSON(none_as_null=True)),
    Column("policy_answer", String, nullable=False, server_default=text("''")),
    Column("label", String, nullable=False, server_default=text("''")),
    Column("left_out", JSON, nullable=False, server_default="[]"),
    Column("access_until", Moment),
    Column("access_reason", Text, nullable=False, server_default=text("''")),
    Column("listed", Boolean),
    Column("suspended", JSON(none_as_null=True)),
    Column("admission", JSON(none_as_null=True)),
    UniqueConstraint("user_id", "id"),
)

#: One row, number 1, once anything has been said: what holds where no access rule fits. `revision` is raised by each
#: change of the rules and of this, and read with each device.
access_default = Table(
    "access_default",
    Base.metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
    Column("level", String, nullable=False),
)

#: `eas.engine.access.Rule`.
access_rule = Table(
    "access_rule",
    Base.metadata,
    Column("id", Counted, primary_key=True),
    Column("priority", Integer, nullable=False),
    Column("level", String, nullable=False),
    Column("conditions", JSON, nullable=False),
    Column("note", Text, nullable=False),
    sqlite_autoincrement=True,  # an id stands in what was decided by the rule, also when the rule is gone
)

#: The only devices of some users.
access_list = Table(
    "access_list",
    Base.metadata,
    Column("user_id", String, nullable=False),
    Column("device_id", String, nullable=False),
    PrimaryKeyConstraint("user_id", "device_id"),
)

#: How many devices somebody may have, otherwise than all: `assignee` and `subject` as in policy_assignment. 0: any.
access_limit = Table(
    "access_limit",
    Base.metadata,
    Column("assignee", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("most", Integer, nullable=False),
    PrimaryKeyConstraint("assignee", "subject"),
)

#: What the nodes of a site know and nobody else, by its name. Made once, by whoever needs it first.
site_secret = Table(
    "site_secret",
    Base.metadata,
    Column("name", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

#: Passwords for one device each, `eas.engine.model.DevicePassword`. `digest` is keyed.
device_password = Table(
    "device_password",
    Base.metadata,
    Column("id", Counted, primary_key=True),
    Column("user_id", String, nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("device_id", String, nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment),
    Column("first_used", Moment),
    Column("last_used", Moment),
    sqlite_autoincrement=True,  # the number of one that was revoked must not mean another one
)

#: What one process does for all of the site, and the last period for which it was done: `eas.store.errands`.
errand = Table(
    "errand",
    Base.metadata,
    Column("name", String, primary_key=True),
    Column("period", String, nullable=False),
)

#: `eas.engine.model.Policy`, by its name.
policy = Table(
    "policy",
    Base.metadata,
    Column("name", String, primary_key=True),
    Column("settings", JSON, nullable=False),
    Column("enforced", Boolean, nullable=False),
    Column("allow_partial", Boolean, nullable=False),
    Column("allow_external", Boolean, nullable=False),
    Column("allow_password_recovery", Boolean, nullable=False),
    Column("based_on", String, nullable=False, server_default=text("''")),
    Column("inherits", JSON, nullable=False, server_default="[]"),
    Column("insist", JSON, nullable=False, server_default="[]"),
)

#: Which policy is whose. `assignee` is "user" (then `subject` is the user's id) or "group" (its name).
policy_assignment = Table(
    "policy_assignment",
    Base.metadata,
    Column("assignee", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("policy", String, ForeignKey("policy.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("rank", Integer, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("assignee", "subject"),
)

#: A policy for one device alone, `eas.engine.policybook.Override`.
policy_override = Table(
    "policy_override",
    Base.metadata,
    Column("user_id", String, nullable=False),
    Column("device_id", String, nullable=False),
    Column("policy", String, ForeignKey("policy.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("until", Moment),
    PrimaryKeyConstraint("user_id", "device_id"),
)

#: Changes of policies that come in stages, `eas.engine.policybook.Roll`. `candidate` is a row of `policy` as JSON, null
#: where the document stays; `subject` is "" where no assignment is new; `looked` is when a process looked last
#: whether it has to go on.
policy_roll = Table(
    "policy_roll",
    Base.metadata,
    Column("policy", String, primary_key=True),
    Column("candidate", JSON(none_as_null=True)),
    Column("assignee", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("percent", Integer, nullable=False),
    Column("groups", JSON, nullable=False),
    Column("steps", JSON, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("fail_percent", Integer),
    Column("started", Moment, nullable=False),
    Column("moved", Moment, nullable=False),
    Column("looked", Moment),
)

#: One row: how often anything of the policies was changed. Whoever has read them knows by it whether they still hold.
policy_book = Table(
    "policy_book",
    Base.metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
)

#: What one device holds of one collection. `row` is raised by every commit; `heads` is JSON of `eas.engine.keys.Held`.
sync_state = Table(
    "sync_state",
    Base.metadata,
    Column("number", Counted, primary_key=True),
    Column("user_id", String, nullable=False),
    Column("device_id", String, nullable=False),
    Column("collection_id", String, nullable=False),
    Column("row", Integer, nullable=False),
    Column("heads", Text, nullable=False),
    UniqueConstraint("user_id", "device_id", "collection_id"),
)

#: The bodies of generations, by key.
sync_generation = Table(
    "sync_generation",
    Base.metadata,
    Column("state", Counted, ForeignKey("sync_state.number", ondelete="CASCADE"), nullable=False),
    Column("key", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("state", "key"),
)

#: The bases and listings that bodies build on, by the number that a head gives.
sync_blob = Table(
    "sync_blob",
    Base.metadata,
    Column("state", Counted, ForeignKey("sync_state.number", ondelete="CASCADE"), nullable=False),
    Column("blob", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("state", "blob"),
)

#: Items that a device got degraded: `eas.engine.ports.DegradedItem`.
degraded = Table(
    "degraded",
    Base.metadata,
    Column("state", Counted, ForeignKey("sync_state.number", ondelete="CASCADE"), nullable=False),
    Column("item", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("release", String, nullable=False),
    Column("at", Moment, nullable=False),
    PrimaryKeyConstraint("state", "item"),
)

#: Effects, written down before they are done: `eas.engine.ports.Intent`. They outlive the state of their collection,
#: so that a device that begins again with key 0 is recognised. `result` is "" while the effect is open.
intent = Table(
    "intent",
    Base.metadata,
    Column("id", Counted, primary_key=True),
    Column("user_id", String, nullable=False),
    Column("device_id", String, nullable=False),
    Column("collection_id", String, nullable=False),
    Column("verb", String, nullable=False),
    Column("client_id", String, nullable=False),
    Column("server_id", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("chosen_name", String, nullable=False),
    Column("chosen_note", String, nullable=False),
    Column("result", Text, nullable=False),
    Column("settled_key", String, nullable=False),
    Column("created", Moment, nullable=False),
    UniqueConstraint("user_id", "device_id", "collection_id", "verb", "client_id", "server_id", "digest"),
    Index(None, "created"),
    sqlite_autoincrement=True,  # a settled id must not mean a later intent
)

#: What people did with the administration and what the server did by itself, in order; `eas.store.audit`. Rows name
#: users as they were called at the time and stay when a user goes. `hash` is over the row and the one before it.
audit_log = Table(
    "audit_log",
    Base.metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("actor", String, nullable=False),
    Column("role", String, nullable=False),
    Column("face", String, nullable=False),
    Column("address", String, nullable=False),
    Column("action", String, nullable=False),
    Column("about_user", String, nullable=False),
    Column("about_device", String, nullable=False),
    Column("details", Text, nullable=False),
    Column("outcome", String, nullable=False),
    Column("hash", String, nullable=False),
    Index(None, "at"),
    Index(None, "about_user", "about_device"),
)

#: The last row of the log: whoever appends raises it first, so that one chain comes of all processes.
audit_head = Table(
    "audit_head",
    Base.metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("hash", String, nullable=False),
)

#: Who may administer. `password` is an argon2 hash; "" where the name is a mailbox's, whose password is meant.
staff = Table(
    "staff",
    Base.metadata,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("password", String, nullable=False),
    Column("created", Moment, nullable=False),
)

#: Who is logged in to the pages, by the hash of the token in the cookie. `user_id` is "" for staff without a mailbox.
page_session = Table(
    "page_session",
    Base.metadata,
    Column("token", String, primary_key=True),
    Column("area", String, nullable=False),
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    Column("user_id", String, nullable=False, index=True),
    Column("csrf", String, nullable=False),
    Column("began", Moment, nullable=False),
    Column("used", Moment, nullable=False),
    Column("sealed", Text, nullable=False, server_default=text("''")),
)

#: Addresses from which a phone fetches its settings, by the hash of what is secret in them; each once.
profile_link = Table(
    "profile_link",
    Base.metadata,
    Column("token", String, primary_key=True),
    Column("user_id", String, nullable=False, index=True),
    Column("until", Moment, nullable=False),
    Column("password_for", String, nullable=False),
)

#: With what programs use the API, by the hash of the token.
api_token = Table(
    "api_token",
    Base.metadata,
    Column("token", String, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("label", String, nullable=False),
    Column("staff", String, ForeignKey("staff.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("created", Moment, nullable=False),
    Column("used", Moment),
    Column("until", Moment),
)

#: Wishes to have a device wiped, `eas.engine.wipes.Order`; the newest of a device counts. They outlive the device's
#: row, so that a device which comes back after it was removed is still wiped, or still kept out.
wipe_order = Table(
    "wipe_order",
    Base.metadata,
    Column("id", Counted, primary_key=True),
    Column("user_id", String, nullable=False),
    Column("device_id", String, nullable=False),
    Column("account_only", Boolean, nullable=False),
    Column("stage", String, nullable=False, index=True),
    Column("asked_by", String, nullable=False),
    Column("asked_role", String, nullable=False),
    Column("asked", Moment, nullable=False),
    Column("note", String, nullable=False),
    Column("expires", Moment),
    Column("decided_by", String, nullable=False),
    Column("decided", Moment),
    Column("sent", Moment),
    Column("ended_by", String, nullable=False),
    Column("ended", Moment),
    Index(None, "user_id", "device_id"),
    sqlite_autoincrement=True,  # the number of an order must not mean a later one
)

#: Devices of which is written down what they and the server say to each other, `eas.store.recordings.Recording`.
#: `device_id` is "" for all of the user's; `key` is b"" once it is over, so that nobody can try what a mask hides.
recording = Table(
    "recording",
    Base.metadata,
    Column("id", Counted, primary_key=True),
    Column("user_id", String, nullable=False, index=True),
    Column("address", String, nullable=False),
    Column("device_id", String, nullable=False),
    Column("agent", String, nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("max_bytes", BigInteger, nullable=False),
    Column("contents", Boolean, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("asked_by", String, nullable=False),
    Column("asked_role", String, nullable=False),
    Column("note", String, nullable=False),
    Column("ended", Moment, index=True),
    Column("why", String, nullable=False),
    sqlite_autoincrement=True,  # files are named by it
)

#: What one process has written of a recording: a file in the data folder of its node.
recording_part = Table(
    "recording_part",
    Base.metadata,
    Column("file", String, primary_key=True),
    Column("recording_id", Counted, ForeignKey("recording.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("node", String, nullable=False),
    Column("exchanges", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
