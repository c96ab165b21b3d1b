"""What may still be private in a session file: its lines are searched, as they stand and as what they spell out.

Of what masking makes it is known that it is nobody's: domains of RFC 2606, addresses of RFC 5737, telephone numbers of
the country 999, places in the sea at 0, 0. Everything else of such a form is a finding.
"""

from __future__ import annotations

import html
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from eas.protocol.codepages import TOKEN_OF

from . import places
from .prose import NO_COUNTRY, PHONE

#: Characters of a finding that are shown.
SHOWN = 60
#: Findings of one line: a long one has no need to fill the screen.
PER_LINE = 5

_ADDRESS = re.compile(rf"{places.ADDRESS}")
_HOST = re.compile(places.HOST)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://(?:[^/?#\s\"'<>@]*@)?([\w.-]*\w)")
_IP = re.compile(places.IP)
_PHONE = re.compile(PHONE)
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
_LOGIN = re.compile(r"(?i)\b(?:basic|bearer|negotiate|ntlm)\s+(?!\*)[A-Za-z0-9+/._~-]{12,}={0,2}(?=[\s,;\"']|$)")
_PASSWORD = re.compile(
    r"(?i)(?:password|passwd|client_secret|access_token|refresh_token|id_token)[\"']?\s*[=:>]\s*[\"']?(?!\*\*\*)"
    r"[^\s\"'<>&,;]{4,}"
)
_PLACE = re.compile(r"(?i)<(?:airsyncbase:)?(?:latitude|longitude)[^>]*>([^<]+)|\bGEO:([^\s<]+)")
_NOWHERE = re.compile(r"[-+]?0+(?:\.\d*)?(?:[;,][-+]?0+(?:\.\d*)?)*")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/]{24,}={0,2}(?![A-Za-z0-9+/=_-])")
_TAG = re.compile(r"</?[A-Za-z][\w:.-]*|^\s*[A-Za-z0-9-]+:")
#: Whatever stands before them: nobody has these domains.
_EXAMPLE = re.compile(r"(?i)[\w.-]*\bexample(?:\.(?:com|net|org))?\b|[\w.-]*\.(?:test|invalid)\b")
_WORD = re.compile(r"[^\W\d_]{4,}|\d{6,}")
_SPELT = re.compile(r"%[0-9A-Fa-f]{2}|&[#\w]+;")

#: Headers with numbers of versions, which look like IP addresses.
_VERSIONS = re.compile(r"(?i)(?:MS-Server-ActiveSync|Server|User-Agent|X-Mailer|X-AspNet-Version|client|device type):")
_IGNORED_IPS = re.compile(r"(?:0|127)\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|255\.")
_PROTOCOL = """
    microsoft activesync exchange outlook office apple android samsung google iphone ipad mail server http https text
    html plain none true false inbox message multipart mixed related
"""
_CAPITAL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
#: Words that are no names where they stand in a session.
_VOCABULARY = frozenset(_PROTOCOL.split()) | {
    word.lower() for tag in TOKEN_OF for word in (*_CAPITAL.findall(tag), *tag.split(":"))
}


@dataclass(frozen=True, slots=True)
class Finding:
    """`line` counts from 1; `text` is what was found."""

    file: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= SHOWN else self.text[: SHOWN - 3] + "..."
        return f"{self.file}:{self.line}: {self.kind}: {shown}"


def _address(line: str) -> Iterator[str]:
    for found in _ADDRESS.finditer(line):
        if not _nobodys(found[0].rpartition("@")[2]) and found[0].rpartition("@")[2].count("."):
            yield found[0]


def _host(line: str) -> Iterator[str]:
    without = _ADDRESS.sub(" ", line)
    yield from (found[0] for found in _HOST.finditer(without) if not _nobodys(found[0]))
    yield from (found[1] for found in _URL.finditer(without) if "." in found[1] and not _nobodys(found[1])
                and not _HOST.fullmatch(found[1]) and not _IP.fullmatch(found[1]))


def _nobodys(host: str) -> bool:
    return bool(places.EXAMPLES.fullmatch(host) or places.PUBLIC.fullmatch(host))


def _ip(line: str) -> Iterator[str]:
    if not _VERSIONS.match(line):
        yield from (found[0] for found in _IP.finditer(line)
                    if not _IGNORED_IPS.match(found[0]) and max(map(int, found[0].split("."))) < 256)


def _phone(line: str) -> Iterator[str]:
    yield from (found[0] for found in _PHONE.finditer(line)
                if not "".join(filter(str.isdecimal, found[0])).startswith(NO_COUNTRY))


def _token(line: str) -> Iterator[str]:
    for pattern in (_JWT, _LOGIN, _PASSWORD):
        yield from (found[0] for found in pattern.finditer(line))


def _place(line: str) -> Iterator[str]:
    for found in _PLACE.finditer(line):
        said = (found[1] or found[2]).strip()
        if re.search(r"\d", said) and not _NOWHERE.fullmatch(said):
            yield said


#: Kind -> what finds it in a line.
RULES: dict[str, Callable[[str], Iterator[str]]] = {
    "address": _address, "host": _host, "IP address": _ip, "telephone number": _phone, "password or token": _token,
    "place": _place,
}


class Search:
    """`names` are words that must not be there any more, in lower case; text in base64 is a finding by itself where
    nobody has masked the file."""

    def __init__(self, file: str, names: Callable[[], Collection[str]] = frozenset, masked: bool = False) -> None:
        self._file, self._names, self._masked = file, names, masked
        self._line = 0

    def lines(self, lines: list[str]) -> list[Finding]:
        """Of the lines that follow those before."""
        names = self._names()
        found = []
        for line in lines:
            self._line += 1
            found += [Finding(self._file, self._line, kind, text) for kind, text in self._of(line, names)][:PER_LINE]
        return found

    def _of(self, line: str, names: Collection[str]) -> dict[tuple[str, str], None]:
        found: dict[tuple[str, str], None] = {}
        for said in _spellings(line):
            found |= dict.fromkeys(self._in_text(said, names))
        for text in _texts(line):
            if not self._masked:
                found["text in base64", text] = None
            found |= dict.fromkeys(self._in_text(text, names))
        return found

    def _in_text(self, line: str, names: Collection[str]) -> Iterator[tuple[str, str]]:
        for kind, rule in RULES.items():
            yield from ((kind, text) for text in rule(line))
        if names:
            plain = _EXAMPLE.sub(" ", _TAG.sub(" ", line)).lower()
            yield from (("name of the input", word) for word in _WORD.findall(plain)
                        if word in names and word not in _VOCABULARY)


def _spellings(line: str) -> list[str]:
    """What the line says where it spells characters out: percent-encoded, as entities, or as those of entities."""
    return [html.unescape(html.unescape(unquote(line, errors="replace")))] if _SPELT.search(line) else [line]


def _texts(line: str) -> Iterator[str]:
    """What base64 says, where that is text."""
    for found in _BASE64.finditer(line):
        raw = found[0].rstrip("=")
        try:
            text = b64decode(raw + "=" * (-len(raw) % 4)).decode()
        except (Base64Error, UnicodeDecodeError, ValueError):
            continue
        if sum(character.isprintable() or character in "\r\n\t" for character in text) == len(text):
            yield " ".join(text.split())
