"""Access rules: who decided what of a device, and what holds for all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    # Written anew where SQLite is the database: its ALTER TABLE would put the columns behind the constraints.
    anew = op.get_context().dialect.name == "sqlite"
    # What is reflected of an empty default would come out in brackets.
    before = tuple(
        sa.Column(name, sa.String(), nullable=False, server_default=sa.text("''"))
        for name in ("policy_answer", "label")
    )
    with op.batch_alter_table("device", recreate="always" if anew else "never", reflect_args=before) as table:
        table.add_column(sa.Column("access_until", sa.DateTime(timezone=True)))
        table.add_column(sa.Column("access_reason", sa.Text(), nullable=False, server_default=sa.text("''")))
        table.add_column(sa.Column("listed", sa.Boolean()))
        table.add_column(sa.Column("suspended", sa.JSON()))
        table.add_column(sa.Column("admission", sa.JSON()))
    # So far "allowed" only said that nobody had blocked the device.
    op.execute(sa.text("UPDATE device SET access = 'none' WHERE access = 'allowed'"))
    op.create_table(
        "access_default",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_access_default")),
    )
    op.create_table(
        "access_rule",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_rule")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "access_list",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "device_id", name=op.f("pk_access_list")),
    )
    op.create_table(
        "access_limit",
        sa.Column("assignee", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("assignee", "subject", name=op.f("pk_access_limit")),
    )
