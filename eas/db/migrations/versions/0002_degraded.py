"""Items that devices got degraded: listed for the admin, and tried again after an upgrade."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "degraded",
        sa.Column("state", COUNTED, nullable=False),
        sa.Column("item", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("release", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["state"], ["sync_state.number"], name=op.f("fk_degraded_state_sync_state"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("state", "item", name=op.f("pk_degraded")),
    )
