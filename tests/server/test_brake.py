"""Whom the brake slows down, and whom it never touches: requests of made-up devices on a made-up clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eas.server import brake as braking
from eas.server.brake import LONGEST_DELAY, LONGEST_RETRY, Brake, Outcome, Pause, Report, name_of

FREE = 40
MINUTE, HOUR = 60.0, 3600.0


@dataclass
class Device:
    """Asks, is held back, and asks again. What became of each request is in `pauses`; `obeys` Retry-After."""

    brake: Brake = field(default_factory=lambda: Brake(FREE))
    now: float = 1000.0
    obeys: bool = False
    pauses: list[Pause] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)

    def ask(
        self, request: bytes, answer: int = 0, *, command: str = "Sync", effect: bool = False, anew: bool = False,
        takes: float = 0.02,
    ) -> Pause:
        name = name_of("anna", b"Cmd=" + command.encode(), request)
        pause = self.brake.ask(name, self.now)
        self.now += pause.seconds
        if not pause.retry_after:
            self.now += takes
            self.brake.hear(name, Outcome("anna", "PHONE", command, answer, effect, anew), self.now)
        report = self.brake.report(name, self.now)
        if report is not None:
            self.reports.append(report)
        self.pauses.append(pause)
        if self.obeys:
            self.now += pause.retry_after
        return pause

    @property
    def touched(self) -> bool:
        return any(pause.seconds or pause.retry_after for pause in self.pauses)

    @property
    def refused(self) -> list[int]:
        return [pause.retry_after for pause in self.pauses if pause.retry_after]


@pytest.fixture
def device() -> Device:
    return Device()


def storm(device: Device, seconds: float, period: float, *requests: bytes, **values: object) -> None:
    """The same requests in turn, for so long."""
    end = device.now + seconds
    while device.now < end:
        for request in requests:
            device.ask(request, **values)  # type: ignore[arg-type]
        device.now += period


# Who is slowed down ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("period", "command"), [(0.16, "Sync"), (0.7, "Sync"), (0.5, "Ping"), (1.4, "FolderSync")])
def test_a_storm_is_slowed_down_and_then_told_to_come_back_later(device: Device, period: float, command: str) -> None:
    storm(device, HOUR, period, b"the same", command=command)
    delays = [pause.seconds for pause in device.pauses]
    first = next(at for at, delay in enumerate(delays) if delay)
    assert first >= FREE
    assert delays[first] <= 0.2, "it begins with a fraction of a second"
    assert max(delays) == LONGEST_DELAY
    some = delays[first : first + 30]
    assert all(later >= sooner * 0.8 for sooner, later in pairwise(some))
    assert device.refused[0] <= 30
    assert max(device.refused) > 240, "some minutes"
    assert len(device.pauses) < 1300, "instead of thousands"


def test_who_obeys_asks_a_few_times_an_hour(device: Device) -> None:
    device.obeys = True
    storm(device, HOUR, 0.3, b"the same")
    before = len(device.pauses)
    storm(device, 3 * HOUR, 0.3, b"the same")
    assert len(device.pauses) - before < 3 * 40
    assert max(device.refused) == LONGEST_RETRY - LONGEST_DELAY


def test_the_waits_that_are_told_grow(device: Device) -> None:
    device.obeys = True
    storm(device, 2 * HOUR, 0.2, b"the same")
    assert device.refused == sorted(device.refused)
    assert device.refused[:3] == [27, 57, 117]


@pytest.mark.parametrize("requests", [(b"estimate", b"sync"), (b"a", b"b", b"c", b"d")])
def test_some_requests_in_turn_are_a_storm_as_well(device: Device, requests: tuple[bytes, ...]) -> None:
    storm(device, 4 * HOUR, 1.0, *requests)
    assert device.refused


def test_the_same_item_again_and_again_is_a_storm(device: Device) -> None:
    """One broken message: the same key, the same answer, which is not empty."""
    for _ in range(2000):
        device.ask(b"key 7", answer=4711, effect=True)
    assert device.refused


def test_beginning_anew_again_and_again_is_a_storm(device: Device) -> None:
    for number in range(2000):
        device.ask(b"key 0", anew=True)
        device.ask(b"key %d" % number, answer=number, effect=True)
    assert device.refused


def test_a_policy_that_goes_round_in_circles_is_a_storm(device: Device) -> None:
    for number in range(3000):
        device.ask(b"folders", answer=449, command="FolderSync")
        device.ask(b"phase 1", answer=1, command="Provision")
        device.ask(b"phase 2 %d" % number, answer=2, command="Provision")
    assert device.refused


def test_answers_in_turn_are_the_same_answers(device: Device) -> None:
    for number in range(2000):
        device.ask(b"the same", answer=number % 2)
    assert device.refused


# Who is not -----------------------------------------------------------------------------------------------------------


def first_sync(device: Device) -> None:
    device.ask(b"folders", command="FolderSync")
    for folder in range(60):
        device.ask(b"%d key 0" % folder, anew=True)
        for window in range(100):
            device.ask(b"%d window %d" % (folder, window), answer=window, effect=True)


def thirty_mails(device: Device) -> None:
    for number in range(30):
        device.ask(b"mail %d" % number, command="SendMail", effect=True, takes=0.3)
        device.ask(b"sent items after %d" % number, answer=1, effect=True)


def moving(device: Device) -> None:
    for number in range(500):
        device.ask(b"move %d" % number, command="MoveItems", effect=True)


def forty_folders(device: Device) -> None:
    """Each by a request of its own, every minute, for hours."""
    for _ in range(300):
        for folder in range(40):
            device.ask(b"folder %d" % folder)
        device.now += MINUTE


def impatient(device: Device) -> None:
    """The owner pulls the list down every two seconds for a minute, now and then."""
    for _ in range(10):
        for _ in range(30):
            for folder in range(40):
                device.ask(b"folder %d" % folder, takes=0.001)
            device.now += 2
        device.now += 10 * MINUTE


def retries(device: Device) -> None:
    """Answers are lost: each request comes five times at once."""
    for number in range(200):
        for _ in range(5):
            device.ask(b"key %d" % number, answer=number, effect=True)


def mails_that_arrive(device: Device) -> None:
    """A message each half second: the same Ping each time, a Sync between, and 39 other folders in vain."""
    for number in range(600):
        device.ask(b"ping", answer=2, command="Ping", takes=0.4)
        device.ask(b"key %d" % number, answer=1, effect=True)
        for folder in range(39):
            device.ask(b"folder %d" % folder, takes=0.001)


def news_by_empty_requests(device: Device) -> None:
    """The same empty Sync brings something else each time; a Ping and a folder without news between."""
    for number in range(600):
        device.ask(b"", answer=number, effect=True)
        device.ask(b"ping", answer=2, command="Ping")
        device.ask(b"folder")


def short_heartbeats(device: Device) -> None:
    for _ in range(1440):
        device.ask(b"ping", command="Ping", takes=MINUTE)


def polls(device: Device) -> None:
    """Every 15 seconds, for ever."""
    for _ in range(5000):
        device.ask(b"the same")
        device.now += 15


@pytest.mark.parametrize("life", [
    first_sync, thirty_mails, moving, forty_folders, impatient, retries, mails_that_arrive,
    news_by_empty_requests, short_heartbeats, polls,
])
def test_devices_in_good_health_are_never_touched(device: Device, life: object) -> None:
    life(device)  # type: ignore[operator]
    assert not device.touched
    assert not device.reports


def test_what_else_a_storming_device_asks_passes(device: Device) -> None:
    storm(device, HOUR, 0.2, b"the calendar")
    assert device.refused
    assert device.ask(b"a mail", command="SendMail", effect=True) == Pause()
    assert device.ask(b"the inbox, key 9", answer=1, effect=True) == Pause()
    assert name_of("anna", b"q", b"x") != name_of("ben", b"q", b"x")


def test_after_the_storm_a_device_is_let_in(device: Device) -> None:
    storm(device, HOUR, 0.2, b"the same")
    device.now += LONGEST_RETRY + 2 * MINUTE
    device.pauses.clear()
    for _ in range(10):
        device.ask(b"the same")
    storm(device, 30 * MINUTE, 60, b"the same")
    assert not device.touched


def test_within_a_refusal_it_is_let_in_now_and_then(device: Device) -> None:
    """Whatever it does: the answer may have changed."""
    storm(device, HOUR, 0.1, b"the same")
    before = len(device.pauses)
    storm(device, 3 * LONGEST_RETRY, 0.1, b"the same")
    assert any(not pause.retry_after for pause in device.pauses[before:])


def test_without_free_repetitions_there_is_no_name() -> None:
    assert Brake(0).free == 0


# What the administrator hears -----------------------------------------------------------------------------------------


def test_a_storm_is_reported_now_and_then(device: Device) -> None:
    storm(device, HOUR, 0.2, b"the same")
    braked = sum(1 for pause in device.pauses if pause.seconds)
    assert 2 < len(device.reports) < 40
    assert braked - 150 < sum(report.count for report in device.reports) <= braked
    assert {(r.user_id, r.device_id, r.command) for r in device.reports} == {("anna", "PHONE", "Sync")}
    assert [r.refused for r in device.reports][:2] == [False, True]


def test_a_little_impatience_is_not(device: Device) -> None:
    for _ in range(FREE + 10):
        device.ask(b"the same")
    assert device.touched
    assert not device.reports


# Whatever happens -----------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from([b"a", b"b", b"c"]), st.integers(0, 2), st.booleans(), st.booleans(),
        st.sampled_from([0.0, 0.01, 0.5, 11.0, 400.0, -5.0]), st.integers(1, 60),
    ),
    max_size=60,
)


def states(steps: list[tuple[bytes, int, bool, bool, float, int]]) -> Iterator[tuple[Brake, bytes, Pause, float]]:
    brake, now = Brake(FREE), 0.0
    for request, answer, effect, anew, passes, times in steps:
        for _ in range(times):
            now += passes
            name = name_of("u", b"", request)
            pause = brake.ask(name, now)
            if not pause.retry_after:
                brake.hear(name, Outcome("u", "d", "Sync", answer, effect, anew), now + pause.seconds)
            brake.report(name, now)
            yield brake, name, pause, now


@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(STEPS)
def test_a_request_is_in_one_state(steps: list[tuple[bytes, int, bool, bool, float, int]]) -> None:
    """Free, held back, or sent away; bounded in each; what is sent away may come when it was told, and never later."""
    may_come: dict[bytes, float] = {}
    for brake, name, pause, now in states(steps):
        assert 0 <= pause.seconds <= LONGEST_DELAY
        assert 0 <= pause.retry_after <= LONGEST_RETRY
        assert not pause.retry_after or pause.seconds > 0
        if pause.retry_after:
            until = now + pause.seconds + pause.retry_after
            told = may_come.get(name, until)
            assert until <= told + 1 or told <= now + 1, "a refusal is not made longer while it lasts"
            may_come[name] = until
        found = brake._requests.get(name)
        if found is not None:
            assert 0 <= found.level <= FREE + braking.TOO_MANY + 1
            assert len(found.answers) <= 2
            assert found.braked == 0 or found.level > 0 or pause == Pause()


@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], max_examples=30)
@given(STEPS, st.integers(1, FREE))
def test_forty_in_a_while_are_free(steps: list[tuple[bytes, int, bool, bool, float, int]], more: int) -> None:
    """Whatever else there is: a request that was asked no more than so often is not touched."""
    device = Device()
    for request, answer, effect, anew, _, times in steps:
        for _ in range(times):
            device.ask(request, answer, effect=effect, anew=anew)
    assert all(device.ask(b"another") == Pause() for _ in range(more))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(braking, "MOST", 100)
    brake = Brake(FREE)
    for number in range(1000):
        got = Outcome("u", f"d{number}", "Sync", 0, effect=True)
        brake.hear(name_of("u", b"", b"%d" % number), got, 0.0)
        brake.hear(name_of("u", b"", b"%d" % number), replace(got, answer=1), 0.0)
    assert len(brake) == 100


def test_what_was_not_asked_for_long_is_forgotten(device: Device) -> None:
    for number in range(500):
        device.ask(b"%d" % number)
    device.now += 2 * braking.FORGET_SECONDS
    for number in range(300):
        device.ask(b"later %d" % number)
    assert len(device.brake._requests) == 300
