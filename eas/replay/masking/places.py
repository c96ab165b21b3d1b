"""Hosts, URLs and addresses: where something is. Domains become ones that can never be anybody's (RFC 2606)."""

from __future__ import annotations

import re

from . import units
from .words import Words

#: Domains that are nobody's.
EXAMPLES = re.compile(r"(?i)(?:.*\.)?(?:example(?:\.(?:com|net|org))?|test|invalid|localhost)\.?")
#: Of everybody: names of XML, which no program would understand otherwise, and makers' pages.
PUBLIC = re.compile(
    r"(?i)schemas?\..*|(?:www\.)?w3\.org|purl\.org|(?:.*\.)?openxmlformats\.org|(?:.*\.)?xml\.org|(?:.*\.)?ietf\.org"
)
#: Parts of host names that say what a host does.
ROLES = frozenset({
    "autodiscover", "www", "mail", "webmail", "smtp", "imap", "pop", "mx", "owa", "eas", "exchange", "activesync",
    "ldap", "login", "outlook", "m", "mobile", "calendar", "_autodiscover", "_tcp",
})
#: Parts of paths that say what is asked for.
PATHS = frozenset({
    "microsoft-server-activesync", "autodiscover", "autodiscover.xml", "autodiscover.json", "owa", "ews", "exchange",
    "oauth2", "oauth", "authorize", "token", "common", "v1.0", "v2.0", "v1", "v2", ".well-known",
    "openid-configuration", "default.eas", "exchange.asmx", "mobilesync", "responseschema", "requestschema", "2006",
})
#: The shortest domain that can be one of nobody's: `a.test`.
_TEST = ".test"

# Bounded, so that a long text without blanks takes no square of its length.
ADDRESS = r"[^\s<>()\[\]\\,;:@\"'=|{}]{1,64}@(?:[^\W_]|[.-])*[^\W_]"
URL = r"(?:[A-Za-z][A-Za-z0-9+.-]{1,20}://|\\\\(?=[\w.-]+\\))[^\s<>\"{}|^`]+"
IP = r"(?<![\w.:])(?:\d{1,3}\.){3}\d{1,3}(?![\w])(?!\.\d)"
IP6 = r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){3,7}(?::|[0-9A-Fa-f]{1,4})+(?![\w:])"
#: Names of hosts in the middle of a text: the ends that are common, as `U.S.` and `e.g.` are none.
HOST = r"(?<![\w@.-])(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,10}(?:com|net|org|edu|gov|mil|int|info|biz|io|eu|de|at|" \
       r"ch|uk|fr|nl|be|it|es|pt|pl|cz|se|no|dk|fi|us|ca|au|nz|jp|cn|in|ru|br|local|lan|intern|internal|corp|cloud|app|dev)(?![\w-])"

#: What is long enough to be found again.
_NAME = re.compile(r"[^\W\d_]{4,}|\d{6,}")
_REMEMBERED = 100_000
_URL_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://|\\\\)([^/?#\\]*)(.*)", re.DOTALL)
_SECOND_LEVEL = frozenset({"co", "com", "net", "org", "ac", "gov", "edu", "or", "ne", "gv"})
_LABEL = re.compile(r"[^\W_]+")
_IP = re.compile(IP)


class Places:
    """Pseudonyms of hosts, and of what is at them."""

    def __init__(self, words: Words) -> None:
        self._words = words
        #: Names of people and hosts that were replaced, in lower case.
        self.names: set[str] = set()

    def name(self, text: str) -> None:
        """Remembers what is in a name."""
        if len(self.names) < _REMEMBERED:
            self.names.update(found.lower() for found in _NAME.findall(text))

    def plain(self, text: str) -> str:
        """Letters and digits of what has no other meaning."""
        return _TOKENS.sub(self._token, text)

    def _token(self, found: re.Match[str]) -> str:
        return self._words.number(found[0]) if found[0][0].isdecimal() else self._words.word(found[0])

    def host(self, name: str) -> str:
        """A name, an IP address, with or without port. The domain and what is in it are changed apart."""
        host, colon, port = name.partition(":") if name.count(":") == 1 else (name, "", "")
        if not host or EXAMPLES.fullmatch(host) or PUBLIC.fullmatch(host):
            return name
        if _IP.fullmatch(host):
            return self.ip(host) + colon + port
        if "." not in host:
            return (host if host.lower() in ROLES else self.plain(host)) + colon + port
        labels = host.split(".")
        size = 3 if len(labels) > 2 and labels[-2].lower() in _SECOND_LEVEL and len(labels[-1]) == 2 else 2
        before, domain = labels[:-size], ".".join(labels[-size:])
        self.name(" ".join(label for label in [*before, labels[-size]] if label.lower() not in ROLES))
        shown = [label if label.lower() in ROLES else self.plain(label) for label in before]
        return ".".join([*shown, self._domain(domain)]) + colon + port

    def _domain(self, domain: str) -> str:
        """As long as it was, and nobody's; too short a one loses its dot."""
        size = len(domain) - len(_TEST)
        if len(domain.encode()) != len(domain) or size < 1:
            return self.plain(domain.replace(".", "x"))
        letters = self._words.word("".join(letter if letter.isalpha() else "x" for letter in domain.lower()))
        return letters[:size] + _TEST

    def ip(self, text: str) -> str:
        """An address of documentation (RFC 5737), as long as it was where there is one."""
        number = self._words.stream("ip", text.encode(), 2)
        made = f"192.0.2.{number[0]}"
        for net in ("192.0.2.", "198.51.100.", "203.0.113."):
            digits = len(text) - len(net)
            if 1 <= digits <= 3:
                low, high = (0, 10, 100)[digits - 1], (10, 100, 256)[digits - 1]
                made = net + str(low + number[0] % (high - low))
        return made

    def address(self, text: str) -> str:
        local, _, domain = text.rpartition("@")
        self.name(local)
        return f"{self.plain(local)}@{self.host(domain)}"

    def url(self, text: str) -> str:
        """Scheme and known parts of paths stay."""
        found = _URL_PARTS.fullmatch(text)
        if found is None:
            return units.percent(text, self.plain)
        scheme, host, rest = found.groups()
        user, at, name = host.rpartition("@")
        if PUBLIC.fullmatch(name):
            return text
        return scheme + (units.percent(user, self.plain) + at if at else "") + self.host(name) + self.path(rest)

    def path(self, path: str) -> str:
        """Path, query and fragment."""
        return "".join(
            part if part.lower() in PATHS or part in "/\\?#&=" else units.percent(part, self._within)
            for part in _PATH_PARTS.split(path)
        )

    def _within(self, text: str) -> str:
        return _ADDRESS.sub(lambda found: self.address(found[0]), text) if "@" in text else self.plain(text)


_TOKENS = re.compile(r"\d+|[^\W\d_]+")
_PATH_PARTS = re.compile(r"([/\\?#&=])")
_ADDRESS = re.compile(ADDRESS + "|" + _TOKENS.pattern)
