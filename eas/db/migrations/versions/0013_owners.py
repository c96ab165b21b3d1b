"""What owners of phones set: mail filters, what a phone is called, and which folders it is not given."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table("gw_filter",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["gw_user.id"], name=op.f("fk_gw_filter_user_id_gw_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_gw_filter"))
    )
    # Written anew where SQLite is the database: its ALTER TABLE would put the columns behind the constraints.
    anew = op.get_context().dialect.name == "sqlite"
    # What is reflected of an empty default would come out in brackets.
    before = (sa.Column("policy_answer", sa.String(), nullable=False, server_default=sa.text("''")),)
    with op.batch_alter_table("device", recreate="always" if anew else "never", reflect_args=before) as table:
        table.add_column(sa.Column("label", sa.String(), nullable=False, server_default=sa.text("''")))
        table.add_column(sa.Column("left_out", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))
