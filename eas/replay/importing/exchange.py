"""Exchange's mailbox log of a device, which the owner or Get-MobileDeviceStatistics -GetMailboxLog gets by mail.

     Log Entry: 0
    RequestTime :
    11/21/2026 10:00:00
    RequestHeader :
    POST /Microsoft-Server-ActiveSync/default.eas?Cmd=Sync&... HTTP/1.1
    ...
    RequestBody :
    <?xml version="1.0" encoding="utf-8" ?>
    <Sync xmlns="AirSync:">...

and likewise AccessState, ResponseHeader, ResponseBody, ResponseTime and others. Most texts are replaced by their length
(`bytes="19"`) unless the server logs verbosely. Times are UTC, in the American order.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import datetime

from eas.replay.format.body import body_of
from eas.replay.format.capture import kept
from eas.replay.format.model import Answer, Binary, Body, Exchange, Headers, LeftOut, Request, Text, header

from .drafts import xml_body
from .sources import Source
from .tally import Note, Tally
from .times import iso, month_first

RECOGNISED = re.compile(rb"Log Entry: \d+[\s-]{0,80}?RequestTime ?:|L\0o\0g\0 \0E\0n\0t\0r\0y\0:\0")
_ENTRY = re.compile(r"\s*Log Entry: ?(\d{1,9})\s*")
_FIELD = re.compile(r"([A-Z][A-Za-z_]{2,60}) ?:\s*(.*)")
_REQUEST = re.compile(r"([A-Z]{3,10}) (\S+)(?: HTTP/[0-9.]+)?\s*")
_STATUS = re.compile(r"(?:HTTP/[0-9.]+ )?([1-9]\d\d)\b.*")
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,80}):\s?(.*)")
#: Fields that the program uses; what others say is a comment where it fits on one line.
_USED = (
    "RequestTime", "RequestHeader", "RequestBody", "WbxmlRequestBody", "ResponseTime", "ResponseHeader",
    "ResponseBody", "WbxmlResponseBody",
)
#: Of the others, what helps to understand an exchange.
_TOLD = ("ServerName", "AssemblyVersion", "WasPending", "AccessState", "AccessStateReason", "Exception")
_EXPORTED = re.compile(r"-{5,}")
#: What IIS makes of the path that devices ask for.
_INTERNAL = re.compile(r"(?i)(?<=^/Microsoft-Server-ActiveSync)(?:/Proxy)?/default\.eas(?=\?|$)")
#: Lines of one entry.
MAX_LINES = 2_000_000

_Fields = dict[str, list[str]]


def read(source: Source, tally: Tally) -> Iterator[Exchange]:
    fields: _Fields | None = None
    value: list[str] = []
    where, blank, count = "", True, 0
    for number, line in source.lines():
        if _ENTRY.fullmatch(line):
            if fields is not None:
                yield from _exchange(fields, where, tally)
            fields, where, value, count = {}, f"{source.name}:{number}", [], 0
            continue
        if fields is None:
            continue
        count += 1
        found = _FIELD.fullmatch(line) if blank or line.startswith(_USED + _TOLD) else None
        if found and found[1] not in fields and _begins(found):
            value = fields.setdefault(found[1], [found[2]] if found[2] else [])
        elif count <= MAX_LINES:
            value.append(line)
        blank = not line.strip()
    if fields is not None:
        yield from _exchange(fields, where, tally)


def _begins(found: re.Match[str]) -> bool:
    """A field of the log, and not a line of a header or a text: those have their value beside their name."""
    return found[1] in _USED + _TOLD or not found[2]


def _exchange(fields: _Fields, where: str, tally: Tally) -> Iterator[Exchange]:
    time = _time(fields, "RequestTime")
    first, headers = _headers(fields.get("RequestHeader", []))
    line = _REQUEST.fullmatch(first)
    if time is None or line is None:
        missing = "no RequestTime that is a time" if time is None else "no RequestHeader with a request line"
        tally.add(Note.BROKEN, f"{where}: {missing}")
        return
    comments = [f"{name}: {said}" for name in _TOLD if (said := _one_line(fields.get(name, [])))]
    status_line, answer_headers = _headers(fields.get("ResponseHeader", []))
    status = int(found[1]) if (found := _STATUS.fullmatch(status_line)) else None
    body = _body(fields, "Request", headers, where, tally, comments)
    answer = _body(fields, "Response", answer_headers, where, tally, comments)
    if status is None and answer is not None:
        status = 200
        comments.append("the log has no status of HTTP: 200 is supposed")
    if status is None:
        tally.add(Note.UNANSWERED, where)
    ended = _time(fields, "ResponseTime") or time
    yield Exchange(
        number=0, time=time, request=Request(
            method=line[1], target=_INTERNAL.sub("", line[2]), headers=headers, body=body,
        ),
        answer=Answer(
            status=status, seconds=max((ended - time).total_seconds(), 0.0), headers=answer_headers, body=answer,
            why="" if status else "the log has no answer",
        ),
        comments=tuple(comments),
    )


def _time(fields: _Fields, name: str) -> datetime | None:
    text = _one_line(fields.get(name, []))
    return month_first(text) or iso(text)


def _one_line(lines: list[str]) -> str:
    return " ".join(" ".join(_content(lines)).split())[:300]


def _content(lines: list[str]) -> list[str]:
    """Without the rules that stand between entries."""
    return [line for line in lines if not _EXPORTED.fullmatch(line.strip())]


def _headers(lines: list[str]) -> tuple[str, Headers]:
    """The first line, and the headers. A header may go on in the next line."""
    shown = [line.strip("\r") for line in lines if line.strip()]
    found = [match.groups() for line in shown[1:] if (match := _HEADER.fullmatch(line))]
    return (shown[0].strip() if shown else ""), kept((name, value.strip()) for name, value in found)


def _body(
    fields: _Fields, side: str, headers: Headers, where: str, tally: Tally, comments: list[str]
) -> Body:
    whose = "request" if side == "Request" else "answer"
    text = "\n".join(_content(fields.get(f"{side}Body", []))).strip()
    if raw := "".join("".join(fields.get(f"Wbxml{side}Body", [])).split()):
        made = body_of(_bytes(raw), header(headers, "Content-Type"))
        if made is not None and not (text and isinstance(made, Binary | Text)):
            return made
    if not text:
        return None
    if text.startswith("<"):
        return xml_body(text, whose, tally, where, comments)
    if text.startswith("[") and text.endswith("]") and "\n" not in text:  # [Empty Body] and the like
        if "empty" in text.lower():
            return None
        tally.add(Note.CORRUPT, f"{where}: {text[:80]}")
        return LeftOut(-1, text.strip("[]")[:200])
    return body_of(text.replace("\n", "\r\n").encode("utf-8", "replace"), header(headers, "Content-Type"))


def _bytes(text: str) -> bytes:
    """Hex, or base64; nothing where it is neither."""
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        pass
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""
