from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mail_kit import Mailroom


@pytest.fixture
def room(world: Any) -> Mailroom:
    return Mailroom(world=world)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every command in every version over a whole server: a minute and more in all."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.long)
