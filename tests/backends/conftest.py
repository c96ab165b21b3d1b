"""Worlds for the tests of backends: a groupware with three users, made anew for each test by a factory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from elsewhere import FACTORIES as ELSEWHERE
from groupware.fixtures import ON_POSTGRESQL
from groupware.postgresql import Postgresql
from worlds import FACTORIES, EmbeddedWorld, Factory, World, ground, template, template_on

EVERYWHERE = FACTORIES | ELSEWHERE


@pytest.fixture(scope="session")
def postgresql_template(postgresql: Postgresql) -> Postgresql:
    """With a database to be copied for each test."""
    template_on(postgresql)
    return postgresql


@pytest.fixture(scope="session")
def database_template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if ON_POSTGRESQL:
        ground.server = request.getfixturevalue("postgresql_template")
    return template(tmp_path_factory.mktemp("template") / "groupware.db")


@pytest.fixture(params=[
    pytest.param(name, marks=[pytest.mark.server] if factory.servers else []) for name, factory in EVERYWHERE.items()
])
def factory(request: pytest.FixtureRequest) -> tuple[Factory, list[Any]]:
    """With its servers, which run."""
    found = EVERYWHERE[request.param]
    reason = found.lacks.get(request.function.__name__)
    if reason is not None:
        pytest.skip(reason)
    return found, [request.getfixturevalue(name) for name in found.servers]


@pytest.fixture
async def world(
    factory: tuple[Factory, list[Any]], database_template: Path, tmp_path: Path
) -> AsyncIterator[World]:
    """Each backend in turn: what the contract says holds for all of them."""
    how, servers = factory
    made = await how.make(database_template, tmp_path, *servers)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
async def embedded(database_template: Path, tmp_path: Path) -> AsyncIterator[EmbeddedWorld]:
    made = await EmbeddedWorld.make(database_template, tmp_path)
    yield made
    await made.close()
