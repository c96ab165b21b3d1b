"""After a backup was put back: mails that were under way in its moment.

The backup cannot know whether they went out a moment later, and most did. A device that asks again is told that its
mail was sent, and the admin finds it in `eas doubtful`: two of the same are worse than one that is looked after.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, or_, select, update

from eas.backends.embedded.codec import millis
from eas.backends.embedded.submissions import Stage
from eas.backends.embedded.tables import SubmittedRow, UserRow
from eas.backends.smtp.outbox import note_unknown
from eas.engine.drafts import SEND
from eas.engine.sending import OUTBOX, SENT
from eas.store.tables import intent


def doubt(connection: Connection, at: datetime) -> int:
    """Of a backup that was made then: settle what was being sent, and note each for the admin. How many."""
    moment = millis(at)
    return _submissions(connection, moment) + _intents(connection, moment)


def _submissions(connection: Connection, at: int) -> int:
    """Those that a mail server had not taken yet as far as we knew. The device's own request stays open, so that the
    copy in Sent Items and the mark on the original are made when it comes again."""
    open_ones = SubmittedRow.done != Stage.DONE
    found = connection.execute(
        select(SubmittedRow.user_id, SubmittedRow.key, SubmittedRow.message_id, SubmittedRow.subject).where(open_ones)
    ).all()
    for row in found:
        note_unknown(connection, row.user_id, row.key, row.message_id, row.subject, at)
    connection.execute(update(SubmittedRow).where(open_ones).values(done=Stage.DONE))
    return len(found)


def _intents(connection: Connection, at: int) -> int:
    """Requests to send whose message had not come to be submitted."""
    asked = connection.execute(
        select(intent.c.id, intent.c.user_id, intent.c.chosen_name, UserRow.address)
        .join(UserRow, UserRow.id == intent.c.user_id)
        .where(intent.c.result == "", or_(intent.c.collection_id == OUTBOX, intent.c.verb == SEND))
    ).all()
    count = 0
    for row in asked:
        named = SubmittedRow.message_id.startswith(f"<{row.chosen_name}@", autoescape=True)
        told = connection.execute(
            select(SubmittedRow.message_id).where(SubmittedRow.user_id == row.user_id, named)
        ).first()
        if told is None:
            message_id = f"<{row.chosen_name}@{row.address.rpartition('@')[2]}>"
            note_unknown(connection, row.user_id, row.chosen_name, message_id, "", at)
            connection.execute(update(intent).where(intent.c.id == row.id).values(result=SENT))
            count += 1
    return count
