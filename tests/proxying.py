"""`eas session proxy` in a process of its own, as a tester would start it."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from serving import EAS, HOST, free_port

#: Seconds within which it listens, and within which it ends.
PATIENCE = 60.0


@dataclass(slots=True)
class Proxy:
    """Started with `with`; what it says goes to a file beside the session."""

    to: str
    file: Path
    arguments: tuple[str, ...] = ()
    plain: bool = False
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'http' if self.plain else 'https'}://{self.host}"

    @property
    def said(self) -> str:
        return self.file.with_suffix(".out").read_text(encoding="utf-8")

    def __enter__(self) -> Proxy:
        self.port = free_port()
        command = [
            str(EAS), "session", "proxy", "--to", self.to, "--listen", self.host, "-o", str(self.file),
            *(("--plain",) if self.plain else ()), *self.arguments,
        ]
        with self.file.with_suffix(".out").open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while True:
            # In this order: it may be over as soon as it has begun.
            ended = self.process.poll() is not None
            if "Ctrl-C ends" in self.said:
                return self
            if ended or time.monotonic() > deadline:
                self.process.kill()
                self.process.wait()
                raise AssertionError(self.said)
            time.sleep(0.02)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """As Ctrl-C does; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def __exit__(self, *exc: object) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            try:
                self.end()
            finally:
                self.process.kill()
                self.process.wait()
