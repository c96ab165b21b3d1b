"""Notes on messages as they are needed: loaded by id, and found again by Message-ID where another program has moved a
message that has one (the keyword $EasNote came along)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from eas.backends.embedded.groupware import Writing
from eas.items import headers
from eas.items.native import ItemId

from . import prints, rows, spans
from .flags import NOTED
from .model import Session
from .reach import Reach

_FIELDS = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
#: Up to so many ids are looked up in the event loop.
_FEW = 100


async def notes(
    reach: Reach, session: Session, flags: Mapping[ItemId, Collection[str]], uid_of: Mapping[ItemId, int], *,
    noted: bool = True,
) -> dict[ItemId, str]:
    """Id -> note (`NoteRow.data`), of those messages that have one. The mailbox is selected if there are flags. `noted`
    False: the mailbox has no notes yet (`rows.State`)."""
    if not flags:
        return {}
    ground, number = reach.account.ground, reach.number
    do = ground.look if len(flags) <= _FEW else ground.read
    found = await do(lambda c: rows.notes(c, number, flags)) if noted else {}
    lost = [id for id, some in flags.items() if id not in found and _is_noted(some)]
    if lost:
        found |= await _found_again(reach, session, {uid_of[id]: id for id in lost})
    return found


def _is_noted(flags: Collection[str]) -> bool:
    return NOTED in flags or any(flag.lower() == NOTED.lower() for flag in flags)


async def _found_again(reach: Reach, session: Session, id_of: Mapping[int, ItemId]) -> dict[ItemId, str]:
    if not reach.is_selected(session):
        await reach.select(session)
    digests = await message_digests(session, id_of)
    of_message = await reach.account.ground.read(
        lambda c: rows.notes_of_messages(c, reach.user_id, set(digests.values()))
    )
    found = {id_of[uid]: (of_message[one], one) for uid, one in digests.items() if one in of_message}
    if not found:
        return {}

    def work(tx: Writing) -> None:
        counter = rows.raise_counter(tx, reach.user_id, reach.number)
        for id, (text, digest) in found.items():
            rows.set_note(tx, reach.user_id, reach.number, id, rows.note_of(text), digest, counter)

    await reach.account.ground.write(work)
    return {id: text for id, (text, _) in found.items()}


async def message_digests(session: Session, uids: Collection[int]) -> dict[int, str]:
    """UID -> digest of the Message-ID, of those that have one."""
    found: dict[int, str] = {}
    async for one in session.fetch(spans.of(uids), (_FIELDS,)):
        for header in one.sections.values():
            if digest := rows.message_digest(prints.message_id(headers.parse(header))):
                found[one.uid] = digest
    return found
