"""An exchange from HTTP that another program recorded: which requests are wanted, bodies that are unpacked already."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote, urlsplit

from eas.replay.format.body import body_of
from eas.replay.format.capture import kept, read_body, unpacked
from eas.replay.format.model import Answer, Body, Exchange, Headers, LeftOut, Request, header

#: Parts of paths of ActiveSync, in lower case. Devices find their server by Autodiscover.
_PATHS = ("/microsoft-server-activesync", "/autodiscover/autodiscover.xml", "/autodiscover/autodiscover.json")


def is_activesync(target: str) -> bool:
    path = target.partition("?")[0].lower()
    return any(wanted in path for wanted in _PATHS)


def target_of(url: str) -> str:
    """Path and query as a request line has them; raises ValueError for no URL."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return target if target.isascii() and target.isprintable() and " " not in target else quote(target, safe="/?&=%+:")


def http_exchange(
    *, time: datetime, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes | LeftOut | None,
    status: int | None, seconds: float, answer_headers: Iterable[tuple[str, str]] = (),
    answer: bytes | LeftOut | None = None, why: str = "", comments: Iterable[str] = (),
) -> Exchange:
    """Pseudo headers of HTTP/2 are left out: method, target and status say what they say."""
    asked, told = _kept(headers), _kept(answer_headers)
    return Exchange(
        number=0, time=time, request=Request(method=method, target=target, headers=asked, body=_body(body, asked)),
        answer=Answer(status=status, seconds=max(seconds, 0.0), headers=told, body=_body(answer, told), why=why),
        comments=tuple(comments),
    )


def _kept(headers: Iterable[tuple[str, str]]) -> Headers:
    return kept((name, value) for name, value in headers if name and not name.startswith(":"))


def _body(data: bytes | LeftOut | None, headers: Headers) -> Body:
    if data is None or isinstance(data, LeftOut):
        return data
    try:
        unpacked(data, header(headers, "Content-Encoding"))
    except ValueError:  # HAR and some proxies unpack what they write, and leave the header
        return body_of(data, header(headers, "Content-Type"))
    return read_body(data, headers)
