"""What is known of folders and items on other servers: their numbers, and what has no place there.

Drafted by Alembic; lines are as long as it makes them.
"""

# ruff: noqa: E501

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

FOLDED = sa.String(320).with_variant(sa.String(320, collation="C"), "postgresql")
COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table("std_member",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("login", FOLDED, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["gw_user.id"], name=op.f("fk_std_member_user_id_gw_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_std_member")),
        sqlite_with_rowid=False
    )
    op.create_index("uq_std_member_login", "std_member", ["tenant", "login"], unique=True)
    op.create_table("std_kept",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["gw_user.id"], name=op.f("fk_std_kept_user_id_gw_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "name", name=op.f("pk_std_kept")),
        sqlite_with_rowid=False
    )
    op.create_table("std_place",
        sa.Column("number", COUNTED, nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("locator", sa.String(length=1024), nullable=False),
        sa.Column("mark", sa.String(length=255), nullable=False),
        sa.Column("chosen", sa.String(length=255), nullable=True),
        sa.Column("present", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("validity", sa.BigInteger(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("next_item", sa.BigInteger(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["gw_user.id"], name=op.f("fk_std_place_user_id_gw_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_std_place")),
        sqlite_autoincrement=True
    )
    op.create_index("uq_std_place_chosen", "std_place", ["user_id", "chosen"], unique=True)
    op.create_index("uq_std_place_locator", "std_place", ["user_id", "source", "locator"], unique=True)
    op.create_table("std_alias",
        sa.Column("number", COUNTED, autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("modseq", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["std_place.number"], name=op.f("fk_std_alias_number_std_place"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", "id", name=op.f("pk_std_alias")),
        sqlite_with_rowid=False
    )
    op.create_index("ix_std_alias_uid", "std_alias", ["number", "epoch", "uid"])
    op.create_table("std_gone",
        sa.Column("number", COUNTED, autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("modseq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(["number"], ["std_place.number"], name=op.f("fk_std_gone_number_std_place"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", "id", name=op.f("pk_std_gone")),
        sqlite_with_rowid=False
    )
    op.create_index(op.f("ix_std_gone_at"), "std_gone", ["at"])
    op.create_index("ix_std_gone_modseq", "std_gone", ["number", "modseq"])
    op.create_index("ix_std_gone_uid", "std_gone", ["number", "uid"])
    op.create_table("std_moved_conversation",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("conversation", sa.String(length=64), nullable=False),
        sa.Column("number", COUNTED, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["number"], ["std_place.number"], name=op.f("fk_std_moved_conversation_number_std_place"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["gw_user.id"], name=op.f("fk_std_moved_conversation_user_id_gw_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "conversation", name=op.f("pk_std_moved_conversation")),
        sqlite_with_rowid=False
    )
    op.create_index(op.f("ix_std_moved_conversation_number"), "std_moved_conversation", ["number"])
    op.create_table("std_note",
        sa.Column("number", COUNTED, autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("message", sa.String(length=64), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("modseq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["std_place.number"], name=op.f("fk_std_note_number_std_place"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["gw_user.id"], name=op.f("fk_std_note_user_id_gw_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", "id", name=op.f("pk_std_note")),
        sqlite_with_rowid=False
    )
    op.create_index("ix_std_note_message", "std_note", ["user_id", "message"])
    op.create_index("ix_std_note_modseq", "std_note", ["number", "modseq"])
    op.create_table("std_object",
        sa.Column("number", COUNTED, autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("href", sa.String(length=1024), nullable=False),
        sa.Column("etag", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("modseq", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.String(length=255), nullable=True),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("entries", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["std_place.number"], name=op.f("fk_std_object_number_std_place"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", "id", name=op.f("pk_std_object")),
        sqlite_with_rowid=False
    )
    op.create_index("ix_std_object_modseq", "std_object", ["number", "modseq"])
    op.create_index("ix_std_object_uid", "std_object", ["number", "uid"])
    op.create_index("uq_std_object_href", "std_object", ["number", "href"], unique=True)
    op.create_table("std_put",
        sa.Column("number", COUNTED, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("old", sa.BigInteger(), nullable=False),
        sa.Column("sought", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["std_place.number"], name=op.f("fk_std_put_number_std_place"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", "name", name=op.f("pk_std_put")),
        sqlite_with_rowid=False
    )
    op.create_index(op.f("ix_std_put_at"), "std_put", ["at"])
    op.create_table("std_prints",
        sa.Column("number", COUNTED, autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_uid", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["std_place.number"], name=op.f("fk_std_prints_number_std_place"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", "epoch", "first_uid", name=op.f("pk_std_prints")),
        sqlite_with_rowid=False
    )
