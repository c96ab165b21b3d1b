"""Our rows of one collection, and how they follow the server: what to do is decided here, within a transaction that the
caller began; `index` reads from the server.

A refresh applies what it has read to rows that our own writes change meanwhile, in this process and in others. What was
touched since the refresh began it leaves alone, and then does not say that the rows have come so far: the next one is
told the same again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, case, delete, func, insert, literal, select, update

from eas.backends.embedded.backend import TOMBSTONES_KEPT
from eas.backends.embedded.codec import compact, millis
from eas.backends.embedded.groupware import Writing
from eas.backends.embedded.prepare import Prepared, uid_key
from eas.backends.standards.tables import GoneRow, ObjectRow, PlaceRow
from eas.engine.errors import FolderGone

from .objects import stamped, tag

#: Names or ids in one statement.
BATCH = 500
#: Between the two halves of `PlaceRow.token`; no server's word has it (XML 1.0 2.2).
_BETWEEN = "\x1f"
#: Characters of an ETag that are kept.
_ETAG_LENGTH = 255


class Overtaken(Exception):
    """Another refresh has taken the rows further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the rows stand: our counter, and what the server said: `state` is what a probe answered before the changes
    were read, `token` what to ask for changes with; both "" if nothing was ever read."""

    counter: int
    floor: int
    state: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An object as we have it. `version` "" : it is no item of this place."""

    id: int
    name: str
    etag: str
    version: str
    modseq: int = 0

    def stands_at(self, etag: str) -> bool:
        return bool(etag) and tag(self.etag) == tag(etag)[:_ETAG_LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """An object as the server has it, with what the row needs. `version` "" : it is no item of this place."""

    name: str
    etag: str
    version: str
    until: int = 0
    received: int = 0
    uid: str | None = None
    search: str = ""
    entries: str = ""


def read(name: str, etag: str, version: str, prepared: Prepared | None, now: int) -> Read:
    """Of an object that is an item (`prepared`), or is none."""
    if prepared is None:
        return Read(name=name, etag=etag[:_ETAG_LENGTH], version="")
    made = stamped(prepared.octets)
    return Read(
        name=name, etag=etag[:_ETAG_LENGTH], version=version, until=prepared.until, uid=prepared.uid,
        received=now if made is None else min(millis(made), now), search=prepared.search, entries=entries(prepared),
    )


def entries(prepared: Prepared) -> str:
    """JSON: what the directory shows, and each beginning by which it is found after a line feed. "" for nobody."""
    if not prepared.entries:
        return ""
    shown = [{name: value for name, value in asdict(entry).items() if value} for entry in prepared.entries]
    return compact({"shown": shown, "terms": "".join(f"\n{term}" for term in sorted(prepared.terms)) + "\n"})


# --- Deciding ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`left`: something was left alone."""

    inserts: Sequence[Read] = ()
    updates: Sequence[tuple[Known, Read]] = ()
    burials: Sequence[Known] = ()
    left: bool = False

    @property
    def empty(self) -> bool:
        return not (self.inserts or self.updates or self.burials)

    @property
    def visible(self) -> bool:
        """Whether a device may see something of it."""
        said: list[Read | Known] = [*self.inserts, *self.burials, *(new for _, new in self.updates)]
        return any(one.version for one in said)


def plan(
    known: Mapping[str, Known], found: Iterable[Read], gone: Iterable[str], *, since: int, buried: bool
) -> Plan:
    """What a refresh that began when our counter was at `since` does to the rows. `buried`: some were deleted since,
    and one that is not known may be one of them."""
    inserts, updates, burials, left = list[Read](), list[tuple[Known, Read]](), list[Known](), False
    for new in found:
        old = known.get(new.name)
        if old is None:
            left = left or buried
            inserts += [] if buried else [new]
        elif old.stands_at(new.etag) or (not new.etag and old.version == new.version):
            continue
        elif old.modseq > since:
            left = True
        elif bool(old.version) != bool(new.version):
            burials.append(old)
            inserts.append(new)
        else:
            updates.append((old, new))
    for name in gone:
        if (lost := known.get(name)) is None:
            continue
        if lost.modseq > since:
            left = True
        else:
            burials.append(lost)
    return Plan(inserts=tuple(inserts), updates=tuple(updates), burials=tuple(burials), left=left)


# --- Reading ----------------------------------------------------------------------------------------------------------

_PLACE = select(PlaceRow.counter, PlaceRow.floor, PlaceRow.token).where(
    PlaceRow.number == bindparam("number"), PlaceRow.user_id == bindparam("user"), PlaceRow.present.is_(True)
)
_LOCKED = _PLACE.with_for_update(key_share=True)
_KNOWN = (ObjectRow.id, ObjectRow.href.label("name"), ObjectRow.etag, ObjectRow.version, ObjectRow.modseq)


@dataclass(frozen=True, slots=True)
class At:
    """Whose rows: a place's number, and the user whose place it must be."""

    number: int
    user_id: str


def standing(connection: Connection, at: At) -> Standing:
    """Raises FolderGone."""
    return _standing(connection, at, _PLACE)


def _standing(connection: Connection, at: At, statement: Any) -> Standing:
    row = connection.execute(statement, {"number": at.number, "user": at.user_id}).one_or_none()
    if row is None:
        raise FolderGone(str(at.number))
    state, _, token = row.token.partition(_BETWEEN)
    return Standing(counter=row.counter, floor=row.floor, state=state, token=token)


def all_known(connection: Connection, at: At) -> dict[str, Known]:
    rows = connection.execute(select(*_KNOWN).where(ObjectRow.number == at.number))
    return {row.name: Known(**row._mapping) for row in rows}


def known_by_name(connection: Connection, at: At, names: Iterable[str]) -> dict[str, Known]:
    found: dict[str, Known] = {}
    for batch in batches(list(names), BATCH):
        rows = connection.execute(select(*_KNOWN).where(ObjectRow.number == at.number, ObjectRow.href.in_(batch)))
        found |= {row.name: Known(**row._mapping) for row in rows}
    return found


def known_by_id(connection: Connection, at: At, ids: Iterable[int]) -> dict[int, Known]:
    """Items only. Raises FolderGone."""
    standing(connection, at)
    found: dict[int, Known] = {}
    for batch in batches(list(ids), BATCH):
        statement = select(*_KNOWN).where(
            ObjectRow.number == at.number, ObjectRow.id.in_(batch), ObjectRow.version != ""
        )
        found |= {row.id: Known(**row._mapping) for row in connection.execute(statement)}
    return found


# --- Writing ----------------------------------------------------------------------------------------------------------


def settle(
    tx: Writing, at: At, began: Standing, found: Sequence[Read], gone: Collection[str], then: tuple[str, str] | None
) -> bool:
    """Apply what a refresh has read, which began at `began`; with `then` (state, token) the rows have come so far.
    False if something had to be left alone. Raises Overtaken, FolderGone."""
    held = _standing(tx.connection, at, _LOCKED)
    if (held.state, held.token) != (began.state, began.token):
        raise Overtaken
    known = known_by_name(tx.connection, at, [*(one.name for one in found), *gone])
    buried = held.counter != began.counter and tx.connection.execute(
        select(func.count()).select_from(GoneRow).where(GoneRow.number == at.number, GoneRow.modseq > began.counter)
    ).scalar_one() > 0
    made = plan(known, found, gone, since=began.counter, buried=buried)
    _do(tx, at, made)
    if then is not None and not made.left and then != (held.state, held.token):
        statement = update(PlaceRow).where(PlaceRow.number == at.number)
        tx.connection.execute(statement.values(token=_BETWEEN.join(then)))
    return not made.left


def put(tx: Writing, at: At, new: Read, *, was: Collection[str] = (), make: bool = True) -> int:
    """The row of an object that we have just written in place of one with an ETag of `was`; the id. If the row has yet
    another one by now, a refresh has seen a later state, which stays. Without `make` no row is made anew: then 0, as
    somebody has deleted the object since. Raises FolderGone."""
    _standing(tx.connection, at, _LOCKED)
    old = known_by_name(tx.connection, at, [new.name]).get(new.name)
    if old is None:
        return _do(tx, at, Plan(inserts=[new])) if make else 0
    if not old.version:
        return _do(tx, at, Plan(burials=[old], inserts=[new]))
    if old.version != new.version and old.etag in {etag[:_ETAG_LENGTH] for etag in was}:
        _do(tx, at, Plan(updates=[(old, new)]))
    return old.id


def bury(tx: Writing, at: At, known: Known) -> None:
    """An object that is gone; not if there is a later one of that name. Raises FolderGone."""
    _standing(tx.connection, at, _LOCKED)
    old = known_by_name(tx.connection, at, [known.name]).get(known.name)
    if old is not None and old.id == known.id and old.etag == known.etag:
        _do(tx, at, Plan(burials=[old]))


def moved(tx: Writing, at: At, known: Known, to: At, new: Read) -> int:
    """One left `at` and stands at `to`; its id there. Raises FolderGone."""
    # In one order everywhere, so that two moves in opposite directions do not wait for each other.
    for place in sorted((at, to), key=lambda one: one.number):
        _standing(tx.connection, place, _LOCKED)
    old = known_by_id(tx.connection, at, [known.id]).get(known.id)
    if old is not None:
        _do(tx, at, Plan(burials=[old]))
    return put(tx, to, new)


def stood(connection: Connection, numbers: Collection[int], uid: str, since: datetime) -> bool:
    """Whether an appointment of this UID has gone out of one of these places since then."""
    statement = select(GoneRow.id).where(
        GoneRow.number.in_(numbers), GoneRow.uid == uid_key(uid), GoneRow.at >= millis(since)
    )
    return connection.execute(statement.limit(1)).first() is not None


def forget_gone(tx: Writing) -> None:
    """Drop deletions that are so old that no device asks for them any more."""
    old = millis(tx.now - TOMBSTONES_KEPT)
    last = select(GoneRow.number, func.max(GoneRow.modseq)).where(GoneRow.at < old).group_by(GoneRow.number)
    # In one order everywhere, as in `moved`.
    for number, modseq in sorted(map(tuple, tx.connection.execute(last))):
        # A token from before these deletions now gives the whole listing.
        tx.connection.execute(update(PlaceRow).where(PlaceRow.number == number).values(floor=modseq))
    tx.connection.execute(delete(GoneRow).where(GoneRow.at < old))


#: At least to the present moment (epoch milliseconds): a database that was put back to an older state, and follows the
#: server anew, must not come by a count of changes that a device has heard already, with other ids in it.
#: So no counter stands between the 1 that it begins with and this, the year 2020.
COUNTED_FROM = 1_577_836_800_000
_NOW = bindparam("now", type_=BigInteger)
_RAISED = case((PlaceRow.counter + 1 > _NOW, PlaceRow.counter + 1), else_=_NOW)
_RAISE = (
    update(PlaceRow).where(PlaceRow.number == bindparam("place"))
    .values(counter=_RAISED, next_item=PlaceRow.next_item + bindparam("more"))
    .returning(PlaceRow.counter, PlaceRow.next_item)
)
_INSERT = insert(ObjectRow)
_UPDATE = (
    update(ObjectRow).where(ObjectRow.number == bindparam("place"), ObjectRow.id == bindparam("item"))
    .values({name: bindparam(f"new_{name}") for name in (
        "etag", "version", "modseq", "until", "received", "uid", "search", "entries",
    )})
)


def _do(tx: Writing, at: At, made: Plan) -> int:
    """The first of the new ids. Counts one change."""
    if made.empty:
        return 0
    connection = tx.connection
    raised = connection.execute(_RAISE, {"place": at.number, "more": len(made.inserts), "now": millis(tx.now)}).one()
    first = int(raised.next_item) - len(made.inserts)
    for batch in batches([one.id for one in made.burials], BATCH):
        buried = (ObjectRow.number == at.number, ObjectRow.id.in_(batch))
        tombs = select(
            ObjectRow.number, ObjectRow.id, literal(raised.counter, BigInteger),
            literal(millis(tx.now), BigInteger), ObjectRow.uid,
        ).where(*buried, ObjectRow.version != "")
        connection.execute(insert(GoneRow).from_select(["number", "id", "modseq", "at", "uid"], tombs))
        connection.execute(delete(ObjectRow).where(*buried))
    if made.updates:
        connection.execute(_UPDATE, [
            {"place": at.number, "item": old.id} | {f"new_{name}": value for name, value in _values(new).items()}
            | {"new_modseq": raised.counter}
            for old, new in made.updates
        ])
    if made.inserts:
        connection.execute(_INSERT, [
            {"number": at.number, "id": first + n, "href": new.name, "modseq": raised.counter} | _values(new)
            for n, new in enumerate(made.inserts)
        ])
    if made.visible:
        tx.touch(at.user_id, str(at.number))
    return first


def _values(new: Read) -> dict[str, Any]:
    return {
        "etag": new.etag, "version": new.version, "until": new.until, "received": new.received, "uid": new.uid,
        "search": new.search, "entries": new.entries,
    }


def batches(values: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
