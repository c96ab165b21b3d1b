"""The folders of a user on all servers, as they were when somebody last looked.

A look costs a command or two on each server. It is kept for a while, in the process, for whoever asks next; who wants
to know now asks for a fresh one. What another process has done to the folders, or noticed, counts at once: it raises
the user's revision, which comes with every request. A server that is away does not take its folders with it: those that
it had are shown until it is back, also after a restart, and only what is done in them fails.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b

import structlog
from sqlalchemy import Connection, delete, insert, select

from eas.backends.embedded.groupware import Groupware, Writing
from eas.engine.errors import BackendError, Unavailable
from eas.engine.model import CollectionId, Folder, FolderType, Right

from . import registry
from .ports import Numbered, Place, Source
from .tables import KeptRow

log = structlog.get_logger("eas.standards")

#: How old a look at the folders may be. What another program does to folders shows on phones that late at most, unless
#: they ask for the folders themselves.
FRESH_SECONDS = 60.0
#: A server that did not answer is left alone for so long.
AWAY_SECONDS = 15.0
#: Users whose folders are kept in memory: some kilobytes each.
MAX_USERS = 5000

ROOT = "0"


@dataclass(frozen=True, slots=True)
class Standing:
    """A folder, and where it stands: `source` is the source's name, "" for the embedded groupware."""

    folder: Folder
    source: str
    numbered: Numbered | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The folders of one user. `token` is equal for equal folders, in every process. `revision` is the user's, as it
    stood at least when the folders were looked at."""

    token: str
    standing: Mapping[CollectionId, Standing]
    at: float
    revision: int = 0

    def numbered(self, source: str) -> list[Numbered]:
        return [one.numbered for one in self.standing.values() if one.source == source and one.numbered is not None]


#: Gives the folders of the embedded groupware that the user is shown.
Embedded = Callable[[], Awaitable[Sequence[Folder]]]


@dataclass(slots=True)
class _Held:
    """What is kept of one user. `places` are the last known ones of each source, `away` until when not to ask it;
    `revision` is the greatest that was heard of."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    making: asyncio.Lock = field(default_factory=asyncio.Lock)
    snapshot: Snapshot | None = None
    places: dict[str, Sequence[Place]] = field(default_factory=dict)
    away: dict[str, float] = field(default_factory=dict)
    revision: int = 0

    def since(self, moment: float) -> Snapshot | None:
        """A look from then or later, if nobody has changed anything since."""
        kept = self.snapshot
        return kept if kept is not None and kept.at >= moment and kept.revision >= self.revision else None


class Hierarchies:
    """Of all users of this process."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def present(self, user_id: str) -> Snapshot | None:
        """What is known without asking anybody."""
        held = self._held.get(user_id)
        return held.snapshot if held is not None else None

    def forget(self, user_id: str) -> None:
        """Somebody has changed the folders."""
        held = self._held.get(user_id)
        if held is not None and held.snapshot is not None:
            held.snapshot = replace(held.snapshot, at=float("-inf"))

    def making(self, user_id: str) -> asyncio.Lock:
        """Held by whoever makes a folder: whether its name is free is seen before, and counts until it is made."""
        return self._of(user_id).making

    async def get(
        self, ground: Groupware, user_id: str, sources: Sequence[Source], embedded: Embedded, *,
        fresh: bool = False, revision: int = 0,
    ) -> Snapshot:
        """Nothing from before the user's `revision`. Raises Unavailable if a server is away whose folders were never
        seen."""
        held = self._of(user_id)
        held.revision = max(held.revision, revision)
        oldest = self._monotonic() - (0.0 if fresh else FRESH_SECONDS)
        if (kept := held.since(oldest)) is not None:
            return kept
        async with held.lock:
            # Somebody who waited here gets what was looked up meanwhile.
            if (kept := held.since(oldest)) is not None:
                return kept
            held.snapshot = await self._look(held, ground, user_id, sources, embedded)
            return held.snapshot

    def _of(self, user_id: str) -> _Held:
        held = self._held.get(user_id)
        if held is None:
            held = self._held[user_id] = _Held()
            while len(self._held) > MAX_USERS:
                self._held.popitem(last=False)
        self._held.move_to_end(user_id)
        return held

    async def _look(
        self, held: _Held, ground: Groupware, user_id: str, sources: Sequence[Source],
        embedded: Embedded,
    ) -> Snapshot:
        at, revision = self._monotonic(), held.revision
        standing: dict[CollectionId, Standing] = {}
        found = await asyncio.gather(*[self._places(held, ground, user_id, source) for source in sources])
        for source, places in zip(sources, found, strict=True):
            numbers = await registry.numbered(ground, user_id, source.name, places)
            standing |= {one.folder.id: one for one in _standing(source.name, numbers)}
        standing |= {folder.id: Standing(folder, "") for folder in await embedded()}
        standing = _told_apart(standing)
        return Snapshot(_token(standing), standing, at, revision)

    async def _places(
        self, held: _Held, ground: Groupware, user_id: str, source: Source
    ) -> Sequence[Place]:
        name = source.name
        if self._monotonic() >= held.away.get(name, 0.0) or name not in held.places:
            try:
                places = await source.places()
            except BackendError as error:
                held.away[name] = self._monotonic() + AWAY_SECONDS
                log.warning("a server does not tell its folders", source=name, user=user_id, reason=str(error))
                if name not in held.places:
                    held.places[name] = await _kept(ground, user_id, name, error)
            else:
                if held.places.get(name) != places:
                    await _keep(ground, user_id, name, places)
                held.places[name] = places
        return held.places[name]


def _standing(source: str, numbers: Sequence[Numbered]) -> list[Standing]:
    number_of = {one.place.locator: one.number for one in numbers}
    standing = []
    for one in numbers:
        place = one.place
        parent = number_of.get(place.parent)
        folder = Folder(
            id=str(one.number), parent=ROOT if parent is None else str(parent), name=place.name, type=place.type,
            item_class=place.item_class, right=place.right, own=place.own, schedules=place.schedules,
        )
        standing.append(Standing(folder, source, one))
    return standing


#: Of several folders with such a type the first keeps it: a phone has one calendar of its own.
_USER_TYPE = {
    FolderType.CALENDAR: FolderType.USER_CALENDAR, FolderType.CONTACTS: FolderType.USER_CONTACTS,
    FolderType.TASKS: FolderType.USER_TASKS, FolderType.NOTES: FolderType.USER_NOTES,
}


def _told_apart(standing: Mapping[CollectionId, Standing]) -> dict[CollectionId, Standing]:
    """Equal names of siblings from several servers get the id behind them; every special type is there once."""
    taken: set[tuple[str, str]] = set()
    types: set[FolderType] = set()
    apart: dict[CollectionId, Standing] = {}
    for id, one in standing.items():
        folder = one.folder
        if folder.type in types and folder.type in _USER_TYPE:
            folder = replace(folder, type=_USER_TYPE[folder.type])
        types.add(folder.type)
        if (folder.parent, folder.name.casefold()) in taken:
            folder = replace(folder, name=f"{folder.name} {id}")
        taken.add((folder.parent, folder.name.casefold()))
        apart[id] = replace(one, folder=folder)
    return apart


def _token(standing: Mapping[CollectionId, Standing]) -> str:
    told = sorted(repr(one.folder) for one in standing.values())
    return blake2b("\n".join(told).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


# --- The last known folders of a server, for when it is away ----------------------------------------------------------


async def _keep(ground: Groupware, user_id: str, source: str, places: Sequence[Place]) -> None:
    value = json.dumps([asdict(place) for place in places], separators=(",", ":"))
    key = {"user_id": user_id, "name": f"places:{source}"}

    def work(tx: Writing) -> None:
        tx.one_at_a_time(user_id)
        tx.connection.execute(delete(KeptRow).filter_by(**key))
        tx.connection.execute(insert(KeptRow).values(**key, value=value, at=0))

    if await ground.read(lambda c: _value(c, key)) != value:
        await ground.write(work)


async def _kept(ground: Groupware, user_id: str, source: str, error: BackendError) -> Sequence[Place]:
    """Raises Unavailable if there are none."""
    value = await ground.read(lambda c: _value(c, {"user_id": user_id, "name": f"places:{source}"}))
    if value is None:
        raise error if isinstance(error, Unavailable) else Unavailable(str(error)) from error
    return [
        Place(**{**raw, "type": FolderType(raw["type"]), "right": Right(raw["right"])}) for raw in json.loads(value)
    ]


def _value(connection: Connection, key: Mapping[str, str]) -> str | None:
    return connection.execute(select(KeptRow.value).filter_by(**key)).scalar_one_or_none()
