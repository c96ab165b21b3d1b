"""The last whole Sync request of a device, to which empty and partial ones refer. [MS-ASCMD] Empty Sync Request,
Partial.

Kept as the document itself without the device's commands; a first byte says whether it had any, since a request with
commands cannot be repeated by an empty one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import structlog

from eas.protocol import wbxml
from eas.protocol.wbxml import Element

from .errors import Contended, NotRemembered
from .partnership import revise
from .session import Session

log = structlog.get_logger("eas.remembered")

PLAIN, HAD_COMMANDS = b"P", b"C"


class SyncRequest(Protocol):
    @property
    def collections(self) -> tuple[Any, ...]: ...


def forget_commands(request: Any) -> Any:
    """The request without its collections' commands."""
    return replace(request, collections=tuple(replace(c, commands=()) for c in request.collections))


async def remember(session: Session, document: Element, request: SyncRequest) -> None:
    """Writes only if it differs from what is remembered. That the keys move is stored after it, so that it need not
    wait for the disk by itself; a request that is forgotten is asked for in full (NotRemembered)."""
    had = any(collection.commands for collection in request.collections)
    kept = (HAD_COMMANDS if had else PLAIN) + wbxml.encode(document)
    try:
        await revise(
            session.store, session.device, lambda device: replace(device, remembered_sync=kept), lasting=False
        )
    except Contended as error:
        log.info("a Sync request was not remembered", reason=str(error))


def recall(session: Session, *, also_with_commands: bool) -> Element:
    """Raises NotRemembered."""
    kept = session.device.remembered_sync
    if not kept or (kept[:1] == HAD_COMMANDS and not also_with_commands):
        raise NotRemembered
    return wbxml.decode(kept[1:])
