"""After a backup was put back: states are marked, and nothing gets an id or a number that may be known already."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, text
from store_kit import NOW, OWNER, head, step

from eas.admin.restored import after_restore
from eas.backends.embedded.codec import millis
from eas.backends.embedded.tables import FolderRow, UserRow
from eas.backends.standards.tables import MemberRow, PlaceRow
from eas.db.transactions import Transactions
from eas.engine.keys import Hint, LostTime, told_key
from eas.engine.model import Device
from eas.engine.ports import Owner
from eas.store import SqlStateStore

KEY = told_key("a", Hint(at=5000, top=3, line="", more=""))
FOLDER = {
    "owner": "ann", "parent": 0, "type": 1, "item_class": "Email", "chosen": None, "modseq": 1, "next_item": 4,
    "floor": 0,
}


async def filled(run: Transactions) -> None:
    """Ann has two folders here, Ben one here and two elsewhere, of which the last is gone."""
    def work(connection: Connection) -> None:
        for user in ("ann", "ben"):
            connection.execute(insert(UserRow).values(id=user, login=user, address=f"{user}@example.com"))
            connection.execute(insert(FolderRow).values(**FOLDER | {"owner": user, "name": "one", "name_key": "one"}))
        connection.execute(insert(FolderRow).values(**FOLDER | {"name": "two", "name_key": "two"}))
        connection.execute(insert(MemberRow).values(user_id="ben", tenant="t", login="ben"))
        for name in ("INBOX", "old"):
            connection.execute(insert(PlaceRow).values(user_id="ben", source="imap", locator=name, next_item=7))
        connection.execute(text("DELETE FROM std_place WHERE locator = 'old'"))

    await run.write(work)


async def rows(run: Transactions, *columns: Any) -> list[Any]:
    return await run.read(lambda c: [tuple(row) for row in c.execute(select(*columns).order_by(columns[0]))])


async def test_ids_and_numbers_of_the_lost_time_are_not_given_again(run: Transactions) -> None:
    await filled(run)
    await after_restore(run, NOW)

    def more(connection: Connection) -> None:
        connection.execute(insert(FolderRow).values(**FOLDER | {"name": "new", "name_key": "new"}))
        connection.execute(insert(PlaceRow).values(user_id="ben", source="imap", locator="new"))

    await run.write(more)
    folders = await rows(run, FolderRow.id, FolderRow.next_item)
    present = millis(NOW)
    assert folders == [(1, present), (2, present), (3, present), (present + 1, 4)]
    assert await rows(run, PlaceRow.number, PlaceRow.next_item) == [(1, present), (present + 1, 1)]


async def test_states_say_what_they_have_forgotten(run: Transactions, store: SqlStateStore) -> None:
    await filled(run)
    owners = [Owner(user_id=user, device_id="p", collection_id=id) for user, id in (
        ("ann", "1"), ("ann", "0"), ("ben", "1"), ("ben", "e2"), ("ben", "0"),
    )]
    for owner in owners:
        assert await store.commit(owner, 0, step(head(KEY), head("old"), generations={KEY: b"body"}))
    assert (await after_restore(run, NOW)).states == len(owners)
    found = [held for owner in owners if (held := await store.load(owner))]
    assert {(held.row, held.heads) for held in found} == {(2, (head(KEY), head("old")))}

    def lost(**more: Any) -> LostTime:
        return LostTime(after=5000, before=millis(NOW), **more)

    assert [held.lost for held in found] == [
        lost(first=4), lost(first=4), lost(elsewhere=True, first=7), lost(first=4),
        # Number 2 was used, though its place is gone.
        lost(elsewhere=True, first=3, first_kept=4, prefix="e"),
    ]


async def test_two_backups_put_back_one_after_the_other_make_one_lost_time(
    run: Transactions, store: SqlStateStore
) -> None:
    await filled(run)
    assert await store.commit(OWNER, 0, step(head(KEY)))
    await after_restore(run, NOW)
    first = await store.load(OWNER)
    await after_restore(run, NOW + timedelta(days=1))
    second = await store.load(OWNER)
    assert first is not None
    assert first.lost is not None
    assert second is not None
    assert second.lost == replace(first.lost, before=millis(NOW + timedelta(days=1)))


async def test_devices_are_to_name_again_what_they_refer_to(run: Transactions, store: SqlStateStore) -> None:
    for id in ("idle", "waits"):
        await store.add_device(Device(user_id="ann", id=id, type="Test"))
    waiting = await store.device("ann", "waits")
    assert waiting is not None
    assert await store.save_device(replace(
        waiting, remembered_sync=b"P...", ping_folders=(("1", "Email"),), ping_heartbeat=600
    ))
    assert (await after_restore(run)).devices == 1
    found = await store.device("ann", "waits")
    assert found is not None
    assert (found.remembered_sync, found.ping_folders, found.ping_heartbeat) == (b"", (), 0)
