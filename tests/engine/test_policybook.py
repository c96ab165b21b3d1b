"""Inheritance, whose policy counts, and stages, as pure decisions."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.engine.model import Policy
from eas.engine.policybook import (
    FLAGS,
    Assignee,
    Assignment,
    Book,
    Override,
    PolicyError,
    Roll,
    Step,
    check,
    in_force,
    merged,
    place,
)

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
NAMES = ("DevicePasswordEnabled", "AllowCamera", "MinDevicePasswordLength", "AllowBrowser")


def policies(name: str) -> st.SearchStrategy[Policy]:
    return st.builds(
        Policy, name=st.just(name), settings=st.dictionaries(st.sampled_from(NAMES), st.sampled_from("0123")),
        enforced=st.booleans(), allow_partial=st.booleans(), allow_external=st.booleans(),
        inherits=st.lists(st.sampled_from(FLAGS), unique=True).map(tuple),
        insist=st.lists(st.sampled_from(NAMES), unique=True, max_size=2).map(tuple),
    )


@given(policies("a"), policies("b"), policies("c"))
def test_it_does_not_matter_in_which_order_a_chain_is_put_together(a: Policy, b: Policy, c: Policy) -> None:
    left, right = merged(merged(a, b), c), merged(a, merged(b, c))
    assert {name: getattr(left, name) for name in FLAGS} == {name: getattr(right, name) for name in FLAGS}
    assert (left.settings, set(left.insist), set(left.inherits), left.origins) == (
        right.settings, set(right.insist), set(right.inherits), right.origins
    )


@given(policies("a"), policies("b"), policies("c"))
def test_no_setting_comes_from_nowhere(a: Policy, b: Policy, c: Policy) -> None:
    """Each value in force is the one of the policy from which it is said to come, and the nearest that has one."""
    documents = {"a": a, "b": replace(b, based_on="a"), "c": replace(c, based_on="b")}
    whole = in_force("c", documents)
    assert set(whole.settings) == {*a.settings, *b.settings, *c.settings}
    for name, text in whole.settings.items():
        assert documents[whole.origins[name]].settings[name] == text
        assert whole.origins[name] == next(one for one in "cba" if name in documents[one].settings)
    for flag in FLAGS:
        assert getattr(whole, flag) == getattr(documents[whole.origins.get(flag, "a")], flag)


def test_a_policy_alone_is_itself() -> None:
    alone = Policy(name="alone", settings={"AllowCamera": "0"}, enforced=True)
    assert in_force("alone", {"alone": alone}) == alone


@pytest.mark.parametrize(
    ("based_on", "says"),
    [
        ({"a": "a"}, "a -> a"), ({"a": "b", "b": "a"}, "a -> b -> a"), ({"a": "c"}, "not there"),
        ({str(n): str(n + 1) for n in range(9)} | {"a": "0"}, "in a row"),
    ],
)
def test_what_goes_round_or_leads_nowhere_is_refused(based_on: dict[str, str], says: str) -> None:
    documents = {name: Policy(name=name, based_on=parent) for name, parent in based_on.items()}
    with pytest.raises(PolicyError, match=says):
        check(documents, "a")
    assert in_force("a", documents).name == "a"  # and does no harm where it is stored all the same


def test_a_policy_may_be_based_on_the_default_that_nobody_stored() -> None:
    check({"a": Policy(name="a", based_on="default")}, "a")


def book(**more: object) -> Book:
    documents = {name: Policy(name=name, settings={"AllowCamera": "0"}) for name in ("d", "u", "sales", "staff")}
    given = {name: Assignment(assignee=Assignee.GROUP, subject=name, policy=name) for name in ("sales", "staff")}
    return Book(**{"documents": documents, "groups": given, **more})  # type: ignore[arg-type]


def test_the_devices_policy_comes_first_then_the_users_then_a_groups_then_the_default() -> None:
    user = {"ann": Assignment(assignee=Assignee.USER, subject="ann", policy="u")}
    own = {("ann", "phone"): Override(user_id="ann", device_id="phone", policy="d", until=NOW + timedelta(days=1))}
    whole = book(users=user, devices=own)
    assert (whole.found("ann", ["sales"], "phone", NOW).policy.name, whole.found("ann", [], "phone", NOW).by) == (
        "d", "device"
    )
    assert whole.found("ann", ["sales"], "phone", NOW + timedelta(days=1)).by == "user"
    assert whole.found("ann", ["sales"], "tablet", NOW).policy.name == "u"
    assert whole.found("bob", ["sales"], "phone", NOW).by == "group sales"
    assert whole.found("bob", [], "phone", NOW).by == "default"


def test_of_several_groups_the_lowest_rank_counts_and_else_the_first() -> None:
    assert book().of("ann", ["sales", "staff"], "", NOW).name == "sales"
    ranked = {**book().groups, "sales": replace(book().groups["sales"], rank=2)}
    assert book(groups=ranked).of("ann", ["sales", "staff"], "", NOW).name == "staff"


# -- stages


def roll(**more: object) -> Roll:
    candidate = Policy(name="sales", settings={"AllowCamera": "1"})
    return Roll(**{"policy": "sales", "candidate": candidate, "started": NOW, "moved": NOW, **more})  # type: ignore


@given(st.text(max_size=8), st.text(max_size=8), st.integers(0, 100), st.integers(0, 100))
def test_who_is_reached_stays_reached(user: str, device: str, one: int, other: int) -> None:
    low, high = sorted((one, other))
    if roll(percent=low).reaches(user, device, ()):
        assert roll(percent=high).reaches(user, device, ())


def test_a_percentage_is_about_that() -> None:
    places = Counter(int(place("sales", f"user-{n}", f"device-{n}") // 10) for n in range(20_000))
    assert set(places) == set(range(10))
    assert all(1_800 < count < 2_200 for count in places.values())


def test_only_those_who_are_reached_get_the_new_document() -> None:
    for percent in (0, 10, 50, 100):
        rolled = book(rolls=(roll(percent=percent),))
        new = [n for n in range(500) if rolled.of(f"u{n}", ["sales"], f"d{n}", NOW).settings["AllowCamera"] == "1"]
        assert new == [n for n in range(500) if place("sales", f"u{n}", f"d{n}") < percent]
        assert rolled.before().of("u1", ["sales"], "d1", NOW).settings["AllowCamera"] == "0"


def test_a_named_group_is_reached_first() -> None:
    rolled = book(rolls=(roll(groups=("staff",)),))
    assert rolled.of("ann", ["sales", "staff"], "d", NOW).settings["AllowCamera"] == "1"
    assert rolled.of("bob", ["sales"], "d", NOW).settings["AllowCamera"] == "0"


def test_a_new_assignment_counts_where_it_has_come_to() -> None:
    given = Assignment(assignee=Assignee.GROUP, subject="pilots", policy="staff")
    rolled = book(rolls=(roll(policy="staff", candidate=None, assignment=given, percent=50),))
    found = {rolled.of("ann", ["pilots"], f"d{n}", NOW).name for n in range(50)}
    assert found == {"staff", "default"}
    for n in range(50):
        reached = place("staff", "ann", f"d{n}") < 50
        assert rolled.of("ann", ["pilots"], f"d{n}", NOW).name == ("staff" if reached else "default")


def test_what_is_based_on_a_policy_that_is_rolled_out_changes_with_it() -> None:
    documents = {**book().documents, "child": Policy(name="child", based_on="sales")}
    own = {("ann", "d"): Override(user_id="ann", device_id="d", policy="child")}
    rolled = book(documents=documents, devices=own, rolls=(roll(percent=100),))
    assert rolled.of("ann", [], "d", NOW).settings["AllowCamera"] == "1"


def test_steps_are_due_at_their_time_and_not_while_it_is_paused() -> None:
    steps = (Step(at=NOW, percent=10), Step(at=NOW + timedelta(hours=1), percent=50))
    rolled = roll(steps=steps)
    assert rolled.due(NOW - timedelta(seconds=1)) is None
    assert rolled.due(NOW) == steps[0]
    assert rolled.due(NOW + timedelta(days=1)) == steps[1]
    assert replace(rolled, paused=True).due(NOW + timedelta(days=1)) is None
