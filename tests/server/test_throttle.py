"""Wrong passwords cost time, right ones do not."""

from __future__ import annotations

import pytest

from eas.engine.logins import network_of
from eas.server import throttle
from eas.server.throttle import FIRST_WAIT, FREE_BY_ADDRESS, FREE_BY_LOGIN, KNOWN_WRONG, LONGEST_WAIT, Throttle


def guess(door: Throttle, login: str, password: str, address: str, now: float, *, right: bool = False) -> None:
    attempt = door.attempt(login, password, address)
    door.begin(attempt, now)
    door.end(attempt, right, now)


def wait(door: Throttle, login: str, address: str, now: float) -> float:
    return door.wait(door.attempt(login, "whatever", address), now)


def test_a_few_mistakes_are_free() -> None:
    door = Throttle()
    for n in range(FREE_BY_LOGIN - 1):
        guess(door, "anna", f"p{n}", "10.0.0.1", 0)
    assert wait(door, "anna", "10.0.0.1", 0) == 0


def test_more_cost_ever_longer_waits() -> None:
    door = Throttle()
    for n in range(FREE_BY_LOGIN):
        guess(door, "anna", f"p{n}", f"10.0.{n}.1", 0)
    assert wait(door, "anna", "10.9.9.9", 0) == FIRST_WAIT
    assert wait(door, "ANNA", "10.9.9.9", 1) == FIRST_WAIT - 1
    guess(door, "anna", "another", "10.0.0.1", 0)
    assert wait(door, "anna", "10.9.9.9", 0) == 2 * FIRST_WAIT
    for n in range(100):
        guess(door, "anna", f"q{n}", f"10.1.{n}.1", 0)
    assert wait(door, "anna", "10.9.9.9", 0) == LONGEST_WAIT
    assert wait(door, "ben", "10.9.9.9", 0) == 0


def test_an_old_password_counts_once_however_often_it_comes() -> None:
    door = Throttle()
    for second in range(0, 3000, 40):
        guess(door, "anna", "last month's", "10.0.0.1", float(second))
    assert wait(door, "anna", "10.0.0.1", 3000) == 0


def test_a_wrong_password_is_known_for_a_while() -> None:
    door = Throttle()
    guess(door, "anna", "wrong", "10.0.0.1", 0)
    assert door.known_wrong(door.attempt("anna", "wrong", "10.0.0.2"), KNOWN_WRONG - 1)
    assert not door.known_wrong(door.attempt("anna", "wrong", "10.0.0.1"), KNOWN_WRONG)
    assert not door.known_wrong(door.attempt("anna", "right", "10.0.0.1"), 1)


def test_what_is_being_tried_is_not_taken_for_wrong() -> None:
    """A phone's first three requests come at once, with the right password."""
    door = Throttle()
    attempt = door.attempt("anna", "right", "10.0.0.1")
    door.begin(attempt, 0)
    door.begin(attempt, 0)
    assert not door.known_wrong(attempt, 0)
    door.end(attempt, True, 0)
    door.end(attempt, True, 0)
    assert door.known_right(attempt, 1)


def test_many_guesses_at_once_do_not_slip_through() -> None:
    door = Throttle()
    attempts = [door.attempt("anna", f"p{n}", "10.0.0.1") for n in range(FREE_BY_LOGIN)]
    for attempt in attempts:
        door.begin(attempt, 0)
    assert wait(door, "anna", "10.0.0.1", 0) > 0
    for attempt in attempts:
        door.abandon(attempt, 0)
    assert wait(door, "anna", "10.0.0.1", 0) == 0


def test_right_passwords_leave_no_trace() -> None:
    door = Throttle()
    for n in range(3 * FREE_BY_ADDRESS):
        guess(door, f"user{n}", "right", "10.0.0.1", 0, right=True)
    assert wait(door, "mallory", "10.0.0.1", 0) == 0


def test_an_address_is_slowed_down_over_many_logins() -> None:
    door = Throttle()
    for n in range(FREE_BY_ADDRESS):
        guess(door, f"user{n}", "summer", "2001:db8:1:2::7", 0)
    assert wait(door, "anna", "2001:db8:1:2:ffff::1", 0) > 0
    assert wait(door, "anna", "2001:db8:1:3::7", 0) == 0


def test_a_changed_password_is_no_longer_known_to_be_right() -> None:
    door = Throttle()
    attempt = door.attempt("anna", "right", "10.0.0.1")
    guess(door, "anna", "right", "10.0.0.1", 0, right=True)
    door.wrong(attempt, 10)
    assert not door.known_right(attempt, 10)
    assert door.known_wrong(attempt, 10)


def test_wrong_passwords_are_forgotten() -> None:
    door = Throttle()
    for n in range(FREE_BY_LOGIN + 20):
        guess(door, "anna", f"p{n}", "10.0.0.1", 0)
    guess(door, "anna", "one more", "10.0.0.1", throttle.FORGET_WRONG)
    assert wait(door, "anna", "10.0.0.1", throttle.FORGET_WRONG) == 0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_ENTRIES", 50)
    door = Throttle()
    for n in range(500):
        guess(door, f"user{n}", f"p{n}", f"10.0.{n % 250}.{n // 250}", 0)
    assert max(len(door._tallies), len(door._wrong), len(door._right)) <= 50
    assert not door._trying
    assert not door._counted


def test_nothing_kept_is_a_password() -> None:
    door = Throttle()
    guess(door, "anna", "Tr0ub4dor", "10.0.0.1", 0)
    assert "Tr0ub4dor" not in repr(vars(door._wrong)) + repr(vars(door._tallies))


@pytest.mark.parametrize(("one", "other", "same"), [
    ("2001:db8::1", "2001:db8::2", True),
    ("2001:db8::1", "2001:db8:0:0:ffff::9", True),
    ("2001:db8::1", "2001:db8:0:1::1", False),
    ("fe80::1%eth0", "fe80::2%eth1", True),
    ("10.0.0.1", "10.0.0.2", False),
    ("", "", True),
    ("no:address", "no:address", True),
])
def test_an_ipv6_address_counts_with_its_network(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) is same
