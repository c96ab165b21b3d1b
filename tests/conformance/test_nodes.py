"""The conformance suite with two gateways over one PostgreSQL: of each device every request goes to the other node than
the one before, so that whatever a node remembers is put to the test by what the other one has done since.

A fixed sample, or all cases with EAS_NODES=all (`make nodes`).
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio
from behind import Behind
from groupware.nodes import Nodes, nodes
from groupware.postgresql import Postgresql
from groupware.redis import RedisServer
from lab import Case, Inapplicable, Lab, Login, load_cases
from library_kit import furnish
from test_behind import LACKING, set_of
from test_suite import DOCUMENTS, ENTRY

from eas.protocol.version import Version

pytestmark = [pytest.mark.server, pytest.mark.long]

SETS = ("embedded", "dovecot+radicale")
VERSIONS = (Version.V14_1, Version.V16_1)
#: Of so many cases one is run, each set and version having others.
SAMPLE = 1 if os.environ.get("EAS_NODES") == "all" else 60


@dataclass(kw_only=True)
class Site:
    """Two nodes; `behind` None where all is in the gateway."""

    running: Nodes
    line: httpx.AsyncClient
    behind: Behind | None
    #: Whom the servers knew before the nodes began: a list of addresses is read once in some minutes.
    known: list[tuple[Login, Login]]

    async def people(self) -> tuple[Login, Login]:
        """Two who know each other, and have nothing in their mailboxes."""
        if self.behind is not None:
            return self.known.pop()
        admin = self.running.premises.embedded.admin
        anna, ben = await self.running.person("anna"), await self.running.person("ben")
        company = f"Company{ben.login}"  # with nobody else in it
        entry = {**ENTRY, "company": company, "first_name": "Ben", "last_name": "Berger", "alias": ben.login}
        await admin.change_user(ben.address, **entry)
        await admin.change_user(anna.address, company=company)
        me, other = (Login(user=one.address, password=one.password, address=one.address) for one in (anna, ben))
        return me, other


@dataclass(kw_only=True)
class Sites:
    """One of the sets at a time, and two people for the cases of one file in one version."""

    folders: pytest.TempPathFactory
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    site: Site | None = None
    set: str = ""
    of: tuple[str, str, Version] | None = None
    pair: tuple[Login, Login] | None = None

    async def lab(self, name: str, area: str, version: Version, request: pytest.FixtureRequest) -> Lab:
        if self.site is None or self.set != name:
            await self.stack.aclose()
            self.site, self.set = await self.stack.enter_async_context(self._opened(name, request)), name
        if self.pair is None or self.of != (name, area, version):
            self.pair, self.of = await self.site.people(), (name, area, version)
        me, other = self.pair
        return Lab(client=self.site.line, version=version, me=me, other=other, documents=DOCUMENTS)

    @asynccontextmanager
    async def _opened(self, name: str, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
        postgresql: Postgresql = request.getfixturevalue("postgresql")
        behind = None if name == "embedded" else set_of(name, request.getfixturevalue)
        folder = self.folders.mktemp("nodes")
        library = folder / "library"
        library.mkdir()
        furnish(library)
        settings: dict[str, Any] = {"documents": {"shares": [f"library={library}"]}}
        known: list[tuple[Login, Login]] = []
        if behind is not None:
            companies = [f"Company{n:03}" for n in range(len(pairs(name, request.session.items)))]
            known = [
                (behind.person("anna", o=company, jpegPhoto=None, title=None), behind.person("ben", o=company))
                for company in companies
            ]
            behind.sink.route = behind._deliver
            settings |= {name: value for name, value in behind.settings(folder).items() if name != "data"}
        redis: RedisServer = request.getfixturevalue("redis_server")
        opened = nodes(folder, postgresql.new_database(), redis=redis, settings=settings)
        async with opened as running, running.line() as line:
            yield Site(running=running, line=line, behind=behind, known=known)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sites(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sites]:
    kept = Sites(folders=tmp_path_factory)
    async with kept.stack:
        yield kept


def in_order() -> list[tuple[str, Case, Version]]:
    """By set, version and file."""
    ways = [(name, version) for name in SETS for version in VERSIONS]
    return sorted(
        ((name, case, version) for at, (name, version) in enumerate(ways) for n, case in enumerate(load_cases())
         if version in case.spoken and n % SAMPLE == (at * 13 + 5) % SAMPLE),
        key=lambda run: (SETS.index(run[0]), run[2], area(run[1])),
    )


def pairs(name: str, items: list[pytest.Item]) -> set[tuple[str, Version]]:
    """File and version of the cases that will be run on a set of servers."""
    runs = [
        (item.callspec.params["case"], item.callspec.params["version"]) for item in items
        if isinstance(item, pytest.Function) and item.originalname == test_conforms_with_two_nodes.__name__
        and item.callspec.params["name"] == name
    ]
    return {(area(case), version) for case, version in runs}


def area(case: Case) -> str:
    return case.name.partition(".")[0]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("name", "case", "version"),
    [pytest.param(*run, id=f"{run[0]}-{run[1].name}-{run[2].text}") for run in in_order()],
)
async def test_conforms_with_two_nodes(
    name: str, case: Case, version: Version, sites: Sites, request: pytest.FixtureRequest
) -> None:
    lab = await sites.lab(name, area(case), version, request)
    try:
        await case.run(lab)
    except Inapplicable as reason:
        if name != "embedded" and re.search(LACKING[name], str(reason)):
            pytest.skip(str(reason))
        pytest.fail(f"these servers have what the case asks for: {reason}")
