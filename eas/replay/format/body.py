"""Bytes of a message <-> Body. Which kind it is follows from the content type, then from the bytes; whatever cannot be
read stays as it is: `wire(body_of(data, type)) == data` for all bytes and all types."""

from __future__ import annotations

import re

from eas.protocol import http
from eas.protocol.wbxml import WbxmlError, decode, encode

from . import document
from .model import Binary, Body, Document, LeftOut, Parts, SessionError, Text

#: Media type -> kind of text.
KIND_OF_TYPE = {
    "message/rfc822": "mime", "text/xml": "xml", "application/xml": "xml", "application/json": "json",
    "application/x-www-form-urlencoded": "form", "text/html": "html", "text/plain": "text",
}
#: As much of a body as is looked at to see whether it is text.
LOOK = 64 * 1024
#: One byte in so many may be a control character or no UTF-8, in what is still shown as text.
TOLERATED = 10

_STRANGE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def body_of(data: bytes, content_type: str = "") -> Body:
    """The body that those bytes are. None for no bytes."""
    if not data:
        return None
    kind = http.media_type(content_type)
    if kind == http.MULTIPART:
        return _parts(data) or Binary(data, "no multipart answer")
    # Some servers and clients leave the type out, or say text/html: a WBXML header tells.
    if http.is_wbxml(content_type) or data[0] in (1, 2, 3):
        return wbxml(data)
    may_be_text = kind in KIND_OF_TYPE or kind.startswith("text/") or kind in ("", "application/octet-stream")
    if may_be_text and _is_text(data):
        return Text(KIND_OF_TYPE.get(kind, "text"), data)
    return Binary(data)


def wbxml(data: bytes) -> Document | Binary:
    """A document, with its bytes kept beside it where encoding it anew gives others."""
    try:
        root = decode(data)
        shown = document.from_text(document.to_text(root))
    except WbxmlError as error:
        return Binary(data, str(error))
    except document.DocumentError as error:
        return Binary(data, str(error))
    return Document(root) if encode(shown) == data else Document(shown, data)


def _parts(data: bytes) -> Parts | None:
    try:
        parts = http.parts_of(data)
    except http.MultipartError:
        return None
    if http.multipart(parts) != data:  # parts in another order, or bytes that belong to none
        return None
    bodies = [wbxml(part) if number == 0 and part else body_of(part) for number, part in enumerate(parts)]
    return Parts(tuple(bodies))


def _is_text(data: bytes) -> bool:
    look = data[:LOOK]
    strange = len(_STRANGE.findall(look)) + look.decode("utf-8", "replace").count("\ufffd")
    return strange * TOLERATED <= len(look)


def wire(body: Body) -> bytes:
    """The bytes that travelled. Raises SessionError for what was left out when it was recorded."""
    match body:
        case None:
            return b""
        case Document(root, exact):
            return encode(root) if exact is None else exact
        case Text(_, data) | Binary(data):
            return data
        case Parts(parts):
            return http.multipart([wire(part) for part in parts])
        case LeftOut():
            raise SessionError("the content of this message was not recorded")


def length(body: Body) -> int:
    """How many bytes travelled; -1 where it is not known."""
    return body.length if isinstance(body, LeftOut) else len(wire(body))
