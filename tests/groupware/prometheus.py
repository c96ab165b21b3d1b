"""Prometheus itself, with the configuration that the gateway's administrators are given."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

from .process import START_SECONDS, Child, DidNotStart, folder, free_ports, program

HOST = "127.0.0.1"
DEPLOY = Path(__file__).parent.parent.parent / "deploy" / "prometheus"


@dataclass(slots=True, kw_only=True)
class Prometheus:
    """Reads the gateway at `target` (HOST:PORT) every second, with the rules of `deploy/prometheus`."""

    target: str
    token: str
    port: int = field(default_factory=lambda: free_ports("prometheus")["prometheus"])
    path: Path = field(default_factory=lambda: folder("prometheus"))
    child: Child | None = None

    def start(self) -> Prometheus:
        """Raises DidNotStart."""
        given = (DEPLOY / "prometheus.yml").read_text()
        settings = given.replace("127.0.0.1:8080", self.target).replace(": 15s", ": 1s")
        assert settings.count("1s") == 2
        (self.path / "prometheus.yml").write_text(settings)
        (self.path / "alerts.yml").write_text((DEPLOY / "alerts.yml").read_text())
        (self.path / "eas-token").write_text(self.token)
        self.child = Child(
            command=(
                program("prometheus", "prometheus"), f"--config.file={self.path / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.path / 'data'}", f"--web.listen-address={HOST}:{self.port}",
                "--log.level=warn",
            ),
            log=self.path / "log",
        )
        self.child.start()
        self.child.wait_for(self.port)
        self.until(self._is_ready, "not ready")
        return self

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"http://{HOST}:{self.port}/-/ready", timeout=START_SECONDS) as answer:
                return bool(answer.status == 200)
        except HTTPError:
            return False

    def ask(self, path: str) -> Any:
        with urlopen(f"http://{HOST}:{self.port}/api/v1/{path}", timeout=START_SECONDS) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        """Raises HTTPError for what is no expression."""
        found: list[Any] = self.ask(f"query?query={quote(expression)}")["result"]
        return found

    def until(self, holds: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                raise DidNotStart(f"{what}: {self.child.said() if self.child else ''}")
            time.sleep(0.1)

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()
        shutil.rmtree(self.path, ignore_errors=True)
