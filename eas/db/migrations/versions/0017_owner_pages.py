"""What an owner of a phone logged in with, sealed by the browser's cookie; addresses to fetch a phone's settings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table("profile_link",
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("password_for", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_profile_link"))
    )
    op.create_index(op.f("ix_profile_link_user_id"), "profile_link", ["user_id"])
    # Written anew where SQLite is the database: its ALTER TABLE would put the column behind the constraints.
    anew = op.get_context().dialect.name == "sqlite"
    with op.batch_alter_table("page_session", recreate="always" if anew else "never") as table:
        table.add_column(sa.Column("sealed", sa.Text(), nullable=False, server_default=sa.text("''")))
