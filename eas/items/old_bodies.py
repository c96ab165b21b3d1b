"""Notes of contacts, appointments and tasks as 2.5 has them: Body, BodySize, BodyTruncated, CompressedRTF. Pure.

Elements of the class itself take the place of airsyncbase:Body: plain text, or RTF in base64 ([MS-OXRTFCP]), which
Windows Mobile writes and Nokia's client sends empty beside the text. Plain text is what is sent: every device of 2.5
reads it, and our RTF could say no more.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import fields, replace
from typing import TypeVar

from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

from . import rtf
from .body import Body
from .native import Refused, Unreadable

M = TypeVar("M")

#: The version whose notes these are.
OLD_BODIES = Spoken(until=Version.V2_5)

_BODY, _RTF, _TRUNCATED = "Body", "CompressedRTF", "BodyTruncated"


def plain(data: Element) -> Element:
    """What a device sent, with its RTF as text. Raises Refused for RTF that cannot be read.

    Text wins over RTF, and RTF without text says nothing. A body that the device holds only in part is left out, so
    that the whole of it stays.
    """
    children = tuple(plain(child) if child.elements else child for child in data.elements)
    by_name = {child.tag.partition(":")[2]: child for child in children}
    written, cut = by_name.get(_RTF), by_name.get(_TRUNCATED)
    is_cut = cut is not None and cut.text.strip() == "1"
    if written is None and not is_cut:
        return Element(data.tag, children)
    text, body = _text(written) if written is not None else "", by_name.get(_BODY)
    kept = [child for child in children if child is not written and not (is_cut and child is body)]
    if text and not is_cut and not (body is not None and body.text):
        assert written is not None
        kept = [child for child in kept if child is not body]
        kept.append(Element(f"{written.tag.partition(':')[0]}:{_BODY}", text))
    return Element(data.tag, tuple(kept))


def _text(written: Element) -> str:
    raw = written.content if isinstance(written.content, bytes) else None
    try:
        if raw is None:
            raw = base64.b64decode("".join(written.text.split()), validate=True)
        return rtf.text_of_compressed(raw) if raw else ""
    except (binascii.Error, Unreadable, ValueError) as error:
        raise Refused(f"notes that cannot be read: {error}") from error


def is_what_was_cut(sent: Body, shown: Body | None) -> bool:
    """Whether a device sends back, as the whole, what it was shown of longer notes. BodyTruncated would say so, were it
    always sent."""
    if shown is None or not shown.truncated:
        return False
    return (sent.data or "").split() == (shown.data or "").split()


def sized(message: M) -> M:
    """An item as it is shown, with the size of its whole body and whether there is more of it than is shown."""
    body = getattr(message, "body", None)
    if body is None:
        return message
    known = {"body_size": body.estimated_size, "body_truncated": bool(body.truncated)}
    has = {field.name for field in fields(message)}  # type: ignore[arg-type]
    told: M = replace(message, **{name: value for name, value in known.items() if name in has})  # type: ignore[type-var]
    return told
