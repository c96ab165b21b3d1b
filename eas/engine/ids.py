"""How items are named towards devices: `<collection>:<item>`.

ServerIds are stable over resyncs and equal for all devices of a user, so they can serve as LongIds too. A FileReference
adds the section of the part: `<collection>:<item>:<section>`. Every id that comes in is parsed here and then looked up
within the user's own mailbox; parsing proves nothing about rights. [MS-ASCMD] ServerId (Sync), [MS-ASAIRS]
FileReference.
"""

from __future__ import annotations

import re

from eas.items.native import ItemId

from .model import CollectionId

#: No item of a mailbox has it: what a device in quarantine is shown in place of its mail (eas.engine.quarantine).
NOTICE_ID: ItemId = 10**17

#: Longest ServerId. [MS-ASCMD] ServerId (Sync).
MAX_LENGTH = 64

_SERVER_ID = re.compile(r"([0-9A-Za-z._-]{1,40}):([1-9][0-9]{0,17})")
_FILE_REFERENCE = re.compile(
    r"([0-9A-Za-z._-]{1,40}):([1-9][0-9]{0,17}):((?:[1-9][0-9]{0,4})(?:\.[1-9][0-9]{0,4}){0,30}"
    r"(?:-[0-9a-f]{8})?|0|a[0-9a-f]{16})"
)


def server_id(collection: CollectionId, item: ItemId) -> str:
    return f"{collection}:{item}"


def parse_server_id(text: str) -> tuple[CollectionId, ItemId] | None:
    """None for anything that this server cannot have issued."""
    found = _SERVER_ID.fullmatch(text) if len(text) <= MAX_LENGTH else None
    return (found[1], int(found[2])) if found else None


def file_reference(collection: CollectionId, item: ItemId, section: str) -> str:
    """`section` "" (the whole message, of a degraded item) is spelled 0. That of a calendar item's attachment is a name
    made of its content (eas.items.enclosed), in a draft a section has such a name behind it (eas.items.draft)."""
    return f"{collection}:{item}:{section or '0'}"


def parse_file_reference(text: str) -> tuple[CollectionId, ItemId, str] | None:
    found = _FILE_REFERENCE.fullmatch(text) if len(text) <= 255 else None
    return (found[1], int(found[2]), "" if found[3] == "0" else found[3]) if found else None
