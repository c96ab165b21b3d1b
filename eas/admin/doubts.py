"""After a backup was put back: mails that were under way in its moment.

The backup cannot know whether they went out a moment later, and most did. A device that asks again is told that its
mail was sent, and the admin finds it in `eas doubtful`: two of the same are worse than one that is looked after. What
cannot have left this database is another matter: it is in the backup or has never happened, and is done when the device
asks again.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, or_, select, true, update

from eas.backends.embedded.codec import millis
from eas.backends.embedded.submissions import Stage
from eas.backends.embedded.tables import SubmittedRow, UserRow
from eas.backends.smtp.outbox import note_unknown
from eas.backends.standards.tables import MemberRow
from eas.engine.drafts import SEND
from eas.engine.sending import OUTBOX, SENT
from eas.store.tables import intent


def doubt(connection: Connection, at: datetime, *, relayed: bool) -> int:
    """Of a backup that was made then: settle what was being sent, and note each for the admin. `relayed`: mail of users
    of the embedded groupware may have gone to others as well. How many."""
    moment = millis(at)
    leaves = true() if relayed else SubmittedRow.user_id.in_(select(MemberRow.user_id))
    asked = true() if relayed else intent.c.user_id.in_(select(MemberRow.user_id))
    begun = _submissions(connection, moment, leaves)
    return begun.total() + _intents(connection, moment, asked, begun)


def _submissions(connection: Connection, at: int, leaves: ColumnElement[bool]) -> Counter[str]:
    """Those that a mail server had not taken yet as far as we knew. The device's own request stays open, so that the
    copy in Sent Items and the mark on the original are made when it comes again. How many, by user."""
    open_ones = and_(SubmittedRow.done != Stage.DONE, leaves)
    found = connection.execute(
        select(SubmittedRow.user_id, SubmittedRow.key, SubmittedRow.message_id, SubmittedRow.subject).where(open_ones)
    ).all()
    for row in found:
        note_unknown(connection, row.user_id, row.key, row.message_id, row.subject, at)
    connection.execute(update(SubmittedRow).where(open_ones).values(done=Stage.DONE))
    return Counter(row.user_id for row in found)


def _intents(connection: Connection, at: int, leaves: ColumnElement[bool], begun: Counter[str]) -> int:
    """Requests to send whose message had not come to be submitted. Nothing tells which submission was whose where the
    device named the message: as many of a user's requests, the oldest, are taken for those that had."""
    asked = connection.execute(
        select(intent.c.id, intent.c.user_id, intent.c.chosen_name, UserRow.address)
        .join(UserRow, UserRow.id == intent.c.user_id)
        .where(intent.c.result == "", or_(intent.c.collection_id == OUTBOX, intent.c.verb == SEND), leaves)
        .order_by(intent.c.id)
    ).all()
    left, count = begun.copy(), 0
    for row in asked:
        if left[row.user_id] > 0:
            left[row.user_id] -= 1
        elif not _submitted(connection, row.user_id, row.chosen_name):
            message_id = f"<{row.chosen_name}@{row.address.rpartition('@')[2]}>"
            note_unknown(connection, row.user_id, row.chosen_name, message_id, "", at)
            connection.execute(update(intent).where(intent.c.id == row.id).values(result=SENT))
            count += 1
    return count


def _submitted(connection: Connection, user_id: str, name: str) -> bool:
    """Whether a message with the name that was chosen for it is known, however far it came."""
    named = SubmittedRow.message_id.startswith(f"<{name}@", autoescape=True)
    statement = select(SubmittedRow.key).where(SubmittedRow.user_id == user_id, named)
    return connection.execute(statement).first() is not None
