"""Element <-> XML, for dumps and validation against schemas. Nothing of this travels to a device.

The namespaces are the names of the code pages ("AirSync", without a colon at the end, as the published schemas have
them; with one they are read too). Content that is bytes becomes base64 text: in the opaque tags always, in any other
element marked by the attribute `encoding="base64"`. What XML cannot hold is left out, as `wbxml.encode` does.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator

from lxml import etree

from .codepages import OPAQUE, TOKEN_OF
from .wbxml import MAX_DEPTH, Element, clean

#: Marks base64 text in an element whose content is text by rule.
ENCODING, BASE64 = "encoding", "base64"


class XmlError(ValueError):
    """The XML is not a document of the code pages."""


def to_xml(root: Element) -> etree._Element:
    """The document as lxml tree. The root's namespace is the default one, others have their names in lower case."""
    own = _namespace(root.tag)
    others = sorted({_namespace(element.tag) for element in _all(root)} - {own})
    return _node(root, {None: own, **{namespace.lower(): namespace for namespace in others}}, None)


#: What the text of an element without children means; it may raise XmlError.
Reading = Callable[[str, str, etree._Element], str | bytes]


def _content(tag: str, text: str, node: etree._Element) -> str | bytes:
    if tag not in OPAQUE and node.get(ENCODING) != BASE64:
        return text
    return base64_of(tag, text)


def base64_of(tag: str, text: str) -> bytes:
    """White space is passed over. Raises XmlError."""
    try:
        return b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise XmlError(f"{tag} is not base64") from None


def from_xml(node: etree._Element, reading: Reading = _content) -> Element:
    """Read an lxml tree. White space between elements, comments and processing instructions are passed over.

    Raises XmlError for tags that no code page has, entities, text beside elements, bad base64, and too deep nesting.
    """
    return _element(node, 1, reading)


def show(root: Element) -> str:
    """The document as indented text, without XML declaration."""
    tree = to_xml(root)
    etree.indent(tree)
    return etree.tostring(tree, encoding="unicode")


def read(text: str | bytes) -> Element:
    """The document that `show` wrote, or a person. Raises XmlError; nothing outside of the text is ever fetched."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        node = etree.fromstring(text.encode() if isinstance(text, str) else text, parser)
    except (etree.XMLSyntaxError, UnicodeEncodeError) as error:
        raise XmlError(str(error)) from None
    if node.getroottree().docinfo.doctype:  # type: ignore[union-attr]  # unknown to lxml-stubs
        raise XmlError("document type declarations are not read")
    return from_xml(node)


def _namespace(tag: str) -> str:
    return tag.partition(":")[0]


def _all(root: Element) -> Iterator[Element]:
    yield root
    for child in root.elements:
        yield from _all(child)


def _node(element: Element, namespaces: dict[str | None, str], parent: etree._Element | None) -> etree._Element:
    namespace, _, name = element.tag.partition(":")
    qualified = f"{{{namespace}}}{name}"
    # lxml-stubs do not know the None of the default namespace as key.
    if parent is None:
        node = etree.Element(qualified, nsmap=namespaces)  # type: ignore[arg-type]
    else:
        node = etree.SubElement(parent, qualified)
    content = element.content
    if isinstance(content, str) and element.tag in OPAQUE:
        content = clean(content).encode()
    if isinstance(content, bytes):
        if element.tag not in OPAQUE:
            node.set(ENCODING, BASE64)
        node.text = b64encode(content).decode()
    elif isinstance(content, str):
        node.text = clean(content) or None
    else:
        for child in content:
            _node(child, namespaces, node)
    return node


def _element(node: etree._Element, depth: int, reading: Reading) -> Element:
    if depth > MAX_DEPTH:
        raise XmlError(f"more than {MAX_DEPTH} elements inside each other")
    tag = _tag(node)
    texts, children = [node.text or ""], []
    for child in node:
        if isinstance(child, etree._Entity):
            raise XmlError(f"entity in {tag}")
        if isinstance(child.tag, str):  # comments and processing instructions have a function here
            children.append(_element(child, depth + 1, reading))
        texts.append(child.tail or "")
    text = "".join(texts)
    if children:
        if text.strip():
            raise XmlError(f"text beside elements in {tag}")
        return Element(tag, tuple(children))
    return Element(tag, reading(tag, text, node))


def _tag(node: etree._Element) -> str:
    try:
        qualified = etree.QName(node)
    except ValueError:  # a prefix that nobody has declared
        raise XmlError(f"no code page has the tag {node.tag!r}") from None
    tag = f"{(qualified.namespace or '').removesuffix(':')}:{qualified.localname}"
    if tag not in TOKEN_OF:
        raise XmlError(f"no code page has the tag {tag!r}")
    return tag
