"""HTML <-> plain text for bodies, and cutting either at a number of octets. Pure, linear in the input, never fails.

HTML is read by tags, not as a tree: a preview then costs only the beginning of a message, and the text of a cut
document is the beginning of the text of the whole one. Scripts, styles and titles are left out; links lose their targets.
"""

from __future__ import annotations

import html as _html
import re

#: What no XML 1.0 string may hold, and WBXML ends a string at NUL. Line ends and tabs stay.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

#: One token that is not text, its name in group 1 (None for comments). Every alternative that is not closed runs to the
#: end of the input instead of failing, and the quantifiers are possessive, so that no input costs more than one pass.
_TAG = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(?:script|style|title|template|noscript|xml)\b.*?(?:</(?:script|style|title|template|noscript|xml)\b[^>]*+>?|\Z)"
    r"|<(/?[a-zA-Z][a-zA-Z0-9]*+|[!?/](?=[a-zA-Z\[?]))(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+[^>]*+>?",
    re.DOTALL | re.IGNORECASE,
)

_SOFT, _HARD, _PARAGRAPH = "\x01", "\x02", "\x03"
#: What a tag leaves in the text: a line that ends (once, however many tags say so), a line break of its own, a blank
#: line, a gap between cells, a bullet.
_LEAVES = {
    **dict.fromkeys(
        "address article aside blockquote body center dd dir div dl dt fieldset figure footer form header li main nav "
        "ol section table tbody tfoot thead tr ul pre".split(),
        _SOFT,
    ),
    **dict.fromkeys("p h1 h2 h3 h4 h5 h6".split(), _PARAGRAPH),
    "br": _HARD,
    "hr": f"{_SOFT}________________________________{_SOFT}",
}
_OPENS = {**_LEAVES, "li": f"{_SOFT}* ", "td": " ", "th": " "}
_CLOSES = {f"/{tag}": mark for tag, mark in _LEAVES.items() if tag not in ("br", "hr")}
_MARKS = {**_OPENS, **_CLOSES, "/br": _HARD}

_SPACE = re.compile(r"[ \t\r\n\f]+")
_BREAKS = re.compile(f" *[{_SOFT}{_HARD}{_PARAGRAPH}][{_SOFT}{_HARD}{_PARAGRAPH} ]*")
_BLANKS = re.compile(r"\s+")

#: An entity that a cut left unfinished: the longest named one of HTML has 31 characters.
_OPEN_ENTITY = re.compile(r"&(?:#?[0-9a-zA-Z]{0,31})?\Z")


def clean(text: str) -> str:
    """Without NUL, other control characters and lone surrogates, none of which can stand in XML or WBXML."""
    return _FORBIDDEN.sub("", text) if _FORBIDDEN.search(text) else text


def text_of_html(html: str, at_least: int | None = None) -> str:
    """Plain text with "\\n" line ends. With `at_least` the work ends once so many characters (and perhaps more) are there."""
    out: list[str] = []
    have, start, pre = 0, 0, False
    for found in _TAG.finditer(html):
        begin, end = found.span()
        if begin > start:
            piece = html[start:begin]
            # In <pre> line ends and spaces count.
            out.append(piece.replace("\r\n", _HARD).replace("\n", _HARD).replace(" ", "\xa0") if pre else piece)
            have += begin - start
            if at_least is not None and have > 2 * at_least and _long_enough(out, at_least):
                start = len(html)
                break
        start = end
        name = found[1]
        if name:
            name = name.lower()
            out.append(_MARKS.get(name, ""))
            if name in ("pre", "/pre"):
                pre = name == "pre"
    out.append(html[start:])
    return _settle(out)


def _long_enough(pieces: list[str], length: int) -> bool:
    return len(_settle(pieces)) >= length


def _settle(pieces: list[str]) -> str:
    """White space as a browser would show it, entities resolved."""
    text = _BREAKS.sub(_break, _SPACE.sub(" ", "".join(pieces)))
    if "&" in text:
        text = clean(_html.unescape(text))
    return text.replace("\xa0", " ").strip()


def _break(found: re.Match[str]) -> str:
    """How many line ends a run of marks is: a <br> at the end of a block is that end, one in an empty block a blank line."""
    run = found[0].replace(" ", "")
    hard = run.count(_HARD)
    lines = hard if run[0] == _HARD else hard + 1
    return "\n" * max(lines, 2 if _PARAGRAPH in run else 1)


def html_of_text(text: str) -> str:
    """A minimal HTML document that shows the text as it stands, runs of spaces included."""
    escaped = _html.escape(text, quote=False).replace("\r\n", "\n").replace("\r", "\n")
    escaped = escaped.replace("  ", " &nbsp;").replace("\n ", "\n&nbsp;").replace("\n", "<br>\r\n")
    return f"<html><head>{META_UTF8}</head><body>{escaped}</body></html>"


META_UTF8 = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
_META_CHARSET = re.compile(r"(<meta\b[^>]{0,200}?charset\s*=\s*[\"']?\s*)([a-z0-9_.:-]+)", re.IGNORECASE)
#: A charset is declared within the first 1,024 bytes (HTML, "determining the character encoding"); twice that for mails.
_META_WITHIN = 2048


def declare_utf8(html: str) -> str:
    """The document with any charset that it declares set to utf-8, which is what it has become.

    Windows Phone 8 shows garbage if the two differ.
    """
    head = html[:_META_WITHIN]
    if "charset" not in head.lower():
        return html
    return _META_CHARSET.sub(r"\g<1>utf-8", head) + html[_META_WITHIN:]


def flat(text: str, characters: int) -> str:
    """The first so many characters on one line. Astral characters count as two, as devices count UTF-16 units."""
    line = _BLANKS.sub(" ", text[: characters * 2 + 256]).strip()
    if len(line) < characters and len(text) > characters * 2 + 256:
        line = _BLANKS.sub(" ", text).strip()
    line = line[:characters]
    if line.isascii():
        return line
    return line.encode("utf-16-le")[: characters * 2].decode("utf-16-le", "ignore")


def size(text: str) -> int:
    """Octets in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def cut_text(text: str, octets: int) -> str:
    """The longest beginning of at most so many octets of UTF-8 that ends with a whole character."""
    if text.isascii():
        return text[:octets]
    return text[: octets + 1].encode()[:octets].decode("utf-8", "ignore")


def cut_html(html: str, octets: int) -> str:
    """As `cut_text`; ends neither within a tag or comment nor within an entity. What is whole stays whole."""
    cut = cut_text(html, octets)
    if len(cut) == len(html):
        return cut
    comment = cut.rfind("<!--")
    if comment >= 0 and "-->" not in cut[comment + 4 :]:
        cut = cut[:comment]
    opened = cut.rfind("<")
    if opened > cut.rfind(">"):
        cut = cut[:opened]
    entity = _OPEN_ENTITY.search(cut, max(0, len(cut) - 34))
    return cut[: entity.start()] if entity else cut
