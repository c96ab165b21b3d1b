"""What shortens a heartbeat and what does not: ages of waits, as they were observed, one after the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eas.engine.heartbeat import COUNTS, MOST, TELLS, Cuts, counts, grant, learn
from eas.engine.model import WaitBound
from eas.engine.quirks import heartbeat_of

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LOW = 60


def lived(*waits: float | str, bound: WaitBound | None = None, now: datetime = NOW, low: int = LOW) -> WaitBound | None:
    """What is known after waits of these ages: numbers were cut, texts ("1800") were answered."""
    cuts: tuple[float, ...] = ()
    for wait in waits:
        cuts, bound = learn(cuts, bound, float(wait), cut=not isinstance(wait, str), low=low, now=now)
    return bound


@pytest.mark.parametrize(("waits", "seconds"), [
    ((300, 300, 300), 270),
    ((300.4, 299.8, 301.9), 269),  # a proxy's clock and the way to it
    ((905, 900, 912), 810),
    ((1795, 1800, 1830), 1615),
    ((300, "40", 300, "12", 300), 270),  # news in between says nothing of the way
    ((420, 300, 300, 300), 270),  # an odd one before
    ((66.0, 66.2, 66.1), 60),  # as short as may be, and still shorter than what is cut
    ((20, 300, 15, 300, 3, 300), 270),  # those below the shortest heartbeat are passed over
])
def test_cuts_at_the_same_age_shorten(waits: tuple[float | str, ...], seconds: int) -> None:
    bound = lived(*waits)
    assert bound is not None
    assert bound.seconds == seconds


@pytest.mark.parametrize("waits", [
    (300,),
    (300, 300),
    (300, 200, 300, 100),  # the owner opens the mail program now and then
    (75, 130, 700, 1300, 90, 460, 220, 1750),  # a line that is lost at any time
    (3, 3, 3, 3, 3, 3, 3),  # a phone that begins and breaks off
    (59, 59, 59, 59),
    (300, 300, "1800", 300),  # once it held: another network
    (300, 300, "400", 300),
    (61, 61, 61),  # the shortest heartbeat would be cut as well
    ("1800", "1800", "1800"),
], ids=str)
def test_other_ends_shorten_nothing(waits: tuple[float | str, ...]) -> None:
    assert lived(*waits) is None


def test_cuts_below_a_bound_shorten_it_further() -> None:
    first = lived(900, 900, 900)
    assert first is not None
    second = lived(300, 301, 302, bound=first)
    assert second is not None
    assert (first.seconds, second.seconds) == (810, 270)


def test_after_a_day_a_longer_wait_is_tried_once() -> None:
    bound = lived(300, 300, 300)
    assert bound is not None
    later = NOW + COUNTS
    assert counts(bound, later - timedelta(seconds=1))
    assert not counts(bound, later)
    assert grant(1800, bound, later).seconds == 1800
    again = lived(300, bound=replace(bound, told=TELLS), now=later)
    assert again == replace(bound, at=later, told=0), "one cut at the same age is enough"
    assert lived("1800", bound=bound, now=later) is None
    assert lived("310", bound=bound, now=later) is None
    assert lived("250", bound=bound, now=later) == bound, "news before the age of the cuts shows nothing"
    assert lived(1200, bound=bound, now=later) == bound, "one cut at another age neither"


def test_a_longer_wait_that_held_lifts_the_bound() -> None:
    bound = lived(300, 300, 300)
    assert lived("1800", bound=bound) is None


def test_a_device_is_told_twice_and_then_served() -> None:
    bound = lived(300, 300, 300)
    answers = []
    for _ in range(5):
        got = grant(1800, bound, NOW)
        answers.append((got.seconds, got.told is not None))
        bound = got.told or bound
    assert answers == [(270, True)] * TELLS + [(270, False)] * (5 - TELLS)
    assert grant(240, bound, NOW) == grant(240, None, NOW)
    assert grant(270, bound, NOW).told is None


def test_some_are_told_nothing() -> None:
    bound = lived(300, 300, 300)
    got = grant(1800, bound, NOW, tell=False)
    assert (got.seconds, got.told) == (270, None)


@pytest.mark.parametrize(("agent", "tell", "longest"), [
    ("Apple-iPhone15C3/2205.85", True, 0),
    ("SAMSUNG-SM-G991B/101.140", False, 0),
    ("Thunderbird ActiveSync", False, 80),
    ("", True, 0),
])
def test_families(agent: str, tell: bool, longest: int) -> None:
    row = heartbeat_of(agent)
    assert (row.tell, row.longest) == (tell, longest)


WAITS = st.lists(st.tuples(st.floats(0, 4000), st.booleans(), st.integers(0, 100_000)), max_size=60)


@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(waits=WAITS, low=st.integers(1, 900))
def test_a_bound_is_below_what_was_cut_and_never_too_short(waits: list[tuple[float, bool, int]], low: int) -> None:
    cuts: tuple[float, ...] = ()
    bound: WaitBound | None = None
    now = NOW
    for lasted, cut, passes in waits:
        now += timedelta(seconds=passes)
        cuts, bound = learn(cuts, bound, lasted, cut=cut, low=low, now=now)
        assert len(cuts) <= 3
        if bound is not None:
            assert low <= bound.seconds < bound.cut_seconds
            assert bound.at <= now
            got = grant(3600, bound, now)
            assert got.seconds in (3600, bound.seconds)


@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(60, 3540), min_size=3, max_size=40))
def test_who_cuts_at_any_age_is_hardly_ever_taken_for_a_proxy(ages: list[float]) -> None:
    """Only three in a row within the spread are."""
    threes = zip(ages, ages[1:], ages[2:], strict=False)
    close = any(max(three) - min(three) <= max(3.0, 0.02 * min(three)) for three in threes)
    assert close or lived(*ages) is None


def test_cuts_are_remembered_within_bounds() -> None:
    cuts = Cuts()
    for number in range(MOST + 10):
        cuts.put("u", str(number), (1.0,))
    assert len(cuts) == MOST
    assert cuts.of("u", "0") == ()
    cuts.put("u", str(MOST), ())
    assert len(cuts) == MOST - 1
