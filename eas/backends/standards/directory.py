"""The directory of a user whose groupware is elsewhere: the company's address lists, the user's own contacts, and who
is busy when.

A server that is away takes its own list with it and nothing else: contacts are still found, mail goes on; the caller
hears Unavailable only where an answer without that list would be a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from eas.backends.embedded.prepare import folded
from eas.engine.errors import Unavailable
from eas.engine.model import Person
from eas.items.freebusy import BusyPeriod

from .people_index import MAX_FOUND
from .ports import Account, AddressList, FreeBusy


class GlobalList(AddressList, Protocol):
    """An address list of the company. Every method may raise Unavailable."""

    async def page(self, text: str, start: int, count: int) -> tuple[Sequence[Person], int]:
        """As `search`, from the start-th, with how many there are in all. Pictures, certificates and members may be
        missing."""
        ...

    async def whole(self, people: Sequence[Person]) -> Sequence[Person]:
        """The same people, as far as they are of this list with pictures, certificates and members."""
        ...


class StandardDirectory:
    """`contacts` and `busy` None where there are none."""

    def __init__(
        self, account: Account, lists: Sequence[GlobalList], contacts: AddressList | None, busy: FreeBusy | None
    ) -> None:
        self._account, self._lists, self._contacts, self._busy = account, tuple(lists), contacts, busy

    async def search(
        self, text: str, start: int, count: int, *, pictures: bool = True
    ) -> tuple[Sequence[Person], int]:
        """The address lists alone, by display name. Raises Unavailable if one of them is away: what it has would be
        missed."""
        people, total = await self._page(text, start, count)
        return await self._whole(people) if pictures else people, total

    async def resolve(self, text: str, limit: int, *, pictures: bool = True) -> Sequence[Person]:
        """The exact address first, of the address lists before the contacts; else what begins with the text in both,
        contacts without those who are in a list. Raises Unavailable if nobody is found and not everybody could be
        asked."""
        text, failures = text.strip(), list[Unavailable]()
        contacts = [self._contacts] if self._contacts is not None else []
        if "@" in text:
            for one in (*self._lists, *contacts):
                with _noted(failures):
                    found = await one.by_address(text)
                    if found is not None and found.address:
                        return [found][:limit]
        people: Sequence[Person] = ()
        with _noted(failures):
            people = [person for person in (await self._page(text, 0, limit))[0] if person.address]
        for own in contacts if len(people) < limit else ():
            with _noted(failures):
                known = {folded(person.address) for person in people}
                more = [person for person in await own.search(text, limit) if folded(person.address) not in known]
                people = [*people, *(person for person in more if person.address)][:limit]
        if failures and not people:
            raise failures[0]
        if pictures or len(people) == 1:
            with _noted(failures):
                people = await self._whole(people)
        return people

    async def busy(self, address: str, start: datetime, end: datetime) -> Sequence[BusyPeriod] | None:
        return await self._busy.busy(address, start, end) if self._busy is not None else None

    async def _page(self, text: str, start: int, count: int) -> tuple[Sequence[Person], int]:
        if len(self._lists) == 1:
            return await self._lists[0].page(text, start, count)
        found: dict[object, Person] = {}
        for one in self._lists:
            for person in (await one.page(text, 0, MAX_FOUND))[0]:
                found.setdefault(folded(person.address) or (person.name, person.phone), person)
        people = sorted(found.values(), key=lambda person: (folded(person.name), folded(person.address)))
        return people[start : start + count], len(people)

    async def _whole(self, people: Sequence[Person]) -> Sequence[Person]:
        """Of contacts everything is known already."""
        for one in self._lists:
            told = iter(await one.whole([person for person in people if not person.contact]))
            people = [person if person.contact else next(told) for person in people]
        return people


@contextmanager
def _noted(failures: list[Unavailable]) -> Iterator[None]:
    """What is away is not asked, and remembered."""
    try:
        yield
    except Unavailable as error:
        failures.append(error)
