from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from eas.push.clock import SystemClock
from eas.push.entropy import SystemEntropy


def test_the_clock_is_aware_and_in_utc() -> None:
    clock = SystemClock()
    now = clock.now()
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.monotonic() <= clock.monotonic()


def test_keys_are_new_each_time_and_of_the_promised_form() -> None:
    keys = [SystemEntropy().key() for _ in range(2000)]
    assert len(set(keys)) == 2000
    assert all(re.fullmatch("[a-z0-9]{2,40}", key) for key in keys)


def test_policy_keys_are_numbers_of_32_bits_and_never_0() -> None:
    """[MS-ASPROV] PolicyKey: 0 would mean that the device has none."""
    numbers = [int(SystemEntropy().number()) for _ in range(2000)]
    assert all(0 < number < 2**32 for number in numbers)
    assert len(set(numbers)) > 1990
