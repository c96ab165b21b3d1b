"""Autodiscover: where the server is, for somebody who knows an e-mail address only.

Two forms: the XML of [MS-ASCMD] Autodiscover (POST, with a login), and the JSON that newer clients ask first (GET,
without a login: it tells nothing about anybody). Neither ever redirects.

What a device asks about is always its own mailbox: the answer names the user who logged in, whatever address was typed,
since an alias that the gateway does not know is as good as the address. Android asks with an empty body.

[MS-ASCMD] Autodiscover R38-R78; ErrorCode R2285-R2288; Response (Autodiscover) R3818; Error R5545-R5547;
Request (Autodiscover) R3799; the JSON form is not in these documents.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zlib import crc32

from lxml import etree

from eas.engine.model import User
from eas.protocol.http import PATH

from .reply import Reply

REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006"
MOBILE = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
FRAMEWORK = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"

#: Bytes of a request; a real one has 400.
MAX_REQUEST = 16 * 1024

INVALID_REQUEST, NO_PROVIDER = 600, 601  # R2287, R2288
MESSAGES = {INVALID_REQUEST: "Invalid Request", NO_PROVIDER: "Provider is not available"}

XML_PATH = "/autodiscover/autodiscover.xml"
#: Protocol of the JSON form, in lower case -> its name, and the path that answers it.
PROTOCOLS = {"activesync": ("ActiveSync", PATH), "autodiscoverv1": ("AutodiscoverV1", XML_PATH)}


class InvalidRequest(ValueError):
    """The request gets an error answer with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(MESSAGES[code])
        self.code = code


@dataclass(frozen=True, slots=True)
class Asked:
    """`address` is "" where the request has none."""

    address: str


def parse(body: bytes) -> Asked:
    """Read the XML of a request. Raises InvalidRequest. No entity is resolved and nothing is fetched."""
    if not body.strip():
        return Asked("")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise InvalidRequest(INVALID_REQUEST) from None
    if root.getroottree().docinfo.doctype or _name(root) != "Autodiscover":  # type: ignore[union-attr]
        raise InvalidRequest(INVALID_REQUEST)
    requests = [child for child in root if _name(child) == "Request"]
    if len(requests) != 1:
        raise InvalidRequest(INVALID_REQUEST)  # R3799
    stated = {_name(child): (child.text or "").strip() for child in requests[0]}
    if not stated.get("EMailAddress") or not stated.get("AcceptableResponseSchema"):
        raise InvalidRequest(INVALID_REQUEST)
    if stated["AcceptableResponseSchema"].lower() != MOBILE:
        raise InvalidRequest(NO_PROVIDER)  # R2286
    return Asked(stated["EMailAddress"])


def _name(node: etree._Element) -> str:
    """The local name; namespaces are not looked at, since clients get them wrong. "" for comments."""
    return etree.QName(node).localname if isinstance(node.tag, str) else ""


def answer(body: bytes, user: User, base_url: str, now: datetime) -> Reply:
    """The answer to a POST: the server's address, or an error; HTTP 200 either way."""
    try:
        parse(body)
    except InvalidRequest as error:
        return failure(error.code, base_url, now)
    return _xml(_found(user, base_url + PATH))


def failure(code: int, base_url: str, now: datetime) -> Reply:
    """An error of the framework. Time and Id are there for people who search logs. R5545-R5547"""
    root = etree.Element(f"{{{FRAMEWORK}}}Autodiscover", nsmap={None: FRAMEWORK})  # type: ignore[dict-item]
    response = etree.SubElement(root, f"{{{FRAMEWORK}}}Response")
    error = etree.SubElement(response, f"{{{FRAMEWORK}}}Error")
    error.set("Time", now.strftime("%H:%M:%S.") + f"{now.microsecond:06d}0")
    error.set("Id", str(crc32(base_url.encode())))
    for name, text in (("ErrorCode", str(code)), ("Message", MESSAGES[code]), ("DebugData", None)):
        etree.SubElement(error, f"{{{FRAMEWORK}}}{name}").text = text
    return _xml(root)


def _found(user: User, url: str) -> etree._Element:
    root = etree.Element(f"{{{FRAMEWORK}}}Autodiscover", nsmap={None: FRAMEWORK})  # type: ignore[dict-item]
    response = etree.SubElement(root, f"{{{MOBILE}}}Response", nsmap={None: MOBILE})  # type: ignore[dict-item]

    def add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
        node = etree.SubElement(parent, f"{{{MOBILE}}}{name}")
        node.text = text
        return node

    add(response, "Culture", "en:us")  # R2124: the one form that it may have
    person = add(response, "User")
    if user.name:
        add(person, "DisplayName", user.name)
    add(person, "EMailAddress", user.address)
    server = add(add(add(response, "Action"), "Settings"), "Server")
    add(server, "Type", "MobileSync")
    add(server, "Url", url)
    add(server, "Name", url)  # R3484
    return root


def _xml(root: etree._Element) -> Reply:
    body = etree.tostring(root, encoding="utf-8", xml_declaration=True)
    return Reply(body=body, content_type="text/xml; charset=utf-8", headers={"Cache-Control": "private"})


def answer_json(query: Mapping[str, str], base_url: str) -> Reply:
    """The answer to `autodiscover.json?Email=...&Protocol=...`; names of parameters in lower case.

    The address may also stand in the path; it is not looked at.
    """
    asked = query.get("protocol", "")
    if not asked:
        return _json(400, {"ErrorCode": "MandatoryParameterMissing", "ErrorMessage": "Protocol is missing."})
    if asked.lower() not in PROTOCOLS:
        return _json(400, {"ErrorCode": "ProtocolNotSupported", "ErrorMessage": "The protocol is not supported."})
    name, path = PROTOCOLS[asked.lower()]
    return _json(200, {"Protocol": name, "Url": base_url + path})


def _json(http: int, value: Mapping[str, str]) -> Reply:
    return Reply(http=http, body=json.dumps(value).encode(), content_type="application/json; charset=utf-8")
