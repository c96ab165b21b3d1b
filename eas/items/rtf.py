"""Compressed RTF, as devices before 14.0 send and want notes of items: bytes <-> plain text. [MS-OXRTFCP].

Only the text is kept; HTML that Outlook wrapped in RTF loses its tags too.
"""

from __future__ import annotations

import re
import struct

from eas.items.markup import clean
from eas.items.native import Unreadable

#: What both sides pretend to have written before the first byte.
_PRELOAD = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    + b"\r\n"
    + rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_WINDOW = 4096
_COMPRESSED, _PLAIN = b"LZFu", b"MELA"
_HEADER = struct.Struct("<II4sI")
#: No note is longer; without a limit 16 KB could unfold to 140 KB, and the declared size to 4 GB.
MAX_RTF = 4 * 1024 * 1024

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9a-fA-F]{2})|\\(.)|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.DOTALL
)
#: Groups whose text is none of the message's.
_SILENT = {
    b"fonttbl", b"colortbl", b"stylesheet", b"info", b"pict", b"header", b"footer", b"object", b"themedata",
    b"generator", b"listtable", b"listoverridetable", b"rsidtbl", b"xmlnstbl",
}  # fmt: skip
_SAYS = {
    b"par": "\n", b"line": "\n", b"sect": "\n", b"page": "\n", b"tab": "\t", b"cell": "\t", b"row": "\n",
    b"emdash": "\u2014", b"endash": "\u2013", b"bullet": "\u2022",
    b"lquote": "\u2018", b"rquote": "\u2019", b"ldblquote": "\u201c", b"rdblquote": "\u201d",
}  # fmt: skip


def text_of_compressed(data: bytes) -> str:
    """The plain text of a compressed RTF stream, "\\n" line ends. Raises Unreadable if it is none or too long."""
    return text_of_rtf(decompress(data))


def decompress(data: bytes) -> bytes:
    """The RTF in an LZFu or MELA stream. A stream that breaks off gives what there is. Raises Unreadable."""
    if len(data) < _HEADER.size:
        raise Unreadable("compressed RTF without a header")
    _, raw_size, kind, _ = _HEADER.unpack_from(data)
    if raw_size > MAX_RTF:
        raise Unreadable("compressed RTF is too long")
    if kind == _PLAIN:
        return data[_HEADER.size : _HEADER.size + raw_size]
    if kind != _COMPRESSED:
        raise Unreadable("not compressed RTF")
    return _inflate(data, raw_size)


def _inflate(data: bytes, raw_size: int) -> bytes:
    window = bytearray(_PRELOAD.ljust(_WINDOW, b"\0"))
    write = len(_PRELOAD)
    out = bytearray()
    at, end = _HEADER.size, len(data)
    while at < end and len(out) < raw_size:
        control = data[at]
        at += 1
        for bit in range(8):
            if control >> bit & 1:
                if at + 1 >= end:
                    return bytes(out)
                reference = data[at] << 8 | data[at + 1]
                at += 2
                read, length = reference >> 4, (reference & 15) + 2
                if read == write:  # the mark of the end
                    return bytes(out[:raw_size])
                for _ in range(length):
                    octet = window[read]
                    read = (read + 1) % _WINDOW
                    window[write] = octet
                    write = (write + 1) % _WINDOW
                    out.append(octet)
            else:
                if at >= end:
                    return bytes(out)
                window[write] = data[at]
                write = (write + 1) % _WINDOW
                out.append(data[at])
                at += 1
    return bytes(out[:raw_size])


def text_of_rtf(rtf: bytes) -> str:
    """The plain text of an RTF document, read tolerantly; bytes outside ASCII as windows-1252."""
    out: list[str] = []
    stack: list[tuple[bool, int]] = []  # for each open group: is its text left out; how many \u substitutes to skip
    silent, skip_after_unicode, skip = False, 1, 0
    hidden = False  # within \htmlrtf ... \htmlrtf0, which is RTF's own rendering of wrapped HTML
    for token in _TOKEN.finditer(rtf):
        word, number, octet, symbol, brace, text = token.groups()
        if brace == b"{":
            stack.append((silent, skip_after_unicode))
        elif brace == b"}":
            silent, skip_after_unicode = stack.pop() if stack else (False, 1)
        elif word in _SILENT or symbol == b"*":
            silent = True
        elif word == b"htmlrtf":
            hidden = number != b"0"
        elif word == b"uc" and number:
            skip_after_unicode = max(0, min(int(number), 8))
        elif silent or hidden:
            continue
        elif word == b"u" and number:
            out.append(chr(int(number) % 0x10000))
            skip = skip_after_unicode
        elif word:
            out.append(_SAYS.get(word, ""))
        elif octet:
            if skip:
                skip -= 1
            else:
                out.append(bytes.fromhex(octet.decode()).decode("cp1252", "replace"))
        elif symbol:
            out.append({b"~": " ", b"_": "-", b"\n": "\n", b"\r": "\n"}.get(symbol, symbol.decode("cp1252", "replace")))
        elif text:
            out.append(text[skip:].decode("cp1252", "replace"))
            skip = max(0, skip - len(text))
    # \u gives UTF-16 units: surrogates come in pairs.
    return clean("".join(out).encode("utf-16", "surrogatepass").decode("utf-16", "replace")).strip()


_ESCAPES = {ord("\\"): "\\\\", ord("{"): "\\{", ord("}"): "\\}", ord("\n"): "\\par\r\n", ord("\t"): "\\tab "}


def compressed_of_text(text: str) -> bytes:
    """The text as RTF in an uncompressed stream of the compressed format ("MELA"), which every reader must take."""
    escaped = text.replace("\r\n", "\n").translate(_ESCAPES)
    if not escaped.isascii():
        units = struct.iter_unpack("<h", escaped.encode("utf-16-le", "replace"))
        escaped = "".join(chr(u) if 0 <= u < 128 else f"\\u{u}?" for (u,) in units)
    rtf = rb"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss Arial;}}\f0\fs20 " + escaped.encode("ascii") + b"}"
    return _HEADER.pack(len(rtf) + _HEADER.size - 4, len(rtf), _PLAIN, 0) + rtf
