"""What only another database than SQLite brings: writers that really are at work at once, texts that it refuses, sizes
that it insists on, a server that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from groupware.postgresql import Postgresql
from sqlalchemy import func, insert, select
from worlds import EmbeddedWorld, card, feed_of, letter

from eas.backends.dav import rows as dav_rows
from eas.backends.dav.rows import At, Read
from eas.backends.embedded.groupware import _storage
from eas.backends.embedded.submissions import Claims, Stage
from eas.backends.embedded.tables import UserRow
from eas.backends.imap import prints
from eas.backends.imap import rows as imap_rows
from eas.backends.imap.prints import Print
from eas.backends.standards import hierarchy, members, registry
from eas.backends.standards.logins import Named
from eas.backends.standards.ports import Place
from eas.backends.standards.tables import MemberRow, ObjectRow, PlaceRow
from eas.backends.standards.tenant import Tenant
from eas.db.migrations import migrate
from eas.engine.errors import Unavailable
from eas.engine.model import FolderType
from eas.engine.ports import Chosen, Horizon
from eas.items.compose import Outgoing

#: At once, of each kind.
MANY = 6


@pytest.fixture
async def nodes(postgresql_template: Postgresql, tmp_path: Path) -> AsyncIterator[list[EmbeddedWorld]]:
    """Two processes over one database."""
    first = await EmbeddedWorld.make(tmp_path, tmp_path, server=postgresql_template)
    second = EmbeddedWorld.over(tmp_path, url=first.database.url)
    await second.know("anna")
    yield [first, second]
    await second.close()
    await first.close()


async def at_once(nodes: list[EmbeddedWorld], do: Callable[[EmbeddedWorld, int], Awaitable[object]]) -> list[object]:
    return list(await asyncio.gather(*(do(nodes[n % 2], n) for n in range(MANY))))


def place(locator: str, mark: str = "") -> Place:
    return Place(
        locator=locator, parent="", name=locator, type=FolderType.USER_MAIL, item_class="Email", mark=mark
    )


async def numbers_of(world: EmbeddedWorld, *locators: str) -> list[int]:
    places = [place(one) for one in locators]
    found = await registry.numbered(world.embedded.groupware, world.users["anna"].id, "imap", places)
    return [one.number for one in found]


# --- At once ----------------------------------------------------------------------------------------------------------


async def test_the_first_logins_of_a_user_make_one_member(nodes: list[EmbeddedWorld]) -> None:
    who = Named(tenant=Tenant(name="t"), user="dora", domain="example.com", login="dora", address="dora@example.com")
    types = [FolderType.CALENDAR, FolderType.TASKS]
    ids = await at_once(nodes, lambda world, n: members.join(world.embedded.groupware, who, types))
    assert len(set(ids)) == 1
    counted = select(func.count()).select_from(MemberRow)
    assert await nodes[0].embedded.groupware.read(lambda c: c.execute(counted).scalar_one()) == 1


async def test_places_that_two_find_have_one_number(nodes: list[EmbeddedWorld]) -> None:
    user_id = nodes[0].users["anna"].id
    for count in (3, 6):
        places = [place(f"folder {n}") for n in range(count)]
        found = await at_once(
            nodes, lambda world, n, places=places: registry.numbered(world.embedded.groupware, user_id, "imap", places)
        )
        assert all(one == found[0] for one in found)


async def test_renaming_and_following_do_not_lock_each_other_out(nodes: list[EmbeddedWorld]) -> None:
    user_id = nodes[0].users["anna"].id
    places = [place(f"folder {n}", f"mark {n}") for n in range(8)]
    await registry.numbered(nodes[0].embedded.groupware, user_id, "imap", places)

    async def work(world: EmbeddedWorld, n: int) -> None:
        ground = world.embedded.groupware
        shown = places if n % 3 else places[::-1][n:]
        await registry.numbered(ground, user_id, "imap", shown)
        await ground.write(lambda tx: registry.renamed(
            tx, user_id, "imap", [("folder 1", "folder 2"), ("folder 2", "folder 1")][:: 1 if n % 2 else -1]
        ))
        await hierarchy._keep(ground, user_id, "imap", shown)

    for _ in range(3):
        await at_once(nodes, work)


async def test_what_is_known_of_messages_is_written_by_two(nodes: list[EmbeddedWorld]) -> None:
    (number,) = await numbers_of(nodes[0], "INBOX")
    found = _prints(range(1, 40))
    await at_once(nodes, lambda world, n: world.embedded.groupware.write(
        lambda tx: prints.keep(tx.connection, number, 1, found[n::MANY])
    ))
    kept = await nodes[0].embedded.groupware.read(lambda c: prints.load(c, number, 1))
    assert sorted(kept) == list(range(1, 40))


def _prints(uids: range) -> list[Print]:
    record = prints._RECORD
    return [next(prints.unpack(uid.to_bytes(4, "big") + bytes(record.size - 4))) for uid in uids]


async def test_counts_of_changes_are_all_different(nodes: list[EmbeddedWorld]) -> None:
    (number,), user_id = await numbers_of(nodes[0], "INBOX"), nodes[0].users["anna"].id
    counted = await at_once(nodes, lambda world, n: world.embedded.groupware.write(
        lambda tx: imap_rows.raise_counter(tx, user_id, number)
    ))
    assert len(set(counted)) == MANY


async def test_objects_move_in_both_directions(nodes: list[EmbeddedWorld]) -> None:
    user_id = nodes[0].users["anna"].id
    one, other = [At(number, user_id) for number in await numbers_of(nodes[0], "one", "other")]

    async def work(world: EmbeddedWorld, n: int) -> None:
        here, there = (one, other) if n % 2 else (other, one)
        ground = world.embedded.groupware
        read = Read(name=f"{n}.ics", etag="e", version="v")
        id = await ground.write(lambda tx: dav_rows.put(tx, here, read))
        known = (await ground.read(lambda c: dav_rows.known_by_id(c, here, [id])))[id]
        await ground.write(lambda tx: dav_rows.moved(tx, here, known, there, read))

    await at_once(nodes, work)
    left = await nodes[0].embedded.groupware.read(lambda c: c.execute(select(ObjectRow.number, ObjectRow.href)).all())
    assert sorted(tuple(row) for row in left) == sorted(
        (other.number if n % 2 else one.number, f"{n}.ics") for n in range(MANY)
    )


async def test_a_message_is_claimed_by_one(nodes: list[EmbeddedWorld]) -> None:
    user_id, sent = nodes[0].users["anna"].id, list[int]()
    letter = Outgoing(sender="a@x", recipients=("b@x",), mime=b"\r\n", message_id="<1@x>")

    async def work(world: EmbeddedWorld, n: int) -> None:
        claims = Claims(world.embedded.groupware)
        async with claims.claimed(user_id, letter) as claim:
            if claim is not None:
                sent.append(n)
                await claims.advance(claim, Stage.DONE)

    await at_once(nodes, work)
    assert len(sent) == 1


async def test_a_deadlock_is_a_matter_of_trying_again(nodes: list[EmbeddedWorld]) -> None:
    """The database ends one of the two; a device is told to come again."""
    world, other = nodes
    users = [world.users[name].id for name in ("anna", "ben")]
    met = asyncio.Barrier(2)

    async def lock_both(node: EmbeddedWorld, ids: list[str]) -> None:
        async with node.database.write() as connection:
            await connection.execute(select(UserRow.id).where(UserRow.id == ids[0]).with_for_update())
            await met.wait()
            await connection.execute(select(UserRow.id).where(UserRow.id == ids[1]).with_for_update())

    async def translated(node: EmbeddedWorld, ids: list[str]) -> None:
        with _storage():
            await lock_both(node, ids)

    results = await asyncio.gather(translated(world, users), translated(other, users[::-1]), return_exceptions=True)
    assert sorted(type(one) for one in results if one is not None) == [Unavailable]


# --- Texts and sizes --------------------------------------------------------------------------------------------------


async def test_texts_that_a_database_refuses_are_stored_all_the_same(nodes: list[EmbeddedWorld]) -> None:
    """NUL, halves of surrogates, words longer than any column."""
    mailbox = nodes[0].mailbox("anna")
    inbox, contacts = [await feed_of(mailbox, type) for type in (FolderType.INBOX, FolderType.CONTACTS)]
    long = "x" * 5000
    octets = letter(f"a\0b {long}", sender=f"ben\0 <{long}@example.com>", message_id=f"id\0{long}", text="c\0d")
    octets = octets.replace(b"plain;", b"plain; name=\xed\xa0\x80;").replace(b"Date:", b"X-A: \xed\xa0\x80\r\nDate:")
    written = await inbox.create(octets, Chosen(name="n"))
    assert [item.id async for item in inbox.fetch([written.id], None)] == [written.id]
    odd = card(f"Zo\0e {long}", f"{'ΐ' * 300}@example.com", f"ORG:{long}", f"TITLE:{long}", uid="v")
    await contacts.create(odd, Chosen(name="m"))
    odd = card(f"Zoe {long}", f"{long}@example.com", f"NOTE:a\0b\\n{long}", f"TEL:{long}", uid=f"u\0{long}")
    written = await contacts.create(odd, Chosen(name="n"))
    assert (await mailbox.create_folder("0", "ΐ" * 256, FolderType.USER_MAIL, Chosen(name="f"))).name == "ΐ" * 256
    assert [item.id async for item in contacts.fetch([written.id], None)] == [written.id]
    assert (await contacts.delta(None, Horizon())).token


async def test_the_longest_names_fit(nodes: list[EmbeddedWorld]) -> None:
    """A text of 1024 characters, and an index of 2048 octets that cannot be made smaller."""
    names = ["/" + "a" * 1023, "".join(chr(0x4E00 + n * 7 % 20000) for n in range(682))]
    numbers = await numbers_of(nodes[0], *names)
    assert len(set(numbers)) == 2
    at = At(numbers[0], nodes[0].users["anna"].id)
    read = Read(name="/" + "b" * 1023, etag="e" * 255, version="v" * 64, uid="u" * 255, search="s" * 100_000)
    assert await nodes[0].embedded.groupware.write(lambda tx: dav_rows.put(tx, at, read)) == 1


# --- A server that goes away ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("postgresql")
async def test_after_a_restart_of_the_database_all_goes_on(tmp_path: Path) -> None:
    """With a server of its own, which is killed."""
    server = Postgresql()
    try:
        database = EmbeddedWorld.over(tmp_path, url=server.start().new_database())
        await _prepare(database)
        ground = database.embedded.groupware
        assert server.child is not None
        server.run("CHECKPOINT")  # since nothing is synced
        server.child.kill()
        for use in (ground.look, ground.read):
            with pytest.raises(Unavailable):
                await use(lambda c: c.execute(select(UserRow.id)).all())
        with pytest.raises(Unavailable):
            await ground.write(lambda tx: tx.connection.execute(insert(PlaceRow)))
        server.start()
        for _ in range(2):  # whatever was still thought to be open
            try:
                await ground.read(lambda c: c.execute(select(UserRow.id)).all())
            except Unavailable:
                continue
        assert await ground.read(lambda c: c.execute(select(UserRow.id)).all()) != []
        await database.close()
    finally:
        server.stop()


async def _prepare(world: EmbeddedWorld) -> None:
    await migrate(world.database)
    await world.add("anna@example.com")
