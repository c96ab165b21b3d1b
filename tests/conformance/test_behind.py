"""The conformance suite with real servers behind the gateway, in the newest version and before 16.0: a fixed sample of
the cases on each set of servers, or all of them.

Not every server does all that Exchange does: what none of a set does is named in LACKING, by the reason that the case
itself gives, and anything else that is said not to apply is a failure.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio
from behind import DOCUMENTS, Behind
from groupware.cyrus import Cyrus
from groupware.dovecot import Dovecot
from groupware.radicale import Radicale
from groupware.slapd import Slapd
from groupware.smtp import Sink
from groupware.xandikos import Xandikos
from lab import Case, Inapplicable, Lab, Login, load_cases

from eas.protocol.version import Version

pytestmark = [pytest.mark.server, pytest.mark.long]

#: What each set of servers is tried in. Radicale's set shows what depends on the version, the others what depends on
#: the servers.
TRIED = {
    "dovecot+radicale": (Version.V14_1, Version.V16_1), "cyrus": (Version.V16_1,), "plain+xandikos": (Version.V16_1,),
}
_COMPANY = "company is not|begins as the other user's does"
LACKING = {
    "dovecot+radicale": f"enter invitations|Gregorian|others are free|{_COMPANY}",
    "cyrus": f"enter invitations|mails them nothing|Gregorian|others are free|{_COMPANY}",
    "plain+xandikos": f"enter invitations|mails them nothing|Gregorian|others are free|{_COMPANY}",
}


@dataclass(kw_only=True)
class Running:
    """One gateway, and two users of their own, for the cases of one file in one version on one set of servers."""

    folders: pytest.TempPathFactory
    of: tuple[str, str, Version] | None = None
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    line: httpx.AsyncClient | None = None
    people: tuple[Login, Login] | None = None

    async def lab(self, name: str, area: str, version: Version, request: pytest.FixtureRequest) -> Lab:
        if self.of != (name, area, version):
            await self.stack.aclose()
            behind = set_of(name, request.getfixturevalue)
            gateway = await self.stack.enter_async_context(behind.gateway(self.folders.mktemp("behind")))
            self.line = await self.stack.enter_async_context(gateway.line())
            self.people = behind.person("anna"), behind.person("ben")
            self.of = (name, area, version)
        assert self.line is not None
        assert self.people is not None
        me, other = self.people
        return Lab(client=self.line, version=version, me=me, other=other, documents=DOCUMENTS)


def set_of(name: str, server: Any) -> Behind:
    """`server` gives those that run, by the names of their fixtures."""
    sink: Sink = server("sink_of_all")
    directory: Slapd = server("slapd")
    match name:
        case "cyrus":
            cyrus: Cyrus = server("cyrus")
            return Behind(mail=cyrus, sink=sink, dav=cyrus, directory=directory)
        case "plain+xandikos":
            poor: Dovecot = server("dovecot_plain")
            xandikos: Xandikos = server("xandikos")
            # It says that it schedules, but has no way to send mail here.
            dav = {"url": xandikos.url, "ca_file": xandikos.ca_file, "schedules": "no"}
            return Behind(mail=poor, sink=sink, dav=xandikos, directory=directory, more={"dav": dav})
        case _:
            dovecot: Dovecot = server("dovecot")
            radicale: Radicale = server("radicale")
            return Behind(mail=dovecot, sink=sink, dav=radicale, directory=directory)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    kept = Running(folders=tmp_path_factory)
    async with kept.stack:
        yield kept


#: Of so many cases one is run, each set and version having others, unless EAS_BEHIND is "all": a whole run takes half
#: an hour (`make behind`).
SAMPLE = 1 if os.environ.get("EAS_BEHIND") == "all" else 12


def in_order() -> list[tuple[str, Case, Version]]:
    """By set, version and file."""
    sets = [(name, version) for name, versions in TRIED.items() for version in versions]
    return sorted(
        ((name, case, version) for at, (name, version) in enumerate(sets) for n, case in enumerate(load_cases())
         if version in case.spoken and n % SAMPLE == at % SAMPLE),
        key=lambda run: (run[0], run[2], area(run[1])),
    )


def area(case: Case) -> str:
    return case.name.partition(".")[0]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("name", "case", "version"),
    [pytest.param(*run, id=f"{run[0]}-{run[1].name}-{run[2].text}") for run in in_order()],
)
async def test_conforms_with_servers_behind(
    name: str, case: Case, version: Version, running: Running, request: pytest.FixtureRequest
) -> None:
    lab = await running.lab(name, area(case), version, request)
    try:
        await case.run(lab)
    except Inapplicable as reason:
        if re.search(LACKING[name], str(reason)):
            pytest.skip(str(reason))
        pytest.fail(f"this set of servers has what the case asks for: {reason}")
