"""Every element that a message or an item class declares, against the code pages."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import eas.commands
import eas.items
from eas.protocol.codepages import SPOKEN, TOKEN_OF, UNVERIFIED
from eas.protocol.schema import Spelling
from eas.protocol.version import Spoken


@cache
def declared() -> tuple[tuple[str, str, Spoken], ...]:
    """(where, tag, versions) of every tag in every spelling."""
    return tuple(_declared())


def _declared() -> Iterator[tuple[str, str, Spoken]]:
    for package in (eas.commands, eas.items):
        for module in iter_modules(package.__path__, package.__name__ + "."):
            for _, cls in inspect.getmembers(import_module(module.name), inspect.isclass):
                if cls.__module__ != module.name or not is_dataclass(cls):
                    continue
                for member in fields(cls):
                    for spelling in member.metadata.get("spellings", ()):
                        for tag in _tags(spelling):
                            yield f"{module.name}.{cls.__qualname__}.{member.name}", tag, spelling.spoken


def _tags(spelling: Spelling) -> list[str]:
    return [tag for tag in (spelling.tag, spelling.within, *(spelling.classes or ())) if tag]


#: Fields of requests that are read in all versions, since devices mix them up; nothing writes them.
READ_IN_ALL = {
    "eas.commands.get_item_estimate.Collection.item_class",
    # Devices of 12.0 and 12.1 that state no BodyPreference.
    "eas.commands._sync_messages.Options.truncation", "eas.commands._sync_messages.Options.rtf_truncation",
}
#: Answers to a command that a device brings along from an older version: who asks in these tags can read them.
ANSWERED_BEYOND = {"eas.commands.notify.Response.status", "eas.commands.notify.Response.carriers"}


def test_there_is_something_to_check() -> None:
    assert len(declared()) > 500


def test_declared_tags_exist() -> None:
    assert [(where, tag) for where, tag, _ in declared() if tag not in TOKEN_OF] == []


def test_no_declared_tag_is_unverified() -> None:
    assert [(where, tag) for where, tag, _ in declared() if tag in UNVERIFIED] == []


def test_no_tag_is_declared_beyond_its_last_version() -> None:
    """What went (legacy tags, Location in 16.0) is an unknown element to a later device."""
    beyond = [(where, tag) for where, tag, spoken in declared() if spoken.until > SPOKEN[tag].until]
    assert [(where, tag) for where, tag in beyond if where not in READ_IN_ALL | ANSWERED_BEYOND] == []
