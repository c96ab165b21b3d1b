"""An exchange put together from what a log says of it, where the log has no HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from eas.protocol import http
from eas.protocol.query import COMMANDS
from eas.replay.format import body as bodies
from eas.replay.format.capture import kept
from eas.replay.format.document import DocumentError
from eas.replay.format.model import Answer, Binary, Body, Document, Exchange, Request, Text

from .placeholders import Placeholders
from .tally import Note, Tally
from .traces import BLANKS, Trace
from .xmltext import from_xml

_COMMAND_OF_LOWER = {name.lower(): name for name in (*COMMANDS, "OPTIONS")}


@dataclass(slots=True)
class Message:
    """A request's or an answer's content, as a log tells it: as a trace of tags, or as the bytes themselves."""

    whose: str
    placeholders: Placeholders = field(default_factory=Placeholders)
    trace: Trace | None = None
    data: bytes | None = None
    comments: list[str] = field(default_factory=list)

    def tracing(self) -> Trace:
        if self.trace is None:
            self.trace = Trace(BLANKS["I" if self.whose == "request" else "O"], self.placeholders)
        return self.trace

    def body(self, tally: Tally, where: str) -> Body:
        """The bytes where the log has all of them, else what the trace tells."""
        whole = None if self.data is None else bodies.body_of(self.data, _type_of(self.data))
        if whole is not None and not isinstance(whole, Binary):
            return whole
        if self.trace is None or self.trace.empty:
            return whole
        self.trace.finish()
        if self.trace.problem:
            self.comments.append(f"{self.whose}: {self.trace.problem}")
            tally.add(Note.CUT, f"{where}: {self.trace.problem}")
        count(self.placeholders, tally, where)
        self.comments += self.placeholders.comments(self.whose)
        return None if self.trace.root is None else Document(self.trace.root)


def _type_of(data: bytes) -> str:
    """WBXML and text tell themselves; the count of a multipart answer's parts is a small number of four bytes."""
    return http.MULTIPART if len(data) > 4 and data[1:4] == b"\0\0\0" else ""


def xml_body(
    text: str, whose: str, tally: Tally, where: str, comments: list[str], *, opaque_base64: bool = False
) -> Body:
    """The document that some XML is; what is none of ours stays as the text that it is."""
    placeholders = Placeholders()
    try:
        root = from_xml(text, placeholders, opaque_base64=opaque_base64)
    except DocumentError as error:
        comments.append(f"{whose}: {error}")
        tally.add(Note.NOT_WBXML, f"{where}: {error}")
        return Text("xml", text.encode("utf-8", "replace"))
    count(placeholders, tally, where)
    comments += placeholders.comments(whose)
    return Document(root)


def count(placeholders: Placeholders, tally: Tally, where: str) -> None:
    tally.add(Note.REPLACED, where, placeholders.replaced.total())
    tally.add(Note.CUT, where, placeholders.short.total())


@dataclass(slots=True)
class LoggedExchange:
    """What a log has said of one request so far. `where` is its first line, "sogo.log:12"; `target` as it came, or
    what is put together from command, user and device."""

    time: datetime
    where: str
    tally: Tally
    method: str = "POST"
    target: str = ""
    command: str = ""
    user: str = ""
    device: str = ""
    device_type: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    request: Message = field(default_factory=lambda: Message("request"))
    answer: Message = field(default_factory=lambda: Message("answer"))
    request_body: Body = None
    answer_body: Body = None
    status: int | None = None
    seconds: float = 0.0
    why: str = ""
    comments: list[str] = field(default_factory=list)

    def exchange(self) -> Exchange | None:
        """None where nothing was said but that a request came."""
        request = self.request_body or self.request.body(self.tally, self.where)
        answer = self.answer_body or self.answer.body(self.tally, self.where)
        command = self.command or _command_of(request) or _command_of(answer)
        if not self.target and not command:
            return None
        target = self.target or self._target(command)
        if self.status is None and answer is not None:
            self.status = 200
        if self.status is None:
            self.tally.add(Note.UNANSWERED, self.where)
            self.why = self.why or "the log has no answer"
        return Exchange(
            number=0, time=self.time,
            request=Request(
                method=self.method, target=target,
                headers=kept([*self.headers, *_content_type(request)]), body=request,
            ),
            answer=Answer(
                status=self.status, seconds=max(self.seconds, 0.0), headers=kept(_content_type(answer)), body=answer,
                why=self.why,
            ),
            comments=(*self.comments, *self.request.comments, *self.answer.comments),
        )

    def _target(self, command: str) -> str:
        """The request line's path and query; that of OPTIONS, which is no command, says so in the method."""
        if command == "OPTIONS":
            self.method, command = "OPTIONS", ""
        said = {"Cmd": command, "User": self.user, "DeviceId": self.device, "DeviceType": self.device_type}
        query = "&".join(f"{name}={quote(value, safe='@')}" for name, value in said.items() if value)
        return f"{http.PATH}?{query}" if query else http.PATH


def command_named(name: str) -> str:
    """The command in its right case; "" for none."""
    return _COMMAND_OF_LOWER.get(name.lower(), "")


def _command_of(body: Body) -> str:
    return command_named(body.root.tag.partition(":")[2]) if isinstance(body, Document) else ""


def _content_type(body: Body) -> list[tuple[str, str]]:
    """Logs have no headers; a document's type is known all the same."""
    return [("Content-Type", http.WBXML)] if isinstance(body, Document) else []
