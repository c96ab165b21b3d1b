"""A server as a child process: started when it is first wanted, ended with the tests, whatever becomes of them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from serving import free_port

#: The name in every certificate here, and where all servers listen. An address of 127.0.0.1 reaches the same server,
#: but is not the name in its certificate.
HOST = "localhost"
DOMAIN = "example.com"
#: Seconds that a server may take until it answers; a machine with other work on it is slow.
START_SECONDS = 90.0
#: Seconds that a server may take to end by itself.
STOP_SECONDS = 5.0

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class NotInstalled(RuntimeError):
    """A program is missing; the text names the package and how to get it."""


class DidNotStart(RuntimeError):
    """The process ended or never answered; the text is the end of what it said."""


def program(name: str, package: str) -> str:
    """The path of an installed program. Raises NotInstalled."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        raise NotInstalled(f"{name} is missing: run tests/groupware/install.sh, or install the package {package}")
    return found


def folder(name: str) -> Path:
    """A new folder with a short path (a Unix socket's has 107 octets at most) that other accounts may pass through."""
    made = Path(tempfile.mkdtemp(prefix=f"eas-{name}-"))
    made.chmod(0o755)
    return made


def unprivileged() -> pwd.struct_passwd:
    """Whom servers run as that refuse to be root: us, or nobody when we are root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def free_ports(*names: str) -> dict[str, int]:
    """Different ones, by name."""
    ports: dict[str, int] = {}
    while len(ports) < len(names):
        port = free_port()
        if port not in ports.values():
            ports[names[len(ports)]] = port
    return ports


def _die_with_parent() -> None:
    """In the child: ended by the kernel when the tests are, even if they are killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(slots=True, kw_only=True)
class Child:
    """One process with its children, a group of its own. `user` is whom it runs as (as root only)."""

    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        account = pwd.getpwnam(self.user) if self.user and os.geteuid() == 0 else None
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(self.command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, **self.environment}, preexec_fn=_die_with_parent, cwd="/",
                user=account.pw_uid if account else None, group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
            )

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_for(self, *ports: int) -> None:
        """Until all are listened on. Raises DidNotStart."""
        deadline = time.monotonic() + START_SECONDS
        for port in ports:
            while not listens(port):
                if not self.runs:
                    raise DidNotStart(f"{self.command[0]} ended:\n{self.said()}")
                if time.monotonic() > deadline:
                    raise DidNotStart(f"{self.command[0]} does not listen on {port}:\n{self.said()}")
                time.sleep(0.02)

    def said(self, characters: int = 3000) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-characters:] if self.log.exists() else ""

    def stop(self) -> None:
        """Let it end, or make it, with all that it started."""
        if self.process is None:
            return
        if self.runs:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        self.kill()

    def pause(self) -> None:
        """SIGSTOP: it holds what it has and does nothing, until `resume`. Nothing to do if it has ended."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.runs and self.process is not None:
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """SIGKILL to the whole group: nothing is written, nothing is closed."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def give(path: Path, owner: pwd.struct_passwd) -> None:
    """A folder with all that is in it, to an account; nothing to do unless we are root."""
    if os.geteuid() == 0:
        for one in (path, *path.rglob("*")):
            os.chown(one, owner.pw_uid, owner.pw_gid)
