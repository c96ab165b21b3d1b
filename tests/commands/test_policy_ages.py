"""How old what a device gets may be, by each value of a policy. [MS-ASPROV]."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mail_kit import Mailroom
from sync_kit import Box, box
from test_sync_choice import aged
from wire import Wire, e, sync

from eas.engine.model import FolderType, Policy

Wires = Callable[..., Wire]

#: MaxEmailAgeFilter, and the days of mail that it leaves; None for all.
MAIL: tuple[tuple[str, int | None], ...] = (
    ("0", None),  # R258
    ("1", 1),  # R259
    ("2", 3),  # R260
    ("3", 7),  # R261
    ("4", 14),  # R262
    ("5", 31),  # R263
)
#: MaxCalendarAgeFilter likewise.
CALENDAR: tuple[tuple[str, int | None], ...] = (
    ("0", None),  # R246
    ("4", 14),  # R247
    ("5", 31),  # R248
    ("6", 92),  # R249
    ("7", 184),  # R250
)


async def everything(opened: Box) -> int:
    """How many items a device gets in all, whatever filter it asks for."""
    count = 0
    while (answer := await opened.go()) is not None:
        count += len(answer.said)
        if not answer.more:
            break
    return count


@pytest.mark.parametrize(("value", "days"), MAIL)
async def test_mail_is_as_old_as_the_policy_allows(
    wire: Wires, room: Mailroom, world: Any, value: str, days: int | None
) -> None:
    """Messages of one day less and of two days more than the limit; months have 28 to 31 days."""
    if days is None:
        days, older = 400, 500
    else:
        older = days + 2
    for age in (max(days - (4 if days > 27 else 1), 0), older):
        await aged(room, age, f"aged {age}", first=True)
    await world.store.save_policy(Policy(settings={"MaxEmailAgeFilter": value}))
    inbox = await box(wire(), room, FolderType.INBOX)
    await inbox.sure()
    assert await everything(inbox) == (2 if value == "0" else 1)


@pytest.mark.parametrize(("value", "days"), CALENDAR)
async def test_appointments_are_as_old_as_the_policy_allows(
    wire: Wires, world: Any, value: str, days: int | None
) -> None:
    limit = 400 if days is None else days
    other, calendar = wire(device="WIRE2"), await world.folder(FolderType.CALENDAR)
    key = (await other.post("Sync", sync("0", calendar))).text("Collections", "Collection", "SyncKey")
    adds = []
    for age in (limit - 8, limit + 4):
        start = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=age)
        adds.append(e(
            "Add", e("ClientId", f"c{age}"), e(
                "ApplicationData", e("Calendar:Subject", f"{age} days ago"), e("Calendar:UID", f"u{age}"),
                e("Calendar:StartTime", start.strftime("%Y%m%dT%H%M%SZ")),
                e("Calendar:EndTime", (start + timedelta(hours=1)).strftime("%Y%m%dT%H%M%SZ")),
            ),
        ))
    assert (await other.post("Sync", sync(key, calendar, e("Commands", *adds)))).http == 200
    await world.store.save_policy(Policy(settings={"MaxCalendarAgeFilter": value}))
    device = wire()
    key = (await device.post("Sync", sync("0", calendar))).text("Collections", "Collection", "SyncKey")
    got = await device.post("Sync", sync(key, calendar, e("GetChanges", "1")))
    assert len(got.all("Collections", "Collection", "Commands", "Add")) == (2 if value == "0" else 1)
