"""Why a call to a server of the groupware failed, for the figures."""

from __future__ import annotations

import pytest

from eas import measures
from eas.backends.calls import Call


def failures(reason: str) -> float:
    return measures.REGISTRY.get_sample_value("eas_backend_failures_total", {"backend": "dav", "reason": reason}) or 0.0


def in_a_circle(first: Exception, second: Exception) -> Exception:
    """One raised from the other, and that one from it."""
    first.__cause__, second.__cause__ = second, first
    return first


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("gone"), "lost"),
        (TimeoutError(), "timeout"),
        (in_a_circle(OSError("gone"), ValueError("said so")), "lost"),
        (in_a_circle(OSError("gone"), TimeoutError()), "timeout"),
    ],
)
def test_waiting_in_vain_is_told_from_being_cut_off(error: Exception, reason: str) -> None:
    before = failures(reason)
    with pytest.raises(type(error)), Call("dav", "fetch", lambda error: "lost"):
        raise error
    assert failures(reason) == before + 1
