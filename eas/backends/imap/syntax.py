"""The grammar of IMAP's answers: octets -> responses -> trees of strings. RFC 3501, Formal Syntax; RFC 3516, literal8.

Nothing here knows a command. `Framer` finds where a response ends; `tree` reads one into nested lists. Only
ImapSyntaxError comes out, and what a server sends is held within limits.
"""

from __future__ import annotations

import re

#: NIL is None; atoms, numbers, quoted strings and literals are octets; lists are lists.
Node = bytes | None | list["Node"]

#: Octets of a response beside its literals. SEARCH lists each message with up to eight of them, so this is a mailbox of
#: a million; a BODYSTRUCTURE of 2,000 parts has 200 KB.
MAX_LINE = 8 << 20
#: Octets of a response's literals, held in memory: a message as large as providers take, and its parts.
MAX_LITERALS = 64 << 20
#: Literals of one response. A FETCH has one for each section, a BODYSTRUCTURE one for each odd filename.
MAX_COUNT = 10_000
#: Lists within lists. Messages within messages go 64 deep (`items.mimescan`), with an envelope at the bottom.
MAX_DEPTH = 200


#: More octets than any literal has.
NEVER = 1 << 64


class ImapSyntaxError(ValueError):
    """What the server said is no IMAP, or more than anybody needs."""


_LITERAL = re.compile(rb"~?\{([0-9]{1,19})\+?\}\Z")
#: Conditions end with text for people, in which a literal has no place.
_TEXTUAL = re.compile(rb"\+|[^ ]+ (?:OK|NO|BAD|BYE|PREAUTH)\b", re.IGNORECASE)
#: The literals that may be passed on in pieces are those of a message's content.
_CONTENT = re.compile(rb"\* [0-9]+ FETCH .*\b(?:BODY|BINARY)\[[^\]]*\](?:<[0-9]+>)? \Z", re.IGNORECASE | re.DOTALL)


class Framer:
    """Responses out of a stream. Feed it, then ask `next` until it has no more.

    `data` and `at` are open to a reader that recognises some lines by itself while `begun` is false.
    """

    def __init__(self) -> None:
        self.data = b""
        self.at = 0
        #: Literals of content from this size on are not collected but handed out as they come.
        self.pass_from = NEVER
        self._looked = 0
        self._segments: list[bytes] = []
        self._text = self._octets = 0
        #: Octets of the literal under way that are still to come; -1 for none.
        self._left = -1
        self._pieces: list[bytes] = []
        self._passing = False

    @property
    def begun(self) -> bool:
        """A response has been read in part, up to or into a literal."""
        return bool(self._segments)

    @property
    def in_literal(self) -> bool:
        return self._left >= 0

    def feed(self, data: bytes) -> None:
        rest = len(self.data) - self.at
        if rest:
            self._looked = max(self._looked - self.at, 0)
            self.data = self.data[self.at :] + data
        else:
            self._looked = 0
            self.data = data
        self.at = 0

    def next(self) -> list[bytes] | bytes | None:
        """A whole response: text, literal, text, ... without line ends. Or, as octets, a piece of a literal that is
        passed on (in the response it is empty then). None: more is needed."""
        while True:
            if self._left >= 0:
                piece = self._literal()
                if piece is not None:
                    return piece
                if self._left >= 0:
                    return None
                continue
            line = self._line()
            if line is None:
                return None
            literal = _LITERAL.search(line, max(0, len(line) - 23)) if line.endswith(b"}") else None
            if literal and (self._segments or not _TEXTUAL.match(line)):
                self._begin(line[: literal.start()], int(literal[1]))
                continue
            segments, self._segments = self._segments, []
            self._text = self._octets = 0
            segments.append(line)
            return segments

    def _line(self) -> bytes | None:
        at = self.at
        end = self.data.find(b"\n", max(at, self._looked))
        if (len(self.data) if end < 0 else end) - at + self._text > MAX_LINE:
            raise ImapSyntaxError("a line is too long")
        if end < 0:
            self._looked = len(self.data)
            return None
        self.at = end + 1
        return self.data[at : end - 1 if end > at and self.data[end - 1] == 0x0D else end]

    def _begin(self, text: bytes, size: int) -> None:
        self._segments.append(text)
        self._text += len(text) + 1
        self._left = size
        self._passing = size >= self.pass_from and bool(_CONTENT.match(b"".join(self._segments)))
        if not self._passing:
            self._octets += size
        if self._octets > MAX_LITERALS or len(self._segments) > 2 * MAX_COUNT:
            raise ImapSyntaxError("a response is too large")

    def _literal(self) -> bytes | None:
        """What has come of a literal, if it is passed on; None otherwise. Its end sets `_left` to -1."""
        piece = self.data[self.at : self.at + self._left]
        self.at += len(piece)
        self._left -= len(piece)
        if not self._passing and piece:
            self._pieces.append(piece)
        if not self._left:
            self._left = -1
            self._segments.append(self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces))
            self._pieces = []
        return piece if self._passing and piece else None


# --- Trees ------------------------------------------------------------------------------------------------------------

#: Sections have blanks and parentheses in their names. An atom may be anything else; servers are generous with flags.
_TOKENS = re.compile(
    rb" ?(\(|\)"
    rb'|"[^"\\]*+(?:\\.[^"\\]*+)*+"'
    rb"|(?i:BODY|BINARY(?:\.SIZE)?)\[[^\]]*+\](?:<[0-9]+>)?"
    rb'|[^ ()"][^ ()]*+'
    rb"|.)",
    re.DOTALL,
).findall
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
#: What stands in answers again and again ("text", "charset", NIL), by how it stands there.
_KNOWN: dict[bytes, bytes | None] = {b"NIL": None, b"nil": None, b"Nil": None}
_MAX_KNOWN = 2000
_SHORT = 20


def tree(segments: list[bytes]) -> list[Node]:
    """The words of a response; `segments` as from `Framer.next`. Raises ImapSyntaxError."""
    known = _KNOWN
    current: list[Node] = []
    above: list[list[Node]] = []
    for index, segment in enumerate(segments):
        if index & 1:
            current.append(segment)
            continue
        for token in _TOKENS(segment):
            if token in known:
                current.append(known[token])
            elif token == b"(":
                inner: list[Node] = []
                current.append(inner)
                above.append(current)
                current = inner
                if len(above) > MAX_DEPTH:
                    raise ImapSyntaxError("lists are nested too deeply")
            elif token == b")":
                if not above:
                    raise ImapSyntaxError("a parenthesis too many")
                current = above.pop()
            elif token[0] == 0x22:
                current.append(_quoted(token))
            elif token != b" ":
                current.append(token)
    if above:
        raise ImapSyntaxError("a parenthesis is missing")
    return current


def _quoted(token: bytes) -> bytes:
    if len(token) < 2:
        raise ImapSyntaxError("a quoted string has no end")
    text = token[1:-1]
    if b"\\" in text:
        text = _ESCAPED.sub(rb"\1", text)
    elif len(token) <= _SHORT and len(_KNOWN) < _MAX_KNOWN and text.isalpha():
        _KNOWN[token] = text
    return text


_NUMBER = re.compile(rb"[0-9]{1,19}")


def number(node: Node) -> int:
    """Up to 63 bits. Raises ImapSyntaxError."""
    if isinstance(node, bytes) and _NUMBER.fullmatch(node):
        return int(node)
    raise ImapSyntaxError(f"not a number: {node!r:.40}")
