"""Every status that the gateway can send has words, and a next step that is worth reading."""

from __future__ import annotations

import importlib
import pkgutil
from enum import IntEnum

import pytest

from eas import commands
from eas.admin.words import BY_COMMAND, COMMON, HTTP, ITEM, OF_COMMAND, WELL, Words, explain
from eas.commands.all import COMMANDS
from eas.engine.apply import ItemStatus
from eas.protocol.statuses import HTTP_BEFORE_14, HTTP_OTHERWISE, CommonStatus
from eas.server.faults import TEXTS


def _enumerations() -> list[type[IntEnum]]:
    """All that are called Status, or end so, in the files of the commands."""
    found = {ItemStatus}
    for module in pkgutil.iter_modules(commands.__path__):
        for value in vars(importlib.import_module(f"eas.commands.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, IntEnum) and value.__name__.endswith("Status"):
                found.add(value)
    return sorted(found - {CommonStatus}, key=lambda kind: (kind.__module__, kind.__name__))


@pytest.mark.parametrize("kind", _enumerations(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_status_of_every_command_has_words(kind: type[IntEnum]) -> None:
    assert {int(status) for status in kind} == {int(status) for status in BY_COMMAND[kind]}


def test_every_common_status_has_words() -> None:
    assert {int(status) for status in CommonStatus} == {int(status) for status in COMMON}


def test_every_http_status_has_words() -> None:
    assert {*HTTP_BEFORE_14.values(), HTTP_OTHERWISE, *TEXTS, 200, 401} <= HTTP.keys()


def test_commands_without_statuses_of_their_own_are_those_that_have_none() -> None:
    assert OF_COMMAND.keys() <= COMMANDS.keys()
    assert COMMANDS.keys() - OF_COMMAND.keys() == {
        "SendMail", "SmartReply", "SmartForward", "GetAttachment", "GetHierarchy", "Notify",
    }


@pytest.mark.parametrize(
    "words", [*(w for table in BY_COMMAND.values() for w in table.values()), *COMMON.values(), *HTTP.values()],
    ids=lambda words: words.means[:40],
)
def test_words_are_sentences(words: Words) -> None:
    assert words.means.endswith(".")
    assert not words.next or words.next.rstrip(")").endswith((".", ")")), words.next
    assert not any(code in words.means for code in ("Status", "0x", "SyncKey", "EAS")), "no jargon"


def test_an_answer_is_explained_by_the_command_first() -> None:
    assert explain("Sync", 3) is BY_COMMAND[OF_COMMAND["Sync"][0]][3]
    assert explain("Sync", "") is WELL
    assert explain("SendMail", "120") is COMMON[120]
    assert explain("Ping", 142) is COMMON[142]
    assert explain(ITEM, 8) is BY_COMMAND[ItemStatus][8]
    assert explain("Sync", "", 449) is HTTP[449]
    assert "No words" in explain("Sync", 99).means
    assert "No words" in explain("Sync", "x").means
