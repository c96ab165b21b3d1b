"""What a server says about where it is, as a client has to read it in order to come back to the proxy. Pure functions.

An origin is scheme, host and port of a URL: "https://mail.example.com", "http://127.0.0.1:8080".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from eas.protocol import http
from eas.replay.format.model import Headers

_PORTS = {"http": 80, "https": 443}

#: Autodiscover's answers name the server by URLs with these paths. PHP's JSON has a backslash before each slash.
_NAMED = re.compile(
    rb"https?:\\?/\\?/[^/\\\s\"'<>]+(?=\\?/(?:(Microsoft-Server-ActiveSync)|autodiscover\\?/))", re.IGNORECASE
)


class BadUrl(ValueError):
    """Not an address of a server."""


@dataclass(frozen=True, slots=True)
class Changed:
    """Something that the client gets in another form. `value` None: it does not get it at all. `origin` is the server
    that was named in it, "" for none."""

    value: str | None
    comment: str
    origin: str = ""


def origin(url: str) -> str:
    """Scheme, host and port. Raises BadUrl for what is no http or https URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise BadUrl(f"{url!r}: {error}") from None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not host:
        raise BadUrl(f"{url!r} is no http or https address of a server")
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" if port in (None, _PORTS[scheme]) else f"{scheme}://{shown}:{port}"


def server_at(url: str) -> str:
    """The origin that a person means by an address, with or without the path of ActiveSync. Raises BadUrl."""
    found = origin(url if "://" in url else f"https://{url}")
    path = urlsplit(url if "://" in url else f"https://{url}").path.rstrip("/")
    if path.lower() not in ("", http.PATH.lower()):
        raise BadUrl(f"ActiveSync is at {http.PATH} of a server, and nowhere below {path!r}")
    return found


def is_autodiscover(target: str) -> bool:
    return "/autodiscover" in target.partition("?")[0].lower()


def is_activesync(target: str) -> bool:
    return target.partition("?")[0].lower().startswith(http.PATH.lower())


# Headers -------------------------------------------------------------------------------------------------------------


def _mailbox_elsewhere(value: str, server: str, ours: str) -> Changed | None:
    """X-MS-Location of a 451: whichever server it names, the client is to go on with the proxy. [MS-ASHTTP] R227."""
    try:
        named = origin(value)
    except BadUrl:
        return None
    return Changed(_moved(value, ours), "for the client the proxy wrote its own address into X-MS-Location", named)


def _redirect(value: str, server: str, ours: str) -> Changed | None:
    try:
        named = origin(value)
    except BadUrl:
        return None  # relative: it stays at the proxy by itself
    if named == server:
        return Changed(_moved(value, ours), "for the client the proxy wrote its own address into Location")
    return Changed(value, "this redirect leads past the proxy")


def _moved(url: str, ours: str) -> str:
    parts = urlsplit(url)
    return ours + parts.path + (f"?{parts.query}" if parts.query else "")


def _challenge(value: str, server: str, ours: str) -> Changed | None:
    """These log in a connection, not a request, and connections end at the proxy."""
    if value.split(" ", 1)[0].rstrip(",").lower() not in ("negotiate", "ntlm", "kerberos"):
        return None
    return Changed(None, f"the proxy kept this way to log in from the client: {value.split(' ', 1)[0]}")


def _other_protocols(value: str, server: str, ours: str) -> Changed | None:
    return Changed(None, "the proxy kept Alt-Svc from the client")


_RULES: dict[str, Callable[[str, str, str], Changed | None]] = {
    "x-ms-location": _mailbox_elsewhere, "location": _redirect, "www-authenticate": _challenge,
    "alt-svc": _other_protocols,
}


def for_client(headers: Headers, server: str, ours: str) -> tuple[Headers, list[Changed]]:
    """The headers of an answer as the client gets them, and what is different in them."""
    told, changes = [], []
    for name, value in headers:
        rule = _RULES.get(name.lower())
        change = rule(value, server, ours) if rule else None
        if change is None:
            told.append((name, value))
            continue
        changes.append(change)
        if change.value is not None:
            told.append((name, change.value))
    return tuple(told), changes


# Bodies --------------------------------------------------------------------------------------------------------------


def discovered(body: bytes, ours: str) -> tuple[bytes, list[str]]:
    """An answer of Autodiscover with our address in the place of any server's, and the origins of those that were named
    for ActiveSync. All other bytes stay."""
    named: list[str] = []

    def replace(found: re.Match[bytes]) -> bytes:
        plain = found[0].replace(b"\\", b"").decode("utf-8", "replace")
        try:
            at = origin(plain)
        except BadUrl:
            return found[0]
        if found[1]:
            named.append(at)
        new = ours.replace("/", "\\/") if b"\\/" in found[0] else ours
        return new.encode()

    return _NAMED.sub(replace, body), named
