"""The decisions on what is amiss: a table of facts and conditions, and what holds for any facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.admin.battery import estimate
from eas.admin.condition_names import ABOUT, Name, Severity
from eas.admin.conditions import CHECKS, Facts, Said, Wrong, findings, with_twins, worst
from eas.admin.health import as_data, judged
from eas.engine.model import Access, Storm, WaitBound, Wipe

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TODAY = "2026-05-04"


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def said(**more: Any) -> Said:
    given: dict[str, Any] = {
        "kind": "folder", "name": "5", "at": NOW, "ok_at": None, "http": 200, "status": "1", "fine": True, "since": NOW,
        "times": 1,
    }
    return Said(**{**given, **more})


def failing(status: str, **more: Any) -> Said:
    return said(status=status, fine=False, times=6, since=ago(hours=1), **more)


WELL = Facts(
    user_id="ann", device_id="phone", first_seen=ago(days=30), last_seen=ago(minutes=1), synced=True, requests=100,
    waits=50, waits_held=48, waits_cut=2,
)

#: What is different from a device that is well -> the conditions.
CASES: tuple[tuple[str, dict[str, Any], set[Name]], ...] = (
    ("well", {}, set()),
    ("silent for a week", {"last_seen": ago(days=7)}, {Name.NO_SYNC_FOR_LONG}),
    ("silent for six days", {"last_seen": ago(days=6)}, set()),
    ("never heard of again", {"last_seen": None}, {Name.NO_SYNC_FOR_LONG}),
    ("silent since it is blocked", {"last_seen": ago(days=9), "access": Access.BLOCKED}, {Name.BLOCKED}),
    ("never fetched", {"synced": False}, {Name.NEVER_SYNCED}),
    ("new, never fetched", {"synced": False, "first_seen": ago(minutes=10)}, set()),
    ("nothing known of it", {"synced": False, "requests": 0}, set()),
    ("left off in the middle", {"said": (said(more=True, at=ago(hours=3)),)}, {Name.NEVER_SYNCED}),
    ("in the middle", {"said": (said(more=True),)}, set()),
    ("a key five times", {"said": (said(again=5),)}, {Name.STUCK_ON_ONE_KEY}),
    ("a key four times", {"said": (said(again=4),)}, set()),
    ("a key five times, long ago", {"said": (said(again=5, at=ago(days=3)),)}, set()),
    ("begun anew three times today", {"said": (said(starts=3, day=TODAY),)}, {Name.RESYNC_LOOP}),
    ("begun anew three times yesterday", {"said": (said(starts=3, day="2026-05-03"),)}, set()),
    ("refused for an hour", {"said": (failing("4"),)}, {Name.FOLDER_FAILS}),
    ("refused a moment", {"said": (said(status="4", fine=False, times=9, since=ago(minutes=1)),)}, set()),
    ("folders gone", {"said": (failing("12", name="?"),)}, {Name.FOLDER_FAILS}),
    ("server behind away", {"said": (failing("5"),)}, {Name.BACKEND_AWAY}),
    ("server behind away for all", {"said": (failing("111", kind="command", name="Sync"),)}, {Name.BACKEND_AWAY}),
    ("away for 12.1", {"said": (failing("", kind="command", name="Sync", http=503),)}, {Name.BACKEND_AWAY}),
    ("away once", {"said": (said(status="5", fine=False),)}, set()),
    ("storm", {"storm": Storm(command="Sync", since=ago(hours=1), last=NOW, count=9, refused=False)}, {Name.STORM}),
    ("storm of last week", {"storm": Storm(command="Sync", since=ago(days=7), last=ago(days=7), count=9, refused=True)},
     set()),
    ("waits cut off", {"waits": 20, "waits_held": 1, "waits_cut": 15}, {Name.WAITS_NEVER_HELD}),
    ("some waits cut off", {"waits": 40, "waits_held": 20, "waits_cut": 15}, set()),
    ("policy not accepted", {"said": (failing("142", kind="command", name="Sync"),)}, {Name.POLICY_NOT_ACCEPTED}),
    ("policy not accepted, 12.1", {"said": (failing("", kind="command", name="Sync", http=449),)},
     {Name.POLICY_NOT_ACCEPTED}),
    ("policy accepted since", {
        "said": (failing("142", kind="command", name="Find", at=ago(hours=1)),), "last_good": NOW,
    }, set()),
    ("told to wipe", {"said": (failing("140", kind="command", name="Sync"),), "wipe": Wipe.SENT, "wipe_at": NOW},
     {Name.WIPE_PENDING}),
    ("wiped", {"wipe": Wipe.DONE, "wipe_at": NOW}, set()),
    ("password wrong", {"wrong": Wrong(since=ago(hours=1), last=NOW, times=3)}, {Name.PASSWORD_WRONG}),
    ("password mistyped", {"wrong": Wrong(since=NOW, last=NOW, times=2)}, set()),
    ("password right again", {"wrong": Wrong(since=ago(hours=3), last=ago(hours=2), times=30)}, set()),
    ("quarantined", {"access": Access.QUARANTINED}, {Name.QUARANTINED}),
    ("a twin", {"twins": ("other",)}, {Name.DUPLICATE}),
    ("simplified items", {"degraded": 2}, {Name.DEGRADED_ITEMS}),
)


@pytest.mark.parametrize(("changes", "names"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_facts_and_conditions(changes: dict[str, Any], names: set[Name]) -> None:
    assert {one.name for one in findings(replace(WELL, **changes), NOW)} == names


def test_every_condition_of_a_device_is_in_the_table() -> None:
    assert {name for _, _, names in CASES for name in names} == set(Name) - {Name.NO_SERVER}
    assert ABOUT.keys() == set(Name)


@pytest.mark.parametrize("name", Name)
def test_words_say_what_it_means_and_what_to_do(name: Name) -> None:
    about = ABOUT[name]
    assert about.means.endswith(".")
    assert about.todo.endswith(".")
    assert about.title == about.title.lower()


def test_some_are_worse_than_usual() -> None:
    late = replace(WELL, wipe=Wipe.REQUESTED, wipe_at=ago(days=4))
    sent_away = replace(WELL, storm=Storm(command="Sync", since=NOW, last=NOW, count=9, refused=True))
    for facts in (late, sent_away, replace(WELL, wipe=Wipe.FAILED, wipe_at=NOW)):
        (found,) = findings(facts, NOW)
        assert found.severity is Severity.CRITICAL


SURE = st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2026, 12, 31), timezones=st.just(UTC))
MOMENTS = st.none() | SURE
NUMBERS = st.integers(0, 2000)
SAID = st.builds(
    Said, kind=st.sampled_from(("folder", "command")), name=st.sampled_from(("Sync", "Ping", "Find", "5", "?")),
    at=SURE, ok_at=MOMENTS, http=st.sampled_from((200, 449, 500, 503)),
    status=st.sampled_from(("", "1", "3", "4", "5", "12", "142", "999")), fine=st.booleans(), since=SURE,
    times=NUMBERS, again=NUMBERS, starts=NUMBERS, day=st.sampled_from((TODAY, "")), more=st.booleans(),
)
FACTS = st.builds(
    Facts, user_id=st.sampled_from("ab"), device_id=st.text("xyz", min_size=1, max_size=3),
    model=st.sampled_from(("", "Pixel")), imei=st.sampled_from(("", "1", "2")), first_seen=MOMENTS, last_seen=MOMENTS,
    access=st.sampled_from(Access), wipe=st.sampled_from(Wipe), wipe_at=MOMENTS,
    storm=st.none() | st.builds(
        Storm, command=st.just("Sync"), since=SURE, last=SURE, count=NUMBERS, refused=st.booleans()
    ),
    wait_bound=st.none() | st.builds(WaitBound, seconds=NUMBERS, cut_seconds=NUMBERS, at=SURE, told=st.just(0)),
    said=st.lists(SAID, max_size=4).map(tuple), synced=st.booleans(), last_good=MOMENTS, requests=NUMBERS,
    waits=NUMBERS, waits_held=NUMBERS, waits_cut=NUMBERS, degraded=NUMBERS,
    wrong=st.none() | st.builds(Wrong, since=SURE, last=SURE, times=NUMBERS),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(FACTS, max_size=6, unique_by=lambda facts: (facts.user_id, facts.device_id)))
def test_any_fleet_is_judged(fleet: list[Facts]) -> None:
    """Whatever the facts: each condition once a device, the worst first, counts that add up, a line to tell."""
    found = {(facts.user_id, facts.device_id): findings(facts, NOW) for facts in with_twins(fleet)}
    for several in found.values():
        assert len({one.name for one in several}) == len(several) <= len(CHECKS)
        assert [one.severity for one in several] == sorted(
            (one.severity for one in several), key=[*reversed(Severity)].index
        )
        assert all(as_data(one)["todo"] for one in several)
    verdict = judged(found, len(fleet))
    assert sum(one["count"] for one in verdict["conditions"]) == sum(map(len, found.values()))
    assert 0 <= verdict["healthy"] <= verdict["devices"] == len(fleet)
    assert verdict["line"].startswith(f"EAS {verdict['word']}: ")
    assert "\n" not in verdict["line"]
    severe = worst(one for several in found.values() for one in several)
    assert verdict["code"] == {None: 0, Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}[severe]
    names = frozenset(one["name"] for one in verdict["conditions"])
    assert judged(found, len(fleet), names)["code"] == 0


def test_of_two_registrations_of_a_phone_the_older_is_named() -> None:
    old = replace(WELL, device_id="old", imei="35", last_seen=ago(days=3))
    new = replace(WELL, device_id="new", imei="35", first_seen=ago(days=3))
    others = [replace(WELL, user_id="ben", device_id="his", imei="35"), replace(WELL, device_id="third", imei="36")]
    twins = {facts.device_id: facts.twins for facts in with_twins([old, new, *others])}
    assert twins == {"old": ("new",), "new": (), "his": (), "third": ()}


def test_two_phones_of_one_model_that_are_both_used_are_two() -> None:
    one = replace(WELL, device_id="one", model="Pixel", type="Android", last_seen=ago(minutes=9))
    two = replace(one, device_id="two", last_seen=ago(minutes=1))
    assert not any(facts.twins for facts in with_twins([one, two]))
    gone = replace(one, last_seen=ago(days=20))
    after = replace(two, first_seen=ago(days=19))
    assert [facts.twins for facts in with_twins([gone, after])] == [("two",), ()]


def day(**more: int) -> dict[str, int]:
    return {
        "requests": 100, "wakeups": 20, "bytes_in": 1000, "bytes_out": 9000, "waits": 20, "waited_seconds": 12000,
        **more,
    }


def test_what_a_day_costs() -> None:
    assert estimate([]).level == "unknown"
    one = estimate([day(requests=5), day(), day(requests=300)])
    assert (one.days, one.requests, one.wakeups, one.bytes, one.held_seconds) == (2, 200, 20, 10_000, 600)
    assert (one.level, one.hint) == ("light", "")
    assert estimate([day(requests=7)]).requests == 7, "the day that runs, where there is no other"
    assert estimate([day(), day(requests=1000)]).level == "usual"
    assert estimate([day(), day(wakeups=1000)]).level == "heavy"
    assert estimate([day(), day(requests=80_000)]).level == "very heavy"
    assert "instead of waiting" in estimate([day(), day(requests=1000, waits=0)]).hint
    assert "may cut them off" in estimate([day(), day(requests=1000, waited_seconds=20)]).hint
