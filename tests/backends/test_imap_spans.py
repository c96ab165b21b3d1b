"""Sets of UIDs as spans agree with sets of numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.backends.imap import commands, spans
from eas.backends.imap.model import Spans

NUMBERS = st.sets(st.integers(1, 60))
SPANS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)).map(lambda one: (one[0], one[0] + one[1])))


def is_normal(given: Spans) -> bool:
    return all(first <= last for first, last in given) and all(
        one[1] + 1 < two[0] for one, two in pairwise(given)
    )


@given(NUMBERS, NUMBERS, st.integers(0, 70))
@settings(max_examples=200)
def test_arithmetic_is_that_of_sets(one: set[int], two: set[int], number: int) -> None:
    first, second = spans.of(one), spans.of(list(two) * 2)
    for found, expected in (
        (first, one), (spans.union(first, second), one | two), (spans.without(first, second), one - two),
        (spans.common(first, second), one & two),
    ):  # fmt: skip
        assert is_normal(found)
        assert set(spans.numbers(found)) == expected
        assert spans.count(found) == len(expected)
        assert spans.holds(found, number) == (number in expected)
        assert spans.parse(spans.text(found)) == found


@given(SPANS)
@settings(max_examples=100)
def test_spans_in_any_order_are_joined(given: list[tuple[int, int]]) -> None:
    found = spans.joined(given)
    assert is_normal(found)
    assert set(spans.numbers(found)) == {number for first, last in given for number in range(first, last + 1)}


@pytest.mark.parametrize("text", ["*", "1:*", "a", "1,,2", "-1", "1:2:3", "1:", "99999999999999999999", "²", " 1"])
def test_what_is_no_set(text: str) -> None:
    with pytest.raises(ValueError, match="not a message number"):
        spans.parse(text)


def test_sets_may_be_written_the_wrong_way_round() -> None:
    assert spans.parse(b"9:7,8,3") == ((3, 3), (7, 9))
    assert spans.as_listed("9:7,3") == [(7, 9), (3, 3)]
    assert spans.parse("") == ()


@given(NUMBERS, st.integers(6, 40))
@settings(max_examples=100)
def test_batches_fit_and_lose_nothing(numbers: set[int], room: int) -> None:
    whole = spans.of(numbers)
    batches = list(spans.batches(whole, room))
    assert tuple(span for batch in batches for span in batch) == whole
    assert all(len(spans.text(batch)) <= room for batch in batches)
    assert all(batches)


def test_a_line_holds_a_batch() -> None:
    scattered = tuple((uid, uid) for uid in range(4_000_000_001, 4_000_020_000, 2))
    assert max(len(spans.text(batch)) for batch in spans.batches(scattered, commands.SET_ROOM)) < commands.MAX_LINE
