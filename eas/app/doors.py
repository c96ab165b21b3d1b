"""What a server listens on: HTTP, LMTP and the control socket; opened by itself, or handed on to its workers.

Several workers accept on the same sockets, which their supervisor opened and keeps open. So none of them is special: a
mail is taken and a command of the command line carried out by whoever is faster, and when a worker ends the next
connection goes to another one.
"""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

from eas.backends.lmtp import LmtpServer
from eas.server import control

#: Connections that wait to be accepted; the kernel has a limit of its own (net.core.somaxconn).
BACKLOG = 2048


@dataclass(slots=True, kw_only=True)
class Sockets:
    """Open ones, each listening. `http`: all are this process's."""

    http: list[socket.socket] = field(default_factory=list)
    lmtp: list[socket.socket] = field(default_factory=list)
    control: socket.socket | None = None


@dataclass(slots=True, kw_only=True)
class Doors:
    """LMTP and the control socket of one process."""

    control: control.ControlServer
    lmtp: LmtpServer
    lmtp_listen: str

    async def open(self, given: Sockets | None = None) -> None:
        """`given`: sockets that a supervisor has opened. Raises OSError."""
        if given is not None:
            await self.control.start(given.control)
            for one in given.lmtp:
                await self.lmtp.listen_on(one)
            return
        await self.control.start()
        for one in lmtp_sockets(self.lmtp_listen):
            await self.lmtp.listen_on(one)

    async def shut(self) -> None:
        """Nothing new is accepted."""
        await self.control.close()
        self.lmtp.shut()

    async def close(self, grace_seconds: float) -> None:
        """Messages that are being taken may take so long."""
        await self.control.close()
        await self.lmtp.close(grace_seconds)


def lmtp_sockets(listen: str) -> list[socket.socket]:
    """HOST:PORT or the path of a Unix socket, where one that a dead process left is replaced. Raises OSError."""
    if not listen:
        return []
    host, colon, port = listen.rpartition(":")
    if colon and port.isdigit() and "/" not in host:
        return tcp_sockets(host.strip("[]"), int(port))
    return [unix_socket(Path(listen), 0o660)]


def unix_socket(path: Path, mode: int) -> socket.socket:
    """Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(str(path))
        os.chmod(path, mode)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made


def tcp_sockets(host: str, port: int, *, shared: bool = False) -> list[socket.socket]:
    """One for each address of the host. `shared`: further ones may be opened for the same address, among which the
    kernel then divides what comes in. Raises OSError."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    made: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            one = socket.socket(family, kind, protocol)
            made.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
            one.listen(BACKLOG)
            one.setblocking(False)
    except OSError as error:
        for one in made:
            one.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    return made
