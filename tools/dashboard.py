"""The Grafana dashboard, made of the table below: `python tools/dashboard.py` writes deploy/prometheus/dashboard.json.

A panel is a title, a unit, and queries with their legends; rows give the order. What the figures mean stands in
docs/metrics.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent.parent / "deploy" / "prometheus" / "dashboard.json"

#: Panels in a row of the screen, and how high they are, in Grafana's units (24 make the whole width).
ACROSS, HEIGHT = 3, 8

Query = tuple[str, str]


@dataclass(frozen=True)
class Panel:
    title: str
    unit: str
    queries: tuple[Query, ...]
    stacked: bool = False


def share(share: float, histogram: str, by: str = "") -> str:
    """A quantile of a histogram."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{{{WHERE}}}[$__rate_interval])))"


def rate(counter: str, by: str, more: str = "") -> str:
    where = ", ".join(filter(None, (WHERE, more)))
    return f"sum by ({by}) (rate({counter}{{{where}}}[$__rate_interval]))"


def level(gauge: str, by: str) -> str:
    return f"sum by ({by}) ({gauge}{{{WHERE}}})"


#: The nodes that are chosen at the top of the page.
WHERE = 'job="$job", instance=~"$instance"'

ROWS: dict[str, tuple[Panel, ...]] = {
    "Phones that wait": (
        Panel("Held", "short", ((level("eas_held_waits", "instance, command"), "{{command}} {{instance}}"),),
              stacked=True),
        Panel("News: from being seen to being told", "s", (
            (share(0.5, "eas_push_seconds"), "p50"), (share(0.95, "eas_push_seconds"), "p95"),
            (share(0.99, "eas_push_seconds"), "p99"),
        )),
        Panel("Why waits end", "ops", ((rate("eas_waits_total", "reason"), "{{reason}}"),), stacked=True),
    ),
    "Requests": (
        Panel("By command", "reqps", ((rate("eas_requests_total", "command"), "{{command}}"),), stacked=True),
        Panel("By answer", "reqps", (
            (rate("eas_requests_total", "http, status", 'status!~"|1"'), "HTTP {{http}} status {{status}}"),
            (rate("eas_refusals_total", "reason"), "{{reason}}"),
        )),
        Panel("Time of work (p95)", "s", ((share(0.95, "eas_request_seconds", "command"), "{{command}}"),)),
        Panel("In flight", "short", ((level("eas_requests_in_flight", "instance"), "{{instance}}"),)),
        Panel("Bytes", "Bps", (
            (rate("eas_received_bytes_total", "job"), "in"), (rate("eas_sent_bytes_total", "job"), "out"),
        )),
        Panel("By version", "reqps", ((rate("eas_requests_total", "version"), "{{version}}"),), stacked=True),
    ),
    "Sync": (
        Panel("Items", "ops", (
            (rate("eas_sync_items_total", "item_class, direction, change"), "{{item_class}} {{direction}} {{change}}"),
        )),
        Panel("Folders begun with key 0", "ops", ((rate("eas_sync_starts_total", "item_class, kind"),
                                                    "{{item_class}} {{kind}}"),)),
        Panel("What went wrong", "ops", (
            (rate("eas_sync_failures_total", "status"), "status {{status}}"),
            (rate("eas_sync_item_failures_total", "item_class, status"), "{{item_class}} item status {{status}}"),
            (rate("eas_degraded_items_total", "item_class"), "{{item_class}} degraded"),
        )),
    ),
    "Groupware on other servers": (
        Panel("Calls", "ops", (
            (rate("eas_backend_seconds_count", "backend, operation"), "{{backend}} {{operation}}"),
        )),
        Panel("Time (p95)", "s", (
            (share(0.95, "eas_backend_seconds", "backend, operation"), "{{backend}} {{operation}}"),
        )),
        Panel("Failures", "ops", ((rate("eas_backend_failures_total", "backend, reason"), "{{backend}} {{reason}}"),)),
        Panel("Connections to IMAP", "short", ((level("eas_imap_connections", "state"), "{{state}}"),),
              stacked=True),
        Panel("Users who are watched", "short", ((level("eas_watches", "how"), "{{how}}"),), stacked=True),
        Panel("Hooks", "ops", (
            (rate("eas_hooks_total", "result"), "{{result}}"),
            (rate("eas_hooks_missed_total", "job"), "changes of which none told"),
        )),
    ),
    "State": (
        Panel("Transactions", "ops", ((rate("eas_database_seconds_count", "kind"), "{{kind}}"),), stacked=True),
        Panel("Their time (p95)", "s", ((share(0.95, "eas_database_seconds", "kind"), "{{kind}}"),)),
        Panel("Failures and races", "ops", (
            (rate("eas_database_failures_total", "reason"), "{{reason}}"),
            (rate("eas_lost_races_total", "job"), "lost races"),
            (rate("eas_lease_seconds_count", "held"), "waited for a lease held {{held}}"),
            (rate("eas_leases_given_up_total", "job"), "leases given up"),
        )),
        Panel("Queues", "short", (
            (level("eas_database_writes", "job"), "writes"),
            (level("eas_noted_devices", "job"), "devices noted"),
            (level("eas_spool_files", "job"), "large requests in files"),
            (f"max by (kind) (eas_open_effects{{{WHERE}}})", "open: {{kind}}"),
        )),
        Panel("Connections to the database", "short", (
            (level("eas_database_connections", "state"), "{{state}}"),
        )),
        Panel("Waiting for a lease (p95)", "s", ((share(0.95, "eas_lease_seconds", "held"), "{{held}}"),)),
    ),
    "Processes": (
        Panel("CPU", "percentunit", ((rate("process_cpu_seconds_total", "instance"), "{{instance}}"),)),
        Panel("Memory", "bytes", ((level("process_resident_memory_bytes", "instance"), "{{instance}}"),)),
        Panel("Files and sockets", "short", (
            (level("process_open_fds", "instance"), "{{instance}}"),
            (level("process_max_fds", "instance"), "most at {{instance}}"),
        )),
        Panel("Redis (p95)", "s", ((share(0.95, "eas_redis_seconds"), "answers"),)),
        Panel("Redis", "short", ((level("eas_redis_servers", "state"), "{{state}}"),
                                 (rate("eas_redis_connects_total", "instance"), "found by {{instance}}"))),
        Panel("Messages between processes", "ops", ((rate("eas_node_messages_total", "direction"), "{{direction}}"),)),
    ),
}


def dashboard() -> dict[str, Any]:
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        head = {"type": "row", "title": title, "panels": [], "collapsed": False}
        panels.append(_placed(head, len(panels), 0, top, 24, 1))
        for number, panel in enumerate(row):
            left, down = number % ACROSS * (24 // ACROSS), number // ACROSS * HEIGHT
            panels.append(_placed(_drawn(panel), len(panels), left, top + 1 + down, 24 // ACROSS, HEIGHT))
        top += 1 + -(-len(row) // ACROSS) * HEIGHT
    return {
        "title": "ActiveSync gateway", "uid": "eas-gateway", "schemaVersion": 38, "editable": True, "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"}, "tags": ["eas"], "panels": panels,
        "templating": {"list": [
            {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
            _chosen("job", "label_values(eas_build_info, job)", several=False),
            _chosen("instance", 'label_values(eas_build_info{job="$job"}, instance)', several=True),
        ]},
    }


def _chosen(name: str, query: str, *, several: bool) -> dict[str, Any]:
    return {
        "name": name, "type": "query", "datasource": SOURCE, "query": {"query": query, "refId": name}, "refresh": 2,
        "multi": several, "includeAll": several, **({"allValue": ".*"} if several else {}),
    }


SOURCE = {"type": "prometheus", "uid": "${source}"}


def _placed(panel: dict[str, Any], id: int, x: int, y: int, width: int, height: int) -> dict[str, Any]:
    return {"id": id + 1, "gridPos": {"x": x, "y": y, "w": width, "h": height}, **panel}


def _drawn(panel: Panel) -> dict[str, Any]:
    custom = {"fillOpacity": 20, "stacking": {"mode": "normal"}} if panel.stacked else {"fillOpacity": 5}
    return {
        "type": "timeseries", "title": panel.title, "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "custom": custom}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for number, (query, legend) in enumerate(panel.queries)
        ],
    }


def written() -> str:
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(written())
