"""Conversations that are always moved, and an index by which a folder's items are found by their time of receipt."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "gw_conversation_rule",
        sa.Column("user_id", sa.String(40), nullable=False),
        sa.Column("conversation", sa.String(64), nullable=False),
        sa.Column("folder_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["gw_user.id"], name=op.f("fk_gw_conversation_rule_user_id_gw_user"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["folder_id"], ["gw_folder.id"], name=op.f("fk_gw_conversation_rule_folder_id_gw_folder"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "conversation", name=op.f("pk_gw_conversation_rule")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_gw_conversation_rule_folder_id"), "gw_conversation_rule", ["folder_id"])
    op.create_index("ix_gw_item_received", "gw_item", ["folder_id", "received"])
