"""MIME structure of messages: bytes -> Part tree with offsets and IMAP section numbers.

One pass over the octets, without the standard library's parser (milliseconds a message, and RecursionError for nested
ones). Wrong messages are read as well as they can be: missing and wrong boundaries, headers without an end, bare LF.
Only `Unreadable` comes out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from eas.items import headers
from eas.items.native import Part, Unreadable

#: Multiparts and messages within each other. Real mail stays below 20; a forward of a forward adds three.
MAX_DEPTH = 64
#: Parts of one message. A digest of a mailing list has hundreds.
MAX_PARTS = 2000
#: Octets of one part's header block. Postfix takes 100 KiB of a message, and a To with 3,000 addresses is as long.
MAX_HEADER = 1024 * 1024
#: How far into a multipart its first boundary is looked for: a preamble is a line or two.
_MAX_PREAMBLE = 1024 * 1024
#: RFC 2046 allows 70 characters.
_MAX_BOUNDARY = 200

_BLANK = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"[!-9;-~]{1,200}[ \t]*:|From ")
#: A line that looks like a delimiter because a part's header follows it.
_LIKELY = re.compile(rb"^--([^\r\n]{1,200}?)[ \t]*\r?\nContent-[A-Za-z-]+:", re.MULTILINE | re.IGNORECASE)


def header_end(raw: bytes) -> int:
    """Where the body of a message begins: behind the first blank line, at 0 if there is no header at all.

    The length of `raw` if the header has no end. Raises Unreadable if the header is too long.
    """
    return _header_end(raw, 0, len(raw))


def structure(raw: bytes) -> Part:
    """The tree of a message. `raw` may be cut short; what is missing is then missing. Raises Unreadable."""
    scan = _Scan(raw)
    body = _header_end(raw, 0, len(raw))
    root = scan.open(0, body, "", b"text/plain")
    if root.children is not None:
        scan.run()
    scan.close_to(0, len(raw))
    return _number(root, "", 0, raw)


def _header_end(raw: bytes, start: int, end: int) -> int:
    if raw.startswith(b"\r\n", start, end):
        return start + 2
    if raw.startswith(b"\n", start, end):
        return start + 1
    if not _FIELD.match(raw, start, end):
        return start
    blank = _BLANK.search(raw, start, min(end, start + MAX_HEADER))
    if blank:
        return blank.end()
    if end - start > MAX_HEADER:
        raise Unreadable("a header block is too long")
    return end


@dataclass(slots=True)
class _Node:
    """A part whose end is not known yet. `children` is None for a leaf, `boundary` None for a message/rfc822."""

    type: str
    params: Mapping[str, str]
    fields: Mapping[bytes, bytes]
    offset: int
    depth: int
    boundary: bytes | None = None
    end: int = -1
    children: list[_Node] | None = None
    parent: _Node | None = None
    seen: bool = False


class _Scan:
    """One pass over a message: `stack` holds the open parts, outermost first."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.stack: list[_Node] = []
        #: Of the open multiparts: boundary -> index in the stack. The innermost wins.
        self.boundaries: dict[bytes, int] = {}
        self.parts = 0

    def open(self, start: int, body: int, section: str, default: bytes) -> _Node:
        """A part whose header stands between `start` and `body` becomes the innermost one."""
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise Unreadable("too many parts")
        if len(self.stack) >= MAX_DEPTH:
            raise Unreadable("nested too deeply")
        fields = headers.parse(self.raw[start:body])
        kind, params = headers.value_and_params(fields.get(b"content-type", default))
        if "/" not in kind:
            kind, params = ("text/plain", params) if b"content-type" in fields else headers.value_and_params(default)
        parent = self.stack[-1] if self.stack else None
        node = _Node(kind, params, fields, body, len(self.stack), parent=parent)
        if parent is not None and parent.children is not None:
            parent.children.append(node)
        self.stack.append(node)
        if kind.startswith("multipart/"):
            self._open_multipart(node)
        elif kind in ("message/rfc822", "message/global") and not _is_encoded(fields):
            node.children = []
            self.open(body, self._part_header_end(body), section, b"text/plain")
        return node

    def _open_multipart(self, node: _Node) -> None:
        given = node.params.get("boundary", "").encode("utf-8", "surrogateescape")[:_MAX_BOUNDARY]
        limit = node.offset + _MAX_PREAMBLE
        boundary = given if given and self.raw.find(b"--" + given, node.offset, limit) >= 0 else b""
        if not boundary:
            likely = _LIKELY.search(self.raw, node.offset, node.offset + 64 * 1024)
            # The delimiter of an open multipart ends this one; it is not its own.
            boundary = likely[1] if likely and likely[1] not in self.boundaries else b""
        if boundary:
            node.boundary, node.children = boundary, []
            self.boundaries[boundary] = node.depth
        else:
            node.type = "text/plain"  # a multipart without any delimiter is what it shows: text

    def run(self) -> None:
        """From delimiter to delimiter."""
        at = self.stack[-1].offset
        while self.boundaries and (found := self._delimiter(at, len(self.raw))):
            line, after, boundary, closing = found
            owner = self.stack[self.boundaries[boundary]]
            self.close_to(owner.depth + 1, self._line_end_before(line))
            if closing:
                self._close_multipart(owner, line)
                at = max(after - 1, 0)
                continue
            default = b"message/rfc822" if owner.type == "multipart/digest" else b"text/plain"
            self.open(after, self._part_header_end(after), "", default)
            at = self.stack[-1].offset

    def _close_multipart(self, node: _Node, line: int) -> None:
        """Behind its closing delimiter a multipart has an epilogue, which belongs to it but holds no parts."""
        node.seen = True
        if node.boundary is not None and self.boundaries.get(node.boundary) == node.depth:
            del self.boundaries[node.boundary]
            # An outer multipart with the same boundary (a broken mailer's) is in force again.
            for outer in self.stack[: node.depth]:
                if outer.boundary == node.boundary and not outer.seen:
                    self.boundaries[node.boundary] = outer.depth

    def close_to(self, depth: int, end: int) -> None:
        """All parts deeper than, or at, `depth` end at `end`."""
        while len(self.stack) > depth:
            node = self.stack.pop()
            node.end = max(end, node.offset)
            if node.boundary is not None and not node.seen:
                self._close_multipart(node, end)

    def _delimiter(self, at: int, end: int) -> tuple[int, int, bytes, bool] | None:
        """The next delimiter line of an open multipart from `at - 1` on: its start, the next line's, whose, if last."""
        raw, boundaries = self.raw, self.boundaries
        at = max(at - 1, 0)
        while True:
            found = raw.find(b"--", at, end) if at == 0 and raw.startswith(b"--") else raw.find(b"\n--", at, end)
            if found < 0:
                return None
            line = found if raw[found] == 0x2D else found + 1
            stop = raw.find(b"\n", line, line + _MAX_BOUNDARY + 80)
            after = stop + 1 if stop >= 0 else min(len(raw), line + _MAX_BOUNDARY + 80)
            text = raw[line + 2 : after].rstrip()
            if text in boundaries:
                return line, after, text, False
            if text.endswith(b"--") and text[:-2] in boundaries:
                return line, after, text[:-2], True
            at = max(stop, line + 1)

    def _line_end_before(self, line: int) -> int:
        """The line end before a delimiter belongs to it (RFC 2046, 5.1.1)."""
        if line >= 1 and self.raw[line - 1] == 0x0A:
            return line - 2 if line >= 2 and self.raw[line - 2] == 0x0D else line - 1
        return line

    def _part_header_end(self, start: int) -> int:
        """As `header_end`, but no further than the next delimiter, with which some parts without a body end."""
        end = _header_end(self.raw, start, len(self.raw))
        if end > start + 2 and self.boundaries:
            found = self._delimiter(start, end)
            if found:
                return max(start, self._line_end_before(found[0]))
        return end


def _is_encoded(fields: Mapping[bytes, bytes]) -> bool:
    return fields.get(b"content-transfer-encoding", b"").strip().lower() in (b"base64", b"quoted-printable")


def _number(node: _Node, section: str, index: int, raw: bytes) -> Part:
    """The final tree. `index` 0 is a root (of the message, or of one enclosed in `section`)."""
    own = _section(section, index, node)
    below = section if not index else own
    if node.children is None:
        children: tuple[Part, ...] = ()
    elif node.boundary is None:
        children = tuple(_number(child, own, 0, raw) for child in node.children)
    else:
        children = tuple(_number(child, below, i, raw) for i, child in enumerate(node.children, 1))
    fields = node.fields
    disposition, more = headers.value_and_params(fields.get(b"content-disposition", b""))
    filename = more.get("filename") or node.params.get("name", "")
    if not filename and node.children and node.boundary is None:
        filename = headers.text(node.children[0].fields.get(b"subject", b""))
    return Part(
        section=own,
        type=node.type,
        size=max(0, node.end - node.offset),
        encoding=headers.value_and_params(fields.get(b"content-transfer-encoding", b"7bit"))[0] or "7bit",
        params=node.params,
        disposition=disposition,
        filename=filename,
        content_id=headers.text(fields.get(b"content-id", b"")).strip("<> \t"),
        location=headers.text(fields.get(b"content-location", b"")),
        offset=node.offset,
        children=children,
    )


def _section(section: str, index: int, node: _Node) -> str:
    """IMAP's numbers: parts count from 1; a message that is no multipart has its one part "1". RFC 9051, 6.4.5.1.

    A multipart that is the root of an enclosed message has no number of its own; it is called by its text, "2.TEXT".
    """
    if index:
        return f"{section}.{index}" if section else str(index)
    if node.boundary is not None:
        return f"{section}.TEXT" if section else ""
    return f"{section}.1" if section else "1"
