"""A company's address book on a CardDAV server as its address list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from groupware.radicale import LIBRARIAN, LIBRARIAN_PASSWORD, Radicale

from eas.backends.dav import books
from eas.backends.dav.books import BookList, CompanyBooks
from eas.backends.dav.client import DavClients
from eas.backends.standards.ports import Account
from eas.backends.standards.tenant import DavServer, Provider, Tenant
from eas.engine.errors import Unavailable
from eas.engine.model import Secret, User

PHOTO = "/9j/4AAQSkZJRg=="


@dataclass
class Time:
    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


def card(uid: str, name: str, address: str = "", *more: str) -> str:
    first, _, last = name.partition(" ")
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", f"FN:{name}", f"N:{last};{first};;;"]
    lines += [f"EMAIL;TYPE=WORK:{address}"] if address else []
    return "\r\n".join([*lines, *more, "END:VCARD", ""])


@dataclass
class Company:
    """The book, and what is read of it through the list."""

    server: Radicale
    path: str
    time: Time = field(default_factory=Time)

    def __post_init__(self) -> None:
        self.clients = DavClients()
        self.books = CompanyBooks(self.clients, self.time)

    def put(self, uid: str, *values: str) -> None:
        self.server.put(f"{self.path}{uid}.vcf", LIBRARIAN, card(uid, *values))

    def delete(self, uid: str) -> None:
        assert self.server.request("DELETE", f"{self.path}{uid}.vcf", LIBRARIAN).status == 200

    def of(self, login: str = "anna@example.com", password: str = "", *, own: bool = False) -> BookList:
        """By the gateway's own login, or (`own`) by the user's."""
        entrance = {} if own else {"login": LIBRARIAN, "password": LIBRARIAN_PASSWORD}
        tenant = Tenant(
            name="company", directory=Provider.CARDDAV,
            dav=DavServer(url=self.server.url, addressbook_url=self.server.url + self.path, **entrance),
        )
        return self.books.of(Account(
            user=User(id="u", login=login, address=login, addresses=(login,), name=""), tenant=tenant, login=login,
            secret=Secret(password), ground=cast(Any, None),
        ))

    async def names(self, text: str) -> list[str]:
        return [person.name for person in await self.of().search(text, 50)]

    async def later(self) -> None:
        """When the book has been read anew."""
        self.time.at += books.FRESH_SECONDS + 1
        await self.of().page("a", 0, 1)
        for scope in self.books._scopes._kept.values():
            if scope.building is not None:
                await scope.building


@pytest.fixture
async def company(radicale: Radicale) -> AsyncIterator[Company]:
    login, _ = radicale.new_user("company")
    path = f"{login}/book/"
    radicale.make_addressbook(path, LIBRARIAN, "Everybody")
    made = Company(radicale, path)
    made.put("anna", "Anna Arnold", "anna@example.com", "EMAIL:a.arnold@example.com", "TEL;TYPE=WORK:+49 30 100",
             "ORG:Example Ltd", "TITLE:Head of Sales", f"PHOTO;ENCODING=b;TYPE=JPEG:{PHOTO}")
    made.put("ben", "Ben Berger", "ben@example.com")
    yield made
    await made.books.close()
    await made.clients.close()


async def test_people_are_found_and_shown_with_photos(company: Company) -> None:
    assert await company.names("arn") == await company.names("head") == await company.names("+4930") == ["Anna Arnold"]
    anna = await company.of().by_address("A.Arnold@example.com")
    assert anna is not None
    assert (anna.address, anna.phone, anna.company) == ("anna@example.com", "+49 30 100", "Example Ltd")
    assert anna.picture.startswith(b"\xff\xd8")
    assert not anna.contact
    assert (await company.of().whole(await company.of().search("arn", 5)))[0].picture == anna.picture
    assert await company.of().by_address("nobody@example.com") is None


async def test_what_changes_is_seen_and_only_that_is_read(company: Company) -> None:
    assert len(await company.names("b")) == 1
    company.put("bert", "Bert Bauer", "bert@example.com")
    company.put("ben", "Ben Bergmann", "ben@example.com")
    company.delete("anna")
    assert await company.names("b") == ["Ben Berger"]  # fresh enough
    await company.later()
    assert await company.names("b") == ["Ben Bergmann", "Bert Bauer"]
    assert await company.names("arn") == []
    index = await company.books.index(company.of())
    await company.later()
    assert await company.books.index(company.of()) is index


async def test_groups_have_the_addresses_of_their_members(company: Company) -> None:
    company.put("all", "Everybody", "all@example.com", "X-ADDRESSBOOKSERVER-KIND:group",
                "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:anna", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:nobody",
                "X-ADDRESSBOOKSERVER-MEMBER:mailto:out@example.net")
    everybody = await company.of().by_address("all@example.com")
    assert everybody is not None
    assert everybody.members == ("anna@example.com", "out@example.net")


async def test_a_card_that_is_none_does_no_harm(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    company.put("nameless", "", "nameless@example.com")
    company.put("unreachable", "Unreachable Person")
    assert await company.names("nameless") == ["nameless@example.com"]
    assert await company.names("unreach") == []


async def test_who_may_not_read_the_book_sees_nobody(company: Company) -> None:
    login, password = company.server.new_user("stranger")
    assert await company.of().search("a", 5)  # the index is there
    assert await company.of(login, password, own=True).search("a", 5) == []
    assert await company.of(login, password, own=True).by_address("anna@example.com") is None


async def test_a_server_that_is_away_is_unavailable(company: Company) -> None:
    company.path = "nobody@example.com/missing/"
    with pytest.raises(Unavailable):
        await company.of().search("a", 5)


async def test_too_many_cards_are_too_many(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "MAX_CARDS", 1)
    with pytest.raises(Unavailable):
        await company.of().search("a", 5)
