"""Our own rows of one mailbox: which epoch it is in, ids that are not those of UIDs, and notes. Statements only.

An id is the epoch of its mailbox and a UID in it, unless an alias says that it stands for another UID. What changes
here is counted in `PlaceRow.counter`, as the server counts changes of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, insert, select, update

from eas.backends.embedded.codec import dump_flags, load_flags, millis
from eas.backends.embedded.groupware import AnyRow, Writing
from eas.backends.standards.tables import AliasRow, MovedConversationRow, NoteRow, PlaceRow, PutRow
from eas.engine.errors import FolderGone
from eas.items.native import ItemId, MailFlags

#: Ids in one statement: SQLite takes 32,766 values, PostgreSQL's driver 32,767.
BATCH = 500
#: UIDs have 32 bits. RFC 3501 2.3.1.1.
UID_BITS = 32
UID_MASK = (1 << UID_BITS) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """`validity` 0: never seen. `aliased`: some ids are not those of UIDs. `open`: a draft is being replaced here.
    `ruled`: the user has conversations that were moved for ever. `noted`: some message here has a note."""

    epoch: int
    validity: int
    counter: int
    aliased: bool
    open: bool
    ruled: bool = False
    noted: bool = True

    def natural(self, uid: int) -> ItemId:
        return self.epoch << UID_BITS | uid


#: Made once: to put it together costs more than SQLite takes to answer it.
_STATES = select(
    PlaceRow.number, PlaceRow.epoch, PlaceRow.validity, PlaceRow.counter,
    exists().where(AliasRow.number == PlaceRow.number).label("aliased"),
    exists().where(PutRow.number == PlaceRow.number, PutRow.old != 0).label("open"),
    exists().where(MovedConversationRow.user_id == PlaceRow.user_id).label("ruled"),
    exists().where(NoteRow.number == PlaceRow.number).label("noted"),
).where(PlaceRow.user_id == bindparam("user"))
_STATE = _STATES.where(PlaceRow.number == bindparam("number"))
_SOME_STATES = _STATES.where(PlaceRow.number.in_(bindparam("numbers", expanding=True)))


def state(connection: Connection, user_id: str, number: int) -> State:
    """Raises FolderGone."""
    row = connection.execute(_STATE, {"number": number, "user": user_id}).one_or_none()
    if row is None:
        raise FolderGone(str(number))
    return _state(row)


def states(connection: Connection, user_id: str, numbers: Collection[int]) -> dict[int, State]:
    """Those that there are, by number."""
    rows = connection.execute(_SOME_STATES, {"numbers": list(numbers), "user": user_id})
    return {row.number: _state(row) for row in rows}


def _state(row: AnyRow) -> State:
    return State(
        epoch=row.epoch, validity=row.validity, counter=row.counter, aliased=bool(row.aliased), open=bool(row.open),
        ruled=bool(row.ruled), noted=bool(row.noted),
    )


def raise_counter(tx: Writing, user_id: str, number: int) -> int:
    """Count one change, which also locks the place. Raises FolderGone."""
    statement = (
        update(PlaceRow).where(PlaceRow.number == number, PlaceRow.user_id == user_id)
        .values(counter=PlaceRow.counter + 1).returning(PlaceRow.counter)
    )
    counter = tx.connection.execute(statement).scalar_one_or_none()
    if counter is None:
        raise FolderGone(str(number))
    tx.touch(user_id, str(number))
    return counter


def lock(tx: Writing, user_id: str, number: int) -> State:
    """Keep other writers out of a place until the commit, without counting a change. Raises FolderGone."""
    statement = select(PlaceRow.number).where(PlaceRow.number == number).with_for_update(key_share=True)
    tx.connection.execute(statement).one_or_none()
    return state(tx.connection, user_id, number)


def first_seen(tx: Writing, user_id: str, number: int, validity: int) -> State:
    """Note the UIDVALIDITY of a mailbox that had none yet."""
    statement = (
        update(PlaceRow).where(PlaceRow.number == number, PlaceRow.user_id == user_id, PlaceRow.validity == 0)
    )
    tx.connection.execute(statement.values(validity=validity))
    return state(tx.connection, user_id, number)


def listing(connection: Connection, number: int) -> str:
    """See `listing`; "" for none."""
    found = connection.execute(select(PlaceRow.token).where(PlaceRow.number == number)).scalar_one_or_none()
    return found or ""


def keep_listing(connection: Connection, number: int, text: str) -> None:
    connection.execute(update(PlaceRow).where(PlaceRow.number == number).values(token=text))


# --- Ids and UIDs -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Ids <-> UIDs of the present epoch, as far as it was asked for. `by_id` are (UID, content), UID 0 for none."""

    epoch: int
    by_id: Mapping[ItemId, tuple[int, int]] = field(default_factory=dict)
    by_uid: Mapping[int, ItemId] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()

    def uid(self, id: ItemId) -> int | None:
        """None for an id that is no longer, or never was."""
        if (held := self.by_id.get(id)) is not None:
            return held[0] or None
        uid = id & UID_MASK
        return uid if uid and id >> UID_BITS == self.epoch and uid not in self.by_uid else None

    def id(self, uid: int) -> ItemId | None:
        """None for a message that is only there until it is removed: another has taken its place."""
        if (id := self.by_uid.get(uid)) is not None:
            return id
        natural = self.epoch << UID_BITS | uid
        return None if natural in self.by_id or uid in self.hidden else natural

    def content(self, id: ItemId) -> int:
        held = self.by_id.get(id)
        return 0 if held is None else held[1]


def names(
    connection: Connection, number: int, state: State, ids: Collection[ItemId] | None = None,
    uids: Collection[int] | None = None,
) -> Names:
    """For these ids, or these UIDs; for all where both are None."""
    hidden = frozenset(olds(connection, number)) if state.open else frozenset[int]()
    if not state.aliased:
        return Names(epoch=state.epoch, hidden=hidden)
    by_id, by_uid = dict[ItemId, tuple[int, int]](), dict[int, ItemId]()
    for condition in _conditions(state, ids, uids):
        rows = connection.execute(
            select(AliasRow.id, AliasRow.epoch, AliasRow.uid, AliasRow.content)
            .where(AliasRow.number == number, condition)
        )
        for id, epoch, uid, content in rows:
            uid = uid if epoch == state.epoch else 0
            by_id[id] = (uid, content)
            if uid:
                by_uid[uid] = id
    return Names(epoch=state.epoch, by_id=by_id, by_uid=by_uid, hidden=hidden)


def _conditions(
    state: State, ids: Collection[ItemId] | None, uids: Collection[int] | None
) -> Iterator[ColumnElement[bool]]:
    every = {*(ids or ()), *(state.natural(uid) for uid in uids or ())}
    if (ids is None and uids is None) or len(every) > BATCH:
        yield AliasRow.id > 0
        return
    if every:
        mine = [id & UID_MASK for id in every if id >> UID_BITS == state.epoch]
        yield AliasRow.id.in_(every)
        yield and_(AliasRow.epoch == state.epoch, AliasRow.uid.in_(mine))


def set_alias(tx: Writing, number: int, id: ItemId, epoch: int, uid: int, modseq: int, content: int) -> None:
    values = {"epoch": epoch, "uid": uid, "modseq": modseq, "content": content}
    statement = update(AliasRow).where(AliasRow.number == number, AliasRow.id == id).values(**values)
    if not tx.connection.execute(statement).rowcount:
        tx.connection.execute(insert(AliasRow).values(number=number, id=id, **values))


def changed_aliases(connection: Connection, number: int, since: int) -> list[tuple[ItemId, int]]:
    """(id, UID) of those written after a count."""
    statement = select(AliasRow.id, AliasRow.uid).where(AliasRow.number == number, AliasRow.modseq > since)
    return [(row.id, row.uid) for row in connection.execute(statement)]


# --- Notes ------------------------------------------------------------------------------------------------------------


def message_digest(message_id: bytes) -> str:
    """By which a note is found again when the message was moved; "" for none."""
    return blake2b(message_id, digest_size=16).hexdigest() if message_id else ""


_NOTES = select(NoteRow.id, NoteRow.data).where(NoteRow.number == bindparam("number"), NoteRow.data != "")
_NOTES_OF = _NOTES.where(NoteRow.id.in_(bindparam("ids", expanding=True)))


def notes(connection: Connection, number: int, ids: Collection[ItemId] | None = None) -> dict[ItemId, str]:
    """The texts of the notes of these messages, or of all."""
    if ids is None or len(ids) > BATCH:
        return dict(connection.execute(_NOTES, {"number": number}).all())
    return dict(connection.execute(_NOTES_OF, {"number": number, "ids": list(ids)}).all()) if ids else {}


def changed_notes(connection: Connection, number: int, since: int) -> list[ItemId]:
    statement = select(NoteRow.id).where(NoteRow.number == number, NoteRow.modseq > since)
    return list(connection.execute(statement).scalars())


def set_note(
    tx: Writing, user_id: str, number: int, id: ItemId, note: MailFlags, message: str, modseq: int
) -> None:
    """In place of any before."""
    data = note_text(note)
    values = {"data": data, "modseq": modseq, **({"message": message} if message else {})}
    statement = update(NoteRow).where(NoteRow.number == number, NoteRow.id == id).values(**values)
    if not tx.connection.execute(statement).rowcount and data:
        tx.connection.execute(insert(NoteRow).values(
            number=number, id=id, user_id=user_id, message=message, data=data, modseq=modseq
        ))


def drop_note(tx: Writing, number: int, id: ItemId) -> None:
    tx.connection.execute(delete(NoteRow).where(NoteRow.number == number, NoteRow.id == id))


def notes_of_messages(connection: Connection, user_id: str, digests: Collection[str]) -> dict[str, str]:
    """Digest -> the note, of the user's messages in any folder; the latest one."""
    statement = (
        select(NoteRow.message, NoteRow.data)
        .where(NoteRow.user_id == user_id, NoteRow.message.in_(digests), NoteRow.data != "")
        .order_by(NoteRow.modseq)
    )
    return dict(connection.execute(statement).all()) if digests else {}


def note_text(note: MailFlags) -> str:
    """"" for nothing."""
    return dump_flags(note)


def note_of(text: str) -> MailFlags:
    return load_flags(text)


# --- What is being put here -------------------------------------------------------------------------------------------

#: How long it is known what a chosen name became. A device asks again within minutes, or after a holiday.
KEPT_MILLISECONDS = 60 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """See `tables.PutRow`."""

    name: str
    id: ItemId
    old: int
    sought: str
    at: int


def put_name(chosen: str) -> str:
    return blake2b(chosen.encode("utf-8", "surrogatepass"), digest_size=24).hexdigest()


_PUT = (PutRow.name, PutRow.id, PutRow.old, PutRow.sought, PutRow.at)


def put(connection: Connection, number: int, name: str) -> Put | None:
    row = connection.execute(select(*_PUT).where(PutRow.number == number, PutRow.name == name)).one_or_none()
    return None if row is None else Put(**row._mapping)


def open_puts(connection: Connection, number: int) -> list[Put]:
    """Replacements of drafts that have not come to their end."""
    statement = select(*_PUT).where(PutRow.number == number, PutRow.old != 0)
    return [Put(**row._mapping) for row in connection.execute(statement)]


def olds(connection: Connection, number: int) -> Iterable[int]:
    """UIDs that are still to be removed, since another message has taken their place."""
    statement = select(PutRow.old).where(PutRow.number == number, PutRow.old != 0, PutRow.id != 0)
    return connection.execute(statement).scalars()


def begin_put(tx: Writing, number: int, name: str, sought: str, old: int = 0) -> None:
    now = millis(tx.now)
    tx.connection.execute(
        delete(PutRow).where(PutRow.at < now - KEPT_MILLISECONDS, PutRow.number == number)
    )
    tx.connection.execute(insert(PutRow).values(number=number, name=name, id=0, old=old, sought=sought, at=now))


def settle_put(connection: Connection, number: int, name: str, id: ItemId, *, old: int = 0) -> ItemId:
    """The id that counts: that of whoever was first. Another node may have put the same there meanwhile, having taken
    this one for dead."""
    statement = update(PutRow).where(PutRow.number == number, PutRow.name == name, PutRow.id.in_((0, id)))
    if connection.execute(statement.values(id=id, old=old)).rowcount:
        return id
    there = put(connection, number, name)
    return there.id if there is not None else id


def end_put(connection: Connection, number: int, name: str) -> None:
    connection.execute(delete(PutRow).where(PutRow.number == number, PutRow.name == name))


def claimed(connection: Connection, number: int, ids: Collection[ItemId]) -> set[ItemId]:
    """Those among these ids that were put here under some name."""
    if not ids:
        return set()
    found = connection.execute(select(PutRow.id).where(PutRow.number == number, PutRow.id.in_(ids)))
    return set(found.scalars())
