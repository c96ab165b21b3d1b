"""Every answer against Microsoft's response schemas, where these are at hand.

EAS_XSD names a folder with a `validate.py` that has `validate(etree_root) -> [errors]`. Without it nothing is checked.
An error stands only if it is none of the known gaps between the schemas and what the protocol's versions have.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lxml import etree
from wire import unzipped

from eas.protocol import http, wbxml
from eas.protocol import query as queries
from eas.protocol.query import QueryError
from eas.protocol.version import COLLECTION_CLASS, Version
from eas.protocol.xml import to_xml

Validate = Callable[[Any], list[str]]

#: What the schemas lack, as a pattern of the error's text and the versions in which it is no error.
GAPS: tuple[tuple[str, Callable[[Version], bool]], ...] = (
    # The class of a collection up to 12.1. [MS-ASCMD] Class (Sync)
    (r"Element '\{(AirSync|GetItemEstimate)\}Class'.*not expected", lambda version: version in COLLECTION_CLASS),
    # Calendar.xsd ends at 3; 4 is working elsewhere. [MS-ASCAL] BusyStatus
    (r"BusyStatus'.*'4' is not an element of the set", lambda version: version >= Version.V16_0),
    (r"BusyStatus': '4' is not a valid value", lambda version: version >= Version.V16_0),
    (r"BusyStatus'.*The value '4' is greater than", lambda version: version >= Version.V16_0),
    # ComposeMail.xsd names them ForwardeeName and ForwardeeEmail, which no code page has. [MS-ASWBXML] ComposeMail
    (r"\{ComposeMail\}(Name|Email|Forwardee)'", lambda version: version >= Version.V16_1),
    # There is no schema of the page AirNotify, which ended with 12.0.
    (r"\{AirNotify\}Notify'", lambda version: version <= Version.V12_0),
    # A policy as text. [MS-ASPROV] Data (string Data Type)
    (r"\{Provision\}(Data|EASProvisionDoc)", lambda version: version == Version.V2_5),
)


def load() -> Validate | None:
    folder = os.environ.get("EAS_XSD")
    if not folder:
        return None
    spec = importlib.util.spec_from_file_location("eas_xsd_validate", Path(folder) / "validate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    validate: Validate = module.validate
    return validate


class NotConforming(AssertionError):
    """An answer that the schemas do not allow."""


def unchecked(app: Any) -> Any:
    """The application without the look at its answers, wherever that is wrapped in; for answers to nonsense."""
    inner = app
    while not isinstance(inner, Checked) and hasattr(inner, "app"):
        inner = inner.app
    return inner.unchecked if isinstance(inner, Checked) else app


class Checked:
    """An ASGI application whose WBXML answers are validated as they pass; `count` is how many were."""

    count = 0

    def __init__(self, app: Any, validate: Validate) -> None:
        self.unchecked = app
        self._validate = validate

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        kind, pieces = b"", []

        async def watched(message: Any) -> None:
            nonlocal kind
            if message["type"] == "http.response.start":
                kind = dict(message["headers"]).get(b"content-type", b"")
            elif message["type"] == "http.response.body":
                pieces.append(message.get("body", b""))
            await send(message)

        await self.unchecked(scope, receive, watched)
        body = unzipped(b"".join(pieces))
        if kind.decode() in (http.WBXML, http.MULTIPART):
            document = http.parts_of(body)[0] if kind.decode() == http.MULTIPART else body
            self._check(to_xml(wbxml.decode(document)), version_of(scope))
        elif kind.startswith(b"text/xml"):
            self._check(etree.fromstring(body), Version.V14_1)

    def _check(self, root: Any, version: Version) -> None:
        if version >= Version.V16_0:
            _without_content_of_changes(root)
        errors = [error for error in self._validate(root) if not is_gap(error, version)]
        if errors:
            etree.indent(root)
            raise NotConforming("\n".join(errors) + "\n" + etree.tostring(root, encoding="unicode"))
        Checked.count += 1


def _without_content_of_changes(root: Any) -> None:
    """The schema has no content in the answer to a Change; from 16.0 references of what was added are told there.
    [MS-ASAIRS] ClientId R1082, R1336"""
    for change in root.iterfind(".//{AirSync}Responses/{AirSync}Change"):
        for data in change.findall("{AirSync}ApplicationData"):
            change.remove(data)


def is_gap(error: str, version: Version) -> bool:
    return any(re.search(pattern, error) and applies(version) for pattern, applies in GAPS)


def version_of(scope: Any) -> Version:
    """The version of a request; 14.1 where it states none that can be read."""
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
    try:
        asked = queries.complete(queries.parse(scope["query_string"]), headers)
    except QueryError:
        stated = unquote(headers.get("ms-asprotocolversion", ""))
        return next((version for version in Version if version.text == stated), Version.V14_1)
    return asked.version or Version.V14_1
