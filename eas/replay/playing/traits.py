"""What an item is known by on any server: which of two lists of items are the same ones, since ids tell nothing.

A server's answer is reduced to traits as it goes by; only these are kept, never items.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parseaddr

from eas.protocol.wbxml import Element

from .moments import NONE, instant

#: Namespace of a class -> the tags that make an item known, the surest combination first.
KNOWN_BY: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Email": (
        ("Subject", "From", "To", "DateReceived"), ("Subject", "From", "DateReceived"), ("Subject", "From"),
        ("Subject", "DateReceived"), ("Subject",),
    ),
    "Calendar": (("UID", "StartTime"), ("UID",), ("Subject", "StartTime"), ("Subject",)),
    "Contacts": (
        ("FileAs", "FirstName", "LastName", "CompanyName", "Email1Address"),
        ("FirstName", "LastName", "CompanyName"), ("FileAs",), ("Email1Address",),
    ),
    "Tasks": (("Subject", "UtcDueDate", "DueDate"), ("Subject",)),
    "Notes": (("Subject", "LastModifiedDate"), ("Subject",)),
}
#: Combinations up to here are sure enough while more items may come.
SURE = 2
ADDRESSES = frozenset({"From", "To", "Email1Address"})

_CLASS_BY_TAG = {f"{space}:{tag}": space for space, levels in KNOWN_BY.items() for level in levels for tag in level}


@dataclass(frozen=True, slots=True)
class Traits:
    """`known_by`: what the item is known by, the surest first, "" where it lacks that. `files`: name and reference of
    each attachment. `called` is for people."""

    id: str
    known_by: tuple[str, ...]
    called: str = ""
    files: tuple[tuple[str, str], ...] = ()
    conversation: bytes | str = b""


def traits(id: str, data: Element, by: timedelta = NONE) -> Traits:
    """Of an item's elements. `by` is what its dates are moved by."""
    values: dict[str, str] = {}
    space = ""
    for child in data.elements:
        found = _CLASS_BY_TAG.get(child.tag)
        if found is not None:
            space = space or found
            values[child.tag.partition(":")[2]] = _plain(child, by)
    known = tuple(
        "\x1f".join((str(number), *parts)) if any(parts := [values.get(tag, "") for tag in level]) else ""
        for number, level in enumerate(KNOWN_BY.get(space, ()))
    )
    conversation = data.child("Email2:ConversationId")
    called = values.get("Subject") or values.get("FileAs") or values.get("LastName") or values.get("UID") or ""
    return Traits(id, known, called[:60], tuple(files(data)), conversation.content if conversation is not None
                  and isinstance(conversation.content, bytes | str) else b"")


def _plain(child: Element, by: timedelta) -> str:
    text = " ".join(child.text.split())
    if child.tag.partition(":")[2] in ADDRESSES:
        return parseaddr(text)[1].casefold() or text.casefold()
    at = instant(text)
    if at is None:
        return text.casefold()
    try:
        return (at + by).isoformat(timespec="seconds")
    except OverflowError:
        return text


def files(data: Element) -> Iterator[tuple[str, str]]:
    """Name and reference of each attachment, in 12.0 and later or in 2.5."""
    for space, holder, reference in (("AirSyncBase", "AirSyncBase:Attachments", "AirSyncBase:FileReference"),
                                     ("Email", "Email:Attachments", "Email:AttName")):
        for attachments in data.children(holder):
            for attachment in attachments.elements:
                name = attachment.child(f"{space}:DisplayName")
                given = attachment.child(reference)
                if given is not None and given.text:
                    yield name.text if name is not None else "", given.text


def pairs(recorded: Sequence[Traits], live: Sequence[Traits], *, sure: bool) -> list[tuple[Traits, Traits]]:
    """Those that are the same item, the surest first; each once, in order. `sure`: only by what is sure."""
    found: list[tuple[Traits, Traits]] = []
    left, right = list(recorded), list(live)
    depth = max((len(one.known_by) for one in left), default=0)
    for level in range(min(depth, SURE) if sure else depth):
        if not left or not right:
            break
        by_value: dict[str, list[Traits]] = {}
        for one in reversed(right):
            if level < len(one.known_by) and one.known_by[level]:
                by_value.setdefault(one.known_by[level], []).append(one)
        still = []
        for one in left:
            same = by_value.get(one.known_by[level]) if level < len(one.known_by) and one.known_by[level] else None
            if same:
                other = same.pop()
                right.remove(other)
                found.append((one, other))
            else:
                still.append(one)
        left = still
    return found


def named_pairs(
    recorded: Iterable[tuple[str, str]], live: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """References of attachments of the same item: by name, and of those of one name in order."""
    by_name: dict[str, list[str]] = {}
    for name, reference in live:
        by_name.setdefault(name, []).append(reference)
    for name, reference in recorded:
        if by_name.get(name):
            yield reference, by_name[name].pop(0)
