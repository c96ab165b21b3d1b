"""Who comes in, and what an admin does with users, groups and rights."""

from __future__ import annotations

import asyncio
from datetime import datetime
from threading import Event
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from settling import until
from sqlalchemy import select
from worlds import PASSWORD, EmbeddedWorld, card, folder_of, letter

from eas.backends.embedded import passwords
from eas.backends.embedded.admin import AlreadyThere, Invalid, NotThere
from eas.backends.embedded.passwords import REMEMBER_SECONDS, Passwords, hash_password
from eas.db import Base
from eas.engine.model import FolderType, Right
from eas.engine.ports import Chosen, Horizon


@pytest.mark.parametrize(
    "login",
    [
        "anna", "ANNA", "anna@example.com", "Anna@Example.COM", "example.com\\anna", "EXAMPLE\\anna",
        "defaultcontext\\anna", "\\anna", " anna ", "alias@example.com", "ALIAS@example.com", "alias",
        "EXAMPLE\\anna@example.com",
    ],
)
async def test_a_login_in_any_form_and_case(embedded: EmbeddedWorld, login: str) -> None:
    await embedded.embedded.admin.set_aliases("anna", ["alias@example.com"])
    user = await embedded.embedded.accounts.verify(login, PASSWORD)
    assert user is not None
    assert user.id == embedded.users["anna"].id
    assert user.addresses == ("anna@example.com", "alias@example.com")


@pytest.mark.parametrize(
    "login", ["", "nobody", "anna@elsewhere.example", "@example.com", "\\", "a" * 5000, "an%", "ann_"]
)
async def test_an_unknown_login_does_not_come_in(embedded: EmbeddedWorld, login: str) -> None:
    assert await embedded.embedded.accounts.verify(login, PASSWORD) is None


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", PASSWORD.upper(), "\udcff", "x" * 100_000])
async def test_a_wrong_password_does_not_come_in(embedded: EmbeddedWorld, password: str) -> None:
    assert await embedded.embedded.accounts.verify("anna", password) is None


async def test_users_of_one_name_are_told_apart_by_their_domain(embedded: EmbeddedWorld) -> None:
    other = await embedded.add("anna@other.example")
    assert (await embedded.embedded.accounts.verify("anna", PASSWORD) or other).id != other.id
    for login in ("anna@other.example", "other.example\\anna", "OTHER\\anna"):
        found = await embedded.embedded.accounts.verify(login, PASSWORD)
        assert found is not None
        assert found.id == other.id


async def test_a_name_in_two_foreign_domains_is_nobodys(embedded: EmbeddedWorld) -> None:
    await embedded.add("dora@one.example")
    assert await embedded.embedded.accounts.verify("dora", PASSWORD) is not None
    await embedded.add("dora@two.example")
    assert await embedded.embedded.accounts.verify("dora", PASSWORD) is None


async def test_a_disabled_user_is_out_whatever_is_remembered(embedded: EmbeddedWorld) -> None:
    assert await embedded.embedded.accounts.verify("anna", PASSWORD) is not None
    await embedded.embedded.admin.change_user("anna", enabled=False)
    assert await embedded.embedded.accounts.verify("anna", PASSWORD) is None


async def test_a_new_password_counts_at_once(embedded: EmbeddedWorld) -> None:
    assert await embedded.embedded.accounts.verify("anna", PASSWORD) is not None
    await embedded.embedded.admin.set_password("anna", "another one")
    assert await embedded.embedded.accounts.verify("anna", PASSWORD) is None
    assert await embedded.embedded.accounts.verify("anna", "another one") is not None


async def test_a_good_verdict_is_remembered_for_minutes_and_a_bad_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    checked, hashed, computed = Passwords(lambda: now), hash_password("secret"), list[str]()

    def matches(hashed: str, password: str) -> bool:
        computed.append(password)
        return password == "secret"

    monkeypatch.setattr(passwords, "_matches", matches)
    for password in ("secret", "secret", "guess", "guess", "secret"):
        assert await checked.verify(hashed, password) == (password == "secret")
    assert computed == ["secret", "guess", "guess"]
    now = REMEMBER_SECONDS + 1
    assert await checked.verify(hashed, "secret")
    assert computed == ["secret", "guess", "guess", "secret"]


async def test_nobody_costs_as_much_as_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the time of an answer tells which users exist."""
    verified = []
    hasher = passwords._HASHER

    class Noting:
        hash = hasher.hash  # of nobody's password, which is made when it is first wanted

        def verify(self, hashed: str, password: bytes) -> bool:
            verified.append(extract_parameters(hashed))
            return hasher.verify(hashed, password)

    monkeypatch.setattr(passwords, "_HASHER", Noting())
    checked = passwords.Passwords()
    for known in (hasher.hash("secret"), None, ""):
        assert not await checked.verify(known, "wrong")
    assert verified == [extract_parameters(hasher.hash("other"))] * 3


async def test_the_loop_goes_on_while_a_password_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ticked, hasher = Event(), Event(), passwords._HASHER

    class Slow(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Any:
            begun.set()
            assert ticked.wait(60), "the loop stands still"
            return hasher.verify(hash, password)

    monkeypatch.setattr(passwords, "_HASHER", Slow(time_cost=1, memory_cost=8, parallelism=1))
    verifying = asyncio.create_task(Passwords().verify(hash_password("secret"), "secret"))
    await until(begun.is_set)
    ticked.set()
    assert await verifying


async def test_no_password_is_in_the_database(embedded: EmbeddedWorld) -> None:
    await embedded.embedded.admin.set_password("anna", "very secret words")
    await embedded.embedded.accounts.verify("anna", "very secret words")
    everything = await embedded.embedded.groupware.read(
        lambda c: repr([c.execute(select(table)).all() for table in Base.metadata.sorted_tables])
    )
    assert "argon2id" in everything
    assert "very secret words" not in everything


# --- Users ------------------------------------------------------------------------------------------------------------


async def test_a_user_is_added_shown_changed_and_removed(embedded: EmbeddedWorld) -> None:
    admin = embedded.embedded.admin
    added = await admin.add_user(
        "Dora.Day@example.com", "pw", login="dora", aliases=["dd@example.com"], zone="Europe/Berlin",
        name="Dora Day", title="Director", phone="+49 30 123",
    )
    assert (added.login, added.domain, added.address) == ("dora", "example.com", "Dora.Day@example.com")
    assert added.aliases == ("dd@example.com",)
    assert await admin.user("dd@example.com") == added
    changed = await admin.change_user(
        "dora", name="Dora Night", quota=10 << 20, hidden=True, activesync=False, picture=b"\xff\xd8\xff\xe0picture",
        certificates=[_certificate()],
    )
    assert changed.profile["name"] == "Dora Night"
    assert (changed.hidden, changed.activesync, changed.quota) == (True, False, 10 << 20)
    assert changed.certificates == (_certificate(),)
    assert [account.address for account in await admin.users()].count("Dora.Day@example.com") == 1
    await admin.remove_user("dora")
    with pytest.raises(NotThere):
        await admin.user("dora")
    assert await embedded.embedded.accounts.verify("dora", "pw") is None


_KEY = ec.derive_private_key(7, ec.SECP256R1())


def _certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Dora")])
    built = x509.CertificateBuilder(name, name, _KEY.public_key(), 7)
    built = built.not_valid_before(datetime(2026, 1, 1)).not_valid_after(datetime(2027, 1, 1))
    return _SIGNED.setdefault("dora", built.sign(_KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER))


_SIGNED: dict[str, bytes] = {}


async def test_what_is_taken_is_not_given_twice(embedded: EmbeddedWorld) -> None:
    admin = embedded.embedded.admin
    with pytest.raises(AlreadyThere):
        await admin.add_user("ANNA@example.com", "pw", login="other")
    with pytest.raises(AlreadyThere):
        await admin.add_user("other@example.com", "pw", login="Anna")
    with pytest.raises(AlreadyThere):
        await admin.set_aliases("anna", ["ben@example.com"])
    with pytest.raises(AlreadyThere):
        await admin.add_group("ben@example.com")
    assert [account.login for account in await admin.users()] == ["anna", "ben", "carla"]
    assert (await admin.user("anna")).aliases == ()


@pytest.mark.parametrize(
    "change",
    [
        {"zone": "Mars/Olympus"}, {"picture": b"text"}, {"picture": b"\xff\xd8\xff" + bytes(200_000)},
        {"certificates": [b"no"]}, {"quota": -1}, {"password": "x"}, {"id": "x"}, {"name": "x" * 200},
    ],
)
async def test_what_cannot_be_is_refused(embedded: EmbeddedWorld, change: dict[str, object]) -> None:
    before = await embedded.embedded.admin.user("anna")
    with pytest.raises(Invalid):
        await embedded.embedded.admin.change_user("anna", **change)
    assert await embedded.embedded.admin.user("anna") == before


@pytest.mark.parametrize(
    "address", ["", "anna", "@example.com", "a@", "a b@example.com", "<a@example.com>", "a@b\r\nc"]
)
async def test_what_is_no_address_is_refused(embedded: EmbeddedWorld, address: str) -> None:
    with pytest.raises(Invalid):
        await embedded.embedded.admin.add_user(address, "pw")


async def test_an_empty_password_is_refused(embedded: EmbeddedWorld) -> None:
    with pytest.raises(Invalid):
        await embedded.embedded.admin.set_password("anna", "")


async def test_another_address_leaves_the_old_one_as_an_alias(embedded: EmbeddedWorld) -> None:
    changed = await embedded.embedded.admin.set_address("anna", "anna.married@example.com")
    assert (changed.address, changed.aliases) == ("anna.married@example.com", ("anna@example.com",))
    assert (await embedded.embedded.admin.set_address("anna", "anna@example.com")).address == "anna@example.com"


async def test_a_removed_user_leaves_nothing_behind(embedded: EmbeddedWorld) -> None:
    anna = embedded.mailbox("anna")
    inbox, contacts = await folder_of(anna, FolderType.INBOX), await folder_of(anna, FolderType.CONTACTS)
    await anna.feed(inbox).create(letter(), Chosen(name="a"))
    await anna.feed(contacts).create(card("Zoe", "zoe@elsewhere.example"), Chosen(name="z"))
    await embedded.share("anna", inbox, "ben", Right.READ)
    await embedded.share("ben", await folder_of(embedded.mailbox("ben"), FolderType.INBOX), "anna", Right.READ)
    await embedded.embedded.admin.add_group("team@example.com", members=["anna", "ben"])
    id = embedded.users["anna"].id
    await embedded.embedded.admin.remove_user("anna")
    tables = {table.name: table for table in Base.metadata.sorted_tables}
    left = await embedded.embedded.groupware.read(
        lambda c: {name: c.execute(select(table)).all() for name, table in tables.items()}
    )
    for name, rows in left.items():
        assert not any(id in tuple(row) for row in rows), name
    assert [left[name] for name in ("gw_content", "gw_chunk", "gw_item")] == [[], [], []]


# --- Groups and rights ------------------------------------------------------------------------------------------------


async def test_a_group_bears_rights_for_its_members(embedded: EmbeddedWorld) -> None:
    admin = embedded.embedded.admin
    calendar = await folder_of(embedded.mailbox("anna"), FolderType.CALENDAR)
    await admin.add_group("team@example.com", "Team", ["ben"])
    await admin.set_right("anna", calendar.id, "team@example.com", Right.READ)
    ben, carla = embedded.mailbox("ben"), embedded.mailbox("carla")
    assert await ben.folder(calendar.id) is not None
    assert await carla.folder(calendar.id) is None
    token = await carla.hierarchy_token()
    await admin.set_members("team@example.com", ["carla"])
    assert await ben.folder(calendar.id) is None
    assert await carla.folder(calendar.id) is not None
    assert await carla.hierarchy_token() != token
    await admin.remove_group("Team")
    assert await carla.folder(calendar.id) is None


async def test_of_several_rights_the_highest_counts(embedded: EmbeddedWorld) -> None:
    admin = embedded.embedded.admin
    calendar = await folder_of(embedded.mailbox("anna"), FolderType.CALENDAR)
    await admin.add_group("team@example.com", "Team", ["ben"])
    await admin.set_right("anna", calendar.id, "team@example.com", Right.READ)
    await admin.set_right("anna", calendar.id, "ben", Right.EDIT)
    seen = await embedded.mailbox("ben").folder(calendar.id)
    assert seen is not None
    assert seen.right is Right.EDIT
    [info] = [info for info in await admin.folders("anna") if info.folder.id == calendar.id]
    assert [(grant.principal, grant.right) for grant in info.grants] == [
        ("ben@example.com", Right.EDIT), ("team@example.com", Right.READ),
    ]
    await admin.set_right("anna", calendar.id, "ben", None)
    seen = await embedded.mailbox("ben").folder(calendar.id)
    assert seen is not None
    assert seen.right is Right.READ


async def test_rights_are_given_on_ones_own_folders_only(embedded: EmbeddedWorld) -> None:
    calendar = await folder_of(embedded.mailbox("anna"), FolderType.CALENDAR)
    with pytest.raises(NotThere):
        await embedded.embedded.admin.set_right("ben", calendar.id, "carla", Right.READ)


async def test_shared_folders_of_one_name_are_told_apart(embedded: EmbeddedWorld) -> None:
    await embedded.add("anna@other.example", name="Anna Example")
    for owner in ("anna@example.com", "anna@other.example"):
        [calendar] = [
            info.folder for info in await embedded.embedded.admin.folders(owner) if info.folder.item_class == "Calendar"
        ]
        await embedded.embedded.admin.set_right(owner, calendar.id, "ben", Right.READ)
    names = [folder.name for folder in await embedded.mailbox("ben").folders() if "Anna" in folder.name]
    assert len(names) == len(set(names)) == 2


async def test_writes_ring_for_everybody_who_sees_the_folder(embedded: EmbeddedWorld) -> None:
    anna = embedded.mailbox("anna")
    calendar, inbox = await folder_of(anna, FolderType.CALENDAR), await folder_of(anna, FolderType.INBOX)
    await embedded.share("anna", calendar, "ben", Right.READ)
    embedded.bell.calls.clear()
    await anna.feed(calendar).create(letter(), Chosen(name="no event, kept all the same"))
    assert sorted(embedded.bell.calls) == sorted(
        (embedded.users[name].id, frozenset({calendar.id})) for name in ("anna", "ben")
    )
    embedded.bell.calls.clear()
    await anna.feed(inbox).create(letter(), Chosen(name="a"))
    assert embedded.bell.calls == [(embedded.users["anna"].id, frozenset({inbox.id}))]
    embedded.bell.calls.clear()
    await anna.create_folder("0", "New", FolderType.USER_MAIL, Chosen(name="f"))
    assert embedded.bell.calls == [(embedded.users["anna"].id, frozenset({"0"}))]


async def test_what_was_rolled_back_does_not_ring(embedded: EmbeddedWorld) -> None:
    anna = embedded.mailbox("anna")
    inbox = await folder_of(anna, FolderType.INBOX)
    await embedded.embedded.admin.change_user("anna", quota=10)
    embedded.bell.calls.clear()
    with pytest.raises(Exception, match="full"):
        await anna.feed(inbox).create(letter(), Chosen(name="a"))
    assert embedded.bell.calls == []


# --- Forgetting -------------------------------------------------------------------------------------------------------


async def test_after_its_tombstones_are_forgotten_an_old_token_gives_a_whole_listing(embedded: EmbeddedWorld) -> None:
    anna = embedded.mailbox("anna")
    feed = anna.feed(await folder_of(anna, FolderType.INBOX))
    kept = await feed.create(letter(), Chosen(name="kept"))
    gone = await feed.create(letter(), Chosen(name="gone"))
    old = (await feed.delta(None, Horizon())).token
    await feed.delete(gone.id)
    new = (await feed.delta(None, Horizon())).token
    embedded.clock.later(days=100)
    await embedded.embedded.tidy()
    delta = await feed.delta(old, Horizon())
    assert delta.complete
    assert delta.touched.keys() == {kept.id}
    assert not (await feed.delta(new, Horizon())).complete
    later = await feed.create(letter(), Chosen(name="later"))
    assert (await feed.delta(new, Horizon())).touched.keys() == {later.id}


async def test_young_tombstones_are_kept(embedded: EmbeddedWorld) -> None:
    anna = embedded.mailbox("anna")
    feed = anna.feed(await folder_of(anna, FolderType.INBOX))
    gone = await feed.create(letter(), Chosen(name="gone"))
    old = (await feed.delta(None, Horizon())).token
    await feed.delete(gone.id)
    embedded.clock.later(days=30)
    await embedded.embedded.tidy()
    delta = await feed.delta(old, Horizon())
    assert (delta.complete, list(delta.gone)) == (False, [gone.id])
