"""What LIST says, as the folders that a phone shows. Pure. RFC 3501 5.1, RFC 2342, RFC 6154, RFC 4314.

A mailbox's decoded name is its locator. Levels of the hierarchy that are no mailbox of their own (\\Noselect, or not
listed at all) are shown as empty folders that can only be read, so that the tree is the one which every other program
shows, and the folders below keep their names when such a level becomes a mailbox. `is_level` tells them.

Special folders stand at the root wherever they are on the server, and so do the folders of others, whose names have
their owner's behind them, unless a folder of the same owner stands above them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from eas.backends.standards.ports import Place
from eas.engine.errors import NotAllowed
from eas.engine.model import FolderType, Right
from eas.items.markup import clean

from .model import Listed
from .special import ATTRIBUTES, DEFAULTS, TYPES, Use, key, known

INBOX = "INBOX"
#: The name of the inbox; phones show one of their own in the user's language.
INBOX_NAME = "Inbox"
#: Characters of a folder's name. [MS-ASCMD] DisplayName (FolderCreate) has at most 256.
MAX_NAME = 256
#: Characters of a whole mailbox name: what a locator may have. Cyrus ends at 490 octets.
MAX_LOCATOR = 1024
#: Octets of one in UTF-8: what PostgreSQL takes into an index (a third of a page of 8 KB), with a user and a source.
MAX_LOCATOR_OCTETS = 2048
#: Folders that are shown: a phone that is sent more than some thousand does not get through them. The user's own first.
MAX_PLACES = 2000

_NOT_SELECTABLE = frozenset({"\\noselect", "\\nonexistent"})
#: Mailboxes that only show messages of others (RFC 6154 2, RFC 8457 3): all that is found would be found twice.
_VIRTUAL = frozenset({"\\all", "\\flagged", "\\important"})
_SPECIAL = frozenset(ATTRIBUTES.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How names are put together: of the user's own mailboxes, which all (but INBOX) begin with `prefix`, and the
    prefixes of what others share. Prefixes end with the delimiter."""

    prefix: str = ""
    delimiter: str = "/"
    others: tuple[tuple[str, str], ...] = ()
    shared: tuple[tuple[str, str], ...] = ()
    personal: tuple[tuple[str, str], ...] = ()

    def above(self, parent: Place | None) -> str:
        """What a name below a place begins with. Raises NotAllowed where there is nothing below."""
        if parent is None:
            return self.prefix
        if not parent.own:
            raise NotAllowed(f"{parent.name} belongs to somebody else")
        if not self.delimiter:
            raise NotAllowed("the mail server has no folders in folders")
        return parent.locator + self.delimiter


def layout_of(namespaces: Mapping[str, Sequence[tuple[str, str]]], listed: Sequence[Listed]) -> Layout:
    """A server that does not tell its namespaces has one without prefix; its delimiter is that of its mailboxes."""
    personal = tuple(namespaces.get("personal", ())) or (("", ""),)
    usual = next((one.delimiter for one in listed if one.delimiter), "")
    prefix, delimiter = personal[0]
    return Layout(
        prefix=prefix, delimiter=delimiter or usual, others=tuple(namespaces.get("other", ())),
        shared=tuple(namespaces.get("shared", ())), personal=personal,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the admin said: names of special folders by their use, mailboxes that are none of mail (notes), and whether
    only subscribed ones are shown."""

    folders: Mapping[str, str] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    subscribed_only: bool = False


def is_level(place: Place) -> bool:
    """Whether it only stands for a level of the hierarchy and is no mailbox."""
    return place.own and place.right < Right.EDIT


def canonical(name: str) -> str:
    """INBOX in any case is INBOX."""
    return INBOX if name.upper() == INBOX else name


# --- Names that are wanted --------------------------------------------------------------------------------------------


def locator_of(layout: Layout, parent: Place | None, name: str) -> str:
    """Raises NotAllowed for names that cannot be."""
    stripped = name.strip()
    if not stripped or len(stripped) > MAX_NAME:
        raise NotAllowed("a folder's name has 1 to 256 characters")
    if clean(stripped) != stripped or any(ord(c) < 0x20 or ord(c) == 0x7F for c in stripped):
        raise NotAllowed("control characters in a folder's name")
    if layout.delimiter and layout.delimiter in stripped:
        raise NotAllowed(f"{layout.delimiter!r} in a folder's name")
    locator = layout.above(parent) + stripped
    if not _has_room(locator):
        raise NotAllowed("the names of a folder and those above it are too long")
    return locator


def _has_room(name: str) -> bool:
    """For a whole mailbox name among our rows."""
    return len(name) <= MAX_LOCATOR and len(name.encode("utf-8", "surrogatepass")) <= MAX_LOCATOR_OCTETS


def parent_locator(layout: Layout, locator: str) -> str:
    """Of one of the user's own mailboxes: that of the place above, "" at the root."""
    return _above(layout, locator, {})


# --- Whose ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Home:
    """The namespace of a mailbox. `kind` is personal, other or shared; `rest` is the name without the prefix, "" for
    the namespace itself."""

    kind: str
    prefix: str
    delimiter: str
    rest: str


def _home(layout: Layout, name: str) -> _Home:
    if name == INBOX:
        return _Home("personal", "", layout.delimiter, INBOX)
    best = _Home("personal", "", layout.delimiter, name)
    longest = -1
    for kind, spaces in (("personal", layout.personal), ("other", layout.others), ("shared", layout.shared)):
        for prefix, delimiter in spaces:
            if not _begins(name, prefix) or len(prefix) <= longest:
                continue
            longest = len(prefix)
            best = _Home(kind, prefix, delimiter or layout.delimiter, name[len(prefix):])
    return best


def _begins(name: str, prefix: str) -> bool:
    """Also for a namespace's own name, "Other Users" of "Other Users/"; INBOX at the beginning in any case."""
    if prefix[:5].upper() == INBOX:
        name, prefix = name[:5].upper() + name[5:], prefix[:5].upper() + prefix[5:]
    return name.startswith(prefix) or (len(prefix) > 1 and name == prefix[:-1])


def own_mailboxes(layout: Layout, listed: Iterable[Listed]) -> list[Listed]:
    """The user's own, INBOX spelled so; each once, without names that are too long to be kept."""
    return [one for one, home in _homes(layout, listed) if home.kind == "personal"]


def foreign_mailboxes(layout: Layout, listed: Iterable[Listed]) -> list[Listed]:
    """Those of others that can be opened."""
    return [one for one, home in _homes(layout, listed) if home.kind != "personal" and is_mailbox(one)]


def _homes(layout: Layout, listed: Iterable[Listed]) -> Iterator[tuple[Listed, _Home]]:
    seen = set[str]()
    for one in listed:
        name = canonical(one.name)
        if name in seen or not name or not _has_room(name):
            continue
        seen.add(name)
        home = _home(layout, name)
        if home.rest:
            yield (one if name == one.name else replace(one, name=name)), home


def is_mailbox(one: Listed) -> bool:
    """Whether it can be opened, and holds messages of its own."""
    # Dovecot says \\Noselect of a special mailbox that it makes by itself and that has something below, and opens it.
    special = one.attributes & _SPECIAL and "\\nonexistent" not in one.attributes
    return bool(special) or not one.attributes & (_NOT_SELECTABLE | _VIRTUAL)


# --- Special ones -----------------------------------------------------------------------------------------------------


def specials(layout: Layout, own: Sequence[Listed], settings: Settings) -> dict[Use, str]:
    """Use -> mailbox: as the server says, else as the admin does, else by the usual names; each mailbox for one use."""
    free = {
        one.name: one for one in own
        if is_mailbox(one) and one.name != INBOX and one.name not in settings.left_out
    }
    found: dict[Use, str] = {}

    def take(use: Use, names: Sequence[str]) -> None:
        if use not in found and names:
            found[use] = names[0]
            del free[names[0]]

    for use, attribute in ATTRIBUTES.items():
        marked = [name for name, one in free.items() if attribute in one.attributes]
        take(use, sorted(marked, key=lambda name: _fitness(layout, use, name, settings)))
    for use in Use:
        if named := settings.folders.get(use):
            take(use, _named(layout, free, named))
    for use in Use:
        first = [name for name in free if _is_first_level(layout, name)]
        first.sort(key=lambda name: (_depth(layout, name), name))
        position = known([_leaf(layout, name) for name in first]).get(use)
        if position is not None and use not in settings.folders:
            take(use, [first[position]])
    return found


def missing(layout: Layout, found: Mapping[Use, str], settings: Settings) -> list[tuple[Use, str]]:
    """What is to be made: those that ActiveSync has types for, and those that the admin named."""
    wanted = {**DEFAULTS, **{Use(use): name for use, name in settings.folders.items() if use in set(Use)}}
    return [(use, full_name(layout, name)) for use, name in wanted.items() if use not in found and name]


def full_name(layout: Layout, name: str) -> str:
    """A mailbox as an admin names it: with the prefix of the namespace or without."""
    return name if canonical(name) == INBOX or _begins(name, layout.prefix) else layout.prefix + name


def _named(layout: Layout, free: Mapping[str, Listed], name: str) -> list[str]:
    full = full_name(layout, name)
    same = [full] if full in free else []
    return same or [one for one in free if one.casefold() == full.casefold()]


def _fitness(layout: Layout, use: Use, name: str, settings: Settings) -> tuple[bool, bool, int, str]:
    """Of several mailboxes with the same special use: the one that the admin or its name says, else the highest."""
    named = full_name(layout, settings.folders.get(use, ""))
    return name != named, use not in known([_leaf(layout, name)]), _depth(layout, name), name


def _leaf(layout: Layout, name: str) -> str:
    return name.rpartition(layout.delimiter)[2] if layout.delimiter else name


def _depth(layout: Layout, name: str) -> int:
    return name.count(layout.delimiter) if layout.delimiter else 0


def _is_first_level(layout: Layout, name: str) -> bool:
    return _above(layout, name, {}) in ("", INBOX)


# --- Places -----------------------------------------------------------------------------------------------------------


def places(
    layout: Layout, listed: Sequence[Listed], settings: Settings, *,
    rights: Mapping[str, str], marks: Mapping[str, str],
) -> list[Place]:
    """All folders, parents before children. `rights` are those of MYRIGHTS on what others share (those without an entry
    are not shown); `marks` the MAILBOXIDs by mailbox."""
    own = own_mailboxes(layout, listed)
    found = specials(layout, own, settings)
    made = [*_own_places(layout, own, found, settings), *_foreign_places(layout, listed, settings, rights)]
    return [
        replace(place, mark=marks.get(place.locator, "")[:255]) for place in _ordered(_told_apart(made))[:MAX_PLACES]
    ]


def _own_places(
    layout: Layout, own: Sequence[Listed], found: Mapping[Use, str], settings: Settings
) -> Iterator[Place]:
    uses = {name: use for use, name in found.items()}
    types = {name: TYPES[use] for name, use in uses.items() if use in TYPES} | {INBOX: FolderType.INBOX}
    mailboxes = {
        one.name for one in own
        if is_mailbox(one) and one.name not in settings.left_out
        and (one.name in uses or one.name == INBOX or not settings.subscribed_only or "\\subscribed" in one.attributes)
    }
    selectable = {one.name for one in own if is_mailbox(one) and one.name not in settings.left_out}
    shown = set(mailboxes)
    for name in mailboxes:
        if name not in types:
            shown.update(_levels(layout, name, settings, types))
    for name in sorted(shown):
        type = types.get(name, FolderType.USER_MAIL)
        yield Place(
            locator=name, name=INBOX_NAME if name == INBOX else _shown(_leaf(layout, name)), type=type,
            parent="" if name in types else _above(layout, name, settings.left_out),
            item_class="Email", right=Right.EDIT if name in selectable else Right.READ,
        )


def _above(layout: Layout, name: str, left_out: Iterable[str]) -> str:
    """The nearest level above that is shown, "" for the root: neither the prefix nor what is left out is."""
    hidden = {*left_out, layout.prefix[:-1], canonical(layout.prefix[:-1])}
    while layout.delimiter and layout.delimiter in name:
        name = canonical(name.rpartition(layout.delimiter)[0])
        if name not in hidden:
            return name
    return ""


def _levels(layout: Layout, name: str, settings: Settings, at_root: Container[str]) -> Iterator[str]:
    while name not in at_root and (name := _above(layout, name, settings.left_out)):
        yield name


def _foreign_places(
    layout: Layout, listed: Sequence[Listed], settings: Settings, rights: Mapping[str, str]
) -> Iterator[Place]:
    shown: dict[str, _Home] = {}
    for one, home in _homes(layout, listed):
        subscribed = not settings.subscribed_only or "\\subscribed" in one.attributes
        readable = right_of(rights[one.name]) >= Right.READ if one.name in rights else False
        if home.kind != "personal" and is_mailbox(one) and subscribed and readable:
            shown[one.name] = home
    for name, home in sorted(shown.items()):
        parent = name
        while home.delimiter and home.delimiter in parent:
            parent = parent.rpartition(home.delimiter)[0]
            if parent in shown:
                break
        yield Place(
            locator=name, parent=parent if parent in shown and parent != name else "", name=_foreign_name(home),
            type=FolderType.USER_MAIL, item_class="Email", right=right_of(rights[name]), own=False,
        )


def _foreign_name(home: _Home) -> str:
    """The folder's own name and its owner's; of a public folder that of their namespace."""
    levels = home.rest.split(home.delimiter) if home.delimiter else [home.rest]
    if home.kind == "other":
        owner, leaf = levels[0], levels[-1] if len(levels) > 1 else INBOX_NAME
    else:
        owner, leaf = home.prefix.removesuffix(home.delimiter), levels[-1]
    return _shown(f"{leaf} ({owner})" if owner else leaf)


def right_of(rights: str) -> Right:
    """By MYRIGHTS; "" is a server that knows no rights: it refuses by itself what may not be. RFC 4314 2.1; "c" and "d"
    are those of RFC 2086, which say less exactly what "k", "x", "t" and "e" do."""
    if not rights:
        return Right.EDIT
    if "r" not in rights:
        return Right.NONE
    return Right.EDIT if set("itewd") & set(rights) else Right.READ


def _shown(name: str) -> str:
    return " ".join(clean(name).split())[:MAX_NAME].strip() or "?"


def _told_apart(made: Iterable[Place]) -> Iterator[Place]:
    """Equal names of siblings, case aside, get a number behind them; the usual folders keep theirs."""
    taken = set[tuple[str, str]]()
    for place in sorted(made, key=lambda place: (not place.own, place.type is FolderType.USER_MAIL)):
        name, number = place.name, 2
        while (place.parent, name.casefold()) in taken:
            name = f"{place.name[: MAX_NAME - 8]} ({number})"
            number += 1
        taken.add((place.parent, name.casefold()))
        yield place if name == place.name else replace(place, name=name)


_FIRST = {type: rank for rank, type in enumerate((FolderType.INBOX, *TYPES.values()))}


def _ordered(made: Iterable[Place]) -> list[Place]:
    """Parents before children: the usual ones, the user's others, those of others, each by name."""
    below: dict[str, list[Place]] = {}
    for place in made:
        below.setdefault(place.parent, []).append(place)
    for siblings in below.values():
        siblings.sort(key=lambda one: (not one.own, _FIRST.get(one.type, len(_FIRST)), key(one.name), one.locator))
    out: list[Place] = []
    pending = below.pop("", [])[::-1]
    while pending:
        place = pending.pop()
        out.append(place)
        pending.extend(below.pop(place.locator, [])[::-1])
    return out
