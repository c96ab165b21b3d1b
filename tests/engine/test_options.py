"""Options are kept as they were stated; filters become dates."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.engine.model import Policy
from eas.engine.options import (
    INCOMPLETE,
    NO_BOUNDS,
    Bounds,
    CollectionOptions,
    bounds_of,
    dump_options,
    in_force,
    load_options,
    valid_filter,
)
from eas.items.body import BodyPreference, BodyType

NOW = datetime(2026, 3, 29, 13, 45, tzinfo=UTC)

preferences = st.builds(
    BodyPreference, type=st.sampled_from(BodyType), truncation_size=st.none() | st.integers(0, 2**32 - 1),
    all_or_none=st.none() | st.booleans(), preview=st.none() | st.integers(0, 255),
)
options = st.builds(
    CollectionOptions, filter_type=st.integers(0, 8), client_wins=st.booleans(), mime_support=st.integers(0, 2),
    mime_truncation=st.none() | st.integers(0, 8), preferences=st.lists(preferences, max_size=3).map(tuple),
    part_preference=st.none() | preferences,
    supported=st.none() | st.lists(st.sampled_from(["Contacts:FirstName", "Contacts:Suffix"])).map(tuple),
    truncation=st.none() | st.integers(0, 9), conversations=st.booleans(), max_items=st.none() | st.integers(1, 500),
)


@given(options)
def test_kept_as_text(some):
    assert load_options(dump_options(some)) == some


def test_defaults_take_no_space():
    assert dump_options(CollectionOptions()) == "{}"


@given(options, options)
def test_a_block_replaces_the_one_before_but_for_what_key_0_said(kept, asked):
    """[MS-ASCMD] Options (Sync), Supported."""
    now = in_force(kept, asked)
    assert now.supported == kept.supported
    assert (now.filter_type, now.preferences) == (asked.filter_type, asked.preferences)
    assert in_force(kept, None) == kept


@pytest.mark.parametrize(("item_class", "filter_type", "days"), [
    ("Email", 1, 1), ("Email", 3, 7), ("Email", 5, 31), ("Calendar", 4, 14), ("Calendar", 7, 184),
])
def test_the_edge_is_a_midnight_that_many_days_back(item_class, filter_type, days):
    edge = CollectionOptions(filter_type=filter_type).edge(item_class, NOW)
    assert edge == datetime(2026, 3, 29, tzinfo=UTC) - timedelta(days=days)
    later = CollectionOptions(filter_type=filter_type).edge(item_class, NOW + timedelta(hours=9))
    assert later == edge


def test_no_filter_and_classes_without_filters_have_no_edge():
    assert CollectionOptions().edge("Email", NOW) is None
    assert CollectionOptions(filter_type=3).edge("Contacts", NOW) is None
    assert CollectionOptions(filter_type=8).edge("Tasks", NOW) == INCOMPLETE


@pytest.mark.parametrize(("item_class", "valid"), [
    ("Email", {0, 1, 2, 3, 4, 5}), ("Calendar", {0, 4, 5, 6, 7}), ("Tasks", {0, 8}), ("Contacts", set(range(9))),
])
def test_filters_by_class(item_class, valid):
    assert {n for n in range(-1, 12) if valid_filter(item_class, n)} == valid


def test_a_conversation_mode_that_is_stated_alone_changes_nothing_else():
    kept = CollectionOptions(filter_type=3, conversations=True)
    assert in_force(kept, None, False) == CollectionOptions(filter_type=3)
    assert in_force(kept, None).conversations is True
    assert in_force(kept, CollectionOptions(filter_type=5)).conversations is False


@pytest.mark.parametrize(("settings", "item_class", "asked", "counts"), [
    ({}, "Email", 0, 0), ({"MaxEmailAgeFilter": "0"}, "Email", 0, 0), ({"MaxEmailAgeFilter": "3"}, "Email", 0, 3),
    ({"MaxEmailAgeFilter": "3"}, "Email", 5, 3), ({"MaxEmailAgeFilter": "3"}, "Email", 1, 1),
    ({"MaxEmailAgeFilter": "3"}, "Calendar", 7, 7), ({"MaxCalendarAgeFilter": "6"}, "Calendar", 7, 6),
    ({"MaxCalendarAgeFilter": "4"}, "Tasks", 8, 8), ({"MaxEmailAgeFilter": "x"}, "Email", 0, 0),
    ({"MaxEmailAgeFilter": "7"}, "Email", 0, 0),
])
def test_a_policy_narrows_the_filter(settings, item_class, asked, counts):
    """[MS-ASPROV] MaxEmailAgeFilter R256-R263, MaxCalendarAgeFilter R246-R250"""
    bounds = bounds_of(Policy(settings=settings))
    assert bounds.narrowed(item_class, asked) == counts


def test_sizes_of_a_policy_are_in_kb():
    """-1 and what is no number bound nothing. [MS-ASPROV] MaxEmailBodyTruncationSize"""
    settings = {"MaxEmailBodyTruncationSize": "2", "MaxEmailHTMLBodyTruncationSize": "-1"}
    assert bounds_of(Policy(settings=settings)) == Bounds(text=2048)
    assert bounds_of(Policy()) is NO_BOUNDS


def test_old_truncation_counts_where_no_preference_is_stated():
    """[MS-ASCMD] Truncation; the policy's limit holds in any case."""
    cut = CollectionOptions(truncation=1).wanted(Bounds(html=100))
    assert (cut.limit_text, cut.limit_html) == (512, 100)
    assert CollectionOptions(truncation=9).wanted().limit_text is None
    beside = CollectionOptions(truncation=1, preferences=(BodyPreference(type=BodyType.TEXT),)).wanted()
    assert beside.limit_text is None
