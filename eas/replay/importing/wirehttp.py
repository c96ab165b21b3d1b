"""The bytes of one direction of a connection -> HTTP messages, as they end. HTTP/1.0 and 1.1.

Chunked bodies, pipelining, `100 Continue` and bodies that end with the connection are httptools' work; this adds when a
message began and ended, and goes on behind gaps and beginnings that are missing, with the next first line of a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import httptools

from .streams import Piece

#: First lines, by which the reading starts anew: any method, so that other programs' requests keep their answers.
_FIRST = {
    True: re.compile(rb"(?:OPTIONS|POST|GET|PUT|HEAD|DELETE|PATCH) [^ \r\n]{1,8192} HTTP/1\.[01]\r?\n"),
    False: re.compile(rb"HTTP/1\.[01] [1-5][0-9]{2}[ \r\n]"),
}
#: Bytes of one body; what is longer is a download that nobody wants.
MAX_BODY = 128 * 1024 * 1024
#: Bytes without a first line of a message in them, that are looked through again with what follows.
_KEPT = 16 * 1024


@dataclass(slots=True)
class Message:
    """`target` of a request, `status` of an answer. `whole` is False where bytes of it are lost."""

    began: datetime
    ended: datetime
    method: str = ""
    target: str = ""
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    whole: bool = True
    headed: bool = False


class Reading:
    """One direction. `skipped` counts what had no beginning."""

    def __init__(self, is_request: bool) -> None:
        self.is_request = is_request
        self._parser: httptools.HttpRequestParser | httptools.HttpResponseParser | None = None
        self._message: Message | None = None
        self._done: list[Message] = []
        self._rest = b""
        self._lost = True  # until a first line is seen
        self._now: datetime | None = None
        self.skipped = 0

    def feed(self, piece: Piece) -> Iterator[Message]:
        self._now = piece.time
        if piece.lost:
            yield from self._broken()
            return
        data = piece.data
        while data:
            if self._lost:
                data = self._found(data)
                if self._lost:
                    break
            data = self._parse(data)
        yield from self._taken()

    def finish(self) -> Iterator[Message]:
        """The connection has ended: so has a body without a length."""
        message = self._message
        if message is not None:
            sized = any(name.lower() in ("content-length", "transfer-encoding") for name, _ in message.headers)
            message.whole = message.headed and not sized and not self.is_request
        yield from self._broken(keep_whole=True)

    def _parse(self, data: bytes) -> bytes:
        """What is left behind an error; b"" else."""
        parser = self._parser
        assert parser is not None
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._lost = True
            return data[upgrade.args[0] :] if upgrade.args else b""
        except (httptools.HttpParserError, ValueError):
            self._end(whole=False)
            self._lost = True
            self.skipped += 1
        return b""

    def _found(self, data: bytes) -> bytes:
        """From the first line of a message on."""
        data = self._rest + data
        found = _FIRST[self.is_request].search(data)
        if found is None:
            self._rest = data[-_KEPT:]
            return b""
        # Behind a gap it is the rest of what is known to be broken.
        self.skipped += found.start() > 0 and self._parser is None
        self._rest, self._lost = b"", False
        self._parser = (httptools.HttpRequestParser if self.is_request else httptools.HttpResponseParser)(self)
        return data[found.start() :]

    def _broken(self, keep_whole: bool = False) -> Iterator[Message]:
        if self._message is not None:
            self._end(whole=keep_whole and self._message.whole)
        self._lost, self._rest = True, b""
        yield from self._taken()

    def _taken(self) -> Iterator[Message]:
        done, self._done = self._done, []
        yield from done

    def _end(self, whole: bool) -> None:
        message, self._message = self._message, None
        if message is not None and message.headed:
            message.whole = whole
            message.ended = self._now or message.ended
            self._done.append(message)

    # What httptools calls -------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        assert self._now is not None
        self._message = Message(self._now, self._now)

    def on_url(self, url: bytes) -> None:
        if self._message is not None:
            self._message.target += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes | None) -> None:
        if self._message is not None:
            self._message.headers.append((name.decode("latin-1"), (value or b"").decode("latin-1").strip()))

    def on_headers_complete(self) -> None:
        message = self._message
        if message is None:
            return
        message.headed = True
        if isinstance(self._parser, httptools.HttpRequestParser):
            message.method = self._parser.get_method().decode("latin-1")
        elif self._parser is not None:
            message.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        message = self._message
        if message is not None:
            room = MAX_BODY - len(message.body)
            message.body += body[:room]
            message.whole = message.whole and len(body) <= room

    def on_message_complete(self) -> None:
        message = self._message
        if message is not None and message.status // 100 == 1:  # 100 Continue: the answer is still to come
            self._message = None
            return
        self._end(whole=message is not None and message.whole)
