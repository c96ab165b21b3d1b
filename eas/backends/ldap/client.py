"""Searches and binds at LDAP servers: connections in threads, bounded in number, each bound once and used again.

A server that fails or hangs is left alone for some seconds, so that nobody waits for it in turn. Referrals lead to
other servers, which nobody has named, and are not followed. RFC 4511, RFC 2696 (Simple Paged Results), RFC 4513.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from eas.backends.calls import Call
from eas.backends.standards.tenant import LdapServer, Security
from eas.engine.errors import Unavailable

from .attributes import gathered

with warnings.catch_warnings():  # it still calls two tables of pyasn1 by their old names
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3
    from ldap3.core.exceptions import LDAPCommunicationError, LDAPException, LDAPStartTLSError

log = structlog.get_logger("eas.ldap")

R = TypeVar("R")

#: Connections to one server, and threads for all servers.
MAX_CONNECTIONS, MAX_THREADS = 4, 16
#: Seconds after which an idle connection is not used any more: servers and firewalls close them, often silently.
IDLE_SECONDS = 60.0
#: Seconds for which a server is left alone that could not be reached.
AILING_SECONDS = 10.0
#: Entries of one page: some 0.1 s of a core to decode.
PAGE = 500

#: Result codes. RFC 4511 appendix A.
SUCCESS, TIME_LIMIT, SIZE_LIMIT, REFERRAL, ADMIN_LIMIT, NO_SUCH_OBJECT, INVALID_DN = 0, 3, 4, 10, 11, 32, 34
#: There is nothing at the base, or it cannot be: a tree of the user's domain, and the user has none.
_NOTHING = (REFERRAL, NO_SUCH_OBJECT, INVALID_DN)
_CUT = (TIME_LIMIT, SIZE_LIMIT, ADMIN_LIMIT)
#: Of a bind: not this password, this entry, or nobody who may come in so.
_REFUSED = (32, 34, 48, 49, 50, 53)
_PAGED = "1.2.840.113556.1.4.319"


@dataclass(frozen=True, slots=True)
class Entry:
    """`values` by lower-case attribute names without options."""

    dn: str
    values: dict[str, list[bytes]]


@dataclass(frozen=True, slots=True)
class Result:
    """`cut`: there is more than the server was willing to say."""

    entries: list[Entry]
    cut: bool = False


class _Tls(ldap3.Tls):  # type: ignore[misc]
    """Verified as Python verifies, the name in the certificate included."""

    def __init__(self, ca_file: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = ssl.create_default_context(cafile=ca_file or None)

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        connection.socket = self._context.wrap_socket(connection.socket, server_hostname=connection.server.host)


class _Line(ldap3.Connection):  # type: ignore[misc]
    """Closes the sockets that it lets go of: those of addresses that did not answer, too."""

    _socket: Any = None

    @property
    def socket(self) -> Any:
        return self._socket

    @socket.setter
    def socket(self, value: Any) -> None:
        old, self._socket = self._socket, value
        if old is not None and old is not value:
            old.close()  # if it has just been wrapped for TLS, it is an empty shell


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except (LDAPException, OSError, UnicodeError) as error:
        raise Unavailable(f"the directory server cannot be used: {error}") from error


# --- Operations, in a thread ------------------------------------------------------------------------------------------


class Connection:
    """A connection for one thread at a time."""

    def __init__(self, settings: LdapServer, server: Callable[[], Any]) -> None:
        self._settings, self._server = settings, server
        self._line: Any = None

    def open(self, dn: str, password: str) -> int:
        """Connect, and bind; the result code of the bind. `dn` "" binds without credentials. The password is sent as
        it was typed: servers compare octets, whatever RFC 4513 5.1.3 says of preparing it."""
        self._line = _Line(
            self._server(), user=dn or None, password=password.encode() if dn else None, auto_referrals=False,
            check_names=False, read_only=True, return_empty_attributes=False,
            receive_timeout=math.ceil(self._settings.timeout_seconds),
        )
        try:
            self._line.open(read_server_info=False)
            if self._settings.security is Security.STARTTLS:
                self._line.start_tls(read_server_info=False)
            self._line.bind(read_server_info=False)
        except BaseException:
            self._line.socket = None
            raise
        return int(self._line.result["result"])

    def search(
        self, base: str, filter: str, attributes: Sequence[str], *, most: int, only_base: bool = False
    ) -> Result:
        """At most `most` entries; what the server does not give beyond its own limit is missing."""
        entries, code, _ = self._ask(base, filter, attributes, only_base=only_base, most=most)
        return Result(entries[:most], code in _CUT or len(entries) > most)

    def pages(self, base: str, filter: str, attributes: Sequence[str], *, most: int) -> Result:
        """Page by page, until there is no more or there are more than `most`."""
        entries: list[Entry] = []
        cookie: bytes | None = None
        while True:
            page, code, cookie = self._ask(base, filter, attributes, cookie=cookie, page=PAGE)
            entries += page
            if code in _CUT or len(entries) > most:
                return Result(entries[:most], cut=True)
            if not cookie:
                return Result(entries)

    def _ask(
        self, base: str, filter: str, attributes: Sequence[str], *, only_base: bool = False, most: int = 0,
        page: int | None = None, cookie: bytes | None = None,
    ) -> tuple[list[Entry], int, bytes | None]:
        """Entries, result code, the cookie for the next page."""
        self._line.search(
            base, filter, search_scope=ldap3.BASE if only_base else ldap3.SUBTREE, attributes=list(attributes),
            dereference_aliases=ldap3.DEREF_NEVER, size_limit=most, paged_size=page, paged_cookie=cookie,
            time_limit=math.ceil(self._settings.timeout_seconds),
        )
        result = self._line.result
        code = int(result["result"])
        if code in _NOTHING:
            log.info("nothing there to search in", server=self._settings.host, base=base, code=code)
            return [], code, None
        if code not in (SUCCESS, *_CUT):
            raise Unavailable(f"the directory server refuses a search: {code} {result.get('description', '')}")
        found = [
            Entry(one["dn"], gathered(one["raw_attributes"]))
            for one in self._line.response or () if one["type"] == "searchResEntry"
        ]
        paged = (result.get("controls") or {}).get(_PAGED)
        self._line.response = None
        return found, code, paged["value"]["cookie"] if paged else None

    def close(self) -> None:
        if self._line is None:
            return
        try:
            self._line.unbind()
        except (LDAPException, OSError):
            log.debug("the directory server was gone already", server=self._settings.host)
        self._line.socket = None

    def abort(self) -> None:
        """From another thread: whoever waits for an answer here does not get it any more."""
        raw = self._line.socket if self._line is not None else None
        if raw is not None:
            with suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)


# --- Servers ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Server:
    """One server, with the connections that are free. Its methods run in threads, but for `turns`."""

    settings: LdapServer
    monotonic: Callable[[], float]
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONNECTIONS))
    ailing_until: float = -math.inf
    _free: list[tuple[float, Connection]] = field(default_factory=list)
    _busy: set[Connection] = field(default_factory=set)
    _closed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _tls: _Tls | None = None

    def _server(self) -> Any:
        """Anew for each connection: it remembers addresses that did not answer once."""
        settings = self.settings
        if self._tls is None and settings.security is not Security.NONE:
            self._tls = _Tls(settings.ca_file)
        return ldap3.Server(
            settings.host, port=settings.port, use_ssl=settings.security is Security.TLS, get_info=ldap3.NONE,
            tls=self._tls, connect_timeout=settings.timeout_seconds,
        )

    def work(self, do: Callable[[Connection], R]) -> R:
        """On a connection bound as the settings say. Raises Unavailable."""
        with self._watched():
            connection, fresh = self._taken()
            try:
                if fresh:
                    self._bound(connection)
                result = self._again(connection, do, fresh)
            except BaseException:
                self._put_away(connection)
                raise
            self._put_back(connection)
            return result

    def _again(self, connection: Connection, do: Callable[[Connection], R], fresh: bool) -> R:
        """A connection that has been idle may have been closed by the server: then on a new one."""
        try:
            return do(connection)
        except LDAPCommunicationError:
            if fresh:
                raise
        connection.close()
        self._bound(connection)
        return do(connection)

    def _taken(self) -> tuple[Connection, bool]:
        oldest = self.monotonic() - IDLE_SECONDS
        with self._lock:
            old = [connection for since, connection in self._free if since < oldest]
            self._free = [kept for kept in self._free if kept[0] >= oldest]
            fresh = not self._free
            connection = Connection(self.settings, self._server) if fresh else self._free.pop()[1]
            self._busy.add(connection)
        for one in old:
            one.close()
        return connection, fresh

    def _bound(self, connection: Connection) -> None:
        code = connection.open(self.settings.bind_dn, self.settings.bind_password)
        if code != SUCCESS:
            raise Unavailable(f"the directory server refuses the gateway's own bind: {code}")

    def _put_back(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed:
                self._busy.discard(connection)
                self._free.append((self.monotonic(), connection))
                return
        self._put_away(connection)

    def _put_away(self, connection: Connection) -> None:
        with self._lock:
            self._busy.discard(connection)
        connection.close()

    def bind(self, dn: str, password: str) -> bool:
        """Whether this password is that entry's, on a connection of its own. Raises Unavailable."""
        with self._watched():
            connection = Connection(self.settings, self._server)
            try:
                code = connection.open(dn, password)
            finally:
                connection.close()
            if code not in (SUCCESS, *_REFUSED):
                raise Unavailable(f"the directory server did not check a password: {code}")
            return code == SUCCESS

    @contextmanager
    def _watched(self) -> Iterator[None]:
        with translated():
            try:
                yield
            except (LDAPCommunicationError, LDAPStartTLSError, OSError):
                self.ailing_until = self.monotonic() + AILING_SECONDS
                raise

    def close(self) -> None:
        with self._lock:
            self._closed = True
            free, self._free, busy = self._free, [], list(self._busy)
        for _, connection in free:
            connection.close()
        for connection in busy:
            connection.abort()


@dataclass(slots=True)
class Servers:
    """All servers in use. Used in one event loop."""

    monotonic: Callable[[], float]
    _servers: dict[object, _Server] = field(default_factory=dict)
    _threads: ThreadPoolExecutor | None = None

    async def work(self, settings: LdapServer, do: Callable[[Connection], R], *, seconds: float | None = None) -> R:
        """Raises Unavailable, at the latest after so many seconds (None: as long as answers come)."""
        server = self._able(settings)
        with Call("ldap", "search", _reason_of):
            return await self._in_thread(server, lambda: server.work(do), seconds)

    async def bind(self, settings: LdapServer, dn: str, password: str) -> bool:
        server = self._able(settings)
        with Call("ldap", "bind", _reason_of):
            return await self._in_thread(server, lambda: server.bind(dn, password), settings.timeout_seconds)

    def _able(self, settings: LdapServer) -> _Server:
        """Raises Unavailable for one that is left alone."""
        server = self._server(settings)
        if self.monotonic() < server.ailing_until:
            raise Unavailable("the directory server could not be reached a moment ago")
        return server

    def _server(self, settings: LdapServer) -> _Server:
        key = (settings.host, settings.port, settings.security, settings.ca_file, settings.bind_dn)
        if key not in self._servers:
            self._servers[key] = _Server(settings, self.monotonic)
        return self._servers[key]

    async def _in_thread(self, server: _Server, do: Callable[[], R], seconds: float | None) -> R:
        """The turn is given back when the thread is done, even if nobody waited so long."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="ldap")
        running: asyncio.Future[R] | None = None
        try:
            async with asyncio.timeout(seconds):
                await server.turns.acquire()
                running = asyncio.get_running_loop().run_in_executor(self._threads, do)
                running.add_done_callback(lambda done: _finished(done, server))
                return await asyncio.shield(running)
        except TimeoutError as error:
            if running is not None:
                server.ailing_until = self.monotonic() + AILING_SECONDS
            raise Unavailable("the directory server did not answer in time") from error

    async def close(self) -> None:
        for server in self._servers.values():
            await asyncio.to_thread(server.close)
        if self._threads is not None:
            await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)


def _reason_of(error: BaseException) -> str:
    if not isinstance(error, Unavailable):
        return ""
    return "lost" if error.__cause__ is not None else "refused"


def _finished(running: asyncio.Future[Any], server: _Server) -> None:
    server.turns.release()
    if not running.cancelled():
        running.exception()  # somebody has seen it, or nobody waits any more
