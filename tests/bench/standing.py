"""Real servers and a gateway before them, for measurements: Dovecot, Radicale, slapd, a submission server.

Everything shares the cores of this machine: what is measured is all of it together.
"""

from __future__ import annotations

import imaplib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from groupware.dovecot import HOOK_TOKEN, Dovecot, Flavour
from groupware.fronts import Haproxy
from groupware.gateway import backend, toml
from groupware.postgresql import Postgresql
from groupware.radicale import Radicale
from groupware.redis import RedisServer
from groupware.slapd import Slapd
from groupware.smtp import Sink
from serving import Server

__all__ = [
    "HOOK_TOKEN", "Dovecot", "Flavour", "Haproxy", "Login", "Postgresql", "RedisServer", "Server", "Sink", "Standing",
    "backend", "fill", "standing", "toml",
]

#: A user: login and password.
Login = tuple[str, str]

#: Messages in one MULTIAPPEND; literals are not waited for.
_AT_ONCE = 200


@dataclass(slots=True, kw_only=True)
class Standing:
    """All servers, running."""

    gateway: Server
    dovecot: Dovecot
    radicale: Radicale | None
    slapd: Slapd | None
    sink: Sink

    def new_user(self) -> Login:
        login, password = self.dovecot.new_user()
        if self.radicale is not None:
            self.radicale.adopt(login, password)
        return login, password


@contextmanager
def standing(*, dav: bool = False, directory: bool = False) -> Iterator[Standing]:
    """The gateway keeps calendars and contacts itself, unless with `dav`."""
    home = Path(tempfile.mkdtemp(prefix="eas-bench-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        servers = [Dovecot(), Sink(), Radicale() if dav else None, Slapd() if directory else None]
        for server in servers:
            if server is not None:
                stack.callback(server.stop)
                server.start()
        dovecot, sink, radicale, slapd = servers
        assert isinstance(dovecot, Dovecot)
        assert isinstance(sink, Sink)
        office = backend(dovecot, sink, dav=radicale, directory=slapd)
        # On one machine, as an admin would set it up there: without TLS between the servers.
        office["imap"] |= {"port": dovecot.imap_port, "security": "none"}
        settings = {"backends": {"office": office}}
        (home / "eas.toml").write_text(toml(settings))
        gateway = Server(data=home / "data", arguments=("--config", str(home / "eas.toml")))
        stack.enter_context(gateway)
        yield Standing(gateway=gateway, dovecot=dovecot, radicale=radicale, slapd=slapd, sink=sink)


def fill(dovecot: Dovecot, user: Login, messages: Sequence[bytes], folder: str = "INBOX") -> None:
    """Quickly: many messages in one command each."""
    with dovecot.imap(user[0]) as client:
        for first in range(0, len(messages), _AT_ONCE):
            _multiappend(client, folder, messages[first : first + _AT_ONCE])


def _multiappend(client: imaplib.IMAP4, folder: str, messages: Sequence[bytes]) -> None:
    pieces = [b"f1 APPEND %s" % folder.encode()]
    for message in messages:
        pieces.append(b" {%d+}\r\n" % len(message) + message)
    client.send(b"".join([*pieces, b"\r\n"]))
    while not (line := client.readline()).startswith(b"f1 "):
        assert line, "the server has closed the connection"
    assert line.startswith(b"f1 OK"), line
