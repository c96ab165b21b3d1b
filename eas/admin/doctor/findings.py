"""Findings, and the notebook that they are written into."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from eas.backends.dav.model import DavError
from eas.backends.imap.model import ImapError
from eas.backends.sieve.errors import SieveError
from eas.engine.errors import BackendError


class Verdict(StrEnum):
    """`WARN`: it works, and costs something. `SKIP`: was not tried, for the reason said."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`tenant` and `server` say where ("" for the gateway itself), `check` what was looked at, `said` what was found.
    `means` is what that costs, `advice` what to do; both "" where all is well."""

    tenant: str
    server: str
    check: str
    verdict: Verdict
    said: str
    means: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Notes:
    """Of one server."""

    tenant: str
    server: str
    put: Callable[[Finding], None]

    def ok(self, check: str, said: str) -> None:
        self._note(Verdict.OK, check, said)

    def warn(self, check: str, said: str, means: str = "", advice: str = "") -> None:
        self._note(Verdict.WARN, check, said, means, advice)

    def fail(self, check: str, said: str, means: str = "", advice: str = "") -> None:
        self._note(Verdict.FAIL, check, said, means, advice)

    def skip(self, check: str, said: str) -> None:
        self._note(Verdict.SKIP, check, said)

    def _note(self, verdict: Verdict, check: str, said: str, means: str = "", advice: str = "") -> None:
        self.put(Finding(
            tenant=self.tenant, server=self.server, check=check, verdict=verdict, said=said, means=means,
            advice=advice,
        ))

    @asynccontextmanager
    async def attempt(self, check: str, means: str = "", advice: str = "") -> AsyncIterator[None]:
        """What goes wrong with a server inside is a failure of this check, and no more is tried inside."""
        try:
            yield
        except (ImapError, DavError, SieveError, BackendError, OSError, TimeoutError) as error:
            self.fail(check, str(error) or type(error).__name__, means, advice)
