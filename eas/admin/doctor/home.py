"""The gateway itself: its database, and how it looks from outside."""

from __future__ import annotations

import asyncio
import http.client
import ssl
import time
from urllib.parse import urlsplit

from sqlalchemy import func, select

from eas.backends.embedded.groupware import Groupware
from eas.backends.embedded.tables import UserRow
from eas.backends.smtp.outbox import possible_doubles

from .findings import Notes
from .reach import certified, context_of, name_and_port, untrusted

_SLOW_SECONDS = 0.1
_PATH = "/Microsoft-Server-ActiveSync"


async def database(notes: Notes, ground: Groupware, kind: str) -> None:
    """`kind` is the name of the database's dialect."""
    async with notes.attempt("database", "Nothing works."):
        began = time.monotonic()
        users = await ground.read(lambda c: c.execute(select(func.count()).select_from(UserRow)).scalar_one())
        took = time.monotonic() - began
        said = f"{kind}, up to date, {users} users, {took * 1000:.0f} ms for a read"
        if took > _SLOW_SECONDS:
            notes.warn("database", said, "Every request waits for it several times.",
                       "Put it on a faster disk, or nearer.")
        else:
            notes.ok("database", said)
        doubles = await ground.read(possible_doubles)
        if doubles:
            last = doubles[0]
            notes.warn("possible doubles", f"{len(doubles)} messages may have been sent twice, last "
                       f"{last.message_id} on {last.at:%Y-%m-%d %H:%M} UTC",
                       "The submission server did not answer after it had been given them.",
                       "Look for these Message-IDs in the mail server's log.")


async def outside(notes: Notes, url: str, ca_file: str = "") -> None:
    """Whether devices find the gateway at this address."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if not host or parts.scheme not in ("https", "http"):
        notes.fail("address", f"{url} is no address: https://host")
        return
    if parts.scheme == "http":
        notes.warn("TLS", "none", "Most devices refuse to work so, and passwords can be read on the way.",
                   "Put a reverse proxy with a certificate in front, or set `tls.cert` and `tls.key`.")
    if await name_and_port(notes, host, port):
        await asyncio.to_thread(_asked, notes, url, ca_file)


def _asked(notes: Notes, url: str, ca_file: str) -> None:
    parts = urlsplit(url)
    connection: http.client.HTTPConnection | None = None
    try:
        if parts.scheme == "https":
            secure = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=20,
                                                 context=context_of(ca_file))
            connection = secure
            secure.connect()
            assert isinstance(secure.sock, ssl.SSLSocket)
            certified(notes, secure.sock)
        else:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        connection.request("OPTIONS", _PATH)
        answer = connection.getresponse()
        answer.read(100_000)
    except ssl.SSLError as error:
        untrusted(notes, error)
        return
    except (OSError, http.client.HTTPException) as error:
        notes.fail("ActiveSync", str(error) or type(error).__name__, "Devices cannot connect.",
                   "Does the gateway run, and does the proxy in front hand on to it?")
        return
    finally:
        if connection is not None:
            connection.close()
    if answer.status == 401 or answer.headers.get("MS-ASProtocolVersions"):
        notes.ok("ActiveSync", f"{_PATH} asks for a login" if answer.status == 401 else f"{_PATH} answers")
    else:
        notes.fail("ActiveSync", f"{_PATH} answers {answer.status} {answer.reason}", "Devices cannot connect.",
                   "Let the proxy in front hand this path, and /autodiscover, on to the gateway.")
