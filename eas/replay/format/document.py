"""Element <-> the XML of session files: one element a line, prefixes by code page, nothing that needs declaring.

The root's code page is the default namespace, `xmlns="AirSync"`; tags of other pages have its name in lower case as
prefix: `<email:Subject>`. Text stands as it is, over several lines where it has several; `eol="crlf"` says that each of
its ends of lines is CR LF. Opaque data is `opaque="text"`, or `opaque="mime"` for messages, where it can be read, else
`opaque="base64"`. `from_text(to_text(root)) == root` for all that XML can hold.
"""

from __future__ import annotations

import re
from base64 import b64encode
from xml.sax.saxutils import escape

from lxml import etree

from eas.protocol import xml
from eas.protocol.codepages import OPAQUE, TOKEN_OF
from eas.protocol.wbxml import Element

from .mimetext import from_readable, to_readable

#: Opaque tags that hold a message.
MESSAGES = frozenset({"ComposeMail:Mime"})
#: Opaque tags that hold bytes which only by chance are text.
NUMBERS = frozenset({"Email2:ConversationIndex"})

#: What XML 1.0 cannot hold.
_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INDENT = "  "


class DocumentError(ValueError):
    """The XML is not a document of the code pages."""


_SPACES = sorted({tag.partition(":")[0] for tag in TOKEN_OF})
_SPACE_OF_PREFIX = {space.lower(): space for space in _SPACES}
_DECLARED = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in _SPACE_OF_PREFIX.items())
_OPEN = f"<session {_DECLARED}>".encode()
_CLOSE = b"</session>"


# To text -------------------------------------------------------------------------------------------------------------


def to_text(root: Element) -> str:
    """The document over several lines, without one at the end. Raises DocumentError for what XML cannot hold."""
    space = root.tag.partition(":")[0]
    lines: list[str] = []
    _write(root, space, f' xmlns="{space}"', "", lines)
    return "\n".join(lines)


def _write(element: Element, space: str, attributes: str, indent: str, lines: list[str]) -> None:
    own, _, name = element.tag.partition(":")
    tag = name if own == space else f"{own.lower()}:{name}"
    content = element.content
    if isinstance(content, tuple):
        if not content:
            lines.append(f"{indent}<{tag}{attributes}/>")
            return
        lines.append(f"{indent}<{tag}{attributes}>")
        for child in content:
            _write(child, space, "", indent + _INDENT, lines)
        lines.append(f"{indent}</{tag}>")
        return
    said, text = _shown(element.tag, content)
    lines.append(f"{indent}<{tag}{attributes}{said}>{text}</{tag}>")


def _shown(tag: str, content: str | bytes) -> tuple[str, str]:
    """Attributes and escaped text."""
    if isinstance(content, str):
        return _lined(content, "")
    if tag not in NUMBERS:
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = None
        if text is not None and not _UNSPEAKABLE.search(text):
            return _lined(text, "mime" if tag in MESSAGES else "text")
    return ' opaque="base64"', b64encode(content).decode()


def _lined(text: str, opaque: str) -> tuple[str, str]:
    if _UNSPEAKABLE.search(text):
        raise DocumentError("text that XML cannot hold")
    plain = text.replace("\r\n", "\n")
    crlf, unmixed = "\r" in text, "\r" not in plain and text.count("\r\n") in (0, plain.count("\n"))
    if opaque == "mime" and not unmixed:
        opaque = "text"
    attributes = f' opaque="{opaque}"' if opaque else ""
    if unmixed and crlf:
        text = plain
        attributes += ' eol="crlf"'
    if opaque == "mime":
        text = to_readable(text)
    if text.strip() != text:
        attributes += ' xml:space="preserve"'
    return attributes, escape(text, {"\r": "&#13;"})


# From text -----------------------------------------------------------------------------------------------------------


def from_text(text: str) -> Element:
    """Reads what `to_text` wrote, or a person. White space between elements and comments are passed over.

    Raises DocumentError, and nothing else; nothing outside of the text is ever fetched.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        node = etree.fromstring(_OPEN + text.encode() + _CLOSE, parser)
    except (etree.XMLSyntaxError, UnicodeEncodeError) as error:
        raise DocumentError(str(error)) from None
    found = [child for child in node if isinstance(child.tag, str)]
    if len(found) != 1 or len(node.xpath("text()[normalize-space()]")):  # type: ignore[arg-type]
        raise DocumentError("one document is expected, and nothing beside it")
    try:
        return xml.from_xml(found[0], _content)
    except xml.XmlError as error:
        raise DocumentError(str(error)) from None


def _content(tag: str, text: str, node: etree._Element) -> str | bytes:
    opaque = node.get("opaque", "")
    if opaque == "base64":
        return xml.base64_of(tag, text)
    if opaque not in ("", "text", "mime"):
        raise xml.XmlError(f"{tag}: opaque data is text, mime or base64, not {opaque!r}")
    if opaque == "mime":
        try:
            text = from_readable(text)
        except ValueError as error:
            raise xml.XmlError(f"{tag}: {error}") from None
    if node.get("eol") == "crlf":
        text = text.replace("\n", "\r\n")
    # By rule these travel as opaque data, also where a person has left the attribute out.
    return text.encode() if opaque or tag in OPAQUE else text
