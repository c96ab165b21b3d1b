"""Sets of ids as ranges behave as Python's sets do."""

from hypothesis import given
from hypothesis import strategies as st

from eas.engine.ranges import RangeSet

ids = st.sets(st.integers(1, 60))


@given(ids, ids)
def test_it_is_a_set(one, two):
    a, b = RangeSet.of(one), RangeSet.of(two)
    assert set(a | b) == one | two
    assert set(a - b) == one - two
    assert len(a) == len(one)
    assert bool(a) == bool(one)
    assert all((n in a) == (n in one) for n in range(62))
    assert list(a.descending()) == sorted(one, reverse=True)
    assert (a | b) == RangeSet.of(one | two)


@given(ids, st.integers(0, 62))
def test_upto(one, bound):
    assert set(RangeSet.of(one).upto(bound)) == {n for n in one if n <= bound}


@given(ids)
def test_text_form_is_that_of_imap(one):
    made = RangeSet.of(one)
    assert RangeSet.parse(str(made)) == made


def test_a_hundred_thousand_messages_are_a_few_bytes():
    assert str(RangeSet.of(range(1, 100_001))) == "1-100000"
    assert str(RangeSet.of([1, 2, 3, 7, 9, 10])) == "1-3,7,9-10"


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9))))
def test_overlapping_pairs_are_joined(pairs):
    made = RangeSet((low, low + more) for low, more in pairs)
    assert set(made) == {n for low, more in pairs for n in range(low, low + more + 1)}
    assert made == RangeSet.of(set(made))
