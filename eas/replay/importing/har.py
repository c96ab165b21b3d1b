"""HAR 1.2, as browsers, Charles, Fiddler, Proxyman and mitmproxy export it.

Answers are base64 where they are binary. For what was posted the format has text alone: programs that mean well add
`encoding: base64`, others write each byte as a character, and browsers write what is left after reading it as UTF-8.
Of these three the one counts that is WBXML, or as long as `bodySize` says; what fits in no way was not kept.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from eas.protocol import http
from eas.protocol.wbxml import WbxmlError, decode
from eas.replay.format.model import Exchange, LeftOut, SessionError

from .jsonstream import members
from .parts import http_exchange, is_activesync, target_of
from .sources import Source
from .tally import Note, Tally
from .times import iso

RECOGNISED = re.compile(rb'\A(?:\xef\xbb\xbf)?\s*\{\s*"log"\s*:\s*\{')
_METHOD = re.compile(r"[A-Za-z]{1,32}")

Headers = list[tuple[str, str]]


def read(source: Source, tally: Tally) -> Iterator[Exchange]:
    entries = members(source, "entries")
    while True:
        try:
            line, entry = next(entries)
        except StopIteration:
            return
        except SessionError as error:
            if not tally.imported and not tally.counts:
                raise
            tally.add(Note.BROKEN, str(error))
            return
        where = f"{source.name}:{line}"
        try:
            exchange = _exchange(entry, tally, where)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            tally.add(Note.BROKEN, f"{where}: {_what(error)}")
            continue
        if exchange is None:
            tally.add(Note.OTHER)
        else:
            yield exchange


def _what(error: Exception) -> str:
    return f"no member {error}" if isinstance(error, KeyError) else str(error)[:100]


def _exchange(entry: dict[str, Any], tally: Tally, where: str) -> Exchange | None:
    asked, told = entry["request"], entry["response"]
    target, method = target_of(asked["url"]), asked["method"]
    if not is_activesync(target):
        return None
    time = iso(entry["startedDateTime"])
    if time is None or not _METHOD.fullmatch(method):
        raise ValueError("no startedDateTime that is a time" if time is None else "no method")
    headers, answer_headers = _headers(asked), _headers(told)
    body = _posted(asked, headers)
    answer = _content(told)
    for one, whose in ((body, "request"), (answer, "answer")):
        if isinstance(one, LeftOut):
            tally.add(Note.CORRUPT, f"{where}: {whose}: {one.why}")
    status = int(told.get("status") or 0)
    if not 100 <= status <= 999:
        tally.add(Note.UNANSWERED, where)
    return http_exchange(
        time=time, method=method, target=target, headers=headers, body=body,
        status=status if 100 <= status <= 999 else None, seconds=float(entry.get("time") or 0) / 1000,
        answer_headers=answer_headers, answer=answer,
        why="" if status else str(told.get("_error") or told.get("statusText") or "the record has no answer")[:200],
    )


def _headers(message: dict[str, Any]) -> Headers:
    return [(str(one["name"]).strip(), str(one["value"]).strip()) for one in message.get("headers") or ()]


def _size(message: dict[str, Any]) -> int:
    size = message.get("bodySize", -1)
    return size if isinstance(size, int) else -1


def _posted(request: dict[str, Any], headers: Headers) -> bytes | LeftOut | None:
    data = request.get("postData") or {}
    text, size = data.get("text") or "", _size(request)
    if not text:
        return LeftOut(size, "the recording program did not keep what was sent") if size > 0 else None
    if data.get("encoding") == "base64":
        return b64decode(text, validate=True)
    kind = next((value for name, value in headers if name.lower() == "content-type"), data.get("mimeType") or "")
    return _bytes_of(text, {size}, http.is_wbxml(kind))


def _bytes_of(text: str, sizes: set[int], is_wbxml: bool) -> bytes | LeftOut:
    """What was sent, of which a program has made text; one of the `sizes` may be how much it was."""
    found = [text.encode("utf-8", "surrogateescape")] if not _hurt(text) else []
    if all(ord(character) < 0x100 for character in text):
        by_character = text.encode("latin-1")
        found.insert(len(found) if not _is_utf8(by_character) else 0, by_character)
    if is_wbxml:
        found = [data for data in found if _is_wbxml(data)]
    fitting = [data for data in found if len(data) in sizes] or found
    if fitting:
        return fitting[0]
    known = max(sizes)
    return LeftOut(known if known > 0 else -1, "the program that recorded this does not keep binary data that is sent")


def _is_utf8(data: bytes) -> bool:
    """Bytes that are UTF-8 when each character is one are that by no chance: they were never decoded."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _hurt(text: str) -> bool:
    """Bytes that are no UTF-8 have become replacement characters, or lone surrogates that stand for no byte."""
    return "\ufffd" in text or any("\ud800" <= one <= "\udfff" and not "\udc80" <= one <= "\udcff" for one in text)


def _is_wbxml(data: bytes) -> bool:
    try:
        decode(data)
    except WbxmlError:
        return False
    return True


def _content(response: dict[str, Any]) -> bytes | LeftOut | None:
    content = response.get("content") or {}
    text = content.get("text") or ""
    if text and content.get("encoding") == "base64":
        return b64decode(text, validate=True)
    if text:
        # `size` is that of the unpacked answer; mitmproxy writes the packed one, and what packing saved beside it.
        size, saved = int(content.get("size") or -1), int(content.get("compression") or 0)
        return _bytes_of(text, {size, size + saved}, http.is_wbxml(str(content.get("mimeType") or "")))
    size = int(content.get("size") or 0) or _size(response)
    return LeftOut(size, "the recording program did not keep the answer") if size > 0 else None
