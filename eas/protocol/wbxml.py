"""WBXML <-> Element: the binary XML in which ActiveSync speaks. [MS-ASWBXML] ActiveSync WBXML Algorithm Details.

No I/O and no meaning: a tag is "Namespace:Name" of the code pages, its content is text, bytes or child elements.

What is read: WBXML 1.1 to 1.3, UTF-8, inline strings, opaque data, page switches, empty elements in both forms; also
string tables, which the specification rules out (R656) but which cost little. What is refused: attributes, entities,
literals, extensions and processing instructions (R656), unknown tags, and anything beyond the limits below.
What is written: WBXML 1.3, inline strings and opaque data, empty elements in the short form.

The code page is a running state: a switch holds until the next one, over the ends of elements.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Final

from .codepages import OPAQUE as OPAQUE_TAGS
from .codepages import TAG_OF, TOKEN_OF

#: Elements open at once. The deepest message of the schemas (a Sync with an attendee in an exception) has 9.
MAX_DEPTH = 64
#: A Sync that brings 512 mails has about 15,000 elements, a FolderSync with 10,000 folders 50,000.
MAX_ELEMENTS = 200_000
#: Bytes. A mail of 45 MB, the most that common mail servers take, is 62 MB in base64.
MAX_SIZE = 64 * 1024 * 1024
#: Bytes that a document may draw from its string table in all: three bytes can refer to any long string, so that
#: without a limit a small document becomes a huge one. No client is known to send string tables.
MAX_TABLE_TEXT = 1024 * 1024

HEADER = b"\x03\x01\x6a\x00"  # version 1.3, unknown public id, UTF-8, no string table
SWITCH_PAGE, END, STR_I, STR_T, OPAQUE = 0x00, 0x01, 0x03, 0x83, 0xC3  # [MS-ASWBXML] R801, R802, R804, R814, R819
HAS_CONTENT, HAS_ATTRIBUTES = 0x40, 0x80

VERSIONS = range(0x01, 0x04)
#: IANA MIBenum of UTF-8 and of its part US-ASCII.
CHARSETS = frozenset({106, 3})

#: Global tokens that are never used. [MS-ASWBXML] R803, R805-R813, R815-R818, R820.
_REFUSED = {
    0x02: "entity",
    **dict.fromkeys((0x04, 0x44, 0x84, 0xC4), "literal tag"),
    **dict.fromkeys((0x40, 0x41, 0x42, 0x80, 0x81, 0x82, 0xC0, 0xC1, 0xC2), "extension"),
    0x43: "processing instruction",
}


class WbxmlError(ValueError):
    """The bytes are not a WBXML document of these code pages; `offset` says where that showed."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(f"{message}, at byte {offset}")
        self.offset = offset


@dataclass(slots=True, init=False, unsafe_hash=True)
class Element:
    """One element: `tag` as "AirSync:Sync"; `content` text, opaque bytes, or child elements; empty is always ().

    A value that nobody changes: `Final` tells mypy. A frozen dataclass would guard it at run time too, and take twice
    as long to make, which is the larger part of decoding.
    """

    tag: Final[str]
    content: Final[str | bytes | tuple[Element, ...]]

    def __init__(self, tag: str, content: str | bytes | tuple[Element, ...] = ()) -> None:
        self.tag = tag
        self.content = content or ()

    @property
    def elements(self) -> tuple[Element, ...]:
        """The child elements; none for text and opaque content."""
        return self.content if isinstance(self.content, tuple) else ()

    def children(self, tag: str) -> Iterator[Element]:
        return (child for child in self.elements if child.tag == tag)

    def child(self, tag: str) -> Element | None:
        return next(self.children(tag), None)

    @property
    def text(self) -> str:
        """The text content; opaque content is read as UTF-8 with replacement; "" for an element with children."""
        if isinstance(self.content, str):
            return self.content
        return self.content.decode("utf-8", "replace") if isinstance(self.content, bytes) else ""


class Later(str):
    """Text content that is too large to be at hand: the base64 of octets that come in pieces while the document is
    sent. What it says as a string is nobody's."""

    octets: int
    pieces: Callable[[], AsyncIterator[bytes]]

    def __new__(cls, octets: int, pieces: Callable[[], AsyncIterator[bytes]]) -> Later:
        made = super().__new__(cls, f"({octets} octets)")
        made.octets, made.pieces = octets, pieces
        return made

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def decode(
    data: bytes, *, max_depth: int = MAX_DEPTH, max_elements: int = MAX_ELEMENTS, max_size: int = MAX_SIZE
) -> Element:
    """Read a whole document. Raises WbxmlError, and nothing else, for bytes that are not one.

    Content of the opaque tags (codepages.OPAQUE) is bytes however it travelled. Opaque data in other elements is text
    where it is UTF-8 without NUL, else bytes.
    """
    if len(data) > max_size:
        raise WbxmlError(f"document of {len(data)} bytes, at most {max_size} are read", max_size)
    try:
        strings, start = _header(data)
        root, end = _root(data, start, strings, max_depth, max_elements)
    except IndexError:
        raise WbxmlError("document ends early", len(data)) from None
    if end != len(data):
        raise WbxmlError("bytes after the root element", end)
    return root


def encode(root: Element) -> bytes:
    """Write a document. What XML 1.0 cannot hold (NUL, control characters, lone surrogates) is left out of texts.

    Raises ValueError for a tag that is in no code page, and for content that comes later.
    """
    try:
        return b"".join(_written(root))  # type: ignore[arg-type]
    except TypeError:
        raise ValueError("the document has content that is not at hand") from None


def encode_pieces(root: Element) -> list[bytes | Later]:
    """As `encode`, with what comes later between the octets that are at hand."""
    joined: list[bytes | Later] = []
    at_hand: list[bytes] = []
    for piece in _written(root):
        if isinstance(piece, Later):
            joined += b"".join(at_hand), piece
            at_hand = []
        else:
            at_hand.append(piece)
    return [*joined, b"".join(at_hand)]


def _written(root: Element) -> list[bytes | Later]:
    out: list[bytes | Later] = [HEADER]
    try:
        _write((root,), out, 0)
    except KeyError as error:
        raise ValueError(f"no code page has the tag {error.args[0]!r}") from None
    return out


def clean(text: str) -> str:
    """The text as `encode` writes it."""
    return _inline(text).decode()


# Reading ------------------------------------------------------------------------------------------------------------


def _by_byte(page: int) -> tuple[str | None, ...]:
    """The tag for each first byte of an element without attributes on this page; None for all other bytes."""
    return tuple(None if byte & HAS_ATTRIBUTES else TAG_OF.get((page, byte & 0x3F)) for byte in range(256))


_TAG_OF_BYTE = tuple(_by_byte(page) for page in range(256))


class _Strings:
    """The string table of a document, and how much of it may still be drawn."""

    def __init__(self, table: bytes) -> None:
        self.table = table
        self.left = MAX_TABLE_TEXT

    def string(self, index: int, offset: int) -> bytes:
        end = self.table.find(0, index)
        if end < 0:
            raise WbxmlError(f"no string {index} in the string table", offset)
        self.left -= end - index
        if self.left < 0:
            raise WbxmlError("too much text from the string table", offset)
        return self.table[index:end]


def _header(data: bytes) -> tuple[_Strings, int]:
    """The string table, and where the body begins."""
    if data.startswith(HEADER):
        return _NO_STRINGS, len(HEADER)
    if data[0] not in VERSIONS:
        raise WbxmlError(f"not WBXML 1.1 to 1.3: {data[0]:#04x}", 0)
    public_id, at = _uint(data, 1)
    if public_id == 0:  # the id is a text in the string table
        _, at = _uint(data, at)
    charset, after = _uint(data, at)
    if charset not in CHARSETS:
        raise WbxmlError(f"charset {charset} is not UTF-8", at)
    size, at = _uint(data, after)
    if at + size > len(data):
        raise WbxmlError("string table ends early", at)
    return _Strings(data[at : at + size]), at + size


_NO_STRINGS = _Strings(b"")


def _uint(data: bytes, at: int) -> tuple[int, int]:
    """An mb_u_int32 (seven bits a byte, high bit on all but the last), and where it ends."""
    value = 0
    for position in range(at, at + 5):
        value = value << 7 | data[position] & 0x7F
        if not data[position] & 0x80:
            if value > 0xFFFFFFFF:
                break
            return value, position + 1
    raise WbxmlError("number of more than 32 bits", at)


def _root(data: bytes, at: int, strings: _Strings, max_depth: int, max_elements: int) -> tuple[Element, int]:
    """The root element, and where it ends. IndexError if the data ends before it.

    The loop runs once for each element, hence local names and a short way for the most usual: an element that
    holds one inline string.
    """
    page = count = 0
    tags = _TAG_OF_BYTE[0]
    tag, children, pieces = "", list[Element](), list[_Piece]()  # of the innermost open element
    outer: list[tuple[str, list[Element], list[_Piece]]] = []  # the same of those around it; first of the document
    while True:
        token = data[at]
        at += 1
        name = tags[token]
        if name is not None:
            count += 1
            if count > max_elements:
                raise WbxmlError(f"more than {max_elements} elements", at - 1)
            if token < HAS_CONTENT:
                children.append(Element(name))
            elif data[at] == STR_I and (end := data.find(0, at + 1)) > 0 and data[end + 1] == END:
                raw = data[at + 1 : end]
                children.append(Element(name, raw if name in OPAQUE_TAGS else _text(raw, at)))
                at = end + 2
            else:
                if len(outer) >= max_depth:
                    raise WbxmlError(f"more than {max_depth} elements inside each other", at - 1)
                outer.append((tag, children, pieces))
                tag, children, pieces = name, [], []
                continue
        elif token == END and outer:
            closed = Element(tag, _content(tag, children, pieces, at - 1))
            tag, children, pieces = outer.pop()
            children.append(closed)
        elif token == SWITCH_PAGE:
            page = data[at]
            tags = _TAG_OF_BYTE[page]
            at += 1
            continue
        elif token in (STR_I, OPAQUE, STR_T) and outer:
            piece, at = _piece(token, data, at, strings)
            pieces.append(piece)
            continue
        else:
            raise _unexpected(page, token, at - 1)
        if not outer:
            return children[0], at


#: A part of the content of an element: whether it was opaque, and its bytes.
_Piece = tuple[bool, bytes]


def _piece(token: int, data: bytes, at: int, strings: _Strings) -> tuple[_Piece, int]:
    """The text or opaque data after its token, and where it ends."""
    if token == STR_I:
        end = data.find(0, at)
        if end < 0:
            raise WbxmlError("string without end", at)
        return (False, data[at:end]), end + 1
    number, start = _uint(data, at)
    if token == STR_T:
        return (False, strings.string(number, at)), start
    if start + number > len(data):
        raise WbxmlError(f"opaque data of {number} bytes ends early", at)
    return (True, data[start : start + number]), start + number


def _content(tag: str, children: list[Element], pieces: list[_Piece], offset: int) -> str | bytes | tuple[Element, ...]:
    """The content of an element from its parts, which may come cut in the middle of a character."""
    if not pieces:
        return tuple(children)
    raw = pieces[0][1] if len(pieces) == 1 else b"".join([raw for _, raw in pieces])
    if children:
        # White space between elements is what indented XML leaves when it is turned into WBXML.
        if raw.strip():
            raise WbxmlError(f"text beside elements in {tag}", offset)
        return tuple(children)
    if tag in OPAQUE_TAGS:
        return raw
    if not any(opaque for opaque, _ in pieces):
        return _text(raw, offset)
    try:
        return raw if 0 in raw else raw.decode()
    except UnicodeDecodeError:
        return raw


def _text(raw: bytes, offset: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        pass
    try:
        # Each half of a surrogate pair encoded by itself (CESU-8), as Java's older string writers do with emoji.
        return raw.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeError:
        raise WbxmlError("text is not UTF-8", offset) from None


def _unexpected(page: int, token: int, offset: int) -> WbxmlError:
    if token in _REFUSED:
        return WbxmlError(f"{_REFUSED[token]} (token {token:#04x})", offset)
    if token in (END, STR_I, STR_T, OPAQUE):
        return WbxmlError(f"token {token:#04x} outside of the root element", offset)
    tag = _TAG_OF_BYTE[page][token & ~HAS_ATTRIBUTES]
    if tag is not None:
        return WbxmlError(f"{tag} with attributes", offset)
    return WbxmlError(f"unknown tag, page {page} token {token & 0x3F:#04x}", offset)


# Writing ------------------------------------------------------------------------------------------------------------

#: Tag -> its page, and its bytes: when empty, before children, before a string, before opaque data.
_BYTES_OF = {
    tag: (
        page,
        bytes([token]),
        bytes([token | HAS_CONTENT]),
        bytes([token | HAS_CONTENT, STR_I]),
        bytes([token | HAS_CONTENT, OPAQUE]),
    )
    for tag, (page, token) in TOKEN_OF.items()
}
_SWITCH_TO = tuple(bytes([SWITCH_PAGE, page]) for page in range(256))
_END = bytes([END])
_END_OF_TEXT = bytes([0, END])

#: What XML 1.0 has no place for ([XML] Char) below U+0020, and U+FFFE and U+FFFF as UTF-8.
_CONTROLS = bytes(set(range(0x20)) - {0x09, 0x0A, 0x0D})
_NOT_CHARACTERS = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")


def _write(elements: tuple[Element, ...], out: list[bytes | Later], page: int) -> int:
    """Append the elements; returns the code page in force after them. KeyError names a tag that is in no page."""
    for element in elements:
        tag, content = element.tag, element.content
        wanted, empty, before_children, before_text, before_opaque = _BYTES_OF[tag]
        if wanted != page:
            out.append(_SWITCH_TO[wanted])
            page = wanted
        if isinstance(content, str) and tag not in OPAQUE_TAGS:
            raw = content if isinstance(content, Later) else _inline(content)
            out += (before_text, raw, _END_OF_TEXT) if raw else (empty,)
        elif not content:
            out.append(empty)
        elif isinstance(content, tuple):
            out.append(before_children)
            page = _write(content, out, page)
            out.append(_END)
        else:
            raw = content if isinstance(content, bytes) else _inline(content)
            out += (before_opaque, _uint_bytes(len(raw)), raw, _END)
    return page


def _inline(text: str) -> bytes:
    try:
        raw = text.encode()
    except UnicodeEncodeError:  # surrogates: pairs are one character, halves are none
        raw = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore").encode()
    raw = raw.translate(None, _CONTROLS)
    if 0xEF in raw:
        for not_character in _NOT_CHARACTERS:
            raw = raw.replace(not_character, b"")
    return raw


def _uint_bytes(value: int) -> bytes:
    """An mb_u_int32."""
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))
