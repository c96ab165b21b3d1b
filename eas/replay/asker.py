"""Whom a request may come from, as far as it shows by itself: enough to leave all others alone, never enough to
believe it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.types import Scope

from eas.protocol import http
from eas.protocol import query as queries
from eas.protocol.query import QueryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """`device` in lower case, `agent` the User-Agent, `login` of the Authorization header, else of the query, in lower
    case; "" for what is not stated. `shown` stands for that header as a whole, 0 for none: who was recognised by it
    once is so the next time."""

    device: str
    agent: str
    login: str
    shown: int


def asker_of(scope: Scope) -> Asker:
    stated = {name: value for name, value in scope["headers"] if name in (b"authorization", b"user-agent")}
    shown = stated.get(b"authorization", b"")
    device, user = _named(scope["query_string"])
    credentials = http.basic_credentials(shown.decode("latin-1")) if shown else None
    return Asker(
        device=device.casefold(), agent=stated.get(b"user-agent", b"").decode("latin-1"),
        login=(credentials[0] if credentials else user).strip().casefold(), shown=hash(shown) if shown else 0,
    )


def _named(query: bytes) -> tuple[str, str]:
    """Device and user, "" for what is not there; of a query that is not usable what can be seen."""
    if not query:
        return "", ""
    try:
        found = queries.parse(query)
    except QueryError:
        pairs = parse_qsl(query[: queries.MAX_QUERY].decode("latin-1"))
        said = {name.casefold(): value for name, value in pairs}
        return said.get("deviceid", ""), said.get("user", "")
    return found.device_id, found.user


def is_called(login: str, address: str) -> bool:
    """Whether a login, in lower case, may be that of somebody with this address: whole, alone, or behind a domain."""
    whole = address.casefold()
    return bool(login) and login.rpartition("\\")[2] in (whole, whole.partition("@")[0])
