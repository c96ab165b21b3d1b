"""A real server in a process of its own, for tests that kill it and measurements that weigh it.

Everything goes through the command line: the process is started as an admin would start it, on a data folder that
outlives it. What a process costs is read from /proc, so this is for Linux.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from urllib.request import urlopen

#: Seconds that a server may take to answer its first request; a machine with other work on it is slow.
START_SECONDS = 120.0
#: Seconds that a server may take to end by itself once it was told to.
STOP_SECONDS = 60.0
#: Files that a server may open, where it may: the measurement of waiting phones holds a socket for each.
OPEN_FILES = 19_900

HOST = "127.0.0.1"
#: The command, as it is installed beside the interpreter that runs this.
EAS = Path(sys.executable).with_name("eas")


class DidNotStart(AssertionError):
    """The process ended, or never answered; the text is what it said."""


def _ports() -> Iterator[int]:
    """Below those that the kernel gives away by itself, and of each worker of the tests others: nobody else comes to
    have a port between the look whether it is free and the start of its server, nor while that is down. (A client that
    asks again and again for one that is down may be given the very port as its own: it is connected to itself.)"""
    workers, me = os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"), os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    size = (_LAST_PORT - _FIRST_PORT) // int(workers)
    begin = _FIRST_PORT + size * int(me.removeprefix("gw"))
    start = random.randrange(size)  # two runs on one machine
    return cycle(begin + (start + number) % size for number in range(size))


_FIRST_PORT, _LAST_PORT = 10_000, 32_768
_PORTS = _ports()


def free_port() -> int:
    """One that nobody listens at. None is told twice, nor soon again."""
    for port in _PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise AssertionError("unreachable: ports are tried for ever")


def cores() -> tuple[set[int], set[int]]:
    """The cores for the server (one), and those for the load: all others, or the same one where there is but one."""
    known = sorted(os.sched_getaffinity(0))
    return {known[-1]}, set(known[:-1]) or {known[-1]}


#: A measurement repeats itself without effect, which is no storm.
UNBRAKED = {"EAS_LIMITS__FREE_REPEATS": "0"}


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Ours, without what is meant for the tests."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("EAS_")}
    return ours | UNBRAKED | dict(settings)


def _cpu_clock(pid: int) -> int:
    """The clock of another process's time on a core, as clock_getcpuclockid(3) makes it on Linux."""
    return (~pid << 3) | 2


@dataclass(slots=True, kw_only=True)
class Server:
    """`eas serve` on `data`. With `core` it is bound to that core. `settings` are environment variables."""

    data: Path
    port: int = field(default_factory=free_port)
    arguments: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    core: set[int] | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> Path:
        return self.data.with_name(f"{self.data.name}.log")

    def start(self) -> Server:
        """Returns when it answers. Raises DidNotStart."""
        command = [
            str(EAS), "serve", "--data", str(self.data), "--listen", f"{HOST}:{self.port}",
            *self.arguments,
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=self._prepare,
                env=_environment(self.settings),
            )
        self._wait_until_ready()
        return self

    def _prepare(self) -> None:
        """In the child, before it becomes the server."""
        if self.core is not None:
            os.sched_setaffinity(0, self.core)
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))

    def _wait_until_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise DidNotStart(f"ended with {self.process.returncode}:\n{self.said()}")
            try:
                with urlopen(f"{self.url}/health", timeout=1.0) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.02)
        self.kill()
        raise DidNotStart(f"no answer in {START_SECONDS:.0f} seconds:\n{self.said()}")

    def said(self, characters: int = 4000) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-characters:] if self.log.exists() else ""

    def kill(self) -> None:
        """SIGKILL: nothing is written, nothing is closed."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def terminate(self) -> float:
        """SIGTERM; the seconds that it took to end. Raises subprocess.TimeoutExpired."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(STOP_SECONDS)
        self.process = None
        return time.monotonic() - began

    def stop(self) -> None:
        """Let it end, or make it."""
        if self.process is not None:
            try:
                self.terminate()
            except subprocess.TimeoutExpired:
                self.kill()

    def __enter__(self) -> Server:
        return self if self.process is not None else self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # -- what it costs

    def cpu_seconds(self) -> float:
        """Time that it has spent on a core so far, all threads, in the kernel for it too; finer than microseconds."""
        return time.clock_gettime(_cpu_clock(self.pid))

    def memory(self) -> int:
        """Resident octets that are its own: without pages of files that are mapped."""
        return self._status("RssAnon")

    def peak(self) -> int:
        """The most that was ever resident, pages of files among it."""
        return self._status("VmHWM")

    def threads(self) -> int:
        return int(self._field("Threads"))

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def _status(self, name: str) -> int:
        return int(self._field(name).split()[0]) * 1024

    def _field(self, name: str) -> str:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return line.partition(":")[2].strip()
        raise KeyError(name)
