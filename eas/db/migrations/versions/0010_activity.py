"""What devices did: last events, last answers, counts of days and hours, wrong passwords, who is at it now."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table("device_answer",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ok_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("http", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("fine", sa.Boolean(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("again", sa.Integer(), nullable=False),
        sa.Column("starts", sa.Integer(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("more", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "device_id", "kind", "name", name=op.f("pk_device_answer"))
    )
    op.create_table("device_day",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        sa.Column("bytes_in", sa.BigInteger(), nullable=False),
        sa.Column("bytes_out", sa.BigInteger(), nullable=False),
        sa.Column("wakeups", sa.BigInteger(), nullable=False),
        sa.Column("waits", sa.BigInteger(), nullable=False),
        sa.Column("waits_held", sa.BigInteger(), nullable=False),
        sa.Column("waits_cut", sa.BigInteger(), nullable=False),
        sa.Column("waited_seconds", sa.BigInteger(), nullable=False),
        sa.Column("starts", sa.BigInteger(), nullable=False),
        sa.Column("email_out", sa.BigInteger(), nullable=False),
        sa.Column("email_in", sa.BigInteger(), nullable=False),
        sa.Column("calendar_out", sa.BigInteger(), nullable=False),
        sa.Column("calendar_in", sa.BigInteger(), nullable=False),
        sa.Column("contacts_out", sa.BigInteger(), nullable=False),
        sa.Column("contacts_in", sa.BigInteger(), nullable=False),
        sa.Column("tasks_out", sa.BigInteger(), nullable=False),
        sa.Column("tasks_in", sa.BigInteger(), nullable=False),
        sa.Column("notes_out", sa.BigInteger(), nullable=False),
        sa.Column("notes_in", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "device_id", "day", name=op.f("pk_device_day"))
    )
    with op.batch_alter_table("device_day", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_device_day_day"), ["day"], unique=False)

    op.create_table("device_event",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_device_event"))
    )
    with op.batch_alter_table("device_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_device_event_user_id"), ["user_id", "device_id", "number"], unique=False)

    op.create_table("login_failure",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "device_id", name=op.f("pk_login_failure"))
    )
    op.create_table("site_hour",
        sa.Column("hour", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "node", "name", "label", name=op.f("pk_site_hour"))
    )
    op.create_table("site_live",
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("node", name=op.f("pk_site_live"))
    )
