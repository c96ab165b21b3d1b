"""Logging in to a mail server: AUTH with the mechanism that fits what we have and what it offers.

RFC 4954 (AUTH), RFC 4616 (PLAIN), RFC 7628 (OAUTHBEARER); LOGIN and XOAUTH2 are nobody's standard and widely offered.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiosmtplib

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


def oauth_bearer(name: str, token: str, server: Server) -> bytes:
    """The initial response of OAUTHBEARER. RFC 7628 section 3.1; "," and "=" in the name are escaped as in RFC 5801."""
    escaped = name.replace("=", "=3D").replace(",", "=2C")
    return f"n,a={escaped},\x01host={server.host}\x01port={server.port}\x01auth=Bearer {token}\x01\x01".encode()


def xoauth2(name: str, token: str) -> bytes:
    return f"user={name}\x01auth=Bearer {token}\x01\x01".encode()


def plain(name: str, password: str, authzid: str = "") -> bytes:
    return f"{authzid}\0{name}\0{password}".encode()


#: The best first. What a server says to a token that it refuses is a challenge; it wants a word before it ends.
_MECHANISMS = (
    _Mechanism("oauthbearer", True, lambda name, token, server: (oauth_bearer(name, token, server), (b"\x01",))),
    _Mechanism("xoauth2", True, lambda name, token, server: (xoauth2(name, token), (b"",))),
    _Mechanism("plain", False, lambda name, password, server: (plain(name, password), ())),
    _Mechanism("login", False, lambda name, password, server: (b"", (name.encode(), password.encode()))),
)


async def authenticate(client: aiosmtplib.SMTP, server: Server, name: str, secret: Secret) -> None:
    """Raises LoginFailed, SMTPException."""
    offered = client.supported_auth_methods
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
