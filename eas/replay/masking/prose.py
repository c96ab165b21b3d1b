"""What people write: words, numbers, addresses, dates, in plain text and in HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from . import places, scanning, shift, units
from .blobs import Blobs
from .places import Places
from .shift import Shift
from .words import Words

#: Before a subject: what happened to the mail.
_PREFIX = re.compile(
    r"(?i)\s*(?:(?:re|fwd?|aw|wg|tr|sv|vs|antw|rv|res|enc|odp|accepted|declined|tentative|canceled)\s*:\s*)+"
)
#: Names of properties and operators in a search.
_OPERATOR = re.compile(
    r"\b(?:AND|OR|NOT|NEAR)\b|\b(?i:subject|from|to|cc|bcc|body|participants|received|sent|kind|hasattachments?"
    r"|attachment|category|size|importance|isread)(?=\s*[:<>=])"
)
#: Attributes of HTML whose values say how something looks. Others are masked.
_LOOKS = frozenset({
    "align", "bgcolor", "border", "cellpadding", "cellspacing", "charset", "class", "clear", "color", "cols", "colspan",
    "dir", "face", "frame", "height", "hspace", "http-equiv", "lang", "language", "link", "media", "method",
    "noshade", "nowrap", "rel", "role", "rows", "rowspan", "rules", "scope", "size", "span", "style", "target", "text",
    "type", "valign", "vlink", "vspace", "width", "xml:lang",
})
_SHORT_NUMBER = re.compile(r"[-+]?\d{0,3}(?:\.\d{1,3})?(?:px|pt|em|%)?")
_CSS_PRIVATE = re.compile(rf"/\*.*?(?:\*/|\Z)|url\(\s*['\"]?([^)'\"]*)|{places.URL}|{places.ADDRESS}", re.DOTALL)
_GENERATOR = re.compile(r"(?i)generator|progid|viewport|originator|format-detection")
_CONTENT_TYPE = re.compile(r"(?i)\s*[\w.+-]+/[\w.+-]+\s*(?:;\s*charset\s*=[\w\s\"'-]+)?")

#: International telephone numbers.
PHONE = r"\+[0-9](?:[ ()/.-]{0,3}[0-9]){7,14}(?![0-9])"
#: ITU E.164 keeps it free.
NO_COUNTRY = "999"

#: What stands over a text that is answered: servers write it, and a session that is played back has it again.
LABEL = r"\b(?:From|Sent|To|Cc|Subject|Date|Von|Gesendet|An|Betreff|Datum)(?=:\s)"

_TOKENS = re.compile("|".join((
    rf"(?P<url>{places.URL})", rf"(?P<address>{places.ADDRESS})", rf"(?P<iso>{shift.ISO})", rf"(?P<mail>{shift.MAIL})",
    rf"(?P<phone>{PHONE})", rf"(?P<ip>{places.IP})", rf"(?P<ip6>{places.IP6})", rf"(?P<host>{places.HOST})",
    rf"(?P<scheme>\b(?i:mailto|tel|sms|sip|cid|geo|callto)(?=:)|{LABEL})",
    r"(?P<number>\d+)", r"(?P<word>[^\W\d_]+)", r"(?P<bytes>[\udc80-\udcff]+)",
)))
#: Groups of _TOKENS that have others inside of them, or none where a date had.
_WHOLE = ("url", "address", "iso", "mail", "phone", "ip", "ip6", "host")
_PLACES = re.compile("|".join((
    rf"(?P<url>{places.URL})", rf"(?P<address>{places.ADDRESS})", rf"(?P<ip>{places.IP})", rf"(?P<ip6>{places.IP6})",
    rf"(?P<host>{places.HOST})",
)))
#: Ends of lines and what ends a URL in a sentence.
_TRAILING = re.compile(r"[.,;:!?)\]'*_~]+$")
_DEGREES = re.compile(r"(\d{1,3})(\.\d+)?")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_PLACE = re.compile(r"\s*(?:geo:)?[-+]?\d{1,3}(?:\.\d+)?(?:[;,][-+]?\d{1,3}(?:\.\d+)?)*\s*")
_ID_PARTS = re.compile(r"@((?:[^\W_][\w-]*\.)+[^\W\d_]{2,})|[^@]+|@")
_CID = re.compile(r"(?i)\s*cid:(.*)", re.DOTALL)


class Prose:
    """Each function gives as many characters as it takes."""

    def __init__(self, words: Words, shift: Shift, keep: Collection[str] = ()) -> None:
        self.words = words
        self.keep = keep
        self.shift = shift
        self.places = Places(words)
        self.blobs = Blobs(words)
        self._replace: Mapping[str, Callable[[str], str]] = {
            "number": words.number, "url": self._url, "address": self.places.address, "host": self.places.host,
            "ip": self.places.ip, "ip6": words.id, "scheme": str, "phone": self._phone, "bytes": self._surrogates,
        }

    def text(self, text: str, charset: str = "utf-8") -> str:
        return _TOKENS.sub(lambda found: self._token(found, charset), text)

    def only_places(self, text: str) -> str:
        """What a program wrote: addresses and hosts in it, and nothing else."""
        return _PLACES.sub(lambda found: self._token(found, "utf-8"), text)

    def _token(self, found: re.Match[str], charset: str) -> str:
        raw, kind = found[0], found.lastgroup or ""
        if kind == "word":  # most are
            return self.words.word(raw, charset)
        # `lastgroup` is the last one that closed, which is an inner one for dates.
        kind = next((name for name in _WHOLE if name in found.re.groupindex and found[name] is not None), kind)
        return self._replace[kind](raw) if kind in self._replace else self._dated(found, kind)

    def _surrogates(self, raw: str) -> str:
        """Bytes that the charset does not have."""
        numbers = self.words.stream("bytes", raw.encode("utf-8", "surrogateescape"), len(raw))
        return "".join(chr(0xDC80 + number % 0x80) for number in numbers)

    def _dated(self, found: re.Match[str], kind: str) -> str:
        """A date that is none, or one that would be longer, is no more than its words."""
        if "dates" in self.keep:
            return found[0]
        made = self.shift.iso(found) if kind == "iso" else self.shift.mail(found)
        return made if made != found[0] and len(made) == len(found[0]) else self.places.plain(found[0])

    def _phone(self, raw: str) -> str:
        """With a country code that no country has."""
        digits = iter(NO_COUNTRY + self.words.number("".join(filter(str.isdecimal, raw)))[len(NO_COUNTRY) :])
        return "".join(next(digits) if letter.isdecimal() else letter for letter in raw)

    def person(self, text: str, charset: str = "utf-8") -> str:
        """The same as text; its words are names, which stand nowhere afterwards."""
        self.places.name(_PLACES.sub(" ", text))
        return self.text(text, charset)

    def _url(self, raw: str) -> str:
        end = _TRAILING.search(raw)
        at = end.start() if end else len(raw)
        return self.places.url(raw[:at]) + raw[at:]

    def id(self, text: str) -> str:
        """Of ids with a domain in them (`Message-ID`) that becomes nobody's."""
        if "ids" in self.keep:
            return text
        return _ID_PARTS.sub(
            lambda found: "@" + self.places.host(found[1]) if found[1] else self.words.id(found[0]), text,
        )

    def uid(self, text: str) -> str:
        return text if "ids" in self.keep else self.blobs.object_uid(text) or self.id(text)

    def subject(self, text: str, charset: str = "utf-8") -> str:
        if "subjects" in self.keep:
            return text
        found = _PREFIX.match(text)
        at = found.end() if found else 0
        return text[:at] + self.text(text[at:], charset)

    def query(self, text: str) -> str:
        """A search: what it looks for is what that has become elsewhere."""
        out, at = [], 0
        for found in _OPERATOR.finditer(text):
            out += [self.text(text[at : found.start()]), found[0]]
            at = found.end()
        return "".join([*out, self.text(text[at:])])

    # HTML ------------------------------------------------------------------------------------------------------------

    def html(self, text: str, charset: str = "utf-8") -> str:
        """Tags and how it looks stay."""
        def change(names: object, raw: str) -> str:
            return self._html_text(list(names), raw, charset)  # type: ignore[call-overload]

        return scanning.markup(text, change, lambda name, raw, others: self._attribute(name, raw, others, charset))

    def _html_text(self, names: list[str], raw: str, charset: str) -> str:
        inside = names[-1].lower() if names else ""
        if inside == "style":
            return self._css(raw)
        if inside == "!--" and "<" in raw:  # conditional comments have HTML in them
            return self.html(raw, charset)
        if inside == "script":
            return self.text(raw, charset)
        return units.entities(raw, lambda plain: self.text(plain, charset))

    def _css(self, text: str) -> str:
        return _CSS_PRIVATE.sub(lambda found: self.text(found[0]), text)

    def _attribute(self, name: str, raw: str, others: Mapping[str, str], charset: str) -> str:
        name = name.lower()
        if name == "style":
            return self._css(raw)
        if name in _LOOKS or name.startswith("xmlns") or _SHORT_NUMBER.fullmatch(raw):
            return self.only_places(raw)
        if name == "content" and (_CONTENT_TYPE.fullmatch(raw) or _GENERATOR.fullmatch(others.get("name", ""))):
            return raw
        if name == "name" and _GENERATOR.fullmatch(raw):
            return raw
        found = _CID.fullmatch(raw)
        if found:
            return raw[: found.start(1)] + self.id(found[1])
        return units.entities(raw, lambda plain: units.percent(plain, lambda said: self.text(said, charset)))

    def blob(self, data: bytes) -> bytes:
        """A file: text stays text."""
        if "files" in self.keep:
            return data
        text = _text_of(data)
        if text is None:
            return self.blobs.blob(data)
        made = self.any(text).encode()
        return made if len(made) == len(data) else self.blobs.blob(data)

    def place(self, text: str) -> str:
        """Degrees: in the sea where both of them are 0, so that everybody sees that this is no place."""
        if not _PLACE.fullmatch(text):
            return self.text(text)
        return _DEGREES.sub(lambda found: self._degrees(found[1], found[2] or ""), text)

    def _degrees(self, whole: str, behind: str) -> str:
        return "0" * len(whole) + (behind and "." + self.words.number(behind[1:]))

    def any(self, text: str) -> str:
        """HTML or not, by how it begins."""
        return self.html(text) if text.lstrip("\ufeff \t\r\n")[:1] == "<" else self.text(text)


def _text_of(data: bytes) -> str | None:
    """What a file says, where it is text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text
