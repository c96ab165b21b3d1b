"""The index of an address list finds what the words of its entries begin with, and no more."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from eas.backends.embedded.prepare import searched_terms
from eas.backends.standards.people_index import MAX_FOUND, Listed, PeopleIndex, order, terms_of
from eas.engine.model import Person


def entry(name: str, address: str = "", *more: str, keys: tuple[str, ...] = (), **person: str) -> Listed:
    address = address or f"{name.split()[0].lower()}@example.com"
    return Listed(
        locator=f"cn={name}", person=Person(name=name, address=address, **person), addresses=(address, *more),
        keys=keys,
    )


ANNA = entry("Anna Maria Arnold", phone="+49 (30) 100-1", company="Example Ltd", title="Head of Sales")
BEN = entry("Ben Berger", "ben@example.com", "b.berger@example.com", keys=("dn:ben",))
EMIL = entry("Émil Müller", "emil@example.com")
INDEX = PeopleIndex.of([BEN, EMIL, ANNA])


def names(text: str, start: int = 0, count: int = 10) -> list[str]:
    return [found.person.name for found in INDEX.find(text, start, count)[0]]


def test_every_word_and_what_follows_is_found() -> None:
    assert names("an") == names("ANNA m") == names("maria arn") == names("sales") == names("head of") == [
        "Anna Maria Arnold"
    ]
    assert names("arnold anna") == names("nna") == names("") == names("  ") == []


def test_other_scripts_and_letters() -> None:
    assert names("ém") == names("MÜL") == ["Émil Müller"]


def test_phone_numbers_are_found_as_typed_and_as_dialled() -> None:
    assert names("+49 (30)") == names("+4930100") == ["Anna Maria Arnold"]


def test_further_addresses_find_too() -> None:
    assert names("b.berg") == ["Ben Berger"]
    found = INDEX.by_address(" B.Berger@Example.com ")
    assert found is not None
    assert found.person == BEN.person
    assert INDEX.by_address("nobody@example.com") is None
    assert INDEX.by_address("ben@example") is None
    by_key = INDEX.by_key("dn:ben")
    assert by_key is not None
    assert by_key.locator == BEN.locator
    assert INDEX.by_key("dn:be") is None


def test_a_primary_address_is_before_anothers_further_one() -> None:
    index = PeopleIndex.of([entry("Aaron", "a@example.com", "info@example.com"), entry("Info", "info@example.com")])
    found = index.by_address("info@example.com")
    assert found is not None
    assert found.person.name == "Info"


def test_pages_are_in_the_order_of_names_with_the_number_of_all() -> None:
    index = PeopleIndex.of(entry(f"Person {n:04}", f"p{n}@example.com") for n in range(1500))
    found, total = index.find("per", 20, 3)
    assert total == MAX_FOUND
    assert [one.person.name for one in found] == ["Person 0020", "Person 0021", "Person 0022"]
    assert index.find("per", 20, 3) == (found, total)
    assert index.find("per", MAX_FOUND, 3) == ([], MAX_FOUND)


def test_everything_comes_back_as_it_was() -> None:
    whole = Listed(
        locator="cn=x", enclosed=True, addresses=("x@example.com",),
        person=Person(
            address="x@example.com", name="X", alias="x", first_name="F", last_name="L", title="T", company="C",
            office="O", phone="1", home_phone="2", mobile_phone="3",
        ),
    )
    found = PeopleIndex.of([whole]).by_address("x@example.com")
    assert found is not None
    assert (found.person, found.enclosed, found.locator) == (whole.person, True, "cn=x")


def test_an_empty_index() -> None:
    index = PeopleIndex.of([])
    assert (len(index), index.find("a", 0, 9), index.by_address("a@b")) == (0, ([], 0), None)


_NAMES = st.text(alphabet="abÄß\0 -é\U0001f600", max_size=6)


@settings(max_examples=150)
@given(st.lists(st.tuples(_NAMES, _NAMES), max_size=8), _NAMES)
def test_the_same_is_found_as_by_looking_at_each(people: list[tuple[str, str]], text: str) -> None:
    entries = [
        Listed(locator=str(n), person=Person(address=f"{n}@x", name=name, company=company))
        for n, (name, company) in enumerate(people)
    ]
    expected = [
        entry.locator for entry in sorted(entries, key=order)
        if any(term.startswith(begin) for term in terms_of(entry) for begin in searched_terms(text))
    ]
    found, total = PeopleIndex.of(entries).find(text, 0, 100)
    assert sorted(one.locator for one in found) == sorted(expected)
    assert total == len(expected)
