"""Changing the flags of a message from what they are now, whoever else changes them at the same time."""

from __future__ import annotations

from collections.abc import Callable

from eas.items.native import ItemId, Mail, MailFlags

from .errors import ItemGone, VersionConflict
from .ports import Feed, ItemVersion, Written

#: How often it is tried again when somebody else keeps changing them.
ATTEMPTS = 6


async def change_flags(
    feed: Feed, id: ItemId, change: Callable[[MailFlags], MailFlags]
) -> tuple[ItemVersion, Written]:
    """Store what `change` makes of the flags; the version that they had before, and what is stored now.

    Raises ItemGone, NotAllowed, VersionConflict, and what `change` raises.
    """
    for _ in range(ATTEMPTS):
        mail = await _flags(feed, id)
        try:
            return mail.version, await feed.set_flags(id, change(mail.flags), mail.version)
        except VersionConflict:
            continue
    raise VersionConflict(f"the flags of {id} are changed by too many at once")


def content_mark(version: ItemVersion) -> str:
    """What the version of a draft says of its content; "" for messages that are none, whose content never changes."""
    return version.partition(" ")[0].partition("~")[2]


async def _flags(feed: Feed, id: ItemId) -> Mail:
    async for mail in feed.fetch([id], None):
        assert isinstance(mail, Mail)
        return mail
    raise ItemGone(str(id))
