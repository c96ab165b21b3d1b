"""Xandikos for several users: CalDAV and CardDAV over TLS out of Git repositories, as its own command starts it.

`<url><login>/` is the principal, with `calendars/`, `contacts/`, and boxes for scheduling.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from .authority import authority
from .dav import DavServer
from .process import HOST, Child, folder, free_ports


@dataclass(slots=True, kw_only=True)
class Xandikos(DavServer):
    path: Path = field(default_factory=lambda: folder("xandikos"))

    def start(self) -> Xandikos:
        if self.child is None:
            self._prepare()
        assert self.child is not None
        self.child.start()
        self.child.wait_for(self.port)
        return self

    def new_user(self, name: str = "") -> tuple[str, str]:
        """With a calendar for everything and an address book."""
        login, password = self.users.invent(name)
        self.adopt(login, password)
        return login, password

    def adopt(self, login: str, password: str) -> None:
        """A user who is known elsewhere."""
        self.users.passwords[login] = password
        self._write()
        answer = self.request("PROPFIND", f"{login}/", login, Depth="0")  # the first request makes the collections
        assert answer.status == 207, answer

    def set_password(self, login: str, password: str) -> None:
        self.users.passwords[login] = password
        self._write()

    def _write(self) -> None:
        lines = (f"{login}:{{SHA}}{_sha(password)}\n" for login, password in self.users.passwords.items())
        new = self.path / "users.new"
        new.write_text("".join(lines))
        new.replace(self.path / "users")

    def _prepare(self) -> None:
        port = free_ports("https")["https"]
        self.url, self.ca_file = f"https://{HOST}:{port}/", authority().ca_file
        certificates = self.path / "state/certs"
        certificates.mkdir(parents=True)
        # Where it would put one that it signs itself.
        shutil.copy(authority().good.certificate, certificates / "selfsigned.crt")
        shutil.copy(authority().good.key, certificates / "selfsigned.key")
        self._write()
        self.child = Child(
            command=(
                sys.executable, "-m", "xandikos", "multi-user", "--listen-address", "127.0.0.1", "--port", str(port),
                "--no-detect-systemd", "--directory", str(self.path / "data"), "--state-dir", str(self.path / "state"),
                "--autocert", "--htpasswd", str(self.path / "users"), "--defaults",
            ),
            log=self.path / "log",
        )


def _sha(password: str) -> str:
    return base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()
