"""deploy/prometheus: rules and dashboard name what there is, and Prometheus itself takes them, reading a gateway."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from groupware.prometheus import DEPLOY, Prometheus
from premises import DOMAIN
from serving import HOST, Server
from test_metrics_page import declared

from eas import measures

TOOL = runpy.run_path(str(Path(__file__).parent.parent / "tools" / "dashboard.py"))
DASHBOARD = json.loads((DEPLOY / "dashboard.json").read_text())
RULES = [rule for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
#: What a histogram is made of.
PARTS = ("_bucket", "_count", "_sum")
_TEXT = re.compile(r'"[^"]*"')


def _queries() -> list[str]:
    targets = [target for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    return [target["expr"] for target in targets]


def _names(expression: str) -> set[str]:
    return set(re.findall(r"\beas_\w+", _TEXT.sub("", expression)))


def _known() -> set[str]:
    names = set()
    for name, (kind, _) in declared().items():
        names |= {name + part for part in PARTS} if kind == "histogram" else {name}
    return names


def test_rules_and_graphs_name_only_what_there_is() -> None:
    for expression in [rule["expr"] for rule in RULES] + _queries():
        assert _names(expression) <= _known(), expression


def test_labels_and_their_values_are_those_that_there_are() -> None:
    """`{reason="gone"}` where the label has no such value would be silent for ever."""
    labels = {name: labels for name, (_, labels) in declared().items()}
    known = _values()
    for expression in [rule["expr"] for rule in RULES] + _queries():
        for name, inside in re.findall(r"\b(eas_\w+)\{([^}]*)\}", expression):
            bare = re.sub(r"_(bucket|count|sum)$", "", name)
            for label, value in re.findall(r'(\w+)[!=]~?"([^"]*)"', inside):
                assert label in (*labels[bare], "job", "instance"), expression
                if values := known[bare].get(label):
                    assert set(value.split("|")) <= set(values), expression


def _values() -> dict[str, dict[str, tuple[str, ...]]]:
    kinds = (measures.Counts, measures.Times, measures.Levels)
    found = [one for one in vars(measures).values() if isinstance(one, kinds)]
    return {one.name + ("_total" if isinstance(one, measures.Counts) else ""): one.labels for one in found}


def test_the_dashboard_is_what_its_table_says() -> None:
    """Else: python tools/dashboard.py"""
    assert (DEPLOY / "dashboard.json").read_text() == TOOL["written"]()
    places = [tuple(panel["gridPos"].values()) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def test_rules_say_what_and_why() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert {"summary", "description"} == set(rule["annotations"])
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


# -- With Prometheus

TOKEN = "a-token-for-figures"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "data").mkdir()
    settings = {"EAS_METRICS__TOKEN": TOKEN, "EAS_DOMAIN": DOMAIN}
    server = Server(data=tmp_path / "data", settings=settings).start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def prometheus(gateway: Server) -> Iterator[Prometheus]:
    server = Prometheus(target=f"{HOST}:{gateway.port}", token=TOKEN)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.mark.server
def test_prometheus_reads_the_gateway_and_evaluates_all_rules(prometheus: Prometheus, gateway: Server) -> None:
    prometheus.until(lambda: prometheus.query('up{job="eas"} == 1'), "the gateway was never read")
    found = prometheus.query("eas_build_info")
    assert [one["value"][1] for one in found] == ["1"]
    assert {one["metric"]["command"] for one in prometheus.query("eas_held_waits")} == {"Ping", "Sync"}

    def rules() -> list[Any]:
        return [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]

    prometheus.until(lambda: all(rule["health"] != "unknown" for rule in rules()), "rules were not evaluated")
    assert {rule["name"]: rule["health"] for rule in rules()} == {rule["alert"]: "ok" for rule in RULES}
    assert [rule["name"] for rule in rules() if rule["state"] != "inactive"] == []
    for query in _queries():
        asked = query.replace("$__rate_interval", "1m").replace("$job", "eas").replace("$instance", ".*")
        prometheus.query(asked)  # raises for what is no query
    gateway.kill()
    down = [rule for rule in RULES if rule["alert"] == "EasDown"]
    prometheus.until(lambda: prometheus.query(down[0]["expr"]), "that it is gone does not show")
