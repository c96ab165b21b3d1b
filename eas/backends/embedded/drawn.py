"""Mail that is wanted for its conversation's sake: older than what a device asked for, but of a conversation with mail
in the same folder that is not. [MS-ASCMD] ConversationMode (Sync) R2107, R2110, R2112.

Conversations are looked up by their index, so that the cost follows the messages asked about and their conversations.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, Select, exists, select
from sqlalchemy.orm import aliased

from .content import BATCH
from .tables import ContentRow, ItemRow

_OTHER, _OTHER_CONTENT = aliased(ItemRow), aliased(ContentRow)


def listed(folder: int, edge: int) -> Select[int, str]:
    """All messages of a folder that reach beyond the edge or are of a conversation with one that does."""
    within = (
        select(_OTHER_CONTENT.conversation).join(_OTHER, _OTHER.content_id == _OTHER_CONTENT.id)
        .where(_OTHER.folder_id == folder, _OTHER.until > edge, _OTHER_CONTENT.conversation.is_not(None))
    )
    return (
        select(ItemRow.id, ItemRow.version).join(ContentRow, ContentRow.id == ItemRow.content_id)
        .where(ItemRow.folder_id == folder, (ItemRow.until > edge) | ContentRow.conversation.in_(within))
    )


def drawn_in(connection: Connection, folder: int, ids: Collection[int], edge: int) -> frozenset[int]:
    """Which of some messages outside the edge are wanted all the same."""
    newer = (
        exists().where(
            _OTHER_CONTENT.user_id == ContentRow.user_id, _OTHER_CONTENT.conversation == ContentRow.conversation,
            _OTHER.content_id == _OTHER_CONTENT.id, _OTHER.folder_id == folder, _OTHER.until > edge,
        )
    )
    statement = (
        select(ItemRow.id).join(ContentRow, ContentRow.id == ItemRow.content_id)
        .where(ItemRow.folder_id == folder, newer)
    )
    return frozenset(
        id for some in _batches(ids) for id in connection.execute(statement.where(ItemRow.id.in_(some))).scalars()
    )


def siblings(connection: Connection, folder: int, ids: Collection[int], edge: int) -> dict[int, str]:
    """The messages outside the edge that are of the conversations of some others, with their versions."""
    statement = (
        select(_OTHER.id, _OTHER.version)
        .join(_OTHER_CONTENT, _OTHER_CONTENT.id == _OTHER.content_id)
        .join(
            ContentRow,
            (ContentRow.user_id == _OTHER_CONTENT.user_id) & (ContentRow.conversation == _OTHER_CONTENT.conversation),
        )
        .join(ItemRow, ItemRow.content_id == ContentRow.id)
        .where(ItemRow.folder_id == folder, _OTHER.folder_id == folder, _OTHER.until <= edge)
    )
    found: dict[int, str] = {}
    for some in _batches(ids):
        found.update(connection.execute(statement.where(ItemRow.id.in_(some))).all())
    return found


def _batches(ids: Collection[int]) -> list[list[int]]:
    every = list(ids)
    return [every[at : at + BATCH] for at in range(0, len(every), BATCH)]
