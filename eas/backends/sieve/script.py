"""Out-of-office settings as a Sieve script of ours, and into a script of the user's and out of it again. Pure.

A script of ours carries the settings in comments, with a digest of what follows them, so that it reads back exactly;
what somebody has changed in it since is told by the digest, and read from the rules themselves (`reading`).

RFC 5228; RFC 5230 (vacation), 5260 (currentdate), 5231 (relational), 5229 (variables), 6609 (include).
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256

from eas.backends.embedded.codec import dump_out_of_office, load_out_of_office
from eas.engine.model import Audience, OofReply, OutOfOffice
from eas.items.markup import clean, text_of_html

from . import reading
from .grammar import ScriptError, parse, prologue_end

#: One reply to a sender in so many days, as Exchange has one until the settings are changed; servers may ask for more.
DAYS = 1

_NO_REPLY = OofReply(enabled=False)


class Inexpressible(Exception):
    """The server's Sieve lacks what these settings need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """`addresses` are the user's, the primary one first; `domains` those that are internal; `known` the addresses of
    people that the user knows."""

    addresses: Sequence[str]
    domains: Sequence[str]
    known: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """Extensions to be required, and commands with CRLF line ends."""

    requires: tuple[str, ...]
    code: bytes


# --- Settings to rules ------------------------------------------------------------------------------------------------


def rules(value: OutOfOffice, whose: Whose, offered: frozenset[str], *, variables: bool) -> Rules:
    """`variables`: they may be used, as no commands of others stand in the same script. Raises Inexpressible."""
    if "vacation" not in offered:
        raise Inexpressible("the server's Sieve has no vacation")
    writing = _Writing(whose, offered, variables and "variables" in offered)
    lines = list(writing.rules(value))
    return Rules(tuple(sorted(writing.requires)), b"".join(line + b"\r\n" for line in lines))


class _Writing:
    def __init__(self, whose: Whose, offered: frozenset[str], variables: bool) -> None:
        self._whose, self._offered, self._variables = whose, offered, variables
        self.requires = {"vacation", *(("variables",) if variables else ())}

    def rules(self, value: OutOfOffice) -> Iterator[bytes]:
        if self._variables:
            yield b'set "eas_dollar" "$";'
            yield b'if header :matches "subject" "*" {'
            yield b'    set "eas_subject" "${1}";'
            yield b"}"
        within = self._within(value)
        if not within:
            yield from self._branches(value)
            return
        yield b"if allof(%b) {" % b", ".join(within) if len(within) > 1 else b"if %b {" % within[0]
        yield from self._branches(value)
        yield b"}"

    def _within(self, value: OutOfOffice) -> list[bytes]:
        if value.state != 2:
            return []
        tests = []
        for relation, edge in ((b"ge", value.start), (b"lt", value.end)):
            if edge is not None:
                moment = f"{edge:%Y-%m-%dT%H:%M:%S}".encode()
                tests.append(b'currentdate :zone "+0000" :value "%b" "iso8601" "%b"' % (relation, moment))
        if tests and not {"date", "relational"} <= self._offered:
            raise Inexpressible("the server's Sieve cannot limit a reply to a time (date, relational)")
        self.requires |= {"date", "relational"} if tests else set()
        return tests

    def _branches(self, value: OutOfOffice) -> Iterator[bytes]:
        """One reply to all, or different ones by who asks."""
        replies = [value.replies.get(audience, _NO_REPLY) for audience in Audience]
        actions = [self._vacation(reply) if reply.enabled and reply.text else b"" for reply in replies]
        inner, known, unknown = actions
        if known != unknown and not self._whose.known:
            # Whoever is not known to be known is a stranger.
            known = unknown
        branches = [(self._from(b":domain", self._whose.domains), inner)] if inner != known or inner != unknown else []
        branches += [(self._from(b":all", self._whose.known), known)] if known != unknown else []
        word = b"if"
        for test, action in branches:
            yield word + b" " + test + b" {"
            yield from _lines(action)
            yield b"}"
            word = b"elsif"
        if not branches:
            yield from _lines(unknown)
        elif unknown:
            yield b"else {"
            yield from _lines(unknown)
            yield b"}"

    def _from(self, part: bytes, wanted: Sequence[str]) -> bytes:
        """The reply goes to the envelope's sender; a server that does not show it has only the header's."""
        if "envelope" in self._offered:
            self.requires.add("envelope")
            return b'envelope %b :is "from" %b' % (part, self._list(wanted))
        return b'address %b :is "from" %b' % (part, self._list(wanted))

    def _vacation(self, reply: OofReply) -> bytes:
        own = self._list(self._whose.addresses)
        words = [b"vacation :days %d :addresses %b" % (DAYS, own)]
        if self._whose.addresses:
            words.append(b":from " + self._quoted(self._whose.addresses[0]))
        if self._variables:
            words.append(b':subject "Automatic reply: ${eas_subject}"')
        if reply.html:
            words.append(b":mime")
            content = _entity(reply.text)
        else:
            content = clean(reply.text).encode()
        return b" ".join(words) + b" text:\r\n" + self._literally(_stuffed(content)) + b".\r\n;"

    def _list(self, values: Sequence[str]) -> bytes:
        return b"[" + b", ".join(self._quoted(value) for value in values) + b"]"

    def _quoted(self, value: str) -> bytes:
        line = " ".join(clean(value).split())
        return b'"' + self._literally(line.replace("\\", "\\\\").replace('"', '\\"').encode()) + b'"'

    def _literally(self, octets: bytes) -> bytes:
        """Where there are variables a reference to one is written by another."""
        return octets.replace(b"${", b"${eas_dollar}{") if self._variables else octets


def _lines(code: bytes) -> Iterator[bytes]:
    if code:
        yield code


def _stuffed(text: bytes) -> bytes:
    """The lines of a multi-line string, each with its end. RFC 5228 2.4.2."""
    lines = re.sub(rb"\r\n|\r|\n", b"\n", text).split(b"\n")
    while lines and not lines[-1]:
        lines.pop()
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)


def _entity(html: str) -> bytes:
    """Text and HTML as a MIME entity in ASCII, for :mime. RFC 5230 4.4."""
    html = clean(html)
    message = EmailMessage(policy=SMTP)
    message.set_content(text_of_html(html), cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    message.set_boundary("eas-" + sha256(html.encode()).hexdigest()[:24])
    del message["MIME-Version"]
    return message.as_bytes()


# --- A script of ours -------------------------------------------------------------------------------------------------

_ABOUT = b"# The out-of-office reply that is set on phones, written by the ActiveSync gateway.\r\n"
_SETTINGS = b"# eas-settings: "
_DIGEST = b"# eas-digest: "
_SETTINGS_LINE = re.compile(rb"^# eas-settings: ([A-Za-z0-9+/=]+)[ \t]*\r?$", re.MULTILINE)
_DIGEST_LINE = re.compile(rb"^# eas-digest: ([0-9a-f]{64})[ \t]*\r?\n", re.MULTILINE)


def own_script(value: OutOfOffice, whose: Whose, offered: frozenset[str]) -> bytes:
    """Raises Inexpressible."""
    made = rules(value, whose, offered, variables=True)
    return _ABOUT + _noted(value, _require(made.requires) + made.code)


def settings_of(script: bytes) -> OutOfOffice | None:
    """What a script of ours, or our block in another's, says; None if it is neither. What was changed by hand counts,
    and so does that it was removed."""
    pieces = _SETTINGS_LINE.findall(script)
    digest = _DIGEST_LINE.search(script)
    if not pieces or digest is None:
        return None
    try:
        noted = load_out_of_office(b64decode(b"".join(pieces), validate=True).decode())
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
        return None
    rest = script[digest.end() :]
    if _digest(rest) == digest[1]:
        return noted
    try:
        return _amended(noted, reading.replies(parse(rest)))
    except ScriptError:
        return noted


def _amended(noted: OutOfOffice, found: Sequence[reading.Reply]) -> OutOfOffice:
    # As texts are written where there are variables.
    said = as_settings([replace(one, text=one.text.replace("${eas_dollar}{", "${")) for one in found])
    kept = {audience: replace(reply, enabled=False) for audience, reply in noted.replies.items()}
    return replace(said, replies={**kept, **said.replies})


def as_settings(found: Sequence[reading.Reply]) -> OutOfOffice:
    """The replies of a script as settings: off if there is none; the first one for each audience counts."""
    replies: dict[Audience, OofReply] = {}
    for one in found:
        for audience in one.audiences:
            replies.setdefault(audience, OofReply(enabled=True, text=one.text, html=one.html))
    if not found:
        return OutOfOffice()
    start, end = found[0].start, found[0].end
    return OutOfOffice(state=2 if start or end else 1, start=start, end=end, replies=replies)


def _noted(value: OutOfOffice, rest: bytes) -> bytes:
    coded = b64encode(dump_out_of_office(value).encode())
    pieces = [coded[at : at + 72] for at in range(0, len(coded), 72)]
    lines = b"".join(_SETTINGS + piece + b"\r\n" for piece in pieces)
    return lines + _DIGEST + _digest(rest) + b"\r\n" + rest


def _digest(rest: bytes) -> bytes:
    """Equal whatever the line ends are, which some editors change."""
    return sha256(rest.replace(b"\r\n", b"\n").strip()).hexdigest().encode()


def _require(extensions: Sequence[str]) -> bytes:
    return b"require [%b];\r\n" % b", ".join(b'"%b"' % extension.encode() for extension in extensions)


# --- In a script of the user's ----------------------------------------------------------------------------------------

_BLOCK = re.compile(
    rb"# >>> eas-vacation ([0-9a-f]{16})[^\r\n]*\r?\n(.*?)# <<< eas-vacation \1[ \t]*(?:\r?\n|\Z)", re.DOTALL
)
_BOM = b"\xef\xbb\xbf"


def included(script: bytes, name: str) -> bytes:
    """A user's script that includes ours, before its own commands."""
    call = b'include :personal :optional "%b";\r\n' % name.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return _inserted(script, _require(("include",)), call)


def inlined(script: bytes, value: OutOfOffice, whose: Whose, offered: frozenset[str]) -> bytes:
    """A user's script with our rules before its own commands, for servers without include. Raises Inexpressible."""
    made = rules(value, whose, offered, variables=False)
    return _inserted(script, _require(made.requires), _noted(value, made.code))


def without_blocks(script: bytes) -> bytes:
    """The user's script as it was."""
    return _BLOCK.sub(b"", script)


def with_blocks_of(before: bytes, script: bytes) -> bytes:
    """A script that takes the place of another one, with our rules as they stood in that."""
    found = [one[2] for one in _BLOCK.finditer(before)]
    return _inserted(script, *found) if len(found) == 2 else script


def has_block(script: bytes) -> bool:
    return _BLOCK.search(script) is not None


def block_settings(script: bytes) -> OutOfOffice | None:
    """What our rules in a user's script say; None if it only includes ours, or there are none."""
    return next((value for found in _BLOCK.finditer(script) if (value := settings_of(found[2])) is not None), None)


def _inserted(script: bytes, require: bytes, commands: bytes) -> bytes:
    """What is required stands at the very beginning; commands may only follow after all that the user requires. RFC
    5228 3.2. Comments may begin anywhere in a line, so that nothing has to be broken."""
    script = without_blocks(script)
    first = len(_BOM) if script.startswith(_BOM) else 0
    then = max(first, prologue_end(script))
    return script[:first] + _block(require) + script[first:then] + _block(commands) + script[then:]


def _block(content: bytes) -> bytes:
    """Begin and end have a mark in common that no text inside has."""
    mark = sha256(content).hexdigest()[:16].encode()
    begin = b"# >>> eas-vacation %b kept by the ActiveSync gateway\r\n" % mark
    return begin + content + b"# <<< eas-vacation %b\r\n" % mark
