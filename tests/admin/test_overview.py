"""The fleet at one look: what is made of counts by the hour and by the day."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eas.admin.overview import MOST_SERIES, OTHERS, of_days, of_hours, quantile

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
HOURS = ["2026-11-21T11", "2026-11-21T12"]


def test_hours_without_counts_are_there_too() -> None:
    series = of_hours([(HOURS[1], "requests", "Sync", 4.0), (HOURS[1], "errors", "Sync 503", 1.0)], HOURS)
    assert series["requests"] == {"labels": HOURS, "values": {"Sync": [0.0, 4.0]}}
    assert series["errors"]["values"] == {"errors": [0, 1.0]}
    assert series["push"]["values"]["half"] == [None, None]


def test_held_phones_are_the_average_of_the_looks() -> None:
    series = of_hours([(HOURS[0], "held", "", 90.0), (HOURS[0], "held_looks", "", 60.0)], HOURS)
    assert series["held"]["values"] == {"held": [1.5, None]}


@pytest.mark.parametrize(
    ("buckets", "share", "seconds"),
    [
        ({}, 0.5, None),
        ({"0.01": 10.0}, 0.5, 0.005),
        ({"0.1": 50.0, "0.2": 50.0}, 0.5, 0.1),
        ({"0.1": 50.0, "0.2": 50.0}, 0.75, 0.15),
        ({"0.1": 1.0, "inf": 99.0}, 0.95, 60.0),
    ],
)
def test_a_share_lies_between_two_bounds(buckets: dict[str, float], share: float, seconds: float | None) -> None:
    assert quantile(buckets, share) == (None if seconds is None else pytest.approx(seconds))


def test_days_are_told_by_kind_and_version() -> None:
    seen = [
        ("2026-11-20", "16.1", "iPhone", "Apple-iPhone15C2/2203.52", 3),
        ("2026-11-21", "16.1", "iPhone", "Apple-iPhone16C1/2205.64", 2),
        ("2026-11-21", "", "Android", "Android-Mail/2026.01", 1),
        ("2026-11-01", "16.1", "iPhone", "", 9),
    ]
    series = of_days(seen, NOW, 2)
    assert series["kinds"] == {
        "labels": ["2026-11-20", "2026-11-21"], "values": {"iPhone": [3.0, 2.0], "Gmail": [0.0, 1.0]}
    }
    assert series["versions"]["values"] == {"16.1": [3.0, 2.0], "unknown": [0.0, 1.0]}


def test_many_kinds_are_a_few_and_the_others() -> None:
    seen = [("2026-11-21", f"{number}", "", "", 20 - number) for number in range(MOST_SERIES + 5)]
    values = of_days(seen, NOW, 1)["versions"]["values"]
    assert len(values) == MOST_SERIES + 1
    assert values[OTHERS] == [sum(20 - number for number in range(MOST_SERIES, MOST_SERIES + 5))]
