"""Lists of revoked certificates by HTTP, from the hosts that the administrator allowed and from nowhere else.

A certificate that somebody mailed names the address, so the address is a stranger's: no other scheme than HTTP, no
login in it, no redirect is followed. What was fetched is kept for a while, and so is that nothing could be.

[RFC 5280] 4.2.1.13; [RFC 2585].
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import structlog

from eas.engine.errors import Unavailable

log = structlog.get_logger("eas.crl")

#: Of a whole fetch. A phone waits for the answer, and some certificates need several lists.
TIMEOUT_SECONDS = 8.0
#: Octets of one list; those of large public authorities have one to five million.
MAX_BYTES = 16 << 20
#: Octets kept of all lists together; the oldest go first.
MAX_KEPT_BYTES = 64 << 20
#: How long a list is taken for new, and how long a host that did not answer is left alone. Lists are published by the
#: hour or the day.
FRESH_SECONDS, AILING_SECONDS = 900.0, 60.0
#: Characters of an address.
MAX_URL = 2048

_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True)
class _Kept:
    """`content` None for what could not be fetched."""

    until: float
    content: bytes | None


@dataclass(slots=True, kw_only=True)
class HttpRevocationLists:
    """`hosts` are "crl.example.com", for the usual port of the scheme, or "crl.example.com:8080"."""

    hosts: Collection[str]
    monotonic: Callable[[], float]
    timeout_seconds: float = TIMEOUT_SECONDS
    max_bytes: int = MAX_BYTES
    _kept: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    _under_way: dict[str, asyncio.Task[bytes | None]] = field(default_factory=dict)

    async def fetch(self, url: str) -> bytes | None:
        """Raises Unavailable for a server that does not answer, or not with a list of bearable size."""
        if not self._allowed(url):
            log.info("revocation list not fetched: its host is not allowed", url=url[:200])
            return None
        kept = self._kept.get(url)
        if kept is None or self.monotonic() >= kept.until:
            content = await self._once(url)
        else:
            content = kept.content
        if content is None:
            raise Unavailable("the revocation list cannot be fetched")
        return content

    def _allowed(self, url: str) -> bool:
        if len(url) > MAX_URL or not url.isascii() or not url.isprintable():
            return False
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return False
        if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
            return False
        usual = _PORTS[parts.scheme]
        named = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        wanted = {f"{named}:{port or usual}"} | ({named, parts.hostname} if port in (None, usual) else set())
        return not wanted.isdisjoint(host.lower() for host in self.hosts)

    async def _once(self, url: str) -> bytes | None:
        """Those who ask at the same time share one fetch, which goes on if one of them goes away."""
        task = self._under_way.get(url)
        if task is None:
            task = self._under_way[url] = asyncio.create_task(self._get(url))
            task.add_done_callback(lambda done: self._under_way.pop(url, None))
        return await asyncio.shield(task)

    async def _get(self, url: str) -> bytes | None:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                content = await self._read(url)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, ValueError) as error:
            log.warning("revocation list cannot be fetched", url=url, reason=str(error) or type(error).__name__)
            content = None
        self._keep(url, content)
        return content

    async def _read(self, url: str) -> bytes:
        """Raises ValueError for another answer than 200, and for too long ones."""
        found = bytearray()
        # Proxies and credentials of the environment are not for addresses that strangers name.
        async with (
            httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=self.timeout_seconds) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"HTTP {response.status_code}")
            async for piece in response.aiter_raw():
                found += piece
                if len(found) > self.max_bytes:
                    raise ValueError(f"more than {self.max_bytes} octets")
        return bytes(found)

    def _keep(self, url: str, content: bytes | None) -> None:
        seconds = AILING_SECONDS if content is None else FRESH_SECONDS
        self._kept[url] = _Kept(self.monotonic() + seconds, content)
        self._kept.move_to_end(url)
        while sum(len(kept.content or b"") + MAX_URL for kept in self._kept.values()) > MAX_KEPT_BYTES:
            self._kept.popitem(last=False)
