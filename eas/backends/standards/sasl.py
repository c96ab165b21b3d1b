"""What is said first in the SASL mechanisms that the servers are entered with, before any encoding.

PLAIN (RFC 4616), OAUTHBEARER (RFC 7628), and XOAUTH2, which is older and nobody's standard.
"""

from __future__ import annotations

#: What to answer to the challenge by which a server says why it refuses a token; then it says NO.
OAUTH_BEARER_GIVES_UP = b"\x01"
XOAUTH2_GIVES_UP = b""


def plain(name: str, password: str, authzid: str = "") -> bytes:
    """`authzid` is whom to act for, "" for `name` itself."""
    return f"{authzid}\0{name}\0{password}".encode()


def oauth_bearer(name: str, token: str, host: str, port: int) -> bytes:
    """RFC 7628 section 3.1; "," and "=" in the name are escaped as in RFC 5801."""
    escaped = name.replace("=", "=3D").replace(",", "=2C")
    return f"n,a={escaped},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01".encode()


def xoauth2(name: str, token: str) -> bytes:
    return f"user={name}\x01auth=Bearer {token}\x01\x01".encode()
