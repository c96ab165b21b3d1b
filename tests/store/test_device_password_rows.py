"""The rows of device passwords, on every database: digests instead of texts, one owner, one end."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select
from store_kit import NOW

from eas.db.transactions import Transactions
from eas.store import SqlStateStore, tables
from eas.store.device_passwords import DevicePasswords, made, read


async def test_what_is_kept_tells_nothing_of_it(store: SqlStateStore, run: Transactions) -> None:
    found, text = await store.passwords.make("ann", "phone")
    rows = await run.read(lambda c: c.execute(select(tables.device_password)).all())
    assert read(text) not in str(rows)
    assert (await store.passwords.find(text)) == found
    assert await store.passwords.find(made()) is None
    assert await store.passwords.find("") is None


async def test_another_key_finds_nothing(store: SqlStateStore, run: Transactions) -> None:
    async def other() -> bytes:
        return b"another key"

    _, text = await store.passwords.make("ann", "phone")
    assert await DevicePasswords(run, lambda: NOW, other).find(text) is None


async def test_one_device_gets_it_however_many_ask(store: SqlStateStore) -> None:
    found, text = await store.passwords.make("ann", "phone")
    answers = await asyncio.gather(*[store.passwords.hold(found, f"device{n}") for n in range(8)])
    assert sum(answers) == 1
    again = await store.passwords.find(text)
    assert again is not None
    assert again.device_id == f"device{answers.index(True)}"
    assert again.first_used == again.last_used == NOW


async def test_it_is_over_and_when_it_was_used_is_noted_now_and_then(run: Transactions, store: SqlStateStore) -> None:
    now = [NOW]
    passwords = DevicePasswords(run, lambda: now[0], lambda: store.site_secret("k"))
    found, text = await passwords.make("ann", "phone", timedelta(hours=1))
    await passwords.hold(found, "device")
    now[0] = NOW + timedelta(minutes=5)
    await passwords.find(text)
    assert (await passwords.all("ann"))[0].last_used == NOW
    now[0] = NOW + timedelta(minutes=30)
    await passwords.find(text)
    assert (await passwords.all("ann"))[0].last_used == now[0]
    now[0] = NOW + timedelta(hours=1)
    assert await passwords.find(text) is None


@pytest.mark.parametrize("by", ["number", "device"])
async def test_revoking_takes_one_and_leaves_the_others(store: SqlStateStore, by: str) -> None:
    lost, _ = await store.passwords.make("ann", "phone")
    kept, text = await store.passwords.make("ann", "tablet")
    other, _ = await store.passwords.make("ben", "phone")
    for one in (lost, other):
        await store.passwords.hold(one, "device")
    assert not await store.passwords.remove("ben", lost.id)
    if by == "number":
        assert await store.passwords.remove("ann", lost.id)
        assert not await store.passwords.remove("ann", lost.id)
    else:
        assert await store.passwords.revoke_for_device("ann", "device") == 1
    assert [one.id for one in await store.passwords.all()] == [kept.id, other.id]
    assert await store.passwords.find(text) == kept
