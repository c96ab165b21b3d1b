"""The tables of the state store and of the embedded groupware, as they were first.

Drafted by Alembic; lines are as long as it makes them.
"""

# ruff: noqa: E501

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FOLDED = sa.String(320).with_variant(sa.String(320, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "device",
        sa.Column("number", COUNTED, nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("information", sa.JSON(), nullable=False),
        sa.Column("policy_key", sa.String(), nullable=False),
        sa.Column("policy_digest", sa.String(), nullable=False),
        sa.Column("offered_key", sa.String(), nullable=False),
        sa.Column("offered_digest", sa.String(), nullable=False),
        sa.Column("recovery_password", sa.String(), nullable=False),
        sa.Column("wipe", sa.String(), nullable=False),
        sa.Column("wipe_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("access", sa.String(), nullable=False),
        sa.Column("ping_folders", sa.JSON(), nullable=False),
        sa.Column("ping_heartbeat", sa.Integer(), nullable=False),
        sa.Column("remembered_sync", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_device")),
        sa.UniqueConstraint("user_id", "id", name=op.f("uq_device_user_id")),
    )
    op.create_table(
        "gw_group",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gw_group")),
    )
    op.create_table(
        "gw_term",
        sa.Column("term", FOLDED, nullable=False),
        sa.Column("entry", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("term", "entry", name=op.f("pk_gw_term")),
    )
    op.create_index(op.f("ix_gw_term_entry"), "gw_term", ["entry"], unique=False)
    op.create_table(
        "gw_user",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("login", FOLDED, nullable=False),
        sa.Column("domain", FOLDED, nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("activesync", sa.Boolean(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("alias", sa.String(length=256), nullable=False),
        sa.Column("first_name", sa.String(length=128), nullable=False),
        sa.Column("last_name", sa.String(length=128), nullable=False),
        sa.Column("title", sa.String(length=128), nullable=False),
        sa.Column("company", sa.String(length=128), nullable=False),
        sa.Column("department", sa.String(length=128), nullable=False),
        sa.Column("office", sa.String(length=128), nullable=False),
        sa.Column("phone", sa.String(length=64), nullable=False),
        sa.Column("home_phone", sa.String(length=64), nullable=False),
        sa.Column("mobile_phone", sa.String(length=64), nullable=False),
        sa.Column("certificates", sa.Text(), nullable=False),
        sa.Column("out_of_office", sa.Text(), nullable=False),
        sa.Column("hierarchy", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("quota", sa.BigInteger(), nullable=False),
        sa.Column("picture", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gw_user")),
        sa.UniqueConstraint("login", "domain", name=op.f("uq_gw_user_login")),
    )
    op.create_table(
        "intent",
        sa.Column("id", COUNTED, nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("collection_id", sa.String(), nullable=False),
        sa.Column("verb", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("server_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("chosen_name", sa.String(), nullable=False),
        sa.Column("chosen_note", sa.String(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("settled_key", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intent")),
        sa.UniqueConstraint("user_id", "device_id", "collection_id", "verb", "client_id", "server_id", "digest", name=op.f("uq_intent_user_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_intent_created"), "intent", ["created"], unique=False)
    op.create_table(
        "policy",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("enforced", sa.Boolean(), nullable=False),
        sa.Column("allow_partial", sa.Boolean(), nullable=False),
        sa.Column("allow_external", sa.Boolean(), nullable=False),
        sa.Column("allow_password_recovery", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_policy")),
    )
    op.create_table(
        "sync_state",
        sa.Column("number", COUNTED, nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("collection_id", sa.String(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("heads", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_sync_state")),
        sa.UniqueConstraint("user_id", "device_id", "collection_id", name=op.f("uq_sync_state_user_id")),
    )
    op.create_table(
        "gw_address",
        sa.Column("address", FOLDED, nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=True),
        sa.Column("group_id", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(["group_id"], ["gw_group.id"], name=op.f("fk_gw_address_group_id_gw_group"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["gw_user.id"], name=op.f("fk_gw_address_user_id_gw_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_gw_address")),
    )
    op.create_index(op.f("ix_gw_address_group_id"), "gw_address", ["group_id"], unique=False)
    op.create_index(op.f("ix_gw_address_user_id"), "gw_address", ["user_id"], unique=False)
    op.create_table(
        "gw_auto_replied",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("sender", FOLDED, nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["gw_user.id"], name=op.f("fk_gw_auto_replied_user_id_gw_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "sender", "day", name=op.f("pk_gw_auto_replied")),
    )
    op.create_table(
        "gw_content",
        sa.Column("id", COUNTED, nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=True),
        sa.Column("conversation", sa.String(length=64), nullable=True),
        sa.Column("uid", sa.String(length=255), nullable=True),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column("structure", sa.Text(), nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.Column("search", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["gw_user.id"], name=op.f("fk_gw_content_user_id_gw_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gw_content")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_gw_content_conversation", "gw_content", ["user_id", "conversation"], unique=False)
    op.create_index("ix_gw_content_message_id", "gw_content", ["user_id", "message_id"], unique=False)
    op.create_index("ix_gw_content_uid", "gw_content", ["user_id", "uid"], unique=False)
    op.create_table(
        "gw_delivered",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["gw_user.id"], name=op.f("fk_gw_delivered_user_id_gw_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_gw_delivered")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_gw_delivered_at"), "gw_delivered", ["at"], unique=False)
    op.create_table(
        "gw_folder",
        sa.Column("id", COUNTED, nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=False),
        sa.Column("parent", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("name_key", sa.String(length=512), nullable=False),
        sa.Column("type", sa.Integer(), nullable=False),
        sa.Column("item_class", sa.String(length=16), nullable=False),
        sa.Column("chosen", sa.String(length=255), nullable=True),
        sa.Column("modseq", sa.BigInteger(), nullable=False),
        sa.Column("next_item", sa.BigInteger(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["owner"], ["gw_user.id"], name=op.f("fk_gw_folder_owner_gw_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gw_folder")),
        sa.UniqueConstraint("owner", "parent", "name_key", name=op.f("uq_gw_folder_owner")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_gw_folder_chosen", "gw_folder", ["owner", "chosen"], unique=True)
    op.create_table(
        "gw_group_member",
        sa.Column("group_id", sa.String(length=40), nullable=False),
        sa.Column("member", sa.String(length=320), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(["group_id"], ["gw_group.id"], name=op.f("fk_gw_group_member_group_id_gw_group"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["gw_user.id"], name=op.f("fk_gw_group_member_user_id_gw_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("group_id", "member", name=op.f("pk_gw_group_member")),
    )
    op.create_index(op.f("ix_gw_group_member_user_id"), "gw_group_member", ["user_id"], unique=False)
    op.create_table(
        "gw_submitted",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["gw_user.id"], name=op.f("fk_gw_submitted_user_id_gw_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_gw_submitted")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_gw_submitted_at"), "gw_submitted", ["at"], unique=False)
    op.create_table(
        "policy_assignment",
        sa.Column("assignee", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["policy"], ["policy.name"], name=op.f("fk_policy_assignment_policy_policy"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("assignee", "subject", name=op.f("pk_policy_assignment")),
    )
    op.create_index(op.f("ix_policy_assignment_policy"), "policy_assignment", ["policy"], unique=False)
    op.create_table(
        "sync_blob",
        sa.Column("state", COUNTED, nullable=False),
        sa.Column("blob", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["state"], ["sync_state.number"], name=op.f("fk_sync_blob_state_sync_state"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("state", "blob", name=op.f("pk_sync_blob")),
    )
    op.create_table(
        "sync_generation",
        sa.Column("state", COUNTED, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["state"], ["sync_state.number"], name=op.f("fk_sync_generation_state_sync_state"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("state", "key", name=op.f("pk_sync_generation")),
    )
    op.create_table(
        "gw_chunk",
        sa.Column("content_id", COUNTED, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["gw_content.id"], name=op.f("fk_gw_chunk_content_id_gw_content"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("content_id", "seq", name=op.f("pk_gw_chunk")),
    )
    op.create_table(
        "gw_contact",
        sa.Column("content_id", COUNTED, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("address_key", FOLDED, nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("first_name", sa.String(length=128), nullable=False),
        sa.Column("last_name", sa.String(length=128), nullable=False),
        sa.Column("phone", sa.String(length=64), nullable=False),
        sa.Column("mobile_phone", sa.String(length=64), nullable=False),
        sa.Column("home_phone", sa.String(length=64), nullable=False),
        sa.Column("company", sa.String(length=128), nullable=False),
        sa.Column("title", sa.String(length=128), nullable=False),
        sa.Column("office", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["gw_content.id"], name=op.f("fk_gw_contact_content_id_gw_content"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["gw_user.id"], name=op.f("fk_gw_contact_user_id_gw_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("content_id", "n", name=op.f("pk_gw_contact")),
    )
    op.create_index("ix_gw_contact_address_key", "gw_contact", ["user_id", "address_key"], unique=False)
    op.create_table(
        "gw_contact_term",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("term", FOLDED, nullable=False),
        sa.Column("content_id", COUNTED, nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["gw_content.id"], name=op.f("fk_gw_contact_term_content_id_gw_content"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["gw_user.id"], name=op.f("fk_gw_contact_term_user_id_gw_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "term", "content_id", name=op.f("pk_gw_contact_term")),
    )
    op.create_index(op.f("ix_gw_contact_term_content_id"), "gw_contact_term", ["content_id"], unique=False)
    op.create_table(
        "gw_item",
        sa.Column("folder_id", COUNTED, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("modseq", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("content_id", COUNTED, nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["gw_content.id"], name=op.f("fk_gw_item_content_id_gw_content"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["folder_id"], ["gw_folder.id"], name=op.f("fk_gw_item_folder_id_gw_folder"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("folder_id", "id", name=op.f("pk_gw_item")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_gw_item_content_id"), "gw_item", ["content_id"], unique=False)
    op.create_index("ix_gw_item_modseq", "gw_item", ["folder_id", "modseq"], unique=False)
    op.create_index("ix_gw_item_until", "gw_item", ["folder_id", "until", "id", "version"], unique=False)
    op.create_index("uq_gw_item_name", "gw_item", ["folder_id", "name"], unique=True)
    op.create_table(
        "gw_right",
        sa.Column("folder_id", COUNTED, nullable=False),
        sa.Column("principal", sa.String(length=40), nullable=False),
        sa.Column("right", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["gw_folder.id"], name=op.f("fk_gw_right_folder_id_gw_folder"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("folder_id", "principal", name=op.f("pk_gw_right")),
    )
    op.create_index(op.f("ix_gw_right_principal"), "gw_right", ["principal"], unique=False)
    op.create_table(
        "gw_tombstone",
        sa.Column("folder_id", COUNTED, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("modseq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["gw_folder.id"], name=op.f("fk_gw_tombstone_folder_id_gw_folder"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("folder_id", "id", name=op.f("pk_gw_tombstone")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_gw_tombstone_at"), "gw_tombstone", ["at"], unique=False)
    op.create_index("ix_gw_tombstone_modseq", "gw_tombstone", ["folder_id", "modseq"], unique=False)
