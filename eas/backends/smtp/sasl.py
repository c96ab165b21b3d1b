"""Logging in to a mail server: AUTH with the mechanism that fits what we have and what it offers.

RFC 4954 (AUTH). LOGIN is nobody's standard and widely offered.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiosmtplib

from eas.backends.standards import sasl
from eas.backends.standards.tenant import Server
from eas.engine.model import Secret

_OK, _MORE = 235, 334


class LoginFailed(Exception):
    """`again`: for the moment only."""

    def __init__(self, text: str, *, again: bool = False) -> None:
        super().__init__(text)
        self.again = again


#: What is said first, and what to each challenge.
_Words = tuple[bytes, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class _Mechanism:
    name: str
    bearer: bool
    words: Callable[[str, str, Server], _Words]


def _oauth_bearer(name: str, token: str, server: Server) -> _Words:
    return sasl.oauth_bearer(name, token, server.host, server.port), (sasl.OAUTH_BEARER_GIVES_UP,)


def _xoauth2(name: str, token: str, server: Server) -> _Words:
    return sasl.xoauth2(name, token), (sasl.XOAUTH2_GIVES_UP,)


def _plain(name: str, password: str, server: Server) -> _Words:
    return sasl.plain(name, password), ()


def _login(name: str, password: str, server: Server) -> _Words:
    return b"", (name.encode(), password.encode())


#: The best first.
_MECHANISMS = (
    _Mechanism("oauthbearer", True, _oauth_bearer),
    _Mechanism("xoauth2", True, _xoauth2),
    _Mechanism("plain", False, _plain),
    _Mechanism("login", False, _login),
)


async def authenticate(client: aiosmtplib.SMTP, server: Server, name: str, secret: Secret) -> None:
    """Raises LoginFailed, SMTPException."""
    offered = client.esmtp_extensions.get("auth", "").lower().split()  # aiosmtplib lists only those it can do itself
    fitting = [one for one in _MECHANISMS if one.bearer == secret.bearer and one.name in offered]
    if not fitting:
        wanted = " or ".join(one.name.upper() for one in _MECHANISMS if one.bearer == secret.bearer)
        told = ", ".join(offered).upper() or "none"
        raise LoginFailed(f"the server offers no {wanted} (offered: {told})")
    mechanism = fitting[0]
    first, others = mechanism.words(name, secret.value, server)
    words = [b"AUTH", mechanism.name.upper().encode()]
    code, message = await client.execute_command(*words, *([b64encode(first)] if first else []))
    for word in others:
        if code == _MORE:
            code, message = await client.execute_command(b64encode(word))
    if code != _OK:
        raise LoginFailed(f"{code} {message}", again=400 <= code < 500)
