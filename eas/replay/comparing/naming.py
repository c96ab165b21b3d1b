"""What a person calls an element: `Add of 'Re: lunch'`, `Collection Inbox`, and how it is written in a path."""

from __future__ import annotations

from collections.abc import Hashable

from eas.protocol.wbxml import Element
from eas.replay.format import document

from .ids import Ids

#: What names an item, the first that it has: its title, or what it is sent under.
TITLES = (
    "Email:Subject", "Calendar:Subject", "Tasks:Subject", "Notes:Subject", "Contacts:FileAs", "Contacts:LastName",
    "Contacts:FirstName", "Contacts:CompanyName", "FolderHierarchy:DisplayName", "DocumentLibrary:DisplayName",
    "GAL:DisplayName", "Calendar:Attendee_Email", "Calendar:Email", "Email:DisplayName", "AirSyncBase:DisplayName",
    "ResolveRecipients:To", "ResolveRecipients:EmailAddress", "Calendar:ExceptionStartTime",
)
#: What tells items of the same title apart.
BESIDE = ("FolderHierarchy:Type", "Calendar:StartTime", "Email:From", "AirSync:ClientId", "Contacts:FirstName")
#: Where title and the rest stand, beside the item itself.
INSIDE = frozenset({"AirSync:ApplicationData", "Search:Properties", "ItemOperations:Properties"})
#: Elements that are called by their folder.
COLLECTIONS = frozenset({
    "AirSync:Collection", "AirNotify:Folder", "GetItemEstimate:Collection", "Ping:Folder", "GetItemEstimate:Response",
})
#: Types of folders that a mailbox has one of. [MS-ASCMD] Type (FolderSync).
DEFAULT_FOLDERS = frozenset(map(str, (*range(2, 12), 19)))
#: Characters of a value in a line, and of an element that is shown.
SHORT, SHOWN = 60, 4000


def local(tag: str) -> str:
    return tag.rpartition(":")[2]


def title_of(element: Element) -> str:
    """"" where it has none."""
    for place in _places(element):
        for child in place.elements:
            if child.tag in TITLES and child.text.strip():
                return child.text
    return ""


def label_of(element: Element) -> Hashable | None:
    """What tells an item from others of its kind, also where something in it has changed. None: nothing does."""
    title = title_of(element)
    places = _places(element)
    beside = tuple(child.text for place in places for tag in BESIDE for child in place.children(tag))
    return (element.tag, title, beside) if title or any(place.child("AirSync:ClientId") for place in places) else None


def role_of(element: Element) -> Hashable | None:
    """What a default folder is for; its name follows the user's language. None for anything else."""
    type = element.child("FolderHierarchy:Type")
    return (element.tag, type.text) if type is not None and type.text in DEFAULT_FOLDERS else None


def _places(element: Element) -> list[Element]:
    return [element, *(child for child in element.elements if child.tag in INSIDE)]


def called(element: Element, ids: Ids) -> str:
    """For a sentence: `Add of 'Re: lunch'`."""
    name = local(element.tag)
    if element.tag in COLLECTIONS:
        folder = folder_of(element)
        return f"{name} {ids.names.get(folder, folder)}".strip()
    if element.tag not in INSIDE and (title := title_of(element)):
        return f"{name} of {short(title)!r}"
    known = next((child for child in element.elements if local(child.tag) in ("ServerId", "ClientId", "LongId")), None)
    return f"{name} of {short(known.text)}" if known is not None and known.text else name


def folder_of(element: Element) -> str:
    """The id of the folder that an element speaks of, "" for none."""
    for child in element.elements:
        if local(child.tag) in ("CollectionId", "SrcFldId") or child.tag == "Ping:Id":
            return child.text
    return ""


def step(element: Element, space: str, ids: Ids, number: int | None) -> str:
    """One step of a path; `number` counts from 1 among siblings of the same tag, None for the only one."""
    own, _, name = element.tag.partition(":")
    tag = name if own == space else f"{own.lower()}:{name}"
    if element.tag in COLLECTIONS and (folder := folder_of(element)):
        return f"{tag}[{ids.names.get(folder, folder)}]"
    return tag if number is None else f"{tag}[{number}]"


def short(text: str, most: int = SHORT) -> str:
    """On one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 3]}..."


def apart(one: str, other: str, most: int = SHORT) -> tuple[str, str]:
    """Both on one line, from a little before the place where they part."""
    same = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
                min(len(one), len(other)))
    if same < most // 2 or max(len(one), len(other)) <= most:
        return short(one, most), short(other, most)
    start = same - most // 3
    return short(f"...{one[start:]}", most), short(f"...{other[start:]}", most)


def shown(element: Element) -> str:
    """The element as session files write it, cut where it is long; its value alone where it has no children."""
    if not element.elements:
        value = element.content
        return (value if isinstance(value, str) else repr(value) if isinstance(value, bytes) else "")[:SHOWN]
    try:
        return document.to_text(element)[:SHOWN]
    except document.DocumentError:
        return repr(element)[:SHOWN]
