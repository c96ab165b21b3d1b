"""Flow files of mitmproxy and mitmdump (`-w FILE`): one tagged netstring a flow, of which those of HTTP count.

The members that are read here are the same in the versions 7 to 21 of the format, and in the older ones down to 0.18.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from eas.replay.format.model import Exchange, LeftOut, SessionError

from .parts import http_exchange, is_activesync
from .sources import Source
from .tally import Note, Tally
from .tnetstrings import TnetstringError, loads

RECOGNISED = re.compile(rb"\A\d{2,10}:\d{1,9}:[a-z_]{2,20}[;,]")
_METHOD = re.compile(r"[A-Za-z]{1,32}")
#: Bytes of one flow.
MAX_FLOW = 512 * 1024 * 1024


def read(source: Source, tally: Tally) -> Iterator[Exchange]:
    offset = 0
    while (found := _flow(source, offset, tally)) is not None:
        start, (offset, flow) = offset, found
        where = f"{source.name}, at byte {start}"
        if flow is None:
            continue
        if flow.get("type", "http") not in ("http", b"http"):
            tally.add(Note.OTHER)
            continue
        try:
            exchange = _exchange(flow, tally, where)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError) as error:
            tally.add(Note.BROKEN, f"{where}: {str(error)[:100]}")
            continue
        if exchange is None:
            tally.add(Note.OTHER)
        else:
            yield exchange


def _flow(source: Source, offset: int, tally: Tally) -> tuple[int, dict[str, Any] | None] | None:
    """Where the next flow begins, and this one; None at the end, or where the file cannot be read on."""
    head = b""
    while len(head) < 12 and not head.endswith(b":"):
        if not (byte := source.read(1)):
            break
        head += byte
    if not head.strip():
        return None
    if not head[:-1].isdigit() or not head.endswith(b":") or int(head[:-1]) > MAX_FLOW:
        _lost(source, offset, "no flow of mitmproxy", tally)
        return None
    length = int(head[:-1])
    data = source.read(length + 1)
    if len(data) <= length:
        _lost(source, offset, "the file ends in the middle of a flow", tally)
        return None
    end = offset + len(head) + length + 1
    try:
        flow = loads(data[length], data[:length])
    except TnetstringError as error:
        flow = error
    if not isinstance(flow, dict):
        what = str(flow) if isinstance(flow, TnetstringError) else "no flow"
        tally.add(Note.BROKEN, f"{source.name}, at byte {offset}: {what}")
        return end, None
    return end, flow


def _lost(source: Source, offset: int, what: str, tally: Tally) -> None:
    if not tally.imported and not tally.counts:
        raise SessionError(f"{what}, at byte {offset}", file=source.name)
    tally.add(Note.BROKEN, f"{source.name}, at byte {offset}: {what}")


def _exchange(flow: dict[str, Any], tally: Tally, where: str) -> Exchange | None:
    asked, told = flow["request"], flow.get("response")
    target = _text(asked["path"])
    if not is_activesync(target):
        return None
    method = _text(asked["method"])
    if not _METHOD.fullmatch(method):
        raise ValueError("no method")
    began = float(asked["timestamp_start"])
    ended = float((told or {}).get("timestamp_end") or (told or {}).get("timestamp_start") or began)
    error = flow.get("error") or {}
    if told is None:
        tally.add(Note.UNANSWERED, where)
    status = int(told["status_code"]) if told else None
    if status is not None and not 100 <= status <= 999:
        raise ValueError(f"status {status}")
    return http_exchange(
        time=datetime.fromtimestamp(began, UTC), method=method, target=quote(target, safe="/?&=%+:;,@!$'()*~-._"),
        headers=_headers(asked), body=_content(asked), status=status, seconds=ended - began,
        answer_headers=_headers(told) if told else (), answer=_content(told) if told else None,
        why="" if told else _text(error.get("msg") or "the record has no answer")[:200],
    )


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _headers(message: dict[str, Any]) -> list[tuple[str, str]]:
    return [(_text(name).strip(), _text(value).strip()) for name, value in message.get("headers") or ()]


def _content(message: dict[str, Any]) -> bytes | LeftOut | None:
    found = message.get("content", b"")
    if found is None:
        return LeftOut(-1, "mitmproxy passed this on without keeping it")
    if not isinstance(found, bytes):
        raise ValueError("content that is no bytes")
    return found or None
