"""Access rules, lists and numbers of devices as they are kept, on each kind of database."""

from __future__ import annotations

from dataclasses import replace

from store_kit import NOW

from eas.db.transactions import Transactions
from eas.engine.access import Book, Characteristic, Decision, Rule, recorded
from eas.engine.model import Access, Device, Level
from eas.engine.policybook import Assignee
from eas.store import SqlStateStore
from eas.store.access import AccessStore

PHONE = Device(user_id="ann", id="phone", type="iPhone")
RULE = Rule(id=0, level=Level.BLOCK, match={Characteristic.TYPE: "iPad*", Characteristic.GROUP: "Sales"}, note="no")


async def test_each_change_of_the_rules_raises_the_revision_that_a_device_is_read_with(
    store: SqlStateStore, run: Transactions
) -> None:
    access = AccessStore(run)
    await store.add_device(PHONE)
    seen = []

    async def revision() -> int:
        found = await store.device("ann", "phone")
        assert found is not None
        assert found.rules == (await access.book()).revision
        seen.append(found.rules)
        return found.rules

    assert await access.book() == Book()
    await revision()
    number = await access.add_rule(RULE)
    await revision()
    assert await access.save_rule(replace(RULE, id=number, priority=7))
    await revision()
    assert (await access.book()).rules == (replace(RULE, id=number, priority=7),)
    await access.set_default(Level.QUARANTINE)
    await revision()
    assert (await access.book()).default is Level.QUARANTINE
    assert await access.remove_rule(number)
    await revision()
    assert seen == sorted(set(seen))
    assert not await access.remove_rule(number)
    assert not await access.save_rule(replace(RULE, id=number))
    assert await access.add_rule(RULE) > number


async def test_a_list_marks_the_devices_of_its_user(store: SqlStateStore, run: Transactions) -> None:
    access = AccessStore(run)
    await store.add_device(PHONE)
    await store.add_device(replace(PHONE, id="tablet"))
    await store.add_device(replace(PHONE, user_id="bob"))
    await access.set_list("ann", ["PHONE", "new", "New"])
    assert await access.lists() == {"ann": ["PHONE", "new"]} or await access.lists() == {"ann": ["New", "PHONE"]}
    assert [one.listed for one in await store.devices("ann")] == [True, False]
    assert [one.listed for one in await store.devices("bob")] == [None]
    assert [await access.listed("ann", id) for id in ("NEW", "other")] == [True, False]
    assert await access.listed("bob", "phone") is None
    await access.set_list("ann", [])
    assert [one.listed for one in await store.devices("ann")] == [None, None]


async def test_how_many_devices(run: Transactions) -> None:
    access = AccessStore(run)
    assert await access.limit_of("ann", ["Sales", "All"]) is None
    await access.set_limit(Assignee.GROUP, "Sales", 2)
    await access.set_limit(Assignee.GROUP, "All", 5)
    assert await access.limit_of("ann", ["Sales", "All"]) == 5
    await access.set_limit(Assignee.GROUP, "All", 0)
    assert await access.limit_of("ann", ["Sales", "All"]) == 0
    await access.set_limit(Assignee.USER, "ann", 1)
    assert await access.limit_of("ann", ["Sales", "All"]) == 1
    await access.set_limit(Assignee.USER, "ann", None)
    assert await access.limit_of("ann", ["Sales"]) == 2


async def test_who_waits_in_quarantine(store: SqlStateStore, run: Transactions) -> None:
    access = AccessStore(run)
    for id, level in (("in", Level.ALLOW), ("out", Level.BLOCK), ("waits", Level.QUARANTINE)):
        began = NOW if level is Level.QUARANTINE else None
        decision = Decision(level=level, by="rule 1", why="so", quarantined=began)
        await store.add_device(recorded(replace(PHONE, id=id), decision, NOW))
    await store.add_device(replace(PHONE, id="plain"))
    assert list(await access.waiting()) == [("ann", "waits")]
    await store.set_access("ann", "waits", Access.ALLOWED)
    assert list(await access.waiting()) == []
