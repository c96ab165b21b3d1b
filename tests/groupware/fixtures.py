"""Fixtures of the servers, for every test; each is started when a test first asks for it, once a process.

Tests that ask for one are marked `server`. A server that cannot be started fails its tests; with EAS_NO_SERVERS=1 they
are skipped instead, except where CI is set.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import pytest

from .authority import authority
from .cyrus import Cyrus
from .dovecot import Dovecot, Flavour
from .glewlwyd import Glewlwyd
from .postgresql import Postgresql
from .radicale import Radicale
from .redis import RedisCluster, RedisSentinels, RedisServer
from .slapd import Slapd
from .smtp import Sink
from .xandikos import Xandikos

NAMES = frozenset({
    "dovecot", "dovecot_condstore", "dovecot_plain", "dovecot_lua", "dovecot_ox", "cyrus", "radicale", "xandikos",
    "slapd", "mail_sink", "glewlwyd", "postgresql", "redis_server", "redis_sentinels", "redis_cluster",
})


#: Whether every test that can has its database on PostgreSQL.
ON_POSTGRESQL = bool(os.environ.get("TEST_POSTGRESQL"))


class _Runs(Protocol):
    def start(self) -> object: ...

    def stop(self) -> None: ...


Server = TypeVar("Server", bound=_Runs)


def without_servers() -> bool:
    """Whether tests that need a server are to be skipped."""
    return bool(os.environ.get("EAS_NO_SERVERS")) and not os.environ.get("CI")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if NAMES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("server")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    if authority.cache_info().currsize:
        shutil.rmtree(authority().path, ignore_errors=True)


def run(make: Callable[[], Server]) -> Iterator[Server]:
    """A server while its fixture lives, ended in any case."""
    if without_servers():
        pytest.skip("EAS_NO_SERVERS is set")
    server = make()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    yield from run(lambda: Dovecot(flavour=Flavour.FULL))


@pytest.fixture(scope="session")
def dovecot_condstore() -> Iterator[Dovecot]:
    yield from run(lambda: Dovecot(flavour=Flavour.CONDSTORE))


@pytest.fixture(scope="session")
def dovecot_plain() -> Iterator[Dovecot]:
    yield from run(lambda: Dovecot(flavour=Flavour.PLAIN))


@pytest.fixture(scope="session")
def dovecot_lua() -> Iterator[Dovecot]:
    yield from run(lambda: Dovecot(flavour=Flavour.LUA))


@pytest.fixture(scope="session")
def dovecot_ox() -> Iterator[Dovecot]:
    yield from run(lambda: Dovecot(flavour=Flavour.OX))


@pytest.fixture(scope="session")
def cyrus() -> Iterator[Cyrus]:
    yield from run(Cyrus)


@pytest.fixture(scope="session")
def glewlwyd() -> Iterator[Glewlwyd]:
    yield from run(Glewlwyd)


@pytest.fixture(scope="session")
def radicale() -> Iterator[Radicale]:
    yield from run(Radicale)


@pytest.fixture(scope="session")
def xandikos() -> Iterator[Xandikos]:
    yield from run(Xandikos)


@pytest.fixture(scope="session")
def slapd() -> Iterator[Slapd]:
    yield from run(Slapd)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    yield from run(Postgresql)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    yield from run(RedisServer)


@pytest.fixture(scope="session")
def redis_sentinels() -> Iterator[RedisSentinels]:
    yield from run(RedisSentinels)


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    yield from run(RedisCluster)


@pytest.fixture(scope="session")
def sink_of_all() -> Iterator[Sink]:
    """For what goes on over several tests; `mail_sink` for the others."""
    yield from run(Sink)


@pytest.fixture
def mail_sink(sink_of_all: Sink) -> Iterator[Sink]:
    """One server for all, as new for each test."""
    sink_of_all.reset()
    yield sink_of_all
    sink_of_all.reset()
