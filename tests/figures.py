"""Reading what `/metrics` tells, as Prometheus reads it."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Figures:
    """One answer."""

    families: dict[str, Metric]

    @classmethod
    def parsed(cls, text: str) -> Figures:
        """Raises ValueError for what is no exposition."""
        return cls({family.name: family for family in text_string_to_metric_families(text)})

    def total(self, sample: str, **labels: str) -> float:
        """The sum of a sample ("eas_requests_total", "eas_push_seconds_count") over all that have these labels."""
        return sum(
            one.value for family in self.families.values() for one in family.samples
            if one.name == sample and labels.items() <= one.labels.items()
        )

    def labels(self, sample: str) -> list[dict[str, str]]:
        return [dict(one.labels) for family in self.families.values() for one in family.samples if one.name == sample]
