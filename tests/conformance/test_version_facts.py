"""What our messages declare, against each row "protocol version X supports this element" of the specifications.

EAS_SPEC names a folder with the tables in `requirements/`; without it there is nothing to compare with.
"""

from __future__ import annotations

import csv
import inspect
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, get_args, get_type_hints

import pytest
from version_exceptions import APART

import eas.commands
import eas.items
from eas.commands._registry import Command
from eas.commands.all import COMMANDS
from eas.items import policy
from eas.protocol.version import Version

SPEC = os.environ.get("EAS_SPEC", "")
pytestmark = pytest.mark.skipif(not SPEC, reason="EAS_SPEC names no tables")

ROW = re.compile(
    r"^\[(?:\[?In )?(?P<title>[^\]]+)\] ?\[?Protocol version (?P<version>[\d.]+) (?P<no>does not )?supports? this"
)
TITLE = re.compile(r"^(?P<element>\w+) ?(?:\((?P<where>[^)]*)\))?$")

#: The code pages whose elements a document is about.
PAGES = {
    "MS-ASAIRS": ("AirSyncBase",), "MS-ASCAL": ("Calendar", "AirSyncBase", "Email2"),
    "MS-ASCNTC": ("Contacts", "Contacts2", "AirSyncBase"), "MS-ASDOC": ("DocumentLibrary",),
    "MS-ASEMAIL": ("Email", "Email2", "AirSyncBase", "Tasks"), "MS-ASNOTE": ("Notes", "AirSyncBase"),
    "MS-ASPROV": ("Provision",), "MS-ASTASK": ("Tasks", "AirSyncBase"),
}


def facts(document: str) -> dict[str, dict[Version, bool]]:
    """By title: in which versions there is such an element."""
    found: dict[str, dict[Version, bool]] = defaultdict(dict)
    with (Path(SPEC) / "requirements" / f"{document}.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            match = ROW.match(row["description"])
            served = row["level"] == "N" and row["scope"] in ("Server", "Both")
            if match and served and match["version"] in {v.text for v in Version}:
                found[match["title"]][Version.parse(match["version"])] = not match["no"]
    return dict(found)


@cache
def messages() -> tuple[type, ...]:
    """Every class that declares elements."""
    found = {
        cls for package in (eas.commands, eas.items)
        for module in iter_modules(package.__path__, package.__name__ + ".")
        for _, cls in inspect.getmembers(import_module(module.name), inspect.isclass)
        if is_dataclass(cls) and any("spellings" in member.metadata for member in fields(cls))
    }
    return tuple(sorted(found, key=lambda cls: (cls.__module__, cls.__qualname__)))


def nested(hint: object) -> Iterator[type]:
    """The message classes that the type of a field speaks of."""
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
    for inner in get_args(hint):
        yield from nested(inner)


@cache
def _of_module(name: str) -> frozenset[Version]:
    """The versions of the commands that a module registers; all for one that registers none."""
    commands = [command for command in COMMANDS.values() if command.handle.__module__ == name]
    return frozenset().union(*map(documents, commands)) if commands else frozenset(Version)


def documents(command: Command[Any]) -> frozenset[Version]:
    """The versions in which the request of a command is a document."""
    return frozenset(v for v in Version if v in command.spoken and not (command.mime and v in command.mime))


@cache
def reached() -> dict[type, frozenset[Version]]:
    """The versions in which a message can stand in another one; all for those that stand in none."""
    inside: dict[type, list[tuple[type, frozenset[Version]]]] = defaultdict(list)
    for cls in messages():
        hints = get_type_hints(cls)
        for member in fields(cls):
            for spelling in member.metadata.get("spellings", ()):
                versions = frozenset(version for version in Version if version in spelling.spoken)
                for inner in (*nested(hints[member.name]), *(spelling.classes or {}).values()):
                    inside[inner].append((cls, versions))
    found = {cls: _of_module(cls.__module__) for cls in messages()}
    for _ in range(len(Version) + 3):  # as deep as messages stand in each other
        for cls, outer in inside.items():
            if cls in found:
                reach = frozenset().union(*(found.get(one, frozenset()) & versions for one, versions in outer))
                found[cls] = _of_module(cls.__module__) & reach
    return found


#: A tag within an element of a (local) name, or "" for anywhere, and the versions in which any message has it so.
Declared = dict[tuple[str, str], frozenset[Version]]


def _within() -> Iterator[tuple[str, type]]:
    """(local name of an element, message that stands in it)."""
    for cls in messages():
        hints = get_type_hints(cls)
        for member in fields(cls):
            for spelling in member.metadata.get("spellings", ()):
                for tag, inner in (spelling.classes or {}).items():
                    yield local(tag), inner
                for inner in nested(hints[member.name]):
                    if spelling.tag:
                        yield local(spelling.tag), inner
    for command in COMMANDS.values():
        yield local(command.root), command.request


def local(tag: str) -> str:
    return tag.partition(":")[2]


@cache
def declarations() -> Declared:
    found: dict[tuple[str, str], set[Version]] = defaultdict(set)
    parents: dict[type, set[str]] = defaultdict(set)
    for parent, cls in _within():
        parents[cls].add(parent)
    for cls, versions in reached().items():
        for member in fields(cls):
            for spelling in member.metadata.get("spellings", ()):
                here = {version for version in versions if version in spelling.spoken}
                if spelling.within:
                    found[local(spelling.within), spelling.tag] |= here
                for tag in (spelling.tag, spelling.within, *(spelling.classes or ())):
                    for parent in ("", *parents[cls]) if tag else ():
                        found[parent, str(tag)] |= here
    for setting in policy.SETTINGS:
        for name in filter(None, (setting.name, setting.entry)):
            found["", f"Provision:{name}"] |= {version for version in Version if version in setting.spoken}
    for command in COMMANDS.values():
        found["", command.root] |= documents(command)
    return {key: frozenset(versions) for key, versions in found.items()}


def spoken_in(pages: tuple[str, ...], element: str, parent: str) -> frozenset[Version]:
    return frozenset().union(*(declarations().get((parent, f"{page}:{element}"), frozenset()) for page in pages))


#: Titles of [MS-ASCMD] name a command in parentheses: the pages whose elements its messages are made of.
PAGES_OF_COMMAND = {
    "Sync": ("AirSync", "AirSyncBase", "Email2", "RightsManagement"), "Ping": ("Ping",), "Settings": ("Settings",),
    "FolderSync": ("FolderHierarchy",), "FolderCreate": ("FolderHierarchy",), "FolderDelete": ("FolderHierarchy",),
    "FolderUpdate": ("FolderHierarchy",), "GetItemEstimate": ("GetItemEstimate", "AirSync"),
    "MoveItems": ("Move",), "ItemOperations": ("ItemOperations", "AirSync", "AirSyncBase", "Search"),
    "Search": ("Search", "AirSync", "AirSyncBase", "GAL"), "Find": ("Find", "AirSync", "GAL"),
    "MeetingResponse": ("MeetingResponse", "Search"), "ResolveRecipients": ("ResolveRecipients",),
    "ValidateCert": ("ValidateCert",), "Provision": ("Provision",), "SendMail": ("ComposeMail",),
    "SmartForward": ("ComposeMail",), "SmartReply": ("ComposeMail",),
}


def differences(document: str) -> list[tuple[str, str]]:
    """The rows that our messages contradict: title, and versions where an element is missing (+) or too much (-)."""
    parents = {parent for parent, _ in declarations()}
    found = []
    for title, by_version in facts(document).items():
        match = TITLE.match(title)
        if match is None:
            continue
        where = match["where"] or ""
        for name in re.split(r", and |, | and ", where):
            if document == "MS-ASCMD":
                pages = PAGES_OF_COMMAND.get(name, EVERY_PAGE)
                have = spoken_in(pages, match["element"], "")
                if name in COMMANDS:
                    have &= documents(COMMANDS[name])
                if match["element"] in COMMANDS and not where:
                    have |= {v for v in Version if v in COMMANDS[match["element"]].spoken}
            else:
                have = spoken_in(PAGES[document], match["element"], name if name in parents else "")
            wrong = [v.text + ("+" if yes else "-") for v, yes in by_version.items() if (v in have) != yes]
            if wrong:
                found.append((title, " ".join(wrong)))
    return found


EVERY_PAGE = tuple({page for pages in PAGES_OF_COMMAND.values() for page in pages})


@pytest.mark.parametrize("document", [*PAGES, "MS-ASCMD"])
def test_each_element_is_there_in_its_versions(document: str) -> None:
    assert len(facts(document)) > 5
    assert [found for found in differences(document) if found[0] not in APART] == []


def test_no_exception_is_left_over() -> None:
    """What was passed over once is compared as soon as it agrees."""
    assert set(APART) == {title for document in (*PAGES, "MS-ASCMD") for title, _ in differences(document)} & set(APART)
