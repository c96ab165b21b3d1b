"""Frames of pcap and pcapng files: when, what kind of link, the bytes. Any number of interfaces, either byte order.

pcap: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-03.html, pcapng: draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from struct import Struct

from eas.replay.format.model import SessionError

from .sources import Source
from .tally import Note, Tally

#: Magic number of a pcap -> byte order, parts of a second.
_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 10**6), b"\xa1\xb2\xc3\xd4": (">", 10**6),
    b"\x4d\x3c\xb2\xa1": ("<", 10**9), b"\xa1\xb2\x3c\x4d": (">", 10**9),
}
_SECTION = b"\x0a\x0d\x0d\x0a"
_ORDER_OF_MAGIC = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
MAGIC = (*_PCAP, _SECTION)
#: Types of blocks.
_INTERFACE, _SIMPLE, _ENHANCED = 1, 3, 6
#: Options of an interface.
_RESOLUTION, _OFFSET = 9, 14
#: Bytes of one frame, and of one block. Offloading makes packets of 64 KiB, and no more.
MAX_FRAME, MAX_BLOCK = 512 * 1024, 16 * 1024 * 1024

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Frame:
    time: datetime
    link: int
    data: bytes


class _Ended(Exception):
    """What is wrong, where the file cannot be read on."""


def frames(source: Source, tally: Tally) -> Iterator[Frame]:
    """Raises SessionError where there is not even a first frame."""
    reader = _Reader(source)
    found = False
    try:
        magic = reader.take(4)
        for frame in _pcap(reader, magic) if magic in _PCAP else _pcapng(reader, magic):
            found = True
            yield frame
    except _Ended as error:
        if not found:
            raise SessionError(f"{error}, at byte {reader.offset}", file=source.name) from None
        tally.add(Note.BROKEN, f"{source.name}, at byte {reader.offset}: {error}")


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._ahead = b""
        self.offset = 0

    def left(self, size: int) -> bool:
        """Whether so much follows; False at the very end only."""
        self._ahead += self._source.read(size - len(self._ahead)) if size > len(self._ahead) else b""
        if self._ahead and len(self._ahead) < size:
            raise _Ended("the file ends in the middle of a frame")
        return bool(self._ahead)

    def take(self, size: int) -> bytes:
        if not self.left(size) and size:
            raise _Ended("the file ends in the middle of a frame")
        taken, self._ahead = self._ahead[:size], self._ahead[size:]
        self.offset += size
        return taken


def _pcap(reader: _Reader, magic: bytes) -> Iterator[Frame]:
    order, parts = _PCAP[magic]
    *_, link = Struct(f"{order}HHIIII").unpack(reader.take(20))
    record = Struct(f"{order}IIII")
    while reader.left(record.size):
        seconds, fraction, kept, _ = record.unpack(reader.take(record.size))
        if kept > MAX_FRAME:
            raise _Ended(f"a frame of {kept} bytes")
        yield Frame(_time(seconds * parts + fraction, parts), link & 0xFFFF, reader.take(kept))


def _time(count: int, parts: int) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=count // parts, microseconds=count % parts * 10**6 // parts)
    except OverflowError:
        return _EPOCH


@dataclass(frozen=True, slots=True)
class _Interface:
    link: int
    kept: int
    parts: int = 10**6
    offset: int = 0


def _pcapng(reader: _Reader, magic: bytes) -> Iterator[Frame]:
    if magic != _SECTION:
        raise _Ended("neither pcap nor pcapng")
    order, interfaces = _section(reader), list[_Interface]()
    last = _EPOCH
    while reader.left(4):
        kind = reader.take(4)
        if kind == _SECTION:
            order, interfaces = _section(reader), []
            continue
        (number,), body = Struct(f"{order}I").unpack(kind), _block(reader, order)
        if number == _INTERFACE and len(body) >= 8:
            interfaces.append(_interface(body, order))
        elif number == _ENHANCED and len(body) >= 20:
            which, high, low, kept, _ = Struct(f"{order}IIIII").unpack_from(body)
            if which < len(interfaces):
                interface = interfaces[which]
                last = _time((high << 32 | low) + interface.offset * interface.parts, interface.parts)
                yield Frame(last, interface.link, body[20 : 20 + kept])
        elif number == _SIMPLE and len(body) >= 4 and interfaces:
            (length,) = Struct(f"{order}I").unpack_from(body)
            kept = min(length, interfaces[0].kept or length)
            yield Frame(last, interfaces[0].link, body[4 : 4 + kept])  # these have no time of their own


def _section(reader: _Reader) -> str:
    head = reader.take(8)
    order = _ORDER_OF_MAGIC.get(head[4:])
    if order is None:
        raise _Ended("a section of pcapng without its byte order")
    (length,) = Struct(f"{order}I").unpack(head[:4])
    if not 16 <= length <= MAX_BLOCK:
        raise _Ended(f"a block of {length} bytes")
    reader.take(length - 12)
    return order


def _block(reader: _Reader, order: str) -> bytes:
    """What stands between the lengths at either end."""
    (length,) = Struct(f"{order}I").unpack(reader.take(4))
    if not 12 <= length <= MAX_BLOCK or length % 4:
        raise _Ended(f"a block of {length} bytes")
    return reader.take(length - 8)[:-4]


def _interface(body: bytes, order: str) -> _Interface:
    link, _, kept = Struct(f"{order}HHI").unpack_from(body)
    parts, offset, at = 10**6, 0, 8
    while at + 4 <= len(body):
        code, length = Struct(f"{order}HH").unpack_from(body, at)
        value = body[at + 4 : at + 4 + length]
        if code == _RESOLUTION and len(value) == 1:
            parts = (2 if value[0] & 0x80 else 10) ** min(value[0] & 0x7F, 30)
        elif code == _OFFSET and len(value) == 8:
            (offset,) = Struct(f"{order}q").unpack(value)
        at += 4 + length + -length % 4
    return _Interface(link, kept, parts, offset)
