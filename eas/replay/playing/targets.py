"""The request line of a session for another server: path and query, in either form. [MS-ASHTTP] Request Line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote, unquote

from eas.protocol import http
from eas.protocol import query as queries
from eas.protocol.query import Query
from eas.protocol.version import Version

from .binding import Who
from .roles import PARAMETERS, Kind

#: Kind, recorded value, recorded folder -> live value.
Bound = Callable[[Kind, str | bytes, str], str | bytes]

#: Parameters that say who asks -> field of Who.
_WHO = {"user": "user", "deviceid": "device"}


def live_target(target: str, bound: Bound, who: Who, version: str = "") -> str:
    """The target with what the server chose replaced by `bound`, and who asks by `who`. What needs no change stays
    as it is, byte for byte. May raise what `bound` raises."""
    path, mark, query = target.partition("?")
    if not mark:
        return target
    if "=" in query.rstrip("=") or "&" in query:
        return f"{path}?{_plain(query, bound, who)}"
    try:
        asked = queries.parse(query)
    except queries.QueryError:
        return target
    live = _encoded(asked, bound, who, version)
    return target if live == asked else f"{path}?{_token(live)}"


def _plain(query: str, bound: Bound, who: Who) -> str:
    parts = query.split("&")
    values = {name.lower(): unquote(value) for name, _, value in (part.partition("=") for part in parts)}
    folder = values.get("collectionid", "")
    out = []
    for part in parts:
        name, equals, value = part.partition("=")
        key, was = name.lower(), unquote(value)
        now = getattr(who, _WHO[key]) or was if key in _WHO else was
        if (kind := PARAMETERS.get(key)) is not None:
            now = str(bound(kind, was, folder if kind is Kind.ITEM else ""))
        out.append(part if now == was else f"{name}{equals}{quote(now, safe='')}")
    return "&".join(out)


def _encoded(asked: Query, bound: Bound, who: Who, version: str) -> Query:
    folder = asked.collection_id or ""
    changes: dict[str, object] = {}
    for parameter, field in queries.FIELD_OF_PARAMETER.items():
        kind, was = PARAMETERS.get(parameter.lower()), getattr(asked, field)
        if kind is not None and was:
            changes[field] = str(bound(kind, was, folder if kind is Kind.ITEM else ""))
    if asked.policy_key:
        key = str(bound(Kind.POLICY, str(asked.policy_key), ""))
        changes["policy_key"] = int(key) if key.isdigit() else asked.policy_key
    if who.user and asked.user:
        changes["user"] = who.user
    if who.device:
        changes["device_id"] = who.device
    if version:
        changes["version"] = Version.parse(version)
    return replace(asked, **changes)  # type: ignore[arg-type]


def _token(query: Query) -> str:
    """In base64; in plain form where that cannot say it."""
    try:
        return quote(queries.encode_base64(query), safe="")
    except ValueError:
        return queries.plain(query)


def spelled_out(target: str, recorded: str, bound: Bound, version: str = "") -> dict[str, str]:
    """The headers that a plain query needs where the recorded one was base64, which says them itself; else none."""
    if "Cmd=" not in target or "Cmd=" in recorded:
        return {}
    try:
        asked = queries.parse(recorded.partition("?")[2])
    except queries.QueryError:
        return {}
    key = str(bound(Kind.POLICY, str(asked.policy_key), "")) if asked.policy_key else ""
    return http.request_headers(replace(
        asked, encoded=False, version=Version.parse(version) if version else asked.version,
        policy_key=int(key) if key.isdigit() else asked.policy_key,
    ))


def command_of(target: str) -> str:
    """The command of a request line, "" for none (OPTIONS, Autodiscover)."""
    query = target.partition("?")[2]
    if not query:
        return ""
    try:
        return queries.parse(query).command
    except queries.QueryError as error:
        return error.command


def device_of(target: str) -> tuple[str, str]:
    """User and device id in a request line, "" where it has none."""
    try:
        found = queries.parse(target.partition("?")[2])
    except queries.QueryError:
        return "", ""
    return found.user, found.device_id
