"""Content lines: vCard and iCalendar objects as a tree that can be edited without touching anything else in it.

This knows lines, parameters, escapes and encodings, and no property. RFC 6350 section 3, RFC 5545 section 3.1, RFC 2426
section 5, RFC 6868, and versit's vCard 2.1 and vCalendar 1.0.

`serialize(parse(data)) == data`, whatever folding, case, order, grouping or line ends the data have, so that a phone
which edits one property leaves the octets of all others as they were. Three exceptions, since otherwise the result
would be no object: a missing END is written, a last line without line end gets one when something follows it, and
UTF-16 becomes UTF-8. Several objects in one file: `parse` gives the first; what follows it is kept as it is.

Tolerated: byte order marks, bare LF, bare CR (where there is no LF at all), blank lines, lines that are none, folds
within a UTF-8 sequence, the soft line breaks of quoted-printable, text that is not UTF-8.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import io
import quopri
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from .native import Unreadable

#: Servers store attachments and photos inline, and refuse objects long before this (Radicale's default is 10 MB).
MAX_BYTES = 32 * 1024 * 1024
#: Content lines after unfolding. A calendar series with a thousand exceptions of fifty lines stays below.
MAX_LINES = 100_000
#: Open components. Real ones go three deep: VCALENDAR, VEVENT, VALARM.
MAX_DEPTH = 10
#: RFC 5545 3.1, RFC 6350 3.2: octets of a line, its line end not counted.
FOLD_OCTETS = 75
#: Versions whose TEXT knows no `\n`, and which write such text quoted-printable: vCard 2.1, vCalendar 1.0.
LEGACY = frozenset({"2.1", "1.0"})

Params = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One content line.

    `name` is upper case; "" for what is no content line (blank, or without a colon). `params` are (NAME, values) in
    order, NAME upper case, values without quotes; a parameter without a name, as in vCard 2.1's `TEL;WORK:`, has the
    name "". `value` is raw: still escaped and encoded. `raw` are the octets that were read, with folds and line end,
    and b"" for a line that was made or changed; `head` is what stood before the colon, "" if the parameters are new.
    """

    name: str
    value: str
    params: Params = ()
    group: str = ""
    head: str = field(default="", compare=False)
    raw: bytes = field(default=b"", compare=False, repr=False)

    @property
    def types(self) -> frozenset[str]:
        """The TYPE values in upper case, however they were written: `TYPE=WORK,FAX`, twice TYPE, quoted, or bare."""
        values = [value for name, values in self.params if name in _TYPE for value in values]
        return frozenset(word.strip().upper() for value in values for word in value.split(",")) if values else _NO_TYPES

    @property
    def encoding(self) -> str:
        """The transfer encoding of the value: "QUOTED-PRINTABLE", "BASE64" or ""."""
        for name, values in self.params:
            if name in _ENCODING and values and (known := _ENCODINGS.get(values[0].strip().upper())):
                return known
        return ""

    def param(self, name: str) -> str | None:
        """The first value of parameter `name` (upper case); None if the line has none."""
        return next((values[0] if values else "" for key, values in self.params if key == name), None)

    def decoded(self) -> str:
        """The value without its transfer encoding, still escaped. Base64 that is text is decoded too."""
        if self.encoding == "QUOTED-PRINTABLE":
            return _decode(quopri.decodestring(self.value.encode()), self.param("CHARSET") or "")
        if self.encoding == "BASE64":
            return _decode(self.octets() or b"", self.param("CHARSET") or "")
        return self.value

    def text(self, version: str = "") -> str:
        """The value as plain text with LF line ends. `version` is that of the object: 2.1 and 1.0 escape less."""
        return unescape(self.decoded(), version)

    def octets(self) -> bytes | None:
        """The octets of a base64 value; None if it is not base64."""
        packed = "".join(self.value.split())
        try:
            return base64.b64decode(packed.encode() + b"=" * (-len(packed) % 4), validate=True)
        except (binascii.Error, ValueError):
            return None

    def with_value(self, value: str) -> Line:
        """The same line with another raw value; parameters and group stay as they were written."""
        return replace(self, value=value, raw=b"")

    def with_params(self, params: Params) -> Line:
        return replace(self, params=params, head="", raw=b"")

    def with_escaped(self, value: str, version: str = "") -> Line:
        """The same line with another value that is escaped already and gets the transfer encoding that it needs.

        Modern versions need none; 2.1 and 1.0 write line breaks and what is not ASCII quoted-printable in UTF-8.
        """
        value = clean(value)
        plain = tuple(p for p in self.params if not _tells_encoding(p))
        line = self if plain == self.params else self.with_params(plain)
        if version not in LEGACY or (value.isascii() and "\n" not in value):
            return line.with_value(value)
        coded = "".join(chr(b) if b in _QP_LITERAL else f"={b:02X}" for b in value.replace("\n", "\r\n").encode())
        named = (*plain, ("CHARSET", ("UTF-8",)), ("ENCODING", ("QUOTED-PRINTABLE",)))
        return line.with_params(named).with_value(coded)

    def with_text(self, text: str, version: str = "") -> Line:
        """The same line with another plain text as its value."""
        return self.with_escaped(escape(text, version), version)

    def render(self, eol: bytes = b"\r\n") -> bytes:
        """The line as octets, folded, with its line end; the octets that were read if nothing was changed.

        A line break or NUL cannot get out of a value or parameter: it would be a line of its own.
        """
        if self.raw:
            return self.raw
        octets = f"{self.head or self._written_head()}:{self.value}".translate(_ONE_LINE).encode("utf-8", "replace")
        if self.encoding == "QUOTED-PRINTABLE" and octets.isascii():
            return _soft_broken(octets, eol)
        return folded(octets, eol)

    def _written_head(self) -> str:
        out = [f"{self.group}.{self.name}" if self.group else self.name]
        for name, values in self.params:
            shown = ",".join(_quoted(value) for value in values)
            out.append(f"{name}={shown}" if name else shown)
        return ";".join(out)


@dataclass(slots=True)
class Component:
    """BEGIN to END: lines and components in document order. It is edited in place, by identity of its lines.

    `begin` and `end` are its own delimiters; `end` is None if it was missing. `before` and `after` are the octets
    around the outermost component.
    """

    name: str
    items: list[Line | Component] = field(default_factory=list)
    begin: Line | None = None
    end: Line | None = None
    before: bytes = b""
    after: bytes = b""

    @property
    def lines(self) -> list[Line]:
        """The component's own content lines."""
        return [item for item in self.items if isinstance(item, Line) and item.name]

    @property
    def version(self) -> str:
        """The value of VERSION: "2.1", "3.0", "4.0", "2.0"; "" without one."""
        line = self.first("VERSION")
        return line.value.strip() if line else ""

    def components(self, name: str = "") -> list[Component]:
        """The direct children that are components (called `name`, upper case)."""
        return [item for item in self.items if isinstance(item, Component) and (not name or item.name == name)]

    def find(self, name: str, types: Iterable[str] = ()) -> list[Line]:
        """The lines called `name` (upper case) that carry all of `types` (upper case)."""
        found = [item for item in self.items if item.name == name and isinstance(item, Line)]
        return [line for line in found if line.types.issuperset(types)] if types else found

    def first(self, name: str) -> Line | None:
        return next((item for item in self.items if isinstance(item, Line) and item.name == name), None)

    def replace(self, old: Line, new: Line) -> None:
        """Put `new` in the place of the very line `old`. Raises ValueError if it is not here."""
        self.items[self._place(old)] = new

    def remove(self, old: Line | Component) -> None:
        """Take out the very line or component `old`. Raises ValueError if it is not here."""
        del self.items[self._place(old)]

    def add(self, new: Line | Component) -> None:
        """Add a line after the last one of its name, else after the last line; a component at the end."""
        at = len(self.items)
        if isinstance(new, Line):
            same = [i for i, item in enumerate(self.items) if item.name == new.name and isinstance(item, Line)]
            own = same or [i for i, item in enumerate(self.items) if isinstance(item, Line) and item.name]
            at = own[-1] + 1 if own else 0
        self.items.insert(at, new)

    def _place(self, item: Line | Component) -> int:
        for at, held in enumerate(self.items):
            if held is item:
                return at
        raise ValueError(f"{item.name} is not in this {self.name}")


def parse(data: bytes) -> Component:
    """The first object in `data`. Raises Unreadable if there is none, or if it is beyond the limits."""
    if len(data) > MAX_BYTES:
        raise Unreadable(f"larger than {MAX_BYTES} bytes")
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        data = data.decode("utf-16", "replace").encode()
    before, open_ones, root = bytearray(), list[Component](), None
    lines = _logical(data)
    for count, (raw, content) in enumerate(lines):
        if count >= MAX_LINES:
            raise Unreadable(f"more than {MAX_LINES} lines")
        line = _line(content.removeprefix(codecs.BOM_UTF8) if not open_ones else content, raw)
        if line.name == "BEGIN":
            if len(open_ones) >= MAX_DEPTH:
                raise Unreadable(f"components nested deeper than {MAX_DEPTH}")
            opened = Component(_name(line), begin=line)
            if root is None:
                root = opened
            else:
                open_ones[-1].items.append(opened)
            open_ones.append(opened)
        elif not open_ones:
            before += raw
        elif line.name == "END" and _close(open_ones, line):
            if not open_ones:
                break
        elif line.name != "END":
            open_ones[-1].items.append(line)
        else:
            # An END that ends nothing is kept as a line that is none.
            open_ones[-1].items.append(replace(line, name=""))
    if root is None:
        raise Unreadable("no BEGIN line")
    root.before = bytes(before)
    root.after = b"".join(raw for raw, _ in lines)
    return root


def serialize(component: Component) -> bytes:
    """The object as octets. New lines get the line end of the object's first line, CRLF in a new object."""
    begin = component.begin.raw if component.begin else b""
    eol = b"\n" if begin.endswith(b"\n") and not begin.endswith(b"\r\n") else b"\r\n"
    out = bytearray(component.before)
    _write(component, out, eol)
    if component.after:
        _end_line(out, eol)
    return bytes(out + component.after)


def escape(text: str, version: str = "") -> str:
    """Plain text as a TEXT value. In 2.1 and 1.0 line breaks stay, for quoted-printable to carry them."""
    text = clean(text).replace("\\", "\\\\").replace(";", "\\;")
    return text if version in LEGACY else text.replace(",", "\\,").replace("\n", "\\n")


def unescape(value: str, version: str = "") -> str:
    """A TEXT value as plain text: LF line ends, no characters that XML cannot hold. Unknown escapes are left alone."""
    if "\\" in value:
        value = _ESCAPE.sub(_legacy_escape if version in LEGACY else _modern_escape, value)
    return clean(value)


def clean(text: str) -> str:
    """`text` with LF for every line end, without the control characters and surrogates that XML 1.0 cannot hold."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _NOT_XML.sub("", text)


def glimpse(data: bytes, name: str) -> str | None:
    """The value of the first line called `name` as far as it stands on that line, at most 200 characters; None if there
    is none. For objects that `parse` refuses, or that make no sense: it cannot fail."""
    pattern = rb"^(?:[\w-]+\.)?" + re.escape(name.encode()) + rb"(?:;[^:\r\n]*)?:([^\r\n]*)"
    found = re.search(pattern, data, re.IGNORECASE | re.MULTILINE)
    return unescape(_decode(found[1])).strip()[:200] or None if found else None


def split(value: str, separator: str) -> list[str]:
    """The pieces of a raw value between unescaped separators (";" or ","), still escaped. "" is one empty piece."""
    if "\\" not in value:
        return value.split(separator)
    out, start, at = list[str](), 0, 0
    while at < len(value):
        if value[at] == "\\":
            at += 1
        elif value[at] == separator:
            out.append(value[start:at])
            start = at + 1
        at += 1
    return [*out, value[start:]]


def folded(octets: bytes, eol: bytes = b"\r\n") -> bytes:
    """A logical line as physical ones of at most 75 octets, never cut within a UTF-8 sequence, with line ends."""
    out, start, room = bytearray(), 0, FOLD_OCTETS
    while len(octets) - start > room:
        end = start + room
        while octets[end] & 0xC0 == 0x80 and end > start + 1:
            end -= 1
        out += octets[start:end] + eol + b" "
        start, room = end, FOLD_OCTETS - 1
    return bytes(out + octets[start:] + eol)


_TYPE, _ENCODING, _NO_TYPES = ("TYPE", ""), ("ENCODING", ""), frozenset[str]()
_ENCODINGS = {"QUOTED-PRINTABLE": "QUOTED-PRINTABLE", "BASE64": "BASE64", "B": "BASE64"}
#: What may stand for itself in quoted-printable: printable ASCII, but not "=" and not the blank (it may end a line).
_QP_LITERAL = frozenset(range(0x21, 0x7F)) - {0x3D}
#: Raw line breaks have no place in a value: LF becomes the escape that modern versions have for it.
_ONE_LINE = {0x00: None, 0x0A: "\\n", 0x0D: None}
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
#: Python codecs that are no character sets of messages, or that give lone surrogates.
_NO_CHARSETS = frozenset({"unicode_escape", "raw_unicode_escape", "idna", "punycode", "utf-7", "undefined"})


def _modern_escape(found: re.Match[str]) -> str:
    char = found[1]
    return "\n" if char in "nN" else char if char in "\\;,:" else found[0]


def _legacy_escape(found: re.Match[str]) -> str:
    return found[1] if found[1] in "\\;,:" else found[0]


def _tells_encoding(param: tuple[str, tuple[str, ...]]) -> bool:
    name, values = param
    return name in ("ENCODING", "CHARSET") or (not name and bool(values) and values[0].upper() in _ENCODINGS)


def _quoted(value: str) -> str:
    """A parameter value as written, with RFC 6868's escapes for what could not stand there otherwise."""
    value = clean(value)
    if any(char in value for char in '"\n') or "^" in value:
        value = value.replace("^", "^^").replace("\n", "^n").replace('"', "^'")
    return f'"{value}"' if any(char in value for char in ":;,") else value


_CARET = {"^n": "\n", "^^": "^", "^'": '"'}


def _unquoted(value: str) -> str:
    value = value.replace('"', "")
    return re.sub(r"\^[n^']", lambda found: _CARET[found[0]], value) if "^" in value else value


def _logical(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(octets as read, unfolded content) of each logical line."""
    physical: Iterable[bytes] = io.BytesIO(data) if b"\n" in data else re.findall(rb"[^\r]*\r|[^\r]+", data)
    raw, content = list[bytes](), list[bytes]()
    continues: Callable[[bytes], bool] | None = None
    for piece in physical:
        stripped = piece.rstrip(b"\r\n")
        if content and continues and continues(stripped):
            if continues is _soft:
                content[-1] = content[-1][:-1]
            content.append(stripped)
        elif content and piece[:1] in (b" ", b"\t"):
            content.append(stripped[1:])
        else:
            if raw:
                yield b"".join(raw), b"".join(content)
            raw, content = [], [stripped]
            continues = _continuation(stripped)
        raw.append(piece)
        if continues is _soft and not stripped.endswith(b"="):
            continues = None
    if raw:
        yield b"".join(raw), b"".join(content)


def _continuation(first: bytes) -> Callable[[bytes], bool] | None:
    """How a property of vCard 2.1 that begins with `first` may go on in lines that do not begin with a blank."""
    head = first.partition(b":")[0].upper()
    if first.endswith(b"=") and b"QUOTED-PRINTABLE" in head:
        return _soft
    return _more_base64 if b"BASE64" in head else None


def _soft(piece: bytes) -> bool:
    return not piece.upper().startswith((b"BEGIN:", b"END:"))


def _more_base64(piece: bytes) -> bool:
    return re.fullmatch(rb"[A-Za-z0-9+/]+={0,2}", piece) is not None


def _line(content: bytes, raw: bytes) -> Line:
    colon = content.find(b":")
    if b'"' in content[: max(colon, 0)]:
        colon = next((at for at in _outside_quotes(content.decode("latin-1"), ":")), colon)
    if colon < 1:
        return Line("", _decode(content), raw=raw)
    head, value = _decode(content[:colon]), content[colon + 1 :]
    first, *rest = _split_quoted(head, ";")
    group, dot, name = first.rpartition(".")
    params = tuple(_param(piece) for piece in rest if piece.strip())
    name, group = (name if dot else first).strip().upper(), group.strip()
    if not params:
        return Line(name, _decode(value), (), group, head, raw)
    line = Line(name, "", params, group, head, raw)
    return replace(line, value=_decode(value, "" if line.encoding else line.param("CHARSET") or ""))


def _param(piece: str) -> tuple[str, tuple[str, ...]]:
    name, equals, values = piece.partition("=")
    if not equals:
        return "", (_unquoted(piece.strip()),)
    return name.strip().upper(), tuple(_unquoted(value) for value in _split_quoted(values, ","))


def _outside_quotes(text: str, sought: str) -> Iterator[int]:
    quoted = False
    for at, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif char == sought and not quoted:
            yield at


def _split_quoted(text: str, separator: str) -> list[str]:
    if '"' not in text:
        return text.split(separator)
    cuts = [-1, *_outside_quotes(text, separator), len(text)]
    return [text[start + 1 : end] for start, end in pairwise(cuts)]


def _decode(octets: bytes, charset: str = "") -> str:
    """Text in the character set that is named, else UTF-8, else Windows-1252, which hardly any octets are not."""
    if charset:
        try:
            if codecs.lookup(charset).name not in _NO_CHARSETS:
                return octets.decode(charset)
        except (LookupError, ValueError):
            pass
    for name in ("utf-8", "cp1252"):
        try:
            return octets.decode(name)
        except UnicodeDecodeError:
            continue
    return octets.decode("latin-1")


def _name(line: Line) -> str:
    """Of a component, as it would be written: a name with a NUL in it could be begun and never ended."""
    return clean(line.value).strip().upper()


def _close(open_ones: list[Component], line: Line) -> bool:
    """End the innermost open component of that name, and those within it that lack an END; False if none is open."""
    name = _name(line)
    for depth in range(len(open_ones) - 1, -1, -1):
        if open_ones[depth].name == name:
            open_ones[depth].end = line
            del open_ones[depth:]
            return True
    return False


def _soft_broken(octets: bytes, eol: bytes) -> bytes:
    """A quoted-printable line with soft line breaks, none of them within an escape."""
    out, start = bytearray(), 0
    while len(octets) - start > FOLD_OCTETS:
        end = start + FOLD_OCTETS - 1
        end -= next((back for back in (1, 2) if octets[end - back : end - back + 1] == b"="), 0)
        out += octets[start:end] + b"=" + eol
        start = end
    return bytes(out + octets[start:] + eol)


def _write(component: Component, out: bytearray, eol: bytes) -> None:
    _end_line(out, eol)
    out += (component.begin or Line("BEGIN", component.name)).render(eol)
    for item in component.items:
        if isinstance(item, Component):
            _write(item, out, eol)
        else:
            _end_line(out, eol)
            out += item.render(eol)
    _end_line(out, eol)
    out += (component.end or Line("END", component.name)).render(eol)


def _end_line(out: bytearray, eol: bytes) -> None:
    """Give the last line a line end, if it lacks one and something is to follow."""
    if out and out[-1] not in b"\r\n":
        out += eol
