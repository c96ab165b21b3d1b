"""Figures of several processes that share a folder, through real servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from figures import Figures
from serving import Server

from eas.app.measuring import mark_process_dead, share

TOKEN = "a-token-for-figures"


@contextmanager
def _running(data: Path, environment: dict[str, str]) -> Iterator[Server]:
    data.mkdir()
    server = Server(data=data, settings={"EAS_METRICS__TOKEN": TOKEN, **environment}).start()
    try:
        yield server
    finally:
        server.kill()


def _figures(server: Server) -> Figures:
    request = Request(f"{server.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    with urlopen(request, timeout=10) as answer:
        return Figures.parsed(answer.read().decode())


def _turned_away(server: Server) -> None:
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(f"{server.url}/Microsoft-Server-ActiveSync", method="OPTIONS"), timeout=10)
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
            told = _figures(server)
            assert told.total("eas_refusals_total", reason="no_login") == 3
            assert told.total("eas_requests_total", command="Options", http="401") == 3
            assert told.total("eas_request_seconds_count", command="Options") == 3
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
