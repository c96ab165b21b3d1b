"""The directory of a user whose groupware is elsewhere: address lists and contacts together, and apart where one is
away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from groupware.slapd import PHOTO, Slapd
from worlds import NOW, EmbeddedWorld, card, event, feed_of

from eas.backends.embedded.directory import EmbeddedContacts, EmbeddedDirectory, EmbeddedPeople
from eas.backends.ldap.directory import LdapDirectory
from eas.backends.standards.directory import GlobalList, StandardDirectory
from eas.backends.standards.people_index import Listed, PeopleIndex
from eas.backends.standards.ports import Account
from eas.backends.standards.scopes import Scopes
from eas.backends.standards.tenant import LdapServer, Tenant
from eas.engine.errors import Unavailable
from eas.engine.model import FolderType, Person, Secret
from eas.engine.ports import Chosen


@dataclass
class Office:
    """Anna, whose address list is in LDAP and whose contacts and calendar are embedded."""

    world: EmbeddedWorld
    account: Account
    ldap: LdapDirectory

    @property
    def contacts(self) -> EmbeddedContacts:
        return EmbeddedContacts(self.account.ground, self.account.user)

    def directory(self, *lists: GlobalList, contacts: Any = None) -> StandardDirectory:
        busy = EmbeddedDirectory(self.account.ground, self.account.user)
        return StandardDirectory(
            self.account, lists or [self.ldap.of(self.account)], contacts or self.contacts, busy
        )


@pytest.fixture
async def office(embedded: EmbeddedWorld, slapd: Slapd) -> AsyncIterator[Office]:
    server = LdapServer(host=slapd.host, port=slapd.ldaps_port, ca_file=slapd.ca_file, bases=(slapd.base,))
    account = Account(
        user=embedded.users["anna"], tenant=Tenant(name="t", ldap=server, domain="example.com"),
        login="anna@example.com", secret=Secret("x"), ground=embedded.embedded.groupware,
    )
    feed = await feed_of(embedded.mailbox("anna"), FolderType.CONTACTS)
    for name, address in (("Annika Friend", "annika@example.net"), ("Anna Doubled", "anna@example.com")):
        await feed.create(card(name, address), Chosen(name=name.replace(" ", "")))
    directory = LdapDirectory()
    yield Office(embedded, account, directory)
    await directory.close()


class Away:
    """A list whose server is away."""

    async def search(self, text: str, limit: int) -> Sequence[Person]:
        raise Unavailable("away")

    async def page(self, text: str, start: int, count: int) -> tuple[Sequence[Person], int]:
        raise Unavailable("away")

    async def by_address(self, address: str) -> Person | None:
        raise Unavailable("away")

    async def whole(self, people: Sequence[Person]) -> Sequence[Person]:
        raise Unavailable("away")


async def test_a_search_is_for_the_address_list_alone(office: Office) -> None:
    people, total = await office.directory().search("ann", 0, 10)
    assert [(person.name, person.contact) for person in people] == [("Anna Arnold", False)]
    assert total == 1
    assert people[0].picture == PHOTO
    plain, _ = await office.directory().search("ann", 0, 10, pictures=False)
    assert plain[0].picture == b""


async def test_somebody_typed_is_looked_for_in_both_without_doubles(office: Office) -> None:
    people = await office.directory().resolve("ann", 10)
    assert [(person.name, person.contact) for person in people] == [("Anna Arnold", False), ("Annika Friend", True)]
    assert people[0].picture == PHOTO
    assert await office.directory().resolve("ann", 1) == people[:1]
    assert (await office.directory().resolve("ann", 9, pictures=False))[0].picture == b""


async def test_an_exact_address_is_one_and_of_the_address_list_first(office: Office) -> None:
    directory = office.directory()
    anna = await directory.resolve(" ANNA@example.com", 10, pictures=False)
    assert [(person.name, person.contact, len(person.certificates)) for person in anna] == [("Anna Arnold", False, 1)]
    friend = await directory.resolve("annika@example.net", 10)
    assert [(person.name, person.contact) for person in friend] == [("Annika Friend", True)]
    assert await directory.resolve("nobody@example.net", 10) == []
    assert await directory.resolve("  ", 10) == []


async def test_one_who_is_found_alone_comes_with_everything(office: Office) -> None:
    found = await office.directory().resolve("arn", 10, pictures=False)
    assert [len(person.certificates) for person in found] == [1]
    staff = await office.directory().resolve("staff", 10, pictures=False)
    assert staff[0].members == ("anna@example.com", "ben@example.com", "carla@example.com")


async def test_contacts_are_found_while_the_address_list_is_away(office: Office) -> None:
    directory = office.directory(Away())
    assert [person.name for person in await directory.resolve("annika", 10)] == ["Annika Friend"]
    assert [person.name for person in await directory.resolve("annika@example.net", 10)] == ["Annika Friend"]
    with pytest.raises(Unavailable):
        await directory.search("ann", 0, 10)
    for text in ("ben", "ben@example.com"):
        with pytest.raises(Unavailable):
            await directory.resolve(text, 10)


async def test_the_address_list_is_there_while_contacts_are_away(office: Office) -> None:
    directory = office.directory(contacts=Away())
    assert [person.name for person in await directory.resolve("ben", 10)][:1] == ["Ben Berger"]
    with pytest.raises(Unavailable):
        await directory.resolve("annika", 10)


async def test_without_any_list_there_are_contacts(office: Office) -> None:
    directory = StandardDirectory(office.account, (), office.contacts, None)
    assert await directory.search("ann", 0, 10) == ([], 0)
    assert len(await directory.resolve("ann", 10)) == 2
    assert await directory.busy("ben@example.com", NOW, NOW) is None
    nothing = StandardDirectory(office.account, (), None, None)
    assert await nothing.resolve("ann", 10) == []


async def test_several_lists_are_one(office: Office) -> None:
    ours = EmbeddedPeople(office.account.ground, ["example.com"])
    directory = office.directory(office.ldap.of(office.account), ours)
    people, total = await directory.search("carla", 0, 10)
    assert [person.name for person in people] == ["Carla Costa"]
    assert total == 1
    assert people[0].picture == PHOTO


async def test_the_embedded_list_is_of_one_domain(office: Office) -> None:
    await office.world.add("anna.else@example.net", name="Anna Elsewhere")
    ours = EmbeddedPeople(office.account.ground, ["example.com"])
    assert [person.name for person in await ours.search("anna", 10)] == ["Anna Example"]
    assert await ours.by_address("anna.else@example.net") is None
    found = await ours.by_address("anna@example.com")
    assert found is not None


async def test_who_is_busy_is_asked_of_the_calendars(office: Office) -> None:
    calendar = await feed_of(office.world.mailbox("anna"), FolderType.CALENDAR)
    await calendar.create(event("m1", NOW + timedelta(hours=1)), Chosen(name="m1"))
    busy = await office.directory().busy("anna@example.com", NOW, NOW + timedelta(days=1))
    assert busy is not None
    assert len(busy) == 1


# --- Indexes of all scopes --------------------------------------------------------------------------------------------


@dataclass
class Clock:
    at: float = 0.0

    def __call__(self) -> float:
        return self.at


def index(names: Sequence[str]) -> PeopleIndex:
    return PeopleIndex.of(Listed(locator=name, person=Person(address=f"{name}@x", name=name)) for name in names)


async def test_an_index_is_made_once_and_renewed_when_it_is_old() -> None:
    clock, made = Clock(), list[int]()

    async def build() -> PeopleIndex:
        made.append(1)
        await asyncio.sleep(0)
        return index(["a"] * len(made))

    scopes = Scopes(clock)
    one, two = scopes.get("k", build, 10), scopes.get("k", build, 10)
    assert one is two
    assert len(await one.ready()) == 1
    clock.at = 11
    assert scopes.get("k", build, 10).index is not None
    assert one.building is not None
    await one.building
    assert (len(made), len(await one.ready())) == (2, 2)
    await scopes.close()


async def test_after_a_failure_nothing_is_tried_for_a_while() -> None:
    clock, tried = Clock(), list[int]()

    async def build() -> PeopleIndex:
        tried.append(1)
        if len(tried) == 1:
            raise Unavailable("away")
        if len(tried) == 2:
            raise RuntimeError("a fault of ours is not for ever")
        return index(["a"])

    scopes = Scopes(clock)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await scopes.get("k", build, 10).ready()
    assert len(tried) == 1
    clock.at = 20
    with pytest.raises(Unavailable):
        await scopes.get("k", build, 10).ready()
    clock.at = 40
    assert len(await scopes.get("k", build, 10).ready()) == 1


async def test_memory_has_a_limit() -> None:
    async def build() -> PeopleIndex:
        return index([f"name{n}" for n in range(100)])

    size = (await build()).size
    scopes = Scopes(Clock(), max_scopes=3, max_bytes=int(2.5 * size))
    for key in ("a", "b", "c"):
        await scopes.get(key, build, 10).ready()
    assert list(scopes._kept) == ["b", "c"]
    alone = Scopes(Clock(), max_bytes=1)
    assert len(await alone.get("a", build, 10).ready()) == 100
    assert alone.get("a", build, 10).index is not None
