"""The hierarchy of folders, synchronised like a collection: keys, two generations, repeated answers.

A generation's body is the list of folders that the device knows, whole: there are few. What a device creates, renames
or deletes is in its list with the answer, so that the next FolderSync does not report it.

[MS-ASCMD] FolderSync, FolderCreate, FolderUpdate, FolderDelete.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from hashlib import blake2b

from . import errors
from .classes import shown_folder
from .collection import owner_of
from .keys import (
    ZERO,
    Asked,
    Head,
    Held,
    Hint,
    Verdict,
    advance,
    based,
    hint_of,
    judge,
    line_of,
    millis,
    revise,
    told_key,
)
from .model import CollectionId, FolderType
from .ports import Chosen, Intent, Owner, Step, Token
from .quirks import Quirk
from .repair import MADE_UP, ancestors, lost_key
from .repair_folders import Entries, Entry, certain, highest, presumed
from .session import Session

#: The collection id under which the state of the hierarchy is kept; also the id of the root.
ROOT = "0"

ATTEMPTS = 6

#: Folders that every mailbox has; devices neither create, rename, move nor delete them.
SPECIAL = frozenset(range(FolderType.INBOX, FolderType.JOURNAL + 1)) | {FolderType.RECIPIENT_CACHE}

#: Calendars, address books and their like beside the default ones.
FURTHER = frozenset((
    FolderType.USER_CALENDAR, FolderType.USER_CONTACTS, FolderType.USER_TASKS, FolderType.USER_NOTES,
    FolderType.USER_JOURNAL,
))


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderChanges:
    key: str
    added: Entries
    updated: Entries
    deleted: tuple[CollectionId, ...]


def changes_between(known: Entries, present: Entries, key: str) -> FolderChanges:
    """Pure. Parents come before their children, so that a device can build the tree as it reads."""
    added = {id: present[id] for id in _parents_first(present) if id not in known}
    updated = {id: entry for id, entry in present.items() if id in known and known[id] != entry}
    return FolderChanges(
        key=key, added=added, updated=updated, deleted=tuple(id for id in known if id not in present)
    )


def _parents_first(entries: Entries) -> list[CollectionId]:
    def depth(id: CollectionId) -> int:
        steps = 0
        while id in entries and steps <= len(entries):
            id, steps = entries[id].parent, steps + 1
        return steps

    return sorted(entries, key=depth)


async def present_folders(session: Session) -> Entries:
    """Those that this device is shown: of classes that its version knows, and not left out by its owner."""
    shown = given({
        folder.id: Entry(folder.parent, folder.name, int(folder.type))
        for folder in await session.mailbox.folders()
        if shown_folder(folder, session.version)
    }, session.device.left_out)
    return _first_of_a_kind(shown) if Quirk.ONE_FOLDER_OF_A_KIND in session.quirks else shown


def given(entries: Entries, left_out: Collection[CollectionId]) -> Entries:
    """Without the folders that a device is not to have, and all below them. Special ones every device has, wherever
    they stand."""
    kept = dict[CollectionId, Entry]()
    for id in _parents_first(entries):
        entry = entries[id]
        if entry.type in SPECIAL:
            kept[id] = entry if entry.parent in kept else replace(entry, parent=ROOT)
        elif id not in left_out and (entry.parent in kept or entry.parent not in entries):
            kept[id] = entry
    return {id: kept[id] for id in entries if id in kept}


async def _token(session: Session, *, fresh: bool = False) -> Token:
    """Equal only while the device would be shown the same folders."""
    token = await session.mailbox.hierarchy_token(fresh=fresh)
    if not session.device.left_out:
        return token
    return f"{token}-{blake2b(' '.join(sorted(session.device.left_out)).encode(), digest_size=8).hexdigest()}"


def _first_of_a_kind(entries: Entries) -> Entries:
    """Without those beside the default folders; what stands in one of them moves to the root."""
    kept = {id: entry for id, entry in entries.items() if entry.type not in FURTHER}
    return {id: entry if entry.parent in kept else replace(entry, parent=ROOT) for id, entry in kept.items()}


async def folder_changes(session: Session, key: str) -> FolderChanges:
    """What a FolderSync with this key brings. Raises NotPrimed, StaleKey, Contended."""
    for _ in range(ATTEMPTS):
        state = await _State.load(session, key, "FolderSync")
        token = await _token(session, fresh=True)
        if state.verdict.asked is Asked.REPEAT:
            if state.base.parent != ZERO or state.base.token == token:
                return changes_between(await state.entries_of_parent(), await state.entries(), state.base.key)
            # Some clients list their folders with key 0 each time and never use the key: they want the present ones.
            state = state.anew()
        if state.verdict.asked is Asked.NEXT and token == state.base.token and state.held.lost is None:
            return FolderChanges(key=state.base.key, added={}, updated={}, deleted=())
        known, every = await state.entries(), await present_folders(session)
        present = certain(known, every)
        if present != every:
            token = ""  # there is more to tell
        found = changes_between(known, present, "")
        if state.verdict.asked is not Asked.START and not (found.added or found.updated or found.deleted):
            if await state.move(token):
                return replace(found, key=state.base.key)
        elif (new := await state.issue(present, known, token)) is not None:
            return replace(found, key=new)
    raise errors.Contended


async def hierarchy_key(session: Session) -> str:
    """The key of what the device was told last of the folders; "" if it never asked."""
    held = await session.store.load(owner_of(session, ROOT))
    return held.present.key if held is not None and held.present is not None else ""


async def is_stale(session: Session, held: Held | None = None) -> bool:
    """Whether the folders have changed since the device last heard of them; False if it never asked. `held`: what it
    holds of them, as it was read just now; None: it is read here."""
    state = await _State.present(session, held)
    if state is None:
        return False
    if state.held.lost is not None:
        return True  # what the device knows shows only when it asks with its key
    token = await _token(session)
    if token == state.base.token:
        return False
    if await state.entries() != await present_folders(session):
        return True
    await state.move(token)
    return False


async def create_folder(
    session: Session, key: str, parent: CollectionId, name: str, type: FolderType
) -> tuple[str, CollectionId]:
    """The new key and the folder's id. Raises the key errors, FolderExists, FolderGone (the parent), NotAllowed."""

    async def effect(state: _State) -> tuple[CollectionId, dict[CollectionId, Entry | None]]:
        identity = blake2b(f"{parent}\n{name}\n{type:d}".encode(), digest_size=16).hexdigest()
        intent = await session.store.intend(state.owner, Intent(
            verb="FolderCreate", client_id="", server_id=key, digest=identity, chosen=Chosen(name=session.entropy.key())
        ))
        folder = await session.mailbox.create_folder(parent, name, type, intent.chosen)
        return folder.id, {folder.id: Entry(folder.parent, folder.name, int(folder.type))}

    return await _edit(session, key, f"FolderCreate {parent} {int(type)} {name}", effect)


async def update_folder(session: Session, key: str, id: CollectionId, parent: CollectionId, name: str) -> str:
    """The new key. Raises the key errors, FolderGone, FolderExists, NotAllowed."""

    async def effect(state: _State) -> tuple[CollectionId, dict[CollectionId, Entry | None]]:
        await session.mailbox.update_folder(id, parent, name)
        known = (await state.entries()).get(id)
        return id, {id: Entry(parent, name, known.type if known else FolderType.GENERIC)}

    return (await _edit(session, key, f"FolderUpdate {id} {parent} {name}", effect))[0]


async def delete_folder(session: Session, key: str, id: CollectionId) -> str:
    """The new key. Raises the key errors, FolderGone, NotAllowed."""

    async def effect(state: _State) -> tuple[CollectionId, dict[CollectionId, Entry | None]]:
        known = await state.entries()
        try:
            await session.mailbox.delete_folder(id)
        except errors.FolderGone:
            if id not in known:
                raise
        branch = _branch(known, id)
        for folder in branch:
            await session.store.forget(session.user.id, session.device.id, folder)
        return id, dict.fromkeys(branch)

    return (await _edit(session, key, f"FolderDelete {id}", effect))[0]


def _branch(entries: Entries, root: CollectionId) -> set[CollectionId]:
    """The folder and all below it."""
    found = {root}
    for id in _parents_first(entries):
        if entries[id].parent in found:
            found.add(id)
    return found


async def _edit(
    session: Session, key: str, request: str,
    effect: Callable[[_State], Awaitable[tuple[CollectionId, dict[CollectionId, Entry | None]]]],
) -> tuple[str, CollectionId]:
    digest = blake2b(request.encode(), digest_size=16).hexdigest()
    for _ in range(ATTEMPTS):
        state = await _State.load(session, key, digest)
        if state.verdict.asked is Asked.REPEAT:
            return state.base.key, await state.result()
        if state.verdict.asked is Asked.START:
            raise errors.StaleKey  # folders are not edited with key 0
        id, changed = await effect(state)
        known = {**await state.entries(), **changed}
        after = {id: entry for id, entry in known.items() if entry is not None}
        new = await state.issue(after, await state.entries(), state.base.token, result=id)
        if new is not None:
            return new, id
    raise errors.Contended


class _State:
    """The hierarchy's state on one device, for one request. The body is {"e": entries, "p": the parent's, "r":
    result}."""

    def __init__(self, session: Session, owner: Owner, held: Held, verdict: Verdict, request: str) -> None:
        self.session, self.owner, self.held, self.verdict, self.request = session, owner, held, verdict, request
        self.base = verdict.base
        self._body: dict[str, object] | None = None

    @classmethod
    async def load(cls, session: Session, key: str, request: str) -> _State:
        owner = owner_of(session, ROOT)
        for _ in range(ATTEMPTS):
            held = await session.store.load(owner)
            try:
                return cls(session, owner, held or Held(), judge(held, key, request), request)
            except errors.StaleKey:
                await _repair(session, owner, held or Held(), key)
        raise errors.Contended

    def anew(self) -> _State:
        """The same request as a start with key 0, whatever was issued before."""
        start = Verdict(Asked.START, Head(key=ZERO, parent=ZERO))
        return _State(self.session, self.owner, self.held, start, self.request)

    @classmethod
    async def present(cls, session: Session, held: Held | None) -> _State | None:
        owner = owner_of(session, ROOT)
        held = held or await session.store.load(owner)
        if held is None or held.present is None:
            return None
        return cls(session, owner, held, Verdict(Asked.NEXT, held.present), "")

    async def _read(self, part: str) -> object:
        if self._body is None:
            self._body = {} if self.base.key == ZERO else await _loaded(self.session, self.owner, self.base)
        return self._body.get(part)

    async def entries(self) -> Entries:
        return _entries(await self._read("e"))

    async def entries_of_parent(self) -> Entries:
        return _entries(await self._read("p"))

    async def result(self) -> CollectionId:
        return str(await self._read("r") or "")

    async def issue(self, after: Entries, before: Entries, token: str, result: str = "") -> str | None:
        """Commit a new generation; its key, or None if somebody else moved the state."""
        random = self.session.entropy.key()
        line = self.base.line if self.verdict.asked is not Asked.START else line_of(random)
        key = told_key(random, _hint(millis(self.session.clock.now()), self.base, line, after))
        new = Head(key=key, line=line, parent=self.base.key, request=self.request, token=token)
        body = _dump(after, before, result)
        step = Step(held=advance(self.held, self.verdict, new), generations={new.key: body})
        return new.key if await self.session.store.commit(self.owner, self.held.row, step) else None

    async def move(self, token: str) -> bool:
        head = replace(self.base, token=token)
        return await self.session.store.commit(self.owner, self.held.row, Step(held=revise(self.held, head)))


def _hint(at: int, base: Head, line: str, after: Entries) -> Hint:
    """With the highest numbers of folders that the device was ever told."""
    plain, kept = highest(after)
    if (before := hint_of(base.key)) is not None:
        plain, kept = max(plain, before.top), max(kept, int(before.more or "0", 36))
    return Hint(at=at, top=plain, line=line, more=based(kept))


async def _repair(session: Session, owner: Owner, held: Held, key: str) -> None:
    """As `repair.repair`, for the hierarchy. Raises StaleKey."""
    hint, lost = lost_key(held, key)
    heads = ancestors(held, lost, hint.line)
    if not heads:
        raise errors.StaleKey
    before = [_entries((await _loaded(session, owner, head)).get("e")) for head in heads]
    known = presumed(before, await present_folders(session), lost, hint, SPECIAL)
    made = replace(heads[0], key=key, parent=MADE_UP, request="", token="")
    step = Step(
        held=replace(held, proven=made, issued=held.heads, named=key), generations={key: _dump(known, known, "")}
    )
    await session.store.commit(owner, held.row, step)


async def _loaded(session: Session, owner: Owner, head: Head) -> dict[str, object]:
    stored = (await session.store.body(owner, head.key, 0, 0)).generation
    return json.loads(stored) if stored else {}


def _dump(after: Entries, before: Entries, result: CollectionId) -> bytes:
    return json.dumps({"e": _raw(after), "p": _raw(before), "r": result}, separators=(",", ":")).encode()


def _raw(entries: Entries) -> dict[str, list[object]]:
    return {id: [entry.parent, entry.name, entry.type] for id, entry in entries.items()}


def told_folders(generation: bytes) -> Entries:
    """The folders of a generation of the hierarchy, as it is stored: what the device was told of them."""
    return _entries(json.loads(generation).get("e")) if generation else {}


def _entries(raw: object) -> Entries:
    assert raw is None or isinstance(raw, dict)
    return {id: Entry(parent, name, type) for id, (parent, name, type) in (raw or {}).items()}
