"""Times and numbers as people say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from eas.admin.web import words

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ({"seconds": 2}, "just now"), ({"seconds": 40}, "40 seconds ago"), ({"seconds": 61}, "1 minute ago"),
        ({"minutes": 125}, "2 hours ago"), ({"days": 1}, "1 day ago"), ({"days": 45}, "45 days ago"),
        ({"days": 70}, "2 months ago"), ({"days": 800}, "2 years ago"), ({"hours": -3}, "in 3 hours"),
    ],
)
def test_how_long_ago(before: dict[str, int], said: str) -> None:
    assert words.ago(NOW - timedelta(**before), NOW) == said


def test_the_exact_time_stands_beside_it() -> None:
    markup = words.when("2026-11-21T11:00:00+00:00", NOW)
    assert 'title="2026-11-21 11:00:00 UTC"' in markup
    assert ">1 hour ago<" in markup
    assert "never" in words.when(None, NOW)


def test_of_today_the_day_is_left_away() -> None:
    assert ">11:00:00<" in words.at("2026-11-21T11:00:00", NOW)
    assert ">2026-11-20 11:00<" in words.at("2026-11-20T11:00:00", NOW)


@pytest.mark.parametrize(("value", "said"), [(0, "0 B"), (999, "999 B"), (1400, "1.4 kB"), (2e6, "2 MB"), (None, "–")])
def test_sizes(value: float | None, said: str) -> None:
    assert words.size(value) == said


def test_counts() -> None:
    assert words.counted(1, "device") == "1 device"
    assert words.counted(1204, "device") == "1,204 devices"
    assert words.counted(2, "policy", "policies") == "2 policies"
