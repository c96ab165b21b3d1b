"""Entering a server: TLS, SASL, and what is asked for once on a new connection. RFC 3501, 4959, 7628; 2971, 5161.

A password goes over an unencrypted connection only where Security.NONE is configured.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import dataclass, field

from eas.backends.calls import Call
from eas.backends.standards import sasl
from eas.backends.standards.tenant import ImapServer, Security
from eas.engine.model import Secret

from . import commands
from .connection import Connection, accepted
from .model import Bad, LoginRefused, No
from .responses import Said
from .session import ImapSession
from .timing import reason_of
from .wire import connect

#: Refusals that say nothing about the password. RFC 5530.
_LATER = frozenset(("UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"))
#: Of a SASL message in the line of its command; longer tokens are sent when they are asked for.
_MAX_INITIAL = 6000


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who enters, as whom: `authorized` "" for oneself."""

    name: str
    secret: Secret = field(repr=False)
    authorized: str = ""


def identity(server: ImapServer, login: str, secret: Secret | None, *, own: bool = False) -> Identity:
    """The master user where there is one; with `own` the user in any case, since that is what tells whether a password
    is good. Raises LoginRefused where there is nothing to enter with."""
    if server.master_user and not own:
        master = Secret(value=server.master_password)
        if server.master_separator:
            return Identity(name=f"{login}{server.master_separator}{server.master_user}", secret=master)
        return Identity(name=server.master_user, secret=master, authorized=login)
    if secret is None or not secret.value or "\0" in secret.value or "\0" in login:
        raise LoginRefused("there is no password to enter with")
    return Identity(name=login, secret=secret)


async def enter(server: ImapServer, who: Identity) -> ImapSession:
    """A new session. Raises LoginRefused, Lost, Bad."""
    with Call("imap", "login", reason_of):
        return await _entered(server, who)


async def _entered(server: ImapServer, who: Identity) -> ImapSession:
    wire = await connect(server)
    connection = Connection(wire, server.timeout_seconds)
    session = ImapSession(connection)
    try:
        await _greet(session)
        if server.security is Security.STARTTLS:
            await _encrypt(session, server)
        if not connection.capabilities:
            await session.ask(b"CAPABILITY")
        await _log_in(session, server, who)
        await _introduce(session)
    except BaseException:
        wire.abort()
        raise
    return session


async def _greet(session: ImapSession) -> None:
    connection = session.connection
    responses = await connection.read()
    while not responses:
        responses = await connection.read()
    greeting = responses[0]
    connection.put_back(responses[1:])
    if not isinstance(greeting, Said) or greeting.tag != "*":
        raise connection.lost("no IMAP server answers there")
    connection.heard(greeting, lambda response: True)
    if greeting.kind == "PREAUTH":
        # Whose mailbox that is nobody knows, and every password would seem good.
        raise connection.lost("the server lets everybody in (PREAUTH)")
    if greeting.kind != "OK":
        raise connection.lost(f"the server refuses: {greeting.text}")
    session.done(greeting)


async def _encrypt(session: ImapSession, server: ImapServer) -> None:
    """Whether it is offered does not matter: there is no going on without it."""
    connection = session.connection
    try:
        await session.ask(b"STARTTLS")
    except (No, Bad) as error:
        raise connection.lost(f"the server does not offer STARTTLS: {error}") from error
    if connection.waiting():
        raise connection.lost("something was said before the encryption")
    await connection.wire.start_tls(server)
    # What it said before may have been said by somebody else. RFC 3501, STARTTLS Command.
    connection.capabilities = frozenset()


async def _log_in(session: ImapSession, server: ImapServer, who: Identity) -> None:
    connection = session.connection
    if not connection.wire.encrypted and server.security is not Security.NONE:
        raise connection.lost("the connection is not encrypted")
    before = connection.capabilities
    mechanism = _mechanism(session, server, who)
    try:
        if mechanism == "LOGIN":
            said = await session.ask(
                b"LOGIN ", commands.string(who.name.encode()), b" ", commands.string(who.secret.value.encode())
            )
        else:
            said = await _authenticate(session, server, who, mechanism)
    except No as error:
        if error.code in _LATER:
            raise connection.lost(f"the server cannot check the login now: {error}") from error
        raise LoginRefused(str(error), error.code) from error
    if said.code != "CAPABILITY" and connection.capabilities == before:
        await session.ask(b"CAPABILITY")


def _mechanism(session: ImapSession, server: ImapServer, who: Identity) -> str:
    if server.mechanism != "auto":
        return server.mechanism.upper()
    if who.secret.bearer:
        return "XOAUTH2" if session.offers("AUTH=XOAUTH2") and not session.offers("AUTH=OAUTHBEARER") else "OAUTHBEARER"
    if who.authorized or session.offers("AUTH=PLAIN"):
        return "PLAIN"
    if session.offers("LOGINDISABLED"):
        raise session.connection.lost("the server takes no passwords on this connection (LOGINDISABLED)")
    return "LOGIN"


def _initial(mechanism: str, server: ImapServer, who: Identity) -> tuple[bytes, bytes]:
    """What is said first, and what to a challenge after it, with which the server explains its refusal."""
    name, secret = who.authorized or who.name, who.secret.value
    if mechanism == "PLAIN":
        return sasl.plain(who.name, secret, who.authorized), b"*"
    if mechanism == "OAUTHBEARER":
        return sasl.oauth_bearer(name, secret, server.host, server.port), base64.b64encode(sasl.OAUTH_BEARER_GIVES_UP)
    if mechanism == "XOAUTH2":
        return sasl.xoauth2(name, secret), base64.b64encode(sasl.XOAUTH2_GIVES_UP)
    raise Bad(f"unknown mechanism {mechanism}")


async def _authenticate(session: ImapSession, server: ImapServer, who: Identity, mechanism: str) -> Said:
    """An error of the OAuth mechanisms comes as a challenge, which is to be answered before the NO. RFC 7628."""
    connection, news = session.connection, session.news
    first, gives_up = _initial(mechanism, server, who)
    message = base64.b64encode(first)
    at_once = session.offers("SASL-IR") and len(message) < _MAX_INITIAL
    tag = connection.begin()
    command = b"AUTHENTICATE " + mechanism.encode("ascii") + (b" " + message if at_once else b"")
    said = await connection.send(tag, [command], news)
    for answer in ([] if at_once else [message]) + [gives_up] * 3:
        said = said or await connection.until(tag, news, go=True)
        if said is not None:
            break
        connection.wire.write(answer + b"\r\n")
    if said is None:
        raise connection.lost("the login does not come to an end")
    connection.end(tag)
    return session.done(accepted(said))


async def _introduce(session: ImapSession) -> None:
    if session.offers("ID"):
        with suppress(No, Bad):
            await session.ask(b'ID ("name" "eas-gateway")')
    wanted = b"QRESYNC" if session.offers("QRESYNC") else b"CONDSTORE" if session.offers("CONDSTORE") else b""
    if wanted and session.offers("ENABLE"):
        with suppress(No, Bad):
            await session.ask(b"ENABLE ", wanted)
