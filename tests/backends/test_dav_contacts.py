"""People out of the user's own address books on a server: found in our rows, shown with what the cards have."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from davhome import Home
from worlds import card

from eas.backends.dav.contacts import DavContacts
from eas.backends.dav.model import Unreachable
from eas.engine.model import Person

pytestmark = pytest.mark.server

PHOTO = b"\xff\xd8\xff\xe0 a small picture"


@pytest.fixture(params=["radicale", "xandikos", "cyrus"])
async def home(request: pytest.FixtureRequest, database_template: Path, tmp_path: Path) -> AsyncIterator[Home]:
    made = await Home.make(request.getfixturevalue(request.param), database_template, tmp_path)
    people = {
        "ann": card("Ann Lee", "ann@example.org", "TEL;TYPE=WORK:+49 30 1234", "ORG:Wheels Ltd;Office 7",
                    f"PHOTO;ENCODING=b;TYPE=JPEG:{base64.b64encode(PHOTO).decode()}"),
        "ben": card("Ben Müller", "ben.mueller@example.org", "TITLE:Head of Ünits"),
        "two": card("Zoë Two", "zoe@example.org", "EMAIL;TYPE=HOME:home@example.org"),
        "none": card("Without Address", "", "TEL;TYPE=CELL:0171 5555"),
        "odd": card("100% \"quoted\\, back\\\\slash_", "odd@example.org"),
    }
    for name, data in people.items():
        made.put("Contacts", f"{name}.vcf", data)
    yield made
    await made.close()


def contacts(home: Home) -> DavContacts:
    return DavContacts(home.account, home.client, [home.places["Contacts"]])


def addresses(people: list[Person]) -> list[str]:
    return [person.address for person in people]


@pytest.mark.parametrize(("text", "found"), [
    ("ann", ["ann@example.org"]), ("LEE", ["ann@example.org"]), ("ann l", ["ann@example.org"]),
    ("wheels", ["ann@example.org"]), ("+4930", ["ann@example.org"]), ("ann@", ["ann@example.org"]),
    ("müller", ["ben.mueller@example.org"]), ("MÜLLER", ["ben.mueller@example.org"]),
    ("üni", ["ben.mueller@example.org"]), ("zoë", ["home@example.org", "zoe@example.org"]),
    ("nn", []), ("without", []), ("", []), ("  ", []), ("%", []), ("_", []), ("a%n", []), ("nobody", []),
    ("100%", ["odd@example.org"]), ('"quoted', ["odd@example.org"]), ("\\", []),
])
async def test_people_are_found_by_the_beginning_of_what_is_known_of_them(
    home: Home, text: str, found: list[str]
) -> None:
    people = list(await contacts(home).search(text, 10))
    assert sorted(addresses(people)) == found
    assert all(person.contact for person in people)


async def test_a_person_is_shown_with_all_that_the_card_has(home: Home) -> None:
    [ann] = await contacts(home).search("ann", 10)
    assert (ann.name, ann.first_name, ann.last_name, ann.company) == ("Ann Lee", "Ann", "Lee", "Wheels Ltd")
    assert ann.phone == "+49 30 1234"
    assert ann.picture == PHOTO


async def test_people_come_by_name_and_no_more_than_asked_for(home: Home) -> None:
    for n in (3, 1, 2):
        home.put("Contacts", f"s{n}.vcf", card(f"Same {n}", f"same{n}@example.org"))
    people = contacts(home)
    assert addresses(list(await people.search("same", 10))) == [f"same{n}@example.org" for n in (1, 2, 3)]
    assert addresses(list(await people.search("same", 2))) == ["same1@example.org", "same2@example.org"]
    assert not await people.search("same", 0)


async def test_an_exact_address_is_one_person(home: Home) -> None:
    people = contacts(home)
    found = await people.by_address(" HOME@example.org ")
    assert found is not None
    assert (found.name, found.address) == ("Zoë Two", "home@example.org")
    for nobody in ("home@example.or", "ome@example.org", "", "Zoë Two", "%@example.org"):
        assert await people.by_address(nobody) is None


async def test_typing_ahead_asks_the_server_once(home: Home) -> None:
    people = contacts(home)
    await people.search("a", 10)
    home.client.calls.clear()
    for text in ("an", "ann", "ann "):
        assert len(await people.search(text, 10)) == 1
    assert home.client.calls == []


async def test_a_server_that_is_away_leaves_what_is_known(home: Home) -> None:
    await contacts(home).search("a", 10)
    home.another_process()
    home.client.faults = {n: ("before", Unreachable("away")) for n in range(len(home.client.calls), 100)}
    [ann] = await contacts(home).search("ann", 10)
    assert (ann.address, ann.picture) == ("ann@example.org", b"")


async def test_nobody_waits_for_a_server_that_hangs(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    await contacts(home).search("a", 10)
    home.another_process()
    monkeypatch.setattr("eas.backends.dav.contacts.PATIENCE_SECONDS", 0.1)

    class Hanging:
        def __getattr__(self, name: str) -> Any:
            async def hang(*args: Any, **named: Any) -> None:
                await asyncio.sleep(600)

            return hang

    people = DavContacts(home.account, Hanging(), [home.places["Contacts"]])  # type: ignore[arg-type]
    async with asyncio.timeout(30):
        assert addresses(list(await people.search("ann", 10))) == ["ann@example.org"]


async def test_books_need_not_be_named_once_somebody_is_known_in_them(home: Home) -> None:
    unnamed = DavContacts(home.account, home.client)
    assert not await unnamed.search("ann", 10)
    await contacts(home).search("ann", 10)
    assert len(await unnamed.search("ann", 10)) == 1


async def test_nobody_finds_the_contacts_of_somebody_else(home: Home) -> None:
    await contacts(home).search("ann", 10)
    ben = replace(home.account, user=home.world.users["ben"])
    for people in (DavContacts(ben, home.client), DavContacts(ben, home.client, [home.places["Contacts"]])):
        assert not await people.search("ann", 10)
        assert await people.by_address("ann@example.org") is None


async def test_who_was_deleted_or_changed_is_found_no_more(home: Home) -> None:
    await contacts(home).search("ann", 10)
    home.delete("Contacts", "ann.vcf")
    renamed = card("Ben Miller", "ben.miller@example.org").replace(b"UID:Ben Miller", b"UID:Ben M\xc3\xbcller")
    home.put("Contacts", "ben.vcf", renamed)
    home.another_process()
    assert not await contacts(home).search("ann", 10)
    assert not await contacts(home).search("müller", 10)
    assert addresses(list(await contacts(home).search("miller", 10))) == ["ben.miller@example.org"]
