"""Policies that are based on others, for one device, and in stages."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # Written anew where SQLite is the database: its ALTER TABLE would put the columns behind the constraints.
    way: Literal["always", "never"] = "always" if op.get_context().dialect.name == "sqlite" else "never"
    with op.batch_alter_table("device", recreate=way) as table:
        table.add_column(sa.Column("policy_answer", sa.String(), nullable=False, server_default=sa.text("''")))
    with op.batch_alter_table("policy", recreate=way) as table:
        table.add_column(sa.Column("based_on", sa.String(), nullable=False, server_default=sa.text("''")))
        table.add_column(sa.Column("inherits", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))
        table.add_column(sa.Column("insist", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))
    with op.batch_alter_table("policy_assignment", recreate=way) as table:
        table.add_column(sa.Column("rank", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.create_table(
        "policy_override",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["policy"], ["policy.name"], name=op.f("fk_policy_override_policy_policy"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "device_id", name=op.f("pk_policy_override")),
    )
    op.create_index(op.f("ix_policy_override_policy"), "policy_override", ["policy"])
    op.create_table(
        "policy_roll",
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("candidate", sa.JSON(none_as_null=True)),
        sa.Column("assignee", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fail_percent", sa.Integer()),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("policy", name=op.f("pk_policy_roll")),
    )
    op.create_table(
        "policy_book",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_book")),
    )
