"""How far a device is let in: the order as a table, and what holds whatever the rules are."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.engine.access import (
    DEFAULT,
    DISCOVERY,
    EXPIRED,
    LIST,
    PERSONAL,
    SAYABLE,
    SUSPENDED,
    BadPattern,
    Book,
    Characteristic,
    Decision,
    Facts,
    Rule,
    Terms,
    checked,
    decide,
    fits,
    kept_out,
    personal,
    recorded,
)
from eas.engine.model import Access, Device, Level, Storm, Suspension

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)
DEVICE = Device(user_id="u1", id="D", type="iPhone", first_seen=NOW - DAY)
TOLD = {"Model": "iPhone14C2", "OS": "iOS 17.3"}
FACTS = Facts(
    type="iPhone", agent="Apple-iPhone14C2/2104.1", version="16.1", told=TOLD, names=("anna", "anna@example.com"),
    groups=("Sales",), address="192.0.2.7",
)
PHONES = Rule(id=1, level=Level.BLOCK, match={Characteristic.TYPE: "iphone"})


def asked(
    device: Device = DEVICE, *rules: Rule, default: Level = Level.ALLOW, facts: Facts = FACTS,
    terms: Terms | None = None, now: datetime = NOW,
) -> Decision:
    return decide(device, facts, Book(rules=rules, default=default), terms or Terms(), now)


def rule(id: int, level: Level, priority: int = 100, **match: str) -> Rule:
    return Rule(id=id, level=level, priority=priority, match=checked(match))


# The order ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("device", "level", "by"), [
    (DEVICE, Level.QUARANTINE, "rule 7"),
    (replace(DEVICE, listed=True), Level.ALLOW, LIST),
    (replace(DEVICE, listed=False), Level.BLOCK, LIST),
    (replace(DEVICE, access=Access.ALLOWED), Level.ALLOW, PERSONAL),
    (replace(DEVICE, access=Access.ALLOWED, listed=False), Level.ALLOW, PERSONAL),
    (replace(DEVICE, access=Access.BLOCKED, listed=True), Level.BLOCK, PERSONAL),
    (replace(DEVICE, access=Access.QUARANTINED, listed=True), Level.QUARANTINE, PERSONAL),
    (replace(DEVICE, access=Access.ALLOWED, access_until=NOW + DAY), Level.ALLOW, PERSONAL),
    (replace(DEVICE, access=Access.ALLOWED, access_until=NOW), Level.QUARANTINE, "rule 7"),
    (replace(DEVICE, access=Access.BLOCKED, access_until=NOW - DAY, listed=True), Level.ALLOW, LIST),
    (replace(DEVICE, suspended=Suspension(reason="", since=NOW, until=NOW + DAY)), Level.SUSPEND, SUSPENDED),
    (replace(DEVICE, suspended=Suspension(reason="", since=NOW - DAY, until=NOW)), Level.QUARANTINE, "rule 7"),
])
def test_what_was_said_of_a_device_comes_before_the_rules(device: Device, level: Level, by: str) -> None:
    found = asked(device, rule(7, Level.QUARANTINE, type="iPhone"))
    assert (found.level, found.by) == (level, by)
    assert found.why or device.suspended


@pytest.mark.parametrize("default", SAYABLE)
def test_without_a_rule_that_fits_the_default_holds(default: Level) -> None:
    found = asked(DEVICE, rule(1, Level.BLOCK, type="Android"), default=default)
    assert (found.level, found.by) == (default, DEFAULT)


def test_among_equals_a_block_comes_before_a_quarantine_before_a_permission() -> None:
    rules = {level: rule(number, level, type="*") for number, level in enumerate(reversed(SAYABLE), 1)}
    assert [one.level for one in Book(rules=tuple(rules.values())).rules] == list(SAYABLE)
    assert asked(DEVICE, *rules.values()).level is Level.BLOCK
    first = replace(rules[Level.ALLOW], priority=10)
    assert asked(DEVICE, rules[Level.BLOCK], first).level is Level.ALLOW


rules_ = st.lists(
    st.builds(
        Rule, id=st.integers(1, 50), level=st.sampled_from(SAYABLE), priority=st.integers(1, 5),
        match=st.dictionaries(
            st.sampled_from([c for c in Characteristic if c is not Characteristic.NETWORK]),
            st.sampled_from(["iPhone", "*", "anna", "Android*", "Sales", "16.?", "iOS*"]), max_size=3,
        ),
    ),
    max_size=8, unique_by=lambda one: one.id,
)
whatever = st.builds(
    replace, st.just(DEVICE), access=st.sampled_from(Access), listed=st.sampled_from([None, True, False]),
    access_until=st.sampled_from([None, NOW + DAY, NOW - DAY]), first_seen=st.sampled_from([NOW, NOW - DAY]),
)
some_facts = st.builds(
    replace, st.just(FACTS), told=st.sampled_from([None, TOLD]), version=st.sampled_from(["2.5", "16.1"])
)


@given(rules=rules_, device=whatever, facts=some_facts, default=st.sampled_from(SAYABLE), shuffled=st.randoms())
def test_the_decision_does_not_hang_on_the_order_in_which_the_rules_were_made(
    rules: list[Rule], device: Device, facts: Facts, default: Level, shuffled: object
) -> None:
    found = asked(device, *rules, default=default, facts=facts)
    again = list(rules)
    shuffled.shuffle(again)  # type: ignore[attr-defined]
    assert asked(device, *again, default=default, facts=facts) == found


@given(rules=rules_, device=whatever, facts=some_facts, default=st.sampled_from(SAYABLE))
def test_a_personal_block_outranks_whatever_else_is_said(
    rules: list[Rule], device: Device, facts: Facts, default: Level
) -> None:
    blocked = replace(device, access=Access.BLOCKED, access_until=None)
    assert asked(blocked, *rules, default=default, facts=facts).level is Level.BLOCK


@given(rules=rules_, facts=some_facts, default=st.sampled_from(SAYABLE))
def test_without_discovery_the_first_rule_in_order_decides(
    rules: list[Rule], facts: Facts, default: Level
) -> None:
    found = asked(DEVICE, *rules, default=default, facts=facts)
    fitting = [one for one in Book(rules=tuple(rules)).rules if fits(one, facts)]
    assert found.level is (fitting[0].level if fitting else default)
    assert found.by == (fitting[0].name if fitting else DEFAULT)


# Fitting --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("match", "does"), [
    ({"type": "iphone"}, True),
    ({"type": "iPad|iPhone"}, True),
    ({"type": "iPho"}, False),
    ({"type": "iPho*"}, True),
    ({"type": "*hone"}, True),
    ({"agent": "Apple-iPhone??C2/*"}, True),
    ({"agent": "Apple-iPhone14C2/2104x1"}, False),
    ({"model": "IPHONE14C2"}, True),
    ({"os": "ios 16*|ios 17.*"}, True),
    ({"version": "16.*"}, True),
    ({"user": "anna@EXAMPLE.com"}, True),
    ({"user": "*@example.com"}, True),
    ({"user": "anna"}, True),
    ({"user": "ann"}, False),
    ({"group": "sales"}, True),
    ({"network": "192.0.2.0/24"}, True),
    ({"network": "10.0.0.0/8|192.0.2.7"}, True),
    ({"network": "2001:db8::/32"}, False),
    ({"type": "iPhone", "os": "Android*"}, False),
    ({"type": "iPhone", "group": "Sales", "network": "192.0.2.0/24"}, True),
    ({}, True),
])
def test_patterns(match: Mapping[str, str], does: bool) -> None:
    assert fits(rule(1, Level.BLOCK, **match), FACTS) is does


def test_signs_of_other_pattern_languages_are_letters() -> None:
    facts = replace(FACTS, agent="Outlook [x] (1.0+)")
    assert fits(rule(1, Level.BLOCK, agent="Outlook [x] (1.0+)"), facts)
    assert not fits(rule(1, Level.BLOCK, agent="Outlook x (1.0+)"), facts)


@pytest.mark.parametrize("match", [{"colour": "red"}, {"network": "10.0.0.0/40"}, {"network": "home"}])
def test_what_cannot_be_meant_is_refused(match: Mapping[str, str]) -> None:
    with pytest.raises(BadPattern):
        checked(match)


# Discovery ------------------------------------------------------------------------------------------------------------

NEW = replace(DEVICE, first_seen=NOW)
SILENT = replace(FACTS, told=None)


def test_a_new_device_is_shown_nothing_until_it_has_said_what_a_rule_asks_for() -> None:
    only = rule(1, Level.ALLOW, model="iPhone14*")
    waiting = asked(NEW, only, default=Level.BLOCK, facts=SILENT)
    assert (waiting.level, waiting.by, waiting.until) == (Level.DISCOVERY, DISCOVERY, NOW + timedelta(minutes=14))
    assert asked(NEW, only, default=Level.BLOCK).level is Level.ALLOW
    other = replace(FACTS, told={"Model": "SM-G991B"})
    assert asked(NEW, only, default=Level.BLOCK, facts=other).level is Level.BLOCK
    assert asked(NEW, only, default=Level.BLOCK, facts=SILENT, now=NOW + timedelta(minutes=14)).level is Level.BLOCK


def test_it_is_not_waited_for_what_changes_nothing() -> None:
    assert asked(NEW, rule(1, Level.ALLOW, model="*"), facts=SILENT).by == DEFAULT
    assert asked(NEW, rule(1, Level.BLOCK, model="x", type="Android"), facts=SILENT).by == DEFAULT
    before = rule(1, Level.BLOCK, type="iPhone")
    assert asked(NEW, before, rule(2, Level.QUARANTINE, os="iOS*"), facts=SILENT).by == before.name


def test_a_version_that_cannot_tell_is_not_waited_for() -> None:
    old = replace(SILENT, version="2.5")
    assert asked(NEW, rule(1, Level.ALLOW, model="*"), default=Level.BLOCK, facts=old).level is Level.BLOCK


# What follows with time -----------------------------------------------------------------------------------------------


def test_a_quarantine_that_nobody_decides_becomes_a_block_and_an_approval_ends_it() -> None:
    terms = Terms(quarantine_days=3)
    first = asked(DEVICE, default=Level.QUARANTINE, terms=terms)
    assert (first.level, first.quarantined, first.until) == (Level.QUARANTINE, NOW, NOW + 3 * DAY)
    kept = recorded(DEVICE, first, NOW)
    for days, level, by in ((1, Level.QUARANTINE, DEFAULT), (3, Level.BLOCK, EXPIRED), (90, Level.BLOCK, EXPIRED)):
        then = NOW + days * DAY
        found = asked(kept, default=Level.QUARANTINE, terms=terms, now=then)
        assert (found.level, found.by, found.quarantined) == (level, by, NOW)
        kept = recorded(kept, found, then)
    allowed = personal(kept, Access.ALLOWED, None, "", NOW)
    assert asked(allowed, default=Level.QUARANTINE, terms=terms, now=NOW + 91 * DAY).level is Level.ALLOW
    anew = personal(allowed, Access.QUARANTINED, None, "", NOW + 91 * DAY)
    assert asked(anew, terms=terms, now=NOW + 92 * DAY).level is Level.QUARANTINE


def test_what_was_decided_is_written_down_only_when_it_changes() -> None:
    assert recorded(DEVICE, asked(), NOW) is DEVICE
    noted = recorded(DEVICE, asked(DEVICE, PHONES), NOW)
    assert noted.admission is not None
    assert (noted.admission.level, noted.admission.by, noted.admission.since) == (Level.BLOCK, PHONES.name, NOW)
    assert recorded(noted, asked(noted, PHONES), NOW + DAY) is noted
    other = recorded(noted, asked(noted, default=Level.BLOCK), NOW + DAY)
    assert other.admission is not None
    assert (other.admission.by, other.admission.since) == (DEFAULT, NOW)
    free = recorded(noted, asked(noted), NOW + DAY)
    assert free.admission is not None
    assert free.admission.level is Level.ALLOW


def test_a_storm_keeps_a_device_out_for_a_while_unless_it_was_let_in_by_name() -> None:
    terms = Terms(storm_requests=100, storm=timedelta(hours=2))
    storms = [Storm(command="Sync", since=NOW - DAY, last=NOW, count=n, refused=True) for n in (99, 100)]
    for storm, access in itertools.product(storms, Access):
        device = replace(DEVICE, storm=storm, access=access)
        found = kept_out(device, terms, NOW)
        assert kept_out(device, Terms(), NOW) is device
        if storm.count < 100 or access is Access.ALLOWED:
            assert found is device
            continue
        assert found.suspended is not None
        assert found.suspended.until == NOW + timedelta(hours=2)
        assert "Sync 100 times" in found.suspended.reason
        assert kept_out(replace(found, storm=storm), terms, NOW) == replace(found, storm=storm)
