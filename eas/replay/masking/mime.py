"""Messages: every part as what it is, in its charset and transfer encoding, with its ends of lines."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from . import units
from .cards import Cards
from .files import file_name
from .prose import Prose

#: Header fields that say nothing of people, in lower case.
_KEPT = frozenset({
    "mime-version", "content-transfer-encoding", "importance", "priority", "x-priority", "x-msmail-priority",
    "x-mailer", "user-agent", "x-ms-has-attach", "auto-submitted", "precedence", "content-language", "accept-language",
    "content-class", "sensitivity", "x-auto-response-suppress", "x-mimeole", "x-ms-exchange-organization-scl",
})
_IDS = frozenset({
    "message-id", "in-reply-to", "references", "content-id", "resent-message-id", "x-universally-unique-identifier",
})
_PEOPLE = frozenset({"from", "to", "cc", "bcc", "reply-to", "sender", "resent-from", "resent-to", "return-path"})
_SUBJECTS = frozenset({"subject", "thread-topic"})
_CONTENT = frozenset({"content-type", "content-disposition"})

_CARDS = frozenset({
    "text/calendar", "application/ics", "text/x-vcalendar", "text/vcard", "text/x-vcard", "text/directory",
})
#: (text, charset) -> as many characters.
ChangeText = Callable[[str, str], str]

#: Parts inside each other.
MAX_DEPTH = 20

_FIELD = re.compile(rb"([^\s:]+)([ \t]*:)((?:[^\r\n]|\r?\n[ \t]|\r(?!\n))*)")
_END_OF_HEAD = re.compile(rb"\A\r?\n|\r?\n\r?\n")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_ENCODED = re.compile(r"=\?([^?\s*]+)(\*[^?\s]*)?\?([bBqQ])\?([^?\s]*)\?=")
_PARAMETER = re.compile(r"(;\s*)([\w!#$%&'+.^`{|}~-]+)(\*?\d*\*?)(\s*=\s*)(\"(?:[^\"\\]|\\.)*\"?|[^\s;]*)", re.DOTALL)
_NAMING = frozenset({"name", "filename"})
_EXTENDED = re.compile(r"([\w-]*)'([\w-]*)'(.*)", re.DOTALL)
_WHEN = frozenset({"creation-date", "modification-date", "read-date"})


@dataclass(frozen=True, slots=True)
class _Head:
    """What the fields say of the content."""

    type: str
    charset: str
    boundary: str
    encoding: str


class Messages:
    def __init__(self, prose: Prose) -> None:
        self._prose = prose
        self._cards = Cards(prose)

    def message(self, data: bytes, charset: str = "", depth: int = 0) -> bytes:
        """As many bytes. `charset` is what it is written in as a whole, whatever its parts say: in a document it is
        text already."""
        end = _END_OF_HEAD.search(data)
        at = end.end() if end else len(data)
        fields, content = data[:at], data[at:]
        if not _FIELD.match(fields) and not fields.isspace():
            return self._plain(data, charset or "utf-8")  # no message at all
        head = _head(fields)
        shown = _FIELD.sub(lambda found: self._field(found, charset), fields)
        return shown + self._content(content, head, charset, depth)

    # Fields ----------------------------------------------------------------------------------------------------------

    def _field(self, found: re.Match[bytes], charset: str) -> bytes:
        name = found[1].decode("latin-1").lower()
        value = units.in_charset(found[3], charset or "utf-8", lambda text: self._value(name, text))
        return found[1] + found[2] + value

    def _value(self, name: str, value: str) -> str:
        if name in _KEPT:
            return self._prose.only_places(value)
        return units.spelt(value, _FOLD, lambda _: "", lambda new, old: old, lambda plain: self._unfolded(name, plain))

    def _unfolded(self, name: str, value: str) -> str:
        prose = self._prose
        if name in _IDS:
            return prose.id(value)
        if name == "thread-index":
            raw = value.encode("utf-8", "surrogateescape")
            made = units.base64(raw, prose.blobs.conversation_index, _as_is(prose))
            return made.decode("utf-8", "surrogateescape")
        if name in _CONTENT:
            return self._typed(value)
        if name in _PEOPLE:
            kept = "people" in prose.keep
            return value if kept else self._with_words(value, prose.person)
        return self._with_words(value, prose.subject if name in _SUBJECTS else prose.text)

    def _with_words(self, value: str, change: ChangeText) -> str:
        """Encoded words are decoded for it. RFC 2047."""
        out, at = [], 0
        for found in _ENCODED.finditer(value):
            out += [change(value[at : found.start()], "utf-8"), self._encoded(found, change)]
            at = found.end()
        return "".join([*out, change(value[at:], "utf-8")])

    def _encoded(self, found: re.Match[str], change: ChangeText) -> str:
        charset, raw = units.known(found[1]), found[4]

        def changed(data: bytes) -> bytes:
            return units.in_charset(data, charset, lambda text: change(text, charset))

        if found[3] in "bB":
            made = units.base64(raw.encode("utf-8", "replace"), changed, _as_is(self._prose)).decode("utf-8", "replace")
        else:
            made = units.q_word(raw, changed) if raw.isascii() else self._prose.text(raw)
        return f"=?{found[1]}{found[2] or ''}?{found[3]}?{made}?="

    def _typed(self, value: str) -> str:
        """Content-Type and Content-Disposition: the parameters that name something."""
        start = value.find(";")
        if start < 0:
            return self._prose.only_places(value)
        return value[:start] + _PARAMETER.sub(self._parameter, value[start:])

    def _parameter(self, found: re.Match[str]) -> str:
        before, name, part, equals, raw = found.groups()
        said = raw.strip('"')
        if name.lower() in _NAMING:
            made = self._name(said, part)
        elif name.lower() == "boundary":
            made = self._prose.id(said)
        elif name.lower() in _WHEN:
            made = self._prose.text(said)
        elif len(said) <= _SHORT:
            made = self._prose.only_places(said)
        else:
            made = self._prose.id(said)
        return f"{before}{name}{part}{equals}{raw.replace(said, made) if said else raw}"

    def _name(self, name: str, part: str) -> str:
        extended = _EXTENDED.fullmatch(name) if part.endswith("*") else None
        if extended:
            return f"{extended[1]}'{extended[2]}'{units.percent(extended[3], self._file)}"
        if part.endswith("*"):
            return units.percent(name, self._file)
        return self._with_words(name, self._file)

    def _file(self, name: str, charset: str = "utf-8") -> str:
        return file_name(name, lambda text: self._prose.text(text, charset))

    # Content ---------------------------------------------------------------------------------------------------------

    def _content(self, data: bytes, head: _Head, charset: str, depth: int) -> bytes:
        if head.type.startswith("multipart/") and head.boundary:
            return self._multipart(data, head.boundary, charset, depth)
        change = self._change_of(head, depth, charset if head.encoding not in ("base64", "quoted-printable") else "")
        match head.encoding:
            case "base64":
                return units.base64(data, change, self._raw)
            case "quoted-printable":
                return units.quoted_printable(data, change)
            case _:
                return change(data)

    def _change_of(self, head: _Head, depth: int, charset: str) -> Callable[[bytes], bytes]:
        written = units.known(charset or head.charset or "utf-8")
        if head.type == "message/rfc822" and depth < MAX_DEPTH:
            return lambda data: self.message(data, charset, depth + 1)
        if head.type in ("message/delivery-status", "message/disposition-notification", "text/rfc822-headers"):
            return lambda data: _FIELD.sub(lambda found: self._field(found, charset), data)
        if head.type.startswith(("text/", "message/", "multipart/", "application/ics")) or not head.type:
            how = self._text_of(head.type)
            return lambda data: units.in_charset(data, written, lambda text: how(text, written))
        if head.encoding in ("7bit", "8bit", ""):
            return self._raw  # text of a kind that is not said
        return self._prose.blob

    def _text_of(self, type_: str) -> Callable[[str, str], str]:
        if type_ in _CARDS:
            return self._cards.text
        return self._prose.html if type_ in ("text/html", "text/xml") else self._prose.text

    def _multipart(self, data: bytes, boundary: str, charset: str, depth: int) -> bytes:
        if depth >= MAX_DEPTH:
            return self._plain(data, charset or "utf-8")
        mark = boundary.encode("utf-8", "surrogateescape")
        # The end of the line before a delimiter belongs to it, and so to no part.
        delimiter = re.compile(rb"(?:\A|(\r?\n))--" + re.escape(mark) + rb"((?:--)?[ \t]*)(\r?\n|\Z)")
        out, at, inside = [], 0, False
        new = self._prose.id(boundary).encode("utf-8", "surrogateescape")
        while found := delimiter.search(data, at):
            out.append(self._part(data[at : found.start()], inside, charset, depth))
            out.append((found[1] or b"") + b"--" + new + found[2])
            inside = not found[2].startswith(b"--")
            # The same end of line may end this delimiter and begin the next one.
            at = found.end(2)
            if found[3] and not delimiter.match(data, at):
                out.append(found[3])
                at = found.end(3)
        out.append(self._part(data[at:], inside, charset, depth))
        return b"".join(out)

    def _part(self, data: bytes, inside: bool, charset: str, depth: int) -> bytes:
        return self.message(data, charset, depth + 1) if inside else self._plain(data, charset or "utf-8")

    def _plain(self, data: bytes, charset: str) -> bytes:
        return units.in_charset(data, charset, lambda text: self._prose.text(text, charset))

    def _raw(self, data: bytes) -> bytes:
        return self._plain(data, "utf-8")


#: Longer values of parameters are ids: `charset`, `format`, `method` are short.
_SHORT = 20


def _as_is(prose: Prose) -> Callable[[bytes], bytes]:
    return lambda data: units.in_charset(data, "utf-8", prose.text)


def _head(fields: bytes) -> _Head:
    found = {
        one[1].decode("latin-1").lower(): one[3].decode("utf-8", "surrogateescape") for one in _FIELD.finditer(fields)
    }
    kind = found.get("content-type", "text/plain")
    parameters = {one[2].lower(): one[5].strip('"') for one in _PARAMETER.finditer(_FOLD.sub("", kind))}
    return _Head(
        type=kind.partition(";")[0].strip().lower(), charset=parameters.get("charset", ""),
        boundary=parameters.get("boundary", ""), encoding=found.get("content-transfer-encoding", "").strip().lower(),
    )
