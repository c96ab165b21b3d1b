"""`eas session proxy` in front of a real server, with a phone that synchronises through it."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from proxying import PATIENCE, Proxy
from serving import EAS, Server
from typer.testing import CliRunner

from eas.cli import app as commands
from eas.replay.format.model import Exchange, Meta
from eas.replay.format.reading import open_session
from eas.server.control import SOCKET, ask


def read(file: Path) -> tuple[Meta, list[Exchange]]:
    with open_session(file) as session:
        return session.meta, list(session.exchanges)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(data=tmp_path_factory.mktemp("proxied") / "data", arguments=("--demo",)) as running:
        yield running


def phone(url: str, state: Path, *words: str) -> str:
    command = [str(EAS), "phone", url, "--user", "anna", "--password", "demo", "--state", str(state), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def look(server: Server) -> Any:
    """Who is at it now."""
    return (ask(server.data / SOCKET, {"do": "look"}) or {})["look"]


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.server
def test_a_phone_is_recorded(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "anna.session"
    with Proxy(server.url, file, ("--contents",)) as proxy:
        assert "account set up" in phone(proxy.url, tmp_path / "state.json", "--insecure")
        assert proxy.end() == 0
    said = proxy.said
    for line in (
        f"recording {server.url} to {file}: with names and contents, for 2h, up to 50M",
        f"  server       {proxy.host}", "its SHA-256 begins", "--listen 0.0.0.0", f"Read it: eas session show {file}",
    ):
        assert line in said
    meta, exchanges = read(file)
    targets = [one.request.target for one in exchanges]
    for number, one in enumerate(exchanges):
        assert one.number == number + 1
        assert one.answer.status == 200
    commands = ["OPTIONS", *(target.partition("Cmd=")[2].partition("&")[0] for target in targets[1:])]
    assert commands[:4] == ["OPTIONS", "Provision", "Provision", "FolderSync"]
    assert "Sync" in commands
    for command in set(commands):
        assert sum(f" {command} " in line for line in said.splitlines()) == commands.count(command)
    assert (meta.get("user"), meta.get("device type"), meta.get("client")) == ("anna", "EasPhone", "eas-phone/1")
    assert meta.get("server") == "MS-Server-ActiveSync 16.1"
    assert meta.get("origin") == "recorded by eas session proxy"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "YW5uYTpkZW1v" not in file.read_text()


@pytest.mark.server
def test_a_phone_that_waits_when_the_recording_ends(server: Server, tmp_path: Path) -> None:
    """Packed, over plain HTTP, ended by SIGTERM."""
    file = tmp_path / "anna.session.gz"
    with Proxy(server.url, file, ("--contents",), plain=True) as proxy:
        phone(proxy.url, tmp_path / "state.json")
        command = [str(EAS), "phone", proxy.url, "--user", "anna", "--password", "demo"]
        with subprocess.Popen(
            [*command, "--state", str(tmp_path / "state.json"), "ping"], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        ) as waiting:
            try:
                assert waiting.stdout is not None
                assert any("waiting" in line for line in waiting.stdout)
                until(lambda: look(server)["waiting"])
                assert proxy.end(signal.SIGTERM) == 0
            finally:
                waiting.kill()
    _, exchanges = read(file)
    last = exchanges[-1]
    assert "Cmd=Ping" in last.request.target
    assert (last.answer.status, last.answer.why) == (None, "the recording ended")


@pytest.mark.server
def test_it_ends_by_itself(server: Server, tmp_path: Path) -> None:
    with Proxy(server.url, tmp_path / "x.session", ("--contents", "--for", "1s"), plain=True) as proxy:
        assert proxy.process is not None
        assert proxy.process.wait(PATIENCE) == 0
    assert "0 exchanges" in proxy.said
    assert read(tmp_path / "x.session")[1] == []


@pytest.mark.server
def test_a_full_recording_ends_it(server: Server, tmp_path: Path) -> None:
    with Proxy(server.url, tmp_path / "x.session", ("--contents", "--max-size", "1K"), plain=True) as proxy:
        assert proxy.process is not None
        subprocess.run(
            [str(EAS), "phone", proxy.url, "--user", "anna", "--password", "demo", "--state", str(tmp_path / "s")],
            capture_output=True, timeout=120,
        )
        assert proxy.process.wait(PATIENCE) == 0
    assert 1000 < (tmp_path / "x.session").stat().st_size < 10_000


# Called wrongly ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "said"), [
    (("--to", "ftp://x"), "no http or https address"),
    (("--to", "https://x/sogo"), "nowhere below '/sogo'"),
    (("--to", "https://x", "--listen", "8443"), "HOST:PORT"),
    (("--to", "https://x", "--listen", "127.0.0.1:99999"), "HOST:PORT"),
    (("--to", "https://x", "--tls-key", "k.pem"), "--tls-cert"),
    (("--to", "https://x", "--tls-cert", "nowhere.pem"), "No such file"),
    (("--to", "https://x", "--ca", "nowhere.pem"), "No such file"),
    (("--to", "https://x", "--for", "soon"), "no time"),
    (("--to", "https://x", "--max-size", "much"), "no size"),
    (("--to", "https://x", "-o", "."), "is there already"),
])
def test_called_wrongly(words: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(commands, ["session", "proxy", "--contents", *words])
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        words = ["session", "proxy", "--contents", "--to", "https://x", "--listen", listen]
        result = CliRunner().invoke(commands, [*words, "-o", str(tmp_path / "x.session")])
    assert result.exit_code == 2
    assert f"cannot listen on {listen}" in result.output
    assert not list(tmp_path.iterdir())
