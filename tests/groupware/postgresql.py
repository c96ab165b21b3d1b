"""PostgreSQL over an empty folder, reached by a Unix socket in it: for the gateway's own state, not for groupware.

Texts are sorted as people expect it (ICU), not by code points as SQLite does: a statement that takes one for the other
is found that way. Nothing is synced to the disk.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from .process import START_SECONDS, Child, DidNotStart, NotInstalled, folder, give, unprivileged

USER = "eas"
#: Databases that stay, counted from the newest, even if nobody is connected to them: a test may have several. Each
#: takes 8 megabytes.
KEPT = 8

#: What it may cost to lose is nothing here. Each process of the tests opens a few connections for every database.
SETTINGS = {
    "listen_addresses": "", "fsync": "off", "full_page_writes": "off",
    "max_connections": "200", "max_prepared_transactions": "0", "autovacuum": "off", "shared_buffers": "64MB",
    # Named here so that a deadlock shows at once.
    "deadlock_timeout": "200ms",
}


def binary(name: str) -> str:
    """Of the newest version that is installed. Raises NotInstalled."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[4]))
    path = str(found[-1]) if found else shutil.which(name)
    if path is None:
        raise NotInstalled(f"{name} is missing: run tests/groupware/install.sh, or install the package postgresql")
    return path


@dataclass(slots=True, kw_only=True)
class Postgresql:
    path: Path = field(default_factory=lambda: folder("postgresql"))
    child: Child | None = None
    made: list[str] = field(default_factory=list)
    numbers: count[int] = field(default_factory=lambda: count(1))

    def start(self) -> Postgresql:
        again = self.child is not None
        if self.child is None:
            self._prepare()
        assert self.child is not None
        self.child.start()
        deadline = time.monotonic() + START_SECONDS
        while self._psql("SELECT 1").returncode:
            if time.monotonic() > deadline or not (self.child.runs or again):
                raise DidNotStart(f"postgres did not start:\n{self.child.said()}")
            if not self.child.runs:  # of one that was killed, something may be left for a moment
                self.child.start()
            time.sleep(0.05)
        return self

    def down(self, *, kill: bool = False) -> None:
        """As an admin takes it down, who waits for nobody; or it is killed. `start` brings it back."""
        assert self.child is not None
        assert self.child.process is not None
        if not kill:
            self.child.process.send_signal(signal.SIGINT)
            self.child.process.wait(START_SECONDS)
        self.child.kill()

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()
        shutil.rmtree(self.path, ignore_errors=True)

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://{USER}@/{database}?host={self.path}"

    def new_database(self, template: str = "template0", name: str = "") -> str:
        """The URL of a database of its own: empty, or a copy of one to which nobody is connected. One with a name
        stays; of the others, those that nobody uses any more are dropped."""
        for old in self.made[:-KEPT]:
            if not self._psql(f'DROP DATABASE "{old}"').returncode:
                self.made.remove(old)
        new = name or f"tests{next(self.numbers)}"
        # Copied as files: the fastest way for a small one where nothing is synced. Who has just hung up may still be
        # there for the server.
        statement = f'CREATE DATABASE "{new}" TEMPLATE "{template}" STRATEGY file_copy'
        deadline = time.monotonic() + START_SECONDS
        while (done := self._psql(statement)).returncode:
            assert "is being accessed by other users" in done.stderr, done.stderr
            assert time.monotonic() < deadline, done.stderr
        if not name:
            self.made.append(new)
        return self.url(new)

    def run(self, statement: str, database: str = "postgres") -> str:
        """Its rows as lines, columns divided by "|". Raises AssertionError with what the server says."""
        done = self._psql(statement, database)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _psql(self, statement: str, database: str = "postgres") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                binary("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.path), "-U", USER,
                "-d", database, "-c", statement,
            ],
            capture_output=True, text=True, check=False,
        )

    def _prepare(self) -> None:
        owner = unprivileged()
        give(self.path, owner)
        # Whoever reaches the socket is let in.
        self.path.chmod(0o700)
        data = self.path / "data"
        maker = Child(
            command=(
                binary("initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync",
                "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US",
            ),
            log=self.path / "log", user=owner.pw_name,
        )
        maker.start()
        assert maker.process is not None
        if maker.process.wait(START_SECONDS):
            raise DidNotStart(f"initdb failed:\n{maker.said()}")
        settings = {**SETTINGS, "unix_socket_directories": str(self.path)}
        self.child = Child(
            command=(binary("postgres"), "-D", str(data), *(f"--{name}={value}" for name, value in settings.items())),
            log=self.path / "log", user=owner.pw_name,
        )
