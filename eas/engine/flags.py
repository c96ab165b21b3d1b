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


#: The pieces of a version by their marks, and the elements that tell them.
_TOLD_BY = {
    "read": frozenset({"Email:Read"}), "f": frozenset({"Email:Flag"}), "c": frozenset({"Email:Categories"}),
    "x": frozenset({"Email2:LastVerbExecuted", "Email2:LastVerbExecutionTime"}),
}


def told_changes(before: ItemVersion | None, after: ItemVersion) -> frozenset[str]:
    """The tags that tell what differs between two versions of a message's flags; all of them where that is not known.
    [MS-ASEMAIL] Sending E-Mail Changes to the Client R75-R10616"""
    old, new = _pieces(before or ""), _pieces(after)
    if old is None or new is None:
        return frozenset().union(*_TOLD_BY.values())
    return frozenset().union(*(tags for mark, tags in _TOLD_BY.items() if old.get(mark) != new.get(mark)))


def _pieces(version: ItemVersion) -> dict[str, str] | None:
    """None for a version of another form."""
    read, *others = version.split(".")
    if read not in ("r", "u") or any(not piece or piece[0] not in _TOLD_BY for piece in others):
        return None
    return {"read": read, **{piece[0]: piece[1:] for piece in others}}


async def _flags(feed: Feed, id: ItemId) -> Mail:
    async for mail in feed.fetch([id], None):
        assert isinstance(mail, Mail)
        return mail
    raise ItemGone(str(id))
