"""Messages and drafts for the cases on mail: what devices send of them, and what they find."""

from __future__ import annotations

from typing import Any

from boxes_kit import Box, box, local
from lab import Lab, Login
from wire import e

from eas.protocol.wbxml import Element

#: Folder types. [MS-ASCMD] Type (FolderSync)
DRAFTS, SENT_ITEMS = 3, 5


def body(text: str, type: int = 1) -> Element:
    return e("AirSyncBase:Body", e("Type", str(type)), e("Data", text))


def add_draft(client_id: str, *inside: Element, send: bool = False) -> Element:
    sends = (e("Email2:Send"),) if send else ()
    return e("AirSync:Add", e("ClientId", client_id), *sends, e("ApplicationData", *inside))


def change_draft(server_id: str, *inside: Element, send: bool = False) -> Element:
    sends = (e("Email2:Send"),) if send else ()
    return e("AirSync:Change", e("ServerId", server_id), *sends, e("ApplicationData", *inside))


def attach(client_id: str, name: str, content: bytes, *more: Element, method: str = "1") -> Element:
    return e(
        "AirSyncBase:Add", e("ClientId", client_id), e("Content", content), e("DisplayName", name), *more,
        e("Method", method),
    )


def detach(reference: str) -> Element:
    return e("AirSyncBase:Delete", e("FileReference", reference))


def attachments(*given: Element) -> Element:
    return e("AirSyncBase:Attachments", *given)


def under(element: Element, *path: str) -> list[Element]:
    at = [element]
    for name in path:
        at = [child for parent in at for child in parent.elements if local(child) == name]
    return at


def text_of(element: Element, *path: str) -> str | None:
    found = under(element, *path)
    return found[0].text if found else None


def options(*inside: Any) -> Element:
    return e("AirSync:Options", *inside)


def preference(type: int, size: int | None = None, *, whole: bool | None = None, preview: int | None = None) -> Element:
    parts = [e("Type", str(type))]
    if size is not None:
        parts.append(e("TruncationSize", str(size)))
    if whole is not None:
        parts.append(e("AllOrNone", "1" if whole else "0"))
    if preview is not None:
        parts.append(e("Preview", str(preview)))
    return e("AirSyncBase:BodyPreference", *parts)


async def drafts(lab: Lab, login: Login | None = None) -> Box:
    """The Drafts folder on a new device, with all that is in it."""
    return await (await box(lab, DRAFTS, login=login)).begin(options(preference(2)))
