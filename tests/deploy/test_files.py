"""What in deploy/ cannot be run here: against its schemas, and each against the others and the settings."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from groupware.fronts import DEPLOY
from kubernetes_validate import utils as kubernetes

from eas.config import SETTINGS, load
from eas.config.nodes import Stop

COMPOSE = sorted(DEPLOY.glob("compose/*/compose.yaml"))
MANIFESTS = sorted(path for path in DEPLOY.glob("kubernetes/*.yaml") if path.name != "kustomization.yaml")
UNITS = sorted(DEPLOY.glob("systemd/*.service"))
#: What a variable of the environment is called; all others with the prefix would stop the start.
VARIABLES = {"EAS_" + setting.path.replace(".", "__").upper() for setting in SETTINGS}
VERSION = "1.31"


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    else:
        yield str(value)


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.parent.name)
def test_compose_files_are_valid(path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", path],
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_are_valid(path: Path) -> None:
    for one in documents(path):
        kubernetes.validate(one, VERSION, strict=True)


def test_the_validator_finds_what_is_wrong() -> None:
    [deployment] = documents(DEPLOY / "kubernetes/deployment.yaml")
    deployment["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate(deployment, VERSION, strict=True)


def test_every_setting_that_is_named_exists() -> None:
    named: dict[str, str] = {}
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.parent.name != "backends":
            named |= dict.fromkeys(re.findall(r"\bEAS_[A-Z0-9_]+\b", path.read_text()), str(path))
    assert len(named) > 10
    assert {name: path for name, path in named.items() if name not in VARIABLES} == {}
    for text in re.findall(r"`(?:stop|limits|redis|lmtp)\.\w+`", "".join(p.read_text() for p in DEPLOY.rglob("*.md"))):
        assert text.strip("`") in {setting.path for setting in SETTINGS}


def test_all_parts_name_the_same_port_and_account() -> None:
    docker = (DEPLOY / "docker/Dockerfile").read_text()
    [port] = re.findall(r"^EXPOSE (\d+)", docker, re.MULTILINE)
    [account] = re.findall(r"^USER (\d+)", docker, re.MULTILINE)
    assert f"EAS_LISTEN=0.0.0.0:{port}" in docker
    [deployment] = documents(DEPLOY / "kubernetes/deployment.yaml")
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert container["ports"][0]["containerPort"] == int(port)
    assert pod["securityContext"]["runAsUser"] == int(account)
    for path in ("haproxy/haproxy.cfg", "compose/three/haproxy.cfg", "nginx/eas.conf", "caddy/Caddyfile"):
        assert f":{port}" in (DEPLOY / path).read_text()
    names = {one["metadata"]["labels"]["app.kubernetes.io/name"] for one in [deployment]}
    for path in ("service.yaml", "disruption.yaml", "network.yaml"):
        assert names & set(strings(documents(DEPLOY / "kubernetes" / path)))


def test_nobody_is_killed_before_the_end_of_a_graceful_stop() -> None:
    stop = Stop()
    plain = stop.drain_seconds + stop.release_seconds + stop.grace_seconds
    for path in UNITS:
        [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", path.read_text(), re.MULTILINE)
        assert int(seconds) > plain
    for path in COMPOSE:
        [file] = documents(path)
        for service in file["services"].values():
            if service.get("image") == "eas-gateway":
                drain = int(service["environment"].get("EAS_STOP__DRAIN_SECONDS", stop.drain_seconds))
                allowed = int(service["stop_grace_period"].removesuffix("s"))
                assert allowed > drain + stop.release_seconds + stop.grace_seconds
    [kustomization] = documents(DEPLOY / "kubernetes/kustomization.yaml")
    given = dict(text.split("=", 1) for text in kustomization["configMapGenerator"][0]["literals"])
    settings = load(environment=given)
    [deployment] = documents(DEPLOY / "kubernetes/deployment.yaml")
    pod = deployment["spec"]["template"]["spec"]
    pause = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    stop = settings.stop
    assert pod["terminationGracePeriodSeconds"] > (
        pause + stop.drain_seconds + stop.release_seconds + stop.grace_seconds
    )
    probe = pod["containers"][0]["readinessProbe"]
    assert stop.drain_seconds > probe["periodSeconds"] * probe["failureThreshold"]


@pytest.mark.parametrize(("path", "pattern"), [
    ("haproxy/haproxy.cfg", r"timeout (?:client|server) (\d+)s"),
    ("compose/three/haproxy.cfg", r"timeout (?:client|server) (\d+)s"),
    ("nginx/eas.conf", r"proxy_read_timeout (\d+)s"),
    ("caddy/Caddyfile", r"response_header_timeout (\d+)s"),
    ("kubernetes/service.yaml", r'proxy-read-timeout: "(\d+)"'),
])
def test_waits_are_shorter_than_what_is_in_front_allows(path: str, pattern: str) -> None:
    most = load(environment={}).limits.heartbeat_max_seconds
    found = re.findall(pattern, (DEPLOY / path).read_text())
    assert found
    assert all(int(seconds) > most for seconds in found)


@pytest.mark.parametrize(("path", "pattern"), [
    ("nginx/eas.conf", r"client_max_body_size (\d+)m"), ("caddy/Caddyfile", r"max_size (\d+)MiB"),
    ("kubernetes/service.yaml", r"proxy-body-size: (\d+)m"),
])
def test_bodies_are_as_large_as_the_gateway_takes(path: str, pattern: str) -> None:
    [megabytes] = re.findall(pattern, (DEPLOY / path).read_text())
    assert int(megabytes) << 20 == load(environment={}).limits.max_body_bytes


def test_the_two_configurations_of_haproxy_differ_in_their_nodes_only() -> None:
    def bare(path: str) -> list[str]:
        lines = (line.partition("#")[0].strip() for line in (DEPLOY / path).read_text().splitlines())
        return [line for line in lines if line]

    alone, three = bare("haproxy/haproxy.cfg"), bare("compose/three/haproxy.cfg")
    differing = set(alone) ^ set(three)
    assert all(line.startswith(("bind", "server", "nameserver", "resolvers", "default-server")) for line in differing)


def test_manifests_agree_with_the_metrics() -> None:
    """What is scaled by exists."""
    from eas import measures

    [scaler] = documents(DEPLOY / "kubernetes/autoscaling.yaml")
    [name] = [metric["pods"]["metric"]["name"] for metric in scaler["spec"]["metrics"] if metric["type"] == "Pods"]
    assert name in {family.name for family in measures.REGISTRY.collect()}


@pytest.mark.server
def test_units_are_understood(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        # A machine without systemd: the sections and names at least.
        for path in UNITS:
            assert re.findall(r"^\[(\w+)\]$", path.read_text(), re.MULTILINE) == ["Unit", "Service", "Install"]
        return
    for path in [*UNITS, DEPLOY / "systemd/eas-gateway.socket"]:
        shutil.copy(path, tmp_path)
        copied = tmp_path / path.name
        copied.write_text(path.read_text().replace("/opt/eas/bin/eas", "/bin/true"))
    done = subprocess.run(
        [analyze, "verify", *map(str, sorted(tmp_path.iterdir()))], capture_output=True, text=True, check=False
    )
    assert "eas-gateway" not in done.stdout + done.stderr


def test_the_command_lines_of_units_and_image_exist() -> None:
    from typer.main import get_command

    from eas.cli import app

    serve = get_command(app).get_command(None, "serve")  # type: ignore[attr-defined, arg-type]
    known = {option for parameter in serve.params for option in parameter.opts}
    for path in UNITS:
        [line] = re.findall(r"^ExecStart=/opt/eas/bin/eas serve (.*)$", path.read_text(), re.MULTILINE)
        assert {word for word in line.split() if word.startswith("--")} <= known
