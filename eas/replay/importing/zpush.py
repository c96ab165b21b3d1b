"""Z-Push's log with LOGLEVEL_WBXML, or a user's own log file; grommunio-sync writes the same.

    21/11/2026 10:00:00 [ 4711] [WBXML] [anna] [appldnq] I  <FolderHierarchy:FolderSync>

Behind time, process, level, user and (from LOGLEVEL_DEVICEID on) device stands either a tag or text that came in (`I`)
or went out (`O`), or WBXML in base64: all that went out up to 512 KiB, and of what came in the first 4 KiB in newer
versions, all in older ones. Lines of other processes lie between; what has no such beginning goes on with the text
before it. With syslog another time stands before it.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import datetime

from eas.replay.format.model import Exchange

from .drafts import LoggedExchange, Message, command_named
from .order import Desk
from .sources import Source
from .tally import Tally
from .times import Syslog, day_first

RECOGNISED = re.compile(
    rb"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d \[ *\d+\] \[ *[A-Z]+\]|: \[ *\d+\] \[ *(?:WBXML|DEBUG|INFO)\] "
)
_LINE = re.compile(
    r"(?:(?P<time>\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)|(?P<syslog>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) .{0,200}?:)"
    r" \[ *(?P<process>\d{1,10})\] \[ *(?P<level>[A-Z]+)\] ?(?P<rest>.*)", re.DOTALL,
)
_COLUMNS = re.compile(r"(?:\[(?P<user>[^\]\[ ]*)\] )?(?:\[(?P<device>[^\]\[ ]*)\] )?(?P<message>.*)", re.DOTALL)
_SAID = re.compile(r"(\w+)='([^']*)'")
_OLD_END = re.compile(r"Execution time: ([\d.,]{1,12}) - HTTP responde? code: (\d{3})")
_FATAL = re.compile(r"Exception: \((\w+)\) - (.*)")
#: Bytes of a request that newer versions write as base64.
_KEPT = 4096


def read(source: Source, tally: Tally) -> Iterator[Exchange]:
    desk: Desk[LoggedExchange] = Desk()
    syslog = Syslog(source.changed)
    last: Message | None = None  # whose text the next line without a beginning goes on with
    for number, line in source.lines():
        found = _LINE.fullmatch(line)
        time = (day_first(found["time"]) if found["time"] else syslog(found["syslog"])) if found else None
        if found is None or time is None:
            if last is not None and last.trace is not None:
                last.trace.more(line)
            continue
        last = _take(desk, found, time, f"{source.name}:{number}", tally)
        yield from desk.ready(time)
    yield from desk.rest()


def _take(
    desk: Desk[LoggedExchange], line: re.Match[str], time: datetime, where: str, tally: Tally,
) -> Message | None:
    """The message whose text may go on in the next line, if any."""
    columns = _COLUMNS.fullmatch(line["rest"])
    if columns is None:
        return None
    process, message = line["process"], columns["message"]
    if message.startswith("-------- Start"):
        desk.begin(process, LoggedExchange(time, where, tally))
        return None
    draft = desk.get(process)
    if draft is None:
        if not message.startswith(("I ", "O ", "WBXML-", "cmd=")):
            return None
        draft = desk.begin(process, LoggedExchange(time, where, tally))
        draft.comments.append("the log begins in the middle of this exchange")
    draft.user = draft.user or columns["user"] or ""
    draft.device = draft.device or columns["device"] or ""
    if message.startswith("-------- End"):
        desk.end(process)
        return None
    draft.seconds = max(draft.seconds, (time - draft.time).total_seconds())
    if line["level"] == "WBXML" and message[:2] in ("I ", "O "):
        told = draft.request if message[0] == "I" else draft.answer
        told.tracing().add(message[1:])
        return told
    for beginning, take in _MESSAGES.items():
        if message.startswith(beginning):
            take(draft, message[len(beginning) :])
            break
    return None


def _request(draft: LoggedExchange, said: str) -> None:
    """cmd='Sync' devType='iPhone' devId='...' getUser='anna' ... method='POST'; at the end with time and httpcode."""
    fields = dict(_SAID.findall(said))
    draft.command = command_named(fields.get("cmd", "")) or draft.command
    draft.user = fields.get("getUser") or draft.user
    draft.device = fields.get("devId") or draft.device
    draft.device_type = fields.get("devType") or draft.device_type
    if re.fullmatch("[A-Z]{1,10}", fields.get("method", "")):
        draft.method = fields["method"]
    if draft.method == "OPTIONS":
        draft.command = "OPTIONS"
    if re.fullmatch("[1-9][0-9]{2}", fields.get("httpcode", "")):
        _done(draft, fields.get("time", "").removesuffix("s"), fields["httpcode"])


def _old_end(draft: LoggedExchange, said: str) -> None:
    if found := _OLD_END.search(said):
        _done(draft, found[1], found[2])


def _done(draft: LoggedExchange, seconds: str, status: str) -> None:
    if re.fullmatch(r"[\d,]{1,9}(\.\d{1,9})?", seconds):
        draft.seconds = float(seconds.replace(",", ""))
    draft.status = int(status)


def _version(draft: LoggedExchange, said: str) -> None:
    _header(draft, "MS-ASProtocolVersion", said.strip())


def _policy_key(draft: LoggedExchange, said: str) -> None:
    if found := re.match(r"(\d{1,10})'", said):
        _header(draft, "X-MS-PolicyKey", found[1])


def _agent(draft: LoggedExchange, said: str) -> None:
    _header(draft, "User-Agent", said.rstrip("'\r"))


def _header(draft: LoggedExchange, name: str, value: str) -> None:
    if value and name not in dict(draft.headers):
        draft.headers.append((name, value))


def _came(draft: LoggedExchange, said: str) -> None:
    data = _base64(said)
    if data is not None and len(data) == _KEPT and draft.request.trace is None:
        draft.request.comments.append(f"request: cut short in the log, after {_KEPT} bytes")
    draft.request.data = data


def _went(draft: LoggedExchange, said: str) -> None:
    draft.answer.data = _base64(said)


def _base64(said: str) -> bytes | None:
    try:
        return b64decode(said.strip(), validate=True) or None
    except ValueError:  # "more than 512K of data"
        return None


def _failed(draft: LoggedExchange, said: str) -> None:
    if found := _FATAL.match(f"Exception:{said}"):
        draft.why = f"{found[1]}: {found[2].strip()}"[:200]


#: What a message begins with -> what it says.
_MESSAGES: dict[str, Callable[[LoggedExchange, str], None]] = {
    "WBXML-IN : ": _came,
    "WBXML-OUT: ": _went,
    "cmd=": lambda draft, said: _request(draft, f"cmd={said}"),
    "Version=": _request,
    "Memory usage information": _old_end,
    "Request::ProcessHeaders() ASVersion: ": _version,
    "DeviceManager->ProvisioningRequired('": _policy_key,
    "User-agent: '": _agent,
    "Exception:": _failed,
}
