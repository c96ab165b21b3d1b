"""Mail filters of the embedded groupware: kept in a row of the user's, carried out when a message is delivered.

Folders go by their number, so that a renamed one is still meant. What a filter does with one that is gone is as if it
were not there: the message goes to the inbox.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from eas.engine.errors import NotAllowed
from eas.engine.model import User
from eas.engine.ports import Beside, FilterState
from eas.items.mail_filters import TO_FOLDER, Filter, Letter, Marks, dump, faults, judged, load
from eas.items.native import FollowUp, MailFlags

from . import prepare
from .access import all_seen
from .codec import load_structure
from .groupware import Groupware, Writing
from .tables import FilterRow, FolderRow


class EmbeddedFilters:
    """`eas.engine.ports.Filters`."""

    def __init__(self, groupware: Groupware, user: User) -> None:
        self._groupware, self._user = groupware, user

    async def read(self) -> FilterState:
        user_id = self._user.id

        def work(connection: Connection) -> FilterState:
            stored = connection.execute(select(FilterRow.value).where(FilterRow.user_id == user_id)).scalar()
            return FilterState(filters=_loaded(stored or "") or (), targets=_targets(connection, user_id))

        return await self._groupware.read(work)

    async def write(self, filters: Sequence[Filter], beside: Beside = Beside.ONLY, other: str = "") -> None:
        if wrong := faults(filters):
            raise NotAllowed(wrong[0])
        user_id = self._user.id

        def work(tx: Writing) -> None:
            tx.one_at_a_time(user_id)
            tx.connection.execute(delete(FilterRow).where(FilterRow.user_id == user_id))
            if filters:
                tx.connection.execute(insert(FilterRow).values(user_id=user_id, value=dump(filters)))

        await self._groupware.write(work)


def _targets(connection: Connection, user_id: str) -> dict[str, str]:
    """The user's own mail folders by number, with the names of those above them."""
    seen = [one.folder for one in all_seen(connection, user_id) if one.own and one.folder.item_class == "Email"]
    of_id = {folder.id: folder for folder in seen}
    paths = {}
    for folder in seen:
        path, at = [folder.name], folder
        while at.parent in of_id:
            at = of_id[at.parent]
            path.insert(0, at.name)
        paths[folder.id] = " / ".join(path)
    return paths


def _loaded(stored: str) -> tuple[Filter, ...] | None:
    """None for what cannot be read (of a later release, say)."""
    try:
        return load(stored)
    except ValueError:
        return None


# --- At delivery ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Destined:
    """What becomes of a message for one user: the folders that it is put into (none: it is dropped), each with its
    flags, and the addresses to which it is forwarded."""

    folders: Mapping[int, MailFlags | None]
    forward: tuple[str, ...] = ()


def destined(
    tx: Writing, inboxes: Mapping[str, int], prepared: prepare.Prepared, flags: MailFlags | None
) -> dict[str, Destined]:
    """Of the users who have filters, by user. `inboxes` are those of all whom the message is for."""
    rows = tx.connection.execute(
        select(FilterRow.user_id, FilterRow.value).where(FilterRow.user_id.in_(list(inboxes)))
    ).all()
    if not rows:
        return {}
    letter = _letter(prepared)
    found = {}
    for user_id, stored in rows:
        filters = _loaded(stored)
        if filters:
            verdict = judged(filters, letter)
            into = dict[int, MailFlags | None]()
            if verdict.inbox is not None:
                into[inboxes[user_id]] = _flags(verdict.inbox, flags)
            there = _there(tx, user_id, filters)
            for name, marks in verdict.folders.items():
                into.setdefault(there.get(name, inboxes[user_id]), _flags(marks, flags))
            found[user_id] = Destined(folders=into, forward=verdict.forward)
    return found


def _there(tx: Writing, user_id: str, filters: Sequence[Filter]) -> dict[str, int]:
    """The folders that filters name, as far as they are there."""
    named = {action.value for one in filters for action in one.actions if action.do in TO_FOLDER}
    numbers = [int(name) for name in named if name.isascii() and name.isdigit() and len(name) <= 18]
    rows = tx.connection.execute(select(FolderRow.id).where(
        FolderRow.owner == user_id, FolderRow.id.in_(numbers), FolderRow.item_class == "Email"
    )).scalars()
    return {str(number): number for number in rows}


def _letter(prepared: prepare.Prepared) -> Letter:
    root = load_structure(prepared.structure) if prepared.structure is not None else None
    return Letter(
        header=prepared.header, size=len(prepared.octets), structure=lambda: root,
        written=lambda: prepare.written(prepared.octets, root),
    )


def _flags(marks: Marks, before: MailFlags | None) -> MailFlags | None:
    if marks == Marks():
        return before
    flags = before or MailFlags()
    return MailFlags(
        read=flags.read or marks.read, follow_up=FollowUp(status=2) if marks.flagged else flags.follow_up,
        last_verb=flags.last_verb, last_verb_time=flags.last_verb_time, categories=flags.categories, draft=flags.draft,
    )
