"""A user's mailboxes: looked at, made, renamed and deleted. The decisions are those of `folders`.

A look costs one LIST, and where mailboxes have ids (RFC 8474) an EXAMINE for each that was not seen before (Cyrus 3.6
has wrong ones in STATUS). Namespaces are asked for once.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import structlog

from eas.backends.standards.ports import Account, Numbered, Place
from eas.backends.standards.tenant import Provider
from eas.engine.errors import FolderExists, FolderGone, NotAllowed, Unavailable
from eas.engine.model import FolderType, Right

from . import folders
from .errors import translated
from .folders import INBOX, Layout, Settings
from .model import Listed, No, Pool, Session
from .reach import Reach
from .special import CREATED_AS, Use

log = structlog.get_logger("eas.imap")

#: What the mailbox of notes is called where the settings say nothing.
NOTES = "Notes"
#: Mailboxes of others whose rights are asked for, a command each.
MAX_FOREIGN = 300
#: Mailboxes whose ids are asked for in one look; for the others it is the next one's turn.
MAX_EXAMINED = 200
#: Users of whom it is kept what does not change: namespaces, and ids of mailboxes; a few kilobytes each.
MAX_KNOWN = 5000


@dataclass(slots=True, kw_only=True)
class Known:
    """Of one user. `marks` are the MAILBOXIDs by mailbox: an id belongs to a mailbox for ever, and one that is made
    anew under an old name is a new one only for whoever renames it. That may be another process: then the user's
    `revision` is a later one."""

    layout: Layout
    marks: dict[str, str]
    revision: int = 0


_KNOWN: WeakKeyDictionary[Pool, OrderedDict[tuple[str, str], Known]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What was listed, and how names are put together there."""

    layout: Layout
    listed: Sequence[Listed]

    def below(self, locator: str) -> list[Listed]:
        """What stands below a mailbox, at any depth."""
        stem = locator + self.layout.delimiter
        return [one for one in self.listed if self.layout.delimiter and one.name.startswith(stem)]

    def at(self, locator: str) -> Listed | None:
        return next((one for one in self.listed if folders.canonical(one.name) == locator), None)


def settings_of(account: Account, layout: Layout) -> Settings:
    server = account.tenant.imap
    if server is None:
        return Settings()
    notes = {notes_mailbox(account, layout)} if account.tenant.notes is Provider.IMAP else set()
    return Settings(
        folders=server.folders, left_out=frozenset(notes), subscribed_only=server.subscribed_only
    )


def notes_mailbox(account: Account, layout: Layout) -> str:
    named = account.tenant.imap.folders.get("notes") if account.tenant.imap is not None else None
    return folders.full_name(layout, named or NOTES)


# --- Looking ----------------------------------------------------------------------------------------------------------


def known_layout(account: Account, pool: Pool) -> Layout:
    """As `look` saw it last. Raises Unavailable if nobody has looked yet."""
    found = _known(account, pool)
    if found is None:
        raise Unavailable("the mail server has not told its folders yet")
    return found.layout


def _known(account: Account, pool: Pool) -> Known | None:
    users = _KNOWN.get(pool)
    return users.get((account.tenant.name, account.login)) if users is not None else None


async def look(account: Account, pool: Pool, session: Session) -> Tree:
    """Raises ImapError."""
    known = _known(account, pool)
    if known is not None and known.layout.delimiter:
        return Tree(layout=known.layout, listed=await session.list())
    namespaces = await session.namespaces()
    listed = await session.list()
    layout = folders.layout_of(namespaces, listed)
    users = _KNOWN.setdefault(pool, OrderedDict())
    users[account.tenant.name, account.login] = Known(layout=layout, marks={})
    while len(users) > MAX_KNOWN:
        users.popitem(last=False)
    return Tree(layout=layout, listed=listed)


async def places(account: Account, pool: Pool, session: Session) -> list[Place]:
    """What is missing of the special folders is made. Raises ImapError."""
    tree = await look(account, pool, session)
    settings = settings_of(account, tree.layout)
    if await _make_missing(session, tree, settings):
        tree = await look(account, pool, session)
    foreign = folders.foreign_mailboxes(tree.layout, tree.listed)[:MAX_FOREIGN]
    rights = await _rights(session, [one.name for one in foreign])
    made = folders.places(tree.layout, tree.listed, settings, rights=rights, marks={})
    if "OBJECTID" not in session.capabilities:
        return made
    names = [place.locator for place in made if not folders.is_level(place)]
    known = _known(account, pool)
    if known is not None and account.user.revision > known.revision:
        known.marks, known.revision = {}, account.user.revision
    marks = await _marks(session, names, known)
    return folders.places(tree.layout, tree.listed, settings, rights=rights, marks=marks)


async def _make_missing(session: Session, tree: Tree, settings: Settings) -> bool:
    own = folders.own_mailboxes(tree.layout, tree.listed)
    lacking = folders.missing(tree.layout, folders.specials(tree.layout, own, settings), settings)
    made = False
    for use, name in lacking:
        try:
            await session.create(name, use=CREATED_AS.get(use, ""))
            made = True
        except No as error:
            if error.code == "ALREADYEXISTS":  # by somebody else at the same time
                made = True
                continue
            log.warning("a special folder cannot be made", mailbox=name, use=Use(use).value, reason=str(error))
    return made


async def _rights(session: Session, names: Iterable[str]) -> dict[str, str]:
    """Without those that the user may not even see."""
    found = {}
    for name in names:
        try:
            found[name] = await session.rights(name)
        except No:
            continue
    return found


async def _marks(session: Session, names: Sequence[str], known: Known | None) -> Mapping[str, str]:
    marks = {name: mark for name, mark in known.marks.items() if name in names} if known is not None else {}
    for name in [name for name in names if name not in marks][:MAX_EXAMINED]:
        try:
            marks[name] = await _mark(session, name)
        except No:  # gone meanwhile
            continue
    if known is not None:
        known.marks = marks
    counted = Counter(marks.values())
    # One that stands for several mailboxes stands for none.
    return {name: mark for name, mark in marks.items() if counted[mark] == 1}


async def _mark(session: Session, name: str) -> str:
    """ "" where mailboxes have no ids. Nothing stays selected: it would be so for reading only."""
    if "OBJECTID" not in session.capabilities:
        return ""
    try:
        return (await session.select(name, read_only=True)).mailbox_id
    finally:
        await _leave(session)


# --- Changing ---------------------------------------------------------------------------------------------------------


async def create(
    account: Account, pool: Pool, session: Session, parent: Place | None, name: str, locator: str, *, again: bool
) -> Place:
    """Raises FolderExists, FolderGone, NotAllowed, Unavailable."""
    with translated(NotAllowed):
        tree = await look(account, pool, session)
        if not again or tree.at(locator) is None:
            _check_free(account, tree, parent, name, but="")
            try:
                await session.create(locator)
            except No as error:
                if not (again and error.code == "ALREADYEXISTS"):
                    raise
        mark = await _mark(session, locator)
    return Place(
        locator=locator, parent=folders.parent_locator(tree.layout, locator), name=name.strip(),
        type=FolderType.USER_MAIL, item_class="Email", mark=mark[:255],
    )


def _check_free(account: Account, tree: Tree, parent: Place | None, name: str, but: str) -> None:
    """Raises FolderExists if a sibling has this name, case aside; FolderGone, NotAllowed by the parent."""
    shown = folders.places(tree.layout, tree.listed, settings_of(account, tree.layout), rights={}, marks={})
    above = "" if parent is None else parent.locator
    if above and above not in {place.locator for place in shown}:
        raise FolderGone(above)
    listed = tree.at(above) if above else None
    if listed is not None and "\\noinferiors" in listed.attributes:
        raise NotAllowed(f"nothing can be put below {above}")
    wanted = folders.locator_of(tree.layout, parent, name)
    # By the name that is shown, and by that on the server: a special folder is shown elsewhere.
    above = folders.parent_locator(tree.layout, wanted)
    for place in shown:
        same = place.locator.casefold() == wanted.casefold()
        if place.locator != but and (same or (place.parent, place.name.casefold()) == (above, name.strip().casefold())):
            raise FolderExists(name)
    if wanted != but and tree.at(wanted) is not None:
        raise FolderExists(name)


async def rename(
    account: Account, pool: Pool, session: Session, place: Place, parent: Place | None, name: str
) -> list[tuple[str, str]]:
    """(old, new) of all whose locators changed. Raises FolderExists, FolderGone, NotAllowed, Unavailable."""
    _check_own(place)
    with translated(NotAllowed):
        tree = await look(account, pool, session)
        old = place.locator
        if tree.at(old) is None and not tree.below(old):
            raise FolderGone(old)
        new = folders.locator_of(tree.layout, parent, name)
        if (parent.locator if parent is not None else "") == place.parent and name.strip() == place.name:
            return []  # also one whose name is shown otherwise than it is
        if new == old:
            return []
        if new.startswith(old + tree.layout.delimiter):
            raise NotAllowed("a folder cannot be put into itself")
        _check_free(account, tree, parent, name, but=old)
        shown = folders.places(tree.layout, tree.listed, settings_of(account, tree.layout), rights={}, marks={})
        await _leave(session)
        await session.rename(old, new)
        await _follow_subscriptions(session, tree, old, new)
    stem = old + tree.layout.delimiter
    moved = {place.locator for place in shown if place.locator.startswith(stem)} | {
        one.name for one in tree.below(old)
    }
    return [(old, new), *((one, new + one[len(old):]) for one in sorted(moved))]


async def _follow_subscriptions(session: Session, tree: Tree, old: str, new: str) -> None:
    """Most servers leave the old names subscribed. What fails here costs nobody a folder."""
    for one in (tree.at(old), *tree.below(old)):
        if one is not None and "\\subscribed" in one.attributes:
            for name, on in ((new + one.name[len(old):], True), (one.name, False)):
                try:
                    await session.subscribe(name, on)
                except No as error:
                    log.info("a subscription does not follow", mailbox=name, reason=str(error))


async def delete(account: Account, pool: Pool, session: Session, place: Place) -> None:
    """With all below it, deepest first. Raises FolderGone, NotAllowed, Unavailable."""
    _check_own(place)
    with translated(NotAllowed):
        tree = await look(account, pool, session)
        here = tree.at(place.locator)
        doomed = [*tree.below(place.locator), *([here] if here is not None else [])]
        if not doomed:
            raise FolderGone(place.locator)
        settings = settings_of(account, tree.layout)
        kept = set(folders.specials(tree.layout, folders.own_mailboxes(tree.layout, tree.listed), settings).values())
        kept |= {INBOX, *settings.left_out}
        if any(folders.canonical(one.name) in kept and one is not here for one in doomed):
            raise NotAllowed("a special folder is in it")
        await _leave(session)
        for one in sorted(doomed, key=lambda one: (-one.name.count(tree.layout.delimiter or "\0"), one.name)):
            await _delete_one(session, one)


async def _delete_one(session: Session, one: Listed) -> None:
    try:
        await session.delete(one.name)
    except No as error:
        # A level without a mailbox goes with what was below it, or stays and is not shown any more.
        if error.code != "NONEXISTENT" and not one.attributes & {"\\noselect", "\\nonexistent"}:
            raise
    if "\\subscribed" in one.attributes:
        try:
            await session.subscribe(one.name, False)
        except No as error:
            log.info("a subscription stays", mailbox=one.name, reason=str(error))


async def empty(account: Account, pool: Pool, place: Place) -> None:
    """Of just those messages that are there when it begins. Raises FolderGone, NotAllowed, Unavailable."""
    check_writable(place)
    with translated(FolderGone):
        async with pool.use(account, place.locator) as session:
            await session.select(place.locator)
            with translated(NotAllowed):
                if there := await session.search(["ALL"]):
                    await session.expunge(there)
    # What other connections saw of it is old.
    synced = Reach(account=account, pool=pool, at=Numbered(number=0, place=place)).views.synced
    for other in [one for one, (name, _) in synced.items() if name == place.locator]:
        del synced[other]


async def _leave(session: Session) -> None:
    """A mailbox that is open here is not to vanish under us."""
    if session.selected is not None:
        await session.unselect()


def _check_own(place: Place) -> None:
    if not place.own or place.type is not FolderType.USER_MAIL:
        raise NotAllowed(f"{place.name} stays as it is")


def check_writable(place: Place) -> None:
    """Raises NotAllowed."""
    if place.right < Right.EDIT:
        raise NotAllowed(f"{place.name} can only be read")
