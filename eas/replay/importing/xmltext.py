"""XML as Exchange and SOGo log it -> Element. `<Subject xmlns="Email:" bytes="19"/>` is text of which Exchange kept the
length alone; opaque data is base64 in what libwbxml writes."""

from __future__ import annotations

import re
from base64 import b64decode

from lxml import etree

from eas.protocol.codepages import OPAQUE
from eas.protocol.wbxml import MAX_DEPTH, MAX_ELEMENTS, Element
from eas.replay.format.document import DocumentError

from .names import tag_of_xml
from .placeholders import Placeholders

_PROLOGUE = re.compile(r"\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!DOCTYPE[^>\[]{0,300}>\s*)?")
_BYTES = re.compile(r"\d{1,12}")


def from_xml(text: str, placeholders: Placeholders, *, opaque_base64: bool = False) -> Element:
    """Raises DocumentError, and nothing else: not XML, or not of the code pages."""
    body = text[_PROLOGUE.match(text).end() :]  # type: ignore[union-attr]  # the pattern matches anything
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        node = etree.fromstring(body.strip().encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise DocumentError(f"no XML: {error}") from None
    return _Reading(placeholders, opaque_base64).element(node, 1)


class _Reading:
    def __init__(self, placeholders: Placeholders, opaque_base64: bool) -> None:
        self._placeholders, self._base64 = placeholders, opaque_base64
        self._left = MAX_ELEMENTS

    def element(self, node: etree._Element, depth: int) -> Element:
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise DocumentError("too many elements, or too deep")
        qualified = etree.QName(node)
        tag = tag_of_xml(qualified.namespace or "", qualified.localname)
        if not tag:
            raise DocumentError(f"no code page has the tag {(qualified.namespace or '') + qualified.localname!r}")
        children = tuple(self.element(child, depth + 1) for child in node if isinstance(child.tag, str))
        if children:
            return Element(tag, children)
        return Element(tag, self._content(tag, node))

    def _content(self, tag: str, node: etree._Element) -> str | bytes:
        # Comments and the like end a text in lxml's eyes.
        text = (node.text or "") + "".join(child.tail or "" for child in node)
        length = node.get("bytes", "")
        if not text and _BYTES.fullmatch(length):
            text = self._placeholders.text(tag, int(length))
        if tag not in OPAQUE:
            return text
        return _unpacked(text) if self._base64 else text.encode()


def _unpacked(text: str) -> bytes:
    try:
        return b64decode("".join(text.split()), validate=True)
    except ValueError:  # written as it is
        return text.encode()
