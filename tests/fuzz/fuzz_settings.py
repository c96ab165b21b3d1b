"""How long the fuzz tests of this folder run; see README.md."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings


def examples(usual: int) -> settings:
    """Settings for `usual` examples, times EAS_FUZZ_EXAMPLES."""
    times = int(os.environ.get("EAS_FUZZ_EXAMPLES", "1"))
    return settings(max_examples=usual * times, deadline=None, suppress_health_check=[HealthCheck.too_slow])
