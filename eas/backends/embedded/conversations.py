"""Conversations that are moved as a whole, now and for ever.

What was moved "always" is a rule: later messages of that conversation go to its folder instead of the inbox. A rule
ends when its conversation is moved again, when its folder is deleted, and when the folder is the inbox.
[MS-ASCON] MoveAlways R130, Always Moving a Conversation R215, Ignoring a Conversation R213.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, insert, select

from eas.engine.errors import FolderGone, ItemGone, NotAllowed
from eas.engine.model import CollectionId, FolderType

from . import items
from .access import seen_own
from .groupware import Writing
from .tables import ContentRow, ConversationRuleRow, FolderRow, ItemRow


def move(tx: Writing, user_id: str, conversation: bytes, to: CollectionId, always: bool) -> int:
    """All messages of a conversation, from all folders of the user but that of what was sent; how many were not there
    yet. Raises ItemGone (no such conversation), FolderGone, NotAllowed (no folder of mail, or not the user's own)."""
    # One at a time for a user: two moves of one conversation would else meet in its folders in two orders.
    tx.one_at_a_time(user_id)
    destination = seen_own(tx.connection, user_id, to)
    if destination is None:
        raise FolderGone(to)
    if destination.folder.item_class != "Email":
        raise NotAllowed(f"folder {to} is for other items")
    found = tx.connection.execute(
        select(ItemRow.folder_id, ItemRow.id, FolderRow.type)
        .join(ContentRow, ContentRow.id == ItemRow.content_id).join(FolderRow, FolderRow.id == ItemRow.folder_id)
        .where(
            ContentRow.user_id == user_id, ContentRow.conversation == conversation.hex(), FolderRow.owner == user_id,
        )
        .order_by(ItemRow.folder_id, ItemRow.id)
    ).all()
    if not found:
        raise ItemGone(conversation.hex())
    waiting = [
        (folder, id) for folder, id, type in found
        if folder != destination.number and type != FolderType.SENT_ITEMS
    ]
    # In one order everywhere, as every other move does.
    for number in sorted({destination.number, *(folder for folder, _ in waiting)}):
        items.lock(tx, number)
    for folder, id in waiting:
        items.move(tx, folder, id, destination.number, f"conversation {folder}:{id}")
    _set_rule(tx, user_id, conversation, destination.number if always else None, destination.folder.type)
    return len(waiting)


def _set_rule(tx: Writing, user_id: str, conversation: bytes, folder: int | None, type: FolderType) -> None:
    """In the place of any other. To the inbox everything comes by itself."""
    key = {"user_id": user_id, "conversation": conversation.hex()}
    tx.connection.execute(
        delete(ConversationRuleRow)
        .where(ConversationRuleRow.user_id == user_id, ConversationRuleRow.conversation == conversation.hex())
    )
    if folder is not None and type is not FolderType.INBOX:
        tx.connection.execute(insert(ConversationRuleRow).values(**key, folder_id=folder))


def redirected(tx: Writing, users: Sequence[str], conversation: str | None) -> Mapping[str, int]:
    """User -> the folder into which what arrives of a conversation goes, for those who have said so."""
    if conversation is None:
        return {}
    rows = tx.connection.execute(
        select(ConversationRuleRow.user_id, ConversationRuleRow.folder_id)
        .where(ConversationRuleRow.user_id.in_(users), ConversationRuleRow.conversation == conversation)
    )
    return dict(rows.all())
