"""Bodies of requests and answers: WebDAV, CalDAV, CardDAV. No I/O.

Answers come from a server that may be broken or hostile: no DTD and so no entities, nothing loaded, a depth and sizes
that libxml2 limits, and one exception. A multistatus is read as it arrives, response by response, so that a listing of
a hundred thousand objects is never a tree in memory. RFC 4918 14, 4791 9, 6352 10, 6578 6, 6638 10.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

DAV: Final = "{DAV:}"
CAL: Final = "{urn:ietf:params:xml:ns:caldav}"
CARD: Final = "{urn:ietf:params:xml:ns:carddav}"
CS: Final = "{http://calendarserver.org/ns/}"
ICAL: Final = "{http://apple.com/ns/ical/}"

_PREFIXES = {"d": "DAV:", "c": CAL[1:-1], "a": CARD[1:-1], "s": CS[1:-1], "i": ICAL[1:-1]}

#: Elements within elements in one response. Privileges, the deepest that we ask for, go six deep.
MAX_DEPTH = 40
#: XML 1.0 2.2 Char: what may not stand in a document at all.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class BadXml(ValueError):
    """Not what was asked for: no XML, cut off, too deep, with a DTD, or another document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An element; `name` as "{namespace}local". `text` is what stands before the first child."""

    name: str
    text: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: tuple[Node, ...] = ()

    @property
    def local(self) -> str:
        return self.name.rpartition("}")[2]

    def child(self, name: str) -> Node | None:
        return next((node for node in self.children if node.name == name), None)

    def walk(self) -> Iterator[Node]:
        """All below, in order."""
        for node in self.children:
            yield node
            yield from node.walk()

    def hrefs(self) -> tuple[str, ...]:
        return tuple(node.text.strip() for node in self.walk() if node.name == f"{DAV}href" and node.text.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One resource of a multistatus. `status` is that of the whole, 200 if it has properties; `found` are the
    properties with a status of success. `condition` is the local name of a failed precondition."""

    href: str
    status: int
    found: Mapping[str, Node] = field(default_factory=dict)
    condition: str = ""

    def text(self, name: str) -> str:
        """Of a property, stripped; "" for none."""
        node = self.found.get(name)
        return node.text.strip() if node is not None else ""

    def hrefs(self, name: str) -> tuple[str, ...]:
        node = self.found.get(name)
        return node.hrefs() if node is not None else ()


# --- Answers ----------------------------------------------------------------------------------------------------------

_MULTISTATUS, _RESPONSE, _SYNC_TOKEN = f"{DAV}multistatus", f"{DAV}response", f"{DAV}sync-token"
_STATUS = re.compile(r"\s*HTTP/\d(?:\.\d)?\s+(\d{3})\b")


class MultistatusReader:
    """Feed it the octets as they come. `sync_token` is "" until one has been read."""

    def __init__(self) -> None:
        self.sync_token = ""
        self._parser = etree.XMLPullParser(
            events=("start", "end"), tag=(_MULTISTATUS, _RESPONSE, _SYNC_TOKEN), resolve_entities=False,
            no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
        )
        self._root: etree._Element | None = None

    def feed(self, data: bytes) -> list[Response]:
        """The responses that are whole now. Raises BadXml."""
        try:
            self._parser.feed(data)
            return self._taken()
        except (etree.LxmlError, ValueError, AssertionError) as error:
            raise _bad(error) from error

    def close(self) -> list[Response]:
        """The rest. Raises BadXml if the document did not end, or was none."""
        try:
            root = self._parser.close()
            rest = self._taken()
        except (etree.LxmlError, ValueError, AssertionError) as error:
            raise _bad(error) from error
        if root is None or root.tag != _MULTISTATUS:
            raise BadXml("no multistatus")
        return rest

    def _taken(self) -> list[Response]:
        found = []
        for event, element in self._parser.read_events():
            if not isinstance(element, etree._Element):
                continue
            root = self._root
            if root is None:
                root = self._root = element.getroottree().getroot()
                _without_dtd(root)
            if event == "start" or element.getparent() is not root:
                continue
            if element.tag == _SYNC_TOKEN:
                self.sync_token = (element.text or "").strip()
            elif element.tag == _RESPONSE:
                found.append(_response(_node(element)))
            # What stands after the element may still be in the making: it stays until the next one is done.
            element.clear(keep_tail=True)  # type: ignore[call-arg]
            while element.getprevious() is not None:
                del root[0]
        return found


def multistatus(body: bytes) -> tuple[list[Response], str]:
    """A whole one, and its sync-token. Raises BadXml."""
    reader = MultistatusReader()
    responses = reader.feed(body)
    responses += reader.close()
    return responses, reader.sync_token


def document(body: bytes) -> Node:
    """Any small document. Raises BadXml."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
        _without_dtd(root)
        return _node(root)
    except (etree.LxmlError, ValueError, AssertionError) as error:
        raise _bad(error) from error


def condition_of(body: bytes) -> str:
    """The local name of the first precondition in a DAV:error, "" if there is none."""
    try:
        root = document(body)
    except BadXml:
        return ""
    return _first_condition(root) if root.name == f"{DAV}error" else ""


def _first_condition(error: Node | None) -> str:
    """Known ones first: servers put words of their own before them (s:exception, s:message)."""
    if error is None or not error.children:
        return ""
    return next((node.local for node in error.children if node.name.startswith((DAV, CAL, CARD))), "")


def _bad(error: Exception) -> BadXml:
    return error if isinstance(error, BadXml) else BadXml(f"{type(error).__name__}: {error}"[:200])


def _without_dtd(root: etree._Element) -> None:
    if root.getroottree().docinfo.internalDTD is not None:
        raise BadXml("a document type")


def _node(element: etree._Element, depth: int = 0) -> Node:
    if depth > MAX_DEPTH:
        raise BadXml("too deep")
    return Node(
        name=str(element.tag), text=element.text or "",
        attributes={str(name): str(value) for name, value in element.attrib.items()} if element.attrib else {},
        children=tuple(_node(child, depth + 1) for child in element if isinstance(child.tag, str)),
    )


def _status(node: Node | None, otherwise: int) -> int:
    """Of a DAV:status. One that cannot be read is an error of the server's."""
    if node is None:
        return otherwise
    found = _STATUS.match(node.text)
    return int(found[1]) if found else 500


def _response(node: Node) -> Response:
    href = node.child(f"{DAV}href")
    found: dict[str, Node] = {}
    worst = 200
    for stated in node.children:
        if stated.name != f"{DAV}propstat":
            continue
        status = _status(stated.child(f"{DAV}status"), 200)
        if 200 <= status < 300:
            held = stated.child(f"{DAV}prop")
            found.update((one.name, one) for one in (held.children if held else ()))
        elif status != 404:
            worst = max(worst, status)
    return Response(
        href=href.text.strip() if href else "", found=found,
        status=_status(node.child(f"{DAV}status"), 200 if found else worst),
        condition=_first_condition(node.child(f"{DAV}error")),
    )


# --- Requests ---------------------------------------------------------------------------------------------------------


def propfind(*properties: str) -> bytes:
    return _written(_element(f"{DAV}propfind", _prop(properties)))


def sync_collection(token: str) -> bytes:
    """RFC 6578 6.1. No limit: servers have their own, and some take ours for an error."""
    return _written(_element(
        f"{DAV}sync-collection", _element(f"{DAV}sync-token", text=token), _element(f"{DAV}sync-level", text="1"),
        _prop((f"{DAV}getetag", f"{DAV}resourcetype")),
    ))


def multiget(kind: str, hrefs: Sequence[str]) -> bytes:
    """RFC 4791 9.10, RFC 6352 10.7."""
    space, root = _OF_KIND[kind]
    return _written(_element(
        f"{space}{root}-multiget", _prop((f"{DAV}getetag", data_property(kind))),
        *(_element(f"{DAV}href", text=href) for href in hrefs),
    ))


def query_uid(kind: str, uid: str, component: str = "VEVENT") -> bytes:
    """RFC 4791 7.8.6, RFC 6352 8.6."""
    if kind == "addressbook":
        match = _element(f"{CARD}text-match", text=uid, attributes={"collation": "i;octet", "match-type": "equals"})
        return _written(_element(
            f"{CARD}addressbook-query", _prop((f"{DAV}getetag",)),
            _element(f"{CARD}filter", _element(f"{CARD}prop-filter", match, attributes={"name": "UID"})),
        ))
    match = _element(f"{CAL}text-match", text=uid, attributes={"collation": "i;octet"})
    uid_filter = _element(f"{CAL}prop-filter", match, attributes={"name": "UID"})
    return _calendar_query(_element(f"{CAL}comp-filter", uid_filter, attributes={"name": component}))


def query_component(component: str) -> bytes:
    """RFC 4791 9.7.1"""
    return _calendar_query(_element(f"{CAL}comp-filter", attributes={"name": component}))


def query_between(start: str, end: str) -> bytes:
    """The events that touch a span; moments as in iCalendar ("20261121T080000Z"). RFC 4791 7.8.1"""
    span = _element(f"{CAL}time-range", attributes={"start": start, "end": end})
    return _calendar_query(_element(f"{CAL}comp-filter", span, attributes={"name": "VEVENT"}))


def _calendar_query(inner: etree._Element) -> bytes:
    outer = _element(f"{CAL}comp-filter", inner, attributes={"name": "VCALENDAR"})
    return _written(_element(f"{CAL}calendar-query", _prop((f"{DAV}getetag",)), _element(f"{CAL}filter", outer)))


def make(kind: str, name: str, component: str = "") -> bytes:
    """MKCALENDAR (RFC 4791 9.2) or, for address books, extended MKCOL (RFC 5689 5.1)."""
    title = _element(f"{DAV}displayname", text=name)
    if kind == "addressbook":
        types = _element(f"{DAV}resourcetype", _element(f"{DAV}collection"), _element(f"{CARD}addressbook"))
        return _written(_element(f"{DAV}mkcol", _element(f"{DAV}set", _element(f"{DAV}prop", types, title))))
    properties = [title]
    if component:
        only = _element(f"{CAL}comp", attributes={"name": component})
        properties.append(_element(f"{CAL}supported-calendar-component-set", only))
    return _written(_element(f"{CAL}mkcalendar", _element(f"{DAV}set", _element(f"{DAV}prop", *properties))))


def proppatch_name(name: str) -> bytes:
    title = _element(f"{DAV}displayname", text=name)
    return _written(_element(f"{DAV}propertyupdate", _element(f"{DAV}set", _element(f"{DAV}prop", title))))


def data_property(kind: str) -> str:
    """That holds an object's content."""
    return f"{CARD}address-data" if kind == "addressbook" else f"{CAL}calendar-data"


_OF_KIND = {"calendar": (CAL, "calendar"), "addressbook": (CARD, "addressbook")}


def _prop(names: Sequence[str]) -> etree._Element:
    return _element(f"{DAV}prop", *(_element(name) for name in names))


def _element(
    name: str, *children: etree._Element, text: str = "", attributes: Mapping[str, str] | None = None
) -> etree._Element:
    element = etree.Element(name, {key: _ILLEGAL.sub("", value) for key, value in (attributes or {}).items()},
                            nsmap=_PREFIXES)
    element.text = _ILLEGAL.sub("", text) or None
    element.extend(children)
    return element


def _written(root: etree._Element) -> bytes:
    etree.cleanup_namespaces(root)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")
