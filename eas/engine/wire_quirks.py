"""Quirks that are a matter of wording: what a device says is put right as it is heard, what it is told as it is said.

A rule looks at one element, whose children have been through it before, and gives it back, another in its place, or
None to leave it out. Nothing but the elements decides, so commands and items need not know of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from eas.protocol.wbxml import Element

from .quirks import Quirk

Rule = Callable[[Element], Element | None]

DAYS = frozenset(("Contacts:Birthday", "Contacts:Anniversary"))
CUTS = frozenset(("AirSyncBase:TruncationSize", "AirSync:MIMETruncation", "AirSync:Truncation"))
#: What follows the first name in an entry of the address list. [MS-ASCMD] Properties (Search)
AFTER_FIRST_NAME = frozenset(("GAL:LastName", "GAL:HomePhone", "GAL:MobilePhone", "GAL:EmailAddress", "GAL:Picture"))
#: Where a device says how it wants bodies, and how it says that it takes MIME.
OPTIONS = frozenset(("AirSync:Options", "ItemOperations:Options", "Search:Options"))
PREFERENCE, MIME = "AirSyncBase:BodyPreference", "4"
#: Where an item's elements stand.
ITEMS = frozenset(("AirSync:ApplicationData", "Search:Properties", "ItemOperations:Properties"))
#: Recurs each year. [MS-ASCAL] Type
YEARLY = frozenset(("5", "6"))


def understood(root: Element, quirks: Collection[Quirk]) -> Element:
    """A request as it was meant."""
    return _through(HEARD, root, quirks)


def worded(root: Element, quirks: Collection[Quirk]) -> Element:
    """An answer as the device can take it."""
    return _through(SAID, root, quirks)


def _through(rules: Mapping[Quirk, Rule], root: Element, quirks: Collection[Quirk]) -> Element:
    for quirk, rule in rules.items():
        if quirk in quirks:
            root = _mapped(root, rule) or root
    return root


def _mapped(element: Element, rule: Rule) -> Element | None:
    if not element.elements:
        return rule(element)
    children = tuple(new for child in element.elements if (new := _mapped(child, rule)) is not None)
    same = len(children) == len(element.elements) and all(map(_is, children, element.elements))
    return rule(element if same else Element(element.tag, children))


def _is(one: Element, other: Element) -> bool:
    return one is other


def _without_empty(*tags: str) -> Rule:
    def rule(element: Element) -> Element | None:
        return None if element.tag in tags and not element.content else element

    return rule


def _without_cuts(element: Element) -> Element | None:
    return None if element.tag in CUTS else element


def _with_mime(element: Element) -> Element:
    """From 12.0 on MIMESupport counts for nothing without a BodyPreference of Type 4. [MS-ASCMD] MIMESupport"""
    if element.tag not in OPTIONS:
        return element
    support = element.child("AirSync:MIMESupport")
    types = [child.text for wanted in element.children(PREFERENCE) for child in wanted.children("AirSyncBase:Type")]
    if support is None or support.text != "1" or not types or MIME in types:
        return element
    return Element(element.tag, (*element.elements, Element(PREFERENCE, (Element("AirSyncBase:Type", MIME),))))


def _days_at(hour: int) -> Rule:
    """A day is the UTC midnight of `2000-12-25T00:00:00.000Z`; said to be at another hour."""

    def rule(element: Element) -> Element:
        if element.tag not in DAYS:
            return element
        return Element(element.tag, element.text.replace("T00:", f"T{hour:02}:"))

    return rule


def _with_first_name(element: Element) -> Element:
    children = element.elements
    name = element.child("GAL:DisplayName")
    if name is None or any(child.tag == "GAL:FirstName" for child in children):
        return element
    first = Element("GAL:FirstName", name.text.split(" ")[0])
    at = next((n for n, child in enumerate(children) if child.tag in AFTER_FIRST_NAME), len(children))
    return Element(element.tag, (*children[:at], first, *children[at:]))


def _anniversary_as_day(element: Element) -> Element:
    """An appointment without length that recurs each year becomes one of a whole day."""
    if element.tag not in ITEMS:
        return element
    texts = {child.tag: child.text for child in element.elements}
    start, recurrence = texts.get("Calendar:StartTime", ""), element.child("Calendar:Recurrence")
    kind = recurrence.child("Calendar:Type") if recurrence else None
    if not start or start != texts.get("Calendar:EndTime") or kind is None or kind.text not in YEARLY:
        return element
    try:
        end = datetime.strptime(start, COMPACT) + timedelta(days=1)
    except (ValueError, OverflowError):
        return element
    changed = {"Calendar:EndTime": end.strftime(COMPACT), "Calendar:AllDayEvent": "1"}
    children = tuple(Element(c.tag, changed.pop(c.tag)) if c.tag in changed else c for c in element.elements)
    return Element(element.tag, (*children, *(Element(tag, text) for tag, text in changed.items())))


COMPACT = "%Y%m%dT%H%M%SZ"

HEARD: Mapping[Quirk, Rule] = {
    Quirk.EMPTY_PICTURE_KEEPS: _without_empty("Contacts:Picture"),
    Quirk.EMPTY_IDS: _without_empty("AirSync:ServerId", "FolderHierarchy:ServerId"),
    Quirk.EMPTY_RTF: _without_empty("Contacts:CompressedRTF", "Contacts:BodySize"),
    Quirk.WHOLE_BODIES: _without_cuts,
    Quirk.SIGNED_AS_MIME: _with_mime,
    Quirk.ANNIVERSARIES_WITHOUT_LENGTH: _anniversary_as_day,
}
SAID: Mapping[Quirk, Rule] = {
    Quirk.BIRTHDAYS_AT_8: _days_at(8),
    Quirk.BIRTHDAYS_AT_11: _days_at(11),
    Quirk.NEEDS_FIRST_NAME: _with_first_name,
}
