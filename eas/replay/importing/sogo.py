"""SOGo's log with SOGoEASDebugEnabled = YES: the documents as XML, of which the first line alone has a process.

    Nov 21 10:00:00 sogod [4711]: |SOGo| starting method 'POST' on uri '/SOGo/Microsoft-Server-ActiveSync?Cmd=...'
    Nov 21 10:00:00 sogod [4711]: <0x0x5581[SOGoActiveSyncDispatcher]> EAS - request for device D: <?xml version="1.0"?>
    <!DOCTYPE ...>
    <FolderSync xmlns="FolderHierarchy:">...
    Nov 21 10:00:01 sogod [4711]: 192.0.2.1 "POST /SOGo/Microsoft-Server-ActiveSync?Cmd=... HTTP/1.1" 200 62/13 0.034 -

Containers put a name, a time and a host before each line, also of those that go on. A process does one request at a
time. The year is not in it: that of the file's last change counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from urllib.parse import quote

from eas.replay.format.model import Exchange

from .drafts import LoggedExchange, xml_body
from .order import Desk
from .sources import Source
from .tally import Tally
from .times import Syslog, iso

RECOGNISED = re.compile(rb"\[SOGoActiveSyncDispatcher\]> EAS - |sogod \[\d+\]: .{0,200}Microsoft-Server-ActiveSync")
#: What containers, and a syslog on the way, put before a line.
_AROUND = re.compile(r"[A-Za-z0-9_.-]{1,60} +\| ?")
_SYSLOG = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
_ON_THE_WAY = re.compile(rf"{_SYSLOG} \S+ (?:syslog-ng\[\d+\]: Error processing log message: )?")
_LINE = re.compile(
    rf"(?:(?P<time>{_SYSLOG})(?: \S+)?|(?:\S+ )?(?P<iso>\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*)(?: \S+)?)"
    r" sogod ?\[(?P<process>\d{1,10})(?::\d+)?\]:? (?P<message>.*)", re.DOTALL,
)
_START = re.compile(r"\|SOGo\| starting method '([A-Z]{3,10})' on uri '([^']*)'")
_DOCUMENT = re.compile(r"<0x[0-9a-fx]+\[SOGoActiveSyncDispatcher\]> EAS - (request|response) for device (\S*?): ?(.*)")
_END = re.compile(r"\S+ \"([A-Z]{3,10}) (\S+) HTTP/[0-9.]+\" ([1-9]\d\d) \S+ (\d{1,7}(?:\.\d{1,6})?)(?: .*)?")
#: The first element of a document, and whether it is all of it.
_ROOT = re.compile(r"<([A-Za-z]{2,40})(?: [^<>]*?)?(/)?>")
#: What SOGo's own messages begin with.
_OWN = re.compile(r"<0x|\[[A-Z]{3,8}\] |\|SOGo\||\S+ \"[A-Z]{3,10} /")
_ACTIVESYNC = "Microsoft-Server-ActiveSync"
#: Lines of one document: what is longer is no XML that ends.
MAX_LINES = 2_000_000


@dataclass(slots=True)
class _Document:
    """XML that is being gathered; `_root` is its first element's name, once that is seen."""

    process: str
    lines: list[str]
    _root: str = ""
    _closed: bool = False

    def add(self, line: str) -> None:
        if self._closed or len(self.lines) >= MAX_LINES:
            return
        self.lines.append(line)
        if not self._root and (found := _ROOT.search(line)):
            self._root, self._closed = found[1], bool(found[2])
        self._closed = self._closed or (bool(self._root) and f"</{self._root}>" in line)

    def goes_on(self, process: str, message: str) -> bool:
        """Where each line has a beginning, those of a document do as well."""
        return process == self.process and not self._closed and not _OWN.match(message)


@dataclass(slots=True)
class _Logged(LoggedExchange):
    """With the XML that is being gathered, by "request" or "answer"."""

    xml: dict[str, list[str]] = field(default_factory=dict)

    def exchange(self) -> Exchange | None:
        for whose in ("request", "answer"):
            if lines := self.xml.pop(whose, None):
                text = "\n".join(lines).strip()
                if text and text != "(null)":
                    body = xml_body(text, whose, self.tally, self.where, self.comments, opaque_base64=True)
                    setattr(self, f"{whose}_body", body)
        return super(_Logged, self).exchange()


def read(source: Source, tally: Tally) -> Iterator[Exchange]:
    desk: Desk[_Logged] = Desk()
    syslog = Syslog(source.changed)
    more: _Document | None = None  # to which the next line without a beginning belongs
    for number, raw in source.lines():
        line = _bare(raw)
        found = _LINE.fullmatch(line)
        time = (syslog(found["time"]) if found["time"] else iso(found["iso"])) if found else None
        if found is None or time is None:
            if more is not None:
                more.add(_ON_THE_WAY.sub("", line, count=1) if line is not raw else line)
            continue
        message = found["message"]
        if inner := _LINE.fullmatch(message):  # journald puts its own before what has one already
            message = inner["message"]
        if more is not None and more.goes_on(found["process"], message):
            more.add(message)
            continue
        new = partial(_Logged, time, f"{source.name}:{number}", tally)
        more = _take(desk, found["process"], message, time, new)
        yield from desk.ready(time)
    yield from desk.rest()


def _bare(line: str) -> str:
    return line[around.end() :] if (around := _AROUND.match(line)) else line


def _take(
    desk: Desk[_Logged], process: str, message: str, time: datetime, new: Callable[[], _Logged]
) -> _Document | None:
    """The document that this line begins, if it does."""
    draft = desk.get(process)
    if start := _START.match(message):
        desk.end(process)
        if _ACTIVESYNC in start[2]:
            draft = desk.begin(process, new())
            draft.method, draft.target = start[1], _target(start[2])
        return None
    if document := _DOCUMENT.match(message):
        whose = "request" if document[1] == "request" else "answer"
        if draft is None or whose in draft.xml:
            draft = desk.begin(process, new())
        draft.device = draft.device or document[2]
        draft.seconds = (time - draft.time).total_seconds()
        begun = _Document(process, draft.xml.setdefault(whose, []))
        begun.add(document[3])
        return begun
    if (end := _END.fullmatch(message)) and _ACTIVESYNC in end[2]:
        draft = draft or desk.begin(process, new())
        draft.method, draft.target = end[1], _target(end[2])
        draft.status, draft.seconds = int(end[3]), float(end[4])
        desk.end(process)
    return None


def _target(uri: str) -> str:
    """Without the prefix under which SOGo stands behind its proxy; what no request line can hold is encoded."""
    return quote("/" + uri[uri.index(_ACTIVESYNC) :], safe="/?&=%+:;,@!$'()*~-._")
