"""Figures of several processes that share a folder, through real servers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from figures import Figures
from groupware.redis import RedisServer
from serving import Server

from eas.app.measuring import mark_process_dead, share

TOKEN = "a-token-for-figures"
PATIENCE = 60.0


@contextmanager
def _running(data: Path, environment: dict[str, str], *arguments: str) -> Iterator[Server]:
    data.mkdir()
    server = Server(data=data, arguments=arguments, settings={"EAS_METRICS__TOKEN": TOKEN, **environment}).start()
    try:
        yield server
    finally:
        if server.process is not None:
            server.terminate()


def _figures(server: Server) -> Figures:
    request = Request(f"{server.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    with urlopen(request, timeout=PATIENCE) as answer:
        return Figures.parsed(answer.read().decode())


def _turned_away(server: Server) -> None:
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(f"{server.url}/Microsoft-Server-ActiveSync", method="OPTIONS"), timeout=PATIENCE)
    assert refused.value.code == 401
    refused.value.close()


def _pids(told: Figures) -> set[str]:
    return {labels["pid"] for labels in told.labels("process_cpu_seconds_total")}


@pytest.mark.server
def test_each_of_two_processes_tells_of_both(tmp_path: Path) -> None:
    """Also of what one has counted that is dead by now; and what another run has left is gone."""
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "counter_1.db").write_bytes(b"left over")
    environment = share(folder)
    with _running(tmp_path / "one", environment) as one, _running(tmp_path / "two", environment) as two:
        for server in (one, one, two):
            _turned_away(server)
        for server in (one, two):
            # One counts when it has answered, which is before the other is asked, or not.
            told = _until(server, lambda told: told.total("eas_request_seconds_count", command="Options") == 3)
            assert told.total("eas_refusals_total", reason="no_login") == 3
            assert told.total("eas_requests_total", command="Options", http="401") == 3
            assert told.total("eas_build_info") == 1
            assert _pids(told) == {str(one.pid), str(two.pid)}
            assert all(told.total("process_resident_memory_bytes", pid=pid) > 1 << 20 for pid in _pids(told))
        pid = one.pid
        one.kill()
        mark_process_dead(folder, pid)
        told = _figures(two)
        assert told.total("eas_refusals_total", reason="no_login") == 3
        assert _pids(told) == {str(two.pid)}
    assert share(folder) == environment
    assert list(folder.iterdir()) == []


@pytest.mark.server
def test_workers_tell_of_each_other_and_not_of_the_dead(redis_server: RedisServer, tmp_path: Path) -> None:
    redis = {"EAS_REDIS__URL": redis_server.url, "EAS_REDIS__PREFIX": redis_server.new_prefix()}
    with _running(tmp_path / "data", redis, "--workers", "2") as server:
        first = _until(server, lambda told: len(_pids(told)) == 2)
        assert str(server.pid) not in _pids(first)
        _until(server, lambda told: told.total("eas_redis_servers", state="connected") == 2)
        for _ in range(10):
            _turned_away(server)
        _until(server, lambda told: told.total("eas_refusals_total", reason="no_login") == 10)
        dead = sorted(_pids(first))[0]
        os.kill(int(dead), signal.SIGKILL)
        later = _until(server, lambda told: len(_pids(told)) == 2 and dead not in _pids(told))
        assert later.total("eas_refusals_total", reason="no_login") == 10


def _until(server: Server, holds: Callable[[Figures], bool]) -> Figures:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            told = _figures(server)
        except OSError:  # of the worker that was killed
            continue
        if holds(told):
            return told
        time.sleep(0.1)
    raise AssertionError(sorted(_pids(told)))
