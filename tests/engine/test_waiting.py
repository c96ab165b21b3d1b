"""Subscribe, then look, then wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from line_kit import World, run
from test_collection import Box

from eas.engine.model import FolderType
from eas.engine.waiting import wait_for_news


class Arming:
    """A bell, and its one subscription: what happens until it stands is done by `meanwhile`. Nothing is ever rung."""

    ended = replaced = False
    rung_at = 0.0

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.meanwhile = meanwhile
        self.closed = 0

    def listen(self, *given: object) -> Arming:
        return self

    async def armed(self) -> None:
        self.meanwhile()

    async def wait(self, timeout_seconds: float) -> frozenset[str]:
        raise AssertionError("there was news to be seen")

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def test_what_happens_before_the_subscription_stands_everywhere_is_seen(world: World) -> None:
    """A process elsewhere changed something, and did not know yet that somebody waits here."""
    box = Box(world, FolderType.INBOX)
    box.ask()
    box.ask()
    bell = Arming(lambda: box.deliver("Now"))
    waited = run(wait_for_news(replace(world.session, bell=bell), [box.id], 60))  # type: ignore[arg-type]
    assert waited.changed == (box.id,)
    assert bell.closed
