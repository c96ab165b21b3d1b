"""Captures of tcpdump, Wireshark and dumpcap: pcap and pcapng, of HTTP that is not encrypted.

Behind a proxy that ends TLS, that is what runs between it and the server. Connections are put together again however
their packets lie; one that the capture saw in part gives what it can.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from eas.replay.format.model import Exchange, LeftOut

from .captures import MAGIC, frames
from .order import Desk
from .packets import FIN, RST, SYN, Segment, known_link, segment_of, shown
from .parts import http_exchange, is_activesync
from .sources import Source
from .streams import Piece, Stream
from .tally import Note, Tally
from .wirehttp import Message, Reading

RECOGNISED = re.compile(b"\\A(?:" + b"|".join(map(re.escape, MAGIC)) + b")")
_TLS = re.compile(rb"[\x14-\x17]\x03[\x00-\x04]")
_HTTP2 = b"PRI * HTTP/2.0\r\n"
_METHODS = re.compile(rb"[A-Z]{3,10} ")
#: Connections at the same time; the oldest ends where there are more.
MAX_CONNECTIONS = 20_000

_Pair = tuple[tuple[bytes, int], tuple[bytes, int]]


def read(source: Source, tally: Tally) -> Iterator[Exchange]:
    desk: Desk[_Asked] = Desk()
    connections: dict[_Pair, _Connection] = {}
    for frame in frames(source, tally):
        segment = segment_of(frame.link, frame.data)
        if segment is None:
            if not known_link(frame.link):
                tally.add(Note.BROKEN, f"{source.name}: link type {frame.link} is not read")
            continue
        connection = _connection(connections, segment, desk, tally, source.name)
        if connection is None:
            continue
        connection.take(frame.time, segment)
        if connection.ended:
            del connections[connection.pair]
            connection.close()
        yield from desk.ready(frame.time)
    for connection in connections.values():
        connection.close()
    yield from desk.rest()


def _connection(
    connections: dict[_Pair, _Connection], segment: Segment, desk: Desk[_Asked], tally: Tally, name: str
) -> _Connection | None:
    """None for what follows on the end of one."""
    pair: _Pair = (segment.source, segment.target)
    found = connections.get(pair) or connections.get((pair[1], pair[0]))
    if found is not None and segment.flags & SYN and found.is_over_by(segment):
        found.close()  # the same ports again
        del connections[found.pair]
        found = None
    if found is None:
        if (not segment.data and not segment.flags & SYN) or segment.source == segment.target:
            return None
        if len(connections) >= MAX_CONNECTIONS:
            oldest = next(iter(connections))
            connections.pop(oldest).close()
        where = f"{name}: {shown(segment.source)} to {shown(segment.target)}"
        found = connections[pair] = _Connection(pair, desk, tally, where)
    return found


@dataclass(slots=True)
class _Asked:
    """A request whose answer is awaited; a Draft of the desk."""

    time: datetime
    message: Message
    tally: Tally
    where: str
    answer: Message | None = None

    def exchange(self) -> Exchange | None:
        asked, told = self.message, self.answer
        if not is_activesync(asked.target):
            self.tally.add(Note.OTHER)
            return None
        comments = [
            f"{whose}: bytes of it are lost" for whose, message in (("request", asked), ("answer", told))
            if message is not None and not message.whole
        ]
        if told is None:
            self.tally.add(Note.UNANSWERED, self.where)
        return http_exchange(
            time=asked.began, method=asked.method, target=quote(asked.target, safe="/?&=%+:;,@!$'()*~-._"),
            headers=asked.headers, body=_body(asked), status=told.status if told else None,
            seconds=((told or asked).ended - asked.began).total_seconds(),
            answer_headers=told.headers if told else (), answer=_body(told) if told else None,
            why="" if told else "the capture has no answer", comments=comments,
        )


def _body(message: Message) -> bytes | LeftOut | None:
    if message.whole:
        return bytes(message.body) or None
    length = next((value for name, value in message.headers if name.lower() == "content-length"), "")
    known = int(length) if length.isascii() and length.isdigit() and len(length) < 13 else -1
    return LeftOut(known, f"{len(message.body)} bytes of it were captured")


@dataclass(slots=True)
class _Side:
    stream: Stream = field(default_factory=Stream)
    reading: Reading | None = None
    #: The first bytes, by which it shows who asks.
    first: bool = True
    finished: bool = False


class _Connection:
    """Both directions. Who asks shows in what is said, not in who began: a capture may start in the middle."""

    def __init__(self, pair: _Pair, desk: Desk[_Asked], tally: Tally, where: str) -> None:
        self.pair, self._desk, self._tally, self._where = pair, desk, tally, where
        self._sides = {address: _Side() for address in pair}
        self._asked: deque[tuple[object, _Asked]] = deque()
        self._deaf = False  # encrypted, or no HTTP/1
        self._gap = False  # an answer may be lost as a whole
        self.spoken = self.ended = False

    def is_over_by(self, opening: Segment) -> bool:
        """Whether the same ports are used again."""
        side = self._sides[opening.source]
        return self.spoken and opening.source == self.pair[0] and not side.stream.is_near(opening.sequence)

    def take(self, time: datetime, segment: Segment) -> None:
        side = self._sides.get(segment.source)
        if side is None or self._deaf:
            self.ended = bool(segment.flags & (RST | FIN)) and self._deaf
            return
        if segment.flags & SYN:
            side.stream.opened(segment.sequence)
        self.spoken = self.spoken or bool(segment.data)
        for piece in side.stream.add(time, segment.sequence, segment.data):
            self._piece(side, piece)
        if segment.flags & FIN:
            side.finished = True
        self.ended = bool(segment.flags & RST) or all(one.finished for one in self._sides.values())

    def close(self) -> None:
        """No segment follows. Requests first: an answer needs its request."""
        sides = sorted(self._sides.values(), key=lambda side: side.reading is None or not _asks(side))
        for side in sides:
            for piece in side.stream.finish():
                self._piece(side, piece)
            if side.reading is not None:
                self._messages(side, side.reading.finish())
                self._tally.add(Note.HALF, self._where, side.reading.skipped)
        while self._asked:
            key, _ = self._asked.popleft()
            self._desk.end(key)

    def _piece(self, side: _Side, piece: Piece) -> None:
        if piece.lost:
            self._tally.add(Note.LOST, self._where)
        elif side.first:
            side.first = False
            self._listen(side, piece.data)
        if side.reading is not None and not self._deaf:
            self._messages(side, side.reading.feed(piece))
        if piece.lost and not _asks(side):
            self._gap = True

    def _listen(self, side: _Side, data: bytes) -> None:
        note = Note.ENCRYPTED if _TLS.match(data) else Note.HTTP2 if data.startswith(_HTTP2) else None
        if note is not None:
            self._deaf = True
            self._tally.add(note, self._where)
            return
        other = next(one for one in self._sides.values() if one is not side)
        if data.startswith(b"HTTP/"):
            asks = False
        elif _METHODS.match(data):
            asks = True
        elif other.reading is not None:
            asks = not _asks(other)
        else:  # the middle of something: whoever has the lower port is asked
            asks = side is not self._sides[min(self._sides, key=lambda address: address[1])]
        side.reading = Reading(asks)

    def _messages(self, side: _Side, messages: Iterator[Message]) -> None:
        for message in messages:
            if _asks(side):
                key = object()
                asked = _Asked(message.began, message, self._tally, self._where)
                self._asked.append((key, self._desk.begin(key, asked)))
            elif asked_for := self._request_of(message):
                key, asked = asked_for
                asked.answer = message
                self._desk.end(key)
            else:
                self._tally.add(Note.HALF, self._where)

    def _request_of(self, answer: Message) -> tuple[object, _Asked] | None:
        """The oldest that waits; behind a gap the newest, since nobody asks again before the answer has come."""
        found = None
        while self._asked and self._asked[0][1].time <= answer.began and (found is None or self._gap):
            if found is not None:
                self._desk.end(found[0])
            found = self._asked.popleft()
        self._gap = False
        return found


def _asks(side: _Side) -> bool:
    return side.reading is not None and side.reading.is_request
