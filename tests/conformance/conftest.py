from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from house import House, open_house

#: As `office` has it.
DOMAIN = "example.com"


@pytest.fixture
async def house(office: tuple[Path, dict[str, str]], tmp_path: Path) -> AsyncIterator[House]:
    shutil.copytree(office[0], tmp_path / "data")
    async with open_house(tmp_path / "data", DOMAIN) as opened:
        yield opened
