"""HTML <-> plain text for bodies, and cutting either at a number of octets. Pure, linear in the input, never fails.

HTML is read by tags, not as a tree: a preview then costs only the beginning of a message, and the text of a cut
document is the beginning of the text of the whole one. Scripts, styles and titles are left out; links lose their
targets. (A tree by selectolax costs as much to build and more to walk from Python, and needs the whole document.)
"""

from __future__ import annotations

import html as _html
import re
from functools import cache

#: What no XML 1.0 string may hold, and WBXML ends a string at NUL. Line ends and tabs stay.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

_HARMLESS = b"\t\n\r" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))

#: What is left out with its content. What is not closed runs to the end of the input instead of failing, so that no
#: input costs more than one pass.
_HIDDEN = re.compile(
    r"<(?:!--.*?(?:-->|\Z)|(script|style|title|template|noscript|xml)\b.*?(?:</\1\b[^>]*+>?|\Z))",
    re.DOTALL | re.IGNORECASE,
)
#: Cheap test for the above: most fragments have none.
_HIDES = re.compile(r"<[!stnxSTNX]")
#: What makes a "<" a tag.
_TAG_NAME = re.compile(r"/?[a-zA-Z][a-zA-Z0-9]*|[!?/]")

_SOFT, _HARD, _PARAGRAPH = "\x01", "\x02", "\x03"
#: What a tag leaves in the text: a line that ends (once, however many tags say so), a line break of its own, a blank
#: line, a gap between cells, a bullet.
_BLOCKS = (
    "address", "article", "aside", "blockquote", "body", "center", "dd", "dir", "div", "dl", "dt", "fieldset", "figure",
    "footer", "form", "header", "li", "main", "nav", "ol", "section", "table", "tbody", "tfoot", "thead", "tr", "ul",
    "pre",
)  # fmt: skip
_LEAVES = {
    **dict.fromkeys(_BLOCKS, _SOFT),
    **dict.fromkeys(("p", "h1", "h2", "h3", "h4", "h5", "h6"), _PARAGRAPH),
    "br": _HARD,
    "hr": f"{_SOFT}________________________________{_SOFT}",
}
_OPENS = {**_LEAVES, "li": f"{_SOFT}* ", "td": " ", "th": " "}
_CLOSES = {f"/{tag}": mark for tag, mark in _LEAVES.items() if tag not in ("br", "hr")}
_MARKS = {**_OPENS, **_CLOSES, "/br": _HARD}

_SPACE = re.compile(r"[ \t\r\n\f]+")
_BREAKS = re.compile(f" *[{_SOFT}{_HARD}{_PARAGRAPH}][{_SOFT}{_HARD}{_PARAGRAPH} ]*")
_BLANKS = re.compile(r"\s+")

#: A tag that a cut left unfinished, perhaps just begun; a "<" before anything else is text.
_OPEN_TAG = re.compile(r"<(?:[a-zA-Z/!?]|\Z)")
#: An entity that a cut left unfinished: the longest named one of HTML has 31 characters.
_OPEN_ENTITY = re.compile(r"&(?:#?[0-9a-zA-Z]{0,31})?\Z")


def clean(text: str) -> str:
    """Without NUL, other control characters and lone surrogates, none of which can stand in XML or WBXML."""
    try:
        # Three to ten times as quick as the pattern.
        octets = text.encode()
        if not octets.translate(None, _HARMLESS) and b"\xef\xbf" not in octets:
            return text
    except UnicodeEncodeError:
        pass  # a lone surrogate
    return _FORBIDDEN.sub("", text) if _FORBIDDEN.search(text) else text


def text_of_html(html: str, at_least: int | None = None) -> str:
    """Plain text with "\\n" line ends. With `at_least` the work ends once so many characters, or more, are there."""
    if _HIDES.search(html):
        html = _HIDDEN.sub("", html)
    first, *rest = html.split("<")
    out, have, pre = [first], 0, False
    enough = None if at_least is None else 2 * at_least
    for piece in rest:
        named = _TAG_NAME.match(piece)
        if not named:
            out.append("<" + piece)
            continue
        tag, _, text = piece.partition(">")
        if '"' in tag and tag.count('"') & 1:
            # A ">" within a quoted attribute; the tag ends after the closing quote.
            text = text.partition('"')[2].partition(">")[2]
        name = named[0].lower()
        if name in ("pre", "/pre"):
            pre = name == "pre"
        if mark := _MARKS.get(name):
            out.append(mark)
        if text:
            # In <pre> line ends and spaces count.
            out.append(text.replace("\r\n", _HARD).replace("\n", _HARD).replace(" ", "\xa0") if pre else text)
            have += len(text)
            if enough is not None and have > enough:
                if len(_settle(out)) >= (at_least or 0):
                    break
                enough = 2 * have  # doubled, so that all attempts together cost no more than the last
    return _settle(out)


def _settle(pieces: list[str]) -> str:
    """White space as a browser would show it, entities resolved."""
    lines = _BREAKS.sub(_break, _SPACE.sub(" ", "".join(pieces)))
    if "&" in lines:
        lines = clean(_html.unescape(lines))
    return lines.replace("\xa0", " ").strip()


@cache
def _lines_of(run: str) -> str:
    """The line ends that a run of marks is: a <br> that ends a block is that end, one in an empty block a blank one."""
    hard = run.count(_HARD)
    lines = hard if run[0] == _HARD else hard + 1
    return "\n" * max(lines, 2 if _PARAGRAPH in run else 1)


def _break(found: re.Match[str]) -> str:
    run = found[0].replace(" ", "")
    # Cached where the runs are few: 3 marks in up to 8 places.
    return _lines_of(run) if len(run) <= 8 else _lines_of.__wrapped__(run)


def html_of_text(text: str) -> str:
    """A minimal HTML document that shows the text as it stands, runs of spaces included."""
    return f"<html><head>{META_UTF8}</head><body>{fragment_of_text(text)}</body></html>"


def fragment_of_text(text: str) -> str:
    """The same as a piece of a document."""
    escaped = _html.escape(text, quote=False).replace("\r\n", "\n").replace("\r", "\n")
    return escaped.replace("  ", " &nbsp;").replace("\n ", "\n&nbsp;").replace("\n", "<br>\r\n")


META_UTF8 = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
_META_CHARSET = re.compile(r"(<meta\b[^>]{0,200}?charset\s*=\s*[\"']?\s*)([a-z0-9_.:-]+)", re.IGNORECASE)
#: A charset is declared within the first 1,024 bytes (HTML, "determining the character encoding"); twice that here.
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
    opened = _OPEN_TAG.search(cut, cut.rfind(">") + 1)
    if opened:
        cut = cut[: opened.start()]
    entity = _OPEN_ENTITY.search(cut, max(0, len(cut) - 34))
    return cut[: entity.start()] if entity else cut


_BODY = re.compile(r"<body\b[^>]*+>?(.*?)(?:</body\s*+>|\Z)", re.DOTALL | re.IGNORECASE)
_STYLE = re.compile(r"<style\b.*?(?:</style\s*+>|\Z)", re.DOTALL | re.IGNORECASE)
_OUTER = re.compile(r"<(?:!doctype|/?html|/?head|/?body|meta|base|title)\b[^>]*+>?", re.IGNORECASE)


def inner_html(html: str) -> str:
    """What stands in the body of a document, with its styles before: to be put into another document."""
    body = _BODY.search(html)
    if body is None:
        return _OUTER.sub("", html)
    styles = "".join(_STYLE.findall(html[: body.start()])) if "</style" in html[: body.start()].lower() else ""
    return styles + body[1]
