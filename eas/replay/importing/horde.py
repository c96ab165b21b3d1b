"""Horde's ActiveSync log: one file for all, one a device (`APPL....txt`) or one a request.

    [4711][2026-11-21T10:00:00+00:00] I:  <FolderHierarchy:SyncKey>

Process, time, and `I` or `O` for what came in and went out, with tags indented by depth; other lines have a level.
Older versions write `2026-11-21T10:00:00+00:00 DEBUG: [4711] I: ...`. There is neither an HTTP status nor a query; a
file for one device has its id for a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from eas.replay.format.model import Exchange

from .drafts import LoggedExchange, Message, command_named
from .order import Desk
from .sources import Source
from .tally import Tally
from .times import iso

RECOGNISED = re.compile(
    rb"(?m)^\[\d+\]\[\d{4}-\d\d-\d\dT[^\]]{8,20}\] (?:I|O|>>>|[A-Z]+): ?"
    rb"|^\d{4}-\d\d-\d\dT\S{8,20} [A-Z]+: \[\d+\] [IO]: ?"
)
_LINE = re.compile(
    r"\[(?P<process>\d{1,10})\]\[(?P<time>[^\]]{19,32})\] (?P<level>I|O|>>>|[A-Z]{3,8}):(?P<rest>.*)"
    r"|(?P<old_time>\d{4}-\d\d-\d\dT\S{8,20}) (?P<old_level>[A-Z]{3,8}):"
    r" \[(?P<old_process>\d{1,10})\] (?P<old_rest>.*)",
    re.DOTALL,
)
_OLD_TRACE = re.compile(r"([IO]):? ?(.*)", re.DOTALL)
_BEGIN = re.compile(r"-{3,}([A-Z]{3,30}) request received for user (\S+)")
_HANDLING = re.compile(r"Handling ([A-Z]{3,30}) command\.?")
_REFUSED = re.compile(r"Returning HTTP ([1-9]\d\d) while handling")
_DEVICE_FILE = re.compile(r"[0-9A-Z]{8,64}")


def read(source: Source, tally: Tally) -> Iterator[Exchange]:
    desk: Desk[LoggedExchange] = Desk()
    last: Message | None = None
    device = _device_of(Path(source.name))
    for number, line in source.lines():
        found = _LINE.fullmatch(line)
        time = iso(found["time"] or found["old_time"]) if found else None
        if found is None or time is None:
            if last is not None:
                last.tracing().more(line)
            continue
        where = f"{source.name}:{number}"
        level, rest = _parts(found)
        process = found["process"] or found["old_process"]
        if level in ("I", "O"):
            draft = _of(desk, process, level, rest, LoggedExchange(time, where, tally, device=device))
            draft.seconds = (time - draft.time).total_seconds()
            last = draft.request if level == "I" else draft.answer
            last.tracing().add(rest)
        else:
            last = None
            _said(desk, process, rest.strip(), LoggedExchange(time, where, tally, device=device))
        yield from desk.ready(time)
    yield from desk.rest()


def _parts(found: re.Match[str]) -> tuple[str, str]:
    if found["process"]:
        return found["level"], found["rest"]
    old = _OLD_TRACE.fullmatch(found["old_rest"])
    return (old[1], " " + old[2]) if old else (found["old_level"], found["old_rest"])


def _of(
    desk: Desk[LoggedExchange], process: str, level: str, rest: str, new: LoggedExchange
) -> LoggedExchange:
    """The exchange to which a line of a trace belongs: where no line says that one begins, a new document does."""
    draft = desk.get(process)
    again = (
        draft is not None and level == "I" and draft.request.trace is not None
        and draft.request.trace.root is not None and rest.lstrip(" ").startswith("<")
    )
    return desk.begin(process, new) if draft is None or again else draft


def _said(desk: Desk[LoggedExchange], process: str, message: str, new: LoggedExchange) -> None:
    draft = desk.get(process)
    if begin := _BEGIN.match(message):
        draft = desk.begin(process, new)
        draft.command, draft.user = command_named(begin[1]), begin[2]
    elif handling := _HANDLING.fullmatch(message):
        if draft is None or draft.answer.trace is not None:
            draft = desk.begin(process, new)
        draft.command = draft.command or command_named(handling[1])
    elif draft is None:
        return
    elif refused := _REFUSED.match(message):
        draft.status, draft.why = int(refused[1]), message[:200]
    elif message.startswith("Maximum memory usage for ActiveSync request"):
        draft.seconds = (new.time - draft.time).total_seconds()
        draft.status = draft.status or 200
        desk.end(process)


def _device_of(path: Path) -> str:
    """The id of a log for one device, which its name or its folder's name is; "" for other files."""
    named = path.name.removesuffix(".gz").removesuffix(".txt").removesuffix(".log")
    for name in (named, path.parent.name):
        if _DEVICE_FILE.fullmatch(name) and any(map(str.isdigit, name)):
            return name
    return ""
