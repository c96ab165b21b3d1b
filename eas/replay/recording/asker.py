"""Whom a request may come from, as far as it shows by itself: enough to leave all others alone, never enough to
believe it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl

from starlette.types import Scope

from eas.protocol import http
from eas.protocol import query as queries
from eas.protocol.query import QueryError

#: Queries that are remembered with what they name: a device asks with the same few all day.
MOST_QUERIES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """`device` in lower case, `agent` the User-Agent; "" for what is not stated. `shown` stands for the Authorization
    header as a whole, 0 for none: who was recognised by it once is so the next time."""

    device: str
    user: str
    agent: str
    shown: int
    authorization: bytes = field(repr=False)

    @property
    def login(self) -> str:
        """Of the Authorization header, else of the query, in lower case."""
        credentials = http.basic_credentials(self.authorization.decode("latin-1"))
        return (credentials[0] if credentials else self.user).strip().casefold()


def asker_of(scope: Scope) -> Asker:
    shown = agent = b""
    for name, value in scope["headers"]:
        if name == b"authorization":
            shown = value
        elif name == b"user-agent":
            agent = value
    device, user = _named(scope["query_string"])
    return Asker(
        device=device, user=user, agent=agent.decode("latin-1"), shown=hash(shown) if shown else 0, authorization=shown,
    )


@lru_cache(MOST_QUERIES)
def _named(query: bytes) -> tuple[str, str]:
    """Device, in lower case, and user, "" for what is not there; of a query that is not usable what can be seen."""
    if not query:
        return "", ""
    try:
        found = queries.parse(query)
    except QueryError:
        pairs = parse_qsl(query[: queries.MAX_QUERY].decode("latin-1"))
        said = {name.casefold(): value for name, value in pairs}
        return said.get("deviceid", "").casefold(), said.get("user", "")
    return found.device_id.casefold(), found.user


def is_called(login: str, address: str) -> bool:
    """Whether a login, in lower case, may be that of somebody with this address: whole, alone, or behind a domain."""
    whole = address.casefold()
    return bool(login) and login.rpartition("\\")[2] in (whole, whole.partition("@")[0])
