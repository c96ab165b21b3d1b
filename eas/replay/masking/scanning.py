"""Text formats gone through token by token: values are changed, everything else stays byte for byte.

Nothing here raises: what is malformed is a row of tokens, too.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote, unquote

#: (names of the parameter, member or element and of those around it, the outermost first; value) -> what to put there.
Change = Callable[[Sequence[str], str], str]
#: (name, value as written, all attributes of the same tag by their names in lower case) -> the value to write there.
ChangeAttribute = Callable[[str, str, Mapping[str, str]], str]

#: Levels around a value that are known: HTML leaves open what it likes.
DEPTH = 64

# Forms and queries ---------------------------------------------------------------------------------------------------


def form(text: str, change: Change) -> str:
    """`a=1&b=2`, percent-encoded: names are given decoded, and so are values."""
    return "&".join(_parameter(part, change) for part in text.split("&"))


def _parameter(part: str, change: Change) -> str:
    name, equals, value = part.partition("=")
    if not equals or not value:
        return part
    plain = unquote(value.replace("+", " "), errors="surrogateescape")
    changed = change([unquote(name.replace("+", " "))], plain)
    if changed == plain:
        return part
    return f"{name}={quote(changed, safe='@*:,/', errors='surrogateescape')}"


# JSON ----------------------------------------------------------------------------------------------------------------

_JSON = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_OPENS, _CLOSES = "{[", "}]"


def json_values(text: str, change: Change, rename: Callable[[str], str] = str) -> str:
    """Values of members and elements, by the members in which they stand. Numbers are given, too, and become strings
    where they are changed. `rename` is given the names, with their quotes."""
    out: list[str] = []
    names: list[str] = [""]  # of the member whose value comes next, by depth
    arrays: list[bool] = [False]
    at = 0
    for token in _JSON.finditer(text):
        out.append(text[at : token.start()])
        at = token.end()
        is_name = _COLON.match(text, at) is not None
        new = _json_token(token[0], is_name, names, arrays, change)
        out.append(rename(new) if is_name else new)
    return "".join([*out, text[at:]])


_COLON = re.compile(r"\s*:")


def _json_token(token: str, is_name: bool, names: list[str], arrays: list[bool], change: Change) -> str:
    if token in _OPENS:
        del names[:-DEPTH], arrays[:-DEPTH]
        names.append("")
        arrays.append(token == "[")
    elif token in _CLOSES:
        if len(names) > 1:
            names.pop()
            arrays.pop()
    elif token[0] == '"' and is_name and not arrays[-1]:
        names[-1] = _json_string(token)
    elif token not in ":,":
        if token in ("true", "false", "null"):
            return token
        plain = _json_string(token)
        changed = change(names, plain)
        return token if changed == plain else json.dumps(changed)
    return token


def _json_string(token: str) -> str:
    if token[0] != '"':
        return token
    try:
        return str(json.loads(token, strict=False))
    except ValueError:
        return token.strip('"')


# XML and HTML --------------------------------------------------------------------------------------------------------

_MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<[/!?]?[A-Za-z](?:\"[^\"]*\"|'[^']*'|[^'\">])*>?", re.DOTALL,
)
_NAME = re.compile(r"</?([^\s/>]+)")
_ATTRIBUTE = re.compile(r"""([^\s=<>"'/]+)(\s*=\s*)("[^"]*"?|'[^']*'?|[^\s>"']+)""")
_COMMENT, _CDATA = ("<!--", "-->"), ("<![CDATA[", "]]>")


def local(name: str) -> str:
    """An element's name without its prefix."""
    return name.rpartition(":")[2]


def markup(text: str, change: Change, attribute: ChangeAttribute) -> str:
    """Texts go by the elements in which they stand, comments by "!--". They are given and taken as they are written,
    with their entities; the attributes beside one are given as what they say."""
    out: list[str] = []
    inside: list[str] = []
    at = 0
    for found in _MARKUP.finditer(text):
        out.append(_text(inside, text[at : found.start()], change))
        out.append(_token(found[0], inside, change, attribute))
        at = found.end()
    out.append(_text(inside, text[at:], change))
    return "".join(out)


def _text(inside: list[str], raw: str, change: Change) -> str:
    return change(inside, raw) if raw.strip() else raw


def _token(raw: str, inside: list[str], change: Change, attribute: ChangeAttribute) -> str:
    if raw.startswith(_COMMENT[0]):
        return _between(raw, _COMMENT, ["!--"], change)
    if raw.startswith(_CDATA[0]):
        return _between(raw, _CDATA, inside, change)
    name = _NAME.match(raw)
    if name is None:  # a declaration
        return raw
    if raw.startswith("</"):
        while name[1] in inside and inside.pop() != name[1]:
            pass
        return raw
    if not raw.endswith("/>"):
        inside.append(name[1])
        del inside[:-DEPTH]
    return raw[: name.end()] + _attributes(raw[name.end() :], attribute)


def _between(raw: str, marks: tuple[str, str], names: Sequence[str], change: Change) -> str:
    begin, end = marks[0], marks[1] if raw.endswith(marks[1]) else ""
    return f"{begin}{change(names, raw[len(begin) : len(raw) - len(end)])}{end}"


def _attributes(raw: str, attribute: ChangeAttribute) -> str:
    found = list(_ATTRIBUTE.finditer(raw))
    values = {one[1].lower(): html.unescape(_unquoted(one[3])[1]) for one in found}
    out, at = [], 0
    for one in found:
        begin, value, end = _unquoted(one[3])
        out += [raw[at : one.start(3)], begin, attribute(one[1], value, values), end]
        at = one.end()
    return "".join([*out, raw[at:]])


def _unquoted(raw: str) -> tuple[str, str, str]:
    """The value between its quotes; the last one may be missing."""
    begin = raw[0] if raw[0] in "\"'" else ""
    end = begin if begin and len(raw) > 1 and raw.endswith(begin) else ""
    return begin, raw[len(begin) : len(raw) - len(end)], end
