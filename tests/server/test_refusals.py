"""Refusals of every command, in the form of its answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from wire import Wire

from eas.commands.all import COMMANDS
from eas.engine.errors import ItemGone, NoSpace, Unavailable
from eas.protocol.version import Version
from eas.server.faults import status_of

SPOKEN = [(name, command) for name, command in sorted(COMMANDS.items()) if Version.V14_1 in command.spoken]


@pytest.mark.parametrize("name", [name for name, _ in SPOKEN])
async def test_every_command_refuses_in_its_own_words(wire: Callable[..., Wire], name: str) -> None:
    """Bytes that are no WBXML. With the schemas at hand (EAS_XSD) each refusal is also checked against them."""
    got = await wire().post(name, b"\x03\x01\x6a\x00\x3f")
    assert got.http == 200
    assert got.root.tag == COMMANDS[name].root
    assert "102" in [node.text for node in got.root.elements] + [
        inner.text for node in got.root.elements for inner in node.elements
    ]


# The body of SendMail and its like is a message there, and any bytes are one.
@pytest.mark.parametrize("name", [name for name, command in SPOKEN if command.mime is None])
async def test_every_command_is_refused_in_http_before_14_0(wire: Callable[..., Wire], name: str) -> None:
    got = await wire(version="12.1").post(name, b"\x03\x01\x6a\x00\x3f")
    assert got.http == 400


def test_children_of_known_errors_are_known_and_others_are_bugs() -> None:
    class Away(Unavailable):
        pass

    assert status_of(Away()) == 111
    assert status_of(NoSpace()) == 113
    assert status_of(ItemGone()) is None
    assert status_of(ValueError()) is None
