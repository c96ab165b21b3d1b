"""Recordings of what devices and the server say to each other, and the files of each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table("recording",
        sa.Column("id", COUNTED, nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("max_bytes", sa.BigInteger(), nullable=False),
        sa.Column("contents", sa.Boolean(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_role", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_recording_user_id"), "recording", ["user_id"])
    op.create_index(op.f("ix_recording_ended"), "recording", ["ended"])
    op.create_table("recording_part",
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("recording_id", COUNTED, nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("exchanges", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recording.id"], name=op.f("fk_recording_part_recording_id_recording"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("file", name=op.f("pk_recording_part"))
    )
    op.create_index(op.f("ix_recording_part_recording_id"), "recording_part", ["recording_id"])
