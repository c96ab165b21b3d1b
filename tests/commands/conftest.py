from __future__ import annotations

from typing import Any

import pytest
from mail_kit import Mailroom


@pytest.fixture
def room(world: Any) -> Mailroom:
    return Mailroom(world=world)
