"""Worlds for the tests of backends: a groupware with three users, made anew for each test by a factory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from worlds import FACTORIES, EmbeddedWorld, World, template


@pytest.fixture(scope="session")
def database_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("template") / "groupware.db")


@pytest.fixture(params=list(FACTORIES))
async def world(request: pytest.FixtureRequest, database_template: Path, tmp_path: Path) -> AsyncIterator[World]:
    """Each backend in turn: what the contract says holds for all of them."""
    made = await FACTORIES[request.param](database_template, tmp_path)
    yield made
    await made.close()


@pytest.fixture
async def embedded(database_template: Path, tmp_path: Path) -> AsyncIterator[EmbeddedWorld]:
    made = await EmbeddedWorld.make(database_template, tmp_path)
    yield made
    await made.close()
