"""What Alembic runs: the revisions, on the connection that was handed in, inside its transaction."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import TypeDecorator

from eas.db import Base


def _render(kind: str, item: Any, autogenerating: AutogenContext) -> str | Literal[False]:
    """A type of ours is drafted as what it is in the database: a revision imports nothing of the program."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters a column by copying the table
    render_item=_render,
    transactional_ddl=True,  # also on SQLite, since our connections begin their transactions themselves
)
with context.begin_transaction():
    context.run_migrations()
