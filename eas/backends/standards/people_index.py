"""An address list in memory, made for typing ahead: who has a term that begins with a text, in the order of the names.

Everything lies in a few large blocks of octets and machine integers: 50,000 people take some 40 MB, and nothing of it
is an object that the garbage collector walks over.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from typing import Any

from eas.backends.embedded.prepare import folded, searched_terms, terms
from eas.engine.model import Person

#: Entries that a search finds at most: nobody pages further, and "a" finds half a company.
MAX_FOUND = 1000
#: Characters of one value: they are for finding and for showing in a list. Addresses: RFC 5321 4.5.3.1.
MAX_VALUE, MAX_ADDRESS = 256, 320

#: Postings from which on a result is remembered, and results that are: these are the searches for one letter or two.
_LARGE, _REMEMBERED = 400, 256
#: Terms sorted at a time, which takes some 10 ms.
_PART = 20_000

_FIELDS = (
    "address", "name", "alias", "first_name", "last_name", "title", "company", "office", "phone", "home_phone",
    "mobile_phone",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An entry as the index keeps it. `person` is without photo, certificates and members; `enclosed` says that there
    are some, to be read by the `locator` (a distinguished name, an href). `addresses` are all, `keys` further exact
    names that lead here (a user id, a key of the locator)."""

    locator: str
    person: Person
    addresses: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    enclosed: bool = False


def shortened(text: str, length: int = MAX_VALUE) -> str:
    """On one line, without what would break the blocks here."""
    return " ".join(text.replace("\0", "").split())[:length]


def order(listed: Listed) -> tuple[str, str]:
    return folded(listed.person.name or listed.person.address), folded(listed.person.address)


def terms_of(listed: Listed) -> set[str]:
    person = listed.person
    return terms(
        person.name, person.first_name, person.last_name, person.alias, person.company, person.title, person.office,
        person.address, *listed.addresses, phones=(person.phone, person.home_phone, person.mobile_phone),
    )


@dataclass(slots=True)
class _Terms:
    """Sorted terms, each ended by NUL, in `block`; `starts` of the n-th and whose it is in `owners`."""

    block: bytes
    starts: array[int]
    owners: array[int]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, int]]) -> _Terms:
        block, starts, owners = bytearray(), array("I"), array("I")
        last, start = b"", 0
        for key in _sorted(term.encode(errors="replace") + b"\0" + owner.to_bytes(4, "big") for term, owner in pairs):
            term = key[:-4]
            if term != last:
                last, start = term, len(block)
                block += term
            starts.append(start)
            owners.append(int.from_bytes(key[-4:], "big"))
        return cls(bytes(block), starts, owners)

    def begins(self, prefix: bytes) -> Sequence[int]:
        """The owners of the terms that begin so; an owner may be named several times."""
        block, starts, size = self.block, self.starts, len(prefix)
        all_of_them = range(len(starts))

        def beginning(n: int) -> bytes:
            return block[starts[n] : starts[n] + size]

        first = bisect_left(all_of_them, prefix, key=beginning)
        return self.owners[first : bisect_right(all_of_them, prefix, lo=first, key=beginning)]

    @property
    def size(self) -> int:
        return len(self.block) + self.starts.itemsize * (len(self.starts) + len(self.owners))


def _sorted(keys: Iterable[bytes]) -> Iterator[bytes]:
    """By parts: while one list is being sorted no other thread runs, the one that answers devices neither."""
    left, parts = iter(keys), list[list[bytes]]()
    while part := list(islice(left, _PART)):
        part.sort()
        parts.append(part)
    return merge(*parts)


@dataclass(slots=True)
class PeopleIndex:
    """Made by `of`, then it does not change. May be made in one thread and read in another."""

    _rows: bytes
    _starts: array[int]
    _terms: _Terms
    _keys: _Terms
    _remembered: OrderedDict[str, array[int]] = field(default_factory=OrderedDict)

    @classmethod
    def of(cls, entries: Iterable[Listed]) -> PeopleIndex:
        """Takes about 0.1 ms an entry."""
        ordered = sorted(entries, key=order)
        rows, starts = bytearray(), array("I")
        for listed in ordered:
            starts.append(len(rows))
            rows += _row(listed)
        starts.append(len(rows))
        return cls(
            bytes(rows), starts,
            _Terms.of((term, n) for n, listed in enumerate(ordered) for term in terms_of(listed)),
            _Terms.of((key, n) for n, listed in enumerate(ordered) for key in _keys(listed)),
        )

    def entries(self) -> Iterator[Listed]:
        """All of them again, by name."""
        return (self._listed(n) for n in range(len(self)))

    def __len__(self) -> int:
        return len(self._starts) - 1

    @property
    def size(self) -> int:
        """Octets, nearly."""
        return len(self._rows) + self._starts.itemsize * len(self._starts) + self._terms.size + self._keys.size

    def find(self, text: str, start: int, count: int) -> tuple[list[Listed], int]:
        """Those who have a term beginning with the text, by name, and how many in all (MAX_FOUND at most)."""
        found = self._remembered.get(text)
        if found is None:
            found = self._found(text)
        return [self._listed(n) for n in found[start : start + count]], len(found)

    def _found(self, text: str) -> array[int]:
        owners = array("I")
        for prefix in searched_terms(text):
            owners.extend(self._terms.begins(prefix.encode(errors="replace")))
        found = array("I", sorted(set(owners))[:MAX_FOUND])
        if len(owners) >= _LARGE:
            self._remembered[text] = found
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return found

    def by_address(self, address: str) -> Listed | None:
        """By the primary address of somebody, else by a further one."""
        address = folded(address.strip())
        hits = [self._listed(n) for n in self._keys.begins(f"@{address}\0".encode(errors="replace"))]
        return next((hit for hit in hits if folded(hit.person.address) == address), hits[0] if hits else None)

    def by_key(self, key: str) -> Listed | None:
        owners = self._keys.begins(f"={shortened(key)}\0".encode(errors="replace"))
        return self._listed(owners[0]) if owners else None

    def _listed(self, n: int) -> Listed:
        row = self._rows[self._starts[n] : self._starts[n + 1]].decode()
        locator, enclosed, addresses, keys, *values = row.split("\0")
        known: dict[str, Any] = dict(zip(_FIELDS, values, strict=True))
        return Listed(
            locator=locator, enclosed=enclosed == "1", person=Person(**known),
            addresses=tuple(addresses.split("\n")) if addresses else (), keys=tuple(keys.split("\n")) if keys else (),
        )


def _row(listed: Listed) -> bytes:
    person = listed.person
    values = [shortened(getattr(person, name)) for name in _FIELDS]
    addresses, keys = ("\n".join(map(shortened, several)) for several in (listed.addresses, listed.keys))
    locator = listed.locator.replace("\0", "")
    row = [locator, "1" if listed.enclosed else "0", addresses, keys, *values]
    return "\0".join(row).encode(errors="replace")


def _keys(listed: Listed) -> Iterable[str]:
    for address in {folded(address) for address in (listed.person.address, *listed.addresses) if address}:
        yield "@" + address
    for key in set(listed.keys):
        yield "=" + shortened(key)
