"""Entries of LDAP directories may hold anything: they are read all the same, and found by what was read of them."""

from __future__ import annotations

from fuzz_settings import examples
from hypothesis import given
from hypothesis import strategies as st

from eas.backends.ldap.attributes import ATTRIBUTES, AttributeMap, enclosed, gathered, listed
from eas.backends.ldap.filters import check_filter, dn_key, escaped, escaped_dn
from eas.backends.standards.people_index import PeopleIndex, shortened

USUAL = AttributeMap.of({})
NAMES = sorted({name for names in ATTRIBUTES.values() for name in names})
VALUES = st.one_of(
    st.binary(max_size=40), st.text(max_size=30).map(lambda text: text.encode(errors="replace")),
    st.sampled_from([b"anna@example.com", b"SMTP:a@b.c", b"smtp:", b"TRUE", b"\0", b"+49 30 1", b"uid=x,dc=y", b""]),
)
ENTRIES = st.dictionaries(
    st.sampled_from([*NAMES, "displayName;lang-de", "member;range=0-9", "UNKNOWN"]), st.lists(VALUES, max_size=4),
    max_size=8,
)


@examples(150)
@given(st.lists(st.tuples(st.text(max_size=20), ENTRIES), max_size=4))
def test_entries_are_read_and_found_again(entries: list[tuple[str, dict[str, list[bytes]]]]) -> None:
    people = []
    for dn, attributes in entries:
        values = gathered(attributes)
        enclosed(values, USUAL)
        person = listed(dn, values, USUAL)
        if person is not None:
            people.append(person)
    index = PeopleIndex.of(people)
    assert len(list(index.entries())) == len(people)
    for person in people:
        name = person.person.name
        assert name == shortened(name)
        found, _ = index.find(name, 0, 10)
        assert not name.casefold().strip() or name in [one.person.name for one in found]
        for address in person.addresses:
            assert index.by_address(address) is not None


@examples(150)
@given(st.text(max_size=40), st.text(max_size=40))
def test_values_stay_values(one: str, other: str) -> None:
    check_filter(f"(&(cn={escaped(one)})(|(sn={escaped(other)}*)))")
    assert not set(escaped(one)) & set("()*&|!=\0")
    assert not set(escaped_dn(one)) & set('",+;<>=#\0')
    assert dn_key(f"cn={escaped_dn(one)},dc=x").count(",") == 1
