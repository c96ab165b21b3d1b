"""What the way to a device holds, devices that ask too fast, secrets of the site."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    # Written anew where SQLite is the database: its ALTER TABLE would put the columns behind the constraints.
    anew = op.get_context().dialect.name == "sqlite"
    with op.batch_alter_table("device", recreate="always" if anew else "never") as table:
        table.add_column(sa.Column("wait_bound", sa.JSON(), nullable=True))
        table.add_column(sa.Column("storm", sa.JSON(), nullable=True))
    op.create_table("site_secret",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_site_secret")),
    )
