"""What the tests of the store have in common."""

from __future__ import annotations

from datetime import UTC, datetime

from eas.db import Base, Database
from eas.engine.keys import Head, Held
from eas.engine.ports import Owner, Step

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
OWNER = Owner(user_id="ann", device_id="phone", collection_id="5")


async def make_tables(database: Database) -> None:
    async with database.write() as connection:
        await connection.run_sync(Base.metadata.create_all)


def head(key: str, parent: str = "0", **more: object) -> Head:
    return Head(key=key, parent=parent, **more)  # type: ignore[arg-type]


def step(*issued: Head, proven: Head | None = None, **more: object) -> Step:
    return Step(held=Held(proven=proven, issued=issued), **more)  # type: ignore[arg-type]
