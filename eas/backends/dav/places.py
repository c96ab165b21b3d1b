"""Collections as the folders that a phone shows. Pure.

An EAS folder has one class; a calendar collection may take several components (RFC 4791 5.2.3), as those of Radicale,
Nextcloud and Cyrus do unless told otherwise. It is then a folder for each of its classes. The locator of a place is the
collection's href, `canonical` and with a slash at its end; of all but the first of its classes (in the order of
`CLASSES`, whichever are served) with "#" and the component behind it: "/dav/anna/Default/#VTODO".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from eas.backends.standards.ports import Place
from eas.engine.model import FolderType, Right

from .hrefs import canonical, last_segment
from .model import CollectionInfo, Principal

#: As `std_place.locator` takes it; longer ones are no folders.
MAX_LOCATOR = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """How a class of items is kept. `segments` are names of collections that are meant as the default, in order;
    `make` and `name` those of one that is made."""

    component: str
    kind: str
    default: FolderType
    other: FolderType
    make: str
    name: str
    segments: tuple[str, ...]


CLASSES: Mapping[str, Class] = {
    "Calendar": Class(
        component="VEVENT", kind="calendar", default=FolderType.CALENDAR, other=FolderType.USER_CALENDAR,
        make="calendar", name="Calendar", segments=("default", "calendar", "personal", "kalender"),
    ),
    "Tasks": Class(
        component="VTODO", kind="calendar", default=FolderType.TASKS, other=FolderType.USER_TASKS,
        make="tasks", name="Tasks", segments=("tasks", "todo", "todos", "default", "personal", "aufgaben", "calendar"),
    ),
    "Notes": Class(
        component="VJOURNAL", kind="calendar", default=FolderType.NOTES, other=FolderType.USER_NOTES,
        make="notes", name="Notes",
        segments=("notes", "journal", "journals", "default", "personal", "notizen", "calendar"),
    ),
    "Contacts": Class(
        component="", kind="addressbook", default=FolderType.CONTACTS, other=FolderType.USER_CONTACTS,
        make="contacts", name="Contacts",
        segments=("default", "contacts", "addressbook", "personal", "kontakte", "card"),
    ),
}
CLASS_OF_TYPE = {known.other: name for name, known in CLASSES.items()}

_WRITES = frozenset({"all", "write", "write-content", "bind"})


def components(info: CollectionInfo) -> list[str]:
    """Those that are classes, in the order of `CLASSES`; [""] for an address book. One that does not tell takes all."""
    known = [one.component for one in CLASSES.values() if one.kind == info.kind]
    return [component for component in known if not info.components or not component or component in info.components]


def locator_of(href: str, component: str = "") -> str:
    return canonical(href) + "/" + (f"#{component}" if component else "")


def collection_of(locator: str) -> str:
    """The href of a place's collection."""
    return locator.partition("#")[0]


def right_of(info: CollectionInfo) -> Right:
    """RFC 3744 5.4; RFC 4791 6.1.1 for free/busy. A server that does not tell refuses what is not allowed."""
    granted = info.privileges
    if granted is None or granted & _WRITES:
        return Right.EDIT
    if "read" in granted:
        return Right.READ
    return Right.FREE_BUSY if "read-free-busy" in granted else Right.NONE


def laid_out(
    infos: Sequence[CollectionInfo], principal: Principal, classes: Collection[str], *, schedules: bool,
    remembered: Mapping[str, str],
) -> list[Place]:
    """The places of these collections, those of each class by name, its default first. `schedules`: the server tells
    others of what is written into the user's own calendars. `remembered` are locators of the defaults of last time."""
    places = list[Place]()
    for item_class, known in CLASSES.items():
        if item_class in classes:
            found = [_place(info, item_class, principal, schedules) for info in infos
                     if info.kind == known.kind and known.component in components(info)]
            usable = [one for one in found if one.right is not Right.NONE and len(one.locator) <= MAX_LOCATOR]
            places += _with_default(usable, item_class, principal, remembered.get(item_class, ""))
    return told_apart(places)


def _place(info: CollectionInfo, item_class: str, principal: Principal, schedules: bool) -> Place:
    known, own = CLASSES[item_class], is_own(info, principal)
    first = components(info)[0] == known.component
    name = info.name.strip() or last_segment(info.href)
    return Place(
        locator=locator_of(info.href, "" if first else known.component), parent="",
        name=name if first else f"{name} ({known.name})", type=known.other, item_class=item_class,
        right=right_of(info), own=own, schedules=schedules and own and item_class == "Calendar",
    )


def is_own(info: CollectionInfo, principal: Principal) -> bool:
    """One without an owner lies in the user's own home."""
    return not info.owner or not principal.href or canonical(info.owner) == canonical(principal.href)


def _with_default(places: list[Place], item_class: str, principal: Principal, remembered: str) -> list[Place]:
    known = CLASSES[item_class]
    places.sort(key=lambda one: (one.name.casefold(), one.locator))
    default = _default(places, known, principal, remembered)
    if default is None:
        return places
    first = replace(default, type=known.default)
    return [first, *(one for one in places if one is not default)]


def _default(places: Sequence[Place], known: Class, principal: Principal, remembered: str) -> Place | None:
    """What the server says; what it was last time (a new collection does not make the old one another kind of folder);
    one of its own rather than one that it shares with another class, by its name; any."""
    mine = [one for one in places if one.own and one.right >= Right.EDIT]
    told = locator_of(principal.default_calendar) if principal.default_calendar else ""
    named = {name: at for at, name in reversed(list(enumerate(known.segments)))}

    def rank(place: Place) -> tuple[bool, int]:
        words = (last_segment(collection_of(place.locator)).casefold(), place.name.casefold())
        return "#" in place.locator, min(named.get(word, len(named)) for word in words)

    tests: list[Callable[[Place], bool]] = [
        lambda one: bool(told) and known.component == "VEVENT" and one.locator == told,
        lambda one: one.locator == remembered,
    ]
    for test in tests:
        for place in mine:
            if test(place):
                return place
    return min(mine, key=rank, default=None)


def told_apart(places: Sequence[Place]) -> list[Place]:
    """With different names, whatever their case: "Calendar", "Calendar 2"."""
    taken, apart = set[str](), list[Place]()
    for place in places:
        name, number = place.name, 1
        while name.casefold() in taken:
            number += 1
            name = f"{place.name} {number}"
        taken.add(name.casefold())
        apart.append(replace(place, name=name))
    return apart
