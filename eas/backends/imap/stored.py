"""One message as it stands in the selected mailbox, and its flags, changed by the difference. RFC 3501 6.4.6 (STORE),
RFC 7162 3.1.3 (UNCHANGEDSINCE)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eas.backends.embedded.groupware import Writing
from eas.engine.errors import ItemGone, NotAllowed, VersionConflict
from eas.engine.ports import ItemVersion, Written
from eas.items import headers
from eas.items.native import ItemId, MailFlags

from . import flags as flagged
from . import kept, prints, rows
from .flags import NOTHING, Change
from .model import Fetched, No, Session, Stored
from .reach import Reach
from .rows import State

_MESSAGE_ID = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
#: How often a conditional store is tried again that failed for a change which nobody sees.
_ATTEMPTS = 4
#: Response codes of a refusal that is about the mailbox, not about keywords.
_OF_MAILBOX = frozenset(("OVERQUOTA", "NOPERM", "UNAVAILABLE", "SERVERBUG", "INUSE", "NONEXISTENT", "TRYCREATE"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A message of the mailbox. `message` is a digest of its Message-ID, `mark` what tells it from others."""

    id: ItemId
    uid: int
    flags: frozenset[str]
    modseq: int
    note: MailFlags
    content: int
    size: int
    message: str
    mark: bytes

    @property
    def seen(self) -> MailFlags:
        return flagged.seen(self.flags, self.note)

    @property
    def version(self) -> ItemVersion:
        return flagged.version(self.seen, self.content)


async def hold(reach: Reach, session: Session, state: State, id: ItemId) -> Held:
    """As it is now; the mailbox is selected and up to date. Raises ItemGone."""
    ground = reach.account.ground
    names = await ground.look(lambda c: rows.names(c, reach.number, state, ids=[id]))
    uid = names.uid(id)
    if uid is None:
        raise ItemGone(str(id))
    items = ["FLAGS", "INTERNALDATE", "RFC822.SIZE", _MESSAGE_ID]
    if session.can_condstore:
        items.append("MODSEQ")
    found = await _fetched(session, uid, items)
    if found is None:  # it may have come since this connection was brought up to date, and another node have told it
        await reach.sync(session)
        found = await _fetched(session, uid, items)
    if found is None or found.flags is None or found.size is None or found.internal_date is None:
        raise ItemGone(str(id))
    texts = await kept.notes(reach, session, {id: found.flags}, {id: uid})
    message = prints.message_id(headers.parse(b"".join(found.sections.values())))
    return Held(
        id=id, uid=uid, flags=found.flags, modseq=found.modseq, note=rows.note_of(texts.get(id, "")),
        content=names.content(id), size=found.size, message=rows.message_digest(message),
        mark=prints.mark_of(message, found.size, found.internal_date),
    )


async def _fetched(session: Session, uid: int, items: Sequence[str]) -> Fetched | None:
    found: Fetched | None = None
    async for one in session.fetch(((uid, uid),), items):
        if one.uid == uid and one.flags is not None and one.size is not None:
            found = one
    return found


def storable(session: Session) -> Callable[[str], bool]:
    """Whether the server keeps a keyword in the selected mailbox. PERMANENTFLAGS, RFC 3501 7.1."""
    selected = session.selected
    if selected is None or selected.new_keywords or selected.permanent is None:
        return lambda keyword: True
    known = {flag.lower() for flag in selected.permanent}
    return lambda keyword: keyword.lower() in known


def require_writable(session: Session) -> None:
    """Raises NotAllowed."""
    if session.selected is not None and session.selected.read_only:
        raise NotAllowed("the mailbox is read-only")


async def set_flags(
    reach: Reach, session: Session, state: State, id: ItemId, wanted: MailFlags, if_version: ItemVersion | None
) -> Written:
    """Raises ItemGone, VersionConflict, NotAllowed. Equal flags change nothing."""
    for _ in range(_ATTEMPTS):
        held = await hold(reach, session, state, id)
        if if_version is not None and held.version != if_version:
            raise VersionConflict(str(id))
        if held.seen == wanted:
            return Written(id=id, version=held.version)
        changed = await _store(session, held, wanted, conditional=if_version is not None)
        if changed is None:
            continue
        now, note = changed
        if note != held.note:
            await _set_note(reach, held, note, conditional=if_version is not None)
        reach.heard()
        told = flagged.seen(now, note)
        return Written(id=id, version=flagged.version(told, held.content), same=told == wanted)
    raise VersionConflict(str(id))


async def _store(
    session: Session, held: Held, wanted: MailFlags, *, conditional: bool
) -> tuple[frozenset[str], MailFlags] | None:
    """The flags as they are then, and the note that goes with them; None: somebody else changed them meanwhile.

    A server that refuses new keywords, or drops them, has us keep what they would have said."""
    require_writable(session)
    takes, refused = storable(session), set[str]()
    flags, modseq = held.flags, held.modseq if conditional else 0


    def can(keyword: str) -> bool:
        return takes(keyword) and keyword.lower() not in refused

    while True:
        change = flagged.change(flags, held.note, wanted, can)
        try:
            done = await _apply(session, held.uid, flags, change, modseq)
        except No as error:
            keywords = {flag.lower() for flag in change.add if not flag.startswith("\\")} - refused
            if error.code in _OF_MAILBOX or not keywords:
                raise
            refused |= keywords
            continue
        if done is None:
            return None
        flags, modseq = done
        there = {flag.lower() for flag in flags}
        dropped = {flag.lower() for flag in change.add if not flag.startswith("\\")} - there - refused
        if not dropped:
            return flags, change.note
        refused |= dropped


async def _apply(
    session: Session, uid: int, flags: frozenset[str], change: Change, modseq: int
) -> tuple[frozenset[str], int] | None:
    """Flags and MODSEQ after it; MODSEQ 0 is unconditional."""
    for how, some in (("+FLAGS", change.add), ("-FLAGS", change.remove)):
        if not some:
            continue
        stored = await session.store(((uid, uid),), how, some, unchanged_since=modseq or None)
        if stored.modified:
            return None
        lower = {flag.lower() for flag in some}
        expected = (flags | set(some)) if how == "+FLAGS" else {flag for flag in flags if flag.lower() not in lower}
        flags, modseq = _told(stored, uid, frozenset(expected), modseq)
    return flags, modseq


def _told(stored: Stored, uid: int, expected: frozenset[str], modseq: int) -> tuple[frozenset[str], int]:
    """What the server says stands there now; where it says nothing, what was asked for."""
    flags = expected
    after = 0
    for one in stored.fetched:
        if one.uid == uid:
            flags, after = (one.flags if one.flags is not None else flags), one.modseq or after
    # Without a new MODSEQ the next store cannot be conditional on it.
    return flags, after if modseq else 0


async def _set_note(reach: Reach, held: Held, note: MailFlags, *, conditional: bool) -> None:
    """Raises VersionConflict if somebody else has changed it since it was read."""
    def work(tx: Writing) -> None:
        counter = rows.raise_counter(tx, reach.user_id, reach.number)
        now = rows.note_of(rows.notes(tx.connection, reach.number, [held.id]).get(held.id, ""))
        if conditional and now != held.note:
            raise VersionConflict(str(held.id))
        rows.set_note(tx, reach.user_id, reach.number, held.id, note, held.message, counter)

    await reach.account.ground.write(work)


def appended(flags: MailFlags, takes: Callable[[str], bool]) -> tuple[tuple[str, ...], MailFlags]:
    """What a new message gets from the beginning, and its note."""
    change = flagged.change((), NOTHING, flags, takes)
    return change.add, change.note
