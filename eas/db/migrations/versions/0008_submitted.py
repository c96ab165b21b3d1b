"""What a message was that a user sent, for people: its Message-ID and subject."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    # Written anew where SQLite is the database: its ALTER TABLE would put the columns behind the constraints.
    anew = op.get_context().dialect.name == "sqlite"
    with op.batch_alter_table(
        "gw_submitted", recreate="always" if anew else "never", table_kwargs={"sqlite_with_rowid": False}
    ) as table:
        table.add_column(sa.Column("message_id", sa.String(255), nullable=False, server_default=sa.text("''")))
        table.add_column(sa.Column("subject", sa.String(255), nullable=False, server_default=sa.text("''")))
