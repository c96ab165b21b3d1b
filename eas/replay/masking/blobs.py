"""Bytes that are no text: pictures, documents, certificates, ids. As many of them, and of the same kind."""

from __future__ import annotations

import re
import struct
from zlib import compress, crc32

from .words import Words

#: What files begin with, and how much of it is said to be the kind; the rest of them is content.
KINDS: tuple[tuple[bytes, int], ...] = (
    (b"%PDF-", 8), (b"PK\x03\x04", 4), (b"\xd0\xcf\x11\xe0", 8), (b"{\\rtf1", 6), (b"\xff\xd8\xff", 20), (b"GIF8", 6),
    (b"\x89PNG", 8), (b"RIFF", 12), (b"BM", 2), (b"\x1f\x8b", 4), (b"\x78\x9f\x3e\x22", 6), (b"ID3", 4), (b"OggS", 4),
    (b"\x00\x00\x00", 12), (b"\x30\x82", 4), (b"\x30\x80", 2),
)
_GIF = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_INDEX_HEAD, _INDEX_CHILD = 22, 5
#: Class id of a global object id, behind which a date, a time and the data follow. [MS-OXOCAL] PidLidGlobalObjectId.
_OBJECT = bytes.fromhex("040000008200E00074C5B7101A82E008")
_VCAL = b"vCal-Uid\x01\x00\x00\x00"
_DATA = 40
_HEX_OBJECT = re.compile(r"(?i)040000008200E00074C5B7101A82E008(?:[0-9a-f]{2})+")


class Blobs:
    def __init__(self, words: Words) -> None:
        self._words = words

    def blob(self, data: bytes) -> bytes:
        """A picture that can be opened, where one of so many bytes can be made; else bytes behind its signature."""
        noise = self._words.stream("blob", data, len(data))
        if data.startswith(_PNG_SIGNATURE) and (picture := _png(noise)):
            return picture
        if data.startswith(b"GIF8") and len(data) >= len(_GIF):
            return _GIF + noise[len(_GIF) :]
        for signature, size in KINDS:
            if data.startswith(signature):
                return data[:size] + noise[size:]
        return noise

    def text_like(self, data: bytes) -> bytes:
        """Opaque ids: the same bytes are the same ones anew."""
        return self._words.stream("opaque", data, len(data))

    def conversation_index(self, data: bytes) -> bytes:
        """An answer's index begins with that of what it answers. [MS-OXOMSG] PidTagConversationIndex."""
        ends = [*range(min(_INDEX_HEAD, len(data)), len(data), _INDEX_CHILD), len(data)]
        start, out = 0, b""
        for end in ends:
            out += self._words.stream("index", data[:end], end - start)
            start = end
        return data[:1] + out[1:]

    def object_id(self, data: bytes) -> bytes:
        """Class, date of the instance and sizes stay; time and data are others."""
        if not data.startswith(_OBJECT) or len(data) < _DATA:
            return self.text_like(data)
        head, content = data[:20], data[_DATA:]
        if content.startswith(_VCAL):
            uid = content[len(_VCAL) :].decode("latin-1")
            return data[:_DATA] + _VCAL + self._words.id(uid).encode("latin-1", "replace")
        return head + self._words.stream("moment", data[20:28], 8) + data[28:_DATA] \
            + self._words.stream("object", content, len(content))

    def object_uid(self, text: str) -> str:
        """A UID that is a global object id in hex digits; "" for others."""
        if not _HEX_OBJECT.fullmatch(text):
            return ""
        made = self.object_id(bytes.fromhex(text)).hex()
        return made if text.islower() else made.upper()


def _png(noise: bytes) -> bytes | None:
    """One pixel, and a chunk of text that fills it up; None where that is too long already."""
    pixel = _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)) + _chunk(b"IDAT", compress(b"\0" + noise[:3]))
    end = _chunk(b"IEND", b"")
    room = len(noise) - len(_PNG_SIGNATURE) - len(pixel) - len(end) - len(_chunk(b"tEXt", b""))
    if room < 2:
        return None
    filled = b"n\0" + bytes(65 + byte % 26 for byte in noise[-room + 2 :] if room > 2)
    return _PNG_SIGNATURE + pixel + _chunk(b"tEXt", filled) + end


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc32(name + data))
