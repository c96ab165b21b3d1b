"""Passwords and tokens are never written to a session file, masked or not.

Headers that say how somebody logs in are `eas.replay.format.capture`'s. Here: queries, and what bodies hold.
Of a secret nothing is left, neither its length nor whether two are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from eas.protocol import query as queries
from eas.protocol.wbxml import Element
from eas.replay.format.capture import HIDDEN, SECRET
from eas.replay.format.model import Binary, Body, Document, Exchange, Headers, LeftOut, Parts, Text

from . import scanning

#: Elements with what somebody logs in with. [MS-ASCMD] UserName and Password (Search, ItemOperations) are an account
#: of a document library; Password (Settings) is the one that opens the device, kept for those who forget it.
SECRET_TAGS = frozenset({
    "Search:UserName", "Search:Password", "ItemOperations:UserName", "ItemOperations:Password", "Settings:Password",
})
#: Commands that have such elements: a request that cannot be read may have one in it.
SECRET_COMMANDS = frozenset({"Search", "ItemOperations", "Settings"})

#: Names of parameters, members and elements whose value is secret, by their end, without `-`, `_` and `.`:
#: `client_secret`, `newPassword`, `x-amz-security-token`. Policies such as `MinDevicePasswordLength` end otherwise.
_SECRET_NAME = re.compile(
    r"(?:password|passwort|passwd|passphrase|passcode|pwd|secret|token|assertion|apikey|accesskey|verifier|credentials?"
    r"|authorization|cookie|ticket|otp|samlresponse|samlrequest|sessionid|signature|privatekey|recoverykey|devicecode|usercode)\d*$"
)
#: Names that are secret in forms and queries alone. OAuth's `code` is a word for an error in JSON.
_SECRET_PARAMETERS = frozenset({"code", "pass", "pin", "auth", "sig", "wresult", "key"})
#: Attributes of which one names and the other has the value.
_NAMES, _VALUES = ("name", "id", "key", "type"), ("value", "content")
#: Answers to a challenge, and challenges that carry more than a realm.
_CHALLENGE = re.compile(
    r"(?i)\b(negotiate|ntlm|kerberos|bearer|basic|digest)(\s+)([A-Za-z0-9+/._~-]{12,}={0,2})(?=[\s,;]|$)"
)
#: A pair inside of a header.
_PAIR = re.compile(r"(?i)\b([\w-]*(?:password|passwd|token|secret)\s*=\s*)(\"[^\"]*\"|[^\s;,&]+)")
#: `https://anna:secret@host/`.
_USERINFO = re.compile(r"(?i)(?<=://)[^/?#\s@\"'<>]+(?=@)")
_URL_QUERY = re.compile(r"\?([^\s\"'<>#]*)")

WHY = "it may hold a password and cannot be read"


def without_passwords(exchange: Exchange) -> Exchange:
    """The exchange with HIDDEN in the place of each secret; itself where there is none. Never raises."""
    request, answer = exchange.request, exchange.answer
    command = _command(request.query)
    made_request = replace(
        request, target=_target(request.target), headers=_headers(request.headers),
        body=_unless(command in SECRET_COMMANDS | {""}, _body(request.body)),
    )
    made_answer = replace(
        answer, headers=_headers(answer.headers), body=_unless(command == "", _body(answer.body)),
    )
    if made_request == request and made_answer == answer:
        return exchange
    return replace(exchange, request=made_request, answer=made_answer)


def is_secret(name: str) -> bool:
    """Whether the value under this name, of a member, an element or a header, is secret."""
    return _SECRET_NAME.search(_plain(name)) is not None


def _plain(name: str) -> str:
    return re.sub(r"[-_. ]", "", scanning.local(name)).lower()


# Target and headers --------------------------------------------------------------------------------------------------


def _parameter(names: Sequence[str], value: str) -> str:
    return HIDDEN if is_secret(names[0]) or _plain(names[0]) in _SECRET_PARAMETERS else value


def _member(names: Sequence[str], value: str) -> str:
    return HIDDEN if any(map(is_secret, names)) else value


def _attribute(name: str, value: str, attributes: Mapping[str, str]) -> str:
    """Also of a pair, `<input name="SAMLResponse" value="..."/>`."""
    named = name.lower() in _VALUES and any(is_secret(attributes.get(one, "")) for one in _NAMES)
    return HIDDEN if named or is_secret(name) else value


def _target(target: str) -> str:
    """A path with its query, or a whole URL."""
    return _URL_QUERY.sub(lambda found: "?" + scanning.form(found[1], _parameter), _USERINFO.sub(HIDDEN, target))


def _headers(headers: Headers) -> Headers:
    return tuple((name, _header(name, value)) for name, value in headers)


def _header(name: str, value: str) -> str:
    if name.lower() in SECRET or is_secret(name):
        return value if value.endswith(HIDDEN) else HIDDEN  # `capture` leaves the scheme
    return _PAIR.sub(rf"\1{HIDDEN}", _CHALLENGE.sub(rf"\1\2{HIDDEN}", _target(value)))


# Bodies --------------------------------------------------------------------------------------------------------------


def _body(body: Body) -> Body:
    match body:
        case Document(root, _):
            made = _element(root)
            return body if made is root else Document(made)
        case Text(kind, data) if kind in _TEXTS:
            text = data.decode("utf-8", "surrogateescape")
            made_text = _TEXTS[kind](text)
            return body if made_text == text else Text(kind, made_text.encode("utf-8", "surrogateescape"))
        case Parts(parts):
            made_parts = tuple(map(_body, parts))
            return body if made_parts == parts else Parts(made_parts)
        case _:
            return body


def _element(element: Element) -> Element:
    """The same object where nothing is secret in it."""
    if element.tag in SECRET_TAGS:
        return Element(element.tag, HIDDEN) if element.content else element
    if not isinstance(element.content, tuple):
        return element
    made = tuple(map(_element, element.content))
    if all(new is old for new, old in zip(made, element.content, strict=True)):
        return element
    return Element(element.tag, made)


def _form(text: str) -> str:
    return scanning.form(text, _parameter)


def _xml(text: str) -> str:
    return scanning.markup(text, _member, _attribute)


def _json(text: str) -> str:
    return scanning.json_values(text, _member)


def _any(text: str) -> str:
    """What the type says nothing of, by how it begins. Content of mails is none of this: it is said to be MIME."""
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start in ("{", "["):
        return _json(text)
    return _xml(text) if start == "<" else _form(text)


_TEXTS: dict[str, Callable[[str], str]] = {
    "form": _form, "json": _json, "xml": _xml, "html": _xml, "text": _any,
}


def _unless(secret: bool, body: Body) -> Body:
    """Nothing of a body that cannot be searched, where a password may be in it."""
    return LeftOut(len(body.data), WHY) if secret and isinstance(body, Binary) else body


def _command(query: str) -> str:
    """The command of a query; "" where it names none, as for what is not ActiveSync."""
    try:
        return queries.parse(query).command
    except queries.QueryError as error:
        return error.command
