"""Quirks switched per device, and wipes of the account alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Written anew where SQLite is the database: its ALTER TABLE would put the columns behind the constraints.
    anew = op.get_context().dialect.name == "sqlite"
    with op.batch_alter_table("device", recreate="always" if anew else "never") as table:
        table.add_column(sa.Column("quirks", sa.JSON(), nullable=False, server_default=sa.text("'{}'")))
        table.add_column(sa.Column("wipe_account_only", sa.Boolean(), nullable=False, server_default=sa.false()))
